//! Dates with a day and a month in them, and dates of birth.

use jiff::civil::Date;

use super::Locale;
use super::number::{cardinal, ordinal, small};
use super::relative::relative;
use super::token::{Token, corrected, tokens};

/// The date meant, relative ("a week on Friday", "the end of the month") or absolute; 3/4 is read by the locale. A day and month
/// without a year is the next one, or the last one where the words speak of the past.
pub fn date(text: &str, today: Date, locale: &Locale) -> Option<Date> {
    let all = tokens(text);
    let t = corrected(&all, |t| date_of(t, today, locale).is_some());
    date_of(&t, today, locale)
}

fn date_of(t: &[Token], today: Date, locale: &Locale) -> Option<Date> {
    let past = speaks_of_the_past(t);
    // "The first Monday in December" is not the first of December.
    if let Some(date) = super::relative::nth_weekday(t, today) {
        return Some(date);
    }
    (0..t.len())
        .find_map(|i| partial(t, i, locale, false).and_then(|(p, _)| p.resolve(today, past)))
        .or_else(|| relative(t, today, past))
}

/// First date of a written text with its first token and the token after, year left open where none is written.
pub(super) fn written(t: &[Token], i: usize, locale: &Locale) -> Option<(Partial, usize)> {
    partial(t, i, locale, false)
}

/// A date of birth: absolute, with its year (two digits will do), never in the future.
pub fn birth_date(text: &str, today: Date, locale: &Locale) -> Option<Date> {
    let all = tokens(text);
    let t = corrected(&all, |t| birth_of(t, today, locale).is_some());
    birth_of(&t, today, locale)
}

fn birth_of(t: &[Token], today: Date, locale: &Locale) -> Option<Date> {
    let mut i = 0;
    while i < t.len() {
        let Some((found, next)) = partial(t, i, locale, true) else {
            i += 1;
            continue;
        };
        if let Some(date) = found.born(today) {
            return Some(date);
        }
        // "20th May 6th 1998" is two dates at odds: no other date is made of the first one's words.
        i = next;
    }
    run_together(t, today, locale)
}

/// A day and month, and a year where one was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Partial {
    pub day: i8,
    pub month: i8,
    pub year: Option<Year>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Year {
    Full(i16),
    Two(i16),
}

impl Partial {
    fn new(day: i64, month: i64, year: Option<Year>) -> Option<Self> {
        // 29 February must survive without a year.
        let check = match year {
            Some(Year::Full(y)) => y,
            Some(Year::Two(y)) => 2000 + y,
            None => 2024,
        };
        let (day, month) = (i8::try_from(day).ok()?, i8::try_from(month).ok()?);
        let lenient = matches!(year, Some(Year::Two(_))) && (day, month) == (29, 2);
        (lenient || Date::new(check, month, day).is_ok()).then_some(Self { day, month, year })
    }

    fn resolve(self, today: Date, past: bool) -> Option<Date> {
        match self.year {
            Some(Year::Full(y)) => Date::new(y, self.month, self.day).ok(),
            Some(Year::Two(y)) => Date::new(2000 + y, self.month, self.day).ok(),
            None => {
                let years = today.year() - 4..=today.year() + 4;
                let mut all = years.filter_map(|y| Date::new(y, self.month, self.day).ok());
                if past {
                    all.rfind(|d| *d <= today)
                } else {
                    all.find(|d| *d >= today)
                }
            }
        }
    }

    fn born(self, today: Date) -> Option<Date> {
        let date = match self.year? {
            Year::Full(y) => Date::new(y, self.month, self.day).ok()?,
            Year::Two(y) => {
                // The youngest age of thirteen or more: "05" is 2005, "85" is 1985.
                let this = Date::new(2000 + y, self.month, self.day).ok();
                match this.filter(|d| d.year() + 13 <= today.year()) {
                    Some(d) => d,
                    None => Date::new(1900 + y, self.month, self.day).ok()?,
                }
            }
        };
        (date <= today && date.year() >= 1890).then_some(date)
    }
}

fn speaks_of_the_past(t: &[Token]) -> bool {
    t.iter().any(|t| {
        t.any(&[
            "was",
            "were",
            "paid",
            "charged",
            "ago",
            "did",
            "went",
            "bought",
            "ordered",
            "returned",
            "sent",
            "took",
            "came",
            "had",
            "been",
            "received",
            "got",
            "happened",
            "since",
            "yesterday",
            "made",
            "cancelled",
            "canceled",
            "called",
        ])
    })
}

