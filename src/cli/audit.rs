//! `firstline audit`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::config::Config;
use crate::runtime::call_files;
use crate::runtime::retention;
use crate::runtime::serve::{TRAIL_KEY, keys};
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
    /// Checks one call: its events, and the files they were sealed with
    #[command(
        after_help = "Example:\n  firstline audit verify 019ab4c2-0b7e-7d52-9c1f-3a5d1e0f8a11"
    )]
    Verify {
        call_id: String,
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
        What::Verify { call_id, key, json } => {
            let key = match key {
                Some(key) => key,
                None => own_key(&config)?,
            };
            verify(&config, &call_id, &key, json)
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

/// A call's folder; a name that is no call's is refused.
pub(super) fn folder(config: &Config, call_id: &str) -> anyhow::Result<PathBuf> {
    let folder = config.storage.recordings.join(call_id);
    if !crate::edge::http::valid_id(call_id) || !folder.is_dir() {
        anyhow::bail!(
            "there is no call {call_id} in {}; see `firstline report` or /api/calls",
            config.storage.recordings.display()
        );
    }
    Ok(folder)
}

/// A call's events as text.
pub(super) fn events(config: &Config, folder: &Path) -> anyhow::Result<String> {
    let keys = keys(config).map_err(anyhow::Error::msg)?;
    let bytes =
        call_files::read(folder, "events.jsonl", keys.as_ref()).map_err(anyhow::Error::msg)?;
    match bytes {
        Some(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        None => match retention::deleted(folder) {
            Some(when) => anyhow::bail!("its recording was {when}; only the record is left"),
            None => anyhow::bail!("{} has no events.jsonl: it was removed", folder.display()),
        },
    }
}

fn verify(config: &Config, call_id: &str, key: &str, as_json: bool) -> anyhow::Result<ExitCode> {
    let folder = folder(config, call_id)?;
    let text = events(config, &folder)?;
    let file = |name: &str| std::fs::read(folder.join(name)).ok();
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
