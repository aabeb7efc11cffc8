//! What the listeners of several machines know together: a webhook answered by one, the stream that follows it and the question after
//! that may each come to another. Each call's place is where its stream is.
//!
//! The database that the machines share may be gone: then each knows what it did itself, which is enough wherever a stream comes to the
//! machine that told the token.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::Shared;
use super::tickets::{Caller, Purpose, Refused};

/// Whoever waits here is Twilio, and behind it a caller.
const WAIT: Duration = Duration::from_millis(1_500);

/// A caller's stream that is awaited, by whichever machine it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    pub call_sid: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub vouched: bool,
}

/// How a call stands, wherever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Unknown,
    /// Its stream is up, as far as is known: a machine that dies does not say so.
    Streaming,
    /// We have ended it.
    Finished,
}

/// Implemented by the runtime over the store. Errors are sentences for the log.
pub trait Together: Send + Sync + 'static {
    /// The token with this digest opens the call's stream once, within `valid`; an earlier one of the same call does not any more.
    fn issued<'a>(
        &'a self,
        digest: &'a str,
        awaited: &'a Awaited,
        valid: Duration,
    ) -> BoxFuture<'a, Result<(), String>>;
    /// Uses a token up; none where it is not known, was used, has expired, or is another call's than `call_sid`.
    fn taken<'a>(
        &'a self,
        digest: &'a str,
        call_sid: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<Awaited>, String>>;
    /// A call's stream is over. `finished`: so is the call, by our doing.
    fn ended<'a>(&'a self, call_sid: &'a str, finished: bool) -> BoxFuture<'a, Result<(), String>>;
    fn standing<'a>(&'a self, call_sid: &'a str) -> BoxFuture<'a, Result<Standing, String>>;
    /// Digests of tokens of this machine that nobody has used yet.
    fn waiting(&self) -> BoxFuture<'_, Result<Vec<String>, String>>;
}

impl Shared {
    /// Asks the others; what they do not say in time is not waited for.
    async fn asked<T>(
        &self,
        what: &str,
        ask: impl for<'a> FnOnce(&'a dyn Together) -> BoxFuture<'a, Result<T, String>>,
    ) -> Option<T> {
        let together = self.config.together.as_deref()?;
        let why = match tokio::time::timeout(WAIT, ask(together)).await {
            Ok(Ok(done)) => return Some(done),
            Ok(Err(why)) => why,
            Err(_) => "it took too long".into(),
        };
        self.refusals
            .say(|| format!("the other machines could not be asked {what}: {why}"));
        None
    }

    /// A call that another machine has, or had. `again`: Twilio asks because a stream of this call has ended.
    pub(super) async fn elsewhere(&self, call_sid: &str, again: bool) -> Option<Refused> {
        let sid = call_sid.to_owned();
        let standing = self
            .asked("about a call", move |t| {
                Box::pin(async move { t.standing(&sid).await })
            })
            .await?;
        match standing {
            Standing::Finished => Some(Refused::Finished),
            Standing::Streaming if !again => Some(Refused::Streaming),
            Standing::Streaming | Standing::Unknown => None,
        }
    }

    /// Makes a token known to the others.
    pub(super) async fn tell(&self, token: &str, awaited: Awaited) {
        let digest = super::tickets::hex(token);
        let key = digest.clone();
        let told = self
            .asked("to let a stream in", move |t| {
                Box::pin(async move { t.issued(&key, &awaited, super::tickets::VALID).await })
            })
            .await;
        if told.is_some() {
            self.tickets.told(&digest);
        }
    }

    /// Lets a stream in, once, whichever machine told its token.
    pub(super) async fn let_in(
        &self,
        token: &str,
        call_sid: &str,
    ) -> Result<(Purpose, Option<String>), &'static str> {
        let same_id = self.config.names.same_call_id;
        let own = self.tickets.take(token, call_sid, same_id);
        // A human's stream is awaited here and nowhere else.
        if matches!(own, Ok((Purpose::Human(_), _))) || self.config.together.is_none() {
            return own;
        }
        if own.is_err() && same_id && call_sid.is_empty() {
            return own;
        }
        let (digest, sid) = (super::tickets::hex(token), call_sid.to_owned());
        let taken = self
            .asked("whether a token was used", move |t| {
                Box::pin(async move { t.taken(&digest, same_id.then_some(sid.as_str())).await })
            })
            .await;
        match (own, taken) {
            // They cannot be asked: what this machine knows counts.
            (own, None) => own,
            (Ok(own), Some(Some(_))) => Ok(own),
            (Ok((_, known)), Some(None)) => {
                let sid = known.as_deref().unwrap_or(call_sid);
                self.tickets.ended(sid, None, false);
                Err("the token was used at another machine")
            }
            (Err(why), Some(None)) => Err(why),
            (Err(_), Some(Some(awaited))) => {
                let permit = match (self.config.admit)() {
                    Ok(permit) => permit,
                    Err(_) => {
                        self.over(&awaited.call_sid, false).await;
                        return Err("the stream came to a machine that has no room for its call");
                    }
                };
                let known = (!same_id).then(|| awaited.call_sid.clone());
                self.tickets.streams(known.as_deref().unwrap_or(call_sid));
                let caller = Caller {
                    from: awaited.from,
                    to: awaited.to,
                    vouched: awaited.vouched,
                    permit,
                };
                Ok((Purpose::Caller(caller), known))
            }
        }
    }

    /// Tells the others that a caller's stream is over.
    pub(super) async fn over(&self, call_sid: &str, finished: bool) {
        let sid = call_sid.to_owned();
        self.asked("to note the end of a stream", move |t| {
            Box::pin(async move { t.ended(&sid, finished).await })
        })
        .await;
    }

    /// Gives back the places of callers whose streams went to another machine.
    pub(super) async fn sweep(&self) {
        self.tickets.sweep();
        let told = self.tickets.all_told();
        if told.is_empty() {
            return;
        }
        let waiting = self.asked("which streams have come", |t| t.waiting()).await;
        if let Some(waiting) = waiting {
            self.tickets.went(&told, &waiting);
        }
    }
}
