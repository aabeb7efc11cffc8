//! A line as the console sees it: the real HTTP edge, store, desk and console, without telephones and models. Calls are played to it.

use std::path::PathBuf;
use std::sync::Arc;

use firstline::audio::wav;
use firstline::call::{Draft, Order};
use firstline::desk::redact::{Private, Redactor};
use firstline::desk::{
    AgentTurn, CallOutcome, CallRecord, CallerTurn, Decision, Desk, DeskFiles, Handoff,
    LineQuality, Route, Source, StagesMs, TargetOutcome, Termination, TurnRecord, parse,
};
use firstline::edge::http::HttpEdge;
use firstline::runtime::api::LineState;
use firstline::runtime::console::Console;
use firstline::runtime::live::Live;
use firstline::runtime::people;
use firstline::runtime::pilot::Pilot;
use firstline::runtime::pool::{Control, Msg};
use firstline::runtime::veil::Veil;
use firstline::store::Store;
use firstline::telemetry::Metrics;
use tokio::sync::mpsc;

pub const PASSWORD: &str = "larch and pine and fir";

pub struct Line {
    pub dir: PathBuf,
    pub state: Arc<LineState>,
    pub pilot: Arc<Pilot>,
    pub http: HttpEdge,
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

const DESK: &str = "company = \"Larch Pay\"\ncurrency = \"USD\"\nlanguage = \"en-US\"\ntimezone = \"UTC\"\n\
[intent.late_fee]\nmode = \"supervised\"\n[intent.refund]\nmode = \"shadow\"\n[intent.hours]\nfloor = 0.8\n[intent.dispute]\nmode = \"human\"\nrisk = \"high\"\n\
[savings]\nhuman_minute = 0.9\nhuman_minutes = 6\nline_minute = 0.02\n";
const EXAMPLES: &str = "{\"text\": \"is there a late fee\", \"intent\": \"late_fee\"}\n{\"text\": \"what happens when I pay late\", \"intent\": \"late_fee\"}\n\
{\"text\": \"I want a refund\", \"intent\": \"refund\"}\n{\"text\": \"when are you open\", \"intent\": \"hours\"}\n{\"text\": \"I never made this purchase\", \"intent\": \"dispute\"}\n";
const ARTICLE: &str = "---\nid: late-fee\ntitle: Late fees\nintents: [late_fee]\nspoken: The late fee is $7.\n---\n\nIf you pay more than seven days late, there is one fee of $7.\n";
const QUESTIONS: &str = "{\"id\": \"q1\", \"text\": \"is there a fee for paying late\", \"intent\": \"late_fee\", \"route\": \"answer\", \"source\": \"late-fee\"}\n\
{\"id\": \"q2\", \"text\": \"what does the weather cost\", \"intent\": null, \"route\": \"clarify\"}\n";

impl Line {
    pub async fn start() -> Line {
        let dir = std::env::temp_dir().join(format!("firstline-console-{}", uuid::Uuid::new_v4()));
        let desk_dir = dir.join("desk");
        std::fs::create_dir_all(desk_dir.join("knowledge")).unwrap();
        for (name, text) in [
            ("desk.toml", DESK),
            ("intents.jsonl", EXAMPLES),
            ("questions.jsonl", QUESTIONS),
            ("knowledge/late-fee.md", ARTICLE),
        ] {
            std::fs::write(desk_dir.join(name), text).unwrap();
        }
        let files = ["desk.toml", "intents.jsonl", "knowledge/late-fee.md"].map(|n| {
            (
                n.to_owned(),
                std::fs::read_to_string(desk_dir.join(n)).unwrap(),
            )
        });
        let source = parse(&DeskFiles(files.into())).unwrap();
        let desk = Arc::new(Desk::build(source, &std::collections::HashMap::new()));
        let store = Store::open(&format!("sqlite:{}/line.db", dir.display()))
            .await
            .unwrap();
        for (name, role) in [("ada", "admin"), ("rae", "reviewer"), ("abe", "agent")] {
            let hash = people::hash(PASSWORD).unwrap();
            store.put_user(name, role, &hash).await.unwrap();
        }
        let state = LineState::new(
            store,
            Arc::new(Metrics::new()),
            dir.join("recordings"),
            Live::new(16),
        );
        let pilot = Pilot::new(&desk_dir, desk);
        state.console.set(Console::new(pilot.clone())).unwrap();
        let http = HttpEdge::start("127.0.0.1:0".parse().unwrap(), None, state.clone())
            .await
            .unwrap();
        Line {
            dir,
            state,
            pilot,
            http,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.http.addr().port())
    }

