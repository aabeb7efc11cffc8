//! Carriers and PBXs that we are a customer of: staying registered with them (RFC 3261, section 10), and calling through them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::signalling::lookup;
use super::stack::Attempt;
use super::uri::host_port;
use super::{Shared, SipEdge, SipUri};

/// Seconds a registration is asked for; the registrar may grant less. Refreshed at three quarters.
const EXPIRES: u32 = 300;
/// How long a goodbye to the registrar may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// One trunk, as configured.
#[derive(Clone)]
pub struct Trunk {
    pub name: String,
    pub host: String,
    pub port: Option<u16>,
    pub tcp: bool,
    /// Digest user and password (RFC 8760); none where the trunk knows us by our address.
    pub account: Option<Account>,
    /// Where packets go, when not to `host`: `name` or `name:port`.
    pub proxy: Option<String>,
    pub register: bool,
    /// E.164: who calls when we call.
    pub caller_id: Option<String>,
}

/// Digest credentials.
#[derive(Clone)]
pub struct Account {
    pub user: String,
    pub password: String,
}

/// How a registration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// Asked for, not yet answered.
    Trying,
    Registered,
    /// The sentence says why, with the status where there was one. It is tried again, after 1 s, 2 s, up to 60 s.
    Failed(String),
}

impl Trunk {
    /// The trunk's own address with this user.
    pub(super) fn uri(&self, user: Option<&str>) -> SipUri {
        SipUri::new(user, self.host.clone(), self.port, self.tcp)
    }

    /// Where its packets go, when that is not what its name says.
    pub(super) async fn destination(&self) -> Result<Option<SocketAddr>, String> {
        let Some(proxy) = &self.proxy else {
            return Ok(None);
        };
        let (host, port) = host_port(proxy)
            .map_err(|why| format!("trunk `{}`: proxy `{proxy}`: {why}", self.name))?;
        lookup(&host, port.unwrap_or(5060)).await.map(Some)
    }

    /// Addresses that its calls may come from, as far as names say.
    pub async fn addresses(&self) -> Vec<std::net::IpAddr> {
        let port = self.port.unwrap_or(5060);
        let mut found = Vec::new();
        if let Ok(addrs) = tokio::net::lookup_host((self.host.as_str(), port)).await {
            found.extend(addrs.map(|a| a.ip()));
        }
        if let Ok(Some(proxy)) = self.destination().await {
            found.push(proxy.ip());
        }
        found
    }
}

impl SipEdge {
    /// How each trunk that is registered with stands, by name.
    pub fn registrations(&self) -> Vec<(String, Registration)> {
        let states = self.shared.lock_registrations();
        states
            .iter()
            .map(|(name, state)| (name.clone(), state.clone()))
            .collect()
    }
}

/// Registers with every trunk that wants it, and stays registered until `stop`.
pub(super) fn keep_registered(shared: &Arc<Shared>, stop: &CancellationToken) {
    for trunk in shared.config.trunks.iter().filter(|t| t.register) {
        let Some(account) = trunk.account.clone() else {
            continue;
        };
        shared
            .lock_registrations()
            .insert(trunk.name.clone(), Registration::Trying);
        let (weak, trunk, stop) = (Arc::downgrade(shared), trunk.clone(), stop.clone());
        tokio::spawn(async move {
            let port = trunk.port.unwrap_or(5060);
            // A name that cannot be looked up yet is looked up again: the line may start before its network does.
            let (peer, proxy) = loop {
                let found = match trunk.destination().await {
                    Ok(Some(proxy)) => Ok((proxy, Some(proxy))),
                    Ok(None) => lookup(&trunk.host, port).await.map(|peer| (peer, None)),
                    Err(why) => Err(why),
                };
                match found {
                    Ok(found) => break found,
                    Err(why) => {
                        let Some(shared) = weak.upgrade() else { return };
                        shared.registration(&trunk.name, Registration::Failed(why));
                    }
                }
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(10)) => {}
                    () = stop.cancelled() => return,
                }
            };
            let Some(shared) = weak.upgrade() else { return };
            let contact = shared.contact(Some(&account.user), peer, trunk.tcp);
            let tell = {
                let (weak, name) = (Arc::downgrade(&shared), trunk.name.clone());
                move |attempt: Attempt| {
                    let Some(shared) = weak.upgrade() else { return };
                    shared.registration(
                        &name,
                        match attempt {
                            Attempt::Registered => Registration::Registered,
                            Attempt::Refused(status) => Registration::Failed(format!(
                                "the registrar answered {status}: see user and password_env"
                            )),
                            Attempt::Failed(why) => {
                                Registration::Failed(format!("the registrar did not answer: {why}"))
                            }
                        },
                    );
                }
            };
            let registrar = trunk.uri(None);
            let made = shared
                .stack
                .registration(&registrar, proxy, &account, &contact);
            drop(shared);
            match made {
                Ok(registration) => registration.keep(EXPIRES, GOODBYE, stop, tell).await,
                Err(why) => {
                    if let Some(shared) = weak.upgrade() {
                        shared.registration(&trunk.name, Registration::Failed(why));
                    }
                }
            }
        });
    }
}

impl Shared {
    fn registration(&self, trunk: &str, state: Registration) {
        let before = self
            .lock_registrations()
            .insert(trunk.to_owned(), state.clone());
        if before.as_ref() == Some(&state) {
            return;
        }
        match &state {
            Registration::Registered => tracing::info!(trunk, "registered"),
            Registration::Failed(why) => tracing::warn!(trunk, "not registered: {why}"),
            Registration::Trying => {}
        }
    }
}
