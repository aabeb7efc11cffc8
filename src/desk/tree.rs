//! TOML with line numbers, read key by key so that a mistake is told with its place and the nearest right key.

use toml::de::{DeTable, DeValue};

use super::parse::Problem;

/// A value and the line it stands on (1-based).
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub line: usize,
    pub kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Str(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// As written.
    Date(String),
    List(Vec<Node>),
    Table(Vec<(String, usize, Node)>),
}

impl Kind {
    fn word(&self) -> &'static str {
        match self {
            Kind::Str(_) => "text",
            Kind::Int(_) | Kind::Float(_) => "a number",
            Kind::Bool(_) => "true or false",
            Kind::Date(_) => "a date",
            Kind::List(_) => "a list",
            Kind::Table(_) => "a table",
        }
    }
}

/// Parses a file. Syntax errors go to `problems`; what could be read comes back all the same.
pub(crate) fn read(file: &str, text: &str, problems: &mut Vec<Problem>) -> Node {
    let lines = Lines::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for e in errors {
        problems.push(Problem {
            file: file.into(),
            line: e.span().map(|s| lines.of(s.start)),
            message: format!("this is not valid TOML: {}", e.message()),
        });
    }
    Node {
        line: 1,
        kind: table_kind(table.get_ref(), &lines),
    }
}

fn table_kind(table: &DeTable<'_>, lines: &Lines) -> Kind {
    Kind::Table(
        table
            .iter()
            .map(|(k, v)| {
                let line = lines.of(k.span().start);
                (
                    k.get_ref().to_string(),
                    line,
                    node(v.get_ref(), lines.of(v.span().start).max(line), lines),
                )
            })
            .collect(),
    )
}

fn node(value: &DeValue<'_>, line: usize, lines: &Lines) -> Node {
    let kind = match value {
        DeValue::String(s) => Kind::Str(s.to_string()),
        DeValue::Integer(i) => {
            let digits = i.as_str().replace('_', "");
            i64::from_str_radix(&digits, i.radix())
                .map(Kind::Int)
                .unwrap_or(Kind::Str(digits))
        }
        DeValue::Float(f) => f
            .as_str()
            .replace('_', "")
            .parse()
            .map(Kind::Float)
            .unwrap_or(Kind::Str(f.as_str().into())),
        DeValue::Boolean(b) => Kind::Bool(*b),
        DeValue::Datetime(d) => Kind::Date(d.to_string()),
        DeValue::Array(a) => Kind::List(
            a.iter()
                .map(|v| node(v.get_ref(), lines.of(v.span().start), lines))
                .collect(),
        ),
        DeValue::Table(t) => table_kind(t, lines),
    };
    Node { line, kind }
}

/// Byte offsets to line numbers.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(
            std::iter::once(0)
                .chain(text.match_indices('\n').map(|(i, _)| i + 1))
                .collect(),
        )
    }
    fn of(&self, offset: usize) -> usize {
        self.0.partition_point(|&start| start <= offset)
    }
}

