//! Whole calls in virtual time: a scripted desk, a playout that plays, engines that take as long as they take.

mod far_end;
mod humans;
mod overlap;
mod pilot;
mod sending_on;
mod transfers;

use super::rescue::{self, Fate};
use super::*;
use crate::audio::MediaTime;
use crate::desk::{
    ActionRecord, CallOutcome, Decision, Handoff, HeardEvidence, Request, Route, Say, Source,
    TargetOutcome, Tier,
};

/// A desk that answers by a few words; counts what it is told.
#[derive(Debug, Clone, Default)]
struct Scripted {
    heard: Vec<(String, bool)>,
    asked: Vec<String>,
    verified: Tier,
    failed: Vec<String>,
}

fn decision(route: Route, reply: &str) -> Decision {
    Decision {
        id: "d".into(),
        route,
        intent: Some("fees".into()),
        in_scope: 1.0,
        confidence: 0.9,
        sources: vec![Source {
            id: "a".into(),
            score: 1.0,
        }],
        action: None,
        reply: reply.into(),
        reason: "script".into(),
        pending: None,
        model: None,
    }
}

fn reply(route: Route, text: &str, next: Next) -> Reply {
    Reply {
        decision: decision(route, text),
        say: vec![Say::new(text)],
        next,
    }
}

impl Scripted {
    fn hear(&mut self, text: &str) -> Reply {
        self.asked.push(text.into());
        if text.contains("human") || text == "0" {
            let handoff = Handoff {
                reason: "asked".into(),
                spoken_brief: "A caller asks about a fee.".into(),
                ..Handoff::default()
            };
            return reply(
                Route::Transfer,
                "I'll bring in a colleague.",
                Next::Transfer(Box::new(handoff)),
            );
        }
        if text.contains("balance") {
            let request = Request {
                id: 7,
                method: "GET".into(),
                path: "/balance".into(),
                name: "balance".into(),
                ..Request::default()
            };
            return reply(Route::Act, "", Next::Request(request));
        }
        if text.contains("callback") {
            let callback = CallbackRequest {
                number: "+15550100".into(),
                ..CallbackRequest::default()
            };
            return reply(
                Route::Act,
                "We will call you.",
                Next::Callback {
                    callback,
                    end: true,
                },
            );
        }
        if text.contains("bye") {
            return reply(Route::Answer, "Goodbye.", Next::End);
        }
        if text.contains("hang on") {
            return reply(Route::Answer, "Of course.", Next::Listen(Listen::Open));
        }
        if text.contains("account") {
            let number = Next::Listen(Listen::Digits);
            return reply(Route::Clarify, "What is its number?", number);
        }
        reply(
            Route::Answer,
            "The late fee is seven dollars. It is charged once for each missed payment.",
            Next::Listen(Listen::Open),
        )
    }
}

impl Mind for Scripted {
    fn opening(&mut self) -> Reply {
        let mut r = reply(Route::Answer, "", Next::Listen(Listen::Open));
        r.say = vec![
            Say::must_hear("This is an automated assistant."),
            Say::new("How can I help?"),
        ];
        r
    }
    fn resume(&mut self, _: u64, outcome: Outcome) -> Reply {
        let text = if matches!(outcome, Outcome::Done(_)) {
            "You owe forty dollars."
        } else {
            "I could not look that up."
        };
        reply(Route::Act, text, Next::Listen(Listen::Open))
    }
    fn silence(&mut self, n: u32) -> Reply {
        assert!(!self.asked.iter().any(|a| a == "explode"), "a bug");
        if n >= 3 {
            reply(Route::Clarify, "Goodbye then.", Next::End)
        } else {
            reply(Route::Clarify, "Are you there?", Next::Listen(Listen::Open))
        }
    }
    fn unheard(&mut self) -> Reply {
        reply(
            Route::Clarify,
            "I could not make that out.",
            Next::Listen(Listen::Open),
        )
    }
    fn heard(&mut self, heard: &str, complete: bool) {
        self.heard.push((heard.into(), complete));
    }
    fn transfer_failed(&mut self, outcomes: &[TargetOutcome]) -> Reply {
        self.failed = outcomes.iter().map(|o| o.outcome.clone()).collect();
        reply(
            Route::Clarify,
            "Nobody is free. Shall we call you back?",
            Next::Listen(Listen::YesNo),
        )
    }
    fn transferred(&mut self, _: &str) {}
    fn sent_back(&mut self, _: Option<&str>) -> Reply {
        reply(
            Route::Transfer,
            "A colleague left a note. Shall we call you back?",
            Next::Listen(Listen::YesNo),
        )
    }
    fn handed_back(&mut self, words: Option<&str>) -> Option<Reply> {
        if words.is_some() {
            return None;
        }
        Some(reply(
            Route::Clarify,
            "I'm back with you.",
            Next::Listen(Listen::Open),
        ))
    }
    fn handoff(&self, reason: &str) -> Handoff {
        Handoff {
            reason: reason.into(),
            spoken_brief: "Something broke.".into(),
            ..Handoff::default()
        }
    }
    fn verified(&self) -> Tier {
        self.verified
    }
    fn asked_to_wait(&self) -> bool {
        self.asked.last().is_some_and(|a| a == "hang on")
    }
    fn actions(&self) -> Vec<ActionRecord> {
        Vec::new()
    }
    fn outcome(&self) -> CallOutcome {
        if self.asked.is_empty() {
            CallOutcome::Abandoned
        } else {
            CallOutcome::Resolved
        }
    }
}

