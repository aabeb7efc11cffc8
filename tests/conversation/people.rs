//! Humans: to be had at every moment, and what is promised when none can be.

use firstline::desk::{CallOutcome, Caller, EarlierCall, Next, Route, TargetOutcome};

use super::desk::{ADA, Line, build, files, now, office, usual};

fn nobody() -> Vec<TargetOutcome> {
    vec![TargetOutcome {
        uri: "sip:human@192.0.2.1".into(),
        outcome: "no_answer".into(),
        ms: 20_000,
    }]
}

#[test]
fn asked_for_at_every_moment() {
    let before: &[&[&str]] = &[
        &[],
        &["How do I read my water meter?"],
        &["I need an engineer to come"],
        &["I need an engineer to come", "Friday"],
        &["Send an engineer on Thursday afternoon"],
        &["I need to move my payment"],
        &["What is the weather tomorrow?"],
    ];
    for script in before {
        for way in ["words", "key"] {
            let mut line = Line::from(ADA);
            for said in *script {
                line.say(said);
            }
            let reply = if way == "key" {
                line.key("0")
            } else {
                line.say("Can I speak to a person please?")
            };
            let Next::Transfer(packet) = &reply.next else {
                panic!("{script:?} {way}: {reply:?}")
            };
            assert_eq!(packet.reason, "asked");
            assert!(packet.spoken_brief.split_whitespace().count() <= 45);
        }
    }
}

#[test]
fn the_packet_tells_the_story() {
    let mut line = Line::from(ADA);
    line.say("How do I read my water meter?");
    let reply = line.say("I want to talk to somebody");
    let Next::Transfer(packet) = reply.next else {
        panic!("no transfer")
    };
    assert!(
        packet.spoken_brief.contains("Ada Brook")
            && packet.spoken_brief.contains("number verified"),
        "{packet:?}"
    );
    assert!(
        packet
            .tried
            .iter()
            .any(|t| t.contains("How to read your water meter"))
    );
    assert!(
        packet.summary.contains("read my water meter"),
        "{}",
        packet.summary
    );
}

#[test]
fn the_name_stays_out_below_basic() {
    let mut line = Line::with(ADA, false, office);
    let reply = line.say("I want to talk to somebody");
    let Next::Transfer(packet) = reply.next else {
        panic!("no transfer")
    };
    assert!(!packet.spoken_brief.contains("Ada") && !packet.summary.contains("Ada"));
}

#[test]
fn nobody_free_is_told_and_a_callback_promised() {
    let mut line = Line::from(ADA);
    line.say("There is a leak in the street");
    let reply = line.talk.transfer_failed(&nobody());
    assert!(reply.decision.reply.contains("nobody"), "{reply:?}");
    assert_eq!(line.talk.outcome(), CallOutcome::Abandoned);
    line.say("Yes please");
    let reply = line.say("Tomorrow morning");
    let Next::Callback { callback, end } = reply.next else {
        panic!("{reply:?}")
    };
    assert!(!end);
    assert_eq!(callback.number, "+442071838750");
    assert_eq!(callback.when.as_deref(), Some("Tomorrow morning"));
    assert_eq!(callback.handoff.targets, nobody());
    assert!(reply.decision.reply.contains("tomorrow morning"));
    assert_eq!(line.talk.outcome(), CallOutcome::Callback);
    assert_eq!(line.say("No, thank you, bye").next, Next::End);
}

#[test]
fn a_withheld_number_is_asked_for() {
    let mut line = Line::from(None);
    line.say("There is a leak in the street");
    line.talk.transfer_failed(&nobody());
    line.say("Yes");
    line.say("020 7183 8750");
    let reply = line.say("any time");
    let Next::Callback { callback, .. } = reply.next else {
        panic!("{reply:?}")
    };
    assert_eq!(callback.number, "+442071838750");
}

#[test]
fn no_callback_goes_on_with_the_call() {
    let mut line = Line::from(ADA);
    line.say("There is a leak in the street");
    line.talk.transfer_failed(&nobody());
    let reply = line.say("No thanks");
    assert!(matches!(reply.next, Next::Listen(_)), "{reply:?}");
    let reply = line.say("How do I read my water meter?");
    assert!(reply.decision.reply.contains("black numbers"));
}

#[test]
fn a_transfer_that_was_taken_is_the_outcome() {
    let mut line = Line::from(None);
    line.say("There is a leak in the street");
    line.talk.transferred("sip:human@192.0.2.1");
    assert_eq!(line.talk.outcome(), CallOutcome::Transferred);
}

