//! Actions: gathered, read back, sent once, told as it was.

use firstline::desk::{ActionStatus, CallOutcome, Next, Outcome, Pending, Request, Route};
use serde_json::json;

use super::desk::{ADA, Line, office};

fn visit(answer: impl Fn(&Request) -> Option<Outcome> + 'static) -> Line {
    Line::with(None, true, move |request: &Request| {
        if request.path == "/visits" {
            answer(request)
        } else {
            office(request)
        }
    })
}

fn confirmed(line: &mut Line) -> firstline::desk::Reply {
    line.say("I need an engineer to come");
    line.say("Friday");
    line.say("In the morning");
    line.say("Yes")
}

#[test]
fn slots_are_asked_read_back_and_sent_once() {
    let mut line = Line::from(None);
    let reply = line.say("I need an engineer to come");
    assert_eq!(
        (reply.decision.route, reply.decision.pending),
        (Route::Act, Some(Pending::Slot)),
        "{reply:?}"
    );
    let reply = line.say("Friday");
    assert_eq!(reply.decision.reply, "Morning or afternoon?");
    let reply = line.say("The morning please");
    assert_eq!(reply.decision.pending, Some(Pending::Confirm));
    let back = reply.say.last().expect("a read-back");
    assert!(
        back.must_hear && back.text.contains("Friday 27 November") && back.text.contains("morning"),
        "{back:?}"
    );
    assert!(line.requests.is_empty());
    let reply = line.say("Yes, go ahead");
    assert!(
        reply
            .decision
            .reply
            .contains("We'll come on Friday 27 November in the morning."),
        "{reply:?}"
    );
    let writes = line.writes();
    assert_eq!(writes.len(), 1);
    assert_eq!(
        writes[0].body,
        Some(json!({"day": "2026-11-27", "slot": "morning"}))
    );
    assert!(writes[0].idempotency_key.is_some());
    let record = &line.talk.actions()[0];
    assert!(record.confirmed && record.status == ActionStatus::Done);
    assert_eq!(line.talk.outcome(), CallOutcome::Resolved);
}

#[test]
fn values_in_the_first_words_are_used() {
    let mut line = Line::from(None);
    let reply = line.say("Send an engineer on Thursday afternoon");
    assert_eq!(reply.decision.pending, Some(Pending::Confirm), "{reply:?}");
    assert!(reply.decision.reply.contains("Thursday 26 November"));
}

#[test]
fn the_same_effect_has_the_same_key() {
    let key = |words: &[&str]| {
        let mut line = Line::from(None);
        for said in words {
            line.say(said);
        }
        line.writes()[0].idempotency_key.clone()
    };
    let one = key(&["Send an engineer on Thursday afternoon", "yes"]);
    assert_eq!(
        one,
        key(&["I need an engineer to come", "Thursday", "afternoon", "yes"])
    );
    assert_ne!(one, key(&["Send an engineer on Thursday morning", "yes"]));
}

#[test]
fn a_change_in_the_yes_is_read_back_again() {
    let mut line = Line::from(None);
    line.say("Send an engineer on Thursday afternoon");
    let reply = line.say("Yes, but make it Friday");
    assert_eq!(reply.decision.pending, Some(Pending::Confirm));
    assert!(
        reply.decision.reply.contains("Friday 27 November"),
        "{reply:?}"
    );
    assert!(line.requests.is_empty());
    line.say("yes");
    assert_eq!(
        line.writes()[0].body,
        Some(json!({"day": "2026-11-27", "slot": "afternoon"}))
    );
}

#[test]
fn a_correction_changes_what_was_given() {
    let mut line = Line::from(None);
    line.say("I need an engineer to come");
    line.say("On the 24th");
    let reply = line.say("No, I meant the 26th");
    assert!(
        reply.decision.reply.contains("Morning or afternoon?"),
        "{reply:?}"
    );
    let reply = line.say("morning");
    assert!(reply.decision.reply.contains("26 November"), "{reply:?}");
}

#[test]
fn limits_are_told_and_asked_again() {
    let mut line = Line::from(None);
    line.say("I need an engineer to come");
    let reply = line.say("The 20th of January");
    assert!(
        reply.decision.reply.contains("Monday 7 December"),
        "{reply:?}"
    );
    assert_eq!(reply.decision.pending, Some(Pending::Slot));
}

#[test]
fn asked_twice_more_then_a_human() {
    let mut line = Line::from(None);
    line.say("I need an engineer to come");
    let one = line.say("blue");
    let two = line.say("purple");
    assert_ne!(one.decision.reply, two.decision.reply);
    assert!(matches!(line.say("green").next, Next::Transfer(_)));
}

#[test]
fn a_read_back_that_was_cut_does_not_count() {
    let mut line = Line::from(None);
    line.say("Send an engineer on Thursday afternoon");
    line.talk.heard("Let me read", false);
    let reply = line.say("yes");
    assert!(reply.say.iter().any(|s| s.must_hear), "{reply:?}");
    assert!(line.requests.is_empty());
    line.say("yes");
    assert_eq!(line.writes().len(), 1);
}

#[test]
fn keys_confirm_and_refuse() {
    let mut line = Line::from(None);
    line.say("Send an engineer on Thursday afternoon");
    line.key("2");
    assert!(line.requests.is_empty());
    let mut line = Line::from(None);
    line.say("Send an engineer on Thursday afternoon");
    line.key("1");
    assert_eq!(line.writes().len(), 1);
}

#[test]
fn no_is_no() {
    let mut line = Line::from(None);
    line.say("Send an engineer on Thursday afternoon");
    let reply = line.say("No");
    assert!(
        reply.decision.reply.contains("nothing's been changed"),
        "{reply:?}"
    );
    line.say("Oh, never mind");
    assert!(line.requests.is_empty());
}

