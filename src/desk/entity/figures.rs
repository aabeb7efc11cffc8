//! Every figure in a written sentence, so that a claim can be traced to its source: "fourteen days" is "14 days".

use super::Locale;
use super::date::{Year, month, written};
use super::money::{exponent, marked};
use super::number::{cardinal, ordinal};
use super::time;
use super::token::{Token, tokens};

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FigureKind {
    Number,
    Money,
    Percent,
    Date,
    Duration,
    Ordinal,
    Time,
}

/// One figure of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    pub kind: FigureKind,
    /// For comparison: `12.50 USD`, `14 day`, `2.9`, `2026-12-03` (`--12-03` without a year), `15:30`.
    pub value: String,
    /// As written.
    pub text: String,
}

/// The figures of a text, in order. "One" counts only with a unit, since it is usually no figure ("the one you chose").
pub fn figures(text: &str) -> Vec<Figure> {
    let t = tokens(text);
    let locale = Locale {
        language: "en-US".into(),
        currency: "USD".into(),
        tz: jiff::tz::TimeZone::UTC,
    };
    let monies = marked(&t, &locale);
    let mut out = vec![];
    let mut i = 0;
    while i < t.len() {
        let money = monies.iter().find(|(_, from, _)| *from == i);
        let (kind, value, next) = if let Some((m, _, next)) = money {
            let per = 10_i64.pow(exponent(&m.currency));
            let value = if per == 1 {
                format!("{} {}", m.minor, m.currency)
            } else {
                format!(
                    "{}.{:0w$} {}",
                    m.minor / per,
                    m.minor % per,
                    m.currency,
                    w = exponent(&m.currency) as usize
                )
            };
            (FigureKind::Money, value, *next)
        } else if let Some(found) = figure(&t, i, &locale) {
            found
        } else {
            i += 1;
            continue;
        };
        out.push(Figure {
            kind,
            value,
            text: text[t[i].start..t[next - 1].end].to_owned(),
        });
        i = next;
    }
    out
}

