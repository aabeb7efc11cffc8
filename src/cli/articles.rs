//! Articles out of a folder of Markdown, HTML, plain text or JSON lines, for `firstline desk new`.

use std::fs;
use std::path::Path;

use anyhow::Context;

/// An article before it has an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draft {
    pub title: String,
    pub text: String,
}

/// Every article below `dir`, in the order of names. Empty ones are left out.
pub(super) fn drafts(dir: &Path) -> anyhow::Result<Vec<Draft>> {
    let mut found = Vec::new();
    walk(dir, 0, &mut found)?;
    // A title without a word in it tells nobody anything: callers could not say it either.
    found.retain(|d| {
        d.title.contains(char::is_alphanumeric) && d.text.contains(char::is_alphanumeric)
    });
    Ok(found)
}

fn walk(dir: &Path, depth: usize, found: &mut Vec<Draft>) -> anyhow::Result<()> {
    let read = || format!("cannot read {}", dir.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).with_context(read)? {
        paths.push(entry.with_context(read)?.path());
    }
    paths.sort();
    for path in paths {
        let hidden = path
            .file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            // Deep enough for any help centre, and an end to links that go round.
            if depth < 8 {
                walk(&path, depth + 1, found)?;
            }
            continue;
        }
        let kind = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or("")
            .to_lowercase();
        if !["md", "markdown", "txt", "html", "htm", "jsonl"].contains(&kind.as_str()) {
            continue;
        }
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        let name = path.file_stem().map_or(String::new(), |s| {
            s.to_string_lossy().replace(['-', '_'], " ")
        });
        match kind.as_str() {
            "html" | "htm" => found.push(html(&name, &text)),
            "jsonl" => {
                for (index, line) in text
                    .lines()
                    .enumerate()
                    .filter(|(_, l)| !l.trim().is_empty())
                {
                    found.push(
                        json_line(line)
                            .with_context(|| format!("{}:{}", path.display(), index + 1))?,
                    );
                }
            }
            _ => found.push(plain(&name, &text)),
        }
    }
    Ok(())
}

pub(super) fn json_line(line: &str) -> anyhow::Result<Draft> {
    let value: serde_json::Value = serde_json::from_str(line).context("this line is not JSON")?;
    let field = |names: &[&str]| {
        names
            .iter()
            .find_map(|n| value[*n].as_str())
            .map(str::to_owned)
    };
    let (Some(title), Some(text)) = (
        field(&["title", "name"]),
        field(&["text", "body", "content"]),
    ) else {
        anyhow::bail!("an article needs \"title\" and \"text\"");
    };
    let text = if text.contains("</") {
        html(&title, &text).text
    } else {
        text
    };
    Ok(Draft { title, text })
}

/// Markdown and plain text: the title is the front matter's, the first heading, a short first line, or the file's name.
pub(super) fn plain(name: &str, text: &str) -> Draft {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let mut body = text.as_str();
    let mut title = None;
    if let Some((head, rest)) = text
        .strip_prefix("---\n")
        .and_then(|t| t.split_once("\n---"))
    {
        title = head
            .lines()
            .find_map(|l| l.strip_prefix("title:"))
            .map(|t| t.trim().trim_matches(['"', '\'']).to_owned());
        body = rest;
    }
    let body = body.trim();
    let (first, rest) = body.split_once('\n').unwrap_or((body, ""));
    if let Some(heading) = first.strip_prefix("# ") {
        return Draft {
            title: title.unwrap_or_else(|| heading.trim().to_owned()),
            text: rest.trim().to_owned(),
        };
    }
    let short = (3..=80).contains(&first.chars().count())
        && !first.ends_with('.')
        && rest.starts_with('\n');
    match title {
        None if short => Draft {
            title: first.trim().to_owned(),
            text: rest.trim().to_owned(),
        },
        title => Draft {
            title: title.unwrap_or_else(|| name.to_owned()),
            text: body.to_owned(),
        },
    }
}

