//! The words of a desk that a recogniser does not know: its company, its people's name, what its articles call by name, what its
//! actions let callers choose.

use std::collections::BTreeMap;

use crate::desk::Desk;
use crate::desk::text::is_weekday;
use crate::speech::vocabulary::{Vocabulary, names_in};

/// How often the articles must use a name before it is one of ours.
const OFTEN: usize = 2;
/// Months and the like, as weekdays, are capitalised everywhere and heard well.
const KNOWN: [&str; 19] = [
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "english",
    "please",
    "eastern time",
    "pacific time",
    "internet",
    "email",
    "faq",
    "pdf",
];

fn is_known(name: &str) -> bool {
    is_weekday(name) || KNOWN.contains(&name)
}

/// The desk's vocabulary, the surest first.
pub fn of(desk: &Desk) -> Vocabulary {
    let mut terms: Vec<String> = vec![desk.config.company.clone()];
    terms.extend(desk.config.agent_name.clone());
    let choices = desk.actions.iter().flat_map(|a| &a.slots);
    terms.extend(
        choices
            .flat_map(|s| &s.choices)
            .filter(|c| c.starts_with(char::is_uppercase))
            .cloned(),
    );
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for article in &desk.articles {
        let text = [Some(&article.text), article.spoken.as_ref()];
        for name in text.into_iter().flatten().flat_map(|t| names_in(t)) {
            *names.entry(name).or_default() += 1;
        }
    }
    let mut names: Vec<(String, usize)> = names
        .into_iter()
        .filter(|(name, n)| *n >= OFTEN && !is_known(&name.to_lowercase()))
        .collect();
    names.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    terms.extend(names.into_iter().map(|(name, _)| name));
    Vocabulary::new(terms)
}
