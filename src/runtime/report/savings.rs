//! What the line saves, by the desk's own numbers (`[savings]` in desk.toml).
//!
//! `saved = kept x human_minutes x human_minute - minutes x line_minute - months x month - looked_at x human_minute`, where `kept` are
//! resolved calls whose caller did not ring again about the same matter within a week, and `looked_at` is the time people spent on reviews
//! and grades. The test below is the worked example.

use serde_json::{Value, json};

use super::stats::round;
use crate::desk::SavingsConfig;

pub const FORMULA: &str = "(resolved calls - those who rang again within 7 days) x human_minutes x human_minute - call minutes x line_minute - months x month - (reviews x review_minutes + grades x grade_minutes) x human_minute";

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counted {
    pub resolved: usize,
    /// Of those, whose caller rang again about the same within seven days.
    pub again: usize,
    /// Of all calls.
    pub call_minutes: f64,
    pub days: f64,
    pub reviews: usize,
    pub grades: usize,
}

/// In the desk's currency. Null where the desk gives no numbers.
pub fn savings(counted: &Counted, costs: Option<&SavingsConfig>) -> Value {
    let kept = counted.resolved.saturating_sub(counted.again);
    let mut out = json!({
        "formula": FORMULA,
        "resolved_calls": counted.resolved,
        "rang_again": counted.again,
        "minutes": (counted.call_minutes * 10.0).round() / 10.0,
        "days": (counted.days * 10.0).round() / 10.0,
        "saved": null, "cost": null, "cost_per_resolved_call": null,
    });
    let Some(costs) = costs else {
        out["missing"] = json!("put [savings] with human_minute and human_minutes into desk.toml");
        return out;
    };
    let looked_at =
        counted.reviews as f64 * costs.review_minutes + counted.grades as f64 * costs.grade_minutes;
    // 365.25 / 12
    let months = counted.days / 30.4375;
    let gained = kept as f64 * costs.human_minutes * costs.human_minute;
    let line = counted.call_minutes * costs.line_minute + months * costs.month;
    let people = looked_at * costs.human_minute;
    out["gained"] = json!(cents(gained));
    out["line"] = json!(cents(line));
    out["people"] = json!(cents(people));
    out["cost"] = json!(cents(line + people));
    out["saved"] = json!(cents(gained - line - people));
    out["cost_per_resolved_call"] = match counted.resolved {
        0 => Value::Null,
        n => json!(round((line + people) / n as f64)),
    };
    out
}

fn cents(x: f64) -> f64 {
    (x * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A month of 1,000 calls of three minutes. 620 were resolved, 20 of those callers rang again. A colleague takes six minutes for
    /// such a call and costs 0.90 a minute; the line costs 0.02 a minute and 200 a month; 100 calls were graded in two minutes each.
    #[test]
    fn the_worked_example() {
        let counted = Counted {
            resolved: 620,
            again: 20,
            call_minutes: 3000.0,
            days: 30.4375,
            reviews: 0,
            grades: 100,
        };
        let costs = SavingsConfig {
            human_minute: 0.90,
            human_minutes: 6.0,
            line_minute: 0.02,
            month: 200.0,
            review_minutes: 0.25,
            grade_minutes: 2.0,
        };
        let out = savings(&counted, Some(&costs));
        assert_eq!(out["gained"], json!(3240.0), "600 x 6 x 0.90");
        assert_eq!(out["line"], json!(260.0), "3000 x 0.02 + 200");
        assert_eq!(out["people"], json!(180.0), "100 x 2 x 0.90");
        assert_eq!(out["saved"], json!(2800.0));
        assert_eq!(out["cost_per_resolved_call"], json!(0.71));
        assert!(
            savings(&counted, None)["saved"].is_null(),
            "no numbers, no claim"
        );
    }

    #[test]
    fn a_line_that_costs_more_than_it_saves_says_so() {
        let counted = Counted {
            resolved: 1,
            days: 30.4375,
            ..Counted::default()
        };
        let costs = SavingsConfig {
            human_minute: 1.0,
            human_minutes: 5.0,
            month: 100.0,
            ..SavingsConfig::default()
        };
        assert_eq!(savings(&counted, Some(&costs))["saved"], json!(-95.0));
    }
}
