//! The review queue, how far each intent is trusted, and who changed that.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::api::LineState;
use super::super::pilot::{Pilot, mode};
use super::super::pool::Control;
use super::super::report;
use super::super::veil::Veil;
use super::{Answer, Console, act, unavailable};
use crate::call::{Order, REVIEW_MS, Verdict};
use crate::desk::{Mode, Risk};
use crate::edge::http::{ApiError, Who};

/// Reviews that count for an intent's override rate.
const DAYS: i64 = 90;
const MOST: u32 = 20_000;

pub(super) async fn reviews(line: &LineState, console: &Console, open: bool) -> Answer {
    let waiting: Vec<Value> = console
        .pilot
        .waiting()
        .into_iter()
        .map(|w| {
            let mut shown = json!(w.review);
            shown["decision"] = w.decision;
            let left = u128::from(REVIEW_MS).saturating_sub(w.since.elapsed().as_millis());
            shown["left_ms"] = json!(u64::try_from(left).unwrap_or(0));
            shown
        })
        .collect();
    let kept = line
        .store
        .reviews(false, 0, 500)
        .await
        .map_err(unavailable)?;
    // A supervised draft without a verdict is one that waits: it is in the first list, or its call is on another machine.
    let (drafts, past): (Vec<_>, Vec<_>) = kept
        .into_iter()
        .partition(|r| r.mode == "shadow" && r.verdict.is_empty());
    Ok(json!({
        "waiting": waiting,
        "drafts": drafts,
        "past": if open { json!([]) } else { json!(past) },
        "reviewers": console.pilot.reviewers(),
        "review_ms": REVIEW_MS,
    }))
}

pub(super) async fn review(
    line: &LineState,
    console: &Console,
    who: &Who,
    id: String,
    verdict: &str,
    text: String,
) -> Answer {
    let text = text.trim().to_owned();
    let said = match verdict {
        "approved" => Verdict::Approved,
        "edited" if text.is_empty() => {
            return Err(ApiError::Bad("an edited reply has words".into()));
        }
        "edited" => Verdict::Edited(text.clone()),
        "rejected" => Verdict::Rejected(text.clone()),
        other => {
            return Err(ApiError::Bad(format!(
                "`{other}` is no verdict: approved, edited or rejected"
            )));
        }
    };
    let late = || {
        ApiError::Conflict("this waits no longer: it was too late, or somebody was faster".into())
    };
    let Some(waiting) = console.pilot.take(&id) else {
        // A draft of a human's call.
        let counted = line
            .store
            .decide_review(&id, verdict, &text, &who.name)
            .await
            .map_err(unavailable)?;
        return if counted {
            Ok(json!({ "id": id, "verdict": verdict }))
        } else {
            Err(late())
        };
    };
    let order = Order::Reviewed {
        number: waiting.number,
        verdict: said,
        by: who.name.clone(),
    };
    let call = waiting.review.call_id.clone();
    // The call keeps it, with what came of it: it may have been a moment too late.
    console.pilot.put_back(waiting, &who.name);
    if !line.live.control(&call, Control::Order(order)) {
        return Err(late());
    }
    Ok(json!({ "id": id, "verdict": verdict }))
}

pub(super) fn duty(console: &Console, who: &Who, on: bool) -> Answer {
    console.pilot.duty(&who.name, on);
    Ok(json!({ "on": on, "reviewers": console.pilot.reviewers() }))
}

