//! A human called through Twilio: asked for by REST, heard over a stream of their own, which finds its leg by token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Shared;
use super::api::ApiError;
use super::link::{Closing, Link};
use super::twiml::{self, After};
use crate::edge::{EndCause, Signal};

/// From the answer to the stream, and for callbacks that are late.
const GRACE: Duration = Duration::from_secs(10);

/// Calls that were asked for and whose streams have not come, by the name in their callbacks' address.
#[derive(Default)]
pub(super) struct Dials(Mutex<HashMap<String, Arc<Link>>>);

impl Dials {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Link>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What Twilio says of one.
    pub fn status(&self, leg: &str, status: &str) {
        let Some(link) = self.lock().get(leg).cloned() else {
            return;
        };
        let (cause, says) = match status {
            "ringing" => return link.signal(Signal::Ringing),
            "busy" => (EndCause::Busy, "busy"),
            "no-answer" => (EndCause::NoAnswer, "no answer"),
            "failed" => (EndCause::Unreachable, "Twilio could not make the call"),
            "canceled" => (EndCause::Cancelled, "cancelled"),
            // The stream's own end says it better, where there is one.
            "completed" if !link.is_attached() => (EndCause::Remote, "hung up at once"),
            _ => return,
        };
        link.end(cause, says);
    }
}

/// Whom to call, and how.
pub(super) struct Order {
    pub number: String,
    pub from: String,
    pub ring: Duration,
    /// By which Twilio knows this listener.
    pub base: String,
}

/// Makes the call and looks after it until its stream takes over, or it comes to nothing.
pub(super) async fn place(shared: Arc<Shared>, link: Arc<Link>, order: Order) {
    let leg = uuid::Uuid::new_v4().simple().to_string();
    shared.dials.lock().insert(leg.clone(), link.clone());
    let token = shared.tickets.human(link.clone(), order.ring);
    let stream = twiml::connect(
        shared.config.names,
        &super::media_url(&order.base),
        &token,
        &After::Hangup,
    );
    let callback = format!("{}/twilio/status?leg={leg}", order.base);
    let form = [
        ("To", order.number),
        ("From", order.from),
        ("Twiml", stream),
        ("Timeout", order.ring.as_secs().to_string()),
        ("StatusCallback", callback),
        ("StatusCallbackMethod", "POST".into()),
        ("StatusCallbackEvent", "ringing".into()),
        ("StatusCallbackEvent", "answered".into()),
        ("StatusCallbackEvent", "completed".into()),
    ];
    match shared.api.call(&form, order.ring).await {
        Ok(sid) => {
            link.set_call_sid(&sid);
            watch(&shared, &link, order.ring).await;
        }
        Err(ApiError::Refused(why)) => {
            link.end(
                EndCause::Unreachable,
                format!("Twilio refused the call: {why}"),
            );
        }
        Err(ApiError::Failed(why)) => {
            link.end(EndCause::Failed, format!("Twilio was not asked: {why}"));
        }
    }
    shared.dials.lock().remove(&leg);
    shared.tickets.revoke(&token);
}

/// From the request to the stream's end; afterwards the call is over at Twilio, too.
async fn watch(shared: &Arc<Shared>, link: &Link, ring: Duration) {
    let late = async {
        tokio::time::sleep(ring + GRACE).await;
        if link.is_attached() {
            // The stream looks after itself from here on, and its end is waited for beside this.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = link.over.cancelled() => {}
        () = async { link.closing.cancelled().await; wait_attached(link).await } => {}
        () = late => {
            link.close(Closing { whole: true, reason: "no answer".into() });
            link.end(EndCause::NoAnswer, "no answer");
        }
    }
    if link.is_attached() {
        return;
    }
    let asked = link.closing();
    // Ended by us before anybody spoke: it must not go on ringing.
    if asked.is_some()
        && let Some(sid) = link.call_sid()
        && let Err(why) = shared.api.complete(&sid).await
    {
        tracing::warn!(call = %sid, "a call that is not wanted any more could not be ended: {why}");
    }
    link.end(EndCause::Ours, asked.map(|c| c.reason).unwrap_or_default());
}

/// With a stream, its own task sees to the end.
async fn wait_attached(link: &Link) {
    if link.is_attached() {
        link.over.cancelled().await;
    }
}
