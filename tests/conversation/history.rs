//! What was before the call: taken up as a good colleague would, and only as far as the caller has proved who they are.

use firstline::desk::{Caller, EarlierCall, Next, Outcome, Request, Route};
use serde_json::json;

use super::desk::{ADA, Line, ada, office, usual};

fn call(intent: &str, outcome: &str, at: &str) -> EarlierCall {
    EarlierCall {
        id: "call-0".into(),
        started_at: at.into(),
        intent: Some(intent.into()),
        outcome: outcome.into(),
        summary: "Rang before.".into(),
        ..EarlierCall::default()
    }
}

fn after(history: Vec<EarlierCall>, office: fn(&Request) -> Option<Outcome>) -> Line {
    let caller = Caller {
        number: ADA.map(str::to_owned),
        vouched: true,
        history,
    };
    Line::of(usual(), caller, office)
}

fn opening(line: &Line) -> &str {
    &line.said[0].decision.reply
}

#[test]
fn how_the_earlier_call_ended_is_known() {
    let yesterday = "2026-11-22T09:00:00Z";
    let line = after(vec![call("direct_debit", "abandoned", yesterday)], office);
    assert!(
        opening(&line).contains("You rang yesterday about"),
        "{}",
        opening(&line)
    );
    let line = after(vec![call("direct_debit", "transferred", yesterday)], office);
    assert!(
        opening(&line).contains("spoke to a colleague yesterday"),
        "{}",
        opening(&line)
    );
    let line = after(vec![call("direct_debit", "callback", yesterday)], office);
    assert!(
        opening(&line).contains("ring you back"),
        "{}",
        opening(&line)
    );
    let line = after(vec![call("direct_debit", "resolved", yesterday)], office);
    assert!(!opening(&line).contains("yesterday"));
    let line = after(
        vec![call("direct_debit", "abandoned", "2026-08-01T09:00:00Z")],
        office,
    );
    assert!(!opening(&line).contains("You rang"));
}

#[test]
fn what_a_colleague_had_goes_back_to_a_colleague() {
    let mut line = after(
        vec![call("book_visit", "transferred", "2026-11-22T09:00:00Z")],
        office,
    );
    let reply = line.say("Yes it is");
    assert!(reply.decision.reply.contains("colleague"), "{reply:?}");
    let reply = line.say("Yes please");
    assert_eq!(reply.decision.route, Route::Transfer, "{reply:?}");
}

#[test]
fn an_open_ticket_of_the_record_is_at_hand() {
    fn with_tickets(request: &Request) -> Option<Outcome> {
        if !request.path.starts_with("/customers?phone=") {
            return office(request);
        }
        let mut record = ada();
        record["tickets"] = json!([
            {"id": 1, "subject": "Low pressure upstairs", "status": "in_progress", "updated": "2026-11-20T08:00:00Z"},
            {"id": 2, "subject": "Wrong name on the bill", "status": "closed", "updated": "2026-11-21T08:00:00Z"},
        ]);
        Some(Outcome::Done(record))
    }
    let mut line = after(Vec::new(), with_tickets);
    assert!(
        opening(&line).contains("Low pressure upstairs"),
        "{}",
        opening(&line)
    );
    let reply = line.say("Yes");
    assert!(
        reply.decision.reply.contains("in progress") && reply.decision.reply.contains("on Friday"),
        "{reply:?}"
    );
    // Not a word of it to a number nobody vouches for.
    let stranger = Line::with(ADA, false, with_tickets);
    assert!(!opening(&stranger).contains("pressure"));
}

#[test]
fn guessing_does_not_start_again_with_every_call() {
    let failed = |at: &str| EarlierCall {
        proof_failed: true,
        ..call("move_payment", "transferred", at)
    };
    let mut line = after(
        vec![
            failed("2026-11-23T09:00:00Z"),
            failed("2026-11-23T08:00:00Z"),
        ],
        office,
    );
    let reply = line.say("No, I need to move my payment to the 10th of December");
    let Next::Transfer(packet) = &reply.next else {
        panic!("{reply:?}")
    };
    assert_eq!(packet.reason, "verify_locked");
    // Two days later it may be tried again.
    let mut line = after(
        vec![
            failed("2026-11-21T09:00:00Z"),
            failed("2026-11-21T08:00:00Z"),
        ],
        office,
    );
    let reply = line.say("No, I need to move my payment to the 10th of December");
    assert_eq!(reply.decision.route, Route::Act, "{reply:?}");
}
