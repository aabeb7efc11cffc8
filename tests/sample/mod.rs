//! The sample desk: its files are whole, its labelled questions fit them, and words alone already lead most questions to the right place.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use firstline::desk::{Desk, DeskFiles, DeskSource, parse};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    id: String,
    text: String,
    intent: Option<String>,
    route: String,
    source: Option<String>,
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/larchpay"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn source() -> DeskSource {
    let mut files: BTreeMap<String, String> =
        ["desk.toml", "intents.jsonl", "actions.toml", "phrases.toml"]
            .map(|f| (f.to_owned(), read(&folder().join(f))))
            .into();
    for entry in std::fs::read_dir(folder().join("knowledge")).expect("the articles") {
        let path = entry.expect("an article").path();
        files.insert(
            format!(
                "knowledge/{}",
                path.file_name().expect("a name").to_string_lossy()
            ),
            read(&path),
        );
    }
    parse(&DeskFiles(files)).unwrap_or_else(|problems| {
        panic!(
            "{}",
            problems
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        )
    })
}

fn questions() -> Vec<Question> {
    read(&folder().join("questions.jsonl"))
        .lines()
        .map(|l| serde_json::from_str(l).expect("a question"))
        .collect()
}

#[test]
fn the_desk_is_whole() {
    let source = source();
    let mut of: BTreeMap<&str, usize> = BTreeMap::new();
    for example in &source.examples {
        *of.entry(example.intent.as_deref().unwrap_or("(none)"))
            .or_default() += 1;
    }
    assert!(of.len() > 18 && of["(none)"] >= 100, "{of:?}");
    assert!(of.iter().all(|(_, n)| *n >= 24), "{of:?}");
    assert!(source.articles.len() >= 36 && source.actions.len() >= 8);
    // Every intent has a policy of its own, and every one that no action serves has an article.
    for name in of.keys().filter(|n| **n != "(none)") {
        assert!(
            source.config.intents.contains_key(*name),
            "{name} is not in desk.toml"
        );
        let served = source.actions.iter().any(|a| a.intent == *name)
            || source
                .articles
                .iter()
                .any(|a| a.intents.iter().any(|i| i == name));
        assert!(served, "nothing serves {name}");
    }
}

#[test]
fn the_questions_fit_the_desk_and_repeat_none_of_its_examples() {
    let source = source();
    let known: BTreeSet<&str> = source.examples.iter().map(|e| e.text.as_str()).collect();
    let intents: BTreeSet<&str> = source
        .examples
        .iter()
        .filter_map(|e| e.intent.as_deref())
        .collect();
    let questions = questions();
    assert!(questions.len() >= 100);
    let mut ids = BTreeSet::new();
    for q in &questions {
        assert!(ids.insert(&q.id), "{} twice", q.id);
        assert!(
            !known.contains(q.text.as_str()),
            "{} is an example, too",
            q.id
        );
        if let Some(intent) = &q.intent {
            assert!(intents.contains(intent.as_str()), "{}: {intent}", q.id);
        }
        if let Some(article) = &q.source {
            assert!(
                source.articles.iter().any(|a| a.id == *article),
                "{}: {article}",
                q.id
            );
        }
        let acts = |i: &str| source.actions.iter().any(|a| a.intent == i);
        match (q.route.as_str(), &q.intent, &q.source) {
            ("answer", Some(_), Some(_))
            | ("transfer", Some(_), None)
            | ("clarify", None, None) => {}
            ("act", Some(intent), None) if acts(intent) => {}
            _ => panic!("{}: route, intent and source do not go together", q.id),
        }
    }
}

#[test]
fn words_alone_find_most_intents_and_articles() {
    let desk = Desk::build(source(), &HashMap::new());
    let (mut intents, mut right, mut sourced, mut found) = (0, 0, 0, 0);
    for q in questions() {
        let u = desk.understand(&q.text, &[]);
        if let Some(intent) = &q.intent {
            intents += 1;
            right += usize::from(u.intents.first().is_some_and(|(best, _)| best == intent));
        }
        if let Some(article) = &q.source {
            sourced += 1;
            found += usize::from(u.sources.iter().take(5).any(|s| s.id == *article));
        }
    }
    println!("intents {right} of {intents}, articles in the first five {found} of {sourced}");
    // The sentence encoder adds the rest; this guards the part that has to work without it.
    assert!(right * 100 >= intents * 50, "intents {right} of {intents}");
    assert!(found * 100 >= sourced * 48, "articles {found} of {sourced}");
}
