//! How long a silence ends a turn: evidence from what was asked, from the words so far, from how they were said, and from how this
//! caller speaks.

use crate::desk::Listen;

/// What is known when a caller falls quiet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evidence<'a> {
    /// What our last sentence asks for.
    pub listen: Listen,
    /// What was recognised so far; none while the recogniser is still at work.
    pub words: Option<&'a str>,
    /// Probability by the sound alone that the turn is over; none where no detector is there, or it is still at work.
    pub finished: Option<f32>,
    /// How long the caller spoke, pauses left out, milliseconds; 0 where that is not known.
    pub spoke_ms: u64,
    /// This caller's habit.
    pub pace: Pace,
}

/// How a caller pauses, learnt in the call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// By what the usual waiting is multiplied.
    factor: f32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { factor: 1.0 }
    }
}

/// Pauses inside turns that are usual, milliseconds: callers who pause for longer get more time.
const USUAL_PAUSE_MS: f32 = 350.0;

impl Pace {
    /// They went on after `ms` of quiet, and were not answered in it.
    pub fn paused(&mut self, ms: u64) {
        let longer = ms as f32 / USUAL_PAUSE_MS;
        // Towards long pauses at once, away from them slowly.
        let share = if longer > self.factor { 0.4 } else { 0.1 };
        self.factor = (self.factor + share * (longer - self.factor)).clamp(0.85, 1.7);
    }

    /// They were answered and went on: we were too quick for them.
    pub fn cut_in(&mut self) {
        self.factor = (self.factor * 1.25).min(1.7);
    }

    fn of(self, ms: f32) -> f32 {
        ms * self.factor
    }
}

/// Shortest quiet that ends a turn, milliseconds: the stop of a consonant and a breath are shorter.
const LEAST_MS: f32 = 220.0;
/// Longest, whatever the evidence.
const MOST_MS: f32 = 1_700.0;

/// Quiet, measured from the last sound of speech, after which the turn is final, in milliseconds.
pub fn patience_ms(evidence: &Evidence<'_>) -> u64 {
    let asked = asked_ms(evidence.listen);
    let by_words = match evidence.words {
        Some(words) if !words.trim().is_empty() => by_words(evidence.listen, words, asked),
        // Nothing is final before there are words, unless they are long in coming.
        _ => asked.max(500.0),
    };
    let waited = match evidence.finished {
        Some(p) => by_sound(evidence.listen, by_words, p),
        None => by_words,
    };
    let paced = evidence.pace.of(waited) * rate(evidence);
    paced.clamp(LEAST_MS, MOST_MS) as u64
}

/// By what was asked alone.
fn asked_ms(listen: Listen) -> f32 {
    match listen {
        Listen::Open => 520.0,
        Listen::YesNo => 450.0,
        Listen::Money => 650.0,
        Listen::Date | Listen::Name => 800.0,
        Listen::Digits | Listen::Postcode => 1_000.0,
    }
}

fn by_words(listen: Listen, words: &str, asked: f32) -> f32 {
    let text = words.trim().to_lowercase();
    if unfinished(&text) {
        return asked.max(1_150.0);
    }
    let count = text.split_whitespace().count();
    match listen {
        Listen::YesNo if count <= 3 => 330.0,
        // A code said in groups: a pause after two or three characters is a breath, not an end.
        Listen::Digits | Listen::Postcode if characters(&text) < 5 => 1_250.0,
        Listen::Digits | Listen::Postcode => 750.0,
        Listen::Date if text.chars().any(|c| c.is_ascii_digit()) && count >= 3 => 550.0,
        Listen::Open if ends_in_number(&text) => 700.0,
        Listen::Open if text.ends_with('?') => 310.0,
        Listen::Open if count <= 2 => 520.0,
        Listen::Open => 370.0,
        _ => asked,
    }
}

/// What the sound says moves the waiting by words: down to four fifths where it is sure of an end, up to twice where it is sure of
/// none. The last figure of a group sounds like an end, so a code is not cut short by it.
fn by_sound(listen: Listen, ms: f32, finished: f32) -> f32 {
    let p = finished.clamp(0.01, 0.99);
    let odds = (p / (1.0 - p)).ln() / 4.6; // -1 to 1
    if odds >= 0.0 {
        match listen {
            Listen::Digits | Listen::Postcode | Listen::Date => ms,
            _ => ms * (1.0 - 0.2 * odds),
        }
    } else {
        ms * (1.0 - odds)
    }
}

