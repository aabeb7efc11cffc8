//! What a caller's sound over ours does, and what is made ready before a turn is over.

use super::*;

fn in_the_reply() -> Sim {
    let mut sim = Sim::answered(&[]);
    sim.pass(5000);
    sim.says("what is the late fee?", 1000);
    sim.pass(2500);
    assert!(!sim.queue.is_empty(), "the reply is being said");
    sim
}

fn cut_in(sim: &Sim) -> bool {
    sim.call.record().turns.iter().any(|t| t.interrupted)
}

fn pauses_for(sim: &mut Sim, most: u64) -> u64 {
    let mut waited = 0;
    while sim.paused && waited < most {
        sim.pass(20);
        waited += 20;
    }
    waited
}

#[test]
fn what_may_become_a_voice_lowers_ours_and_gives_it_back() {
    let mut sim = in_the_reply();
    sim.event(Event::VoiceSuspected { on: true });
    assert!(sim.logged("duck true") && !sim.paused);
    sim.event(Event::VoiceSuspected { on: false });
    assert!(sim.logged("duck false"));
    sim.log.clear();
    sim.event(Event::VoiceSuspected { on: true });
    sim.begins("wait");
    assert!(
        sim.paused && sim.logged("duck false"),
        "whole again when it goes on"
    );
}

#[test]
fn a_cough_costs_less_than_seven_tenths_of_a_second() {
    for (words, stt) in [("", 300), ("Mm-hm.", 300), ("", 2_000)] {
        let mut sim = in_the_reply();
        sim.stt_ms = stt;
        sim.says(words, 260);
        let waited = 260 + pauses_for(&mut sim, 2_000);
        assert!(waited <= 700, "{words:?} {stt}: {waited}");
        sim.pass(12_000);
        assert!(!cut_in(&sim));
        assert!(sim.heard().contains("for each missed payment"));
    }
}

#[test]
fn signs_of_listening_do_not_end_an_answer_and_a_word_to_stop_does() {
    for words in [
        "Uh-huh.",
        "Okay.",
        "Right.",
        "Yeah.",
        "Yeah, okay.",
        "I see.",
        "Got it.",
        "That makes sense.",
    ] {
        let mut sim = in_the_reply();
        sim.says(words, 400);
        assert!(sim.paused, "{words}: we stop at once");
        let waited = 400 + pauses_for(&mut sim, 2_000);
        assert!(waited <= 900, "{words}: {waited}");
        sim.pass(12_000);
        assert!(!cut_in(&sim), "{words}");
        assert!(sim.heard().contains("for each missed payment"), "{words}");
    }
    for words in [
        "No, wait.",
        "Stop.",
        "Hang on.",
        "Hold on.",
        "Wait, wait.",
        "No.",
        "Sorry?",
        "What?",
        "Yeah, but hang on.",
    ] {
        let mut sim = in_the_reply();
        sim.says(words, 400);
        sim.pass(4_000);
        assert!(cut_in(&sim), "{words}");
        let asked = sim.call.mind().asked.clone();
        assert_eq!(asked.last().map(String::as_str), Some(words));
    }
}

#[test]
fn music_and_a_loud_street_are_talked_over() {
    let mut sim = in_the_reply();
    sim.begins("");
    let waited = pauses_for(&mut sim, 3_000);
    assert!(waited <= 1_000, "{waited}");
    sim.pass(4_000);
    sim.stops();
    sim.pass(8_000);
    assert!(!cut_in(&sim));
    assert!(sim.heard().contains("for each missed payment"));
}

#[test]
fn words_after_a_noise_still_interrupt() {
    let mut sim = in_the_reply();
    sim.begins("");
    assert!(pauses_for(&mut sim, 3_000) < 3_000);
    sim.words = "no I mean something else".into();
    sim.pass(1_500);
    assert!(sim.paused, "words were heard in it");
    sim.stops();
    sim.pass(3_000);
    assert!(cut_in(&sim));
}

#[test]
fn words_of_ours_are_an_echo_only_where_the_line_gives_our_first_words_back() {
    // The caller takes up words of ours, well into the sentence.
    let mut sim = in_the_reply();
    sim.pass(1_500);
    sim.says("seven dollars", 600);
    sim.pass(3_000);
    assert!(cut_in(&sim), "chosen by the caller");
    // The line returns what we say from its beginning on: then and later it is our own voice.
    let mut sim = Sim::answered(&[]);
    sim.pass(5000);
    sim.says("what is the late fee?", 1000);
    while sim.queue.is_empty() {
        sim.pass(20);
    }
    sim.pass(1_040);
    sim.says("the late fee", 400);
    sim.pass(1_000);
    sim.says("seven dollars", 400);
    sim.pass(12_000);
    assert!(!cut_in(&sim));
    assert!(sim.heard().contains("for each missed payment"));
}

#[test]
fn late_words_interrupt_all_the_same() {
    let mut sim = in_the_reply();
    sim.stt_ms = 900;
    sim.says("stop please", 400);
    sim.pass(400);
    assert!(!sim.paused, "we do not wait for a slow recogniser");
    sim.pass(1_000);
    assert!(cut_in(&sim));
    let asked = sim.call.mind().asked.last().cloned();
    assert_eq!(asked.as_deref(), Some("stop please"));
}

