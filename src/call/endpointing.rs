//! How long a silence ends a turn: evidence from what was asked and from the words so far.

use crate::desk::Listen;

/// Quiet, measured from the last sound of speech, after which the turn is final, in milliseconds.
///
/// `words`: what was recognised so far; none while the recogniser is still at work.
pub fn patience_ms(listen: Listen, words: Option<&str>) -> u64 {
    let asked: u64 = match listen {
        Listen::Open => 520,
        Listen::YesNo => 450,
        Listen::Money => 650,
        Listen::Date | Listen::Name => 800,
        Listen::Digits | Listen::Postcode => 1000,
    };
    let Some(words) = words else { return asked };
    let text = words.trim().to_lowercase();
    if text.is_empty() {
        return asked;
    }
    if unfinished(&text) {
        return asked.max(1150);
    }
    match listen {
        Listen::YesNo if text.split_whitespace().count() <= 3 => 380,
        // A code said in groups: a pause after two or three characters is a breath, not an end.
        Listen::Digits | Listen::Postcode if characters(&text) < 5 => 1250,
        Listen::Digits | Listen::Postcode => 750,
        Listen::Date
            if text.chars().any(|c| c.is_ascii_digit()) && text.split_whitespace().count() >= 3 =>
        {
            600
        }
        Listen::Open if text.ends_with('?') => 440,
        _ => asked,
    }
}

/// The words stop where a sentence cannot: on a conjunction, an article, "my number is", a hesitation.
fn unfinished(text: &str) -> bool {
    if text.ends_with("...") || text.ends_with(',') || text.ends_with('-') || text.ends_with('…')
    {
        return true;
    }
    let last_words: Vec<&str> = text
        .split_whitespace()
        .map(|w| w.trim_matches(|c: char| !c.is_alphanumeric() && c != '\''))
        .filter(|w| !w.is_empty())
        .collect();
    let Some(last) = last_words.last() else {
        return false;
    };
    const HANGING: &[&str] = &[
        "and", "but", "or", "so", "because", "if", "when", "that", "with", "to", "for", "from",
        "of", "at", "in", "on", "the", "a", "an", "my", "your", "their", "is", "are", "was", "um",
        "uh", "er", "erm", "like", "about", "i", "i'm", "it's", "number's", "um,", "than", "into",
        "by", "which", "who", "where", "would", "could", "can", "don't", "plus", "also", "then",
    ];
    // Whisper ends most things with a full stop, finished or not; a question mark it adds only to what sounds like a question.
    HANGING.contains(last) && !text.ends_with('?')
}

/// Characters of a code said so far: a figure each, a word each.
fn characters(text: &str) -> usize {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(|w| {
            if w.chars().any(|c| c.is_ascii_digit()) {
                w.chars().count()
            } else {
                1
            }
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_sentence_gets_longer() {
        let done = patience_ms(Listen::Open, Some("What is the late fee?"));
        let hanging = patience_ms(Listen::Open, Some("I'd like to know the late fee and"));
        assert!(done < patience_ms(Listen::Open, None));
        assert!(hanging >= 1000 && done < 500);
        assert!(patience_ms(Listen::Open, Some("My account number is.")) >= 1000);
    }

    #[test]
    fn a_code_in_groups_gets_longer_than_a_yes() {
        assert!(
            patience_ms(Listen::Digits, Some("0 4"))
                > patience_ms(Listen::Digits, Some("0 4 1 2 7 7"))
        );
        assert!(patience_ms(Listen::YesNo, Some("Yes.")) < 400);
    }
}
