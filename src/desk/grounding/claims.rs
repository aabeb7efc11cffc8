//! A sentence taken apart into what it claims, and each claim traced: figures to the clause they stand in and whom it is about,
//! names, conditions (said, or left out), and whether a thing is so or is not.
//!
//! By words alone, so that it can be shown what it does: it is strict. What it cannot trace may still be true; it is not said.

use std::collections::BTreeSet;

use super::Backing;
use crate::desk::entity::{FigureKind, figures};
use crate::desk::knowledge::sentences_of;
use crate::desk::text::{Stems, is_stop, words};

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

/// Share of a sentence's words that it has in common, in order, with a source's, from which it is that one with a few words changed.
const NEARLY: f32 = 0.75;

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

/// A part of a sentence with one verb, or one figure and whom it is about.
#[derive(Debug, Clone, PartialEq)]
struct Clause {
    text: String,
    /// What opens it: "if", "unless", "and".
    opener: String,
    /// Stems of what it speaks of, figures left out.
    terms: BTreeSet<String>,
    names: BTreeSet<String>,
    figures: BTreeSet<String>,
    /// An odd number of words that deny.
    denies: bool,
    /// "Before", "at least", "from": words that turn a figure's meaning.
    turns: BTreeSet<&'static str>,
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
        let ours = plain(sentence);
        if ours.len() < 4 {
            return;
        }
        let best = self
            .known
            .iter()
            .map(|known| {
                let theirs = plain(&known.text);
                let pairs = common(&ours, &theirs);
                (pairs, theirs)
            })
            .max_by_key(|(pairs, _)| pairs.len());
        let Some((pairs, theirs)) = best else { return };
        if (pairs.len() as f32) < NEARLY * ours.len() as f32 {
            return;
        }
        let kept: BTreeSet<usize> = pairs.iter().map(|p| p.0).collect();
        let held: BTreeSet<usize> = pairs.iter().map(|p| p.1).collect();
        let changed = ours
            .iter()
            .enumerate()
            .filter(|(at, word)| !kept.contains(at) && critical(word));
        // What was cut off at either end is for the clauses to judge; what is gone from the middle is a change.
        let (from, to) = (
            pairs.first().map_or(0, |p| p.1),
            pairs.last().map_or(0, |p| p.1),
        );
        let gone = theirs
            .iter()
            .enumerate()
            .filter(|(at, word)| (from..=to).contains(at) && !held.contains(at) && critical(word));
        // "Twelve" for "12" is no change.
        let numbers: BTreeSet<String> = figures(sentence)
            .iter()
            .filter_map(|f| super::number_of(&f.value))
            .collect();
        let gone = gone.filter(|(_, word)| !numbers.contains(*word));
        for (_, word) in changed.chain(gone) {
            let digits = word.bytes().all(|b| b.is_ascii_digit());
            let kind = match word.as_str() {
                _ if digits => ClaimKind::Figure,
                word if is_condition(word) => ClaimKind::Condition,
                _ => ClaimKind::YesNo,
            };
            out.push(Claim {
                kind,
                text: word.clone(),
                from: None,
            });
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
        const DAYS: [&str; 7] = [
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "saturday",
            "sunday",
        ];
        let Some(day) = DAYS.iter().position(|d| *d == word) else {
            return false;
        };
        self.known.iter().any(|known| {
            words(&known.text).windows(3).any(|w| {
                let at = |word: &str| DAYS.iter().position(|d| *d == word);
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
                if other == *at || !is_condition(&condition.opener) || condition.terms.is_empty() {
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

/// The texts of a result, each with the name it stands under.
fn leaves(value: &serde_json::Value) -> Vec<String> {
    fn walk(name: &str, value: &serde_json::Value, out: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(o) => o.iter().for_each(|(k, v)| walk(k, v, out)),
            serde_json::Value::Array(a) => a.iter().for_each(|v| walk(name, v, out)),
            serde_json::Value::Null => {}
            serde_json::Value::String(s) => {
                out.push(format!("{} {s}", name.replace(['_', '-'], " ")))
            }
            serde_json::Value::Bool(b) => {
                let not = if *b { "" } else { "not " };
                out.push(format!("{not}{}", name.replace(['_', '-'], " ")));
            }
            serde_json::Value::Number(n) => {
                out.push(format!("{} {n}", name.replace(['_', '-'], " ")))
            }
        }
    }
    let mut out = Vec::new();
    walk("", value, &mut out);
    out
}

/// "You said 40 euros": nothing but the caller's own words.
fn said_back(clause: &Clause) -> bool {
    let w = words(&clause.text);
    w.windows(2)
        .any(|p| p[0] == "you" && matches!(p[1].as_str(), "said" | "told" | "mentioned" | "asked"))
}

fn bare(clause: &Clause) -> Option<bool> {
    match words(&clause.text).as_slice() {
        [one] | [one, ..] if clause.terms.is_empty() && clause.figures.is_empty() => {
            match one.as_str() {
                "yes" | "yeah" => Some(true),
                "no" => Some(false),
                _ => None,
            }
        }
        _ => None,
    }
}

fn is_condition(opener: &str) -> bool {
    matches!(
        opener,
        "if" | "unless"
            | "except"
            | "provided"
            | "only"
            | "as long as"
            | "when"
            | "until"
            | "without"
    )
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

/// The words that turn a figure: none of ours may stand against the source's.
fn turned_alike(clause: &Clause, source: &Clause) -> bool {
    TURNS.iter().all(|(_, one, other)| {
        let has = |c: &Clause, side: &[&str]| side.iter().any(|w| c.turns.contains(w));
        let on = |c: &Clause| match (has(c, one), has(c, other)) {
            (true, false) => 1,
            (false, true) => -1,
            _ => 0,
        };
        on(clause) * on(source) >= 0
    })
}

/// Pairs of sides; a figure on one of them is not the figure on the other.
#[rustfmt::skip]
const TURNS: [(&str, &[&str], &[&str]); 8] = [
    ("time", &["before", "earlier", "until", "by"], &["after", "later", "from", "since"]),
    ("most", &["at most", "up to", "maximum", "most", "under", "below", "less", "fewer", "cheaper", "lower"],
        &["at least", "minimum", "least", "over", "above", "more", "higher", "dearer", "extra"]),
    ("door", &["open", "opens"], &["closed", "closes", "shut"]),
    ("who", &["you pay", "you owe", "we charge"], &["we pay", "you get", "we refund"]),
    ("part", &["included", "includes"], &["excluded", "excludes", "extra"]),
    ("speed", &["faster", "sooner", "quicker"], &["slower", "longer"]),
    ("rise", &["increase", "increases", "up by", "goes up", "rises"], &["decrease", "decreases", "goes down", "falls", "reduces"]),
    ("always", &["always", "every"], &["sometimes", "rarely"]),
];

/// Words that say a thing is not so.
#[rustfmt::skip]
const DENY: [&str; 45] = [
    "not", "no", "never", "none", "nothing", "nobody", "neither", "nor", "cannot", "cant", "dont", "doesnt", "didnt", "wont", "isnt",
    "arent", "wasnt", "werent", "hasnt", "havent", "hadnt", "shouldnt", "wouldnt", "couldnt", "mustnt", "neednt", "without", "unable",
    "free", "forbidden", "prohibited", "banned", "excluded", "refused", "declined", "impossible", "unavailable", "closed", "invalid",
    "fails", "denied", "rejected", "lacks", "nowhere", "zero",
];

/// Stems of what is said to be kind, which claims nothing.
#[rustfmt::skip]
const COURTESY: [&str; 44] = [
    "thank", "sorri", "happi", "glad", "cours", "sure", "certain", "look", "check", "moment", "question", "understand", "help", "say",
    "said", "right", "great", "good", "welcom", "anyth", "els", "hope", "today", "call", "ask", "mention", "hear", "see", "think", "mean",
    "thing", "yes", "yeah", "no", "hello", "well", "let", "also", "actual", "howev", "so", "mind", "worri", "sorri",
];

/// Words for one thing, as stems: one said for the other is the same claim.
#[rustfmt::skip]
const SAME_THING: [&[&str]; 15] = [
    &["cost", "price", "charg", "fee", "pay", "paid", "owe", "amount"], &["cancel", "end", "termin", "leav", "stop", "quit"],
    &["send", "post", "mail", "ship", "sent"], &["get", "receiv", "got", "arriv", "come"],
    &["take", "last", "need", "requir", "run"], &["bring", "carri"], &["allow", "permit", "may", "can", "abl", "possibl"],
    &["refund", "repay", "repaid", "back"], &["replac", "new"], &["buy", "purchas", "order"], &["phone", "telephon", "ring"],
    &["custom", "caller", "you"], &["repair", "fix", "mend"], &["start", "begin"], &["month", "monthly"],
];

fn alike(term: &str, among: &BTreeSet<String>) -> bool {
    among.contains(term)
        || SAME_THING
            .iter()
            .filter(|g| g.contains(&term))
            .any(|g| g.iter().any(|w| among.contains(*w)))
}

/// Words that stand with a capital inside a sentence, lower-cased; and those that open a text ended by a colon ("Basic: contract").
fn names_in(text: &str) -> BTreeSet<String> {
    let mut out: BTreeSet<String> = capitalised(text).iter().flat_map(|n| words(n)).collect();
    for line in text.lines().flat_map(sentences_of) {
        if let Some((head, _)) = line.split_once(':')
            && head.split_whitespace().count() <= 2
            && head.starts_with(char::is_uppercase)
        {
            out.extend(words(head));
        }
    }
    out.retain(|w| !is_stop(w));
    out
}

/// Names and codes as written: capitalised words that do not open a sentence.
fn capitalised(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for sentence in text.lines().flat_map(sentences_of) {
        let mut opens = true;
        for token in sentence.split_whitespace() {
            let word = token.trim_matches(|c: char| !c.is_alphanumeric());
            let name = word.starts_with(char::is_uppercase) && !is_i(word);
            if name && !opens {
                out.push(word.to_owned());
            }
            opens = token.ends_with([':', '"', '\u{201c}']);
        }
    }
    out
}

fn is_i(word: &str) -> bool {
    word == "I" || word.starts_with("I'") || word.starts_with("I\u{2019}")
}

/// Words that open a clause.
const OPENERS: [&str; 18] = [
    "if",
    "unless",
    "except",
    "provided",
    "only",
    "when",
    "until",
    "and",
    "but",
    "or",
    "because",
    "while",
    "so",
    "however",
    "otherwise",
    "then",
    "though",
    "whereas",
];

/// A sentence's clauses. Names and figures that stand alone between commas belong to the clause before.
fn clauses(sentence: &str, names: &BTreeSet<String>, stems: &Stems) -> Vec<Clause> {
    let mut parts: Vec<(String, String)> = Vec::new();
    let mut text = String::new();
    let mut opener = String::new();
    let tokens: Vec<&str> = sentence.split_whitespace().collect();
    for (at, token) in tokens.iter().enumerate() {
        let bare = words(token).join("");
        let as_long = bare == "as" && tokens.get(at + 1).is_some_and(|t| *t == "long");
        let opens = (OPENERS.contains(&bare.as_str()) || as_long) && !text.trim().is_empty();
        // "Until 11 a.m." belongs to its figure; "5 to 7", "between 8 and 1" are one.
        let joins = matches!(bare.as_str(), "and" | "or")
            && text
                .split_whitespace()
                .last()
                .is_some_and(|w| w.chars().any(|c| c.is_ascii_digit()))
            && tokens
                .get(at + 1)
                .is_some_and(|t| t.chars().next().is_some_and(|c| c.is_ascii_digit()))
            && text.to_lowercase().contains("between");
        let figure_follows = bare == "until"
            && tokens
                .get(at + 1)
                .is_some_and(|t| t.chars().any(|c| c.is_ascii_digit()));
        if opens && !joins && !figure_follows && bare != "only" {
            parts.push((std::mem::take(&mut opener), std::mem::take(&mut text)));
            opener = if as_long {
                "as long as".into()
            } else {
                bare.clone()
            };
        } else if text.trim().is_empty() && (OPENERS.contains(&bare.as_str()) || as_long) {
            opener = if as_long {
                "as long as".into()
            } else {
                bare.clone()
            };
        }
        if bare == "only" && opener.is_empty() {
            opener = "only".into();
        }
        text.push_str(token);
        text.push(' ');
        // A comma inside a figure stands between digits and never ends its token.
        if token.ends_with([',', ';', ':']) && !text.trim().is_empty() {
            parts.push((std::mem::take(&mut opener), std::mem::take(&mut text)));
        }
    }
    parts.push((opener, text));
    let mut out: Vec<Clause> = Vec::new();
    for (opener, text) in parts
        .into_iter()
        .filter(|(_, t)| t.chars().any(char::is_alphanumeric))
    {
        let clause = clause(opener, text.trim(), names, stems);
        match out.last_mut() {
            // "Bronze and Silver", "Monday, Tuesday": a list goes on.
            Some(last)
                if clause.terms.is_subset(&clause.names)
                    && clause.figures.is_empty()
                    && !clause.names.is_empty()
                    && !is_condition(&clause.opener) =>
            {
                last.names.extend(clause.names);
                last.terms.extend(clause.terms);
                last.text.push(' ');
                last.text.push_str(&clause.text);
            }
            _ => out.push(clause),
        }
    }
    // "Basic: price £24, download 38 Mbps": the row's name is every cell's.
    if out.len() > 1 && !out[0].names.is_empty() && out[0].terms.is_subset(&out[0].names) {
        let head = out[0].names.clone();
        for clause in out[1..].iter_mut().filter(|c| c.names.is_empty()) {
            clause.names.extend(head.iter().cloned());
        }
    }
    out
}

fn clause(opener: String, text: &str, known: &BTreeSet<String>, stems: &Stems) -> Clause {
    let all = words(text);
    let lower = format!(" {} ", all.join(" "));
    let figures: BTreeSet<String> = figures(text).iter().map(super::value).collect();
    let names: BTreeSet<String> = all.iter().filter(|w| known.contains(*w)).cloned().collect();
    let content = all.iter().filter(|w| {
        !is_stop(w)
            && !DENY.contains(&w.as_str())
            && !w.chars().any(|c| c.is_ascii_digit())
            && !OPENERS.contains(&w.as_str())
            && !UNITS.contains(&w.as_str())
    });
    let terms = content
        .map(|w| {
            if known.contains(w) {
                w.clone()
            } else {
                stems.stem(w)
            }
        })
        .collect();
    let denies = all.iter().filter(|w| DENY.contains(&w.as_str())).count() % 2 == 1;
    let turns = TURNS
        .iter()
        .flat_map(|(_, one, other)| one.iter().chain(other.iter()))
        .copied();
    let turns = turns
        .filter(|t| lower.contains(&format!(" {t} ")))
        .collect();
    Clause {
        text: text.trim_end_matches(['.', ',', ';', ':', '!']).to_owned(),
        opener,
        terms,
        names,
        figures,
        denies,
        turns,
    }
}

/// Words, with short forms written out: "don't" is "do not".
fn plain(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for word in words(text) {
        match word.as_str() {
            "cannot" | "cant" => out.extend(["can".to_owned(), "not".to_owned()]),
            "wont" => out.extend(["will".to_owned(), "not".to_owned()]),
            w if w.ends_with("nt") && DENY.contains(&w) => {
                out.extend([w[..w.len() - 2].to_owned(), "not".to_owned()]);
            }
            _ => out.push(word),
        }
    }
    out
}

/// The longest run of words that both have in the same order, as pairs of places.
fn common(a: &[String], b: &[String]) -> Vec<(usize, usize)> {
    let mut best = vec![vec![0u16; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            best[i][j] = if a[i] == b[j] {
                best[i + 1][j + 1] + 1
            } else {
                best[i + 1][j].max(best[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            out.push((i, j));
            i += 1;
            j += 1;
        } else if best[i + 1][j] >= best[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    out
}

/// A word on which the truth of a sentence turns.
fn critical(word: &str) -> bool {
    DENY.contains(&word)
        || is_condition(word)
        || matches!(word, "all" | "any" | "both" | "either")
        || word.bytes().all(|b| b.is_ascii_digit())
        || TURNS
            .iter()
            .any(|(_, one, other)| one.contains(&word) || other.contains(&word))
}

/// Units are part of their figures.
#[rustfmt::skip]
const UNITS: [&str; 31] = [
    "second", "seconds", "minute", "minutes", "hour", "hours", "day", "days", "week", "weeks", "month", "months", "year", "years", "euro",
    "euros", "pound", "pounds", "dollar", "dollars", "cent", "cents", "pence", "percent", "per", "working", "business", "one", "two",
    "three", "four",
];

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
