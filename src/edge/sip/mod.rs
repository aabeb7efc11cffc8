//! SIP: calls in and out over UDP, TCP and TLS, each as one [`Leg`].
//!
//! ```text
//! gate       every message is judged before the stack sees it
//! listen     listeners and connections, as the stack is given them
//! sockets    which of several UDP sockets a request goes out by
//! net        whose calls are taken
//! tls        certificates
//! stack      rsipstack's transactions and dialogs behind our own types
//! arrival    where a request belongs, and calls that come in
//! signalling one task a dialog: what SIP asks, answered; what the leg asks, sent
//! sending_on transfers: sent, asked for, and dialogs that take another's place
//! timer      keeping a session, and noticing one that is dead (RFC 4028)
//! guard      who callers from unknown addresses are
//! limiter    who sends too much, or guesses, is not heard for a while
//! registrar  desk phones that register here
//! session    our side of SDP offer and answer for one dialog
//! leg        what the call's task holds: media by hand, signalling over small bounded channels
//! trunk      registering with carriers, and calling through them
//! uri        addresses as people type them
//! ```
//!
//! A call that there is no room for is refused before anything is made for it ([`SipConfig::admit`]).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::mpsc;

use super::rtp::{RtpPorts, RtpSession};
use super::{EndCause, Ended, Leg, LegInfo, Signal};

mod again;
mod arrival;
mod gate;
mod guard;
mod leg;
mod limiter;
mod listen;
mod net;
mod registrar;
mod sending_on;
mod session;
mod signalling;
mod sockets;
mod stack;
mod timer;
mod tls;
mod trunk;
mod uri;

pub use limiter::Ban;
pub use listen::Listener;
pub use net::{Accept, Net};
pub use session::MediaPolicy;
pub use timer::USUAL as USUAL_SESSION;
pub use tls::TlsFiles;
pub use trunk::{Account, Registration, Trunk};
pub use uri::{SipUri, address_of, party_of};

use arrival::dispatch;
use guard::Guard;
use leg::SipLeg;
use limiter::Limiter;
use listen::local_towards;
pub use registrar::Kept;
use registrar::Phones;
use stack::Incoming;
use stack::Stack;

/// The methods this program understands, as Allow says them.
pub(crate) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY";
/// Extensions likewise, as Supported says them.
pub(crate) const SUPPORTED: &str = "timer, 100rel, replaces";

/// What SIP is carried by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl Transport {
    /// As Via writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls]
            .into_iter()
            .find(|t| t.name().eq_ignore_ascii_case(name.trim()))
    }
}

/// Held by a leg while its call lasts; dropped with it.
pub type Permit = Box<dyn Send>;
/// Decides whether there is room for one call more: a permit, or after how many seconds to ask again.
pub type Admit = Arc<dyn Fn() -> Result<Permit, u32> + Send + Sync>;
/// Whether a call would be let in.
pub type Room = Arc<dyn Fn() -> bool + Send + Sync>;

/// What the SIP edge is started with.
#[derive(Clone)]
pub struct SipConfig {
    /// `udp:ip:port`, `tcp:ip:port` or `tls:ip:port`; port 0 takes any free one.
    pub listen: Vec<String>,
    pub tls: TlsFiles,
    pub media: MediaPolicy,
    /// Address for Contact and SDP; none takes the address of the interface that routes to the peer.
    pub advertise: Option<IpAddr>,
    /// First and last RTP port; RTP takes even ones, RTCP the next.
    pub rtp_ports: (u16, u16),
    pub accept: Accept,
    /// Addresses whose word on the caller's number is good (P-Asserted-Identity, else From).
    pub vouched: Vec<Net>,
    /// As User-Agent and Server say it, such as `firstline/0.1.0`.
    pub user_agent: String,
    pub admit: Admit,
    /// Whether a call would be let in now: OPTIONS is answered by it, so that whoever spreads calls over several lines (a proxy) knows. None: always.
    pub room: Option<Room>,
    /// Where callers are sent while there is no room (302): a SIP address or a number. None: they are asked to try again (503).
    pub overflow: Option<String>,
    pub trunks: Vec<Trunk>,
    /// Desk phones that may register here.
    pub phones: Vec<Account>,
    /// How long a call of ours may go without a sign of life, seconds (RFC 4028; [`USUAL_SESSION`]).
    pub session_s: u32,
    /// Never banned or rate-limited.
    pub trusted: Vec<Net>,
}

