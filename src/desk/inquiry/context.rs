//! What was said before: words that only mean something together with the last topic, and several matters in one breath.

use super::social::{self, holds, plain};
use crate::desk::meaning;

/// How much the words lean on what was said before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lean {
    /// A matter of its own.
    Own,
    /// May be read alone or with the last topic: "what about refunds", "and for the other plan".
    Maybe,
    /// Means nothing alone: "how much is that?", "why?".
    Wholly,
}

/// Words that carry no topic.
const EMPTY: &[&str] = &[
    "a", "about", "all", "also", "an", "and", "any", "are", "at", "be", "been", "but", "by", "can",
    "could", "did", "do", "does", "for", "from", "get", "got", "had", "has", "have", "how", "i",
    "if", "im", "in", "is", "it", "its", "just", "many", "me", "much", "my", "no", "not", "of",
    "ok", "okay", "on", "one", "ones", "or", "other", "please", "same", "second", "so", "still",
    "sure", "that", "thats", "the", "them", "then", "there", "these", "they", "this", "those",
    "to", "too", "up", "us", "was", "we", "well", "what", "when", "where", "which", "who", "why",
    "will", "with", "would", "yes", "yeah", "you", "your", "really", "long", "cost", "take",
    "happens", "mean", "instead", "else", "again", "go", "goes", "went", "through", "normally",
    "usually", "yet", "already", "exactly", "takes", "happen",
];

const POINTERS: &[&str] = &[
    "it", "its", "that", "thats", "this", "them", "those", "these", "they", "one", "same", "other",
];

/// Whether a word carries no topic.
pub fn is_empty_word(word: &str) -> bool {
    EMPTY.contains(&word)
}

/// Reads how the words lean.
pub fn lean(text: &str) -> Lean {
    let words = plain(text);
    let all: Vec<&str> = words.split(' ').filter(|w| !w.is_empty()).collect();
    if all.is_empty() || all.len() > 14 {
        return Lean::Own;
    }
    let own = all.iter().filter(|w| !EMPTY.contains(w)).count();
    let points = points(text);
    let opens = [
        "and",
        "what about",
        "how about",
        "but",
        "or",
        "also what about",
        "what if",
        "and if",
        "so",
    ]
    .iter()
    .any(|phrase| social::opens(&words, phrase));
    if own == 0 && (points || all.len() <= 4) {
        return Lean::Wholly;
    }
    let fragment = || super::frames::fragment(text).is_some();
    if opens || (points && all.len() <= 8) || (own <= 1 && all.len() <= 3) || fragment() {
        return Lean::Maybe;
    }
    Lean::Own
}

/// Whether the words point at something said before: "it", "that", "the other one".
pub fn points(text: &str) -> bool {
    plain(text).split(' ').any(|word| POINTERS.contains(&word))
}

/// The words together with the last topic, for understanding both as one question.
pub fn joined(topic: &str, text: &str) -> String {
    format!(
        "{} {}",
        topic.trim_end_matches(['?', '.', '!', ' ']),
        text.trim()
    )
}

/// Both readings as one: the middles of their unit vectors, unit length again, and the words of both. Empty where either is.
pub fn blended(topic: &[f32], now: &[f32], dims: usize) -> Vec<f32> {
    let both = (meaning::whole(topic, dims), meaning::whole(now, dims));
    let Some(mut sum) = middle(both.0, both.1) else {
        return Vec::new();
    };
    let asked = (meaning::asked(topic, dims), meaning::asked(now, dims));
    let (Some(first), Some(second)) = asked else {
        return sum;
    };
    sum.extend(middle(first, second).unwrap_or_else(|| second.to_vec()));
    for word in meaning::words(topic, dims).chain(meaning::words(now, dims)) {
        sum.extend(word);
    }
    sum
}

