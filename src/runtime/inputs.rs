//! What a call's engine was given, as lines of the trail: enough to run it again, event by event (`firstline replay`).
//!
//! A decision is not written down but made again from the words it was made on: a replay shows where today's desk decides otherwise.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audio::MediaTime;
use crate::call::{CallTarget, Event, Heard, LegId, LegSignal, Order, Plan, Verdict};
use crate::desk::conversation::Conversation;
use crate::desk::redact::Redactor;
use crate::desk::{HeardEvidence, Outcome, TargetOutcome};

/// One event of the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    Signal {
        leg: u32,
        signal: Signal,
    },
    VoiceStart {
        at: u64,
        ago_ms: u64,
    },
    VoiceEnd {
        at: u64,
        ago_ms: u64,
    },
    Transcribed {
        attempt: u64,
        result: Result<Words, String>,
    },
    Decided {
        attempt: u64,
        ms: u64,
        /// The wall clock, RFC 3339: dates are read by it.
        clock: String,
    },
    Clause {
        tag: u64,
        part: u32,
        result: Result<u64, String>,
        ms: u64,
    },
    Played {
        tag: u64,
        part: u32,
        samples: u64,
    },
    Done {
        request: u64,
        outcome: Outcome,
    },
    LookedUp {
        ticket: u64,
        outcome: Outcome,
    },
    Planned {
        rings: Vec<Vec<Target>>,
        left_out: Vec<TargetOutcome>,
    },
    HumanVoice {
        leg: u32,
        speaking: bool,
        at: u64,
    },
    HumanHeard {
        attempt: u64,
        result: Result<Words, String>,
    },
    Consulted {
        attempt: u64,
        answer: String,
    },
    Fax,
    VoiceSuspected {
        on: bool,
    },
    Judged {
        attempt: u64,
        finished: f32,
    },
    Ordered(Order),
    Shutdown,
    Broken(String),
    Tick,
}

/// Whom to ring: uri, milliseconds, name, whether blind.
pub type Target = (String, u64, Option<String>, bool);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    Ringing,
    Answered,
    Media,
    Digit(char),
    Held,
    Resumed,
    Referred(u16),
    Refer(String),
    Ended {
        outcome: String,
        detail: String,
        by_remote: bool,
    },
}

/// What a recogniser gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Words {
    pub text: String,
    pub evidence: HeardEvidence,
    pub ms: u64,
}

impl Input {
    /// `clock`: the wall clock now. None: an event that a replay has no use for.
    pub fn of(event: &Event<Conversation>, clock: jiff::Timestamp) -> Option<Self> {
        let words = |result: &Result<Heard, String>| {
            result.clone().map(|heard| Words {
                text: heard.text,
                evidence: heard.evidence,
                ms: heard.ms,
            })
        };
        Some(match event {
            Event::Signal { leg, signal } => Input::Signal {
                leg: leg.0,
                signal: match signal.clone() {
                    LegSignal::Ringing => Signal::Ringing,
                    LegSignal::Answered => Signal::Answered,
                    LegSignal::Media => Signal::Media,
                    LegSignal::Digit(key) => Signal::Digit(key),
                    LegSignal::Held => Signal::Held,
                    LegSignal::Resumed => Signal::Resumed,
                    LegSignal::Referred(code) => Signal::Referred(code),
                    LegSignal::Refer(to) => Signal::Refer(to),
                    LegSignal::Ended {
                        outcome,
                        detail,
                        by_remote,
                    } => Signal::Ended {
                        outcome: outcome.into(),
                        detail,
                        by_remote,
                    },
                },
            },
            Event::VoiceStart { at, ago_ms } => Input::VoiceStart {
                at: at.0,
                ago_ms: *ago_ms,
            },
            Event::VoiceEnd { at, ago_ms } => Input::VoiceEnd {
                at: at.0,
                ago_ms: *ago_ms,
            },
            Event::Transcribed { attempt, result } => Input::Transcribed {
                attempt: *attempt,
                result: words(result),
            },
            Event::Decided { attempt, ms, .. } => Input::Decided {
                attempt: *attempt,
                ms: *ms,
                clock: clock.to_string(),
            },
            Event::Clause {
                tag,
                part,
                result,
                ms,
            } => Input::Clause {
                tag: *tag,
                part: *part,
                result: result.clone(),
                ms: *ms,
            },
            Event::Played { tag, part, samples } => Input::Played {
                tag: *tag,
                part: *part,
                samples: *samples,
            },
            Event::Done { request, outcome } => Input::Done {
                request: *request,
                outcome: outcome.clone(),
            },
            Event::LookedUp { ticket, outcome } => Input::LookedUp {
                ticket: *ticket,
                outcome: outcome.clone(),
            },
            Event::Planned(plan) => Input::Planned {
                rings: plan
                    .rings
                    .iter()
                    .map(|group| {
                        let one =
                            |t: &CallTarget| (t.uri.clone(), t.ring_ms, t.name.clone(), t.blind);
                        group.iter().map(one).collect()
                    })
                    .collect(),
                left_out: plan.left_out.clone(),
            },
            Event::HumanVoice { leg, speaking, at } => Input::HumanVoice {
                leg: leg.0,
                speaking: *speaking,
                at: at.0,
            },
            Event::HumanHeard { attempt, result } => Input::HumanHeard {
                attempt: *attempt,
                result: words(result),
            },
            Event::Consulted { attempt, answer } => Input::Consulted {
                attempt: *attempt,
                answer: answer.clone(),
            },
            Event::Fax => Input::Fax,
            Event::VoiceSuspected { on } => Input::VoiceSuspected { on: *on },
            Event::Judged { attempt, finished } => Input::Judged {
                attempt: *attempt,
                finished: *finished,
            },
            Event::Ordered(order) => Input::Ordered(order.clone()),
            Event::Shutdown => Input::Shutdown,
            Event::Broken(what) => Input::Broken(what.clone()),
            Event::Tick => Input::Tick,
        })
    }

