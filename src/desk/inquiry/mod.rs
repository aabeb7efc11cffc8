//! One question's way through the core: understood, matched with the desk's policy, answered or passed on.
//!
//! Nothing here waits or asks the world. The verdict says what the line should do; the conversation does it.

pub mod context;
pub mod social;

use super::answer::Answer;
use super::confidence::confidence;
use super::config::{ActionKind, Mode};
use super::desk::{Desk, Understanding};
use super::escalation::Escalation;
use super::grounding::grounded;
use super::types::{Decision, HeardEvidence, Pending, Route};

/// Below this, the words are taken to belong to none of the desk's intents.
const IN_SCOPE: f32 = 0.5;
/// From here on, words are in the desk's field even if no article answers them.
const NEAR: f32 = 0.5;
/// From here on an intent that is kept for a human counts, even where the line would not be sure enough to act on it.
const LIKELY: f32 = 0.4;
/// Share of the floor that is enough to begin an action whose effect waits for a yes.
const HELD: f32 = 0.7;
/// An escalation less certain than this is not acted on.
const ESCALATE: f32 = 0.5;
/// The same where the desk goes by words alone: then only set phrases are trusted, not the weight of single words.
const ESCALATE_BY_WORDS: f32 = 0.9;

/// What to do with one question.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Say this: it is grounded in its article, and sure enough.
    Answer {
        text: String,
        source: String,
        title: String,
    },
    /// The caller wants this done: index into the desk's actions.
    Act { action: usize },
    /// Not sure enough: ask. Up to two things it may be about, in plain words; none: ask openly.
    Clarify { between: Vec<Choice> },
    /// Not what this line is for.
    Outside,
    /// A human: why, in one word, and what the line would have said where a policy kept it from saying it.
    Transfer {
        reason: String,
        would_have: Option<String>,
    },
}

/// One of the things a clarifying question offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// In the caller's words: "a late fee".
    pub plain: String,
    /// What is decided if it is chosen.
    pub intent: Option<String>,
    /// What is looked up if it is chosen.
    pub question: String,
}

/// A verdict with what it rests on.
#[derive(Debug, Clone)]
pub struct Inquiry {
    pub understood: Understanding,
    pub answer: Option<Answer>,
    pub confidence: f32,
    pub intent: Option<String>,
    pub verdict: Verdict,
    pub reason: String,
}

/// Decides one question.
pub fn inquire(desk: &Desk, text: &str, vector: &[f32], heard: Option<&HeardEvidence>) -> Inquiry {
    let understood = desk.understand(text, vector);
    let answer = desk.answer(text, vector, &understood);
    weigh(desk, understood, answer, heard, !vector.is_empty())
}

/// The same with the intent known, as after a clarifying question.
pub fn inquire_as(desk: &Desk, intent: &str, text: &str, vector: &[f32]) -> Inquiry {
    let mut understood = desk.understand(text, vector);
    understood.intents.retain(|(name, _)| name != intent);
    understood.intents.insert(0, (intent.to_owned(), 1.0));
    understood.in_scope = 1.0;
    understood.margin = 1.0;
    let answer = desk.answer(text, vector, &understood);
    weigh(desk, understood, answer, None, !vector.is_empty())
}

fn weigh(
    desk: &Desk,
    understood: Understanding,
    answer: Option<Answer>,
    heard: Option<&HeardEvidence>,
    by_meaning: bool,
) -> Inquiry {
    let sure = confidence(desk, &understood, answer.as_ref(), heard);
    let intent = understood.intents.first().map(|(name, _)| name.clone());
    let (verdict, reason) = judge(desk, &understood, answer.as_ref(), sure, heard, by_meaning);
    Inquiry {
        understood,
        answer,
        confidence: sure,
        intent,
        verdict,
        reason,
    }
}

