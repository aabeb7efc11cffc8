//! A desk's files to a desk's source: everything is checked here, every mistake is told with its place, nothing starts half.

mod actions;
mod config;
mod front;
mod knowledge;
mod queues;
mod request;

use std::collections::{BTreeMap, BTreeSet};

use super::config::{Action, DeskConfig, Phrases};
use super::knowledge::{Article, Passage};
use super::tree::{self, did_you_mean};

/// A desk directory as text. The desk cannot read files: it is given them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeskFiles(pub BTreeMap<String, String>);

/// One mistake in a desk's files, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub file: String,
    /// 1-based.
    pub line: Option<usize>,
    pub message: String,
}

impl Problem {
    pub(crate) fn at(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: Some(line),
            message: message.into(),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// One labelled sentence; no intent: out of scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    pub text: String,
    pub intent: Option<String>,
}

/// A desk, read and checked; not yet learned.
#[derive(Debug, Clone, Default)]
pub struct DeskSource {
    pub config: DeskConfig,
    pub actions: Vec<Action>,
    pub phrases: Phrases,
    pub examples: Vec<Example>,
    pub articles: Vec<Article>,
    pub passages: Vec<Passage>,
    /// `calibration.toml`: feature name to weight.
    pub calibration: Option<BTreeMap<String, f32>>,
    /// `prompts/*.md`: the desk's own instructions to a language model, by what they are for.
    pub prompts: BTreeMap<String, String>,
}

impl DeskSource {
    /// What learning depends on, as bytes to be hashed: the same bytes, the same [`super::Learned`].
    pub fn fingerprint(&self) -> Vec<u8> {
        let mut out = super::scope::VERSION.to_le_bytes().to_vec();
        let mut add = |t: &str| {
            out.extend(t.as_bytes());
            out.push(0);
        };
        for e in &self.examples {
            add(&e.text);
            add(e.intent.as_deref().unwrap_or("\u{1}"));
        }
        for a in &self.articles {
            add(&a.title);
            a.intents.iter().for_each(|i| add(i));
        }
        for (_, texts) in super::bank::all() {
            texts.iter().for_each(|t| add(t));
        }
        // What is done by the line alone is learned as ordinary.
        for (name, policy) in super::desk::policies(self) {
            if policy.mode == super::config::Mode::Autonomous {
                add(&name);
            }
        }
        out
    }

    /// Every text worth a vector: examples, titles, passages and their sentences, and the built-in banks. No duplicates.
    pub fn texts(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut out = Vec::new();
        let mut add = |t: String| {
            if seen.insert(t.clone()) {
                out.push(t);
            }
        };
        for e in &self.examples {
            add(e.text.clone());
        }
        for a in &self.articles {
            add(a.title.clone());
            if let Some(spoken) = a.written(0) {
                spoken.sentences.into_iter().for_each(&mut add);
            }
        }
        for p in &self.passages {
            add(p.embedded(&self.articles[p.article].title));
            p.heading.iter().for_each(|h| add(h.clone()));
            for s in &p.sentences {
                add(s.clone());
            }
        }
        for (_, texts) in super::bank::all() {
            for t in texts {
                add((*t).to_string());
            }
        }
        out
    }

    /// Every text worth reading word by word: what may be said in answer. None where there are too many to hold.
    pub fn spoken_texts(&self) -> Vec<String> {
        if self.passages.len() > MOST_READ {
            return Vec::new();
        }
        let written: Vec<Passage> = self.articles.iter().filter_map(|a| a.written(0)).collect();
        let texts: BTreeSet<&str> = self
            .articles
            .iter()
            .flat_map(|a| [Some(a.title.as_str()), a.spoken.as_deref()])
            .flatten()
            .chain(
                self.passages
                    .iter()
                    .chain(&written)
                    .flat_map(|p| p.sentences.iter().chain(&p.heading).map(String::as_str)),
            )
            .collect();
        texts.into_iter().map(str::to_owned).collect()
    }

