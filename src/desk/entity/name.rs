//! People's names, said or spelled.

use super::spell::runs;
use super::token::{Token, filler, tokens};

/// The name said, in its written form: "my name's jo smith" is "Jo Smith"; a spelling given with it wins ("O'Brien, O
/// apostrophe B R I E N"; "Smith, that's S M Y T H").
pub fn name(text: &str) -> Option<String> {
    let t = tokens(text);
    let from = lead_in(&t);
    let t = &t[from..];
    // Trailing politeness and what is no part of a name.
    let mut said: Vec<String> = vec![];
    let mut spelled: Vec<String> = vec![];
    let mut i = 0;
    let mut closed = false;
    while i < t.len() {
        if let Some((word, next)) = spelling(t, i) {
            spelled.push(word);
            i = next;
            continue;
        }
        let token = &t[i];
        let word = token.text.as_str();
        i += 1;
        if token.is_figure() {
            return None;
        }
        if !token.is_word() {
            if matches!(word, "." | ";" | "?" | "!")
                && !said.is_empty()
                && !TITLES.contains(&said[said.len() - 1].to_lowercase().as_str())
            {
                closed = true;
            } else if word == "-"
                && token.glued
                && t.get(i).is_some_and(|n| n.glued && n.is_word())
                && !said.is_empty()
                && !closed
            {
                // Double-barrelled.
                let last = said.len() - 1;
                let joined = format!("{}-{}", said[last], cased(&t[i].text));
                said[last] = joined;
                i += 1;
            }
            continue;
        }
        if word == "hyphen" && !said.is_empty() && t.get(i).is_some_and(Token::is_word) && !closed {
            let last = said.len() - 1;
            let joined = format!("{}-{}", said[last], cased(&t[i].text));
            said[last] = joined;
            i += 1;
            continue;
        }
        if filler(word)
            || matches!(
                word,
                "please"
                    | "thanks"
                    | "thank"
                    | "you"
                    | "here"
                    | "speaking"
                    | "yes"
                    | "yeah"
                    | "sure"
                    | "hi"
                    | "hello"
            )
        {
            if !said.is_empty() {
                closed = true;
            }
            continue;
        }
        if NOT_NAMES.contains(&word) {
            if !said.is_empty() {
                closed = true;
            }
            continue;
        }
        if !closed && said.len() < 5 {
            said.push(cased(word));
        }
    }
    let title = |w: &String| TITLES.contains(&w.to_lowercase().as_str());
    while said.first().is_some_and(title) {
        said.remove(0);
    }
    // A spelling replaces the said word nearest to it, or stands for itself.
    for word in spelled {
        let word = cased(&word);
        let near = |a: &str| strsim::jaro_winkler(&a.to_lowercase(), &word.to_lowercase());
        match said
            .iter()
            .enumerate()
            .map(|(i, w)| (near(w), i))
            .max_by(|a, b| a.0.total_cmp(&b.0))
        {
            Some((score, i)) if score > 0.72 => said[i] = word,
            _ => said.push(word),
        }
    }
    let written = said.join(" ");
    (written.chars().filter(|c| c.is_alphabetic()).count() >= 2).then_some(written)
}

const TITLES: [&str; 10] = [
    "mr",
    "mrs",
    "ms",
    "miss",
    "dr",
    "mister",
    "doctor",
    "sir",
    "professor",
    "mx",
];

/// Words that end a name or stand about it.
const NOT_NAMES: [&str; 64] = [
    "my",
    "name",
    "name's",
    "is",
    "it's",
    "its",
    "it",
    "i'm",
    "im",
    "i",
    "am",
    "this",
    "the",
    "a",
    "an",
    "that's",
    "that",
    "full",
    "first",
    "last",
    "surname",
    "and",
    "calling",
    "called",
    "spelled",
    "spelt",
    "with",
    "of",
    "to",
    "for",
    "have",
    "want",
    "need",
    "on",
    "account",
    "about",
    "no",
    "not",
    "sorry",
    "what",
    "why",
    "how",
    "who",
    "can",
    "could",
    "would",
    "was",
    "were",
    "so",
    "but",
    "do",
    "don't",
    "you",
    "me",
    "at",
    "in",
    "we",
    "your",
    "because",
    "know",
    "there",
    "from",
    "as",
    "first name",
];

