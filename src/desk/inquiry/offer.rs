//! What a clarifying question offers.

use super::super::answer::Answer;
use super::super::answering::agree;
use super::super::asked::Asked;
use super::super::confidence::{confirmed, least_confirmed};
use super::super::config::Mode;
use super::super::desk::{Desk, Hit, Understanding};
use super::super::knowledge::Article;
use super::super::meaning::whole;
use super::super::text::{dot, words};
use super::super::variants::Apart;
use super::{IN_SCOPE, LIKELY};

/// An article that scores less than the best by more than this is not offered beside it.
const BESIDE: f32 = 0.15;
/// Articles that are looked at for an offer, and offered at most.
const LOOKED_AT: usize = 3;
const OFFERED: usize = 2;
/// How near a question is to a title that says the same.
const SAME: f32 = 0.7;

/// One of the things a clarifying question offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// In the caller's words: "a late fee".
    pub plain: String,
    /// What is decided if it is chosen.
    pub intent: Option<String>,
    /// The article that is read from if it is chosen; none: the best of the intent's.
    pub article: Option<String>,
    /// The articles say what was asked of each of the things offered.
    pub told_apart: bool,
    /// What is looked up if it is chosen.
    pub question: String,
}

/// Articles that would be read from if the caller said that they are meant, the likeliest first: a question whose yes leads nowhere is
/// not asked.
pub(super) fn articles(
    desk: &Desk,
    text: &str,
    reading: &[f32],
    understood: &Understanding,
) -> Vec<Choice> {
    let Some(best) = understood.sources.first() else {
        return Vec::new();
    };
    let near = understood.sources.iter().take(LOOKED_AT);
    let near = near.filter(|source| source.score >= best.score - BESIDE);
    let mut out: Vec<Choice> = Vec::with_capacity(OFFERED);
    for source in near {
        if out.len() == OFFERED {
            break;
        }
        let Some((then, answer)) = desk.answer_from(&source.id, text, reading, understood) else {
            continue;
        };
        let choice = desk
            .article_at(&source.id)
            .and_then(|at| of_article(desk, at, understood));
        if let Some(choice) = choice
            && would_be_said(desk, &then, &answer, choice.intent.as_deref())
            && out.iter().all(|known| known.plain != choice.plain)
        {
            out.push(choice);
        }
    }
    out
}

/// The article that serves what was understood and tells how it is done, as something to ask about.
pub fn how_told(desk: &Desk, understood: &Understanding, question: &str) -> Option<Choice> {
    let (intent, p) = understood.intents.first()?;
    let at = desk.article_at(&understood.sources.first()?.id)?;
    let serves = desk.articles[at].intents.contains(intent);
    (serves
        && *p >= LIKELY
        && understood.in_scope >= IN_SCOPE
        && desk.policy(intent).mode == Mode::Autonomous
        && desk.how_to(at, question).is_some())
    .then(|| of_article(desk, at, understood))
    .flatten()
}

/// Whether asking "is it about that?" would tell nothing. All that is offered is the article of this answer, and the question names it:
/// it has every word of the title, or no other words than the title's, or means the same. Or what is offered beside it gives the
/// same figure.
pub(super) fn is_clear(
    desk: &Desk,
    offered: &[Choice],
    answer: &Answer,
    (question, reading): (&str, &[f32]),
    understood: &Understanding,
) -> bool {
    let Some(at) = desk.article_at(&answer.source) else {
        return false;
    };
    let is_own = |choice: &Choice| choice.article.as_ref() == Some(&answer.source);
    if !offered.iter().any(is_own) {
        return false;
    }
    if let [_] = offered {
        let (title, asked) = (desk.called_alone(at), desk.stems.terms(question));
        let title = desk.stems.terms(&title);
        let within = |of: &[String], all: &[String]| of.iter().all(|word| all.contains(word));
        let vector = desk.vectors.get(&desk.articles[at].title);
        let near = vector.map_or(0.0, |v| dot(v, whole(reading, v.len())));
        return within(&title, &asked) || within(&asked, &title) || near >= SAME;
    }
    let asked = Asked::of(question);
    offered
        .iter()
        .filter(|choice| !is_own(choice))
        .all(|choice| {
            let other = choice.article.as_deref();
            let other = other.and_then(|id| desk.answer_from(id, question, reading, understood));
            other.is_some_and(|(_, other)| agree(asked, &answer.text, &other.text))
        })
}

fn would_be_said(
    desk: &Desk,
    understood: &Understanding,
    answer: &Answer,
    intent: Option<&str>,
) -> bool {
    let policy = intent
        .map(|name| desk.policy(name).clone())
        .unwrap_or_default();
    policy.mode == Mode::Autonomous
        && answer.evidence.foreign == 0.0
        && answer.evidence.words.is_some()
        && confirmed(desk, understood, answer, None)
            >= least_confirmed(desk, answer, policy.floor, false)
}

/// An article as something to ask about: by its title, else by what the desk calls its intent; none where neither can be said.
fn of_article(desk: &Desk, at: usize, understood: &Understanding) -> Option<Choice> {
    let article = &desk.articles[at];
    if article.is_ticket() {
        return None;
    }
    let likeliest = understood
        .intents
        .iter()
        .map(|(name, _)| name)
        .find(|name| article.intents.contains(name));
    let intent = likeliest.or(article.intents.first()).cloned();
    let title = desk.called_alone(at);
    let plain = if names_a_thing(&title) {
        as_a_thing(desk, &title)
    } else {
        topic(desk, intent.as_deref()?)
    };
    Some(Choice {
        plain,
        intent,
        article: Some(article.id.clone()),
        told_apart: false,
        question: article.title.clone(),
    })
}