/// One table being read: every key asked for is known, whatever is left over is refused by [`Fields::finish`].
pub(crate) struct Fields<'a> {
    file: &'a str,
    /// What the table is, for messages: `[identity]`, `action refund`.
    what: String,
    line: usize,
    entries: Vec<(&'a str, usize, &'a Node)>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub fn new(
        file: &'a str,
        what: impl Into<String>,
        node: &'a Node,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let what = what.into();
        let entries = match &node.kind {
            Kind::Table(entries) => entries
                .iter()
                .map(|(k, l, n)| (k.as_str(), *l, n))
                .collect(),
            other => {
                problems.push(Problem::at(
                    file,
                    node.line,
                    format!("{what} must be a table, not {}", other.word()),
                ));
                Vec::new()
            }
        };
        Self {
            file,
            what,
            line: node.line,
            entries,
            known: Vec::new(),
        }
    }

    pub fn line(&self) -> usize {
        self.line
    }
    pub fn rename(&mut self, what: impl Into<String>) {
        self.what = what.into();
    }

    /// The value of `key` as it stands, and the key is known from now on.
    pub fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        self.entries
            .iter()
            .find(|(k, _, _)| *k == key)
            .map(|(_, _, n)| *n)
    }

    fn wrong(&self, key: &str, node: &Node, want: &str, problems: &mut Vec<Problem>) {
        problems.push(Problem::at(
            self.file,
            node.line,
            format!(
                "`{key}` in {} must be {want}, not {}",
                self.what,
                node.kind.word()
            ),
        ));
    }

    pub fn str(&mut self, key: &'static str, problems: &mut Vec<Problem>) -> Option<String> {
        let node = self.node(key)?;
        match &node.kind {
            Kind::Str(s) if !s.trim().is_empty() => Some(s.clone()),
            Kind::Date(s) => Some(s.clone()),
            Kind::Str(_) => {
                problems.push(Problem::at(
                    self.file,
                    node.line,
                    format!(
                        "`{key}` in {} is empty: write something or leave it out",
                        self.what
                    ),
                ));
                None
            }
            _ => {
                self.wrong(key, node, "text in quotes", problems);
                None
            }
        }
    }

    pub fn required(&mut self, key: &'static str, problems: &mut Vec<Problem>) -> String {
        let present = self.entries.iter().any(|(k, _, _)| *k == key);
        let got = self.str(key, problems);
        if !present {
            problems.push(Problem::at(
                self.file,
                self.line,
                format!("{} has no `{key}`: add `{key} = \"...\"`", self.what),
            ));
        }
        got.unwrap_or_default()
    }

    pub fn bool(&mut self, key: &'static str, problems: &mut Vec<Problem>) -> Option<bool> {
        let node = self.node(key)?;
        match node.kind {
            Kind::Bool(b) => Some(b),
            _ => {
                self.wrong(key, node, "true or false", problems);
                None
            }
        }
    }

    pub fn number(&mut self, key: &'static str, problems: &mut Vec<Problem>) -> Option<f64> {
        let node = self.node(key)?;
        match node.kind {
            Kind::Int(i) => Some(i as f64),
            Kind::Float(f) if f.is_finite() => Some(f),
            _ => {
                self.wrong(key, node, "a number", problems);
                None
            }
        }
    }

    /// A list of texts; a single text counts as a list of one.
    pub fn strs(
        &mut self,
        key: &'static str,
        problems: &mut Vec<Problem>,
    ) -> Option<Vec<(String, usize)>> {
        let node = self.node(key)?;
        let got = texts(node);
        if got.is_none() {
            self.wrong(key, node, "a list of texts", problems);
        }
        got
    }

    /// One of a few words.
    pub fn one_of<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&'static str, T)],
        problems: &mut Vec<Problem>,
    ) -> Option<T> {
        let line = self
            .entries
            .iter()
            .find(|(k, _, _)| *k == key)
            .map(|e| e.2.line)?;
        let said = self.str(key, problems)?;
        let found = choices
            .iter()
            .find(|(name, _)| *name == said)
            .map(|(_, v)| *v);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|c| c.0).collect();
            problems.push(Problem::at(
                self.file,
                line,
                format!(
                    "`{key} = \"{said}\"` in {}: it must be one of {}{}",
                    self.what,
                    names.join(", "),
                    did_you_mean(&said, &names)
                ),
            ));
        }
        found
    }

    /// Refuses the keys nobody asked for.
    pub fn finish(self, problems: &mut Vec<Problem>) {
        for (key, line, _) in &self.entries {
            if !self.known.contains(key) {
                let mut message = format!("{} has no key `{key}`", self.what);
                match nearest(key, &self.known) {
                    Some(near) => message += &format!(": did you mean `{near}`?"),
                    None => message += &format!("; its keys are {}", self.known.join(", ")),
                }
                problems.push(Problem::at(self.file, *line, message));
            }
        }
    }
}

pub(crate) fn texts(node: &Node) -> Option<Vec<(String, usize)>> {
    match &node.kind {
        Kind::Str(s) => Some(vec![(s.clone(), node.line)]),
        Kind::List(list) => list
            .iter()
            .map(|n| match &n.kind {
                Kind::Str(s) => Some((s.clone(), n.line)),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

/// TOML as JSON, for request bodies.
pub(crate) fn json(node: &Node) -> serde_json::Value {
    match &node.kind {
        Kind::Str(s) | Kind::Date(s) => s.clone().into(),
        Kind::Int(i) => (*i).into(),
        Kind::Float(f) => (*f).into(),
        Kind::Bool(b) => (*b).into(),
        Kind::List(l) => l.iter().map(json).collect::<Vec<_>>().into(),
        Kind::Table(t) => {
            serde_json::Value::Object(t.iter().map(|(k, _, n)| (k.clone(), json(n))).collect())
        }
    }
}

/// The known word nearest to `said`, if any is near enough to have been meant.
pub(crate) fn nearest<'k>(said: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|k| {
            (
                strsim::jaro_winkler(said, k),
                strsim::damerau_levenshtein(said, k),
                *k,
            )
        })
        .filter(|(jw, edits, k)| *jw > 0.84 || *edits <= 1 + k.len() / 5)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, _, k)| k)
}

pub(crate) fn did_you_mean(said: &str, known: &[&str]) -> String {
    nearest(said, known).map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}
