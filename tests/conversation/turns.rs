//! What is taken back, refused or asked in the middle of something: nothing is begun by it, and nothing is lost.

use firstline::desk::{CallOutcome, Next, Outcome, Pending, Request, Route};

use super::desk::{ADA, Line, office};

#[test]
fn what_is_named_to_be_refused_is_not_begun() {
    for said in [
        "I don't want to book an engineer visit",
        "Please don't send an engineer",
        "I never asked you to send an engineer",
    ] {
        let mut line = Line::from(None);
        let reply = line.say(said);
        assert_eq!(reply.decision.route, Route::Clarify, "{said}: {reply:?}");
        assert_eq!(reply.decision.pending, None, "{said}: {reply:?}");
        assert!(reply.decision.reply.contains("won't"), "{said}: {reply:?}");
    }
    // What is said beside it is what they are after.
    let mut line = Line::from(None);
    let reply = line.say("I don't want to book an engineer visit, is my water hard?");
    assert!(reply.decision.reply.contains("14 degrees"), "{reply:?}");
}

#[test]
fn a_refusal_drops_what_is_under_way() {
    let mut line = Line::from(None);
    line.say("I need an engineer to come");
    let reply = line.say("I don't want to book it");
    assert!(
        reply.decision.reply.contains("left that alone"),
        "{reply:?}"
    );
    let mut line = Line::from(None);
    line.say("Send an engineer on Thursday afternoon");
    let reply = line.say("don't send it on Thursday, make it Friday");
    assert_eq!(reply.decision.pending, Some(Pending::Confirm), "{reply:?}");
    assert!(reply.decision.reply.contains("Friday 27"), "{reply:?}");
}

#[test]
fn a_false_start_is_dropped() {
    let mut line = Line::from(None);
    let reply = line.say("I want to bo- actually no, is my water hard?");
    assert!(reply.decision.reply.contains("14 degrees"), "{reply:?}");
    let mut line = Line::from(None);
    let reply = line.say("Send an engineer on Thursday, actually no, never mind");
    assert_eq!(reply.decision.pending, None, "{reply:?}");
    assert!(line.requests.is_empty());
}

#[test]
fn what_was_done_is_told_and_not_done_again() {
    let mut line = Line::from(None);
    line.say("Send an engineer on Thursday afternoon");
    line.say("yes");
    for said in [
        "so which day is it now?",
        "when was that",
        "did that go through?",
    ] {
        let reply = line.say(said);
        assert_eq!(reply.decision.route, Route::Answer, "{said}: {reply:?}");
        assert!(
            reply.decision.reply.contains("Thursday 26 November"),
            "{said}: {reply:?}"
        );
    }
    assert_eq!(line.writes().len(), 1);
    // An order is one all the same.
    let reply = line.say("Send an engineer on Friday morning please");
    assert!(matches!(reply.next, Next::Transfer(_)), "{reply:?}");
}

#[test]
fn what_was_looked_up_is_told_again_and_says_where_it_is_from() {
    let mut line = Line::from(ADA);
    line.say("What is my balance?");
    let asked = line.requests.len();
    let reply = line.say("and when is it due");
    assert!(reply.decision.reply.contains("1 December"), "{reply:?}");
    assert_eq!(line.requests.len(), asked, "it was looked up again");
    let reply = line.say("how do you know");
    assert!(reply.decision.reply.contains("system"), "{reply:?}");
    let reply = line.say("is my water hard");
    assert!(reply.decision.reply.contains("14 degrees"), "{reply:?}");
    let reply = line.say("how do you know that?");
    assert!(
        reply.decision.reply.contains("How hard is the water"),
        "{reply:?}"
    );
}

#[test]
fn a_question_at_the_read_back_is_no_unclear_yes() {
    let mut line = Line::from(None);
    line.say("Send an engineer on Thursday afternoon");
    for said in [
        "will they call me on the way",
        "do I have to tidy up",
        "will it be noisy",
    ] {
        let reply = line.say(said);
        assert_eq!(
            reply.decision.pending,
            Some(Pending::Confirm),
            "{said}: {reply:?}"
        );
        assert!(
            reply.say.iter().any(|say| say.must_hear),
            "{said}: {reply:?}"
        );
        assert!(
            !reply.decision.reply.contains("clear yes or no"),
            "{said}: {reply:?}"
        );
    }
    line.say("yes");
    assert_eq!(line.writes().len(), 1);
}

