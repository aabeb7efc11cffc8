//! Actions, with the ledger before the back office.

use serde_json::json;

use crate::backoffice::HttpBackoffice;
use crate::desk::{Outcome, Request};
use crate::store::{Claim, Store, StoreError};

/// Performs a request with its write in the ledger first: claimed (durably) before it is sent, settled after.
///
/// A write that was made before gives its first outcome and is not sent. One that was claimed and never settled may have been sent:
/// `Unknown`. Where the ledger cannot be written, nothing is sent: `Failed`. The sending runs to its end even if the caller of this
/// function is dropped (a hang-up must not lose an outcome).
pub async fn perform_recorded(
    store: &Store,
    backoffice: &HttpBackoffice,
    call_id: &str,
    request: &Request,
) -> Outcome {
    let Some(key) = request.idempotency_key.clone() else {
        return backoffice.perform(request).await;
    };
    let sent = json!({ "method": request.method, "path": request.path, "body": request.body });
    match store.claim(&key, call_id, &request.name, &sent).await {
        Ok(Claim::New) => {}
        Ok(Claim::Exists {
            request: earlier, ..
        }) if earlier != sent => {
            return Outcome::Refused(
                "this idempotency key was used for another request; nothing was sent".into(),
            );
        }
        Ok(Claim::Exists {
            outcome: Some(outcome),
            ..
        }) => return outcome,
        Ok(Claim::Exists { outcome: None, .. }) => {
            return Outcome::Unknown("this write was begun before and its outcome was never learnt; it was not sent again".into());
        }
        Err(error) => {
            return Outcome::Failed(format!(
                "nothing was sent, because the ledger could not be written: {error}"
            ));
        }
    }
    let (store, backoffice, request) = (store.clone(), backoffice.clone(), request.clone());
    let task = tokio::spawn(async move {
        let outcome = backoffice.perform(&request).await;
        if let Err(error) = settle(&store, &key, &outcome).await {
            // The claim stays open, so that the write is never sent again; the outcome is still told to this caller.
            tracing::error!(%key, %error, "an action's outcome could not be written to the ledger");
        }
        outcome
    });
    task.await.unwrap_or_else(|_| {
        Outcome::Unknown("the action was interrupted inside this program".into())
    })
}

/// A busy database is tried again: losing an outcome costs a person's time later.
async fn settle(store: &Store, key: &str, outcome: &Outcome) -> Result<(), StoreError> {
    for _ in 0..3 {
        match store.settle(key, outcome).await {
            Err(StoreError::Busy(_)) => {}
            done => return done,
        }
    }
    store.settle(key, outcome).await
}
