//! Facts that stand in several articles alike but for what they are about (the plan, the country, the room): told apart by what the
//! question names, said side by side where it names both, asked about where it names neither.

use std::collections::BTreeSet;

use super::desk::{Desk, Hit};
use super::entity::{FigureKind, figures};
use super::knowledge::sentences_of;
use super::places::country;
use super::text::words;

/// Share of the terms of two sentences that both have, from which they say the same of two things: where the articles serve one
/// intent, and where they do not.
const ALIKE: f32 = 0.4;
const ALIKE_APART: f32 = 0.6;
/// Articles looked at beside the one that was chosen.
const BESIDE: usize = 6;
/// Most that are offered to choose from.
const OFFERED: usize = 4;

/// What becomes of an answer whose fact others have, too.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Apart {
    /// It stands alone, or the question names whose it is.
    Alone,
    /// The question names another's: the article.
    Other(usize),
    /// The question names both: what the others say, article and sentence.
    Both(Vec<(usize, String)>),
    /// It names none: the articles it may be about, the chosen one first.
    Between(Vec<usize>),
}

impl Desk {
    /// Holds what would be said of `article` against what the other hits say.
    pub(super) fn apart(&self, question: &str, article: usize, said: &str, hits: &[Hit]) -> Apart {
        if self.articles[article].is_ticket() {
            return Apart::Alone;
        }
        let asked: BTreeSet<String> = words(question).iter().map(|w| self.stems.stem(w)).collect();
        let shared = |s: &String| {
            let terms = self.content(s);
            terms.iter().filter(|t| asked.contains(*t)).count()
        };
        let mut ours = sentences_of(said);
        let most = ours.iter().map(&shared).max().unwrap_or(0);
        ours.retain(|s| shared(s) == most);
        ours.truncate(1);
        let mut seen = BTreeSet::from([article]);
        let (mut other, mut both, mut between) = (None, Vec::new(), Vec::new());
        let country = country(question);
        let rivals = hits.iter().map(|hit| self.passages[hit.index].article);
        for rival in rivals.filter(|r| seen.insert(*r)).take(BESIDE) {
            if self.articles[rival].is_ticket() {
                continue;
            }
            let Some((mine, theirs)) = self.parallel(&ours, article, rival) else {
                continue;
            };
            let (of_mine, of_theirs) = (self.marks(article, &mine), self.marks(rival, &theirs));
            let own: BTreeSet<&String> = of_mine.difference(&of_theirs).collect();
            let its: BTreeSet<&String> = of_theirs.difference(&of_mine).collect();
            if own.is_empty() || its.is_empty() {
                continue;
            }
            let named = |marks: &BTreeSet<&String>| marks.iter().any(|m| asked.contains(*m));
            // The country a question names is one's and not the other's.
            let placed = |at: usize| country.and_then(|c| self.speaks_of(at, c));
            if placed(article) == Some(true) && placed(rival) == Some(false) {
                continue;
            }
            match (named(&own), named(&its)) {
                (true, false) => {}
                (false, true) => other = other.or(Some(rival)),
                (true, true) => {
                    // Said side by side, each sentence has to say itself whose fact it is.
                    let tells = |sentence: &str, marks: &BTreeSet<&String>| {
                        words(sentence)
                            .iter()
                            .any(|w| marks.contains(&self.stems.stem(w)))
                    };
                    if tells(&mine, &own) && tells(&theirs, &its) {
                        both.push((rival, theirs));
                    } else {
                        between.push(rival);
                    }
                }
                (false, false) => {
                    // "A call with no add-on" names what only one of the sentences speaks of.
                    let (mine, theirs) = (self.content(&mine), self.content(&theirs));
                    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
                        one.difference(other).any(|term| asked.contains(term))
                    };
                    if !only(&mine, &theirs) || only(&theirs, &mine) {
                        between.push(rival);
                    }
                }
            }
        }
        if let Some(other) = other {
            return Apart::Other(other);
        }
        if !both.is_empty() {
            both.truncate(2);
            return Apart::Both(both);
        }
        if between.is_empty() {
            return Apart::Alone;
        }
        between.insert(0, article);
        between.truncate(OFFERED);
        Apart::Between(between)
    }

    /// A sentence of ours and one of the rival's that say the same with other figures, or one that it is so and one that it is not.
    fn parallel(&self, ours: &[String], article: usize, rival: usize) -> Option<(String, String)> {
        let spoken = self.articles[rival]
            .spoken
            .as_deref()
            .map(sentences_of)
            .unwrap_or_default();
        let theirs: Vec<&String> = self
            .of_article(rival)
            .flat_map(|p| &p.sentences)
            .chain(&spoken)
            .collect();
        let (one, two) = (&self.articles[article], &self.articles[rival]);
        let alike = if one.intents.first() == two.intents.first() {
            ALIKE
        } else {
            ALIKE_APART
        };
        for mine in ours {
            let own = self.content(mine);
            if own.len() < 2 {
                continue;
            }
            for other in &theirs {
                let its = self.content(other);
                let shared = own.intersection(&its).count() as f32;
                let all = own.union(&its).count() as f32;
                if its.len() >= 2 && shared >= 2.0 && shared >= alike * all && differ(mine, other) {
                    return Some((mine.clone(), (*other).clone()));
                }
            }
        }
        None
    }

    fn content(&self, sentence: &str) -> BTreeSet<String> {
        let terms = self.stems.terms(sentence).into_iter();
        terms
            .filter(|t| !t.chars().any(|c| c.is_ascii_digit()))
            .collect()
    }

    /// The words that say what an article, or a sentence of it, is about.
    fn marks(&self, article: usize, sentence: &str) -> BTreeSet<String> {
        let mut out: BTreeSet<String> = self
            .stems
            .terms(&self.articles[article].title)
            .into_iter()
            .collect();
        let named = words(sentence)
            .into_iter()
            .filter(|w| self.named.contains(w));
        out.extend(named.map(|w| self.stems.stem(&w)));
        out.retain(|t| !t.chars().all(|c| c.is_ascii_digit()));
        out
    }

    /// What an article is called beside all others.
    pub(super) fn called_alone(&self, article: usize) -> String {
        let all = 0..self.articles.len();
        self.called(article, all.filter(|other| *other != article))
    }

    /// What an article is called when it is offered beside others: "Basic" of "Basic: leaving early", else its title.
    pub(super) fn called(&self, article: usize, mut others: impl Iterator<Item = usize>) -> String {
        let title = &self.articles[article].title;
        if let Some((head, _)) = title.split_once(':')
            && others.all(|o| !self.articles[o].title.starts_with(head))
        {
            return head.to_owned();
        }
        title.clone()
    }
}

