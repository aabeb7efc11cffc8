//! The desk's conversation as the engine's partner.

use super::Mind;
use crate::desk::conversation::Conversation;
use crate::desk::{ActionRecord, CallOutcome, Handoff, Mood, Outcome, Reply, TargetOutcome, Tier};

impl Mind for Conversation {
    fn opening(&mut self) -> Reply {
        Conversation::opening(self)
    }
    fn resume(&mut self, request: u64, outcome: Outcome) -> Reply {
        Conversation::resume(self, request, outcome)
    }
    fn silence(&mut self, n: u32) -> Reply {
        Conversation::silence(self, n)
    }
    fn unheard(&mut self) -> Reply {
        Conversation::unheard(self)
    }
    fn heard(&mut self, heard: &str, complete: bool) {
        Conversation::heard(self, heard, complete);
    }
    fn transfer_failed(&mut self, outcomes: &[TargetOutcome]) -> Reply {
        Conversation::transfer_failed(self, outcomes)
    }
    fn transferred(&mut self, by: &str) {
        Conversation::transferred(self, by);
    }
    fn sent_back(&mut self, note: Option<&str>) -> Reply {
        Conversation::sent_back(self, note)
    }
    fn handed_back(&mut self, words: Option<&str>) -> Option<Reply> {
        Conversation::handed_back(self, words)
    }
    fn handoff(&self, reason: &str) -> Handoff {
        Conversation::handoff(self, reason)
    }
    fn verified(&self) -> Tier {
        Conversation::verified(self)
    }
    fn asked_to_wait(&self) -> bool {
        Conversation::asked_to_wait(self)
    }
    fn mood(&self) -> Mood {
        Conversation::mood(self)
    }
    fn reworded(&mut self, text: &str) {
        Conversation::reworded(self, text);
    }
    fn actions(&self) -> Vec<ActionRecord> {
        Conversation::actions(self).to_vec()
    }
    fn outcome(&self) -> CallOutcome {
        Conversation::outcome(self)
    }
}
