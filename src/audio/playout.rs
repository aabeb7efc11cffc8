//! What a party is hearing, tagged, so that what was heard can be told from what was queued.
//!
//! Sound is queued in pieces that carry a tag (the turn) and a part (the clause); every pull counts, to the sample, how much of
//! each has left. Pausing, ducking and clearing fade over 8 ms, so that an interruption makes no click.

use std::collections::{BTreeMap, VecDeque};

use super::{FRAME, RATE};

/// Length of a fade: 8 ms.
const FADE: usize = RATE as usize * 8 / 1000;
/// Below this a jump to or from silence is not heard as a click.
const CLICK: i16 = 200;
/// Tags whose counts are kept; the oldest are forgotten beyond it.
const KEPT_TAGS: usize = 64;

/// A piece of sound to be heard: mono at 16 kHz.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The turn it belongs to.
    pub tag: u64,
    /// The clause within the turn.
    pub part: u32,
    pub pcm: Vec<i16>,
}

/// How much of one clause has been heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Played {
    pub tag: u64,
    pub part: u32,
    /// Samples that left, of those queued.
    pub samples: u64,
    /// Samples queued so far, heard or not, those cleared included.
    pub queued: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    played: u64,
    queued: u64,
    /// Changed since the last report.
    news: bool,
}

#[derive(Debug)]
struct Piece {
    /// None: silence that was asked for, which belongs to no clause.
    part: Option<u32>,
    tag: u64,
    pcm: Vec<i16>,
    at: usize,
}

/// The queue of one party.
#[derive(Debug)]
pub struct Playout {
    queue: VecDeque<Piece>,
    counts: BTreeMap<(u64, u32), Count>,
    paused: bool,
    duck: f32,
    /// As applied to the last sample; slides towards its target by 1/FADE a sample.
    gain: f32,
    /// A cleared piece's last samples, faded; added to whatever comes next.
    tail: VecDeque<i16>,
    /// The last sample that left, to tell whether an edge needs softening.
    last: i16,
    /// Samples left of the fade-in after an idle stretch.
    rise: usize,
    /// Nothing was queued when the last sample left.
    idle: bool,
}

impl Default for Playout {
    fn default() -> Self {
        Self::new()
    }
}

