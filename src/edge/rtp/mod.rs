//! RTP for one leg: a pair of UDP sockets that are read and written without waiting, from the call's own 20 ms tick.
//!
//! Outside 8 kHz G.711 in 20 ms packets (10 to 60 ms are taken), inside 16 kHz frames. Sending goes where packets come from
//! (symmetric RTP), once a stream has shown itself; a second sender cannot take over a stream that is alive.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::sip::{Agreed, Law};
use crate::audio::FRAME;
use crate::audio::g711;
use crate::audio::resample::Resampler;

mod packet;
mod receive;

pub use packet::{Event, Rtp};
use packet::{Report, Sent, sender_report, write_rtcp};
use receive::{BLOCK, Count, Playback};

/// A sender from which nothing came for this long may be replaced.
const SILENT: Duration = Duration::from_secs(2);
/// Reports go out this often (RFC 3550 section 6.2).
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// A key lasts 100 ms, and at least 60 ms pass before the next.
const KEY_BLOCKS: u16 = 5;
const GAP_BLOCKS: u16 = 4;
/// Packets read in one pull; a flood is left to the socket's buffer.
const AT_ONCE: usize = 64;

/// The range RTP ports are taken from.
#[derive(Debug, Clone, Copy)]
pub struct RtpPorts {
    first: u16,
    pairs: u16,
}

impl RtpPorts {
    /// First and last port, both included.
    ///
    /// # Errors
    /// A sentence when no even port with its odd neighbour fits.
    pub fn new((first, last): (u16, u16)) -> Result<Self, String> {
        let even = first.checked_add(first % 2).filter(|f| *f >= 1024);
        match even {
            Some(even) if last > even => Ok(Self {
                first: even,
                pairs: (last - even).div_ceil(2),
            }),
            _ => Err(format!(
                "rtp_ports \"{first}-{last}\" holds no pair of ports above 1023: give a range such as 16384-32767"
            )),
        }
    }

    /// A session on a free pair, looked for from a random place on.
    ///
    /// # Errors
    /// A sentence when every pair is taken.
    pub fn open(&self, ip: IpAddr) -> Result<RtpSession, String> {
        let start = rand::random_range(0..self.pairs);
        for step in 0..self.pairs {
            let port = self.first + (start + step) % self.pairs * 2;
            if let (Ok(rtp), Ok(rtcp)) = (bind(ip, port), bind(ip, port + 1)) {
                return Ok(RtpSession::new(rtp, rtcp, port));
            }
        }
        Err(format!(
            "every RTP port from {} on is taken ({} calls' worth): widen [sip] rtp_ports",
            self.first, self.pairs
        ))
    }
}

fn bind(ip: IpAddr, port: u16) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind((ip, port))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Whom we hear.
#[derive(Debug, Clone, Copy)]
struct Latch {
    from: SocketAddr,
    ssrc: u32,
    seq: u16,
    at: Instant,
}

/// What one pull brought besides sound.
#[derive(Debug, Default)]
pub struct Pulled {
    /// `pcm` holds sound from the far end.
    pub live: bool,
    /// The first packet of the call was among it.
    pub first: bool,
    pub keys: Vec<char>,
}

/// A key on its way in.
#[derive(Debug, Clone, Copy)]
struct KeyIn {
    timestamp: u32,
    key: char,
    said: bool,
    at: Instant,
}

/// A key on its way out.
#[derive(Debug, Clone, Copy)]
struct KeyOut {
    key: char,
    block: u16,
    timestamp: u32,
}

/// How the stream fares.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RtpStats {
    pub packets_in: u64,
    pub packets_lost: u64,
    pub packets_out: u64,
    pub jitter_ms: f32,
    /// Longest time between two packets of sound, ms.
    pub longest_gap_ms: u64,
}