    /// Every sentence in its place ([`Passage::in_place`]), for finding the one that answers. None where there are too many to hold.
    pub fn answering_texts(&self) -> Vec<String> {
        if self.passages.len() > MOST_READ {
            return Vec::new();
        }
        let all = self.articles.iter().enumerate();
        let written: Vec<Passage> = all.filter_map(|(at, a)| a.written(at)).collect();
        let passages = self.passages.iter().chain(&written);
        let texts: BTreeSet<String> = passages
            .flat_map(|p| p.in_place(&self.articles[p.article].title))
            .collect();
        texts.into_iter().collect()
    }
}

/// Passages up to which sentences are kept word by word: about 16 kB each.
const MOST_READ: usize = 12_000;

/// Reads and checks a desk. On failure: all problems, in the order of files and lines.
pub fn parse(files: &DeskFiles) -> Result<DeskSource, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut source = DeskSource::default();
    let get = |name: &str| files.0.get(name).map(String::as_str);

    let mut intent_lines = BTreeMap::new();
    let mut queue_refs = Vec::new();
    if let Some(text) = get("desk.toml") {
        let read = config::read("desk.toml", text, &mut problems);
        source.config = read.config;
        intent_lines = read.intent_lines;
        queue_refs = read.queue_refs;
    }
    if let Some(text) = get("intents.jsonl") {
        source.examples = knowledge::examples("intents.jsonl", text, &mut problems);
    }
    let mut phrase_lines = Vec::new();
    let mut action_lines = Vec::new();
    if let Some(text) = get("actions.toml") {
        let read = actions::read("actions.toml", text, &source.config, &mut problems);
        source.actions = read.0;
        action_lines = read.1;
    }
    if let Some(text) = get("phrases.toml") {
        (source.phrases, phrase_lines) = config::phrases("phrases.toml", text, &mut problems);
    }
    if let Some(text) = get("calibration.toml") {
        source.calibration = Some(config::calibration("calibration.toml", text, &mut problems));
    }
    for (name, text) in &files.0 {
        if let Some(task) = name.strip_prefix("prompts/") {
            let task = task.trim_end_matches(".md");
            check_prompt(name, task, text, &mut problems);
            source.prompts.insert(task.to_owned(), text.clone());
        }
        if !name.starts_with("knowledge/") {
            continue;
        }
        if name.ends_with(".md") {
            source
                .articles
                .extend(knowledge::markdown(name, text, &mut problems));
        } else if name.ends_with(".jsonl") {
            source
                .articles
                .extend(knowledge::jsonl(name, text, &mut problems));
        }
    }
    if get("desk.toml").is_none() && source.examples.is_empty() && source.articles.is_empty() {
        problems.push(Problem {
            file: "desk.toml".into(),
            line: None,
            message:
                "there is no desk here: no desk.toml, no intents.jsonl and nothing in knowledge/; \
                      `firstline desk new DIR` makes one"
                    .into(),
        });
    }
    cross_check(
        &source,
        &intent_lines,
        &queue_refs,
        &action_lines,
        &mut problems,
    );
    check_phrases(&source, &phrase_lines, &mut problems);
    if !problems.is_empty() {
        problems.sort();
        problems.dedup();
        return Err(problems);
    }
    source.passages = super::knowledge::split(&source.articles);
    Ok(source)
}

/// A prompt is for something that is asked, and holds the two names that are filled in, if any.
fn check_prompt(name: &str, task: &str, text: &str, problems: &mut Vec<Problem>) {
    use super::model::{Task, placeholders};
    let tasks = Task::ALL.map(Task::name);
    if !tasks.contains(&task) {
        problems.push(Problem::at(
            name,
            1,
            format!(
                "there is no prompt `{task}`{}: write prompts/{}.md",
                did_you_mean(task, &tasks),
                tasks.join(".md or prompts/")
            ),
        ));
    }
    if text.trim().is_empty() {
        problems.push(Problem::at(
            name,
            1,
            "the prompt is empty: write one, or leave the file out",
        ));
    }
    for (at, line) in text.lines().enumerate() {
        for hole in actions::names(line) {
            let word = !hole.is_empty() && hole.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if word && !placeholders().contains(&hole) {
                problems.push(Problem::at(
                    name,
                    at + 1,
                    format!(
                        "`{{{hole}}}` is not filled in here: a prompt may hold {{{}}}; what callers and articles say is sent beside it",
                        placeholders().join("} and {")
                    ),
                ));
            }
        }
    }
}