/// The middle of two unit vectors, unit length again; none where there is none.
fn middle(first: &[f32], second: &[f32]) -> Option<Vec<f32>> {
    if first.len() != second.len() || first.is_empty() {
        return None;
    }
    let mut sum: Vec<f32> = first.iter().zip(second).map(|(a, b)| a + b).collect();
    let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
    for x in &mut sum {
        *x /= length;
    }
    (length > f32::EPSILON).then_some(sum)
}

/// A clause that says when a thing is due ("my payment is on the 3rd"), and the words without it. None where there is no such clause,
/// or nothing is left beside it.
pub fn due_clause(text: &str) -> Option<(&str, String)> {
    const SAYS: [&str; 9] = [
        " is on ",
        " is due",
        " comes out on",
        " goes out on",
        " falls on",
        " due on ",
        " was due",
        " is set for",
        " is for the ",
    ];
    const ENDS: [&str; 8] = [",", ";", ".", " and ", " but ", " can ", " could ", " so "];
    let lower = text.to_lowercase();
    if lower.len() != text.len() {
        return None;
    }
    let (at, says) = SAYS
        .iter()
        .filter_map(|s| Some((lower.find(s)?, s)))
        .min()?;
    let from = at + says.trim_end().len();
    let until = ENDS
        .iter()
        .filter_map(|e| lower[from..].find(e))
        .min()
        .map_or(text.len(), |n| from + n);
    let rest = format!("{} {}", &text[..at], &text[until..]);
    (until < text.len()).then(|| (&text[from..until], rest))
}

/// "No, I meant ...", "sorry, not the 4th, the 14th": the words after the turn, which are what counts.
pub fn correction(text: &str) -> Option<&str> {
    let lower = text.to_lowercase();
    // Byte offsets are only shared while lowering changes no lengths; it does for a few letters outside English.
    if lower.len() != text.len() {
        return None;
    }
    const TURNS: &[&str] = &[
        "i meant",
        "i mean",
        "make it",
        "make that",
        "change it to",
        "change that to",
        "it should be",
        "rather",
        "actually",
        "sorry",
    ];
    let mut at: Option<usize> = None;
    for turn in TURNS {
        if let Some(found) = lower.rfind(turn)
            && holds(&plain(&lower), turn)
        {
            let end = found + turn.len();
            at = Some(at.map_or(end, |known| known.max(end)));
        }
    }
    let rest = text.get(at?..)?.trim_start_matches([',', ' ', '.', ':']);
    Some(if rest.is_empty() { text } else { rest })
}

/// "The one before", "what I said first": the value that was changed, not a new one.
pub fn wants_the_one_before(text: &str) -> bool {
    let words = plain(text);
    [
        "the one before",
        "one before that",
        "the previous one",
        "the old one",
        "the earlier one",
        "the first one",
        "what i said before",
        "what i said first",
        "what i said at first",
        "as it was before",
        "like before",
        "as before",
        "what it was before",
        "back to the first",
        "go back to the",
        "the original one",
        "the original",
        "the one i said first",
    ]
    .iter()
    .any(|phrase| holds(&words, phrase))
}

/// "Can you make it Thursday instead", "sorry, change it to the 4th": a value other than the one that was taken.
pub fn asks_otherwise(text: &str) -> bool {
    let words = plain(text);
    [
        "make it",
        "make that",
        "change it to",
        "change that to",
        "instead",
        "back on",
        "back off",
        "back to",
        "rather have",
        "i meant",
    ]
    .iter()
    .any(|phrase| holds(&words, phrase))
}

/// What a second matter begins with after "and".
const OPENERS: &[&str] = &[
    "also ",
    "another thing",
    "secondly",
    "how ",
    "how's ",
    "what ",
    "what's ",
    "whats ",
    "when ",
    "when's ",
    "where ",
    "where's ",
    "why ",
    "who ",
    "which ",
    "can ",
    "could ",
    "do i ",
    "do you ",
    "does ",
    "is there ",
    "is my ",
    "is the ",
    "are you ",
    "will ",
    "would ",
    "i want ",
    "i need ",
    "i'd like ",
    "i would like ",
    "i also ",
    "please ",
    "tell me ",
];

