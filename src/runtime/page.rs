//! A call as a page to read: `transcript.md`.

use crate::desk::{CallRecord, Tier};

/// The call as a page to read.
pub fn transcript(record: &CallRecord) -> String {
    let mut page = format!("# Call {}\n\n", record.id);
    let known = |v: &Option<String>| v.clone().unwrap_or_else(|| "withheld".into());
    page.push_str(&format!(
        "From {} to {}, {}, started {}.\n",
        known(&record.from),
        known(&record.to),
        record.channel,
        record.started_at
    ));
    if let Some(outcome) = record.outcome {
        let verified = match record.verified {
            Tier::None => "not verified",
            Tier::Basic => "verified (basic)",
            Tier::Full => "verified (full)",
        };
        let outcome = serde_json::to_value(outcome)
            .ok()
            .and_then(|v| v.as_str().map(str::to_string))
            .unwrap_or_default();
        page.push_str(&format!(
            "Outcome: **{outcome}**; caller {verified}; ended by {} ({}).\n",
            record.termination.cause, record.termination.reason
        ));
    }
    page.push('\n');
    let clock = |ms: u64| format!("{}:{:02}.{}", ms / 60_000, ms / 1000 % 60, ms / 100 % 10);
    for turn in &record.turns {
        if let Some(caller) = &turn.caller {
            let words = caller
                .keyed
                .as_ref()
                .map_or(caller.text.clone(), |k| format!("[keys {k}]"));
            page.push_str(&format!(
                "**Caller** ({}): {}\n\n",
                clock(caller.start_ms),
                words
            ));
        }
        if let Some(decision) = &turn.decision
            && turn.caller.is_some()
        {
            let sources: Vec<&str> = decision
                .sources
                .iter()
                .take(2)
                .map(|s| s.id.as_str())
                .collect();
            page.push_str(&format!(
                "> {:?}, intent {}, confidence {:.2}, sources {}. {}\n\n",
                decision.route,
                decision.intent.as_deref().unwrap_or("none"),
                decision.confidence,
                sources.join(", "),
                decision.reason
            ));
        }
        if let Some(agent) = &turn.agent {
            let gap = turn
                .gap_ms
                .map(|g| format!(", after {g} ms"))
                .unwrap_or_default();
            page.push_str(&format!(
                "**Line** ({}{gap}): {}",
                clock(agent.start_ms),
                agent.heard
            ));
            if turn.interrupted {
                page.push_str(" *(interrupted)*");
            }
            page.push_str("\n\n");
        }
    }
    for paused in &record.paused {
        let until = paused.to_ms.map_or("the end".to_owned(), clock);
        page.push_str(&format!(
            "- Not recorded, at the colleague's wish: {} to {until}\n",
            clock(paused.from_ms)
        ));
    }
    for action in &record.actions {
        page.push_str(&format!(
            "- Action {}: {:?}, confirmed {}\n",
            action.name, action.status, action.confirmed
        ));
    }
    if let Some(handoff) = &record.handoff {
        page.push_str(&format!(
            "\n## Hand-over ({}, {})\n\n{}\n\nBrief: {}\n",
            handoff.reason, handoff.result, handoff.summary, handoff.spoken_brief
        ));
    }
    page
}
