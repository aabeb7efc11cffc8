//! The thing a question is after: what is priced, had, counted or measured. A neighbouring fact is no answer to it.

use super::text::{is_stop, words};

/// How a question asks for its thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// "How much is ...", "what does ... cost", "do you have ...", "is there ...".
    Had,
    /// "Which floor", "what discount".
    Which,
    /// "How warm", "how deep".
    How,
    /// "How many drivers".
    Many,
}

/// The thing and how it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    pub way: Way,
    /// Its words, lower-cased: "contact lens solution".
    pub words: Vec<String>,
}

/// What ends a thing's name.
const ENDS: [&str; 36] = [
    "in", "on", "at", "of", "for", "to", "from", "with", "by", "into", "over", "per", "during",
    "after", "before", "until", "through", "about", "between", "is", "are", "do", "does", "if",
    "and", "or", "cost", "when", "that", "i", "you", "we", "worth", "can", "be", "it",
];

impl Object {
    /// The thing a question is after; none where it asks in no such way.
    pub fn of(question: &str) -> Option<Self> {
        let text = question.replace('\u{2019}', "'").replace("'s ", " ");
        let w = words(&text);
        let at = |n: usize| w.get(n).map_or("", String::as_str);
        let named = |from: usize| -> Vec<String> {
            let rest = w.get(from..).unwrap_or(&[]).iter();
            rest.skip_while(|w| {
                matches!(
                    w.as_str(),
                    "a" | "an" | "the" | "any" | "your" | "my" | "our" | "some" | "you" | "i"
                )
            })
            .take_while(|w| !ENDS.contains(&w.as_str()))
            .cloned()
            .collect()
        };
        let found = |way, mut words: Vec<String>| {
            // "A referral program" is had where referring is spoken of: what it is called as a kind of thing is no part of it.
            while words.len() > 1 && words.last().is_some_and(|word| is_kind(word)) {
                words.pop();
            }
            Some(Self { way, words })
        };
        for n in 0..w.len() {
            let asks = matches!((at(n), at(n + 1)), ("how", "much")) as usize;
            let verb = n + 1 + asks;
            if (asks == 1 || at(n) == "what")
                && matches!(at(verb), "does" | "do" | "would" | "will" | "did")
                && let Some(end) = w[verb + 1..]
                    .iter()
                    .position(|w| matches!(w.as_str(), "cost" | "costs" | "come" | "set" | "earn"))
            {
                return found(Way::Had, w[verb + 1..verb + 1 + end].to_vec());
            }
            match (at(n), at(n + 1), at(n + 2)) {
                // "How much is it to clip a horse", "what does it cost to have one".
                ("how", "much", "is") if at(n + 3) == "it" && at(n + 4) == "to" => {
                    return found(Way::Had, named(n + 5));
                }
                ("how", "much", "is" | "are" | "for" | "was") => {
                    return found(Way::Had, named(n + 3));
                }
                ("price" | "cost" | "fee" | "charge" | "charges", "of" | "for", _) => {
                    return found(Way::Had, named(n + 2));
                }
                (
                    "do" | "does",
                    "you",
                    "have" | "sell" | "offer" | "cover" | "do" | "take" | "ship" | "rent",
                ) => return found(Way::Had, named(n + 3)),
                ("is" | "are", "there", "a" | "an" | "any") | ("have", "you", "got") => {
                    return found(Way::Had, named(n + 3));
                }
                ("how", "many", thing) if !is_stop(thing) => {
                    return found(Way::Many, vec![thing.to_owned()]);
                }
                ("how", how, _) if is_measured(how) => {
                    return found(Way::How, vec![how.to_owned()]);
                }
                ("which" | "what", thing, _)
                    if !is_stop(thing)
                        && thing.len() > 2
                        && !matches!(
                            thing,
                            "time" | "day" | "days" | "date" | "dates" | "now" | "happens" | "else"
                        ) =>
                {
                    return found(Way::Which, vec![thing.to_owned()]);
                }
                _ => {}
            }
        }
        None
    }
}

/// Words for whatever a company may have.
fn is_kind(word: &str) -> bool {
    matches!(
        word,
        "program"
            | "programme"
            | "scheme"
            | "service"
            | "services"
            | "option"
            | "options"
            | "policy"
            | "system"
            | "process"
            | "facility"
            | "facilities"
            | "feature"
            | "thing"
            | "things"
            | "deal"
            | "offer"
    )
}

/// "How warm", not "how long", "how much", "how soon", which ask for a time or an amount, and "how do I".
fn is_measured(word: &str) -> bool {
    !is_stop(word)
        && !matches!(
            word,
            "much"
                | "many"
                | "long"
                | "soon"
                | "often"
                | "late"
                | "early"
                | "fast"
                | "quickly"
                | "quick"
                | "far"
                | "come"
                | "old"
                | "better"
                | "else"
                | "exactly"
        )
}

