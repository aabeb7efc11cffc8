//! Dates said from today: "tomorrow", "a week on Friday", "the 5th of next month".

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::number::{cardinal, ordinal};
use super::token::{Kind, Token};

/// A weekday's name or usual abbreviation.
pub(super) fn weekday(word: &str) -> Option<Weekday> {
    let word = word.strip_suffix("'s").unwrap_or(word);
    Some(match word {
        "monday" | "mon" => Weekday::Monday,
        "tuesday" | "tue" | "tues" => Weekday::Tuesday,
        "wednesday" | "wed" => Weekday::Wednesday,
        "thursday" | "thu" | "thurs" => Weekday::Thursday,
        "friday" | "fri" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

/// The one weekday a text names with nothing to place it: no "next", no "this", no other day or figure.
pub fn bare_weekday(text: &str) -> Option<Weekday> {
    let t = super::token::tokens(text);
    let mut days = t.iter().filter_map(|t| weekday(&t.text));
    let day = days.next()?;
    let placed = t.iter().any(|t| {
        t.is_figure()
            || t.any(&[
                "next",
                "this",
                "last",
                "coming",
                "week",
                "weeks",
                "month",
                "after",
                "before",
                "from",
                "today",
                "tomorrow",
                "yesterday",
                "first",
                "second",
                "third",
                "fourth",
                "fifth",
            ])
            || super::date::month(&t.text).is_some()
    });
    (days.next().is_none() && !placed).then_some(day)
}

/// Days from another day that is spoken of: "the day after", "two days later", "a week earlier".
pub fn days_beside(text: &str) -> Option<i64> {
    let t = super::token::tokens(text);
    let w: Vec<&str> = t.iter().map(|t| t.text.as_str()).collect();
    (0..w.len()).find_map(|i| match &w[i..] {
        ["day", "after", "tomorrow", ..] | ["day", "before", "yesterday", ..] => None,
        ["day", "after", ..] | ["next" | "following", "day", ..] => Some(1),
        ["day", "before", ..] => Some(-1),
        ["week", "after", ..] | ["following", "week", ..] => Some(7),
        ["week", "before", ..] => Some(-7),
        ["a" | "an", ..] | [_, "days" | "weeks" | "day" | "week", ..] => {
            let (count, next) = match w[i] {
                "a" | "an" => (1.0, i + 1),
                _ => cardinal(&t, i)?,
            };
            let unit = match *w.get(next)? {
                "day" | "days" => 1,
                "week" | "weeks" => 7,
                _ => return None,
            };
            let sign = match w.get(next + 1).copied() {
                Some("later") => 1,
                Some("earlier" | "sooner") => -1,
                // "Make it two weeks", "by a week": nothing beside it says which way, and nobody moves a thing back by a span alone.
                None | Some("." | "!" | "then" | "instead" | "please" | "thanks")
                    if i == 0
                        || matches!(
                            w[i - 1],
                            "it" | "by"
                                | "say"
                                | "back"
                                | "about"
                                | "that"
                                | "to"
                                | "no"
                                | ","
                                | "for"
                        ) =>
                {
                    1
                }
                _ => return None,
            };
            (count.fract() == 0.0 && count < 400.0).then_some(count as i64 * unit * sign)
        }
        _ => None,
    })
}

/// The date meant, from today. `past`: the words speak of what has been, so a bare weekday or day is the last one.
pub(super) fn relative(t: &[Token], today: Date, past: bool) -> Option<Date> {
    let t: Vec<Token> = t
        .iter()
        .filter(|t| t.kind != Kind::Sign || t.is("-"))
        .cloned()
        .collect();
    let w: Vec<&str> = t.iter().map(|t| t.text.as_str()).collect();
    let each = |f: &dyn Fn(usize) -> Option<Date>| (0..t.len()).find_map(f);
    each(&|i| offset(&t, &w, i, today))
        .or_else(|| each(&|i| part_of_month(&w[i..], today)))
        .or_else(|| each(&|i| nth(&t, &w, i, today, past)))
        .or_else(|| each(&|i| on_weekday(&w, i, today, past)))
        .or_else(|| each(&|i| named(&w[i..], today)))
}

/// A weekday that is counted within a month, if the words name one.
pub(super) fn nth_weekday(t: &[Token], today: Date) -> Option<Date> {
    let w: Vec<&str> = t
        .iter()
        .filter(|t| t.kind != Kind::Sign)
        .map(|t| t.text.as_str())
        .collect();
    (0..w.len()).find_map(|i| weekday_of_month(&w[i..], today))
}

fn plus(date: Date, days: i64) -> Option<Date> {
    date.checked_add(days.days()).ok()
}

/// The first such weekday after `from`.
fn coming(from: Date, day: Weekday) -> Option<Date> {
    from.nth_weekday(1, day).ok()
}

/// "in ten days", "two weeks ago", "a week on Friday", "a fortnight from today", "ten days' time", "Friday week".
fn offset(t: &[Token], w: &[&str], i: usize, today: Date) -> Option<Date> {
    if let (Some(day), Some(&"week")) = (weekday(w[i]), w.get(i + 1)) {
        return plus(coming(today, day)?, 7);
    }
    let (count, j) = match &w[i..] {
        ["a" | "one", "couple", "of", ..] => (2.0, i + 3),
        ["couple", "of", ..] => (2.0, i + 2),
        ["a" | "an", ..] => (1.0, i + 1),
        [
            "week" | "fortnight",
            "on" | "from" | "today" | "tomorrow",
            ..,
        ] => (1.0, i),
        _ => cardinal(t, i)?,
    };
    if count.fract() != 0.0 || count > 5000.0 {
        return None;
    }
    let count = count as i64;
    let (working, j) = match w.get(j) {
        Some(&("working" | "business")) => (true, j + 1),
        Some(&"-") => (false, j + 1),
        _ => (false, j),
    };
    let unit = *w.get(j)?;
    let prefix = i > 0
        && (matches!(w[i - 1], "in" | "within" | "another")
            || (i > 1 && w[i - 1] == "about" && w[i - 2] == "in"));
    let (base, sign) = match &w[j + 1..] {
        ["ago" | "back" | "earlier", ..] => (today, -1),
        ["from" | "on" | "after", day, ..] if weekday(day).is_some() => {
            (coming(today, weekday(day)?)?, 1)
        }
        [day, ..] if unit.starts_with("week") && weekday(day).is_some() => {
            (coming(today, weekday(day)?)?, 1)
        }
        ["from" | "after", "tomorrow", ..] | ["tomorrow", ..] => (plus(today, 1)?, 1),
        ["from", "now" | "today", ..] | ["today" | "time" | "later", ..] | ["or", "so", ..] => {
            (today, 1)
        }
        ["s", "time", ..] => (today, 1),
        _ if prefix => (today, 1),
        _ => return None,
    };
    let n = count * sign;
    let unit = unit.strip_suffix("'s").unwrap_or(unit);
    match unit {
        "day" | "days" if working => {
            let mut date = base;
            let mut left = n.abs();
            while left > 0 {
                date = plus(date, n.signum())?;
                if !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday) {
                    left -= 1;
                }
            }
            Some(date)
        }
        "day" | "days" => plus(base, n),
        "week" | "weeks" => plus(base, 7 * n),
        "fortnight" | "fortnights" => plus(base, 14 * n),
        "month" | "months" => base.checked_add(n.months()).ok(),
        "year" | "years" => base.checked_add(n.years()).ok(),
        _ => None,
    }
}

/// "the first Monday in December", "the last Friday of the month", "the second Tuesday of next month".
fn weekday_of_month(w: &[&str], today: Date) -> Option<Date> {
    let [nth, day, "in" | "of", rest @ ..] = w else {
        return None;
    };
    let nth = match *nth {
        "first" | "1st" | "1" => 1,
        "second" | "2nd" | "2" => 2,
        "third" | "3rd" | "3" => 3,
        "fourth" | "4th" | "4" => 4,
        "last" => -1,
        _ => return None,
    };
    let day = weekday(day)?;
    let this = today.first_of_month();
    let (first, named) = match rest {
        ["next", "month", ..] => (this.checked_add(1.month()).ok()?, false),
        ["the" | "this", "month", ..] | ["month", ..] => (this, false),
        [name, ..] => {
            let month = i8::try_from(super::date::month(name)?).ok()?;
            (Date::new(today.year(), month, 1).ok()?, true)
        }
        [] => return None,
    };
    let found = first.nth_weekday_of_month(nth, day).ok()?;
    if found >= today || !named {
        return Some(found);
    }
    let later = first.checked_add(1.year()).ok()?;
    later.nth_weekday_of_month(nth, day).ok()
}

/// "the end of next month", "the first of the month", "the last day of this month", "the end of the week".
fn part_of_month(w: &[&str], today: Date) -> Option<Date> {
    let (part, rest) = match w {
        ["last", "day", "of" | "in", rest @ ..] => ("end", rest),
        ["first" | "1st", "day" | "thing", "of" | "in", rest @ ..] => ("start", rest),
        ["end" | "ends", "of", rest @ ..] => ("end", rest),
        ["start" | "beginning" | "first" | "1", "of", rest @ ..] => ("start", rest),
        ["middle", "of", rest @ ..] | ["mid", rest @ ..] => ("middle", rest),
        ["month", "end", ..] => return Some(today.last_of_month()),
        _ => return None,
    };
    let (next, rest) = match rest {
        ["next", rest @ ..] => (true, rest),
        ["the" | "this", "coming", rest @ ..] | ["the" | "this", rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let month = if next {
        today.first_of_month().checked_add(1.month()).ok()?
    } else {
        today
    };
    match (part, rest.first().copied()?) {
        ("end", "month") => Some(month.last_of_month()),
        ("middle", "month") => {
            let day = month.with().day(15).build().ok()?;
            if day < today {
                day.checked_add(1.month()).ok()
            } else {
                Some(day)
            }
        }
        ("start", "month") if next || today.day() == 1 => Some(month.first_of_month()),
        ("start", "month") => today.first_of_month().checked_add(1.month()).ok(),
        ("end", "week") => {
            let friday = monday(today)?.checked_add(4.days()).ok()?;
            if next || friday < today {
                plus(friday, 7)
            } else {
                Some(friday)
            }
        }
        ("start", "week") => plus(monday(today)?, 7),
        ("middle", "week") if next => plus(monday(today)?, 9),
        ("end", "year") => Date::new(today.year() + i16::from(next), 12, 31).ok(),
        ("start", "year") => Date::new(today.year() + 1, 1, 1).ok(),
        _ => None,
    }
}

fn monday(today: Date) -> Option<Date> {
    plus(today, -i64::from(today.weekday().to_monday_zero_offset()))
}

/// "the 5th", "the 5th of next month", "the 15th of this month", "next month on the 5th".
fn nth(t: &[Token], w: &[&str], i: usize, today: Date, past: bool) -> Option<Date> {
    let (day, next) = ordinal(t, i)?;
    if !(1..=31).contains(&day) {
        return None;
    }
    // "the second one", "my third payment" and "one second" speak of no day.
    let before = i.checked_sub(1).map(|i| w[i]);
    let introduced = before.is_some_and(|b| {
        matches!(
            b,
            "the" | "on" | "by" | "until" | "till" | "before" | "for" | "to"
        ) || weekday(b).is_some()
    });
    let bare = t[i].is_figure()
        || t.len() == next - i
        || (t.len() - (next - i) == 1 && w.last() == Some(&"please"));
    if !(introduced || bare)
        || before.is_some_and(|b| super::date::month(b).is_some())
        || w.get(next).is_some_and(|n| {
            matches!(
                *n,
                "one"
                    | "payment"
                    | "instalment"
                    | "installment"
                    | "time"
                    | "option"
                    | "call"
                    | "person"
                    | "order"
                    | "floor"
                    | "letter"
                    | "digit"
                    | "attempt"
                    | "item"
                    | "thing"
                    | "bill"
                    | "half"
                    | "class"
                    | "party"
                    | "of"
                    | "choice"
                    | "line"
                    | "card"
                    | "account"
            ) && !matches!(
                w.get(next + 1..),
                Some(["this" | "next" | "the" | "last", "month", ..] | ["every" | "each", ..])
            ) && !(*n == "of"
                && matches!(
                    w.get(next + 1..),
                    Some(["this" | "next" | "the" | "last", ..])
                ))
        })
    {
        return None;
    }
    let day = i8::try_from(day).ok()?;
    let in_month = |months: i64| -> Option<Date> {
        let first = today.first_of_month().checked_add(months.months()).ok()?;
        first.with().day(day).build().ok()
    };
    match w.get(next..) {
        Some(["of", "next", "month", ..] | ["next", "month", ..]) => return in_month(1),
        Some(["of", "last", "month", ..] | ["last", "month", ..]) => return in_month(-1),
        Some(["of", "this", "month", ..] | ["this", "month", ..]) => return in_month(0),
        Some(["of", "the", "following", "month", ..]) => return in_month(1),
        _ => {}
    }
    if w[..i].windows(2).any(|p| p == ["next", "month"]) {
        return in_month(1);
    }
    if past {
        return (0..4).find_map(|m| in_month(-m).filter(|d| *d <= today));
    }
    (0..4).find_map(|m| in_month(m).filter(|d| *d >= today))
}

/// "Friday", "this Friday", "next Friday" (of next week, weeks starting on Monday), "last Friday".
fn on_weekday(w: &[&str], i: usize, today: Date, past: bool) -> Option<Date> {
    let day = weekday(w[i])?;
    let before = i.checked_sub(1).map_or("", |i| w[i]);
    let after = w.get(i + 1).copied().unwrap_or_default();
    match (before, after) {
        ("last", _) | ("past", _) => today.nth_weekday(-1, day).ok(),
        ("next", _) | (_, "next") => {
            let next_monday = plus(monday(today)?, 7)?;
            plus(next_monday, i64::from(day.to_monday_zero_offset()))
        }
        ("this", _) if today.weekday() == day => Some(today),
        ("this" | "coming", _) => coming(today, day),
        _ if past => today.nth_weekday(-1, day).ok(),
        _ => coming(today, day),
    }
}

/// Days with a name of their own, and "next week".
fn named(w: &[&str], today: Date) -> Option<Date> {
    let next = |month: i8, day: i8| {
        let this = Date::new(today.year(), month, day).ok()?;
        if this < today {
            Date::new(today.year() + 1, month, day).ok()
        } else {
            Some(this)
        }
    };
    match w {
        ["day", "after", "tomorrow", ..] => plus(today, 2),
        ["day", "before", "yesterday", ..] => plus(today, -2),
        ["tomorrow" | "tomorrow's" | "tomoro", ..] => plus(today, 1),
        ["yesterday" | "yesterday's", ..] => plus(today, -1),
        ["today" | "tonight" | "today's", ..]
        | ["this", "morning" | "afternoon" | "evening", ..]
        | ["right", "now", ..] => Some(today),
        ["christmas", "eve", ..] => next(12, 24),
        ["christmas", "day", ..] | ["christmas", ..] => next(12, 25),
        ["boxing", "day", ..] => next(12, 26),
        ["new", "year's" | "years", "eve", ..] => next(12, 31),
        ["new", "year's" | "years" | "year", ..] => next(1, 1),
        ["weekend", ..] => coming(plus(today, -1)?, Weekday::Saturday),
        ["next", "week", ..] => plus(today, 7),
        ["next", "month", ..] => today.checked_add(1.month()).ok(),
        ["next", "year", ..] => today.checked_add(1.year()).ok(),
        ["last", "week", ..] => plus(today, -7),
        ["last", "month", ..] => today.checked_sub(1.month()).ok(),
        _ => None,
    }
}
