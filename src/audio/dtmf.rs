//! Keys: telephone events in RTP (RFC 4733) and tones in the sound (ITU-T Q.23, Q.24).

use std::collections::VecDeque;
use std::f32::consts::{PI, TAU};
use std::time::Duration;

/// Keys by event code (RFC 4733 section 3.2).
const KEYS: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D',
];
/// Row and column of the key pad, Hz.
const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
const PAD: [[char; 4]; 4] = [
    ['1', '2', '3', 'A'],
    ['4', '5', '6', 'B'],
    ['7', '8', '9', 'C'],
    ['*', '0', '#', 'D'],
];
/// An event is over when nothing more is heard of it for this long: its end packets were lost.
const EVENT_TIMEOUT: Duration = Duration::from_millis(150);

/// The event code of a key; none for what is no key.
pub fn event_of(key: char) -> Option<u8> {
    let key = key.to_ascii_uppercase();
    KEYS.iter().position(|&k| k == key).map(|i| i as u8)
}

/// The key of an event code; none for events that are no keys (flash, modem tones).
pub fn key_of(event: u8) -> Option<char> {
    KEYS.get(usize::from(event)).copied()
}

/// The payload of one telephone-event packet (RFC 4733 section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPayload {
    pub event: u8,
    pub end: bool,
    /// Level of the tone in dB below 0 dBm0, 0 to 63.
    pub volume: u8,
    /// So far, in RTP clock ticks.
    pub duration: u16,
}

impl EventPayload {
    /// None where there are fewer than four octets. Later octets (RFC 4733 allows several events) are ignored.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[event, flags, high, low, ..] = bytes else {
            return None;
        };
        Some(Self {
            event,
            end: flags & 0x80 != 0,
            volume: flags & 0x3F,
            duration: u16::from_be_bytes([high, low]),
        })
    }

    pub fn build(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        let end = if self.end { 0x80 } else { 0 };
        [self.event, end | (self.volume & 0x3F), high, low]
    }
}

/// Telephone events in, each key out once: at its end, or when its end was lost.
#[derive(Debug, Clone, Default)]
pub struct EventDecoder {
    /// Key, timestamp and last news of the event that is sounding.
    open: Option<(char, u32, Duration)>,
    /// Timestamp of the last event that was told.
    told: Option<u32>,
    out: VecDeque<char>,
}

impl EventDecoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// A telephone-event packet: its RTP timestamp (the event's start), payload, and when it came.
    pub fn push(&mut self, timestamp: u32, payload: &[u8], now: Duration) {
        let Some(event) = EventPayload::parse(payload) else {
            return;
        };
        let Some(key) = key_of(event.event) else {
            return;
        };
        // Resent and overtaken packets of what was told already.
        if self
            .told
            .is_some_and(|t| (timestamp.wrapping_sub(t) as i32) <= 0)
        {
            return;
        }
        match self.open {
            Some((_, start, _)) if start == timestamp => {}
            Some((_, start, _)) if (timestamp.wrapping_sub(start) as i32) < 0 => return,
            // A key held beyond what a duration can count goes on under a later timestamp (RFC 4733 section 2.5.1.3).
            Some((held, start, _)) if held == key && timestamp.wrapping_sub(start) == 0xFFFF => {}
            Some((held, start, _)) => self.tell(held, start),
            None => {}
        }
        self.open = Some((key, timestamp, now));
        if event.end {
            self.tell(key, timestamp);
        }
    }

    /// The next key, if one is complete. Call until none.
    pub fn poll(&mut self, now: Duration) -> Option<char> {
        if let Some((key, start, news)) = self.open
            && now.saturating_sub(news) >= EVENT_TIMEOUT
        {
            self.tell(key, start);
        }
        self.out.pop_front()
    }

    /// A new stream: timestamps start anew.
    pub fn reset(&mut self) {
        self.open = None;
        self.told = None;
    }

    fn tell(&mut self, key: char, start: u32) {
        self.open = None;
        self.told = Some(start);
        self.out.push_back(key);
    }
}

/// One packet of a key being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    /// Set on the first.
    pub marker: bool,
    /// The payload; every packet of a key carries the RTP timestamp of its first.
    pub payload: [u8; 4],
}

