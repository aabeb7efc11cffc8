//! Where `rsipstack` (0.7.14) is used, with [`super::listen`]: transactions, transports and INVITE dialogs behind our own types, so
//! that the rest of the edge does not know whose stack it stands on.
//!
//! What is worked around here or in [`super::signalling`]: a request that arrives right behind the ACK is dropped by the crate's
//! dialog until it is confirmed, so in-dialog requests are queued per dialog and answered by us; its 200 carries neither Allow
//! nor Supported; old CSeq numbers go unanswered; a dialog stays in its table until it is removed; its channels are unbounded,
//! so admission is decided before a dialog is made.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rsipstack::EndpointBuilder;
use rsipstack::dialog::authenticate::Credential;
use rsipstack::dialog::dialog::{DialogState, DialogStateReceiver, TerminatedReason};
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::dialog::invitation::{InviteAsyncResult, InviteOption};
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::dialog::registration::Registration;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::typed::Contact;
use rsipstack::sip::{Header, Method, Request, SipMessage, StatusCode};
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::endpoint::EndpointOption;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::TransportLayer;
use tokio_util::sync::CancellationToken;

use super::listen::{self, Listener, Streams, sip_addr};
use super::sockets::UdpSockets;
use super::tls::TlsFiles;
use super::trunk::Account;
use super::uri::SipUri;
use super::{ALLOW, SUPPORTED, SipError, Transport};

/// Headers as written, name and value.
pub(super) type Headers = Vec<(String, String)>;

/// Transports, transactions and dialogs.
pub(super) struct Stack {
    layer: Arc<DialogLayer>,
    cancel: CancellationToken,
    pub(super) listeners: Vec<Listener>,
    streams: Arc<Streams>,
    sockets: Arc<UdpSockets>,
    /// Registrars are told goodbye.
    pub(super) goodbye: CancellationToken,
}

