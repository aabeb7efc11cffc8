//! A sentence taken apart into what it claims, and each claim traced: figures to the clause they stand in and whom it is about,
//! names, conditions (said, or left out), and whether a thing is so or is not.
//!
//! By words alone, so that it can be shown what it does: it is strict. What it cannot trace may still be true; it is not said.

use std::collections::BTreeSet;

use super::Backing;
use super::clause::{
    COURTESY, Clause, DENY, OPENERS, alike, altered, bare, capitalised, clauses, is_condition,
    leaves, names_in, said_back, turned_alike,
};
use crate::desk::entity::{FigureKind, figures};
use crate::desk::knowledge::sentences_of;
use crate::desk::text::{Stems, WEEKDAYS, is_stop, words};

/// What a claim is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimKind {
    /// A number, an amount, a percentage, a length of time, a code.
    Figure,
    /// A day or a time of day.
    Date,
    Name,
    /// "If", "unless", "only": one that is said, or one that belongs to what is said and is not.
    Condition,
    /// That something is so, or is not; a bare yes or no.
    YesNo,
    /// Anything else that is said to be so.
    Statement,
}

/// One claim of a sentence.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Claim {
    pub kind: ClaimKind,
    /// As it stands in the sentence; of a condition that was left out, as it stands in the source.
    pub text: String,
    /// What says so; none: nothing does, and it must not be said.
    pub from: Option<Origin>,
}

/// What a claim was traced to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Index into the passages.
    Passage(usize),
    /// The result of an action.
    Result,
    /// The caller's own words.
    Caller,
}

/// What a sentence may rest on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sources<'a> {
    /// Passages, each with its title and heading as its first sentences ([`crate::desk::Answer::passage`] is one).
    pub passages: &'a [&'a str],
    /// Results of actions.
    pub results: &'a [serde_json::Value],
    /// What the caller said: names and figures in it may be said back, but nothing is so because a caller says it.
    pub said: &'a [&'a str],
    /// The question that the sentence answers; "yes" means nothing without it.
    pub question: Option<&'a str>,
}

/// Share of a clause's content that a source's clause has, from which it is the same statement.
const SAME: f32 = 0.5;
/// Sources this much less like a clause than the best one say the same.
const TIE: f32 = 0.01;

/// Takes a sentence (or several) apart and traces every claim. Nothing may be said of which [`Claim::from`] is none.
pub fn check(reply: &str, sources: &Sources<'_>) -> Vec<Claim> {
    let read = Read::of(sources);
    let mut claims = Vec::new();
    for sentence in sentences_of(reply) {
        if !sentence.ends_with('?') {
            read.sentence(&sentence, sources, &mut claims);
        }
    }
    claims
}

/// The claims that nothing backs.
pub fn untraced(claims: &[Claim]) -> Vec<&Claim> {
    claims.iter().filter(|claim| claim.from.is_none()).collect()
}

/// A source's sentence.
struct Known {
    passage: Option<usize>,
    text: String,
    clauses: Vec<Clause>,
    /// Names of its passage's title and of the sentences before it, which it may lean on.
    before: BTreeSet<String>,
}

struct Read {
    stems: Stems,
    known: Vec<Known>,
    names: BTreeSet<String>,
    /// Every word of the sources and of the caller.
    spoken_of: BTreeSet<String>,
    spoken_stems: BTreeSet<String>,
    asked: BTreeSet<String>,
    backing: Backing,
    said: Backing,
}

