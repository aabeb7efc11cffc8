//! What comes in on one RTP stream, put back in order and in time: a jitter buffer in samples, concealment, statistics.

use std::collections::VecDeque;

/// Samples in 20 ms at 8 kHz.
pub const BLOCK: usize = 160;
/// Longest sound held back: a second.
const CAPACITY: usize = 8_000;
/// Least and most that is held back against late packets, in samples (40 and 160 ms).
const LEAST: usize = 2 * BLOCK;
const MOST: usize = 8 * BLOCK;
/// A packet this far from where the stream was is a new start, not jitter (2 s).
const JUMP: i64 = 16_000;

/// Sound on its way to be heard.
#[derive(Debug)]
pub struct Playback {
    /// From `next` on; none where nothing came (yet).
    samples: VecDeque<Option<i16>>,
    /// Extended timestamp of the first sample in `samples`.
    next: i64,
    last_timestamp: u32,
    extended: i64,
    running: bool,
    any: bool,
    /// How much is held back.
    target: usize,
    /// Least that was held in the last second, and blocks counted in it.
    least: usize,
    blocks: u32,
    /// Blocks without a late packet, for letting the delay shrink again.
    calm: u32,
    late: bool,
    conceal: Conceal,
}

impl Default for Playback {
    fn default() -> Self {
        Self {
            samples: VecDeque::new(),
            next: 0,
            last_timestamp: 0,
            extended: 0,
            running: false,
            any: false,
            target: LEAST,
            least: usize::MAX,
            blocks: 0,
            calm: 0,
            late: false,
            conceal: Conceal::default(),
        }
    }
}

impl Playback {
    /// A packet's sound. Late, doubled and absurd ones are dropped.
    pub fn push(&mut self, timestamp: u32, pcm: &[i16]) {
        let step = i64::from(timestamp.wrapping_sub(self.last_timestamp).cast_signed());
        if !self.any || step.abs() > JUMP {
            self.samples.clear();
            self.running = false;
            self.any = true;
            self.extended = 0;
            self.next = 0;
        } else {
            self.extended += step;
        }
        self.last_timestamp = timestamp;
        if !self.running && self.samples.is_empty() {
            self.next = self.extended;
        }
        let mut offset = self.extended - self.next;
        if offset < 0 && !self.running {
            // The first packets came in the wrong order: begin with the earlier one.
            for _ in offset..0 {
                self.samples.push_front(None);
            }
            self.next = self.extended;
            offset = 0;
        }
        if offset < 0 {
            self.late = true;
        }
        for (index, sample) in (offset..).zip(pcm) {
            let Ok(index) = usize::try_from(index) else {
                continue;
            };
            if index >= CAPACITY {
                break;
            }
            while self.samples.len() <= index {
                self.samples.push_back(None);
            }
            if let Some(slot) = self.samples.get_mut(index)
                && slot.is_none()
            {
                *slot = Some(*sample);
            }
        }
    }

    /// The next 20 ms. True when it holds sound that came or was concealed from it.
    pub fn pull(&mut self, out: &mut [i16; BLOCK]) -> bool {
        if !self.running {
            if self.samples.len() < self.target {
                return self.conceal.fill(out, 0);
            }
            self.running = true;
            self.least = usize::MAX;
            self.blocks = 0;
        }
        self.adapt();
        if self.samples.is_empty() {
            // Nothing at all: time goes on, so that what comes is played where it belongs, until the stream has plainly stopped.
            self.next += BLOCK as i64;
            let sounding = self.conceal.fill(out, 0);
            if self.conceal.spent() {
                self.running = false;
            }
            return sounding;
        }
        let mut live = false;
        let mut missing = 0usize;
        for index in 0..BLOCK {
            let sample = self.samples.pop_front().flatten();
            match sample {
                Some(sample) => {
                    live = true;
                    if let Some(slot) = out.get_mut(index) {
                        *slot = self.conceal.blend(sample);
                    }
                }
                None => {
                    missing += 1;
                    let filled = self.conceal.next();
                    if let Some(slot) = out.get_mut(index) {
                        *slot = filled;
                    }
                }
            }
        }
        self.next += BLOCK as i64;
        live || (missing > 0 && !self.conceal.spent())
    }

