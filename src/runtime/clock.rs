//! The wall clock of the program. `FIRSTLINE_CLOCK=2026-11-23T10:00:00Z` moves it, so that dates callers say and opening hours come
//! out the same in every run; it still advances with real time.

use std::sync::OnceLock;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// Now, or what `FIRSTLINE_CLOCK` says it is plus the time since this was first asked.
pub fn now() -> Timestamp {
    static START: OnceLock<(Timestamp, Instant)> = OnceLock::new();
    let fixed = START.get_or_init(|| (fixed().ok().flatten().unwrap_or_else(system), started()));
    if fixed_is_set() {
        since(fixed)
    } else {
        system()
    }
}

/// When something ended that began at `began` (RFC 3339) and took so long: the wall clock may have been put right meanwhile, and a call's
/// length is not for it to say.
pub fn after(began: &str, took: std::time::Duration) -> String {
    let ended = || {
        let took = SignedDuration::try_from(took).ok()?;
        began.parse::<Timestamp>().ok()?.checked_add(took).ok()
    };
    ended().unwrap_or_else(now).to_string()
}

/// What `FIRSTLINE_CLOCK` says.
///
/// # Errors
/// A sentence where it is set and is no time: `serve` refuses to start on it.
pub fn fixed() -> Result<Option<Timestamp>, String> {
    match std::env::var("FIRSTLINE_CLOCK") {
        Ok(text) if !text.is_empty() => text.parse().map(Some).map_err(|_| {
            format!(
                "FIRSTLINE_CLOCK is `{text}`, which is no time; write it like 2026-11-23T10:00:00Z"
            )
        }),
        _ => Ok(None),
    }
}

fn fixed_is_set() -> bool {
    static SET: OnceLock<bool> = OnceLock::new();
    *SET.get_or_init(|| matches!(fixed(), Ok(Some(_))))
}

fn since((start, instant): &(Timestamp, Instant)) -> Timestamp {
    let elapsed = SignedDuration::try_from(instant.elapsed()).unwrap_or(SignedDuration::ZERO);
    start.checked_add(elapsed).unwrap_or(*start)
}

#[allow(
    clippy::disallowed_methods,
    reason = "this is the one reader of the wall clock"
)]
fn system() -> Timestamp {
    Timestamp::now()
}

#[allow(
    clippy::disallowed_methods,
    reason = "a fixed clock advances with the monotonic one"
)]
fn started() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_as_long_as_it_took() {
        let took = std::time::Duration::from_millis(90_500);
        assert_eq!(
            after("2026-11-23T10:00:00Z", took),
            "2026-11-23T10:01:30.5Z"
        );
        assert!(after("no time", took).parse::<Timestamp>().is_ok());
    }

    #[test]
    fn a_fixed_clock_advances() {
        let start: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let earlier = started()
            .checked_sub(std::time::Duration::from_secs(90))
            .unwrap();
        let later = since(&(start, earlier));
        assert!(
            later >= "2026-11-23T10:01:30Z".parse().unwrap()
                && later < "2026-11-23T10:01:40Z".parse().unwrap()
        );
    }
}
