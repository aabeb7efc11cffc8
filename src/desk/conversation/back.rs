//! The caller comes back to us from a human: sent back with a note before they were joined, or handed back after it.

use crate::desk::entity;
use crate::desk::inquiry::{self, Verdict};
use crate::desk::types::{Reply, Route, Said};

use super::{Conversation, Line, Party, Promise, Waiting};

impl Conversation {
    /// A human heard the brief and sent the call back. The note is for the record; the caller is told that there is one, and offered
    /// a call back.
    pub fn sent_back(&mut self, note: Option<&str>) -> Reply {
        if let Some(note) = note {
            self.tried.push(format!("A colleague noted: {note}"));
        }
        self.transfers_failed += 1;
        self.lead_phrase("sent_back");
        self.callback = Some(Promise {
            number: self.caller.number.clone(),
            when: None,
            asked: 0,
            promised: false,
        });
        self.waiting = Waiting::CallbackOffer;
        self.callback_question();
        let next = self.listen();
        self.reply(Route::Transfer, "a colleague sent the call back", next)
    }

    /// A human who had taken the call handed the caller back. With words, what is said next is decided on them, by
    /// the next [`Self::hear`]; without, the caller is asked.
    pub fn handed_back(&mut self, words: Option<&str>) -> Option<Reply> {
        self.transferred_to = None;
        self.handoff_reason = None;
        self.running = None;
        self.callback = None;
        self.settled = false;
        self.waiting = Waiting::Open;
        match words {
            Some(words) => {
                self.tried.push(format!("A colleague asked us to: {words}"));
                self.colleague_speaks = true;
                None
            }
            None => Some(self.say_and_listen(
                Route::Clarify,
                "a colleague handed the caller back",
                "handed_back_plain",
            )),
        }
    }

    /// What a colleague asks for as they hand the caller back. It is no wish, mood or alarm of the caller's: what can be done or told is,
    /// and what would only bring the colleague in again is asked of the caller.
    pub(super) fn colleague_said(&mut self, said: &Said) -> Reply {
        self.lines.push(Line {
            by: Party::Colleague,
            text: said.text.trim().to_owned(),
        });
        let can = matches!(
            inquiry::inquire(&self.desk, &said.text, &said.vector, said.heard.as_ref()).verdict,
            Verdict::Act { .. } | Verdict::Answer { .. }
        );
        if can && !entity::wants_human(&said.text) {
            self.lead_phrase("handed_back");
            return self.question(said);
        }
        self.say_and_listen(
            Route::Clarify,
            "a colleague handed the caller back",
            "handed_back_plain",
        )
    }
}
