//! Words taken back within one turn: a sentence begun and dropped for another ("I want to mo- actually no, what's the late fee"), and
//! what is named only to say that it is not wanted ("don't pause it", "I never asked you to").

use super::super::framing::{Word, begins, spans};
use super::social::{holds, plain};

/// What a turn comes to once what was dropped in it is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant<'t> {
    /// All of it.
    Whole,
    /// The rest; what was begun is no wish any more.
    Rest { begun: &'t str, rest: &'t str },
    /// It was begun and dropped for nothing else: "I want to pay, actually no".
    Nothing,
}

/// These drop what stands before them.
const DROPS: &[&str] = &[
    "actually no",
    "no actually",
    "no wait",
    "wait no",
    "oh wait",
    "no hang on",
    "no hold on",
    "hang on no",
    "hold on no",
    "scratch that",
    "strike that",
    "forget that",
    "actually forget that",
    "actually forget it",
    "let me start again",
    "let me start over",
    "let me rephrase that",
    "let me rephrase",
    "no sorry",
    "no scratch that",
    "no forget that",
    "no never mind",
    "actually never mind",
    "actually wait",
    "wait actually",
    "well actually no",
    "or actually no",
];
/// These only after a pause, and where a question or a wish follows.
const PAUSES: &[&str] = &["hang on", "hold on", "wait", "never mind", "nevermind"];
/// Nothing follows, and what was said before is dropped.
const GIVES_UP: &[&str] = &[
    "actually no",
    "no actually",
    "no wait",
    "wait no",
    "scratch that",
    "forget it",
    "forget that",
    "never mind",
    "nevermind",
    "actually forget it",
    "actually never mind",
    "no never mind",
    "i changed my mind",
    "ive changed my mind",
];
/// What a question or a wish begins with.
const ASKS: &[&str] = &[
    "what",
    "whats",
    "how",
    "hows",
    "when",
    "whens",
    "where",
    "wheres",
    "why",
    "who",
    "whos",
    "which",
    "can",
    "could",
    "do",
    "does",
    "did",
    "is",
    "are",
    "was",
    "will",
    "would",
    "should",
    "am",
    "tell me",
    "give me",
    "show me",
    "let me",
    "i want",
    "i need",
    "id like",
    "i would like",
    "i wanna",
    "i just want",
    "id rather",
    "please",
    "help me",
];
/// Said between what was dropped and what is meant.
const BETWEEN: &[&str] = &[
    "sorry", "um", "uh", "er", "erm", "okay", "ok", "so", "well", "just", "i mean", "no",
    "actually", "first", "i meant",
];
const COURTESY: &[&str] = &["thanks", "thank you", "sorry", "please", "then", "cheers"];

/// Reads what is left of a turn.
pub fn meant(text: &str) -> Meant<'_> {
    let words = spans(text);
    for from in (1..words.len()).rev() {
        // What is between this word and the one before.
        let paused = text[words[from - 1].at.1..words[from].at.0]
            .chars()
            .any(|c| !c.is_whitespace());
        if paused && let Some(n) = longest(&words[from..], GIVES_UP) {
            let left = skip(&words[from + n..], COURTESY);
            // "A payment I never made, never mind": two words are a word, not a sentence begun.
            if from >= 3 && left == words.len() - from - n {
                return Meant::Nothing;
            }
        }
        let drops = longest(&words[from..], DROPS);
        let Some(n) = drops.or_else(|| longest(&words[from..], PAUSES)) else {
            continue;
        };
        let rest = &words[from + n..];
        let rest = &rest[skip(rest, BETWEEN)..];
        let asks = longest(rest, ASKS).is_some() && rest.len() >= 2;
        let taken = match drops {
            Some(_) => asks || paused && rest.len() >= 3,
            None => paused && asks,
        };
        if taken && let Some(first) = rest.first() {
            return Meant::Rest {
                begun: text[..words[from - 1].at.1].trim(),
                rest: text[first.at.0..].trim(),
            };
        }
    }
    Meant::Whole
}

/// Whether the words begin as a question or a wish does.
pub fn opens_a_matter(text: &str) -> bool {
    let words = spans(text);
    let words = &words[skip(&words, BETWEEN)..];
    longest(words, ASKS).is_some()
}

fn longest(words: &[Word], phrases: &[&str]) -> Option<usize> {
    phrases.iter().filter_map(|p| begins(words, p)).max()
}