/// Why the edge cannot start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SipError {
    /// A listener: the sentence says which, and what to do.
    Listen(String),
}

impl std::fmt::Display for SipError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Listen(sentence) = self;
        f.write_str(sentence)
    }
}

impl std::error::Error for SipError {}

/// A call that came in and was let in; nothing but 100 has been answered yet.
pub struct IncomingCall {
    pub leg: Box<dyn Leg>,
    /// The caller's number or user; none when withheld.
    pub from: Option<String>,
    /// What was called.
    pub to: Option<String>,
    pub call_id: String,
    /// P-Asserted-Identity, Diversion, History-Info, Identity (RFC 8224, noted and not checked) and X-* as they came.
    pub headers: Vec<(String, String)>,
    pub source: Option<SocketAddr>,
}

/// The way to one dialog's task.
#[derive(Clone)]
struct Route {
    requests: mpsc::Sender<Incoming>,
    /// Another dialog that takes its place.
    successors: mpsc::Sender<signalling::Successor>,
    /// Where its sound comes in.
    media_port: u16,
}

/// Dialogs by Call-ID and our tag.
type Routes = Arc<Mutex<HashMap<(String, String), Route>>>;

/// Everything the edge's tasks share.
struct Shared {
    stack: Stack,
    config: SipConfig,
    routes: Routes,
    ports: RtpPorts,
    guard: Guard,
    limiter: Arc<Limiter>,
    phones: Phones,
    /// Where calls are taken from now: what is configured, and where trunks' names lead.
    places: RwLock<Places>,
    /// Signalling tasks alive.
    tasks: AtomicUsize,
    /// How each trunk that is registered with stands.
    registrations: Mutex<std::collections::BTreeMap<String, Registration>>,
}

/// The SIP listeners, and the way to place calls.
#[derive(Clone)]
pub struct SipEdge {
    shared: Arc<Shared>,
}

/// What is alive now: for the console, and for tests that nothing leaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    pub dialogs: usize,
    pub tasks: usize,
    pub transactions: usize,
}

impl SipEdge {
    /// Binds every listener; calls come out of the receiver. Runs until [`SipEdge::stop`] or until the last handle is dropped.
    ///
    /// # Errors
    /// One sentence when an address cannot be listened on or the RTP range is too small.
    pub async fn start(
        config: SipConfig,
    ) -> Result<(Self, mpsc::Receiver<IncomingCall>), SipError> {
        let ports = RtpPorts::new(config.rtp_ports).map_err(SipError::Listen)?;
        let limiter = Arc::new(Limiter::new(config.trusted.clone()));
        let (stack, mut incoming) = Stack::start(
            &config.listen,
            config.advertise,
            &config.tls,
            &config.user_agent,
            limiter.clone(),
        )
        .await?;
        let shared = Arc::new(Shared {
            stack,
            guard: Guard::new(&config.trunks, &config.phones),
            limiter,
            phones: Phones::new(&config.phones),
            places: RwLock::default(),
            config,
            routes: Routes::default(),
            ports,
            tasks: AtomicUsize::new(0),
            registrations: Mutex::default(),
        });
        shared.look_up_trunks().await;
        trunk::keep_registered(&shared, &shared.stack.goodbye);
        trunk::keep_looking_up(&shared, &shared.stack.goodbye);
        let (calls_tx, calls_rx) = mpsc::channel(64);
        // Weak: the edge's last handle ends the stack, and with it this loop.
        let weak = Arc::downgrade(&shared);
        tokio::spawn(async move {
            while let Some(tx) = incoming.recv().await {
                let Some(shared) = weak.upgrade() else { break };
                dispatch(&shared, Incoming::new(tx), &calls_tx);
            }
        });
        Ok((Self { shared }, calls_rx))
    }

    /// Where it listens, with the ports that were taken for 0.
    pub fn listeners(&self) -> &[Listener] {
        &self.shared.stack.listeners
    }

    /// Addresses that are not read now, for what they did.
    pub fn bans(&self) -> Vec<Ban> {
        self.shared.limiter.bans()
    }

    /// Desk phones by user, each with how many devices are registered.
    pub fn phones(&self) -> Vec<(String, usize)> {
        self.shared.phones.census()
    }

