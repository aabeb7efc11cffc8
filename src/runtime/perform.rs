//! What a worker does with one piece of work.

use std::time::Instant;

use tokio::sync::mpsc;

use crate::call::{Event, Heard};
use crate::desk::{Conversation, HeardEvidence, Said, entity};
use crate::reason::Embedder;
use crate::speech::{Expect, Hints};

use super::pool::{Engines, Msg, Queue};
use super::work::Work;

/// Samples of a character said slowly: 110 ms.
const SLOW_CHARACTER: u64 = 110 * 16;

/// `threads`: cores this job may use.
pub(super) fn perform(
    work: Work,
    engines: &mut Engines,
    queue: &Queue,
    started: Instant,
    threads: usize,
    to: Option<&mpsc::Sender<Msg>>,
) -> Option<Msg> {
    let ms = |started: Instant| started.elapsed().as_millis() as u64;
    Some(match work {
        Work::Warm { text } => {
            let _ = queue.clause(&text, engines);
            return None;
        }
        Work::Transcribe {
            attempt,
            pcm,
            hints,
            ..
        } => {
            let result = recognise(engines, &pcm, &hints, started, threads);
            Msg::Event(Event::Transcribed { attempt, result })
        }
        Work::Judge { attempt, pcm } => {
            let judge = engines.turn.as_mut()?;
            judge.use_threads(threads);
            let finished = judge.complete(&pcm).ok()?;
            Msg::Event(Event::Judged { attempt, finished })
        }
        Work::Understand {
            attempt,
            pcm,
            hints,
        } => {
            let result = recognise(engines, &pcm, &hints, started, threads);
            Msg::Event(Event::HumanHeard { attempt, result })
        }
        Work::Consult {
            attempt,
            question,
            record,
            desk,
        } => {
            let mut embed = |texts: &[&str]| match &mut engines.embedder {
                Some(embedder) => embedder.embed(texts).unwrap_or_default(),
                None => Vec::new(),
            };
            let answer = crate::desk::consult(&desk, &question, &record, &mut embed);
            Msg::Event(Event::Consulted { attempt, answer })
        }
        Work::Decide {
            attempt,
            mut mind,
            text,
            keyed,
            evidence,
            ..
        } => {
            let vector = match &mut engines.embedder {
                Some(embedder) if !text.is_empty() => embedder
                    .read_said(&[text.as_str()])
                    .ok()
                    .and_then(|mut v| v.pop())
                    .unwrap_or_default(),
                _ => Vec::new(),
            };
            let beside = match &mut engines.embedder {
                Some(embedder) => beside(&mind, &text, embedder.as_mut()),
                None => Vec::new(),
            };
            let said = Said {
                text,
                vector,
                beside,
                keyed,
                heard: evidence,
                now: super::clock::now(),
            };
            let reply = mind.hear(&said);
            Msg::Event(Event::Decided {
                attempt,
                mind,
                reply: Box::new(reply),
                ms: ms(started),
            })
        }
        Work::Synthesize {
            tag, part, text, ..
        } => {
            // A service's sound is handed on as it comes.
            let about = text.chars().count() as u64 * SLOW_CHARACTER;
            let mut hand_on = |pcm: &[i16]| {
                if let Some(to) = to {
                    let _ = to.try_send(Msg::Piece {
                        tag,
                        part,
                        pcm: pcm.to_vec(),
                        about,
                        ms: ms(started),
                    });
                }
            };
            let pcm = queue.clause_in_pieces(&text, engines, &mut hand_on);
            Msg::Clause {
                tag,
                part,
                pcm,
                ms: ms(started),
            }
        }
    })
}

fn recognise(
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
    let coded = matches!(hints.expect, Some(Expect::Digits | Expect::Postcode));
    let evidence = HeardEvidence {
        avg_logprob: t.avg_logprob,
        no_speech: t.no_speech,
        worst_word,
        unclear: coded.then(|| entity::unclear(&t.words_with_p())).flatten(),
    };
    // What is shown and kept is what was meant: "6.0. 6.1.4." is 60614.
    let text = match coded {
        true => entity::figures_alone(&t.text).unwrap_or(t.text),
        false => t.text,
    };
    Ok(Heard {
        text,
        evidence,
        ms: started.elapsed().as_millis() as u64,
    })
}

pub(super) fn failed(work: &Work, why: &str) -> Msg {
    match work {
        // Without an answer the question is said not to have been heard.
        Work::Understand { attempt, .. } | Work::Consult { attempt, .. } => {
            Msg::Event(Event::HumanHeard {
                attempt: *attempt,
                result: Err(why.into()),
            })
        }
        Work::Transcribe { attempt, .. } => Msg::Event(Event::Transcribed {
            attempt: *attempt,
            result: Err(why.into()),
        }),
        // Both can be done without.
        Work::Warm { .. } | Work::Judge { .. } => Msg::Event(Event::Tick),
        Work::Decide { attempt, .. } => Msg::Event(Event::Transcribed {
            attempt: *attempt,
            result: Err(why.into()),
        }),
        Work::Synthesize { tag, part, .. } => Msg::Clause {
            tag: *tag,
            part: *part,
            pcm: Err(why.into()),
            ms: 0,
        },
    }
}

/// Readings of what else the words may mean in this conversation, each with its text.
pub(crate) fn beside(
    mind: &Conversation,
    text: &str,
    embedder: &mut dyn Embedder,
) -> Vec<(String, Vec<f32>)> {
    let texts = mind.beside(text);
    if texts.is_empty() {
        return Vec::new();
    }
    let read: Vec<&str> = texts.iter().map(String::as_str).collect();
    let readings = embedder.read_said(&read).unwrap_or_default();
    texts.into_iter().zip(readings).collect()
}
