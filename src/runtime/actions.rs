//! Actions, with the ledger before the back office.
//!
//! A write is claimed (durably, with this node's name and a lease) before it is sent, sent once, and settled after. Where no answer
//! came, the back office is asked what became of it, if the action says how; it is never sent again. What was not found out while
//! the caller waited is found out later by [`super::reconcile`].

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use crate::backoffice::Backoffice;
use crate::desk::action::once::{self, Found};
use crate::desk::{Desk, Outcome, Request, Terms};
use crate::store::{Claim, Intent, OpenClaim, Store, StoreError};

/// Waits before each question what became of a write, while its caller waits.
const ASKS: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_millis(900),
    Duration::from_millis(1800),
];
/// Longest wait for one such answer.
const ASK: Duration = Duration::from_secs(2);
/// Waits for another call's write of the same effect to be answered: so many looks, so far apart.
const LOOKS: u32 = 20;
const LOOK: Duration = Duration::from_millis(250);
/// A write is given up as never arrived no sooner than this after it was claimed, beside the time that its sending may take: what is
/// on its way when a connection is cut arrives in seconds.
const ON_ITS_WAY: Duration = Duration::from_secs(10);

/// The desk's back office; none where it has none. `lenient`: a token that is not set is said and done without.
///
/// # Errors
/// One sentence about an address or a variable.
pub fn backoffice(
    desk: &Desk,
    timeout: Duration,
    lenient: bool,
) -> Result<Option<Backoffice>, String> {
    let Some(config) = &desk.config.backoffice else {
        return Ok(None);
    };
    let variable = |name: &str| std::env::var(name).ok();
    let mut config = config.clone();
    if lenient && let Some(name) = config.auth_env.take_if(|name| variable(name).is_none()) {
        tracing::warn!(
            "{name} is not set, so the back office is asked without a token; set it to the token"
        );
    }
    Backoffice::new(&config, &variable, timeout).map(Some)
}

/// This process among those that share a ledger.
pub fn node() -> &'static str {
    static NODE: OnceLock<String> = OnceLock::new();
    NODE.get_or_init(|| {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = match host.trim() {
            "" => "node",
            host => host,
        };
        format!("{host}/{}/{}", std::process::id(), uuid::Uuid::now_v7())
    })
}

/// How long a claim is its node's: as long as sending it and asking about it may take, and a little.
pub fn lease(backoffice: &Backoffice) -> Duration {
    let asking = ASKS.iter().sum::<Duration>() + ASK * ASKS.len() as u32;
    backoffice.timeout() + asking + Duration::from_secs(5)
}

