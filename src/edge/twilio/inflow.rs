//! What a media stream brings, as an even flow of 20 ms: bursts are smoothed, what is missing is concealed, and a delay that a stall
//! left behind is made up for in the caller's own silences. Time is what the messages' timestamps say; no clock is read.

use std::collections::VecDeque;

use crate::audio::conceal::Concealer;
use crate::audio::g711::Law;

/// Samples in 20 ms at 8 kHz.
pub(super) const BLOCK: usize = 160;
const PER_MS: u64 = 8;
/// Sound held before the first block is given out: what one late message would otherwise cost.
const FIRST: usize = 2 * BLOCK;
/// More than this in hand is delay; blocks that are quiet are left out until it is gone.
const ENOUGH: usize = 3 * BLOCK;
/// The most that is kept; beyond it the oldest goes.
const MOST: usize = 8_000 * 2;
/// Timestamps that leap further than this have begun anew: nothing is made up for the time between.
const LEAP: u64 = 8_000;
/// How far a timestamp may lie beside the time it stands for: senders round.
const SLACK: u64 = 80;
/// Below this a sample is silence, or the noise of a line at rest.
const QUIET: u16 = 400;

/// Counts, for the record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Messages with sound.
    pub messages: u64,
    /// Blocks of 20 ms that the timestamps promise and no message brought.
    pub lost: u64,
    /// Blocks thrown away because there were too many.
    pub overrun: u64,
}

/// Sound of one message that waits its turn.
#[derive(Debug)]
struct Piece {
    /// Sample position its timestamp says.
    at: u64,
    pcm: VecDeque<i16>,
}

/// The flow of one stream.
#[derive(Debug)]
pub(super) struct Inflow {
    pieces: VecDeque<Piece>,
    /// Samples in `pieces`.
    held: usize,
    /// The position that is due next.
    due: u64,
    begun: bool,
    conceal: Concealer,
    /// Where the last message ended, for counting what is missing.
    end: Option<u64>,
    pub counts: Counts,
}

impl Inflow {
    pub fn new() -> Self {
        Self {
            pieces: VecDeque::new(),
            held: 0,
            due: 0,
            begun: false,
            conceal: Concealer::new(8_000),
            end: None,
            counts: Counts::default(),
        }
    }

    /// A media message: mu-law, and the milliseconds since the stream began.
    pub fn push(&mut self, timestamp_ms: u64, codes: &[u8]) {
        if codes.is_empty() {
            return;
        }
        let mut pcm = Vec::with_capacity(codes.len());
        Law::Mu.decode_into(codes, &mut pcm);
        let at = timestamp_ms.saturating_mul(PER_MS);
        if let Some(end) = self.end {
            let gap = at.saturating_sub(end);
            if gap > SLACK && gap <= LEAP {
                self.counts.lost += gap.div_ceil(BLOCK as u64);
            }
        }
        self.end = Some(at.saturating_add(pcm.len() as u64));
        if !self.begun && self.pieces.is_empty() {
            self.due = at;
        }
        self.counts.messages += 1;
        self.held += pcm.len();
        self.pieces.push_back(Piece {
            at,
            pcm: pcm.into(),
        });
        while self.held > MOST {
            let Some(old) = self.pieces.pop_front() else {
                break;
            };
            self.held -= old.pcm.len();
            self.counts.overrun += old.pcm.len().div_ceil(BLOCK) as u64;
        }
    }

    /// The next 20 ms. True when it holds sound from the far end.
    pub fn pull(&mut self, block: &mut [i16; BLOCK]) -> bool {
        block.fill(0);
        if !self.begun {
            if self.held < FIRST {
                return false;
            }
            self.begun = true;
        }
        if !self.take(block) {
            self.conceal.lost(block);
            return false;
        }
        // Late sound is not dropped, for the caller did say it: the delay goes where they say nothing.
        while self.held > ENOUGH && quiet(block) {
            let mut next = [0; BLOCK];
            if !self.take(&mut next) {
                break;
            }
            *block = next;
        }
        self.conceal.good(block);
        true
    }

    /// Moves one block out, and the due time on by as much; false where nothing is there for it.
    fn take(&mut self, block: &mut [i16; BLOCK]) -> bool {
        let mut filled = 0;
        while filled < BLOCK {
            let Some(piece) = self.pieces.front_mut() else {
                break;
            };
            let ahead = piece.at.saturating_sub(self.due);
            if ahead > LEAP || ahead <= SLACK || self.held > ENOUGH {
                // In time, late, or so much is in hand that a gap is a way to catch up.
                self.due = piece.at;
            } else if filled == 0 {
                self.due = self.due.saturating_add(BLOCK as u64);
                return false;
            } else {
                break;
            }
            let wanted = (BLOCK - filled).min(piece.pcm.len());
            for (slot, sample) in block[filled..].iter_mut().zip(piece.pcm.drain(..wanted)) {
                *slot = sample;
            }
            filled += wanted;
            self.held -= wanted;
            piece.at = piece.at.saturating_add(wanted as u64);
            self.due = piece.at;
            if piece.pcm.is_empty() {
                self.pieces.pop_front();
            }
        }
        if filled == 0 {
            self.due = self.due.saturating_add(BLOCK as u64);
        }
        filled > 0
    }

