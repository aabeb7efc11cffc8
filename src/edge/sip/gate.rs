//! What stands between the network and the SIP stack: every message is judged by [`crate::wire::sip`] first, on UDP, TCP and TLS alike.
//!
//! The stack's own readers drop what they cannot parse, and close a TCP connection over it; here a bad message is answered, costs
//! itself, and leaves the connection and its calls alone.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::limiter::{Limiter, Offence};
use super::listen::with_via;
use super::sockets::UdpSockets;
use super::{ALLOW, SUPPORTED, Transport};
use crate::wire::sip::frame::{Framer, Piece};
use crate::wire::sip::nat::reachable;
use crate::wire::sip::{Rules, Start, Verdict, plain_out, screen};

/// How long the rest of a message may take to come on a stream.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long a peer may take to read what it is sent before its connection is given up.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// Messages that wait to be written to one peer, or to be read by the stack.
const QUEUE: usize = 64;

/// How messages are judged, and who we are.
pub(super) struct Gate {
    /// Addresses and ports this line is known under.
    ours: RwLock<Vec<(IpAddr, u16)>>,
    /// Who is not read at all.
    pub(super) limiter: Arc<Limiter>,
}

impl Gate {
    pub(super) fn new(limiter: Arc<Limiter>) -> Self {
        Self {
            ours: RwLock::default(),
            limiter,
        }
    }

    /// Another address of ours.
    pub(super) fn known_as(&self, ip: IpAddr, port: u16) {
        let mut ours = self.ours.write().unwrap_or_else(PoisonError::into_inner);
        ours.push((ip, port));
    }

    fn judge(&self, bytes: &[u8], source: SocketAddr, stream: bool) -> Verdict {
        if !self.limiter.hears(source.ip()) {
            return Verdict::Drop("its sender is banned");
        }
        let known = self.ours.read().unwrap_or_else(PoisonError::into_inner);
        let host_is =
            |host: &str| -> Option<IpAddr> { host.trim_matches(['[', ']']).parse::<IpAddr>().ok() };
        let ours = |host: &str| {
            host.eq_ignore_ascii_case("localhost")
                || host_is(host)
                    .is_some_and(|ip| ip.is_loopback() || known.iter().any(|(own, _)| *own == ip))
        };
        let sent_by = |host: &str, port: Option<u16>| {
            host_is(host).is_some_and(|ip| {
                known
                    .iter()
                    .any(|(own, p)| *own == ip && *p == port.unwrap_or(5060))
            })
        };
        let mut verdict = screen(
            bytes,
            &Rules {
                allow: ALLOW,
                supported: SUPPORTED,
                ours: &ours,
                sent_by: &sent_by,
                source,
                stream,
            },
        );
        let within = match &verdict {
            Verdict::Pass(message) => match &message.start {
                Start::Response { .. } => true,
                Start::Request { method, .. } => {
                    method == "ACK"
                        || method == "CANCEL"
                        || message.header("To").is_some_and(|to| to.contains(";tag="))
                }
            },
            Verdict::Answer { code, .. } => {
                if *code == 400 {
                    self.limiter.strike(source.ip(), Offence::Unreadable);
                }
                false
            }
            Verdict::Drop(_) => {
                self.limiter.strike(source.ip(), Offence::Unreadable);
                false
            }
        };
        if !self.limiter.admits(source.ip(), within) {
            return Verdict::Drop("its sender sends too much");
        }
        if let Verdict::Pass(message) = &mut verdict {
            reachable(message, source);
        }
        match &verdict {
            Verdict::Answer { code, why, .. } => {
                tracing::info!(%source, code, why, "a SIP request was refused");
            }
            Verdict::Drop(why) => tracing::debug!(%source, why, "a SIP message was passed over"),
            Verdict::Pass(_) => {}
        }
        verdict
    }
}

/// A UDP socket that gives only what passes.
pub(super) struct GatedUdp {
    socket: Arc<UdpSocket>,
    gate: Arc<Gate>,
    buffer: Mutex<Vec<u8>>,
    /// All of the line's, this one among them, and which it is: the stack sends every request by the first.
    sockets: Arc<UdpSockets>,
    number: usize,
}

