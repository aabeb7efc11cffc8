//! Help-centre exports and tickets to a desk's knowledge files.
#![allow(
    clippy::disallowed_methods,
    reason = "the command line reads and writes the files it is given"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Value as Json, json};

/// One article on its way in.
#[derive(Debug, Default, PartialEq)]
pub(in crate::cli) struct Incoming {
    id: String,
    title: String,
    /// Markdown.
    text: String,
    updated: Option<String>,
}

pub(super) struct Done {
    pub articles: usize,
    pub tickets: usize,
    pub kept: usize,
}

pub(super) fn run(from: &Path, desk: &Path, replace: bool) -> anyhow::Result<Done> {
    if !from.exists() {
        bail!(
            "{} is not there: name a folder, a JSON export or a CSV of tickets",
            from.display()
        );
    }
    let mut articles = Vec::new();
    let mut tickets = Vec::new();
    if from.is_dir() {
        folder(from, 0, &mut articles)?;
    } else {
        let text = read(from)?;
        match from
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or("")
            .to_ascii_lowercase()
            .as_str()
        {
            "json" => {
                articles = export(
                    &serde_json::from_str(&text)
                        .with_context(|| format!("{} is not JSON", from.display()))?,
                )
            }
            "csv" => tickets = ticket_lines(&text)?,
            "md" | "markdown" => articles.push(markdown(&stem(from), &text)),
            "html" | "htm" => articles.push(html(&stem(from), &text)),
            other => bail!(
                "{} is of a kind (`{other}`) that cannot be read: .md, .html, .json (Zendesk, Intercom) or .csv (tickets)",
                from.display()
            ),
        }
    }
    articles.retain(|a| !a.text.trim().is_empty() && !a.title.trim().is_empty());
    if articles.is_empty() && tickets.is_empty() {
        bail!(
            "nothing in {} looks like an article or a ticket",
            from.display()
        );
    }
    let knowledge = desk.join("knowledge");
    fs::create_dir_all(&knowledge)
        .with_context(|| format!("{} cannot be made", knowledge.display()))?;
    let mut done = Done {
        articles: 0,
        tickets: tickets.len(),
        kept: 0,
    };
    let mut taken = BTreeSet::new();
    for mut a in articles {
        a.id = slug(&a.id);
        let base = a.id.clone();
        let mut n = 2;
        while !taken.insert(a.id.clone()) {
            a.id = format!("{base}-{n}");
            n += 1;
        }
        let path = knowledge.join(format!("{}.md", a.id));
        if path.exists() && !replace {
            done.kept += 1;
            continue;
        }
        fs::write(&path, a.file())
            .with_context(|| format!("{} cannot be written", path.display()))?;
        done.articles += 1;
    }
    if !tickets.is_empty() {
        let path = knowledge.join("tickets.jsonl");
        if path.exists() && !replace {
            done.kept += tickets.len();
            done.tickets = 0;
        } else {
            let lines: Vec<String> = tickets
                .iter()
                .map(|t| json!({"id": t.id, "title": t.title, "text": t.text}).to_string())
                .collect();
            fs::write(&path, lines.join("\n") + "\n")
                .with_context(|| format!("{} cannot be written", path.display()))?;
        }
    }
    Ok(done)
}

impl Incoming {
    fn file(&self) -> String {
        let mut out = format!(
            "---\nid: {}\ntitle: \"{}\"\n",
            self.id,
            self.title.replace('"', "\\\"")
        );
        if let Some(day) = self.updated.as_ref().and_then(|u| u.get(..10)) {
            out += &format!("updated: {day}\n");
        }
        out + "---\n" + self.text.trim() + "\n"
    }
}

fn folder(dir: &Path, depth: usize, out: &mut Vec<Incoming>) -> anyhow::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(dir)
        .with_context(|| format!("{} cannot be read", dir.display()))?
        .filter_map(Result::ok)
        .map(|e| e.path())
        .collect();
    entries.sort();
    for path in entries {
        let kind = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or("")
            .to_ascii_lowercase();
        if path.is_dir() && depth < 8 {
            folder(&path, depth + 1, out)?;
        } else if matches!(kind.as_str(), "md" | "markdown") {
            out.push(markdown(&stem(&path), &read(&path)?));
        } else if matches!(kind.as_str(), "html" | "htm") {
            out.push(html(&stem(&path), &read(&path)?));
        } else if kind == "json"
            && let Ok(v) = serde_json::from_str(&read(&path)?)
        {
            out.extend(export(&v));
        }
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .map_or_else(|| "article".into(), |s| s.to_string_lossy().into_owned())
}

fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    let cut: String = out.chars().take(60).collect();
    let cut = cut.trim_matches('-');
    if cut.is_empty() {
        "article".into()
    } else {
        cut.into()
    }
}

/// Markdown with or without front matter; its own `title`, `id` and dates are kept.
pub(in crate::cli) fn markdown(stem: &str, text: &str) -> Incoming {
    let mut a = Incoming {
        id: stem.into(),
        ..Incoming::default()
    };
    let mut body = text;
    if let Some(rest) = text
        .strip_prefix("---\n")
        .or_else(|| text.strip_prefix("---\r\n"))
        && let Some(end) = rest.find("\n---")
    {
        for line in rest[..end].lines() {
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim().trim_matches(['"', '\'']).to_string();
            match key.trim() {
                "title" => a.title = value,
                "id" | "slug" => a.id = value,
                "updated" | "updated_at" | "date" | "lastmod" | "last_modified" => {
                    a.updated = day(&value)
                }
                _ => {}
            }
        }
        body = rest[end + 4..]
            .trim_start_matches(['-', '\r'])
            .trim_start_matches('\n');
    }
    if a.title.is_empty() {
        let heading = body.lines().find_map(|l| l.strip_prefix("# "));
        a.title = heading.map_or_else(|| stem.replace(['-', '_'], " "), |h| h.trim().to_string());
    }
    a.text = body.to_string();
    a
}

fn day(text: &str) -> Option<String> {
    let day = text.get(..10)?;
    day.parse::<jiff::civil::Date>().ok().map(|d| d.to_string())
}

pub(in crate::cli) fn html(stem: &str, text: &str) -> Incoming {
    let inner = |tag: &str| -> Option<String> {
        let lower = text.to_ascii_lowercase();
        let start = lower.find(&format!("<{tag}"))?;
        let open = start + lower[start..].find('>')? + 1;
        let end = open + lower[open..].find(&format!("</{tag}"))?;
        Some(text[open..end].to_string())
    };
    let title = inner("h1")
        .or_else(|| inner("title"))
        .map(|t| html_to_markdown(&t).replace('\n', " "));
    let body = inner("article")
        .or_else(|| inner("main"))
        .or_else(|| inner("body"))
        .unwrap_or_else(|| text.to_string());
    Incoming {
        id: stem.into(),
        title: title.map_or_else(
            || stem.replace(['-', '_'], " "),
            |t| t.trim_start_matches('#').trim().to_string(),
        ),
        text: html_to_markdown(&body),
        updated: None,
    }
}

/// Headings, paragraphs, lists and tables; everything else loses its tags. Scripts, styles, navigation and footers go.
fn html_to_markdown(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    let mut skip: Option<String> = None;
    // One entry a list: the next number, none for bullets.
    let mut lists: Vec<Option<u32>> = Vec::new();
    while let Some(open) = rest.find('<') {
        if skip.is_none() {
            push_text(&mut out, &rest[..open]);
        }
        rest = &rest[open..];
        if rest.starts_with("<!--") {
            rest = rest.find("-->").map_or("", |e| &rest[e + 3..]);
            continue;
        }
        let Some(close) = rest.find('>') else {
            rest = "";
            break;
        };
        let tag = rest[1..close].trim().to_ascii_lowercase();
        rest = &rest[close + 1..];
        let ends = tag.starts_with('/');
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric())
            .collect();
        if let Some(waiting) = &skip {
            if ends && name == *waiting {
                skip = None;
            }
            continue;
        }
        match (name.as_str(), ends) {
            (
                "script" | "style" | "nav" | "footer" | "header" | "svg" | "noscript" | "form",
                false,
            ) if !tag.ends_with('/') => {
                skip = Some(name);
            }
            ("h1" | "h2" | "h3" | "h4" | "h5" | "h6", false) => {
                out.push_str("\n\n");
                out.push_str(&"#".repeat(name[1..].parse().unwrap_or(2)));
                out.push(' ');
            }
            (
                "p" | "div" | "section" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "blockquote"
                | "table",
                _,
            ) => out.push_str("\n\n"),
            ("ul", false) => {
                lists.push(None);
                out.push('\n');
            }
            ("ol", false) => {
                lists.push(Some(1));
                out.push('\n');
            }
            ("ul" | "ol", true) => {
                lists.pop();
                out.push_str("\n\n");
            }
            ("li", false) => match lists.last_mut() {
                Some(Some(n)) => {
                    out.push_str(&format!("\n{n}. "));
                    *n += 1;
                }
                _ => out.push_str("\n- "),
            },
            ("br", _) => out.push('\n'),
            ("tr", false) => out.push_str("\n|"),
            ("td" | "th", true) => out.push_str(" |"),
            _ => {}
        }
    }
    if skip.is_none() {
        push_text(&mut out, rest);
    }
    let mut clean: Vec<String> = Vec::new();
    for line in out
        .lines()
        .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "))
    {
        if !(line.is_empty() && clean.last().is_none_or(String::is_empty)) && line != "-" {
            clean.push(line);
        }
    }
    clean.join("\n").trim().to_string()
}

