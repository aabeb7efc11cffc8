//! Times of day.

use jiff::civil::Time;

use super::number::{cardinal, small};
use super::token::{Token, corrected, tokens};

/// The time of day said: "half past three", "3pm", "15:30", "eight in the evening", "noon". An hour without morning or evening
/// is taken in waking hours: 8 to 11 in the morning, 12 to 7 after noon.
pub fn time_of_day(text: &str) -> Option<Time> {
    let all = tokens(text);
    let t = corrected(&all, |t| time_of(t).is_some());
    time_of(&t)
}

fn time_of(t: &[Token]) -> Option<Time> {
    (0..t.len()).find_map(|i| at(t, i).map(|(time, _)| time))
}

/// A time at token `i`, and the token after it.
pub(super) fn at(t: &[Token], i: usize) -> Option<(Time, usize)> {
    match t[i].text.as_str() {
        "noon" | "midday" => return Time::new(12, 0, 0, 0).ok().map(|t| (t, i + 1)),
        "midnight" => return Time::new(0, 0, 0, 0).ok().map(|t| (t, i + 1)),
        _ => {}
    }
    spoken_minutes(t, i).or_else(|| clock(t, i))
}

/// "half past three", "quarter to five", "ten past six", "twenty-five to nine".
fn spoken_minutes(t: &[Token], i: usize) -> Option<(Time, usize)> {
    let (minutes, mut j) = if t[i].is("half") {
        (30, i + 1)
    } else if t[i].is("quarter") {
        (15, i + 1)
    } else {
        let (v, next) = cardinal(t, i)?;
        (i64::from(whole(v, 1, 29)?), next)
    };
    if t.get(j).is_some_and(|t| t.any(&["minutes", "minute"])) {
        j += 1;
    }
    let before = match t.get(j)?.text.as_str() {
        "past" | "after" => false,
        "to" | "before" | "till" | "til" => true,
        _ => return None,
    };
    let (v, next) = cardinal(t, j + 1)?;
    let hour = whole(v, 1, 12)?;
    // "five to six" is a time; "10 to 20" was caught above; "from 5 to 6" is a range.
    if i > 0 && t[i - 1].any(&["from", "between"]) {
        return None;
    }
    let (hour, next) = day_part(t, next, hour, true)?;
    let total = i64::from(hour) * 60 + if before { -minutes } else { minutes };
    let total = total.rem_euclid(24 * 60);
    Time::new((total / 60) as i8, (total % 60) as i8, 0, 0)
        .ok()
        .map(|t| (t, next))
}

fn whole(v: f64, least: i8, most: i8) -> Option<i8> {
    (v.fract() == 0.0 && v >= f64::from(least) && v <= f64::from(most)).then_some(v as i8)
}