/// A month's name or usual abbreviation.
pub(super) fn month(word: &str) -> Option<i64> {
    Some(match word {
        "january" | "jan" => 1,
        "february" | "feb" | "febuary" => 2,
        "march" | "mar" => 3,
        "april" | "apr" => 4,
        "may" => 5,
        "june" | "jun" => 6,
        "july" | "jul" => 7,
        "august" | "aug" => 8,
        "september" | "sep" | "sept" => 9,
        "october" | "oct" => 10,
        "november" | "nov" => 11,
        "december" | "dec" => 12,
        _ => return None,
    })
}

/// A date at token `i`: the date and the token after it. `born`: a year follows, so bare numbers may be read as one.
fn partial(t: &[Token], i: usize, locale: &Locale, born: bool) -> Option<(Partial, usize)> {
    iso(t, i)
        .or_else(|| day_month(t, i))
        .or_else(|| month_day(t, i))
        .or_else(|| day_of_month_number(t, i))
        .or_else(|| numeric(t, i, locale, born))
}

/// "2026-12-03", "2026/12/3".
fn iso(t: &[Token], i: usize) -> Option<(Partial, usize)> {
    let year: i64 = figure(t, i, 4)?;
    let mut j = i + 1;
    skip(t, &mut j, &["-", "/", "."]);
    let month = figure(t, j, 2).or_else(|| figure(t, j, 1))?;
    j += 1;
    skip(t, &mut j, &["-", "/", "."]);
    let day = figure(t, j, 2).or_else(|| figure(t, j, 1))?;
    let year = i16::try_from(year)
        .ok()
        .filter(|y| (1800..2200).contains(y))?;
    Some((Partial::new(day, month, Some(Year::Full(year)))?, j + 1))
}

fn figure(t: &[Token], i: usize, digits: usize) -> Option<i64> {
    let t = t.get(i)?;
    (t.is_figure() && !t.ordinal && t.text.len() == digits)
        .then(|| t.text.parse().ok())
        .flatten()
}

fn skip(t: &[Token], j: &mut usize, any: &[&str]) {
    while t.get(*j).is_some_and(|t| t.any(any)) {
        *j += 1;
    }
}

/// A day: "3rd", "third", "3", "three", "oh three"; true where it was an ordinal.
fn day(t: &[Token], i: usize) -> Option<(i64, usize, bool)> {
    if let Some((v, next)) = ordinal(t, i) {
        return (1..=31).contains(&v).then_some((i64::from(v), next, true));
    }
    let (v, next) = two_digits(t, i)?;
    (1..=31).contains(&v).then_some((v, next, false))
}

/// A number below a hundred: a figure of one or two digits, words, or "oh four".
fn two_digits(t: &[Token], i: usize) -> Option<(i64, usize)> {
    let token = t.get(i)?;
    if token.any(&["oh", "o", "zero", "nought"])
        || (token.is("0")
            && t.get(i + 1)
                .is_some_and(|t| t.text.len() == 1 || small(&t.text).is_some()))
    {
        let unit = t.get(i + 1)?;
        let v = small(&unit.text)
            .or_else(|| unit.text.parse().ok())
            .filter(|v| (1..10).contains(v))?;
        return Some((i64::from(v), i + 2));
    }
    if token.is_figure() {
        return (token.text.len() <= 2 && !token.ordinal)
            .then(|| token.text.parse().ok().map(|v| (v, i + 1)))
            .flatten();
    }
    let (v, next) = cardinal(t, i)?;
    (v < 100.0 && v.fract() == 0.0).then_some((v as i64, next))
}

/// "the third of March 2026", "3 December", "3rd Dec, 26".
fn day_month(t: &[Token], i: usize) -> Option<(Partial, usize)> {
    let (day, mut j, _) = day(t, i)?;
    skip(t, &mut j, &["of", "the", "-", "/", ",", "in"]);
    let month = month(&t.get(j)?.text)?;
    j += 1;
    let (year, next) = year_after(t, j);
    Some((Partial::new(day, month, year)?, next))
}

