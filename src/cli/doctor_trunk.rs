//! `firstline doctor`: does every registrar know us?

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::doctor::Findings;
use crate::config::{Config, Transport};
use crate::edge::sip::{Registration, SipEdge};
use crate::runtime::serve::sip_config;

/// How long a registrar may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// Registers as `serve` would, and takes it back. A line that runs is left alone: its log says how it stands.
pub async fn registrations(config: &Config, found: &mut Findings) {
    let wanted = |t: &&crate::config::Trunk| t.register && t.transport != Transport::Tls;
    if !config.trunks.iter().any(|t| wanted(&t)) {
        return;
    }
    let admit = Arc::new(|| Err(30));
    let started = match sip_config(config, admit).await {
        Ok(config) => SipEdge::start(config).await.map_err(|e| e.to_string()),
        Err(why) => Err(why.to_string()),
    };
    let (edge, _calls) = match started {
        Ok(started) => started,
        Err(why) => {
            return found.warn(
                "trunk",
                format!(
                    "registration was not tried ({why}); a line that runs tells of it in its log"
                ),
            );
        }
    };
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until
        && edge
            .registrations()
            .iter()
            .any(|(_, state)| *state == Registration::Trying)
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (name, state) in edge.registrations() {
        match state {
            Registration::Registered => found.ok("trunk", format!("`{name}` took our registration")),
            Registration::Failed(why) => found.fail("trunk", format!("`{name}`: {why}")),
            Registration::Trying => found.fail(
                "trunk",
                format!("`{name}` does not answer: see host, proxy and whether the firewall lets SIP out"),
            ),
        }
    }
    edge.unregister();
    tokio::time::sleep(Duration::from_millis(300)).await;
    edge.stop();
}
