//! What callers asked that the articles do not answer, the articles, and how sure the desk has to be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::super::api::LineState;
use super::{Answer, Console, act, aside, unavailable};
use crate::desk::{Desk, Route};
use crate::edge::http::{ApiError, Article, Who, valid_id};

/// How far back questions are looked for.
const DAYS: i64 = 30;
/// Questions shown of each kind.
const SHOWN: usize = 8;
/// Why the line had nothing to say.
const OPEN: [&str; 4] = [
    "no_answer",
    "not_grounded",
    "low_confidence",
    "out_of_scope",
];

/// Questions that were not answered, or wrongly, by what they seem to be about; the commonest first.
pub(super) async fn gaps(line: &LineState, console: &Console) -> Answer {
    let since = super::super::clock::now()
        .checked_sub(SignedDuration::from_hours(24 * DAYS))
        .ok();
    let records = line.store.records(since).await.map_err(unavailable)?;
    let grades = line.store.grades(None).await.map_err(unavailable)?;
    let wrong: BTreeSet<(&str, i64)> = grades
        .iter()
        .filter(|g| g.grade == "wrong")
        .map(|g| (g.call_id.as_str(), g.turn))
        .collect();
    let mut found: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
    for r in &records {
        for t in &r.turns {
            let (Some(caller), Some(d)) = (&t.caller, &t.decision) else {
                continue;
            };
            let said_wrong = wrong.contains(&(r.id.as_str(), i64::from(t.index)));
            let why = if said_wrong {
                "answered wrongly"
            } else if d.route == Route::Transfer
                && (OPEN.contains(&d.reason.as_str())
                    || r.handoff
                        .as_ref()
                        .is_some_and(|h| OPEN.contains(&h.reason.as_str())))
            {
                "no article answers it"
            } else if d.route == Route::Clarify
                && d.intent.is_some()
                && caller.text.len() > 12
                && d.reason.starts_with("confidence")
            {
                "not sure enough"
            } else {
                continue;
            };
            let about = d.intent.clone().unwrap_or_else(|| "unknown".into());
            found
                .entry((about, why.to_owned()))
                .or_default()
                .push(json!({
                    "text": caller.text, "call_id": r.id, "turn": t.index, "at": r.started_at,
                    "reply": d.reply, "confidence": d.confidence,
                    "source": d.sources.first().map(|s| &s.id),
                }));
        }
    }
    let desk = console.pilot.desk();
    let mut groups: Vec<Value> = found
        .into_iter()
        .map(|((intent, why), mut questions)| {
            let count = questions.len();
            let source = questions.first().and_then(|q| q["source"].as_str().map(str::to_owned));
            questions.reverse();
            questions.truncate(SHOWN);
            json!({
                "intent": intent, "why": why, "count": count, "questions": questions,
                "articles": desk.articles.iter().filter(|a| a.intents.contains(&intent)).map(|a| &a.id).collect::<Vec<_>>(),
                "nearest": source,
            })
        })
        .collect();
    groups
        .sort_by_key(|g| std::cmp::Reverse((g["why"] == "answered wrongly", g["count"].as_u64())));
    Ok(json!(groups))
}

pub(super) fn articles(console: &Console) -> Value {
    let desk = console.pilot.files();
    let all: Vec<Value> = desk
        .articles
        .iter()
        .map(|a| {
            json!({
                "id": a.id, "title": a.title, "intents": a.intents, "spoken": a.spoken, "text": a.text.trim(),
                "updated": a.updated, "file": a.file, "writable": a.file.ends_with(".md"),
            })
        })
        .collect();
    json!(all)
}

/// Writes an article and has the desk learn it; a desk that then is none keeps the old one.
pub(super) async fn article(
    line: &LineState,
    console: &Console,
    who: &Who,
    article: Article,
) -> Answer {
    let desk = console.pilot.files();
    let title = article
        .title
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    if title.is_empty() || article.text.trim().is_empty() {
        return Err(ApiError::Bad("an article has a title and a text".into()));
    }
    for intent in &article.intents {
        if !valid_id(intent) {
            return Err(ApiError::Bad(format!("`{intent}` is no intent's name")));
        }
    }
    let (id, path) = place(&desk, console.pilot.dir(), article.id.as_deref(), &title)?;
    let today = super::super::clock::now()
        .to_zoned_datetime(desk.config.tz())
        .date();
    let text = page(&id, &title, &article, &today.to_string());
    let pilot = console.pilot.clone();
    let shown = path.clone();
    let done = aside(move || write_and_learn(&path, &text, || pilot.reload())).await?;
    done.map_err(ApiError::Bad)?;
    act(
        line,
        who,
        "article written",
        &id,
        &shown.display().to_string(),
    )
    .await?;
    *console.curve.lock().await = None;
    Ok(json!({ "id": id, "file": shown.display().to_string() }))
}

