//! RTP for one leg: a pair of UDP sockets that are read and written without waiting, from the call's own 20 ms tick.
//!
//! Outside any codec of [`crate::audio::codec`] in packets of 10 to 60 ms, plain or encrypted; inside 16 kHz frames. Sending goes
//! where packets come from (symmetric RTP), once a stream has shown itself; a second sender cannot take over a stream that is alive.
//!
//! ```text
//! ports    the pairs of ports
//! receive  latch, jitter buffer, decoding, keys
//! send     encoding, packets, keys
//! report   RTCP both ways
//! secure   SRTP
//! quality  what it adds up to for whoever listens
//! ```

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::LegInfo;
use crate::audio::FRAME;
use crate::wire::rtp::Packet;
use crate::wire::sdp::Agreed;

mod ports;
mod quality;
mod receive;
mod report;
mod secure;
mod send;
#[cfg(test)]
mod tests;

pub use ports::RtpPorts;

use receive::Receiver;
use report::Reports;
use secure::Protection;
use send::Sender;

/// Packets read in one pull; a flood is left to the socket's buffer.
const AT_ONCE: usize = 64;

/// What one pull brought besides sound.
#[derive(Debug, Default)]
pub struct Pulled {
    /// `pcm` holds sound from the far end.
    pub live: bool,
    /// The first packet of the call was among it.
    pub first: bool,
    pub keys: Vec<char>,
}

/// One leg's media.
pub struct RtpSession {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    port: u16,
    agreed: Option<Agreed>,
    protection: Option<Protection>,
    receiver: Receiver,
    sender: Sender,
    reports: Reports,
    pushed: bool,
    started: Instant,
}

impl RtpSession {
    fn new(rtp: UdpSocket, rtcp: UdpSocket, port: u16) -> Self {
        let now = Instant::now();
        Self {
            rtp,
            rtcp,
            port,
            agreed: None,
            protection: None,
            receiver: Receiver::new(),
            sender: Sender::new(),
            reports: Reports::new(now),
            pushed: false,
            started: now,
        }
    }

    /// Our RTP port; RTCP is the next.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where media goes and how it is coded from now on.
    pub fn set(&mut self, agreed: Agreed) {
        let before = self.agreed.as_ref().map(|old| old.remote);
        self.receiver.set(&agreed, before);
        self.sender.set(&agreed);
        if self
            .agreed
            .as_ref()
            .is_some_and(|old| !old.direction.sends())
        {
            self.sender.fresh = true;
        }
        // The same keys keep their packet counts; new ones begin anew.
        match &agreed.secure {
            None => self.protection = None,
            Some(keys) if self.protection.as_ref().is_some_and(|p| p.is(keys)) => {}
            Some(keys) => self.protection = Protection::new(keys),
        }
        self.agreed = Some(agreed);
    }

    /// Writes how the stream fares.
    pub fn fill(&self, info: &mut LegInfo) {
        let jitter = self.receiver.stats();
        let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let (packets_in, packets_lost) = (self.receiver.packets, self.receiver.lost());
        let mos = self
            .agreed
            .as_ref()
            .filter(|_| packets_in > 50)
            .map(|agreed| {
                let loss = packets_lost as f32 / (packets_in + packets_lost).max(1) as f32;
                // Half the way there and back, the buffer, and a packet each to fill and to play.
                let delay =
                    self.reports.rtt_ms.unwrap_or(0.0) / 2.0 + jitter.target as f32 * 20.0 + 40.0;
                quality::mos(agreed.codec, loss, delay)
            });
        info.packets_in = packets_in;
        info.packets_lost = packets_lost;
        info.packets_late = self.receiver.late();
        info.packets_out = u64::from(self.sender.packets);
        info.jitter_ms = jitter.jitter_ms;
        info.longest_gap_ms = ms(self.receiver.longest_gap());
        info.longest_sent_gap_ms = ms(self.sender.longest_gap());
        info.far_loss = self.reports.far_loss;
        info.rtt_ms = self.reports.rtt_ms;
        info.mos = mos;
    }

    /// Queues a key. Sent as an event where that was agreed, as a tone otherwise.
    pub fn send_key(&mut self, key: char) {
        self.sender.key(key);
    }

    /// Keys are still going out.
    pub fn sending_keys(&self) -> bool {
        self.sender.sending_keys()
    }

    /// Reads everything that waits, and gives the next 20 ms.
    pub fn pull(&mut self, pcm: &mut [i16; FRAME]) -> Pulled {
        // The line never falls silent on the wire: far ends, and the NATs between, take that for the end of the call.
        if !std::mem::take(&mut self.pushed) && self.sender.packets > 0 {
            self.push(&[0; FRAME]);
            self.pushed = false;
        }
        let now = Instant::now();
        let clock = now.duration_since(self.started);
        let mut pulled = Pulled::default();
        let nothing_yet = self.receiver.packets == 0;
        let mut buffer = [0u8; 2048];
        for _ in 0..AT_ONCE {
            let Ok((len, from)) = self.rtp.recv_from(&mut buffer) else {
                break;
            };
            self.take(buffer.get(..len).unwrap_or_default(), from, now, clock);
        }
        pulled.first = nothing_yet && self.receiver.packets > 0;
        self.report(now, &mut buffer);
        pulled.live = self.receiver.pull(pcm, &mut pulled.keys, clock);
        pulled
    }

    fn take(&mut self, bytes: &[u8], from: SocketAddr, now: Instant, clock: Duration) {
        let Some(agreed) = &self.agreed else { return };
        let opened;
        let bytes = match (&agreed.secure, &mut self.protection) {
            (None, _) => bytes,
            (Some(_), Some(protection)) => match protection.open(bytes) {
                Some(plain) => {
                    opened = plain;
                    &opened
                }
                None => return,
            },
            // Keys that could not be used: nothing unencrypted is taken in their place.
            (Some(_), None) => return,
        };
        if let Ok(packet) = Packet::parse(bytes) {
            self.receiver.packet(&packet, from, agreed, now, clock);
        }
    }

    /// Sound that has come and was not pulled yet, milliseconds.
    pub fn held_ms(&self) -> u64 {
        self.receiver.held_ms()
    }

    /// Sends 20 ms.
    pub fn push(&mut self, pcm: &[i16; FRAME]) {
        self.pushed = true;
        let agreed = self.agreed.as_ref();
        let to = self
            .receiver
            .latch
            .map(|l| l.from)
            .or(agreed.map(|a| a.remote));
        let secure = agreed.is_some_and(|a| a.secure.is_some());
        let (rtp, protection) = (&self.rtp, &mut self.protection);
        self.sender.push(pcm, agreed, |bytes| {
            let Some(to) = to else { return false };
            match (secure, protection.as_mut()) {
                (false, _) => rtp.send_to(bytes, to).is_ok(),
                (true, Some(protection)) => protection
                    .protect(bytes)
                    .is_some_and(|hidden| rtp.send_to(&hidden, to).is_ok()),
                (true, None) => false,
            }
        });
    }
}
