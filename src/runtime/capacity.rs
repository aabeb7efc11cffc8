//! How many calls this machine holds: what a turn costs it, measured at start, and the arithmetic from there.
//!
//! A caller speaks about every eight seconds. A turn is heard twice (while the caller may go on, and in the end) and one new clause of it
//! is spoken; the rest is kept from earlier calls. Seven tenths of the cores may be busy with that on average: beyond it a burst of
//! callers who stop speaking at once makes the last of them wait for too long. Media (decoding, mixing, voice activity) costs about
//! a hundredth of a core a call beside it.

use std::time::Duration;

use super::pool::Engines;
use crate::speech::Hints;

const SENTENCE: &str = "Your next payment is due on Friday, and you can move it by up to two weeks";
/// Of one call: from one thing said to the next.
const TURN: Duration = Duration::from_secs(8);
const HEARD: f64 = 2.;
const SPOKEN: f64 = 1.;
const MEDIA: f64 = 0.01;
const BUSY: f64 = 0.7;
/// Calls a core, at most: beyond it what is not measured here (disks, the network) counts.
const MOST: usize = 12;

/// What this machine takes for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// CPU time to hear one sentence of some four seconds.
    pub hear: Duration,
    /// CPU time to speak one.
    pub speak: Duration,
}

/// Speaks a sentence and listens to it, on this thread. Takes about a second.
///
/// # Errors
/// One sentence: an engine that does not work is found here and not by a caller.
pub fn measure(engines: &mut Engines) -> Result<Measured, String> {
    let begun = Clock::now();
    let pcm = engines
        .synthesizer
        .synthesize(SENTENCE)
        .map_err(|e| format!("the voice does not work: {e}"))?;
    let speak = begun.elapsed();
    engines.transcriber.use_threads(1);
    let begun = Clock::now();
    let heard = engines
        .transcriber
        .transcribe(&pcm, &Hints::default())
        .map_err(|e| format!("the recogniser does not work: {e}"))?;
    let hear = begun.elapsed();
    if !heard.text.to_lowercase().contains("payment") {
        tracing::warn!(
            "the recogniser did not understand the voice at start; see `firstline models verify`"
        );
    }
    Ok(Measured { hear, speak })
}

/// Calls at once, from what was measured.
pub fn calls(measured: Measured, cores: usize) -> usize {
    let turn = HEARD * measured.hear.as_secs_f64() + SPOKEN * measured.speak.as_secs_f64();
    let each = turn / TURN.as_secs_f64() + MEDIA;
    let held = (cores as f64 * BUSY / each).floor();
    (held as usize).clamp(1, cores * MOST)
}

/// Time that this process was on a core, an engine's own threads with it: other programs that are busy at the moment do not make the
/// machine smaller.
struct Clock(Duration);

impl Clock {
    fn now() -> Self {
        Self(on_core())
    }

    fn elapsed(&self) -> Duration {
        on_core().saturating_sub(self.0)
    }
}

fn on_core() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(hear_ms: u64, speak_ms: u64, cores: usize) -> usize {
        let measured = Measured {
            hear: Duration::from_millis(hear_ms),
            speak: Duration::from_millis(speak_ms),
        };
        calls(measured, cores)
    }

    #[test]
    fn a_faster_machine_holds_more_and_none_holds_nothing() {
        assert_eq!(held(400, 400, 2), 8);
        assert_eq!(held(400, 400, 4), 17);
        assert!(held(200, 200, 2) > held(400, 400, 2));
        assert_eq!(held(60_000, 60_000, 1), 1, "never none");
        assert_eq!(held(0, 0, 2), 24, "and there is an end to it");
    }

    #[test]
    fn the_time_of_an_engines_own_threads_counts() {
        let clock = Clock::now();
        let spun = std::thread::spawn(|| {
            let begun = std::time::Instant::now();
            let mut x = 1_u64;
            while begun.elapsed() < Duration::from_millis(60) {
                x = std::hint::black_box(x.wrapping_mul(3));
            }
        });
        spun.join().unwrap();
        assert!(clock.elapsed() > Duration::from_millis(10));
    }
}
