//! The one file that imports `rsipstack` (0.7.14): transactions, transports and INVITE dialogs behind our own types, so that
//! the rest of the edge does not know whose parser it stands on.
//!
//! What is worked around here or in [`super::signalling`]: a request that arrives right behind the ACK is dropped by the crate's
//! dialog until it is confirmed, so in-dialog requests are queued per dialog and answered by us; its 200 carries neither Allow
//! nor Supported; old CSeq numbers go unanswered; a dialog stays in its table until it is removed; its channels are unbounded,
//! so admission is decided before a dialog is made.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rsipstack::EndpointBuilder;
use rsipstack::dialog::authenticate::Credential;
use rsipstack::dialog::dialog::{DialogState, DialogStateReceiver, TerminatedReason};
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::dialog::invitation::{InviteAsyncResult, InviteOption};
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::dialog::registration::{RefreshOutcome, Registration};
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::typed::Contact;
use rsipstack::sip::{Header, HostWithPort, Method, Request, SipMessage, StatusCode, Transport};
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::endpoint::EndpointOption;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::tcp_listener::TcpListenerConnection;
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipAddr, TransportLayer};
use tokio_util::sync::CancellationToken;

use super::trunk::Account;
use super::uri::SipUri;
use super::{ALLOW, SipError};

/// Where a listener is, once bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    pub tcp: bool,
    pub addr: SocketAddr,
}

/// Transports, transactions and dialogs.
pub(super) struct Stack {
    layer: Arc<DialogLayer>,
    cancel: CancellationToken,
    pub(super) listeners: Vec<Listener>,
    /// Registrars are told goodbye.
    pub(super) goodbye: CancellationToken,
}

/// What came of one REGISTER.
pub(super) enum Attempt {
    Registered,
    /// The final status.
    Refused(u16),
    Failed(String),
}

/// A binding at a registrar.
pub(super) struct Binding {
    registration: Registration,
    registrar: rsipstack::sip::Uri,
}

/// A request that needs an answer.
pub(super) struct Incoming {
    tx: Transaction,
}

/// One INVITE dialog.
#[derive(Clone)]
pub(super) struct Dialog {
    dialog: InviteDialog,
    layer: Arc<DialogLayer>,
}

/// What happened to a dialog.
#[derive(Debug)]
pub(super) enum Step {
    /// The far end has the INVITE (100).
    Trying,
    /// 18x from the far end: the body it carried.
    Early(Vec<u8>),
    /// Our 200 went out.
    WaitAck,
    /// Both sides agree; the body of the 200 (outbound) or of the ACK (inbound).
    Confirmed(Vec<u8>),
    Over(Over),
}

/// How a dialog ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Over {
    RemoteBye,
    LocalBye,
    Cancelled,
    Refused(u16),
    Timeout,
}

/// The dialog's state changes, translated.
pub(super) struct Steps {
    states: DialogStateReceiver,
    dialog: InviteDialog,
    client: bool,
}

/// The task that carries an outbound INVITE to its final answer.
pub(super) type Invite = tokio::task::JoinHandle<InviteAsyncResult>;

impl Stack {
    /// Binds every listener and starts serving. `advertise` goes into Via; none means the address of the interface used.
    pub(super) async fn start(
        listen: &[String],
        advertise: Option<IpAddr>,
        agent: &str,
    ) -> Result<(Self, TransactionReceiver), SipError> {
        let cancel = CancellationToken::new();
        let transports = TransportLayer::new(cancel.clone());
        let mut listeners = Vec::new();
        for text in listen {
            let (tcp, wanted) = parse_listen(text)?;
            let bound = if tcp {
                bind_tcp(wanted, advertise, &transports).await?
            } else {
                bind_udp(wanted, advertise, &transports, &cancel).await?
            };
            listeners.push(Listener { tcp, addr: bound });
        }
        if listeners.is_empty() {
            return Err(SipError::Listen(
                "no SIP address to listen on: give at least one, such as udp:127.0.0.1:5060".into(),
            ));
        }
        let endpoint = EndpointBuilder::new()
            .with_user_agent(agent)
            .with_transport_layer(transports)
            .with_cancel_token(cancel.clone())
            .with_allows(Method::all())
            .with_option(EndpointOption {
                callid_suffix: Some("firstline".into()),
                ..EndpointOption::default()
            })
            .build();
        let incoming = endpoint
            .incoming_transactions()
            .map_err(|e| SipError::Listen(format!("the SIP stack did not start: {e}")))?;
        let layer = Arc::new(DialogLayer::new(endpoint.inner.clone()));
        tokio::spawn(async move { endpoint.serve().await });
        for listener in listeners.iter().filter(|l| l.tcp) {
            wait_for_tcp(listener.addr).await?;
        }
        Ok((
            Self {
                layer,
                goodbye: cancel.child_token(),
                cancel,
                listeners,
            },
            incoming,
        ))
    }