fn judge(
    desk: &Desk,
    understood: &Understanding,
    answer: Option<&Answer>,
    sure: f32,
    heard: Option<&HeardEvidence>,
    by_meaning: bool,
) -> (Verdict, String) {
    if let Some(escalation) = escalation(understood, by_meaning) {
        let reason = format!("{} (p {:.2})", escalation.kind, escalation.p);
        return (transfer(reason_of(&escalation.kind)), reason);
    }
    let top = understood.intents.first();
    let in_scope = understood.in_scope;
    let inside = in_scope >= IN_SCOPE || (understood.intents.is_empty() && understood.near >= NEAR);
    let policy = top
        .map(|(name, _)| desk.policy(name).clone())
        .unwrap_or_default();
    let p = top.map_or(1.0, |(_, p)| *p);
    let name = top.map_or("this", |(name, _)| name.as_str());
    // Only what is autonomous is done alone; a likely enough intent that is not goes to a human, sure or unsure.
    if inside && p >= LIKELY && policy.mode != Mode::Autonomous {
        let reason = match policy.mode {
            Mode::Supervised | Mode::Shadow => "supervised",
            Mode::Human | Mode::Autonomous => "policy",
        };
        let would_have = (policy.mode != Mode::Human)
            .then(|| answer.map(|a| a.text.clone()))
            .flatten();
        let why = format!("policy keeps {name} for a human");
        return (
            Verdict::Transfer {
                reason: reason.into(),
                would_have,
            },
            why,
        );
    }
    if inside && let Some(action) = desk.actions.iter().position(|action| action.intent == name) {
        let certain = confidence(desk, understood, None, heard);
        let begun = &desk.actions[action];
        // Beginning changes nothing where a yes to the read-back stands between, or where it only looks: the caller notices a
        // misunderstanding in the first question. Only a write that nothing holds back needs the whole floor.
        let held = begun.confirm || begun.kind == ActionKind::Read;
        if certain >= policy.floor * if held { HELD } else { 1.0 } {
            return (Verdict::Act { action }, format!("{name} at {certain:.2}"));
        }
    }
    if let Some(answer) = answer
        && sure >= policy.floor
        && policy.mode == Mode::Autonomous
    {
        return match grounded(&answer.text, &[answer.passage.as_str()], &[], &[]) {
            Ok(()) => {
                let verdict = Verdict::Answer {
                    text: answer.text.clone(),
                    source: answer.source.clone(),
                    title: title(desk, &answer.source),
                };
                (
                    verdict,
                    format!("answered from {} at {sure:.2}", answer.source),
                )
            }
            Err(missing) => (
                transfer("not_grounded"),
                format!("not in the article: {}", missing.join(", ")),
            ),
        };
    }
    let near = understood.near;
    if !inside {
        if near >= NEAR {
            return (
                transfer("no_answer"),
                format!("in the desk's field (nearness {near:.2}), but nothing answers it"),
            );
        }
        return (
            Verdict::Outside,
            format!("in scope {in_scope:.2}, nearness {near:.2}"),
        );
    }
    // An action that is likely meant is named and asked about; its effect is not risked on a guess.
    if desk.action_for(name).is_some() && p >= policy.floor {
        let between = nearest(desk, understood).into_iter().take(1).collect();
        return (
            Verdict::Clarify { between },
            format!("{name} is likely, but under the floor {:.2}", policy.floor),
        );
    }
    // Asking helps where it is open what they mean, not where it is clear and the articles are silent.
    if understood.intents.is_empty() || p >= policy.floor {
        return (
            transfer("no_answer"),
            format!(
                "no article answers it: {sure:.2} under the floor {:.2}",
                policy.floor
            ),
        );
    }
    let between = nearest(desk, understood);
    (
        Verdict::Clarify { between },
        format!("confidence {sure:.2} under the floor {:.2}", policy.floor),
    )
}

fn title(desk: &Desk, article: &str) -> String {
    desk.articles
        .iter()
        .find(|known| known.id == article)
        .map_or_else(|| article.to_owned(), |known| known.title.clone())
}

/// The escalation to act on. `by_meaning`: the words came with their vector. Without one, the wish for a human is left to
/// [`super::entity::wants_human`], which reads whole phrases.
pub fn escalation(understood: &Understanding, by_meaning: bool) -> Option<&Escalation> {
    let found = understood.escalation.as_ref()?;
    let sure = if by_meaning {
        found.p >= ESCALATE
    } else {
        found.p >= ESCALATE_BY_WORDS && found.kind != "human"
    };
    sure.then_some(found)
}

/// The wish for a human is found by two ways and is one reason.
pub fn reason_of(kind: &str) -> &str {
    match kind {
        "human" => "asked",
        other => other,
    }
}

fn transfer(reason: &str) -> Verdict {
    Verdict::Transfer {
        reason: reason.to_owned(),
        would_have: None,
    }
}

/// The two intents it is most likely about, if both are likely enough to be worth naming.
fn nearest(desk: &Desk, understood: &Understanding) -> Vec<Choice> {
    let likely: Vec<&(String, f32)> = understood
        .intents
        .iter()
        .filter(|(_, p)| *p >= 0.12)
        .take(2)
        .collect();
    // A mere echo of noise over many intents is better met with an open question.
    if likely.is_empty() {
        return Vec::new();
    }
    likely
        .into_iter()
        .map(|(name, _)| Choice {
            plain: topic(desk, name),
            intent: Some(name.clone()),
            question: topic(desk, name),
        })
        .collect()
}

/// An intent's name in plain words: `payment_reschedule` is "payment reschedule".
pub fn topic(desk: &Desk, intent: &str) -> String {
    let own = desk.phrases.all(&format!("topic.{intent}"));
    own.first()
        .cloned()
        .unwrap_or_else(|| super::action::render::words(intent))
}

impl Inquiry {
    pub fn route(&self) -> Route {
        match self.verdict {
            Verdict::Answer { .. } => Route::Answer,
            Verdict::Act { .. } => Route::Act,
            Verdict::Clarify { .. } | Verdict::Outside => Route::Clarify,
            Verdict::Transfer { .. } => Route::Transfer,
        }
    }

    /// The decision, with its reply still to be worded.
    pub fn decision(&self, id: String) -> Decision {
        Decision {
            id,
            route: self.route(),
            intent: self.intent.clone(),
            in_scope: self.understood.in_scope,
            confidence: self.confidence,
            sources: self.understood.sources.clone(),
            action: None,
            reply: String::new(),
            reason: self.reason.clone(),
            pending: None::<Pending>,
        }
    }
}