/// Whether a text measures what "how warm", "how wide" asks for.
pub(super) fn measures(how: &str, said: &str) -> bool {
    let units: &[&str] = match how {
        "warm" | "hot" | "cold" | "cool" => &["degrees", "celsius", "fahrenheit"],
        "heavy" | "light" => &[
            "kg",
            "kilos",
            "kilograms",
            "grams",
            "pounds",
            "lbs",
            "tonnes",
        ],
        "big" | "large" | "small" | "wide" | "deep" | "high" | "tall" | "thick" | "narrow" => &[
            "cm",
            "centimetres",
            "centimeters",
            "metres",
            "meters",
            "m",
            "mm",
            "feet",
            "foot",
            "inches",
            "square",
            "litres",
            "liters",
        ],
        _ => &[],
    };
    words(said).iter().any(|w| {
        let bare = w.trim_start_matches(|c: char| c.is_ascii_digit());
        units.contains(&bare)
    })
}

/// Whether a text that speaks of a thing says how many of it there are; true where it does not speak of it in that word at all.
pub(super) fn counts(thing: &str, said: &str) -> bool {
    const NUMBERS: [&str; 13] = [
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve", "both",
    ];
    let one = thing.trim_end_matches('s');
    let w = words(said);
    // "How many times": "twice in any 12 months", "once a year".
    if one == "time"
        && w.iter()
            .any(|w| matches!(w.as_str(), "once" | "twice" | "thrice"))
    {
        return true;
    }
    let is_thing = |w: &str| w.trim_end_matches('s') == one;
    let number =
        |w: &String| w.starts_with(|c: char| c.is_ascii_digit()) || NUMBERS.contains(&w.as_str());
    // "Power banks: at most two".
    let limited = w.iter().enumerate().any(|(at, word)| {
        is_thing(word)
            && w[at + 1..]
                .iter()
                .take(8)
                .collect::<Vec<_>>()
                .windows(2)
                .any(|pair| {
                    matches!(
                        pair[0].as_str(),
                        "most" | "maximum" | "only" | "to" | "than"
                    ) && number(pair[1])
                        || NUMBERS.contains(&pair[0].as_str()) && pair[1] == "of"
                })
    });
    if limited {
        return true;
    }
    let mut places = w.iter().enumerate().filter(|(_, w)| is_thing(w)).peekable();
    places.peek().is_none() || places.any(|(at, _)| w[at.saturating_sub(4)..at].iter().any(number))
}

/// The verb by which something would change hands, where that is asked: "can I rent", "do you sell".
pub(super) fn trade(question: &str) -> Option<String> {
    let w = words(question);
    w.windows(3).find_map(|t| {
        let asks = matches!(
            t[0].as_str(),
            "can" | "could" | "may" | "do" | "does" | "would"
        );
        let who = matches!(t[1].as_str(), "i" | "we" | "you" | "they");
        let trades = matches!(
            t[2].as_str(),
            "rent" | "hire" | "buy" | "borrow" | "lend" | "lease" | "sell" | "purchase"
        );
        (asks && who && trades).then(|| t[2].clone())
    })
}

/// "A second dog", "my third child": the word by which it is not the first.
pub(super) fn further(question: &str) -> Option<String> {
    let w = words(question);
    w.windows(3).find_map(|t| {
        let one = matches!(t[0].as_str(), "a" | "the" | "my" | "our" | "for");
        let nth = matches!(t[1].as_str(), "second" | "third" | "fourth" | "fifth");
        (one && nth && !is_stop(&t[2])).then(|| t[1].clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thing_that_is_asked_for() {
        for (question, way, thing) in [
            ("how much is a beer at the bar", Way::Had, "beer"),
            (
                "what does a cardboard box cost in your shop",
                Way::Had,
                "a cardboard box",
            ),
            (
                "do you cover my contact lens solution",
                Way::Had,
                "contact lens solution",
            ),
            (
                "is there a discount if I park for a week",
                Way::Had,
                "discount",
            ),
            ("what's the fee for a second dog", Way::Had, "second dog"),
            ("how much is it to clip a horse", Way::Had, "clip a horse"),
            ("how warm is the sauna", Way::How, "warm"),
            ("which floor is it on", Way::Which, "floor"),
            ("how many drivers work for you", Way::Many, "drivers"),
        ] {
            let object = Object::of(question).expect(question);
            assert_eq!(
                (object.way, object.words.join(" ").as_str()),
                (way, thing),
                "{question}"
            );
        }
        for question in [
            "can I cancel",
            "how long does it take",
            "how do I pay",
            "what time is it",
        ] {
            assert_eq!(Object::of(question), None, "{question}");
        }
    }

    #[test]
    fn a_neighbouring_fact_is_seen() {
        assert!(!measures(
            "warm",
            "The sauna costs €12 and is open from 4 to 10."
        ));
        assert!(measures("wide", "It is 90cm wide."));
        assert!(!counts("drivers", "The driver comes between 9 and 6."));
        assert!(counts("banks", "Power banks: two of up to 100 Wh."));
        assert!(counts("times", "You can change it twice a year."));
        assert!(counts("shops", "There are 1,400 shops.") && counts("sessions", "20 visits."));
        assert_eq!(
            trade("can I rent a bicycle from you").as_deref(),
            Some("rent")
        );
        assert_eq!(trade("how much is the rent"), None);
        assert_eq!(
            further("what's the fee for a second dog").as_deref(),
            Some("second")
        );
        assert_eq!(further("wait a second please"), None);
    }
}
