use super::*;
use crate::desk::{CallerTurn, Decision, Handoff, Mood, NoteLine, Route, TurnRecord};

fn call(id: &str, outcome: Option<CallOutcome>, gaps: &[u64]) -> CallRecord {
    CallRecord {
        id: id.into(),
        started_at: "2026-11-23T10:00:00Z".into(),
        ended_at: Some("2026-11-23T10:02:00Z".into()),
        outcome,
        turns: gaps
            .iter()
            .map(|g| TurnRecord {
                gap_ms: Some(*g),
                ..TurnRecord::default()
            })
            .collect(),
        handoff: (outcome == Some(CallOutcome::Transferred)).then(|| Handoff {
            reason: "dispute".into(),
            result: "accepted".into(),
            ..Handoff::default()
        }),
        ..CallRecord::default()
    }
}

fn about(mut call: CallRecord, intent: &str, words: &str) -> CallRecord {
    call.turns.push(TurnRecord {
        caller: Some(CallerTurn {
            text: words.into(),
            ..CallerTurn::default()
        }),
        decision: Some(Decision {
            id: "1".into(),
            route: Route::Answer,
            intent: Some(intent.into()),
            in_scope: 0.9,
            confidence: 0.8,
            sources: vec![],
            action: None,
            reply: "On Friday.".into(),
            reason: String::new(),
            pending: None,
            model: None,
        }),
        ..TurnRecord::default()
    });
    call
}

fn of(records: Vec<CallRecord>) -> Facts {
    Facts {
        records,
        ..Facts::default()
    }
}

#[test]
fn rates_and_gaps_count_calls_that_ended() {
    let gaps: Vec<u64> = (1..=100).collect();
    let r = report(&of(vec![
        call("a", Some(CallOutcome::Resolved), &gaps),
        call("b", Some(CallOutcome::Transferred), &[]),
        call("c", Some(CallOutcome::Abandoned), &[]),
        call("d", None, &[9999]),
    ]));
    assert_eq!(
        (r["calls"].as_u64(), r["in_progress_or_cut"].as_u64()),
        (Some(3), Some(1))
    );
    assert_eq!(r["automation_rate"], json!(0.333));
    assert_eq!(
        (r["gap_ms"]["p50"].as_u64(), r["gap_ms"]["p95"].as_u64()),
        (Some(50), Some(95))
    );
    assert_eq!(r["transfers"]["dispute"]["accepted"], 1);
    assert_eq!(r["savings"]["minutes"], json!(6.0));
    assert!(r["savings"]["saved"].is_null(), "the desk gave no numbers");
}

#[test]
fn no_calls_make_no_rate() {
    let r = report(&Facts::default());
    assert!(r["automation_rate"].is_null() && r["gap_ms"]["p50"].is_null());
    assert!(r["quality"]["rate"].is_null() && r["survey_mean"].is_null());
    assert!(html(&r, "Larch Pay").contains("No call has ended"));
}

#[test]
fn a_caller_who_rings_again_about_the_same_was_not_helped() {
    let from = |mut c: CallRecord, day: u32| {
        c.from = Some("+15550100".into());
        c.started_at = format!("2026-11-{day}T10:00:00Z");
        c
    };
    let resolved = || call("x", Some(CallOutcome::Resolved), &[]);
    let mut first = from(about(resolved(), "late_fee", "the fee"), 10);
    first.id = "first".into();
    let same = from(about(resolved(), "late_fee", "the fee again"), 12);
    let other = from(about(resolved(), "refund", "a refund"), 13);
    let late = from(about(resolved(), "late_fee", "the fee"), 25);
    let again = |calls: &[&CallRecord]| rang_again(calls).into_iter().collect::<Vec<_>>();
    assert_eq!(again(&[&first, &same]), ["first"]);
    assert!(again(&[&first, &other]).is_empty(), "another matter");
    assert!(again(&[&first, &late]).is_empty(), "two weeks later");
}

