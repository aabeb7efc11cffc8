//! Where personal data stand among a text's words.

use std::ops::Range;

use super::Private;
use super::words::{What, Word};
use crate::desk::text::{MONTHS, is_weekday};

/// Numbers of six digits or more, cards among them. Single letters and short words do not break a number up that is read out.
pub(super) fn numbers(words: &[Word<'_>], found: &mut Vec<(Range<usize>, Private)>) {
    let mut at = 0;
    while at < words.len() {
        if !words[at].is_number() {
            at += 1;
            continue;
        }
        let begun = at;
        let mut digits = String::new();
        let mut times = 1;
        let mut end = at;
        while let Some(word) = words.get(at) {
            match &word.what {
                What::Digits(d) => {
                    digits.push_str(&d.repeat(std::mem::replace(&mut times, 1)));
                    end = at;
                }
                What::Spelled(d) => {
                    // "forty two": the tens take the ones in.
                    let tens = digits.ends_with('0')
                        && d.len() == 1
                        && *d != "0"
                        && at > begun
                        && matches!(words[at - 1].what, What::Spelled(t) if t.len() == 2 && t.as_bytes()[0] >= b'2');
                    if tens {
                        digits.pop();
                    }
                    digits.push_str(&d.repeat(std::mem::replace(&mut times, 1)));
                    end = at;
                }
                What::Times(n) => times = *n,
                _ if matches!(
                    word.lower.as_str(),
                    "and" | "dash" | "uh" | "um" | "er" | "then" | "space"
                ) && words.get(at + 1).is_some_and(Word::is_number) => {}
                _ => break,
            }
            at += 1;
        }
        let range = words[begun].at.start..words[end].at.end;
        match digits.len() {
            13..=19 if luhn(&digits) => found.push((range, Private::Cards)),
            6.. if !is_date(words, begun, end) => found.push((range, Private::Numbers)),
            _ => {}
        }
    }
}

/// One word that is a date: 2026-11-23, 11/23/2026. Dates of birth are judged by themselves.
fn is_date(words: &[Word<'_>], begun: usize, end: usize) -> bool {
    begun == end && date_in_figures(&words[begun].lower).is_some()
}

/// The year of a date in figures.
fn date_in_figures(word: &str) -> Option<u32> {
    let parts: Vec<&str> = word.split(['-', '/', '.']).collect();
    let [a, b, c] = parts[..] else { return None };
    let number = |p: &str| p.parse::<u32>().ok();
    let (a, b, c) = (number(a)?, number(b)?, number(c)?);
    let day = |n: u32| (1..=31).contains(&n);
    if (1900..2100).contains(&a) && day(b) && day(c) {
        return Some(a);
    }
    if !day(a) || !day(b) {
        return None;
    }
    match c {
        1900..2100 => Some(c),
        0..100 if parts[2].len() == 2 => Some(if c > 15 { 1900 + c } else { 2000 + c }),
        _ => None,
    }
}

/// Years in which somebody who phones may have been born.
fn birth_year(year: u32) -> bool {
    (1900..=2015).contains(&year)
}

/// Dates of birth: a whole date with the year of somebody grown up, in figures or words.
pub(super) fn births(words: &[Word<'_>], found: &mut Vec<(Range<usize>, Private)>) {
    for (at, word) in words.iter().enumerate() {
        if date_in_figures(&word.lower).is_some_and(birth_year) {
            found.push((word.at.clone(), Private::Births));
        }
        if word.what != What::Month {
            continue;
        }
        // Behind the month: a day or none, then a year.
        let mut end = at;
        let mut year = None;
        let mut next = at + 1;
        while next < words.len() && next <= at + 5 {
            match &words[next].what {
                What::Digits(d) if d.len() == 4 => {
                    year = d.parse::<u32>().ok().filter(|y| birth_year(*y));
                    end = next;
                    break;
                }
                What::Spelled("19") => {
                    year = Some(1950);
                    end = next;
                    let mut more = next + 1;
                    while more < words.len()
                        && more <= next + 2
                        && matches!(words[more].what, What::Spelled(_))
                    {
                        end = more;
                        more += 1;
                    }
                    break;
                }
                What::Spelled("2")
                    if words.get(next + 1).is_some_and(|w| w.lower == "thousand") =>
                {
                    year = Some(2000);
                    end = next + 1;
                    let mut more = end + 1;
                    while more < words.len()
                        && more <= next + 3
                        && (matches!(words[more].what, What::Spelled(_))
                            || words[more].lower == "and")
                    {
                        end = more;
                        more += 1;
                    }
                    break;
                }
                What::Digits(d) if d.len() <= 2 => {}
                What::Ordinal | What::Spelled(_) => {}
                _ if matches!(words[next].lower.as_str(), "of" | "the" | "in") => {}
                _ => break,
            }
            next += 1;
        }
        if year.is_none() {
            continue;
        }
        let mut begun = at;
        while begun > 0 {
            let before = &words[begun - 1];
            let day = match &before.what {
                What::Ordinal => true,
                What::Digits(d) => d.len() <= 2,
                What::Spelled(_) => true,
                _ => matches!(before.lower.as_str(), "of" | "the") && begun >= 2,
            };
            if !day || at - begun >= 3 {
                break;
            }
            begun -= 1;
        }
        found.push((words[begun].at.start..words[end].at.end, Private::Births));
    }
}

/// "My name is Jane Doe": the words with capital letters behind it.
pub(super) fn names(words: &[Word<'_>], found: &mut Vec<(Range<usize>, Private)>) {
    const BEFORE: &[&[&str]] = &[
        &["my", "name", "is"],
        &["my", "name's"],
        &["name", "is"],
        &["i", "am", "called"],
        &["i'm", "called"],
        &["speaking", "with"],
        &["this", "is"],
        &["it's"],
        &["i'm"],
        &["i", "am"],
        &["calling", "for"],
    ];
    let capital = |w: &Word<'_>| {
        w.what == What::Other
            && w.plain.chars().next().is_some_and(char::is_uppercase)
            && w.plain.chars().skip(1).any(char::is_lowercase)
            && !MONTHS.contains(&w.lower.as_str())
            && !is_no_name(&w.lower)
    };
    let mut at = 0;
    while at < words.len() {
        let told = BEFORE.iter().find(|before| {
            words.len() >= at + before.len()
                && before
                    .iter()
                    .zip(&words[at..])
                    .all(|(b, w)| w.lower.replace('\u{2019}', "'") == **b)
        });
        let Some(told) = told else {
            at += 1;
            continue;
        };
        let first = at + told.len();
        let mut end = first;
        while end < words.len() && end < first + 4 && capital(&words[end]) {
            end += 1;
        }
        // "My name is" is followed by a name whatever its letters; "this is" may be followed by anything.
        if end == first && told.contains(&"name") && first < words.len() {
            end = first + 1;
        }
        if end > first {
            found.push((words[first].at.start..words[end - 1].at.end, Private::Names));
        }
        at = end.max(at + 1);
    }
}

fn is_no_name(word: &str) -> bool {
    is_weekday(word) || NOT_NAMES.contains(&word)
}

/// Capital words that follow "I'm" and "this is" and are nobody's names.
const NOT_NAMES: &[&str] = &["i", "i'm", "ok", "okay", "yes", "no"];

/// An answer to a question for proof: everything in it that is a number, a date or a code; a name where there is none of these.
pub(super) fn answer(words: &[Word<'_>]) -> Option<(Range<usize>, Private)> {
    let tells = |w: &Word<'_>| {
        w.is_number()
            || matches!(w.what, What::Month | What::Ordinal | What::Mixed | What::Amount)
            // Letters of a postcode, one by one.
            || (w.plain.len() <= 2 && w.plain.chars().all(|c| c.is_ascii_uppercase()) && w.plain != "I")
    };
    let first = words.iter().position(tells);
    match first {
        Some(first) => {
            let last = words.iter().rposition(tells).unwrap_or(first);
            let month = words[first..=last].iter().any(|w| w.what == What::Month);
            let kind = if month {
                Private::Births
            } else {
                Private::Proof
            };
            Some((words[first].at.start..words[last].at.end, kind))
        }
        // "Maria Lopez": short, and no sentence.
        None if !words.is_empty()
            && words.len() <= 3
            && words.iter().all(|w| {
                w.what == What::Other
                    && w.plain.chars().next().is_some_and(char::is_uppercase)
                    && !is_no_name(&w.lower)
            })
            && words.len() >= 2 =>
        {
            let end = words[words.len() - 1].at.end;
            Some((words[0].at.start..end, Private::Names))
        }
        None => None,
    }
}

/// The check digit of ISO/IEC 7812-1, annex B.
pub fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte.wrapping_sub(b'0'));
            match (place % 2, digit) {
                (0, d) => d,
                (_, d) if d > 4 => d * 2 - 9,
                (_, d) => d * 2,
            }
        })
        .sum();
    digits.bytes().all(|b| b.is_ascii_digit()) && sum.is_multiple_of(10)
}
