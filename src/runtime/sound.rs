//! What each party of a call hears: the engine's rule of who hears whom ([`hears`]), applied to 20 ms of sound.

use std::collections::HashMap;

use crate::audio::mix::Mixer;
use crate::audio::{FRAME, tone};
use crate::call::hearing::{Source, hears};
use crate::call::{CALLER, LegId, Mix};

/// Music under the assistant's words.
const UNDER_WORDS: f32 = 0.2;
const SILENCE: [i16; FRAME] = [0; FRAME];

/// The mix of one call.
pub struct Sound {
    mix: Mix,
    /// One a listener, so that every change of theirs slides.
    mixers: HashMap<LegId, Mixer>,
    music: tone::HoldMusic,
    playing: [i16; FRAME],
}

impl Default for Sound {
    fn default() -> Self {
        Self {
            mix: Mix::Agent,
            mixers: HashMap::new(),
            music: tone::HoldMusic::new(),
            playing: SILENCE,
        }
    }
}

/// 20 ms of everything that is said.
pub struct Said<'a> {
    pub by: &'a HashMap<LegId, [i16; FRAME]>,
    /// The assistant to the caller.
    pub voice: [i16; FRAME],
    /// There are words in `voice`.
    pub speaking: bool,
}

impl Sound {
    pub fn set(&mut self, mix: Mix) {
        self.mix = mix;
    }

    /// A leg is gone.
    pub fn forget(&mut self, leg: LegId) {
        self.mixers.remove(&leg);
    }

    /// Once a frame, before anybody hears it.
    pub fn tick(&mut self) {
        self.playing = if self.mix == Mix::Hold {
            self.music.pull()
        } else {
            SILENCE
        };
    }

    /// What `listener` hears of it. `aside`: what the assistant says to them alone.
    pub fn heard_by(
        &mut self,
        listener: LegId,
        said: &Said<'_>,
        aside: &[i16; FRAME],
    ) -> [i16; FRAME] {
        let joined = match self.mix {
            Mix::Bridge(leg) | Mix::Three(leg) => Some(leg),
            Mix::Agent | Mix::Hold => None,
        };
        let of = |leg: LegId| said.by.get(&leg).unwrap_or(&SILENCE);
        let human = joined.map_or(&SILENCE, of);
        let under = if said.speaking { UNDER_WORDS } else { 1.0 };
        let sources = [
            (Source::Caller, of(CALLER), 1.0),
            (Source::Human(joined.unwrap_or(listener)), human, 1.0),
            (Source::Voice, &said.voice, 1.0),
            (Source::Music, &self.playing, under),
            (Source::Aside(listener), aside, 1.0),
        ];
        let mixer = self.mixers.entry(listener).or_default();
        for (n, (source, _, gain)) in sources.iter().enumerate() {
            let heard = hears(self.mix, listener, *source);
            mixer.set(0, n, if heard { *gain } else { 0.0 });
        }
        mixer.hear(0, &sources.map(|(_, pcm, _)| pcm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hears_what_is_meant_for_them_and_no_more() {
        let (a, b) = (LegId(1), LegId(2));
        let by = HashMap::from([
            (CALLER, [1_000; FRAME]),
            (a, [200; FRAME]),
            (b, [30; FRAME]),
        ]);
        let said = Said {
            by: &by,
            voice: [4; FRAME],
            speaking: true,
        };
        let aside = [7; FRAME];
        let mut sound = Sound::default();
        let hear = |sound: &mut Sound, leg, aside: &[i16; FRAME]| {
            sound.tick();
            sound.heard_by(leg, &said, aside);
            sound.tick();
            sound.heard_by(leg, &said, aside)
        };
        let last = |pcm: [i16; FRAME]| pcm[FRAME - 1];
        assert_eq!(last(hear(&mut sound, a, &aside)), 7);
        assert_eq!(last(hear(&mut sound, CALLER, &SILENCE)), 4);
        sound.set(Mix::Hold);
        for _ in 0..200 {
            assert_eq!(hear(&mut sound, a, &aside), aside, "no music for the human");
        }
        let music = (0..200).any(|_| {
            hear(&mut sound, CALLER, &SILENCE)
                .iter()
                .any(|s| s.abs() > 50)
        });
        assert!(music, "music for the caller");
        sound.set(Mix::Bridge(a));
        assert_eq!(last(hear(&mut sound, a, &SILENCE)), 1_000);
        assert_eq!(last(hear(&mut sound, b, &aside)), 7);
        assert_eq!(last(hear(&mut sound, CALLER, &SILENCE)), 204);
        sound.set(Mix::Three(a));
        assert_eq!(last(hear(&mut sound, a, &SILENCE)), 1_004);
    }
}
