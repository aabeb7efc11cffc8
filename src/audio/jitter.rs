//! The jitter buffer: packets in as the network brings them, one out every packet time.
//!
//! It reorders, drops duplicates and what comes too late, tells lost packets from pauses, and keeps the delay as short as the
//! last few seconds' jitter allows (97th percentile), between one packet and 200 ms. Depth grows by playing one concealed frame
//! more, and shrinks by leaving a packet out, in quiet where the leg says it is quiet. A sender whose clock runs fast or slow is
//! therefore followed, and depth is bounded.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Packets by which the delay statistics look back: four seconds at 20 ms.
const WINDOW: usize = 200;
/// Pulls over which the least depth is taken before a packet is left out: two seconds.
const SURPLUS_WINDOW: u32 = 100;
/// Frames concealed before an empty buffer is a pause rather than a loss: 60 ms.
const PATIENCE: u32 = 3;
/// A sequence number further than this from the expected one is a new stream, once a second packet confirms it (RFC 3550 A.1).
const MAX_DROPOUT: i64 = 1000;
/// A gap this long is not concealed packet by packet.
const MAX_GAP: i64 = 10;

/// How a stream is paced.
#[derive(Debug, Clone, Copy)]
pub struct JitterConfig {
    /// RTP clock, ticks per second (8000 for G.711 and, by RFC 3551, for G.722).
    pub clock_hz: u32,
    /// Milliseconds of sound in a packet, and between pulls.
    pub packet_ms: u32,
    /// Longest delay added, milliseconds.
    pub max_ms: u32,
    /// Delay before anything is known of the network, milliseconds.
    pub start_ms: u32,
}

impl Default for JitterConfig {
    fn default() -> Self {
        Self {
            clock_hz: 8000,
            packet_ms: 20,
            max_ms: 200,
            start_ms: 40,
        }
    }
}

/// What one packet time brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulled {
    /// Play this payload.
    Audio(Vec<u8>),
    /// A packet is missing: conceal one packet time.
    Lost,
    /// Nothing is being sent, or the buffer is filling: play silence.
    Empty,
}

/// Counts since the start, and where things stand.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct JitterStats {
    /// Packets that came, duplicates and late ones included.
    pub received: u64,
    /// Packets that had not come when their turn was up.
    pub lost: u64,
    /// Of those lost, the ones that came afterwards.
    pub late: u64,
    pub duplicates: u64,
    /// Packets left out to shorten the delay.
    pub shortened: u64,
    /// Interarrival jitter, RFC 3550 section 6.4.1, milliseconds.
    pub jitter_ms: f32,
    /// Packets held now.
    pub depth: usize,
    /// Packets the buffer aims to hold.
    pub target: usize,
}

/// Figures for a receiver report (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reception {
    /// Share lost since the last report, of 256.
    pub fraction_lost: u8,
    /// Expected less received, since the start; negative with duplicates.
    pub cumulative_lost: i32,
    /// Highest sequence number with its cycles.
    pub highest_seq: u32,
    /// In RTP clock ticks.
    pub jitter: u32,
}

#[derive(Debug)]
enum Slot {
    Audio(Vec<u8>),
    /// The number was used for something that is not sound (a telephone event).
    Other,
}

/// Where playing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Waiting for enough to start.
    Filling,
    Playing,
}

/// Holds one RTP stream's packets until they are due. One SSRC: call [`JitterBuffer::reset`] when it changes.
#[derive(Debug)]
pub struct JitterBuffer {
    config: JitterConfig,
    slots: BTreeMap<i64, (Slot, Duration)>,
    state: State,
    /// The number that is due next.
    next: i64,
    /// Highest number seen; none before the first packet.
    highest: Option<i64>,
    /// First number of this stream, for the report.
    base: i64,
    /// Which of the 128 numbers up to `highest` have come.
    seen: u128,
    /// A number far off, waiting for its successor to confirm a new stream.
    far: Option<u16>,
    /// Frames concealed with no packet yet to blame.
    owed: u32,
    quiet: bool,
    /// Timestamp of the highest packet, with its cycles.
    timestamp: i64,
    /// Arrival less timestamp of recent packets, in ticks.
    transits: VecDeque<i64>,
    last_transit: Option<i64>,
    jitter_ticks: f64,
    target: usize,
    /// Least depth found at a pull in this window, and pulls so far.
    least: (usize, u32),
    received_here: u64,
    reported: (u64, u64),
    stats: JitterStats,
}

