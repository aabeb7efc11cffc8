//! The configuration as typed: a tree of values, each of which knows the line or the environment variable it came from.
//!
//! Reading takes keys out of the tree; what is left over at the end was not known to anybody and is reported with the nearest
//! key that was. Every problem is collected, so that a file is put right in one go.

use std::cell::RefCell;
use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

/// Where a value was written: for a message's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// `message` with the place it is about before it.
    pub fn says(&self, message: impl std::fmt::Display) -> String {
        format!("{}: {message}", self.0)
    }
}

#[derive(Debug, Clone)]
pub enum Kind {
    Text(String),
    /// From the environment: text that may stand for any scalar, or for a list with commas.
    Env(String),
    Integer(i64),
    Bool(bool),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
    /// A kind of value no key takes (floats, dates), by its name.
    Other(&'static str),
}

#[derive(Debug, Clone)]
pub struct Node {
    pub kind: Kind,
    pub origin: Origin,
}

/// Parses `text`; on bad TOML, one sentence a mistake with `file:line`.
pub fn parse(file: &str, text: &str) -> Result<Node, Vec<String>> {
    let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors
            .iter()
            .map(|e| {
                let at = e.span().map_or(1, |s| line(s.start));
                format!("{file}:{at}: {}", e.message().trim().replace('\n', ", "))
            })
            .collect());
    }
    let origin = |at: usize| Origin(format!("{file}:{}", line(at)));
    Ok(Node {
        kind: Kind::Table(from_table(table.into_inner(), &origin)),
        origin: Origin(file.to_owned()),
    })
}

/// An empty tree, for a line that has no file.
pub fn empty() -> Node {
    Node {
        kind: Kind::Table(BTreeMap::new()),
        origin: Origin("built-in defaults".into()),
    }
}

fn from_table(table: DeTable<'_>, origin: &dyn Fn(usize) -> Origin) -> BTreeMap<String, Node> {
    table
        .into_iter()
        .map(|(key, value)| {
            let at = origin(key.span().start);
            (
                key.into_inner().into_owned(),
                from_value(value.into_inner(), at, origin),
            )
        })
        .collect()
}

fn from_value(value: DeValue<'_>, at: Origin, origin: &dyn Fn(usize) -> Origin) -> Node {
    let kind = match value {
        DeValue::String(s) => Kind::Text(s.into_owned()),
        DeValue::Integer(n) => {
            let digits = n.as_str().replace('_', "");
            i64::from_str_radix(&digits, n.radix())
                .map_or(Kind::Other("a number that is too large"), Kind::Integer)
        }
        DeValue::Float(_) => Kind::Other("a decimal number"),
        DeValue::Boolean(b) => Kind::Bool(b),
        DeValue::Datetime(_) => Kind::Other("a date"),
        DeValue::Array(items) => Kind::List(
            items
                .into_iter()
                .map(|item| {
                    let at = origin(item.span().start);
                    from_value(item.into_inner(), at, origin)
                })
                .collect(),
        ),
        DeValue::Table(table) => Kind::Table(from_table(table, origin)),
    };
    Node { kind, origin: at }
}

/// Lays `FIRSTLINE_SECTION__KEY` variables over the tree (`FIRSTLINE_TRUNK__0__HOST` for the first trunk). Names without `__` after the
/// prefix are other settings (`FIRSTLINE_CLOCK`) and left alone.
pub fn overlay(root: &mut Node, env: &BTreeMap<String, String>) {
    for (name, value) in env {
        let Some(rest) = name.strip_prefix("FIRSTLINE_") else {
            continue;
        };
        if !rest.contains("__") {
            continue;
        }
        let path: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
        let origin = Origin(format!("environment variable {name}"));
        let leaf = Node {
            kind: Kind::Env(value.clone()),
            origin: origin.clone(),
        };
        place(root, &path, leaf, &origin);
    }
}

fn place(node: &mut Node, path: &[String], leaf: Node, origin: &Origin) {
    let Some((head, rest)) = path.split_first() else {
        *node = leaf;
        return;
    };
    let fresh = || Node {
        kind: Kind::Table(BTreeMap::new()),
        origin: origin.clone(),
    };
    // A number is a place in a list; the list grows by one at most, so that `__999999999__` asks for no memory.
    if let Ok(index) = head.parse::<usize>() {
        if matches!(&node.kind, Kind::Table(t) if t.is_empty()) {
            node.kind = Kind::List(Vec::new());
        }
        if let Kind::List(items) = &mut node.kind {
            if index == items.len() {
                items.push(fresh());
            }
            if let Some(item) = items.get_mut(index) {
                place(item, rest, leaf, origin);
                return;
            }
        }
    }
    if !matches!(node.kind, Kind::Table(_)) {
        *node = fresh();
    }
    if let Kind::Table(table) = &mut node.kind {
        place(
            table.entry(head.clone()).or_insert_with(fresh),
            rest,
            leaf,
            origin,
        );
    }
}

/// Problems, shared by the readers of one configuration.
#[derive(Debug, Default)]
pub struct Problems(RefCell<Vec<String>>);

impl Problems {
    pub fn add(&self, problem: String) {
        self.0.borrow_mut().push(problem);
    }
    pub fn into_vec(self) -> Vec<String> {
        self.0.into_inner()
    }
}

/// Takes keys out of one table. Dropping it without [`Section::done`] would let unknown keys pass, so every section ends with it.
pub struct Section<'p> {
    name: String,
    table: BTreeMap<String, Node>,
    pub origin: Origin,
    known: Vec<&'static str>,
    problems: &'p Problems,
}

