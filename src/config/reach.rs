//! What is wrong only when the whole configuration is looked at: targets that need a trunk, a phone or Twilio, listeners that want the same
//! port, links that lead to this computer alone.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use super::{
    Advertise, Config, Http, PROVIDERS, Phone, Sip, Target, TargetKind, Transport, Trunk, Twilio,
};

/// The provider's API can be asked for calls.
pub(super) fn calls_people(provider: &str) -> bool {
    PROVIDERS.contains(&(provider, true))
}

/// What a call to this target lacks; none: it can be made.
pub(super) fn lacks(
    target: &Target,
    trunks: &[Trunk],
    phones: &[Phone],
    twilio: Option<&Twilio>,
) -> Option<String> {
    let needs = match &target.kind {
        TargetKind::Trunk {
            name: Some(name), ..
        } if !trunks.iter().any(|t| t.name == *name) => {
            format!("names no [[trunk]]; configure one with name = \"{name}\"")
        }
        TargetKind::Trunk { .. } if trunks.is_empty() => {
            "needs a [[trunk]]; configure one or use sip:user@host".into()
        }
        TargetKind::Phone(user) if !phones.iter().any(|p| p.user == *user) => {
            format!("names no [[phone]]; configure one with user = \"{user}\"")
        }
        TargetKind::Twilio(_) => match twilio {
            None => "needs [twilio]; configure it or use sip:user@host".into(),
            Some(t) if !calls_people(&t.provider) => {
                return Some(format!(
                    "target `{}`: people are called over Twilio and SignalWire only; use trunk: or sip:",
                    target.uri()
                ));
            }
            Some(t) if t.caller_id.is_none() => {
                "needs twilio.caller_id, a number of the account that the call comes from".into()
            }
            Some(_) => return None,
        },
        _ => return None,
    };
    Some(format!("target `{}` {needs}", target.uri()))
}

impl Config {
    /// What a call to this target lacks, in a sentence; none: it can be made.
    pub fn lacks(&self, target: &Target) -> Option<String> {
        lacks(target, &self.trunks, &self.phones, self.twilio.as_ref())
    }

    /// Where this line's API is reached, for links to recordings: as configured, else where it listens.
    pub fn recordings_at(&self) -> String {
        if let Some(url) = &self.transfer.recording_url {
            return url.as_str().trim_end_matches('/').to_owned();
        }
        let listen = self.http.listen;
        if !listen.ip().is_unspecified() {
            return format!("http://{listen}");
        }
        // Everywhere is no address: the one that others are told, else the one that faces them.
        let host = match &self.sip.advertise {
            Advertise::Address(ip) => Some(host(*ip)),
            Advertise::Name(name) => Some(name.clone()),
            _ => facing().map(host),
        };
        let host = host.unwrap_or_else(|| "127.0.0.1".into());
        format!("http://{host}:{}", listen.port())
    }

    /// The packet goes to another machine, and its link to the recording leads to this one alone.
    pub fn link_leads_nowhere(&self) -> Option<String> {
        let webhook = self.transfer.webhook.as_ref()?;
        let link = url::Url::parse(&self.recordings_at()).ok()?;
        (!own(webhook) && own(&link)).then(|| {
            format!(
                "packets go to {} and their links to recordings lead to {}, this computer alone; set transfer.recording_url to where others reach the API",
                webhook.host_str().unwrap_or_default(),
                self.recordings_at()
            )
        })
    }

    /// What is configured and will not do what it says, one sentence each: `serve` and `doctor` say them.
    pub fn doubts(&self) -> Vec<String> {
        let nobody_calls = self.trunks.is_empty()
            && self.callback.via == super::Via::Auto
            && self
                .twilio
                .as_ref()
                .is_some_and(|t| t.caller_id.is_none() || !calls_people(&t.provider));
        let callbacks = nobody_calls.then(|| {
            "callbacks that are promised stay in the queue for people: there is no trunk, and over this [twilio] nobody can be called (caller_id is not set, or the provider takes no calls from us); set callback.via = \"off\" if that is meant".to_owned()
        });
        self.link_leads_nowhere()
            .into_iter()
            .chain(callbacks)
            .collect()
    }
}

/// Whether this is an address of this computer that nobody else reaches.
fn own(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => true,
    }
}

fn host(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// The address that faces the network. Connecting a UDP socket sends nothing; it asks the system.
pub fn facing() -> Option<IpAddr> {
    UdpSocket::bind("0.0.0.0:0")
        .and_then(|s| s.connect("192.0.2.1:9").map(|()| s))
        .and_then(|s| s.local_addr())
        .map(|a| a.ip())
        .ok()
}

/// Two listeners on one port, a sentence each.
pub(super) fn clashes(sip: &Sip, http: &Http, twilio: Option<&Twilio>) -> Vec<String> {
    let listeners = sip.listen.iter().map(|l| {
        let udp = l.transport == Transport::Udp;
        (format!("sip.listen {l}"), udp, l.addr)
    });
    let mut all: Vec<(String, bool, SocketAddr)> = listeners.collect();
    all.push((format!("http.listen {}", http.listen), false, http.listen));
    all.extend(twilio.map(|t| (format!("twilio.listen {}", t.listen), false, t.listen)));
    let mut found = Vec::new();
    for (n, (name, udp, addr)) in all.iter().enumerate() {
        // Port 0 is whichever is free.
        let clash = all[..n].iter().find(|(_, other_udp, other)| {
            let same = addr.ip() == other.ip()
                || addr.ip().is_unspecified()
                || other.ip().is_unspecified();
            addr.port() != 0 && udp == other_udp && addr.port() == other.port() && same
        });
        if let Some((first, ..)) = clash {
            found.push(format!(
                "{first} and {name} want the same port; give each its own"
            ));
        }
    }
    found
}
