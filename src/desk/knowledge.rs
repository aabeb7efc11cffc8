//! Articles, and the passages they fall into. A passage keeps its heading and its conditions with its facts.

use std::ops::Range;

use super::choosing::leans;
use super::rows::Row;
use super::text::{is_stop, words};

/// One article of the desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Article {
    pub id: String,
    pub title: String,
    pub intents: Vec<String>,
    /// `YYYY-MM-DD...`.
    pub updated: Option<String>,
    /// What to say aloud, written by the desk; wins over anything extracted.
    pub spoken: Option<String>,
    /// Markdown.
    pub text: String,
    pub file: String,
    pub line: usize,
    /// The line `text` begins on.
    pub body_line: usize,
}

impl Article {
    /// A ticket that was once answered, not an article that somebody stands behind: never preferred to one.
    pub fn is_ticket(&self) -> bool {
        self.file.rsplit('/').next() == Some(TICKETS)
    }

    /// What the desk wrote for reading out, in sentences.
    /// `article` is its index among the desk's.
    pub(super) fn written(&self, article: usize) -> Option<Passage> {
        let spoken = self.spoken.as_ref()?;
        Some(Passage {
            article,
            heading: None,
            text: spoken.clone(),
            sentences: sentences_of(spoken),
            lists: Vec::new(),
            answering: Vec::new(),
        })
    }
}

/// The file of `knowledge/` that tickets are brought into.
pub const TICKETS: &str = "tickets.jsonl";

/// A part of an article small enough to answer with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Index of its article.
    pub article: usize,
    pub heading: Option<String>,
    /// Plain text: Markdown stripped, lists made sentences.
    pub text: String,
    pub sentences: Vec<String>,
    /// Runs of sentences that are one list, with the words that introduce it: a step or a way out of several is not the whole answer.
    pub lists: Vec<Range<usize>>,
    /// Where each sentence stands among answers, in eight bits ([`super::meaning::narrow`]); none where the encoder was not asked.
    pub answering: Vec<Vec<i8>>,
}

impl Passage {
    /// The text whose vector stands for the passage.
    pub fn embedded(&self, title: &str) -> String {
        match &self.heading {
            Some(h) => format!("{title}. {h}. {}", self.text),
            None => format!("{title}. {}", self.text),
        }
    }

    /// Each sentence with the title and the heading it stands under: what a question's answer is sought among.
    pub fn in_place(&self, title: &str) -> impl Iterator<Item = String> {
        let over = match &self.heading {
            Some(heading) => format!("{title}: {heading}"),
            None => title.to_owned(),
        };
        self.sentences.iter().map(move |s| format!("{over}. {s}"))
    }
}

/// Passages are cut at headings, and then at paragraphs once they reach this many words.
const PASSAGE_WORDS: usize = 90;

/// Splits every article.
pub fn split(articles: &[Article]) -> Vec<Passage> {
    let mut out = Vec::new();
    for (i, article) in articles.iter().enumerate() {
        let before = out.len();
        let mut heading: Option<String> = None;
        let mut open = Open::default();
        for block in blocks(&article.text) {
            match block {
                Block::Heading(h) => {
                    open.close(i, &heading, &mut out);
                    heading = Some(h).filter(|h| *h != article.title);
                }
                Block::Text { sentences, list } => {
                    let mut from = None;
                    for (at, s) in sentences.into_iter().enumerate() {
                        let n = s.split_whitespace().count();
                        // "It is open until 7" stays with what it is that is open.
                        if open.words > 0 && open.words + n > PASSAGE_WORDS && !leans(&s) {
                            open.listed(from.take());
                            open.close(i, &heading, &mut out);
                        }
                        if from.is_none() && list.is_some_and(|first| at >= first) {
                            from = Some(open.sentences.len());
                        }
                        open.words += n;
                        open.sentences.push(s);
                    }
                    open.listed(from);
                }
            }
        }
        open.close(i, &heading, &mut out);
        if out.len() == before {
            out.extend(article.written(i));
        }
    }
    out
}

