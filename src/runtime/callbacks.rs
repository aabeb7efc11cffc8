//! Promised callbacks are made: when colleagues are at work, it is not too early or late to ring somebody where they are, and the time that was
//! asked for has come. As many at once as there are colleagues who are on no call, each on a place of the line's like any other call.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::clock;
use super::line::Shared;
use super::live::Place;
use super::zones::quiet_until;
use crate::call::{CallbackResult, Promised};
use crate::config;
use crate::desk::entity::{self, Locale};
use crate::desk::redact::speakable;
use crate::desk::{CallbackRequest, DeskConfig, inquiry};
use crate::store::{Callback, StoreError};
use crate::telemetry::Metric;

/// How often the queue is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// With no colleague free: the first wait, doubled to an hour; given up after so many.
const NOBODY_MIN: i64 = 5;
const NOBODY_TRIES: u32 = 24;
/// The caller would rather talk another time: asked again after so long.
const NOT_NOW_MIN: i64 = 120;

/// Makes what was promised, until the line stops. `calls`: where call tasks run.
pub async fn run(shared: Arc<Shared>, settings: config::Callback, calls: Handle) {
    match shared.state.store.reopen_callbacks().await {
        Ok(0) => {}
        Ok(n) => tracing::warn!(
            "{n} callbacks were under way when the program last ended; they are made again"
        ),
        Err(error) => tracing::error!(%error, "callbacks under way cannot be reopened"),
    }
    if !shared.can_call_out() {
        tracing::info!(
            "callbacks stay in the queue for people: there is no trunk, no Twilio and no callback.via to make them by"
        );
        return;
    }
    let mut under_way = JoinSet::new();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => break,
            Some(_) = under_way.join_next(), if !under_way.is_empty() => continue,
            _ = looks.tick() => {}
        }
        // One more a look: by the next one whoever this one rings is known to be on the phone.
        if !under_way.is_empty() && !shared.somebody_is_free() {
            continue;
        }
        match next(&shared, &settings).await {
            Ok(None) => {}
            Ok(Some((callback, place))) => {
                let (shared, settings, calls) = (shared.clone(), settings.clone(), calls.clone());
                under_way.spawn(async move {
                    let _place = place;
                    let made = make(&shared, &settings, &callback, &calls).await;
                    stumbled(&shared, made);
                });
            }
            failed => stumbled(&shared, failed.map(drop)),
        }
    }
    // Each of them is being ended kindly, and what became of it is noted.
    while under_way.join_next().await.is_some() {}
}

fn stumbled(shared: &Shared, done: Result<(), StoreError>) {
    if let Err(error) = done {
        tracing::error!(%error, "the queue of callbacks cannot be worked on");
        shared.state.metrics.count(Metric::StoreErrors, &[]);
    }
}

/// One that may be made now, with its place on the line.
async fn next(
    shared: &Arc<Shared>,
    settings: &config::Callback,
) -> Result<Option<(Callback, Place)>, StoreError> {
    let now = clock::now();
    let desk = &shared.desk.config;
    if !desk.is_open(now) {
        return Ok(None);
    }
    // A call of ours takes a place like any other; those who ring us come first.
    let Some(place) = shared.state.live.admit() else {
        return Ok(None);
    };
    let store = &shared.state.store;
    let Some(callback) = store.claim_callback().await? else {
        return Ok(None);
    };
    // A colleague's time is not spent on a number that is not going to be called.
    if let Err(why) = shared.call_back_to.check(&callback.number) {
        tracing::warn!(callback = %callback.id, why, "a callback is not made");
        store
            .callback_failed(&callback.id, &why, false, None)
            .await?;
        return Ok(None);
    }
    let country = &shared.country;
    if let Some(until) = quiet_until(settings.quiet, &callback.number, now, &desk.tz(), country) {
        tracing::info!(callback = %callback.id, %until, "a callback waits: it is too early or too late where they are");
        let why = "it was too early or too late to ring them where they are";
        store
            .callback_failed(&callback.id, why, false, Some(until))
            .await?;
        return Ok(None);
    }
    Ok(Some((callback, place)))
}

async fn make(
    shared: &Arc<Shared>,
    settings: &config::Callback,
    callback: &Callback,
    calls: &Handle,
) -> Result<(), StoreError> {
    tracing::info!(callback = %callback.id, "a promised callback is being made");
    let task = calls.spawn(super::call_task::run_callback(
        shared.clone(),
        promised(shared, callback),
    ));
    let (result, call) = task.await.unwrap_or((None, String::new()));
    settle(shared, settings, callback, result, &call).await
}

