//! Whether what a caller said is what the customer's record holds.

use jiff::civil::Date;

use super::contact::{e164, email, phone};
use super::date::birth_date;
use super::lattice::distance;
use super::name::name;
use super::postcode::{one_slip, postcode};
use super::spell::{confusable, digits, identifier};
use super::token::tokens;
use super::{Locale, money, number};

/// How what was said compares with the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// The same value, however it was said.
    Exact,
    /// One plausible slip of a recogniser away. Proves nothing until it is confirmed or said again.
    Near,
    /// Another value, or none.
    No,
}

/// Compares a factor of identity as said with the customer's record. `kind` is the field's name: `postcode`, `date_of_birth`, `name`,
/// `last_four`, `email`, `phone`; others are compared as identifiers, numbers or words, by what the record holds.
pub fn factor(kind: &str, said: &str, record: &str, today: Date, locale: &Locale) -> Match {
    let record = record.trim();
    if record.is_empty() {
        return Match::No;
    }
    let kind = kind.to_ascii_lowercase();
    let has = |part: &str| kind.contains(part);
    if has("postcode") || has("postal") || has("zip") {
        return postcodes(said, record, locale);
    }
    if has("birth") || kind == "dob" {
        return births(said, record, today, locale);
    }
    if has("email") || has("e_mail") {
        return emails(said, record);
    }
    if has("phone") || has("mobile") || has("telephone") {
        let Some(wanted) = e164(record, locale.country()) else {
            return Match::No;
        };
        return match phone(said, locale) {
            Some(found) if found == wanted => Match::Exact,
            Some(found) => slip(&found, &wanted),
            None => Match::No,
        };
    }
    if has("name") && !has("user") {
        return names(&kind, said, record);
    }
    if has("last_four") || has("last4") || has("digits") || has("pin") {
        let wanted: String = record.chars().filter(char::is_ascii_digit).collect();
        return match digits(said) {
            Some(found) if !wanted.is_empty() && found == wanted => Match::Exact,
            Some(found) if !wanted.is_empty() => slip(&found, &wanted),
            _ => Match::No,
        };
    }
    generic(said, record, today, locale)
}

/// Compares a code of the record (a postcode) with all that was heard of it: for every attempt, the recogniser's alternatives. One
/// attempt may miss a sound, and several that each miss another may still tell it: attempts nearly right twice over are as good as one
/// quite right. [`Match::Near`] still proves nothing.
pub fn attempts(heard: &[Vec<&str>], record: &str, locale: &Locale) -> Match {
    let wanted = bare(record);
    let exact = heard
        .iter()
        .flatten()
        .any(|said| postcodes(said, record, locale) == Match::Exact);
    if exact {
        return Match::Exact;
    }
    let mut best: Vec<f32> = heard
        .iter()
        .map(|alternatives| {
            alternatives
                .iter()
                .map(|said| distance(said, &wanted))
                .fold(f32::INFINITY, f32::min)
        })
        .collect();
    best.sort_by(f32::total_cmp);
    let once = best.first().copied().unwrap_or(f32::INFINITY);
    let twice = best.get(1).map_or(f32::INFINITY, |second| once + second);
    if once <= ONCE || twice <= TWICE {
        Match::Exact
    } else if once <= NEARLY {
        Match::Near
    } else {
        Match::No
    }
}

/// Mishearings ([`super::lattice`]) in one attempt that prove a code.
const ONCE: f32 = 0.5;
/// In the best two attempts together.
const TWICE: f32 = 3.0;
/// In one attempt that is asked for once more.
const NEARLY: f32 = 2.0;

fn bare(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_uppercase)
        .collect()
}

/// One character differs and its name sounds like the other's, or two neighbours are swapped.
fn slip(found: &str, wanted: &str) -> Match {
    let (a, b): (Vec<char>, Vec<char>) = (found.chars().collect(), wanted.chars().collect());
    if a == b {
        return Match::Exact;
    }
    if a.len() != b.len() {
        return Match::No;
    }
    let differ: Vec<usize> = (0..a.len()).filter(|i| a[*i] != b[*i]).collect();
    match differ.as_slice() {
        [i] if confusable(a[*i], b[*i]) => Match::Near,
        _ => Match::No,
    }
}

