//! Carriers and PBXs that we are a customer of: staying registered with them (RFC 3261, section 10), and calling through them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::signalling::lookup;
use super::stack::{Attempt, Binding};
use super::uri::host_port;
use super::{Net, Shared, SipEdge, SipUri, Transport};

/// Seconds a registration is asked for; the registrar may grant less. Refreshed at three quarters.
const EXPIRES: u32 = 300;
/// How long a goodbye to the registrar may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// Longest wait between two attempts that failed.
const MOST_WAIT: Duration = Duration::from_secs(60);

/// One trunk, as configured.
#[derive(Clone)]
pub struct Trunk {
    pub name: String,
    pub host: String,
    pub port: Option<u16>,
    pub transport: Transport,
    /// Digest user and password (RFC 8760); none where the trunk knows us by our address.
    pub account: Option<Account>,
    /// Where packets go, when not to `host`: `name` or `name:port`.
    pub proxy: Option<String>,
    pub register: bool,
    /// E.164: who calls when we call.
    pub caller_id: Option<String>,
    /// Its word on the caller's number is good.
    pub vouched: bool,
    /// Its calls come from wherever its name leads; false where the configuration says from which addresses.
    pub by_name: bool,
}

/// How often names are looked up again: carriers move.
const LOOK_UP: Duration = Duration::from_secs(60);

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
        SipUri::new(user, self.host.clone(), self.port, self.transport)
    }

    /// Where its packets go, when that is not what its name says.
    pub(super) async fn destination(&self) -> Result<Option<SocketAddr>, String> {
        let Some(proxy) = &self.proxy else {
            return Ok(None);
        };
        let (host, port) = host_port(proxy)
            .map_err(|why| format!("trunk `{}`: proxy `{proxy}`: {why}", self.name))?;
        lookup(&host, port.unwrap_or(self.usual_port()))
            .await
            .map(Some)
    }

    /// Whom the certificate at the other end of a connection must name: whoever the connection is made to (RFC 5922 section 4). A proxy
    /// that is named by its address alone is the carrier's own door, and shows the carrier's name.
    pub(super) fn certified_name(&self) -> String {
        let proxy = self.proxy.as_ref().and_then(|p| host_port(p).ok());
        proxy
            .map(|(host, _)| host)
            .filter(|host| {
                host.trim_matches(['[', ']'])
                    .parse::<std::net::IpAddr>()
                    .is_err()
            })
            .unwrap_or_else(|| self.host.clone())
    }

    fn usual_port(&self) -> u16 {
        self.uri(None).usual_port()
    }

    /// Where its packets go, and whether that is another place than its name says.
    async fn place(&self, shared: &Shared) -> Result<(SocketAddr, bool), String> {
        if let Some(proxy) = self.destination().await? {
            return Ok((proxy, true));
        }
        let uri = self.uri(None);
        match (uri.literal(), self.port) {
            (Some(addr), _) => Ok((addr, false)),
            (None, Some(port)) => Ok((lookup(&self.host, port).await?, false)),
            (None, None) => Ok((shared.stack.locate(&uri).await?, false)),
        }
    }

    /// Addresses that its calls may come from, as far as names say: SRV records and what they name, and the name itself.
    pub async fn addresses(&self) -> Vec<std::net::IpAddr> {
        let port = self.port.unwrap_or(self.usual_port());
        let mut found = Vec::new();
        // The system knows names that DNS does not, and the other way round.
        let system = tokio::net::lookup_host((self.host.as_str(), port));
        let dns = async {
            match self.uri(None).literal().is_none() && self.host.contains('.') {
                true => super::stack::all_addresses(&self.host, self.port, self.transport).await,
                false => Vec::new(),
            }
        };
        let (dns, system) = tokio::join!(dns, system);
        found.extend(dns);
        if let Ok(addrs) = system {
            found.extend(addrs.map(|a| a.ip()));
        }
        if let Ok(Some(proxy)) = self.destination().await {
            found.push(proxy.ip());
        }
        found.sort();
        found.dedup();
        found
    }
}