/// The packets of one key, one to be sent each `packet_ms`: updates for as long as the tone lasts, then the end three times.
/// `clock_hz`: of the RTP stream. Empty for what is no key.
pub fn event_packets(key: char, tone_ms: u32, packet_ms: u32, clock_hz: u32) -> Vec<EventPacket> {
    let Some(event) = event_of(key) else {
        return Vec::new();
    };
    let packet_ms = packet_ms.max(1);
    let steps = tone_ms.div_ceil(packet_ms).max(1);
    let packet = |step: u32, end: bool| {
        let ticks = u64::from(step) * u64::from(packet_ms) * u64::from(clock_hz) / 1000;
        EventPacket {
            marker: step == 1 && !end,
            payload: EventPayload {
                event,
                end,
                volume: 10,
                duration: ticks.min(0xFFFF) as u16,
            }
            .build(),
        }
    };
    let mut packets: Vec<_> = (1..=steps).map(|s| packet(s, false)).collect();
    packets.extend([packet(steps + 1, true); 3]);
    packets
}

/// Row and column frequency of a key.
fn frequencies(key: char) -> Option<(f32, f32)> {
    let key = key.to_ascii_uppercase();
    PAD.iter().zip(ROWS).find_map(|(row, f)| {
        let column = row.iter().position(|&k| k == key)?;
        Some((f, COLUMNS[column]))
    })
}

/// The dual tone of a key, each of the two at `dbfs` (dB below a full-scale sine), with 2 ms ramps. Empty for what is no key.
pub fn tone(key: char, ms: u32, rate: u32, dbfs: f32) -> Vec<i16> {
    let Some((low, high)) = frequencies(key) else {
        return Vec::new();
    };
    let amplitude = 32_767.0 * 10f32.powf(dbfs.min(-6.1) / 20.0);
    let n = (u64::from(ms) * u64::from(rate) / 1000) as usize;
    let ramp = (rate / 500).max(1) as usize;
    (0..n)
        .map(|i| {
            let edge = i.min(n - 1 - i);
            let gain = (edge as f32 / ramp as f32).min(1.0);
            let at = |hz: f32| (TAU * hz * (i as f32 / rate as f32)).sin();
            (amplitude * gain * (at(low) + at(high))).round() as i16
        })
        .collect()
}

/// Weakest tone that counts, dBFS each.
const WEAKEST_DBFS: f32 = -40.0;
/// Share of the block's power that must lie in the two tones.
const PURITY: f32 = 0.7;
/// How much stronger the column may be than the row, and the row than the column, dB (Q.24 allows 4 and 8; lines are worse).
const TWIST_DB: (f32, f32) = (6.0, 10.0);

/// Longer holes in the sound end a key. Shorter ones lie more often in a key than between two of the same.
const LONGEST_HOLE: Duration = Duration::from_millis(100);

/// Keys heard in the sound itself, for lines that send no events. Takes any rate; needs 40 ms of tone, tells each key once as
/// soon as it is sure, and again only after a pause.
#[derive(Debug, Clone)]
pub struct ToneDetector {
    rate: u32,
    /// 25.6 ms: tells 697 from 770 Hz. Looked at every half block.
    block: usize,
    buffer: Vec<i16>,
    /// What the last look found, and how often in a row.
    last: Option<char>,
    run: u32,
    /// The key being held, already told.
    held: Option<char>,
}

impl ToneDetector {
    pub fn new(rate: u32) -> Self {
        let rate = rate.max(8000);
        Self {
            rate,
            block: (rate as usize * 205).div_ceil(8000),
            buffer: Vec::new(),
            last: None,
            run: 0,
            held: None,
        }
    }

    /// Any number of samples in; keys recognised in them out.
    pub fn push(&mut self, pcm: &[i16]) -> Vec<char> {
        self.buffer.extend_from_slice(pcm);
        let mut keys = Vec::new();
        let mut at = 0;
        while self.buffer.len() - at >= self.block {
            let found = self.look(&self.buffer[at..at + self.block]);
            at += self.block / 2;
            self.run = if found == self.last { self.run + 1 } else { 1 };
            self.last = found;
            if self.run < 2 {
                continue;
            }
            if found != self.held
                && let Some(key) = found
            {
                keys.push(key);
            }
            self.held = found;
        }
        self.buffer.drain(..at);
        keys
    }