/// What came of one REGISTER.
pub(super) enum Attempt {
    /// For so many seconds.
    Registered(u32),
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
    /// Both sides agree; the body of the 200 with its headers (outbound), or of the ACK (inbound).
    Confirmed(Vec<u8>, Headers),
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
        tls: &TlsFiles,
        agent: &str,
        limiter: Arc<super::limiter::Limiter>,
    ) -> Result<(Self, TransactionReceiver), SipError> {
        let cancel = CancellationToken::new();
        let transports = TransportLayer::new(cancel.clone());
        let bound = listen::bind(listen, advertise, tls, &transports, &cancel, limiter).await?;
        let listeners = bound.listeners.clone();
        let sockets = bound.sockets.clone();
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
        let streams = Streams::serve(bound, endpoint.inner.clone(), &cancel);
        tokio::spawn(async move { endpoint.serve().await });
        Ok((
            Self {
                layer,
                goodbye: cancel.child_token(),
                cancel,
                listeners,
                streams,
                sockets,
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
        target: Option<(SocketAddr, Transport)>,
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
            destination: target.map(|(addr, transport)| sip_addr(addr, transport)),
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

    /// The address of ours that `peer` has to do with, or will have when we send it something: over UDP a socket's, else our own end of
    /// the connection, or the listener for such connections. None: nothing of the kind.
    pub(super) fn own_end(&self, transport: Transport, peer: SocketAddr) -> Option<SocketAddr> {
        if transport == Transport::Udp {
            return self.sockets.towards(peer);
        }
        let alike = |l: &&Listener| l.transport == transport;
        let connected = self.streams.own_end(transport, peer);
        let mut listeners = self.listeners.iter().filter(alike);
        // They may have to open one themselves, later: then it is to a listener.
        let exact = listeners.clone().find(|l| Some(l.addr) == connected);
        let family = || {
            let mut here = listeners.clone();
            here.find(|l| l.addr.is_ipv4() == peer.is_ipv4())
        };
        exact
            .or_else(|| connected.and_then(|at| self.wildcard(transport, at)))
            .or_else(family)
            .or_else(|| listeners.next())
            .map(|l| l.addr)
            .or(connected)
    }

    /// The listener on every address that a connection to `at` came to.
    fn wildcard(&self, transport: Transport, at: SocketAddr) -> Option<&Listener> {
        self.listeners.iter().find(|l| {
            l.transport == transport
                && l.addr.port() == at.port()
                && l.addr.ip().is_unspecified()
                && l.addr.is_ipv4() == at.is_ipv4()
        })
    }

    /// The address of ours that a request came to.
    pub(super) fn arrived_at(&self, incoming: &Incoming) -> Option<SocketAddr> {
        match incoming.transport() {
            Transport::Udp => {
                let connection = incoming.tx.connection.as_ref()?;
                let at = connection.get_addr().get_socketaddr().ok()?;
                self.sockets.known_as(at)
            }
            transport => self.own_end(transport, incoming.source()?),
        }
    }

    /// Opens (or finds) the connection to `target`, so that a refusal is known at once and not after 32 seconds. Nothing is done for
    /// UDP. The token is cancelled when the connection ends.
    pub(super) async fn connect(
        &self,
        transport: Transport,
        target: SocketAddr,
        name: &str,
    ) -> Result<Option<CancellationToken>, String> {
        match transport {
            Transport::Udp => Ok(None),
            _ => self
                .streams
                .connect(transport, target, name)
                .await
                .map(Some),
        }
    }

    /// Where a name without a port is, by its NAPTR and SRV records and else its addresses (RFC 3263).
    pub(super) async fn locate(&self, uri: &SipUri) -> Result<SocketAddr, String> {
        use rsipstack::sip::{Host, HostWithPort};
        let target = rsipstack::transport::SipAddr::new(
            listen::stack_transport(uri.transport()),
            HostWithPort {
                host: Host::Domain(uri.host.clone().into()),
                port: None,
            },
        );
        let resolver = &self.layer.endpoint.transport_layer.inner.domain_resolver;
        let look = resolver.resolve(&target);
        match tokio::time::timeout(Duration::from_secs(5), look).await {
            Ok(Ok(found)) => found.get_socketaddr().map_err(|e| e.to_string()),
            Ok(Err(error)) => Err(format!("{} could not be looked up: {error}", uri.host)),
            Err(_) => Err(format!(
                "looking up {} took longer than 5 seconds",
                uri.host
            )),
        }
    }
}

/// Every address that a name stands for, by its SRV records and what they name, else its own (RFC 3263).
pub(super) async fn all_addresses(
    host: &str,
    port: Option<u16>,
    transport: Transport,
) -> Vec<IpAddr> {
    use std::sync::LazyLock;

    use rsipstack::resolver::SipResolver;
    static RESOLVER: LazyLock<SipResolver> = LazyLock::new(SipResolver::new);
    let domain = host.to_owned().into();
    let look = RESOLVER.lookup(
        &domain,
        port.map(Into::into),
        Some(listen::stack_transport(transport)),
        transport == Transport::Tls,
    );
    match tokio::time::timeout(Duration::from_secs(5), look).await {
        Ok(Ok(found)) => found.iter().map(|t| t.addr.ip()).collect(),
        _ => Vec::new(),
    }
}

impl Binding {
    /// One REGISTER, a challenge answered. Seconds that were granted; 0 takes the binding back.
    pub(super) async fn register(&mut self, expires: u32) -> Attempt {
        match self
            .registration
            .register(self.registrar.clone(), Some(expires))
            .await
        {
            Ok(response) if response.status_code.code() / 100 == 2 => {
                Attempt::Registered(self.registration.granted_expires.unwrap_or(expires))
            }
            Ok(response) => Attempt::Refused(response.status_code.code()),
            Err(error) => Attempt::Failed(error.to_string()),
        }
    }
}

/// The headers of the last answer to an INVITE of ours; none where there was none.
pub(super) fn last_headers(answer: InviteAsyncResult) -> Option<Headers> {
    Some(headers_of(answer.ok()?.1?.headers.iter()))
}

/// The first header of this name.
pub(super) fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, v)| v.as_str())
}

/// A header of this name lists this word.
pub(super) fn lists(headers: &Headers, name: &str, word: &str) -> bool {
    headers
        .iter()
        .filter(|(n, _)| n.eq_ignore_ascii_case(name))
        .flat_map(|(_, v)| v.split(','))
        .any(|w| w.trim().eq_ignore_ascii_case(word))
}