/// Text of a page: what is no text (scripts, styles, navigation) left out, blocks on lines of their own.
pub(super) fn html(name: &str, page: &str) -> Draft {
    let mut title = String::new();
    let mut heading = String::new();
    let mut text = String::new();
    let mut skipping: Option<String> = None;
    let mut inside = "";
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let (before, tag_on) = rest.split_at(at);
        let into = match inside {
            "title" => &mut title,
            "h1" => &mut heading,
            _ => &mut text,
        };
        if skipping.is_none() {
            into.push_str(before);
        }
        if let Some(comment) = tag_on.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let Some((tag, after)) = tag_on[1..].split_once('>') else {
            rest = "";
            break;
        };
        rest = after;
        let closing = tag.starts_with('/');
        let tag = tag
            .trim_start_matches('/')
            .split(|c: char| !c.is_ascii_alphanumeric())
            .next()
            .unwrap_or("")
            .to_ascii_lowercase();
        match (&skipping, closing) {
            (Some(skipped), true) if *skipped == tag => skipping = None,
            (Some(_), _) => {}
            (None, false)
                if [
                    "script", "style", "nav", "header", "footer", "noscript", "svg", "form",
                ]
                .contains(&tag.as_str()) =>
            {
                skipping = Some(tag)
            }
            (None, _) => match tag.as_str() {
                "title" => inside = if closing { "" } else { "title" },
                "h1" => inside = if closing { "" } else { "h1" },
                "li" if !closing => text.push_str("\n- "),
                "h2" | "h3" | "h4" if !closing => text.push_str("\n\n## "),
                "p" | "div" | "section" | "article" | "ul" | "ol" | "table" | "h2" | "h3"
                | "h4" => text.push_str("\n\n"),
                "br" | "tr" => text.push('\n'),
                "td" | "th" => text.push(' '),
                _ => {}
            },
        }
    }
    if skipping.is_none() {
        text.push_str(rest);
    }
    let clean = |raw: &str| raw.split_whitespace().collect::<Vec<_>>().join(" ");
    let heading = entities(&clean(&heading));
    let title = entities(&clean(&title));
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = entities(&clean(line));
        // A heading or a list mark that nothing follows, and more than one empty line, say nothing.
        let empty = line.is_empty() || line == "-" || line == "##";
        if !(empty && lines.last().is_none_or(String::is_empty)) {
            lines.push(if empty { String::new() } else { line });
        }
    }
    let title = [heading, title]
        .into_iter()
        .find(|t| !t.is_empty())
        .unwrap_or_else(|| name.to_owned());
    Draft {
        title,
        text: lines.join("\n").trim().to_owned(),
    }
}

fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = rest[1..]
            .split_once(';')
            .filter(|(name, _)| name.len() <= 8)
            .and_then(|(name, after)| {
                let c = match name {
                    "amp" => '&',
                    "lt" => '<',
                    "gt" => '>',
                    "quot" => '"',
                    "apos" | "rsquo" | "lsquo" => '\'',
                    "nbsp" => ' ',
                    "ndash" | "mdash" => '-',
                    "pound" => '£',
                    "euro" => '€',
                    _ => {
                        let number = name.strip_prefix('#')?;
                        let code = match number.strip_prefix(['x', 'X']) {
                            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                            None => number.parse().ok()?,
                        };
                        char::from_u32(code)?
                    }
                };
                Some((c, after))
            });
        match known {
            Some((c, after)) => {
                out.push(c);
                rest = after;
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

/// A title as an id: lower-case letters, digits and dashes; never empty, and beginning with a letter.
pub(super) fn slug(title: &str) -> String {
    let mut out = String::new();
    for c in title.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    let out: String = out.chars().take(48).collect();
    let out = out.trim_matches('-');
    match out.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => out.to_owned(),
        Some(_) => format!("article-{out}"),
        None => "article".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_become_text() {
        let page = "<html><head><title>Help | Acme</title><style>p{}</style></head><body><nav>Home</nav><h1>Returns &amp; refunds</h1>\
                    <p>Send it back within\n 30&nbsp;days.</p><!-- <p>old</p> --><ul><li>In its box</li><li>With the slip</li></ul><script>alert('x')</script>\
                    <h2>Cost</h2><p>&pound;4.99 &#8364;5 &#x41; &bogus; a < b</p></body></html>";
        let draft = html("file", page);
        assert_eq!(draft.title, "Returns & refunds");
        assert!(
            draft.text.starts_with("Send it back within"),
            "{}",
            draft.text
        );
        assert!(
            draft
                .text
                .contains("30 days.\n\n- In its box\n- With the slip"),
            "{}",
            draft.text
        );
        assert!(
            draft.text.contains("## Cost\n\n£4.99 €5 A &bogus; a"),
            "{}",
            draft.text
        );
        for gone in ["Home", "old", "alert", "p{}"] {
            assert!(!draft.text.contains(gone), "{gone}: {}", draft.text);
        }
        for broken in [
            "<",
            "<p",
            "<!--",
            "<script>x",
            "&",
            "&#99999999;",
            "<p>é</p",
        ] {
            html("file", broken);
        }
    }

    #[test]
    fn titles_of_text() {
        assert_eq!(
            plain("f", "# Delivery\n\nTwo days."),
            Draft {
                title: "Delivery".into(),
                text: "Two days.".into()
            }
        );
        assert_eq!(
            plain("f", "---\nid: x\ntitle: \"Delivery\"\n---\nTwo days."),
            Draft {
                title: "Delivery".into(),
                text: "Two days.".into()
            }
        );
        assert_eq!(
            plain("f", "Delivery\r\n\r\nTwo days."),
            Draft {
                title: "Delivery".into(),
                text: "Two days.".into()
            }
        );
        assert_eq!(
            plain("our delivery", "It takes two days."),
            Draft {
                title: "our delivery".into(),
                text: "It takes two days.".into()
            }
        );
    }

    #[test]
    fn ids_are_never_paths() {
        for (title, want) in [
            ("How do I return it?", "how-do-i-return-it"),
            ("../../etc", "etc"),
            ("???", "article"),
            ("3 ways", "article-3-ways"),
            ("Ünï", "n"),
        ] {
            assert_eq!(slug(title), want);
        }
    }
}
