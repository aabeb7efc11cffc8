//! One human at a time: questions, notes, introductions, handing back, several phones at once, callbacks.

use super::*;

fn human_waits(targets: &[&str]) -> Sim {
    let mut sim = Sim::answered(targets);
    sim.pass(5000);
    sim.says("a human please", 900);
    sim.pass(2000);
    sim.signal(LegId(1), LegSignal::Answered);
    sim.signal(LegId(1), LegSignal::Media);
    sim.pass(1500);
    sim
}

fn press(sim: &mut Sim, leg: u32, keys: &str) {
    for key in keys.chars() {
        sim.signal(LegId(leg), LegSignal::Digit(key));
        sim.pass(200);
    }
}

fn human_says(sim: &mut Sim, leg: u32, words: &str, ms: u64) {
    sim.human_words = words.into();
    for speaking in [true, false] {
        let at = MediaTime::from_ms(sim.now);
        sim.event(Event::HumanVoice {
            leg: LegId(leg),
            speaking,
            at,
        });
        if speaking {
            sim.pass(ms);
        }
    }
}

fn handoff(sim: &Sim) -> Handoff {
    sim.call.record().handoff.unwrap_or_default()
}

fn noted(sim: &Sim, wanted: &str) -> bool {
    sim.notes
        .iter()
        .any(|n| matches!(n, Note::Transfer { stage, .. } if stage == wanted))
}

#[test]
fn a_question_during_the_brief_is_answered_and_kept() {
    let mut sim = human_waits(&["sip:a@h"]);
    press(&mut sim, 1, "4");
    assert!(sim.logged("attend 1 true"));
    sim.pass(2500);
    human_says(&mut sim, 1, "did she prove who she is", 1200);
    sim.pass(2000);
    assert!(!sim.human.is_empty(), "the answer is being spoken");
    let asked = handoff(&sim).questions;
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].answer, "You asked: did she prove who she is");
    press(&mut sim, 1, "1");
    assert!(sim.logged("mix Bridge(LegId(1))"));
    assert_eq!(handoff(&sim).result, "accepted");
}

#[test]
fn a_question_nobody_asks_ends_as_no_key() {
    let mut sim = human_waits(&["sip:a@h"]);
    press(&mut sim, 1, "4");
    sim.pass(60_000);
    assert_eq!(sim.call.mind().failed, ["no_key"]);
}

#[test]
fn sent_back_with_a_note_that_is_kept_and_the_caller_is_told() {
    let mut sim = human_waits(&["sip:a@h", "sip:b@h"]);
    press(&mut sim, 1, "6");
    sim.pass(1000);
    human_says(&mut sim, 1, "she gets her money on friday", 1500);
    press(&mut sim, 1, "#");
    sim.pass(8000);
    let handoff = handoff(&sim);
    assert_eq!(
        handoff.note.as_deref(),
        Some("she gets her money on friday")
    );
    assert_eq!(handoff.result, "returned");
    assert_eq!(handoff.targets.len(), 1, "b is not rung");
    assert_eq!(handoff.targets[0].outcome, "sent_back");
    assert!(sim.logged("keep note-1.wav") && sim.logged("hangup 1"));
    assert!(
        sim.heard().contains("A colleague left a note"),
        "{}",
        sim.heard()
    );
    assert!(sim.call.deadline().is_some());
}

#[test]
fn a_note_ends_when_the_phone_is_put_down() {
    let mut sim = human_waits(&["sip:a@h"]);
    press(&mut sim, 1, "6");
    sim.pass(1000);
    sim.human_words = "call her tomorrow".into();
    let at = MediaTime::from_ms(sim.now);
    sim.event(Event::HumanVoice {
        leg: LegId(1),
        speaking: true,
        at,
    });
    sim.pass(900);
    sim.signal(LegId(1), ended("hung_up"));
    sim.pass(3000);
    assert_eq!(handoff(&sim).note.as_deref(), Some("call her tomorrow"));
    assert!(!sim.logged("hangup 1"), "it has hung up itself");
}

#[test]
fn introduced_first_three_hear_it_and_then_two_talk() {
    let mut sim = Sim::answered(&[]);
    sim.plan.rings = vec![vec![CallTarget {
        name: Some("Maria".into()),
        ..target("sip:a@h")
    }]];
    sim.pass(5000);
    sim.says("a human please", 900);
    sim.pass(2000);
    sim.signal(LegId(1), LegSignal::Answered);
    sim.pass(1500);
    press(&mut sim, 1, "5");
    assert!(sim.logged("mix Three(LegId(1))") && !sim.logged("mix Bridge(LegId(1))"));
    sim.pass(6000);
    assert!(
        sim.heard().contains("Maria is joining us now."),
        "{}",
        sim.heard()
    );
    assert!(sim.logged("mix Bridge(LegId(1))") && noted(&sim, "assistant has left"));
}