/// A passage that is being filled.
#[derive(Default)]
struct Open {
    sentences: Vec<String>,
    lists: Vec<Range<usize>>,
    words: usize,
}

impl Open {
    /// What was added since `from` is a list.
    fn listed(&mut self, from: Option<usize>) {
        let to = self.sentences.len();
        self.lists
            .extend(from.map(|from| from..to).filter(|run| run.len() > 1));
    }

    fn close(&mut self, article: usize, heading: &Option<String>, out: &mut Vec<Passage>) {
        let Self {
            mut sentences,
            mut lists,
            ..
        } = std::mem::take(self);
        // "No." under a heading that asks answers that and nothing else: read out after another question it would say what is not so.
        if sentences.len() > 1 && matches!(sentences[0].as_str(), "Yes." | "No." | "Yes!" | "No!") {
            sentences.remove(0);
            for run in &mut lists {
                *run = run.start.saturating_sub(1)..run.end - 1;
            }
        }
        if !sentences.is_empty() {
            out.push(Passage {
                article,
                heading: heading.clone(),
                text: sentences.join(" "),
                sentences,
                lists,
                answering: Vec::new(),
            });
        }
    }
}

enum Block {
    Heading(String),
    Text {
        sentences: Vec<String>,
        /// Where a list begins among them, with the words that introduce it.
        list: Option<usize>,
    },
}

/// Markdown to headings and paragraphs of plain sentences. A list is joined to the line that introduces it.
fn blocks(markdown: &str) -> Vec<Block> {
    let mut out = Vec::new();
    let mut paragraph = String::new();
    // The items of a list, and the sentence that introduces them.
    let mut items: Vec<String> = Vec::new();
    let mut fenced = false;
    let mut header: Vec<String> = Vec::new();
    let mut table = false;
    let lines: Vec<&str> = markdown.lines().collect();
    for (n, raw) in lines.iter().enumerate() {
        let line = raw.trim();
        if line.starts_with("```") || line.starts_with("~~~") {
            fenced = !fenced;
            continue;
        }
        if fenced || line.starts_with("<!--") {
            continue;
        }
        let is_rule = line.len() >= 3
            && line
                .chars()
                .all(|c| matches!(c, '-' | '*' | '_' | '=' | ' '));
        if line.starts_with('|') {
            let row = Row::read(line, &mut header, lines.get(n + 1).copied());
            items.extend(row.map(|row| row.whole()));
            table = true;
            continue;
        }
        if !header.is_empty() {
            header.clear();
        }
        if line.is_empty() || is_rule {
            // A blank line between an introduction and its list does not part them.
            let next = lines[n + 1..]
                .iter()
                .map(|l| l.trim())
                .find(|l| !l.is_empty());
            let list_follows = next.is_some_and(|l| item(l).is_some() || l.starts_with('|'));
            let introduces = paragraph.ends_with(':') || !items.is_empty();
            if !(list_follows && introduces) {
                close(&mut paragraph, &mut items, &mut table, &mut out);
            }
        } else if line.starts_with('#') && line.trim_start_matches('#').starts_with(' ') {
            close(&mut paragraph, &mut items, &mut table, &mut out);
            out.push(Block::Heading(plain(line.trim_start_matches('#'))));
        } else if let Some(text) = item(line) {
            if !paragraph.is_empty() && !paragraph.ends_with(':') && items.is_empty() {
                close(&mut paragraph, &mut items, &mut table, &mut out);
            }
            items.push(plain(text));
        } else {
            let text = plain(line.trim_start_matches('>'));
            match items.last_mut() {
                Some(last) if raw.starts_with([' ', '\t']) => {
                    last.push(' ');
                    last.push_str(&text);
                }
                _ => {
                    if !items.is_empty() {
                        close(&mut paragraph, &mut items, &mut table, &mut out);
                    }
                    if !paragraph.is_empty() {
                        paragraph.push(' ');
                    }
                    paragraph.push_str(&text);
                }
            }
        }
    }
    close(&mut paragraph, &mut items, &mut table, &mut out);
    out
}