fn headers_of<'a>(headers: impl Iterator<Item = &'a Header>) -> Headers {
    headers
        .filter_map(|header| {
            let line = header.to_string();
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
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

    /// Branch of the top Via; empty where it has none.
    pub(super) fn branch(&self) -> String {
        self.header("Via")
            .and_then(|via| {
                let hop = via.split(',').next()?.to_owned();
                let at = hop.find("branch=")?;
                let rest = hop.get(at + 7..)?;
                rest.split([';', ' ']).next().map(str::to_owned)
            })
            .unwrap_or_default()
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
    pub(super) fn headers(&self) -> Headers {
        use rsipstack::sip::prelude::HasHeaders;
        headers_of(self.request().headers().iter())
    }

    pub(super) fn header(&self, name: &str) -> Option<String> {
        header(&self.headers(), name).map(str::to_owned)
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

    /// How it came.
    pub(super) fn transport(&self) -> Transport {
        let kind = self
            .tx
            .connection
            .as_ref()
            .and_then(|c| c.get_remote_addr())
            .and_then(|a| a.r#type);
        match kind {
            Some(rsipstack::sip::Transport::Tls) => Transport::Tls,
            Some(rsipstack::sip::Transport::Tcp) => Transport::Tcp,
            _ => Transport::Udp,
        }
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

    /// 180. `reliable`: its number, where the caller asked for reliable provisional answers (RFC 3262).
    pub(super) fn ring(&self, reliable: Option<u32>) {
        let mut headers = common_headers();
        if let Some(number) = reliable {
            headers.push(Header::Require("100rel".into()));
            headers.push(Header::Other("RSeq".into(), number.to_string()));
        }
        let _ = self.dialog.ringing(Some(headers), None);
    }

    pub(super) fn accept(&self, sdp: Vec<u8>, more: Vec<(&'static str, String)>) {
        let mut headers = common_headers();
        headers.push(Header::ContentType("application/sdp".into()));
        headers.extend(more.into_iter().map(|(k, v)| Header::Other(k.into(), v)));
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

    /// Refreshes the session (RFC 4028 section 7.4): UPDATE where the far end knows it, a re-INVITE with what was last described where
    /// not. The final status; none when no answer came.
    pub(super) async fn refresh(
        &self,
        update: bool,
        more: Vec<(&'static str, String)>,
        description: Vec<u8>,
    ) -> Option<u16> {
        let mut headers = common_headers();
        headers.extend(more.into_iter().map(|(k, v)| Header::Other(k.into(), v)));
        let answer = if update {
            self.dialog.update(Some(headers), None).await
        } else {
            headers.push(Header::ContentType("application/sdp".into()));
            self.dialog.reinvite(Some(headers), Some(description)).await
        };
        Some(answer.ok()??.status_code.code())
    }

    /// REFER (RFC 3515). The final status; none when no answer came.
    pub(super) async fn refer(&self, to: &str, by: &SipUri) -> Option<u16> {
        let mut headers = common_headers();
        headers.push(Header::Other("Refer-To".into(), to.into()));
        headers.push(Header::Other("Referred-By".into(), format!("<{by}>")));
        let answer = self.dialog.request(Method::Refer, Some(headers), None);
        Some(answer.await.ok()??.status_code.code())
    }

    /// Tells how a transfer that the far end asked for is going (RFC 3515 section 2.4.5).
    pub(super) async fn notify_refer(&self, code: u16) {
        let state = match code {
            100..=199 => "active;expires=60",
            _ => "terminated;reason=noresource",
        };
        let mut headers = common_headers();
        headers.push(Header::Event("refer".into()));
        headers.push(Header::SubscriptionState(state.into()));
        headers.push(Header::ContentType("message/sipfrag;version=2.0".into()));
        let phrase = crate::wire::sip::phrase(code);
        let body = format!("SIP/2.0 {code} {phrase}\r\n").into_bytes();
        if let Err(error) = self
            .dialog
            .request(Method::Notify, Some(headers), Some(body))
            .await
        {
            tracing::debug!(%error, "a NOTIFY could not be sent");
        }
    }

    /// Where the far end is reached within this dialog.
    pub(super) fn remote_target(&self) -> Option<String> {
        let dialog = rsipstack::dialog::dialog::Dialog::Invite(self.dialog.clone());
        dialog.remote_contact().map(|uri| uri.to_string())
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
                    let headers = headers_of(response.headers.iter());
                    Step::Confirmed(response.body, headers)
                }
                DialogState::Confirmed(..) => {
                    let ack = self.dialog.last_remote_ack();
                    Step::Confirmed(ack.map(|ack| ack.body).unwrap_or_default(), Vec::new())
                }
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
    vec![
        Header::Allow(ALLOW.into()),
        Header::Supported(SUPPORTED.into()),
    ]
}

fn parse_uri(text: &str) -> Result<rsipstack::sip::Uri, rsipstack::sip::Error> {
    rsipstack::sip::Uri::try_from(text)
}