/// Whether two sentences that are alike differ in a figure of the same kind, or in being so.
fn differ(a: &str, b: &str) -> bool {
    let units = |text: &str| -> Vec<(String, String)> {
        let found = figures(text).into_iter();
        found
            .map(|f| {
                // "Until 6 p.m. the day before" and "until 30 days before" say of two things when.
                if matches!(
                    f.kind,
                    FigureKind::Time | FigureKind::Date | FigureKind::Duration
                ) {
                    return ("when".to_owned(), f.value);
                }
                f.value
                    .split_once(' ')
                    .map_or((String::new(), f.value.clone()), |(n, u)| {
                        (u.to_owned(), n.to_owned())
                    })
            })
            .collect()
    };
    let (x, y) = (units(a), units(b));
    let other = x.iter().any(|(unit, _)| {
        let theirs: Vec<&String> = y
            .iter()
            .filter(|(u, _)| u == unit)
            .map(|(_, n)| n)
            .collect();
        !theirs.is_empty()
            && x.iter()
                .filter(|(u, _)| u == unit)
                .all(|(_, n)| !theirs.contains(&n))
    });
    let denies = |text: &str| {
        words(text)
            .iter()
            .filter(|w| {
                matches!(
                    w.as_str(),
                    "not" | "no" | "never" | "cannot" | "nothing" | "without" | "free"
                )
            })
            .count()
            % 2
    };
    other || denies(a) != denies(b)
}