    /// Desk phones that are known again after a restart, where [`SipEdge::restore`] is given them.
    pub fn kept_phones(&self) -> Vec<Kept> {
        self.shared.phones.kept()
    }

    pub fn restore(&self, phones: Vec<Kept>) {
        self.shared.phones.restore(phones);
    }

    pub fn census(&self) -> Census {
        Census {
            dialogs: self.shared.stack.dialogs(),
            tasks: self.shared.tasks.load(Ordering::Relaxed),
            transactions: self.shared.stack.transactions(),
        }
    }

    /// Tells every registrar that calls are no longer wanted here. Listeners stay open for the answers.
    pub fn unregister(&self) {
        self.shared.stack.goodbye.cancel();
    }

    /// Closes every listener. Calls that are up lose their signalling: end them first.
    pub fn stop(&self) {
        self.shared.stack.stop();
    }

    /// A number's address at a trunk: `+15550100`, or `carrier:+15550100` at that one.
    pub fn at_trunk(&self, number: &str) -> Option<String> {
        let (trunk, number) = self.shared.trunk_for(number).ok()?;
        Some(trunk.uri(Some(number)).to_string())
    }

    /// Places a call. The leg's signals say how it goes; what is wrong with the address comes as `Ended(Failed)` too.
    ///
    /// `uri` is a SIP address, `trunk:+15550100` for a number through the first trunk that stands, `trunk:carrier:+15550100` for one by its name, or `phone:maria` for a phone that registered here. `from` is a number or a SIP address;
    /// `ring_s` the longest it may ring (a `ring_s` in the address wins).
    pub fn dial(
        &self,
        uri: &str,
        from: &str,
        ring_s: u32,
        headers: &[(String, String)],
    ) -> Box<dyn Leg> {
        let info = LegInfo {
            channel: "sip",
            from: Some(from.to_owned()).filter(|f| !f.is_empty()),
            to: Some(uri.to_owned()),
            vouched: true,
            ..LegInfo::default()
        };
        let through = uri
            .strip_prefix("trunk:")
            .map(|number| self.shared.trunk_for(number));
        let phone = uri
            .strip_prefix("phone:")
            .map(|user| self.shared.phones.find(user));
        let target = match &through {
            None if phone.is_some() => phone
                .as_ref()
                .map_or_else(|| Err(String::new()), Clone::clone)
                .map(|bound| bound.contact),
            None => uri.parse::<SipUri>(),
            Some(Ok((trunk, number))) => Ok(trunk.uri(Some(number))),
            Some(Err(why)) => Err(why.clone()),
        };
        let through = through.and_then(Result::ok).map(|(trunk, _)| trunk.clone());
        let flow = phone
            .and_then(Result::ok)
            .map(|bound| (bound.transport, bound.source));
        let started = target.and_then(|target| {
            let towards = flow
                .map(|(_, at)| at)
                .or_else(|| target.literal())
                .map(|at| at.ip());
            Ok((target, self.shared.media_socket(towards)?))
        });
        let (target, rtp) = match started {
            Ok(parts) => parts,
            Err(why) => return Box::new(SipLeg::failed(info, why)),
        };
        let (wires, leg) = signalling::wires(info, rtp, None);
        let port = leg.media_port();
        let shared = self.shared.clone();
        let (from, headers) = (from.to_owned(), headers.to_vec());
        tokio::spawn(async move {
            let _alive = Alive::new(&shared);
            let ring_s = target.ring_s.unwrap_or(ring_s).max(1);
            let order = signalling::Order {
                target,
                through,
                flow,
                from: &from,
                ring_s,
                headers: &headers,
            };
            signalling::outbound(&shared, wires, order, port).await;
        });
        Box::new(leg)
    }
}

impl Shared {
    /// `towards`: who it is for, where that is known already.
    fn media_socket(&self, towards: Option<IpAddr>) -> Result<RtpSession, String> {
        let v6 = towards.is_some_and(|ip| ip.to_canonical().is_ipv6());
        // A line that listens on one address only takes media there only, too.
        let mut own = self.stack.listeners.iter().map(|l| l.addr.ip());
        let only = own.next().filter(|first| own.all(|ip| ip == *first));
        // Behind a proxy on this computer sound comes from elsewhere all the same, to the address that is advertised for it.
        let only = only.filter(|ip| !ip.is_loopback() || self.config.advertise.is_none());
        let any = match v6 {
            true => IpAddr::from([0u16; 8]),
            false => IpAddr::from([0, 0, 0, 0]),
        };
        self.ports.open(
            only.filter(|ip| towards.is_none() || ip.is_ipv6() == v6)
                .unwrap_or(any),
        )
    }

