//! A recorded call's events through the engine again, and where it goes another way.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::inputs::{self, Input};
use super::line;
use super::veil::Veil;
use crate::call::{Call, CallConfig, Command, Event, Pilot, Time};
use crate::desk::conversation::{Consent, Conversation};
use crate::desk::redact::Redactor;
use crate::desk::{Caller, Desk, HeardEvidence, Said};
use crate::reason::Embedder;

/// Differences told before it is left at that.
const MOST: usize = 10;

/// Where the two go apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    pub at_ms: u64,
    /// What was recorded; null: nothing more was.
    pub recorded: Value,
    /// What it is now.
    pub now: Value,
}

/// What came of running a call again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rerun {
    /// Events that the engine was given.
    pub inputs: usize,
    /// Notes (words, decisions, requests, transfers) that were compared.
    pub notes: usize,
    pub differences: Vec<Difference>,
    /// From when on private words are missing that the recorded call had: what differs after that may differ because of it.
    pub hidden_from: Option<u64>,
}

struct Asked {
    mind: Box<Conversation>,
    text: String,
    keyed: Option<String>,
    evidence: Option<HeardEvidence>,
}

/// Runs the call whose trail is `text`.
///
/// # Errors
/// One sentence: a trail that cannot be run again.
pub fn rerun(
    text: &str,
    call_id: &str,
    desk: &Arc<Desk>,
    mut embedder: Option<&mut dyn Embedder>,
    redactor: Redactor,
) -> Result<Rerun, String> {
    let lines: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let begin = lines.iter().find(|line| line["event"] == "begin").ok_or(
        "it was recorded by an earlier version, which did not write down what the engine was given",
    )?;
    if begin["outbound"] == true {
        return Err(
            "it is a call of the line's own, to keep a promise; these cannot be run again".into(),
        );
    }
    let (mut call, mut commands) = start(begin, call_id, desk)?;
    let mut veil = Veil::new(redactor);
    let mut asked: HashMap<u64, Asked> = HashMap::new();
    let mut notes: Vec<(u64, Value)> = Vec::new();
    let mut done = Rerun::default();
    obey(&mut commands, 0, &call, &mut veil, &mut asked, &mut notes);
    for line in &lines {
        let Some((at, input, hidden)) = inputs::read(line) else {
            continue;
        };
        if hidden && done.hidden_from.is_none() {
            done.hidden_from = Some(at);
        }
        done.inputs += 1;
        let learns = matches!(input, Input::Done { .. } | Input::LookedUp { .. });
        let event = match input {
            Input::Decided { attempt, ms, clock } => {
                let Some(asked) = asked.remove(&attempt) else {
                    continue;
                };
                {
                    let embedder = embedder.as_mut().map(|e| &mut **e as &mut dyn Embedder);
                    decide(asked, attempt, ms, &clock, embedder)?
                }
            }
            input => match input.event() {
                Some(event) => event,
                None => continue,
            },
        };
        call.handle(Time(at), event, &mut commands);
        if learns {
            veil.learn(call.mind());
        }
        obey(&mut commands, at, &call, &mut veil, &mut asked, &mut notes);
    }
    let recorded: Vec<(u64, Value)> = lines.iter().filter_map(note_of).collect();
    done.notes = recorded.len();
    done.differences = compare(&recorded, &notes);
    Ok(done)
}

