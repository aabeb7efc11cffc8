//! Clauses that are played while they are still being made: what of each is here, where it plays, and what has to wait behind it.

use std::collections::HashMap;
use std::sync::Arc;

use super::Task;
use crate::audio::playout::Chunk;
use crate::call::{Event, LegId};

/// A clause: the speech's tag, and its place in it.
pub type Key = (u64, u32);

/// The clauses of one call that are not whole yet.
#[derive(Debug, Default)]
pub struct Pieces {
    growing: HashMap<Key, Growing>,
    /// Whole clauses that were to be queued on a leg behind one that is growing there, in order.
    held: Vec<(LegId, Key)>,
}

#[derive(Debug, Default)]
struct Growing {
    pcm: Vec<i16>,
    /// Where it plays; none until it is queued.
    leg: Option<LegId>,
}

/// What is to be done with sound that came.
#[derive(Debug, PartialEq, Eq)]
pub enum Came {
    /// The clause's first: it can be told of.
    First,
    /// More of one that is queued: to be queued at once.
    Plays(LegId),
    /// More of one that is not.
    Waits,
}

impl Pieces {
    pub fn came(&mut self, key: Key, pcm: &[i16]) -> Came {
        let first = !self.growing.contains_key(&key);
        let growing = self.growing.entry(key).or_default();
        growing.pcm.extend_from_slice(pcm);
        match growing.leg {
            Some(leg) => Came::Plays(leg),
            None if first => Came::First,
            None => Came::Waits,
        }
    }

    /// A clause is to be queued: the sound to queue now, or none where it has to wait. `whole`: its sound, if all of it is here.
    pub fn queue(&mut self, leg: LegId, key: Key, whole: Option<&[i16]>) -> Option<Vec<i16>> {
        if let Some(growing) = self.growing.get_mut(&key) {
            growing.leg = Some(leg);
            return Some(growing.pcm.clone());
        }
        if self.growing.values().any(|g| g.leg == Some(leg)) {
            self.held.push((leg, key));
            return None;
        }
        whole.map(<[i16]>::to_vec)
    }

    /// A clause is whole, or will not be: where it plays, and how much of it was queued there.
    pub fn done(&mut self, key: Key) -> Option<(LegId, usize)> {
        let growing = self.growing.remove(&key)?;
        Some((growing.leg?, growing.pcm.len()))
    }

    /// What waited on a leg, in order, once nothing grows there.
    pub fn released(&mut self, leg: LegId) -> Vec<Key> {
        if self.growing.values().any(|g| g.leg == Some(leg)) {
            return Vec::new();
        }
        let (out, rest) = self.held.iter().partition(|(l, _)| *l == leg);
        self.held = rest;
        let out: Vec<(LegId, Key)> = out;
        out.into_iter().map(|(_, key)| key).collect()
    }

    /// A leg's queue was emptied.
    pub fn stopped(&mut self, leg: LegId) {
        self.held.retain(|(l, _)| *l != leg);
        self.growing.retain(|_, g| g.leg != Some(leg));
    }

    /// A speech is not wanted any more.
    pub fn forget(&mut self, tag: u64) {
        self.held.retain(|(_, (t, _))| *t != tag);
        self.growing.retain(|(t, _), _| *t != tag);
    }
}

impl Task {
    /// Some of a clause that is still being made; `about`: samples that the whole will have.
    pub(super) fn piece(&mut self, key: Key, pcm: Vec<i16>, about: u64, ms: u64) {
        let (tag, part) = key;
        match self.pieces.came(key, &pcm) {
            Came::First => self.event(Event::Clause {
                tag,
                part,
                result: Ok(about),
                ms,
            }),
            Came::Plays(leg) => self.push(leg, tag, part, pcm),
            Came::Waits => {}
        }
    }

    fn push(&mut self, leg: LegId, tag: u64, part: u32, pcm: Vec<i16>) {
        if let Some(voice) = self.voices.get_mut(&leg) {
            voice.push(Chunk { tag, part, pcm });
        }
    }

    pub(super) fn queue(&mut self, leg: LegId, key: (u64, u32)) {
        let whole = self.clauses.get(&key).map(|pcm| &pcm[..]);
        if let Some(pcm) = self.pieces.queue(leg, key, whole) {
            self.push(leg, key.0, key.1, pcm);
        }
    }

    pub(super) fn clause(&mut self, tag: u64, part: u32, pcm: Result<Arc<[i16]>, String>, ms: u64) {
        // One that plays already gets its rest, and what waited behind it follows.
        if let Some((leg, queued)) = self.pieces.done((tag, part)) {
            let rest = pcm.as_ref().ok().and_then(|pcm| pcm.get(queued..));
            if let Some(rest) = rest.filter(|r| !r.is_empty()) {
                self.push(leg, tag, part, rest.to_vec());
            }
            for key in self.pieces.released(leg) {
                self.queue(leg, key);
            }
        }
        let result = pcm.map(|pcm| {
            let samples = pcm.len() as u64;
            self.clauses.insert((tag, part), pcm);
            samples
        });
        self.event(Event::Clause {
            tag,
            part,
            result,
            ms,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_plays_while_it_grows_and_the_next_waits_behind_it() {
        let leg = LegId(0);
        let mut pieces = Pieces::default();
        assert_eq!(pieces.came((1, 0), &[1, 2]), Came::First);
        assert_eq!(pieces.came((1, 0), &[3]), Came::Waits);
        assert_eq!(pieces.queue(leg, (1, 0), None), Some(vec![1, 2, 3]));
        assert_eq!(pieces.came((1, 0), &[4]), Came::Plays(leg));
        // The next clause is ready before this one is.
        assert_eq!(pieces.queue(leg, (1, 1), Some(&[9])), None);
        assert_eq!(pieces.queue(LegId(2), (1, 1), Some(&[9])), Some(vec![9]));
        assert_eq!(pieces.done((1, 0)), Some((leg, 4)));
        assert_eq!(pieces.released(leg), [(1, 1)]);
        assert!(pieces.released(leg).is_empty());
        assert_eq!(pieces.queue(leg, (1, 1), Some(&[9])), Some(vec![9]));
    }

    #[test]
    fn what_is_stopped_or_forgotten_neither_plays_nor_holds_others_up() {
        let leg = LegId(0);
        let mut pieces = Pieces::default();
        pieces.came((1, 0), &[1]);
        pieces.queue(leg, (1, 0), None);
        pieces.queue(leg, (1, 1), Some(&[2]));
        pieces.stopped(leg);
        assert_eq!(pieces.done((1, 0)), None);
        assert!(pieces.released(leg).is_empty());
        assert_eq!(pieces.queue(leg, (2, 0), Some(&[3])), Some(vec![3]));
        pieces.came((3, 0), &[1]);
        pieces.forget(3);
        assert_eq!(pieces.done((3, 0)), None);
        // More of what was forgotten begins anew and is told of; nobody asks for it to be queued.
        assert_eq!(pieces.came((3, 0), &[1]), Came::First);
    }
}