/// An answer whose fact other articles have of something else: theirs where the question names them, both where it names both, and
/// what to ask where it names neither.
pub(super) fn tell_apart(
    desk: &Desk,
    text: &str,
    reading: &[f32],
    understood: &mut Understanding,
    mut answer: Answer,
) -> (Option<Answer>, Vec<Choice>) {
    let Some(at) = desk.article_at(&answer.source) else {
        return (Some(answer), Vec::new());
    };
    match desk.apart(text, at, &answer.text, &understood.hits) {
        Apart::Alone => (Some(answer), Vec::new()),
        Apart::Other(other) => {
            desk.put_first(understood, other);
            let theirs = desk.answer(text, reading, understood);
            (theirs.or(Some(answer)), Vec::new())
        }
        Apart::Both(others) => {
            for (_, sentence) in others {
                answer.passage = format!("{}\n{sentence}", answer.passage);
                answer.text = format!("{} {sentence}", answer.text);
            }
            (Some(answer), Vec::new())
        }
        Apart::Between(articles) => {
            let likeliest = understood.intents.first().map(|i| i.0.clone());
            let choice = |at: &usize| {
                let article = &desk.articles[*at];
                Choice {
                    plain: as_a_thing(
                        desk,
                        &desk.called(*at, articles.iter().copied().filter(|o| o != at)),
                    ),
                    intent: article.intents.first().cloned().or(likeliest.clone()),
                    article: Some(article.id.clone()),
                    told_apart: true,
                    question: article.title.clone(),
                }
            };
            let between = articles.iter().map(choice).collect();
            (Some(answer), between)
        }
    }
}

/// The two best articles where both serve the intent that was understood: their facts differ, and which is meant is asked.
pub(super) fn siblings(desk: &Desk, understood: &Understanding) -> Option<Vec<Choice>> {
    let (intent, p) = understood.intents.first()?;
    let [first, second, ..] = understood.hits.as_slice() else {
        return None;
    };
    let about = |hit: &Hit| {
        let article = &desk.articles[desk.article_at(&hit.article)?];
        (article.intents.contains(intent) && names_a_thing(&article.title)).then_some(article)
    };
    let (first, second) = (about(first)?, about(second)?);
    let choice = |article: &Article| Choice {
        plain: as_a_thing(desk, &article.title),
        intent: Some(intent.clone()),
        article: Some(article.id.clone()),
        told_apart: false,
        question: article.title.clone(),
    };
    (*p >= LIKELY).then(|| vec![choice(first), choice(second)])
}

/// The two intents it is most likely about, if both are likely enough to be worth naming.
pub(super) fn nearest(desk: &Desk, understood: &Understanding) -> Vec<Choice> {
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
            article: None,
            told_apart: false,
            question: topic(desk, name),
        })
        .collect()
}

/// An intent in plain words: what the desk calls it, else the title of the article that is about it, else its name.
pub fn topic(desk: &Desk, intent: &str) -> String {
    let own = desk.phrases.all(&format!("topic.{intent}"));
    if let Some(own) = own.first() {
        return own.clone();
    }
    let serves = |at: &usize| {
        let first = desk.articles[*at].intents.first();
        first.is_some_and(|first| first == intent)
    };
    let titles: Vec<String> = (0..desk.articles.len())
        .filter(serves)
        .map(|at| desk.called_alone(at))
        .filter(|title| names_a_thing(title))
        .collect();
    match titles.as_slice() {
        [title] => as_a_thing(desk, title),
        _ => super::super::action::render::words(intent),
    }
}

/// Whether a title fits after "is it about": "Late fees", "What happens when a payment is missed"; not "If you pay late", "How do I
/// pay?", "Your order has not arrived".
fn names_a_thing(title: &str) -> bool {
    const NO_NAMES: [&str; 11] = [
        "if", "after", "before", "while", "can", "do", "does", "is", "are", "will", "should",
    ];
    const VERBS: [&str; 14] = [
        "is", "are", "was", "were", "has", "have", "had", "does", "do", "did", "can", "cannot",
        "will", "must",
    ];
    let words = words(title);
    let [first, rest @ ..] = words.as_slice() else {
        return false;
    };
    let verb = |word: &String| VERBS.contains(&word.as_str());
    let asks = matches!(first.as_str(), "how" | "when" | "where" | "why");
    let told = asks || matches!(first.as_str(), "what" | "who" | "which");
    let inverted = rest.first().is_some_and(|word| {
        asks && verb(word) || matches!(word.as_str(), "do" | "does" | "did" | "if" | "my")
    });
    words.len() <= 9
        && first != "please"
        && !title.ends_with('?')
        && !NO_NAMES.contains(&first.as_str())
        && if told {
            !inverted
        } else {
            !rest.iter().any(verb)
        }
}

/// A title as it stands inside a sentence: "Your first bill" is "your first bill"; names keep their capitals.
pub(super) fn as_a_thing(desk: &Desk, title: &str) -> String {
    let title = title.trim_end_matches(['.', '!', ':']);
    let mut words = title.split(' ');
    let first = words.next().unwrap_or_default();
    let name = first.chars().filter(|c| c.is_uppercase()).count() > 1
        || words
            .next()
            .is_some_and(|second| second.starts_with(char::is_uppercase))
        || desk.config.company.split(' ').any(|part| part == first)
        || !desk.config.language.starts_with("en");
    let mut chars = title.chars();
    match chars.next() {
        Some(c) if !name => c.to_lowercase().chain(chars).collect(),
        _ => title.to_owned(),
    }
}