    /// Our address as `peer` sees it.
    fn our_address(&self, peer: SocketAddr) -> IpAddr {
        // An address of the other family would be no use to them.
        self.config
            .advertise
            .filter(|a| a.is_ipv4() == peer.ip().to_canonical().is_ipv4())
            .unwrap_or_else(|| local_towards(peer))
    }

    /// Where `peer` reaches us over this transport. Without a listener of that kind that is our own end of the connection: whoever is at
    /// the other one has it, and nobody else could use any address of ours.
    fn contact(&self, user: Option<&str>, peer: SocketAddr, transport: Transport) -> SipUri {
        match self.stack.own_end(transport, peer) {
            Some(own) => self.at(own, user, peer, transport),
            // Nothing of that kind at all: what there is, is better than nothing.
            None => match self.stack.listeners.first() {
                Some(l) => self.at(l.addr, user, peer, l.transport),
                None => SipUri::new(user, self.our_address(peer).to_string(), None, transport),
            },
        }
    }

    /// The same for whoever sent this: the listener that they sent it to.
    fn contact_for(&self, incoming: &Incoming, peer: SocketAddr) -> SipUri {
        let (user, transport) = (Some("firstline"), incoming.transport());
        match self.stack.arrived_at(incoming) {
            Some(own) => self.at(own, user, peer, transport),
            None => self.contact(user, peer, transport),
        }
    }

    fn at(
        &self,
        own: SocketAddr,
        user: Option<&str>,
        peer: SocketAddr,
        transport: Transport,
    ) -> SipUri {
        // A listener on one address is reached there and nowhere else, unless we are known by another outside. Whoever reaches loopback is on
        // this computer: a proxy in front of us, to whom no address outside leads to us.
        let only = Some(own.ip()).filter(|ip| !ip.is_unspecified());
        let advertised = self.config.advertise.is_some() && !own.ip().is_loopback();
        let ip = only
            .filter(|_| !advertised)
            .unwrap_or_else(|| self.our_address(peer));
        SipUri::new(user, ip.to_string(), Some(own.port()), transport)
    }

    fn route(&self, key: (String, String), media_port: u16) -> signalling::Mail {
        let (requests, inbox) = mpsc::channel(16);
        let (successors, takeovers) = mpsc::channel(1);
        let route = Route {
            requests,
            successors,
            media_port,
        };
        self.lock_routes().insert(key, route);
        signalling::Mail {
            requests: inbox,
            successors: takeovers,
        }
    }

    fn unroute(&self, key: &(String, String)) {
        self.lock_routes().remove(key);
    }

    fn lock_routes(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Route>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_registrations(
        &self,
    ) -> std::sync::MutexGuard<'_, std::collections::BTreeMap<String, Registration>> {
        self.registrations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lets_in(&self, source: Option<SocketAddr>) -> bool {
        match (&self.config.accept, source.map(|s| s.ip().to_canonical())) {
            (Accept::Any, _) => true,
            (Accept::Nets(nets), Some(ip)) => {
                let here = |nets: &[Net]| nets.iter().any(|n| n.contains(ip));
                ip.is_loopback() || here(nets) || here(&self.lock_places().trunks)
            }
            (Accept::Nets(_), None) => false,
        }
    }

    fn lock_places(&self) -> std::sync::RwLockReadGuard<'_, Places> {
        self.places.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where trunks without addresses of their own in the configuration are now, by their names.
#[derive(Debug, Default)]
struct Places {
    trunks: Vec<Net>,
    vouched: Vec<Net>,
}

/// Counts a signalling task while it lives.
struct Alive(Arc<Shared>);

impl Alive {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.tasks.fetch_add(1, Ordering::Relaxed);
        Self(shared.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.tasks.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long a task lingers for the last answers of a call that is over for its leg.
const LINGER: Duration = Duration::from_secs(40);