    /// A call that has ended, with its recording and its events.
    pub async fn past(&self, id: &str, outcome: CallOutcome, words: &str) -> CallRecord {
        let mut record = call(id, words);
        record.outcome = Some(outcome);
        record.ended_at = Some(later(&record.started_at));
        record.termination = Termination {
            cause: "caller".into(),
            reason: "the caller hung up".into(),
        };
        if outcome == CallOutcome::Transferred {
            if let Some(decision) = &mut record.turns[1].decision {
                decision.route = Route::Transfer;
                decision.reason = "no_answer".into();
            }
            record.handoff = Some(Handoff {
                reason: "no_answer".into(),
                intent: Some("late_fee".into()),
                summary: "The caller rang about late fees.".into(),
                spoken_brief: "A caller asks about late fees.".into(),
                result: "accepted".into(),
                accepted_by: Some("sip:care@192.0.2.5".into()),
                targets: vec![TargetOutcome {
                    uri: "sip:care@192.0.2.5".into(),
                    outcome: "accepted".into(),
                    ms: 6200,
                }],
                ..Handoff::default()
            });
        }
        self.state.store.save_call(&record).await.unwrap();
        let folder = self.state.folder(id);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("audio.wav"), recording()).unwrap();
        let events = "{\"at_ms\":100,\"event\":\"answered\",\"channel\":\"sip\"}\n{\"at_ms\":5600,\"event\":\"caller\",\"turn\":1,\"text\":\"...\"}\n";
        std::fs::write(folder.join("events.jsonl"), events).unwrap();
        record
    }

    /// A call in progress; what it is told by the console.
    pub fn live(&self, record: &CallRecord) -> mpsc::Receiver<Msg> {
        let (to, told) = mpsc::channel(64);
        self.state.live.begin(&record.id, to);
        self.state.began(record);
        told
    }

    /// A reply of a call in progress that waits for a reviewer.
    pub fn draft(&self, record: &CallRecord, number: u64) {
        let turn = record.turns.last().unwrap();
        let draft = Draft {
            number,
            turn: turn.index,
            words: turn.caller.as_ref().unwrap().text.clone(),
            decision: turn.decision.clone().unwrap(),
        };
        let veil = Veil::new(Redactor::new(Private::ALL));
        self.state
            .review_wanted(&self.pilot, &record.id, &draft, &veil);
    }
}

/// The next thing a call is told, within a few seconds.
pub async fn told(from: &mut mpsc::Receiver<Msg>) -> Control {
    let next = tokio::time::timeout(std::time::Duration::from_secs(10), from.recv());
    match next.await.expect("the call is told something") {
        Some(Msg::Control(control)) => control,
        other => panic!("told {other:?}"),
    }
}

pub async fn order(from: &mut mpsc::Receiver<Msg>) -> Order {
    match told(from).await {
        Control::Order(order) => order,
        other => panic!("told {other:?}"),
    }
}

fn later(start: &str) -> String {
    let at: jiff::Timestamp = start.parse().unwrap();
    (at + jiff::SignedDuration::from_secs(95)).to_string()
}

/// Two turns: the greeting, and a question with its answer.
pub fn call(id: &str, words: &str) -> CallRecord {
    let decision = |route, intent: Option<&str>, reply: &str| Decision {
        id: format!("{id}-1"),
        route,
        intent: intent.map(str::to_owned),
        in_scope: 0.97,
        confidence: 0.86,
        sources: vec![
            Source {
                id: "late-fee".into(),
                score: 0.92,
            },
            Source {
                id: "pay-early".into(),
                score: 0.41,
            },
        ],
        action: None,
        reply: reply.into(),
        reason: "answered from late-fee at 0.86".into(),
        pending: None,
        model: None,
    };
    let agent = |text: &str, start: u64, end: u64| AgentTurn {
        text: text.into(),
        heard: text.into(),
        start_ms: start,
        end_ms: end,
    };
    let greeting = "Hi, this is Robin, the automated assistant at Larch Pay. How can I help?";
    CallRecord {
        id: id.into(),
        channel: "sip".into(),
        from: Some("+12025550163".into()),
        to: Some("+15550100".into()),
        started_at: (jiff::Timestamp::now() - jiff::SignedDuration::from_secs(120)).to_string(),
        disclosed: true,
        line: Some(LineQuality {
            codec: "PCMU".into(),
            packets_in: 4000,
            packets_lost: 3,
            jitter_ms: 4.0,
            mos: Some(4.3),
            ..LineQuality::default()
        }),
        turns: vec![
            TurnRecord {
                index: 0,
                decision: Some(decision(Route::Clarify, None, greeting)),
                agent: Some(agent(greeting, 300, 4200)),
                ..TurnRecord::default()
            },
            TurnRecord {
                index: 1,
                caller: Some(CallerTurn {
                    text: words.into(),
                    start_ms: 4800,
                    end_ms: 7400,
                    avg_logprob: Some(-0.2),
                    ..CallerTurn::default()
                }),
                decision: Some(decision(
                    Route::Answer,
                    Some("late_fee"),
                    "The late fee is $7.",
                )),
                agent: Some(agent("The late fee is $7.", 8010, 10_000)),
                gap_ms: Some(610),
                stages_ms: StagesMs {
                    endpoint: 420,
                    stt: 310,
                    decide: 14,
                    tts: 140,
                },
                interrupted: false,
            },
        ],
        ..CallRecord::default()
    }
}

/// Eleven seconds in which first the line speaks, then the caller, then the line.
fn recording() -> Vec<u8> {
    let mut pcm = Vec::new();
    for n in 0..16_000 * 11u32 {
        let second = n / 16_000;
        let wave = (f64::from(n) * 0.08).sin() * (f64::from(n) * 0.0011).sin().abs() * 9000.0;
        let (caller, line) = match second {
            0..=3 | 8..=9 => (0, wave as i16),
            5..=6 => (wave as i16, 0),
            _ => (0, 0),
        };
        pcm.extend([caller, line]);
    }
    wav::write(&pcm, 16_000, 2)
}