#[test]
fn notes_are_taken_of_both_and_the_end_is_known() {
    let mut sim = Sim::answered(&["sip:a@h"]);
    sim.call.config.notes = true;
    sim.pass(5000);
    sim.says("a human please", 900);
    sim.pass(2000);
    sim.signal(LegId(1), LegSignal::Answered);
    sim.pass(1500);
    press(&mut sim, 1, "1");
    sim.pass(8000);
    sim.human_words = "I want my fee back".into();
    sim.says("", 900);
    sim.pass(1000);
    human_says(&mut sim, 1, "I've refunded the fee just now", 900);
    sim.pass(1000);
    sim.signal(CALLER, ended("hung_up"));
    let handoff = handoff(&sim);
    let lines: Vec<_> = handoff.notes.iter().map(|n| n.by.as_str()).collect();
    assert_eq!(lines, ["caller", "colleague"], "{:?}", handoff.notes);
    assert_eq!(handoff.closing.unwrap_or_default().status, "resolved");
}

#[test]
fn handed_back_with_what_is_to_be_done() {
    let mut sim = human_waits(&["sip:a@h"]);
    press(&mut sim, 1, "1");
    sim.pass(5000);
    press(&mut sim, 1, "*7");
    assert_eq!(
        sim.log.iter().rev().find(|l| l.starts_with("mix")).unwrap(),
        "mix Hold"
    );
    sim.pass(1500);
    human_says(&mut sim, 1, "tell him the late fee", 1200);
    press(&mut sim, 1, "#");
    sim.pass(9000);
    assert!(sim.logged("hangup 1"), "{:?}", sim.log);
    let record = sim.call.record();
    let handoff = record.handoff.unwrap_or_default();
    assert_eq!(
        handoff.handed_back.as_deref(),
        Some("tell him the late fee")
    );
    assert_eq!(
        sim.call.mind().asked.last().unwrap(),
        "tell him the late fee"
    );
    assert!(
        sim.heard().contains("late fee is seven dollars"),
        "{}",
        sim.heard()
    );
    let turn = record
        .turns
        .iter()
        .find_map(|t| t.caller.clone().filter(|c| c.by.is_some()));
    assert_eq!(turn.and_then(|c| c.by).as_deref(), Some("colleague"));
    sim.says("no bye", 600);
    sim.pass(6000);
    assert_eq!(sim.call.record().outcome, Some(CallOutcome::Resolved));
}

#[test]
fn a_human_may_change_their_mind_and_go_back_to_the_caller() {
    let mut sim = human_waits(&["sip:a@h"]);
    press(&mut sim, 1, "1");
    sim.pass(5000);
    press(&mut sim, 1, "*7");
    sim.pass(500);
    press(&mut sim, 1, "1");
    assert_eq!(
        sim.log.iter().rev().find(|l| l.starts_with("mix")).unwrap(),
        "mix Bridge(LegId(1))"
    );
    sim.pass(60_000);
    assert!(!sim.call.is_over());
}

#[test]
fn the_first_to_accept_wins_and_the_others_are_let_go() {
    let mut sim = Sim::answered(&[]);
    sim.plan.rings = vec![vec![
        target("sip:a@h"),
        target("sip:b@h"),
        target("sip:c@h"),
    ]];
    sim.pass(5000);
    sim.says("a human please", 900);
    sim.pass(2000);
    assert!(sim.logged("dial 1 sip:a@h") && sim.logged("dial 3 sip:c@h"));
    sim.signal(LegId(1), LegSignal::Answered);
    sim.signal(LegId(2), LegSignal::Answered);
    sim.pass(1500);
    press(&mut sim, 2, "1");
    assert!(sim.logged("mix Bridge(LegId(2))"));
    assert!(
        sim.logged("hangup 3"),
        "the one that rings is cancelled at once"
    );
    assert!(!sim.logged("hangup 1"), "the one that listens is told");
    sim.pass(9000);
    assert!(sim.logged("hangup 1"));
    let outcomes: Vec<_> = handoff(&sim)
        .targets
        .iter()
        .map(|t| (t.uri.clone(), t.outcome.clone()))
        .collect();
    assert!(
        outcomes.contains(&("sip:a@h".into(), "taken".into())),
        "{outcomes:?}"
    );
    assert!(outcomes.contains(&("sip:b@h".into(), "accepted".into())));
    assert!(outcomes.contains(&("sip:c@h".into(), "taken".into())));
}

