//! Which of the alarms that words may raise are acted on.

use super::super::confidence::confidence;
use super::super::desk::{Desk, Understanding};
use super::super::escalation::Escalation;
use super::super::framing::bare;
use super::turns;

/// How much nearer to one of the desk's own examples than to the bank's sentences words must be to be the desk's matter.
const OWN: f32 = 0.05;
/// An escalation less certain than this is not acted on.
const ESCALATE: f32 = 0.4;
/// One that is less certain than this, and whose words are less like any that are known to mean it, gives way to an article that
/// answers ([`ANSWERED_ALL_THE_SAME`]): "would you finance that" shares words with a dispute and is none.
const WEAK: f32 = 0.72;
const UNLIKE_ANY: f32 = 0.57;
/// How sure the answer must be; for what may be somebody in need, surer.
const ANSWERED_ALL_THE_SAME: f32 = 0.45;
const ANSWERED_IN_NEED: f32 = 0.6;
/// The same where the desk goes by words alone: then only set phrases are trusted, not the weight of single words.
const ESCALATE_BY_WORDS: f32 = 0.9;

/// The escalation to act on. `by_meaning`: the words came with their vector. Without one, the wish for a human is left to
/// [`crate::desk::entity::wants_human`], which reads whole phrases.
pub fn escalation(understood: &Understanding, by_meaning: bool) -> Option<&Escalation> {
    let found = understood.escalation.as_ref()?;
    // What the desk's own examples know better than the bank does is theirs: "I lost my SIM" is no fraud where SIMs are replaced.
    // Somebody at risk is heard all the same.
    let own = match found.kind.as_str() {
        "distress" => OWN + 0.1,
        // "I want to cancel", where what is cancelled every day are appointments: the desk's own word for it goes first.
        "closure" => -OWN,
        _ => OWN,
    };
    if by_meaning
        && !found.plain
        && understood.in_scope >= 0.6
        && understood.example >= found.near + own
    {
        return None;
    }
    let sure = if by_meaning {
        found.p >= ESCALATE
    } else {
        found.p >= ESCALATE_BY_WORDS && found.kind != "human"
    };
    sure.then_some(found)
}

/// The same, less an alarm that is weak where an article likely answers what was asked.
pub fn alarm<'u>(
    desk: &Desk,
    text: &str,
    reading: &[f32],
    understood: &'u Understanding,
) -> Option<&'u Escalation> {
    let found = escalation(understood, !reading.is_empty())?;
    if found.kind == "closure" && turns::stays(text)
        || found.kind == "human" && turns::wants_no_human(text)
    {
        return None;
    }
    if !is_weak(found) || reading.is_empty() {
        return Some(found);
    }
    let enough = match found.kind.as_str() {
        "distress" | "vulnerable" | "bereavement" => ANSWERED_IN_NEED,
        _ => ANSWERED_ALL_THE_SAME,
    };
    let mut u = understood.clone();
    let answered = desk
        .best_answer(bare(text), reading, &mut u)
        .is_some_and(|answer| {
            answer.evidence.foreign == 0.0 && confidence(desk, &u, Some(&answer), None) >= enough
        });
    (!answered).then_some(found)
}

/// Neither certain, nor said in so many words, nor like what is known to be said by those who mean it.
pub fn is_weak(found: &Escalation) -> bool {
    !found.plain && found.p < WEAK && found.near < UNLIKE_ANY
}

/// The wish for a human is found by two ways and is one reason.
pub fn reason_of(kind: &str) -> &str {
    match kind {
        "human" => "asked",
        other => other,
    }
}