impl Read {
    fn of(sources: &Sources<'_>) -> Self {
        let stems = Stems::new("en");
        let results: Vec<String> = sources.results.iter().flat_map(leaves).collect();
        let mut names = BTreeSet::new();
        for text in sources
            .passages
            .iter()
            .copied()
            .chain(sources.said.iter().copied())
        {
            names.extend(names_in(text));
        }
        // A title's first word is a name where the text treats it as one: "Basic: contract", "on Basic".
        for text in &results {
            names.extend(
                words(text)
                    .into_iter()
                    .filter(|w| !is_stop(w) && w.len() > 2),
            );
        }
        let mut known = Vec::new();
        for (at, passage) in sources.passages.iter().enumerate() {
            let mut before: BTreeSet<String> = BTreeSet::new();
            for text in passage.lines().flat_map(sentences_of) {
                let clauses = clauses(&text, &names, &stems);
                let own: BTreeSet<String> = clauses.iter().flat_map(|c| c.names.clone()).collect();
                known.push(Known {
                    passage: Some(at),
                    text,
                    clauses,
                    before: before.clone(),
                });
                before.extend(own);
            }
        }
        for text in &results {
            known.push(Known {
                passage: None,
                text: text.clone(),
                clauses: clauses(text, &names, &stems),
                before: BTreeSet::new(),
            });
        }
        let mut spoken_of: BTreeSet<String> = BTreeSet::new();
        for text in sources
            .passages
            .iter()
            .copied()
            .chain(sources.said.iter().copied())
        {
            spoken_of.extend(words(text));
        }
        spoken_of.extend(results.iter().flat_map(|t| words(t)));
        spoken_of.extend(sources.question.map(words).unwrap_or_default());
        let spoken_stems = spoken_of.iter().map(|w| stems.stem(w)).collect();
        let mut asked: BTreeSet<String> = BTreeSet::new();
        for text in sources.said.iter().copied().chain(sources.question) {
            asked.extend(words(text));
        }
        let mut backing = Backing::default();
        sources.passages.iter().for_each(|text| backing.read(text));
        sources
            .results
            .iter()
            .for_each(|value| backing.leaves(value));
        let mut said = Backing::default();
        sources
            .said
            .iter()
            .chain(sources.question.iter())
            .for_each(|text| said.read(text));
        Self {
            stems,
            known,
            names,
            spoken_of,
            spoken_stems,
            asked,
            backing,
            said,
        }
    }

    fn sentence(&self, sentence: &str, sources: &Sources<'_>, out: &mut Vec<Claim>) {
        self.names_of(sentence, out);
        // Word for word from a source: only what it leaves out can be wrong with it.
        let letters = |t: &str| words(t).join(" ");
        let own = letters(sentence);
        if let Some(known) = self.known.iter().find(|k| letters(&k.text) == own) {
            for figure in figures(sentence) {
                out.push(Claim {
                    kind: kind_of(figure.kind),
                    text: figure.text,
                    from: Some(origin(known)),
                });
            }
            return;
        }
        self.altered(sentence, out);
        let parts = clauses(sentence, &self.names, &self.stems);
        let mut about: BTreeSet<String> = BTreeSet::new();
        let mut bases: Vec<(&Known, usize)> = Vec::new();
        for clause in &parts {
            about.extend(clause.names.iter().cloned());
            if let Some(yes) = bare(clause) {
                out.push(self.yes_no(yes, clause, sources.question));
                continue;
            }
            self.figures_of(clause, &about, out);
            if let Some(base) = self.statement(clause, out) {
                bases.push(base);
            }
        }
        self.left_out(&parts, &bases, out);
    }

    /// A sentence that is a source's with a few words changed: none of the words that carry its truth may be among them.
    fn altered(&self, sentence: &str, out: &mut Vec<Claim>) {
        for word in altered(sentence, self.known.iter().map(|k| k.text.as_str())) {
            let digits = word.bytes().all(|b| b.is_ascii_digit());
            let kind = match word.as_str() {
                _ if digits => ClaimKind::Figure,
                word if is_condition(word) => ClaimKind::Condition,
                _ => ClaimKind::YesNo,
            };
            let (text, from) = (word, None);
            out.push(Claim { kind, text, from });
        }
    }

