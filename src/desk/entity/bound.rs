//! Quantities that callers name ("my son is seven", "two metres high", "three weeks before") and the limits that sentences set on
//! such quantities ("under 12", "up to 24 hours before", "from 30 parcels on"): which side of a limit a caller is on.

use super::Locale;
use super::date::written;
use super::money::{exponent, marked};
use super::number::{cardinal, ordinal};
use super::time;
use super::token::{Token, tokens};
use crate::desk::text::is_stop;

/// What a quantity measures. Values are in the base unit named here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// Hours that something takes or has been.
    Time,
    /// Hours left before something.
    Lead,
    /// Years of life.
    Age,
    /// Kilograms.
    Weight,
    /// Metres.
    Length,
    /// Major units of the currency.
    Money(String),
    /// How many of a thing, in the singular; empty where it is not named.
    Count(String),
}

/// A quantity somebody has.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    pub measure: Measure,
    pub value: f64,
}

/// One end of a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
struct End {
    value: f64,
    /// "Under 12" leaves 12 out, "up to 12" does not.
    strict: bool,
}

/// A limit on a quantity, open where it has one end.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    measure: Measure,
    low: Option<End>,
    high: Option<End>,
    /// It speaks of how old somebody is.
    of_age: bool,
}

/// A quantity where it stands in a text.
struct Found {
    from: usize,
    /// After the number and its unit.
    next: usize,
    value: f64,
    /// The other end of "4 to 11".
    second: Option<f64>,
    measure: Measure,
}

const HOURS_A_YEAR: f64 = 8766.0;

/// Unit words, what they measure, and how much of its base unit each is.
const UNITS: [(&str, Measure, f64); 38] = [
    ("minute", Measure::Time, 1.0 / 60.0),
    ("minutes", Measure::Time, 1.0 / 60.0),
    ("mins", Measure::Time, 1.0 / 60.0),
    ("hour", Measure::Time, 1.0),
    ("hours", Measure::Time, 1.0),
    ("hrs", Measure::Time, 1.0),
    ("day", Measure::Time, 24.0),
    ("days", Measure::Time, 24.0),
    ("night", Measure::Time, 24.0),
    ("nights", Measure::Time, 24.0),
    ("week", Measure::Time, 168.0),
    ("weeks", Measure::Time, 168.0),
    ("fortnight", Measure::Time, 336.0),
    ("month", Measure::Time, HOURS_A_YEAR / 12.0),
    ("months", Measure::Time, HOURS_A_YEAR / 12.0),
    ("year", Measure::Time, HOURS_A_YEAR),
    ("years", Measure::Time, HOURS_A_YEAR),
    ("g", Measure::Weight, 0.001),
    ("gram", Measure::Weight, 0.001),
    ("grams", Measure::Weight, 0.001),
    ("kg", Measure::Weight, 1.0),
    ("kilo", Measure::Weight, 1.0),
    ("kilos", Measure::Weight, 1.0),
    ("kilogram", Measure::Weight, 1.0),
    ("kilograms", Measure::Weight, 1.0),
    ("cm", Measure::Length, 0.01),
    ("centimetres", Measure::Length, 0.01),
    ("centimeters", Measure::Length, 0.01),
    ("m", Measure::Length, 1.0),
    ("metre", Measure::Length, 1.0),
    ("metres", Measure::Length, 1.0),
    ("meters", Measure::Length, 1.0),
    ("foot", Measure::Length, 0.3048),
    ("feet", Measure::Length, 0.3048),
    ("km", Measure::Length, 1000.0),
    ("kilometres", Measure::Length, 1000.0),
    ("mile", Measure::Length, 1609.0),
    ("miles", Measure::Length, 1609.0),
];

/// The quantities a caller names.
pub fn quantities(text: &str) -> Vec<Quantity> {
    let t = tokens(text);
    let mut out = Vec::new();
    for f in found(&t) {
        let after = |n: usize| t.get(f.next + n).map_or("", |t| t.text.as_str());
        let before = |n: usize| f.from.checked_sub(n).map_or("", |at| t[at].text.as_str());
        let measure = match f.measure {
            Measure::Time if matches!(after(0), "before" | "ahead" | "beforehand" | "notice") => {
                Measure::Lead
            }
            // "It is in two hours" leaves two hours; "done in two hours" takes them.
            Measure::Time
                if before(1) == "in" && matches!(before(2), "is" | "s" | "starts" | "leaves") =>
            {
                Measure::Lead
            }
            // "My daughter is seventeen", "he's 12", "aged nine".
            Measure::Count(ref thing)
                if thing.is_empty()
                    && (before(1) == "aged"
                        || matches!(before(1), "is" | "turned" | "hes" | "shes")
                            && of_somebody(&t[..f.from])
                        || before(1).ends_with("'s") && of_somebody(&t[..f.from])) =>
            {
                Measure::Age
            }
            ref other => other.clone(),
        };
        out.push(Quantity {
            measure,
            value: f.value,
        });
    }
    out
}

