//! What kind of figure a question asks for, and whether a sentence gives one of that kind.

use super::text::{MONTHS, is_stop, is_weekday, words};

/// The kind of figure a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Amount,
    Time,
    /// A day of the week or of the month.
    Day,
    Count,
    Open,
}

impl Asked {
    /// By the first word that asks: "how much if nobody is in when he comes" is after an amount.
    pub fn of(question: &str) -> Self {
        let w = words(question);
        for (at, word) in w.iter().enumerate() {
            let next = w.get(at + 1).map_or("", String::as_str);
            let asked = match (word.as_str(), next) {
                ("how", "many" | "old" | "far" | "big" | "heavy") => Self::Count,
                ("how", "long" | "soon" | "quickly" | "often" | "late" | "early" | "fast")
                | ("what" | "which", "time" | "days" | "date" | "dates" | "hours")
                | ("hours", _) => Self::Time,
                ("what" | "which", "day" | "weekday" | "night" | "evening" | "morning") => {
                    Self::Day
                }
                ("what" | "which", "percentage" | "percent" | "rate") => Self::Amount,
                ("when" | "whens", _) => Self::Time,
                ("whats", _) | ("what", "your" | "is" | "are")
                    if w[at..]
                        .iter()
                        .any(|w| matches!(w.as_str(), "rate" | "rates")) =>
                {
                    Self::Amount
                }
                ("how", "much")
                | (
                    "cost" | "costs" | "price" | "prices" | "fee" | "fees" | "charge" | "charges"
                    | "fine" | "cheapest" | "free",
                    _,
                ) => Self::Amount,
                _ => continue,
            };
            return asked;
        }
        Self::Open
    }

    pub fn answered_by(self, sentence: &str) -> bool {
        const TIMES: [&str; 24] = [
            "second",
            "seconds",
            "minute",
            "minutes",
            "hour",
            "hours",
            "day",
            "days",
            "week",
            "weeks",
            "month",
            "months",
            "year",
            "years",
            "immediately",
            "instantly",
            "daily",
            "weekly",
            "monthly",
            "mondays",
            "today",
            "tomorrow",
            "am",
            "pm",
        ];
        match self {
            Self::Open => false,
            // "We charge £60" counts nothing.
            Self::Count => {
                sentence.split_whitespace().any(|token| {
                    token.chars().any(|c| c.is_ascii_digit())
                        && !token.contains(['\u{a3}', '$', '\u{20ac}', '%'])
                }) || words(sentence)
                    .iter()
                    .any(|w| NUMBERS.contains(&w.as_str()))
            }
            Self::Amount => {
                let money = sentence.contains(['\u{a3}', '$', '\u{20ac}', '%']);
                let w = words(sentence);
                let number =
                    |w: &str| w.starts_with(|c: char| c.is_ascii_digit()) || NUMBERS.contains(&w);
                let free = w.iter().enumerate().any(|(at, word)| {
                    let before = at.checked_sub(1).map_or("", |at| w[at].as_str());
                    match word.as_str() {
                        "free" | "included" => true,
                        // "In U.S. dollars" names no amount.
                        "euros" | "pounds" | "dollars" | "cents" | "pence" | "percent" => {
                            number(before) || matches!(before, "hundred" | "thousand" | "million")
                        }
                        // "It costs nothing", "there is no fee", "without extra cost".
                        "nothing" => matches!(before, "cost" | "costs" | "pay" | "for" | "is"),
                        "fee" | "fees" | "charge" | "charges" | "cost" => {
                            matches!(before, "no" | "any" | "without" | "extra")
                        }
                        _ => word.strip_suffix('p').is_some_and(|n| {
                            !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())
                        }),
                    }
                });
                money || free
            }
            // "On Tuesday", "on the 17th", "any day from 1 to 28".
            Self::Day => words(sentence).iter().any(|w| {
                const DAYS: [&str; 3] = ["weekday", "weekend", "daily"];
                let ordinal = ["st", "nd", "rd", "th"].iter().any(|end| {
                    let number = w.strip_suffix(end).unwrap_or("");
                    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
                });
                let day = w.trim_end_matches('s');
                is_weekday(day) || DAYS.contains(&day) || ordinal || w == "day" || w == "today"
            }),
            // "From 9 to 5", "at 10:30".
            Self::Time => {
                clock(sentence)
                    || sentence.to_lowercase().contains("at once")
                    || dated(sentence)
                    || words(sentence).iter().any(|w| {
                        let w = w.trim_start_matches(|c: char| c.is_ascii_digit());
                        TIMES.contains(&w) || is_weekday(w)
                    })
            }
        }
    }
}

const NUMBERS: [&str; 13] = [
    "no", "none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "twelve",
];

/// A month; "may" and "march" only beside a day.
fn dated(sentence: &str) -> bool {
    let w = words(sentence);
    let day = |at: Option<usize>| {
        at.and_then(|at| w.get(at))
            .is_some_and(|w| w.starts_with(|c: char| c.is_ascii_digit()))
    };
    w.iter().enumerate().any(|(at, word)| {
        MONTHS.contains(&word.as_str())
            && (!matches!(word.as_str(), "may" | "march")
                || day(at.checked_sub(1))
                || day(Some(at + 1)))
    })
}