    /// Dialogs alive now.
    pub(super) fn dialogs(&self) -> usize {
        self.layer.len()
    }

    /// Transactions alive now (those that only absorb retransmissions not counted).
    pub(super) fn transactions(&self) -> usize {
        self.layer.endpoint.get_stats().running_transactions
    }

    pub(super) fn stop(&self) {
        self.cancel.cancel();
    }

    /// Makes the dialog of a new INVITE and starts carrying its transaction (100, retransmissions, CANCEL, ACK).
    pub(super) fn accept_invite(
        &self,
        incoming: Incoming,
        contact: &SipUri,
    ) -> Result<(Dialog, Steps), (Box<Incoming>, String)> {
        let (state_tx, states) = self.layer.new_dialog_state_channel();
        let made = parse_uri(&contact.to_string())
            .map_err(|e| e.to_string())
            .and_then(|contact| {
                self.layer
                    .get_or_create_server_invite(&incoming.tx, state_tx, None, Some(contact))
                    .map_err(|e| e.to_string())
            });
        let dialog = match made {
            Ok(dialog) => dialog,
            Err(why) => return Err((Box::new(incoming), why)),
        };
        let mut tx = incoming.tx;
        let mut carrier = dialog.clone();
        tokio::spawn(async move {
            if let Err(error) = carrier.handle(&mut tx).await {
                tracing::debug!(%error, "an INVITE transaction ended with an error");
            }
        });
        Ok((
            Dialog {
                dialog: dialog.clone(),
                layer: self.layer.clone(),
            },
            Steps {
                states,
                dialog,
                client: false,
            },
        ))
    }

    /// Makes ready to register; nothing is sent yet. `proxy`: where packets go, when not to the registrar's own address.
    pub(super) fn registration(
        &self,
        registrar: &SipUri,
        proxy: Option<SocketAddr>,
        account: &Account,
        contact: &SipUri,
    ) -> Result<Binding, String> {
        let parsed = |uri: &SipUri| parse_uri(&uri.to_string()).map_err(|e| e.to_string());
        let mut registration =
            Registration::new(self.layer.endpoint.clone(), Some(credential(account)));
        registration.contact = Some(Contact {
            display_name: None,
            uri: parsed(contact)?,
            params: Vec::new(),
        });
        registration.outbound_proxy = proxy;
        Ok(Binding {
            registration,
            registrar: parsed(registrar)?,
        })
    }

    /// Sends an INVITE. `target` is where the packet goes when the URI's host is a name already resolved; `account` answers a
    /// challenge.
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one request, each of another kind"
    )]
    pub(super) fn invite(
        &self,
        uri: &SipUri,
        target: Option<SocketAddr>,
        from: &SipUri,
        contact: &SipUri,
        headers: &[(String, String)],
        offer: Vec<u8>,
        account: Option<&Account>,
    ) -> Result<(Dialog, Steps, Invite), String> {
        let parsed = |uri: &SipUri| parse_uri(&uri.to_string()).map_err(|e| e.to_string());
        let mut extra = common_headers();
        extra.extend(
            headers
                .iter()
                .map(|(k, v)| Header::Other(k.clone(), v.clone())),
        );
        let option = InviteOption {
            caller: parsed(from)?,
            callee: parsed(uri)?,
            contact: parsed(contact)?,
            destination: target.map(|addr| sip_addr(addr, uri.tcp())),
            content_type: Some("application/sdp".into()),
            offer: Some(offer),
            headers: Some(extra),
            credential: account.map(credential),
            ..InviteOption::default()
        };
        let (state_tx, states) = self.layer.new_dialog_state_channel();
        let (dialog, invite) = self
            .layer
            .do_invite_async(option, state_tx)
            .map_err(|e| e.to_string())?;
        Ok((
            Dialog {
                dialog: dialog.clone(),
                layer: self.layer.clone(),
            },
            Steps {
                states,
                dialog,
                client: true,
            },
            invite,
        ))
    }

    /// Opens (or finds) the TCP connection to `target`, so that a refusal is known at once and not after 32 seconds.
    pub(super) async fn connect_tcp(&self, target: SocketAddr) -> Result<(), String> {
        let addr = sip_addr(target, true);
        let connect = self.layer.endpoint.transport_layer.lookup(&addr, None);
        match tokio::time::timeout(Duration::from_secs(4), connect).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("{target} refused the connection: {error}")),
            Err(_) => Err(format!(
                "{target} did not take the connection within 4 seconds"
            )),
        }
    }
}