/// "3pm", "15:30", "3.30 pm", "three thirty", "eight o'clock", "at 9".
fn clock(t: &[Token], i: usize) -> Option<(Time, usize)> {
    let token = &t[i];
    if token.ordinal {
        return None;
    }
    let half = |k: usize| {
        t.get(k).is_some_and(|t| t.any(&["am", "pm"]))
            || (t.get(k).is_some_and(|t| t.any(&["a", "p"]))
                && t.get(k + 1).is_some_and(|t| t.is("m")))
    };
    // "3.30" is one figure to the tokeniser; a time only with am or pm, or after "at".
    if let Some((h, m)) = token
        .is_figure()
        .then(|| token.text.split_once('.'))
        .flatten()
    {
        if m.len() == 2 && (half(i + 1) || (i > 0 && t[i - 1].is("at"))) {
            let (hour, next) = day_part(t, i + 1, h.parse().ok()?, true)?;
            return Time::new(hour, m.parse().ok()?, 0, 0)
                .ok()
                .map(|t| (t, next));
        }
        return None;
    }
    let (v, next) = cardinal(t, i)?;
    let hour = whole(v, 0, 24)?;
    if t.get(next).is_some_and(|t| t.is(":")) {
        let minute: i8 = t
            .get(next + 1)
            .filter(|t| t.is_figure() && t.text.len() == 2)?
            .text
            .parse()
            .ok()?;
        let written_24 = token.text.len() == 2 && token.text.starts_with('0');
        let (hour, next) = day_part(t, next + 2, hour, !written_24)?;
        return Time::new(hour, minute, 0, 0).ok().map(|t| (t, next));
    }
    if t.get(next).is_some_and(|t| t.any(&["o'clock", "oclock"])) {
        let (hour, next) = day_part(t, next + 1, hour, true)?;
        return Time::new(hour, 0, 0, 0).ok().map(|t| (t, next));
    }
    let introduced =
        i > 0 && t[i - 1].any(&["at", "by", "around", "about", "after", "before", "until"]);
    // "three thirty", "nine oh five", "3 30 pm"
    let minute = minutes(t, next);
    if let Some((minute, after)) = minute
        && (half(after)
            || introduced
            || (token.is_word()
                && t.get(after)
                    .is_none_or(|t| !t.is_word() && !t.is_figure() && !t.any(&["$", "£"]))
                && i == 0)
            || in_part(t, after).is_some())
        && (1..=12).contains(&hour)
    {
        let (hour, after) = day_part(t, after, hour, true)?;
        return Time::new(hour, minute, 0, 0).ok().map(|t| (t, after));
    }
    if half(next)
        || in_part(t, next).is_some()
        || (introduced
            && t[i - 1].is("at")
            && t.get(next).is_none_or(|t| {
                !t.any(&["percent", "%", "days", "dollars", "pounds", "weeks", "."]) || t.is(".")
            }))
    {
        if !(1..=12).contains(&hour) {
            return None;
        }
        let (hour, next) = day_part(t, next, hour, true)?;
        return Time::new(hour, 0, 0, 0).ok().map(|t| (t, next));
    }
    None
}

fn minutes(t: &[Token], i: usize) -> Option<(i8, usize)> {
    let token = t.get(i)?;
    if token.any(&["oh", "o"]) {
        let v = small(&t.get(i + 1)?.text).filter(|v| (1..10).contains(v))?;
        return Some((v as i8, i + 2));
    }
    if token.is_figure() && (token.text.len() != 2 || token.ordinal) {
        return None;
    }
    let (v, next) = cardinal(t, i)?;
    whole(v, 10, 59)
        .or_else(|| token.is_figure().then(|| whole(v, 0, 9)).flatten())
        .map(|v| (v, next))
}

/// "in the morning", "tonight": true for after noon.
fn in_part(t: &[Token], i: usize) -> Option<(bool, usize)> {
    let w = |k: usize| t.get(i + k).map_or("", |t| t.text.as_str());
    let (word, next) = match (w(0), w(1)) {
        ("in" | "on", "the") => (w(2), i + 3),
        ("at", night) => (night, i + 2),
        ("this", part) => (part, i + 2),
        (part, _) => (part, i + 1),
    };
    match word {
        "morning" => Some((false, next)),
        "afternoon" | "evening" | "tonight" | "night" => Some((true, next)),
        _ => None,
    }
}

/// The hour in 24, with what says which half of the day it is in.
fn day_part(t: &[Token], i: usize, hour: i8, guess: bool) -> Option<(i8, usize)> {
    let to_24 = |pm: bool, h: i8| match (pm, h) {
        (true, h) if h < 12 => h + 12,
        (false, 12) => 0,
        (_, h) => h,
    };
    if !(0..=24).contains(&hour) {
        return None;
    }
    let (a, b) = (
        t.get(i).map_or("", |t| t.text.as_str()),
        t.get(i + 1).map_or("", |t| t.text.as_str()),
    );
    match (a, b) {
        ("am", _) => return Some((to_24(false, hour), i + 1)),
        ("pm", _) => return Some((to_24(true, hour), i + 1)),
        ("a", "m") => return Some((to_24(false, hour), i + 2)),
        ("p", "m") => return Some((to_24(true, hour), i + 2)),
        _ => {}
    }
    if let Some((pm, next)) = in_part(t, i) {
        // "twelve at night" is midnight.
        return Some((
            if pm && hour == 12 && t[next - 1].is("night") {
                0
            } else {
                to_24(pm, hour)
            },
            next,
        ));
    }
    let guessed = guess && (1..8).contains(&hour);
    Some((if guessed { hour + 12 } else { hour % 24 }, i))
}