/// "March 3rd", "December the third, 2026", "Dec 3".
pub(super) fn month_day(t: &[Token], i: usize) -> Option<(Partial, usize)> {
    let month = month(&t[i].text)?;
    let mut j = i + 1;
    skip(t, &mut j, &["the", ",", "-", ".", "on"]);
    let (day, next, _) = day(t, j)?;
    // "May 10 dollars" is no date.
    if t.get(next).is_some_and(|t| {
        t.any(&[
            "dollars", "pounds", "percent", "%", "%", "euros", "days", "weeks",
        ])
    }) {
        return None;
    }
    let (year, next) = year_after(t, next);
    Some((Partial::new(day, month, year)?, next))
}

/// "the fourth of the seventh eighty-five", "27th of the 9th 1979": always day first.
fn day_of_month_number(t: &[Token], i: usize) -> Option<(Partial, usize)> {
    let (day_, mut j, _) = day(t, i)?;
    let linked = t.get(j).is_some_and(|t| t.any(&["of", "the", "off"]));
    if !linked {
        // "the fourth seventh eighty five" and "27th 9th 1979"
        ordinal(t, i)?;
        ordinal(t, j)?;
    }
    skip(t, &mut j, &["of", "off", "the", ","]);
    let (month, next, said_as_ordinal) = day(t, j)?;
    let (year, after) = year_after(t, next);
    if !(1..=12).contains(&month) || (!said_as_ordinal && year.is_none()) {
        return None;
    }
    Some((Partial::new(day_, month, year)?, after))
}

/// "7/4/1985", "04.07.85", "4 7 1985", "3/12".
fn numeric(t: &[Token], i: usize, locale: &Locale, born: bool) -> Option<(Partial, usize)> {
    let parts = ["/", "-", ".", ",", "slash", "dash", "dot"];
    // Inside a longer string of figures nothing is a date.
    if i > 0 && t[i - 1].is_figure() && !born {
        return None;
    }
    let (mut a, mut j) = two_digits(t, i)?;
    let mut b = None;
    // "1505 1985" and "3011 1949"
    let strong = t.get(j).is_some_and(|t| t.any(&["/", "slash"]));
    skip(t, &mut j, &parts);
    if let Some((v, next)) = two_digits(t, j) {
        b = Some(v);
        j = next;
    }
    let b = b?;
    let mut k = j;
    skip(t, &mut k, &parts);
    let separated = k > j;
    let year = year(t, k).filter(|(y, _)| match y {
        Year::Full(_) => true,
        Year::Two(_) => born || strong || separated,
    });
    let (year, next) = match year {
        Some((y, next)) => (Some(y), next),
        // Two numbers are a date only with a slash between them.
        None if strong && !born && t[i].is_figure() => (None, j),
        None => return None,
    };
    let mut b = b;
    if !locale.day_first() {
        std::mem::swap(&mut a, &mut b);
    }
    // 25/12 is a date in either country.
    let found = Partial::new(a, b, year).or_else(|| Partial::new(b, a, year))?;
    Some((found, next))
}

/// The year after a day and month, past a comma, "of" or "in".
fn year_after(t: &[Token], i: usize) -> (Option<Year>, usize) {
    let mut j = i;
    skip(t, &mut j, &[",", "of", "in", "-", "/", ".", "'", "year"]);
    // "3 March at 9" and "3 March, 12 pounds" have no year; two digits count only when nothing else follows them.
    match year(t, j) {
        Some((y @ Year::Full(_), next)) => (Some(y), next),
        Some((y @ Year::Two(_), next))
            if t.get(next).is_none_or(|t| {
                !t.is_word() || t.any(&["please", "thanks", "thank", "and", "that's"])
            }) && !t.get(next).is_some_and(|t| t.any(&[":", "%"])) =>
        {
            (Some(y), next)
        }
        _ => (None, i),
    }
}