    /// A key is being held: what was pushed last is its tone.
    pub fn sounds(&self) -> bool {
        self.held.is_some()
    }

    /// So much sound is missing here. A key held before and after a short hole is the same key, not pressed again.
    pub fn skip(&mut self, missing: Duration) {
        self.buffer.clear();
        self.last = None;
        self.run = 0;
        if missing > LONGEST_HOLE {
            self.held = None;
        }
    }

    fn look(&self, block: &[i16]) -> Option<char> {
        let n = block.len() as f32;
        let total = block.iter().map(|&s| f32::from(s).powi(2)).sum::<f32>() / n;
        // Mean power of one tone at the weakest level.
        let weakest = (32_768.0 * 10f32.powf(WEAKEST_DBFS / 20.0)).powi(2) / 2.0;
        if total < weakest {
            return None;
        }
        let power = |hz: f32| goertzel(block, hz, self.rate);
        let (row, low) = strongest(ROWS.map(power))?;
        let (column, high) = strongest(COLUMNS.map(power))?;
        let twist = 10.0 * (high / low.max(1e-9)).log10();
        let sound = low.min(high) >= weakest
            && (low + high) >= PURITY * total
            && twist <= TWIST_DB.0
            && twist >= -TWIST_DB.1;
        sound.then(|| PAD[row][column])
    }
}

/// The strongest of four, if it stands 6 dB above the others.
fn strongest(powers: [f32; 4]) -> Option<(usize, f32)> {
    let best = (0..4).max_by(|&a, &b| powers[a].total_cmp(&powers[b]))?;
    let clear = (0..4).all(|i| i == best || powers[i] * 4.0 < powers[best]);
    clear.then_some((best, powers[best]))
}

