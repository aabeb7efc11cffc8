//! What is taken out of texts, and what is left.

use super::*;
use crate::desk::{
    ActionRecord, ActionStatus, AgentTurn, Asked, CallRecord, CallbackRequest, CallerTurn, Closing,
    Handoff, LineQuality, NoteLine, Route, TurnRecord,
};

fn clean(text: &str) -> String {
    Redactor::new(Private::ALL).text(text, false).text
}

fn answer(text: &str) -> String {
    Redactor::new(Private::ALL).text(text, true).text
}

#[test]
fn the_assistant_says_who_it_is() {
    let redactor = Redactor::new(Private::ALL).except(["Robin", "Larch Pay"]);
    let text = "Hi, this is Robin, the automated assistant at Larch Pay.";
    assert_eq!(redactor.text(text, false).text, text);
    assert_eq!(
        redactor.text("Hi, this is Maria.", false).text,
        "Hi, this is [name]."
    );
}

#[test]
fn cards_however_they_are_written_or_said() {
    for text in [
        "My card is 4111 1111 1111 1111.",
        "My card is 4111-1111-1111-1111.",
        "My card is 4111111111111111.",
        "My card is four one one one, one one one one, one one one one, one one one one.",
        "My card is four, triple one, double one double one, 1111, one one one one.",
        "My card is 4 1 1 1 1 1 1 1 uh 1 1 1 1 1 1 1 1.",
        "My card is 41 11 11 11, 11 11 11 11.",
        "My card is forty-one eleven eleven eleven eleven eleven eleven eleven.",
    ] {
        assert_eq!(clean(text), "My card is [card].", "{text}");
    }
    assert_eq!(
        clean("It is 3782 822463 10005, thanks"),
        "It is [card], thanks"
    );
    assert_eq!(
        clean("My card is 4111 1111 1111 1112."),
        "My card is [number].",
        "misheard by a digit, and still no text to keep"
    );
}

#[test]
fn other_numbers_and_what_is_no_secret() {
    for (text, wanted) in [
        ("Account 00482913, please.", "Account [number], please."),
        ("call me on +1 202 555 0163", "call me on [number]"),
        (
            "call me on (202) 555-0163 today",
            "call me on ([number] today",
        ),
        (
            "it is two zero two five five five zero one six three",
            "it is [number]",
        ),
        (
            "I owe $1,250.00 and paid 42.50 on the 5th",
            "I owe $1,250.00 and paid 42.50 on the 5th",
        ),
        ("that's 120000 dollars", "that's 120000 dollars"),
        (
            "I called on 2026-11-23 at 10:30",
            "I called on 2026-11-23 at 10:30",
        ),
        (
            "move it to Friday, December 4th 2026",
            "move it to Friday, December 4th 2026",
        ),
        (
            "one of my two cards, the first one",
            "one of my two cards, the first one",
        ),
        (
            "write to jane.doe@example.com please",
            "write to [email] please",
        ),
    ] {
        assert_eq!(clean(text), wanted);
    }
}

#[test]
fn dates_of_birth() {
    for text in [
        "Born March 4th, 1985.",
        "Born March 4, 1985.",
        "Born 4th of March 1985.",
        "Born the fourth of March nineteen eighty-five.",
        "Born 03/04/1985.",
        "Born 1985-03-04.",
        "Born 3/4/85.",
        "Born March fourth two thousand and one.",
    ] {
        let said = clean(text);
        assert!(said.contains("[date of birth]"), "{text}: {said}");
        assert!(
            !said.contains("85") && !said.contains("eighty") && !said.contains("March"),
            "{said}"
        );
    }
}

#[test]
fn names_where_they_are_told() {
    for (text, wanted) in [
        (
            "Hi, my name is Maria Lopez and I have a question.",
            "Hi, my name is [name] and I have a question.",
        ),
        ("this is Jo Bloggs calling", "this is [name] calling"),
        ("This is about my loan", "This is about my loan"),
        ("I'm calling about Tuesday", "I'm calling about Tuesday"),
        ("my name is maria", "my name is [name]"),
        ("It's Friday", "It's Friday"),
    ] {
        assert_eq!(clean(text), wanted);
    }
}

#[test]
fn what_proves_who_somebody_is() {
    for (text, wanted) in [
        ("60614", "[proof]"),
        ("It's 6 0 6 1 4, I think", "It's [proof], I think"),
        ("SW1A 1AA", "[proof]"),
        ("June fourteenth, eighty-two", "[date of birth]"),
        ("Maria Lopez", "[name]"),
        ("I want to talk to a person", "I want to talk to a person"),
        ("I don't know", "I don't know"),
    ] {
        assert_eq!(answer(text), wanted);
    }
    assert_eq!(clean("60614"), "60614", "five digits alone prove nothing");
}

