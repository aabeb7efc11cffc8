//! `firstline replay`.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::desk::redact::{Private, Redactor};
use crate::runtime::rerun::{Rerun, rerun};
use crate::runtime::{desks, engines};

/// Runs a recorded call's events through the engine, with the desk as it is now, and says where it goes another way.
///
/// Exit 0: as recorded; 1: it differs. Nothing is sent to anybody. Personal data that was kept out of the recording is missing here, too,
/// unless recordings are encrypted (privacy.key_env).
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firstline replay 019ab4c2-0b7e-7d52-9c1f-3a5d1e0f8a11")]
pub struct Args {
    call_id: String,
    /// Another desk than the configuration's
    #[arg(long, value_name = "DIR")]
    desk: Option<PathBuf>,
    /// One JSON object on stdout: {"call","same","inputs","notes","hidden_from_ms","differences":[{"at_ms","recorded","now"}]}
    #[arg(long)]
    json: bool,
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Some(config) = super::config(args.config.as_deref()) else {
        return Ok(ExitCode::from(2));
    };
    let files = super::audit::Files::of(&config, &args.call_id)?;
    let text = super::block_on(files.events())??;
    let mut embedder = engines::embedder().map_err(anyhow::Error::msg)?;
    let dir = args.desk.as_deref().unwrap_or(&config.desk);
    let desk = desks::load(dir, Some(embedder.as_mut())).map_err(anyhow::Error::msg)?;
    let kinds = Private::ALL
        .into_iter()
        .filter(|kind| config.privacy.redact.iter().any(|k| k == kind.word()));
    let done = rerun(
        &text,
        &args.call_id,
        &desk,
        Some(embedder.as_mut()),
        Redactor::new(kinds).except(desk.config.own_names()),
    )
    .map_err(|why| anyhow::anyhow!("call {} cannot be run again: {why}", args.call_id))?;
    let same = done.differences.is_empty();
    if args.json {
        println!("{}", as_json(&args.call_id, &done));
    } else {
        in_words(&done);
    }
    Ok(ExitCode::from(u8::from(!same)))
}

fn as_json(call: &str, done: &Rerun) -> serde_json::Value {
    let differences: Vec<_> = done
        .differences
        .iter()
        .map(|d| json!({ "at_ms": d.at_ms, "recorded": d.recorded, "now": d.now }))
        .collect();
    json!({
        "call": call, "same": differences.is_empty(), "inputs": done.inputs, "notes": done.notes,
        "hidden_from_ms": done.hidden_from, "differences": differences,
    })
}

fn in_words(done: &Rerun) {
    if done.differences.is_empty() {
        println!(
            "as recorded: {} events in, {} notes compared",
            done.inputs, done.notes
        );
        return;
    }
    for d in &done.differences {
        println!("{:>7.1} s  recorded {}", d.at_ms as f64 / 1000., d.recorded);
        println!("           now      {}", d.now);
    }
    if let Some(from) = done.hidden_from
        && done.differences.iter().any(|d| d.at_ms >= from)
    {
        println!(
            "from {:.1} s on, private words are missing that the recorded call had: that may be the reason",
            from as f64 / 1000.
        );
    }
}
