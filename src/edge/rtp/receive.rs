//! What comes: which stream is listened to, the jitter buffer, decoding, concealment, keys.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::audio::FRAME;
use crate::audio::codec::{Codec, Decoder};
use crate::audio::conceal::Concealer;
use crate::audio::dtmf::{EventDecoder, ToneDetector};
use crate::audio::jitter::{JitterBuffer, JitterConfig, JitterStats, Pulled as Due, Reception};
use crate::audio::resample::Resampler;
use crate::wire::rtp::{Header, Packet};
use crate::wire::sdp::Agreed;

/// A sender from which nothing came for this long may be replaced.
const SILENT: Duration = Duration::from_secs(2);
/// Silence after which the same stream may come from another port: longer than packets of one sender lie apart.
const REBOUND: Duration = Duration::from_millis(150);
/// So many packets of a sender that was let go may still be on their way when the next one begins: about a second of them.
const STILL_COMING: u8 = 50;
/// A tone is known for a key this long after it began. Sound is held back for so long where keys come as tones, so that nobody hears them:
/// what is keyed in may be a secret, and the recording is for others' ears.
const HELD_BACK_MS: usize = 60;
/// 120 ms of the widest codec, and a little more from odd senders.
const MOST_PAYLOAD: usize = 1_400;

/// Whom we hear.
#[derive(Debug, Clone, Copy)]
pub(super) struct Latch {
    pub(super) from: SocketAddr,
    pub(super) ssrc: u32,
    seq: u16,
    at: Instant,
}

pub(super) struct Receiver {
    pub(super) latch: Option<Latch>,
    candidate: Option<(Latch, u8)>,
    /// Whom we heard before media moved, and how many packets of it are still passed over.
    former: Option<(SocketAddr, u8)>,
    jitter: JitterBuffer,
    /// Milliseconds in the far end's packets, as they have been so far.
    packet_ms: u32,
    codec: Codec,
    /// Decoders that were needed so far: a far end may change its codec from one packet to the next.
    decoders: Vec<(Codec, Decoder)>,
    conceal: Concealer,
    /// Where keys come as tones: the last [`HELD_BACK_MS`] of sound, in which a key may turn out to be.
    back: VecDeque<(i16, bool)>,
    /// Sound at the codec's rate that is due, with whether it came from the far end.
    due: VecDeque<(i16, bool)>,
    /// To 16 kHz; none where the codec is there already.
    up: Option<Resampler>,
    heard: VecDeque<i16>,
    events: EventDecoder,
    /// Listens for keys in the sound, where none can come as events (ITU-T Q.24). It hears what came and nothing made up.
    tones: Option<ToneDetector>,
    /// The timestamp that would follow on what the tones were last looked for in.
    follows: Option<u32>,
    /// Keys found in the sound and not told yet.
    found: Vec<char>,
    pub(super) packets: u64,
    /// Lost in streams before this one, and late.
    lost_before: u64,
    late_before: u64,
    last_sound: Option<Instant>,
    longest_gap: Duration,
}

impl Receiver {
    pub(super) fn new() -> Self {
        Self {
            latch: None,
            candidate: None,
            former: None,
            jitter: buffer(Codec::Pcmu, 20),
            packet_ms: 20,
            codec: Codec::Pcmu,
            decoders: Vec::new(),
            conceal: Concealer::new(8_000),
            back: VecDeque::new(),
            due: VecDeque::new(),
            up: Some(Resampler::new(8_000, 16_000)),
            heard: VecDeque::new(),
            events: EventDecoder::new(),
            tones: None,
            follows: None,
            found: Vec::new(),
            packets: 0,
            lost_before: 0,
            late_before: 0,
            last_sound: None,
            longest_gap: Duration::ZERO,
        }
    }

    /// Media was agreed on. `before`: where it came from by the last agreement. A new address lets go of the sender heard so far.
    pub(super) fn set(&mut self, agreed: &Agreed, before: Option<SocketAddr>) {
        if before != Some(agreed.remote) {
            // Its last packets may come after the first of its successor, perhaps from the same machine.
            self.former = self
                .latch
                .take()
                .map(|latch| latch.from)
                .or(before)
                .map(|from| (from, STILL_COMING));
            self.candidate = None;
        }
        self.become_of(agreed.codec, self.packet_ms);
        let wanted = agreed.recv_telephone_event_pt.is_none();
        if wanted != self.tones.is_some() {
            self.tones = wanted.then(|| ToneDetector::new(self.codec.rate()));
            self.follows = None;
            self.hold_back();
        }
    }

    /// Starts holding sound back, or stops.
    fn hold_back(&mut self) {
        self.back.clear();
        if self.tones.is_some() {
            let samples = self.codec.rate() as usize * HELD_BACK_MS / 1_000;
            self.back.resize(samples, (0, false));
        }
    }