fn postcodes(said: &str, record: &str, locale: &Locale) -> Match {
    let wanted = bare(record);
    let Some(found) = postcode(said, locale) else {
        return Match::No;
    };
    let found = bare(&found);
    // A ZIP said without its four more digits is the same ZIP.
    let zip = locale.country() == "US" && wanted.len() == 9 && found.len() == 5
        || locale.country() == "US" && found.len() == 9 && wanted.len() == 5;
    if found == wanted || (zip && found[..5] == wanted[..5]) {
        return Match::Exact;
    }
    if one_slip(&found, &wanted) {
        Match::Near
    } else {
        Match::No
    }
}

fn births(said: &str, record: &str, today: Date, locale: &Locale) -> Match {
    let iso = record.get(..10).and_then(|d| d.parse::<Date>().ok());
    let Some(wanted) = iso.or_else(|| birth_date(record, today, locale)) else {
        return Match::No;
    };
    match birth_date(said, today, locale) {
        Some(found) if found == wanted => Match::Exact,
        // The day's or the year's unit misheard ("fifth" and "ninth", "thirteen" and "thirty"), the rest the same.
        Some(found) => {
            let pair = |a: i16, b: i16| {
                matches!(
                    (a.min(b), a.max(b)),
                    (5, 9)
                        | (13, 30)
                        | (14, 40)
                        | (15, 50)
                        | (16, 60)
                        | (17, 70)
                        | (18, 80)
                        | (19, 90)
                        | (6, 16)
                        | (7, 17)
                        | (8, 18)
                )
            };
            let day = found.month() == wanted.month()
                && found.year() == wanted.year()
                && pair(i16::from(found.day()), i16::from(wanted.day()));
            let year = found.month() == wanted.month()
                && found.day() == wanted.day()
                && found.year() / 10 == wanted.year() / 10
                && pair(found.year() % 10, wanted.year() % 10);
            let swapped = i16::from(found.day()) == i16::from(wanted.month())
                && found.month() == wanted.day()
                && found.year() == wanted.year();
            if day || year || swapped {
                Match::Near
            } else {
                Match::No
            }
        }
        None => Match::No,
    }
}

fn emails(said: &str, record: &str) -> Match {
    let wanted = record.to_ascii_lowercase();
    let Some(found) = email(said) else {
        return Match::No;
    };
    if found == wanted {
        Match::Exact
    } else if strsim::levenshtein(&found, &wanted) == 1
        && found.split_once('@').map(|p| p.1) == wanted.split_once('@').map(|p| p.1)
    {
        Match::Near
    } else {
        Match::No
    }
}

fn names(kind: &str, said: &str, record: &str) -> Match {
    let Some(found) = name(said) else {
        return Match::No;
    };
    let parts = |n: &str| -> Vec<String> {
        n.split([' ', '-'])
            .map(bare)
            .filter(|p| !p.is_empty())
            .collect()
    };
    let (found, wanted) = (parts(&found), parts(record));
    if found.concat() == wanted.concat() {
        return Match::Exact;
    }
    let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else {
        return Match::No;
    };
    // Middle names may be left out, on either side; a first name alone proves nothing where the record holds the whole.
    let whole = kind == "name" || kind.contains("full");
    if whole && wanted.len() >= 2 && found.len() >= 2 {
        if found.first() == Some(first)
            && found.last() == Some(last)
            && (found.len() == 2 || wanted.len() == 2)
        {
            return Match::Exact;
        }
        if near_name(&found[0], first) && found.last().is_some_and(|f| near_name(f, last)) {
            return Match::Near;
        }
        return Match::No;
    }
    // One part asked for (first or last name) and more said: it is among what was said.
    if wanted.len() == 1 {
        let place = if kind.contains("last") || kind.contains("sur") || kind.contains("family") {
            found.last()
        } else {
            found.first()
        };
        return match place {
            Some(p) if p == first => Match::Exact,
            Some(p) if near_name(p, first) => Match::Near,
            _ => Match::No,
        };
    }
    Match::No
}

