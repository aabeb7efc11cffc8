//! Callers sent on: released to the human who has taken the call, sent without a call of ours, put through by a human.

use super::*;

/// A human has pressed 1, and the two have heard that they are joined.
fn bridged(release: bool) -> Sim {
    let mut sim = Sim::picked_up(&["sip:a@h"], release);
    sim.pass(5_000);
    sim.says("a human please", 900);
    sim.pass(2_000);
    sim.signal(LegId(1), LegSignal::Answered);
    sim.signal(LegId(1), LegSignal::Media);
    sim.pass(1_500);
    sim.signal(LegId(1), LegSignal::Digit('1'));
    sim.pass(8_000);
    sim
}

fn blind(more: &[&str]) -> Sim {
    let mut sim = Sim::answered(more);
    sim.plan.rings.insert(
        0,
        vec![CallTarget {
            blind: true,
            ..target("sip:blind@h")
        }],
    );
    sim.pass(5_000);
    sim.says("a human please", 900);
    sim.pass(6_000);
    sim
}

fn outcomes(sim: &Sim) -> Vec<(String, String)> {
    let handoff = sim.call.record().handoff.unwrap_or_default();
    let pairs = handoff.targets.into_iter().map(|t| (t.uri, t.outcome));
    pairs.collect()
}

#[test]
fn the_line_lets_go_of_two_who_talk() {
    let mut sim = bridged(true);
    assert!(sim.logged("refer Human(LegId(1))"), "{:?}", sim.log);
    assert!(!sim.call.is_over(), "not before it is known to have worked");
    sim.signal(CALLER, LegSignal::Referred(200));
    let record = sim.call.record();
    assert!(sim.call.is_over());
    assert_eq!(record.termination.cause, "released");
    assert_eq!(record.handoff.unwrap_or_default().result, "accepted");
}

#[test]
fn a_phone_that_cannot_be_sent_on_stays_bridged() {
    let mut sim = bridged(true);
    sim.signal(CALLER, LegSignal::Referred(405));
    sim.pass(20_000);
    assert!(!sim.call.is_over());
    let tries = sim.log.iter().filter(|l| l.starts_with("refer")).count();
    assert_eq!(tries, 1, "once refused, it is not asked again");
    sim.signal(LegId(1), ended("hung_up"));
    sim.pass(8_000);
    assert!(sim.call.is_over());
}

#[test]
fn nobody_is_let_go_of_unless_the_line_is_set_up_so() {
    let sim = bridged(false);
    assert!(!sim.log.iter().any(|l| l.starts_with("refer")));
}

#[test]
fn the_humans_leg_may_end_before_the_caller_tells_that_it_worked() {
    let mut sim = bridged(true);
    sim.signal(LegId(1), ended("hung_up"));
    sim.pass(1_000);
    assert!(!sim.call.is_over(), "the caller may still be on the way");
    sim.signal(CALLER, LegSignal::Referred(200));
    assert_eq!(sim.call.record().termination.cause, "released");
    // Otherwise the caller is told that the colleague is gone.
    let mut sim = bridged(true);
    sim.signal(LegId(1), ended("hung_up"));
    sim.signal(CALLER, LegSignal::Referred(503));
    sim.pass(10_000);
    assert!(sim.call.is_over());
    assert_ne!(sim.call.record().termination.cause, "released");
}

#[test]
fn a_caller_is_sent_to_a_target_after_hearing_so() {
    let mut sim = blind(&[]);
    assert!(sim.logged("refer Target(\"sip:blind@h\")"), "{:?}", sim.log);
    assert!(!sim.log.iter().any(|l| l.starts_with("dial")));
    assert!(
        sim.heard().to_lowercase().contains("colleague"),
        "{}",
        sim.heard()
    );
    sim.signal(CALLER, LegSignal::Referred(200));
    assert!(sim.call.is_over());
    assert_eq!(outcomes(&sim), [("sip:blind@h".into(), "sent_on".into())]);
    assert_eq!(
        sim.call.record().handoff.unwrap_or_default().result,
        "accepted"
    );
}

#[test]
fn a_target_that_is_busy_is_followed_by_the_next() {
    let mut sim = blind(&["sip:b@h"]);
    sim.signal(CALLER, LegSignal::Referred(486));
    sim.pass(200);
    assert_eq!(outcomes(&sim), [("sip:blind@h".into(), "busy".into())]);
    assert!(sim.logged("dial 2 sip:b@h"), "{:?}", sim.log);
}

#[test]
fn a_human_puts_the_caller_through() {
    let mut sim = bridged(false);
    sim.signal(LegId(1), LegSignal::Refer("sip:c@h".into()));
    assert!(sim.logged("dial 2 sip:c@h for 1"), "{:?}", sim.log);
    assert!(sim.logged("mix Hold"));
    sim.signal(LegId(2), LegSignal::Answered);
    assert!(sim.logged("referred 1 200") && sim.logged("hangup 1"));
    assert!(sim.logged("mix Bridge(LegId(2))"));
    let handoff = sim.call.record().handoff.unwrap_or_default();
    assert_eq!(handoff.accepted_by.as_deref(), Some("sip:c@h"));
    sim.signal(LegId(2), ended("hung_up"));
    sim.pass(8_000);
    assert!(sim.call.is_over());
}

#[test]
fn put_through_to_nobody_the_caller_is_back_with_the_human() {
    let mut sim = bridged(false);
    sim.signal(LegId(1), LegSignal::Refer("sip:c@h".into()));
    sim.signal(LegId(2), ended("busy"));
    assert!(sim.logged("referred 1 486"));
    assert_eq!(
        sim.log.last().map(String::as_str),
        Some("mix Bridge(LegId(1))")
    );
}

#[test]
fn put_through_to_nobody_by_a_human_who_has_left_the_caller_hears_the_truth() {
    let mut sim = bridged(false);
    sim.signal(LegId(1), LegSignal::Refer("sip:c@h".into()));
    sim.signal(LegId(1), ended("hung_up"));
    sim.pass(46_000);
    assert!(sim.logged("hangup 2"), "it rang long enough");
    sim.pass(4_000);
    let handoff = sim.call.record().handoff.unwrap_or_default();
    assert_eq!(handoff.result, "returned");
    assert!(!sim.call.is_over());
    assert!(sim.call.deadline().is_some());
}

#[test]
fn a_caller_does_not_choose_whom_the_line_calls() {
    let mut sim = Sim::answered(&["sip:a@h"]);
    sim.pass(3_000);
    sim.signal(CALLER, LegSignal::Refer("sip:premium@elsewhere".into()));
    assert!(sim.logged("referred 0 603"));
    assert!(!sim.log.iter().any(|l| l.starts_with("dial")));
}