impl JitterBuffer {
    pub fn new(config: JitterConfig) -> Self {
        let config = JitterConfig {
            clock_hz: config.clock_hz.max(1000),
            packet_ms: config.packet_ms.clamp(5, 200),
            ..config
        };
        Self {
            target: (config.start_ms.div_ceil(config.packet_ms).max(1)) as usize,
            config,
            slots: BTreeMap::new(),
            state: State::Filling,
            next: 0,
            highest: None,
            base: 0,
            seen: 0,
            far: None,
            owed: 0,
            quiet: true,
            timestamp: 0,
            transits: VecDeque::new(),
            last_transit: None,
            jitter_ticks: 0.0,
            least: (usize::MAX, 0),
            received_here: 0,
            reported: (0, 0),
            stats: JitterStats::default(),
        }
    }

    /// A packet of sound. `now`: any steady clock, the same one every time. `marker`: the packet starts a talk spurt.
    pub fn push(
        &mut self,
        seq: u16,
        timestamp: u32,
        payload: Vec<u8>,
        marker: bool,
        now: Duration,
    ) {
        self.take(seq, timestamp, Slot::Audio(payload), marker, now);
    }

    /// A packet of the same stream that is not sound (a telephone event, comfort noise that is handled elsewhere): its number is
    /// accounted for, so that it does not count as lost.
    pub fn push_other(&mut self, seq: u16, now: Duration) {
        let timestamp = self.timestamp as u32;
        self.take(seq, timestamp, Slot::Other, false, now);
    }

    /// Whether the last frame pulled was quiet. Packets are left out, when the buffer is too deep, preferably then.
    pub fn quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    /// A new stream follows: another SSRC, or the far end came back from elsewhere. What is held is dropped; counts stay.
    pub fn reset(&mut self) {
        let stats = JitterStats {
            jitter_ms: 0.0,
            ..self.stats
        };
        let config = self.config;
        *self = Self::new(config);
        self.stats = stats;
    }

    /// What is due now. Call it once every packet time, whatever comes back.
    pub fn pull(&mut self, now: Duration) -> Pulled {
        if self.state == State::Filling && !self.ready(now) {
            return Pulled::Empty;
        }
        self.shorten();
        loop {
            let Some((&seq, _)) = self.slots.first_key_value() else {
                return self.ran_dry();
            };
            let gap = seq - self.next;
            if gap <= 0 || gap > MAX_GAP {
                self.stats.lost += gap.max(0) as u64;
                self.owed = 0;
                self.next = seq + 1;
                match self.slots.remove(&seq) {
                    Some((Slot::Audio(payload), _)) => return Pulled::Audio(payload),
                    // Keys are pressed in silence: the packets between sound take no time of their own.
                    _ => continue,
                }
            }
            if self.owed > 0 {
                // Its place was concealed already, before it was known to be missing.
                self.owed -= 1;
                self.next += 1;
                self.stats.lost += 1;
                continue;
            }
            if self.slots.len() < self.target {
                // Shallower than the network calls for: play one concealed frame and give the missing one more time.
                self.owed = 1;
            } else {
                self.next += 1;
                self.stats.lost += 1;
            }
            return Pulled::Lost;
        }
    }

