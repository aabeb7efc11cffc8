//! Listeners and connections, as the SIP stack is given them: every byte passes the [`gate`](super::gate) first.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rsipstack::platform::net::UdpSocket as StackUdp;
use rsipstack::sip::{HostWithPort, SipMessage, Transport as StackTransport};
use rsipstack::transaction::endpoint::EndpointInner;
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent, TransportLayer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::gate::{Carried, Gate, GatedUdp, carry};
use super::limiter::Limiter;
use super::sockets::UdpSockets;
use super::tls::{self, TlsFiles};
use super::{SipError, Transport};

/// Connections that others may hold open at once.
const MOST_CONNECTIONS: usize = 8_192;
/// A TLS handshake, or a connection we open, within this.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Where a listener is, once bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    pub transport: Transport,
    pub addr: SocketAddr,
}

/// Sockets that are bound and not yet served.
pub(super) struct Bound {
    pub(super) listeners: Vec<Listener>,
    streams: Vec<(TcpListener, Transport, SocketAddr)>,
    gate: Arc<Gate>,
    server: Option<tokio_rustls::TlsAcceptor>,
    client: tokio_rustls::TlsConnector,
    advertise: Option<IpAddr>,
    pub(super) sockets: Arc<UdpSockets>,
}

/// Binds every listener. UDP sockets are handed to `transports` at once; connections are served by [`Streams`] later, when the stack
/// runs.
pub(super) async fn bind(
    listen: &[String],
    advertise: Option<IpAddr>,
    files: &TlsFiles,
    transports: &TransportLayer,
    cancel: &CancellationToken,
    limiter: Arc<Limiter>,
) -> Result<Bound, SipError> {
    let gate = Arc::new(Gate::new(limiter));
    let sockets = Arc::new(UdpSockets::default());
    let client = tls::client(files).map_err(SipError::Listen)?;
    let mut bound = Bound {
        listeners: Vec::new(),
        streams: Vec::new(),
        gate: gate.clone(),
        server: None,
        client: tokio_rustls::TlsConnector::from(client),
        advertise,
        sockets: sockets.clone(),
    };
    for text in listen {
        let (transport, wanted) = parse(text)?;
        let name = transport.name();
        let in_use = |e: &std::io::Error| in_use(name, wanted, e);
        let addr = if transport == Transport::Udp {
            let socket = udp(wanted).map_err(|e| in_use(&e))?;
            let addr = socket.local_addr().map_err(|e| in_use(&e))?;
            let shown = shown(addr, advertise);
            let socket = Arc::new(socket);
            let number = sockets.add(socket.clone(), addr, shown);
            let socket = Gated(GatedUdp::new(socket, gate.clone(), sockets.clone(), number));
            let connection = UdpConnection::from_socket(
                Arc::new(socket),
                Some(shown),
                Some(cancel.child_token()),
            )
            .await
            .map_err(|e| SipError::Listen(format!("cannot listen on udp:{wanted}: {e}")))?;
            transports.add_transport(connection.into());
            addr
        } else {
            if transport == Transport::Tls && bound.server.is_none() {
                let config = tls::server(files).map_err(SipError::Listen)?;
                bound.server = Some(tokio_rustls::TlsAcceptor::from(config));
            }
            let socket = tcp(wanted).map_err(|e| in_use(&e))?;
            let addr = socket.local_addr().map_err(|e| in_use(&e))?;
            bound
                .streams
                .push((socket, transport, shown(addr, advertise)));
            addr
        };
        let known = shown(addr, advertise);
        gate.known_as(known.ip(), known.port());
        bound.listeners.push(Listener { transport, addr });
    }
    if bound.listeners.is_empty() {
        return Err(SipError::Listen(
            "no SIP address to listen on: give at least one, such as udp:127.0.0.1:5060".into(),
        ));
    }
    Ok(bound)
}

/// A socket for one family of addresses only: `0.0.0.0` and `[::]` may stand beside each other, and no peer shows as a mapped address.
fn plain(wanted: SocketAddr, kind: socket2::Type) -> std::io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(wanted), kind, None)?;
    if wanted.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if kind == socket2::Type::STREAM {
        // As after a restart, when old connections still linger in the kernel.
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&wanted.into())?;
    Ok(socket)
}

fn udp(wanted: SocketAddr) -> std::io::Result<UdpSocket> {
    UdpSocket::from_std(plain(wanted, socket2::Type::DGRAM)?.into())
}