    /// Grows the delay when packets come too late; lets it shrink, by a block at a quiet place, when too much was held all along.
    fn adapt(&mut self) {
        if std::mem::take(&mut self.late) {
            self.calm = 0;
            if self.target < MOST && self.samples.len() < self.target + BLOCK {
                self.target += BLOCK;
                for _ in 0..BLOCK {
                    self.samples.push_front(None);
                }
                self.next -= BLOCK as i64;
            }
        }
        self.calm += 1;
        self.least = self.least.min(self.samples.len());
        self.blocks += 1;
        if self.blocks < 50 {
            return;
        }
        if self.calm > 500 && self.target > LEAST {
            self.target -= BLOCK;
            self.calm = 0;
        }
        let surplus = self.least >= self.target + BLOCK;
        let quiet = self
            .samples
            .iter()
            .take(BLOCK)
            .flatten()
            .all(|s| s.unsigned_abs() < 400);
        if surplus && (quiet || self.least >= self.target + 4 * BLOCK) {
            self.samples.drain(..BLOCK.min(self.samples.len()));
            self.next += BLOCK as i64;
            self.least = usize::MAX;
            self.blocks = 0;
        } else if self.blocks >= 100 {
            self.least = usize::MAX;
            self.blocks = 0;
        }
    }
}

/// Fills what is missing with the last pitch period, fading to silence in 60 ms, and blends back in without a click.
#[derive(Debug, Default)]
struct Conceal {
    past: VecDeque<i16>,
    /// Samples made up since the last real one.
    made: usize,
    period: usize,
    /// Of the blend back into real sound.
    blending: usize,
    last: i16,
}

const PAST: usize = 480;
const FADE: usize = 480;
const BLEND: usize = 32;

impl Conceal {
    /// A made-up sample.
    fn next(&mut self) -> i16 {
        if self.made == 0 {
            self.period = self.pitch();
        }
        let left = FADE.saturating_sub(self.made);
        let at = self
            .past
            .len()
            .checked_sub(self.period.max(1))
            .map(|start| start + self.made % self.period.max(1));
        let source = at.and_then(|at| self.past.get(at)).copied().unwrap_or(0);
        self.made += 1;
        self.blending = 0;
        let value = i32::from(source) * i32::try_from(left).unwrap_or(0) / FADE as i32;
        self.last = i16::try_from(value).unwrap_or(0);
        self.last
    }

    /// A real sample, joined to what was made up before it.
    fn blend(&mut self, sample: i16) -> i16 {
        if self.made > 0 {
            self.made = 0;
            self.blending = BLEND;
        }
        let out = if self.blending > 0 {
            let old = i32::try_from(self.blending).unwrap_or(0);
            self.blending -= 1;
            let mixed = (i32::from(self.last) * old + i32::from(sample) * (BLEND as i32 - old))
                / BLEND as i32;
            i16::try_from(mixed).unwrap_or(sample)
        } else {
            sample
        };
        self.past.push_back(out);
        if self.past.len() > PAST {
            self.past.pop_front();
        }
        out
    }

    fn fill(&mut self, out: &mut [i16; BLOCK], from: usize) -> bool {
        let sounding = !self.spent();
        for slot in out.iter_mut().skip(from) {
            *slot = if sounding { self.next() } else { 0 };
        }
        sounding
    }

    fn spent(&self) -> bool {
        self.made >= FADE || self.past.is_empty()
    }

    /// The lag, 2.5 to 15 ms, at which the recent past is most like itself.
    fn pitch(&self) -> usize {
        let past: Vec<i64> = self.past.iter().map(|s| i64::from(*s)).collect();
        let window = 120;
        let Some(tail) = past.len().checked_sub(window) else {
            return past.len().max(1);
        };
        (20..=120usize)
            .filter(|lag| *lag <= tail)
            .max_by_key(|lag| {
                let pairs = past.iter().skip(tail).zip(past.iter().skip(tail - lag));
                pairs.map(|(a, b)| a * b).sum::<i64>()
            })
            .unwrap_or(80)
    }
}

/// Counts and jitter of one stream (RFC 3550 appendix A.3 and A.8).
#[derive(Debug, Default, Clone, Copy)]
pub struct Count {
    base: Option<u16>,
    highest: u16,
    cycles: u32,
    received: u64,
    expected_before: u64,
    received_before: u64,
    transit: Option<i64>,
    /// In timestamp units, times 16.
    jitter16: i64,
}

impl Count {
    /// A packet came. `arrival` in timestamp units of the receiver's own clock.
    pub fn packet(&mut self, seq: u16, timestamp: u32, arrival: u32) {
        match self.base {
            None => {
                self.base = Some(seq);
                self.highest = seq;
            }
            Some(_) => {
                let ahead = seq.wrapping_sub(self.highest);
                if ahead != 0 && ahead < 0x8000 {
                    if seq < self.highest {
                        self.cycles += 1;
                    }
                    self.highest = seq;
                }
            }
        }
        self.received += 1;
        let transit = i64::from(arrival.wrapping_sub(timestamp).cast_signed());
        if let Some(before) = self.transit.replace(transit) {
            let change = (transit - before).abs().min(8_000);
            self.jitter16 += change - (self.jitter16 + 8) / 16;
        }
    }

