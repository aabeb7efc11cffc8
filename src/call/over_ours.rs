//! A caller's sound while we speak. We stop at once and can take that back: while it goes on its words are looked at, and what turns
//! out to be a cough, a street, music, a sign of listening or our own voice has us go on from where we stopped.

use super::barge_in::{self, BargeIn};
use super::caller::Before;
use super::timer::Timer;
use super::{CALLER, Call, Command, Heard, Mind, Note, Time};

/// First look at the words, after the sound was noticed, and how often after it.
const FIRST_LOOK_MS: u64 = 200;
const NEXT_LOOK_MS: u64 = 300;
/// Once it is known for noise it is looked at less often.
const NOISE_LOOK_MS: u64 = 900;
/// Sound that has lasted this long and gave no words in two looks is noise.
const NOISE_MS: u64 = 450;
/// Sound that has ended and whose words are this late does not hold us up; they are judged when they come.
const WORDS_LATE_MS: u64 = 280;
/// An echo of a speech begins within this of it: half a second of the line, and what it takes to notice.
const ECHO_BEGINS_MS: u64 = 1_200;
/// Words less sure than this are a recogniser's guess at noise, unless the whole of the sound says them again.
const UNSURE: f32 = -1.1;

/// How a sound over ours is judged.
#[derive(Debug, Clone)]
pub(super) struct OverOurs<M> {
    since: Time,
    looks: u32,
    /// Looks that gave words meant for us.
    meant: bool,
    /// Known for noise: we speak on over it.
    noise: bool,
    /// The turn before, which this may be the rest of.
    pub joins: Option<Before<M>>,
}

impl<M> OverOurs<M> {
    pub fn new(since: Time, joins: Option<Before<M>>) -> Self {
        Self {
            since,
            looks: 0,
            meant: false,
            noise: false,
            joins,
        }
    }

    pub fn next_look_ms(&mut self) -> u64 {
        self.looks += 1;
        if self.noise || self.meant {
            NOISE_LOOK_MS
        } else {
            NEXT_LOOK_MS
        }
    }
}

impl<M: Mind> Call<M> {
    /// Something is heard while we speak that may become a voice (or no longer): our voice is lowered at once.
    pub(super) fn suspected(&mut self, on: bool, out: &mut Vec<Command<M>>) {
        if self.line.ducked != on && (!on || !self.line.is_quiet()) {
            self.line.ducked = on;
            out.push(Command::Duck { leg: CALLER, on });
        }
    }

    /// The caller began to speak, or went on after a pause.
    pub(super) fn spoke_on(&mut self, out: &mut Vec<Command<M>>) {
        let over = self
            .caller
            .utterance
            .as_ref()
            .and_then(|u| u.over_ours.as_ref());
        let Some(over) = over else {
            return self.look_soon();
        };
        self.timers.clear(Timer::BargeVerdict);
        if !over.noise {
            self.pause_line(out);
        }
        self.timers.set(Timer::Early, self.now.plus(FIRST_LOOK_MS));
    }

    /// The sound over ours has ended; its words are on their way.
    pub(super) fn stopped_over_ours(&mut self) {
        if self
            .caller
            .utterance
            .as_ref()
            .is_some_and(|u| u.over_ours.as_ref().is_some_and(|o| !o.meant))
        {
            self.timers
                .set(Timer::BargeVerdict, self.now.plus(WORDS_LATE_MS));
        }
    }

    /// Its words are late: we go on meanwhile.
    pub(super) fn words_over_ours_late(&mut self, out: &mut Vec<Command<M>>) {
        if !self.caller.speaking
            && self
                .caller
                .utterance
                .as_ref()
                .is_some_and(|u| u.over_ours.is_some())
        {
            self.resume_line(out);
        }
    }

    fn verdict(&self, words: &str) -> BargeIn {
        let over = self
            .caller
            .utterance
            .as_ref()
            .and_then(|u| u.over_ours.as_ref());
        // The rest of a turn is compared with what was heard of it before.
        if let Some(before) = over.and_then(|o| o.joins.as_ref()) {
            return barge_in::adds(&before.words, words);
        }
        let saying = if self.may_echo() {
            self.line.text()
        } else {
            String::new()
        };
        barge_in::verdict(words, &saying, self.listening_for())
    }

    /// Whether our own voice may be what is heard. A line that echoes gives back our first words: who says words of ours later, on a
    /// line that gave none back, chose one of what was offered ("a late fee, or a refund?").
    fn may_echo(&self) -> bool {
        let since = self.caller.utterance.as_ref();
        let since = since.and_then(|u| u.over_ours.as_ref()).map(|o| o.since);
        let started = self.line.speeches.front().and_then(|s| s.started);
        self.caller.echoes
            || match (since, started) {
                (Some(since), Some(started)) => since.since(started) < ECHO_BEGINS_MS,
                _ => true,
            }
    }

    /// The words so far of a sound that goes on.
    pub(super) fn judge_early(&mut self, heard: &Heard, out: &mut Vec<Command<M>>) {
        let verdict = self.verdict(&heard.text);
        let now = self.now;
        let Some(over) = self
            .caller
            .utterance
            .as_mut()
            .and_then(|u| u.over_ours.as_mut())
        else {
            return;
        };
        let sure = heard.evidence.avg_logprob > UNSURE && heard.evidence.no_speech < 0.6;
        if verdict == BargeIn::Interrupt && sure {
            let first = !std::mem::replace(&mut over.meant, true);
            over.noise = false;
            self.pause_line(out);
            if first {
                self.note_barge_in(verdict, &heard.text, out);
            }
            return;
        }
        let lasted = now.since(over.since) >= NOISE_MS && over.looks >= 2;
        if lasted && !over.meant && !over.noise {
            over.noise = true;
            self.note_barge_in(BargeIn::Backchannel, &heard.text, out);
            self.resume_line(out);
        }
    }

    /// All the words of a sound over ours are there. True: they are meant for us and ours are cut (or, where they are the rest of the
    /// turn that was just answered, taken back); false: they were not, and we go on.
    pub(super) fn interrupts(&mut self, heard: &Heard, out: &mut Vec<Command<M>>) -> bool {
        let verdict = self.verdict(&heard.text);
        self.caller.echoes |= verdict == BargeIn::Echo;
        self.timers.clear(Timer::BargeVerdict);
        self.note_barge_in(verdict, &heard.text, out);
        if verdict != BargeIn::Interrupt {
            let joins = self
                .caller
                .utterance
                .as_mut()
                .and_then(|u| u.over_ours.take())
                .and_then(|o| o.joins);
            self.drop_utterance(out);
            self.caller.before = joins;
            self.resume_line(out);
            self.listen_if_quiet(out);
            return false;
        }
        self.withdraw_review(out);
        let over = self
            .caller
            .utterance
            .as_mut()
            .and_then(|u| u.over_ours.take());
        self.withdraw_review(out);
        match over.and_then(|o| o.joins) {
            Some(before) => {
                self.stop_line(out);
                self.mind = before.mind;
                self.then = before.then;
                self.caller.pace.cut_in();
                self.withdraw_turn();
            }
            None => self.cut_line(out),
        }
        true
    }

    fn note_barge_in(&self, verdict: BargeIn, words: &str, out: &mut Vec<Command<M>>) {
        out.push(Command::Note(Note::BargeIn {
            verdict,
            words: words.to_string(),
        }));
    }
}