fn tcp(wanted: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = plain(wanted, socket2::Type::STREAM)?;
    socket.listen(1_024)?;
    TcpListener::from_std(socket.into())
}

/// A gated socket as the stack wants one.
struct Gated(GatedUdp);

#[async_trait::async_trait]
impl StackUdp for Gated {
    async fn recv_from(&self, buf: &mut [u8]) -> rsipstack::Result<(usize, SocketAddr)> {
        Ok(self.0.receive(buf).await?)
    }

    async fn send_to(&self, buf: &[u8], addr: SocketAddr) -> rsipstack::Result<usize> {
        Ok(self.0.send(buf, addr).await?)
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(self.0.local_addr()?)
    }
}

/// A connection that we opened, and our own end of it.
struct Ours {
    open: CancellationToken,
    local: SocketAddr,
}

/// Connections: those that others open to our listeners, and those we open.
pub(super) struct Streams {
    endpoint: Arc<EndpointInner>,
    gate: Arc<Gate>,
    client: tokio_rustls::TlsConnector,
    /// Where we are reached over each transport, as Via shows it.
    shown: Vec<(Transport, SocketAddr)>,
    advertise: Option<IpAddr>,
    ours: Mutex<HashMap<(Transport, SocketAddr), Ours>>,
    /// Which of our addresses those that others opened came to.
    theirs: Mutex<HashMap<(Transport, SocketAddr), SocketAddr>>,
    cancel: CancellationToken,
}

impl Streams {
    /// Starts accepting.
    pub(super) fn serve(
        bound: Bound,
        endpoint: Arc<EndpointInner>,
        cancel: &CancellationToken,
    ) -> Arc<Self> {
        let streams = Arc::new(Self {
            endpoint,
            gate: bound.gate,
            client: bound.client,
            shown: bound
                .streams
                .iter()
                .map(|(_, transport, shown)| (*transport, *shown))
                .collect(),
            advertise: bound.advertise,
            ours: Mutex::default(),
            theirs: Mutex::default(),
            cancel: cancel.clone(),
        });
        let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        for (listener, transport, _) in bound.streams {
            let acceptor = bound.server.clone().filter(|_| transport == Transport::Tls);
            tokio::spawn(accept(
                Arc::downgrade(&streams),
                listener,
                transport,
                acceptor,
                room.clone(),
                cancel.clone(),
            ));
        }
        streams
    }

