//! Supervised replies, the question at the end, and a colleague at the console: all in virtual time.

use super::*;

const ANSWER: &str = "The late fee is seven dollars. It is charged once for each missed payment.";

/// A call whose replies on fees wait for a reviewer.
fn supervised() -> Sim {
    let mut sim = Sim::answered(&["sip:a@h"]);
    sim.call.config.pilot.reviewed.insert("fees".into());
    sim.pass(5000);
    sim.says("what is the late fee?", 1200);
    sim.pass(3500);
    assert!(sim.logged(&format!("review 1 {ANSWER}")), "{:?}", sim.log);
    sim
}

fn says(sim: &mut Sim, number: u64, verdict: Verdict) {
    sim.event(Event::Ordered(Order::Reviewed {
        number,
        verdict,
        by: "ada".into(),
    }));
}

fn last_turn(sim: &Sim) -> crate::desk::TurnRecord {
    sim.call.record().turns.last().cloned().unwrap_or_default()
}

#[test]
fn an_approved_reply_is_said_as_drafted_after_a_word_on_hold() {
    let mut sim = supervised();
    assert!(
        sim.heard().contains("Let me just check that"),
        "{}",
        sim.heard()
    );
    assert!(!sim.heard().contains("seven dollars"));
    says(&mut sim, 1, Verdict::Approved);
    sim.pass(8000);
    let heard = last_turn(&sim).agent.map(|a| a.heard).unwrap_or_default();
    assert_eq!(heard, format!("Let me just check that for you. {ANSWER}"));
    assert!(sim.logged("review 1 approved"));
    assert_eq!(sim.call.listening_for(), Listen::Open);
}

#[test]
fn the_word_comes_while_the_hold_phrase_is_said_and_nothing_is_cut() {
    let mut sim = Sim::answered(&[]);
    sim.call.config.pilot.reviewed.insert("fees".into());
    sim.pass(5000);
    sim.says("what is the late fee?", 1200);
    sim.pass(700);
    says(&mut sim, 1, Verdict::Approved);
    sim.pass(9000);
    let heard = last_turn(&sim).agent.map(|a| a.heard).unwrap_or_default();
    assert_eq!(heard, format!("Let me just check that for you. {ANSWER}"));
}

#[test]
fn an_edited_reply_is_said_as_it_was_edited() {
    let mut sim = supervised();
    says(
        &mut sim,
        1,
        Verdict::Edited("It is eight dollars now.".into()),
    );
    sim.pass(6000);
    let turn = last_turn(&sim);
    assert!(
        turn.agent
            .unwrap_or_default()
            .heard
            .ends_with("It is eight dollars now.")
    );
    assert_eq!(
        turn.decision.map(|d| d.reply).unwrap_or_default(),
        "It is eight dollars now."
    );
    assert!(!sim.heard().contains("seven"));
}

#[test]
fn a_rejected_reply_is_not_said_and_the_human_knows_it() {
    let mut sim = supervised();
    says(&mut sim, 1, Verdict::Rejected("the fee has changed".into()));
    sim.pass(6000);
    let handoff = sim.call.record().handoff.unwrap_or_default();
    assert_eq!(handoff.draft.as_deref(), Some(ANSWER));
    assert!(
        handoff
            .tried
            .iter()
            .any(|t| t.contains("the fee has changed")),
        "{:?}",
        handoff.tried
    );
    assert!(sim.logged("dial 1 sip:a@h"), "{:?}", sim.log);
    assert!(!sim.heard().contains("seven dollars"));
    assert!(sim.heard().contains("a colleague to help you"));
}

#[test]
fn nobody_looks_for_eight_seconds_and_a_human_is_called() {
    let mut sim = supervised();
    let asked = sim.now;
    while !sim.logged("dial 1 sip:a@h") {
        sim.pass(20);
        assert!(sim.now < asked + 6_000, "{:?}", sim.log);
    }
    // The draft had waited for three seconds and a bit.
    assert!(sim.now > asked + REVIEW_MS - 3_500, "not before");
    assert!(sim.logged("review 1 timeout"));
    says(&mut sim, 1, Verdict::Approved);
    sim.pass(4000);
    assert!(
        !sim.heard().contains("seven dollars"),
        "too late is too late"
    );
}