/// The matters of one utterance, in order; one where it is one. Breaks where a sentence ends and where "and" or a comma opens a
/// question or a wish; whether the parts mean something by themselves is for whoever asks to find out.
pub fn matters(text: &str) -> Vec<&str> {
    let lower = text.to_lowercase();
    // Byte offsets are only shared while lowering changes no lengths; it does for a few letters outside English.
    if lower.len() != text.len() {
        return vec![text];
    }
    let mut parts = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < lower.len() {
        let rest = &lower[at..];
        let joint = [", and ", " and ", ", "]
            .into_iter()
            .find(|joint| rest.starts_with(joint));
        // What is pushed ends before the joint, or with the mark that ends a sentence; the next begins after either.
        let cut = if rest.starts_with(['?', '!']) || rest.starts_with(". ") {
            Some((1, 1))
        } else {
            joint
                .filter(|joint| *joint != ", " || !tells(&lower[start..at]))
                .map(str::len)
                .filter(|n| OPENERS.iter().any(|opener| rest[*n..].starts_with(opener)))
                .map(|n| (0, n))
        };
        let step = rest.chars().next().map_or(1, char::len_utf8);
        match cut {
            Some((kept, cut)) => {
                parts.push(&text[start..at + kept]);
                start = at + cut;
                at = start;
            }
            None => at += step,
        }
    }
    parts.push(&text[start..]);
    let parts: Vec<&str> = parts
        .into_iter()
        .map(|part| part.trim_matches([' ', ',', '.']))
        // What "also" adds is a matter without it.
        .map(|part| part.strip_prefix("also ").unwrap_or(part))
        .filter(|part| part.split_whitespace().count() >= 3)
        .collect();
    if parts.len() < 2 { vec![text] } else { parts }
}

/// Words that only tell how things are before a comma and a question: "I'm in the suite, do I pay the fee", "it's two metres high, will
/// it fit". They are what the question is about, not a matter of their own.
pub fn tells(part: &str) -> bool {
    const WHO: [&str; 21] = [
        "i", "im", "ive", "id", "we", "were", "weve", "my", "our", "it", "its", "he", "hes", "she",
        "shes", "they", "the", "there", "theres", "you", "your",
    ];
    const WISHES: [&str; 8] = [
        "want",
        "need",
        "id like",
        "would like",
        "wish",
        "wanna",
        "id love",
        "looking for",
    ];
    const BEFORE: [&str; 14] = [
        "hi",
        "hello",
        "hey",
        "yeah",
        "yes",
        "so",
        "well",
        "um",
        "uh",
        "ok",
        "okay",
        "right",
        "look",
        "basically",
    ];
    let words = plain(part);
    words
        .split(' ')
        .find(|word| !BEFORE.contains(word))
        .is_some_and(|first| WHO.contains(&first))
        && !WISHES.iter().any(|wish| holds(&words, wish))
}

/// Whether the words ask to be told something, rather than for it to be done: "what does it cost", "is it free", "do I have to".
/// "Can you ...", "I'd like ..." ask for doing, whatever else is in them.
pub fn asks_to_know(text: &str) -> bool {
    let words = plain(text);
    let wants = [
        "i want",
        "i need",
        "id like",
        "i would like",
        "i wish",
        "can you",
        "could you",
        "would you",
        "will you",
        "please",
        "book me",
        "send me",
        "help me",
        "let me",
        "lets",
        "id love",
        "i wanna",
        "can i get",
        "could i get",
        "can i have",
        "could i have",
        "may i have",
        "ive got to",
    ];
    if wants.iter().any(|phrase| holds(&words, phrase)) {
        return holds(&words, "i want to know") || holds(&words, "id like to know");
    }
    let asks = [
        "what",
        "whats",
        "how much",
        "how long",
        "how many",
        "how soon",
        "how often",
        "when will",
        "which",
        "is there",
        "is it",
        "is a",
        "is an",
        "is the",
        "are there",
        "are the",
        "do i",
        "does",
        "do you charge",
        "will i",
        "will it",
        "will my",
        "what happens",
        "how does",
        "how do",
        "can i still",
        "can i keep",
        "can i use",
        "am i",
        "are you allowed",
        "is that",
        "why",
    ];
    let all: Vec<&str> = words.split(' ').collect();
    // The question may follow a greeting or what it is about: it begins in the first few words, or opens what is asked.
    (0..all.len().min(6)).any(|from| {
        let rest = all[from..].join(" ");
        asks.iter().any(|ask| social::opens(&rest, ask))
    })
}

