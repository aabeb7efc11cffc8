use std::collections::HashMap;
use std::sync::LazyLock;

use crate::desk::{Desk, DeskFiles, Mode, confidence, parse};

/// A desk that goes by words only; one for all, as learning takes seconds.
static DESK: LazyLock<Desk> = LazyLock::new(|| {
    let article = |id: &str, title: &str, intent: &str, body: &str| {
        (
            format!("knowledge/{id}.md"),
            format!("---\nid: {id}\ntitle: {title}\nintents: [{intent}]\n---\n{body}\n"),
        )
    };
    let mut files: std::collections::BTreeMap<String, String> = [
        article(
            "late-fee",
            "Late fees",
            "late_fee",
            "A late fee is **£6**. It is charged when a payment is more than 7 days late. Unless you told us before, it cannot be refunded.\n\n## Waiving\nWe waive one late fee a year. Ask us within 30 days.",
        ),
        article("delivery", "When your router arrives", "delivery", "Routers are delivered within 3 working days. On islands it takes 8 working days."),
        article("moving", "Moving house", "move_house", "Tell us 14 days before you move."),
        article("wifi", "Slow wifi", "slow_wifi", "Restart the router by holding the button for 10 seconds."),
        article("paper", "Paper bills", "paper_bill", "A paper bill costs £2 a month."),
        article("speed", "Speeds we offer", "speeds", "We offer 50, 150 and 900 megabits."),
    ]
    .into();
    let examples = [
        ("how much is the late fee", "late_fee"),
        ("what do you charge if I pay late", "late_fee"),
        ("why was I charged a fee for late payment", "late_fee"),
        ("when will my router get here", "delivery"),
        ("how long does delivery take", "delivery"),
        ("where is my router", "delivery"),
        ("I'm moving house", "move_house"),
        ("we are moving to a new flat", "move_house"),
        ("my wifi is slow", "slow_wifi"),
        ("the internet keeps dropping", "slow_wifi"),
        ("can I get a paper bill", "paper_bill"),
        ("send my bill by post", "paper_bill"),
        ("how fast is your broadband", "speeds"),
        ("close everything, I'm off", "close_account"),
    ];
    let lines: Vec<String> = examples
        .iter()
        .map(|(t, i)| serde_json::json!({"text": t, "intent": i}).to_string())
        .collect();
    files.insert("intents.jsonl".into(), lines.join("\n"));
    files.insert(
        "desk.toml".into(),
        "company = \"Tidewater\"\nlanguage = \"en-GB\"\n".into(),
    );
    Desk::build(
        parse(&DeskFiles(files)).expect("a good desk"),
        &HashMap::new(),
    )
});

#[test]
fn understands_and_answers_by_words_alone() {
    let desk = &*DESK;
    for (question, intent, source, part) in [
        ("how much is your late fee?", "late_fee", "late-fee", "£6"),
        (
            "how long will delivery of the router take",
            "delivery",
            "delivery",
            "3 working days",
        ),
        ("the wifi is so slow", "slow_wifi", "wifi", "10 seconds"),
    ] {
        let u = desk.understand(question, &[]);
        assert_eq!(u.intents[0].0, intent, "{question}");
        assert!(u.in_scope > 0.5, "{question}: {}", u.in_scope);
        assert!(u.sources.len() >= 5, "{question}");
        let a = desk.answer(question, &[], &u).expect("an answer");
        assert_eq!(a.source, source, "{question}");
        assert!(a.text.contains(part), "{question}: {}", a.text);
        assert!(a.text.split_whitespace().count() <= 45);
    }
}

#[test]
fn a_condition_stays_with_its_fact() {
    let desk = &*DESK;
    let q = "when is the late fee charged, more than how many days late";
    let a = desk
        .answer(q, &[], &desk.understand(q, &[]))
        .expect("an answer");
    assert!(
        a.text.contains("7 days") && a.text.contains("Unless"),
        "{}",
        a.text
    );
}

#[test]
fn words_of_another_world_are_out_of_scope() {
    let desk = &*DESK;
    let inside = desk.understand("what is the fee for paying late", &[]);
    for outside in [
        "what is the capital of Peru",
        "tell me a joke about penguins",
        "book a table at an Italian restaurant",
    ] {
        let u = desk.understand(outside, &[]);
        assert!(u.in_scope < 0.5, "{outside}: {}", u.in_scope);
        assert!(
            u.near < inside.near,
            "{outside}: {} against {}",
            u.near,
            inside.near
        );
        let (c, good) = (
            confidence(desk, &u, None, None),
            confidence(desk, &inside, None, None),
        );
        assert!(c < good, "{outside}: {c} against {good}");
    }
}

#[test]
fn risk_that_is_not_listed_goes_to_a_human() {
    let desk = &*DESK;
    assert_eq!(desk.policy("close_account").mode, Mode::Human);
    assert_eq!(desk.policy("late_fee").mode, Mode::Autonomous);
}

#[test]
fn what_was_learned_survives_writing() {
    let source = parse(&DeskFiles(
        [("intents.jsonl".to_string(), "{\"text\":\"move my payment\",\"intent\":\"a\"}\n{\"text\":\"cancel\",\"intent\":\"b\"}".to_string())].into(),
    ))
    .expect("a good desk");
    let learned = crate::desk::Learned::learn(&source, &HashMap::new());
    let bytes = learned.to_bytes();
    assert_eq!(crate::desk::Learned::from_bytes(&bytes), Some(learned));
    assert_eq!(
        crate::desk::Learned::from_bytes(&bytes[..bytes.len() - 2]),
        None
    );
}