    /// Names and codes: each must have been read somewhere.
    fn names_of(&self, sentence: &str, out: &mut Vec<Claim>) {
        let dates: Vec<String> = figures(sentence).into_iter().map(|f| f.text).collect();
        // A name that opens the sentence looks like any other first word; one that nothing speaks of is taken for a name.
        if let Some(first) = words(sentence).first()
            && !is_stop(first)
            && !first.ends_with("ly")
            && !self.spoken_of.contains(first)
            && !DENY.contains(&first.as_str())
            && !OPENERS.contains(&first.as_str())
            && !COURTESY.contains(&self.stems.stem(first).as_str())
            && figures(first).is_empty()
            && !self.spoken_stems.contains(&self.stems.stem(first))
            && !alike(&self.stems.stem(first), &self.spoken_stems)
        {
            out.push(Claim {
                kind: ClaimKind::Name,
                text: first.clone(),
                from: None,
            });
        }
        for name in capitalised(sentence) {
            let key = words(&name).join("");
            if dates.iter().any(|date| date.contains(&name)) {
                continue;
            }
            let bare = name.trim_end_matches("'s").trim_end_matches("\u{2019}s");
            let all = |text: &str| words(text).iter().all(|w| self.spoken_of.contains(w));
            let spoken = all(&name) || all(bare) || self.within_days(&key);
            let from = spoken.then_some(Origin::Passage(0)).map(|_| {
                let holds = |k: &&Known| words(&k.text).iter().any(|w| words(&name).contains(w));
                self.known.iter().find(holds).map_or(Origin::Caller, origin)
            });
            out.push(Claim {
                kind: ClaimKind::Name,
                text: name,
                from,
            });
        }
    }

    /// "Monday to Friday" speaks of Wednesday.
    fn within_days(&self, word: &str) -> bool {
        let Some(day) = WEEKDAYS.iter().position(|d| *d == word) else {
            return false;
        };
        self.known.iter().any(|known| {
            words(&known.text).windows(3).any(|w| {
                let at = |word: &str| WEEKDAYS.iter().position(|d| *d == word);
                match (at(&w[0]), w[1].as_str(), at(&w[2])) {
                    (Some(from), "to" | "until" | "through", Some(to)) => {
                        (from..=to).contains(&day)
                    }
                    _ => false,
                }
            })
        })
    }

    /// Every figure, by the clause it stands in: the same figure said of something else is another claim.
    fn figures_of(&self, clause: &Clause, about: &BTreeSet<String>, out: &mut Vec<Claim>) {
        for figure in figures(&clause.text) {
            let value = super::value(&figure);
            let kind = kind_of(figure.kind);
            let backed = |known: &&Known| {
                known
                    .clauses
                    .iter()
                    .any(|c| self.backs(known, c, clause, about, &value))
            };
            let from = self.known.iter().find(backed).map(origin).or_else(|| {
                // A bare result ("24.99") says what it is by its name alone.
                let bare = self.backing.has(&value)
                    && !self.known.iter().any(|k| k.figures().contains(&value));
                (bare && self.is_result(&value)).then_some(Origin::Result)
            });
            let from = from.or_else(|| {
                (self.said.has(&value) && clause.terms.is_empty()).then_some(Origin::Caller)
            });
            let from = from.or_else(|| {
                said_back(clause)
                    .then(|| self.said.has(&value).then_some(Origin::Caller))
                    .flatten()
            });
            out.push(Claim {
                kind,
                text: figure.text,
                from,
            });
        }
    }

    fn is_result(&self, value: &str) -> bool {
        super::number_of(value).is_some_and(|n| self.backing.bare.contains(&n))
            || self
                .known
                .iter()
                .any(|k| k.passage.is_none() && k.figures().contains(value))
    }

    /// Whether a source's clause says this figure of the same thing.
    fn backs(
        &self,
        known: &Known,
        source: &Clause,
        clause: &Clause,
        about: &BTreeSet<String>,
        value: &str,
    ) -> bool {
        let mut own = Backing::default();
        own.values.extend(source.figures.iter().cloned());
        if !own.has(value) {
            return false;
        }
        // Whom it is about: a name on both sides has to be shared, or stand in what the source's sentence leans on.
        let ours = if clause.names.is_empty() {
            about
        } else {
            &clause.names
        };
        let theirs = &source.names;
        let mut whole: BTreeSet<&String> = known.clauses.iter().flat_map(|c| &c.names).collect();
        if whole.is_empty() {
            whole.extend(&known.before);
        }
        let same = ours.is_empty()
            || ours.iter().any(|name| theirs.contains(name))
            || theirs.is_empty() && ours.iter().any(|name| whole.contains(name));
        // Left open where the source tells two apart: the caller has to have said which.
        let told = theirs.is_empty()
            || !ours.is_empty()
            || theirs.iter().any(|name| self.asked.contains(name))
            || !self.contrasts(known, source, value);
        same && told && turned_alike(clause, source)
    }

