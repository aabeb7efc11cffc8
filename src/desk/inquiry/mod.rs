//! One question's way through the core: understood, matched with the desk's policy, answered or passed on.
//!
//! Nothing here waits or asks the world. The verdict says what the line should do; the conversation does it.

mod alarms;
mod aside;
pub mod context;
pub mod frames;
pub mod guard;
mod instead;
pub mod next;
mod offer;
pub mod social;
pub mod turns;

use super::answer::Answer;
use super::confidence::{confidence, confirmed, least, least_confirmed};
use super::config::{ActionKind, Mode};
use super::desk::{Desk, Understanding};
use super::framing::bare;
use super::grounding::grounded;
use super::types::{Decision, HeardEvidence, Pending, Route};
pub use alarms::{alarm, escalation, is_weak, reason_of};
pub use aside::{inquire_again, inquire_aside};
pub use instead::asks_for_more;
pub use offer::{Choice, how_told, topic};
use offer::{nearest, siblings, tell_apart};

/// Below this, the words are taken to belong to none of the desk's intents.
const IN_SCOPE: f32 = 0.5;
/// From here on, words are in the desk's field even if no article answers them.
const NEAR: f32 = 0.5;
/// From here on an intent that is kept for a human counts, even where the line would not be sure enough to act on it.
const LIKELY: f32 = 0.4;
/// Together from here on, intents that are kept for a human go there, and from a little below the scope's own threshold.
const MOSTLY: f32 = 0.5;
const ALMOST_IN_SCOPE: f32 = 0.4;
/// Where the words could be many things, one that is kept for a human counts from here on if it is this share as likely as the likeliest.
const FIRST_OF_MANY: f32 = 0.25;
const AS_LIKELY: f32 = 0.9;
/// An intent at least this share as likely as the likeliest is taken where the best article serves it.
const NEARLY: f32 = 0.5;
/// From here on, words that no intent takes and no article answers are still a matter for this company.
const FIELD: f32 = 0.5;
/// An answer this sure, but not sure enough, is asked about rather than passed on.
const WORTH_ASKING: f32 = 0.5;
/// The same where the articles that are offered would be read from after a yes.
const WORTH_OFFERING: f32 = 0.25;
/// Least confidence from which an answer is spoken where asking what it is about would tell nothing ([`offer::is_clear`]): the caller
/// has said so, and would only say it again.
const CLEARLY: f32 = 0.6;
/// Sure enough that one of several articles that say it answers, to ask which.
const WORTH_TELLING_APART: f32 = 0.4;
/// Words less likely to be the desk's matter are not answered, however near an article they are: "I can't make it on Friday" is near
/// the opening hours.
const ANSWERED_IN_SCOPE: f32 = 0.4;
/// The same for words that are surely in the desk's field ([`FIELD`]): few examples teach few ways of asking.
const ANSWERED_IN_FIELD: f32 = 0.2;
/// Share of the floor that is enough to begin an action whose effect waits for a yes.
const HELD: f32 = 0.7;
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
    inquire_with(desk, desk.understand(text, vector), text, vector, heard)
}

/// The same where the words have been understood already.
pub fn inquire_with(
    desk: &Desk,
    mut understood: Understanding,
    text: &str,
    vector: &[f32],
    heard: Option<&HeardEvidence>,
) -> Inquiry {
    let text = bare(text);
    let answer = desk.best_answer(text, vector, &mut understood);
    prefer_answered(desk, &mut understood, answer.as_ref());
    let (answer, between) = match answer {
        Some(answer) => tell_apart(desk, text, vector, &mut understood, answer),
        None => (None, Vec::new()),
    };
    let asked = Asked {
        between,
        ..Asked::of(text, vector, heard)
    };
    weigh(desk, understood, answer, asked)
}

/// The same with an article put before all others; none where the desk has none of that name, or it says nothing to it.
pub fn inquire_first(
    desk: &Desk,
    article: &str,
    text: &str,
    vector: &[f32],
    heard: Option<&HeardEvidence>,
) -> Option<Inquiry> {
    let text = bare(text);
    let understood = desk.understand(text, vector);
    let (understood, answer) = desk.answer_from(article, text, vector, &understood)?;
    let asked = Asked::of(text, vector, heard);
    Some(weigh(desk, understood, Some(answer), asked))
}

/// The same of a question about what an action told, which told too little: no action is begun.
pub fn inquire_to_tell(desk: &Desk, text: &str, vector: &[f32]) -> Inquiry {
    let mut understood = desk.understand(text, vector);
    let text = bare(text);
    let answer = desk.best_answer(text, vector, &mut understood);
    let asked = Asked {
        told: true,
        ..Asked::of(text, vector, None)
    };
    weigh(desk, understood, answer, asked)
}