fn item(line: &str) -> Option<&str> {
    for bullet in ["- ", "* ", "+ ", "\u{2022} "] {
        if let Some(rest) = line.strip_prefix(bullet) {
            return Some(rest.trim_start_matches("[ ] ").trim_start_matches("[x] "));
        }
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=2).contains(&digits) {
        return line[digits..]
            .strip_prefix(". ")
            .or_else(|| line[digits..].strip_prefix(") "));
    }
    None
}

/// Ends a paragraph. A list of short items becomes one sentence with its introduction; long items are sentences of their own.
fn close(paragraph: &mut String, items: &mut Vec<String>, table: &mut bool, out: &mut Vec<Block>) {
    let mut sentences = Vec::new();
    let text = std::mem::take(paragraph);
    let items = std::mem::take(items);
    // The rows of a table stand each for itself.
    let is_list = !std::mem::take(table) && items.len() > 1;
    let mut list = None;
    let words: usize = items.iter().map(|i| i.split_whitespace().count()).sum();
    let whole = items.iter().any(|i| sentences_of(i).len() > 1);
    if items.is_empty() {
        sentences = sentences_of(&text);
    } else if let Some(intro) = text.strip_suffix(':').filter(|_| words <= 40 && !whole) {
        let mut s = sentences_of(intro);
        let last = s.pop().unwrap_or_default();
        let items: Vec<&str> = items
            .iter()
            .map(|i| i.trim_end_matches(['.', ';', ',']))
            .collect();
        sentences.append(&mut s);
        sentences.push(format!("{}: {}.", last.trim_end_matches('.'), join(&items)));
    } else {
        sentences.extend(sentences_of(&text));
        list = is_list.then_some(sentences.len().saturating_sub(1));
        sentences.extend(items.iter().flat_map(|i| sentences_of(i)));
    }
    if !sentences.is_empty() {
        out.push(Block::Text { sentences, list });
    }
}

/// A list as a sentence has it: "a, b and c", with semicolons where an item has a comma.
pub(super) fn join(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_string(),
        [most @ .., last] => {
            let sep = if items.iter().any(|i| i.contains(',')) {
                "; "
            } else {
                ", "
            };
            format!(
                "{}{}and {last}",
                most.join(sep),
                if sep == "; " { "; " } else { " " }
            )
        }
    }
}

/// Strips inline Markdown and HTML; links keep their words.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let chars: Vec<char> = text.trim().chars().collect();
    let mut i = 0;
    let find = |from: usize, what: char| {
        chars[from..]
            .iter()
            .position(|c| *c == what)
            .map(|p| from + p)
    };
    while i < chars.len() {
        match chars[i] {
            '\\' if chars.get(i + 1).is_some_and(|c| c.is_ascii_punctuation()) => {
                out.push(chars[i + 1]);
                i += 2;
                continue;
            }
            '!' if chars.get(i + 1) == Some(&'[') => {}
            '[' => {
                // [words](target): the words stay; a bracket that is no link stays too.
                if let Some(end) = find(i, ']')
                    && chars.get(end + 1) == Some(&'(')
                    && let Some(close) = find(end, ')')
                {
                    if i == 0 || chars[i - 1] != '!' {
                        out.push_str(&plain(&chars[i + 1..end].iter().collect::<String>()));
                    }
                    i = close + 1;
                    continue;
                }
                out.push('[');
            }
            '<' => {
                let tag = chars
                    .get(i + 1)
                    .is_some_and(|c| c.is_alphabetic() || matches!(c, '/' | '!'));
                if let Some(end) = find(i, '>').filter(|_| tag) {
                    i = end + 1;
                    continue;
                }
                out.push('<');
            }
            '*' | '`' => {}
            '~' if chars.get(i + 1) == Some(&'~') => i += 1,
            '_' => {
                // Inside a word it is a character; around one it is emphasis.
                let inside = i > 0
                    && chars[i - 1].is_alphanumeric()
                    && chars.get(i + 1).is_some_and(|c| c.is_alphanumeric());
                if inside {
                    out.push('_');
                }
            }
            c => out.push(c),
        }
        i += 1;
    }
    let out = [
        ("&nbsp;", " "),
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
    ]
    .iter()
    .fold(out, |o, (from, to)| o.replace(from, to));
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Abbreviations whose full stop ends nothing.
const ABBREVIATIONS: [&str; 22] = [
    "e.g", "i.e", "eg", "ie", "mr", "mrs", "ms", "dr", "st", "no", "vs", "approx", "inc", "ltd",
    "co", "corp", "etc", "a.m", "p.m", "u.s", "u.k", "min",
];

