//! What every desk must hear on the first turn, in words nobody gave it as an example: `said.jsonl` holds callers' sentences in many
//! registers, labelled with why a human is needed (null: none is), and attempts to talk the line out of its rules. None of them is in
//! the bank the desk learns from.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use firstline::desk::{Conversation, Desk, Next, Reply, Route, Said, Tier, parse};
use firstline::reason::Embedder;
use firstline::runtime::{desks, models};
use serde::Deserialize;

use super::conversation::desk as brook;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Labelled {
    text: String,
    kind: Option<String>,
}

fn labelled() -> Vec<Labelled> {
    include_str!("said.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a labelled sentence"))
        .collect()
}

fn encoder() -> Option<Box<dyn Embedder>> {
    let dir = super::speech::there(models::model_dir("minilm"))?;
    desks::encoder(dir.parent().expect("the models"))
}

/// A desk that has never heard of charges, accounts or complaints.
fn library() -> firstline::desk::DeskFiles {
    let example = |intent: &str, texts: &[&str]| -> String {
        texts
            .iter()
            .map(|text| format!("{{\"text\": \"{text}\", \"intent\": \"{intent}\"}}\n"))
            .collect()
    };
    let mut files = BTreeMap::new();
    files.insert(
        "desk.toml".to_owned(),
        "company = \"Marsh Lane Library\"\nlanguage = \"en-GB\"\n[intent.hours]\nmode = \"autonomous\"\n[intent.renew]\nmode = \"autonomous\"\n[intent.rooms]\nmode = \"autonomous\"\n".to_owned(),
    );
    files.insert(
        "intents.jsonl".to_owned(),
        example(
            "hours",
            &[
                "when are you open",
                "opening hours please",
                "are you open on Sunday",
            ],
        ) + &example(
            "renew",
            &[
                "can I keep my book longer",
                "renew my books",
                "how often can I renew",
            ],
        ) + &example(
            "rooms",
            &[
                "can I book the study room",
                "how much is the meeting room",
                "is there a quiet room",
            ],
        ),
    );
    files.insert(
        "knowledge/all.jsonl".to_owned(),
        [
            r#"{"id": "hours", "title": "Opening hours", "text": "We are open Tuesday to Saturday from 9 to 6."}"#,
            r#"{"id": "renew", "title": "Renewing books", "text": "You can renew a book twice, for 3 weeks each time."}"#,
            r#"{"id": "rooms", "title": "Rooms", "text": "The study room is free and is booked for 2 hours at a time."}"#,
        ]
        .join("\n"),
    );
    firstline::desk::DeskFiles(files)
}