/// A time of day in figures.
fn clock(sentence: &str) -> bool {
    let b = sentence.as_bytes();
    b.windows(4).any(|w| {
        w[0].is_ascii_digit() && w[1] == b':' && w[2].is_ascii_digit() && w[3].is_ascii_digit()
    }) || sentence.contains("a.m.")
        || sentence.contains("p.m.")
}

/// The thing of the caller's own that a question is after: "what's my bill", "when is my payment due", "how much was my order".
pub(super) fn asks_for_own(question: &str) -> Option<String> {
    let w = words(question);
    let at = w.windows(2).position(|pair| {
        pair[1] == "my"
            && matches!(
                pair[0].as_str(),
                "whats" | "whens" | "wheres" | "is" | "was" | "are"
            )
    })?;
    let asks = w[..=at].iter().any(|word| {
        matches!(
            word.as_str(),
            "what" | "whats" | "when" | "whens" | "where" | "wheres" | "much"
        )
    });
    w.get(at + 2).filter(|_| asks).cloned()
}

/// Whether something must or may be done, where that is what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Modal {
    Must,
    May,
}

impl Modal {
    /// "Do I have to ...", "can I ...".
    pub fn of(question: &str) -> Option<Self> {
        let w = words(question);
        w.windows(3).find_map(|t| {
            let (a, b, c) = (t[0].as_str(), t[1].as_str(), t[2].as_str());
            let who = |w: &str| matches!(w, "i" | "we" | "you" | "they" | "he" | "she" | "it");
            match (a, b, c) {
                ("do" | "does" | "will" | "would", _, "have" | "need") => Some(Self::Must),
                ("must" | "should", who_, _) if who(who_) => Some(Self::Must),
                ("can" | "may" | "could" | "might", "i" | "we" | "my" | "our" | "a" | "the", _)
                | ("am", "i", "allowed")
                | ("are", "we", "allowed")
                | ("is", "it", "ok" | "okay" | "possible" | "allowed" | "alright") => {
                    Some(Self::May)
                }
                _ => None,
            }
        })
    }

    /// Whether a sentence says what must, may or cannot be done.
    pub fn answered_by(self, sentence: &str) -> bool {
        words(sentence).iter().any(|w| match self {
            Self::Must => matches!(
                w.as_str(),
                "must" | "have" | "has" | "need" | "needs" | "needed" | "required" | "necessary"
            ),
            Self::May => matches!(
                w.as_str(),
                "can" | "cannot" | "may" | "allowed" | "possible" | "only" | "welcome"
            ),
        })
    }
}

/// Words that stand before the thing that is asked for.
const SKIPPED: [&str; 9] = ["the", "your", "my", "of", "s", "is", "are", "kind", "sort"];

/// The things that a question asks for by name: "how many devices", "which floor", "what discount". None for "what does it cost".
pub(super) fn things_asked_for(question: &str) -> Vec<String> {
    let w: Vec<String> = question
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_lowercase)
        .collect();
    let mut out = Vec::new();
    for (at, word) in w.iter().enumerate() {
        let opens = match word.as_str() {
            "many" => at > 0 && w[at - 1] == "how",
            "which" | "what" => true,
            // "How warm", "who is the chef".
            "how" => w.get(at + 1).is_some_and(|next| {
                !matches!(
                    next.as_str(),
                    "much"
                        | "many"
                        | "long"
                        | "soon"
                        | "far"
                        | "often"
                        | "quickly"
                        | "fast"
                        | "late"
                        | "early"
                        | "come"
                )
            }),
            "who" => true,
            "a" | "an" | "any" => {
                at > 1 && matches!(w[at - 2].as_str(), "is" | "do" | "have")
                    || at > 0
                        && matches!(
                            w[at - 1].as_str(),
                            "there" | "have" | "sell" | "offer" | "got"
                        )
            }
            _ => false,
        };
        let thing = w[at + 1..].iter().find(|t| !SKIPPED.contains(&t.as_str()));
        if let Some(thing) = thing.filter(|t| opens && !is_stop(t) && t.len() > 2) {
            out.push(thing.clone());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for() {
        assert_eq!(asks_for_own("What's my bill?").as_deref(), Some("bill"));
        assert_eq!(
            asks_for_own("how much was my order").as_deref(),
            Some("order")
        );
        assert_eq!(asks_for_own("is my card accepted"), None);
        assert_eq!(Asked::of("which days can I pick"), Asked::Time);
        assert_eq!(Asked::of("what's the rate on that"), Asked::Amount);
        assert!(Asked::Time.answered_by("You may choose any day from 1 to 28."));
        assert_eq!(Asked::of("what night is the class"), Asked::Day);
        assert!(
            Asked::Day.answered_by("It is on Tuesday.") && Asked::Day.answered_by("On the 17th.")
        );
        assert!(!Asked::Day.answered_by("Puppies can come from 10 to 18 weeks."));
        assert!(Asked::Amount.answered_by("It costs 20p a day."));
        assert!(!Asked::Amount.answered_by("Bring a proof of address."));
        assert!(!Asked::Amount.answered_by("It works in U.S. dollars only."));
        assert!(Asked::Amount.answered_by("It costs nothing."));
        assert!(Asked::Amount.answered_by("A second one is 20 dollars."));
    }
}
