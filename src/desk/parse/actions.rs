//! `actions.toml`.

use jiff::civil::Date;

use super::super::config::{Action, ActionKind, DeskConfig, Limit, Limits, Slot, SlotType};
use super::super::tree::{self, Fields, Kind};
use super::super::types::Tier;
use super::{Problem, request};

const SLOT_TYPES: [(&str, SlotType); 8] = [
    ("date", SlotType::Date),
    ("money", SlotType::Money),
    ("number", SlotType::Number),
    ("digits", SlotType::Digits),
    ("identifier", SlotType::Identifier),
    ("name", SlotType::Name),
    ("choice", SlotType::Choice),
    ("text", SlotType::Text),
];

/// Names a template may use without a slot.
const GIVEN: [&str; 5] = [
    "caller_number",
    "today",
    "call_id",
    "account",
    "idempotency_key",
];

/// The actions, and the line each begins on.
pub(super) fn read(
    file: &str,
    text: &str,
    config: &DeskConfig,
    problems: &mut Vec<Problem>,
) -> (Vec<Action>, Vec<usize>) {
    let root = tree::read(file, text, problems);
    let mut f = Fields::new(file, "actions.toml", &root, problems);
    let mut out = (Vec::new(), Vec::new());
    if let Some(node) = f.node("action") {
        match &node.kind {
            Kind::List(list) => {
                for node in list {
                    // A list item's own line is its header's.
                    let mut t = Fields::new(file, "an action", node, problems);
                    let line = t.node("name").map_or(node.line, |n| n.line);
                    out.0.push(action(file, &mut t, config, problems));
                    out.1.push(line);
                    t.finish(problems);
                }
                request::check_undo(file, &out.0, &out.1, config, problems);
            }
            _ => problems.push(Problem::at(
                file,
                node.line,
                "actions are written as [[action]], with two brackets",
            )),
        }
    }
    f.finish(problems);
    out
}

fn action(
    file: &str,
    t: &mut Fields<'_>,
    config: &DeskConfig,
    problems: &mut Vec<Problem>,
) -> Action {
    let name = t.required("name", problems);
    t.rename(format!("action `{name}`"));
    let intent = t.required("intent", problems);
    let kind = t.one_of(
        "kind",
        &[("read", ActionKind::Read), ("write", ActionKind::Write)],
        problems,
    );
    if kind.is_none() && t.node("kind").is_none() {
        problems.push(Problem::at(
            file,
            t.line(),
            format!("action `{name}` has no `kind`: write `kind = \"read\"` or `kind = \"write\"`"),
        ));
    }
    let kind = kind.unwrap_or(ActionKind::Write);
    let verify = t
        .one_of(
            "verify",
            &[
                ("none", Tier::None),
                ("basic", Tier::Basic),
                ("full", Tier::Full),
            ],
            problems,
        )
        // Left out, the safe reading: what changes an account needs full proof.
        .unwrap_or(if kind == ActionKind::Write {
            Tier::Full
        } else {
            Tier::Basic
        });
    let confirm = t
        .bool("confirm", problems)
        .unwrap_or(kind == ActionKind::Write);
    let slots = slots(file, &name, t, problems);
    let request = request::request(file, &name, kind, t, &slots, config, problems);
    let reconcile = request::reconcile(file, &name, kind, t, &slots, config, problems);
    let undo = request::undo(file, &name, t, problems);
    let reply = t.required("reply", problems);
    if let Some(node) = t.node("reply") {
        check_names(
            file, node.line, &name, &reply, &slots, config, true, problems,
        );
    }
    let limits = match t.node("limits") {
        None => Limits::default(),
        Some(node) => {
            let mut l = Fields::new(file, format!("`limits` of action `{name}`"), node, problems);
            let mut times = |key| {
                let times = l.number(key, problems);
                if times.is_some_and(|n| n < 1.0 || n.fract() != 0.0 || n > 1000.0) {
                    problems.push(Problem::at(
                        file,
                        l.line(),
                        format!("`{key}` of action `{name}` must be a whole number from 1"),
                    ));
                }
                times.map(|n| n as u32)
            };
            let limits = Limits {
                per_call: times("per_call"),
                per_day: times("per_day"),
            };
            l.finish(problems);
            limits
        }
    };
    if verify > Tier::None && config.identity.is_none() {
        problems.push(Problem::at(
            file,
            t.line(),
            format!("action `{name}` asks for proof of identity, but desk.toml has no [identity]"),
        ));
    }
    if config.backoffice.is_none() {
        problems.push(Problem::at(
            file,
            t.line(),
            format!(
                "action `{name}` needs a back office: add [backoffice] with `url` to desk.toml"
            ),
        ));
    }
    Action {
        reconcile,
        undo,
        name,
        intent,
        kind,
        verify,
        confirm,
        request,
        reply,
        limits,
        slots,
    }
}

/// The names in braces of a template.
pub(crate) fn names(template: &str) -> Vec<&str> {
    template
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(n, _)| n.trim()))
        .collect()
}

