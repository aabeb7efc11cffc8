//! What an action does, in the words callers use for it: "pause", "hold" and "break" of one that pauses payments.

use std::collections::{HashMap, HashSet};

use super::action::render;
use super::config::Action;
use super::desk::Desk;
use super::inquiry;
use super::parse::DeskSource;
use super::text::{Stems, is_stop, words};

/// A word belongs to an action that at least every so many of its examples use.
const SHARE: usize = 30;
/// Verbs that stand for any other.
const ANY: [&str; 6] = ["do", "go", "proceed", "continue", "start", "happen"];

/// Stems of the words that the examples of each action's intent use, and of the names of both.
pub(super) fn deeds(source: &DeskSource, stems: &Stems) -> HashMap<String, HashSet<String>> {
    let mut out = HashMap::new();
    for action in &source.actions {
        let mut count: HashMap<String, usize> = HashMap::new();
        let mut examples = 0;
        for example in &source.examples {
            if example.intent.as_deref() != Some(&action.intent) {
                continue;
            }
            examples += 1;
            let used: HashSet<String> = words(&example.text)
                .iter()
                .filter(|word| !is_stop(word))
                .map(|word| stems.stem(word))
                .collect();
            for stem in used {
                *count.entry(stem).or_default() += 1;
            }
        }
        let mut known: HashSet<String> = count
            .into_iter()
            .filter(|(_, n)| n * SHARE >= examples)
            .map(|(stem, _)| stem)
            .collect();
        let names = format!(
            "{} {} {}",
            render::words(&action.name),
            render::words(&action.intent),
            source
                .phrases
                .all(&format!("topic.{}", action.intent))
                .join(" ")
        );
        known.extend(words(&names).iter().map(|word| stems.stem(word)));
        out.insert(action.name.clone(), known);
    }
    out
}

impl Desk {
    /// Whether an intent is called by any of these verbs.
    pub fn is_of(&self, intent: &str, verbs: &[String]) -> bool {
        let name = format!("{} {}", render::words(intent), inquiry::topic(self, intent));
        let known: HashSet<String> = words(&name).iter().map(|w| self.stems.stem(w)).collect();
        verbs
            .iter()
            .any(|verb| known.contains(&self.stems.stem(verb)))
    }

    /// Whether any of these verbs is what the action does.
    pub fn does(&self, action: &Action, verbs: &[String]) -> bool {
        let Some(known) = self.deeds.get(&action.name) else {
            return false;
        };
        verbs
            .iter()
            .any(|verb| ANY.contains(&verb.as_str()) || known.contains(&self.stems.stem(verb)))
    }
}
