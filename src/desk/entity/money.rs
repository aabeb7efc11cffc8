//! Amounts of money.

use super::Locale;
use super::number::{cardinal, small, tens};
use super::token::{Token, corrected, tokens};

/// An amount in a currency's minor unit (cents, pence; whole yen).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    pub minor: i64,
    /// ISO 4217.
    pub currency: String,
}

/// Digits after the point in a currency (ISO 4217's exponent).
pub(super) fn exponent(currency: &str) -> u32 {
    match currency {
        "JPY" | "KRW" | "VND" | "CLP" | "ISK" => 0,
        "BHD" | "KWD" | "OMR" | "TND" | "JOD" => 3,
        _ => 2,
    }
}

/// The amounts said, in order. Numbers without a currency count, in the locale's, only where no amount has one.
/// A correction ("forty, no, fifty dollars") keeps what was corrected to.
pub fn money(text: &str, locale: &Locale) -> Vec<Money> {
    let all = tokens(text);
    let t = corrected(&all, |t| !amounts(t, locale).is_empty());
    amounts(&t, locale)
}

fn amounts(t: &[Token], locale: &Locale) -> Vec<Money> {
    let found = marked(t, locale);
    if found.is_empty() {
        return bare(t, locale);
    }
    found.into_iter().map(|(m, _, _)| m).collect()
}

/// Amounts with a currency: each with its first token and the token after it.
pub(super) fn marked(t: &[Token], locale: &Locale) -> Vec<(Money, usize, usize)> {
    let mut out = vec![];
    let mut i = 0;
    while i < t.len() {
        if let Some((m, next)) = symbol_first(t, i, locale).or_else(|| number_first(t, i, locale)) {
            out.push((m, i, next));
            i = next;
        } else {
            i += 1;
        }
    }
    out
}

fn minor(value: f64, currency: &str) -> i64 {
    (value * f64::from(10_u32.pow(exponent(currency)))).round() as i64
}

fn made(value: f64, currency: &str) -> Money {
    Money {
        minor: minor(value, currency),
        currency: currency.to_owned(),
    }
}

/// A dollar is the locale's where its currency is one.
fn dollar(locale: &Locale) -> &str {
    match locale.currency.as_str() {
        c @ ("CAD" | "AUD" | "NZD" | "SGD" | "HKD") => c,
        _ => "USD",
    }
}

/// "$12.50", "£ 3", "US$20", "GBP 12", "$1.2 million".
fn symbol_first(t: &[Token], i: usize, locale: &Locale) -> Option<(Money, usize)> {
    let mut at = i;
    let code = iso(&t[i], locale);
    if code.is_some() || (t[i].is("us") && t[i].upper) {
        at += 1;
    }
    let symbol = t.get(at).and_then(|t| sign(t, locale));
    if symbol.is_some() {
        at += 1;
    }
    let currency = code.or(symbol)?;
    let figure = t.get(at).filter(|t| t.is_figure() && !t.ordinal)?;
    let (value, next) = cardinal(t, at)?;
    // "$12 50": a recogniser's way of writing "twelve fifty".
    if let Some(cents) = t.get(at + 1).filter(|c| {
        next == at + 1
            && c.is_figure()
            && !c.ordinal
            && c.text.len() == 2
            && !figure.text.contains('.')
            && !t
                .get(at + 2)
                .is_some_and(|t| t.is_word() && super::date::month(&t.text).is_some())
    }) {
        let cents: f64 = cents.text.parse().ok()?;
        return Some((made(value + cents / 100.0, currency), at + 2));
    }
    // "$12 dollars" and "£12 and 50 pence"
    let next = if t
        .get(next)
        .is_some_and(|t| unit(&t.text, locale) == Some((currency, Part::Major)))
    {
        next + 1
    } else {
        next
    };
    let (rest, next) = cents_after(t, next, currency, locale, false).unwrap_or((0.0, next));
    Some((made(value + rest / 100.0, currency), next))
}

fn sign<'a>(t: &Token, locale: &'a Locale) -> Option<&'a str> {
    Some(match t.text.as_str() {
        "$" => dollar(locale),
        "£" => "GBP",
        "€" => "EUR",
        "¥" => "JPY",
        "₹" => "INR",
        _ => return None,
    })
}

