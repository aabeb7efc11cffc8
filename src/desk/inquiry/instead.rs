//! Where an article answers what sounds like a wish for an action.

use super::super::answer::Answer;
use super::super::asked::Asked;
use super::super::config::ActionKind;
use super::super::text::words;
use super::context::asks_to_know;

/// From here on a wish to look something up is one, however well an article answers.
const SURELY_ASKED: f32 = 0.9;
/// Share of a question's weight that an answer may leave unsaid and speak of all of it.
const ALL_SAID: f32 = 0.25;
/// How little an answer may lack to stand in the way of an action.
const DOUBT: f32 = 0.05;

/// Whether the article's answer is what is wanted, not the action: "what does a visit cost?" is not "send somebody", though both are
/// about visits. `certain` that the action is meant, and `sure` that the article answers; `least` from which an answer is spoken.
pub(super) fn answers(
    kind: ActionKind,
    answer: Option<&Answer>,
    text: &str,
    (certain, sure): (f32, f32),
    least: impl Fn(&Answer) -> f32,
) -> bool {
    let Some(answer) = answer.filter(|_| asks_to_know(text)) else {
        return false;
    };
    match kind {
        // "What number do your texts come from" is no wish for another number. A little doubt is asked about; it begins nothing.
        ActionKind::Write => {
            let all_said = answer.evidence.words.is_some_and(|w| w.unsaid <= ALL_SAID);
            sure >= least(answer) - DOUBT && (answer.evidence.agrees > 0.0 || all_said)
        }
        // "How long is it good for" asks for nobody's own; "how much do I owe" does.
        ActionKind::Read => certain < SURELY_ASKED && sure >= least(answer) && !is_of_own(text),
    }
}

/// "How long does it take", where what was told gives no time: the articles may.
pub fn asks_for_more(question: &str, told: &str) -> bool {
    let asked = Asked::of(question);
    asked != Asked::Open && !asked.answered_by(told)
}

/// Whether the words speak of the caller's own: "how much do I owe", "when is my next payment".
fn is_of_own(text: &str) -> bool {
    words(text).iter().any(|w| {
        matches!(
            w.as_str(),
            "i" | "im" | "ive" | "id" | "my" | "me" | "mine" | "we" | "our" | "us"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_may_lack_what_is_asked_for() {
        let told = "I can see no refund on your account.";
        assert!(asks_for_more("how long does it normally take", told));
        assert!(asks_for_more("how much would it be", told));
        assert!(!asks_for_more("are you sure", told));
        assert!(!asks_for_more("when was that", "It was due on Thursday."));
        assert!(is_of_own("when's my next one") && !is_of_own("when is it taken"));
    }
}
