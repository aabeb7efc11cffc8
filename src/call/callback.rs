//! A promise kept: a colleague is rung and briefed first, then the caller is called and told who it is and why, then the two are joined.
//!
//! Nobody is put through to an answering machine: the colleague presses the accept key, the caller presses 1 or says yes.

use super::timer::Timer;
use super::{
    CALLER, Call, CallConfig, Command, Heard, LegId, LegSignal, Mind, Mix, Note, Stage, Then, Time,
};
use crate::audio::MediaTime;
use crate::desk::{CallbackRequest, Say, entity};

/// Longest the caller's phone may ring; a mailbox takes over before.
const RING_MS: u64 = 40_000;
/// For a key, after the words.
const KEY_MS: u64 = 7_000;
/// Of the whole announcement, twice over.
const SPEECH_MS: u64 = 45_000;
const PRE_ROLL_MS: u64 = 200;

/// What was promised.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Promised {
    pub callback: CallbackRequest,
    /// What it is about, in plain words ("a charge on your card"); none where it is not known.
    pub about: Option<String>,
}

/// What became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackResult {
    /// The two were joined.
    Done,
    /// The caller was reached and would rather talk another time.
    NotNow,
    /// The caller was reached and does not want to be called about it again.
    Never,
    /// No colleague took it: the caller was not called.
    NobodyFree,
    /// The caller could not be reached: `busy`, `no_answer`, ...
    NotReached(&'static str),
    /// Something answered and pressed no key.
    Machine,
    /// The colleague hung up first.
    ColleagueLeft,
}

/// A call that we make.
#[derive(Debug, Clone)]
pub(super) struct Outbound {
    promised: Promised,
    result: Option<CallbackResult>,
    /// The caller has answered.
    up: bool,
    asked: u32,
    /// Their words, being recognised.
    saying: Option<u64>,
}

impl<M: Mind> Call<M> {
    /// A call of our own, to keep a promise.
    pub fn is_outbound(&self) -> bool {
        self.outbound.is_some()
    }

    /// A call of our own, to keep a promise. Rings colleagues at once.
    pub fn call_back(
        config: CallConfig,
        mind: M,
        promised: Promised,
        now: Time,
        out: &mut Vec<Command<M>>,
    ) -> Self {
        let mut call = Self::blank(config, mind, now);
        let mut handoff = promised.callback.handoff.clone();
        handoff.result.clear();
        handoff.targets.clear();
        handoff.accepted_by = None;
        call.outbound = Some(Outbound {
            promised,
            result: None,
            up: false,
            asked: 0,
            saying: None,
        });
        call.begin_transfer(handoff, out);
        call
    }

    /// What became of a call of ours; none while it is not known, or where it was stopped.
    pub fn callback_result(&self) -> Option<CallbackResult> {
        self.outbound.as_ref().and_then(|o| o.result)
    }

    /// A colleague has taken it: now the caller.
    pub(super) fn call_back_caller(&mut self, leg: LegId, out: &mut Vec<Command<M>>) {
        let Some(outbound) = &self.outbound else {
            return;
        };
        let target = outbound.promised.callback.number.clone();
        self.stage = Stage::Calling;
        self.then = Then::Hold;
        self.timers.set(Timer::CalledBack, self.now.plus(RING_MS));
        let calling = self.config.words.get("human_calling");
        self.tell_joined(leg, &calling, out);
        // No music: whoever answers hears who it is.
        out.push(Command::Mix(Mix::Agent));
        // Ready when they answer: somebody who is rung hears a voice at once or hangs up.
        let hello = self.hello();
        self.disclosure.clone_from(&hello);
        let mut speech = self.new_speech(&[Say::must_hear(hello)]);
        self.prepare(&mut speech, true, out);
        self.caller.prepared = Some(speech);
        out.push(Command::Dial {
            leg: CALLER,
            target,
        });
    }

    fn tell_joined(&mut self, leg: LegId, words: &str, out: &mut Vec<Command<M>>) {
        self.tell(
            leg,
            &[words.to_string()],
            super::transfer::joined_phase(),
            out,
        );
        if let Some(human) = self.human(leg) {
            human.due = None;
        }
        self.arm_humans();
    }

