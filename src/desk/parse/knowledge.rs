//! `intents.jsonl` and `knowledge/`.

use serde_json::Value as Json;

use super::super::framing::bare;
use super::super::knowledge::Article;
use super::super::tree::{did_you_mean, nearest};
use super::{Example, Problem, front};

const FRONT_KEYS: [&str; 6] = ["id", "title", "intents", "updated", "spoken", "tags"];
const ARTICLE_KEYS: [&str; 6] = ["id", "title", "text", "intents", "updated", "spoken"];

fn objects<'t>(
    file: &'t str,
    text: &'t str,
    problems: &mut Vec<Problem>,
) -> Vec<(usize, serde_json::Map<String, Json>)> {
    let mut out = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim().trim_start_matches('\u{feff}');
        if line.is_empty() {
            continue;
        }
        match serde_json::from_str(line) {
            Ok(Json::Object(o)) => out.push((i + 1, o)),
            Ok(_) => problems.push(Problem::at(file, i + 1, "this line is not a JSON object")),
            Err(e) => problems.push(Problem::at(
                file,
                i + 1,
                format!("this line is not valid JSON: {e}"),
            )),
        }
    }
    out
}

fn unknown_keys(
    file: &str,
    line: usize,
    object: &serde_json::Map<String, Json>,
    known: &[&str],
    problems: &mut Vec<Problem>,
) {
    // Exports carry keys of their own, which do no harm; a known key misspelt does.
    let missing: Vec<&str> = known
        .iter()
        .copied()
        .filter(|k| !object.contains_key(*k))
        .collect();
    for key in object.keys().filter(|k| !known.contains(&k.as_str())) {
        if let Some(near) = nearest(key, &missing) {
            problems.push(Problem::at(
                file,
                line,
                format!("there is no key `{key}` here; did you mean `{near}`?"),
            ));
        }
    }
}

pub(super) fn examples(file: &str, text: &str, problems: &mut Vec<Problem>) -> Vec<Example> {
    let mut out = Vec::new();
    for (line, object) in objects(file, text, problems) {
        unknown_keys(file, line, &object, &["text", "intent"], problems);
        let Some(Json::String(text)) = object.get("text") else {
            problems.push(Problem::at(file, line, "this line has no `text`"));
            continue;
        };
        let intent = match object.get("intent") {
            Some(Json::String(s)) if !s.trim().is_empty() => Some(s.trim().to_string()),
            Some(Json::Null) => None,
            _ => {
                problems.push(Problem::at(
                    file,
                    line,
                    "this line has no `intent`: name one, or write null for words out of scope",
                ));
                continue;
            }
        };
        if !text.trim().is_empty() {
            out.push(Example {
                text: bare(text.trim()).to_owned(),
                intent,
            });
        }
    }
    out
}

pub(super) fn jsonl(file: &str, text: &str, problems: &mut Vec<Problem>) -> Vec<Article> {
    let mut out = Vec::new();
    for (line, object) in objects(file, text, problems) {
        unknown_keys(file, line, &object, &ARTICLE_KEYS, problems);
        let string = |key: &str| {
            object
                .get(key)
                .and_then(Json::as_str)
                .map(str::trim)
                .filter(|s| !s.is_empty())
        };
        let mut need = |key: &str| {
            string(key).map(str::to_string).unwrap_or_else(|| {
                problems.push(Problem::at(
                    file,
                    line,
                    format!("this article has no `{key}`"),
                ));
                String::new()
            })
        };
        let (id, title, text) = (need("id"), need("title"), need("text"));
        let updated = string("updated").map(str::to_string);
        check_updated(file, line, updated.as_deref(), problems);
        out.push(Article {
            id,
            title,
            text,
            intents: match object.get("intents") {
                Some(Json::Array(a)) => a
                    .iter()
                    .filter_map(Json::as_str)
                    .map(str::to_string)
                    .collect(),
                Some(Json::String(s)) => vec![s.clone()],
                _ => Vec::new(),
            },
            updated,
            spoken: string("spoken").map(str::to_string),
            file: file.into(),
            line,
            body_line: line,
        });
    }
    out
}

pub(super) fn markdown(file: &str, text: &str, problems: &mut Vec<Problem>) -> Option<Article> {
    let (entries, body, body_line) = front::split(file, text, problems);
    for (key, line, _) in &entries {
        if !FRONT_KEYS.contains(&key.as_str()) {
            problems.push(Problem::at(
                file,
                *line,
                format!(
                    "front matter has no key `{key}`{}",
                    match did_you_mean(key, &FRONT_KEYS) {
                        near if near.is_empty() =>
                            format!("; its keys are {}", FRONT_KEYS.join(", ")),
                        near => near,
                    }
                ),
            ));
        }
    }
    let get = |key: &str| {
        entries
            .iter()
            .find(|(k, _, _)| k == key)
            .map(|(_, _, v)| v)
            .filter(|v| !v.text().is_empty())
    };
    let stem = file
        .rsplit('/')
        .next()
        .unwrap_or(file)
        .trim_end_matches(".md");
    let heading = body
        .lines()
        .find_map(|l| l.strip_prefix("# ").map(|h| h.trim().to_string()));
    let title = get("title")
        .map(|v| v.text())
        .or(heading)
        .unwrap_or_else(|| {
            let words = stem.replace(['-', '_'], " ");
            let mut c = words.chars();
            c.next()
                .map_or(String::new(), |f| f.to_uppercase().chain(c).collect())
        });
    let updated = get("updated").map(|v| v.text());
    let updated_line = entries.iter().find(|e| e.0 == "updated").map_or(1, |e| e.1);
    check_updated(file, updated_line, updated.as_deref(), problems);
    let spoken = get("spoken").map(|v| v.text());
    if body.trim().is_empty() && spoken.is_none() {
        problems.push(Problem::at(file, body_line, "this article has no text"));
        return None;
    }
    Some(Article {
        id: get("id").map_or(stem.to_string(), |v| v.text()),
        title,
        intents: get("intents").map_or(Vec::new(), |v| v.list()),
        updated,
        spoken,
        text: body.to_string(),
        file: file.into(),
        line: 1,
        body_line,
    })
}

fn check_updated(file: &str, line: usize, updated: Option<&str>, problems: &mut Vec<Problem>) {
    if let Some(day) = updated.filter(|d| {
        d.get(..10)
            .unwrap_or(d)
            .parse::<jiff::civil::Date>()
            .is_err()
    }) {
        problems.push(Problem::at(
            file,
            line,
            format!("`updated: {day}` is not a date: write it like 2026-11-23"),
        ));
    }
}
