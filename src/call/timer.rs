//! The timer table: one slot a purpose, so that no timer is forgotten and none fires twice.

use super::Time;

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Timer {
    /// The greeting waits this long for the caller's first packet.
    Greeting,
    /// No packet has come: say so.
    NoMediaNotice,
    /// No packet has come: end it.
    NoMediaEnd,
    /// The caller has been quiet long enough for the turn to be theirs no more.
    Final,
    /// Nothing was said after our turn.
    Silence,
    /// No words were said after our turn, though there may have been sound.
    NoWords,
    /// The caller has held the call for long.
    Held,
    /// No further key came.
    KeyGap,
    /// A request is taking long: say a word.
    Filler,
    /// The words so far of a caller who speaks are looked at.
    Early,
    /// A sound over ours has ended, and its words are late.
    BargeVerdict,
    /// A word now and then while a human is being called.
    HoldWord,
    /// Something is due with a human: the earliest of what each of them waits for.
    Human,
    /// A human's note has not been recognised.
    HumanWords,
    /// Who is called back has not answered, or has not said that they want to talk.
    CalledBack,
    /// The caller has talked, or their street has, for as long as one piece of sound may be.
    LongSpeech,
    /// Recognition or decision has taken too long.
    Thinking,
    /// The voice has taken too long.
    Stuck,
    /// A reviewer has not looked at a reply.
    Review,
    /// The question at the end is not answered.
    Survey,
    /// The call has reached its longest permitted length.
    HardCap,
    /// The goodbye should have been played by now.
    EndGuard,
}

const COUNT: usize = Timer::EndGuard as usize + 1;

const ALL: [Timer; COUNT] = [
    Timer::Greeting,
    Timer::NoMediaNotice,
    Timer::NoMediaEnd,
    Timer::Final,
    Timer::Silence,
    Timer::NoWords,
    Timer::Held,
    Timer::KeyGap,
    Timer::Filler,
    Timer::Early,
    Timer::BargeVerdict,
    Timer::HoldWord,
    Timer::Human,
    Timer::HumanWords,
    Timer::CalledBack,
    Timer::LongSpeech,
    Timer::Thinking,
    Timer::Stuck,
    Timer::Review,
    Timer::Survey,
    Timer::HardCap,
    Timer::EndGuard,
];

/// Pending deadlines.
#[derive(Debug, Clone, Default)]
pub struct Timers {
    at: [Option<Time>; COUNT],
}

impl Timers {
    pub fn set(&mut self, timer: Timer, at: Time) {
        self.at[timer as usize] = Some(at);
    }

    pub fn clear(&mut self, timer: Timer) {
        self.at[timer as usize] = None;
    }

    pub fn is_set(&self, timer: Timer) -> bool {
        self.due(timer).is_some()
    }

    pub fn due(&self, timer: Timer) -> Option<Time> {
        self.at[timer as usize]
    }

    pub fn clear_all(&mut self) {
        self.at = [None; COUNT];
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Time> {
        self.at.iter().flatten().min().copied()
    }

    /// Takes one timer that is due, earliest first.
    pub fn pop(&mut self, now: Time) -> Option<Timer> {
        let timer = ALL
            .into_iter()
            .filter(|t| self.at[*t as usize].is_some_and(|at| at <= now))
            .min_by_key(|t| self.at[*t as usize])?;
        self.clear(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earliest_first_and_once() {
        let mut timers = Timers::default();
        timers.set(Timer::Silence, Time(500));
        timers.set(Timer::Final, Time(300));
        assert_eq!(timers.next(), Some(Time(300)));
        assert_eq!(timers.pop(Time(299)), None);
        assert_eq!(timers.pop(Time(600)), Some(Timer::Final));
        assert_eq!(timers.pop(Time(600)), Some(Timer::Silence));
        assert_eq!(timers.pop(Time(600)), None);
    }
}