    pub(super) fn called_back_signal(&mut self, signal: LegSignal, out: &mut Vec<Command<M>>) {
        let Some(outbound) = &mut self.outbound else {
            return;
        };
        match signal {
            LegSignal::Answered if !outbound.up => {
                outbound.up = true;
                self.answered_at = self.now;
                out.push(Command::Note(Note::Answered {
                    channel: self.config.channel.clone(),
                    from: self.config.from.clone(),
                    to: self.config.to.clone(),
                }));
                self.timers.set(Timer::CalledBack, self.now.plus(SPEECH_MS));
                self.open_turn(None, None, out);
                if let Some(speech) = self.caller.prepared.take() {
                    self.line_release(speech, out);
                }
            }
            LegSignal::Media => self.caller.media = true,
            LegSignal::Digit('1') if outbound.up => self.put_through(out),
            LegSignal::Digit('2') if outbound.up => {
                self.callback_failed(CallbackResult::NotNow, out);
            }
            LegSignal::Digit('9') if outbound.up => {
                self.callback_failed(CallbackResult::Never, out);
            }
            LegSignal::Ended { outcome, .. } => {
                let result = if outbound.up {
                    CallbackResult::NotReached("hung_up")
                } else {
                    CallbackResult::NotReached(outcome)
                };
                self.callback_failed(result, out);
            }
            _ => {}
        }
    }

    /// The caller's line has ended while a colleague was still being told why, or the caller.
    pub(super) fn called_back_gone(&mut self, out: &mut Vec<Command<M>>) {
        self.cut_line(out);
        self.then = Then::Hold;
        if self.leaving.is_empty() {
            self.callback_over(out);
        }
    }

    fn hello(&self) -> String {
        let about = self
            .outbound
            .as_ref()
            .and_then(|o| o.promised.about.clone())
            .map_or_else(String::new, |about| format!(" about {about}"));
        let colleague = self
            .joined_name()
            .unwrap_or_else(|| self.config.words.get("a_colleague"));
        self.config
            .words
            .get("callback_hello")
            .replace("{about}", &about)
            .replace("{colleague}", &colleague)
    }

    fn joined_name(&self) -> Option<String> {
        let transfer = self.transfer.as_ref()?;
        let leg = transfer.joined?;
        let human = transfer.humans.iter().find(|h| h.leg == leg)?;
        human.name.clone()
    }

    /// All that there was to say to them has been said: the key is waited for.
    pub(super) fn called_back_quiet(&mut self) {
        let Some(outbound) = &mut self.outbound else {
            return;
        };
        if outbound.up && outbound.asked % 2 == 0 {
            outbound.asked += 1;
            self.timers.set(Timer::CalledBack, self.now.plus(KEY_MS));
        }
    }

    /// They did not answer, or said nothing to our question.
    pub(super) fn called_back_late(&mut self, out: &mut Vec<Command<M>>) {
        let Some(outbound) = self
            .outbound
            .as_mut()
            .filter(|_| self.stage == Stage::Calling)
        else {
            return;
        };
        if !outbound.up {
            return self.callback_failed(CallbackResult::NotReached("no_answer"), out);
        }
        if outbound.asked == 1 {
            outbound.asked = 2;
            self.timers.set(Timer::CalledBack, self.now.plus(SPEECH_MS));
            let again = self.config.words.get("callback_hello_again");
            return self.say_aside(&again, out);
        }
        self.callback_failed(CallbackResult::Machine, out);
    }

    /// The caller has said something in answer.
    pub(super) fn called_back_spoke(&mut self, to: MediaTime, out: &mut Vec<Command<M>>) {
        let Some(from) = self.caller.noted_from.take() else {
            return;
        };
        let attempt = self.next_attempt;
        self.next_attempt += 1;
        if let Some(outbound) = self.outbound.as_mut().filter(|o| o.up) {
            outbound.saying = Some(attempt);
            out.push(Command::Understand {
                attempt,
                leg: CALLER,
                from: MediaTime::from_ms(from.as_ms().saturating_sub(PRE_ROLL_MS)),
                to,
                keep: None,
            });
        }
    }

    /// Whether these were the words of somebody we are calling back.
    pub(super) fn called_back_said(
        &mut self,
        attempt: u64,
        heard: Option<&Heard>,
        out: &mut Vec<Command<M>>,
    ) -> bool {
        let Some(outbound) = &mut self.outbound else {
            return false;
        };
        if outbound.saying.take_if(|a| *a == attempt).is_none() {
            return false;
        }
        // A mailbox's greeting is long and holds a yes somewhere; a person's answer is short.
        let short = heard.filter(|h| h.text.split_whitespace().count() <= 8);
        if self.stage == Stage::Calling && outbound.asked > 0 {
            if short.is_some_and(|h| wants_no_calls(&h.text)) {
                self.callback_failed(CallbackResult::Never, out);
                return true;
            }
            match short.and_then(|h| entity::yes_no(&h.text)) {
                Some(true) => self.put_through(out),
                Some(false) => self.callback_failed(CallbackResult::NotNow, out),
                None => {}
            }
        }
        true
    }

    fn put_through(&mut self, out: &mut Vec<Command<M>>) {
        let joined = self.transfer.as_ref().and_then(|t| t.joined);
        let Some(leg) = joined else { return };
        let target = self
            .human(leg)
            .map(|h| h.target.clone())
            .unwrap_or_default();
        self.timers.clear(Timer::CalledBack);
        if let Some(outbound) = &mut self.outbound {
            outbound.result = Some(CallbackResult::Done);
        }
        self.join(leg, &target, out);
    }