    /// The event again; none for a decision, which is to be made again.
    pub fn event(self) -> Option<Event<Conversation>> {
        let heard = |result: Result<Words, String>| {
            result.map(|words| Heard {
                text: words.text,
                evidence: words.evidence,
                ms: words.ms,
            })
        };
        Some(match self {
            Input::Decided { .. } => return None,
            Input::Signal { leg, signal } => Event::Signal {
                leg: LegId(leg),
                signal: match signal {
                    Signal::Ringing => LegSignal::Ringing,
                    Signal::Answered => LegSignal::Answered,
                    Signal::Media => LegSignal::Media,
                    Signal::Digit(key) => LegSignal::Digit(key),
                    Signal::Held => LegSignal::Held,
                    Signal::Resumed => LegSignal::Resumed,
                    Signal::Referred(code) => LegSignal::Referred(code),
                    Signal::Refer(to) => LegSignal::Refer(to),
                    Signal::Ended {
                        outcome,
                        detail,
                        by_remote,
                    } => LegSignal::Ended {
                        outcome: known(&outcome),
                        detail,
                        by_remote,
                    },
                },
            },
            Input::VoiceStart { at, ago_ms } => Event::VoiceStart {
                at: MediaTime(at),
                ago_ms,
            },
            Input::VoiceEnd { at, ago_ms } => Event::VoiceEnd {
                at: MediaTime(at),
                ago_ms,
            },
            Input::Transcribed { attempt, result } => Event::Transcribed {
                attempt,
                result: heard(result),
            },
            Input::Clause {
                tag,
                part,
                result,
                ms,
            } => Event::Clause {
                tag,
                part,
                result,
                ms,
            },
            Input::Played { tag, part, samples } => Event::Played { tag, part, samples },
            Input::Done { request, outcome } => Event::Done { request, outcome },
            Input::LookedUp { ticket, outcome } => Event::LookedUp { ticket, outcome },
            Input::Planned { rings, left_out } => Event::Planned(Plan {
                rings: rings
                    .into_iter()
                    .map(|group| {
                        let one = |(uri, ring_ms, name, blind)| CallTarget {
                            uri,
                            ring_ms,
                            name,
                            blind,
                        };
                        group.into_iter().map(one).collect()
                    })
                    .collect(),
                left_out,
            }),
            Input::HumanVoice { leg, speaking, at } => Event::HumanVoice {
                leg: LegId(leg),
                speaking,
                at: MediaTime(at),
            },
            Input::HumanHeard { attempt, result } => Event::HumanHeard {
                attempt,
                result: heard(result),
            },
            Input::Consulted { attempt, answer } => Event::Consulted { attempt, answer },
            Input::Fax => Event::Fax,
            Input::VoiceSuspected { on } => Event::VoiceSuspected { on },
            Input::Judged { attempt, finished } => Event::Judged { attempt, finished },
            Input::Ordered(order) => Event::Ordered(order),
            Input::Shutdown => Event::Shutdown,
            Input::Broken(what) => Event::Broken(what),
            Input::Tick => Event::Tick,
        })
    }

    /// The same clause's sound, later.
    pub fn follows(&self, next: &Input) -> bool {
        matches!(
            (self, next),
            (Input::Played { tag, part, .. }, Input::Played { tag: t, part: p, .. }) if tag == t && part == p
        )
    }

