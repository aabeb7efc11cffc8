//! `desk.toml`, `phrases.toml`, `calibration.toml`.

use std::collections::BTreeMap;

use super::super::config::{
    BackofficeConfig, DeskConfig, EscalationConfig, Hours, IdentityConfig, IntentPolicy, McpServer,
    Mode, Phrases, Risk, SavingsConfig,
};
use super::super::tree::{self, Fields, Kind, Node};
use super::{Problem, flat};

pub(super) struct Read {
    pub config: DeskConfig,
    pub intent_lines: BTreeMap<String, usize>,
    pub queue_refs: Vec<(String, usize)>,
}

pub(super) fn read(file: &str, text: &str, problems: &mut Vec<Problem>) -> Read {
    let root = tree::read(file, text, problems);
    let mut f = Fields::new(file, "desk.toml", &root, problems);
    let mut config = DeskConfig {
        company: f.required("company", problems),
        agent_name: f.str("agent_name", problems),
        greeting: f.str("greeting", problems),
        ..DeskConfig::default()
    };
    if let Some(language) = f.str("language", problems) {
        let plausible = (2..=3).contains(&language.split(['-', '_']).next().unwrap_or("").len())
            && language
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !plausible {
            let line = f.node("language").map_or(1, |n| n.line);
            problems.push(Problem::at(
                file,
                line,
                format!("`language = \"{language}\"` is not a language tag: write it like `en-GB`"),
            ));
        }
        config.language = language.replace('_', "-");
    }
    if let Some(currency) = f.str("currency", problems) {
        if !(currency.len() == 3 && currency.chars().all(|c| c.is_ascii_alphabetic())) {
            let line = f.node("currency").map_or(1, |n| n.line);
            problems.push(Problem::at(
                file,
                line,
                format!("`currency = \"{currency}\"` is not a currency code: write three letters, like `EUR`"),
            ));
        }
        config.currency = Some(currency.to_ascii_uppercase());
    }
    if let Some(zone) = f.str("timezone", problems) {
        if jiff::tz::TimeZone::get(&zone).is_err() {
            let line = f.node("timezone").map_or(1, |n| n.line);
            let names: Vec<String> = jiff::tz::db().available().map(|n| n.to_string()).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            problems.push(Problem::at(
                file,
                line,
                format!(
                    "`timezone = \"{zone}\"` is not a time zone{}",
                    match tree::nearest(&zone, &names) {
                        Some(near) => format!("; did you mean `{near}`?"),
                        None => ": write it like `Europe/Madrid`".into(),
                    }
                ),
            ));
        }
        config.timezone = Some(zone);
    }
    for (text, line) in f.strs("hours", problems).unwrap_or_default() {
        match hours(&text) {
            Ok(h) => config.hours.push(h),
            Err(why) => problems.push(Problem::at(
                file,
                line,
                format!(
                    "`{text}` are not opening hours: {why}; write them like `mon-fri 08:00-20:00`"
                ),
            )),
        }
    }

    let mut intent_lines = BTreeMap::new();
    let mut queue_refs = Vec::new();
    if let Some(node) = f.node("intent") {
        if let Kind::Table(entries) = &node.kind {
            for (name, line, node) in entries {
                let what = format!("[intent.{name}]");
                let mut t = Fields::new(file, what, node, problems);
                let default = IntentPolicy::default();
                let policy = IntentPolicy {
                    mode: t
                        .one_of(
                            "mode",
                            &[
                                ("autonomous", Mode::Autonomous),
                                ("supervised", Mode::Supervised),
                                ("shadow", Mode::Shadow),
                                ("human", Mode::Human),
                            ],
                            problems,
                        )
                        .unwrap_or(default.mode),
                    floor: fraction(file, name, &mut t, problems).unwrap_or(default.floor),
                    risk: t
                        .one_of(
                            "risk",
                            &[("low", Risk::Low), ("high", Risk::High)],
                            problems,
                        )
                        .unwrap_or(default.risk),
                    queue: t.str("queue", problems),
                };
                if let Some(queue) = &policy.queue {
                    queue_refs.push((queue.clone(), t.node("queue").map_or(*line, |n| n.line)));
                }
                t.finish(problems);
                intent_lines.insert(name.clone(), *line);
                config.intents.insert(name.clone(), policy);
            }
        } else {
            problems.push(Problem::at(
                file,
                node.line,
                "`intent` must be tables like [intent.refund]",
            ));
        }
    }
    if let Some(node) = f.node("identity") {
        let mut t = Fields::new(file, "[identity]", node, problems);
        let factors = t.strs("factors", problems);
        config.identity = Some(IdentityConfig {
            lookup: t.str("lookup", problems),
            lookup_account: t.str("lookup_account", problems),
            attempts: t
                .number("attempts", problems)
                .map_or(3, |n| n.clamp(1.0, 10.0) as u32),
            factors: factors.iter().flatten().map(|(s, _)| s.clone()).collect(),
        });
        if factors.is_none_or(|f| f.is_empty()) {
            problems.push(Problem::at(
                file,
                t.line(),
                "[identity] has no `factors`: name fields of the customer record, like `factors = [\"postcode\"]`",
            ));
        }
        t.finish(problems);
    }
    if let Some(node) = f.node("backoffice") {
        let mut t = Fields::new(file, "[backoffice]", node, problems);
        let mcp = t
            .node("mcp")
            .map(|node| mcp_servers(file, node, problems))
            .unwrap_or_default();
        let url = if mcp.is_empty() {
            t.required("url", problems)
        } else {
            t.str("url", problems).unwrap_or_default()
        };
        if !(url.is_empty() || url.starts_with("http://") || url.starts_with("https://")) {
            problems.push(Problem::at(
                file,
                t.line(),
                format!("`url = \"{url}\"` in [backoffice] must begin with http:// or https://"),
            ));
        }
        config.backoffice = Some(BackofficeConfig {
            url: url.trim_end_matches('/').into(),
            auth_env: t.str("auth_env", problems),
            mcp,
            dry_run: t.bool("dry_run", problems).unwrap_or(false),
        });
        t.finish(problems);
    }
    if let Some(node) = f.node("escalation") {
        config.escalation = escalation(file, node, problems);
    }
    if let Some(node) = f.node("savings") {
        config.savings = Some(savings(file, node, problems));
    }
    if config.identity.as_ref().is_some_and(|i| i.lookup.is_some())
        && config.backoffice.as_ref().is_none_or(|b| b.url.is_empty())
    {
        problems.push(Problem::at(
            file,
            1,
            "[identity] looks customers up, but there is no [backoffice] url to look them up at",
        ));
    }
    f.finish(problems);
    Read {
        config,
        intent_lines,
        queue_refs,
    }
}