    /// No colleague took it.
    pub(super) fn nobody_for_callback(&mut self, out: &mut Vec<Command<M>>) {
        if let Some(outbound) = &mut self.outbound {
            outbound.result.get_or_insert(CallbackResult::NobodyFree);
        }
        self.stage = Stage::Ending;
        if self.leaving.is_empty() {
            return self.callback_over(out);
        }
        self.timers
            .set(Timer::EndGuard, self.now.plus(super::END_GUARD_MS));
    }

    /// The colleague hung up while the caller was being called, or told.
    pub(super) fn colleague_left(&mut self, out: &mut Vec<Command<M>>) {
        let up = self.outbound.as_ref().is_some_and(|o| o.up);
        if let Some(outbound) = &mut self.outbound {
            outbound.result = Some(CallbackResult::ColleagueLeft);
        }
        self.result_of_handoff("returned");
        self.timers.clear(Timer::CalledBack);
        if !up {
            return self.callback_over(out);
        }
        self.last_words_to_caller("callback_lost", out);
    }

    fn last_words_to_caller(&mut self, words: &str, out: &mut Vec<Command<M>>) {
        self.cut_line(out);
        self.stage = Stage::Ending;
        self.then = Then::End;
        self.timers
            .set(Timer::EndGuard, self.now.plus(super::END_GUARD_MS));
        let words = self.config.words.get(words);
        self.say_aside(&words, out);
        self.listen_if_quiet(out);
    }

    /// The caller was not won: the colleague is told, and let go.
    fn callback_failed(&mut self, result: CallbackResult, out: &mut Vec<Command<M>>) {
        self.timers.clear(Timer::CalledBack);
        if let Some(outbound) = &mut self.outbound {
            outbound.result = Some(result);
        }
        let last_words = match result {
            CallbackResult::NotNow => Some("callback_later"),
            CallbackResult::Never => Some("callback_never"),
            _ => None,
        };
        self.result_of_handoff(if last_words.is_some() {
            "returned"
        } else {
            "caller_gone"
        });
        let words = match result {
            CallbackResult::NotNow => "human_not_now",
            CallbackResult::Never => "human_never",
            CallbackResult::Machine => "human_machine",
            _ => "human_no_answer",
        };
        let joined = self.transfer.as_ref().and_then(|t| t.joined);
        let human = joined.and_then(|leg| self.take_human(leg));
        if let Some(words) = last_words {
            self.last_words_to_caller(words, out);
        } else {
            self.cut_line(out);
            self.stage = Stage::Ending;
            self.timers
                .set(Timer::EndGuard, self.now.plus(super::END_GUARD_MS));
            out.push(Command::Hangup {
                leg: CALLER,
                code: 487,
                reason: "not reached".into(),
            });
        }
        match human {
            Some(human) => self.leave(human, words, out),
            None => self.callback_over(out),
        }
    }

    fn result_of_handoff(&mut self, result: &str) {
        if let Some(handoff) = &mut self.record.handoff {
            handoff.result = result.into();
        }
    }

    /// The attempt is over.
    pub(super) fn callback_over(&mut self, out: &mut Vec<Command<M>>) {
        // A caller who is still being told something hears it out.
        if self.then == Then::End && !self.line.is_quiet() {
            return;
        }
        let reason = match self.callback_result() {
            Some(CallbackResult::Done) => "the callback was made",
            Some(CallbackResult::NotNow) => "the caller would rather talk another time",
            Some(CallbackResult::Never) => "the caller does not want to be called about it again",
            Some(CallbackResult::NobodyFree) => "no colleague was free for the callback",
            Some(CallbackResult::NotReached(_)) => "the caller could not be reached",
            Some(CallbackResult::Machine) => "nobody pressed a key: probably an answering machine",
            Some(CallbackResult::ColleagueLeft) => "the colleague hung up first",
            None => "the callback was stopped",
        };
        self.end("ours", reason, out);
    }
}

/// They withdraw their consent to be called.
fn wants_no_calls(text: &str) -> bool {
    let words: String = text
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == ' ')
        .collect();
    [
        "dont call",
        "do not call",
        "stop calling",
        "never call",
        "no more calls",
        "not call me again",
    ]
    .iter()
    .any(|w| words.contains(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_no_more_calls_is_understood() {
        for text in [
            "Please don't call me again.",
            "Stop calling!",
            "Do not call this number",
        ] {
            assert!(wants_no_calls(text), "{text}");
        }
        for text in ["Yes, please.", "Call me later", "I didn't call you"] {
            assert!(!wants_no_calls(text), "{text}");
        }
    }
}