    /// Another clause of the sentence gives somebody else a figure of the same kind.
    fn contrasts(&self, known: &Known, source: &Clause, value: &str) -> bool {
        let unit = |v: &str| v.split_once(' ').map(|(_, unit)| unit.to_owned());
        known.clauses.iter().any(|other| {
            other != source
                && !other.names.is_empty()
                && other.names.is_disjoint(&source.names)
                && other
                    .figures
                    .iter()
                    .any(|v| unit(v) == unit(value) && v != value)
        })
    }

    /// That something is so: the source's clause most like it has to say the same, and not the contrary.
    fn statement(&self, clause: &Clause, out: &mut Vec<Claim>) -> Option<(&Known, usize)> {
        let content: BTreeSet<&String> = clause
            .terms
            .iter()
            .filter(|t| !COURTESY.contains(&t.as_str()))
            .collect();
        if content.is_empty() {
            return None;
        }
        let mut best: Vec<(f32, &Known, usize)> = Vec::new();
        for known in &self.known {
            for (at, source) in known.clauses.iter().enumerate() {
                let shared = content.iter().filter(|t| alike(t, &source.terms)).count() as f32;
                // Of two that hold it all, the shorter speaks of it more.
                let score = shared / content.len() as f32
                    + 0.1 * shared / source.terms.len().max(1) as f32
                    + 0.05 * source.names.intersection(&clause.names).count() as f32;
                best.push((score, known, at));
            }
        }
        best.sort_by(|a, b| b.0.total_cmp(&a.0));
        let top = best.first().map_or(0.0, |b| b.0);
        // What a whole sentence says together may stand in two of its clauses.
        let spread = self.known.iter().map(|known| {
            let all: BTreeSet<String> =
                known.clauses.iter().flat_map(|c| c.terms.clone()).collect();
            content.iter().filter(|t| alike(t, &all)).count() as f32 / content.len() as f32
        });
        let spread = spread.fold(0.0, f32::max);
        let kind = if is_condition(&clause.opener) {
            ClaimKind::Condition
        } else {
            ClaimKind::Statement
        };
        if top < SAME && spread < 0.75 {
            // A figure that was traced, with a word or two around it, says no more than the figure does.
            if clause.figures.is_empty() || content.len() > 2 || kind == ClaimKind::Condition {
                out.push(Claim {
                    kind,
                    text: clause.text.clone(),
                    from: None,
                });
            }
            return None;
        }
        let equal: Vec<&(f32, &Known, usize)> = best.iter().filter(|b| b.0 >= top - TIE).collect();
        let agrees = |b: &&&(f32, &Known, usize)| {
            let source = &b.1.clauses[b.2];
            let condition = !is_condition(&clause.opener) || conditional(b.1, b.2);
            source.denies == clause.denies
                && turned_alike(clause, source)
                && condition
                && same_condition(clause, b.1, b.2)
        };
        match equal.iter().find(agrees) {
            Some(b) => {
                if kind == ClaimKind::Condition || clause.denies || clause.figures.is_empty() {
                    let kind = if kind == ClaimKind::Statement {
                        ClaimKind::YesNo
                    } else {
                        kind
                    };
                    out.push(Claim {
                        kind,
                        text: clause.text.clone(),
                        from: Some(origin(b.1)),
                    });
                }
                Some((b.1, b.2))
            }
            None => {
                let kind = if kind == ClaimKind::Condition {
                    kind
                } else {
                    ClaimKind::YesNo
                };
                out.push(Claim {
                    kind,
                    text: clause.text.clone(),
                    from: None,
                });
                None
            }
        }
    }