#[allow(clippy::too_many_arguments)]
pub(super) fn check_names(
    file: &str,
    line: usize,
    action: &str,
    template: &str,
    slots: &[Slot],
    config: &DeskConfig,
    in_reply: bool,
    problems: &mut Vec<Problem>,
) {
    if template.matches('{').count() != template.matches('}').count() {
        problems.push(Problem::at(
            file,
            line,
            format!("`{template}` in action `{action}` has a brace that is not closed"),
        ));
    }
    let slot_names: Vec<&str> = slots.iter().map(|s| s.name.as_str()).collect();
    for name in names(template) {
        let known = slot_names.contains(&name) || GIVEN.contains(&name);
        let rooted = match name.split_once('.') {
            Some(("result", _)) => in_reply,
            Some(("customer", _)) => config.identity.is_some(),
            Some(_) => false,
            // A bare name that is no slot is a field of the customer record, unless it looks like a slot misspelt.
            None => {
                config.identity.as_ref().is_some_and(|i| i.lookup.is_some())
                    && tree::nearest(name, &slot_names).is_none()
            }
        };
        if !known && !rooted {
            let why = match name.split_once('.') {
                Some(("result", _)) => "; results are only known in `reply`".into(),
                Some(("customer", _)) => "; there is no [identity] that looks a customer up".into(),
                _ => match tree::nearest(name, &slot_names) {
                    Some(near) => format!("; did you mean `{{{near}}}`?"),
                    None => ": add an [[action.slot]] of that name, or use {customer.FIELD} or {result.FIELD}".into(),
                },
            };
            problems.push(Problem::at(
                file,
                line,
                format!("action `{action}` uses `{{{name}}}`, which it does not have{why}"),
            ));
        }
    }
}

fn slots(file: &str, action: &str, t: &mut Fields<'_>, problems: &mut Vec<Problem>) -> Vec<Slot> {
    let mut out: Vec<Slot> = Vec::new();
    let Some(node) = t.node("slot") else {
        return out;
    };
    let Kind::List(list) = &node.kind else {
        problems.push(Problem::at(
            file,
            node.line,
            "slots are written as [[action.slot]], with two brackets",
        ));
        return out;
    };
    for node in list {
        let mut s = Fields::new(file, format!("a slot of action `{action}`"), node, problems);
        let name = s.required("name", problems);
        s.rename(format!("slot `{name}` of action `{action}`"));
        if out.iter().any(|o| o.name == name) {
            problems.push(Problem::at(
                file,
                s.line(),
                format!("action `{action}` has two slots named `{name}`"),
            ));
        }
        let type_ = s
            .one_of("type", &SLOT_TYPES, problems)
            .unwrap_or(SlotType::Text);
        let ask = s.required("ask", problems);
        let choices: Vec<String> = s
            .strs("choices", problems)
            .unwrap_or_default()
            .into_iter()
            .map(|c| c.0)
            .collect();
        if (type_ == SlotType::Choice) == choices.is_empty() {
            problems.push(Problem::at(
                file,
                s.line(),
                if choices.is_empty() {
                    format!("slot `{name}` is a choice and has no `choices = [\"...\", \"...\"]`")
                } else {
                    format!("slot `{name}` has `choices`, so its type must be \"choice\"")
                },
            ));
        }
        let min = limit(file, &name, "min", type_, &mut s, problems);
        let max = limit(file, &name, "max", type_, &mut s, problems);
        let upside_down = match (min, max) {
            (Some(Limit::Number(a)), Some(Limit::Number(b))) => a > b,
            (Some(Limit::Day(a)), Some(Limit::Day(b))) => a > b,
            (
                Some(Limit::Today { days: a, months: m }),
                Some(Limit::Today { days: b, months: n }),
            ) => a + m * 30 > b + n * 30,
            _ => false,
        };
        if upside_down {
            problems.push(Problem::at(
                file,
                s.line(),
                format!("slot `{name}`: `min` is more than `max`, so nothing would ever fit"),
            ));
        }
        out.push(Slot {
            optional: s.bool("optional", problems).unwrap_or(false),
            name,
            type_,
            ask,
            min,
            max,
            choices,
        });
        s.finish(problems);
    }
    out
}

fn limit(
    file: &str,
    slot: &str,
    key: &'static str,
    type_: SlotType,
    s: &mut Fields<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Limit> {
    let node = s.node(key)?;
    let dated = type_ == SlotType::Date;
    let got = match &node.kind {
        Kind::Int(i) if !dated => Some(Limit::Number(*i as f64)),
        Kind::Float(f) if !dated => Some(Limit::Number(*f)),
        Kind::Str(t) | Kind::Date(t) if dated => day_limit(t),
        _ => None,
    };
    if got.is_none() {
        problems.push(Problem::at(
            file,
            node.line,
            if dated {
                format!("`{key}` of slot `{slot}` must be a day: `\"today+14d\"`, `\"today\"` or `\"2027-01-31\"`")
            } else {
                format!("`{key}` of slot `{slot}` must be a number")
            },
        ));
    }
    got
}

/// `today`, `today+14d`, `today-2w`, `today+1m`, `today+1y`, `2027-01-31`.
fn day_limit(text: &str) -> Option<Limit> {
    let text = text.trim().to_ascii_lowercase().replace(' ', "");
    let Some(rest) = text.strip_prefix("today") else {
        return text.parse::<Date>().ok().map(Limit::Day);
    };
    if rest.is_empty() {
        return Some(Limit::Today { days: 0, months: 0 });
    }
    let sign = match rest.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let unit = rest.chars().last()?;
    let n: i32 = rest
        .get(1..rest.len() - unit.len_utf8())?
        .parse()
        .ok()
        .filter(|n| (0..40_000).contains(n))?;
    Some(match unit {
        'd' => Limit::Today {
            days: sign * n,
            months: 0,
        },
        'w' => Limit::Today {
            days: sign * n * 7,
            months: 0,
        },
        'm' => Limit::Today {
            days: 0,
            months: sign * n,
        },
        'y' => Limit::Today {
            days: 0,
            months: sign * n * 12,
        },
        _ => return None,
    })
}