fn start(
    begin: &Value,
    call_id: &str,
    desk: &Arc<Desk>,
) -> Result<(Call<Conversation>, Vec<Command<Conversation>>), String> {
    let text = |name: &str| begin[name].as_str().map(str::to_owned);
    let started_at = text("started_at").ok_or("its first line does not say when it began")?;
    let clock: jiff::Timestamp = started_at
        .parse()
        .map_err(|_| "its first line does not say when it began")?;
    let caller: Caller = serde_json::from_value(begin["caller"].clone()).unwrap_or_default();
    let consent = Consent::rule(begin["consent"].as_str().unwrap_or_default());
    let accept = text("accept_key")
        .and_then(|k| k.chars().next())
        .unwrap_or('1');
    let mind = Conversation::new(desk.clone(), caller, call_id, clock).with_consent(consent);
    let config = CallConfig {
        id: call_id.to_owned(),
        channel: text("channel").unwrap_or_default(),
        from: text("from"),
        to: text("to"),
        started_at,
        accept_key: accept,
        notes: begin["notes"] == true,
        release: begin["release"] == true,
        pilot: Pilot {
            reviewed: serde_json::from_value(begin["reviewed"].clone()).unwrap_or_default(),
            survey: begin["survey"] == true,
        },
        split: crate::speech::spoken::clauses,
        words: line::words(desk, accept),
    };
    let mut commands = Vec::new();
    let call = Call::new(config, mind, Time(0), &mut commands);
    Ok((call, commands))
}

fn decide(
    asked: Asked,
    attempt: u64,
    ms: u64,
    clock: &str,
    embedder: Option<&mut dyn Embedder>,
) -> Result<Event<Conversation>, String> {
    let Asked {
        mut mind,
        text,
        keyed,
        evidence,
    } = asked;
    let now = clock
        .parse()
        .map_err(|_| "a decision's time cannot be read")?;
    let (mut vector, mut beside) = (Vec::new(), Vec::new());
    if let Some(embedder) = embedder
        && !text.is_empty()
    {
        vector = embedder
            .read_said(&[text.as_str()])
            .ok()
            .and_then(|mut v| v.pop())
            .unwrap_or_default();
        beside = super::beside(&mind, &text, embedder);
    }
    let reply = mind.hear(&Said {
        text,
        vector,
        beside,
        keyed,
        heard: evidence,
        now,
    });
    Ok(Event::Decided {
        attempt,
        mind,
        reply: Box::new(reply),
        ms,
    })
}

/// Keeps what is asked for and what is told; the rest was done when the call was up.
fn obey(
    commands: &mut Vec<Command<Conversation>>,
    at: u64,
    call: &Call<Conversation>,
    veil: &mut Veil,
    asked: &mut HashMap<u64, Asked>,
    notes: &mut Vec<(u64, Value)>,
) {
    for command in commands.drain(..) {
        match command {
            Command::Decide {
                attempt,
                mind,
                text,
                keyed,
                evidence,
                ..
            } => {
                let words = Asked {
                    mind,
                    text,
                    keyed,
                    evidence,
                };
                asked.insert(attempt, words);
            }
            Command::Note(note) => {
                let note = veil.note(&note, call.mind()).note;
                // Through text, as the recorded ones went: numbers are rounded alike.
                let text = serde_json::to_string(&note).unwrap_or_default();
                if let Ok(value) = serde_json::from_str(&text) {
                    notes.push((at, value));
                }
            }
            _ => {}
        }
    }
}

/// A recorded note, without what the trail adds to it.
fn note_of(line: &Value) -> Option<(u64, Value)> {
    let event = line["event"].as_str()?;
    if ["begin", "recording", "sealed"].contains(&event) {
        return None;
    }
    let mut note = line.clone();
    let map = note.as_object_mut()?;
    let at = map.remove("at_ms")?.as_u64()?;
    map.remove("n");
    map.remove("hash");
    Some((at, note))
}

fn compare(recorded: &[(u64, Value)], now: &[(u64, Value)]) -> Vec<Difference> {
    let mut found = Vec::new();
    for place in 0..recorded.len().max(now.len()) {
        let (was, is) = (recorded.get(place), now.get(place));
        let same = matches!((was, is), (Some((_, a)), Some((_, b))) if a == b);
        if same {
            continue;
        }
        let value = |side: Option<&(u64, Value)>| side.map_or(Value::Null, |(_, v)| v.clone());
        found.push(Difference {
            at_ms: was.or(is).map_or(0, |(at, _)| *at),
            recorded: value(was),
            now: value(is),
        });
        let apart = match (was, is) {
            (Some((_, a)), Some((_, b))) => a["event"] != b["event"],
            _ => true,
        };
        // From here on the two are about different things.
        if apart || found.len() == MOST {
            break;
        }
    }
    found
}