impl Binding {
    /// Stays registered until `stop`, then takes the binding back, within `goodbye`. Every attempt is told.
    pub(super) async fn keep(
        mut self,
        expires: u32,
        goodbye: Duration,
        stop: CancellationToken,
        mut tell: impl FnMut(Attempt),
    ) {
        self.registration
            .keep_alive(self.registrar.clone(), expires, stop, |outcome| {
                tell(match outcome {
                    RefreshOutcome::Registered(_) => Attempt::Registered,
                    RefreshOutcome::Rejected(response) => {
                        Attempt::Refused(response.status_code.code())
                    }
                    RefreshOutcome::Failed(error) => Attempt::Failed(error.to_string()),
                });
            })
            .await;
        let _ = tokio::time::timeout(goodbye, self.registration.register(self.registrar, Some(0)))
            .await;
    }
}

fn credential(account: &Account) -> Credential {
    Credential {
        username: account.user.clone(),
        password: account.password.clone(),
        realm: None,
        auth_username: None,
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Incoming {
    pub(super) fn new(tx: Transaction) -> Self {
        Self { tx }
    }

    fn request(&self) -> &Request {
        &self.tx.original
    }

    /// The method in capitals.
    pub(super) fn method(&self) -> String {
        self.request().method.to_string()
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.request().body
    }

    /// User part of the Request-URI.
    pub(super) fn called(&self) -> Option<String> {
        self.request().uri.user().map(str::to_owned)
    }

    pub(super) fn call_id(&self) -> Option<String> {
        Some(self.request().call_id_header().ok()?.value().to_string())
    }

    /// Our tag, when the request belongs to a dialog.
    pub(super) fn local_tag(&self) -> Option<String> {
        let tag = self.request().to_header().ok()?.tag().ok()??;
        Some(tag.value().to_string()).filter(|t| !t.is_empty())
    }

    pub(super) fn remote_tag(&self) -> Option<String> {
        let tag = self.request().from_header().ok()?.tag().ok()??;
        Some(tag.value().to_string()).filter(|t| !t.is_empty())
    }

    pub(super) fn cseq(&self) -> Option<u32> {
        self.request().cseq_header().ok()?.seq().ok()
    }

    /// The From header as it came.
    pub(super) fn from(&self) -> String {
        self.request()
            .from_header()
            .map(|h| h.value().to_string())
            .unwrap_or_default()
    }

    /// The To header as it came.
    pub(super) fn to(&self) -> String {
        self.request()
            .to_header()
            .map(|h| h.value().to_string())
            .unwrap_or_default()
    }

    /// Every header, name and value as written.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        use rsipstack::sip::prelude::HasHeaders;
        self.request()
            .headers()
            .iter()
            .filter_map(|header| {
                let line = header.to_string();
                let (name, value) = line.split_once(':')?;
                Some((name.trim().to_owned(), value.trim().to_owned()))
            })
            .collect()
    }

    pub(super) fn header(&self, name: &str) -> Option<String> {
        self.headers()
            .into_iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v)
    }

    /// Where the packet came from.
    pub(super) fn source(&self) -> Option<SocketAddr> {
        self.tx
            .connection
            .as_ref()?
            .get_remote_addr()?
            .get_socketaddr()
            .ok()
    }

    pub(super) fn over_tcp(&self) -> bool {
        self.tx.connection.as_ref().is_some_and(|c| c.is_reliable())
    }

    /// Answers. Allow and Supported are added; `headers` come on top.
    pub(super) async fn reply(
        &mut self,
        code: u16,
        headers: &[(&str, String)],
        body: Option<(&str, Vec<u8>)>,
    ) {
        let mut all = common_headers();
        all.extend(
            headers
                .iter()
                .map(|(k, v)| Header::Other((*k).to_owned(), v.clone())),
        );
        let body = body.map(|(kind, bytes)| {
            all.push(Header::ContentType(kind.to_owned().into()));
            bytes
        });
        if let Err(error) = self.tx.reply_with(StatusCode::from(code), all, body).await {
            tracing::debug!(%error, code, "a SIP answer could not be sent");
        }
    }

    /// After a 2xx to a re-INVITE: waits for its ACK (the transaction repeats the 2xx meanwhile) and gives the ACK's body.
    pub(super) async fn ack(&mut self) -> Option<Vec<u8>> {
        while let Some(message) = self.tx.receive().await {
            if let SipMessage::Request(request) = message
                && request.method == Method::Ack
            {
                return Some(request.body);
            }
        }
        None
    }
}

