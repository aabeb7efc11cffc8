//! SIP: calls in and out over UDP, TCP and TLS, each as one [`Leg`].
//!
//! ```text
//! gate       every message is judged before the stack sees it
//! listen     listeners and connections, as the stack is given them
//! net        whose calls are taken
//! tls        certificates
//! stack      rsipstack's transactions and dialogs behind our own types
//! signalling one task a dialog: what SIP asks, answered; what the leg asks, sent
//! timer      keeping a session, and noticing one that is dead (RFC 4028)
//! guard      who callers from unknown addresses are
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
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::rtp::{RtpPorts, RtpSession};
use super::{EndCause, Ended, Leg, LegInfo, Signal};

mod gate;
mod guard;
mod leg;
mod listen;
mod net;
mod session;
mod signalling;
mod stack;
mod timer;
mod tls;
mod trunk;
mod uri;

pub use listen::Listener;
pub use net::{Accept, Net};
pub use session::MediaPolicy;
pub use tls::TlsFiles;
pub use trunk::{Account, Registration, Trunk};
pub use uri::{SipUri, address_of, party_of};

use guard::{Guard, Known};
use leg::SipLeg;
use listen::local_towards;
use session::Session;
use stack::{Incoming, Stack};

/// The methods this program understands, as Allow says them.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK";
/// Extensions likewise, as Supported says them.
pub(crate) const SUPPORTED: &str = "timer, 100rel";

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
    /// Where callers are sent while there is no room (302): a SIP address or a number. None: they are asked to try again (503).
    pub overflow: Option<String>,
    pub trunks: Vec<Trunk>,
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

/// Requests of one dialog, found by Call-ID and our tag.
type Routes = Arc<Mutex<HashMap<(String, String), mpsc::Sender<Incoming>>>>;

/// Everything the edge's tasks share.
struct Shared {
    stack: Stack,
    config: SipConfig,
    routes: Routes,
    ports: RtpPorts,
    guard: Guard,
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
        let (stack, mut incoming) = Stack::start(
            &config.listen,
            config.advertise,
            &config.tls,
            &config.user_agent,
        )
        .await?;
        let shared = Arc::new(Shared {
            stack,
            guard: Guard::new(&config.trunks),
            config,
            routes: Routes::default(),
            ports,
            tasks: AtomicUsize::new(0),
            registrations: Mutex::default(),
        });
        trunk::keep_registered(&shared, &shared.stack.goodbye);
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

    /// Places a call. The leg's signals say how it goes; what is wrong with the address comes as `Ended(Failed)` too.
    ///
    /// `uri` is a SIP address, or `trunk:+15550100` for a number through the first trunk. `from` is a number or a SIP address;
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
            .map(|number| (number, self.shared.config.trunks.first()));
        let target = match &through {
            None => uri.parse::<SipUri>(),
            Some((number, Some(trunk))) => Ok(trunk.uri(Some(number))),
            Some((number, None)) => Err(format!(
                "{number} is to be called through a trunk, and no [[trunk]] is configured"
            )),
        };
        let through = through.and_then(|(_, trunk)| trunk.cloned());
        let started = target.and_then(|target| Ok((target, self.shared.media_socket()?)));
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
    fn media_socket(&self) -> Result<RtpSession, String> {
        // A line that listens on one address only takes media there only, too.
        let listeners = &self.stack.listeners;
        let ip = listeners
            .first()
            .map(|l| l.addr.ip())
            .filter(|ip| listeners.iter().all(|l| l.addr.ip() == *ip))
            .unwrap_or(IpAddr::from([0, 0, 0, 0]));
        self.ports.open(ip)
    }

    /// Our address as `peer` sees it.
    fn our_address(&self, peer: SocketAddr) -> IpAddr {
        self.config.advertise.unwrap_or_else(|| local_towards(peer))
    }

    fn contact(&self, user: Option<&str>, peer: SocketAddr, transport: Transport) -> SipUri {
        let listeners = &self.stack.listeners;
        let own = listeners.iter().find(|l| l.transport == transport);
        let listener = own.or_else(|| listeners.first());
        // Without a listener of that kind answers come back on the connection that we opened.
        let transport = listener.map_or(transport, |l| l.transport);
        SipUri::new(
            user,
            self.our_address(peer).to_string(),
            listener.map(|l| l.addr.port()),
            transport,
        )
    }

