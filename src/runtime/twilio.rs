//! The Twilio listener as the configuration and the desk have it.

use tokio::sync::mpsc;

use crate::config::{Config, TargetKind};
use crate::desk::Desk;
use crate::edge::sip::Admit;
use crate::edge::twilio::{Dial, IncomingStream, TwilioConfig, TwilioEdge, Words};

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
            TargetKind::Trunk(number) | TargetKind::Twilio(number) => Dial::of(number),
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

#[cfg(test)]
mod tests {
    use crate::config::PROVIDERS;
    use crate::wire::providers::ALL;

    #[test]
    fn every_provider_that_can_be_named_is_known() {
        assert_eq!(ALL.map(|n| (n.provider, n.rest)), PROVIDERS);
    }
}