fn iso<'a>(t: &Token, locale: &'a Locale) -> Option<&'a str> {
    if !t.upper {
        return None;
    }
    Some(match t.text.as_str() {
        "usd" => "USD",
        "gbp" => "GBP",
        "eur" => "EUR",
        "cad" => "CAD",
        "aud" => "AUD",
        "nzd" => "NZD",
        "jpy" => "JPY",
        "inr" => "INR",
        "chf" => "CHF",
        other if other.eq_ignore_ascii_case(&locale.currency) => &locale.currency,
        _ => return None,
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Major,
    Minor,
}

fn unit<'a>(word: &str, locale: &'a Locale) -> Option<(&'a str, Part)> {
    Some(match word {
        "dollar" | "dollars" | "buck" | "bucks" => (dollar(locale), Part::Major),
        "pound" | "pounds" | "quid" | "sterling" => ("GBP", Part::Major),
        "euro" | "euros" => ("EUR", Part::Major),
        "yen" => ("JPY", Part::Major),
        "rupee" | "rupees" => ("INR", Part::Major),
        "franc" | "francs" => ("CHF", Part::Major),
        "krona" | "kronor" => ("SEK", Part::Major),
        "kroner" | "krone" if locale.currency == "NOK" => ("NOK", Part::Major),
        "kroner" | "krone" => ("DKK", Part::Major),
        "cent" | "cents" if locale.currency == "EUR" => ("EUR", Part::Minor),
        "cent" | "cents" => (dollar(locale), Part::Minor),
        "penny" | "pennies" if locale.currency != "GBP" => (dollar(locale), Part::Minor),
        "pence" | "penny" | "pennies" => ("GBP", Part::Minor),
        _ => return None,
    })
}

/// "twelve pounds fifty", "forty quid", "50p", "ninety-nine cents", "a tenner", "five dollars and twenty cents".
fn number_first(t: &[Token], i: usize, locale: &Locale) -> Option<(Money, usize)> {
    let word = t[i].text.as_str();
    match word {
        "fiver" | "fivers" if locale.currency == "GBP" => return Some((made(5.0, "GBP"), i + 1)),
        "tenner" | "tenners" if locale.currency == "GBP" => {
            return Some((made(10.0, "GBP"), i + 1));
        }
        "grand" if i > 0 && t[i - 1].is("a") => {
            return Some((made(1000.0, &locale.currency), i + 1));
        }
        _ => {}
    }
    let (value, mut next) = if matches!(word, "a" | "one")
        && t.get(i + 1).is_some_and(|t| {
            matches!(
                t.text.as_str(),
                "pound" | "dollar" | "euro" | "buck" | "penny" | "quid" | "cent"
            )
        }) {
        (1.0, i + 1)
    } else if t[i].is("half") && t.get(i + 1).is_some_and(|t| t.is("a")) && cardinal(t, i).is_none()
    {
        (0.5, i + 2)
    } else if t[i].is("couple") && t.get(i + 1).is_some_and(|t| t.is("of")) {
        match t.get(i + 2) {
            Some(n) if n.is("hundred") => (200.0, i + 3),
            Some(n) if n.is("thousand") || n.is("grand") => (2000.0, i + 3),
            _ => (2.0, i + 2),
        }
    } else {
        cardinal(t, i)?
    };
    // "two grand" needs no unit.
    let grand = t[i..next].iter().any(|t| t.is("grand"));
    // "twelve fifty dollars", "12 50 dollars": a price with its unit at the end.
    if let Some((cents, after)) = price_tail(t, i, value, next)
        && t.get(after)
            .and_then(|t| unit(&t.text, locale))
            .is_some_and(|(_, p)| p == Part::Major)
    {
        let (currency, _) = unit(&t[after].text, locale)?;
        return Some((made(value + cents / 100.0, currency), after + 1));
    }
    if t.get(next).is_some_and(|t| t.is("and")) && t.get(next + 1).is_some_and(|t| t.is("half")) {
        next += 2;
    }
    let named = t.get(next).and_then(|t| {
        if t.is("p") && (t.glued || i + 1 == next) {
            return Some(("GBP", Part::Minor));
        }
        unit(&t.text, locale)
            .or_else(|| sign(t, locale).map(|c| (c, Part::Major)))
            .or_else(|| iso(t, locale).map(|c| (c, Part::Major)))
    });
    match named {
        Some((currency, Part::Minor)) => Some((made(value / 100.0, currency), next + 1)),
        Some((currency, Part::Major)) => {
            // "US dollars", "pounds sterling"
            let after = if t.get(next + 1).is_some_and(|t| t.is("sterling")) {
                next + 2
            } else {
                next + 1
            };
            let (rest, after) =
                cents_after(t, after, currency, locale, true).unwrap_or((0.0, after));
            Some((made(value + rest / 100.0, currency), after))
        }
        None if t
            .get(next)
            .is_some_and(|t| t.any(&["us", "american", "canadian", "australian"]))
            && t.get(next + 1)
                .is_some_and(|t| t.any(&["dollar", "dollars"])) =>
        {
            let currency = match t[next].text.as_str() {
                "canadian" => "CAD",
                "australian" => "AUD",
                _ => "USD",
            };
            Some((made(value, currency), next + 2))
        }
        None if grand => Some((made(value, &locale.currency), next)),
        None => None,
    }
}

