//! RTP for one leg: a pair of UDP sockets that are read and written without waiting, from the call's own 20 ms tick.
//!
//! Outside 8 kHz G.711 in 20 ms packets (10 to 60 ms are taken), inside 16 kHz frames. Sending goes where packets come from
//! (symmetric RTP), once a stream has shown itself; a second sender cannot take over a stream that is alive.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::sip::Agreed;
use crate::audio::conceal::Concealer;
use crate::audio::dtmf::{EventDecoder, EventPacket, event_of, event_packets, tone};
use crate::audio::g711::Law;
use crate::audio::jitter::{JitterBuffer, JitterConfig, Pulled as Due};
use crate::audio::resample::Resampler;
use crate::audio::{FRAME, FRAME_MS};
use crate::wire::rtcp::{self, ReportBlock, Rtcp, SenderInfo};
use crate::wire::rtp::{Header, Packet, build};

/// Samples in 20 ms at 8 kHz.
const BLOCK: usize = 160;
/// RTP clock of G.711.
const CLOCK: u32 = 8_000;
/// A sender from which nothing came for this long may be replaced.
const SILENT: Duration = Duration::from_secs(2);
/// Reports go out this often (RFC 3550 section 6.2).
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// A key lasts 100 ms, and at least 60 ms pass before the next.
const KEY_MS: u32 = 100;
const GAP_BLOCKS: u8 = 3;
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

/// A key on its way out.
enum KeyOut {
    /// Packets, all under the timestamp of the first, then a pause.
    Events {
        packets: VecDeque<EventPacket>,
        timestamp: u32,
        pause: u8,
    },
    /// For far ends that take no events.
    Tone(VecDeque<i16>),
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
    /// The same of those we sent, while there was somebody to send to.
    pub longest_sent_gap_ms: u64,
}

