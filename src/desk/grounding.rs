//! Nothing is said that was not read: every figure of a reply must stand in a passage, an action's result or the caller's words.

use std::collections::BTreeSet;

/// Checks a reply before it is spoken. The error lists the figures that nothing backs, as they stand in the reply.
///
/// Figures are numbers, amounts, dates, percentages, durations, and words with digits in them (codes, order numbers).
pub fn grounded(
    reply: &str,
    passages: &[&str],
    results: &[serde_json::Value],
    said: &[&str],
) -> Result<(), Vec<String>> {
    let mut backing = BTreeSet::new();
    for text in passages.iter().chain(said) {
        backing.extend(tokens(text).into_iter().map(|t| t.0));
    }
    for result in results {
        leaves(result, &mut backing);
    }
    let missing: Vec<String> = tokens(reply)
        .into_iter()
        .filter(|(value, _)| !backing.contains(value))
        .map(|(_, text)| text)
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(missing)
    }
}

fn leaves(value: &serde_json::Value, out: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Array(a) => a.iter().for_each(|v| leaves(v, out)),
        serde_json::Value::Object(o) => o.values().for_each(|v| leaves(v, out)),
        serde_json::Value::Null => {}
        serde_json::Value::String(s) => out.extend(tokens(s).into_iter().map(|t| t.0)),
        other => out.extend(tokens(&other.to_string()).into_iter().map(|t| t.0)),
    }
}

/// Words with digits in them: their comparable value, and as written.
fn tokens(text: &str) -> Vec<(String, String)> {
    text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '/' | '"' | ';'))
        .filter(|w| w.chars().any(|c| c.is_ascii_digit()))
        .map(|w| {
            let w = w.trim_matches(|c: char| !c.is_alphanumeric());
            (canonical(w), w.to_string())
        })
        .collect()
}

fn canonical(word: &str) -> String {
    let bare: String = word
        .chars()
        .filter(|c| !matches!(c, ',' | '-'))
        .collect::<String>()
        .to_lowercase();
    match bare.parse::<f64>() {
        Ok(n) => format!("{n}"),
        Err(_) => bare,
    }
}
