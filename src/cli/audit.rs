//! `firstline audit`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::config::Config;
use crate::runtime::kept;
use crate::runtime::retention;
use crate::runtime::s3::Bucket;
use crate::runtime::seal::Keys;
use crate::runtime::serve::{TRAIL_KEY, keys, open_store};
use crate::runtime::trail::{self, Signer};

/// Checks a call's trail is whole and unaltered.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  firstline audit verify 019ab4c2-0b7e-7d52-9c1f-3a5d1e0f8a11\n  firstline audit key"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Checks one call: its events, and the files they were sealed with. Without a call: what people did at the console
    #[command(
        after_help = "Example:\n  firstline audit verify 019ab4c2-0b7e-7d52-9c1f-3a5d1e0f8a11\n  firstline audit verify --head 5d41...   # what people did, up to a hash that was kept elsewhere"
    )]
    Verify {
        call_id: Option<String>,
        /// A hash of what people did, as the log has it after each act: it must be among them
        #[arg(long, value_name = "HASH", conflicts_with = "call_id")]
        head: Option<String>,
        /// The public key it has to be signed by; without it, this machine's own
        #[arg(long, value_name = "BASE64")]
        key: Option<String>,
        /// One JSON object on stdout: {"call","ok","lines","files","wrong"}
        #[arg(long)]
        json: bool,
    },
    /// Prints this machine's public key, to be kept where nobody who can change recordings can change it
    #[command(after_help = "Example:\n  firstline audit key")]
    Key,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Some(config) = super::config(args.config.as_deref()) else {
        return Ok(ExitCode::from(2));
    };
    match args.what {
        What::Key => {
            println!("{}", own_key(&config)?);
            Ok(ExitCode::SUCCESS)
        }
        What::Verify {
            call_id: None,
            head,
            json,
            ..
        } => super::block_on(verify_acts(&config, head.as_deref(), json))?,
        What::Verify {
            call_id: Some(call_id),
            key,
            json,
            ..
        } => {
            let key = match key {
                Some(key) => key,
                None => own_key(&config)?,
            };
            super::block_on(verify(&config, &call_id, &key, json))?
        }
    }
}

/// The public key of the key that lies beside the recordings.
fn own_key(config: &Config) -> anyhow::Result<String> {
    let path = config.storage.recordings.join(TRAIL_KEY);
    if !path.exists() {
        anyhow::bail!(
            "{} is not there: `firstline serve` makes it at its first start; or name the public key with --key",
            path.display()
        );
    }
    let signer = Signer::open(&path).map_err(anyhow::Error::msg)?;
    Ok(signer.public())
}

/// A call's files: in its folder here, or in the bucket.
pub(super) struct Files {
    folder: PathBuf,
    keys: Option<Keys>,
    bucket: Option<Bucket>,
}

impl Files {
    /// A name that is no call's is refused.
    pub(super) fn of(config: &Config, call_id: &str) -> anyhow::Result<Self> {
        let folder = config.storage.recordings.join(call_id);
        let bucket = kept::bucket(config).map_err(anyhow::Error::msg)?;
        if !crate::edge::http::valid_id(call_id) || !(folder.is_dir() || bucket.is_some()) {
            anyhow::bail!(
                "there is no call {call_id} in {}; see `firstline report` or /api/calls",
                config.storage.recordings.display()
            );
        }
        Ok(Self {
            folder,
            keys: keys(config).map_err(anyhow::Error::msg)?,
            bucket,
        })
    }

    /// Decrypted.
    pub(super) async fn read(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        kept::file(&self.folder, name, self.keys.as_ref(), self.bucket.as_ref())
            .await
            .map_err(anyhow::Error::msg)
    }

    async fn as_kept(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        kept::file_as_kept(&self.folder, name, self.bucket.as_ref())
            .await
            .map_err(anyhow::Error::msg)
    }