fn plain(v: f64) -> String {
    let text = format!("{v:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn figure(t: &[Token], i: usize, locale: &Locale) -> Option<(FigureKind, String, usize)> {
    if let Some((d, next)) = written(t, i, locale) {
        let value = match d.year {
            Some(Year::Full(y)) => format!("{y:04}-{:02}-{:02}", d.month, d.day),
            Some(Year::Two(y)) => format!("{:04}-{:02}-{:02}", 2000 + y, d.month, d.day),
            None => format!("--{:02}-{:02}", d.month, d.day),
        };
        return Some((FigureKind::Date, value, next));
    }
    // "December 2026"
    if month(&t[i].text).is_some()
        && let Some(year) = t.get(i + 1).filter(|t| t.is_figure() && t.text.len() == 4)
    {
        return Some((
            FigureKind::Date,
            format!("{}-{:02}", year.text, month(&t[i].text)?),
            i + 2,
        ));
    }
    if (!t[i].any(&["half", "quarter"]) || t.get(i + 1).is_some_and(|t| t.any(&["past", "to"])))
        && let Some((at, next)) = time::at(t, i)
    {
        let value = format!("{:02}:{:02}", at.hour(), at.minute());
        return Some((FigureKind::Time, value, next));
    }
    if let Some((v, next)) = ordinal(t, i) {
        // "second" and "third" are figures only as such ("the third payment"), never "one second" or "third party".
        let vague =
            t[i].any(&["second", "first"]) && t.get(next).is_none_or(|t| t.any(&["s", "of", ","]));
        return (!vague && !t.get(next).is_some_and(|t| t.is("party")))
            .then(|| (FigureKind::Ordinal, v.to_string(), next));
    }
    let special = match t[i].text.as_str() {
        "a" | "an" => t.get(i + 1).and_then(|n| {
            let days = unit(&n.text)?;
            // "a day" after "24 hours" is a rate ("per day"), not a length.
            (!matches!(
                i.checked_sub(1).map(|k| t[k].text.as_str()),
                Some("per" | "times" | "%" | "hours" | "once" | "twice")
            ) && matches!(
                n.text.as_str(),
                "fortnight" | "week" | "month" | "year" | "day" | "hour"
            ))
            .then(|| {
                (
                    FigureKind::Duration,
                    format!("{} {}", days.1, days.0),
                    i + 2,
                )
            })
        }),
        "half"
            if t.get(i + 1).is_some_and(|n| n.is("an"))
                && t.get(i + 2).is_some_and(|n| n.is("hour")) =>
        {
            Some((FigureKind::Duration, "30 minute".into(), i + 3))
        }
        "once" | "twice" => Some((
            FigureKind::Number,
            if t[i].is("once") {
                "1".into()
            } else {
                "2".into()
            },
            i + 1,
        )),
        "fortnight" => Some((FigureKind::Duration, "14 day".into(), i + 1)),
        _ => None,
    };
    if special.is_some() {
        return special.filter(|(_, _, next)| *next > i);
    }
    // A figure inside a name or a reference ("3D", "LP4") is none.
    if t[i].is_figure() && t[i].glued && i > 0 && t[i - 1].is_word() {
        return None;
    }
    let (v, next) = cardinal(t, i)?;
    if t.get(next).is_some_and(|t| t.any(&["%", "percent"])) {
        return Some((FigureKind::Percent, plain(v), next + 1));
    }
    if t.get(next).is_some_and(|n| n.is("per")) && t.get(next + 1).is_some_and(|n| n.is("cent")) {
        return Some((FigureKind::Percent, plain(v), next + 2));
    }
    // "5-7 days", "five to seven days": both ends carry the unit.
    let mut k = next;
    if t.get(k).is_some_and(|t| t.any(&["-", "to", "or", "and"]))
        && let Some((_, after)) = cardinal(t, k + 1)
    {
        k = after;
    }
    let (working, k) = skip_working(t, k);
    if let Some((name, each)) = t.get(k).and_then(|t| unit(&t.text)) {
        let value = format!(
            "{} {}{name}",
            plain(v * each),
            if working { "working " } else { "" }
        );
        let end = if k == next
            || (working && k == next + 1)
            || (t.get(next).is_some_and(|t| t.is("-")) && k == next + 1)
        {
            k + 1
        } else {
            next
        };
        return Some((FigureKind::Duration, value, end));
    }
    if let Some(p) = t.get(k).filter(|t| k > next && t.any(&["%", "percent"])) {
        debug_assert!(p.start > 0);
        return Some((FigureKind::Percent, plain(v), next));
    }
    // "one" without a unit is a pronoun more often than a number.
    if t[i].is("one") && next == i + 1 {
        return None;
    }
    Some((FigureKind::Number, plain(v), next))
}

fn skip_working(t: &[Token], k: usize) -> (bool, usize) {
    match t.get(k).map(|t| t.text.as_str()) {
        Some("working" | "business") => (true, k + 1),
        Some("-") if t.get(k + 1).and_then(|t| unit(&t.text)).is_some() => (false, k + 1),
        Some("full" | "whole" | "calendar" | "consecutive") => (false, k + 1),
        _ => (false, k),
    }
}

/// A unit of time in the unit it is compared in, and how many of those it is.
fn unit(word: &str) -> Option<(&'static str, f64)> {
    Some(match word {
        "second" | "seconds" | "secs" => ("second", 1.0),
        "minute" | "minutes" | "mins" | "min" => ("minute", 1.0),
        "hour" | "hours" | "hrs" => ("hour", 1.0),
        "day" | "days" => ("day", 1.0),
        "week" | "weeks" => ("day", 7.0),
        "fortnight" | "fortnights" => ("day", 14.0),
        "month" | "months" => ("month", 1.0),
        "year" | "years" => ("month", 12.0),
        _ => return None,
    })
}
