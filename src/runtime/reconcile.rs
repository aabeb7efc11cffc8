//! What a crash or a silent back office left open: found out by asking, settled, and put before a human where it cannot be.
//!
//! Every node of a ledger looks: at start, and every few seconds. A claim whose lease is over belongs to nobody, whoever made it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::backoffice::Backoffice;
use crate::desk::{ActionStatus, CallbackRequest, Handoff, Outcome};
use crate::store::{OpenClaim, Store, StoreError};
use crate::telemetry::{Metric, Metrics};

use super::actions;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);
/// First wait before an unknown write is asked about again; doubled each time.
const AGAIN: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(3600);
/// One question at a time here: nobody waits.
const NOW: [Duration; 1] = [Duration::ZERO];

/// Looks until it is cancelled.
pub async fn run(
    store: Store,
    backoffice: Option<Backoffice>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    loop {
        match sweep(&store, backoffice.as_ref()).await {
            Ok(settled) => {
                for (claim, outcome) in settled {
                    let status = match outcome {
                        Outcome::Done(_) => "done",
                        Outcome::Unknown(_) => "unknown",
                        _ => "failed",
                    };
                    metrics.count(Metric::Reconciled, &[&claim.action, status]);
                }
            }
            Err(error) => {
                tracing::error!(%error, "open writes could not be looked at");
                metrics.count(Metric::StoreErrors, &[]);
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// One look: what was found out.
pub async fn sweep(
    store: &Store,
    backoffice: Option<&Backoffice>,
) -> Result<Vec<(OpenClaim, Outcome)>, StoreError> {
    let mut settled = Vec::new();
    let lease = backoffice.map_or(AGAIN, actions::lease);
    for claim in store.take_over(actions::node(), lease).await? {
        let outcome = match backoffice {
            Some(backoffice) => actions::find_out(store, backoffice, &claim, &NOW).await?,
            None => {
                let outcome = Outcome::Unknown("this desk has no back office to ask".into());
                store.settle(&claim.key, &outcome).await?;
                outcome
            }
        };
        // Left open: the line went down under its caller, who is still owed an answer.
        let was_open = claim.outcome.is_none();
        match &outcome {
            Outcome::Unknown(why) => {
                let wait = AGAIN.saturating_mul(1 << claim.asked.min(7)).min(LONGEST);
                store.lease(&claim.key, wait).await?;
                if was_open {
                    tracing::error!(key = %claim.key, call = %claim.call_id, action = %claim.action, "this write was begun, and it is not known whether it went through ({why}); it is not sent again");
                }
            }
            found => {
                tracing::info!(key = %claim.key, call = %claim.call_id, action = %claim.action, ?found, "it was found out what became of a write");
            }
        }
        amend(store, &claim, &outcome).await?;
        if was_open {
            owe(store, &claim, &outcome).await?;
        }
        settled.push((claim, outcome));
    }
    Ok(settled)
}

/// The record of the call says how it went.
async fn amend(store: &Store, claim: &OpenClaim, outcome: &Outcome) -> Result<(), StoreError> {
    let Some(mut record) = store.call(&claim.call_id).await? else {
        return Ok(());
    };
    let Some(action) = record
        .actions
        .iter_mut()
        .find(|action| action.idempotency_key.as_deref() == Some(claim.key.as_str()))
    else {
        return Ok(());
    };
    let (status, result) = match outcome {
        Outcome::Done(result) => (ActionStatus::Done, result.clone()),
        Outcome::Unknown(why) => (ActionStatus::Unknown, why.clone().into()),
        Outcome::Refused(why) | Outcome::Failed(why) => (ActionStatus::Failed, why.clone().into()),
        _ => (ActionStatus::Failed, serde_json::Value::Null),
    };
    if (action.status, &action.result) == (status, &result) {
        return Ok(());
    }
    (action.status, action.result) = (status, result);
    store.save_call(&record).await
}

/// A caller who said yes and was cut off hears of it from a human, unless it was done: then there is nothing to put right.
async fn owe(store: &Store, claim: &OpenClaim, outcome: &Outcome) -> Result<(), StoreError> {
    let (reason, told) = match outcome {
        Outcome::Done(_) => return Ok(()),
        Outcome::Unknown(_) => (
            "action_unknown",
            "and it is not known whether it went through",
        ),
        _ => ("action_failed", "and it was not done"),
    };
    let what = claim.action.replace('_', " ");
    let Some(number) = claim.caller.clone() else {
        tracing::error!(key = %claim.key, call = %claim.call_id, "the line went down after a caller had agreed to: {what}, {told}; there is no number to call them back at");
        return Ok(());
    };
    let summary = format!(
        "The caller had agreed to: {what}. The line went down before they could be told how it went, {told}."
    );
    let handoff = Handoff {
        reason: reason.into(),
        spoken_brief: summary.clone(),
        summary,
        open_question: format!("whether this still has to be done: {what}"),
        result: "callback".into(),
        ..Handoff::default()
    };
    let callback = CallbackRequest {
        number,
        when: None,
        reason: reason.into(),
        handoff,
    };
    store.add_callback(&claim.call_id, &callback).await?;
    Ok(())
}
