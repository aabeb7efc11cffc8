//! What of the sound that was sent has been heard. The far end buffers; it sends a mark back when what stood before it was played.
//! After a clear every mark that is out comes back at once, and says only that it was dropped.

use std::collections::VecDeque;

use crate::audio::FRAME_MS;

/// Frames between two marks: what was heard is known to within this (100 ms).
const EVERY: u64 = 5;
/// A far end that has sent no mark back after so many frames sends none at all.
const GIVE_UP: u64 = 150;
/// Marks remembered after a clear.
const VOID: usize = 512;

/// The account of one stream.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Frames handed to the stream.
    sent: u64,
    /// Of these, frames whose fate is known: played, or dropped by a clear.
    settled: u64,
    played: u64,
    dropped: u64,
    next_mark: u64,
    /// Marks that are out, with the frames before them.
    out: VecDeque<(u64, u64)>,
    /// Marks that were out at a clear.
    void: VecDeque<u64>,
    /// The far end sends marks back.
    answers: bool,
    /// Marks that came back after their clear.
    void_back: u64,
}

impl Ledger {
    /// A frame goes out. The number of the mark to send behind it, if one is due.
    pub fn sent(&mut self) -> Option<u64> {
        self.sent += 1;
        if !self.sent.is_multiple_of(EVERY) {
            return None;
        }
        self.next_mark += 1;
        self.out.push_back((self.next_mark, self.sent));
        if self.out.len() > VOID {
            self.out.pop_front();
        }
        Some(self.next_mark)
    }

    /// A mark came back. Nothing is believed of one that was never sent, or that a clear made void.
    pub fn back(&mut self, mark: u64) {
        if let Some(at) = self.void.iter().position(|m| *m == mark) {
            self.void.remove(at);
            self.void_back += 1;
            self.answers = true;
            return;
        }
        let Some(at) = self.out.iter().position(|(m, _)| *m == mark) else {
            return;
        };
        self.answers = true;
        if let Some((_, frames)) = self.out.drain(..=at).next_back() {
            self.played += frames.saturating_sub(self.settled);
            self.settled = self.settled.max(frames);
        }
    }

    /// A clear goes out: all that is not known to have been played is dropped. Frames dropped.
    pub fn clear(&mut self) -> u64 {
        let dropped = self.sent - self.settled;
        self.settled = self.sent;
        self.dropped += dropped;
        self.void.extend(self.out.drain(..).map(|(mark, _)| mark));
        while self.void.len() > VOID {
            self.void.pop_front();
        }
        dropped
    }

    /// Milliseconds sent and not known to have been played; 0 for a far end that sends no marks.
    pub fn open_ms(&self) -> u64 {
        if !self.answers && self.sent > GIVE_UP {
            return 0;
        }
        (self.sent - self.settled) * FRAME_MS
    }

    /// Milliseconds known to have been played, and dropped.
    pub fn totals_ms(&self) -> (u64, u64) {
        (self.played * FRAME_MS, self.dropped * FRAME_MS)
    }

    pub fn frames(&self) -> u64 {
        self.sent
    }

    /// Marks that came back void.
    #[cfg(test)]
    fn void_back(&self) -> u64 {
        self.void_back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(ledger: &mut Ledger, frames: u64) -> Vec<u64> {
        (0..frames).filter_map(|_| ledger.sent()).collect()
    }

    #[test]
    fn marks_that_come_back_are_what_was_played() {
        let mut ledger = Ledger::default();
        let marks = send(&mut ledger, 52);
        assert_eq!(marks.len(), 10);
        assert_eq!(ledger.open_ms(), 1_040);
        ledger.back(marks[3]);
        assert_eq!(ledger.totals_ms(), (400, 0));
        assert_eq!(ledger.open_ms(), 640);
        // An older one that comes late, one twice, one never sent: nothing changes.
        for mark in [marks[1], marks[3], 77] {
            ledger.back(mark);
        }
        assert_eq!(ledger.totals_ms(), (400, 0));
    }

    #[test]
    fn marks_that_come_back_after_a_clear_were_dropped() {
        let mut ledger = Ledger::default();
        let marks = send(&mut ledger, 50);
        ledger.back(marks[4]);
        assert_eq!(ledger.clear(), 25);
        for mark in &marks[5..] {
            ledger.back(*mark);
        }
        assert_eq!(ledger.totals_ms(), (500, 500));
        assert_eq!(ledger.void_back(), 5);
        assert_eq!(ledger.clear(), 0);
        // What is sent next is on an account of its own.
        let next = send(&mut ledger, 10);
        ledger.back(next[1]);
        assert_eq!(ledger.totals_ms(), (700, 500));
        assert_eq!(ledger.open_ms(), 0);
    }

    #[test]
    fn a_far_end_without_marks_holds_nothing_up() {
        let mut ledger = Ledger::default();
        send(&mut ledger, 100);
        assert_eq!(ledger.open_ms(), 2_000);
        send(&mut ledger, 100);
        assert_eq!(ledger.open_ms(), 0);
        for _ in 0..10_000 {
            ledger.sent();
            ledger.clear();
        }
        assert!(ledger.out.len() <= VOID && ledger.void.len() <= VOID);
    }
}