    /// A bare "yes" or "no": the source has to say of what was asked that it is so, or that it is not.
    fn yes_no(&self, yes: bool, clause: &Clause, question: Option<&str>) -> Claim {
        let from = question.and_then(|question| {
            let asked = clauses(question, &self.names, &self.stems);
            let asked = asked.iter().max_by_key(|c| c.terms.len())?;
            let share = |c: &Clause| {
                let shared = asked.terms.iter().filter(|t| alike(t, &c.terms)).count() as f32;
                shared / asked.terms.len().max(1) as f32
                    + 0.05 * asked.names.intersection(&c.names).count() as f32
            };
            let sides = self
                .known
                .iter()
                .flat_map(|k| k.clauses.iter().map(move |c| (k, c)));
            let (known, best) = sides.max_by(|a, b| share(a.1).total_cmp(&share(b.1)))?;
            (share(best) >= SAME && yes == (best.denies == asked.denies)).then(|| origin(known))
        });
        Claim {
            kind: ClaimKind::YesNo,
            text: clause.text.clone(),
            from,
        }
    }

    /// Conditions that stand in the same sentence of the source as what was said, or open the next one, and were not said.
    fn left_out(&self, parts: &[Clause], bases: &[(&Known, usize)], out: &mut Vec<Claim>) {
        let said: BTreeSet<&String> = parts.iter().flat_map(|c| &c.terms).collect();
        let names: BTreeSet<&String> = parts.iter().flat_map(|c| &c.names).collect();
        for (known, at) in bases {
            for (other, condition) in known.clauses.iter().enumerate() {
                let empty = condition.terms.is_empty() && condition.figures.is_empty();
                if other == *at || !is_condition(&condition.opener) || empty {
                    continue;
                }
                // "Everything except £20": the figure is all that it says.
                if condition.terms.is_empty() {
                    let figured = |value| parts.iter().any(|c| c.figures.contains(value));
                    if !condition.figures.iter().any(figured) {
                        out.push(Claim {
                            kind: ClaimKind::Condition,
                            text: condition.text.clone(),
                            from: None,
                        });
                    }
                    continue;
                }
                // "If it fails we try again after 5 days": what stands before the main clause governs it; so does what follows.
                let part = |t: &String| {
                    said.contains(t) || self.asked.iter().any(|w| self.stems.stem(w) == *t)
                };
                let shared = condition.terms.iter().filter(|t| part(t)).count() as f32;
                let named = condition
                    .names
                    .iter()
                    .any(|n| names.contains(n) || self.asked.contains(n));
                if shared / (condition.terms.len() as f32) < SAME && !named {
                    out.push(Claim {
                        kind: ClaimKind::Condition,
                        text: condition.text.clone(),
                        from: None,
                    });
                }
            }
        }
    }
}

impl Known {
    fn figures(&self) -> BTreeSet<String> {
        self.clauses
            .iter()
            .flat_map(|c| c.figures.clone())
            .collect()
    }
}

fn origin(known: &Known) -> Origin {
    known.passage.map_or(Origin::Result, Origin::Passage)
}

fn kind_of(kind: FigureKind) -> ClaimKind {
    match kind {
        FigureKind::Date | FigureKind::Time => ClaimKind::Date,
        _ => ClaimKind::Figure,
    }
}

/// A condition may open its clause or stand in the clause before ("only if", "can only").
fn conditional(known: &Known, at: usize) -> bool {
    is_condition(&known.clauses[at].opener) || known.clauses.iter().any(|c| is_condition(&c.opener))
}

/// "If" is not "unless".
fn same_condition(clause: &Clause, known: &Known, at: usize) -> bool {
    let group = |opener: &str| match opener {
        "unless" | "except" | "without" => 1,
        "if" | "provided" | "only" | "as long as" | "when" => 2,
        "until" => 3,
        _ => 0,
    };
    let ours = group(&clause.opener);
    let theirs = group(&known.clauses[at].opener);
    ours == 0 || theirs == 0 || ours == theirs
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
