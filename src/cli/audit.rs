//! `firstline audit`.

use std::process::ExitCode;

/// Checks a call's trail is whole and unaltered.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firstline audit verify 019ab4c2-0b7e-7d52-9c1f-3a5d1e0f8a11")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Checks one call
    Verify { call_id: String },
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let What::Verify { call_id } = args.what;
    anyhow::bail!(
        "call {call_id} cannot be checked: this version writes no sealed trail; its record is in recordings/{call_id}/record.json"
    )
}
