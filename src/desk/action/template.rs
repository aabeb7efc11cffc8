//! Filling `{placeholders}` in requests and replies. A hole is an error, never an empty string.

use serde_json::{Map, Value};

use crate::desk::entity::Locale;

use super::render;

/// What a template may draw on.
#[derive(Debug, Clone, Copy)]
pub struct Fill<'a> {
    /// Values given by the caller or found for them.
    pub slots: &'a Map<String, Value>,
    /// The customer's record, for `{customer.*}`.
    pub customer: Option<&'a Value>,
    /// The back office's response, for `{result.*}`.
    pub result: Option<&'a Value>,
    /// The number the caller rings from or gave, for `{caller_number}`.
    pub caller_number: Option<&'a str>,
}

impl<'a> Fill<'a> {
    /// The value a placeholder stands for.
    pub fn value(&self, name: &str) -> Option<Value> {
        let found = if let Some(path) = name.strip_prefix("customer.") {
            dig(self.customer?, path)?.clone()
        } else if let Some(path) = name.strip_prefix("result.") {
            dig(self.result?, path)?.clone()
        } else if name == "caller_number" {
            Value::String(self.caller_number?.to_owned())
        } else {
            self.slots.get(name)?.clone()
        };
        match &found {
            Value::Null => None,
            Value::String(text) if text.trim().is_empty() => None,
            _ => Some(found),
        }
    }
}

/// `a.b.0.c` in a JSON value.
pub fn dig<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |at, step| match at {
        Value::Array(items) => step.parse::<usize>().ok().and_then(|i| items.get(i)),
        other => other.get(step),
    })
}

/// The names in a template, in order, each once.
pub fn names(template: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for piece in pieces(template) {
        if let Piece::Name(name) = piece
            && !found.iter().any(|known| known == name)
        {
            found.push(name.to_owned());
        }
    }
    found
}

/// The names in every string of a JSON template.
pub fn names_in(template: &Value) -> Vec<String> {
    match template {
        Value::String(text) => names(text),
        Value::Array(items) => items.iter().flat_map(names_in).collect(),
        Value::Object(fields) => fields.values().flat_map(names_in).collect(),
        _ => Vec::new(),
    }
}

/// A path and query with its values percent-encoded. Err: the name that has no value.
pub fn path(template: &str, fill: Fill<'_>) -> Result<String, String> {
    let mut out = String::new();
    for piece in pieces(template) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Name(name) => {
                let value = fill.value(name).ok_or_else(|| name.to_owned())?;
                let plain = plain(&value).ok_or_else(|| name.to_owned())?;
                // A value is one segment: `.` and `..` alone would walk the path even when encoded by nobody.
                if plain == "." || plain == ".." {
                    return Err(name.to_owned());
                }
                for byte in plain.bytes() {
                    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                        out.push(byte as char);
                    } else {
                        out.push_str(&format!("%{byte:02X}"));
                    }
                }
            }
        }
    }
    Ok(out)
}

/// A JSON body. A string that is one placeholder and nothing else keeps the value's type. Err: the name that has no value.
pub fn body(template: &Value, fill: Fill<'_>) -> Result<Value, String> {
    Ok(match template {
        Value::String(text) => {
            let parts = pieces(text);
            if let [Piece::Name(name)] = parts[..] {
                fill.value(name).ok_or_else(|| name.to_owned())?
            } else {
                let mut out = String::new();
                for piece in parts {
                    match piece {
                        Piece::Text(text) => out.push_str(text),
                        Piece::Name(name) => {
                            let value = fill.value(name).ok_or_else(|| name.to_owned())?;
                            out.push_str(&plain(&value).ok_or_else(|| name.to_owned())?);
                        }
                    }
                }
                Value::String(out)
            }
        }
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| body(item, fill))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, value)| Ok((key.clone(), body(value, fill)?)))
                .collect::<Result<_, String>>()?,
        ),
        other => other.clone(),
    })
}

/// A sentence for the caller: money and dates written as the desk's customers write them. Err: the name that has no value.
pub fn sentence(
    template: &str,
    fill: Fill<'_>,
    locale: &Locale,
    today: jiff::civil::Date,
) -> Result<String, String> {
    let mut out = String::new();
    for piece in pieces(template) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Name(name) => {
                let value = fill.value(name).ok_or_else(|| name.to_owned())?;
                let beside =
                    name.rsplit_once('.')
                        .and_then(|(parent, _)| match parent.split_once('.') {
                            Some(("result", path)) => fill.result.and_then(|v| dig(v, path)),
                            Some(("customer", path)) => fill.customer.and_then(|v| dig(v, path)),
                            None if parent == "result" => fill.result,
                            None if parent == "customer" => fill.customer,
                            _ => None,
                        });
                let text = render::value(name, &value, beside, locale, today)
                    .ok_or_else(|| name.to_owned())?;
                // "${result.amount}" already has its sign.
                let signed = out.ends_with(['$', '£', '€', '¥']);
                out.push_str(if signed {
                    text.trim_start_matches(['$', '£', '€', '¥'])
                } else {
                    &text
                });
            }
        }
    }
    Ok(out)
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy)]
enum Piece<'t> {
    Text(&'t str),
    Name(&'t str),
}

/// `{` starts a placeholder only where a name and `}` follow; any other brace is text.
fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let mut rest = template;
    let mut from = 0;
    while let Some(open) = rest[from..].find('{').map(|at| at + from) {
        let after = &rest[open + 1..];
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
        match end {
            Some(end) if end > 0 && after[end..].starts_with('}') => {
                if open > 0 {
                    out.push(Piece::Text(&rest[..open]));
                }
                out.push(Piece::Name(&after[..end]));
                rest = &after[end + 1..];
                from = 0;
            }
            _ => from = open + 1,
        }
    }
    if !rest.is_empty() {
        out.push(Piece::Text(rest));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fill<'a>(slots: &'a Map<String, Value>, result: &'a Value) -> Fill<'a> {
        Fill {
            slots,
            customer: None,
            result: Some(result),
            caller_number: Some("+15550100"),
        }
    }

    #[test]
    fn a_path_is_encoded_and_cannot_be_walked() {
        let result = Value::Null;
        let mut slots = Map::new();
        slots.insert("id".into(), json!("a/b c?d"));
        let fill_ok = fill(&slots, &result);
        assert_eq!(
            path("/x/{id}?phone={caller_number}", fill_ok).unwrap(),
            "/x/a%2Fb%20c%3Fd?phone=%2B15550100"
        );
        let mut dots = Map::new();
        dots.insert("id".into(), json!(".."));
        assert!(path("/x/{id}", fill(&dots, &result)).is_err());
    }

    #[test]
    fn a_body_keeps_types_and_reports_the_hole() {
        let mut slots = Map::new();
        slots.insert("n".into(), json!(3));
        let result = Value::Null;
        let made = body(
            &json!({"n": "{n}", "note": "take {n}"}),
            fill(&slots, &result),
        );
        assert_eq!(made.unwrap(), json!({"n": 3, "note": "take 3"}));
        assert_eq!(
            body(&json!(["{missing}"]), fill(&slots, &result)).unwrap_err(),
            "missing"
        );
    }

    #[test]
    fn braces_that_are_no_placeholder_stay() {
        assert_eq!(names("{ a } {b} {c.d} {{e}}"), ["b", "c.d", "e"]);
        assert_eq!(names("100%{"), Vec::<String>::new());
    }
}