#[test]
fn what_the_customers_record_holds_is_known() {
    let mut redactor = Redactor::new(Private::ALL);
    redactor.know("name", "Maria Lopez");
    redactor.know("postcode", "60614");
    redactor.know("date_of_birth", "1982-06-14");
    redactor.know("balance", "42.50");
    assert_eq!(
        redactor
            .text(
                "Thank you, Maria. 60614 is right, you owe 42.50. Mariachi!",
                false
            )
            .text,
        "Thank you, [name]. [proof] is right, you owe 42.50. Mariachi!"
    );
}

#[test]
fn only_the_kinds_asked_for_and_nothing_when_off() {
    let cards = Redactor::new([Private::Cards]);
    assert_eq!(
        cards
            .text("4111 1111 1111 1111, my name is Jo Bloggs", false)
            .text,
        "[card], my name is Jo Bloggs"
    );
    let off = Redactor::default();
    assert!(off.is_off());
    assert_eq!(
        off.text("4111 1111 1111 1111", true).text,
        "4111 1111 1111 1111"
    );
}

fn decision(pending: Option<Pending>) -> Decision {
    Decision {
        id: "1".into(),
        route: Route::Act,
        intent: None,
        in_scope: 1.,
        confidence: 1.,
        sources: vec![],
        action: None,
        reply: "Thank you.".into(),
        reason: String::new(),
        model: None,
        pending,
    }
}

#[test]
fn a_record_and_when_it_was_said() {
    let turn = |text: &str, pending: Option<Pending>, start_ms, end_ms| TurnRecord {
        caller: Some(CallerTurn {
            text: text.into(),
            start_ms,
            end_ms,
            ..CallerTurn::default()
        }),
        decision: Some(decision(pending)),
        ..TurnRecord::default()
    };
    let record = CallRecord {
        turns: vec![
            turn(
                "I'd like to move my payment",
                Some(Pending::Verify),
                1_000,
                3_000,
            ),
            turn("60614", None, 5_000, 7_000),
            turn(
                "so my card number is 4111 1111 1111 1111 and I would like to know whether it is the one that you have on file for my account",
                None,
                10_000,
                20_000,
            ),
        ],
        ..CallRecord::default()
    };
    let (clean, said) = Redactor::new(Private::ALL).record(&record, &BTreeSet::new(), 0);
    let text = serde_json::to_string(&clean).unwrap();
    assert!(!text.contains("60614") && !text.contains("4111"), "{text}");
    assert!(text.contains("move my payment"));
    let spans: Vec<_> = said.iter().map(|s| (s.side, s.from, s.to)).collect();
    assert_eq!(spans[0], (Side::Caller, 4_500, 7_500), "all of an answer");
    let (_, from, to) = spans[1];
    // Sixteen digits are sixteen words: nearly half of what was said.
    assert!(
        (10_000..11_500).contains(&from) && (15_500..17_000).contains(&to),
        "{from} {to}"
    );
}

#[test]
fn luhns_check() {
    assert!(luhn("4111111111111111") && luhn("378282246310005") && luhn("6011111111111117"));
    assert!(!luhn("4111111111111112") && !luhn("41111111x1111111"));
}

proptest::proptest! {
    #[test]
    fn any_text_is_cut_at_whole_letters(text in "\\PC{0,80}", proof in proptest::bool::ANY) {
        let mut redactor = Redactor::new(Private::ALL);
        redactor.know("name", "Zo\u{eb} \u{130}lk");
        let once = redactor.text(&text, proof);
        for (range, _) in &once.taken {
            proptest::prop_assert!(text.get(range.clone()).is_some());
        }
        let _ = once.spans(&text, Side::Caller, 0, 1_000);
    }
}

const CARD: &str = "4111 1111 1111 1111";

/// Every text in a hand-over, and a few more.
fn told_everything() -> Handoff {
    let text = |what: &str| format!("{what} Maria Alvarez, card {CARD}, born March 3 1980");
    Handoff {
        reason: "asked".into(),
        summary: text("summary"),
        spoken_brief: text("brief"),
        tried: vec![text("tried")],
        open_question: text("open"),
        caller_name: Some("Maria Alvarez".into()),
        questions: vec![Asked {
            question: text("question"),
            answer: text("answer"),
        }],
        note: Some(text("note")),
        handed_back: Some(text("back")),
        notes: vec![
            NoteLine {
                by: "caller".into(),
                text: text("line"),
                at_ms: 90_000,
            },
            NoteLine {
                by: "colleague".into(),
                text: text("line"),
                at_ms: 99_000,
            },
        ],
        draft: Some(text("draft")),
        closing: Some(Closing {
            status: "resolved".into(),
            said: text("closing"),
        }),
        accepted_by: Some("sip:care@192.0.2.5".into()),
        ..Handoff::default()
    }
}