    pub fn stats(&self) -> JitterStats {
        JitterStats {
            jitter_ms: (self.jitter_ticks * 1000.0 / f64::from(self.config.clock_hz)) as f32,
            depth: self.slots.len(),
            target: self.target,
            ..self.stats
        }
    }

    /// Figures for the next receiver report; the share lost is counted from the call before.
    pub fn report(&mut self) -> Reception {
        let Some(highest) = self.highest else {
            return Reception::default();
        };
        let expected = (highest - self.base + 1) as u64;
        let (was_expected, was_received) = self.reported;
        self.reported = (expected, self.received_here);
        let expected_now = expected.saturating_sub(was_expected);
        let lost_now = expected_now.saturating_sub(self.received_here - was_received);
        let fraction = (lost_now * 256).checked_div(expected_now).unwrap_or(0);
        Reception {
            fraction_lost: fraction.min(255) as u8,
            // 24 bits, signed.
            cumulative_lost: (expected as i64 - self.received_here as i64)
                .clamp(-0x80_0000, 0x7F_FFFF) as i32,
            highest_seq: highest as u32,
            jitter: self.jitter_ticks as u32,
        }
    }

    fn take(&mut self, seq: u16, timestamp: u32, slot: Slot, marker: bool, now: Duration) {
        self.stats.received += 1;
        let Some(highest) = self.highest else {
            self.start(seq, timestamp);
            return self.keep(i64::from(seq), timestamp, slot, marker, now);
        };
        // The nearest number to the highest so far that ends in these 16 bits.
        let delta = i64::from(seq.wrapping_sub(highest as u16) as i16);
        if delta.abs() > MAX_DROPOUT {
            if self.far.replace(seq.wrapping_add(1)) != Some(seq) {
                return;
            }
            self.reset();
            self.start(seq, timestamp);
            return self.keep(i64::from(seq), timestamp, slot, marker, now);
        }
        self.far = None;
        self.keep(highest + delta, timestamp, slot, marker, now);
    }

    fn start(&mut self, seq: u16, timestamp: u32) {
        self.base = i64::from(seq);
        self.next = self.base;
        self.highest = Some(self.base - 1);
        self.timestamp = i64::from(timestamp);
        self.received_here = 0;
        self.reported = (0, 0);
    }

    fn keep(&mut self, seq: i64, timestamp: u32, slot: Slot, marker: bool, now: Duration) {
        let highest = self.highest.unwrap_or(seq);
        let age = highest - seq;
        self.received_here += 1;
        if age < 0 {
            self.seen = self.seen.checked_shl((-age) as u32).unwrap_or(0) | 1;
            self.highest = Some(seq);
        } else {
            let bit = 1u128.checked_shl(age as u32).unwrap_or(0);
            if self.seen & bit != 0 || self.slots.contains_key(&seq) {
                self.stats.duplicates += 1;
                return;
            }
            self.seen |= bit;
        }
        if matches!(slot, Slot::Audio(_)) {
            self.measure(timestamp, marker, age < 0, now);
        }
        if seq < self.next && self.state == State::Filling && self.played_nothing() {
            // The first packets of a stream came out of order: start from the earliest.
            self.base = self.base.min(seq);
            self.next = seq;
        }
        if seq < self.next {
            self.stats.late += 1;
            return;
        }
        self.slots.insert(seq, (slot, now));
        let most = self.most();
        while self.slots.len() > most + 1 {
            // A burst after a stall, or nobody pulls: keep the newest.
            if let Some((seq, _)) = self.slots.pop_first() {
                self.next = self.next.max(seq + 1);
                self.stats.shortened += 1;
            }
        }
    }

    fn played_nothing(&self) -> bool {
        self.slots
            .first_key_value()
            .is_some_and(|(&s, _)| s == self.next)
            && self.next == self.base
    }

    fn most(&self) -> usize {
        (self.config.max_ms / self.config.packet_ms).max(1) as usize
    }