fn sentences(text: &str) -> Vec<String> {
    text.split_inclusive(". ")
        .map(|s| s.trim().to_string())
        .filter(|s| !s.is_empty())
        .collect()
}

/// The other end is gone.
fn ended(outcome: &'static str) -> LegSignal {
    LegSignal::Ended {
        outcome,
        detail: String::new(),
        by_remote: true,
    }
}

fn target(uri: &str) -> CallTarget {
    CallTarget {
        uri: uri.into(),
        ring_ms: 30_000,
        name: None,
        blind: false,
    }
}

/// Sixty milliseconds a character: about the pace of speech.
fn length(text: &str) -> u64 {
    text.len() as u64 * 60 * 16
}

const STT_MS: u64 = 300;
const TTS_MS: u64 = 150;

/// A call with everything around it simulated.
struct Sim {
    call: Call<Scripted>,
    now: u64,
    due: Vec<(u64, Event<Scripted>)>,
    /// Clauses handed to the caller's ear, with their lengths and what was played.
    queue: Vec<(u64, u32, u64, u64)>,
    human: Vec<(u64, u32, u64, u64)>,
    paused: bool,
    lengths: std::collections::HashMap<(u64, u32), u64>,
    words: String,
    log: Vec<String>,
    notes: Vec<Note>,
    back_office_ms: u64,
    stt_ms: u64,
    /// What the turn detector says, where there is one.
    finished: Option<f32>,
    voice_works: bool,
    plan: Plan,
    /// What a human says when they are listened to.
    human_words: String,
}

impl Sim {
    fn start(targets: &[&str], release: bool) -> Self {
        let config = CallConfig {
            id: "c1".into(),
            channel: "sip".into(),
            from: Some("+15550101".into()),
            to: None,
            started_at: "2026-11-23T10:00:00Z".into(),
            accept_key: '1',
            notes: false,
            release,
            split: sentences,
            words: Words::default(),
            pilot: Pilot::default(),
        };
        let mut out = Vec::new();
        let call = Call::new(config, Scripted::default(), Time(0), &mut out);
        let mut sim = Self {
            call,
            now: 0,
            due: Vec::new(),
            queue: Vec::new(),
            human: Vec::new(),
            paused: false,
            lengths: Default::default(),
            words: String::new(),
            log: Vec::new(),
            notes: Vec::new(),
            back_office_ms: 200,
            stt_ms: STT_MS,
            finished: None,
            voice_works: true,
            plan: Plan {
                rings: targets.iter().map(|t| vec![target(t)]).collect(),
                left_out: Vec::new(),
            },
            human_words: String::new(),
        };
        sim.obey(out);
        sim
    }

    fn answered(targets: &[&str]) -> Self {
        Self::picked_up(targets, false)
    }

    /// `release`: whether the line lets go of a caller and a human who talk.
    fn picked_up(targets: &[&str], release: bool) -> Self {
        let mut sim = Self::start(targets, release);
        sim.signal(CALLER, LegSignal::Answered);
        sim.signal(CALLER, LegSignal::Media);
        sim
    }

    fn signal(&mut self, leg: LegId, signal: LegSignal) {
        self.event(Event::Signal { leg, signal });
    }

    fn event(&mut self, event: Event<Scripted>) {
        let mut out = Vec::new();
        self.call.handle(Time(self.now), event, &mut out);
        self.obey(out);
    }

