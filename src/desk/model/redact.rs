//! What of a caller's words goes to a model and into the trail: the question, without what tells who asks.

use serde_json::Value;

/// The words with e-mail addresses, long numbers and the customer's own data put out of sight. Short figures stay: they are what the
/// question is about.
pub fn redacted(text: &str, customer: Option<&Value>) -> String {
    let mut own = Vec::new();
    if let Some(customer) = customer {
        leaves(customer, &mut own);
    }
    let mut out: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let bare: String = word
            .chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect();
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let hidden = word.contains('@') || digits >= 4 || (bare.len() >= 3 && own.contains(&bare));
        out.push(if hidden {
            "[hidden]".to_owned()
        } else {
            word.to_owned()
        });
    }
    // Numbers said digit by digit, or in groups: "six oh six, one four", "07 700 900".
    let spoken: Vec<bool> = out.iter().map(|word| is_digit_word(word)).collect();
    let mut at = 0;
    while at < out.len() {
        let run = spoken[at..].iter().take_while(|s| **s).count();
        if run >= 4 {
            out.splice(at..at + run, std::iter::once("[hidden]".to_owned()));
            return redacted_rest(out, at + 1);
        }
        at += run.max(1);
    }
    out.join(" ")
}

/// What comes after a run that was hidden.
fn redacted_rest(words: Vec<String>, from: usize) -> String {
    let head = words[..from].join(" ");
    let tail = redacted(&words[from..].join(" "), None);
    if tail.is_empty() {
        head
    } else {
        format!("{head} {tail}")
    }
}

fn is_digit_word(word: &str) -> bool {
    let bare = word
        .trim_matches(|c: char| !c.is_alphanumeric())
        .to_lowercase();
    !bare.is_empty() && bare.len() <= 3 && bare.chars().all(|c| c.is_ascii_digit())
        || [
            "zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
            "double", "triple",
        ]
        .contains(&bare.as_str())
}

fn leaves(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.extend(
            text.split_whitespace()
                .map(|word| {
                    word.chars()
                        .filter(|c| c.is_alphanumeric())
                        .flat_map(char::to_lowercase)
                        .collect::<String>()
                })
                .filter(|word| word.len() >= 3),
        ),
        Value::Array(list) => list.iter().for_each(|v| leaves(v, out)),
        Value::Object(fields) => fields.values().for_each(|v| leaves(v, out)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_asks_is_put_out_of_sight() {
        let customer = json!({"name": "Maya Collins", "postcode": "60614"});
        for (said, sent) in [
            ("What's the late fee on $40?", "What's the late fee on $40?"),
            (
                "It's Maya Collins, maya@mail.example",
                "It's [hidden] [hidden] [hidden]",
            ),
            ("my card is 4417 1234", "my card is [hidden] [hidden]"),
            (
                "six oh six one four is my code, seven days late",
                "[hidden] is my code, seven days late",
            ),
            (
                "call 07 700 900 123 or one two three four",
                "call [hidden] or [hidden]",
            ),
        ] {
            assert_eq!(redacted(said, Some(&customer)), sent);
        }
    }
}
