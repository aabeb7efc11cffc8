//! `firstline transcribe`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::ValueEnum;

use crate::audio;
use crate::speech::vocabulary::InOurWords;
use crate::speech::{Expect, Hints, Transcriber, Transcript};

/// Sound files to words, one line a file.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  firstline transcribe message.wav\n  firstline transcribe --json --expect digits *.wav\n\n\
    WAV files of any usual kind and rate. By default as carefully as whisper.cpp's own tool (five beams, whole context, \
    fallback); --live hears as the line does in a call, several times faster."
)]
pub struct Args {
    /// One JSON object a line: path, text, avg_logprob, no_speech, audio_ms, ms
    #[arg(long)]
    json: bool,
    /// What was asked for: adds "value", what was understood, where the words hold such a thing
    #[arg(long, value_enum)]
    expect: Option<Kind>,
    /// Which Whisper: tiny.en, base
    #[arg(long, default_value = "tiny.en")]
    model: String,
    /// Language spoken, two letters, or auto (only base knows others than en)
    #[arg(long, default_value = "en")]
    language: String,
    /// Words likely to come up, as one short sentence
    #[arg(long)]
    prompt: Option<String>,
    /// Put this desk's own words (company, plans, places) to rights
    #[arg(long)]
    desk: Option<PathBuf>,
    /// Hear as the line does in a call
    #[arg(long)]
    live: bool,
    /// Hear with the engine that this configuration's `stt` names, as the line does in a call
    #[arg(long, conflicts_with_all = ["model", "live"])]
    config: Option<PathBuf>,
    /// Threads for the recogniser
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// WAV files
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Digits,
    Date,
    Postcode,
    Name,
}

impl From<Kind> for Expect {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Digits => Self::Digits,
            Kind::Date => Self::Date,
            Kind::Postcode => Self::Postcode,
            Kind::Name => Self::Name,
        }
    }
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let ear = match &args.config {
        Some(path) => configured(path, args.threads)?,
        None => ear(&args.model, args.threads, args.live)?,
    };
    let hints = Hints {
        expect: args.expect.map(Expect::from),
        prompt: args.prompt.clone(),
        language: Some(args.language.clone()),
        vocabulary: args.desk.as_deref().map(vocabulary).transpose()?,
    };
    let mut ear = InOurWords::new(ear);
    let mut failed = 0;
    for path in &args.files {
        match one(&mut ear, path, &hints) {
            Ok(t) => println!("{}", line(path, &t, &args)),
            Err(e) => {
                failed += 1;
                eprintln!("firstline: {}: {e:#}", path.display());
            }
        }
    }
    Ok(ExitCode::from(u8::from(failed > 0)))
}

fn one(ear: &mut dyn Transcriber, path: &Path, hints: &Hints) -> anyhow::Result<Transcript> {
    let bytes = std::fs::read(path).map_err(|e| anyhow!("cannot be read ({e})"))?;
    let wav = audio::wav::read(&bytes)?;
    Ok(ear.transcribe(&wav.mono_at(audio::RATE), hints)?)
}

fn line(path: &Path, t: &Transcript, args: &Args) -> String {
    if !args.json {
        return format!("{}\t{}", path.display(), t.text);
    }
    let mut line = serde_json::json!({
        "path": path.display().to_string(), "text": t.text, "avg_logprob": t.avg_logprob, "no_speech": t.no_speech,
        "audio_ms": t.audio_ms, "ms": t.ms,
    });
    if let Some(kind) = args.expect {
        line["value"] = value(kind, &t.text, &args.language).into();
    }
    line.to_string()
}

/// What the words give as an answer of this kind.
fn value(kind: Kind, text: &str, language: &str) -> Option<String> {
    use crate::desk::entity;
    let locale = entity::Locale::new(language, None, None).ok()?;
    match kind {
        Kind::Digits => entity::digits(text),
        Kind::Date => {
            let today = locale.today(crate::runtime::clock::now());
            entity::date(text, today, &locale).map(|d| d.to_string())
        }
        Kind::Postcode => entity::postcode(text, &locale),
        Kind::Name => entity::name(text),
    }
}

fn vocabulary(desk: &Path) -> anyhow::Result<crate::speech::vocabulary::Shared> {
    let desk = crate::runtime::desks::load(desk, None).map_err(|e| anyhow!(e))?;
    Ok(std::sync::Arc::new(crate::runtime::vocabulary::of(&desk)))
}

/// The recogniser of a line.
fn configured(config: &Path, threads: usize) -> anyhow::Result<Box<dyn Transcriber>> {
    use crate::config::Config;
    use crate::runtime::engines::Ears;
    let config = Config::load(Some(config)).map_err(|e| anyhow!("{}", e.join("\n")))?;
    Ears::load(&config.stt, threads)
        .and_then(|ears| ears.worker())
        .map_err(|e| anyhow!(e))
}

/// A recogniser for files.
#[cfg(feature = "whisper")]
pub(super) fn ear(model: &str, threads: usize, live: bool) -> anyhow::Result<Box<dyn Transcriber>> {
    use crate::speech::whisper::{Quality, Whisper};
    let path = crate::runtime::models::whisper(model).map_err(|e| anyhow!(e))?;
    let quality = if live { Quality::Live } else { Quality::Full };
    let worker = Whisper::load(&path, threads)
        .and_then(|w| w.worker_of(quality))
        .context("the recogniser cannot start")?;
    Ok(Box::new(worker))
}

#[cfg(not(feature = "whisper"))]
pub(super) fn ear(_: &str, _: usize, _: bool) -> anyhow::Result<Box<dyn Transcriber>> {
    anyhow::bail!(
        "this program was built without a recogniser; build it with the feature `whisper`"
    )
}