    fn obey(&mut self, out: Vec<Command<Scripted>>) {
        for command in out {
            match command {
                Command::Transcribe { attempt, .. } => {
                    let evidence = HeardEvidence {
                        avg_logprob: -0.2,
                        no_speech: 0.0,
                        worst_word: 0.9,
                        unclear: None,
                    };
                    let heard = Heard {
                        text: self.words.clone(),
                        evidence,
                        ms: self.stt_ms,
                    };
                    self.due.push((
                        self.now + self.stt_ms,
                        Event::Transcribed {
                            attempt,
                            result: Ok(heard),
                        },
                    ));
                }
                Command::Decide {
                    attempt,
                    mut mind,
                    text,
                    keyed,
                    ..
                } => {
                    let reply = mind.hear(keyed.as_deref().unwrap_or(&text));
                    self.due.push((
                        self.now + 10,
                        Event::Decided {
                            attempt,
                            mind,
                            reply: Box::new(reply),
                            ms: 10,
                        },
                    ));
                }
                Command::Synthesize {
                    tag, part, text, ..
                } => {
                    let samples = length(&text);
                    self.lengths.insert((tag, part), samples);
                    let result = if self.voice_works {
                        Ok(samples)
                    } else {
                        Err("no voice".to_string())
                    };
                    self.due.push((
                        self.now + TTS_MS,
                        Event::Clause {
                            tag,
                            part,
                            result,
                            ms: TTS_MS,
                        },
                    ));
                }
                Command::Queue { leg, tag, part } => {
                    let samples = self.lengths[&(tag, part)];
                    if leg == CALLER {
                        self.queue.push((tag, part, samples, 0))
                    } else {
                        self.human.push((tag, part, samples, 0))
                    }
                }
                Command::Pause { .. } => self.paused = true,
                Command::Resume { .. } => self.paused = false,
                Command::Stop { leg } if leg == CALLER => {
                    self.queue.clear();
                    self.paused = false;
                }
                Command::Stop { .. } => self.human.clear(),
                Command::Judge { attempt, .. } => {
                    self.log.push("judge".into());
                    if let Some(finished) = self.finished {
                        self.due
                            .push((self.now + 40, Event::Judged { attempt, finished }));
                    }
                }
                Command::Perform(request) => {
                    self.log.push("perform".into());
                    let outcome = Outcome::Done(serde_json::json!({"amount": 40}));
                    self.due.push((
                        self.now + self.back_office_ms,
                        Event::Done {
                            request: request.id,
                            outcome,
                        },
                    ));
                }
                Command::Dial { leg, target } => self.log.push(format!("dial {} {target}", leg.0)),
                Command::Hangup { leg, .. } => self.log.push(format!("hangup {}", leg.0)),
                Command::Refer { to } => self.log.push(format!("refer {to:?}")),
                Command::Referred { leg, code } => {
                    self.log.push(format!("referred {} {code}", leg.0))
                }
                Command::DialOn { leg, to, by } => {
                    self.log.push(format!("dial {} {to} for {}", leg.0, by.0))
                }
                Command::Mix(mix) => self.log.push(format!("mix {mix:?}")),
                Command::Packet(h) => self.log.push(format!("packet {}", h.result)),
                Command::Callback(c) => self.log.push(format!("callback {}", c.number)),
                Command::Plan(_) => self.event(Event::Planned(self.plan.clone())),
                Command::Press { leg, key } => self.log.push(format!("press {} {key}", leg.0)),
                Command::Attend { leg, on } => self.log.push(format!("attend {} {on}", leg.0)),
                Command::Understand { attempt, keep, .. } => {
                    if let Some(keep) = keep {
                        self.log.push(format!("keep {keep}"));
                    }
                    let evidence = HeardEvidence {
                        avg_logprob: -0.2,
                        no_speech: 0.0,
                        worst_word: 0.9,
                        unclear: None,
                    };
                    let heard = Heard {
                        text: self.human_words.clone(),
                        evidence,
                        ms: STT_MS,
                    };
                    self.due.push((
                        self.now + STT_MS,
                        Event::HumanHeard {
                            attempt,
                            result: Ok(heard),
                        },
                    ));
                }
                Command::Consult {
                    attempt, question, ..
                } => {
                    let answer = format!("You asked: {question}");
                    self.due
                        .push((self.now + 50, Event::Consulted { attempt, answer }));
                }
                Command::Review(draft) => self
                    .log
                    .push(format!("review {} {}", draft.number, draft.decision.reply)),
                Command::ReviewOver { number, verdict } => {
                    self.log.push(format!("review {number} {}", verdict.word()))
                }
                Command::Refuse { target } => self.log.push(format!("refuse {target}")),
                Command::Over => self.log.push("over".into()),
                Command::Note(note) => self.notes.push(note),
                Command::LookUp { ticket, .. } => {
                    self.log.push("look up".into());
                    let outcome = Outcome::Done(serde_json::json!({"amount": 40}));
                    self.due.push((
                        self.now + self.back_office_ms,
                        Event::LookedUp { ticket, outcome },
                    ));
                }
                Command::Warm { text } => self.log.push(format!("warm {text}")),
                Command::Duck { on, .. } => self.log.push(format!("duck {on}")),
                Command::Ring
                | Command::Answer
                | Command::Forget { .. }
                | Command::Abandon { .. }
                | Command::Chime { .. } => {}
            }
        }
    }