fn push_text(out: &mut String, text: &str) {
    let text = [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&rsquo;", "'"),
        ("&lsquo;", "'"),
        ("&ldquo;", "\""),
        ("&rdquo;", "\""),
        ("&ndash;", "-"),
        ("&mdash;", "-"),
        ("&euro;", "€"),
        ("&pound;", "£"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_string(), |t, (from, to)| t.replace(from, to));
    // Line ends inside a paragraph mean nothing in HTML.
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.is_empty() {
        if !text.is_empty() && !out.ends_with(['\n', ' ']) {
            out.push(' ');
        }
        return;
    }
    if text.starts_with(char::is_whitespace) && !out.ends_with(['\n', ' ']) {
        out.push(' ');
    }
    out.push_str(&flat);
    if text.ends_with(char::is_whitespace) {
        out.push(' ');
    }
}

/// Zendesk Guide (`articles` with `body`) and Intercom (`data` or `articles` with `body`, `state`), or a plain list. Drafts stay out.
pub(in crate::cli) fn export(v: &Json) -> Vec<Incoming> {
    let list = match v {
        Json::Array(a) => a,
        _ => match ["articles", "data", "results", "items"]
            .iter()
            .find_map(|k| v[*k].as_array())
        {
            Some(a) => a,
            None => return Vec::new(),
        },
    };
    list.iter()
        .filter(|a| {
            a["draft"] != json!(true) && a["state"].as_str().is_none_or(|s| s == "published")
        })
        .filter_map(|a| {
            let text = |keys: &[&str]| keys.iter().find_map(|k| a[*k].as_str()).map(str::to_string);
            let title = text(&["title", "name"])?;
            let body = text(&["body", "text", "content", "description"])?;
            let updated = match &a["updated_at"] {
                // Intercom counts seconds since 1970.
                Json::Number(n) => n
                    .as_i64()
                    .and_then(|s| jiff::Timestamp::from_second(s).ok())
                    .map(|t| t.to_string()[..10].to_string()),
                Json::String(s) => day(s),
                _ => None,
            };
            let id = match &a["id"] {
                Json::String(s) => format!("{title} {s}"),
                Json::Number(n) => format!("{} {n}", title.chars().take(40).collect::<String>()),
                _ => title.clone(),
            };
            Some(Incoming {
                id,
                title,
                text: if body.contains('<') {
                    html_to_markdown(&body)
                } else {
                    body
                },
                updated,
            })
        })
        .collect()
}

/// Solved tickets that hold a question and an answer. Columns are found by their usual names.
pub(in crate::cli) fn ticket_lines(text: &str) -> anyhow::Result<Vec<Incoming>> {
    let mut rows = csv(text).into_iter();
    let header: Vec<String> = rows
        .next()
        .unwrap_or_default()
        .iter()
        .map(|h| h.trim().to_lowercase())
        .collect();
    let column = |names: &[&str]| {
        names
            .iter()
            .find_map(|n| header.iter().position(|h| h == n))
    };
    let question = column(&["subject", "question", "title", "summary"]);
    let body = column(&["description", "message", "body", "question_body"]);
    let answer = column(&[
        "resolution",
        "answer",
        "reply",
        "response",
        "solution",
        "comment",
        "last_reply",
    ]);
    let status = column(&["status", "state"]);
    let id = column(&["id", "ticket_id", "ticket id", "number"]);
    let (Some(question), Some(answer)) = (question.or(body), answer) else {
        bail!(
            "the CSV needs a column of questions (subject, question, description) and one of answers (resolution, answer, reply); it has {}",
            header.join(", ")
        );
    };
    let cell = |row: &[String], at: Option<usize>| {
        at.and_then(|i| row.get(i))
            .map(|c| c.trim().to_string())
            .unwrap_or_default()
    };
    Ok(rows
        .enumerate()
        .filter(|(_, r)| {
            let s = cell(r, status).to_lowercase();
            s.is_empty() || ["solved", "closed", "resolved", "done"].contains(&s.as_str())
        })
        .map(|(n, r)| Incoming {
            id: format!(
                "ticket-{}",
                Some(cell(&r, id))
                    .filter(|i| !i.is_empty())
                    .unwrap_or_else(|| (n + 1).to_string())
            ),
            title: cell(&r, Some(question)),
            text: cell(&r, Some(answer)),
            updated: None,
        })
        .filter(|t| !t.title.is_empty() && !t.text.is_empty())
        .collect())
}

/// What customers asked, ticket by ticket, whether it was solved or not.
pub(super) fn questions(from: &Path) -> anyhow::Result<Vec<String>> {
    let text = read(from)?;
    let mut rows = csv(&text).into_iter();
    let header: Vec<String> = rows
        .next()
        .unwrap_or_default()
        .iter()
        .map(|h| h.trim().to_lowercase())
        .collect();
    let names = [
        "subject",
        "question",
        "title",
        "summary",
        "description",
        "message",
        "body",
        "question_body",
    ];
    let Some(at) = names
        .iter()
        .find_map(|n| header.iter().position(|h| h == n))
    else {
        bail!(
            "--mine needs a CSV of tickets with a column of questions (subject, question, description); {} has {}",
            from.display(),
            header.join(", ")
        );
    };
    let questions: Vec<String> = rows
        .filter_map(|r| {
            r.get(at)
                .map(|c| c.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .filter(|q| q.chars().any(char::is_alphabetic))
        .collect();
    if questions.is_empty() {
        bail!("{} holds no questions", from.display());
    }
    Ok(questions)
}

/// RFC 4180: quoted cells may hold commas, line ends and doubled quotes.
pub(in crate::cli) fn csv(text: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut cell = String::new();
    let mut quoted = false;
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().next().unwrap_or("");
    let comma = if first.matches(';').count() > first.matches(',').count() {
        ';'
    } else {
        ','
    };
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                cell.push('"');
                chars.next();
            }
            '"' => quoted = !quoted,
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c if c == comma && !quoted => row.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows.retain(|r| r.iter().any(|c| !c.trim().is_empty()));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_keeps_its_structure_and_loses_its_furniture() {
        let page = "<html><head><title>x</title><style>p{}</style></head><body><nav>Home</nav><article><h1>Late fees</h1>\
            <p>A late fee is <b>&pound;6</b>.</p><h2>How to pay</h2><ol><li>Open the app</li><li>Choose <i>Pay</i></li></ol>\
            <!-- old: £5 --></article><footer>© us</footer></body></html>";
        let a = html("late-fees", page);
        assert_eq!(a.title, "Late fees");
        assert!(a.text.contains("A late fee is £6."), "{}", a.text);
        assert!(a.text.contains("## How to pay\n"), "{}", a.text);
        assert!(
            a.text.contains("1. Open the app\n2. Choose Pay"),
            "{}",
            a.text
        );
        assert!(
            !a.text.contains("£5") && !a.text.contains("Home") && !a.text.contains("©"),
            "{}",
            a.text
        );
    }

    #[test]
    fn exports_of_two_makers_are_read_and_drafts_stay_out() {
        let zendesk = json!({"articles": [
            {"id": 7, "title": "Refunds", "body": "<p>5 days.</p>", "updated_at": "2026-02-03T10:00:00Z", "draft": false},
            {"id": 8, "title": "Secret", "body": "<p>x</p>", "draft": true}]});
        let got = export(&zendesk);
        assert_eq!(got.len(), 1);
        assert_eq!(
            (got[0].text.as_str(), got[0].updated.as_deref()),
            ("5 days.", Some("2026-02-03"))
        );
        let intercom = json!({"data": [{"id": "9", "title": "Plans", "body": "<p>Two.</p>", "state": "published", "updated_at": 1_700_000_000}]});
        assert_eq!(export(&intercom)[0].updated.as_deref(), Some("2023-11-14"));
    }

    #[test]
    fn tickets_with_quotes_and_line_ends() {
        let got = ticket_lines("Id,Subject,Status,Resolution\n1,\"Late, again\",solved,\"It takes\n5 \"\"days\"\".\"\n2,Open one,open,no\n").expect("tickets");
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].title, "Late, again");
        assert_eq!(got[0].text, "It takes\n5 \"days\".");
        assert!(ticket_lines("a,b\n1,2\n").is_err());
    }
}
