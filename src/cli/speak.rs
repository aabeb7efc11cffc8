//! `firstline speak`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};

use crate::audio;
use crate::config::{Config, Tts};
use crate::speech::spoken::{clauses, spoken};
use crate::speech::{Synthesizer, voice};

/// Words to a sound file, in the line's voice.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  firstline speak \"Your payment of $31.40 is due on 3 December.\" --out reply.wav\n\n\
    Writes 16-bit mono WAV at 16 kHz. Figures, dates and amounts are read as a person would."
)]
pub struct Args {
    /// What to say
    text: String,
    /// The file to write
    #[arg(long)]
    out: PathBuf,
    /// Which voice of this machine; see `firstline models list`
    #[arg(long, default_value = "en_US-joe-medium", conflicts_with = "config")]
    voice: String,
    /// Speak with the engine and voice that this configuration's `tts` names
    #[arg(long)]
    config: Option<PathBuf>,
    /// Language the figures are read in
    #[arg(long, default_value = "en-US")]
    language: String,
    /// Threads for the voice
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Synthesise anew, whatever was said before
    #[arg(long)]
    no_cache: bool,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let tts = match &args.config {
        Some(path) => {
            Config::load(Some(path))
                .map_err(|mistakes| anyhow!("{}", mistakes.join("\n")))?
                .tts
        }
        None => Tts {
            voice: args.voice.clone(),
            voices: std::collections::BTreeMap::new(),
            service: None,
        },
    };
    let mut speaker = speaker(&tts, args.threads, !args.no_cache)?;
    let text = spoken(&args.text, &args.language);
    let mut said = Vec::new();
    for clause in clauses(&text) {
        let pcm = speaker.synthesize(&clause)?;
        if !pcm.is_empty() {
            said.push((clause, pcm));
        }
    }
    if said.is_empty() {
        anyhow::bail!("there is nothing in this text that can be said; give it words");
    }
    let wav = audio::wav::write(&voice::join(&said), audio::RATE, 1);
    std::fs::write(&args.out, wav).with_context(|| {
        format!(
            "{} cannot be written; choose another place",
            args.out.display()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The line's voice, with or without what it said before.
#[cfg(feature = "onnx")]
pub(super) fn speaker(
    tts: &Tts,
    threads: usize,
    cached: bool,
) -> anyhow::Result<Box<dyn Synthesizer>> {
    use std::sync::Arc;

    use crate::runtime::clause_cache::{DISK_BYTES, DiskCache, MEMORY_BYTES, Remembering, dir};
    use crate::runtime::engines::{Foreign, Voices};
    use crate::speech::cache::ClauseCache;

    let worker = Voices::load(tts, &Foreign::default(), threads)
        .and_then(|v| v.worker())
        .map_err(|e| anyhow!(e))?;
    if !cached {
        return Ok(worker);
    }
    // Without a place on disk it is only slower.
    let disk = dir()
        .and_then(|d| DiskCache::open(&d, DISK_BYTES).ok())
        .map(Arc::new);
    Ok(Box::new(Remembering::new(
        worker,
        Arc::new(ClauseCache::new(MEMORY_BYTES)),
        disk,
    )))
}

#[cfg(not(feature = "onnx"))]
pub(super) fn speaker(_: &Tts, _: usize, _: bool) -> anyhow::Result<Box<dyn Synthesizer>> {
    anyhow::bail!("this program was built without a voice; build it with the feature `onnx`")
}
