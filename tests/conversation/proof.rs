//! Proof of who is calling: nothing of an account before it, and no hint of what was wrong.

use firstline::desk::{Next, Pending, Tier};

use super::desk::{ADA, Line, office};

#[test]
fn a_vouched_number_is_basic() {
    let mut line = Line::from(ADA);
    assert_eq!(line.tier(), Tier::Basic);
    let reply = line.say("What is my balance?");
    assert!(
        reply
            .decision
            .reply
            .contains("£65.50, due on Tuesday 1 December"),
        "{reply:?}"
    );
}

#[test]
fn an_unvouched_number_proves_nothing() {
    let mut line = Line::with(ADA, false, office);
    assert_eq!(line.tier(), Tier::None);
    let reply = line.say("What is my balance?");
    assert_eq!(reply.decision.pending, Some(Pending::Verify), "{reply:?}");
    assert!(!reply.decision.reply.contains("Ada") && !reply.decision.reply.contains("65"));
    let reply = line.say("It's SW1A 1AA");
    assert_eq!(line.tier(), Tier::Basic);
    assert!(reply.decision.reply.contains("£65.50"), "{reply:?}");
}

#[test]
fn full_needs_a_factor_beside_the_number() {
    let mut line = Line::from(ADA);
    let reply = line.say("I need to move my payment");
    assert_eq!(reply.decision.pending, Some(Pending::Verify));
    line.say("SW1A 1AA");
    assert_eq!(line.tier(), Tier::Full);
}

#[test]
fn proof_in_the_first_words_counts() {
    let mut line = Line::from(ADA);
    line.say("I need to move my payment, my postcode is SW1A 1AA");
    assert_eq!(line.tier(), Tier::Full);
}

#[test]
fn a_stranger_states_a_number() {
    let mut line = Line::from(None);
    let reply = line.say("What is my balance?");
    assert!(reply.decision.reply.contains("phone number"), "{reply:?}");
    let reply = line.say("020 7183 8750");
    assert!(reply.decision.reply.contains("postcode"), "{reply:?}");
    assert!(!reply.decision.reply.contains("Ada"));
    let reply = line.say("SW1A 1AA");
    assert!(reply.decision.reply.contains("£65.50"), "{reply:?}");
}

#[test]
fn three_failures_bring_a_human_and_no_hint() {
    let mut line = Line::from(ADA);
    line.say("I need to move my payment");
    let one = line.say("LS1 4DY");
    let two = line.say("M1 1AE");
    assert!(two.decision.reply.contains("birth"), "{two:?}");
    let three = line.say("The 4th of May 1990");
    assert!(matches!(three.next, Next::Transfer(_)), "{three:?}");
    for reply in [one, two, three] {
        let said = reply.decision.reply.to_lowercase();
        assert!(
            !said.contains("sw1")
                && !said.contains("1984")
                && !said.contains("ada")
                && !said.contains("close"),
            "{said}"
        );
    }
    assert!(line.writes().is_empty());
    assert_eq!(line.tier(), Tier::Basic);
}

#[test]
fn who_has_proved_who_they_are_is_called_by_name_once() {
    let mut line = Line::from(ADA);
    let before = line.say("I need to move my payment").decision.reply;
    let thanks = line.say("SW1A 1AA").decision.reply;
    assert!(
        !before.contains("Ada") && thanks.contains("Ada"),
        "{thanks}"
    );
    let mut replies = vec![line.say("Next Friday"), line.say("Yes")];
    replies.push(line.say("What is my balance?"));
    let again = |r: &firstline::desk::Reply| r.decision.reply.contains("Ada");
    assert!(!replies.iter().any(again), "{replies:?}");
}

#[test]
fn a_near_match_is_asked_again_not_taken() {
    let mut line = Line::from(ADA);
    line.say("I need to move my payment");
    line.say("SW1A 1AB");
    assert_eq!(line.tier(), Tier::Basic);
    line.say("Sorry, SW1A 1AA");
    assert_eq!(line.tier(), Tier::Full);
}

#[test]
fn a_factor_the_caller_does_not_know_is_passed_over() {
    let mut line = Line::from(ADA);
    line.say("I need to move my payment");
    let reply = line.say("I don't know it");
    assert!(reply.decision.reply.contains("birth"), "{reply:?}");
    line.say("3rd of February 1984");
    assert_eq!(line.tier(), Tier::Full);
}

#[test]
fn keyed_digits_count() {
    let mut line = Line::from(None);
    line.say("What is my balance?");
    line.key("02071838750");
    let reply = line.say("SW1A 1AA");
    assert!(reply.decision.reply.contains("£65.50"), "{reply:?}");
    // What was keyed is understood and not kept.
    assert_eq!(
        firstline::desk::record::masked("02071838750"),
        "***********"
    );
    assert_eq!(firstline::desk::record::masked("1"), "1");
}

#[test]
fn somebody_elses_account_is_for_a_human() {
    let mut line = Line::from(ADA);
    let reply = line.say("What is my mother's balance?");
    assert!(matches!(reply.next, Next::Transfer(_)), "{reply:?}");
    assert!(!reply.decision.reply.contains("65"));
}

#[test]
fn a_number_nobody_knows_ends_with_a_human() {
    let mut line = Line::from(Some("+442079460000"));
    assert_eq!(line.tier(), Tier::None);
    line.say("What is my balance?");
    line.say("020 7946 0001");
    line.say("020 7946 0002");
    let reply = line.say("020 7946 0003");
    assert!(matches!(reply.next, Next::Transfer(_)), "{reply:?}");
}
