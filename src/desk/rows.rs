//! Rows of an article's tables: each a sentence of its own for finding, and for saying cut down to what is asked for.

use std::collections::{HashMap, HashSet};

use super::answer::Answer;
use super::asked::Asked;
use super::desk::Desk;
use super::framing::bare;
use super::knowledge::{join, plain, sentences_of};
use super::meaning::content_words;
use super::text::words;

/// Most words of what heads a table's rows, where they are named to one who asks what there is.
const NAMED_WORDS: usize = 30;

/// Most words of all rows, where each is asked for.
const ALL_WORDS: usize = 60;

/// One row: what it is about, and what each column says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    head: String,
    /// The column's name, in lower case (empty: it has none), and what stands in it.
    cells: Vec<(String, String)>,
}

impl Row {
    /// Reads a line of a table. `header`: the names of its columns so far; `next`: the line below.
    pub(super) fn read(line: &str, header: &mut Vec<String>, next: Option<&str>) -> Option<Self> {
        let cells: Vec<String> = line
            .trim_matches('|')
            .split('|')
            .map(|c| plain(c.trim()))
            .collect();
        let rule =
            |l: &str| l.contains('-') && l.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '));
        if rule(line) {
            return None;
        }
        if header.is_empty() && next.is_some_and(|n| rule(n.trim())) {
            *header = cells;
            return None;
        }
        let column = |at: usize| header.get(at).map_or(String::new(), |h| h.to_lowercase());
        let mut cells = cells.into_iter().enumerate();
        let head = cells.next().map(|(_, head)| head).unwrap_or_default();
        let cells = cells
            .filter(|(_, c)| !c.is_empty())
            .map(|(at, c)| (column(at), c))
            .collect();
        Some(Self { head, cells })
    }

    pub(super) fn head(&self) -> &str {
        &self.head
    }

    /// The names of its columns, in lower case.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.cells.iter().map(|(column, _)| column.as_str())
    }

    /// The row as it is read and found: `Basic: price 5 euros, term none`.
    pub(super) fn whole(&self) -> String {
        let mut out = self.head.clone();
        for (at, (column, value)) in self.cells.iter().enumerate() {
            out.push_str(if at == 0 { ": " } else { ", " });
            if !column.is_empty() {
                out.push_str(column);
                out.push(' ');
            }
            out.push_str(value);
        }
        out
    }

    /// The row with these of its columns, for saying.
    fn said(&self, kept: &[usize]) -> String {
        let cells: Vec<String> = kept
            .iter()
            .map(|at| &self.cells[*at])
            .map(|(column, value)| {
                let named = words(value);
                let known = words(column).iter().all(|w| named.contains(w));
                if column.is_empty() || known {
                    value.clone()
                } else if kept.len() == 1
                    && (column.starts_with("price") || column.starts_with("cost"))
                {
                    format!("the {column} is {value}")
                } else {
                    format!("{column} {value}")
                }
            })
            .collect();
        format!("{}: {}.", self.head, cells.join(", ").trim_end_matches('.'))
    }
}

/// All rows of an article's tables.
fn rows_of(markdown: &str) -> Vec<Row> {
    let lines: Vec<&str> = markdown.lines().map(str::trim).collect();
    let mut header = Vec::new();
    let mut out = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        if line.starts_with('|') {
            out.extend(Row::read(line, &mut header, lines.get(n + 1).copied()));
        } else {
            header.clear();
        }
    }
    out
}

/// The rows of a desk's articles, by article and by the sentence each is found as.
pub(super) type Rows = HashMap<usize, Vec<(String, Row)>>;

pub(super) fn rows<'a>(articles: impl Iterator<Item = &'a str>) -> Rows {
    let each = articles.enumerate().filter_map(|(at, markdown)| {
        let known = rows_of(markdown).into_iter().filter_map(|row| {
            let mut sentences = sentences_of(&row.whole());
            // A cell that is a text of its own is said as it stands.
            (sentences.len() == 1).then(|| (sentences.remove(0), row))
        });
        let known: Vec<(String, Row)> = known.collect();
        (!known.is_empty()).then_some((at, known))
    });
    each.collect()
}