    /// Lets `ms` pass, 20 at a time.
    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.now < end {
            self.now += 20;
            while let Some(i) = self.due.iter().position(|(at, _)| *at <= self.now) {
                let (_, event) = self.due.remove(i);
                self.event(event);
            }
            if !self.paused {
                self.play(true);
            }
            self.play(false);
            self.event(Event::Tick);
        }
    }

    fn play(&mut self, caller: bool) {
        let queue = if caller {
            &mut self.queue
        } else {
            &mut self.human
        };
        let Some(clause) = queue.first_mut() else {
            return;
        };
        clause.3 = (clause.3 + 320).min(clause.2);
        let (tag, part, samples, played) = *clause;
        if played == samples {
            queue.remove(0);
        }
        self.event(Event::Played {
            tag,
            part,
            samples: played,
        });
    }

    fn begins(&mut self, words: &str) {
        self.words = words.into();
        self.event(Event::VoiceStart {
            at: MediaTime::from_ms(self.now),
            ago_ms: 60,
        });
    }

    fn stops(&mut self) {
        self.event(Event::VoiceEnd {
            at: MediaTime::from_ms(self.now),
            ago_ms: 0,
        });
    }

    fn says(&mut self, words: &str, ms: u64) {
        self.begins(words);
        self.pass(ms);
        self.stops();
    }

    fn heard(&self) -> String {
        self.call
            .record()
            .turns
            .iter()
            .filter_map(|t| t.agent.as_ref())
            .map(|a| a.heard.clone())
            .collect::<Vec<_>>()
            .join(" | ")
    }

    fn logged(&self, what: &str) -> bool {
        self.log.iter().any(|l| l == what)
    }
}

#[test]
fn greets_hears_answers_and_says_goodbye() {
    let mut sim = Sim::answered(&[]);
    sim.pass(5000);
    assert!(sim.call.record().disclosed, "{}", sim.heard());
    sim.says("what is the late fee?", 1500);
    sim.pass(9000);
    let record = sim.call.record();
    let turn = record.turns.last().cloned().unwrap_or_default();
    let gap = turn.gap_ms.unwrap_or(9999);
    assert!(
        (440..=520).contains(&gap),
        "the reply was ready before the turn was final: {gap}"
    );
    assert_eq!(
        turn.agent.map(|a| a.heard).unwrap_or_default(),
        "The late fee is seven dollars. It is charged once for each missed payment."
    );
    sim.says("no bye", 600);
    sim.pass(4000);
    assert!(sim.call.is_over());
    assert_eq!(sim.call.record().outcome, Some(CallOutcome::Resolved));
    assert!(sim.logged("hangup 0") && sim.logged("over"));
}

#[test]
fn a_caller_who_goes_on_is_not_answered_early() {
    let mut sim = Sim::answered(&[]);
    sim.pass(5000);
    sim.says("I would like to know the late fee", 1500);
    sim.pass(300);
    sim.says("I would like to know the late fee when I pay twice", 900);
    sim.pass(8000);
    let record = sim.call.record();
    let asked: Vec<_> = record
        .turns
        .iter()
        .filter_map(|t| t.caller.as_ref())
        .map(|c| c.text.clone())
        .collect();
    assert_eq!(
        asked,
        ["I would like to know the late fee when I pay twice"]
    );
    assert_eq!(
        sim.call.mind().asked.len(),
        1,
        "the half-said words left no trace in the conversation"
    );
}