/// Slow speakers leave longer pauses: words a second against a usual 2.6.
fn rate(evidence: &Evidence<'_>) -> f32 {
    let words = evidence.words.map_or(0, |w| w.split_whitespace().count());
    if words < 4 || evidence.spoke_ms < 800 {
        return 1.0;
    }
    let rate = words as f32 * 1_000.0 / evidence.spoke_ms as f32;
    (2.6 / rate).clamp(0.9, 1.2)
}

/// The words stop where a sentence cannot: on a conjunction, an article, "my number is", a hesitation.
pub fn unfinished(text: &str) -> bool {
    let text = text.trim().to_lowercase();
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
        "and",
        "but",
        "or",
        "so",
        "because",
        "if",
        "when",
        "that",
        "with",
        "to",
        "for",
        "from",
        "of",
        "at",
        "in",
        "on",
        "the",
        "a",
        "an",
        "my",
        "your",
        "their",
        "is",
        "are",
        "was",
        "um",
        "uh",
        "er",
        "erm",
        "like",
        "about",
        "i",
        "i'm",
        "it's",
        "number's",
        "than",
        "into",
        "by",
        "which",
        "who",
        "where",
        "would",
        "could",
        "can",
        "don't",
        "plus",
        "also",
        "then",
        "our",
        "his",
        "this",
        "we",
        "they",
        "he",
        "she",
        "i've",
        "i'd",
        "will",
        "were",
        "as",
        "after",
        "before",
        "until",
        "between",
        "please press",
        "well",
        "hmm",
    ];
    // Whisper ends most things with a full stop, finished or not; a question mark it adds only to what sounds like a question.
    HANGING.contains(last) && !text.ends_with('?')
}

/// The last word is a figure: a number is said in pieces, and more of it may follow.
fn ends_in_number(text: &str) -> bool {
    const FIGURES: &[&str] = &[
        "zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
        "double", "triple", "hundred",
    ];
    let last = text.split_whitespace().next_back().unwrap_or_default();
    let last = last.trim_matches(|c: char| !c.is_alphanumeric());
    FIGURES.contains(&last) || last.chars().next_back().is_some_and(|c| c.is_ascii_digit())
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

    fn of(listen: Listen, words: Option<&str>) -> u64 {
        patience_ms(&Evidence {
            listen,
            words,
            ..Evidence::default()
        })
    }

    #[test]
    fn an_unfinished_sentence_gets_longer() {
        let done = of(Listen::Open, Some("What is the late fee?"));
        let hanging = of(Listen::Open, Some("I'd like to know the late fee and"));
        assert!(done < of(Listen::Open, None));
        assert!(hanging >= 1000 && done < 400);
        assert!(of(Listen::Open, Some("My account number is.")) >= 1000);
        assert!(of(Listen::Open, Some("It is four one two.")) > 600);
    }

    #[test]
    fn a_code_in_groups_gets_longer_than_a_yes() {
        assert!(of(Listen::Digits, Some("0 4")) > of(Listen::Digits, Some("0 4 1 2 7 7")));
        assert!(of(Listen::YesNo, Some("Yes.")) < 400);
    }

    #[test]
    fn the_sound_and_the_caller_move_it() {
        let with = |finished, pace| {
            patience_ms(&Evidence {
                words: Some("I would like to move my payment."),
                finished,
                pace,
                ..Evidence::default()
            })
        };
        let plain = with(None, Pace::default());
        assert!(with(Some(0.97), Pace::default()) < plain);
        assert!(with(Some(0.05), Pace::default()) > plain + 200);
        let mut slow = Pace::default();
        for _ in 0..4 {
            slow.paused(700);
        }
        assert!(with(None, slow) > plain + 100);
        let mut quick = Pace::default();
        for _ in 0..20 {
            quick.paused(150);
        }
        assert!(with(None, quick) < plain);
    }

    #[test]
    fn nothing_makes_it_endless() {
        let mut pace = Pace::default();
        for _ in 0..50 {
            pace.cut_in();
            pace.paused(5_000);
        }
        for listen in [Listen::Open, Listen::Digits, Listen::Name] {
            let most = patience_ms(&Evidence {
                listen,
                words: Some("my number is"),
                finished: Some(0.0),
                spoke_ms: 9_000,
                pace,
            });
            assert!(most <= MOST_MS as u64);
        }
    }
}