    fn route(&self, key: (String, String)) -> mpsc::Receiver<Incoming> {
        let (tx, rx) = mpsc::channel(16);
        self.lock_routes().insert(key, tx);
        rx
    }

    fn unroute(&self, key: &(String, String)) {
        self.lock_routes().remove(key);
    }

    fn lock_routes(
        &self,
    ) -> std::sync::MutexGuard<'_, HashMap<(String, String), mpsc::Sender<Incoming>>> {
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
                ip.is_loopback() || nets.iter().any(|n| n.contains(ip))
            }
            (Accept::Nets(_), None) => false,
        }
    }
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

/// Sends one request where it belongs. Never waits: one slow peer must not hold up the others.
fn dispatch(shared: &Arc<Shared>, incoming: Incoming, calls: &mpsc::Sender<IncomingCall>) {
    let refuse = |mut incoming: Incoming, code: u16, headers: Vec<(&'static str, String)>| {
        tokio::spawn(async move { incoming.reply(code, &headers, None).await });
    };
    if let Some(tag) = incoming.local_tag() {
        let key = (incoming.call_id().unwrap_or_default(), tag);
        let Some(route) = shared.lock_routes().get(&key).cloned() else {
            return refuse(incoming, 481, vec![]);
        };
        match route.try_send(incoming) {
            Ok(()) => {}
            // One dialog may not fill memory with requests it sends faster than we answer them.
            Err(mpsc::error::TrySendError::Full(incoming)) => {
                refuse(incoming, 500, vec![("Retry-After", "5".into())]);
            }
            Err(mpsc::error::TrySendError::Closed(incoming)) => refuse(incoming, 481, vec![]),
        }
        return;
    }
    if shared.guard.seen_elsewhere(&incoming) {
        return refuse(incoming, 482, vec![]);
    }
    match incoming.method().as_str() {
        "INVITE" => {
            let known = match shared.lets_in(incoming.source()) {
                true => Known::Stranger,
                false => shared.guard.ask(&incoming, "INVITE"),
            };
            match known {
                Known::Nobody => {
                    tracing::warn!(source = ?incoming.source(), "a call from an address that is no trunk's was refused");
                    refuse(incoming, 403, vec![]);
                }
                Known::Ask(challenges) => refuse(incoming, 401, challenges),
                Known::Stranger | Known::Trunk { .. } => match (shared.config.admit)() {
                    Ok(permit) => {
                        let vouched = matches!(known, Known::Trunk { vouched: true });
                        invite(shared, incoming, permit, vouched, calls);
                    }
                    Err(after) => full(shared, incoming, after),
                },
            }
        }
        // Nobody registers here; whoever tries learns no more than that a password would be asked for.
        "REGISTER" => {
            let challenges = shared.guard.challenges(false);
            refuse(incoming, 401, challenges);
        }
        "OPTIONS" => refuse(
            incoming,
            200,
            vec![("Accept", "application/sdp, application/dtmf-relay".into())],
        ),
        "CANCEL" | "BYE" | "INFO" | "UPDATE" | "PRACK" => refuse(incoming, 481, vec![]),
        _ => refuse(incoming, 405, vec![]),
    }
}

/// No room: elsewhere, where the desk names a place, or later.
fn full(shared: &Arc<Shared>, mut incoming: Incoming, after: u32) {
    let elsewhere = shared.config.overflow.as_ref().map(|to| match to.parse() {
        Ok(uri) => SipUri::to_string(&uri),
        // A number: at whoever sent the call, who knows how to reach it.
        Err(_) => {
            let number: String = to
                .chars()
                .filter(|c| c.is_ascii_digit() || *c == '+')
                .collect();
            let host = incoming.source().map_or_else(
                || "invalid".to_owned(),
                |s| s.ip().to_canonical().to_string(),
            );
            format!("sip:{number}@{host};user=phone")
        }
    });
    tokio::spawn(async move {
        match elsewhere {
            Some(uri) => {
                let contact = [("Contact", format!("<{uri}>"))];
                incoming.reply(302, &contact, None).await;
            }
            None => {
                let later = [("Retry-After", after.to_string())];
                incoming.reply(503, &later, None).await;
            }
        }
    });
}