/// `[backoffice.mcp.NAME]`: a command, or a url.
fn mcp_servers(
    file: &str,
    node: &Node,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, McpServer> {
    let Kind::Table(servers) = &node.kind else {
        problems.push(Problem::at(
            file,
            node.line,
            "MCP servers are written as [backoffice.mcp.NAME]",
        ));
        return BTreeMap::new();
    };
    let mut out = BTreeMap::new();
    for (name, _, node) in servers {
        let what = format!("[backoffice.mcp.{name}]");
        let mut t = Fields::new(file, what.clone(), node, problems);
        let texts = |list: Option<Vec<(String, usize)>>| -> Vec<String> {
            list.unwrap_or_default()
                .into_iter()
                .map(|(text, _)| text)
                .collect()
        };
        let command = texts(t.strs("command", problems));
        let url = t.str("url", problems);
        let env = texts(t.strs("env", problems));
        let auth_env = t.str("auth_env", problems);
        let server = match (command.is_empty(), url) {
            (false, None) => Some(McpServer::Stdio { command, env }),
            (true, Some(url)) if url.starts_with("http://") || url.starts_with("https://") => {
                Some(McpServer::Http { url, auth_env })
            }
            (true, Some(url)) => {
                problems.push(Problem::at(
                    file,
                    t.line(),
                    format!("`url = \"{url}\"` in {what} must begin with http:// or https://"),
                ));
                None
            }
            _ => {
                problems.push(Problem::at(
                    file,
                    t.line(),
                    format!("{what} needs either `command = [\"program\", \"argument\"]` or `url = \"https://...\"`"),
                ));
                None
            }
        };
        t.finish(problems);
        if let Some(server) = server {
            out.insert(name.clone(), server);
        }
    }
    out
}

fn fraction(
    file: &str,
    name: &str,
    t: &mut Fields<'_>,
    problems: &mut Vec<Problem>,
) -> Option<f32> {
    let n = t.number("floor", problems)?;
    if !(0.0..=1.0).contains(&n) {
        let line = t.node("floor").map_or(1, |n| n.line);
        problems.push(Problem::at(
            file,
            line,
            format!("`floor = {n}` in [intent.{name}] must lie between 0 and 1"),
        ));
    }
    Some(n as f32)
}

fn savings(file: &str, node: &Node, problems: &mut Vec<Problem>) -> SavingsConfig {
    let mut t = Fields::new(file, "[savings]", node, problems);
    let line = t.line();
    let mut read = |key: &'static str, default: f64| {
        let n = t.number(key, problems).unwrap_or(default);
        if !(n.is_finite() && n >= 0.0) {
            problems.push(Problem::at(
                file,
                line,
                format!("`{key}` in [savings] must be a number that is not negative"),
            ));
        }
        n
    };
    let default = SavingsConfig::default();
    let costs = SavingsConfig {
        human_minute: read("human_minute", default.human_minute),
        human_minutes: read("human_minutes", default.human_minutes),
        line_minute: read("line_minute", default.line_minute),
        month: read("month", default.month),
        review_minutes: read("review_minutes", default.review_minutes),
        grade_minutes: read("grade_minutes", default.grade_minutes),
    };
    t.finish(problems);
    costs
}