impl Dialog {
    /// Call-ID and our tag: what in-dialog requests are found by.
    pub(super) fn key(&self) -> (String, String) {
        let id = self.dialog.id();
        (id.call_id, id.local_tag)
    }

    pub(super) fn remote_tag(&self) -> String {
        self.dialog.id().remote_tag
    }

    pub(super) fn ring(&self) {
        let _ = self.dialog.ringing(Some(common_headers()), None);
    }

    pub(super) fn accept(&self, sdp: Vec<u8>) {
        let mut headers = common_headers();
        headers.push(Header::ContentType("application/sdp".into()));
        let _ = self.dialog.accept(Some(headers), Some(sdp));
    }

    pub(super) fn reject(&self, code: u16, reason: Option<String>) {
        let reason = reason.map(|text| {
            format!(
                "SIP;cause={code};text=\"{}\"",
                text.replace(['"', '\r', '\n'], " ")
            )
        });
        let _ = self.dialog.reject(Some(StatusCode::from(code)), reason);
    }

    /// BYE, in a task of its own: it lasts until it is answered or given up.
    pub(super) fn bye(&self) {
        let dialog = self.dialog.clone();
        tokio::spawn(async move {
            let _ = dialog.bye().await;
        });
    }

    /// CANCEL, at once or as soon as the first provisional answer allows it.
    pub(super) fn cancel(&self) {
        let dialog = self.dialog.clone();
        tokio::spawn(async move {
            let _ = dialog.cancel().await;
        });
    }

    /// Hands a BYE to the dialog: it answers 200 and ends.
    pub(super) async fn take_bye(&self, incoming: Incoming) {
        let mut dialog = self.dialog.clone();
        let mut tx = incoming.tx;
        let _ = dialog.handle(&mut tx).await;
    }

    /// A re-INVITE or UPDATE may move the far end's Contact (RFC 3261 section 12.2.2).
    pub(super) fn refresh_target(&self, request: &Incoming) {
        let contact = request.request().contact_header().ok().cloned();
        let uri = request
            .request()
            .typed_contact_headers()
            .ok()
            .and_then(|c| c.first().map(|c| c.uri.clone()));
        if let Some(uri) = uri {
            rsipstack::dialog::dialog::Dialog::Invite(self.dialog.clone())
                .set_remote_target(uri, contact);
        }
    }

    /// Takes the dialog out of the crate's table, which never forgets one by itself.
    pub(super) fn forget(&self) {
        self.layer.remove_dialog(&self.dialog.id());
    }
}

impl Steps {
    /// The next change; none when the dialog is gone.
    pub(super) async fn next(&mut self) -> Option<Step> {
        loop {
            let step = match self.states.recv().await? {
                DialogState::Trying(_) => Step::Trying,
                DialogState::Early(_, response) if self.client => Step::Early(response.body),
                DialogState::WaitAck(..) => Step::WaitAck,
                DialogState::Confirmed(_, response) if self.client => {
                    Step::Confirmed(response.body)
                }
                DialogState::Confirmed(..) => Step::Confirmed(
                    self.dialog
                        .last_remote_ack()
                        .map(|ack| ack.body)
                        .unwrap_or_default(),
                ),
                DialogState::Terminated(_, reason) => Step::Over(over(reason, self.client)),
                _ => continue,
            };
            return Some(step);
        }
    }
}

fn over(reason: TerminatedReason, client: bool) -> Over {
    match reason {
        TerminatedReason::UacBye if client => Over::LocalBye,
        TerminatedReason::UasBye if client => Over::RemoteBye,
        TerminatedReason::UacBye => Over::RemoteBye,
        TerminatedReason::UasBye => Over::LocalBye,
        TerminatedReason::UacCancel => Over::Cancelled,
        TerminatedReason::Timeout => Over::Timeout,
        TerminatedReason::UacBusy | TerminatedReason::UasBusy => Over::Refused(486),
        TerminatedReason::UasDecline => Over::Refused(603),
        TerminatedReason::ProxyAuthRequired => Over::Refused(407),
        TerminatedReason::ProxyError(code)
        | TerminatedReason::UacOther(code)
        | TerminatedReason::UasOther(code) => Over::Refused(code.code()),
    }
}

fn common_headers() -> Vec<Header> {
    vec![Header::Allow(ALLOW.into())]
}

fn parse_uri(text: &str) -> Result<rsipstack::sip::Uri, rsipstack::sip::Error> {
    rsipstack::sip::Uri::try_from(text)
}

