//! Shadow mode: a human had the call; what the line would have said to each thing the caller said, beside what the human said. People grade
//! it, and that is what an intent's first step towards trust rests on.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::desk::conversation::Conversation;
use crate::desk::{CallRecord, Desk, Next, Said};
use crate::reason::Embedder;
use crate::store::Review;

/// Drafts of one call.
const MOST: usize = 20;

/// What the caller said, and what the human answered, in order.
fn heard(record: &CallRecord) -> Vec<(i64, String, String)> {
    let mut lines: Vec<(i64, String, String)> = Vec::new();
    // Before the human came there was nobody to answer but us.
    for turn in &record.turns {
        if let Some(caller) = turn.caller.as_ref().filter(|c| !c.text.trim().is_empty()) {
            lines.push((i64::from(turn.index), caller.text.clone(), String::new()));
        }
    }
    let last = record.turns.last().map_or(0, |t| i64::from(t.index));
    let notes = record.handoff.iter().flat_map(|h| &h.notes);
    for note in notes.filter(|n| !n.text.trim().is_empty()) {
        match (note.by.as_str(), lines.last_mut()) {
            ("colleague", Some((_, _, human))) => {
                if !human.is_empty() {
                    human.push(' ');
                }
                human.push_str(&note.text);
            }
            ("caller", _) => lines.push((last, note.text.clone(), String::new())),
            _ => {}
        }
    }
    lines
}

/// Drafts for the things that concern an intent in shadow mode and that the human answered. `desk` trusts those intents; nothing is asked of
/// any system.
pub fn drafts(
    record: &CallRecord,
    desk: &Arc<Desk>,
    shadowed: &BTreeSet<String>,
    embedder: Option<&mut dyn Embedder>,
    now: jiff::Timestamp,
) -> Vec<Review> {
    let taken = record
        .handoff
        .as_ref()
        .is_some_and(|h| h.result == "accepted");
    if !taken || shadowed.is_empty() {
        return Vec::new();
    }
    let mut embedder = embedder;
    let mut mind = Conversation::rehearsal(desk.clone(), &record.id, now);
    let mut out = Vec::new();
    for (turn, words, human) in heard(record) {
        let vector = embedder
            .as_mut()
            .and_then(|e| e.read_said(&[words.as_str()]).ok())
            .and_then(|mut v| v.pop())
            .unwrap_or_default();
        let said = Said {
            text: words.clone(),
            vector,
            now,
            ..Said::default()
        };
        let reply = mind.hear(&said);
        let intent = reply.decision.intent.clone().unwrap_or_default();
        if human.is_empty() || !shadowed.contains(&intent) || out.len() >= MOST {
            continue;
        }
        let draft = match &reply.next {
            Next::Transfer(_) => format!("(hands over: {})", reply.decision.reason),
            Next::Request(request) => format!("(asks your system: {})", request.name),
            _ => reply.decision.reply.clone(),
        };
        out.push(Review {
            id: uuid::Uuid::now_v7().to_string(),
            call_id: record.id.clone(),
            turn,
            mode: "shadow".into(),
            intent,
            words,
            draft,
            human,
            ..Review::default()
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::{CallerTurn, DeskFiles, Handoff, NoteLine, TurnRecord, parse};

    #[test]
    fn what_the_human_answered_is_drafted_beside_it() {
        let toml = "company = \"Larch\"\n[intent.late_fee]\nmode = \"autonomous\"\n";
        let article = "---\nid: late-fee\ntitle: Late fee\nintents: [late_fee]\nspoken: The late fee is $7.\n---\nThe late fee for paying late is $7.\n";
        let lines = "{\"text\": \"how much is the late fee\", \"intent\": \"late_fee\"}\n{\"text\": \"is there a fee for paying late\", \"intent\": \"late_fee\"}\n";
        let files = [
            ("desk.toml", toml),
            ("intents.jsonl", lines),
            ("knowledge/late-fee.md", article),
        ]
        .map(|(name, text)| (name.to_owned(), text.to_owned()));
        let source = parse(&DeskFiles(files.into())).expect("a desk");
        let desk = Arc::new(Desk::build(source, &std::collections::HashMap::new()));
        let note = |by: &str, text: &str| NoteLine {
            by: by.into(),
            text: text.into(),
            at_ms: 0,
        };
        let record = CallRecord {
            id: "c1".into(),
            turns: vec![TurnRecord {
                caller: Some(CallerTurn {
                    text: "how much is the late fee".into(),
                    ..CallerTurn::default()
                }),
                ..TurnRecord::default()
            }],
            handoff: Some(Handoff {
                result: "accepted".into(),
                notes: vec![
                    note("colleague", "Hello."),
                    note("colleague", "It is seven dollars."),
                    note("caller", "thank you very much"),
                ],
                ..Handoff::default()
            }),
            ..CallRecord::default()
        };
        let now = "2026-11-29T10:00:00Z".parse().expect("a time");
        let shadowed = BTreeSet::from(["late_fee".to_owned()]);
        let made = drafts(&record, &desk, &shadowed, None, now);
        assert_eq!(made.len(), 1, "{made:?}");
        assert_eq!(made[0].human, "Hello. It is seven dollars.");
        assert!(made[0].draft.contains("$7"), "{}", made[0].draft);
        assert!(drafts(&record, &desk, &BTreeSet::new(), None, now).is_empty());
    }
}