#[test]
fn a_slot_says_what_it_allows() {
    let mut line = Line::from(None);
    line.say("I need an engineer to come");
    let reply = line.say("what's the latest you can do");
    assert!(
        reply.decision.reply.contains("Monday 7 December"),
        "{reply:?}"
    );
    assert!(reply.decision.reply.contains("Which day"), "{reply:?}");
}

#[test]
fn a_value_outside_the_limits_is_told_when_it_was_said_at_once() {
    let mut line = Line::from(None);
    let reply = line.say("Send an engineer on the 20th of January");
    assert!(
        reply.decision.reply.contains("Monday 7 December"),
        "{reply:?}"
    );
}

#[test]
fn a_day_that_is_ruled_out_is_not_taken() {
    let mut line = Line::from(None);
    let reply = line.say("I need an engineer to come, I can't do Thursday");
    assert_eq!(reply.decision.pending, Some(Pending::Slot), "{reply:?}");
    assert!(reply.decision.reply.contains("Which day"), "{reply:?}");
}

#[test]
fn a_kind_of_day_that_is_ruled_out_is_not_taken() {
    let mut line = Line::from(None);
    let reply = line.say("I need an engineer to come but not on a Friday");
    assert_eq!(reply.decision.pending, Some(Pending::Slot), "{reply:?}");
}

#[test]
fn nothing_found_is_a_fact() {
    let mut line = Line::with(ADA, true, |request: &Request| {
        if request.path.ends_with("/balance") {
            return Some(Outcome::NotFound);
        }
        office(request)
    });
    let reply = line.say("What is my balance?");
    assert!(
        reply.decision.reply.contains("there's nothing there"),
        "{reply:?}"
    );
    assert!(!matches!(reply.next, Next::Transfer(_)), "{reply:?}");
    assert_eq!(line.talk.outcome(), CallOutcome::Resolved);
}

#[test]
fn whoever_will_not_prove_themselves_is_offered_a_way() {
    let mut line = Line::from(ADA);
    line.say("I need to move my payment");
    let reply = line.say("I don't want to give you that");
    assert!(reply.decision.reply.contains("birth"), "{reply:?}");
    let reply = line.say("no, I'm not giving you that");
    assert!(!matches!(reply.next, Next::Transfer(_)), "{reply:?}");
    assert!(!reply.decision.reply.contains("match"), "{reply:?}");
    // The line is there for what needs no proof.
    let reply = line.say("is my water hard?");
    assert!(reply.decision.reply.contains("14 degrees"), "{reply:?}");
}

#[test]
fn a_question_in_place_of_proof_is_no_wrong_answer() {
    let mut line = Line::from(ADA);
    line.say("I need to move my payment");
    for _ in 0..3 {
        let reply = line.say("will you write that down");
        assert_eq!(reply.decision.pending, Some(Pending::Verify), "{reply:?}");
        assert!(reply.decision.reply.contains("postcode"), "{reply:?}");
    }
}

#[test]
fn a_callback_that_is_asked_for_is_arranged() {
    let mut line = Line::from(ADA);
    let reply = line.say("Can someone ring me back tomorrow?");
    let Next::Callback { callback, .. } = &reply.next else {
        panic!("{reply:?}")
    };
    assert_eq!(callback.number, "+442071838750");
    assert_eq!(callback.when.as_deref(), Some("tomorrow"));
    let mut line = Line::from(None);
    let reply = line.say("Could somebody call me back please");
    assert!(reply.decision.reply.contains("number"), "{reply:?}");
    // A complaint about one is none.
    let mut line = Line::from(ADA);
    let reply = line.say("you said you would call me back and nobody did");
    assert!(!matches!(reply.next, Next::Callback { .. }), "{reply:?}");
}