/// A wording for an action or an intent that is not there is never said.
fn check_phrases(source: &DeskSource, lines: &[(String, usize)], problems: &mut Vec<Problem>) {
    let actions: Vec<&str> = source.actions.iter().map(|a| a.name.as_str()).collect();
    let mut intents: BTreeSet<&str> = source
        .examples
        .iter()
        .filter_map(|e| e.intent.as_deref())
        .collect();
    intents.extend(source.actions.iter().map(|a| a.intent.as_str()));
    intents.extend(
        source
            .articles
            .iter()
            .flat_map(|a| a.intents.iter().map(String::as_str)),
    );
    let intents: Vec<&str> = intents.into_iter().collect();
    for (key, line) in lines {
        let (kind, name, known) = match key.split_once('.') {
            Some(("confirm", name)) => ("action", name, &actions),
            Some(("topic", name)) => ("intent", name, &intents),
            _ => continue,
        };
        if !known.contains(&name) {
            problems.push(Problem::at(
                "phrases.toml",
                *line,
                format!(
                    "`{key}` is for the {kind} `{name}`, which this desk does not have{}",
                    did_you_mean(name, known)
                ),
            ));
        }
    }
}

/// What one file says about another.
fn cross_check(
    source: &DeskSource,
    intent_lines: &BTreeMap<String, usize>,
    queue_refs: &[(String, usize)],
    action_lines: &[usize],
    problems: &mut Vec<Problem>,
) {
    let labelled: BTreeSet<&str> = source
        .examples
        .iter()
        .filter_map(|e| e.intent.as_deref())
        .collect();
    let known: Vec<&str> = labelled.iter().copied().collect();
    // Without examples an intent can only come from articles and actions: then nothing can be checked against.
    let check =
        |file: &str, line: usize, who: String, intent: &str, problems: &mut Vec<Problem>| {
            if !labelled.is_empty() && !labelled.contains(intent) {
                problems.push(Problem::at(
                file,
                line,
                format!(
                    "{who} names the intent `{intent}`, which has no example in intents.jsonl{}",
                    did_you_mean(intent, &known)
                ),
            ));
            }
        };
    for (name, line) in intent_lines {
        check(
            "desk.toml",
            *line,
            format!("[intent.{name}]"),
            name,
            problems,
        );
    }
    let queues: Vec<&str> = source
        .config
        .escalation
        .queues
        .keys()
        .map(String::as_str)
        .collect();
    for (queue, line) in queue_refs {
        if !queues.contains(&queue.as_str()) {
            problems.push(Problem::at(
                "desk.toml",
                *line,
                format!(
                    "the queue `{queue}` is not in [escalation.queues]{}",
                    did_you_mean(queue, &queues)
                ),
            ));
        }
    }
    let mut names = BTreeSet::new();
    for (action, line) in source.actions.iter().zip(action_lines) {
        if !names.insert(&action.name) {
            problems.push(Problem::at(
                "actions.toml",
                *line,
                format!("there are two actions named `{}`: rename one", action.name),
            ));
        }
        check(
            "actions.toml",
            *line,
            format!("action `{}`", action.name),
            &action.intent,
            problems,
        );
    }
    let mut ids: BTreeMap<&str, &Article> = BTreeMap::new();
    for article in &source.articles {
        if let Some(first) = ids.insert(&article.id, article) {
            problems.push(Problem::at(
                &article.file,
                article.line,
                format!(
                    "the id `{}` is already taken by {}:{}: ids must be unique",
                    article.id, first.file, first.line
                ),
            ));
        }
        for intent in &article.intents {
            check(
                &article.file,
                article.line,
                format!("article `{}`", article.id),
                intent,
                problems,
            );
        }
    }
}

/// `phrases.toml`, `calibration.toml`: a flat table.
fn flat(root: &tree::Node) -> &[(String, usize, tree::Node)] {
    match &root.kind {
        tree::Kind::Table(t) => t,
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
