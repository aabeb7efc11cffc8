//! A text's words, and which of them are numbers, months and amounts.

use std::ops::Range;

use crate::desk::text::MONTHS;

/// A word and where it stands, punctuation around it left out.
pub(super) struct Word<'a> {
    pub(super) at: Range<usize>,
    pub(super) plain: &'a str,
    pub(super) lower: String,
    pub(super) what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// Digits alone, or with hyphens, dots and brackets between them.
    Digits(String),
    /// A number as a word: how it is written in digits.
    Spelled(&'static str),
    /// "double", "triple": the next one that often.
    Times(usize),
    Month,
    Ordinal,
    /// Letters and digits.
    Mixed,
    /// An amount, a share, a time of day.
    Amount,
    Other,
}

const SPELLED: &[(&str, &str)] = &[
    ("zero", "0"),
    ("oh", "0"),
    ("o", "0"),
    ("nought", "0"),
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("eleven", "11"),
    ("twelve", "12"),
    ("thirteen", "13"),
    ("fourteen", "14"),
    ("fifteen", "15"),
    ("sixteen", "16"),
    ("seventeen", "17"),
    ("eighteen", "18"),
    ("nineteen", "19"),
    ("twenty", "20"),
    ("thirty", "30"),
    ("forty", "40"),
    ("fifty", "50"),
    ("sixty", "60"),
    ("seventy", "70"),
    ("eighty", "80"),
    ("ninety", "90"),
];

const ORDINALS: &[&str] = &[
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
    "thirtieth",
];

pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut start = None;
    let ends = text
        .char_indices()
        .chain(std::iter::once((text.len(), ' ')));
    for (at, c) in ends {
        match (c.is_whitespace(), start) {
            (false, None) => start = Some(at),
            (true, Some(from)) => {
                start = None;
                let whole = &text[from..at];
                let plain =
                    whole.trim_matches(|c: char| !c.is_alphanumeric() && !"$£€+".contains(c));
                if plain.is_empty() {
                    continue;
                }
                let left = whole.len()
                    - whole
                        .trim_start_matches(|c: char| !c.is_alphanumeric() && !"$£€+".contains(c))
                        .len();
                let from = from + left;
                // "forty-two", "four-one-one-one": each part is a word.
                if plain.contains('-')
                    && plain
                        .split('-')
                        .all(|p| spelled(&p.to_lowercase()).is_some())
                {
                    let mut place = from;
                    for part in plain.split('-') {
                        words.push(Word::new(part, place));
                        place += part.len() + 1;
                    }
                } else {
                    words.push(Word::new(plain, from));
                }
            }
            _ => {}
        }
    }
    for at in 0..words.len() {
        let unit = words.get(at + 1).is_some_and(|next| {
            let unit = next.lower.trim_end_matches('s');
            [
                "dollar", "pound", "euro", "cent", "pence", "percent", "%", "am", "pm", "a.m",
                "p.m", "o'clock",
            ]
            .contains(&unit)
        });
        if unit && matches!(words[at].what, What::Digits(_)) {
            words[at].what = What::Amount;
        }
    }
    words
}

fn spelled(lower: &str) -> Option<&'static str> {
    SPELLED.iter().find(|(w, _)| *w == lower).map(|(_, d)| *d)
}

impl<'a> Word<'a> {
    fn new(plain: &'a str, from: usize) -> Self {
        let lower = plain.to_lowercase();
        let what = classify(&lower);
        Self {
            at: from..from + plain.len(),
            plain,
            lower,
            what,
        }
    }

    /// A number of any writing.
    pub(super) fn is_number(&self) -> bool {
        matches!(
            self.what,
            What::Digits(_) | What::Spelled(_) | What::Times(_)
        )
    }
}

fn classify(lower: &str) -> What {
    if let Some(digits) = spelled(lower) {
        return What::Spelled(digits);
    }
    match lower {
        "double" => return What::Times(2),
        "triple" | "treble" => return What::Times(3),
        _ => {}
    }
    if MONTHS.contains(&lower) {
        return What::Month;
    }
    let digits: String = lower.chars().filter(char::is_ascii_digit).collect();
    if ORDINALS.contains(&lower)
        || (!digits.is_empty()
            && ["st", "nd", "rd", "th"]
                .iter()
                .any(|end| lower.strip_suffix(end) == Some(digits.as_str())))
    {
        return What::Ordinal;
    }
    if digits.is_empty() {
        return What::Other;
    }
    if lower.starts_with(['$', '£', '€']) || lower.ends_with('%') || lower.contains(':') {
        return What::Amount;
    }
    let others: String = lower.chars().filter(|c| !c.is_ascii_digit()).collect();
    // 1,250 and 42.50: an amount, whatever of.
    let thousands = others.chars().all(|c| c == ',') && !others.is_empty();
    let cents = lower.rsplit_once('.').is_some_and(|(whole, part)| {
        part.len() == 2 && whole.chars().all(|c| c.is_ascii_digit() || c == ',')
    });
    if (thousands && lower.split(',').skip(1).all(|p| p.len() == 3) && digits.len() < 10) || cents {
        return What::Amount;
    }
    if others.chars().all(|c| "-.,/()+#".contains(c)) {
        return What::Digits(digits);
    }
    What::Mixed
}