#[test]
fn nothing_private_is_left_in_any_text_of_a_handover_or_a_callback() {
    let redactor = Redactor::new(Private::ALL);
    let asserted = "\"Maria Alvarez\" <sip:+12025550163@carrier.example>";
    let record = CallRecord {
        handoff: Some(told_everything()),
        line: Some(LineQuality {
            headers: vec![("P-Asserted-Identity".into(), asserted.into())],
            ..LineQuality::default()
        }),
        ..CallRecord::default()
    };
    let (clean, said) = redactor.record(&record, &BTreeSet::new(), 0);
    let mut callback = CallbackRequest {
        number: "+12025550163".into(),
        when: Some(format!("when {CARD} is paid")),
        reason: "asked".into(),
        handoff: told_everything(),
    };
    redactor.callback(&mut callback);
    for text in [
        serde_json::to_string(&clean).unwrap(),
        serde_json::to_string(&callback).unwrap(),
    ] {
        for private in ["4111", "Maria", "Alvarez", "1980"] {
            assert!(!text.contains(private), "{private} in {text}");
        }
        for kept in [
            "summary", "brief", "tried", "open", "question", "answer", "note", "back",
        ] {
            assert!(text.contains(&format!("{kept} [name]")), "{kept}: {text}");
        }
        assert!(text.contains("sip:care@192.0.2.5"));
    }
    assert_eq!(callback.number, "+12025550163", "it is to be called");
    // What was said between the two is covered on the side of who said it.
    assert!(
        said.iter()
            .any(|s| s.side == Side::Caller && s.to >= 89_000)
    );
    assert!(said.iter().any(|s| s.side == Side::Heard && s.to >= 98_000));
    assert_eq!(
        speakable(&callback.handoff.spoken_brief),
        "brief the caller, card a card number, born a date of birth"
    );
    assert_eq!(
        speakable("[name], number verified. About the [proof]."),
        "The caller, number verified. About the their proof."
    );
    let mut as_it_was = told_everything();
    Redactor::default().handoff(&mut as_it_was);
    assert_eq!(as_it_was, told_everything(), "off");
}

#[test]
fn our_own_voice_that_reads_a_secret_back_is_covered_too() {
    let heard = "Thank you. I have 4111 1111 1111 1111, is that the card you mean?";
    let code = "And 737 on its back?";
    let record = CallRecord {
        actions: vec![ActionRecord {
            name: "pay".into(),
            slots: serde_json::json!({ "card_security_code": "737" })
                .as_object()
                .cloned()
                .unwrap(),
            confirmed: true,
            idempotency_key: None,
            status: ActionStatus::Done,
            result: serde_json::Value::Null,
        }],
        turns: vec![TurnRecord {
            agent: Some(AgentTurn {
                text: heard.into(),
                heard: heard.into(),
                start_ms: 10_000,
                end_ms: 20_000,
            }),
            decision: Some(Decision {
                reply: code.into(),
                ..decision(None)
            }),
            ..TurnRecord::default()
        }],
        ..CallRecord::default()
    };
    // The call was answered half a second after its recording began.
    let (clean, said) = Redactor::new(Private::ALL).record(&record, &BTreeSet::new(), 500);
    let text = serde_json::to_string(&clean).unwrap();
    assert!(!text.contains("4111") && !text.contains("737"), "{text}");
    let [span] = said[..] else { panic!("{said:?}") };
    assert_eq!(span.side, Side::Heard);
    assert!((10_000..12_000).contains(&span.from), "{span:?}");
    assert!((18_000..21_500).contains(&span.to), "{span:?}");
}

#[test]
fn a_systems_answer_is_judged_by_the_names_of_its_fields() {
    let redactor = Redactor::new(Private::ALL);
    let mut value = serde_json::json!({
        "first_name": "Ada", "last_name": "Brook", "postcode": "60614", "date_of_birth": "1990-02-01",
        "email": "ada", "security_pin": "9", "plan_name": "Basic", "status_name": "open", "amount": 1_250_000,
        "account": 123_456_789_u64, "card": 4_111_111_111_111_111_u64, "cards": [{"holder_name": "A"}], "ok": true,
    });
    redactor.value(&mut value);
    assert_eq!(
        value,
        serde_json::json!({
            "first_name": "[name]", "last_name": "[name]", "postcode": "[proof]", "date_of_birth": "[date of birth]",
            "email": "[email]", "security_pin": "[proof]", "plan_name": "Basic", "status_name": "open", "amount": 1_250_000,
            "account": "[number]", "card": "[card]", "cards": [{"holder_name": "[name]"}], "ok": true,
        })
    );
}