    pub(super) fn stats(&self) -> JitterStats {
        self.jitter.stats()
    }

    /// Sound that has come and was not pulled yet, milliseconds.
    pub(super) fn held_ms(&self) -> u64 {
        let packets = self.jitter.stats().depth as u64 * u64::from(self.packet_ms);
        let due = self.due.len() as u64 * 1_000 / u64::from(self.codec.rate());
        packets + due + self.heard.len() as u64 / 16
    }

    pub(super) fn lost(&self) -> u64 {
        let stats = self.jitter.stats();
        self.lost_before + stats.lost.saturating_sub(stats.late)
    }

    pub(super) fn late(&self) -> u64 {
        self.late_before + self.jitter.stats().late
    }

    pub(super) fn longest_gap(&self) -> Duration {
        self.longest_gap
    }

    pub(super) fn report(&mut self) -> Reception {
        self.jitter.report()
    }

    /// Another codec or packet length: what is held of the old one is let go.
    fn become_of(&mut self, codec: Codec, packet_ms: u32) {
        if codec == self.codec && packet_ms == self.packet_ms {
            return;
        }
        if codec.rate() != self.codec.rate() {
            self.up = (codec.rate() != 16_000).then(|| Resampler::new(codec.rate(), 16_000));
            self.conceal = Concealer::new(codec.rate());
            self.due.clear();
            if let Some(tones) = &mut self.tones {
                *tones = ToneDetector::new(codec.rate());
            }
        }
        let rate = codec.rate() != self.codec.rate();
        let clock = codec.clock_hz() != self.codec.clock_hz();
        if clock || packet_ms != self.packet_ms {
            let stats = self.jitter.stats();
            self.lost_before += stats.lost.saturating_sub(stats.late);
            self.late_before += stats.late;
            self.jitter = buffer(codec, packet_ms);
        }
        self.codec = codec;
        self.packet_ms = packet_ms;
        if rate {
            self.hold_back();
        }
    }

    /// One packet. `clock`: since the session began.
    pub(super) fn packet(
        &mut self,
        packet: &Packet<'_>,
        from: SocketAddr,
        agreed: &Agreed,
        now: Instant,
        clock: Duration,
    ) {
        let header = &packet.header;
        let event = agreed.recv_telephone_event_pt == Some(header.payload_type)
            || agreed.telephone_event_pt == Some(header.payload_type);
        // 13: comfort noise (RFC 3389), proof of life without sound.
        let codec = match codec_of(header.payload_type, agreed) {
            _ if event => None,
            None if header.payload_type == 13 => None,
            None => return,
            known => known,
        };
        if !self.admits(header, from, agreed, now) {
            return;
        }
        self.packets += 1;
        if event {
            self.events.push(header.timestamp, packet.payload, clock);
        }
        let payload = packet
            .payload
            .get(..packet.payload.len().min(MOST_PAYLOAD))
            .unwrap_or_default();
        let hears = agreed.direction.receives() && !payload.is_empty();
        let Some(codec) = codec.filter(|_| hears) else {
            self.jitter.push_other(header.seq, clock);
            return;
        };
        if let Some(last) = self.last_sound.replace(now) {
            self.longest_gap = self.longest_gap.max(now.duration_since(last));
        }
        let ms = codec.payload_ms(payload);
        let ms = if (10..=120).contains(&ms) {
            ms
        } else {
            self.packet_ms
        };
        self.become_of(codec, ms);
        // The codec goes in front: by the time the packet is due another may be in use. So does the time it was said.
        let mut coded = Vec::with_capacity(payload.len() + 5);
        coded.push(codec.payload_type());
        coded.extend(header.timestamp.to_be_bytes());
        coded.extend(payload);
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
            if let Some((former, left)) = &mut self.former
                && *former == from
                && from != agreed.remote
                && *left > 0
            {
                *left -= 1;
                return false;
            }
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
        let ahead = packet.seq.wrapping_sub(latch.seq);
        let same_stream = latch.ssrc == packet.ssrc && ahead < 3_000;
        let silent = now.duration_since(latch.at);
        // A NAT that gave the sender another port: the stream goes on where it was, from the same address, and the old port is silent.
        let rebound = same_stream
            && (1..200).contains(&ahead)
            && latch.from.ip() == from.ip()
            && silent > REBOUND;
        let dead = silent > SILENT || rebound;
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
        // The very address that was agreed on is the better one.
        if from == agreed.remote {
            self.take(seen);
            return true;
        }
        // Another address: the same stream behind a NAT that changed its mind, once the first is silent.
        if dead && same_stream {
            self.latch = Some(seen);
            return true;
        }
        false
    }

