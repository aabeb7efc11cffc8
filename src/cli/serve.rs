//! `firstline serve`: the line.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::Config;

/// The line: SIP, API, console. Prints one line `ready sip=... http=...` when calls can be taken.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  firstline serve --config sip-config/firstline.toml\n  FIRSTLINE_SIP__LISTEN=udp:127.0.0.1:5070 firstline serve"
)]
pub struct Args {
    /// Configuration file; without it sip-config/firstline.toml, and where that is not there, every default.
    #[arg(long)]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    crate::telemetry::init_logging("info");
    let config = match Config::load(args.config.as_deref()) {
        Ok(config) => config,
        Err(problems) => {
            for problem in &problems {
                eprintln!("firstline: {problem}");
            }
            return Ok(ExitCode::from(2));
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(crate::runtime::serve::run(config, None))?;
    // Threads that wait for a peer's last packet need not be waited for.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}