/// Whether words speak of a person or an animal that has an age.
fn of_somebody(t: &[Token]) -> bool {
    const WHO: [&str; 24] = [
        "he",
        "she",
        "he's",
        "she's",
        "i'm",
        "son",
        "daughter",
        "child",
        "kid",
        "boy",
        "girl",
        "baby",
        "brother",
        "sister",
        "nephew",
        "niece",
        "grandson",
        "granddaughter",
        "dog",
        "cat",
        "puppy",
        "kitten",
        "who's",
        "who",
    ];
    t.iter().rev().take(4).any(|t| t.any(&WHO))
}

/// The limits a sentence sets.
pub fn bounds(sentence: &str) -> Vec<Bound> {
    let t = tokens(sentence);
    let mut out: Vec<Bound> = Vec::new();
    for f in found(&t) {
        let end = |value: f64, strict: bool| Some(End { value, strict });
        let (low, high) = match (f.second, side_before(&t[..f.from]), side_after(&t, f.next)) {
            (Some(second), ..) => (
                end(f.value.min(second), false),
                end(f.value.max(second), false),
            ),
            (None, Some(Side::Most(strict)), _) => (None, end(f.value, strict)),
            (None, Some(Side::Least(strict)), _) => (end(f.value, strict), None),
            (None, None, Some(Side::Most(strict))) => (None, end(f.value, strict)),
            (None, None, Some(Side::Least(strict))) => (end(f.value, strict), None),
            (None, None, None) => continue,
        };
        let lead = t.get(f.next).is_some_and(|t| {
            t.any(&["before", "ahead", "beforehand", "notice", "in"]) && t.text != "in"
        }) || t.get(f.next).is_some_and(|t| t.is("in"))
            && t.get(f.next + 1).is_some_and(|t| t.is("advance"));
        let until = side_before(&t[..f.from]).is_some_and(|side| side == Side::Most(false));
        let of_age = t[f.next.min(t.len())..]
            .iter()
            .take(3)
            .any(|t| t.any(&["age", "old", "older", "younger"]))
            || t[..f.from].iter().rev().take(2).any(|t| {
                t.any(&[
                    "under", "over", "aged", "older", "younger", "above", "below",
                ])
            });
        // "Until 24 hours before" leaves at least 24 hours.
        let (measure, low, high) = match f.measure {
            Measure::Time if lead && until && f.second.is_none() => (Measure::Lead, high, None),
            Measure::Time if lead => (Measure::Lead, low, high),
            other => (other, low, high),
        };
        out.push(Bound {
            measure,
            low,
            high,
            of_age,
        });
    }
    out
}

impl Bound {
    /// Whether the quantity is on the limit's side; none where they measure different things.
    pub fn holds(&self, q: &Quantity) -> Option<bool> {
        let value = match (&self.measure, &q.measure) {
            (Measure::Count(ours), Measure::Count(theirs))
                if ours == theirs || theirs.is_empty() || ours.is_empty() =>
            {
                q.value
            }
            // "Children under 4".
            (Measure::Count(thing), Measure::Age) if thing.is_empty() || self.of_age => q.value,
            (Measure::Time, Measure::Age) if self.of_age => q.value * HOURS_A_YEAR,
            (Measure::Age, Measure::Time | Measure::Count(_)) => return None,
            (ours, theirs) if ours == theirs => q.value,
            _ => return None,
        };
        let above = |end: End| value > end.value || !end.strict && value >= end.value - 1e-9;
        let below = |end: End| value < end.value || !end.strict && value <= end.value + 1e-9;
        Some(self.low.is_none_or(above) && self.high.is_none_or(below))
    }
}

/// Which side of its figure a limit leaves; true: without the figure itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Most(bool),
    Least(bool),
}

