//! The clauses of a sentence: what each speaks of, whom it is about, its figures, whether it denies, and what turns its meaning.

use std::collections::BTreeSet;

use crate::desk::entity::figures;
use crate::desk::knowledge::sentences_of;
use crate::desk::text::{Stems, is_stop, words};

/// A part of a sentence with one verb, or one figure and whom it is about.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clause {
    pub text: String,
    /// What opens it: "if", "unless", "and".
    pub opener: String,
    /// Stems of what it speaks of, figures left out.
    pub terms: BTreeSet<String>,
    pub names: BTreeSet<String>,
    pub figures: BTreeSet<String>,
    /// An odd number of words that deny.
    pub denies: bool,
    /// "Before", "at least", "from": words that turn a figure's meaning.
    pub turns: BTreeSet<&'static str>,
}

/// "You said 40 euros": nothing but the caller's own words.
pub(super) fn said_back(clause: &Clause) -> bool {
    let w = words(&clause.text);
    w.windows(2)
        .any(|p| p[0] == "you" && matches!(p[1].as_str(), "said" | "told" | "mentioned" | "asked"))
}

pub(super) fn bare(clause: &Clause) -> Option<bool> {
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

pub(super) fn is_condition(opener: &str) -> bool {
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

/// The words that turn a figure: none of ours may stand against the source's.
pub(super) fn turned_alike(clause: &Clause, source: &Clause) -> bool {
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
pub(super) const DENY: [&str; 45] = [
    "not", "no", "never", "none", "nothing", "nobody", "neither", "nor", "cannot", "cant", "dont", "doesnt", "didnt", "wont", "isnt",
    "arent", "wasnt", "werent", "hasnt", "havent", "hadnt", "shouldnt", "wouldnt", "couldnt", "mustnt", "neednt", "without", "unable",
    "free", "forbidden", "prohibited", "banned", "excluded", "refused", "declined", "impossible", "unavailable", "closed", "invalid",
    "fails", "denied", "rejected", "lacks", "nowhere", "zero",
];

/// Stems of what is said to be kind, which claims nothing.
#[rustfmt::skip]
pub(super) const COURTESY: [&str; 44] = [
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

pub(super) fn alike(term: &str, among: &BTreeSet<String>) -> bool {
    among.contains(term)
        || SAME_THING
            .iter()
            .filter(|g| g.contains(&term))
            .any(|g| g.iter().any(|w| among.contains(*w)))
}

/// Words that stand with a capital inside a sentence, lower-cased; and those that open a text ended by a colon ("Basic: contract").
pub(super) fn names_in(text: &str) -> BTreeSet<String> {
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
pub(super) fn capitalised(text: &str) -> Vec<String> {
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
pub(super) const OPENERS: [&str; 18] = [
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
pub(super) fn clauses(sentence: &str, names: &BTreeSet<String>, stems: &Stems) -> Vec<Clause> {
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

/// The texts of a result, each with the name it stands under.
pub(super) fn leaves(value: &serde_json::Value) -> Vec<String> {
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

/// Share of a sentence's words that it has in common, in order, with a source's, from which it is that one with a few words changed.
const NEARLY: f32 = 0.75;

/// What changes the truth of a sentence that is nearly one of the sources' (the one most like it): words of its own, and words of the
/// source's that are gone from its middle. Nothing where it is like none of them.
pub(super) fn altered<'a>(sentence: &str, sources: impl Iterator<Item = &'a str>) -> Vec<String> {
    let ours = plain(sentence);
    if ours.len() < 4 {
        return Vec::new();
    }
    let best = sources
        .map(|text| {
            let theirs = plain(text);
            (common(&ours, &theirs), theirs)
        })
        .max_by_key(|(pairs, _)| pairs.len());
    let Some((pairs, theirs)) = best else {
        return Vec::new();
    };
    if (pairs.len() as f32) < NEARLY * ours.len() as f32 {
        return Vec::new();
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
    // A figure that is gone is one that was not said, or was said in words; a changed one is among ours.
    let figure = |word: &str| word.bytes().all(|b| b.is_ascii_digit());
    let gone = theirs.iter().enumerate().filter(|(at, word)| {
        (from..=to).contains(at) && !held.contains(at) && critical(word) && !figure(word)
    });
    changed.chain(gone).map(|(_, word)| word.clone()).collect()
}