#[test]
fn overrides_are_edits_and_rejections_and_trust_takes_enough_of_them() {
    let review = |verdict: &str| Review {
        intent: "late_fee".into(),
        verdict: verdict.into(),
        ..Review::default()
    };
    let of = |approved: usize, edited: usize, timeout: usize| {
        let mut all = vec![review("approved"); approved];
        all.extend(vec![review("edited"); edited]);
        all.extend(vec![review("timeout"); timeout]);
        override_rates(&all)["late_fee"].clone()
    };
    assert_eq!(of(98, 2, 30)["rate"], json!(0.02));
    assert_eq!(of(98, 2, 30)["proposed"], json!(true));
    assert_eq!(
        of(40, 0, 30)["proposed"],
        json!(false),
        "too few were looked at"
    );
    assert_eq!(
        of(90, 10, 0)["proposed"],
        json!(false),
        "too many were changed"
    );
    let (low, high) = (of(98, 2, 0)["low"].as_f64(), of(98, 2, 0)["high"].as_f64());
    assert!(low < Some(0.02) && high > Some(0.02));
}

#[test]
fn quality_is_of_what_was_graded_and_automation_is_cut_by_it() {
    let mut calls: Vec<CallRecord> = (0..8)
        .map(|n| call(&format!("r{n}"), Some(CallOutcome::Resolved), &[]))
        .collect();
    calls.extend((0..2).map(|n| call(&format!("t{n}"), Some(CallOutcome::Transferred), &[])));
    let grade = |id: &str, grade: &str| Grade {
        call_id: id.into(),
        turn: -1,
        grade: grade.into(),
        ..Grade::default()
    };
    let r = report(&Facts {
        records: calls,
        grades: vec![
            grade("r0", "good"),
            grade("r1", "good"),
            grade("r2", "good"),
            grade("r3", "wrong"),
        ],
        ..Facts::default()
    });
    assert_eq!(r["quality"]["resolved"]["good"], 3);
    assert_eq!(r["quality"]["wrong_calls"], 1);
    assert_eq!(
        r["quality"]["automation_with_quality"]["rate"],
        json!(0.6),
        "0.8 x 3/4"
    );
    assert_eq!(r["savings"]["resolved_calls"], 8);
}

#[test]
fn satisfaction_is_split_by_who_had_the_call_and_how_it_felt() {
    let scored = |mut c: CallRecord, score: u8, mood: Mood| {
        c.survey = Some(score);
        c.mood = mood;
        c
    };
    let alone = scored(
        about(call("a", Some(CallOutcome::Resolved), &[]), "late_fee", "x"),
        5,
        Mood::Calm,
    );
    let human = scored(
        about(
            call("b", Some(CallOutcome::Transferred), &[]),
            "dispute",
            "x",
        ),
        4,
        Mood::Calm,
    );
    let both = about(
        about(
            call("c", Some(CallOutcome::Transferred), &[]),
            "late_fee",
            "x",
        ),
        "dispute",
        "y",
    );
    let both = scored(both, 1, Mood::Angry);
    let r = report(&of(vec![alone, human, both]));
    let by = &r["survey"]["by_who"];
    assert_eq!(
        (
            &by["assistant"]["mean"],
            &by["human"]["mean"],
            &by["handed over"]["mean"]
        ),
        (&json!(5.0), &json!(4.0), &json!(1.0))
    );
    assert_eq!(r["survey"]["by_mood"]["angry"]["unhappy"], 1);
    assert_eq!(r["survey"]["by_intent"]["dispute"]["answers"], 2);
}

#[test]
fn callers_who_say_it_again_are_noticed() {
    let with = |caller: &str| {
        let mut c = about(
            call("a", Some(CallOutcome::Transferred), &[]),
            "dispute",
            "There is a charge on my account from a shop that I never visited.",
        );
        if let Some(h) = &mut c.handoff {
            h.notes = vec![
                NoteLine {
                    by: "colleague".into(),
                    text: "I have read what happened.".into(),
                    at_ms: 1,
                },
                NoteLine {
                    by: "caller".into(),
                    text: caller.into(),
                    at_ms: 2,
                },
            ];
        }
        c
    };
    let r = report(&of(vec![
        with("So there's a charge on my account from some shop I've never visited"),
        with("Great. It is the second of November, and my card ends in nine."),
    ]));
    assert_eq!(r["handover"]["repeated"]["count"], 1);
    assert_eq!(r["handover"]["repeated"]["of"], 2);
}

#[test]
fn the_page_keeps_words_as_words() {
    let mut bad = call("a", Some(CallOutcome::Transferred), &[700]);
    if let Some(h) = &mut bad.handoff {
        h.reason = "<script>alert(1)</script>".into();
    }
    let page = html(&report(&of(vec![bad])), "Larch & \"Pay\"");
    assert!(
        !page.contains("<script>") && page.contains("&lt;script&gt;"),
        "{page}"
    );
    assert!(page.contains("Larch &amp; &quot;Pay&quot;"));
}