/// What a question is judged with, beside what was understood of it.
struct Asked<'a> {
    heard: Option<&'a HeardEvidence>,
    text: &'a str,
    reading: &'a [f32],
    /// The caller said that the article is meant.
    confirmed: Option<Confirmed>,
    /// What it may be about, where the articles say it of several and the question names none.
    between: Vec<Choice>,
    /// It asks to be told; no action is begun.
    told: bool,
}

impl<'a> Asked<'a> {
    fn of(text: &'a str, reading: &'a [f32], heard: Option<&'a HeardEvidence>) -> Self {
        Self {
            heard,
            text,
            reading,
            confirmed: None,
            between: Vec::new(),
            told: false,
        }
    }
}

/// How the caller came to name an article.
#[derive(Clone, Copy)]
struct Confirmed {
    /// The articles say what was asked of each of the things offered.
    told_apart: bool,
}

/// Where two intents are nearly as likely, the one that the best article serves is taken: two ways to the same reading outweigh a
/// hair's breadth of one.
fn prefer_answered(desk: &Desk, understood: &mut Understanding, answer: Option<&Answer>) {
    let Some(article) =
        answer.and_then(|answer| desk.articles.iter().find(|known| known.id == answer.source))
    else {
        return;
    };
    let Some(top) = understood.intents.first() else {
        return;
    };
    // What is done by an action needs no article: "when's my appointment" is not "move it" because moving has one.
    if article.intents.contains(&top.0) || desk.action_for(&top.0).is_some() {
        return;
    }
    let least = top.1 * NEARLY;
    let other = understood
        .intents
        .iter()
        .take(3)
        .position(|(name, p)| *p >= least && article.intents.contains(name));
    if let Some(at) = other {
        let served = understood.intents.remove(at);
        understood.intents.insert(0, served);
    }
}

/// The same with the intent known, as after a clarifying question: one of its choices, or an intent alone.
pub fn inquire_as(
    desk: &Desk,
    intent: &str,
    choice: Option<&Choice>,
    text: &str,
    vector: &[f32],
) -> Inquiry {
    let mut understood = desk.understand(text, vector);
    understood.intents.retain(|(name, _)| name != intent);
    understood.intents.insert(0, (intent.to_owned(), 1.0));
    understood.in_scope = 1.0;
    understood.margin = 1.0;
    let text = bare(text);
    let article = choice.and_then(|choice| choice.article.as_deref());
    let confirmed = article.and_then(|id| desk.answer_from(id, text, vector, &understood));
    let asked = Asked {
        confirmed: confirmed.as_ref().map(|_| Confirmed {
            told_apart: choice.is_some_and(|choice| choice.told_apart),
        }),
        ..Asked::of(text, vector, None)
    };
    match confirmed {
        Some((understood, answer)) => weigh(desk, understood, Some(answer), asked),
        None => {
            let answer = desk.answer(text, vector, &understood);
            weigh(desk, understood, answer, asked)
        }
    }
}