/// By the words right before the figure.
fn side_before(t: &[Token]) -> Option<Side> {
    let back = |n: usize| {
        t.len()
            .checked_sub(n)
            .and_then(|at| t.get(at))
            .map_or("", |t| t.text.as_str())
    };
    let last = back(1);
    Some(match (back(2), last) {
        ("no" | "not", "over" | "above") => Side::Most(false),
        ("no" | "not", "under" | "below") => Side::Least(false),
        ("up", "to") => Side::Most(false),
        ("at", "most") | ("maximum", "of") | ("limit", "of") => Side::Most(false),
        ("at", "least") | ("minimum", "of") => Side::Least(false),
        ("less" | "fewer" | "shorter" | "lighter" | "younger" | "smaller" | "lower", "than") => {
            if matches!(back(3), "no" | "not") {
                Side::Least(false)
            } else {
                Side::Most(true)
            }
        }
        (
            "more" | "longer" | "higher" | "heavier" | "older" | "bigger" | "larger" | "taller"
            | "wider" | "later",
            "than",
        ) => {
            if matches!(back(3), "no" | "not" | "never") {
                Side::Most(false)
            } else {
                Side::Least(true)
            }
        }
        (_, "under" | "below") => Side::Most(true),
        (_, "within" | "until" | "till" | "maximum" | "max") => Side::Most(false),
        (_, "over" | "above" | "beyond" | "exceeding" | "after") => Side::Least(true),
        (_, "from" | "minimum") => Side::Least(false),
        // "Free for 2 hours", "the first 2 hours are included".
        (_, "for" | "first")
            if t.iter()
                .any(|t| t.any(&["free", "included", "first", "nothing"])) =>
        {
            Side::Most(false)
        }
        _ => {
            // "The most a parcel may weigh is 20 kg."
            let most = t
                .iter()
                .any(|t| t.any(&["most", "maximum", "longest", "heaviest", "limit"]));
            let told = matches!(last, "is" | "be" | "are");
            return (most && told).then_some(Side::Most(false));
        }
    })
}

/// By the words right after it: "16 or older", "from three on".
fn side_after(t: &[Token], next: usize) -> Option<Side> {
    let at = |n: usize| t.get(next + n).map_or("", |t| t.text.as_str());
    Some(match (at(0), at(1)) {
        (
            "or" | "and",
            "more" | "over" | "older" | "longer" | "above" | "bigger" | "up" | "heavier" | "higher",
        ) => Side::Least(false),
        (
            "or" | "and",
            "less" | "under" | "younger" | "fewer" | "below" | "shorter" | "smaller",
        ) => Side::Most(false),
        ("upwards" | "plus", _) => Side::Least(false),
        ("at", "most") => Side::Most(false),
        ("at", "least") => Side::Least(false),
        _ => return None,
    })
}

/// Every quantity of a text: numbers with what they count. Dates, times of day, percentages and ordinals are none.
fn found(t: &[Token]) -> Vec<Found> {
    let locale = Locale {
        language: "en-GB".into(),
        currency: "GBP".into(),
        tz: jiff::tz::TimeZone::UTC,
    };
    let monies = marked(t, &locale);
    let mut out = Vec::new();
    let mut i = 0;
    while i < t.len() {
        if let Some((m, _, next)) = monies.iter().find(|(_, from, _)| *from == i) {
            out.push(Found {
                from: i,
                next: *next,
                value: m.minor as f64 / 10f64.powi(exponent(&m.currency) as i32),
                second: None,
                measure: Measure::Money(m.currency.clone()),
            });
            i = *next;
            continue;
        }
        if let Some((_, next)) = written(t, i, &locale) {
            i = next;
            continue;
        }
        if let Some((_, next)) = time::at(t, i)
            && t[i..next].iter().any(|t| {
                t.any(&[
                    ":", "am", "pm", "a.m", "p.m", "o'clock", "a", "p", "noon", "midnight",
                ])
            })
        {
            i = next;
            continue;
        }
        if ordinal(t, i).is_some() && cardinal(t, i).is_none() {
            i += 1;
            continue;
        }
        // "An hour before", "a week".
        if t[i].any(&["a", "an"])
            && let Some((_, measure, each)) = t.get(i + 1).and_then(|n| unit(&n.text))
            && i.checked_sub(1).is_some_and(|at| {
                !t[at].is_figure()
                    && cardinal(t, at).is_none()
                    && !t[at].any(&[
                        "times", "hours", "hour", "once", "twice", "per", "half", "kg", "person",
                    ])
            })
            && *measure == Measure::Time
        {
            out.push(Found {
                from: i,
                next: i + 2,
                value: *each,
                second: None,
                measure: Measure::Time,
            });
            i += 2;
            continue;
        }
        let glued = t[i].is_figure() && t[i].glued && i > 0 && t[i - 1].is_word();
        let Some((value, next)) = cardinal(t, i).filter(|_| !glued) else {
            i += 1;
            continue;
        };
        if t.get(next).is_some_and(|n| n.any(&["%", "percent"])) || t[i].is("one") && next == i + 1
        {
            i = next;
            continue;
        }
        let (mut second, mut after) = (None, next);
        if t.get(next).is_some_and(|n| n.any(&["to", "-", "and"]))
            && let Some((other, end)) = cardinal(t, next + 1)
            && (!t[next].is("and") || i.checked_sub(1).is_some_and(|at| t[at].is("between")))
        {
            (second, after) = (Some(other), end);
        }
        let mut k = after;
        while t.get(k).is_some_and(|t| {
            t.any(&[
                "-", "working", "business", "full", "whole", "calendar", "square", "long",
            ])
        }) {
            k += 1;
        }
        let (measure, each, end) = match t.get(k).and_then(|n| unit(&n.text)) {
            Some((_, Measure::Time, _)) if aged(t, k) => {
                let each = t.get(k).and_then(|n| unit(&n.text)).map_or(1.0, |u| u.2);
                (Measure::Age, each / HOURS_A_YEAR, k + 1)
            }
            Some((_, measure, each)) => (measure.clone(), *each, k + 1),
            None => {
                let thing = t
                    .get(after)
                    .filter(|n| n.is_word() && !is_stop(&n.text) && !n.any(&["people", "persons"]))
                    .filter(|n| !n.any(&["before", "until", "per", "each", "o'clock", "years"]))
                    .map(|n| singular(&n.text))
                    .unwrap_or_default();
                let named = usize::from(!thing.is_empty());
                let people = t.get(after).is_some_and(|n| n.any(&["people", "persons"]));
                (
                    Measure::Count(thing),
                    1.0,
                    after + named.max(usize::from(people)),
                )
            }
        };
        out.push(Found {
            from: i,
            next: end,
            value: value * each,
            second: second.map(|v| v * each),
            measure,
        });
        i = after.max(i + 1);
    }
    out
}

