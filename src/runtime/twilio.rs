//! The Twilio listener as the configuration and the desk have it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::config::{Config, TargetKind};
use crate::desk::Desk;
use crate::edge::sip::Admit;
use crate::edge::twilio::{
    Awaited, Dial, IncomingStream, Standing, Together, TwilioConfig, TwilioEdge, Words,
};
use crate::store::{Store, is_postgres};

/// Connections besides two for each call: webhooks, and what the internet tries.
const SPARE: usize = 128;

/// Calls that come over it; none come where there is no listener.
pub struct Incoming(Option<mpsc::Receiver<IncomingStream>>);

impl Incoming {
    /// The next call.
    pub async fn next(&mut self) -> Option<IncomingStream> {
        match &mut self.0 {
            Some(calls) => calls.recv().await,
            None => std::future::pending().await,
        }
    }
}

/// Starts the listener, if there is to be one.
///
/// # Errors
/// One sentence: what is wrong, and what to do.
pub async fn start(
    config: &Config,
    desk: &Desk,
    calls: usize,
    admit: Admit,
    store: &Store,
) -> anyhow::Result<(Option<TwilioEdge>, Incoming)> {
    let Some(twilio) = &config.twilio else {
        return Ok((None, Incoming(None)));
    };
    let overflow = desk
        .config
        .escalation
        .overflow
        .as_deref()
        .and_then(Dial::of);
    let names =
        crate::wire::providers::named(&twilio.provider).unwrap_or(&crate::wire::providers::TWILIO);
    // Whom Twilio can reach without us: the overflow number, else the first human who is not on a private network.
    let human = || {
        config.transfer.targets.iter().find_map(|t| match &t.kind {
            TargetKind::Sip(uri) => Dial::of(uri),
            TargetKind::Trunk { number, .. } | TargetKind::Twilio(number) => Dial::of(number),
            TargetKind::Phone(_) => None,
        })
    };
    let mut words = Words::default();
    for (slot, key) in [
        (&mut words.full, "line_full"),
        (&mut words.broken, "line_broken"),
    ] {
        if let Some(own) = desk.phrases.get(key) {
            *slot = own.to_owned();
        }
    }
    let started = TwilioEdge::start(TwilioConfig {
        names,
        conference: twilio.conference,
        listen: twilio.listen,
        account_sid: twilio.account_sid.clone(),
        auth_token: twilio.auth_token.reveal().to_owned(),
        caller_id: twilio.caller_id.clone(),
        public_url: twilio.public_url.as_ref().map(ToString::to_string),
        node_url: twilio.node_url.as_ref().map(ToString::to_string),
        // A database of one machine's own has nothing to tell it.
        together: is_postgres(&config.storage.url)
            .then(|| Arc::new(Machines(store.clone())) as Arc<dyn Together>),
        api_url: twilio.api_url.clone(),
        admit,
        fallback: overflow.clone().or_else(human),
        overflow,
        words,
        connections: calls.saturating_mul(2) + SPARE,
    })
    .await;
    let (edge, calls) = started.map_err(anyhow::Error::msg)?;
    Ok((Some(edge), Incoming(Some(calls))))
}

/// What the machines know together, in the database that they share.
pub struct Machines(pub Store);

/// Who is calling, as one machine leaves it for another.
#[derive(serde::Serialize, serde::Deserialize)]
struct Caller {
    from: Option<String>,
    to: Option<String>,
    vouched: bool,
}

impl Together for Machines {
    fn issued<'a>(
        &'a self,
        digest: &'a str,
        awaited: &'a Awaited,
        valid: Duration,
    ) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let caller = Caller {
                from: awaited.from.clone(),
                to: awaited.to.clone(),
                vouched: awaited.vouched,
            };
            let caller = serde_json::to_string(&caller).map_err(|e| e.to_string())?;
            let told = self
                .0
                .stream_awaited(&awaited.call_sid, digest, &caller, valid);
            told.await.map_err(|e| e.to_string())
        })
    }

    fn taken<'a>(
        &'a self,
        digest: &'a str,
        call_sid: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<Awaited>, String>> {
        Box::pin(async move {
            let taken = self.0.stream_taken(digest, call_sid).await;
            let Some((call_sid, caller)) = taken.map_err(|e| e.to_string())? else {
                return Ok(None);
            };
            let caller: Caller = serde_json::from_str(&caller).map_err(|e| e.to_string())?;
            Ok(Some(Awaited {
                call_sid,
                from: caller.from,
                to: caller.to,
                vouched: caller.vouched,
            }))
        })
    }

    fn ended<'a>(&'a self, call_sid: &'a str, finished: bool) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let ended = self.0.stream_ended(call_sid, finished).await;
            ended.map_err(|e| e.to_string())
        })
    }

    fn standing<'a>(&'a self, call_sid: &'a str) -> BoxFuture<'a, Result<Standing, String>> {
        Box::pin(async move {
            let state = self.0.stream_state(call_sid).await;
            Ok(match state.map_err(|e| e.to_string())?.as_deref() {
                Some("up") => Standing::Streaming,
                Some("ended") => Standing::Finished,
                _ => Standing::Unknown,
            })
        })
    }

    fn waiting(&self) -> BoxFuture<'_, Result<Vec<String>, String>> {
        Box::pin(async move { self.0.streams_awaited().await.map_err(|e| e.to_string()) })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::PROVIDERS;
    use crate::wire::providers::ALL;

    #[test]
    fn every_provider_that_can_be_named_is_known() {
        assert_eq!(ALL.map(|n| (n.provider, n.rest)), PROVIDERS);
    }
}
