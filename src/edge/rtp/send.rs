//! What goes out: encoding, packets of the length the far end likes, keys as events or tones.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::audio::FRAME;
use crate::audio::codec::{Codec, Encoder};
use crate::audio::dtmf::{EventPacket, event_of, event_packets, tone};
use crate::audio::resample::Resampler;
use crate::wire::rtp::{Header, build};
use crate::wire::sdp::Agreed;

/// A key lasts 100 ms, and at least 60 ms pass before the next.
const KEY_MS: u32 = 100;
const GAP_FRAMES: u8 = 3;

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

pub(super) struct Sender {
    codec: Codec,
    encoder: Option<Encoder>,
    /// Milliseconds in our packets.
    packet_ms: u32,
    /// From 16 kHz; none where the codec is there already.
    down: Option<Resampler>,
    to_send: Vec<i16>,
    pub(super) ssrc: u32,
    seq: u16,
    pub(super) timestamp: u32,
    /// Nothing was sent yet, or sending had stopped: the next packet is marked.
    pub(super) fresh: bool,
    pub(super) packets: u32,
    pub(super) octets: u32,
    keys: VecDeque<char>,
    key: Option<KeyOut>,
    last: Option<Instant>,
    longest_gap: Duration,
    payload: Vec<u8>,
}

impl Sender {
    pub(super) fn new() -> Self {
        Self {
            codec: Codec::Pcmu,
            encoder: Encoder::new(Codec::Pcmu),
            packet_ms: 20,
            down: Some(Resampler::new(16_000, 8_000)),
            to_send: Vec::new(),
            ssrc: rand::random(),
            seq: rand::random::<u16>() >> 1,
            timestamp: rand::random(),
            fresh: true,
            packets: 0,
            octets: 0,
            keys: VecDeque::new(),
            key: None,
            last: None,
            longest_gap: Duration::ZERO,
            payload: Vec::with_capacity(480),
        }
    }

    pub(super) fn set(&mut self, agreed: &Agreed) {
        let codec = agreed.codec;
        if codec != self.codec {
            if codec.rate() != self.codec.rate() {
                self.down = (codec.rate() != 16_000).then(|| Resampler::new(16_000, codec.rate()));
                self.to_send.clear();
            }
            self.encoder = Encoder::new(codec);
            self.codec = codec;
            self.fresh = true;
        }
        self.packet_ms = codec.packet_ms(agreed.ptime_ms);
    }

    pub(super) fn longest_gap(&self) -> Duration {
        self.longest_gap
    }

    /// Queues a key. Sent as an event where that was agreed, as a tone otherwise.
    pub(super) fn key(&mut self, key: char) {
        if event_of(key).is_some() && self.keys.len() < 64 {
            self.keys.push_back(key);
        }
    }

    pub(super) fn sending_keys(&self) -> bool {
        self.key.is_some() || !self.keys.is_empty()
    }