    /// Milliseconds in hand.
    #[cfg(test)]
    fn held_ms(&self) -> usize {
        self.held / 8
    }
}

fn quiet(block: &[i16]) -> bool {
    block.iter().all(|s| s.unsigned_abs() < QUIET)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn loud() -> [u8; BLOCK] {
        [Law::Mu.encode(8_000); BLOCK]
    }

    fn silent() -> [u8; BLOCK] {
        [Law::Mu.silence(); BLOCK]
    }

    fn pull(flow: &mut Inflow) -> (bool, i16) {
        let mut block = [0; BLOCK];
        let live = flow.pull(&mut block);
        (live, block[80])
    }

    #[test]
    fn an_even_stream_comes_out_whole() {
        let mut flow = Inflow::new();
        let mut live = 0;
        for n in 0..100 {
            flow.push(n * 20, &loud());
            live += usize::from(pull(&mut flow).0);
        }
        assert_eq!((live, flow.counts.lost), (99, 0));
        assert_eq!(flow.held_ms(), 20);
    }

    #[test]
    fn what_the_timestamps_leave_out_is_concealed_and_counted() {
        let mut flow = Inflow::new();
        let mut live = Vec::new();
        for n in 0..60u64 {
            if !(20..25).contains(&n) {
                flow.push(n * 20, &loud());
            }
            live.push(pull(&mut flow).0);
        }
        assert_eq!(flow.counts.lost, 5);
        assert_eq!(live.iter().skip(1).filter(|l| !**l).count(), 5);
        // And no delay is left behind by it.
        assert_eq!(flow.held_ms(), 20);
    }

    #[test]
    fn a_stall_loses_no_words_and_its_delay_goes_in_the_silence_after() {
        let mut flow = Inflow::new();
        let mut heard = 0;
        for n in 0..50u64 {
            flow.push(n * 20, &loud());
            heard += usize::from(pull(&mut flow) == (true, Law::Mu.decode(Law::Mu.encode(8_000))));
        }
        for _ in 50..75 {
            pull(&mut flow);
        }
        for n in 50..75u64 {
            flow.push(n * 20, &loud());
        }
        for n in 75..200u64 {
            let codes = if n < 100 { loud() } else { silent() };
            flow.push(n * 20, &codes);
            let (live, sample) = pull(&mut flow);
            heard += usize::from(live && sample > 7_000);
        }
        // A block or two is cross-faded where it begins again.
        assert!((98..=100).contains(&heard), "{heard}");
        assert_eq!(flow.counts.lost, 0);
        assert!(flow.held_ms() <= 60, "{} ms", flow.held_ms());
    }

    #[test]
    fn timestamps_that_never_move_or_leap_do_no_harm() {
        for step in [0u64, 1_000_000, u64::MAX / 50] {
            let mut flow = Inflow::new();
            let mut live = 0;
            for n in 0..50u64 {
                flow.push(n.saturating_mul(step), &loud());
                live += usize::from(pull(&mut flow).0);
            }
            assert_eq!(live, 49, "step {step}");
        }
    }

    #[test]
    fn other_lengths_are_taken() {
        let mut flow = Inflow::new();
        let mut live = 0;
        for n in 0..100u64 {
            flow.push(n * 10, &loud()[..80]);
            if n % 2 == 1 {
                live += usize::from(pull(&mut flow).0);
            }
        }
        assert_eq!((live, flow.counts.lost), (49, 0));
        for n in 0..20u64 {
            flow.push(1_000 + n * 100, &[0xFF; 800]);
        }
        assert!(flow.held_ms() <= 2_000);
    }

    proptest! {
        #[test]
        fn any_flow_keeps_its_bounds(steps in proptest::collection::vec((any::<u64>(), 0usize..4000, any::<bool>()), 0..200)) {
            let mut flow = Inflow::new();
            for (at, len, pull_now) in steps {
                flow.push(at, &vec![0x55; len]);
                prop_assert!(flow.held <= MOST);
                prop_assert_eq!(flow.held, flow.pieces.iter().map(|p| p.pcm.len()).sum::<usize>());
                if pull_now {
                    pull(&mut flow);
                }
            }
        }
    }
}