/// One leg's media.
pub struct RtpSession {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    port: u16,
    agreed: Option<Agreed>,
    latch: Option<Latch>,
    candidate: Option<(Latch, u8)>,
    jitter: JitterBuffer,
    /// Milliseconds in the far end's packets, as they have been so far.
    packet_ms: u32,
    conceal: Concealer,
    /// Sound at 8 kHz that is due, with whether it came from the far end.
    due: VecDeque<(i16, bool)>,
    packets_in: u64,
    /// Lost in streams before this one.
    lost_before: u64,
    keys_in: EventDecoder,
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
    last_sent: Option<Instant>,
    longest_sent_gap: Duration,
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
            jitter: buffer(FRAME_MS as u32),
            packet_ms: FRAME_MS as u32,
            conceal: Concealer::new(CLOCK),
            due: VecDeque::new(),
            packets_in: 0,
            lost_before: 0,
            keys_in: EventDecoder::new(),
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
            last_sent: None,
            longest_sent_gap: Duration::ZERO,
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
        let stats = self.jitter.stats();
        RtpStats {
            packets_in: self.packets_in,
            packets_lost: self.lost_before + stats.lost.saturating_sub(stats.late),
            packets_out: u64::from(self.sent),
            jitter_ms: stats.jitter_ms,
            longest_gap_ms: u64::try_from(self.longest_gap.as_millis()).unwrap_or(u64::MAX),
            longest_sent_gap_ms: u64::try_from(self.longest_sent_gap.as_millis())
                .unwrap_or(u64::MAX),
        }
    }

    /// Queues a key. Sent as an event where that was agreed, as a tone otherwise.
    pub fn send_key(&mut self, key: char) {
        if event_of(key).is_some() && self.keys_out.len() < 64 {
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
        let nothing_yet = self.packets_in == 0;
        let mut buffer = [0u8; 2048];
        for _ in 0..AT_ONCE {
            let Ok((len, from)) = self.rtp.recv_from(&mut buffer) else {
                break;
            };
            if let Ok(packet) = Packet::parse(buffer.get(..len).unwrap_or_default()) {
                self.packet(&packet, from, now);
            }
        }
        pulled.first = nothing_yet && self.packets_in > 0;
        self.reports(now, &mut buffer);
        let clock = now.duration_since(self.started);
        while let Some(key) = self.keys_in.poll(clock) {
            pulled.keys.push(key);
        }
        let mut block = [0; BLOCK];
        pulled.live = self.next_block(&mut block, clock);
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

    /// 20 ms out of the jitter buffer, whatever the length of the far end's packets. True when it came from there, or was made up
    /// for a packet that was lost.
    fn next_block(&mut self, block: &mut [i16; BLOCK], clock: Duration) -> bool {
        while self.due.len() < BLOCK {
            let length = (self.packet_ms * CLOCK / 1_000) as usize;
            let mut pcm = Vec::with_capacity(length);
            let live = match self.jitter.pull(clock) {
                Due::Audio(coded) => {
                    if let Some((law, codes)) = coded.split_first() {
                        let law = if *law == 0 { Law::Mu } else { Law::A };
                        law.decode_into(codes, &mut pcm);
                    }
                    self.conceal.good(&mut pcm);
                    self.jitter
                        .quiet(pcm.iter().all(|s| s.unsigned_abs() < 400));
                    true
                }
                Due::Lost => {
                    pcm.resize(length, 0);
                    self.conceal.lost(&mut pcm);
                    true
                }
                Due::Empty => {
                    pcm.resize(length, 0);
                    self.jitter.quiet(true);
                    false
                }
            };
            if pcm.is_empty() {
                pcm.resize(length.max(1), 0);
            }
            self.due.extend(pcm.into_iter().map(|s| (s, live)));
        }
        let mut live = false;
        for slot in block.iter_mut() {
            let (sample, real) = self.due.pop_front().unwrap_or((0, false));
            *slot = sample;
            live |= real;
        }
        live
    }

    fn packet(&mut self, packet: &Packet<'_>, from: SocketAddr, now: Instant) {
        let Some(agreed) = self.agreed.clone() else {
            return;
        };
        let header = &packet.header;
        let event = agreed.events == Some(header.payload_type);
        // 13: comfort noise (RFC 3389), proof of life without sound.
        let law = match header.payload_type {
            0 => Some(Law::Mu),
            8 => Some(Law::A),
            13 => None,
            _ if event => None,
            _ => return,
        };
        if !self.admits(header, from, &agreed, now) {
            return;
        }
        self.packets_in += 1;
        let clock = now.duration_since(self.started);
        if event {
            self.keys_in.push(header.timestamp, packet.payload, clock);
        }
        // 60 ms of sound, and a little more from odd senders.
        let codes = packet
            .payload
            .get(..packet.payload.len().min(960))
            .unwrap_or_default();
        let Some(law) = law.filter(|_| agreed.receive && !codes.is_empty()) else {
            self.jitter.push_other(header.seq, clock);
            return;
        };
        if let Some(last) = self.last_sound.replace(now) {
            self.longest_gap = self.longest_gap.max(now.duration_since(last));
        }
        let ms = (codes.len() / 8) as u32;
        if ms != self.packet_ms && (10..=120).contains(&ms) {
            self.packet_ms = ms;
            self.lost_before += self.jitter.stats().lost;
            self.jitter = buffer(ms);
        }
        // The law goes in front: a far end may change it from one packet to the next.
        let mut coded = Vec::with_capacity(codes.len() + 1);
        coded.push(payload_type(law));
        coded.extend(codes);
        self.jitter
            .push(header.seq, header.timestamp, coded, header.marker, clock);
    }

    /// Is this packet of the stream we listen to, or may it become that?
    fn admits(&mut self, packet: &Header, from: SocketAddr, agreed: &Agreed, now: Instant) -> bool {
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
        if self.packets_in > 0 && self.latch.is_none_or(|l| l.ssrc != seen.ssrc) {
            self.jitter.reset();
            self.conceal.reset();
            self.keys_in.reset();
            self.last_sr = None;
        }
        self.latch = Some(seen);
        self.candidate = None;
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
            let mut codes = std::mem::take(&mut self.codes);
            codes.clear();
            agreed.law.encode_into(&block, &mut codes);
            let marker = std::mem::take(&mut self.fresh);
            let now = Instant::now();
            if let Some(last) = self.last_sent.replace(now).filter(|_| !marker) {
                self.longest_sent_gap = self.longest_sent_gap.max(now.duration_since(last));
            }
            self.send(to, payload_type(agreed.law), marker, self.timestamp, &codes);
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
        let out = self.key_out.take().or_else(|| {
            let key = self.keys_out.pop_front()?;
            Some(match agreed.events {
                Some(_) => KeyOut::Events {
                    packets: event_packets(key, KEY_MS, FRAME_MS as u32, CLOCK).into(),
                    timestamp: self.timestamp,
                    pause: GAP_BLOCKS,
                },
                None => {
                    let mut sound = tone(key, KEY_MS, CLOCK, -10.0);
                    sound.resize(sound.len() + usize::from(GAP_BLOCKS) * BLOCK, 0);
                    KeyOut::Tone(sound.into())
                }
            })
        });
        match out {
            None => false,
            Some(KeyOut::Tone(mut sound)) => {
                for slot in block.iter_mut() {
                    *slot = sound.pop_front().unwrap_or(0);
                }
                self.key_out = (!sound.is_empty()).then_some(KeyOut::Tone(sound));
                false
            }
            Some(KeyOut::Events {
                mut packets,
                timestamp,
                mut pause,
            }) => {
                let packet = packets.pop_front();
                if let (Some(packet), Some(number)) = (packet, agreed.events) {
                    self.send(to, number, packet.marker, timestamp, &packet.payload);
                } else {
                    pause = pause.saturating_sub(1);
                }
                if !packets.is_empty() || pause > 0 {
                    self.key_out = Some(KeyOut::Events {
                        packets,
                        timestamp,
                        pause,
                    });
                }
                packet.is_some()
            }
        }
    }

    fn send(
        &mut self,
        to: SocketAddr,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload: &[u8],
    ) {
        let header = Header {
            marker,
            payload_type,
            seq: self.seq,
            timestamp,
            ssrc: self.ssrc,
            csrc: Vec::new(),
        };
        self.bytes.clear();
        build(&header, None, payload, &mut self.bytes);
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
            let packets = rtcp::parse(buffer.get(..len).unwrap_or_default()).unwrap_or_default();
            for packet in packets {
                if let Rtcp::SenderReport { info, .. } = packet {
                    // The middle 32 bits of its NTP time (RFC 3550 section 6.4.1).
                    self.last_sr = Some(((info.ntp >> 16) as u32, now));
                }
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
        let ntp = ((since.as_secs() + 2_208_988_800) << 32)
            | (u64::from(since.subsec_nanos()) * (1 << 32) / 1_000_000_000);
        let blocks = match self.latch {
            None => Vec::new(),
            Some(latch) => {
                let report = self.jitter.report();
                vec![ReportBlock {
                    ssrc: latch.ssrc,
                    fraction_lost: report.fraction_lost,
                    cumulative_lost: report.cumulative_lost,
                    highest_seq: report.highest_seq,
                    jitter: report.jitter,
                    last_sr: self.last_sr.map_or(0, |(ntp, _)| ntp),
                    delay_since_sr: self.last_sr.map_or(0, |(_, at)| {
                        u32::try_from(now.duration_since(at).as_millis() * 65_536 / 1_000)
                            .unwrap_or(u32::MAX)
                    }),
                }]
            }
        };
        let ssrc = self.ssrc;
        let first = if self.sent > 0 {
            let info = SenderInfo {
                ntp,
                rtp: self.timestamp,
                packets: self.sent,
                octets: self.octets,
            };
            Rtcp::SenderReport { ssrc, info, blocks }
        } else {
            Rtcp::ReceiverReport { ssrc, blocks }
        };
        let cname = Rtcp::Cname {
            ssrc,
            cname: format!("firstline-{ssrc:08x}"),
        };
        let _ = self.rtcp.send_to(&rtcp::build(&[first, cname]), to);
    }
}

fn buffer(packet_ms: u32) -> JitterBuffer {
    JitterBuffer::new(JitterConfig {
        packet_ms,
        ..JitterConfig::default()
    })
}

/// G.711's static payload types (RFC 3551 table 4).
pub fn payload_type(law: Law) -> u8 {
    match law {
        Law::Mu => 0,
        Law::A => 8,
    }
}
