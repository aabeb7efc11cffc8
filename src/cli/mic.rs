//! `firstline mic`: talk to the line through this computer's microphone and loudspeaker.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use serde_json::Value;

use crate::config::{Config, Listen, Transport};
use crate::edge::mic;
use crate::runtime::serve::{self, Guest, Told};

/// Talk to it through this computer's microphone and loudspeaker. Ctrl-C hangs up.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  firstline mic --desk examples/larchpay --from +12025550163\n  firstline mic --list\n  firstline mic --input alsa:hw:CARD=1,DEV=0"
)]
pub struct Args {
    /// The desk's directory; the configuration's without it
    #[arg(long)]
    desk: Option<PathBuf>,
    /// The number you ring from, as far as the desk is concerned
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,
    /// The microphone, as --list shows it; without it the system's own choice
    #[arg(long, value_name = "ID")]
    input: Option<String>,
    /// The loudspeaker, likewise
    #[arg(long, value_name = "ID")]
    output: Option<String>,
    /// Show the devices, one a line, and do nothing else
    #[arg(long)]
    list: bool,
    /// Configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.list {
        return list();
    }
    crate::telemetry::init_logging("warn");
    let mut config = match Config::load(args.config.as_deref()) {
        Ok(config) => config,
        Err(problems) => {
            for problem in &problems {
                eprintln!("firstline: {problem}");
            }
            return Ok(ExitCode::from(2));
        }
    };
    if let Some(desk) = args.desk {
        config.desk = desk;
    }
    // A line may be running beside this one: nothing of its own is touched. Humans can still be called.
    config.sip.listen = vec![Listen {
        transport: Transport::Udp,
        addr: ([127, 0, 0, 1], 0).into(),
    }];
    config.http.listen = ([127, 0, 0, 1], 0).into();
    config.twilio = None;
    for trunk in &mut config.trunks {
        trunk.register = false;
    }
    let (leg, using) = mic::open(
        args.input.as_deref(),
        args.output.as_deref(),
        args.from,
        meter(),
    )
    .map_err(anyhow::Error::msg)?;
    eprintln!(
        "microphone: {}; loudspeaker: {}; Ctrl-C hangs up",
        using.input, using.output
    );
    let guest = Guest {
        hang_up: leg.hang_up(),
        leg: Box::new(leg),
        told: transcript(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(serve::run(config, Some(guest)))?;
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

fn list() -> anyhow::Result<ExitCode> {
    let devices = mic::devices().map_err(anyhow::Error::msg)?;
    if devices.is_empty() {
        anyhow::bail!(
            "this computer has no sound device: plug in a headset, or call the line with a softphone (`scripts/demo --keep`)"
        );
    }
    for device in devices {
        let ways = match (device.input, device.output) {
            (true, true) => "in out",
            (true, false) => "in",
            _ => "out",
        };
        println!("{}\t{ways}\t{}", device.id, device.name);
    }
    Ok(ExitCode::SUCCESS)
}

/// How loud the microphone is, on one line of the terminal. Nothing where there is no terminal.
fn meter() -> Box<dyn Fn(f32) + Send> {
    if !std::io::stderr().is_terminal() {
        return Box::new(|_| {});
    }
    let state = Mutex::new((0u32, 0f32));
    Box::new(move |level| {
        let Ok(mut state) = state.lock() else { return };
        state.0 += 1;
        state.1 = state.1.max(level);
        // Five times a second is enough for an eye.
        if state.0 % 10 != 0 {
            return;
        }
        // 60 dB in 20 steps.
        let db = 20.0 * state.1.max(0.001).log10();
        let bars = ((db + 60.0) / 3.0).clamp(0.0, 20.0) as usize;
        state.1 = 0.0;
        eprint!("\r[{:<20}] ", "|".repeat(bars));
        let _ = std::io::stderr().flush();
    })
}

/// Prints each side's words once they are known.
fn transcript() -> Told {
    let printed = Mutex::new(std::collections::HashSet::new());
    // The meter's line is written over.
    let over = match std::io::stderr().is_terminal() {
        true => "\r\u{1b}[K",
        false => "",
    };
    Box::new(move |kind: &str, record: &Value| {
        let Ok(mut printed) = printed.lock() else {
            return;
        };
        for turn in record["turns"].as_array().into_iter().flatten() {
            for (who, text) in [
                ("you", &turn["caller"]["text"]),
                ("line", &turn["agent"]["text"]),
            ] {
                let (Some(text), Some(index)) = (text.as_str(), turn["index"].as_u64()) else {
                    continue;
                };
                if !text.is_empty() && printed.insert((index, who, text.to_owned())) {
                    eprint!("{over}");
                    println!("{who:>5}  {text}");
                }
            }
        }
        if kind == "ended" {
            let outcome = record["outcome"].as_str().unwrap_or("over");
            let id = record["id"].as_str().unwrap_or_default();
            eprintln!("{over}call {id}: {outcome}");
        }
    })
}
