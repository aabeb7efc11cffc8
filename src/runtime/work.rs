//! Work that calls give to the inference pool, and what of it is still wanted.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::desk::conversation::Conversation;
use crate::desk::{CallRecord, Desk, HeardEvidence};
use crate::speech::{Hints, Stopper};

/// What of a call's work is still wanted; shared with its queued jobs.
#[derive(Default)]
pub struct Wanted {
    /// The newest attempt at the caller's words.
    attempt: AtomicU64,
    forgotten: Mutex<HashSet<u64>>,
    over: AtomicBool,
    /// The language that the newest attempt was surely spoken in.
    language: Mutex<Option<String>>,
    /// The attempt that a worker is recognising, and how to stop it.
    recognising: Mutex<Option<(u64, Stopper)>>,
}

impl Wanted {
    /// Attempts before this one are worthless; one that is being recognised is stopped, and frees its worker.
    pub fn newest(&self, attempt: u64) {
        self.attempt.fetch_max(attempt, Ordering::Relaxed);
        let at_work = self.at_work();
        if let Some((older, stop)) = at_work.as_ref()
            && *older < attempt
        {
            stop();
        }
    }
    pub(super) fn at_work(&self) -> std::sync::MutexGuard<'_, Option<(u64, Stopper)>> {
        self.recognising
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
    pub fn forget(&self, tag: u64) {
        self.forgotten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(tag);
    }
    pub fn over(&self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some((_, stop)) = self.at_work().as_ref() {
            stop();
        }
    }
    pub(super) fn language(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.language.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(super) fn wants(&self, work: &Work) -> bool {
        if self.over.load(Ordering::Relaxed) {
            return false;
        }
        match work {
            Work::Transcribe { attempt, .. }
            | Work::Decide { attempt, .. }
            | Work::Judge { attempt, .. } => *attempt >= self.attempt.load(Ordering::Relaxed),
            Work::Understand { .. } | Work::Consult { .. } | Work::Warm { .. } => true,
            Work::Synthesize { tag, .. } => !self
                .forgotten
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(tag),
        }
    }
}

/// One piece of work.
pub enum Work {
    Transcribe {
        attempt: u64,
        pcm: Vec<i16>,
        hints: Hints,
        early: bool,
    },
    Decide {
        attempt: u64,
        mind: Box<Conversation>,
        text: String,
        keyed: Option<String>,
        evidence: Option<HeardEvidence>,
        early: bool,
    },
    /// Whether the caller's turn sounds complete.
    Judge { attempt: u64, pcm: Vec<i16> },
    /// A clause that will probably be said soon.
    Warm { text: String },
    /// What a human says, or a caller says to a human.
    Understand {
        attempt: u64,
        pcm: Vec<i16>,
        hints: Hints,
    },
    /// A human's question about a call.
    Consult {
        attempt: u64,
        question: String,
        record: Box<CallRecord>,
        desk: Arc<Desk>,
    },
    Synthesize {
        tag: u64,
        part: u32,
        text: String,
        urgent: bool,
    },
}

impl Work {
    /// As it is counted.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Work::Transcribe { .. } => "transcribe",
            Work::Decide { .. } => "decide",
            Work::Judge { .. } => "judge",
            Work::Warm { .. } => "warm",
            Work::Understand { .. } => "understand",
            Work::Consult { .. } => "consult",
            Work::Synthesize { .. } => "synthesize",
        }
    }

    /// Nothing waits for it.
    pub(super) fn is_early(&self) -> bool {
        self.priority() == 1
    }

    /// Whether it may be queued, with so many jobs waiting and so many workers free.
    pub(super) fn has_room(&self, waiting: usize, free: usize) -> bool {
        match self {
            // It takes a worker that nothing else waits for: the reply to the same words is being made beside it. On a busy line silence
            // and words judge alone.
            Work::Judge { .. } => waiting < free,
            // Early work takes a worker that is free, and one stays free for what is waited for.
            _ if self.is_early() => waiting == 0 && free >= 2,
            _ => true,
        }
    }

    pub(super) fn priority(&self) -> u8 {
        match self {
            Work::Warm { .. }
            | Work::Decide { early: true, .. }
            | Work::Transcribe { early: true, .. } => 1,
            Work::Decide { .. } => 5,
            Work::Transcribe { .. } | Work::Consult { .. } => 4,
            Work::Understand { .. } | Work::Judge { .. } => 3,
            Work::Synthesize {
                urgent: true,
                part: 0,
                ..
            } => 4,
            Work::Synthesize { urgent: true, .. } => 3,
            Work::Synthesize { .. } => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_for_the_end_of_a_turn_takes_a_worker_that_nothing_waits_for() {
        let judge = Work::Judge {
            attempt: 1,
            pcm: Vec::new(),
        };
        // Both workers of a small machine are free, and the reply to the words waits for one of them.
        assert!(judge.has_room(1, 2) && judge.has_room(0, 1));
        // Another caller's words are being recognised, too.
        assert!(!judge.has_room(1, 1) && !judge.has_room(2, 2) && !judge.has_room(0, 0));
        let warm = Work::Warm { text: "x".into() };
        assert!(warm.has_room(0, 2) && !warm.has_room(1, 3) && !warm.has_room(0, 1));
    }

    #[test]
    fn a_judgement_of_an_older_attempt_is_not_wanted() {
        let wanted = Wanted::default();
        let judge = |attempt| Work::Judge {
            attempt,
            pcm: Vec::new(),
        };
        assert!(wanted.wants(&judge(1)));
        wanted.newest(2);
        assert!(!wanted.wants(&judge(1)) && wanted.wants(&judge(2)));
    }
}