    /// Takes 20 ms, and gives `out` every packet that is due. Time goes on in timestamps whether or not anything may be sent.
    pub(super) fn push(
        &mut self,
        pcm: &[i16; FRAME],
        agreed: Option<&Agreed>,
        mut out: impl FnMut(&[u8]) -> bool,
    ) {
        let ticks = self.codec.clock_hz() / 50;
        let frame = self.codec.rate() as usize / 50;
        let had = self.to_send.len();
        match &mut self.down {
            Some(down) => down.process(pcm, &mut self.to_send),
            None => self.to_send.extend(pcm),
        }
        let Some(agreed) = agreed.filter(|a| a.direction.sends()) else {
            self.to_send.clear();
            self.timestamp = self.timestamp.wrapping_add(ticks);
            self.fresh = true;
            return;
        };
        self.next_key(agreed);
        if let Some(KeyOut::Tone(sound)) = &mut self.key {
            for slot in self.to_send.iter_mut().skip(had) {
                *slot = sound.pop_front().unwrap_or(0);
            }
            if sound.is_empty() {
                self.key = None;
            }
        }
        if self.event(agreed, &mut out) {
            // The event stands in the place of the sound.
            let drop = self.to_send.len().min(frame);
            self.to_send.drain(..drop);
            self.timestamp = self.timestamp.wrapping_add(ticks);
            return;
        }
        let whole = (self.codec.rate() * self.packet_ms / 1_000) as usize;
        // The converter gives a little less at first; what is missing then is not waited for.
        if whole == frame && self.to_send.len() < frame {
            self.to_send.resize(frame, 0);
        }
        while self.to_send.len() >= whole && whole > 0 {
            let mut payload = std::mem::take(&mut self.payload);
            payload.clear();
            let (sound, rest) = self.to_send.split_at(whole);
            if let Some(encoder) = &mut self.encoder {
                encoder.encode(sound, &mut payload);
            }
            let rest = rest.len();
            let marker = std::mem::take(&mut self.fresh);
            let now = Instant::now();
            if let Some(last) = self.last.replace(now).filter(|_| !marker) {
                self.longest_gap = self.longest_gap.max(now.duration_since(last));
            }
            let timestamp = self.timestamp;
            self.packet(agreed.payload_type, marker, timestamp, &payload, &mut out);
            self.payload = payload;
            self.to_send.drain(..self.to_send.len() - rest);
            self.timestamp = self
                .timestamp
                .wrapping_add(self.codec.clock_hz() / 1_000 * self.packet_ms);
        }
    }

    /// Starts the next key that waits.
    fn next_key(&mut self, agreed: &Agreed) {
        if self.key.is_some() {
            return;
        }
        let Some(key) = self.keys.pop_front() else {
            return;
        };
        self.key = Some(match agreed.telephone_event_pt {
            Some(_) => KeyOut::Events {
                packets: event_packets(key, KEY_MS, 20, agreed.event_clock_hz).into(),
                timestamp: self.timestamp,
                pause: GAP_FRAMES,
            },
            None => {
                let rate = self.codec.rate();
                let mut sound = tone(key, KEY_MS, rate, -10.0);
                let pause = usize::from(GAP_FRAMES) * rate as usize / 50;
                sound.resize(sound.len() + pause, 0);
                KeyOut::Tone(sound.into())
            }
        });
    }

    /// One step of the event that is going out. True when it took the sound's place.
    fn event(&mut self, agreed: &Agreed, out: &mut impl FnMut(&[u8]) -> bool) -> bool {
        let Some(KeyOut::Events {
            mut packets,
            timestamp,
            mut pause,
        }) = self.key.take_if(|k| matches!(k, KeyOut::Events { .. }))
        else {
            return false;
        };
        let packet = packets.pop_front();
        if let (Some(packet), Some(number)) = (packet, agreed.telephone_event_pt) {
            self.packet(number, packet.marker, timestamp, &packet.payload, out);
        } else {
            pause = pause.saturating_sub(1);
        }
        if !packets.is_empty() || pause > 0 {
            self.key = Some(KeyOut::Events {
                packets,
                timestamp,
                pause,
            });
        }
        packet.is_some()
    }

    fn packet(
        &mut self,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload: &[u8],
        out: &mut impl FnMut(&[u8]) -> bool,
    ) {
        let header = Header {
            marker,
            payload_type,
            seq: self.seq,
            timestamp,
            ssrc: self.ssrc,
            csrc: Vec::new(),
        };
        let mut bytes = Vec::with_capacity(payload.len() + 16);
        build(&header, None, payload, &mut bytes);
        self.seq = self.seq.wrapping_add(1);
        // A full socket buffer or an unreachable host is the network's loss, not the call's end.
        if out(&bytes) {
            self.packets += 1;
            self.octets = self
                .octets
                .wrapping_add(u32::try_from(payload.len()).unwrap_or(0));
        }
    }
}