/// Performs a request; a write goes through the ledger.
///
/// A write that was made before gives its first outcome and is not sent. Neither is one whose effect was asked for in another call and
/// is open, unknown or not told: that one's outcome is found out, and is this one's. Where the ledger cannot be written, nothing is
/// sent: `Failed`. The sending runs to its end even if the caller of this function is dropped (a hang-up must not lose an outcome).
/// Whoever tells the caller says so with [`told`].
pub async fn perform_recorded(
    store: &Store,
    backoffice: &Backoffice,
    call_id: &str,
    request: &Request,
) -> Outcome {
    let Some(key) = request.idempotency_key.clone() else {
        return backoffice.perform(request).await;
    };
    if backoffice.is_dry() {
        return Outcome::DryRun;
    }
    let sent = match &request.tool {
        Some(tool) => {
            json!({ "method": request.method, "path": request.path, "arguments": tool.arguments })
        }
        None => json!({ "method": request.method, "path": request.path, "body": request.body }),
    };
    let (terms, effect) = (
        request.terms.as_deref().cloned().unwrap_or_default(),
        once::effect(request),
    );
    match claim(
        store,
        backoffice,
        call_id,
        request,
        &key,
        &sent,
        &terms,
        effect.as_deref(),
    )
    .await
    {
        Ok(None) => {}
        Ok(Some(outcome)) => return outcome,
        Err(error) => {
            return Outcome::Failed(format!(
                "nothing was sent, because the ledger could not be written: {error}"
            ));
        }
    }
    let (store, backoffice, request) = (store.clone(), backoffice.clone(), request.clone());
    let task = tokio::spawn(async move {
        let mut outcome = backoffice.perform(&request).await;
        if let (Outcome::Unknown(why), Some(ask)) = (&outcome, &terms.ask) {
            outcome = match ask_about(&backoffice, ask, &request.name, &ASKS).await {
                Found::Done(result) => Outcome::Done(result),
                Found::Refused(why) => Outcome::Refused(why),
                // It may be on its way still, so its absence proves nothing yet.
                Found::Absent => {
                    Outcome::Unknown(format!("{why}; it has not arrived there so far"))
                }
                Found::Open(found) => Outcome::Unknown(format!("{why}; {found}")),
            };
        }
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

/// The caller has been given the outcome.
pub async fn told(store: &Store, request: &Request) {
    let Some(key) = &request.idempotency_key else {
        return;
    };
    if let Err(error) = store.told(key).await {
        tracing::warn!(%key, %error, "it could not be noted that the caller was told: asked for again within a day, it would not be done again");
    }
}

/// Claims the key. Some: there is an outcome already, and nothing is to be sent.
#[allow(clippy::too_many_arguments)]
async fn claim(
    store: &Store,
    backoffice: &Backoffice,
    call_id: &str,
    request: &Request,
    key: &str,
    sent: &Value,
    terms: &Terms,
    effect: Option<&str>,
) -> Result<Option<Outcome>, StoreError> {
    let intent = Intent {
        key,
        call_id,
        action: &request.name,
        request: sent,
        node: node(),
        lease: lease(backoffice),
        terms,
        effect,
    };
    // Each time round an earlier claim of the same effect is settled, so this ends; a bound all the same.
    for _ in 0..4 {
        match store.claim(&intent).await? {
            Claim::New => return Ok(None),
            Claim::Exists {
                request: earlier, ..
            } if earlier != *sent => {
                return Ok(Some(Outcome::Refused(
                    "this idempotency key was used for another request; nothing was sent".into(),
                )));
            }
            Claim::Exists {
                outcome: Some(outcome),
                ..
            } => return Ok(Some(outcome)),
            Claim::Exists { outcome: None, .. } => {
                return Ok(Some(Outcome::Unknown(
                    "this write was begun before and its outcome was never learnt; it was not sent again"
                        .into(),
                )));
            }
            Claim::Limited => return Ok(Some(Outcome::Limited)),
            Claim::Earlier(earlier) => {
                if let Some(outcome) = earlier_outcome(store, backoffice, &earlier).await? {
                    return Ok(Some(outcome));
                }
            }
        }
    }
    Ok(Some(Outcome::Failed(
        "nothing was sent: the same was being sent from several calls at once".into(),
    )))
}

/// The outcome of an earlier write of the same effect. None: it was not done, and is settled as that.
async fn earlier_outcome(
    store: &Store,
    backoffice: &Backoffice,
    earlier: &OpenClaim,
) -> Result<Option<Outcome>, StoreError> {
    let mut outcome = earlier.outcome.clone();
    if outcome.is_none() && earlier.leased {
        // Somebody is at work on it now: another call of the same customer.
        for _ in 0..LOOKS {
            tokio::time::sleep(LOOK).await;
            outcome = store.outcome(&earlier.key).await?.flatten();
            if outcome.is_some() {
                break;
            }
        }
    }
    if !matches!(outcome, Some(Outcome::Done(_))) {
        outcome = Some(find_out(store, backoffice, earlier, &ASKS[..1]).await?);
    }
    match outcome {
        Some(Outcome::Done(result)) => {
            store.told(&earlier.key).await?;
            Ok(Some(Outcome::Before(result)))
        }
        Some(Outcome::Unknown(why)) => Ok(Some(Outcome::Unknown(format!(
            "the same was begun in call {} and it is not known whether it went through, so it was not sent again: {why}",
            earlier.call_id
        )))),
        _ => Ok(None),
    }
}

/// Finds out what became of a claim by asking, and settles it. `Unknown` where that cannot be found out (yet).
pub(super) async fn find_out(
    store: &Store,
    backoffice: &Backoffice,
    claim: &OpenClaim,
    waits: &[Duration],
) -> Result<Outcome, StoreError> {
    let found = match &claim.ask {
        Some(ask) => ask_about(backoffice, ask, &claim.action, waits).await,
        None => Found::Open(
            "the action names no `reconcile`, so nobody can be asked what became of it".into(),
        ),
    };
    let old_enough = claim.age_ms >= (lease(backoffice) + ON_ITS_WAY).as_millis() as u64;
    let outcome = match found {
        Found::Done(result) => Outcome::Done(result),
        Found::Refused(why) => Outcome::Refused(why),
        Found::Absent if old_enough => Outcome::Failed("the back office never received it".into()),
        Found::Absent => Outcome::Unknown("it has not arrived there so far".into()),
        Found::Open(why) => Outcome::Unknown(why),
    };
    settle(store, &claim.key, &outcome).await?;
    Ok(outcome)
}

/// Asks until there is an answer, after each of the waits.
async fn ask_about(
    backoffice: &Backoffice,
    ask: &crate::desk::Ask,
    action: &str,
    waits: &[Duration],
) -> Found {
    let question = ask.request(&format!("{action}: what became of it"));
    let mut found = Found::Open("nobody was asked".into());
    for wait in waits {
        tokio::time::sleep(*wait).await;
        let answer = tokio::time::timeout(ASK, backoffice.perform(&question))
            .await
            .unwrap_or_else(|_| Outcome::Unknown("no answer in time".into()));
        found = ask.read(answer);
        if matches!(found, Found::Done(_) | Found::Refused(_)) {
            break;
        }
    }
    found
}

/// A busy database is tried again: losing an outcome costs a person's time later.
async fn settle(store: &Store, key: &str, outcome: &Outcome) -> Result<bool, StoreError> {
    for _ in 0..3 {
        match store.settle(key, outcome).await {
            Err(StoreError::Busy(_)) => {}
            done => return done,
        }
    }
    store.settle(key, outcome).await
}
