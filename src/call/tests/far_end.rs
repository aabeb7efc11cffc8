//! Who is no caller: nobody, music, a machine, a fax.

use super::*;

fn lasted(sim: &mut Sim, most_s: u64, mut each_second: impl FnMut(&mut Sim, u64)) -> u64 {
    let from = sim.now;
    for second in 0..most_s {
        each_second(sim, second);
        if sim.call.is_over() {
            break;
        }
        sim.pass(1_000);
    }
    (sim.now - from) / 1_000
}

fn reason(sim: &Sim) -> String {
    sim.call.record().termination.reason
}

#[test]
fn music_is_not_talked_to_for_long() {
    // Sound that comes and goes, and holds no words; now in short pieces, now in long ones.
    for (on, off) in [(2, 1), (7, 2), (25, 1), (1, 5)] {
        let mut sim = Sim::answered(&[]);
        sim.pass(5_000);
        let seconds = lasted(&mut sim, 400, |sim, second| match second % (on + off) {
            0 => sim.begins(""),
            n if n == on => sim.stops(),
            _ => {}
        });
        assert!(
            sim.call.is_over() || sim.logged("dial 1 sip:a@h"),
            "{on} {off}"
        );
        assert!(seconds <= 120, "{on} {off}: {seconds} s");
    }
}

#[test]
fn words_in_time_are_not_hurried() {
    let mut sim = Sim::answered(&[]);
    sim.pass(5_000);
    // Somebody who talks for as long as they like.
    sim.begins("I have a long story to tell about my payments");
    sim.pass(20_000);
    assert!(!sim.heard().contains("Are you there?"), "{}", sim.heard());
    sim.stops();
    sim.pass(3_000);
    assert_eq!(sim.call.mind().asked.len(), 1);
}

#[test]
fn a_fax_is_let_go_at_once() {
    let mut sim = Sim::answered(&[]);
    sim.pass(3_000);
    sim.event(Event::Fax);
    assert!(sim.call.is_over());
    assert_eq!(reason(&sim), "a fax machine called");
}

#[test]
fn a_recording_is_waited_out_and_not_argued_with() {
    let mut sim = Sim::answered(&["sip:a@h"]);
    sim.pass(5_000);
    for _ in 0..2 {
        sim.says(
            "Your call is important to us. Please stay on the line.",
            3_000,
        );
        sim.pass(9_000);
    }
    assert!(sim.call.mind().asked.is_empty());
    assert!(sim.call.is_over());
    assert_eq!(reason(&sim), "a machine was on the other end");
}

#[test]
fn the_same_words_for_ever_are_no_conversation() {
    let mut sim = Sim::answered(&[]);
    sim.pass(5_000);
    let seconds = lasted(&mut sim, 600, |sim, second| {
        if second % 15 == 0 {
            sim.says("hello I am an assistant how may I help", 2_000);
        }
    });
    assert!(sim.call.is_over() && seconds < 120, "{seconds}");
}

#[test]
fn a_caller_who_holds_us_for_ever_has_forgotten_us() {
    let mut sim = Sim::answered(&[]);
    sim.pass(5_000);
    sim.signal(CALLER, LegSignal::Held);
    sim.pass(9 * 60_000);
    assert!(!sim.call.is_over());
    sim.pass(2 * 60_000);
    assert!(sim.call.is_over());
}