/// Index of the first token after "my name is", "it's", "this is", "I'm", "you're speaking to".
fn lead_in(t: &[Token]) -> usize {
    let w: Vec<&str> = t.iter().map(|t| t.text.as_str()).collect();
    let mut from = 0;
    for i in 0..w.len() {
        let n = match &w[i..] {
            ["name's" | "names", ..] => 1,
            ["name", "is", ..] => 2,
            ["name", "on", "the", "account", "is", ..] => 5,
            ["my", "name", ..] => 2,
            ["this", "is", ..] => 2,
            ["it", "is", ..] => 2,
            ["speaking", "to" | "with", ..] => 2,
            ["call", "me", ..] => 2,
            ["i", "am", ..] if i == 0 => 2,
            ["it's" | "i'm", ..] if i < 3 => 1,
            _ => 0,
        };
        if n > 0 && i + n < w.len() && from <= i {
            from = i + n;
            if matches!(w[i], "name's" | "name" | "names") {
                break;
            }
        }
    }
    from
}

/// A word spelled letter by letter from token `i`: at least two letters, with "double" and "apostrophe".
fn spelling(t: &[Token], i: usize) -> Option<(String, usize)> {
    let mut word = String::new();
    let mut j = i;
    let mut letters = 0;
    let mut strong = 0;
    while j < t.len() {
        let token = &t[j];
        if token.any(&["apostrophe"]) && !word.is_empty() {
            word.push('\'');
            j += 1;
            continue;
        }
        if token.any(&["hyphen", "dash"]) && letters > 1 {
            word.push('-');
            j += 1;
            continue;
        }
        if !token.is_word() {
            // "S-M-I-T-H", "S, M, I, T, H" and "S. M. I."
            if matches!(token.text.as_str(), "-" | "," | ".") && letters > 0 && j + 1 < t.len() {
                j += 1;
                continue;
            }
            break;
        }
        // One spelled thing at a time, so that a word of the sentence ends it.
        let as_in = t.get(j + 1).is_some_and(|n| n.any(&["for", "as"]));
        let span = if token.is("double") {
            2
        } else if as_in {
            1 + if t[j + 1].is("as") { 3 } else { 2 } - 1 + 1
        } else {
            1
        };
        let end = (j + span).min(t.len());
        let single = token.letter().is_some()
            || token.is("double")
            || as_in
            || spelled_alphabet(&token.text);
        let found = runs(&t[j..end]);
        let reading = found
            .first()
            .filter(|r| r.len() == 1)
            .map(|r| r[0].readings[0].0.clone());
        match reading
            .filter(|r| r.chars().all(|c| c.is_ascii_alphabetic()) && (single || letters > 0))
        {
            Some(r) if r.len() <= 2 => {
                letters += r.len();
                if single {
                    strong += 1;
                }
                word.push_str(&r);
                j = end;
            }
            _ => break,
        }
    }
    let word = word.trim_end_matches(['-', '\'']).to_owned();
    // "Mike Oscar" is a name; three such words are a spelling.
    let nato = spelled_alphabet(&t[i].text);
    (letters >= if nato { 3 } else { 2 } && strong >= 2).then_some((word, j))
}

/// NATO words that are no one's name, so that "Mike" and "Oscar" stay names until others follow.
fn spelled_alphabet(word: &str) -> bool {
    matches!(
        word,
        "alpha"
            | "alfa"
            | "bravo"
            | "delta"
            | "echo"
            | "foxtrot"
            | "golf"
            | "hotel"
            | "india"
            | "kilo"
            | "lima"
            | "mike"
            | "november"
            | "oscar"
            | "papa"
            | "quebec"
            | "romeo"
            | "sierra"
            | "tango"
            | "uniform"
            | "whiskey"
            | "whisky"
            | "xray"
            | "yankee"
            | "zulu"
    )
}

/// "o'brien" is "O'Brien", "mcdonald" is "McDonald", "jean-luc" is "Jean-Luc".
fn cased(word: &str) -> String {
    let mut out = String::new();
    let lower = word.to_lowercase();
    let mut start = true;
    for (i, c) in lower.char_indices() {
        let after_mc = lower.starts_with("mc") && i == 2 && lower.len() > 4;
        if start || after_mc {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        start = c == '-' || (c == '\'' && i == 1);
    }
    out
}