fn returning(vouched: bool) -> Line {
    let caller = Caller {
        number: ADA.map(str::to_owned),
        vouched,
        history: vec![EarlierCall {
            id: "call-0".into(),
            started_at: "2026-11-20T09:00:00Z".into(),
            intent: Some("direct_debit".into()),
            outcome: "abandoned".into(),
            summary: "Rang about direct debit.".into(),
            ..EarlierCall::default()
        }],
    };
    assert!(now().to_string().starts_with("2026-11-23"));
    Line::of(usual(), caller, office)
}

#[test]
fn an_open_matter_is_taken_up_again() {
    let mut line = returning(true);
    let opening = line.said[0].decision.reply.clone();
    assert!(
        opening.contains("Friday") && opening.contains("direct debit"),
        "{opening}"
    );
    let reply = line.say("No, how do I read my water meter?");
    assert!(reply.decision.reply.contains("black numbers"), "{reply:?}");
}

#[test]
fn earlier_calls_stay_unsaid_to_an_unproved_number() {
    let line = returning(false);
    assert!(!line.said[0].decision.reply.contains("Friday"));
}

#[test]
fn a_clone_decides_without_touching_the_call() {
    let mut line = Line::from(None);
    let before = line.talk.history().len();
    let mut guess = line.talk.clone();
    guess.hear(&firstline::desk::Said {
        text: "Send an engineer on Thursday afternoon".into(),
        now: now(),
        ..Default::default()
    });
    assert_eq!(line.talk.history().len(), before);
    assert!(
        line.say("How do I read my water meter?")
            .decision
            .reply
            .contains("black numbers")
    );
}

#[test]
fn another_language_brings_a_person_who_speaks_it() {
    let desk = || {
        let mut files = files();
        let toml = files.0.entry("desk.toml".into()).or_default();
        toml.push_str(
            "\n[escalation.queues]\nlanguage = [{ target = \"sip:ana@192.0.2.7\", languages = [\"es\"] }]\n",
        );
        let phrases = files.0.entry("phrases.toml".into()).or_default();
        phrases.push_str("\n\"language.es\" = \"Un momento, por favor.\"\n");
        build(&files)
    };
    let of = |desk| {
        let caller = Caller {
            number: ADA.map(str::to_owned),
            vouched: true,
            history: Vec::new(),
        };
        Line::of(desk, caller, office)
    };
    // Spanish: the desk has a word for it, and a queue.
    let mut line = of(desk());
    line.talk.spoken_in("es");
    let reply = line.say("Hola, quiero cambiar la fecha de mi pago.");
    let Next::Transfer(packet) = &reply.next else {
        panic!("{reply:?}")
    };
    assert_eq!(packet.reason, "language_es");
    assert_eq!(packet.queue.as_deref(), Some("language"));
    assert!(
        packet
            .spoken_brief
            .to_lowercase()
            .contains("they speak spanish"),
        "{}",
        packet.spoken_brief
    );
    let said: String = reply.say.iter().map(|s| s.text.as_str()).collect();
    assert!(said.contains("Un momento, por favor."), "{said}");
    // French: no word, still a person.
    let mut line = of(desk());
    line.talk.spoken_in("fr");
    let reply = line.say("Bonjour, je voudrais déplacer mon paiement.");
    let Next::Transfer(packet) = &reply.next else {
        panic!("{reply:?}")
    };
    assert_eq!(packet.reason, "language_fr");
    // Our own language is none to be transferred for, however it was told.
    let mut line = of(desk());
    line.talk.spoken_in("en");
    let reply = line.say("How do I read my water meter?");
    assert!(!matches!(reply.next, Next::Transfer(_)), "{reply:?}");
}

#[test]
fn what_a_colleague_asks_for_at_the_hand_back_is_not_the_callers_wish() {
    let back = |words: &str| {
        let mut line = Line::from(None);
        line.say("I'd like to speak to a person please");
        line.talk.transferred("sip:desk@127.0.0.1");
        assert!(line.talk.handed_back(Some(words)).is_none());
        line.say(words)
    };
    // What is done or told is done or told, in the colleague's name.
    let reply = back("tell them how hard the water is");
    assert_eq!(reply.decision.route, Route::Answer, "{reply:?}");
    assert!(reply.decision.reply.contains("My colleague"), "{reply:?}");
    assert!(reply.decision.reply.contains("14 degrees"), "{reply:?}");
    let reply = back("book them an engineer visit");
    assert_eq!(reply.decision.route, Route::Act, "{reply:?}");
    // What would bring the colleague in again is asked of the caller: it is neither their dispute nor their wish for a person.
    for words in [
        "he's disputing the charge on his bill and I've logged it",
        "they wanted to talk to a human and now they have",
    ] {
        let reply = back(words);
        assert_eq!(reply.decision.route, Route::Clarify, "{words}: {reply:?}");
        assert!(reply.decision.reply.contains("back with you"), "{reply:?}");
    }
}
