//! Nothing is said that was not read: every figure of a reply must stand in a passage, an action's result or the caller's words
//! ([`grounded`]); and of a sentence that is not the articles' own, every claim ([`check`]).

mod claims;
mod clause;

use std::collections::BTreeSet;

pub use claims::{Claim, ClaimKind, Origin, Sources, check, untraced};

use super::entity::{Figure, FigureKind, figures};

/// Checks a reply before it is spoken. The error lists what nothing backs, as it stands in the reply.
///
/// Checked are numbers, amounts, dates, times, percentages, durations, and words with digits in them (codes, order numbers). A
/// figure and its unit belong together: "14 days" does not back "14 weeks". Results of actions are bare values, so there the
/// number is enough.
pub fn grounded(
    reply: &str,
    passages: &[&str],
    results: &[serde_json::Value],
    said: &[&str],
) -> Result<(), Vec<String>> {
    let mut backing = Backing::default();
    for text in passages.iter().chain(said) {
        backing.read(text);
    }
    for result in results {
        backing.leaves(result);
    }
    let mut missing = Vec::new();
    let found = figures(reply);
    for f in &found {
        if !backing.has(&value(f)) {
            missing.push(f.text.clone());
        }
    }
    for code in codes(reply) {
        let part_of_figure = found
            .iter()
            .any(|f| f.text.contains(&code) || code.contains(&f.text));
        let bare = canonical(&code);
        if !part_of_figure && !backing.codes.contains(&bare) {
            missing.push(code);
        } else if part_of_figure
            && code.chars().filter(|c| c.is_alphabetic()).count() >= 2
            && !known_word(&code, &backing)
        {
            // "PO-4417" read as a number with something before it: the whole code must be known.
            if !missing.iter().any(|m| code.contains(m.as_str()))
                && !found.iter().any(|f| f.text == code)
            {
                missing.push(code);
            }
        }
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(missing)
    }
}

/// A figure's value with its unit; a percentage is no bare number.
fn value(f: &Figure) -> String {
    if f.kind == FigureKind::Percent && !f.value.contains(' ') {
        format!("{} %", f.value.trim_end_matches('%'))
    } else {
        f.value.clone()
    }
}

fn known_word(code: &str, backing: &Backing) -> bool {
    backing.codes.contains(&canonical(code))
}

#[derive(Default)]
struct Backing {
    /// Figures with their units.
    values: BTreeSet<String>,
    /// Numbers of results, which carry no unit.
    bare: BTreeSet<String>,
    /// Words with digits in them.
    codes: BTreeSet<String>,
}

impl Backing {
    fn read(&mut self, text: &str) {
        self.values.extend(figures(text).iter().map(value));
        self.codes.extend(codes(text).iter().map(|c| canonical(c)));
    }

    fn leaves(&mut self, value: &serde_json::Value) {
        match value {
            serde_json::Value::Array(a) => a.iter().for_each(|v| self.leaves(v)),
            serde_json::Value::Object(o) => o.values().for_each(|v| self.leaves(v)),
            serde_json::Value::String(s) => {
                self.read(s);
                if let Ok(n) = s.trim().parse::<f64>() {
                    self.bare.insert(format!("{n}"));
                }
            }
            serde_json::Value::Number(n) => {
                let n = n.as_f64().unwrap_or(f64::NAN);
                self.bare.insert(format!("{n}"));
            }
            _ => {}
        }
    }

    fn has(&self, value: &str) -> bool {
        if self.values.contains(value) {
            return true;
        }
        // A day said without its year is the day of a date that has one.
        if let Some(day) = value.strip_prefix("--") {
            return self
                .values
                .iter()
                .any(|v| v.len() == 10 && v.ends_with(day));
        }
        let Some(number) = number_of(value) else {
            return false;
        };
        let alone = !value.contains(' ');
        self.bare.contains(&number)
            || (alone
                && self
                    .values
                    .iter()
                    .any(|v| number_of(v).as_ref() == Some(&number)))
    }
}

/// The number of `14 day` or `12.50 EUR`; none for dates and times.
fn number_of(value: &str) -> Option<String> {
    let first = value.split(' ').next()?;
    first.parse::<f64>().ok().map(|n| format!("{n}"))
}

/// Words with a digit and a letter in them, or digits joined by dashes.
fn codes(text: &str) -> Vec<String> {
    text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '/' | '"' | ';' | ','))
        .map(|w| w.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|w| w.chars().any(|c| c.is_ascii_digit()) && w.chars().any(|c| c.is_alphabetic()))
        .map(str::to_string)
        .collect()
}

fn canonical(code: &str) -> String {
    code.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn figures_from_the_passage_may_be_said() {
        let passage =
            "A late fee is £6. You have 14 days to pay, until 3 December 2026. It is 2.5% a month.";
        for reply in [
            "The late fee is £6.",
            "You have 14 days.",
            "You have fourteen days.",
            "Pay by 3 December.",
            "It is 2.5% a month.",
            "There is a fee.",
        ] {
            assert_eq!(grounded(reply, &[passage], &[], &[]), Ok(()), "{reply}");
        }
    }

    #[test]
    fn figures_from_nowhere_may_not() {
        let passage = "A late fee is £6. You have 14 days to pay, until 3 December 2026.";
        for reply in [
            "The late fee is £7.",
            "You have 14 weeks.",
            "Pay by 4 December.",
            "You have 30 days.",
            "Your code is PO-4417.",
            "It is 6% more.",
        ] {
            assert!(grounded(reply, &[passage], &[], &[]).is_err(), "{reply}");
        }
    }

    #[test]
    fn results_and_the_callers_words_count() {
        let result = json!({"amount": 24.99, "due": "2026-12-03", "order": "PO-4417", "left": [3]});
        let reply = "Your payment of £24.99 for order PO-4417 is now due on 3 December, with 3 payments left.";
        assert_eq!(grounded(reply, &[], &[result], &[]), Ok(()));
        assert_eq!(
            grounded("You said 40 euros.", &[], &[], &["it was 40 euros"]),
            Ok(())
        );
        assert!(grounded("You said 40 euros.", &[], &[], &["it was 14 euros"]).is_err());
    }
}