#[test]
fn a_caller_who_goes_on_is_heard_and_the_draft_is_withdrawn() {
    let mut sim = supervised();
    sim.says("no wait, what is it for two payments?", 1500);
    sim.pass(3000);
    assert!(sim.logged("review 1 withdrawn"), "{:?}", sim.log);
    assert!(
        sim.log
            .iter()
            .any(|l| l.starts_with("review 2 The late fee")),
        "{:?}",
        sim.log
    );
    says(&mut sim, 1, Verdict::Approved);
    sim.pass(500);
    assert!(
        !sim.heard().contains("seven dollars"),
        "the old draft is nobody's answer"
    );
    says(&mut sim, 2, Verdict::Approved);
    sim.pass(8000);
    assert!(sim.heard().contains("seven dollars"));
}

#[test]
fn a_cough_while_waiting_changes_nothing() {
    let mut sim = supervised();
    sim.says("mm-hm", 250);
    sim.pass(1000);
    assert!(!sim.logged("review 1 withdrawn"), "{:?}", sim.log);
    says(&mut sim, 1, Verdict::Approved);
    sim.pass(8000);
    assert!(sim.heard().contains("seven dollars"));
}

#[test]
fn a_result_waits_for_a_reviewer_too() {
    let mut sim = Sim::answered(&[]);
    sim.call.config.pilot.reviewed.insert("fees".into());
    sim.pass(5000);
    sim.says("my balance please", 1000);
    sim.pass(3000);
    assert!(
        sim.logged("review 1 You owe forty dollars."),
        "{:?}",
        sim.log
    );
    assert!(!sim.heard().contains("forty"));
    says(&mut sim, 1, Verdict::Approved);
    sim.pass(4000);
    assert!(sim.heard().contains("forty"));
}

#[test]
fn a_caller_who_hangs_up_takes_the_draft_along() {
    let mut sim = supervised();
    sim.signal(
        CALLER,
        LegSignal::Ended {
            outcome: "hung_up",
            detail: "bye".into(),
            by_remote: true,
        },
    );
    assert!(sim.call.is_over() && sim.logged("review 1 withdrawn"));
    assert!(sim.call.deadline().is_none());
}

fn surveyed() -> Sim {
    let mut sim = Sim::answered(&["sip:a@h"]);
    sim.call.config.pilot.survey = true;
    sim.pass(5000);
    sim
}

#[test]
fn one_key_at_the_end_is_an_answer() {
    let mut sim = surveyed();
    sim.says("no bye", 600);
    sim.pass(8000);
    assert!(
        sim.heard().contains("Press a key from 1 to 5"),
        "{}",
        sim.heard()
    );
    assert!(!sim.call.is_over());
    sim.signal(CALLER, LegSignal::Digit('9'));
    sim.pass(200);
    assert_eq!(sim.call.record().survey, None, "no such score");
    sim.signal(CALLER, LegSignal::Digit('4'));
    sim.pass(3000);
    assert_eq!(sim.call.record().survey, Some(4));
    assert!(
        sim.heard().ends_with("Thank you. Goodbye."),
        "{}",
        sim.heard()
    );
    assert!(sim.call.is_over());
    assert_eq!(sim.call.record().outcome, Some(CallOutcome::Resolved));
}

#[test]
fn no_answer_ends_the_call_and_a_key_during_the_question_counts() {
    let mut sim = surveyed();
    sim.says("no bye", 600);
    sim.pass(25_000);
    assert!(sim.call.is_over(), "silence is no reason to stay");
    assert_eq!(sim.call.record().survey, None);
    let mut sim = surveyed();
    sim.says("no bye", 600);
    sim.pass(3500);
    sim.signal(CALLER, LegSignal::Digit('5'));
    sim.pass(3000);
    assert_eq!(sim.call.record().survey, Some(5));
    assert!(sim.call.is_over());
}