/// One leg's media.
pub struct RtpSession {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    port: u16,
    agreed: Option<Agreed>,
    latch: Option<Latch>,
    candidate: Option<(Latch, u8)>,
    playback: Playback,
    count: Count,
    /// Of streams before this one.
    before: (u64, u64),
    key_in: Option<KeyIn>,
    up: Resampler,
    heard: VecDeque<i16>,
    down: Resampler,
    to_send: Vec<i16>,
    ssrc: u32,
    seq: u16,
    timestamp: u32,
    /// Nothing was sent yet, or sending had stopped: the next packet is marked.
    fresh: bool,
    pushed: bool,
    sent: u32,
    octets: u32,
    keys_out: VecDeque<char>,
    key_out: Option<KeyOut>,
    started: Instant,
    next_report: Instant,
    last_sr: Option<(u32, Instant)>,
    last_sound: Option<Instant>,
    longest_gap: Duration,
    bytes: Vec<u8>,
    codes: Vec<u8>,
}

impl RtpSession {
    fn new(rtp: UdpSocket, rtcp: UdpSocket, port: u16) -> Self {
        let now = Instant::now();
        Self {
            rtp,
            rtcp,
            port,
            agreed: None,
            latch: None,
            candidate: None,
            playback: Playback::default(),
            count: Count::default(),
            before: (0, 0),
            key_in: None,
            up: Resampler::new(8_000, 16_000),
            heard: VecDeque::new(),
            down: Resampler::new(16_000, 8_000),
            to_send: Vec::new(),
            ssrc: rand::random(),
            seq: rand::random::<u16>() >> 1,
            timestamp: rand::random(),
            fresh: true,
            pushed: false,
            sent: 0,
            octets: 0,
            keys_out: VecDeque::new(),
            key_out: None,
            started: now,
            next_report: now + REPORT_EVERY,
            last_sr: None,
            last_sound: None,
            longest_gap: Duration::ZERO,
            bytes: Vec::with_capacity(256),
            codes: Vec::with_capacity(BLOCK),
        }
    }

    /// Our RTP port; RTCP is the next.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// Where media goes and how it is coded from now on. A new address in SDP lets go of the sender heard so far.
    pub fn set(&mut self, agreed: Agreed) {
        let moved = self
            .agreed
            .as_ref()
            .is_none_or(|old| old.remote != agreed.remote);
        if moved {
            self.latch = None;
            self.candidate = None;
        }
        if self.agreed.as_ref().is_some_and(|old| !old.send) {
            self.fresh = true;
        }
        self.agreed = Some(agreed);
    }

    /// The far end may hear us.
    pub fn sends(&self) -> bool {
        self.agreed.as_ref().is_some_and(|a| a.send)
    }

