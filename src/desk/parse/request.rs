//! What an action sends: its request, the one that finds out later what became of it, and what puts it back.

use super::super::config::{
    Action, ActionKind, DeskConfig, ReconcileTemplate, RequestTemplate, Slot, ToolTemplate, Undo,
};
use super::super::tree::{self, Fields, Kind, Node, did_you_mean};
use super::Problem;
use super::actions::{check_names, names};

/// Words for "done" and for "nothing was done" that a status may be, where the desk names none.
const DONE: [&str; 7] = [
    "done",
    "completed",
    "complete",
    "succeeded",
    "success",
    "ok",
    "applied",
];
const FAILED: [&str; 6] = [
    "failed",
    "rejected",
    "refused",
    "declined",
    "cancelled",
    "canceled",
];

pub(super) fn request(
    file: &str,
    name: &str,
    kind: ActionKind,
    t: &mut Fields<'_>,
    slots: &[Slot],
    config: &DeskConfig,
    problems: &mut Vec<Problem>,
) -> RequestTemplate {
    let Some(node) = t.node("request") else {
        problems.push(Problem::at(
            file,
            t.line(),
            format!("action `{name}` has no `request`: add `request = {{ method = \"POST\", path = \"/...\" }}`"),
        ));
        return RequestTemplate {
            method: "GET".into(),
            path: String::new(),
            body: None,
            tool: None,
        };
    };
    let what = format!("`request` of action `{name}`");
    let mut r = Fields::new(file, what, node, problems);
    let methods: &[(&str, &str)] = match kind {
        ActionKind::Read => &[("GET", "GET"), ("POST", "POST")],
        ActionKind::Write => &[
            ("POST", "POST"),
            ("PUT", "PUT"),
            ("PATCH", "PATCH"),
            ("DELETE", "DELETE"),
        ],
    };
    let read = one(file, name, node, &mut r, methods, slots, config, problems);
    r.finish(problems);
    read
}

/// `reconcile`: asks, and changes nothing.
pub(super) fn reconcile(
    file: &str,
    name: &str,
    kind: ActionKind,
    t: &mut Fields<'_>,
    slots: &[Slot],
    config: &DeskConfig,
    problems: &mut Vec<Problem>,
) -> Option<ReconcileTemplate> {
    let node = t.node("reconcile")?;
    let what = format!("`reconcile` of action `{name}`");
    let mut r = Fields::new(file, what.clone(), node, problems);
    if kind == ActionKind::Read {
        problems.push(Problem::at(
            file,
            node.line,
            format!("action `{name}` is a read: it changes nothing, so {what} has nothing to ask about; leave it out"),
        ));
    }
    let request = one(
        file,
        name,
        node,
        &mut r,
        &[("GET", "GET")],
        slots,
        config,
        problems,
    );
    let mut words = |key, usual: &[&str]| -> Vec<String> {
        match r.strs(key, problems) {
            Some(words) => words.into_iter().map(|(w, _)| w.to_lowercase()).collect(),
            None => usual.iter().map(|w| (*w).to_owned()).collect(),
        }
    };
    let (done, failed) = (words("done", &DONE), words("failed", &FAILED));
    let mut field = |key: &'static str| r.str(key, problems).unwrap_or_else(|| key.to_owned());
    let (status, result) = (field("status"), field("result"));
    r.finish(problems);
    let asks = |name: &str| {
        name == "idempotency_key" || slots.iter().any(|s| s.name == name) || name.contains('.')
    };
    let mut named = names(&request.path);
    let arguments = request
        .tool
        .as_ref()
        .map(|t| t.arguments.to_string())
        .unwrap_or_default();
    named.extend(names(&arguments));
    if !named.iter().any(|name| asks(name)) {
        problems.push(Problem::at(
            file,
            node.line,
            format!("{what} asks about nothing in particular: put `{{idempotency_key}}` into it"),
        ));
    }
    Some(ReconcileTemplate {
        request,
        status,
        result,
        done,
        failed,
    })
}

/// Method, path and body; or a tool of an MCP server.
#[allow(clippy::too_many_arguments)]
fn one(
    file: &str,
    name: &str,
    node: &Node,
    r: &mut Fields<'_>,
    methods: &[(&'static str, &'static str)],
    slots: &[Slot],
    config: &DeskConfig,
    problems: &mut Vec<Problem>,
) -> RequestTemplate {
    if r.node("mcp").is_some() {
        return tool(file, name, node, r, slots, config, problems);
    }
    let usual = methods.first().map_or("GET", |m| m.1);
    let method = r.one_of("method", methods, problems).unwrap_or(usual);
    let path = r.required("path", problems);
    if !path.is_empty() && !path.starts_with('/') {
        problems.push(Problem::at(
            file,
            node.line,
            format!(
                "`path` of action `{name}` must begin with `/`: it goes below the back office's url"
            ),
        ));
    }
    if config
        .backoffice
        .as_ref()
        .is_some_and(|office| office.url.is_empty())
    {
        problems.push(Problem::at(
            file,
            node.line,
            format!("action `{name}` sends a request, but [backoffice] has no `url`: add it, or call a tool with `mcp` and `tool`"),
        ));
    }
    check_names(file, node.line, name, &path, slots, config, false, problems);
    let body = r.node("body").map(|n| {
        check_body(file, n, name, slots, config, problems);
        tree::json(n)
    });
    RequestTemplate {
        method: method.into(),
        path,
        body,
        tool: None,
    }
}

