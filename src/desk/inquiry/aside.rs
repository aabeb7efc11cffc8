//! A question beside what is under way, or after what was just read: what it asks is asked of that.

use super::super::config::Mode;
use super::super::desk::Desk;
use super::super::framing::bare;
use super::{Inquiry, Verdict, title};

/// Articles of an action's intent that are looked at.
const LOOKED_AT: usize = 4;

/// What the articles of `intent` say to a question that is put while its action is under way. None where none of them surely says it.
pub fn inquire_aside(desk: &Desk, intent: &str, text: &str, reading: &[f32]) -> Option<Inquiry> {
    let articles = desk.serving.get(intent)?.iter().copied();
    let found = articles
        .take(LOOKED_AT)
        .filter_map(|at| inquire_of(desk, at, text, reading))
        .max_by(|a, b| a.confidence.total_cmp(&b.confidence))?;
    (desk.policy(intent).mode == Mode::Autonomous).then_some(Inquiry {
        intent: Some(intent.to_owned()),
        ..found
    })
}

/// What the article of this name says to a short question that leans on it.
pub fn inquire_again(desk: &Desk, article: &str, text: &str, reading: &[f32]) -> Option<Inquiry> {
    inquire_of(desk, desk.article_at(article)?, text, reading)
}

fn inquire_of(desk: &Desk, article: usize, text: &str, reading: &[f32]) -> Option<Inquiry> {
    let (told, sure) = desk.pointed(article, bare(text), reading)?;
    let id = desk.articles[article].id.clone();
    let mut understood = desk.understand(text, reading);
    desk.put_first(&mut understood, article);
    let intent = desk.articles[article].intents.first().cloned();
    Some(Inquiry {
        understood,
        answer: None,
        confidence: sure,
        reason: format!("the sentence of {id} that is asked for, at {sure:.2}"),
        verdict: Verdict::Answer {
            text: told,
            title: title(desk, &id),
            source: id,
        },
        intent,
    })
}