fn escalation(file: &str, node: &Node, problems: &mut Vec<Problem>) -> EscalationConfig {
    let mut t = Fields::new(file, "[escalation]", node, problems);
    let mut out = EscalationConfig {
        words: t
            .strs("words", problems)
            .unwrap_or_default()
            .into_iter()
            .map(|w| w.0)
            .collect(),
        overflow: t.str("overflow", problems),
        ..EscalationConfig::default()
    };
    if let Some(queues) = t.node("queues") {
        match &queues.kind {
            Kind::Table(entries) => {
                for (name, line, node) in entries {
                    let queue = super::queues::read(file, name, *line, node, problems);
                    out.queues.extend(queue.map(|q| (name.clone(), q)));
                }
            }
            _ => problems.push(Problem::at(
                file,
                queues.line,
                "`queues` in [escalation] must be a table: `[escalation.queues]` with lines like `fraud = [\"sip:...\"]`",
            )),
        }
    }
    t.finish(problems);
    out
}

/// `mon-fri 08:00-20:00`, `sat,sun 10:00-16:00`, `daily 09:00-17:00`, `mon 24h`, `sun closed`. A line that is closed covers nothing, and
/// is one all the same: no lines at all mean always open.
pub(super) fn hours(text: &str) -> Result<Hours, String> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let lower = text.trim().to_ascii_lowercase();
    let (days_text, span) = lower
        .rsplit_once(char::is_whitespace)
        .ok_or("days and times are parted by a space")?;
    let day = |s: &str| -> Result<usize, String> {
        let s = s.trim();
        DAYS.iter()
            .position(|d| s.len() >= 3 && s.starts_with(d))
            .ok_or_else(|| format!("`{s}` is not a day"))
    };
    let mut days = [false; 7];
    for part in days_text.split(',') {
        let part = part.trim();
        if matches!(part, "daily" | "every day" | "all") {
            days = [true; 7];
        } else if let Some((a, b)) = part.split_once('-') {
            let (a, b) = (day(a)?, day(b)?);
            let mut d = a;
            loop {
                days[d] = true;
                if d == b {
                    break;
                }
                d = (d + 1) % 7;
            }
        } else {
            days[day(part)?] = true;
        }
    }
    if span == "closed" {
        days = [false; 7];
    }
    let (from, until) = if matches!(span, "24h" | "closed") {
        (0, 1440)
    } else {
        let (a, b) = span
            .split_once('-')
            .ok_or_else(|| format!("`{span}` is not a time span"))?;
        (clock(a)?, clock(b)?)
    };
    if from == until {
        return Err("it opens and closes at the same time".into());
    }
    Ok(Hours { days, from, until })
}