/// Spelled otherwise, said the same: "Kirsty" and "Kirstie", "Sean" and "Shawn".
fn near_name(a: &str, b: &str) -> bool {
    a == b
        || sound(a) == sound(b)
        || (a.len() > 3 && b.len() > 3 && strsim::damerau_levenshtein(a, b) <= 1)
}

/// A rough key of how a name sounds in English.
fn sound(name: &str) -> String {
    let mut s = name.to_lowercase();
    for (from, to) in [
        ("sean", "shon"),
        ("shaun", "shon"),
        ("shawn", "shon"),
        ("ph", "f"),
        ("ck", "k"),
        ("gh", ""),
        ("kn", "n"),
        ("wr", "r"),
        ("mb", "m"),
        ("ce", "se"),
        ("ci", "si"),
        ("cy", "sy"),
        ("ie", "y"),
        ("ey", "y"),
        ("ee", "y"),
        ("x", "ks"),
        ("q", "k"),
        ("c", "k"),
        ("z", "s"),
        ("th", "t"),
    ] {
        s = s.replace(from, to);
    }
    let mut key = String::new();
    for (i, c) in s.chars().enumerate() {
        let c = if i > 0 && "aeiouy".contains(c) {
            'a'
        } else {
            c
        };
        if (c == 'h' && i > 0 && !key.ends_with('s')) || key.ends_with(c) {
            continue;
        }
        key.push(c);
    }
    key.trim_end_matches('a').to_owned()
}

/// Compared as what the record looks like: a date, a number, a reference, or words.
fn generic(said: &str, record: &str, today: Date, locale: &Locale) -> Match {
    if let Ok(wanted) = record.parse::<Date>() {
        let found = birth_date(said, today, locale).or_else(|| super::date(said, today, locale));
        return if found == Some(wanted) {
            Match::Exact
        } else {
            Match::No
        };
    }
    let wanted = bare(record);
    let plain: String = tokens(said)
        .iter()
        .filter(|t| t.is_word() || t.is_figure())
        .map(|t| t.text.as_str())
        .collect();
    if bare(&plain) == wanted {
        return Match::Exact;
    }
    let numeric = wanted.chars().all(|c| c.is_ascii_digit());
    if numeric && !record.contains('.') {
        if let Some(found) = digits(said) {
            if found == wanted {
                return Match::Exact;
            }
            if slip(&found, &wanted) == Match::Near {
                return Match::Near;
            }
        }
        return if number(said).is_some_and(|n| format!("{n:.0}") == wanted) {
            Match::Exact
        } else {
            Match::No
        };
    }
    if let Ok(wanted) = record.parse::<f64>() {
        let cents = (wanted * 100.0).round() as i64;
        return if money(said, locale).iter().any(|m| m.minor == cents) {
            Match::Exact
        } else {
            Match::No
        };
    }
    if wanted.chars().any(|c| c.is_ascii_digit()) {
        return match identifier(said) {
            Some(found) if found == wanted => Match::Exact,
            Some(found) => slip(&found, &wanted),
            None => Match::No,
        };
    }
    // Words: all of the record's are said, in order.
    let words = |s: &str| -> Vec<String> {
        tokens(s)
            .into_iter()
            .filter(|t| t.is_word() || t.is_figure())
            .map(|t| t.text)
            .collect()
    };
    let (said, record) = (words(said), words(record));
    if said.windows(record.len()).any(|w| w == record) && said.len() <= record.len() + 5 {
        return Match::Exact;
    }
    let (a, b) = (said.join(" "), record.join(" "));
    if a.len() > 4 && strsim::damerau_levenshtein(&a, &b) == 1 {
        Match::Near
    } else {
        Match::No
    }
}