impl<'p> Section<'p> {
    pub fn root(node: Node, problems: &'p Problems) -> Self {
        Self::of(node, String::new(), problems)
    }

    fn of(node: Node, name: String, problems: &'p Problems) -> Self {
        let table = match node.kind {
            Kind::Table(table) => table,
            _ => {
                problems.add(
                    node.origin
                        .says(format!("`{name}` must be a section, written as [{name}]")),
                );
                BTreeMap::new()
            }
        };
        Self {
            name,
            table,
            origin: node.origin,
            known: Vec::new(),
            problems,
        }
    }

    /// A table below this one, or none where it was not written.
    pub fn section(&mut self, key: &'static str) -> Option<Section<'p>> {
        let node = self.take(key)?;
        Some(Self::of(node, self.path(key), self.problems))
    }

    /// A table below this one, empty where it was not written.
    pub fn section_or_default(&mut self, key: &'static str) -> Section<'p> {
        let origin = self.origin.clone();
        self.section(key).unwrap_or(Section {
            name: self.path(key),
            table: BTreeMap::new(),
            origin,
            known: Vec::new(),
            problems: self.problems,
        })
    }

    /// `[[key]]` tables, in order.
    pub fn sections(&mut self, key: &'static str) -> Vec<Section<'p>> {
        let Some(node) = self.take(key) else {
            return Vec::new();
        };
        match node.kind {
            Kind::List(items) => items
                .into_iter()
                .map(|item| Self::of(item, self.path(key), self.problems))
                .collect(),
            _ => {
                let name = self.path(key);
                self.problems.add(node.origin.says(format!(
                    "write `{name}` as [[{name}]], with two brackets: there may be several"
                )));
                Vec::new()
            }
        }
    }

    /// A string read by `read`; `default` where it is absent or bad (bad is reported).
    pub fn get<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        self.maybe(key, read).unwrap_or(default)
    }

    /// A string read by `read`; none where it is absent or bad (bad is reported).
    pub fn maybe<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.take(key)?;
        let text = match &node.kind {
            Kind::Text(s) | Kind::Env(s) => s.clone(),
            Kind::Integer(n) => n.to_string(),
            Kind::Other(what) => {
                self.bad(key, &node, &format!("must be text in quotes, not {what}"));
                return None;
            }
            _ => {
                self.bad(key, &node, "must be text in quotes");
                return None;
            }
        };
        read(&text).map_err(|why| self.bad(key, &node, &why)).ok()
    }

    /// A string that must be there.
    pub fn must<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        if !self.table.contains_key(key) {
            self.known.push(key);
            let path = self.path(key);
            self.problems
                .add(self.origin.says(format!("`{path}` is missing")));
            return None;
        }
        self.maybe(key, read)
    }

    pub fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let Some(node) = self.take(key) else {
            return default;
        };
        match &node.kind {
            Kind::Bool(b) => *b,
            Kind::Env(s) if s == "true" => true,
            Kind::Env(s) if s == "false" => false,
            _ => {
                self.bad(key, &node, "must be true or false, without quotes");
                default
            }
        }
    }

    /// A list of strings, each read by `read`; bad ones are reported and left out. None where it was not written.
    pub fn list<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let node = self.take(key)?;
        let items: Vec<(String, Origin)> = match &node.kind {
            Kind::Env(s) => s
                .split(',')
                .map(str::trim)
                .filter(|s| !s.is_empty())
                .map(|s| (s.to_owned(), node.origin.clone()))
                .collect(),
            Kind::List(items) => {
                let mut texts = Vec::new();
                for item in items {
                    match &item.kind {
                        Kind::Text(s) => texts.push((s.clone(), item.origin.clone())),
                        _ => self.bad(key, item, "must hold text in quotes only"),
                    }
                }
                texts
            }
            _ => {
                self.bad(key, &node, "must be a list: [\"...\", \"...\"]");
                return None;
            }
        };
        let mut read_items = Vec::new();
        for (text, origin) in items {
            match read(&text) {
                Ok(item) => read_items.push(item),
                Err(why) => {
                    let path = self.path(key);
                    self.problems.add(origin.says(format!("`{path}`: {why}")));
                }
            }
        }
        Some(read_items)
    }

    /// A problem about this section as a whole.
    pub fn problem(&self, message: impl std::fmt::Display) {
        self.problems.add(self.origin.says(message));
    }

    /// Refuses what nobody asked for.
    pub fn done(self) {
        for (key, node) in &self.table {
            let path = if self.name.is_empty() {
                key.clone()
            } else {
                format!("{}.{key}", self.name)
            };
            let what = if matches!(node.kind, Kind::Table(_)) && self.name.is_empty() {
                "section"
            } else {
                "key"
            };
            let hint = match nearest(key, &self.known) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known here: {}", self.known.join(", ")),
            };
            self.problems
                .add(node.origin.says(format!("unknown {what} `{path}`; {hint}")));
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        self.table.remove(key)
    }

    fn bad(&self, key: &str, node: &Node, why: &str) {
        self.problems
            .add(node.origin.says(format!("`{}` {why}", self.path(key))));
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }
}

/// The known word most like `typed`, if any is alike enough to be what was meant.
pub fn nearest<'a>(typed: &str, known: &[&'a str]) -> Option<&'a str> {
    let alike = |k: &str| {
        // Swapped and missing letters in short words, and long words that begin alike.
        let letters = strsim::damerau_levenshtein(typed, k);
        let close = letters <= 1.max(k.len() / 4);
        let score = strsim::jaro_winkler(typed, k);
        (close || score >= 0.8).then_some(score)
    };
    known
        .iter()
        .filter_map(|k| Some((alike(k)?, *k)))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}
