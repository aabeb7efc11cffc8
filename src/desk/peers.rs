//! Words that stand for things of one kind: "plus" and "platinum" are two plans because they head two rows of one table, "gas" and
//! "electricity" two of its columns. What is asked of one may be asked of the other.

use std::collections::{HashMap, HashSet};

use super::desk::Desk;
use super::entity;
use super::inquiry::frames;
use super::rows::Rows;
use super::text::{MONTHS, Stems, is_stop, is_weekday, words};

/// Kinds that are the same for every desk.
const WEEKDAY: u32 = 0;
const MONTH: u32 = 1;
const NUMBER: u32 = 2;
const TITLE: u32 = 3;
/// From here on each table has two: of its rows and of its columns.
const TABLES: u32 = 4;

/// Which kinds each word stands for, by stem.
#[derive(Debug, Default)]
pub(super) struct Peers(HashMap<String, Vec<u32>>);

impl Peers {
    /// Of the tables' rows and columns, and of words by which titles differ. `titles`: in any order.
    pub fn of<'a>(titles: impl Iterator<Item = &'a str>, rows: &Rows, stems: &Stems) -> Self {
        let mut kinds: HashMap<String, Vec<u32>> = HashMap::new();
        let mut add = |text: &str, kind: u32| {
            for word in words(text).iter().filter(|w| !is_stop(w)) {
                let known = kinds.entry(plain(stems, word)).or_default();
                if !known.contains(&kind) {
                    known.push(kind);
                }
            }
        };
        for (article, rows) in rows {
            let table = TABLES + 2 * *article as u32;
            for (_, row) in rows {
                add(row.head(), table);
                for column in row.columns() {
                    add(column, table + 1);
                }
            }
        }
        let titles: Vec<HashSet<String>> = titles
            .map(|title| words(title).iter().map(|w| stems.stem(w)).collect())
            .collect();
        let mut count: HashMap<&str, usize> = HashMap::new();
        for word in titles.iter().flatten() {
            *count.entry(word).or_default() += 1;
        }
        for word in titles.iter().flatten() {
            if count[word.as_str()] == 1 {
                add(word, TITLE);
            }
        }
        Self(kinds)
    }

    /// Whether two words stand for things of one kind.
    pub fn alike(&self, stems: &Stems, one: &str, other: &str) -> bool {
        let other = self.kinds(stems, other);
        self.kinds(stems, one)
            .iter()
            .any(|kind| other.contains(kind))
    }

    fn kinds(&self, stems: &Stems, word: &str) -> Vec<u32> {
        let mut kinds = self.0.get(&plain(stems, word)).cloned().unwrap_or_default();
        if is_weekday(word.trim_end_matches('s')) {
            kinds.push(WEEKDAY);
        }
        if MONTHS.contains(&word) {
            kinds.push(MONTH);
        }
        if entity::number(word).is_some() {
            kinds.push(NUMBER);
        }
        kinds
    }
}

/// A word as it is known by: numbers by their figures.
fn plain(stems: &Stems, word: &str) -> String {
    entity::number(word).map_or_else(|| stems.stem(word), |n| n.to_string())
}

impl Desk {
    /// The last question with what a fragment names in its place: see [`frames::carried`].
    pub(super) fn carried(&self, question: &str, text: &str) -> Vec<String> {
        frames::carried(question, text, &|one, other| {
            self.peers.alike(&self.stems, one, other)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows;
    use super::*;

    #[test]
    fn rows_columns_and_titles_are_of_one_kind_each() {
        let stems = Stems::new("en");
        let table =
            "| Plan | Electricity | Gas |\n|---|---|---|\n| Basic | 5p | 2p |\n| Full | 6p | 3p |";
        let rows = rows::rows([table].into_iter());
        let titles = ["Steady 18, our fixed tariff", "Night Owl, our car tariff"];
        let peers = Peers::of(titles.into_iter(), &rows, &stems);
        let alike = |one: &str, other: &str| peers.alike(&stems, one, other);
        assert!(alike("basic", "full") && alike("gas", "electricity"));
        assert!(alike("night", "eighteen") && alike("monday", "sundays") && alike("two", "12"));
        assert!(!alike("basic", "gas") && !alike("tariff", "night") && !alike("fee", "monday"));
    }
}