#[test]
fn a_target_that_is_closed_is_in_the_record_and_not_rung() {
    let mut sim = Sim::answered(&["sip:b@h"]);
    sim.plan.left_out = vec![TargetOutcome {
        uri: "sip:a@h".into(),
        outcome: "closed".into(),
        ms: 0,
    }];
    sim.pass(5000);
    sim.says("a human please", 900);
    sim.pass(2000);
    assert!(!sim.log.iter().any(|l| l.contains("sip:a@h")));
    assert_eq!(handoff(&sim).targets[0].outcome, "closed");
}

/// A call of our own, to keep a promise.
fn callback() -> Sim {
    let mut sim = Sim::answered(&["sip:a@h"]);
    let promised = Promised {
        callback: CallbackRequest {
            number: "+15550101".into(),
            handoff: Handoff {
                reason: "asked".into(),
                spoken_brief: "A callback about a fee.".into(),
                result: "callback".into(),
                ..Handoff::default()
            },
            ..CallbackRequest::default()
        },
        about: Some("a late fee".into()),
    };
    let mut out = Vec::new();
    let config = sim.call.config.clone();
    sim.log.clear();
    sim.queue.clear();
    sim.due.clear();
    sim.call = Call::call_back(
        config,
        Scripted::default(),
        promised,
        Time(sim.now),
        &mut out,
    );
    sim.obey(out);
    sim
}

fn colleague_takes(sim: &mut Sim) {
    sim.signal(LegId(1), LegSignal::Answered);
    sim.pass(2000);
    press(sim, 1, "1");
}

#[test]
fn a_callback_briefs_the_colleague_first_and_then_calls_the_caller() {
    let mut sim = callback();
    assert!(sim.logged("dial 1 sip:a@h") && !sim.logged("dial 0 +15550101"));
    colleague_takes(&mut sim);
    assert!(sim.logged("dial 0 +15550101"));
    assert_eq!(
        sim.log.iter().rev().find(|l| l.starts_with("mix")).unwrap(),
        "mix Agent",
        "whoever answers hears no music"
    );
    sim.pass(3000);
    sim.signal(CALLER, LegSignal::Answered);
    sim.signal(CALLER, LegSignal::Media);
    sim.pass(20_000);
    assert!(
        sim.heard()
            .contains("You asked us to call you back about a late fee."),
        "{}",
        sim.heard()
    );
    sim.signal(CALLER, LegSignal::Digit('1'));
    assert!(sim.logged("mix Bridge(LegId(1))"));
    assert_eq!(sim.call.callback_result(), Some(CallbackResult::Done));
    sim.signal(CALLER, ended("hung_up"));
    assert!(sim.call.is_over() && sim.logged("hangup 1"));
    let record = sim.call.record();
    assert_eq!(record.outcome, Some(CallOutcome::Transferred));
    assert!(record.disclosed);
}

#[test]
fn a_callback_ends_in_one_way_whatever_happens() {
    // No colleague.
    let mut sim = callback();
    sim.signal(LegId(1), ended("busy"));
    assert_eq!(sim.call.callback_result(), Some(CallbackResult::NobodyFree));
    assert!(sim.call.is_over());
    // The caller does not answer.
    let mut sim = callback();
    colleague_takes(&mut sim);
    sim.signal(CALLER, ended("busy"));
    assert_eq!(
        sim.call.callback_result(),
        Some(CallbackResult::NotReached("busy"))
    );
    sim.pass(15_000);
    assert!(sim.call.is_over() && sim.logged("hangup 1"));
    // A mailbox answers.
    let mut sim = callback();
    colleague_takes(&mut sim);
    sim.signal(CALLER, LegSignal::Answered);
    while sim.call.callback_result().is_none() && sim.now < 200_000 {
        sim.pass(20);
    }
    assert_eq!(sim.call.callback_result(), Some(CallbackResult::Machine));
    assert!(sim.logged("hangup 0"));
    sim.signal(CALLER, ended("hung_up"));
    assert!(!sim.call.is_over(), "the colleague is told first");
    sim.pass(15_000);
    assert!(sim.call.is_over() && sim.logged("hangup 1") && sim.logged("hangup 0"));
    // It is not a good time.
    let mut sim = callback();
    colleague_takes(&mut sim);
    sim.signal(CALLER, LegSignal::Answered);
    sim.pass(5_000);
    sim.signal(CALLER, LegSignal::Digit('2'));
    sim.pass(20_000);
    assert_eq!(sim.call.callback_result(), Some(CallbackResult::NotNow));
    assert!(
        sim.call.is_over() && sim.heard().contains("another time"),
        "{}",
        sim.heard()
    );
    // The colleague hangs up while it rings.
    let mut sim = callback();
    colleague_takes(&mut sim);
    sim.signal(LegId(1), ended("hung_up"));
    assert_eq!(
        sim.call.callback_result(),
        Some(CallbackResult::ColleagueLeft)
    );
    assert!(sim.call.is_over() && sim.logged("hangup 0"));
}