#[test]
fn a_cough_right_after_a_turn_is_no_part_of_it() {
    let mut sim = Sim::answered(&[]);
    sim.pass(5000);
    sim.says("what is the late fee?", 1000);
    sim.pass(700);
    assert!(!sim.queue.is_empty(), "the reply has begun");
    // The recogniser gives the whole of it: the question, and a cough.
    sim.says("What is the late fee?", 250);
    sim.pass(12_000);
    let record = sim.call.record();
    assert_eq!(sim.call.mind().asked.len(), 1);
    assert!(!cut_in(&sim) && sim.heard().contains("for each missed payment"));
    assert_eq!(
        record.turns.iter().filter(|t| t.caller.is_some()).count(),
        1
    );
}

#[test]
fn the_reply_to_the_words_so_far_is_made_ready() {
    let mut sim = Sim::answered(&[]);
    sim.pass(5000);
    sim.begins("what is the late fee");
    sim.pass(1_600);
    assert!(sim.logged("warm The late fee is seven dollars."));
    assert_eq!(sim.call.record().turns.len(), 1, "and nothing else happens");
    assert!(sim.call.mind().asked.is_empty());
}

#[test]
fn what_is_looked_up_early_is_used_once_and_only_for_what_was_meant() {
    let mut sim = Sim::answered(&[]);
    sim.back_office_ms = 300;
    sim.pass(5000);
    sim.says("what is my balance?", 900);
    sim.pass(330);
    assert!(sim.logged("look up"), "before the turn is final");
    sim.pass(6_000);
    assert!(sim.heard().contains("You owe forty dollars."));
    assert!(!sim.logged("perform"), "it is not asked for twice");

    let mut sim = Sim::answered(&[]);
    sim.back_office_ms = 400;
    sim.pass(5000);
    sim.says("what is my balance?", 900);
    sim.pass(330);
    sim.says("what is the late fee?", 900);
    sim.pass(8_000);
    assert!(sim.logged("look up"));
    assert!(!sim.heard().contains("forty") && sim.heard().contains("seven dollars"));
}

#[test]
fn waits_are_bridged_with_other_words_each_time() {
    let mut sim = Sim::answered(&[]);
    sim.back_office_ms = 9_000;
    sim.pass(5000);
    sim.says("what is my balance?", 900);
    let from = sim.now;
    let said = |sim: &Sim| {
        sim.notes
            .iter()
            .filter_map(|n| match n {
                Note::Agent { text, .. } => Some(text.clone()),
                _ => None,
            })
            .skip(1)
            .collect::<Vec<_>>()
    };
    while said(&sim).is_empty() && sim.now < from + 3_000 {
        sim.pass(20);
    }
    let waited = sim.now - from;
    assert!((700..=900).contains(&waited), "{waited}");
    sim.pass(7_000);
    let mut fillers = said(&sim);
    assert!(fillers.len() >= 2, "{fillers:?}");
    let all = fillers.len();
    fillers.sort();
    fillers.dedup();
    assert_eq!(fillers.len(), all);
    sim.pass(6_000);
    let gap = sim.call.record().turns[1].gap_ms.unwrap_or(0);
    assert!(
        gap > 8_000,
        "the wait is counted to the answer, not to the filler: {gap}"
    );
}

#[test]
fn the_sound_of_an_end_is_answered_sooner() {
    let gap = |finished: Option<f32>| {
        let mut sim = Sim::answered(&[]);
        sim.stt_ms = 120;
        sim.finished = finished;
        sim.pass(5000);
        sim.says("I want to know what the late fee costs", 1500);
        sim.pass(4_000);
        let turns = sim.call.record().turns;
        turns.last().and_then(|t| t.gap_ms).unwrap_or(9_999)
    };
    assert!(gap(Some(0.97)) + 30 < gap(None));
    assert!(gap(Some(0.05)) > gap(None) + 200);
}

#[test]
fn the_sound_is_asked_when_the_words_are_there_and_where_it_tells() {
    let asked = |words: &str, stt_ms: u64| {
        let mut sim = Sim::answered(&[]);
        sim.stt_ms = stt_ms;
        sim.pass(5000);
        sim.says(words, 1500);
        sim.pass(100);
        assert!(!sim.logged("judge"), "{words}: before the words");
        sim.pass(1_500);
        sim.logged("judge")
    };
    assert!(asked("I want to move my payment.", 150));
    assert!(!asked("I want to move my", 150), "more comes in any case");
    assert!(
        !asked("I want to move my payment.", 700),
        "it would come too late"
    );
}

#[test]
fn a_word_that_bridges_a_wait_is_not_broken_off_and_belongs_to_the_reply() {
    let mut sim = Sim::answered(&[]);
    sim.pass(5000);
    // The filler is under way when the reply is ready.
    sim.stt_ms = 1_100;
    sim.says("what is the late fee?", 900);
    sim.pass(9_000);
    let record = sim.call.record();
    assert!(!record.turns[0].interrupted, "{:?}", record.turns[0]);
    let greeting = record.turns[0].agent.as_ref().unwrap();
    assert!(!greeting.text.contains("One moment"), "{greeting:?}");
    let reply = record.turns[1].agent.as_ref().unwrap();
    assert!(
        reply.heard.starts_with("One moment.") && reply.heard.contains("seven dollars"),
        "{reply:?}"
    );
    assert_eq!(
        reply.heard, reply.text,
        "in the order in which they were said"
    );
    assert!(!record.turns[1].interrupted && record.turns[1].gap_ms > Some(1_000));
}