fn sip_addr(addr: SocketAddr, tcp: bool) -> SipAddr {
    let transport = if tcp { Transport::Tcp } else { Transport::Udp };
    SipAddr::new(transport, HostWithPort::from(addr))
}

fn parse_listen(text: &str) -> Result<(bool, SocketAddr), SipError> {
    let bad = || {
        SipError::Listen(format!(
            "\"{text}\" is no SIP address to listen on: write it as udp:0.0.0.0:5060 or tcp:0.0.0.0:5060"
        ))
    };
    let (transport, addr) = text.trim().split_once(':').ok_or_else(bad)?;
    let tcp = match transport.to_ascii_lowercase().as_str() {
        "udp" => false,
        "tcp" => true,
        _ => return Err(bad()),
    };
    Ok((tcp, addr.parse().map_err(|_| bad())?))
}

fn in_use(kind: &str, addr: SocketAddr, error: &std::io::Error) -> SipError {
    SipError::Listen(match error.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "{kind} port {} on {} is taken by another program: stop it, or choose another port in [sip] listen",
            addr.port(),
            addr.ip()
        ),
        std::io::ErrorKind::PermissionDenied => format!(
            "not allowed to listen on {kind} port {}: choose one above 1023, or give the program the right to low ports",
            addr.port()
        ),
        _ => format!("cannot listen on {kind}:{addr}: {error}"),
    })
}

async fn bind_udp(
    wanted: SocketAddr,
    advertise: Option<IpAddr>,
    transports: &TransportLayer,
    cancel: &CancellationToken,
) -> Result<SocketAddr, SipError> {
    let socket = tokio::net::UdpSocket::bind(wanted)
        .await
        .map_err(|e| in_use("UDP", wanted, &e))?;
    let bound = socket.local_addr().map_err(|e| in_use("UDP", wanted, &e))?;
    let shown = SocketAddr::new(
        advertise.unwrap_or_else(|| visible(bound.ip())),
        bound.port(),
    );
    let connection =
        UdpConnection::from_socket(Arc::new(socket), Some(shown), Some(cancel.child_token()))
            .await
            .map_err(|e| SipError::Listen(format!("cannot listen on udp:{wanted}: {e}")))?;
    transports.add_transport(connection.into());
    Ok(bound)
}

async fn bind_tcp(
    wanted: SocketAddr,
    advertise: Option<IpAddr>,
    transports: &TransportLayer,
) -> Result<SocketAddr, SipError> {
    // The crate binds later, and only logs a failure: try first, and learn the port where any will do.
    let bound = std::net::TcpListener::bind(wanted)
        .and_then(|probe| probe.local_addr())
        .map_err(|e| in_use("TCP", wanted, &e))?;
    let shown = SocketAddr::new(
        advertise.unwrap_or_else(|| visible(bound.ip())),
        bound.port(),
    );
    let listener = TcpListenerConnection::new(bound, Some(shown))
        .await
        .map_err(|e| SipError::Listen(format!("cannot listen on tcp:{wanted}: {e}")))?;
    transports.add_transport(listener.into());
    Ok(bound)
}

/// The crate binds its TCP listeners in the task it serves from: a caller who comes between the start and that would be refused.
async fn wait_for_tcp(bound: SocketAddr) -> Result<(), SipError> {
    let mut addr = bound;
    if addr.ip().is_unspecified() {
        addr.set_ip(visible(addr.ip()));
    }
    for _ in 0..200 {
        if tokio::net::TcpStream::connect(addr).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(SipError::Listen(format!(
        "TCP port {} did not open within 2 seconds: see whether another program took it, then start again",
        bound.port()
    )))
}

/// The address others reach a listener at: its own, or the default interface's for a wildcard.
fn visible(ip: IpAddr) -> IpAddr {
    if !ip.is_unspecified() {
        return ip;
    }
    // An address kept for documentation: routing it picks the default interface, and nothing is ever sent there.
    local_towards(SocketAddr::from(([192, 0, 2, 1], 9)))
}

/// The address of the interface that routes to `peer`.
pub(super) fn local_towards(peer: SocketAddr) -> IpAddr {
    let any: SocketAddr = if peer.is_ipv4() {
        SocketAddr::from(([0, 0, 0, 0], 0))
    } else {
        SocketAddr::from(([0u16; 8], 0))
    };
    UdpSocket::bind(any)
        .and_then(|socket| {
            socket.connect(peer)?;
            socket.local_addr()
        })
        .map(|addr| addr.ip())
        .ok()
        .filter(|ip| !ip.is_unspecified())
        .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}