    pub fn highest(&self) -> u32 {
        self.cycles << 16 | u32::from(self.highest)
    }

    pub fn expected(&self) -> u64 {
        match self.base {
            Some(base) => u64::from(self.highest()).saturating_sub(u64::from(base)) + 1,
            None => 0,
        }
    }

    pub fn received(&self) -> u64 {
        self.received
    }

    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    /// In timestamp units.
    pub fn jitter(&self) -> u32 {
        u32::try_from(self.jitter16 / 16).unwrap_or(0)
    }

    /// Of 256, since the last time this was asked.
    pub fn fraction_lost(&mut self) -> u8 {
        let expected = self.expected().saturating_sub(self.expected_before);
        let received = self.received.saturating_sub(self.received_before);
        self.expected_before = self.expected();
        self.received_before = self.received;
        if expected == 0 || received >= expected {
            return 0;
        }
        u8::try_from((expected - received) * 256 / expected).unwrap_or(255)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(from: u32) -> Vec<i16> {
        (from..from + 160)
            .map(|n| (f64::from(n) * 0.25).sin().mul_add(8_000.0, 0.0) as i16)
            .collect()
    }

    #[test]
    fn order_is_restored_and_time_kept() {
        let mut playback = Playback::default();
        let mut out = [0; BLOCK];
        let start = u32::MAX - 200;
        playback.push(start.wrapping_add(160), &tone(160));
        playback.push(start, &tone(0));
        playback.push(start.wrapping_add(160), &tone(160));
        assert!(playback.pull(&mut out));
        assert_eq!(out.to_vec(), tone(0));
        assert!(playback.pull(&mut out));
        assert_eq!(out.to_vec(), tone(160));
    }

    #[test]
    fn a_lost_packet_is_concealed_without_a_click() {
        let mut playback = Playback::default();
        let mut out = [0; BLOCK];
        let mut heard = Vec::new();
        for n in 0..20u32 {
            if n != 10 {
                playback.push(n * 160, &tone(n * 160));
            }
            if playback.pull(&mut out) {
                heard.extend(out);
            }
        }
        // The tone moves by at most 2000 a sample; a click would be more.
        let step = heard
            .windows(2)
            .map(|w| (i32::from(w[1]) - i32::from(w[0])).abs())
            .max()
            .unwrap();
        assert!(step < 4_000, "{step}");
        let quiet = heard
            .chunks(40)
            .filter(|c| c.iter().all(|s| s.abs() < 500))
            .count();
        assert_eq!(quiet, 0, "the gap was left silent");
    }

    #[test]
    fn a_stream_that_stops_fades_and_one_that_comes_back_is_heard() {
        let mut playback = Playback::default();
        let mut out = [0; BLOCK];
        for n in 0..10u32 {
            playback.push(n * 160, &tone(n * 160));
            playback.pull(&mut out);
        }
        let live: Vec<bool> = (0..20).map(|_| playback.pull(&mut out)).collect();
        assert!(!live[19]);
        assert!(out.iter().all(|s| *s == 0));
        for n in 500..510u32 {
            playback.push(n * 160, &tone(n * 160));
        }
        assert!((0..4).any(|_| playback.pull(&mut out)));
    }

    #[test]
    fn late_packets_grow_the_delay() {
        let mut playback = Playback::default();
        let mut out = [0; BLOCK];
        let mut gaps = 0;
        for n in 0..200u32 {
            // The way grows 100 ms longer in the middle of the call.
            if let Some(n) = if n < 10 {
                Some(n)
            } else {
                n.checked_sub(5).filter(|m| *m >= 10)
            } {
                playback.push(n * 160, &tone(n * 160));
            }
            playback.pull(&mut out);
            gaps += usize::from(n > 60 && out.iter().all(|s| *s == 0));
        }
        assert!(playback.target > LEAST);
        assert_eq!(gaps, 0);
    }

    #[test]
    fn loss_and_jitter_are_counted() {
        let mut count = Count::default();
        for n in 0..100u32 {
            if n % 10 != 3 {
                let seq = (65_500u32 + n) as u16;
                count.packet(seq, n * 160, n * 160 + (n % 2) * 80);
            }
        }
        assert_eq!(count.expected(), 100);
        assert_eq!(count.lost(), 10);
        assert!((60..=90).contains(&count.jitter()), "{}", count.jitter());
        assert!((20..=30).contains(&count.fraction_lost()));
    }
}