/// Words at the start that are all of these.
fn skip(words: &[Word], phrases: &[&str]) -> usize {
    let mut n = 0;
    while let Some(more) = longest(&words[n..], phrases) {
        n += more;
    }
    n
}

/// Something that is not to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal<'t> {
    /// An order that something be left alone, and no wish of one's own.
    pub order: bool,
    /// What is refused, plain words that may be the verb: "pause", or "paused" of "I don't want it paused".
    pub verbs: Vec<String>,
    /// What else was said, if it is a matter of its own.
    pub rest: Option<&'t str>,
}

/// Orders that something be left alone; a verb follows.
const ORDERS: &[&str] = &[
    "dont",
    "do not",
    "dont you dare",
    "you must not",
    "you mustnt",
    "whatever you do dont",
    "whatever you do do not",
];
/// Said of oneself, or to somebody, and no order: "don't know", "don't worry", "don't I have to".
const NO_ORDERS: &[&str] = &[
    "know",
    "understand",
    "have",
    "think",
    "see",
    "mind",
    "worry",
    "remember",
    "recognize",
    "recognise",
    "need",
    "want",
    "get",
    "care",
    "forget",
    "you",
    "i",
    "we",
    "they",
    "like",
    "feel",
    "believe",
    "suppose",
    "even",
    "really",
    "wanna",
    "tell",
    "say",
    "give",
    "bother",
    "hang",
    "owe",
];
/// Wishes that something not be done; a verb follows.
const WISHES: &[&str] = &[
    "i dont want to",
    "i dont wanna",
    "dont want to",
    "dont wanna",
    "i do not want to",
    "i dont want you to",
    "i do not want you to",
    "i dont want anybody to",
    "i dont want anyone to",
    "i didnt want to",
    "i didnt want you to",
    "i never wanted to",
    "i never wanted you to",
    "i didnt ask to",
    "i didnt ask you to",
    "i never asked to",
    "i never asked you to",
    "i havent asked you to",
    "i didnt tell you to",
    "i never told you to",
    "i didnt say to",
    "i never said to",
    "im not asking to",
    "im not asking you to",
    "i am not asking you to",
    "i wasnt asking to",
    "i wasnt asking you to",
    "im not trying to",
    "i wasnt trying to",
    "im not looking to",
    "i wasnt looking to",
    "id rather not",
    "i would rather not",
    "i wouldnt want to",
    "i wouldnt want you to",
    "i dont wish to",
    "i dont need to",
    "i dont need you to",
    "theres no need to",
    "there is no need to",
    "no need to",
];
/// The same of a thing, where what is not to happen to it is said after it: "I don't want it paused".
const THINGS: &[&str] = &[
    "i dont want it",
    "i dont want that",
    "i dont want them",
    "i dont want my",
    "i dont want the",
    "i dont want anything",
    "i dont want a",
    "i dont want an",
    "i dont want any",
    "im not after a",
    "im not asking for a",
    "i never wanted it",
    "i never asked for it to be",
    "i didnt ask for it to be",
];
/// Stands before the words of a thing that is not wanted.
const THING: &str = "(thing)";
/// Said before it.
const BEFORE: &[&str] = &[
    "please",
    "no",
    "nope",
    "oh",
    "well",
    "so",
    "hi",
    "hello",
    "look",
    "listen",
    "wait",
    "actually",
    "i said",
    "i told you",
    "and",
    "but",
    "okay",
    "ok",
    "sorry",
    "just",
    "now",
    "god",
    "yes",
    "yeah",
];
/// Two clauses meet here where no mark stands.
const JOINTS: &[&str] = &[
    " but ",
    " so ",
    " and ",
    " i just ",
    " just tell ",
    " just give ",
];

/// What the words refuse, if a clause of them does. "I don't want the texts any more" asks for a change, and refuses nothing.
pub fn refusal(text: &str) -> Option<Refusal<'_>> {
    let lower = text.to_lowercase();
    // Byte offsets are only shared while lowering changes no lengths; it does for a few letters outside English.
    if lower.len() != text.len() {
        return None;
    }
    let clauses = clauses(text, &lower);
    let (at, (order, verbs)) = clauses
        .iter()
        .enumerate()
        .find_map(|(at, clause)| Some((at, refused(&text[clause.0..clause.1])?)))?;
    // What was said before it, or comes after it: the longer of the two is what they are after.
    let before = text[..clauses[at].0].trim_end_matches(is_joint);
    let after = clauses.get(at + 1).map_or("", |next| text[next.0..].trim());
    // "I don't want a refund, I want to know ...": of a thing only where a wish follows.
    let named = verbs.first().is_some_and(|verb| verb == THING);
    let after = if named && !opens_a_matter(after) {
        ""
    } else {
        after
    };
    if named && after.is_empty() {
        return None;
    }
    let rest = [after, before]
        .into_iter()
        .filter(|part| refusal_free(part) && part.split_whitespace().count() >= 3)
        .max_by_key(|part| part.split_whitespace().count());
    Some(Refusal { order, verbs, rest })
}