/// "p.o", "d.c": single letters with points between.
fn initials(word: &str) -> bool {
    word.contains('.') && word.split('.').all(|part| part.chars().count() == 1)
}

/// Whether what comes next reads as the beginning of a sentence.
fn opens(rest: &str) -> bool {
    let first = words(rest).into_iter().next().unwrap_or_default();
    is_stop(&first) || first.is_empty()
}

/// Whether what comes after a time of day is the zone it is told in.
fn zone(rest: &str) -> bool {
    let next = words(rest);
    let next: Vec<&str> = next.iter().map(String::as_str).take(3).collect();
    match next.as_slice() {
        [
            "eastern" | "central" | "mountain" | "pacific" | "atlantic" | "gmt" | "bst" | "utc"
            | "cet" | "cest" | "est" | "edt" | "cst" | "cdt" | "mst" | "pst" | "pdt" | "et" | "ct"
            | "pt",
            ..,
        ] => true,
        [_, "time", ..] | [_, _, "time", ..] => !opens(rest),
        _ => false,
    }
}

/// Plain text to sentences. Every one ends with a mark.
pub fn sentences_of(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.trim().chars().collect();
    let mut out = Vec::new();
    let mut start = 0;
    let mut push = |from: usize, to: usize| {
        let s: String = chars[from..to]
            .iter()
            .collect::<String>()
            .trim()
            .to_string();
        if s.chars().any(char::is_alphanumeric) {
            let end = if s.ends_with(['.', '!', '?', ':', ')', '"', '\u{201d}']) {
                ""
            } else {
                "."
            };
            out.push(s.trim_end_matches([';', ',']).to_string() + end);
        }
    };
    for i in 0..chars.len() {
        if !matches!(chars[i], '.' | '!' | '?') {
            continue;
        }
        let next = chars.get(i + 1);
        let closes = next.is_none_or(|c| c.is_whitespace() || matches!(c, '"' | ')' | '\u{201d}'));
        if !closes {
            continue;
        }
        if chars[i] == '.' {
            let word: String = chars[start..i]
                .iter()
                .rev()
                .take_while(|c| !c.is_whitespace() && **c != '(')
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect();
            let lower = word.to_lowercase();
            let following = chars[i + 1..].iter().find(|c| !c.is_whitespace());
            let goes_on = following.is_some_and(|c| c.is_lowercase());
            let rest = || chars[i + 1..].iter().take(40).collect::<String>();
            let inside = match lower.as_str() {
                // "Until 11 p.m. Eastern", "9 a.m. Irish time".
                "p.m" | "a.m" => zone(&rest()),
                // "No. 5", "min. 3 nights".
                "no" | "min" => following.is_some_and(char::is_ascii_digit),
                "etc" => false,
                known => ABBREVIATIONS.contains(&known) || initials(known) && !opens(&rest()),
            };
            if goes_on || inside {
                continue;
            }
        }
        let end = if next.is_some_and(|c| !c.is_whitespace()) {
            i + 2
        } else {
            i + 1
        };
        push(start, end.min(chars.len()));
        start = end.min(chars.len());
    }
    if start < chars.len() {
        push(start, chars.len());
    }
    out
}