fn year(t: &[Token], i: usize) -> Option<(Year, usize)> {
    let token = t.get(i)?;
    let full = |y: i64, next: usize| {
        i16::try_from(y)
            .ok()
            .filter(|y| (1880..2200).contains(y))
            .map(|y| (Year::Full(y), next))
    };
    if token.is_figure() && token.text.len() == 4 && !token.ordinal {
        let y: i64 = token.text.parse().ok()?;
        // "2000 and 3" and "1980 5", as recognisers write a slow speaker.
        let mut j = i + 1;
        let and = t.get(j).is_some_and(|t| t.is("and"));
        if and {
            j += 1;
        }
        if y % 10 == 0
            && (and || y % 100 != 0)
            && let Some(unit) = t.get(j).and_then(|t| {
                small(&t.text).or_else(|| {
                    (t.text.len() == 1 && !t.ordinal)
                        .then(|| t.text.parse().ok())
                        .flatten()
                })
            })
            && (1..10).contains(&unit)
            && t.get(j + 1).is_none_or(|t| !t.is_word() && !t.is_figure())
        {
            return full(y + i64::from(unit), j + 1);
        }
        // "2000 and the 11th"
        if and && y % 100 == 0 {
            skip(t, &mut j, &["the"]);
            let more = ordinal(t, j)
                .map(|(v, next)| (i64::from(v), next))
                .or_else(|| two_digits(t, j));
            if let Some((v, next)) =
                more.filter(|(v, next)| (1..100).contains(v) && *next == t.len())
            {
                return full(y + v, next);
            }
        }
        return full(y, i + 1);
    }
    // "nineteen eighty-five", "19 85", "twenty twenty-six", "twenty oh six"
    let century = match token.text.as_str() {
        "nineteen" | "19" => Some(1900),
        "twenty" | "20" => Some(2000),
        _ => None,
    };
    if let Some(century) = century {
        if t.get(i + 1).is_some_and(|t| t.is("hundred")) {
            let mut j = i + 2;
            skip(t, &mut j, &["and"]);
            return match two_digits(t, j) {
                Some((v, next)) => full(century + v, next),
                None => full(century, i + 2),
            };
        }
        if let Some((v, next)) = two_digits(t, i + 1)
            && (v >= 10 || next == i + 3 || (t[i + 1].is_figure() && t[i + 1].text.len() == 2))
        {
            return full(century + v, next);
        }
    }
    if token.is_word()
        && let Some((v, next)) = cardinal(t, i)
        && v >= 1900.0
        && v.fract() == 0.0
    {
        return full(v as i64, next);
    }
    let (v, next) = two_digits(t, i)?;
    let said_whole = v >= 10 || next == i + 2 || (token.is_figure() && token.text.len() == 2);
    said_whole.then_some((Year::Two(i16::try_from(v).ok()?), next))
}

/// "19850704", "04071985", "27 0119 17", "3011 1949": all the digits said, cut where only one cut is a date.
fn run_together(t: &[Token], today: Date, locale: &Locale) -> Option<Date> {
    if t.iter().any(|t| month(&t.text).is_some()) {
        return None;
    }
    let text: Vec<&str> = t.iter().map(|t| t.text.as_str()).collect();
    let digits = super::spell::digits(&text.join(" "))?;
    let n = |r: std::ops::Range<usize>| digits.get(r).and_then(|d| d.parse::<i64>().ok());
    let full = |d: Option<i64>, m: Option<i64>, y: Option<i64>| {
        Partial::new(d?, m?, Some(Year::Full(i16::try_from(y?).ok()?)))?.born(today)
    };
    let by_locale = |a, b, y| {
        if locale.day_first() {
            full(a, b, y).or_else(|| full(b, a, y))
        } else {
            full(b, a, y).or_else(|| full(a, b, y))
        }
    };
    match digits.len() {
        8 => by_locale(n(0..2), n(2..4), n(4..8)).or_else(|| full(n(6..8), n(4..6), n(0..4))),
        // One leading zero was not said: only if one reading is a date.
        7 => {
            let first = by_locale(n(0..1), n(1..3), n(3..7));
            let second = by_locale(n(0..2), n(2..3), n(3..7));
            let zeroed = |d: &Option<Date>, s: &str| d.is_some() && !s.starts_with('0');
            match (
                first.filter(|_| digits.as_bytes()[0] != b'0'),
                second.filter(|_| digits.as_bytes()[2] != b'0'),
            ) {
                (Some(d), None) | (None, Some(d))
                    if zeroed(&Some(d), &digits) || digits.starts_with('0') =>
                {
                    Some(d)
                }
                _ => None,
            }
        }
        6 => {
            let two = |d: Option<i64>, m: Option<i64>| {
                Partial::new(d?, m?, Some(Year::Two(i16::try_from(n(4..6)?).ok()?)))?.born(today)
            };
            if locale.day_first() {
                two(n(0..2), n(2..4))
            } else {
                two(n(2..4), n(0..2))
            }
        }
        _ => None,
    }
}