/// Where an article's text goes: its file, or a new one named by its title.
fn place(
    desk: &Desk,
    dir: &Path,
    id: Option<&str>,
    title: &str,
) -> Result<(String, PathBuf), ApiError> {
    let id = match id.filter(|id| !id.is_empty()) {
        Some(id) => id.to_owned(),
        None => {
            let words: Vec<String> = title
                .to_lowercase()
                .split(|c: char| !c.is_ascii_alphanumeric())
                .filter(|w| !w.is_empty())
                .take(8)
                .map(str::to_owned)
                .collect();
            words.join("-")
        }
    };
    if !valid_id(&id) {
        return Err(ApiError::Bad(
            "an article's id is letters, digits, - and _: give it another title".into(),
        ));
    }
    match desk.articles.iter().find(|a| a.id == id) {
        Some(known) if known.file.ends_with(".md") => {
            let below = Path::new(&known.file);
            // The desk's own reading made this name; it is looked at all the same.
            if below
                .components()
                .any(|c| matches!(c, std::path::Component::ParentDir))
                || below.is_absolute()
            {
                return Err(ApiError::Bad(
                    "that article's file is not below the desk".into(),
                ));
            }
            Ok((id, dir.join(below)))
        }
        Some(known) => Err(ApiError::Conflict(format!(
            "{id} is a line of {}: change it there, or write a new article",
            known.file
        ))),
        None => {
            let path = dir.join("knowledge").join(format!("{id}.md"));
            Ok((id, path))
        }
    }
}

/// An article as a file: front matter, then the text.
fn page(id: &str, title: &str, article: &Article, today: &str) -> String {
    let quoted = |text: &str| {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        json!(flat).to_string()
    };
    let mut page = format!(
        "---\nid: {id}\ntitle: {}\nintents: [{}]\nupdated: {today}\n",
        quoted(title),
        article.intents.join(", ")
    );
    if let Some(spoken) = article.spoken.as_deref().filter(|s| !s.trim().is_empty()) {
        page.push_str(&format!("spoken: {}\n", quoted(spoken)));
    }
    page.push_str(&format!("---\n\n{}\n", article.text.trim()));
    page
}

fn write_and_learn(
    path: &Path,
    text: &str,
    learn: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let before = std::fs::read(path).ok();
    let write = |bytes: &[u8]| -> std::io::Result<()> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let beside = path.with_extension("part");
        std::fs::write(&beside, bytes)?;
        std::fs::rename(&beside, path)
    };
    write(text.as_bytes()).map_err(|e| format!("{} cannot be written: {e}", path.display()))?;
    learn().inspect_err(|_| {
        let undone = match &before {
            Some(bytes) => write(bytes),
            None => std::fs::remove_file(path),
        };
        if let Err(error) = undone {
            tracing::error!("{} is not as it was: {error}", path.display());
        }
    })
}

/// The desk's intents and thresholds, and what its labelled questions say of them.
pub(super) async fn desk(console: &Console) -> Answer {
    let desk = console.pilot.desk();
    let version = Arc::as_ptr(&desk) as usize;
    let mut kept = console.curve.lock().await;
    let curve = match kept.as_ref() {
        Some((of, curve)) if *of == version => curve.clone(),
        _ => {
            let (asked, path) = (desk.clone(), console.pilot.dir().join("questions.jsonl"));
            let made = aside(move || curve(&asked, &path)).await?;
            *kept = Some((version, made.clone()));
            made
        }
    };
    let intents: Vec<Value> = desk
        .intents()
        .map(|intent| {
            let policy = desk.policy(intent);
            json!({
                "intent": intent, "mode": policy.mode, "floor": policy.floor, "risk": policy.risk, "queue": policy.queue,
                "articles": desk.articles.iter().filter(|a| a.intents.iter().any(|i| i == intent)).count(),
                "action": desk.action_for(intent).map(|a| &a.name),
            })
        })
        .collect();
    Ok(json!({
        "company": desk.config.company, "language": desk.config.language, "articles": desk.articles.len(),
        "intents": intents, "curve": curve,
    }))
}