/// A new call that there is room for.
fn invite(
    shared: &Arc<Shared>,
    incoming: Incoming,
    permit: Permit,
    vouched: bool,
    calls: &mpsc::Sender<IncomingCall>,
) {
    let refuse = |mut incoming: Incoming, code: u16, after: Option<u32>, why: String| {
        tracing::info!(code, why, "a call was refused");
        let mut headers = vec![(
            "Reason",
            format!("SIP;cause={code};text=\"{}\"", why.replace('"', "'")),
        )];
        headers.extend(after.map(|s| ("Retry-After", s.to_string())));
        tokio::spawn(async move { incoming.reply(code, &headers, None).await });
    };
    let Ok(slot) = calls.clone().try_reserve_owned() else {
        return refuse(incoming, 503, Some(5), "too many calls at once".into());
    };
    let (Some(source), Some(call_id)) = (incoming.source(), incoming.call_id()) else {
        return refuse(incoming, 400, None, "no Call-ID".into());
    };
    let rtp = match shared.media_socket() {
        Ok(rtp) => rtp,
        Err(why) => return refuse(incoming, 503, Some(10), why),
    };
    let mut session = Session::new(shared.our_address(source), rtp.port(), &shared.config.media);
    let offer = incoming.body().to_vec();
    if !offer.is_empty()
        && let Err(why) = session.answer(&offer)
    {
        return refuse(incoming, 488, None, why);
    }
    let terms = match timer::Terms::of(&incoming) {
        Ok(terms) => terms,
        Err(least) => {
            let mut incoming = incoming;
            tokio::spawn(async move {
                let least = [("Min-SE", least.to_string())];
                incoming.reply(422, &least, None).await;
            });
            return;
        }
    };
    let reliable = stack::lists(&incoming.headers(), "Require", "100rel");
    let vouched = vouched
        || source.ip().is_loopback()
        || shared
            .config
            .vouched
            .iter()
            .any(|n| n.contains(source.ip()));
    let asserted = incoming.header("P-Asserted-Identity").filter(|_| vouched);
    let from = party_of(asserted.as_deref().unwrap_or(&incoming.from()));
    let to = incoming.called().or_else(|| party_of(&incoming.to()));
    let headers: Vec<_> = incoming
        .headers()
        .into_iter()
        .filter(|(name, _)| {
            let name = name.to_ascii_lowercase();
            matches!(
                name.as_str(),
                "p-asserted-identity" | "diversion" | "history-info" | "identity"
            ) || name.starts_with("x-")
        })
        .take(32)
        .collect();
    let contact = shared.contact(Some("firstline"), source, incoming.transport());
    let cseq = incoming.cseq().unwrap_or(0);
    let (dialog, steps) = match shared.stack.accept_invite(incoming, &contact) {
        Ok(made) => made,
        Err((incoming, why)) => return refuse(*incoming, 400, None, why),
    };
    let info = LegInfo {
        channel: "sip",
        from: from.clone(),
        to: to.clone(),
        vouched,
        headers: headers.clone(),
        ..LegInfo::default()
    };
    let (wires, leg) = signalling::wires(info, rtp, Some(permit));
    let (task_shared, had_offer) = (shared.clone(), !offer.is_empty());
    tokio::spawn(async move {
        let _alive = Alive::new(&task_shared);
        let requests = task_shared.route(dialog.key());
        let call = signalling::Call {
            dialog,
            session,
            had_offer,
            contact,
            cseq,
            terms,
            reliable,
        };
        signalling::inbound(&task_shared, wires, call, steps, requests).await;
    });
    slot.send(IncomingCall {
        leg: Box::new(leg),
        from,
        to,
        call_id,
        headers,
        source: Some(source),
    });
}

/// How long a task lingers for the last answers of a call that is over for its leg.
const LINGER: Duration = Duration::from_secs(40);