#[test]
fn a_turn_taken_too_early_is_taken_back() {
    let mut sim = Sim::answered(&[]);
    sim.pass(5000);
    sim.says("the late fee", 800);
    sim.pass(760);
    assert!(!sim.queue.is_empty(), "the reply has begun");
    sim.says("the late fee for two payments", 900);
    sim.pass(9000);
    let record = sim.call.record();
    assert_eq!(
        record.turns.iter().filter(|t| t.caller.is_some()).count(),
        1
    );
    assert_eq!(sim.call.mind().asked, ["the late fee for two payments"]);
}

#[test]
fn an_interruption_stops_us_and_history_keeps_what_was_heard() {
    let mut sim = Sim::answered(&[]);
    sim.pass(5000);
    sim.says("what is the late fee?", 1000);
    sim.pass(2500);
    sim.begins("can I talk about something else");
    sim.pass(40);
    assert!(sim.paused, "the voice pauses at once");
    sim.pass(1200);
    sim.stops();
    sim.pass(3000);
    let record = sim.call.record();
    let cut = &record.turns[1];
    assert!(cut.interrupted);
    let heard = cut
        .agent
        .as_ref()
        .map(|a| a.heard.clone())
        .unwrap_or_default();
    assert!(
        heard.starts_with("The late fee") && !heard.contains("missed payment"),
        "{heard}"
    );
    assert!(
        sim.call.mind().heard.iter().any(|(h, _)| *h == heard),
        "the desk was told the same"
    );
}

#[test]
fn a_sign_of_listening_resumes_where_it_stopped() {
    let mut sim = Sim::answered(&[]);
    sim.pass(5000);
    sim.says("what is the late fee?", 1000);
    sim.pass(2500);
    sim.says("Mm-hm.", 250);
    assert!(sim.paused);
    sim.pass(400);
    assert!(!sim.paused, "resumed");
    sim.pass(8000);
    let record = sim.call.record();
    assert!(!record.turns[1].interrupted);
    assert!(sim.heard().contains("for each missed payment"));
    assert_eq!(
        record.turns.iter().filter(|t| t.caller.is_some()).count(),
        1,
        "it was no turn"
    );
}

#[test]
fn a_human_briefed_presses_one_and_is_joined() {
    let mut sim = Sim::answered(&["sip:a@127.0.0.1", "sip:b@127.0.0.1"]);
    sim.pass(5000);
    sim.says("a human please", 900);
    sim.pass(1500);
    assert!(
        sim.logged("dial 1 sip:a@127.0.0.1") && sim.logged("mix Hold") && sim.logged("packet ")
    );
    sim.signal(LegId(1), LegSignal::Ringing);
    sim.pass(2000);
    sim.signal(LegId(1), LegSignal::Answered);
    sim.pass(2000);
    assert!(!sim.human.is_empty(), "the brief is being spoken");
    sim.signal(LegId(1), LegSignal::Digit('1'));
    assert!(sim.logged("mix Bridge(LegId(1))"));
    sim.pass(60_000);
    assert!(!sim.call.is_over());
    sim.signal(CALLER, ended("hung_up"));
    let record = sim.call.record();
    assert_eq!(record.outcome, Some(CallOutcome::Transferred));
    let handoff = record.handoff.unwrap_or_default();
    assert_eq!(
        (handoff.result.as_str(), handoff.accepted_by.as_deref()),
        ("accepted", Some("sip:a@127.0.0.1"))
    );
    assert!(
        sim.logged("hangup 1") && sim.logged("hangup 0"),
        "no orphan leg"
    );
}

#[test]
fn declined_then_no_key_then_back_to_the_caller_who_is_called_back() {
    let mut sim = Sim::answered(&["sip:a@h", "sip:machine@h"]);
    sim.pass(5000);
    sim.says("a human please", 900);
    sim.pass(2000);
    sim.signal(LegId(1), LegSignal::Answered);
    sim.pass(1500);
    sim.signal(LegId(1), LegSignal::Digit('2'));
    assert!(sim.logged("hangup 1") && sim.logged("dial 2 sip:machine@h"));
    sim.signal(LegId(2), LegSignal::Answered);
    sim.signal(LegId(2), LegSignal::Media);
    sim.pass(50_000);
    let outcomes: Vec<_> = sim.call.mind().failed.clone();
    assert_eq!(
        outcomes,
        ["declined", "no_key"],
        "an answering machine is not a human"
    );
    assert!(sim.logged("mix Agent"));
    sim.says("yes a callback please", 900);
    sim.pass(8000);
    let record = sim.call.record();
    assert_eq!(record.outcome, Some(CallOutcome::Callback));
    assert!(sim.logged("callback +15550100"));
    assert_eq!(record.handoff.map(|h| h.result), Some("callback".into()));
}