    /// Opens a connection to `target`, unless one that we opened is up. `name` is whom its certificate must name.
    ///
    /// # Errors
    /// A sentence: refused, not in time, or not who it should be.
    pub(super) async fn connect(
        &self,
        transport: Transport,
        target: SocketAddr,
        name: &str,
    ) -> Result<CancellationToken, String> {
        let up = self
            .lock()
            .get(&(transport, target))
            .map(|o| o.open.clone());
        if let Some(open) = up.filter(|open| !open.is_cancelled()) {
            return Ok(open);
        }
        let dial = async {
            let tcp = TcpStream::connect(target)
                .await
                .map_err(|e| format!("{target} refused the connection: {e}"))?;
            keep_alive(&tcp);
            let local = tcp.local_addr().map_err(|e| e.to_string())?;
            if transport != Transport::Tls {
                return Ok::<_, String>((self.carried(tcp, target), local));
            }
            let server = rustls::pki_types::ServerName::try_from(name.to_owned())
                .map_err(|_| format!("\"{name}\" is no name a certificate can hold"))?;
            let secured = self
                .client
                .connect(server, tcp)
                .await
                .map_err(|e| format!("no TLS with {name} ({target}): {e}"))?;
            Ok((self.carried(secured, target), local))
        };
        let (carried, local) = match tokio::time::timeout(HANDSHAKE, dial).await {
            Ok(dialled) => dialled?,
            Err(_) => {
                return Err(format!(
                    "{target} did not take the connection within {} seconds",
                    HANDSHAKE.as_secs()
                ));
            }
        };
        let open = carried.open.clone();
        {
            let mut ours = self.lock();
            ours.retain(|_, ours| !ours.open.is_cancelled());
            let open = open.clone();
            ours.insert((transport, target), Ours { open, local });
        }
        self.attach(carried, transport, target, local).await?;
        Ok(open)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(Transport, SocketAddr), Ours>> {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_theirs(
        &self,
    ) -> std::sync::MutexGuard<'_, HashMap<(Transport, SocketAddr), SocketAddr>> {
        self.theirs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Our own end of the connection with `peer`, whoever opened it.
    pub(super) fn own_end(&self, transport: Transport, peer: SocketAddr) -> Option<SocketAddr> {
        let theirs = self.lock_theirs().get(&(transport, peer)).copied();
        theirs.or_else(|| Some(self.lock().get(&(transport, peer))?.local))
    }

    fn carried<S>(&self, io: S, peer: SocketAddr) -> Carried
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        carry(io, peer, self.gate.clone(), &self.cancel)
    }

    /// Gives a connection to the stack.
    async fn attach(
        &self,
        mut carried: Carried,
        transport: Transport,
        peer: SocketAddr,
        local: SocketAddr,
    ) -> Result<(), String> {
        let addr = sip_addr(peer, transport);
        let (in_tx, in_rx) = mpsc::unbounded_channel();
        let (out_tx, mut out_rx) = mpsc::channel(64);
        let open = carried.open.clone();
        let connection = ChannelConnection::create_connection_bounded(
            in_rx,
            out_tx,
            addr.clone(),
            Some(open.clone()),
        )
        .await
        .map_err(|e| e.to_string())?;
        let connection = SipConnection::Channel(connection);
        self.endpoint
            .transport_layer
            .add_connection(connection.clone());
        let alike =
            |(t, a): &&(Transport, SocketAddr)| *t == transport && a.is_ipv4() == peer.is_ipv4();
        let own = self.shown.iter().find(alike);
        let via = own.map_or_else(
            || SocketAddr::new(self.advertise.unwrap_or(local.ip()), local.port()),
            |(_, shown)| *shown,
        );
        let kind = stack_transport(transport);
        let ending = open.clone();
        tokio::spawn(async move {
            while let Some(bytes) = carried.incoming.recv().await {
                let read = SipMessage::try_from(&bytes[..])
                    .map_err(|e| e.to_string())
                    .and_then(|message| {
                        SipConnection::update_msg_received(message, peer, kind)
                            .map_err(|e| e.to_string())
                    });
                match read {
                    Ok(message) => {
                        let event =
                            TransportEvent::Incoming(message, connection.clone(), addr.clone());
                        if in_tx.send(event).is_err() {
                            break;
                        }
                    }
                    Err(error) => {
                        tracing::info!(%peer, error, "a SIP message that the stack cannot read was passed over");
                    }
                }
            }
            ending.cancel();
        });
        let outgoing = carried.outgoing;
        tokio::spawn(async move {
            loop {
                let event = tokio::select! {
                    event = out_rx.recv() => event,
                    () = open.cancelled() => break,
                };
                let Some(TransportEvent::Incoming(message, ..)) = event else {
                    break;
                };
                let bytes = match message {
                    // The stack takes any in-memory connection for UDP when it writes its Via.
                    SipMessage::Request(_) => with_via(&message.to_bytes(), transport, via),
                    SipMessage::Response(_) => message.to_bytes(),
                };
                if outgoing.send(bytes.to_vec()).await.is_err() {
                    break;
                }
            }
        });
        Ok(())
    }
}

/// A request whose top Via says how and from where it really goes. Answers find their transaction by the branch, which stays.
pub(super) fn with_via(bytes: &[u8], transport: Transport, shown: SocketAddr) -> Vec<u8> {
    let found = bytes
        .windows(6)
        .position(|w| w.eq_ignore_ascii_case(b"\nVia: "))
        .map(|at| at + 1);
    let Some(at) = found else {
        return bytes.to_vec();
    };
    let line = bytes.get(at..).unwrap_or_default();
    let end = line
        .iter()
        .position(|b| matches!(b, b';' | b'\r' | b'\n'))
        .unwrap_or(line.len());
    let mut out = bytes.get(..at).unwrap_or_default().to_vec();
    out.extend(format!("Via: SIP/2.0/{} {shown}", transport.name()).bytes());
    out.extend_from_slice(line.get(end..).unwrap_or_default());
    out
}

async fn accept(
    streams: std::sync::Weak<Streams>,
    listener: TcpListener,
    transport: Transport,
    acceptor: Option<tokio_rustls::TlsAcceptor>,
    room: Arc<Semaphore>,
    cancel: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = cancel.cancelled() => return,
        };
        let Ok((tcp, peer)) = accepted else {
            // Out of file descriptors, most likely: they come back as calls end.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(streams) = streams.upgrade() else {
            return;
        };
        let Some(held) = streams.gate.limiter.connects(peer.ip()) else {
            continue;
        };
        let Ok(place) = room.clone().try_acquire_owned() else {
            tracing::warn!(%peer, "too many SIP connections: one was closed");
            continue;
        };
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            keep_alive(&tcp);
            let local = tcp.local_addr().unwrap_or(peer);
            let carried = match acceptor {
                None => streams.carried(tcp, peer),
                Some(acceptor) => {
                    match tokio::time::timeout(HANDSHAKE, acceptor.accept(tcp)).await {
                        Ok(Ok(secured)) => streams.carried(secured, peer),
                        Ok(Err(error)) => {
                            tracing::info!(%peer, %error, "a TLS handshake failed");
                            return;
                        }
                        Err(_) => return,
                    }
                }
            };
            let open = carried.open.clone();
            let key = (transport, peer);
            streams.lock_theirs().insert(key, local);
            let weak = Arc::downgrade(&streams);
            if streams
                .attach(carried, transport, peer, local)
                .await
                .is_ok()
            {
                drop(streams);
                open.cancelled().await;
            }
            if let Some(streams) = weak.upgrade() {
                streams.lock_theirs().remove(&key);
            }
            drop((place, held));
        });
    }
}