impl Shared {
    /// Which trunk a number goes through, and the number: `carrier:+15550100` names one; else it is the first that is not known to be
    /// down.
    ///
    /// # Errors
    /// A sentence: there is no trunk, or none of that name.
    pub(super) fn trunk_for<'a>(&self, number: &'a str) -> Result<(&Trunk, &'a str), String> {
        let trunks = &self.config.trunks;
        if let Some((name, number)) = number.split_once(':') {
            let named = trunks.iter().find(|t| t.name == name);
            return named
                .map(|t| (t, number))
                .ok_or_else(|| format!("no [[trunk]] is called `{name}`"));
        }
        let states = self.lock_registrations();
        let down = |t: &&Trunk| matches!(states.get(&t.name), Some(Registration::Failed(_)));
        trunks
            .iter()
            .find(|t| !down(t))
            .or_else(|| trunks.first())
            .map(|t| (t, number))
            .ok_or_else(|| {
                format!("{number} is to be called through a trunk, and no [[trunk]] is configured")
            })
    }

    /// Where trunks are now. A name that cannot be looked up keeps what it had.
    pub(super) async fn look_up_trunks(&self) {
        let mut trunks = Vec::new();
        let mut vouched = Vec::new();
        for trunk in self.config.trunks.iter().filter(|t| t.by_name) {
            let found: Vec<Net> = trunk.addresses().await.into_iter().map(Net::from).collect();
            if found.is_empty() {
                tracing::warn!(trunk = %trunk.name, "its host's name has no address now: calls from a new address of its are not let in; set `allow`, or see to the name");
                let known = self.lock_places();
                trunks.extend_from_slice(&known.trunks);
                vouched.extend_from_slice(&known.vouched);
                continue;
            }
            if trunk.vouched {
                vouched.extend(found.iter().copied());
            }
            trunks.extend(found);
        }
        let mut carriers = trunks.clone();
        if let super::Accept::Nets(nets) = &self.config.accept {
            carriers.extend_from_slice(nets);
        }
        carriers.extend_from_slice(&self.config.vouched);
        self.limiter.know(carriers);
        let mut places = self
            .places
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if !places.trunks.is_empty() && places.trunks != trunks {
            tracing::info!(
                "trunks' names lead to other addresses than before: calls are taken from there"
            );
        }
        places.trunks = trunks;
        places.vouched = vouched;
    }
}

/// Looks trunks' names up again now and then, until `stop`.
pub(super) fn keep_looking_up(shared: &Arc<Shared>, stop: &CancellationToken) {
    if !shared.config.trunks.iter().any(|t| t.by_name) {
        return;
    }
    let (weak, stop) = (Arc::downgrade(shared), stop.clone());
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_UP) => {}
                () = stop.cancelled() => return,
            }
            let Some(shared) = weak.upgrade() else { return };
            shared.look_up_trunks().await;
        }
    });
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
            let mut failures = 0u32;
            let mut binding: Option<(Binding, SipUri)> = None;
            while !stop.is_cancelled() {
                // Weak between attempts: a line that was dropped is not kept up by its registrations.
                let Some(shared) = weak.upgrade() else { return };
                let attempt = once(&shared, &trunk, &account, &mut binding).await;
                let (state, wait, connection) = match attempt {
                    Ok((granted, connection)) => {
                        failures = 0;
                        // Refreshed at three quarters of what was granted.
                        let wait = Duration::from_millis(u64::from(granted.max(2)) * 750);
                        (Registration::Registered, wait, connection)
                    }
                    Err(why) => {
                        failures = failures.saturating_add(1);
                        // Another place may serve the name by now.
                        binding = None;
                        let wait = Duration::from_secs(1 << failures.min(7).saturating_sub(1));
                        (Registration::Failed(why), wait.min(MOST_WAIT), None)
                    }
                };
                shared.registration(&trunk.name, state);
                drop(shared);
                let lost = async {
                    match &connection {
                        Some(open) => open.cancelled().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    // Calls come over the connection that we registered on: without it nobody can call.
                    () = lost => tokio::time::sleep(Duration::from_millis(500)).await,
                    () = stop.cancelled() => {}
                }
            }
            if let Some((mut binding, _)) = binding {
                let _ = tokio::time::timeout(GOODBYE, binding.register(0)).await;
            }
        });
    }
}

/// One attempt to register: seconds granted, and the connection that it went over.
async fn once(
    shared: &Arc<Shared>,
    trunk: &Trunk,
    account: &Account,
    binding: &mut Option<(Binding, SipUri)>,
) -> Result<(u32, Option<CancellationToken>), String> {
    let (peer, elsewhere) = trunk.place(shared).await?;
    let connection = shared
        .stack
        .connect(trunk.transport, peer, &trunk.certified_name())
        .await?;
    let contact = shared.contact(Some(&account.user), peer, trunk.transport);
    // Another connection than before, with another end of ours: what was registered leads nowhere, and would have callers wait.
    if let Some((mut stale, _)) = binding.take_if(|(_, at)| *at != contact) {
        let _ = tokio::time::timeout(GOODBYE, stale.register(0)).await;
    }
    if binding.is_none() {
        // A connection of ours is found by its address; a name would open another.
        let proxy = (elsewhere || trunk.transport != Transport::Udp).then_some(peer);
        let registrar = trunk.uri(None);
        let made = shared
            .stack
            .registration(&registrar, proxy, account, &contact)?;
        *binding = Some((made, contact));
    }
    let Some((made, _)) = binding.as_mut() else {
        return Err("no registration".into());
    };
    let mut answered = made.register(EXPIRES).await;
    // Interval Too Brief (RFC 3261, section 10.2.8): an hour is enough for any registrar, and it may grant less.
    if matches!(answered, Attempt::Refused(423)) {
        answered = made.register(3_600).await;
    }
    match answered {
        Attempt::Registered(granted) => Ok((granted, connection)),
        Attempt::Refused(status) => Err(format!(
            "the registrar answered {status}: see user and password_env"
        )),
        Attempt::Failed(why) => Err(format!("the registrar did not answer: {why}")),
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