pub(super) async fn pilot(line: &LineState, console: &Console) -> Answer {
    let since = super::super::clock::now()
        .checked_sub(SignedDuration::from_hours(24 * DAYS))
        .map_or(0, Timestamp::as_millisecond);
    let reviews = line
        .store
        .reviews(false, since, MOST)
        .await
        .map_err(unavailable)?;
    let set = line.store.modes().await.map_err(unavailable)?;
    let rates = report::override_rates(&reviews);
    let (files, desk) = (console.pilot.files(), console.pilot.desk());
    let intents: Vec<Value> = desk
        .intents()
        .map(|intent| {
            let policy = desk.policy(intent);
            let rate = rates.get(intent);
            let good = rate.is_some_and(|r| r["proposed"] == true);
            let next = match policy.mode {
                Mode::Shadow => Some(Mode::Supervised),
                Mode::Supervised => Some(Mode::Autonomous),
                Mode::Human | Mode::Autonomous => None,
            };
            json!({
                "intent": intent,
                "mode": policy.mode,
                "in_file": files.policy(intent).mode,
                "set": set.iter().find(|s| s.intent == intent),
                "floor": policy.floor,
                "risk": policy.risk,
                "high_risk": policy.risk == Risk::High,
                "reviews": rate,
                "proposed": next.filter(|_| good),
            })
        })
        .collect();
    Ok(json!({ "intents": intents, "reviewers": console.pilot.reviewers() }))
}

pub(super) async fn set_mode(
    line: &LineState,
    console: &Console,
    who: &Who,
    intent: String,
    wanted: Option<String>,
    why: String,
) -> Answer {
    let desk = console.pilot.desk();
    if !desk.intents().any(|known| known == intent) {
        return Err(ApiError::NotFound(format!(
            "the desk has no intent {intent}"
        )));
    }
    if let Some(word) = &wanted
        && mode(word).is_none()
    {
        return Err(ApiError::Bad(format!(
            "`{word}` is no mode: human, shadow, supervised or autonomous"
        )));
    }
    if why.trim().is_empty() {
        return Err(ApiError::Bad("say why; it is kept with the change".into()));
    }
    let evidence = evidence(line, &intent).await?;
    let detail = json!({
        "from": desk.policy(&intent).mode, "to": wanted, "why": why.trim(), "evidence": evidence,
    });
    act(line, who, "mode set", &intent, &detail.to_string()).await?;
    line.store
        .set_mode(&intent, wanted.as_deref(), &who.name)
        .await
        .map_err(unavailable)?;
    console
        .pilot
        .refresh(&line.store)
        .await
        .map_err(unavailable)?;
    line.hub.publish("mode", &json!({ "intent": intent }));
    pilot(line, console).await
}

/// What was known of the intent's reviewed replies when its mode was set.
async fn evidence(line: &LineState, intent: &str) -> Answer {
    let reviews = line
        .store
        .reviews(false, 0, MOST)
        .await
        .map_err(unavailable)?;
    Ok(report::override_rates(&reviews)
        .remove(intent)
        .unwrap_or(Value::Null))
}

pub(super) async fn acts(line: &LineState) -> Answer {
    Ok(json!(line.store.acts(500).await.map_err(unavailable)?))
}

/// A call's drafts: shown, kept, and taken back.
impl LineState {
    pub fn review_wanted(
        self: &std::sync::Arc<Self>,
        pilot: &Pilot,
        call: &str,
        draft: &crate::call::Draft,
        veil: &Veil,
    ) {
        let waiting = pilot.wanted(call, draft);
        let mut shown = json!(waiting.review);
        shown["decision"] = waiting.decision.clone();
        shown["left_ms"] = json!(REVIEW_MS);
        self.hub.publish("review", &shown);
        self.keep_review(veil.review(waiting.review));
    }

    pub fn review_over(
        self: &std::sync::Arc<Self>,
        pilot: &Pilot,
        call: &str,
        number: u64,
        verdict: &Verdict,
        veil: &Veil,
    ) {
        if let Some(review) = pilot.over(call, number, verdict) {
            self.metrics
                .count(crate::telemetry::Metric::Reviews, &[&review.verdict]);
            self.hub.publish(
                "review_over",
                &json!({ "id": review.id, "verdict": review.verdict, "by": review.by }),
            );
            self.keep_review(veil.review(review));
        }
    }

    fn keep_review(self: &std::sync::Arc<Self>, review: crate::store::Review) {
        let line = self.clone();
        tokio::spawn(async move {
            if let Err(error) = line.store.put_review(&review).await {
                tracing::error!(call = %review.call_id, %error, "a review could not be stored");
                line.metrics
                    .count(crate::telemetry::Metric::StoreErrors, &[]);
            }
        });
    }
}