/// "Eight year old", "8 weeks of age".
fn aged(t: &[Token], unit: usize) -> bool {
    let at = |n: usize| t.get(unit + n).map_or("", |t| t.text.as_str());
    matches!((at(1), at(2)), ("old", _) | ("-", "old") | ("of", "age"))
}

fn unit(word: &str) -> Option<&'static (&'static str, Measure, f64)> {
    UNITS.iter().find(|(name, ..)| *name == word)
}

fn singular(word: &str) -> String {
    word.strip_suffix('s')
        .filter(|w| w.len() > 2 && !w.ends_with('s'))
        .unwrap_or(word)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the first limit of a sentence says of the quantities of a question.
    fn side(sentence: &str, question: &str) -> Option<bool> {
        let q = quantities(question);
        let b = bounds(sentence);
        b.iter()
            .flat_map(|b| q.iter().filter_map(move |q| b.holds(q)))
            .reduce(|a, b| a || b)
    }

    #[test]
    fn a_caller_is_on_one_side_of_a_limit() {
        for (sentence, question, on) in [
            (
                "Free up to 24 hours before.",
                "I cancel an hour before",
                Some(false),
            ),
            (
                "Free up to 24 hours before.",
                "it is two days before",
                Some(true),
            ),
            (
                "Free of charge until 30 days before arrival.",
                "cancel three weeks before",
                Some(false),
            ),
            (
                "Between 30 and 14 days before we charge half.",
                "three weeks before",
                Some(true),
            ),
            (
                "If you cancel less than 4 hours before, half is charged.",
                "it starts in two hours",
                Some(true),
            ),
            (
                "Parking is free for 2 hours.",
                "can I stay three hours",
                Some(false),
            ),
            (
                "Children under 4 eat free.",
                "my three year old",
                Some(true),
            ),
            ("Children under 4 eat free.", "my son is seven", Some(false)),
            (
                "It costs £8 for children from 4 to 11.",
                "my eight year old",
                Some(true),
            ),
            (
                "Guests have to be 16 or older.",
                "can my 15 year old come",
                Some(false),
            ),
            (
                "Cars higher than 1.90 metres do not fit.",
                "my van is two metres high",
                Some(true),
            ),
            (
                "A parcel costs £6.90 up to 5 kg.",
                "a four kilo box",
                Some(true),
            ),
            (
                "The most a parcel may weigh is 20 kg.",
                "a thirty kilo parcel",
                Some(false),
            ),
            (
                "From 30 parcels a month you pay less.",
                "we send fifty a month",
                Some(true),
            ),
            (
                "A table for more than eight needs a deposit.",
                "we are ten",
                Some(true),
            ),
            ("Delivery is free from £40.", "an order of £25", Some(false)),
            (
                "Five rooms or more are a group.",
                "we need six rooms",
                Some(true),
            ),
            ("It takes 3 days.", "I waited a week", None),
            ("It is open from 4 to 10 p.m.", "what does it cost", None),
        ] {
            assert_eq!(side(sentence, question), on, "{sentence} / {question}");
        }
    }
}