fn promised(shared: &Shared, callback: &Callback) -> Promised {
    let about = callback
        .handoff
        .intent
        .as_deref()
        .map(|intent| inquiry::topic(&shared.desk, intent));
    let mut handoff = callback.handoff.clone();
    // Names and numbers were kept out of what was stored.
    let brief = speakable(&handoff.spoken_brief);
    handoff.spoken_brief = format!("This is a callback you owe. {brief}");
    Promised {
        callback: CallbackRequest {
            number: callback.number.clone(),
            when: callback.when.clone(),
            reason: callback.reason.clone(),
            handoff,
        },
        about,
    }
}

/// Done, to be tried again, or given up.
async fn settle(
    shared: &Shared,
    settings: &config::Callback,
    callback: &Callback,
    result: Option<CallbackResult>,
    call: &str,
) -> Result<(), StoreError> {
    let store = &shared.state.store;
    let Some(verdict) = verdict(settings, callback, result) else {
        store.callback_done(&callback.id).await?;
        tracing::info!(callback = %callback.id, call, "the callback was made");
        return Ok(());
    };
    let next = verdict
        .wait_min
        .and_then(|m| clock::now().checked_add(SignedDuration::from_mins(m)).ok());
    tracing::info!(callback = %callback.id, call, why = verdict.why, again = ?next, "the callback was not made");
    store
        .callback_failed(&callback.id, verdict.why, verdict.called, next)
        .await
}

#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    why: &'static str,
    /// The caller was called.
    called: bool,
    /// Minutes to the next try; none gives it up.
    wait_min: Option<i64>,
}

/// What a try that came to nothing means; none: it was made.
fn verdict(
    settings: &config::Callback,
    callback: &Callback,
    result: Option<CallbackResult>,
) -> Option<Verdict> {
    let attempts = callback.attempts + 1;
    let called = |why, wait: i64| Verdict {
        why,
        called: true,
        wait_min: (attempts < settings.attempts).then_some(wait),
    };
    let wait = i64::from(settings.wait_min) << callback.attempts.min(6);
    Some(match result {
        Some(CallbackResult::Done) => return None,
        Some(CallbackResult::NotNow) => called("they would rather talk another time", NOT_NOW_MIN),
        Some(CallbackResult::Never) => Verdict {
            why: "they do not want to be called about it again",
            called: true,
            wait_min: None,
        },
        Some(CallbackResult::NotReached("busy")) => called("their line was busy", wait),
        Some(CallbackResult::NotReached("declined")) => called("they declined the call", wait),
        Some(CallbackResult::NotReached("hung_up")) => {
            called("they hung up before they were put through", wait)
        }
        Some(CallbackResult::NotReached("unreachable")) => {
            called("their number could not be reached", wait)
        }
        Some(CallbackResult::NotReached(_)) => called("they did not answer", wait),
        Some(CallbackResult::Machine) => called(
            "nobody there pressed a key: probably an answering machine",
            wait,
        ),
        Some(CallbackResult::NobodyFree) => Verdict {
            why: "no colleague was free",
            called: false,
            wait_min: (callback.tries < NOBODY_TRIES)
                .then_some((NOBODY_MIN << callback.tries.saturating_sub(1).min(6)).min(60)),
        },
        Some(CallbackResult::ColleagueLeft) => Verdict {
            why: "the colleague hung up first",
            called: false,
            wait_min: (callback.tries < NOBODY_TRIES).then_some(1),
        },
        None => Verdict {
            why: "the line was stopped during the call",
            called: false,
            wait_min: Some(1),
        },
    })
}