    /// Starts listening to a stream: its numbers are its own.
    fn take(&mut self, seen: Latch) {
        if self.packets > 0 && self.latch.is_none_or(|l| l.ssrc != seen.ssrc) {
            self.jitter.reset();
            self.conceal.reset();
            self.events.reset();
            self.decoders.clear();
            self.follows = None;
        }
        self.latch = Some(seen);
        self.candidate = None;
        self.former = None;
    }

    /// The next 20 ms, and the keys that were pressed. True when there is sound of the far end in it, or sound made up for a packet
    /// that was lost.
    pub(super) fn pull(
        &mut self,
        pcm: &mut [i16; FRAME],
        keys: &mut Vec<char>,
        clock: Duration,
    ) -> bool {
        while let Some(key) = self.events.poll(clock) {
            keys.push(key);
        }
        let block = self.codec.rate() as usize / 50;
        while self.due.len() < block {
            self.decode(clock);
        }
        let mut live = false;
        let sound: Vec<i16> = self
            .due
            .drain(..block)
            .map(|(sample, real)| {
                live |= real;
                sample
            })
            .collect();
        match &mut self.up {
            Some(up) => {
                let mut wide = Vec::with_capacity(FRAME);
                up.process(&sound, &mut wide);
                self.heard.extend(wide);
            }
            None => self.heard.extend(sound),
        }
        for slot in pcm.iter_mut() {
            *slot = self.heard.pop_front().unwrap_or(0);
        }
        // What the converter holds back by a block boundary must not pile up.
        while self.heard.len() > FRAME {
            self.heard.pop_front();
        }
        keys.append(&mut self.found);
        live
    }

    /// One packet time out of the jitter buffer.
    fn decode(&mut self, clock: Duration) {
        let length = (self.packet_ms * self.codec.rate() / 1_000).max(1) as usize;
        let mut pcm = Vec::with_capacity(length);
        let live = match self.jitter.pull(clock) {
            Due::Audio(coded) => {
                if let Some((&[kind, a, b, c, d], payload)) = coded.split_first_chunk() {
                    let codec = Codec::ALL.iter().find(|c| c.payload_type() == kind);
                    if let Some(decoder) = codec.and_then(|c| self.decoder(*c)) {
                        decoder.decode(payload, &mut pcm);
                        self.listen_for_tones(u32::from_be_bytes([a, b, c, d]), &pcm);
                    }
                }
                if pcm.is_empty() {
                    pcm.resize(length, 0);
                    self.conceal.lost(&mut pcm);
                } else {
                    self.conceal.good(&mut pcm);
                }
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
        let length = pcm.len();
        let sound = pcm.into_iter().map(|s| (s, live));
        let Some(tones) = &self.tones else {
            self.due.extend(sound);
            return;
        };
        self.back.extend(sound);
        if tones.sounds() {
            self.back.iter_mut().for_each(|(sample, _)| *sample = 0);
        }
        self.due.extend(self.back.drain(..length));
    }

    /// Looks for keys in sound said at `timestamp`. Where packets are missing between it and the last, time is counted as the sender
    /// counts it: what came late, or was played late, is no pause between two keys.
    fn listen_for_tones(&mut self, timestamp: u32, pcm: &[i16]) {
        let Some(tones) = &mut self.tones else {
            return;
        };
        let (clock, rate) = (self.codec.clock_hz(), self.codec.rate());
        let missing = self.follows.map_or(0, |f| timestamp.wrapping_sub(f));
        if missing != 0 {
            tones.skip(Duration::from_millis(
                u64::from(missing) * 1_000 / u64::from(clock),
            ));
        }
        self.found.extend(tones.push(pcm));
        let length = u64::try_from(pcm.len()).unwrap_or(0) * u64::from(clock) / u64::from(rate);
        self.follows = u32::try_from(length)
            .ok()
            .map(|l| timestamp.wrapping_add(l));
    }

    fn decoder(&mut self, codec: Codec) -> Option<&mut Decoder> {
        let at = match self.decoders.iter().position(|(c, _)| *c == codec) {
            Some(at) => at,
            None => {
                self.decoders.push((codec, Decoder::new(codec)?));
                self.decoders.len() - 1
            }
        };
        self.decoders.get_mut(at).map(|(_, d)| d)
    }
}

/// What a payload type stands for: what was agreed, or a static number that every far end means the same by.
fn codec_of(payload_type: u8, agreed: &Agreed) -> Option<Codec> {
    if payload_type == agreed.recv_payload_type || payload_type == agreed.payload_type {
        return Some(agreed.codec);
    }
    let fixed = match payload_type {
        0 => Codec::Pcmu,
        8 => Codec::Pcma,
        9 => Codec::G722,
        _ => return None,
    };
    Codec::ALL.contains(&fixed).then_some(fixed)
}

fn buffer(codec: Codec, packet_ms: u32) -> JitterBuffer {
    JitterBuffer::new(JitterConfig {
        clock_hz: codec.clock_hz(),
        packet_ms,
        ..JitterConfig::default()
    })
}
