//! What was said before: words that only mean something together with the last topic, and several matters in one breath.

use super::social::{holds, plain};

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
    "happens", "mean", "instead", "else", "again",
];

const POINTERS: &[&str] = &[
    "it", "its", "that", "thats", "this", "them", "those", "these", "they", "one", "same", "other",
];

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
    .any(|phrase| words == *phrase || words.starts_with(&format!("{phrase} ")));
    if own == 0 && (points || all.len() <= 4) {
        return Lean::Wholly;
    }
    if opens || (points && all.len() <= 8) || (own <= 1 && all.len() <= 3) {
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

/// Both meanings as one: the middle of two unit vectors, unit length again. Empty where either is.
pub fn blended(topic: &[f32], now: &[f32]) -> Vec<f32> {
    if topic.len() != now.len() || topic.is_empty() {
        return Vec::new();
    }
    let mut sum: Vec<f32> = topic.iter().zip(now).map(|(a, b)| a + b).collect();
    let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length <= f32::EPSILON {
        return Vec::new();
    }
    for x in &mut sum {
        *x /= length;
    }
    sum
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

/// The matters of one utterance, in order; one where it is one. Breaks only where a new sentence or "and also" begins.
pub fn matters(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let lower = text.to_lowercase();
    if lower.len() != text.len() {
        return vec![text];
    }
    let mut at = 0;
    while at < lower.len() {
        let rest = &lower[at..];
        let cut = if rest.starts_with(['?', '!']) || rest.starts_with(". ") {
            Some(1)
        } else {
            [
                ", and also ",
                " and also ",
                ", also ",
                " and another thing ",
                " and secondly ",
                ", and can you ",
                ", and could you ",
                " and can you also ",
                ", and i want ",
                ", and i need ",
                ", and how ",
                ", and what ",
                ", and when ",
                " and i also ",
            ]
            .iter()
            .find(|joint| rest.starts_with(**joint))
            .map(|_| 1)
        };
        let step = rest.chars().next().map_or(1, char::len_utf8);
        if let Some(cut) = cut {
            parts.push(&text[start..at + cut]);
            start = at + cut;
            // Not to break the same joint twice.
            at += cut + 4;
            while at < lower.len() && !lower.is_char_boundary(at) {
                at += 1;
            }
        } else {
            at += step;
        }
    }
    if start < text.len() {
        parts.push(&text[start..]);
    }
    let parts: Vec<&str> = parts
        .into_iter()
        .map(|part| part.trim_matches([' ', ',', '.']))
        .filter(|part| part.split_whitespace().count() >= 3)
        .collect();
    if parts.len() < 2 { vec![text] } else { parts }
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
            ["How do I read my meter?", "And can I pay by card?"]
        );
        assert_eq!(
            matters("I want to move house, and also change my plan").len(),
            2
        );
        assert_eq!(matters("Hi. I have a leak.").len(), 1);
    }

    #[test]
    fn blending_keeps_unit_length() {
        let v = blended(&[1.0, 0.0], &[0.0, 1.0]);
        assert!((v.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
        assert!(blended(&[1.0], &[]).is_empty());
    }
}