fn tool(
    file: &str,
    name: &str,
    node: &Node,
    r: &mut Fields<'_>,
    slots: &[Slot],
    config: &DeskConfig,
    problems: &mut Vec<Problem>,
) -> RequestTemplate {
    let server = r.required("mcp", problems);
    let tool = r.required("tool", problems);
    let arguments = match r.node("arguments") {
        None => serde_json::json!({}),
        Some(node) => {
            if !matches!(node.kind, Kind::Table(_)) {
                problems.push(Problem::at(
                    file,
                    node.line,
                    format!("`arguments` of action `{name}` must be a table: `arguments = {{ date = \"{{new_date}}\" }}`"),
                ));
            }
            check_body(file, node, name, slots, config, problems);
            tree::json(node)
        }
    };
    let known: Vec<&str> = config
        .backoffice
        .iter()
        .flat_map(|office| office.mcp.keys().map(String::as_str))
        .collect();
    if !server.is_empty() && !known.contains(&server.as_str()) {
        problems.push(Problem::at(
            file,
            node.line,
            format!(
                "action `{name}` calls the MCP server `{server}`, which desk.toml does not have{}: add [backoffice.mcp.{server}]",
                did_you_mean(&server, &known)
            ),
        ));
    }
    RequestTemplate {
        method: "MCP".into(),
        path: format!("/{server}/{tool}"),
        body: None,
        tool: Some(ToolTemplate {
            server,
            tool,
            arguments,
        }),
    }
}

fn check_body(
    file: &str,
    node: &Node,
    action: &str,
    slots: &[Slot],
    config: &DeskConfig,
    problems: &mut Vec<Problem>,
) {
    match &node.kind {
        Kind::Str(s) => check_names(file, node.line, action, s, slots, config, false, problems),
        Kind::List(l) => l
            .iter()
            .for_each(|n| check_body(file, n, action, slots, config, problems)),
        Kind::Table(t) => t
            .iter()
            .for_each(|(_, _, n)| check_body(file, n, action, slots, config, problems)),
        _ => {}
    }
}

/// `undo = "name"`, or `undo = { action = "name", slots = { new_date = "{customer.due}" } }`.
pub(super) fn undo(
    file: &str,
    name: &str,
    t: &mut Fields<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Undo> {
    let node = t.node("undo")?;
    if let Kind::Str(action) = &node.kind {
        return Some(Undo {
            action: action.clone(),
            slots: Default::default(),
        });
    }
    let mut u = Fields::new(file, format!("`undo` of action `{name}`"), node, problems);
    let action = u.required("action", problems);
    let mut slots = std::collections::BTreeMap::new();
    if let Some(node) = u.node("slots") {
        match &node.kind {
            Kind::Table(table) => {
                for (slot, _, node) in table {
                    match &node.kind {
                        Kind::Str(text) => {
                            slots.insert(slot.clone(), text.clone());
                        }
                        other => {
                            slots.insert(slot.clone(), tree::json(node).to_string());
                            if !matches!(other, Kind::Int(_) | Kind::Float(_) | Kind::Bool(_)) {
                                problems.push(Problem::at(
                                    file,
                                    node.line,
                                    format!("slot `{slot}` in `undo` of action `{name}` must be text, a number, true or false"),
                                ));
                            }
                        }
                    }
                }
            }
            _ => problems.push(Problem::at(
                file,
                node.line,
                format!("`slots` in `undo` of action `{name}` must be a table: `slots = {{ new_date = \"{{customer.due}}\" }}`"),
            )),
        }
    }
    u.finish(problems);
    Some(Undo { action, slots })
}

/// What undoes an action is a write of this desk, and its slots are filled by names that are there.
pub(super) fn check_undo(
    file: &str,
    actions: &[Action],
    lines: &[usize],
    config: &DeskConfig,
    problems: &mut Vec<Problem>,
) {
    let known: Vec<&str> = actions.iter().map(|a| a.name.as_str()).collect();
    for (action, line) in actions.iter().zip(lines) {
        let Some(undo) = &action.undo else {
            continue;
        };
        let name = &action.name;
        let Some(other) = actions.iter().find(|a| a.name == undo.action) else {
            problems.push(Problem::at(
                file,
                *line,
                format!(
                    "`undo` of action `{name}` names `{}`, which is no action of this desk{}",
                    undo.action,
                    did_you_mean(&undo.action, &known)
                ),
            ));
            continue;
        };
        if other.kind == ActionKind::Read || action.kind == ActionKind::Read {
            problems.push(Problem::at(
                file,
                *line,
                format!(
                    "`undo` of action `{name}`: both it and `{}` have to be writes",
                    other.name
                ),
            ));
        }
        for (slot, template) in &undo.slots {
            let slots: Vec<&str> = other.slots.iter().map(|s| s.name.as_str()).collect();
            if !slots.contains(&slot.as_str()) {
                problems.push(Problem::at(
                    file,
                    *line,
                    format!(
                        "`undo` of action `{name}` fills `{slot}`, which `{}` does not have{}",
                        other.name,
                        did_you_mean(slot, &slots)
                    ),
                ));
            }
            check_names(
                file,
                *line,
                name,
                template,
                &action.slots,
                config,
                true,
                problems,
            );
        }
    }
}