#[test]
fn words_after_the_yes_do_not_send_twice() {
    let mut line = visit(|_| None);
    let reply = confirmed(&mut line);
    let Next::Request(request) = reply.next else {
        panic!("{reply:?}")
    };
    line.say("yes");
    line.say("yes, yes, go on");
    assert_eq!(line.requests.iter().filter(|r| r.is_write()).count(), 1);
    assert_eq!(line.talk.actions()[0].status, ActionStatus::Unknown);
    let reply = line
        .talk
        .resume(request.id, Outcome::Done(json!({"day": "2026-11-27"})));
    assert!(reply.decision.reply.contains("Booked"));
    // A second delivery of the same outcome says nothing.
    assert!(
        line.talk
            .resume(request.id, Outcome::Done(json!({})))
            .say
            .is_empty()
    );
}

#[test]
fn the_limit_of_a_call_holds() {
    let mut line = Line::from(None);
    line.say("Send an engineer on Thursday afternoon");
    line.say("yes");
    let reply = line.say("Send an engineer on Friday morning");
    assert!(matches!(reply.next, Next::Transfer(_)), "{reply:?}");
    assert_eq!(line.writes().len(), 1);
}

#[test]
fn every_outcome_is_told_as_it_is() {
    let cases = [
        (
            Outcome::Unknown("timed out".into()),
            ActionStatus::Unknown,
            "don't know whether",
        ),
        (
            Outcome::Refused("no slots".into()),
            ActionStatus::Failed,
            "wouldn't let me",
        ),
        (
            Outcome::Failed("refused connection".into()),
            ActionStatus::Failed,
            "nothing's been changed",
        ),
        (Outcome::NotFound, ActionStatus::Failed, "can't find"),
        (
            Outcome::Done(json!({"id": "V1"})),
            ActionStatus::Done,
            "not with what I need",
        ),
    ];
    for (outcome, status, words) in cases {
        let given = outcome.clone();
        let mut line = visit(move |_| Some(given.clone()));
        let reply = confirmed(&mut line);
        assert!(
            reply.decision.reply.contains(words),
            "{outcome:?}: {reply:?}"
        );
        assert!(!reply.decision.reply.contains("Booked"), "{reply:?}");
        assert!(matches!(reply.next, Next::Transfer(_)));
        assert_eq!(line.talk.actions()[0].status, status);
        // A write is never sent again by itself.
        assert_eq!(line.writes().len(), 1);
    }
}

#[test]
fn a_read_is_tried_once_more() {
    let mut tries = 0;
    let mut line = Line::with(ADA, true, move |request| {
        if request.path.ends_with("/balance") {
            tries += 1;
            return Some(if tries == 1 {
                Outcome::Failed("down".into())
            } else {
                office(request).expect("an answer")
            });
        }
        office(request)
    });
    let reply = line.say("What is my balance?");
    assert!(reply.decision.reply.contains("£65.50"), "{reply:?}");
}

#[test]
fn the_payment_meant_is_found_and_asked_for() {
    let mut line = Line::from(ADA);
    line.say("I need to move my payment");
    let reply = line.say("SW1A 1AA");
    assert!(
        reply.decision.reply.contains("£25.50") && reply.decision.reply.contains("£40"),
        "{reply:?}"
    );
    let reply = line.say("The first one");
    assert_eq!(reply.decision.reply, "Which day should it move to?");
    let reply = line.say("The 10th of December");
    assert!(
        reply.decision.reply.contains("£25.50") && reply.decision.reply.contains("10 December"),
        "{reply:?}"
    );
    let reply = line.say("Yes");
    assert!(
        reply
            .decision
            .reply
            .contains("£25.50 is now due on Thursday 10 December"),
        "{reply:?}"
    );
    assert_eq!(line.writes()[0].path, "/payments/P1/move");
}

#[test]
fn a_question_in_between_is_answered_and_the_request_goes_on() {
    let mut line = Line::from(None);
    line.say("I need an engineer to come");
    let reply = line.say("How long does an engineer visit take?");
    if reply.decision.route == Route::Answer {
        assert!(
            reply.decision.reply.contains("40 minutes")
                && reply.decision.reply.contains("Which day"),
            "{reply:?}"
        );
    }
    let reply = line.say("Friday");
    assert_eq!(reply.decision.reply, "Morning or afternoon?");
}

#[test]
fn a_correction_that_rules_out_the_old_value_is_taken() {
    let mut line = Line::from(None);
    line.say("I need an engineer to come");
    line.say("Friday");
    line.say("In the morning");
    let reply = line.say("no hang on, afternoon not morning");
    assert_eq!(reply.decision.pending, Some(Pending::Confirm), "{reply:?}");
    assert!(reply.decision.reply.contains("afternoon"), "{reply:?}");
    line.say("Yes");
    assert_eq!(
        line.writes()[0].body,
        Some(json!({"day": "2026-11-27", "slot": "afternoon"}))
    );
}

#[test]
fn the_read_back_is_a_sentence_with_slots_in_the_order_asked() {
    let mut line = Line::from(None);
    line.say("I need an engineer to come");
    line.say("Friday");
    let reply = line.say("In the morning");
    assert!(
        reply
            .decision
            .reply
            .contains("I'll book a visit: Friday 27 November, morning."),
        "{reply:?}"
    );
}

#[test]
fn courtesies_are_no_cry_for_help() {
    for words in [
        "bye",
        "thanks bye",
        "ok thank you",
        "hello",
        "is this one of those AI things",
    ] {
        let mut line = Line::from(None);
        line.say("I need an engineer to come");
        let reply = line.say(words);
        assert_ne!(reply.decision.route, Route::Transfer, "{words}: {reply:?}");
    }
}