fn refusal_free(part: &str) -> bool {
    refused(part).is_none()
}

fn is_joint(c: char) -> bool {
    c.is_whitespace() || matches!(c, ',' | ';' | '.' | '-' | '\u{2014}')
}

fn clauses(text: &str, lower: &str) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &lower[at..];
        let mark = rest.starts_with([',', ';', '.', '!', '?', '\u{2014}']);
        // The joint's last words belong to the clause that follows: " i just want".
        let joint = JOINTS.iter().any(|joint| rest.starts_with(joint));
        let step = rest.chars().next().map_or(1, char::len_utf8);
        if mark || joint {
            if text[start..at].chars().any(char::is_alphanumeric) {
                out.push((start, at));
            }
            start = at + step;
        }
        at += step;
    }
    if text[start..].chars().any(char::is_alphanumeric) {
        out.push((start, text.len()));
    }
    out
}

/// The verbs that one clause refuses, and whether it orders so.
fn refused(clause: &str) -> Option<(bool, Vec<String>)> {
    let words = plain(clause);
    // What is so now shall be otherwise: that is a wish for the change.
    if ["any more", "anymore", "any longer", "no more"]
        .iter()
        .any(|sign| holds(&words, sign))
    {
        return None;
    }
    let mut all: Vec<&str> = words.split(' ').filter(|w| !w.is_empty()).collect();
    while let Some(n) = (1..=3)
        .rev()
        .find(|n| all.len() > *n && BEFORE.contains(&all[..*n].join(" ").as_str()))
    {
        all.drain(..n);
    }
    let rest = |phrases: &[&str]| {
        phrases
            .iter()
            .filter_map(|p| {
                let n = p.split(' ').count();
                (all.len() > n && p.split(' ').eq(all[..n].iter().copied())).then_some(n)
            })
            .max()
            .map(|n| &all[n..])
    };
    let past = |of: &[&str]| -> Vec<String> {
        let ends = |w: &&&str| w.len() > 4 && w.ends_with("ed");
        of.iter().filter(ends).map(|w| (*w).to_owned()).collect()
    };
    if let Some(rest) = rest(WISHES) {
        let skipped = ["actually", "really", "ever", "be", "have", "go", "and"];
        let verb = rest.iter().find(|w| !skipped.contains(w))?;
        let mut verbs = vec![(*verb).to_owned()];
        verbs.extend(past(rest));
        return Some((false, verbs));
    }
    if let Some(rest) = rest(THINGS) {
        let mut verbs = past(rest);
        if verbs.is_empty() && all.len() <= 8 {
            verbs.push(THING.to_owned());
            verbs.extend(rest.iter().map(|word| (*word).to_owned()));
        }
        return (!verbs.is_empty()).then_some((false, verbs));
    }
    let rest = rest(ORDERS)?;
    (!NO_ORDERS.contains(&rest[0]) && rest.len() <= 12).then(|| (true, vec![rest[0].to_owned()]))
}

/// What sounds like a wish to leave and is none: it is refused ("don't close it"), or only the messages shall stop.
pub fn stays(text: &str) -> bool {
    refusal(text).is_some() || super::social::wants_quiet(text)
}

/// "Don't put me through to anybody".
pub fn wants_no_human(text: &str) -> bool {
    let words = plain(text);
    [
        "dont put me through",
        "do not put me through",
        "dont transfer me",
        "do not transfer me",
        "dont pass me",
        "dont need a person",
        "dont need a human",
        "dont want a person",
        "dont want a human",
        "dont want to be transferred",
        "dont want to be put through",
        "without talking to",
        "without speaking to",
        "no need to transfer",
    ]
    .iter()
    .any(|phrase| holds(&words, phrase))
}