    /// Jitter (RFC 3550 6.4.1) and the target depth.
    fn measure(&mut self, timestamp: u32, marker: bool, newest: bool, now: Duration) {
        let moved = i64::from(timestamp.wrapping_sub(self.timestamp as u32) as i32);
        let extended = self.timestamp + moved;
        if newest {
            self.timestamp = extended;
        }
        let hz = i64::from(self.config.clock_hz);
        let arrival = (now.as_micros() as i64).saturating_mul(hz) / 1_000_000;
        let transit = arrival - extended;
        if let Some(last) = self.last_transit.replace(transit) {
            let d = (transit - last).abs();
            // A jump is a sender whose timestamps stood still or started anew, not jitter.
            if d > hz || (marker && d > hz / 5) {
                self.transits.clear();
            } else {
                self.jitter_ticks += (d as f64 - self.jitter_ticks) / 16.0;
            }
        }
        self.transits.push_back(transit);
        if self.transits.len() > WINDOW {
            self.transits.pop_front();
        }
        let least = self.transits.iter().copied().min().unwrap_or(0);
        let mut lateness: Vec<i64> = self.transits.iter().map(|t| t - least).collect();
        let at = (lateness.len() * 97 / 100).min(lateness.len() - 1);
        let (_, &mut late, _) = lateness.select_nth_unstable(at);
        let packet = hz * i64::from(self.config.packet_ms) / 1000;
        // Arriving within a millisecond of the beat is on the beat.
        let need = 1 + (late - hz / 1000).max(0).div_ceil_packets(packet);
        let need = need.min(self.most());
        if need > self.target || self.transits.len() >= WINDOW / 4 {
            self.target = need;
        }
    }

    fn ready(&mut self, now: Duration) -> bool {
        let Some((&seq, (_, arrived))) = self.slots.first_key_value() else {
            return false;
        };
        let waited = now.saturating_sub(*arrived).as_millis() as u64;
        let delay = (self.target as u64 - 1) * u64::from(self.config.packet_ms);
        if self.slots.len() < self.target && waited < delay {
            return false;
        }
        // What went missing in the pause is past concealing.
        self.stats.lost += (seq - self.next).max(0) as u64;
        self.next = seq;
        self.owed = 0;
        self.state = State::Playing;
        self.least = (usize::MAX, 0);
        true
    }

    fn ran_dry(&mut self) -> Pulled {
        self.least = (0, 0);
        // Speech is concealed for a while; a pause after a quiet frame is just a pause.
        if self.quiet || self.owed >= PATIENCE {
            self.state = State::Filling;
            self.owed = 0;
            return Pulled::Empty;
        }
        self.owed += 1;
        Pulled::Lost
    }

    /// Leaves one packet out where the buffer has been deeper than it needs to be for two seconds.
    fn shorten(&mut self) {
        let depth = self.slots.len();
        self.least.0 = self.least.0.min(depth);
        self.least.1 += 1;
        // At its shallowest there should be one packet: the one that is due.
        let spare = self.least.0.saturating_sub(1);
        let too_deep = spare >= 1 && depth > self.target;
        let far_too_deep = spare >= 3 && depth > self.target + 2;
        if self.least.1 >= SURPLUS_WINDOW && ((too_deep && self.quiet) || far_too_deep) {
            if let Some((seq, _)) = self.slots.pop_first() {
                self.next = seq + 1;
                self.stats.shortened += 1;
            }
            self.least = (usize::MAX, SURPLUS_WINDOW / 2);
        } else if self.least.1 >= 2 * SURPLUS_WINDOW {
            self.least = (depth, SURPLUS_WINDOW / 2);
        }
    }
}

/// Ticks to whole packets, upwards.
trait Packets {
    fn div_ceil_packets(self, packet: i64) -> usize;
}

impl Packets for i64 {
    fn div_ceil_packets(self, packet: i64) -> usize {
        ((self + packet - 1) / packet.max(1)) as usize
    }
}

#[cfg(test)]
mod tests;