fn weigh(
    desk: &Desk,
    understood: Understanding,
    answer: Option<Answer>,
    asked: Asked<'_>,
) -> Inquiry {
    let sure = match &answer {
        Some(answer) if asked.confirmed.is_some() => {
            confirmed(desk, &understood, answer, asked.heard)
        }
        answer => confidence(desk, &understood, answer.as_ref(), asked.heard),
    };
    let intent = understood.intents.first().map(|(name, _)| name.clone());
    let (verdict, reason) = judge(desk, &understood, answer.as_ref(), sure, asked);
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
    asked: Asked<'_>,
) -> (Verdict, String) {
    let Asked {
        heard,
        text,
        reading,
        confirmed,
        between,
        told,
    } = asked;
    let least = |answer: &Answer, floor: f32| match confirmed {
        Some(by) => least_confirmed(desk, answer, floor, by.told_apart),
        None => least(desk, answer, floor),
    };
    if let Some(escalation) = alarm(desk, text, reading, understood) {
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
    // Several intents kept for a human may share what is likely: then it is one of them, whichever.
    let kept: f32 = understood
        .intents
        .iter()
        .filter(|(name, _)| desk.policy(name).mode == Mode::Human)
        .map(|(_, p)| p)
        .sum();
    // One of them that is as likely as any other reading goes there, too, however little that is.
    let as_likely = understood
        .intents
        .iter()
        .find(|(name, _)| desk.policy(name).mode == Mode::Human)
        .is_some_and(|(_, q)| *q >= FIRST_OF_MANY && *q >= AS_LIKELY * p);
    if in_scope >= ALMOST_IN_SCOPE && kept >= MOSTLY || inside && as_likely {
        return (
            transfer("policy"),
            format!("what is kept for a human, at {kept:.2}"),
        );
    }
    if inside && let Some(action) = desk.actions.iter().position(|action| action.intent == name) {
        let certain = confidence(desk, understood, None, heard);
        let begun = &desk.actions[action];
        // Beginning changes nothing where a yes to the read-back stands between, or where it only looks: the caller notices a
        // misunderstanding in the first question. Only a write that nothing holds back needs the whole floor.
        let held = begun.confirm || begun.kind == ActionKind::Read;
        let told = told
            || instead::answers(begun.kind, answer, text, (certain, sure), |answer| {
                least(answer, policy.floor)
            });
        if !told && certain >= policy.floor * if held { HELD } else { 1.0 } {
            return (Verdict::Act { action }, format!("{name} at {certain:.2}"));
        }
    }
    // "Did that go through?": what is meant was said before or was not said; no article is about it.
    if confirmed.is_none() && context::lean(text) == context::Lean::Wholly {
        let openly = Verdict::Clarify {
            between: Vec::new(),
        };
        return (openly, "means nothing by itself".into());
    }
    if let Some(unknown) = desk.names_unknown(text)
        && inside
    {
        return (
            transfer("no_answer"),
            format!("no article knows of {unknown}"),
        );
    }
    if !between.is_empty()
        && inside
        && sure >= WORTH_TELLING_APART
        && answer.is_some_and(|answer| answer.evidence.foreign == 0.0)
    {
        return (
            Verdict::Clarify { between },
            "several articles say it, each of something else".into(),
        );
    }
    let enough = answer.map_or(1.0, |answer| least(answer, policy.floor));
    if let Some(answer) = answer
        && sure >= enough
        && policy.mode == Mode::Autonomous
        && (in_scope >= ANSWERED_IN_SCOPE
            || in_scope >= ANSWERED_IN_FIELD && understood.field >= FIELD)
        && answer.evidence.foreign == 0.0
    {
        return spoken(desk, text, answer, understood, sure);
    }
    let reads = answer.is_some_and(|answer| answer.evidence.words.is_some());
    let offers = || offer::articles(desk, text, reading, understood);
    let unsure = || format!("confidence {sure:.2} under the floor {enough:.2}");
    if !inside {
        // Words unlike any example, whose answer is likely all the same: "will my van fit".
        let offered = if sure >= WORTH_ASKING && confirmed.is_none() {
            offers()
        } else {
            Vec::new()
        };
        if !offered.is_empty() {
            return (Verdict::Clarify { between: offered }, unsure());
        }
        let field = understood.field;
        if field >= FIELD {
            return (
                transfer("no_answer"),
                format!("in the desk's field (p {field:.2}), but nothing answers it"),
            );
        }
        return (
            Verdict::Outside,
            format!("in scope {in_scope:.2}, in the field {field:.2}"),
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
    let silent = || {
        (
            transfer("no_answer"),
            format!(
                "no article answers it: {sure:.2} under the floor {:.2}",
                policy.floor
            ),
        )
    };
    // They have said what they mean.
    if confirmed.is_some() {
        return silent();
    }
    if reads && sure >= WORTH_OFFERING {
        let offered = offers();
        if let Some(answer) = answer
            && policy.mode == Mode::Autonomous
            && sure >= CLEARLY
            && offer::is_clear(desk, &offered, answer, (text, reading), understood)
        {
            return spoken(desk, text, answer, understood, sure);
        }
        if !offered.is_empty() {
            return (Verdict::Clarify { between: offered }, unsure());
        }
    }
    // Asking helps where it is open what they mean, or where one more word would make it sure; not where it is clear and the
    // articles are silent.
    let open = understood.intents.get(1).is_some_and(|(_, q)| *q >= 0.25) && p >= 0.25;
    if understood.intents.is_empty()
        || p >= policy.floor && sure < WORTH_ASKING
        || !open && (reads || sure < WORTH_ASKING)
    {
        return silent();
    }
    let between = siblings(desk, understood).unwrap_or_else(|| nearest(desk, understood));
    (Verdict::Clarify { between }, unsure())
}

/// An answer that is sure enough, if what is said is in its article.
fn spoken(
    desk: &Desk,
    text: &str,
    answer: &Answer,
    understood: &Understanding,
    sure: f32,
) -> (Verdict, String) {
    // A ticket was right for one customer: what it says is said only where articles say so, too.
    let ticket = desk
        .article_at(&answer.source)
        .is_some_and(|at| desk.articles[at].is_ticket());
    let backing: Vec<&str> = if ticket {
        let hits = understood.hits.iter();
        hits.filter(|hit| !desk.articles[desk.passages[hit.index].article].is_ticket())
            .map(|hit| hit.text.as_str())
            .collect()
    } else {
        vec![answer.passage.as_str()]
    };
    match grounded(&answer.text, &backing, &[], &[]) {
        Ok(()) => {
            let verdict = Verdict::Answer {
                text: desk.said(text, answer),
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
    }
}

fn title(desk: &Desk, article: &str) -> String {
    desk.articles
        .iter()
        .find(|known| known.id == article)
        .map_or_else(|| article.to_owned(), |known| known.title.clone())
}

fn transfer(reason: &str) -> Verdict {
    Verdict::Transfer {
        reason: reason.to_owned(),
        would_have: None,
    }
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
            model: None,
        }
    }
}
