//! What an action needs to be told: reading it from the caller's words or keys, within the action's limits.

use jiff::civil::Date;
use serde_json::{Value, json};

use crate::desk::config::{Limit, Slot, SlotType};
use crate::desk::entity::{self, Locale};
use crate::desk::types::Listen;

use super::render;

/// A slot's value: as sent, and as said back to the caller.
#[derive(Debug, Clone, PartialEq)]
pub struct Filled {
    pub value: Value,
    pub said: String,
}

/// What was made of the caller's words for one slot.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    Value(Filled),
    /// Understood, but outside the limits: phrase key, and the limit in words.
    Outside(&'static str, String),
    Nothing,
}

/// Words and keys of one turn.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    pub text: &'a str,
    pub keyed: Option<&'a str>,
    pub today: Date,
    pub locale: &'a Locale,
    /// The day of what the action is about (a payment's due day), where it is read back before anything is done: a bare weekday is
    /// the one nearest to it.
    pub near: Option<Date>,
}

/// Reads a slot the caller has just been asked for.
pub fn read(slot: &Slot, words: Words<'_>) -> Reading {
    let Words {
        text,
        keyed,
        today,
        locale,
        near,
    } = words;
    match slot.type_ {
        SlotType::Date => {
            // "I can't do the tenth, anything after": the day that is ruled out is not the one that is wished for.
            let left = without_ruled_out(text);
            let text = left.as_str();
            let found = keyed
                .and_then(|keys| keyed_date(keys, today, locale))
                .or_else(|| {
                    let days = entity::days_beside(text)?;
                    near?
                        .checked_add(jiff::Span::new().try_days(days).ok()?)
                        .ok()
                })
                .or_else(|| weekday_near(slot, text, near?, today))
                .or_else(|| entity::date(text, today, locale));
            found.map_or(Reading::Nothing, |date| date_within(slot, date, words))
        }
        SlotType::Money => {
            let minor = match keyed {
                Some(keys) => keys
                    .parse::<i64>()
                    .ok()
                    .map(|major| major.saturating_mul(100)),
                None => entity::money(text, locale)
                    .first()
                    .map(|m| m.minor)
                    .or_else(|| entity::number(text).map(|n| (n * 100.0).round() as i64)),
            };
            minor.map_or(Reading::Nothing, |minor| money_within(slot, minor, locale))
        }
        SlotType::Number => {
            let found = match keyed {
                Some(keys) => keys.parse::<f64>().ok(),
                None => entity::number(text),
            };
            found.map_or(Reading::Nothing, |n| number_within(slot, n))
        }
        SlotType::Digits => {
            let found = keyed.map(str::to_owned).or_else(|| entity::digits(text));
            found.map_or(Reading::Nothing, |d| counted(slot, d, text))
        }
        SlotType::Identifier => {
            let found = keyed
                .map(str::to_owned)
                .or_else(|| entity::identifier(text));
            found.map_or(Reading::Nothing, |d| counted(slot, d, text))
        }
        SlotType::Name => entity::name(text).map_or(Reading::Nothing, plain),
        SlotType::Choice => {
            let keyed = keyed
                .and_then(|keys| keys.parse::<usize>().ok())
                .and_then(|n| n.checked_sub(1))
                .filter(|n| *n < slot.choices.len());
            keyed
                .or_else(|| {
                    entity::choice(text, &slot.choices)
                        .filter(|at| !turned_down(&slot.choices[*at], text))
                })
                .or_else(|| none_of_them(text, &slot.choices))
                .or_else(|| on_or_off(text, &slot.choices))
                .map_or(Reading::Nothing, |at| plain(slot.choices[at].clone()))
        }
        SlotType::Text => {
            let text = text.trim();
            if text.chars().any(char::is_alphanumeric) {
                plain(text.to_owned())
            } else {
                Reading::Nothing
            }
        }
    }
}