/// Mean power of the sine of frequency `hz` in a block (Goertzel's algorithm).
fn goertzel(block: &[i16], hz: f32, rate: u32) -> f32 {
    let k = 2.0 * (2.0 * PI * hz / rate as f32).cos();
    let (mut a, mut b) = (0f32, 0f32);
    for &s in block {
        let c = f32::from(s) + k * a - b;
        b = a;
        a = c;
    }
    let n = block.len() as f32;
    2.0 * (a * a + b * b - k * a * b) / (n * n)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn keys(d: &mut EventDecoder, now: Duration) -> String {
        std::iter::from_fn(|| d.poll(now)).collect()
    }

    #[test]
    fn payloads_round_trip() {
        let p = EventPayload {
            event: 11,
            end: true,
            volume: 10,
            duration: 1234,
        };
        assert_eq!(p.build(), [11, 0x8A, 0x04, 0xD2]);
        assert_eq!(EventPayload::parse(&p.build()), Some(p));
        assert_eq!(EventPayload::parse(&[1, 2, 3]), None);
        for key in KEYS {
            assert_eq!(key_of(event_of(key).unwrap()), Some(key));
        }
        assert_eq!(event_of('x'), None);
        assert_eq!(key_of(16), None);
    }

    #[test]
    fn each_key_is_told_once_whatever_is_lost_or_resent() {
        let packets = event_packets('5', 100, 20, 8000);
        assert_eq!(packets.len(), 8);
        assert!(packets[0].marker && packets[1..].iter().all(|p| !p.marker));
        assert_eq!(
            EventPayload::parse(&packets[4].payload).unwrap().duration,
            800
        );
        // Any subset that is not empty tells the key exactly once.
        for subset in 1u32..256 {
            let mut d = EventDecoder::new();
            let mut told = String::new();
            for (i, p) in packets
                .iter()
                .enumerate()
                .filter(|(i, _)| subset >> i & 1 == 1)
            {
                d.push(4000, &p.payload, MS(20 * i as u64));
                told += &keys(&mut d, MS(20 * i as u64));
            }
            told += &keys(&mut d, MS(1000));
            assert_eq!(told, "5", "{subset:08b}");
        }
    }

    #[test]
    fn same_key_twice_is_two_keys_and_a_lost_end_does_not_swallow_the_next() {
        let mut d = EventDecoder::new();
        let update = |key| {
            EventPayload {
                event: event_of(key).unwrap(),
                end: false,
                volume: 0,
                duration: 160,
            }
            .build()
        };
        let end = |key| {
            EventPayload {
                event: event_of(key).unwrap(),
                end: true,
                volume: 0,
                duration: 320,
            }
            .build()
        };
        d.push(u32::MAX - 100, &update('7'), MS(0));
        d.push(u32::MAX - 100, &end('7'), MS(20));
        d.push(900, &update('7'), MS(120));
        d.push(3000, &update('8'), MS(200));
        d.push(900, &end('7'), MS(205));
        d.push(3000, &end('8'), MS(220));
        assert_eq!(keys(&mut d, MS(220)), "778");
        d.push(5000, &[99, 0x80, 0, 1], MS(300));
        d.push(5000, &[], MS(300));
        assert_eq!(keys(&mut d, MS(900)), "");
    }

    #[test]
    fn a_key_held_for_ages_is_one_key() {
        let mut d = EventDecoder::new();
        let held = EventPayload {
            event: 1,
            end: false,
            volume: 0,
            duration: 0xFFFF,
        }
        .build();
        let end = EventPayload {
            event: 1,
            end: true,
            volume: 0,
            duration: 200,
        }
        .build();
        d.push(1000, &held, MS(0));
        d.push(1000 + 0xFFFF, &end, MS(20));
        assert_eq!(keys(&mut d, MS(900)), "1");
    }

    #[test]
    fn tones_are_heard_at_both_rates_and_through_g711() {
        use crate::audio::g711::Law;
        for rate in [8000, 16_000] {
            for level in [-7.0, -20.0, -35.0] {
                let mut pcm = vec![0; 1000];
                for key in KEYS {
                    pcm.extend(tone(key, 50, rate, level));
                    pcm.extend(vec![0; rate as usize / 20]);
                }
                let coded: Vec<i16> = pcm
                    .iter()
                    .map(|&s| Law::Mu.decode(Law::Mu.encode(s)))
                    .collect();
                let mut d = ToneDetector::new(rate);
                let heard: String = coded.chunks(160).flat_map(|c| d.push(c)).collect();
                assert_eq!(heard, String::from_iter(KEYS), "{rate} Hz at {level} dB");
            }
        }
    }

    #[test]
    fn a_long_key_is_one_key_and_a_second_press_is_another() {
        let mut d = ToneDetector::new(8000);
        assert_eq!(d.push(&tone('#', 2000, 8000, -10.0)), ['#']);
        assert!(d.sounds());
        assert_eq!(d.push(&[0; 800]), Vec::<char>::new());
        assert!(!d.sounds());
        assert_eq!(d.push(&tone('#', 60, 8000, -10.0)), ['#']);
    }

    #[test]
    fn a_hole_in_a_key_does_not_make_it_two() {
        let tone = tone('9', 300, 8_000, -12.0);
        for (missing, want) in [(20, "9"), (80, "9"), (400, "99")] {
            let mut d = ToneDetector::new(8_000);
            let mut told = d.push(&tone[..1_000]);
            d.skip(MS(missing));
            told.extend(d.push(&tone[1_000..]));
            assert_eq!(told.iter().collect::<String>(), want, "{missing} ms");
        }
    }

    #[test]
    fn voices_noise_and_single_tones_are_no_keys() {
        let mut d = ToneDetector::new(8000);
        // Vowels with gliding pitch, every harmonic: what talk-off looks like.
        let mut phase = 0f32;
        let voice: Vec<i16> = (0..80_000)
            .map(|i| {
                phase += TAU * (90.0 + 150.0 * (i as f32 / 80_000.0)) / 8000.0;
                ((1..=12)
                    .map(|k| (phase * k as f32).sin() / k as f32)
                    .sum::<f32>()
                    * 6000.0) as i16
            })
            .collect();
        assert_eq!(d.push(&voice), Vec::<char>::new());
        let mut x = 1u32;
        let noise: Vec<i16> = (0..80_000)
            .map(|_| {
                x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (x >> 17) as i16 - 16_384
            })
            .collect();
        assert_eq!(d.push(&noise), Vec::<char>::new());
        for hz in (300..3400).step_by(37) {
            let sine: Vec<i16> = (0..1600)
                .map(|i| (8000.0 * (TAU * hz as f32 * i as f32 / 8000.0).sin()) as i16)
                .collect();
            assert_eq!(d.push(&sine), Vec::<char>::new(), "{hz} Hz");
        }
    }
}
