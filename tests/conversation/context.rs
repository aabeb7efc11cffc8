//! What words mean after other words: more than was asked for, changes of mind, matters put off, an action once it is done.

use firstline::desk::{Next, Pending, Route};
use serde_json::json;

use super::desk::{ADA, Line};

#[test]
fn what_is_said_beyond_the_question_is_not_asked_again() {
    let mut line = Line::from(None);
    line.say("I need an engineer to come");
    let reply = line.say("Friday, in the afternoon if you can");
    assert_eq!(reply.decision.pending, Some(Pending::Confirm), "{reply:?}");
    assert!(
        reply
            .decision
            .reply
            .contains("Friday 27 November, afternoon")
    );
}

#[test]
fn a_changed_value_can_go_back_to_what_it_was() {
    let mut line = Line::from(None);
    line.say("Send an engineer on Thursday afternoon");
    let reply = line.say("No, the morning");
    assert!(reply.decision.reply.contains("morning"), "{reply:?}");
    let reply = line.say("Actually no, the one before");
    assert_eq!(reply.decision.pending, Some(Pending::Confirm));
    assert!(reply.decision.reply.contains("afternoon"), "{reply:?}");
    line.say("Yes");
    assert_eq!(
        line.writes()[0].body,
        Some(json!({"day": "2026-11-26", "slot": "afternoon"}))
    );
}

#[test]
fn corrections_in_many_words() {
    for (said, day, part) in [
        ("Sorry, Friday not Thursday", "2026-11-27", "afternoon"),
        ("No, I meant the 30th", "2026-11-30", "afternoon"),
        ("Make it the morning", "2026-11-26", "morning"),
        ("Friday morning, sorry", "2026-11-27", "morning"),
        ("Not the 26th, the 27th", "2026-11-27", "afternoon"),
        (
            "Actually the first Monday in December",
            "2026-12-07",
            "afternoon",
        ),
    ] {
        let mut line = Line::from(None);
        line.say("Send an engineer on Thursday afternoon");
        let reply = line.say(said);
        assert_eq!(
            reply.decision.pending,
            Some(Pending::Confirm),
            "{said}: {reply:?}"
        );
        line.say("Yes please");
        assert_eq!(
            line.writes()[0].body,
            Some(json!({"day": day, "slot": part})),
            "{said}"
        );
    }
}

#[test]
fn the_other_matter_is_gone_on_to_or_let_go() {
    let both = "How do I read my water meter? And is my water hard?";
    let mut line = Line::from(None);
    let reply = line.say(both);
    assert!(reply.decision.reply.contains("also asked"), "{reply:?}");
    let reply = line.say("Yes, go on");
    assert!(reply.decision.reply.contains("14 degrees"), "{reply:?}");
    let mut line = Line::from(None);
    line.say(both);
    assert_eq!(line.say("No, that's all, thank you").next, Next::End);
}

#[test]
fn after_it_was_done_another_value_is_a_new_request() {
    let mut line = Line::from(ADA);
    line.say("I need to move my payment to the 10th of December");
    line.say("SW1A 1AA");
    line.say("the first one");
    let reply = line.say("Yes");
    assert_eq!(line.writes().len(), 1, "{reply:?}");
    // The desk lets a payment be moved once a call: it is not done twice, and nobody is told that it cannot be understood.
    let reply = line.say("Actually, make it the 11th instead");
    assert_eq!(reply.decision.route, Route::Transfer, "{reply:?}");
    let Next::Transfer(packet) = reply.next else {
        panic!("no transfer")
    };
    assert_eq!(packet.reason, "limit");
    assert_eq!(line.writes().len(), 1);
}