#[test]
fn nobody_answers_and_hold_is_never_dead() {
    let mut sim = Sim::answered(&["sip:a@h;ring_s=30"]);
    sim.pass(5000);
    sim.says("a human please", 900);
    sim.pass(30_000);
    let said: Vec<_> = sim
        .notes
        .iter()
        .filter(|n| matches!(n, Note::Agent { .. }))
        .collect();
    assert!(
        said.len() >= 4,
        "greeting, colleague, and at least two words on hold: {said:?}"
    );
    sim.pass(6000);
    assert_eq!(sim.call.mind().failed, ["no_answer"]);
}

#[test]
fn key_zero_is_a_human_at_any_moment() {
    let mut sim = Sim::answered(&["sip:a@h"]);
    sim.pass(1000);
    sim.signal(CALLER, LegSignal::Digit('0'));
    sim.pass(200);
    assert!(
        sim.logged("dial 1 sip:a@h"),
        "in the middle of the greeting"
    );
}

#[test]
fn a_slow_back_office_gets_a_word_and_then_the_answer() {
    let mut sim = Sim::answered(&[]);
    sim.back_office_ms = 4000;
    sim.pass(5000);
    sim.says("what is my balance?", 900);
    sim.pass(3000);
    assert!(sim.heard().contains("One moment."), "{}", sim.heard());
    sim.pass(6000);
    assert!(
        sim.heard().contains("You owe forty dollars."),
        "{}",
        sim.heard()
    );
}

#[test]
fn words_said_while_a_request_is_out_are_answered_after_it() {
    let mut sim = Sim::answered(&[]);
    sim.back_office_ms = 3000;
    sim.pass(5000);
    sim.says("what is my balance?", 900);
    sim.pass(1000);
    sim.says("and what is the late fee?", 900);
    sim.pass(15_000);
    assert_eq!(
        sim.call.mind().asked,
        ["what is my balance?", "and what is the late fee?"]
    );
}

#[test]
fn silence_is_asked_about_and_ends_kindly() {
    let mut sim = Sim::answered(&[]);
    sim.pass(60_000);
    assert!(sim.heard().contains("Are you there?") && sim.heard().contains("Goodbye then."));
    assert!(sim.call.is_over());
    assert_eq!(sim.call.record().outcome, Some(CallOutcome::Abandoned));
}

/// Who has asked for a moment, or looks for a number, is not asked after eight seconds whether they are there.
#[test]
fn silence_is_no_reason_to_ask_while_something_is_looked_up() {
    for (words, quiet_ms, asked_ms) in [
        ("hang on", 55_000, 75_000),
        ("my account", 14_000, 25_000),
        ("a fee", 7_000, 18_000),
    ] {
        let mut sim = Sim::answered(&[]);
        sim.pass(4_000);
        sim.says(words, 800);
        sim.pass(quiet_ms);
        assert!(
            !sim.heard().contains("Are you there?"),
            "{words}: {}",
            sim.heard()
        );
        sim.pass(asked_ms - quiet_ms);
        assert!(
            sim.heard().contains("Are you there?"),
            "{words}: {}",
            sim.heard()
        );
    }
}

#[test]
fn no_sound_from_the_caller_is_said_and_ended_at_fifteen_seconds() {
    let mut sim = Sim::start(&[], false);
    sim.signal(CALLER, LegSignal::Answered);
    sim.pass(14_900);
    assert!(!sim.call.is_over());
    assert!(
        sim.notes
            .iter()
            .any(|n| matches!(n, Note::Agent { text, .. } if text.contains("can't hear")))
    );
    sim.pass(200);
    assert!(sim.call.is_over());
    assert_eq!(sim.call.record().termination.cause, "upstream");
}