#[test]
fn a_spoken_yes_is_a_yes_and_a_mailbox_greeting_is_none() {
    let mut sim = callback();
    colleague_takes(&mut sim);
    sim.signal(CALLER, LegSignal::Answered);
    sim.pass(20_000);
    sim.human_words =
        "You have reached the mailbox of Ada. Yes, leave a message after the tone.".into();
    sim.says("", 900);
    sim.pass(600);
    assert_eq!(sim.call.callback_result(), None);
    sim.human_words = "Yes please.".into();
    sim.says("", 500);
    sim.pass(600);
    assert_eq!(sim.call.callback_result(), Some(CallbackResult::Done));
}

fn joined() -> Sim {
    let mut sim = human_waits(&["sip:a@h"]);
    press(&mut sim, 1, "1");
    sim.pass(4000);
    sim
}

fn pressed(sim: &Sim) -> Vec<&str> {
    let keys = sim.log.iter();
    keys.filter_map(|l| l.strip_prefix("press ")).collect()
}

#[test]
fn keys_reach_the_other_one_and_orders_to_us_do_not() {
    let mut sim = human_waits(&["sip:a@h"]);
    press(&mut sim, 0, "5");
    assert!(pressed(&sim).is_empty(), "nobody is there to hear it");
    press(&mut sim, 1, "1");
    sim.pass(4000);
    press(&mut sim, 0, "42#");
    assert_eq!(pressed(&sim), ["1 4", "1 2", "1 #"]);
    sim.log.clear();
    // "*5" is no order of ours: somebody's menu may want it.
    press(&mut sim, 1, "3*5*1#");
    assert_eq!(pressed(&sim), ["0 3", "0 *", "0 5", "0 #"]);
    assert_eq!(handoff(&sim).closing.unwrap().status, "resolved");
}

#[test]
fn a_human_keeps_a_card_out_of_the_recording() {
    let mut sim = joined();
    assert!(!sim.call.recording_paused());
    press(&mut sim, 1, "*9");
    assert!(sim.call.recording_paused() && pressed(&sim).is_empty());
    assert!(noted(&sim, "recording paused"));
    sim.pass(20_000);
    press(&mut sim, 1, "*9");
    assert!(!sim.call.recording_paused() && noted(&sim, "recording resumed"));
    let paused = sim.call.record().paused;
    let [once] = paused[..] else {
        panic!("{paused:?}")
    };
    assert!((20_000..21_000).contains(&(once.to_ms.unwrap() - once.from_ms)));
    // Forgotten: the caller who is given back is recorded as before.
    press(&mut sim, 1, "*9*7");
    assert!(!sim.call.recording_paused());
    assert_eq!(sim.call.record().paused.len(), 2);
}

#[test]
fn a_pause_ends_when_the_human_leaves_and_nothing_is_noted_in_it() {
    let mut sim = Sim::answered(&["sip:a@h"]);
    sim.call.config.notes = true;
    sim.pass(5000);
    sim.says("a human please", 900);
    sim.pass(2000);
    sim.signal(LegId(1), LegSignal::Answered);
    sim.signal(LegId(1), LegSignal::Media);
    sim.pass(1500);
    press(&mut sim, 1, "1");
    sim.pass(6000);
    human_says(&mut sim, 1, "what is your card number", 1200);
    sim.pass(1000);
    assert_eq!(handoff(&sim).notes.len(), 1);
    press(&mut sim, 1, "*9");
    human_says(&mut sim, 1, "so that is four one one one", 1200);
    sim.pass(1000);
    assert_eq!(handoff(&sim).notes.len(), 1, "{:?}", handoff(&sim).notes);
    sim.signal(LegId(1), ended("hung_up"));
    assert!(!sim.call.recording_paused());
}
