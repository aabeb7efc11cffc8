//! How long a silence ends a turn: evidence from what was asked, from the words so far, from how they were said, and from how this
//! caller speaks.

mod grammar;

use crate::desk::Listen;
use grammar::characters;
pub use grammar::unfinished;

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
        Some(p) => by_sound(
            evidence.listen,
            evidence.words.unwrap_or_default(),
            by_words,
            p,
        ),
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
        Listen::Digits | Listen::Postcode => code_ms(characters(&text)),
        Listen::Date if text.chars().any(|c| c.is_ascii_digit()) && count >= 3 => 550.0,
        Listen::Open if grammar::is_subordinate(&text) => 900.0,
        // A number in pieces, of which more may follow; one figure alone, and a whole number, may well be all.
        Listen::Open => match grammar::number_at_the_end(&text) {
            (2.., 2..=6) => 900.0,
            (1.., _) => 700.0,
            _ if text.ends_with('?') => 340.0,
            _ if grammar::is_short_answer(&text) => 400.0,
            _ if count <= 2 => 680.0,
            _ => 500.0,
        },
        _ => asked,
    }
}

/// A code is said in groups: after two, three or six characters a pause is a breath; the more there are, the likelier it is all.
fn code_ms(characters: usize) -> f32 {
    match characters {
        0..=4 => 1_150.0,
        5..=6 => 1_080.0,
        7..=9 => 780.0,
        _ => 650.0,
    }
}

/// Whether it is worth listening to how the turn sounded: where the words show that more will come it is waited for all the same, and
/// the last figure of a group sounds like the last of all.
pub fn sound_tells(listen: Listen, words: &str) -> bool {
    let coded = matches!(listen, Listen::Digits | Listen::Postcode | Listen::Date);
    !coded && !unfinished(words)
}

/// What the sound says moves the waiting by words: down to four fifths where it is sure of an end, and up, at once by a third, where it
/// rather hears none. On recorded pauses it is wrong about an end far more often than about none.
fn by_sound(listen: Listen, words: &str, ms: f32, finished: f32) -> f32 {
    if !sound_tells(listen, words) {
        return ms;
    }
    let p = finished.clamp(0.01, 0.99);
    let odds = (p / (1.0 - p)).ln() / 4.6; // -1 to 1
    if odds >= 0.0 {
        ms * (1.0 - 0.2 * odds)
    } else {
        ms * (1.35 - odds)
    }
}

/// Slow speakers leave longer pauses: words a second against a usual 2.6. Everybody says a code slowly.
fn rate(evidence: &Evidence<'_>) -> f32 {
    if matches!(evidence.listen, Listen::Digits | Listen::Postcode) {
        return 1.0;
    }
    let words = evidence.words.map_or(0, |w| w.split_whitespace().count());
    if words < 4 || evidence.spoke_ms < 800 {
        return 1.0;
    }
    let rate = words as f32 * 1_000.0 / evidence.spoke_ms as f32;
    (2.6 / rate).clamp(0.9, 1.2)
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
    fn a_clause_that_needs_another_and_a_number_in_pieces_get_longer() {
        let whole = of(Listen::Open, Some("I would like to move my payment."));
        for part in [
            "If I pay late.",
            "Because I was away last week.",
            "When I tried to log in.",
            "It's 4 1 7.",
        ] {
            assert!(of(Listen::Open, Some(part)) > whole + 200, "{part}");
        }
        assert!(of(Listen::Open, Some("When is my payment due?")) < whole);
        assert!(of(Listen::Open, Some("No, thanks.")) < whole);
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