/// When to call somebody who said `when` ("tomorrow morning", "after 3 pm on Friday", "in an hour"): not before that. At once where they
/// named no time.
pub fn due(when: Option<&str>, now: Timestamp, desk: &DeskConfig) -> Timestamp {
    let Some(text) = when else { return now };
    let Ok(locale) = Locale::new(&desk.language, None, desk.timezone.as_deref()) else {
        return now;
    };
    let words = text.to_lowercase();
    let holds = |word: &str| {
        words
            .split(|c: char| !c.is_alphanumeric())
            .any(|w| w == word)
    };
    if let Some(minutes) = in_a_while(&words) {
        return now
            .checked_add(SignedDuration::from_mins(minutes))
            .unwrap_or(now);
    }
    let today = locale.today(now);
    let date = entity::date(text, today, &locale);
    let part = [
        ("morning", 9),
        ("noon", 12),
        ("lunchtime", 12),
        ("afternoon", 14),
        ("evening", 18),
        ("tonight", 18),
    ]
    .into_iter()
    .find(|(word, _)| holds(word))
    .and_then(|(_, hour)| Time::new(hour, 0, 0, 0).ok());
    let time = entity::time_of_day(text).or(part);
    if date.is_none() && time.is_none() {
        return now;
    }
    let at = |day: jiff::civil::Date| {
        let time = time.unwrap_or_else(|| Time::constant(9, 0, 0, 0));
        day.to_datetime(time)
            .to_zoned_datetime(desk.tz())
            .map_or(now, |z| z.timestamp())
    };
    let asked = at(date.unwrap_or(today));
    if asked >= now {
        return asked;
    }
    match date {
        // "This morning", said at noon, is as soon as can be; a bare time that has passed is tomorrow's.
        None if !holds("today") && !holds("this") => today.tomorrow().map_or(now, at),
        _ => now,
    }
}

/// "In two hours", "in half an hour", "in 20 minutes": minutes.
fn in_a_while(words: &str) -> Option<i64> {
    let rest = words.split("in ").nth(1)?;
    let unit = if rest.contains("hour") {
        60.0
    } else if rest.contains("minute") {
        1.0
    } else {
        return None;
    };
    let count = if rest.starts_with("half an hour") {
        0.5
    } else if rest.starts_with("an hour") || rest.starts_with("about an hour") {
        1.0
    } else {
        entity::number(rest)?
    };
    Some((count * unit) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::CallbackStatus;

    fn desk() -> DeskConfig {
        DeskConfig {
            language: "en-GB".into(),
            timezone: Some("Europe/London".into()),
            ..DeskConfig::default()
        }
    }

    #[test]
    fn the_time_that_was_asked_for() {
        // A Monday, 10:00 in London.
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        for (said, want) in [
            ("tomorrow morning", "2026-11-24T09:00:00Z"),
            ("this afternoon", "2026-11-23T14:00:00Z"),
            ("after 3 pm on friday", "2026-11-27T15:00:00Z"),
            ("in an hour", "2026-11-23T11:00:00Z"),
            ("in two hours", "2026-11-23T12:00:00Z"),
            ("in half an hour", "2026-11-23T10:30:00Z"),
            ("this morning", "2026-11-23T10:00:00Z"),
            ("at nine in the morning", "2026-11-24T09:00:00Z"),
            ("as soon as possible", "2026-11-23T10:00:00Z"),
            ("any time", "2026-11-23T10:00:00Z"),
        ] {
            assert_eq!(due(Some(said), now, &desk()).to_string(), want, "{said}");
        }
        assert_eq!(due(None, now, &desk()), now);
    }

    #[test]
    fn attempts_end_and_wait_longer_each_time() {
        let settings = config::Callback {
            via: config::Via::Auto,
            quiet: (0, 0),
            attempts: 3,
            wait_min: 15,
            allow: None,
        };
        let callback = |attempts, tries| Callback {
            id: "i".into(),
            call_id: "c".into(),
            number: "+15550101".into(),
            when: None,
            reason: "asked".into(),
            status: CallbackStatus::Calling,
            created_at: String::new(),
            done_at: None,
            due_at: String::new(),
            attempts,
            tries,
            last_error: None,
            handoff: crate::desk::Handoff::default(),
        };
        let wait = |attempts, tries, result| {
            verdict(&settings, &callback(attempts, tries), Some(result))
                .map(|v| (v.called, v.wait_min))
        };
        assert_eq!(wait(0, 1, CallbackResult::Done), None);
        let busy = CallbackResult::NotReached("busy");
        assert_eq!(wait(0, 1, busy), Some((true, Some(15))));
        assert_eq!(wait(1, 2, busy), Some((true, Some(30))));
        assert_eq!(wait(2, 3, busy), Some((true, None)), "given up");
        assert_eq!(
            wait(2, 3, CallbackResult::NobodyFree),
            Some((false, Some(20)))
        );
        assert_eq!(wait(0, 24, CallbackResult::NobodyFree), Some((false, None)));
        assert_eq!(wait(0, 1, CallbackResult::Machine), Some((true, Some(15))));
        assert_eq!(
            wait(0, 1, CallbackResult::Never),
            Some((true, None)),
            "no consent"
        );
    }
}