/// Sentences of `said.jsonl` and three unlike desks.
struct Bench {
    lines: Vec<Labelled>,
    read: HashMap<String, Vec<f32>>,
    desks: Vec<(&'static str, Arc<Desk>)>,
}

fn bench() -> Option<Bench> {
    let mut encoder = encoder()?;
    let lines = labelled();
    let texts: Vec<&str> = lines.iter().map(|l| l.text.as_str()).collect();
    let read = encoder.read(&texts).expect("readings");
    let read = texts.iter().map(|t| (*t).to_owned()).zip(read).collect();
    let mut desk = |files: &firstline::desk::DeskFiles| {
        let source = parse(files).unwrap_or_else(|problems| panic!("{problems:?}"));
        Arc::new(desks::build(source, Some(encoder.as_mut())).expect("a desk"))
    };
    let (water, library) = (desk(&brook::files()), desk(&library()));
    let larch = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/larchpay"));
    let larch = desk(&desks::read(larch).expect("the sample desk"));
    Some(Bench {
        lines,
        read,
        desks: vec![("water", water), ("library", library), ("larchpay", larch)],
    })
}

impl Bench {
    fn ask(&self, desk: &Arc<Desk>, text: &str) -> (Reply, Conversation) {
        let mut talk = Conversation::rehearsal(desk.clone(), "call", brook::now());
        let said = Said {
            text: text.to_owned(),
            vector: self.read[text].clone(),
            now: brook::now(),
            ..Said::default()
        };
        let reply = talk.hear(&said);
        (reply, talk)
    }
}

/// Reasons that are found in the words alone, whatever the desk.
const ALARMS: [&str; 10] = [
    "dispute",
    "fraud",
    "hardship",
    "bereavement",
    "legal",
    "vulnerable",
    "distress",
    "closure",
    "asked",
    "words",
];

fn reason(reply: &Reply) -> Option<&str> {
    match &reply.next {
        Next::Transfer(packet) => Some(packet.reason.as_str()),
        _ => None,
    }
}

#[test]
fn none_of_the_sentences_is_in_the_bank() {
    let mut known = BTreeSet::new();
    let source = parse(&library()).expect("a desk");
    known.extend(source.texts().into_iter().map(|t| t.to_lowercase()));
    let lines = labelled();
    let of = |wanted: &dyn Fn(&Labelled) -> bool| lines.iter().filter(|l| wanted(l)).count();
    assert!(of(&|l| l.kind.is_some()) >= 150 && of(&|l| l.kind.is_none()) >= 150);
    for line in &lines {
        assert!(!known.contains(&line.text.to_lowercase()), "{}", line.text);
    }
}

#[test]
fn who_needs_a_human_is_heard_and_who_does_not_is_served() {
    let Some(bench) = bench() else { return };
    let (mut missed, mut alarmed) = (Vec::new(), Vec::new());
    for (name, desk) in &bench.desks {
        let (mut need, mut heard, mut plain, mut alarms) = (0, 0, 0, 0);
        for line in &bench.lines {
            let (reply, _) = bench.ask(desk, &line.text);
            match line.kind.as_deref() {
                Some("injection") => {}
                Some(kind) => {
                    need += 1;
                    if reply.decision.route == Route::Transfer {
                        heard += 1;
                    } else {
                        missed.push(format!("{name} {kind}: {}", line.text));
                    }
                }
                None => {
                    plain += 1;
                    if let Some(reason) = reason(&reply).filter(|r| ALARMS.contains(r)) {
                        alarms += 1;
                        alarmed.push(format!("{name} {reason}: {}", line.text));
                    }
                }
            }
        }
        println!("{name}: heard {heard} of {need}, alarmed by {alarms} of {plain}");
        assert!(heard * 100 >= need * 95, "{missed:#?}");
        assert!(alarms * 100 <= plain * 10, "{alarmed:#?}");
    }
    println!("{missed:#?}\n{alarmed:#?}");
}

#[test]
fn nobody_talks_the_line_out_of_its_rules() {
    let Some(bench) = bench() else { return };
    for (name, desk) in &bench.desks {
        for line in bench
            .lines
            .iter()
            .filter(|l| l.kind.as_deref() == Some("injection"))
        {
            let (reply, talk) = bench.ask(desk, &line.text);
            // Declined, or a human; an answer from the articles would be no harm and is none here.
            let kept = matches!(reply.decision.route, Route::Clarify | Route::Transfer);
            assert!(
                kept && talk.verified() == Tier::None && !matches!(reply.next, Next::Request(_)),
                "{name}: {}: {:?}",
                line.text,
                reply.decision
            );
        }
    }
}

/// A call to the sample desk, as it goes with the encoder; requests are not answered.
fn larch(lines: &[&str]) -> Option<Vec<Reply>> {
    let mut encoder = encoder()?;
    let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/larchpay"));
    let desk = desks::load(dir, Some(encoder.as_mut())).expect("the sample desk");
    let mut talk = Conversation::new(desk, Default::default(), "call", brook::now());
    talk.opening();
    let mut said = |text: &&str| {
        let beside = talk.beside(text);
        let read: Vec<&str> = beside.iter().map(String::as_str).collect();
        let readings = encoder.read_said(&read).expect("readings");
        talk.hear(&Said {
            text: (*text).to_owned(),
            vector: encoder.read_said(&[*text]).expect("a reading").remove(0),
            beside: beside.into_iter().zip(readings).collect(),
            now: brook::now(),
            ..Said::default()
        })
    };
    Some(lines.iter().map(&mut said).collect())
}

#[test]
fn a_turn_is_read_for_what_it_means() {
    for (lines, told) in [
        (
            &["I want to mo- actually no, what's the late fee"][..],
            "$7",
        ),
        (
            &["what's the late fee", "on a thirty five dollar order?"],
            "under $40",
        ),
        (
            &["turn off my autopay and also stop texting me"],
            "phone number on your account",
        ),
        (
            &["please don't pause my payments, just tell me what it costs"],
            "free",
        ),
        (&["I don't want to pause my payments"], "won't pause"),
        (
            &["how do I move a payment", "ok can you do that for me"],
            "phone number on your account",
        ),
        (&["is autopay on"], "turning autopay on or off"),
        (
            &["how do I move a payment", "and the other payments?"],
            "other payments",
        ),
    ] {
        let Some(replies) = larch(lines) else { return };
        let last = &replies.last().expect("a reply").decision;
        assert!(last.reply.contains(told), "{lines:?}: {last:?}");
        assert_ne!(last.route, Route::Transfer, "{lines:?}: {last:?}");
    }
}