/// Reads a slot from words that were not an answer to its question: only what cannot be mistaken for something else.
pub fn glean(slot: &Slot, words: Words<'_>) -> Reading {
    let words = Words {
        keyed: None,
        ..words
    };
    match slot.type_ {
        SlotType::Date => read(slot, words),
        // "The first Monday in December" is a day, not the first of the choices.
        SlotType::Choice => match read(slot, words) {
            Reading::Value(filled)
                if entity::date(words.text, words.today, words.locale).is_some()
                    && !shares_a_word(&filled.said, words.text) =>
            {
                Reading::Nothing
            }
            read => read,
        },
        SlotType::Money => match entity::money(words.text, words.locale).first() {
            Some(money) => money_within(slot, money.minor, words.locale),
            None => Reading::Nothing,
        },
        SlotType::Digits => match entity::digits(words.text) {
            Some(digits) if digits.len() >= 4 => counted(slot, digits, words.text),
            _ => Reading::Nothing,
        },
        SlotType::Identifier => match entity::identifier(words.text) {
            Some(id) if id.len() >= 4 && id.chars().any(|c| c.is_ascii_digit()) => {
                counted(slot, id, words.text)
            }
            _ => Reading::Nothing,
        },
        // One number and no other figure: "add five gigabytes", "to the fifteenth". Of several, nobody knows which is meant.
        SlotType::Number if entity::lone_number(words.text).is_some() => read(slot, words),
        SlotType::Number | SlotType::Name | SlotType::Text => Reading::Nothing,
    }
}

/// "I don't want the texts any more", "don't turn it off": the option is named to be refused. Read from the words before it in its clause;
/// what follows "but" or "switch to" is wished for again.
pub(super) fn turned_down(option: &str, text: &str) -> bool {
    const REFUSED: [&str; 12] = [
        "don't", "dont", "not", "stop", "never", "no", "without", "can't", "cant", "won't",
        "cancel", "remove",
    ];
    const WISHED: [&str; 9] = [
        "but", "instead", "rather", "switch", "change", "send", "only", "just", "use",
    ];
    let lower = text.to_lowercase().replace('\u{2019}', "'");
    let option = option.to_lowercase();
    let named = |word: &str| {
        option
            .split_whitespace()
            .any(|o| o == word || (o.len() > 3 && word.starts_with(o)))
    };
    // The option itself may be a refusal: "no reminders", "not now".
    if option.split_whitespace().any(|o| REFUSED.contains(&o)) {
        return false;
    }
    let refused_in = |clause: &str| {
        let words: Vec<&str> = clause
            .split(|c: char| !(c.is_alphanumeric() || c == '\''))
            .filter(|w| !w.is_empty())
            .collect();
        let at = words.iter().position(|w| named(w))?;
        let refused = words[..at].iter().rposition(|w| REFUSED.contains(w));
        Some(refused.is_some_and(|from| !words[from..at].iter().any(|w| WISHED.contains(w))))
    };
    lower
        .split([',', '.', ';', '!', '?'])
        .find_map(refused_in)
        .unwrap_or(false)
}

/// "Neither", "none of those", where one of the options is to have none.
fn none_of_them(text: &str, choices: &[String]) -> Option<usize> {
    const NONE: [&str; 7] = [
        "neither",
        "none",
        "nothing",
        "not any",
        "no",
        "neither of them",
        "none of those",
    ];
    let said = words_of(text);
    let said: Vec<&str> = said
        .iter()
        .map(String::as_str)
        .filter(|w| {
            ![
                "please", "thanks", "just", "i'd", "like", "say", "of", "those", "them", "the",
            ]
            .contains(w)
        })
        .collect();
    let [said] = said.as_slice() else { return None };
    if !["neither", "none", "nothing"].contains(said) {
        return None;
    }
    choices
        .iter()
        .position(|choice| NONE.contains(&choice.to_lowercase().as_str()))
}

/// "Cancel it", "switch it back on", where a thing is to be on or off.
fn on_or_off(text: &str, choices: &[String]) -> Option<usize> {
    const OFF: [&str; 10] = [
        "off",
        "cancel",
        "stop",
        "disable",
        "deactivate",
        "end",
        "remove",
        "drop",
        "quit",
        "without",
    ];
    const ON: [&str; 8] = [
        "on",
        "start",
        "enable",
        "activate",
        "resume",
        "restart",
        "reactivate",
        "begin",
    ];
    let at = |name: &str| choices.iter().position(|c| c.eq_ignore_ascii_case(name));
    let (on, off) = (at("on")?, at("off")?);
    let words = words_of(text);
    // "Go on", "hang on", "on my account": said of the talk, or of a place.
    let real = |n: usize| {
        let before = n.checked_sub(1).map_or("", |b| words[b].as_str());
        let after = words.get(n + 1).map_or("", String::as_str);
        words[n] != "on"
            || !["go", "hang", "hold", "carry", "come", "later", "going"].contains(&before)
                && !["my", "the", "this", "that", "your", "a"].contains(&after)
    };
    let said = |of: &[&str]| (0..words.len()).any(|n| of.contains(&words[n].as_str()) && real(n));
    let refused = words
        .iter()
        .any(|w| ["don't", "dont", "not", "never"].contains(&w.as_str()));
    match (said(&ON), said(&OFF)) {
        _ if refused => None,
        (true, false) => Some(on),
        (false, true) => Some(off),
        _ => None,
    }
}