impl Desk {
    /// An answer as it is said: of a table's row what the question is after, and to "what do you have" what the rows are about.
    pub fn said(&self, question: &str, answer: &Answer) -> String {
        let at = self.article_at(&answer.source);
        let Some((at, rows)) = at.and_then(|at| Some((at, self.rows.get(&at)?))) else {
            return answer.text.clone();
        };
        let question = bare(question);
        let asked = Asked::of(question);
        let terms: HashSet<String> = self.stems.terms(question).into_iter().collect();
        let mut text = answer.text.clone();
        let mut told = false;
        for (sentence, row) in rows {
            if text.contains(sentence) {
                told = true;
                text = text.replace(sentence, &row.said(&self.columns(row, asked, &terms)));
            }
        }
        // "What are your opening hours" is after every row, where one was found: all of them, or what each is about.
        let title = &self.articles[at].title;
        let columns = rows.iter().flat_map(|(_, row)| &row.cells);
        let columns: Vec<&str> = columns.map(|(column, _)| column.as_str()).collect();
        let about = self.stems.terms(&format!("{title} {}", columns.join(" ")));
        let sought = content_words(question);
        let mut sought = sought.iter().map(|w| self.stems.stem(w));
        let of_all = rows.len() > 1 && sought.all(|t| about.contains(&t));
        let missing = |(s, _): &&(String, Row)| !answer.text.contains(s.as_str());
        if told && of_all && rows.iter().any(|row| missing(&row)) {
            let all: Vec<String> = rows
                .iter()
                .map(|(_, row)| row.said(&self.columns(row, asked, &terms)))
                .collect();
            let all = all.join(" ");
            let names: Vec<&str> = rows.iter().map(|(_, row)| row.head.as_str()).collect();
            let whole = all.split_whitespace().count() <= ALL_WORDS;
            let before = self.of_article(at).flat_map(|p| &p.sentences);
            let before = before
                .take_while(|s| !rows.iter().any(|(row, _)| row == *s))
                .filter(|s| answer.text.contains(s.as_str()));
            let before: Vec<&str> = before.map(String::as_str).collect();
            let table = if whole {
                all
            } else {
                format!("{}.", join(&names))
            };
            return [before.join(" "), table].join(" ").trim().to_owned();
        }
        if !told && asked == Asked::Open && asks_which(question) {
            let sentences: Vec<&String> = self.of_article(at).flat_map(|p| &p.sentences).collect();
            let row = |s: &&String| rows.iter().any(|(known, _)| known == *s);
            let heads = sentences.iter().position(row).filter(|first| {
                // What introduces them stands before them, at most a remark between.
                sentences[first.saturating_sub(2)..*first]
                    .iter()
                    .any(|s| text.contains(s.as_str()))
            });
            let names: Vec<&str> = rows.iter().map(|(_, row)| row.head.as_str()).collect();
            let length: usize = names.iter().map(|n| n.split_whitespace().count()).sum();
            if heads.is_some() && length <= NAMED_WORDS {
                text = format!("{text} {}.", join(&names));
            }
        }
        text
    }

    /// The columns a question is after: those that give the kind of figure it asks for, or have its words; all where none stands out.
    fn columns(&self, row: &Row, asked: Asked, terms: &HashSet<String>) -> Vec<usize> {
        let all: Vec<usize> = (0..row.cells.len()).collect();
        let head: HashSet<String> = self.stems.terms(&row.head).into_iter().collect();
        let shares = |at: &usize| {
            let (column, value) = &row.cells[*at];
            let own = self.stems.terms(&format!("{column} {value}"));
            own.iter().any(|t| terms.contains(t) && !head.contains(t))
        };
        let gives = |at: &usize| asked.answered_by(&row.cells[*at].1);
        let of = |keep: &dyn Fn(&usize) -> bool| -> Vec<usize> {
            all.iter().copied().filter(|at| keep(at)).collect()
        };
        if asked == Asked::Open {
            return all;
        }
        let priced = |at: &usize| row.cells[*at].1.contains(['$', '\u{a3}', '\u{20ac}']);
        if asked == Asked::Amount && all.iter().any(priced) {
            return of(&priced);
        }
        let ways = [
            of(&|at| gives(at) && shares(at)),
            of(&|at| gives(at)),
            of(&shares),
        ];
        ways.into_iter().find(|w| !w.is_empty()).unwrap_or(all)
    }
}

/// "What memberships do you have", "which rooms are there".
fn asks_which(question: &str) -> bool {
    let asks = |w: &String| matches!(w.as_str(), "what" | "whats" | "which" | "list" | "any");
    words(question).iter().any(asks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_whole_and_said_by_its_columns() {
        let known = rows_of(
            "Plans.\n\n| Plan | Price a month | Term |\n|---|---|---|\n| Basic | $5 | none |\n| Full | $9 | a term of 3 months |\n\nMore.",
        );
        assert_eq!(known[0].whole(), "Basic: price a month $5, term none");
        assert_eq!(known[0].said(&[0]), "Basic: the price a month is $5.");
        assert_eq!(
            known[1].said(&[0, 1]),
            "Full: price a month $9, a term of 3 months."
        );
        assert_eq!(known.len(), 2);
    }
}
