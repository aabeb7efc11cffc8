//! Front matter of an article: the small part of YAML that people write there.

use super::Problem;

/// Key, its line, its value.
pub(super) type Entry = (String, usize, Value);

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
}

impl Value {
    pub fn text(&self) -> String {
        match self {
            Value::Text(t) => t.clone(),
            Value::List(l) => l.join(", "),
        }
    }
    pub fn list(&self) -> Vec<String> {
        match self {
            Value::List(l) => l.clone(),
            Value::Text(t) => t
                .split(',')
                .map(|s| s.trim().to_string())
                .filter(|s| !s.is_empty())
                .collect(),
        }
    }
}

/// The entries, and the body with the line it begins on. A file without front matter is all body.
pub(super) fn split<'t>(
    file: &str,
    text: &'t str,
    problems: &mut Vec<Problem>,
) -> (Vec<Entry>, &'t str, usize) {
    let text = text.trim_start_matches('\u{feff}');
    let mut rest = text;
    let mut line = 0;
    let mut entries: Vec<Entry> = Vec::new();
    let take = |rest: &mut &'t str| -> Option<&'t str> {
        if rest.is_empty() {
            return None;
        }
        let (l, r) = rest.split_once('\n').unwrap_or((rest, ""));
        *rest = r;
        Some(l.trim_end_matches('\r'))
    };
    match take(&mut rest) {
        Some(first) if first.trim_end() == "---" => line += 1,
        _ => return (entries, text, 1),
    }
    // A text that goes on over indented lines (`spoken: >`).
    let mut open = false;
    loop {
        let Some(l) = take(&mut rest) else {
            problems.push(Problem::at(
                file,
                1,
                "the front matter has no closing `---` line",
            ));
            return (entries, "", line + 1);
        };
        line += 1;
        let trimmed = l.trim();
        if trimmed == "---" || trimmed == "..." {
            return (entries, rest, line + 1);
        }
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let indented = l.starts_with([' ', '\t']);
        if let Some(item) = trimmed.strip_prefix("- ").filter(|_| !entries.is_empty()) {
            let value = &mut entries.last_mut().expect("just checked").2;
            match value {
                Value::List(list) => list.push(unquote(item)),
                Value::Text(t) if t.is_empty() => *value = Value::List(vec![unquote(item)]),
                Value::Text(_) => {
                    problems.push(Problem::at(file, line, "a list item after a text"))
                }
            }
            open = false;
            continue;
        }
        if indented
            && let Some((_, _, Value::Text(t))) = entries.last_mut()
            && (open || !t.is_empty())
        {
            if !t.is_empty() {
                t.push(' ');
            }
            t.push_str(trimmed);
            continue;
        }
        let Some((key, value)) = trimmed.split_once(':') else {
            problems.push(Problem::at(
                file,
                line,
                format!("`{trimmed}` in the front matter is not `key: value`"),
            ));
            continue;
        };
        let value = value.trim();
        open = matches!(value, ">" | "|" | ">-" | "|-" | "");
        let value = if open {
            Value::Text(String::new())
        } else if let Some(inner) = value.strip_prefix('[').and_then(|v| v.strip_suffix(']')) {
            Value::List(
                inner
                    .split(',')
                    .map(unquote)
                    .filter(|s| !s.is_empty())
                    .collect(),
            )
        } else {
            Value::Text(unquote(value))
        };
        entries.push((key.trim().to_string(), line, value));
    }
}

fn unquote(text: &str) -> String {
    let t = text.trim();
    for q in ['"', '\''] {
        if t.len() >= 2 && t.starts_with(q) && t.ends_with(q) {
            let inner = &t[1..t.len() - 1];
            return if q == '"' {
                inner.replace("\\\"", "\"")
            } else {
                inner.replace("''", "'")
            };
        }
    }
    t.to_string()
}