#[test]
fn yes_to_one_of_two_asks_which() {
    use std::sync::Arc;

    use firstline::desk::Caller;

    use super::desk::{build, files};
    let mut files = files();
    files.0.insert(
        "knowledge/plans.jsonl".to_owned(),
        [
            r#"{"id": "garden", "title": "Garden hoses", "text": "A garden hose costs 4 pounds a month extra.", "intents": ["hard_water"]}"#,
            r#"{"id": "pool", "title": "Swimming pools", "text": "A swimming pool costs 9 pounds a month extra.", "intents": ["hard_water"]}"#,
        ]
        .join("\n"),
    );
    let desk = build(&files);
    let mut line = Line::of(Arc::clone(&desk), Caller::default(), office);
    let reply = line.say("what does the extra cost a month");
    if reply.decision.route != Route::Clarify || !reply.decision.reply.contains(" or ") {
        // By words alone the desk may not offer two; what is tested here is what follows an offer.
        return;
    }
    let again = line.say("yes");
    assert_eq!(again.decision.route, Route::Clarify, "{again:?}");
    assert!(again.decision.reply.contains("Which"), "{again:?}");
}

#[test]
fn a_matter_is_waited_for() {
    for (said, told) in [
        ("I've got a question", ["Sure", "Of course"]),
        ("hi, my name is Brenda", ["Brenda", "Brenda"]),
        ("can you hear me?", ["hear you", "hear you"]),
        ("is this call recorded", ["record", "record"]),
    ] {
        let mut line = Line::from(None);
        let reply = line.say(said);
        assert!(
            told.iter().any(|t| reply.decision.reply.contains(t)),
            "{said}: {reply:?}"
        );
        assert!(
            !matches!(reply.next, Next::Transfer(_)),
            "{said}: {reply:?}"
        );
    }
    let mut line = Line::from(None);
    line.say("is my water hard");
    let reply = line.say("could you speak up");
    assert!(reply.decision.reply.contains("14 degrees"), "{reply:?}");
    assert_eq!(line.say("have a great day").next, Next::End);
}

#[test]
fn whoever_only_tells_how_things_are_is_asked_what_for() {
    let mut line = Line::from(None);
    let reply = line.say("my kettle stopped boiling water yesterday");
    if reply.decision.route != Route::Clarify {
        return; // The desk knew what to say.
    }
    assert!(!matches!(reply.next, Next::Transfer(_)), "{reply:?}");
}

#[test]
fn the_company_is_named_to_whoever_asks() {
    let mut line = Line::from(None);
    let reply = line.say("hello, is that Brook Water?");
    assert!(
        reply.decision.reply.contains("this is Brook Water"),
        "{reply:?}"
    );
}

#[test]
fn a_colleague_is_declined_in_any_words() {
    let mut line = Line::from(ADA);
    line.say("What is my balance?");
    let reply = line.say("and the other one");
    assert!(reply.decision.reply.contains("colleague"), "{reply:?}");
    let asked = line.requests.len();
    let reply = line.say("no it's fine");
    assert!(!matches!(reply.next, Next::Transfer(_)), "{reply:?}");
    assert_eq!(line.requests.len(), asked, "{reply:?}");
    let reply = line.say("can you check my balance again");
    assert!(line.requests.len() > asked, "{reply:?}");
}

#[test]
fn nobody_is_rung_for_whoever_wants_nobody() {
    let mut line = Line::from(None);
    let reply = line.say("don't put me through to anybody, is my water hard?");
    assert!(!matches!(reply.next, Next::Transfer(_)), "{reply:?}");
}

#[test]
fn what_is_only_looked_up_does_not_drop_what_is_being_done() {
    let mut line = Line::from(ADA);
    line.say("I need an engineer to come");
    let reply = line.say("What is my balance please?");
    assert!(reply.decision.reply.contains("£65.50"), "{reply:?}");
    assert!(reply.decision.reply.contains("Which day"), "{reply:?}");
    line.say("Friday morning");
    line.say("yes");
    assert_eq!(line.writes().len(), 1);
}