impl GatedUdp {
    pub(super) fn new(
        socket: Arc<UdpSocket>,
        gate: Arc<Gate>,
        sockets: Arc<UdpSockets>,
        number: usize,
    ) -> Self {
        Self {
            socket,
            gate,
            buffer: Mutex::new(vec![0; 65_536]),
            sockets,
            number,
        }
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The next message that passes, in plain form.
    pub(super) async fn receive(&self, out: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut buffer = self.buffer.lock().await;
        loop {
            // An ICMP refusal of something sent earlier shows here; it says nothing about what comes next.
            let Ok((len, source)) = self.socket.recv_from(&mut buffer).await else {
                tokio::task::yield_now().await;
                continue;
            };
            let datagram = buffer.get(..len).unwrap_or_default();
            if datagram.iter().all(u8::is_ascii_whitespace) {
                // A double line end is a phone keeping its NAT open (RFC 5626 section 4.4.2 has STUN for it; many send this).
                if datagram == b"\r\n\r\n" {
                    let _ = self.socket.send_to(b"\r\n", source).await;
                }
                continue;
            }
            match self.gate.judge(datagram, source, false) {
                Verdict::Pass(message) => {
                    self.sockets.heard(self.number, source);
                    let bytes = message.to_bytes();
                    if let Some(slot) = out.get_mut(..bytes.len()) {
                        slot.copy_from_slice(&bytes);
                        return Ok((bytes.len(), source));
                    }
                    tracing::info!(%source, bytes = bytes.len(), "a SIP message too large for UDP was passed over");
                }
                Verdict::Answer { bytes, .. } => {
                    let _ = self.socket.send_to(&bytes, source).await;
                }
                Verdict::Drop(_) => {}
            }
        }
    }

    pub(super) async fn send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        let plain = plain_out(bytes);
        let bytes = plain.as_deref().unwrap_or(bytes);
        match self.sockets.other_for(self.number, bytes, to) {
            Some(other) => {
                let request = !bytes.starts_with(b"SIP/2.0 ");
                let seen = request.then(|| with_via(bytes, Transport::Udp, other.shown));
                let bytes = seen.as_deref().unwrap_or(bytes);
                other.socket.send_to(bytes, to).await
            }
            None => self.socket.send_to(bytes, to).await,
        }
    }
}

/// A TCP or TLS connection as the stack sees it: whole messages both ways.
pub(super) struct Carried {
    pub(super) incoming: mpsc::Receiver<Vec<u8>>,
    pub(super) outgoing: mpsc::Sender<Vec<u8>>,
    /// Cancelled when the connection is over; cancelling it ends the connection.
    pub(super) open: CancellationToken,
}

/// Reads and writes one connection until either side ends it.
pub(super) fn carry<S>(
    io: S,
    peer: SocketAddr,
    gate: Arc<Gate>,
    stop: &CancellationToken,
) -> Carried
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut reader, mut writer) = tokio::io::split(io);
    let (in_tx, incoming) = mpsc::channel(QUEUE);
    let (outgoing, mut out_rx) = mpsc::channel::<Vec<u8>>(QUEUE);
    let open = stop.child_token();
    let (closing, answers) = (open.clone(), outgoing.clone());
    tokio::spawn(async move {
        let mut framer = Framer::new();
        let mut chunk = vec![0u8; 16 * 1024];
        loop {
            let read = tokio::select! {
                read = reader.read(&mut chunk) => read,
                () = tokio::time::sleep(PATIENCE), if framer.waiting() => {
                    if !judged(framer.give_up(), peer, &gate, &in_tx, &answers).await {
                        break;
                    }
                    continue;
                }
                () = closing.cancelled() => break,
            };
            let Ok(len @ 1..) = read else { break };
            framer.push(chunk.get(..len).unwrap_or_default());
            let mut going = true;
            while let Some(piece) = framer.next_piece() {
                going = judged(Some(piece), peer, &gate, &in_tx, &answers).await;
                if !going {
                    break;
                }
            }
            if !going {
                break;
            }
        }
        closing.cancel();
    });
    let closing = open.clone();
    tokio::spawn(async move {
        loop {
            let bytes = tokio::select! {
                bytes = out_rx.recv() => bytes,
                // What was queued before the end still goes out.
                () = closing.cancelled() => out_rx.try_recv().ok(),
            };
            let Some(bytes) = bytes else { break };
            let plain = plain_out(&bytes);
            let write = async {
                writer.write_all(plain.as_deref().unwrap_or(&bytes)).await?;
                writer.flush().await
            };
            match tokio::time::timeout(WRITE_WITHIN, write).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => break,
                Err(_) => {
                    tracing::info!(%peer, "a SIP connection that does not read is closed");
                    break;
                }
            }
        }
        closing.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(1), writer.shutdown()).await;
    });
    Carried {
        incoming,
        outgoing,
        open,
    }
}

/// Sends a piece where it belongs. False when the connection is to be closed.
async fn judged(
    piece: Option<Piece>,
    peer: SocketAddr,
    gate: &Gate,
    incoming: &mpsc::Sender<Vec<u8>>,
    answers: &mpsc::Sender<Vec<u8>>,
) -> bool {
    if !gate.limiter.hears(peer.ip()) {
        return false;
    }
    match piece {
        None => true,
        Some(Piece::Hopeless) => {
            tracing::info!(%peer, "a SIP connection that sends no end of a message is closed");
            false
        }
        Some(Piece::KeepAlive) => answers.send(b"\r\n".to_vec()).await.is_ok(),
        Some(Piece::Message(bytes)) => match gate.judge(&bytes, peer, true) {
            Verdict::Pass(message) => incoming.send(message.to_bytes()).await.is_ok(),
            Verdict::Answer { bytes, .. } => answers.send(bytes).await.is_ok(),
            Verdict::Drop(_) => true,
        },
    }
}
