//! How the caller feels changes what is said: once each time it shows, never twice in the same words, and sooner to a human.

use firstline::desk::{Mood, Route};

use super::desk::Line;

const SORRY: [&str; 3] = ["sorry", "upset", "annoying"];

#[test]
fn a_feeling_is_met_when_it_shows_and_never_twice_alike() {
    let mut line = Line::from(None);
    let first = line.say("This is ridiculous, how do I read my water meter?");
    assert_eq!(line.talk.mood(), Mood::Frustrated);
    let first = first.decision.reply.to_lowercase();
    assert!(SORRY.iter().any(|word| first.contains(word)), "{first}");
    // Calm again: no more of it.
    let calm = line
        .say("And is my water hard?")
        .decision
        .reply
        .to_lowercase();
    assert!(!SORRY.iter().any(|word| calm.contains(word)), "{calm}");
    let mut heard: Vec<String> = Vec::new();
    for said in [
        "This is so annoying, can I pay by direct debit?",
        "I'm fed up, how hard is the water?",
        "This is terrible, how do I read my water meter?",
        "It's a joke, can I pay by direct debit?",
        "I'm so frustrated, how hard is the water?",
    ] {
        let reply = line.say(said).decision.reply;
        let opening = reply
            .split_inclusive(['.', '!'])
            .next()
            .unwrap_or_default()
            .to_owned();
        if SORRY
            .iter()
            .any(|word| opening.to_lowercase().contains(word))
        {
            assert!(!heard.contains(&opening), "{opening} again");
            heard.push(opening);
        }
    }
    assert!(!heard.is_empty());
}

#[test]
fn nobody_lectures() {
    let mut line = Line::from(None);
    for said in ["You stupid useless machine", "I'm furious with you people"] {
        let reply = line.say(said).decision.reply.to_lowercase();
        for lecture in ["calm", "language", "polite", "rude", "respect"] {
            assert!(!reply.contains(lecture), "{reply}");
        }
    }
}

#[test]
fn an_angry_caller_is_not_asked_what_exactly_they_mean() {
    let clarifies = |text: &str| {
        let reply = Line::from(None).say(text).decision;
        reply.route == Route::Clarify
            && [
                "is it about",
                "Do you mean",
                "Is this about",
                "bit more about",
            ]
            .iter()
            .any(|asks| reply.reply.contains(asks))
    };
    let vague: Vec<&str> = [
        "something about the engineer or the payment",
        "the water and the payment",
        "meter payment",
        "it's about the visit or the balance",
        "direct debit or my payment date",
        "my water",
        "the engineer",
        "payment",
    ]
    .into_iter()
    .filter(|text| clarifies(text))
    .collect();
    assert!(
        !vague.is_empty(),
        "none of the vague sentences is asked about"
    );
    for text in vague {
        let reply = Line::from(None).say(&format!("I'm furious, {text}"));
        assert!(!clarifies(&format!("I'm furious, {text}")), "{reply:?}");
    }
}