/// A peer that vanished without a word is noticed by the kernel's own probes; a call may be silent on this connection for hours.
fn keep_alive(tcp: &TcpStream) {
    let probes = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15));
    let _ = socket2::SockRef::from(tcp).set_tcp_keepalive(&probes);
    let _ = tcp.set_nodelay(true);
}

pub(super) fn stack_transport(transport: Transport) -> StackTransport {
    match transport {
        Transport::Udp => StackTransport::Udp,
        Transport::Tcp => StackTransport::Tcp,
        Transport::Tls => StackTransport::Tls,
    }
}

pub(super) fn sip_addr(addr: SocketAddr, transport: Transport) -> SipAddr {
    SipAddr::new(stack_transport(transport), HostWithPort::from(addr))
}

fn parse(text: &str) -> Result<(Transport, SocketAddr), SipError> {
    let bad = || {
        SipError::Listen(format!(
            "\"{text}\" is no SIP address to listen on: write it as udp:0.0.0.0:5060, tcp:0.0.0.0:5060 or tls:0.0.0.0:5061"
        ))
    };
    let (transport, addr) = text.trim().split_once(':').ok_or_else(bad)?;
    let transport = Transport::named(transport).ok_or_else(bad)?;
    Ok((transport, addr.parse().map_err(|_| bad())?))
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
        _ => format!("cannot listen on {kind} {addr}: {error}"),
    })
}

fn shown(bound: SocketAddr, advertise: Option<IpAddr>) -> SocketAddr {
    let advertise =
        advertise.filter(|a| a.is_ipv4() == bound.is_ipv4() && !bound.ip().is_loopback());
    SocketAddr::new(
        advertise.unwrap_or_else(|| visible(bound.ip())),
        bound.port(),
    )
}

/// The address others reach a listener at: its own, or the default interface's for a wildcard.
fn visible(ip: IpAddr) -> IpAddr {
    if !ip.is_unspecified() {
        return ip;
    }
    // An address kept for documentation: routing it picks the default interface, and nothing is ever sent there.
    let somewhere = match ip {
        IpAddr::V4(_) => SocketAddr::from(([192, 0, 2, 1], 9)),
        IpAddr::V6(_) => SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 9)),
    };
    local_towards(somewhere)
}

/// The address of the interface that routes to `peer`.
pub(super) fn local_towards(peer: SocketAddr) -> IpAddr {
    let any: SocketAddr = if peer.is_ipv4() {
        SocketAddr::from(([0, 0, 0, 0], 0))
    } else {
        SocketAddr::from(([0u16; 8], 0))
    };
    std::net::UdpSocket::bind(any)
        .and_then(|socket| {
            socket.connect(peer)?;
            socket.local_addr()
        })
        .map(|addr| addr.ip())
        .ok()
        .filter(|ip| !ip.is_unspecified())
        .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}
