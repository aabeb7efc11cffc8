//! `firstline doctor`: whom callers are handed to, and what is sent along.

use std::net::ToSocketAddrs;

use super::doctor::Findings;
use crate::config::{Config, TargetKind};
use crate::desk::DeskSource;

pub fn transfer(config: &Config, found: &mut Findings) {
    if config.transfer.targets.is_empty() {
        found.warn(
            "transfer",
            "no target is configured: callers who need a human are promised a callback",
        );
    }
    for target in &config.transfer.targets {
        if let TargetKind::Sip(uri) = &target.kind {
            let host = uri
                .split(';')
                .next()
                .unwrap_or("")
                .rsplit(['@'])
                .next()
                .unwrap_or("")
                .trim_start_matches("sip:")
                .trim_start_matches("sips:");
            let known = host.to_socket_addrs().is_ok_and(|mut a| a.next().is_some())
                || (host, 5060)
                    .to_socket_addrs()
                    .is_ok_and(|mut a| a.next().is_some());
            if known {
                found.ok("transfer", format!("{uri} can be dialled"));
            } else {
                found.fail(
                    "transfer",
                    format!("{uri}: its host is not known; correct it in transfer.targets"),
                );
            }
        }
    }
    if config.transfer.webhook.is_some() && config.transfer.webhook_secret.is_none() {
        found.warn("webhook", "packets are sent unsigned; set transfer.webhook_secret_env so that the receiver can tell them from others");
    }
}

/// The desk's queues, as this line would ring them.
pub fn queues(config: &Config, desk: &DeskSource, found: &mut Findings) {
    match crate::runtime::queues::read(&desk.config, config) {
        Err(why) => found.fail("queues", why),
        Ok(queues) if queues.is_empty() => {}
        Ok(queues) => {
            let people: usize = queues.values().map(|q| q.targets().len()).sum();
            found.ok(
                "queues",
                format!("{} with {people} targets can be rung", queues.len()),
            );
        }
    }
    let intents = desk.examples.iter().filter_map(|e| e.intent.as_deref());
    for doubt in crate::runtime::queues::doubts(&desk.config, intents) {
        found.warn("queues", doubt);
    }
}