impl Playout {
    pub fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            counts: BTreeMap::new(),
            paused: false,
            duck: 1.0,
            gain: 1.0,
            tail: VecDeque::new(),
            last: 0,
            rise: 0,
            idle: true,
        }
    }

    /// Queues a piece behind what is queued. More of the same clause may follow while it plays.
    pub fn push(&mut self, chunk: Chunk) {
        let count = self.counts.entry((chunk.tag, chunk.part)).or_default();
        count.queued += chunk.pcm.len() as u64;
        self.queue.push_back(Piece {
            part: Some(chunk.part),
            tag: chunk.tag,
            pcm: chunk.pcm,
            at: 0,
        });
        self.forget_old();
    }

    /// Queues `ms` of silence as part of `tag`: it is cleared with it, and counted to no clause.
    pub fn silence(&mut self, tag: u64, ms: u64) {
        self.queue.push_back(Piece {
            part: None,
            tag,
            pcm: vec![0; (ms * u64::from(RATE) / 1000) as usize],
            at: 0,
        });
    }

    /// Fades out and holds: what was queued stays, and plays on from there after [`Playout::resume`].
    pub fn pause(&mut self) {
        self.paused = true;
    }

    pub fn resume(&mut self) {
        self.paused = false;
    }

    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Plays at `gain` (1.0: as it is) until told otherwise.
    pub fn duck(&mut self, gain: f32) {
        self.duck = if gain.is_finite() {
            gain.clamp(0.0, 1.0)
        } else {
            1.0
        };
    }

    /// Drops what is queued under `tag`. Returns the samples dropped.
    pub fn clear(&mut self, tag: u64) -> u64 {
        self.drop_where(|p| p.tag == tag)
    }

    /// Drops everything queued. Returns the samples dropped.
    pub fn clear_all(&mut self) -> u64 {
        self.drop_where(|_| true)
    }

    /// Nothing is queued. What was pulled last may still be on its way to the ear.
    pub fn is_empty(&self) -> bool {
        self.queue.iter().all(|p| p.at == p.pcm.len())
    }

    /// Milliseconds queued and not yet pulled.
    pub fn queued_ms(&self) -> u64 {
        let samples: usize = self.queue.iter().map(|p| p.pcm.len() - p.at).sum();
        samples as u64 * 1000 / u64::from(RATE)
    }

    /// The next 20 ms. Silence where there is nothing to play.
    pub fn pull(&mut self) -> [i16; FRAME] {
        let mut out = [0; FRAME];
        for sample in &mut out {
            let target = if self.paused { 0.0 } else { self.duck };
            let step = 1.0 / FADE as f32;
            self.gain += (target - self.gain).clamp(-step, step);
            let held = self.paused && self.gain <= 0.0;
            let next = if held { None } else { self.next_sample() };
            let fresh = match next {
                Some(s) => {
                    // A stream that starts or starts again in the middle of a wave rises over the fade.
                    if self.idle && s.unsigned_abs() > CLICK as u16 {
                        self.rise = FADE;
                    }
                    self.idle = false;
                    let rising = 1.0 - self.rise as f32 / FADE as f32;
                    self.rise = self.rise.saturating_sub(1);
                    (f32::from(s) * self.gain * rising).round() as i16
                }
                None => {
                    if !self.idle && self.last.unsigned_abs() > CLICK as u16 && self.tail.is_empty()
                    {
                        self.tail = fade_from(self.last);
                    }
                    self.idle = true;
                    0
                }
            };
            let tail = self.tail.pop_front().unwrap_or(0);
            *sample = fresh.saturating_add(tail);
            self.last = *sample;
        }
        while self.queue.front().is_some_and(|p| p.at == p.pcm.len()) {
            self.queue.pop_front();
        }
        out
    }

    /// What was heard since the last call of this: totals of every clause that moved, in order.
    pub fn take_played(&mut self) -> Vec<Played> {
        let mut moved = Vec::new();
        for (&(tag, part), count) in &mut self.counts {
            if std::mem::take(&mut count.news) {
                moved.push(played(tag, part, count));
            }
        }
        moved
    }

    /// What was heard of every clause of a turn, in order.
    pub fn heard(&self, tag: u64) -> Vec<Played> {
        self.counts
            .range((tag, 0)..=(tag, u32::MAX))
            .map(|(&(tag, part), count)| played(tag, part, count))
            .collect()
    }

    fn next_sample(&mut self) -> Option<i16> {
        while let Some(piece) = self.queue.front_mut() {
            if let Some(&s) = piece.pcm.get(piece.at) {
                piece.at += 1;
                if let Some(part) = piece.part
                    && let Some(count) = self.counts.get_mut(&(piece.tag, part))
                {
                    count.played += 1;
                    count.news = true;
                }
                return Some(s);
            }
            self.queue.pop_front();
        }
        None
    }

    fn drop_where(&mut self, drop: impl Fn(&Piece) -> bool) -> u64 {
        // Only the piece that is sounding can click.
        if self.queue.front().is_some_and(|p| drop(p) && p.at > 0)
            && self.last.unsigned_abs() > CLICK as u16
        {
            self.tail = fade_from(self.last);
        }
        let before = self.queue.len();
        let mut dropped = 0;
        self.queue.retain(|p| {
            let gone = drop(p);
            if gone {
                dropped += (p.pcm.len() - p.at) as u64;
            }
            !gone
        });
        if self.queue.len() < before && !self.tail.is_empty() {
            // What follows starts at its own first sample, under the tail.
            self.idle = true;
        }
        dropped
    }

    fn forget_old(&mut self) {
        let mut tags: Vec<u64> = self.counts.keys().map(|&(tag, _)| tag).collect();
        tags.dedup();
        if tags.len() > KEPT_TAGS {
            let oldest_kept = tags[tags.len() - KEPT_TAGS];
            self.counts.retain(|&(tag, _), _| tag >= oldest_kept);
        }
    }
}

fn played(tag: u64, part: u32, count: &Count) -> Played {
    Played {
        tag,
        part,
        samples: count.played,
        queued: count.queued,
    }
}

