//! `firstline privacy`: what is kept of one caller, and its deletion.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::Config;
use crate::runtime::s3::Bucket;
use crate::runtime::serve::{keys, open_store};
use crate::runtime::{call_files, clock, retention};

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
                let folder = super::audit::folder(&config, &call_id)?;
                let files = copy(&config, &folder, &out)?;
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
        let folder = config.storage.recordings.join(id);
        if folder.is_dir() {
            copy(config, &folder, &out.join(id))?;
        }
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
    let settings = config.storage.s3.as_ref();
    settings
        .map(Bucket::new)
        .transpose()
        .map_err(anyhow::Error::msg)
}

/// A call's files, decrypted; how many.
fn copy(config: &Config, folder: &Path, out: &Path) -> anyhow::Result<usize> {
    let keys = keys(config).map_err(anyhow::Error::msg)?;
    std::fs::create_dir_all(out)?;
    let mut files = 0;
    for entry in std::fs::read_dir(folder)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = name
            .strip_suffix(crate::runtime::seal::SUFFIX)
            .unwrap_or(&name);
        if name.starts_with('.') || !entry.path().is_file() {
            continue;
        }
        if let Some(bytes) =
            call_files::read(folder, name, keys.as_ref()).map_err(anyhow::Error::msg)?
        {
            std::fs::write(out.join(name), bytes)?;
            files += 1;
        }
    }
    Ok(files)
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