/// Of the labelled questions, sorted by confidence: how many would be answered at each floor, and how many of those wrongly.
fn curve(desk: &Desk, path: &Path) -> Value {
    let Ok(text) = std::fs::read_to_string(path) else {
        return json!({ "questions": 0, "points": [] });
    };
    let mut embedder = super::super::engines::embedder().ok();
    let mut said: Vec<(f32, bool)> = Vec::new();
    let mut questions = 0usize;
    for line in text
        .lines()
        .filter_map(|l| serde_json::from_str::<Value>(l).ok())
    {
        let Some(words) = line["text"].as_str() else {
            continue;
        };
        questions += 1;
        let reading = embedder
            .as_mut()
            .and_then(|e| e.read_said(&[words]).ok())
            .and_then(|mut v| v.pop())
            .unwrap_or_default();
        let mut understood = desk.understand(words, &reading);
        let Some(answer) = desk.best_answer(words, &reading, &mut understood) else {
            continue;
        };
        if crate::desk::inquiry::escalation(&understood, !reading.is_empty()).is_some()
            || line["route"] == "act"
        {
            continue;
        }
        let sure = crate::desk::confidence(desk, &understood, Some(&answer), None);
        let may = line["route"].as_str().is_none_or(|route| route == "answer");
        let right = match line["source"].as_str() {
            Some(source) => answer.source == source,
            None => understood.intents.first().map(|i| i.0.as_str()) == line["intent"].as_str(),
        };
        said.push((sure, may && right));
    }
    said.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut points = Vec::new();
    let mut wrong = 0usize;
    let step = (said.len() / 120).max(1);
    for (n, (sure, right)) in said.iter().enumerate() {
        wrong += usize::from(!right);
        let last = said.get(n + 1).is_none_or(|next| next.0 < *sure);
        if last && (n % step == 0 || n + 1 == said.len()) {
            points.push(json!({
                "floor": (f64::from(*sure) * 1000.0).round() / 1000.0,
                "coverage": ((n + 1) as f64 / questions.max(1) as f64 * 1000.0).round() / 1000.0,
                "risk": (wrong as f64 / (n + 1) as f64 * 1000.0).round() / 1000.0,
            }));
        }
    }
    json!({ "questions": questions, "answerable": said.len(), "points": points })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::{DeskFiles, parse};

    fn desk(knowledge: &[(&str, &str)]) -> Desk {
        let mut files =
            BTreeMap::from([("desk.toml".to_owned(), "company = \"Larch\"\n".to_owned())]);
        for (name, text) in knowledge {
            files.insert((*name).to_owned(), (*text).to_owned());
        }
        Desk::build(
            parse(&DeskFiles(files)).expect("a desk"),
            &std::collections::HashMap::new(),
        )
    }

    #[test]
    fn an_article_written_here_is_read_as_it_was_meant() {
        let article = Article {
            title: "Fees: what \"late\" means".into(),
            text: "Seven days.\n\n---\nstill the text".into(),
            intents: vec!["late_fee".into()],
            spoken: Some("Seven\ndays: no more.".into()),
            id: None,
        };
        let text = page("fees", &article.title, &article, "2026-11-29");
        let desk = desk(&[("knowledge/fees.md", &text)]);
        let read = &desk.articles[0];
        assert_eq!(read.title, article.title);
        assert_eq!(read.spoken.as_deref(), Some("Seven days: no more."));
        assert_eq!(read.intents, ["late_fee"]);
        assert_eq!(read.text.trim(), article.text);
    }

    #[test]
    fn articles_stay_below_the_desk() {
        let desk = desk(&[("knowledge/sub/a.md", "---\nid: a\ntitle: A\n---\nText.\n")]);
        let dir = Path::new("/desk");
        let at = |id: Option<&str>, title: &str| place(&desk, dir, id, title).map(|p| p.1);
        assert_eq!(at(Some("a"), "A"), Ok("/desk/knowledge/sub/a.md".into()));
        assert_eq!(
            at(None, "Über-Fees & more!"),
            Ok("/desk/knowledge/ber-fees-more.md".into())
        );
        for bad in ["../../etc/passwd", "a/b", ".hidden", "a..b"] {
            assert!(at(Some(bad), "A").is_err(), "{bad}");
        }
        assert!(at(None, "???").is_err());
    }

    #[test]
    fn a_desk_that_is_none_keeps_the_old_article() {
        let path =
            std::env::temp_dir().join(format!("firstline-article-{}/a.md", uuid::Uuid::new_v4()));
        assert!(write_and_learn(&path, "new", || Err("no".into())).is_err());
        assert!(!path.exists());
        write_and_learn(&path, "one", || Ok(())).unwrap();
        assert!(write_and_learn(&path, "two", || Err("no".into())).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
}