/// The smaller unit after the larger: "and fifty pence", "fifty" (of "twelve pounds fifty"), "50 cents".
fn cents_after(
    t: &[Token],
    mut i: usize,
    currency: &str,
    locale: &Locale,
    bare: bool,
) -> Option<(f64, usize)> {
    let mut linked = false;
    while t.get(i).is_some_and(|t| t.any(&["and", ","])) {
        linked = true;
        i += 1;
    }
    if linked && t.get(i).is_some_and(|t| t.is("a")) && t.get(i + 1).is_some_and(|t| t.is("half")) {
        return Some((50.0, i + 2));
    }
    let (value, next) = cardinal(t, i)?;
    if value >= 100.0 || value.fract() != 0.0 {
        return None;
    }
    match t.get(next) {
        Some(u) if u.is("p") && currency == "GBP" => Some((value, next + 1)),
        Some(u) if unit(&u.text, locale) == Some((currency, Part::Minor)) => {
            Some((value, next + 1))
        }
        // "twelve pounds fifty": only directly after, never before another unit ("twelve pounds 50 times").
        follower
            if bare
                && !linked
                && value >= 1.0
                && follower.is_none_or(|f| {
                    !f.is_word()
                        || f.any(&["and", "please", "a", "on", "for", "today", "now", "to"])
                }) =>
        {
            (!t[i].ordinal).then_some((value, next))
        }
        _ => None,
    }
}

/// The "fifty" of "twelve fifty": cents as hundredths, and the token after.
fn price_tail(t: &[Token], i: usize, value: f64, next: usize) -> Option<(f64, usize)> {
    if value.fract() != 0.0 || value >= 1000.0 || t.get(i)?.text.contains('.') {
        return None;
    }
    let token = t.get(next)?;
    let two = |v: f64| (10.0..100.0).contains(&v);
    if token.is_figure() {
        return (token.text.len() == 2 && !token.ordinal && t[i].is_figure())
            .then(|| token.text.parse().ok().map(|v| (v, next + 1)))
            .flatten();
    }
    if token.any(&["oh", "o"]) && t[i].is_word() {
        let v = small(&t.get(next + 1)?.text)?;
        return (v < 10).then_some((f64::from(v), next + 2));
    }
    if small(&token.text).is_none() && tens(&token.text).is_none() {
        return None;
    }
    let (v, after) = cardinal(t, next)?;
    two(v).then_some((v, after))
}

/// Amounts without a currency: "twelve fifty", "1,250.00", "105".
fn bare(t: &[Token], locale: &Locale) -> Vec<Money> {
    let mut out = vec![];
    let mut i = 0;
    while i < t.len() {
        // "November second, seventy-nine" is a day, and no amount stands in it.
        if let Some((_, next)) = super::date::month_day(t, i) {
            i = next;
            continue;
        }
        let Some((value, next)) = cardinal(t, i) else {
            i += 1;
            continue;
        };
        let percent = t.get(next).is_some_and(|t| {
            t.any(&[
                "%", "percent", "per", "days", "day", "weeks", "week", "months", "month", "years",
                "times", "o'clock", "am", "pm",
            ]) || super::date::month(&t.text).is_some()
        });
        if percent || (i > 0 && super::date::month(&t[i - 1].text).is_some()) {
            i = next;
            continue;
        }
        match price_tail(t, i, value, next) {
            // "two fifty" is two hundred and fifty to most, "nine ninety-nine" a price.
            Some((cents, after))
                if (1.0..10.0).contains(&value)
                    && t[i].is_word()
                    && cents != 99.0
                    && cents != 95.0 =>
            {
                let value = if cents < 10.0 {
                    value + cents / 100.0
                } else {
                    value * 100.0 + cents
                };
                out.push(made(value, &locale.currency));
                i = after;
            }
            Some((cents, after)) => {
                out.push(made(value + cents / 100.0, &locale.currency));
                i = after;
            }
            None => {
                out.push(made(value, &locale.currency));
                i = next;
            }
        }
    }
    out
}