#[test]
fn a_spoken_score_counts_and_something_else_is_a_new_matter() {
    let mut sim = surveyed();
    sim.says("no bye", 600);
    sim.pass(8000);
    sim.says("Five.", 500);
    sim.pass(3000);
    assert_eq!(sim.call.record().survey, Some(5));
    let mut sim = surveyed();
    sim.says("no bye", 600);
    sim.pass(8000);
    sim.says("oh wait, what is the late fee?", 1500);
    sim.pass(9000);
    assert!(!sim.call.is_over());
    assert!(sim.heard().contains("seven dollars"), "{}", sim.heard());
}

#[test]
fn a_call_that_was_not_drawn_is_not_asked() {
    let mut sim = Sim::answered(&[]);
    sim.pass(5000);
    sim.says("no bye", 600);
    sim.pass(4000);
    assert!(sim.call.is_over() && !sim.heard().contains("Press a key"));
}

#[test]
fn a_caller_left_by_the_human_is_asked_and_one_at_risk_is_not() {
    for (reason, asked) in [("asked", true), ("distress", false)] {
        let mut sim = surveyed();
        sim.says("a human please", 900);
        sim.pass(3000);
        sim.signal(LegId(1), LegSignal::Answered);
        sim.signal(LegId(1), LegSignal::Media);
        sim.pass(1500);
        sim.signal(LegId(1), LegSignal::Digit('1'));
        sim.pass(4000);
        if let Some(handoff) = &mut sim.call.record.handoff {
            handoff.reason = reason.into();
        }
        sim.signal(
            LegId(1),
            LegSignal::Ended {
                outcome: "hung_up",
                detail: "bye".into(),
                by_remote: true,
            },
        );
        sim.pass(10_000);
        assert_eq!(
            sim.heard().contains("Press a key"),
            asked,
            "{reason}: {}",
            sim.heard()
        );
        sim.signal(CALLER, LegSignal::Digit('2'));
        sim.pass(20_000);
        assert!(sim.call.is_over());
        let record = sim.call.record();
        assert_eq!(record.survey, asked.then_some(2));
        assert_eq!(record.outcome, Some(CallOutcome::Transferred));
    }
}

#[test]
fn a_colleague_at_the_console_takes_the_call() {
    let mut sim = Sim::answered(&["sip:a@h"]);
    sim.pass(5000);
    sim.event(Event::Ordered(Order::Take {
        target: "console:ada".into(),
        name: "Ada".into(),
    }));
    assert!(sim.logged("dial 1 console:ada"), "{:?}", sim.log);
    sim.signal(LegId(1), LegSignal::Answered);
    sim.pass(5000);
    assert!(sim.heard().contains("Ada is joining us"), "{}", sim.heard());
    assert!(sim.logged("mix Bridge(LegId(1))"), "{:?}", sim.log);
    let handoff = sim.call.record().handoff.unwrap_or_default();
    assert_eq!(
        (handoff.reason.as_str(), handoff.result.as_str()),
        ("colleague", "accepted")
    );
    // A second one finds it taken.
    sim.event(Event::Ordered(Order::Take {
        target: "console:bob".into(),
        name: "Bob".into(),
    }));
    assert!(sim.logged("refuse console:bob"));
}

#[test]
fn a_colleague_takes_a_call_that_rings_elsewhere() {
    let mut sim = Sim::answered(&["sip:a@h"]);
    sim.pass(5000);
    sim.says("a human please", 900);
    sim.pass(3000);
    assert!(sim.logged("dial 1 sip:a@h"));
    sim.event(Event::Ordered(Order::Take {
        target: "console:ada".into(),
        name: "Ada".into(),
    }));
    sim.pass(5000);
    assert!(
        sim.logged("hangup 1"),
        "the phone that rang is let go: {:?}",
        sim.log
    );
    assert!(sim.logged("mix Bridge(LegId(2))"), "{:?}", sim.log);
}

#[test]
fn the_console_sends_a_call_to_a_human() {
    let mut sim = Sim::answered(&["sip:a@h"]);
    sim.pass(5000);
    sim.event(Event::Ordered(Order::Summon { by: "ada".into() }));
    sim.pass(5000);
    assert!(sim.logged("dial 1 sip:a@h"), "{:?}", sim.log);
    assert!(sim.heard().contains("a colleague to help you"));
}
