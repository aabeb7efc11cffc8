//! `firstline mic`.

use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!(
        "the microphone cannot be used in this version; try `firstline chat`, or call the line with a softphone (`scripts/demo --keep`)"
    )
}
