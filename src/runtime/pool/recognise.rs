//! Sound to what a call is told of it.

use std::time::Instant;

use super::Engines;
use crate::call::Heard;
use crate::desk::{HeardEvidence, entity};
use crate::speech::{Expect, Hints};

pub(super) fn recognise(
    engines: &mut Engines,
    pcm: &[i16],
    hints: &Hints,
    started: Instant,
    threads: usize,
) -> Result<Heard, String> {
    engines.transcriber.use_threads(threads);
    let t = engines
        .transcriber
        .transcribe(pcm, hints)
        .map_err(|e| e.to_string())?;
    engines.heard_in = t
        .language
        .clone()
        .filter(|l| hints.language.as_ref() != Some(l));
    let worst_word = t.words.iter().map(|w| w.p).fold(1.0_f32, f32::min);
    let evidence = HeardEvidence {
        avg_logprob: t.avg_logprob,
        no_speech: t.no_speech,
        worst_word,
    };
    // What is shown and kept is what was meant: "6.0. 6.1.4." is 60614.
    let text = match hints.expect {
        Some(Expect::Digits | Expect::Postcode) => entity::figures_alone(&t.text).unwrap_or(t.text),
        _ => t.text,
    };
    Ok(Heard {
        text,
        evidence,
        ms: started.elapsed().as_millis() as u64,
    })
}
