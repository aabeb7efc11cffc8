//! What is on the other end when it is no caller who talks to us: nobody, a street, music, a machine. Each is waited for, asked twice,
//! and let go kindly: this line never talks to music for long.

use super::barge_in::normalise;
use super::timer::Timer;
use super::{Call, Command, Mind, Note, Stage, Then};
use crate::desk::Listen;

/// Silence after which it is asked whether the caller is there.
const SILENCE_MS: u64 = 8_000;
/// What is looked up on a card, a letter or a bill takes longer to come.
const LOOKING_UP_MS: u64 = 15_000;
/// "Hang on a second" is seldom one.
const ASKED_TO_WAIT_MS: u64 = 60_000;
/// A sound this long in which no words were found is no caller.
pub(super) const NO_CALLER_MS: u64 = 6_000;
/// A party that holds us longer than this has forgotten us.
const HELD_MS: u64 = 10 * 60_000;
/// The same words so often in a row are a recording.
const SAME: u32 = 4;
/// The desk gives up on what it cannot make out before this.
const MOST_UNHEARD: u32 = 4;
/// Turns of a caller without a human: more is no conversation.
const MOST_TURNS: usize = 120;

/// What has been noticed of the far end.
#[derive(Debug, Clone, Default)]
pub(super) struct FarEnd {
    last: String,
    same: u32,
    machine: u32,
    /// Sounds in a row that could not be made out.
    unheard: u32,
}

/// What machines say and callers do not, unless they quote one.
const MACHINE: &[&str] = &[
    "leave a message",
    "leave your message",
    "after the tone",
    "after the beep",
    "at the tone",
    "not available to take your call",
    "cannot take your call",
    "can't take your call",
    "your call is important to us",
    "please stay on the line",
    "please remain on the line",
    "all of our agents",
    "all our agents",
    "all of our representatives",
    "estimated wait time",
    "you have reached the voicemail",
    "you've reached the voicemail",
    "para español",
    "press one for",
    "press 1 for",
    "press two for",
    "press 2 for",
    "press pound",
    "the next available",
    "the number you have dialed",
    "the number you have dialled",
    "this call may be recorded",
];

/// Signs of a machine in these words.
fn machine_signs(words: &str) -> usize {
    let words = words.to_lowercase();
    MACHINE.iter().filter(|sign| words.contains(*sign)).count()
}

impl<M: Mind> Call<M> {
    /// There was speech, it seems, and it could not be made out. A few times that is said; after that it is no caller's.
    pub(super) fn made_out_nothing(&mut self, out: &mut Vec<Command<M>>) {
        self.far_end.unheard += 1;
        if self.far_end.unheard <= MOST_UNHEARD {
            return self.unheard(out);
        }
        self.drop_utterance(out);
        self.cut_line(out);
        if self.request.is_none() {
            self.ask_if_there(out);
        }
    }

    pub(super) fn fell_silent(&mut self, out: &mut Vec<Command<M>>) {
        if self.stage != Stage::Talking
            || self.caller.speaking
            || self.caller.held
            || !self.line.is_quiet()
        {
            return;
        }
        self.ask_if_there(out);
    }

    pub(super) fn ask_if_there(&mut self, out: &mut Vec<Command<M>>) {
        self.silences += 1;
        let reply = self.mind.silence(self.silences);
        self.open_turn(None, Some(&reply.decision), out);
        self.perform_reply(reply, None, out);
    }

    /// A fax machine: nothing can be said to it.
    pub(super) fn fax(&mut self, out: &mut Vec<Command<M>>) {
        if matches!(self.stage, Stage::Answered | Stage::Talking) {
            self.stop_line(out);
            self.end("caller", "a fax machine called", out);
        }
    }

    /// Whether these words are to be answered. A recording's are not: the first time they are waited out, then the call is ended.
    pub(super) fn is_a_machine(&mut self, words: &str, out: &mut Vec<Command<M>>) -> bool {
        let said = normalise(words);
        let far = &mut self.far_end;
        far.unheard = 0;
        if said.split(' ').count() >= 4 && said == far.last {
            far.same += 1;
        } else {
            far.same = 1;
            far.last = said;
        }
        let signs = machine_signs(words);
        let machine = signs >= 2 || (signs >= 1 && self.record.turns.len() <= 2);
        if machine {
            far.machine += 1;
        }
        let why = if far.machine >= 2 {
            "a machine was on the other end"
        } else if far.same >= SAME {
            "the same words came again and again"
        } else if self.record.turns.len() > MOST_TURNS {
            "longest conversation"
        } else if machine {
            out.push(Command::Note(Note::Problem {
                text: "these words sound like a machine's: waiting".into(),
            }));
            self.drop_utterance(out);
            self.listen_if_quiet(out);
            return true;
        } else {
            return false;
        };
        let words = self.config.words.get("goodbye_machine");
        self.farewell(words, "ours", why, out);
        true
    }

    /// How long silence is no reason to ask whether the caller is there.
    pub(super) fn patience_ms(&self) -> u64 {
        match self.then {
            _ if self.mind.asked_to_wait() => ASKED_TO_WAIT_MS,
            Then::Listen(Listen::Digits | Listen::Date | Listen::Postcode) => LOOKING_UP_MS,
            _ => SILENCE_MS,
        }
    }

    /// We listen: words are due, whatever else is heard. Sound without words is waited out for twice as long as silence: somebody may be
    /// talking to somebody else.
    pub(super) fn words_due(&mut self) {
        if !self.timers.is_set(Timer::NoWords) {
            self.timers
                .set(Timer::NoWords, self.now.plus(2 * self.patience_ms()));
        }
    }

    /// No words came, though there may have been sound.
    pub(super) fn wordless(&mut self, out: &mut Vec<Command<M>>) {
        let listens = self.stage == Stage::Talking && matches!(self.then, Then::Listen(_));
        if !listens || self.caller.held || !self.line.is_quiet() {
            return;
        }
        // They are in the middle of saying something, or are owed an answer.
        let words = self.caller.utterance.as_ref().is_some_and(|u| {
            u.is_final
                || u.early.has_words()
                || u.heard.as_ref().is_some_and(|h| !h.text.trim().is_empty())
        });
        if words {
            return self.timers.set(Timer::NoWords, self.now.plus(SILENCE_MS));
        }
        out.push(Command::Note(Note::Problem {
            text: "sound without words: music, a street, or somebody else's talk".into(),
        }));
        self.drop_utterance(out);
        self.ask_if_there(out);
    }

    /// The caller has put us on hold.
    pub(super) fn put_on_hold(&mut self) {
        self.timers.clear(Timer::NoWords);
        self.timers.set(Timer::Held, self.now.plus(HELD_MS));
    }

    pub(super) fn held_too_long(&mut self, out: &mut Vec<Command<M>>) {
        if self.caller.held && self.stage == Stage::Talking {
            self.end("ours", "the caller held the call for too long", out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_give_themselves_away() {
        for words in [
            "I'm not available to take your call. Please leave a message after the tone.",
            "Your call is important to us. Please stay on the line.",
        ] {
            assert!(machine_signs(words) >= 2, "{words}");
        }
        for words in [
            "Your menu said press one for billing and it hung up on me.",
            "I would like to leave a note for my account manager.",
        ] {
            assert!(machine_signs(words) < 2, "{words}");
        }
    }
}