/// "Hang on, what did you set": the pause is only how the question begins.
pub fn asks_after_a_pause(words: &str) -> bool {
    ["hang on", "hold on", "wait a minute", "wait a second"]
        .iter()
        .filter_map(|pause| words.split_once(&format!("{pause} ")))
        .any(|(_, rest)| {
            let first = rest.split(' ').next().unwrap_or_default();
            rest.split(' ').count() >= 3
                && [
                    "what", "whats", "how", "when", "whens", "which", "why", "did", "does", "is",
                    "was",
                ]
                .contains(&first)
        })
}

/// Whether the words are put as a question.
pub fn asks(text: &str) -> bool {
    const OPENS: &[&str] = &[
        "what", "whats", "how", "hows", "when", "whens", "where", "wheres", "why", "who", "which",
        "do", "does", "did", "is", "are", "was", "were", "will", "would", "can", "could", "should",
        "am", "has", "have", "isnt", "arent", "doesnt", "dont i", "wont", "didnt",
    ];
    const BEFORE: &[&str] = &[
        "so",
        "and",
        "but",
        "ok",
        "okay",
        "oh",
        "um",
        "uh",
        "wait",
        "hang on",
        "hold on",
        "sorry",
        "right",
        "yes",
        "yeah",
        "well",
        "also",
        "hi",
        "just",
        "quick question",
        "before i do",
        "before you do",
        "actually",
        "hey",
        "hm",
        "hmm",
        "ah",
        "er",
        "erm",
        "no",
        "first",
        "then",
        "now",
    ];
    let words = spans(text);
    let words = &words[skip(&words, BEFORE)..];
    text.trim_end().ends_with('?') || longest(words, OPENS).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_and_dropped_is_left_out() {
        for (text, rest) in [
            (
                "I want to mo- actually no, what's the late fee",
                "what's the late fee",
            ),
            (
                "can I pay, no wait, how much is the late fee",
                "how much is the late fee",
            ),
            (
                "move my payment to, hang on, when is it due",
                "when is it due",
            ),
            (
                "I'd like to pay scratch that I want to pause",
                "I want to pause",
            ),
        ] {
            assert!(
                matches!(meant(text), Meant::Rest { rest: r, .. } if r == rest),
                "{text}: {:?}",
                meant(text)
            );
        }
        for text in [
            "there is no wait list is there",
            "can I hang on to my number",
            "is there a no wait option for classes",
            "I was told to wait and then nobody came",
            "wait, what's the late fee",
            "the tenth, actually no, the eleventh",
        ] {
            assert_eq!(meant(text), Meant::Whole, "{text}");
        }
        assert_eq!(
            meant("I want to pay my bill, actually no, never mind"),
            Meant::Nothing
        );
        assert_eq!(meant("I'd like to pay it off, actually no"), Meant::Nothing);
    }

    #[test]
    fn what_is_not_wanted_is_told_from_what_is() {
        for (text, verb, rest) in [
            ("I don't want to pause my payments", "pause", None),
            ("don't cancel it", "cancel", None),
            ("I never asked you to close it", "close", None),
            ("I don't want it paused", "paused", None),
            (
                "please don't move it, just tell me the fee",
                "move",
                Some("just tell me the fee"),
            ),
            (
                "I don't want to cancel, I want to freeze",
                "cancel",
                Some("I want to freeze"),
            ),
            (
                "when is it due, I don't want to pay it now",
                "pay",
                Some("when is it due"),
            ),
            (
                "I don't want a refund, I want to know where my order is",
                "refund",
                Some("I want to know where my order is"),
            ),
        ] {
            let found = refusal(text);
            assert!(
                found
                    .as_ref()
                    .is_some_and(|f| f.verbs.iter().any(|v| v == verb) && f.rest == rest),
                "{text}: {found:?}"
            );
        }
        for text in [
            "I don't want the reminder texts any more",
            "I don't want autopay on anymore",
            "I don't know my balance",
            "don't I have to pay a fee",
            "I never ordered this",
            "I don't recognise this charge",
            "I can't pay",
            "I don't want a refund",
        ] {
            assert_eq!(refusal(text), None, "{text}");
        }
    }

    #[test]
    fn questions_are_told_by_their_shape() {
        assert!(
            asks("so does it cost anything") && asks("how far can I move it") && asks("the tenth?")
        );
        assert!(!asks("the eleventh") && !asks("yes please") && !asks("move it to Friday"));
    }
}