    /// A call's events as text.
    pub(super) async fn events(&self) -> anyhow::Result<String> {
        match self.read("events.jsonl").await? {
            Some(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            None => match retention::deleted(&self.folder) {
                Some(when) => anyhow::bail!("its recording was {when}; only the record is left"),
                None => anyhow::bail!(
                    "there is no events.jsonl of it in {}{}: it was removed",
                    self.folder.display(),
                    match self.bucket {
                        Some(_) => " nor in the bucket of storage.s3",
                        None => "",
                    }
                ),
            },
        }
    }
}

/// What people did at the console.
async fn verify_acts(
    config: &Config,
    head: Option<&str>,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let store = open_store(config).await?;
    let verdict = store.verify_acts(head).await?;
    store.close().await;
    let good = verdict.wrong.is_empty();
    if as_json {
        println!(
            "{}",
            json!({ "ok": good, "acts": verdict.acts, "head": verdict.head, "wrong": verdict.wrong })
        );
    } else if good {
        println!(
            "whole and unaltered: {} acts at the console{}",
            verdict.acts,
            verdict.head.map_or(String::new(), |h| format!(
                ", the last one {h} (kept elsewhere, it shows that nothing was cut off: --head)"
            ))
        );
    } else {
        verdict.wrong.iter().for_each(|wrong| println!("{wrong}"));
    }
    Ok(ExitCode::from(u8::from(!good)))
}

async fn verify(
    config: &Config,
    call_id: &str,
    key: &str,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let files = Files::of(config, call_id)?;
    let text = files.events().await?;
    let mut there = BTreeMap::new();
    for name in trail::files(&text) {
        if let Some(bytes) = files.as_kept(&name).await? {
            there.insert(name, bytes);
        }
    }
    let file = |name: &str| there.get(name).cloned();
    let verdict = trail::verify(call_id, &text, key, file);
    let good = verdict.wrong.is_empty();
    if as_json {
        println!(
            "{}",
            json!({ "call": call_id, "ok": good, "lines": verdict.lines, "files": verdict.files, "wrong": verdict.wrong })
        );
    } else if good {
        println!(
            "whole and unaltered: {} lines, {} files, signed by {key}",
            verdict.lines, verdict.files
        );
    } else {
        for wrong in &verdict.wrong {
            println!("{wrong}");
        }
    }
    Ok(ExitCode::from(u8::from(!good)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::s3::tests::{Kept, stand_in};
    use crate::runtime::trail::Chain;
    use sha2::{Digest, Sha256};

    /// Another machine had the call, or this one's copy went when the bucket had it.
    #[tokio::test]
    async fn a_call_that_is_in_the_bucket_only_is_verified_there() {
        let kept = Kept::default();
        let at = stand_in(kept.clone()).await;
        let dir = std::env::temp_dir().join(format!("firstline-audit-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&dir).unwrap();
        let text = format!(
            "[storage]\nrecordings = \"{}\"\ns3 = \"{at}\"\n",
            dir.display()
        );
        let env = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
            .map(|name| (name.to_owned(), "secret".to_owned()));
        let config = Config::from_parts(Some(("f.toml", &text)), &env.into()).unwrap();
        let signer = Signer::open(&dir.join(TRAIL_KEY)).unwrap();
        let id = "019ab4c2-0b7e-7d52-9c1f-3a5d1e0f8a11";
        let mut chain = Chain::new(id);
        let begun = chain.link("{\"at_ms\":0,\"event\":\"begin\"}");
        let files = [("audio.wav".to_owned(), 5, Sha256::digest(b"sound").into())];
        let seal = trail::sealed("ended", "2026-11-23T10:00:00Z", &files, &signer);
        let seal = chain.seal(&seal, &signer);
        let put = |name: &str, bytes: &[u8]| {
            let name = format!("/bucket/calls/{id}/{name}");
            kept.lock().unwrap().insert(name, bytes.to_vec());
        };
        put("events.jsonl", format!("{begun}\n{seal}\n").as_bytes());
        put("audio.wav", b"sound");
        let verified = async || {
            let code = verify(&config, id, &signer.public(), true).await.unwrap();
            format!("{code:?}") == format!("{:?}", ExitCode::SUCCESS)
        };
        assert!(verified().await);
        put("audio.wav", b"other");
        assert!(!verified().await, "a changed recording is found there, too");
        kept.lock().unwrap().clear();
        let gone = verify(&config, id, &signer.public(), true).await;
        assert!(gone.unwrap_err().to_string().contains("nor in the bucket"));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