/// From `last` down to silence: a raised cosine has no corner at either end.
fn fade_from(last: i16) -> VecDeque<i16> {
    (1..=FADE)
        .map(|i| {
            let x = std::f32::consts::PI * i as f32 / FADE as f32;
            (f32::from(last) * (0.5 + 0.5 * x.cos())).round() as i16
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn sine(samples: usize) -> Vec<i16> {
        (0..samples)
            .map(|i| (8000.0 * (TAU * 300.0 * i as f64 / 16_000.0).cos()) as i16)
            .collect()
    }

    fn chunk(tag: u64, part: u32, pcm: Vec<i16>) -> Chunk {
        Chunk { tag, part, pcm }
    }

    /// Largest step between neighbours. A 300 Hz wave at 8000 moves by at most 943 a sample.
    fn steepest(pcm: &[i16]) -> i32 {
        let all = [&[0], pcm].concat();
        all.windows(2)
            .map(|w| (i32::from(w[1]) - i32::from(w[0])).abs())
            .max()
            .unwrap()
    }

    #[test]
    fn counts_every_sample_of_every_clause() {
        let mut p = Playout::new();
        p.push(chunk(7, 0, vec![100; 500]));
        p.push(chunk(7, 1, vec![100; 400]));
        p.pull();
        assert_eq!(
            p.take_played(),
            [Played {
                tag: 7,
                part: 0,
                samples: 320,
                queued: 500
            }]
        );
        p.pull();
        let heard = p.take_played();
        assert_eq!((heard[0].samples, heard[1].samples), (500, 140));
        p.pull();
        assert!(p.is_empty());
        assert_eq!(
            p.take_played(),
            [Played {
                tag: 7,
                part: 1,
                samples: 400,
                queued: 400
            }]
        );
        assert_eq!(p.take_played(), []);
        assert_eq!(p.pull(), [0; FRAME]);
        assert_eq!(p.heard(7).iter().map(|h| h.samples).sum::<u64>(), 900);
    }

    #[test]
    fn clauses_follow_without_a_gap_and_unchanged() {
        let whole = sine(1600);
        let mut p = Playout::new();
        p.push(chunk(1, 0, whole[..700].to_vec()));
        let mut out = p.pull().to_vec();
        p.push(chunk(1, 0, whole[700..1000].to_vec()));
        p.push(chunk(1, 1, whole[1000..].to_vec()));
        for _ in 0..4 {
            out.extend(p.pull());
        }
        assert_eq!(out[FADE..], whole[FADE..]);
        assert!(steepest(&out) < 1200);
    }

    #[test]
    fn silence_is_only_what_was_asked_for() {
        let mut p = Playout::new();
        p.push(chunk(1, 0, vec![50; 320]));
        p.silence(1, 20);
        p.push(chunk(1, 1, vec![60; 320]));
        assert_eq!(p.queued_ms(), 60);
        let frames = [p.pull(), p.pull(), p.pull()];
        assert_eq!(frames, [[50; FRAME], [0; FRAME], [60; FRAME]]);
        assert_eq!(p.heard(1).len(), 2);
    }

    #[test]
    fn pause_holds_its_place_and_resume_goes_on_without_a_click() {
        let whole = sine(6400);
        let mut p = Playout::new();
        p.push(chunk(1, 0, whole.clone()));
        let mut out = Vec::new();
        for n in 0..12 {
            match n {
                3 => p.pause(),
                6 => p.resume(),
                _ => {}
            }
            out.extend(p.pull());
            if n == 3 || n == 5 {
                let heard = p.heard(1)[0].samples as usize;
                assert_eq!(heard, 3 * FRAME + FADE - 1, "held after the fade");
            }
        }
        assert_eq!(out[4 * FRAME..6 * FRAME], [0; 2 * FRAME]);
        assert!(steepest(&out) < 1200, "{}", steepest(&out));
        // Past the fade it plays on from where it held.
        let from = 3 * FRAME + FADE - 1;
        assert_eq!(
            out[6 * FRAME + FADE..],
            whole[from + FADE..from + 6 * FRAME]
        );
    }

    #[test]
    fn clear_drops_one_turn_softly_and_says_how_much() {
        let mut p = Playout::new();
        p.push(chunk(1, 0, sine(3200)));
        p.push(chunk(2, 0, sine(640)));
        let mut out = p.pull().to_vec();
        assert_eq!(p.clear(1), 3200 - 320);
        for _ in 0..4 {
            out.extend(p.pull());
        }
        assert!(steepest(&out) < 1300, "{}", steepest(&out));
        assert_eq!(p.heard(1)[0].samples, 320);
        assert_eq!(p.heard(2)[0].samples, 640);
        assert_eq!(p.clear_all(), 0);
    }

    #[test]
    fn ducks_smoothly_and_still_counts() {
        let mut p = Playout::new();
        p.push(chunk(1, 0, sine(3200)));
        let mut out = p.pull().to_vec();
        p.duck(0.25);
        out.extend(p.pull());
        out.extend(p.pull());
        assert!(steepest(&out) < 1200);
        assert!(out[640..].iter().all(|s| s.abs() <= 2001));
        assert_eq!(p.heard(1)[0].samples, 960);
    }

    #[test]
    fn a_stream_that_runs_dry_in_mid_wave_does_not_click() {
        let whole = sine(2000);
        let mut p = Playout::new();
        p.push(chunk(1, 0, whole[..430].to_vec()));
        let mut out = [p.pull(), p.pull(), p.pull()].concat();
        p.push(chunk(1, 0, whole[430..].to_vec()));
        for _ in 0..6 {
            out.extend(p.pull());
        }
        assert!(steepest(&out) < 1200, "{}", steepest(&out));
    }

    #[test]
    fn old_turns_are_forgotten() {
        let mut p = Playout::new();
        for tag in 0..500 {
            p.push(chunk(tag, 0, vec![1]));
            p.pull();
        }
        assert!(p.counts.len() <= KEPT_TAGS);
        assert_eq!(p.heard(499).len(), 1);
    }
}
