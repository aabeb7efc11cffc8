//! A service far away with an engine of this machine behind it: what the first does not do in time, the second does, within the
//! same turn. A service that failed is left alone for a while, so that not every caller waits for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Hints, SpeechError, Stopper, Synthesizer, Transcriber, Transcript};

/// How long a service that failed is left alone: at first, doubled at every further failure, and at most.
const REST: Duration = Duration::from_secs(10);
const LONGEST_REST: Duration = Duration::from_secs(300);

/// Whether a service may be asked; shared by every worker that asks it.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    failures: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// Failures since it last did its work.
    running: u32,
    rests_until: Option<Instant>,
}

impl Health {
    /// Failures so far.
    pub fn failures(&self) -> u64 {
        self.0.failures.load(Ordering::Relaxed)
    }

    fn may_be_asked(&self) -> bool {
        let state = self.lock();
        state
            .rests_until
            .is_none_or(|until| Instant::now() >= until)
    }

    fn did_well(&self) {
        *self.lock() = State::default();
    }

    fn failed(&self, error: &SpeechError) {
        self.0.failures.fetch_add(1, Ordering::Relaxed);
        let mut state = self.lock();
        state.running += 1;
        let rest = match error {
            // A wrong key or address does not mend itself.
            SpeechError::Model(_) => LONGEST_REST,
            // This one piece was not to its liking.
            SpeechError::Input(_) => return,
            SpeechError::Engine(_) => REST * 2u32.pow((state.running - 1).min(5)),
        };
        state.rests_until = Some(Instant::now() + rest.min(LONGEST_REST));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears that the first engine failed: for the log and for counting.
pub type Told = Arc<dyn Fn(&SpeechError) + Send + Sync>;

/// A voice with another behind it.
pub struct FallbackVoice {
    first: Box<dyn Synthesizer>,
    then: Box<dyn Synthesizer>,
    health: Health,
    told: Told,
    /// The second said the last clause.
    second: bool,
}

impl FallbackVoice {
    pub fn new(
        first: Box<dyn Synthesizer>,
        then: Box<dyn Synthesizer>,
        health: Health,
        told: Told,
    ) -> Self {
        Self {
            first,
            then,
            health,
            told,
            second: false,
        }
    }
}

impl Synthesizer for FallbackVoice {
    fn voice(&self) -> &str {
        if self.second {
            self.then.voice()
        } else {
            self.first.voice()
        }
    }

    fn streams(&self) -> bool {
        self.first.streams() && self.health.may_be_asked()
    }

    fn synthesize(&mut self, clause: &str) -> Result<Vec<i16>, SpeechError> {
        let mut out = Vec::new();
        self.stream(clause, &mut |pcm| {
            out.extend_from_slice(pcm);
            true
        })?;
        Ok(out)
    }

    /// Where the first breaks off in the middle, the second says the whole clause again.
    fn stream(
        &mut self,
        clause: &str,
        take: &mut dyn FnMut(&[i16]) -> bool,
    ) -> Result<(), SpeechError> {
        self.second = false;
        let mut said = 0usize;
        if self.health.may_be_asked() {
            let tried = self.first.stream(clause, &mut |pcm| {
                said += pcm.len();
                take(pcm)
            });
            match tried {
                Ok(()) => {
                    self.health.did_well();
                    return Ok(());
                }
                Err(error) => {
                    self.health.failed(&error);
                    (self.told)(&error);
                }
            }
        }
        self.second = true;
        if said > 0 {
            // Nobody can tell which words were missing, and a word twice is better than an amount not at all.
            take(&[0; BREATH]);
        }
        self.then.stream(clause, take)
    }
}

/// Samples of silence between a broken clause and its repetition: 150 ms.
const BREATH: usize = crate::audio::RATE as usize * 150 / 1000;

/// A recogniser with another behind it.
pub struct FallbackEar {
    first: Box<dyn Transcriber>,
    then: Box<dyn Transcriber>,
    health: Health,
    told: Told,
}

impl FallbackEar {
    pub fn new(
        first: Box<dyn Transcriber>,
        then: Box<dyn Transcriber>,
        health: Health,
        told: Told,
    ) -> Self {
        Self {
            first,
            then,
            health,
            told,
        }
    }
}

impl Transcriber for FallbackEar {
    fn transcribe(&mut self, pcm: &[i16], hints: &Hints) -> Result<Transcript, SpeechError> {
        let begun = Instant::now();
        if self.health.may_be_asked() {
            match self.first.transcribe(pcm, hints) {
                Ok(transcript) => {
                    self.health.did_well();
                    return Ok(transcript);
                }
                Err(error) => {
                    self.health.failed(&error);
                    (self.told)(&error);
                }
            }
        }
        let mut transcript = self.then.transcribe(pcm, hints)?;
        transcript.ms = begun.elapsed().as_millis() as u32;
        Ok(transcript)
    }

    fn use_threads(&mut self, threads: usize) {
        self.first.use_threads(threads);
        self.then.use_threads(threads);
    }

    fn stopper(&self) -> Option<Stopper> {
        self.then.stopper()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::scripted::{ScriptedTranscriber, ScriptedVoice};

    struct Broken {
        after: usize,
        asked: Arc<AtomicU64>,
        error: SpeechError,
    }

    impl Synthesizer for Broken {
        fn voice(&self) -> &str {
            "far:away"
        }
        fn synthesize(&mut self, _: &str) -> Result<Vec<i16>, SpeechError> {
            Err(self.error.clone())
        }
        fn stream(
            &mut self,
            _: &str,
            take: &mut dyn FnMut(&[i16]) -> bool,
        ) -> Result<(), SpeechError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            for _ in 0..self.after {
                take(&[7; 100]);
            }
            Err(self.error.clone())
        }
    }

    #[test]
    fn a_voice_that_fails_is_taken_over_in_the_same_clause_and_left_alone() {
        for after in [0, 3] {
            let asked = Arc::new(AtomicU64::new(0));
            let told = Arc::new(AtomicU64::new(0));
            let health = Health::default();
            let mut voice = FallbackVoice::new(
                Box::new(Broken {
                    after,
                    asked: asked.clone(),
                    error: SpeechError::Engine("gone".into()),
                }),
                Box::new(ScriptedVoice::default()),
                health.clone(),
                {
                    let told = told.clone();
                    Arc::new(move |_| {
                        told.fetch_add(1, Ordering::Relaxed);
                    })
                },
            );
            assert_eq!(voice.voice(), "far:away");
            let alone = ScriptedVoice::default().synthesize("Hello there.").unwrap();
            let said = voice.synthesize("Hello there.").unwrap();
            assert!(said.ends_with(&alone), "the whole clause is said");
            assert_eq!(
                said.len() - alone.len(),
                after.min(1) * BREATH + after * 100
            );
            assert_ne!(
                voice.voice(),
                "far:away",
                "cached under the voice that spoke"
            );
            assert_eq!(voice.synthesize("Hello there.").unwrap(), alone);
            assert_eq!(asked.load(Ordering::Relaxed), 1, "left alone for a while");
            assert_eq!((health.failures(), told.load(Ordering::Relaxed)), (1, 1));
        }
    }

    #[test]
    fn an_ear_that_fails_is_taken_over_in_the_same_turn() {
        let loud = vec![4000i16; 16_000];
        let mut ear = FallbackEar::new(
            Box::new(
                ScriptedTranscriber::new(["far away"])
                    .then_fails(SpeechError::Engine("late".into())),
            ),
            Box::new(ScriptedTranscriber::new(["right here"])),
            Health::default(),
            Arc::new(|_| {}),
        );
        let mut hear = || ear.transcribe(&loud, &Hints::default()).unwrap().text;
        assert_eq!(hear(), "far away");
        assert_eq!(hear(), "right here");
    }
}
