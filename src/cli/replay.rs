//! `firstline replay`.

use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!(
        "recorded calls cannot be replayed in this version; a call's events are in recordings/<call-id>/events.jsonl"
    )
}