/// Nothing but what is asked about, with no verb of its own: "and for mobile?", "what about gigabit".
pub fn is_fragment(text: &str) -> bool {
    let words = plain(text);
    let opens = ["and", "what about", "how about", "or", "but", "also"]
        .iter()
        .find_map(|opener| words.strip_prefix(&format!("{opener} ")));
    let Some(rest) = opens else { return false };
    let rest: Vec<&str> = rest.split(' ').collect();
    const VERBS: &[&str] = &[
        "is", "are", "do", "does", "did", "can", "could", "will", "would", "have", "has", "am",
        "was", "were", "should", "how", "when", "why", "where", "who", "what", "which", "if", "i",
        "im", "we", "you", "they",
    ];
    rest.len() <= 5 && !rest.iter().any(|word| VERBS.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaning() {
        assert_eq!(lean("How much is that?"), Lean::Wholly);
        assert_eq!(lean("Why?"), Lean::Wholly);
        assert_eq!(lean("And for the other plan?"), Lean::Maybe);
        assert_eq!(lean("What about refunds?"), Lean::Maybe);
        assert_eq!(
            lean("My water meter shows the wrong reading since last week"),
            Lean::Own
        );
    }

    #[test]
    fn corrections_leave_what_counts() {
        assert_eq!(correction("No, I meant the 14th"), Some("the 14th"));
        assert_eq!(
            correction("sorry, the 14th not the 4th"),
            Some("the 14th not the 4th")
        );
        assert_eq!(correction("the 14th"), None);
    }

    #[test]
    fn matters_break_at_sentences() {
        assert_eq!(
            matters("How do I read my meter? And can I pay by card?"),
            ["How do I read my meter?", "can I pay by card?"]
        );
        assert_eq!(
            matters("I want to move house, and also change my plan").len(),
            2
        );
        assert_eq!(matters("Hi. I have a leak.").len(), 1);
        assert_eq!(
            matters("what's the late fee and how do i get a paper bill"),
            ["what's the late fee", "how do i get a paper bill"]
        );
        assert_eq!(matters("salt and vinegar on my chips please").len(), 1);
        assert_eq!(matters("I'm in the suite, do I pay the tray fee").len(), 1);
        assert_eq!(
            matters("hi yeah we've got solar panels, how much do you pay").len(),
            1
        );
        assert_eq!(
            matters("I need a new card, how do I change my address").len(),
            2
        );
    }

    #[test]
    fn knowing_is_not_doing() {
        for text in [
            "what does a visit cost",
            "is it free",
            "do I have to be in",
            "how long does it take",
        ] {
            assert!(asks_to_know(text), "{text}");
        }
        for text in [
            "can you send somebody",
            "I'd like a visit",
            "book a visit please",
            "move my payment",
        ] {
            assert!(!asks_to_know(text), "{text}");
        }
    }

    #[test]
    fn fragments_lean_on_what_was_said() {
        assert!(is_fragment("and for mobile?") && is_fragment("What about the big one"));
        assert!(!is_fragment("and when is it charged") && !is_fragment("refunds"));
        assert!(!is_fragment("and what if I pay early?"));
    }

    #[test]
    fn blending_keeps_unit_length() {
        let v = blended(&[1.0, 0.0], &[0.0, 1.0], 2);
        assert!((v.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
        assert!(blended(&[1.0], &[], 1).is_empty());
    }
}