    /// Takes out what is private; true: something was, and a replay will go another way from here.
    pub fn redact(&mut self, redactor: &Redactor, secret: bool) -> bool {
        let mut hidden = false;
        let mut text = |text: &mut String, secret: bool| {
            let clean = redactor.text(text, secret).text;
            hidden |= clean != *text;
            *text = clean;
        };
        match self {
            Input::Transcribed {
                result: Ok(words), ..
            } => text(&mut words.text, secret),
            Input::HumanHeard {
                result: Ok(words), ..
            } => text(&mut words.text, false),
            Input::Consulted { answer, .. } => text(answer, false),
            Input::Ordered(Order::Reviewed {
                verdict: Verdict::Edited(said) | Verdict::Rejected(said),
                ..
            }) => text(said, false),
            Input::Signal {
                signal: Signal::Digit(key),
                ..
            } if secret && !redactor.is_off() => {
                *key = '*';
                hidden = true;
            }
            Input::Done {
                outcome: Outcome::Done(value),
                ..
            }
            | Input::LookedUp {
                outcome: Outcome::Done(value),
                ..
            } => {
                let before = value.clone();
                redactor.value(value);
                hidden = *value != before;
            }
            _ => {}
        }
        hidden
    }
}

/// The record's words for how a leg ended.
fn known(outcome: &str) -> &'static str {
    ["busy", "declined", "no_answer", "unreachable"]
        .into_iter()
        .find(|known| *known == outcome)
        .unwrap_or("hung_up")
}

/// A line of the trail.
pub fn line(at_ms: u64, input: &Input, hidden: bool) -> Option<String> {
    let mut line = serde_json::json!({ "at_ms": at_ms, "in": input });
    if hidden {
        line["hidden"] = true.into();
    }
    // Numbers that JSON does not have make a line unreadable: it is left out.
    serde_json::from_value::<Input>(line["in"].clone()).ok()?;
    Some(line.to_string())
}

/// The time, the event and whether something was taken out of it; none: another kind of line.
pub fn read(line: &Value) -> Option<(u64, Input, bool)> {
    let input = serde_json::from_value(line.get("in")?.clone()).ok()?;
    Some((line["at_ms"].as_u64()?, input, line["hidden"] == true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_comes_back_as_it_was() {
        let evidence = HeardEvidence {
            avg_logprob: -0.3,
            no_speech: 0.01,
            worst_word: 0.4,
            unclear: None,
        };
        let heard = Heard {
            text: "hello".into(),
            evidence,
            ms: 300,
        };
        let clock = "2026-11-23T10:00:00Z".parse().unwrap();
        let events: Vec<Event<Conversation>> = vec![
            Event::Signal {
                leg: LegId(0),
                signal: LegSignal::Digit('4'),
            },
            Event::Signal {
                leg: LegId(1),
                signal: LegSignal::Ended {
                    outcome: "busy",
                    detail: "486".into(),
                    by_remote: true,
                },
            },
            Event::VoiceStart {
                at: MediaTime(320),
                ago_ms: 60,
            },
            Event::Transcribed {
                attempt: 1,
                result: Ok(heard.clone()),
            },
            Event::Transcribed {
                attempt: 2,
                result: Err("busy".into()),
            },
            Event::Clause {
                tag: 1,
                part: 0,
                result: Ok(16_000),
                ms: 90,
            },
            Event::Played {
                tag: 1,
                part: 0,
                samples: 320,
            },
            Event::Done {
                request: 3,
                outcome: Outcome::NotFound,
            },
            Event::Planned(Plan {
                rings: vec![vec![CallTarget {
                    uri: "sip:a@b".into(),
                    ring_ms: 20_000,
                    name: Some("Maria".into()),
                    blind: false,
                }]],
                left_out: Vec::new(),
            }),
            Event::Shutdown,
            Event::Tick,
        ];
        for event in events {
            let input = Input::of(&event, clock).unwrap();
            let line = line(20, &input, false).unwrap();
            let (at, back, hidden) = read(&serde_json::from_str(&line).unwrap()).unwrap();
            assert_eq!((at, &back, hidden), (20, &input, false));
            let again = back.event().unwrap();
            assert_eq!(format!("{again:?}"), format!("{event:?}"));
        }
    }

    #[test]
    fn what_is_private_is_not_written_down() {
        use crate::desk::redact::Private;
        let redactor = Redactor::new(Private::ALL);
        let mut input = Input::Transcribed {
            attempt: 1,
            result: Ok(Words {
                text: "4111 1111 1111 1111".into(),
                evidence: HeardEvidence {
                    avg_logprob: -0.1,
                    no_speech: 0.,
                    worst_word: 1.,
                    unclear: None,
                },
                ms: 1,
            }),
        };
        assert!(input.redact(&redactor, false));
        assert!(!line(0, &input, true).unwrap().contains("4111"));
        let mut key = Input::Signal {
            leg: 0,
            signal: Signal::Digit('7'),
        };
        assert!(!key.redact(&redactor, false));
        assert!(key.redact(&redactor, true));
    }
}
