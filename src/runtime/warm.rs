//! What a line says in any case, made before anybody asks for it.

use std::time::Duration;

use crate::desk::Caller;
use crate::desk::conversation::Conversation;

use super::line::Shared;

/// What will be said in any case is synthesised while nobody is calling. Gives the clauses of the greeting.
pub(super) fn all(shared: &Shared) -> Vec<String> {
    let words = &shared.words;
    let fixed = words.all().cloned();
    let company = shared.desk.config.company.clone();
    let greeting = Conversation::new(
        shared.desk.clone(),
        Caller::default(),
        "warm",
        super::clock::now(),
    )
    .opening();
    let phrases = crate::desk::phrase::keys().flat_map(|key| match shared.desk.phrases.all(key) {
        [] => crate::desk::phrase::wordings(key)
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        own => own.to_vec(),
    });
    let own = shared.desk.phrases.0.iter();
    let other_languages = own
        .filter(|(key, _)| key.starts_with("language."))
        .flat_map(|(_, wordings)| wordings.clone());
    let asks = shared
        .desk
        .actions
        .iter()
        .flat_map(|a| a.slots.iter())
        .map(|slot| slot.ask.clone());
    let greeting: Vec<String> = greeting
        .say
        .iter()
        .flat_map(|s| crate::speech::spoken::clauses(&s.text))
        .collect();
    for clause in &greeting {
        shared.pool.warm(clause.clone());
    }
    // Every call needs some of the phrases, an article is asked for now and then.
    let sentences = fixed
        .chain(phrases)
        .chain(asks)
        .chain(other_languages)
        .chain(shared.desk.answers().map(str::to_string));
    // What callers wait for comes first: the beginning of everything that may be said, then the rest of it.
    let mut rest = Vec::new();
    for sentence in sentences
        .map(|s| s.replace("{company}", &company))
        .filter(|s| !s.contains('{'))
    {
        let mut clauses = crate::speech::spoken::clauses(&sentence).into_iter();
        if let Some(first) = clauses.next() {
            shared.pool.warm(first);
        }
        rest.extend(clauses);
    }
    for clause in rest {
        shared.pool.warm(clause);
    }
    greeting
}

/// Waits until clauses are made: the first caller is to be greeted at once. Not for ever: a voice may be a service that is down.
pub(super) async fn made(clauses: &[String], shared: &Shared) {
    let missing = || {
        clauses
            .iter()
            .any(|c| shared.pool.voice().kept(c).is_none())
    };
    for _ in 0..100 {
        if !missing() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tracing::warn!("the greeting is not made yet; the first caller may wait for it");
}