    pub fn stats(&self) -> RtpStats {
        RtpStats {
            packets_in: self.before.0 + self.count.received(),
            packets_lost: self.before.1 + self.count.lost(),
            packets_out: u64::from(self.sent),
            jitter_ms: self.count.jitter() as f32 / 8.0,
            longest_gap_ms: u64::try_from(self.longest_gap.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Queues a key. Sent as an event where that was agreed, as a tone otherwise.
    pub fn send_key(&mut self, key: char) {
        let key = key.to_ascii_uppercase();
        if (Event {
            key,
            end: false,
            duration: 0,
        })
        .write()
        .is_some()
            && self.keys_out.len() < 64
        {
            self.keys_out.push_back(key);
        }
    }

    /// Keys are still going out.
    pub fn sending_keys(&self) -> bool {
        self.key_out.is_some() || !self.keys_out.is_empty()
    }

    /// Reads everything that waits, and gives the next 20 ms.
    pub fn pull(&mut self, pcm: &mut [i16; FRAME]) -> Pulled {
        // The line never falls silent on the wire: far ends, and the NATs between, take that for the end of the call.
        if !std::mem::take(&mut self.pushed) && self.sent > 0 {
            self.push(&[0; FRAME]);
            self.pushed = false;
        }
        let now = Instant::now();
        let mut pulled = Pulled::default();
        let packets_before = self.before.0 + self.count.received();
        let mut buffer = [0u8; 2048];
        for _ in 0..AT_ONCE {
            let Ok((len, from)) = self.rtp.recv_from(&mut buffer) else {
                break;
            };
            if let Some(packet) = buffer.get(..len).and_then(Rtp::parse) {
                self.packet(&packet, from, now, &mut pulled.keys);
            }
        }
        pulled.first = packets_before == 0 && self.count.received() > 0;
        self.reports(now, &mut buffer);
        // A key whose end was lost ends when its packets stop.
        if let Some(key) = &mut self.key_in
            && !key.said
            && now.duration_since(key.at) > Duration::from_millis(150)
        {
            key.said = true;
            pulled.keys.push(key.key);
        }
        let mut block = [0; BLOCK];
        pulled.live = self.playback.pull(&mut block);
        if !pulled.live {
            block = [0; BLOCK];
        }
        let mut wide = Vec::with_capacity(FRAME);
        self.up.process(&block, &mut wide);
        self.heard.extend(wide);
        for slot in pcm.iter_mut() {
            *slot = self.heard.pop_front().unwrap_or(0);
        }
        // What the converter holds back by a block boundary must not pile up.
        while self.heard.len() > FRAME {
            self.heard.pop_front();
        }
        pulled
    }

    fn packet(&mut self, packet: &Rtp<'_>, from: SocketAddr, now: Instant, keys: &mut Vec<char>) {
        let Some(agreed) = self.agreed.clone() else {
            return;
        };
        let event = agreed.events == Some(packet.payload_type);
        let law = match packet.payload_type {
            0 => Law::Mu,
            8 => Law::A,
            // Comfort noise (RFC 3389) and the like: proof of life, no sound.
            13 => agreed.law,
            _ if event => agreed.law,
            _ => return,
        };
        if !self.admits(packet, from, &agreed, now) {
            return;
        }
        let arrival = u32::try_from(now.duration_since(self.started).as_micros() / 125 % (1 << 32))
            .unwrap_or(0);
        self.count.packet(packet.seq, packet.timestamp, arrival);
        if event {
            self.key_event(packet, now, keys);
            return;
        }
        if packet.payload_type == 13 || !agreed.receive {
            return;
        }
        if let Some(last) = self.last_sound.replace(now) {
            self.longest_gap = self.longest_gap.max(now.duration_since(last));
        }
        // 10 to 60 ms of sound, and a little more from odd senders.
        let payload = packet
            .payload
            .get(..packet.payload.len().min(960))
            .unwrap_or_default();
        let mut pcm = Vec::with_capacity(payload.len());
        codec(law).decode_into(payload, &mut pcm);
        self.playback.push(packet.timestamp, &pcm);
    }

    /// Is this packet of the stream we listen to, or may it become that?
    fn admits(
        &mut self,
        packet: &Rtp<'_>,
        from: SocketAddr,
        agreed: &Agreed,
        now: Instant,
    ) -> bool {
        let seen = Latch {
            from,
            ssrc: packet.ssrc,
            seq: packet.seq,
            at: now,
        };
        let Some(latch) = self.latch else {
            if from.ip().to_canonical() == agreed.remote.ip().to_canonical() {
                self.take(seen);
                return true;
            }
            // Behind NAT the address in SDP is not the one that sends: three packets in a row of one stream show it is one.
            let run = match self.candidate {
                Some((c, run))
                    if c.from == from
                        && c.ssrc == packet.ssrc
                        && packet.seq == c.seq.wrapping_add(1) =>
                {
                    run + 1
                }
                _ => 1,
            };
            self.candidate = Some((seen, run));
            if run >= 3 {
                self.take(seen);
            }
            return run >= 3;
        };
        let same_stream = latch.ssrc == packet.ssrc && packet.seq.wrapping_sub(latch.seq) < 3_000;
        let dead = now.duration_since(latch.at) > SILENT;
        if latch.from == from {
            if latch.ssrc != packet.ssrc {
                self.take(seen);
            } else {
                let ahead = packet.seq.wrapping_sub(latch.seq) < 0x8000;
                self.latch = Some(Latch {
                    seq: if ahead { packet.seq } else { latch.seq },
                    at: now,
                    ..latch
                });
            }
            return true;
        }
        // Another address: the same stream behind a NAT that changed its mind, or the one SDP named, once the first is silent.
        if dead && (same_stream || from == agreed.remote) {
            if latch.ssrc == packet.ssrc {
                self.latch = Some(seen);
            } else {
                self.take(seen);
            }
            return true;
        }
        false
    }

    /// Starts listening to a stream: its numbers are its own.
    fn take(&mut self, seen: Latch) {
        if self.latch.is_none_or(|l| l.ssrc != seen.ssrc) && self.count.received() > 0 {
            self.before.0 += self.count.received();
            self.before.1 += self.count.lost();
            self.count = Count::default();
            self.last_sr = None;
        }
        self.latch = Some(seen);
        self.candidate = None;
    }

    fn key_event(&mut self, packet: &Rtp<'_>, now: Instant, keys: &mut Vec<char>) {
        let Some(event) = Event::parse(packet.payload) else {
            return;
        };
        match &mut self.key_in {
            Some(key) if key.timestamp == packet.timestamp => {
                key.at = now;
                if event.end && !key.said {
                    key.said = true;
                    keys.push(key.key);
                }
            }
            other => {
                // A straggler of an event that is already done with.
                if other.is_some_and(|k| (packet.timestamp.wrapping_sub(k.timestamp)) > 1 << 31) {
                    return;
                }
                if let Some(key) = other
                    && !key.said
                {
                    keys.push(key.key);
                }
                if event.end {
                    keys.push(event.key);
                }
                *other = Some(KeyIn {
                    timestamp: packet.timestamp,
                    key: event.key,
                    said: event.end,
                    at: now,
                });
            }
        }
    }

    /// Sends 20 ms. Time goes on in timestamps whether or not anything may be sent.
    pub fn push(&mut self, pcm: &[i16; FRAME]) {
        self.pushed = true;
        self.down.process(pcm, &mut self.to_send);
        let mut block = [0i16; BLOCK];
        let ready = self.to_send.len().min(BLOCK);
        for (slot, sample) in block.iter_mut().zip(self.to_send.drain(..ready)) {
            *slot = sample;
        }
        let Some(agreed) = self.agreed.clone().filter(|a| a.send) else {
            self.timestamp = self.timestamp.wrapping_add(BLOCK as u32);
            self.fresh = true;
            return;
        };
        let to = self.latch.map_or(agreed.remote, |l| l.from);
        if !self.send_key_block(&agreed, to, &mut block) {
            self.codes.clear();
            let mut codes = std::mem::take(&mut self.codes);
            codec(agreed.law).encode_into(&block, &mut codes);
            let marker = std::mem::take(&mut self.fresh);
            self.send(to, agreed.law.payload(), marker, self.timestamp, &codes);
            self.codes = codes;
        }
        self.timestamp = self.timestamp.wrapping_add(BLOCK as u32);
    }

    /// One step of the key that is going out. True when it took the packet's place.
    fn send_key_block(
        &mut self,
        agreed: &Agreed,
        to: SocketAddr,
        block: &mut [i16; BLOCK],
    ) -> bool {
        let Some(mut out) = self.key_out.or_else(|| {
            let key = self.keys_out.pop_front()?;
            Some(KeyOut {
                key,
                block: 0,
                timestamp: self.timestamp,
            })
        }) else {
            return false;
        };
        out.block += 1;
        let sounding = out.block <= KEY_BLOCKS;
        if let (true, Some(payload_type)) = (sounding, agreed.events) {
            let end = out.block == KEY_BLOCKS;
            let event = Event {
                key: out.key,
                end,
                duration: out.block * BLOCK as u16,
            };
            // The end goes three times (RFC 4733 section 2.5.1.4): a lost one would leave the key down.
            for _ in 0..if end { 3 } else { 1 } {
                if let Some(payload) = event.write() {
                    self.send(to, payload_type, out.block == 1, out.timestamp, &payload);
                }
            }
        } else if sounding {
            tone(out.key, usize::from(out.block - 1) * BLOCK, block);
        }
        self.key_out = (out.block < KEY_BLOCKS + GAP_BLOCKS).then_some(out);
        sounding && agreed.events.is_some()
    }

    fn send(
        &mut self,
        to: SocketAddr,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload: &[u8],
    ) {
        let packet = Rtp {
            marker,
            payload_type,
            seq: self.seq,
            timestamp,
            ssrc: self.ssrc,
            payload,
        };
        packet.write(&mut self.bytes);
        self.seq = self.seq.wrapping_add(1);
        // A full socket buffer or an unreachable host is the network's loss, not the call's end.
        if self.rtp.send_to(&self.bytes, to).is_ok() {
            self.sent += 1;
            self.octets = self
                .octets
                .wrapping_add(u32::try_from(payload.len()).unwrap_or(0));
        }
    }

    /// Takes reports that came, and sends ours when it is time.
    fn reports(&mut self, now: Instant, buffer: &mut [u8; 2048]) {
        for _ in 0..4 {
            let Ok((len, _)) = self.rtcp.recv_from(buffer) else {
                break;
            };
            if let Some(ntp) = buffer.get(..len).and_then(sender_report) {
                self.last_sr = Some((ntp, now));
            }
        }
        if now < self.next_report {
            return;
        }
        self.next_report = now + REPORT_EVERY;
        let Some(agreed) = &self.agreed else { return };
        let to = match self.latch {
            Some(latch) if latch.from != agreed.remote => {
                SocketAddr::new(latch.from.ip(), latch.from.port().saturating_add(1))
            }
            _ => agreed.rtcp,
        };
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        // NTP counts from 1900 (RFC 5905 section 6): 70 years, 17 of them leap.
        let ntp = (since.as_secs() + 2_208_988_800) << 32
            | u64::from(since.subsec_nanos()) * (1 << 32) / 1_000_000_000;
        let sent = (self.sent > 0).then_some(Sent {
            ntp,
            timestamp: self.timestamp,
            packets: self.sent,
            octets: self.octets,
        });
        let report = self.latch.map(|latch| Report {
            ssrc: latch.ssrc,
            fraction_lost: self.count.fraction_lost(),
            lost: i32::try_from(self.count.lost()).unwrap_or(i32::MAX),
            highest_seq: self.count.highest(),
            jitter: self.count.jitter(),
            last_sr: self.last_sr.map_or(0, |(ntp, _)| ntp),
            since_sr: self.last_sr.map_or(0, |(_, at)| {
                u32::try_from(now.duration_since(at).as_millis() * 65_536 / 1_000)
                    .unwrap_or(u32::MAX)
            }),
        });
        let bytes = write_rtcp(
            self.ssrc,
            sent,
            report,
            &format!("firstline-{:08x}", self.ssrc),
        );
        let _ = self.rtcp.send_to(&bytes, to);
    }
}

fn codec(law: Law) -> g711::Law {
    match law {
        Law::Mu => g711::Law::Mu,
        Law::A => g711::Law::A,
    }
}

/// A key as two tones (ITU-T Q.23), for far ends that take no events. `from`: samples since the key began.
fn tone(key: char, from: usize, block: &mut [i16; BLOCK]) {
    const ROWS: [&str; 4] = ["123A", "456B", "789C", "*0#D"];
    const LOW: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
    const HIGH: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
    let place = ROWS
        .iter()
        .zip(LOW)
        .find_map(|(row, low)| Some((low, row.find(key)?)));
    let Some((low, column)) = place else { return };
    let high = HIGH.get(column).copied().unwrap_or(HIGH[0]);
    for (index, slot) in block.iter_mut().enumerate() {
        let t = (from + index) as f64 / 8_000.0 * std::f64::consts::TAU;
        *slot = ((t * low).sin() * 6_000.0 + (t * high).sin() * 7_000.0) as i16;
    }
}