/// Without the clauses that rule a day out: "I can't do the tenth", "not the third", "the fifth is no good".
fn without_ruled_out(text: &str) -> String {
    const RULED_OUT: [&str; 14] = [
        "can't do",
        "cant do",
        "can't make",
        "cant make",
        "can't manage",
        "cannot do",
        "cannot make",
        "doesn't work",
        "won't work",
        "no good",
        "isn't good",
        "doesn't suit",
        "not free",
        "anything but",
    ];
    let lower = text.to_lowercase().replace('\u{2019}', "'");
    let clauses: Vec<&str> = lower
        .split([',', ';', '.'])
        .flat_map(|clause| clause.split(" but "))
        .collect();
    // "But not to a weekend": a clause that begins so says what the day is not.
    let not = |clause: &str| clause.trim_start().starts_with("not ");
    if clauses
        .iter()
        .all(|clause| !not(clause) && !RULED_OUT.iter().any(|sign| clause.contains(sign)))
    {
        return text.to_owned();
    }
    let left: Vec<&str> = clauses
        .into_iter()
        .flat_map(|clause| clause.split(" so "))
        .filter(|clause| !not(clause) && !RULED_OUT.iter().any(|sign| clause.contains(sign)))
        .collect();
    left.join(", ")
}

fn words_of(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !(c.is_alphanumeric() || c == '\''))
        .filter(|w| !w.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What a slot allows, where the words ask for that: "how far can I move it", "what's the most I can pay". Nothing where they ask for
/// something else, or it has no such limit.
pub fn limit_asked(slot: &Slot, words: Words<'_>) -> Reading {
    let asked = words_of(words.text).join(" ");
    let has = |signs: &[&str]| {
        signs
            .iter()
            .any(|sign| format!(" {asked} ").contains(&format!(" {sign} ")))
    };
    let most = has(&[
        "how far",
        "how late",
        "latest",
        "furthest",
        "farthest",
        "maximum",
        "max",
        "most",
        "how much can i",
        "limit",
        "how long can i",
        "highest",
        "how many days",
    ]);
    let least = has(&[
        "earliest",
        "soonest",
        "how soon",
        "how early",
        "minimum",
        "least",
        "smallest",
        "lowest",
    ]);
    let limit = if most {
        &slot.max
    } else if least {
        &slot.min
    } else {
        return Reading::Nothing;
    };
    let Some(limit) = limit else {
        return Reading::Nothing;
    };
    match slot.type_ {
        SlotType::Date => match limit.day(words.today) {
            Some(day) => Reading::Outside(
                if most { "too_late" } else { "too_early" },
                render::date(day, words.locale, words.today),
            ),
            None => Reading::Nothing,
        },
        SlotType::Money => match limit {
            Limit::Number(major) => Reading::Outside(
                if most { "too_much" } else { "too_little" },
                render::money((major * 100.0).round() as i64, &words.locale.currency),
            ),
            _ => Reading::Nothing,
        },
        _ => Reading::Nothing,
    }
}

fn shares_a_word(option: &str, text: &str) -> bool {
    let text = text.to_lowercase();
    option
        .to_lowercase()
        .split_whitespace()
        .any(|word| text.contains(word))
}

/// How endpointing and the recogniser should listen for a slot.
pub fn listen(slot: &Slot) -> Listen {
    match slot.type_ {
        SlotType::Date => Listen::Date,
        SlotType::Money => Listen::Money,
        SlotType::Number | SlotType::Digits | SlotType::Identifier => Listen::Digits,
        SlotType::Name => Listen::Name,
        SlotType::Choice | SlotType::Text => Listen::Open,
    }
}

fn plain(text: String) -> Reading {
    Reading::Value(Filled {
        value: Value::String(text.clone()),
        said: text,
    })
}

fn date_within(slot: &Slot, date: Date, words: Words<'_>) -> Reading {
    let Words { today, locale, .. } = words;
    let day = |limit: &Option<Limit>| limit.as_ref().and_then(|l| l.day(today));
    if let Some(latest) = day(&slot.max)
        && date > latest
    {
        return Reading::Outside("too_late", render::date(latest, locale, today));
    }
    if let Some(earliest) = day(&slot.min)
        && date < earliest
    {
        return Reading::Outside("too_early", render::date(earliest, locale, today));
    }
    Reading::Value(Filled {
        value: Value::String(date.to_string()),
        said: render::date(date, locale, today),
    })
}

/// "Make it Saturday", of a payment due on the 3rd: the Saturday nearest to the 3rd that the limits allow.
fn weekday_near(slot: &Slot, text: &str, near: Date, today: Date) -> Option<Date> {
    let day = entity::bare_weekday(text)?;
    let limit = |limit: &Option<Limit>| limit.as_ref().and_then(|l| l.day(today));
    let (earliest, latest) = (limit(&slot.min), limit(&slot.max));
    let before = near.nth_weekday(-1, day).ok()?;
    let after = near.nth_weekday(1, day).ok()?;
    [after, before]
        .into_iter()
        .filter(|date| *date > today)
        .filter(|date| earliest.is_none_or(|e| *date >= e) && latest.is_none_or(|l| *date <= l))
        .min_by_key(|date| (*date - near).get_days().abs())
}

fn money_within(slot: &Slot, minor: i64, locale: &Locale) -> Reading {
    let bound = |limit: &Option<Limit>| match limit {
        Some(Limit::Number(major)) => Some((major * 100.0).round() as i64),
        _ => None,
    };
    let say = |minor: i64| render::money(minor, &locale.currency);
    if let Some(most) = bound(&slot.max)
        && minor > most
    {
        return Reading::Outside("too_much", say(most));
    }
    if let Some(least) = bound(&slot.min)
        && minor < least
    {
        return Reading::Outside("too_little", say(least));
    }
    // Nothing or less is never an amount that a caller asks for.
    if minor <= 0 {
        return Reading::Nothing;
    }
    let value = if minor % 100 == 0 {
        json!(minor / 100)
    } else {
        json!(minor as f64 / 100.0)
    };
    Reading::Value(Filled {
        value,
        said: say(minor),
    })
}

fn number_within(slot: &Slot, number: f64) -> Reading {
    let said = |n: f64| {
        if n.fract() == 0.0 {
            format!("{n:.0}")
        } else {
            n.to_string()
        }
    };
    if let Some(Limit::Number(most)) = slot.max
        && number > most
    {
        return Reading::Outside("too_much", said(most));
    }
    if let Some(Limit::Number(least)) = slot.min
        && number < least
    {
        return Reading::Outside("too_little", said(least));
    }
    let value = if number.fract() == 0.0 && number.abs() < 9e15 {
        json!(number as i64)
    } else {
        json!(number)
    };
    Reading::Value(Filled {
        value,
        said: said(number),
    })
}

/// Digits and identifiers: limits count characters; a wrong count is a mishearing, so it is asked again. `text`: the words they were
/// made of, in whose groups they are read back.
fn counted(slot: &Slot, code: String, text: &str) -> Reading {
    if is_short(slot, &code) || is_long(slot, &code) {
        return Reading::Nothing;
    }
    Reading::Value(Filled {
        said: entity::read_back(&code, entity::grouped(text, &code)),
        value: Value::String(code),
    })
}

/// Fewer characters than a slot's code has.
pub fn is_short(slot: &Slot, code: &str) -> bool {
    matches!(slot.min, Some(Limit::Number(least)) if (code.chars().count() as f64) < least)
}

/// More characters than a slot's code has.
pub fn is_long(slot: &Slot, code: &str) -> bool {
    matches!(slot.max, Some(Limit::Number(most)) if code.chars().count() as f64 > most)
}

/// Six or eight keys are a date in the country's order (250127, 25012027); four are day and month.
fn keyed_date(keys: &str, today: Date, locale: &Locale) -> Option<Date> {
    if !keys.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| keys.get(from..to)?.parse::<i16>().ok();
    let (first, second) = (part(0, 2)?, part(2, 4)?);
    let (day, month) = if locale.day_first() {
        (first, second)
    } else {
        (second, first)
    };
    let make = |year: i16| Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok();
    match keys.len() {
        4 => make(today.year())
            .filter(|date| *date >= today)
            .or_else(|| make(today.year() + 1)),
        6 => make(2000 + part(4, 6)?),
        8 => make(part(4, 8)?),
        _ => None,
    }
}
