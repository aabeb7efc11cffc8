//! `firstline privacy`: what is kept of one caller, and its deletion.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::Config;
use crate::runtime::s3::Bucket;
use crate::runtime::serve::open_store;
use crate::runtime::{clock, kept, retention};

/// What is kept of a caller: hand it out, delete it, decrypt it; and delete what has been kept for long enough.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  firstline privacy export +12025550163 --out caller\n  firstline privacy erase +12025550163"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Everything of one caller into a folder: records, callbacks, actions, recordings, transcripts
    #[command(after_help = "Example:\n  firstline privacy export +12025550163 --out caller")]
    Export {
        /// The caller's number, as it stands in records
        number: String,
        /// A folder, made where it is not there
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Deletes everything of one caller, for good
    #[command(after_help = "Example:\n  firstline privacy erase +12025550163 --yes")]
    Erase {
        number: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Decrypts one call's files into a folder
    #[command(
        after_help = "Example:\n  firstline privacy open 019ab4c2-0b7e-7d52-9c1f-3a5d1e0f8a11 --out call"
    )]
    Open {
        call_id: String,
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Deletes what has been kept for long enough (privacy.keep_recordings, privacy.keep_records); `serve` does it every hour
    #[command(after_help = "Example:\n  firstline privacy sweep")]
    Sweep,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Some(config) = super::config(args.config.as_deref()) else {
        return Ok(ExitCode::from(2));
    };
    super::block_on(async {
        match args.what {
            What::Export { number, out } => export(&config, &number, &out).await,
            What::Erase { number, yes } => erase(&config, &number, yes).await,
            What::Open { call_id, out } => {
                let files = copy(&config, &call_id, &out).await?;
                if files == 0 {
                    anyhow::bail!("no file of call {call_id} is here or in a bucket");
                }
                eprintln!("{files} files are in {}", out.display());
                Ok(())
            }
            What::Sweep => {
                let store = open_store(&config).await?;
                let swept = retention::sweep(
                    &store,
                    &config.storage.recordings,
                    bucket(&config)?.as_ref(),
                    &config.privacy,
                    clock::now(),
                )
                .await?;
                store.close().await;
                eprintln!(
                    "deleted: recordings of {} calls, records of {} calls",
                    swept.recordings, swept.records
                );
                Ok(())
            }
        }
    })??;
    Ok(ExitCode::SUCCESS)
}

async fn export(config: &Config, number: &str, out: &Path) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let data = store.caller_data(number).await?;
    let ids = store.calls_of(number).await?;
    store.close().await;
    if ids.is_empty() {
        anyhow::bail!(
            "nothing is kept of {number}; write it as records have it, like +12025550163"
        );
    }
    std::fs::create_dir_all(out)?;
    std::fs::write(out.join("caller.json"), serde_json::to_vec_pretty(&data)?)?;
    for id in &ids {
        copy(config, id, &out.join(id)).await?;
    }
    eprintln!(
        "{} calls, {} callbacks and {} actions of {number} are in {}",
        data.calls.len(),
        data.callbacks.len(),
        data.actions.len(),
        out.display()
    );
    Ok(())
}

fn bucket(config: &Config) -> anyhow::Result<Option<Bucket>> {
    kept::bucket(config).map_err(anyhow::Error::msg)
}

/// A call's files, decrypted, from this machine and the bucket; how many.
async fn copy(config: &Config, id: &str, out: &Path) -> anyhow::Result<usize> {
    let files = super::audit::Files::of(config, id)?;
    let mut names = Vec::new();
    if let Ok(entries) = std::fs::read_dir(config.storage.recordings.join(id)) {
        names.extend(
            entries
                .flatten()
                .filter(|e| e.path().is_file())
                .map(|e| e.file_name()),
        );
    }
    let mut names: BTreeSet<String> = names
        .into_iter()
        .filter_map(|name| name.into_string().ok())
        .collect();
    if let Some(bucket) = bucket(config)? {
        let there = bucket.names(id).await.map_err(anyhow::Error::msg)?;
        names.extend(there);
    }
    let plain = |name: String| {
        name.strip_suffix(crate::runtime::seal::SUFFIX)
            .map_or(name.clone(), str::to_owned)
    };
    let names: BTreeSet<String> = names
        .into_iter()
        .filter(|name| !name.starts_with('.'))
        .map(plain)
        .collect();
    std::fs::create_dir_all(out)?;
    let mut copied = 0;
    for name in names {
        if let Some(bytes) = files.read(&name).await? {
            std::fs::write(out.join(name), bytes)?;
            copied += 1;
        }
    }
    Ok(copied)
}

async fn erase(config: &Config, number: &str, yes: bool) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let calls = store.calls_of(number).await?.len();
    if calls == 0 {
        anyhow::bail!(
            "nothing is kept of {number}; write it as records have it, like +12025550163"
        );
    }
    if !yes {
        if !std::io::stdin().is_terminal() {
            anyhow::bail!(
                "{calls} calls of {number} would be deleted for good; say --yes to do it"
            );
        }
        eprint!("Delete {calls} calls of {number} for good? (yes/no) ");
        std::io::stderr().flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if answer.trim() != "yes" {
            anyhow::bail!("nothing was deleted");
        }
    }
    let gone = retention::erase(
        &store,
        &config.storage.recordings,
        bucket(config)?.as_ref(),
        number,
    )
    .await?;
    store.close().await;
    eprintln!("{gone} calls were deleted: database rows, recordings, transcripts, events");
    Ok(())
}