#[test]
fn a_hang_up_while_a_human_is_called_leaves_no_leg() {
    let mut sim = Sim::answered(&["sip:a@h"]);
    sim.pass(5000);
    sim.says("a human please", 900);
    sim.pass(1500);
    sim.signal(CALLER, ended("hung_up"));
    let record = sim.call.record();
    assert_eq!(record.handoff.map(|h| h.result), Some("caller_gone".into()));
    assert_eq!(record.outcome, Some(CallOutcome::Abandoned));
    assert!(sim.logged("hangup 1"));
}

#[test]
fn a_line_without_a_voice_gets_a_human() {
    let mut sim = Sim::start(&["sip:a@h"], false);
    sim.voice_works = false;
    sim.signal(CALLER, LegSignal::Answered);
    sim.signal(CALLER, LegSignal::Media);
    sim.pass(1000);
    assert!(sim.logged("dial 1 sip:a@h"));
}

#[test]
fn stale_results_change_nothing() {
    let mut sim = Sim::answered(&[]);
    sim.pass(5000);
    let before = sim.call.record();
    let evidence = HeardEvidence {
        avg_logprob: 0.0,
        no_speech: 0.0,
        worst_word: 1.0,
        unclear: None,
    };
    sim.event(Event::Transcribed {
        attempt: 99,
        result: Ok(Heard {
            text: "bye".into(),
            evidence,
            ms: 1,
        }),
    });
    sim.event(Event::Clause {
        tag: 99,
        part: 0,
        result: Ok(10),
        ms: 1,
    });
    sim.event(Event::Done {
        request: 99,
        outcome: Outcome::NotFound,
    });
    assert_eq!(sim.call.record(), before);
}

/// While a call is up there is always something that will happen: a deadline, our own speech, or two people joined.
#[test]
fn never_silent_without_a_deadline() {
    for seed in 1..400u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut random = |n: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % n
        };
        let mut sim = Sim::answered(&["sip:a@h", "sip:b@h"]);
        sim.back_office_ms = random(9000);
        for _ in 0..40 {
            let words = [
                "what is the late fee?",
                "a human please",
                "what is my balance?",
                "",
                "Mm-hm.",
                "a callback",
                "wait and",
            ];
            match random(9) {
                0..=2 => sim.says(words[random(7) as usize], 100 + random(2000)),
                3 => sim.signal(
                    CALLER,
                    LegSignal::Digit(['0', '1', '5', '#'][random(4) as usize]),
                ),
                4 => sim.signal(LegId(1 + random(3) as u32), LegSignal::Answered),
                5 => sim.signal(
                    LegId(1 + random(3) as u32),
                    LegSignal::Digit(['1', '2', '3', '9'][random(4) as usize]),
                ),
                6 => {
                    let end = ended("busy");
                    sim.signal(LegId(1 + random(3) as u32), end);
                }
                7 => sim.signal(CALLER, LegSignal::Held),
                _ => sim.signal(CALLER, LegSignal::Resumed),
            }
            sim.pass(random(6000));
            if sim.call.is_over() {
                break;
            }
            let joined = sim.call.stage == Stage::Bridged;
            let alive = sim.call.deadline().is_some_and(|d| d.0 < sim.now + 45_000)
                || joined
                || sim.call.caller.speaking
                || sim.call.caller.held;
            assert!(
                alive,
                "seed {seed}: stage {:?}, then {:?}, quiet {} {:?} {:?}",
                sim.call.stage,
                sim.call.then,
                sim.call.line.is_quiet(),
                sim.call.caller.utterance,
                sim.call.timers
            );
        }
    }
}

#[test]
fn a_bug_brings_the_caller_to_a_human() {
    let mut sim = Sim::answered(&["sip:human@example.com"]);
    sim.pass(5000);
    sim.says("explode", 600);
    // The answer is heard; the silence after it is where the bug sits.
    let mut fate = Fate::Fine;
    while fate == Fate::Fine && sim.now < 60_000 {
        sim.now += 20;
        let mut out = Vec::new();
        while let Some(i) = sim.due.iter().position(|(at, _)| *at <= sim.now) {
            let (_, event) = sim.due.remove(i);
            sim.event(event);
        }
        sim.play(true);
        fate = rescue::handle(&mut sim.call, Time(sim.now), Event::Tick, &mut out);
        sim.obey(out);
    }
    assert_eq!(fate, Fate::Rescued);
    assert!(sim.logged("dial 1 sip:human@example.com"), "{:?}", sim.log);
    let handoff = sim.call.record().handoff.unwrap_or_default();
    assert_eq!(handoff.reason, "technical");
}