fn clock(text: &str) -> Result<u16, String> {
    let wrong = || format!("`{text}` is not a time");
    let (h, m) = text.split_once(':').unwrap_or((text, "0"));
    let (h, m): (u16, u16) = (
        h.parse().map_err(|_| wrong())?,
        m.parse().map_err(|_| wrong())?,
    );
    if h > 24 || m > 59 || (h == 24 && m > 0) {
        return Err(wrong());
    }
    Ok(h * 60 + m)
}

/// Wordings by key, and the line of each. A key that nearly is one of the built-in ones is a misspelling; one like none of them is
/// the desk's own business. `[topic]` with `late_fee = "..."` is the same as `"topic.late_fee"`.
pub(super) fn phrases(
    file: &str,
    text: &str,
    problems: &mut Vec<Problem>,
) -> (Phrases, Vec<(String, usize)>) {
    let root = tree::read(file, text, problems);
    let known: Vec<&str> = super::super::phrase::keys().chain(["topics"]).collect();
    let mut out = Phrases::default();
    let mut lines = Vec::new();
    let mut entries: Vec<(String, usize, &tree::Node)> = Vec::new();
    for (name, line, node) in flat(&root) {
        match (&node.kind, name.as_str()) {
            (Kind::Table(inner), "topic" | "confirm") => entries.extend(
                inner
                    .iter()
                    .map(|(key, line, node)| (format!("{name}.{key}"), *line, node)),
            ),
            _ => entries.push((name.clone(), *line, node)),
        }
    }
    for (name, line, node) in entries {
        let nearest = tree::did_you_mean(&name, &known);
        if !super::super::phrase::is_key(&name) && !nearest.is_empty() {
            problems.push(Problem::at(
                file,
                line,
                format!("there is no wording `{name}`{nearest}"),
            ));
            continue;
        }
        match tree::texts(node) {
            Some(list) if !list.is_empty() => {
                lines.push((name.clone(), line));
                out.0.insert(name, list.into_iter().map(|t| t.0).collect());
            }
            _ => problems.push(Problem::at(
                file,
                line,
                format!("`{name}` must be a text, or a list of texts to vary between"),
            )),
        }
    }
    (out, lines)
}

pub(super) fn calibration(
    file: &str,
    text: &str,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, f32> {
    let root = tree::read(file, text, problems);
    let known = super::super::confidence::FEATURES;
    let mut out = BTreeMap::new();
    for (name, line, node) in flat(&root) {
        let value = match node.kind {
            Kind::Float(f) => f as f32,
            Kind::Int(i) => i as f32,
            _ => {
                problems.push(Problem::at(
                    file,
                    *line,
                    format!("`{name}` must be a number"),
                ));
                continue;
            }
        };
        if !known.contains(&name.as_str()) && name != super::super::confidence::FLOOR {
            problems.push(Problem::at(
                file,
                *line,
                format!(
                    "there is no feature `{name}`{}: `firstline eval confidence --write` makes this file",
                    tree::did_you_mean(name, known)
                ),
            ));
        }
        out.insert(name.clone(), value);
    }
    out
}
