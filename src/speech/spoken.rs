//! From written to spoken: what a voice is given, so that "$12.50" is said as a person says it and nothing is left that cannot
//! be said. And the cutting of a reply into clauses, the first one short, so that speech starts early.

mod calendar;
mod clause;
mod figure;
mod numerals;
mod words;

pub use clause::clauses;

use figure::Reader;

/// `text` as a person would read it aloud. `language`: BCP 47; decides how dates and numbers are said (`en-US`: "December third",
/// `en-GB`: "the third of December").
pub fn spoken(text: &str, language: &str) -> String {
    let plain = unmarked(text);
    let pieces = pieces(&plain);
    let american = !language.contains('-') || language.ends_with("US");
    let said = Reader::new(&pieces, american).read();
    tidy(&said)
}

/// One piece of written text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Word(String),
    /// Digits, with grouping commas and a decimal point where they belong to one number.
    Figure(String),
    Sign(char),
    Space,
}

fn pieces(text: &str) -> Vec<Piece> {
    let c: Vec<char> = text.chars().collect();
    let digit = |i: usize| c.get(i).is_some_and(char::is_ascii_digit);
    let mut out = vec![];
    let mut i = 0;
    while i < c.len() {
        if c[i].is_whitespace() {
            while i < c.len() && c[i].is_whitespace() {
                i += 1;
            }
            out.push(Piece::Space);
        } else if c[i].is_ascii_digit() {
            let from = i;
            while digit(i) {
                i += 1;
            }
            while i - from >= 1
                && c.get(i) == Some(&',')
                && digit(i + 1)
                && digit(i + 2)
                && digit(i + 3)
                && !digit(i + 4)
            {
                i += 4;
            }
            if c.get(i) == Some(&'.') && digit(i + 1) {
                i += 1;
                while digit(i) {
                    i += 1;
                }
            }
            out.push(Piece::Figure(c[from..i].iter().collect()));
        } else if c[i].is_alphabetic() {
            let from = i;
            while i < c.len()
                && (c[i].is_alphabetic()
                    || (matches!(c[i], '\'' | '\u{2019}')
                        && c.get(i + 1).is_some_and(|c| c.is_alphabetic())))
            {
                i += 1;
            }
            out.push(Piece::Word(
                c[from..i]
                    .iter()
                    .map(|c| if *c == '\u{2019}' { '\'' } else { *c })
                    .collect(),
            ));
        } else {
            out.push(Piece::Sign(match c[i] {
                '\u{2010}' | '\u{2011}' | '\u{2013}' | '\u{2014}' | '\u{2212}' => '-',
                '\u{2026}' => '.',
                '\u{2019}' | '\u{2018}' => '\'',
                c => c,
            }));
            i += 1;
        }
    }
    out
}

/// Takes the marks of a page away: bullets, headings, emphasis, links. A line that ends without a stop gets one.
fn unmarked(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut line = line.trim();
        line = line
            .trim_start_matches(['#', '>', '\u{2022}', '\u{25cf}', '|'])
            .trim_start();
        for bullet in ["- ", "* ", "+ ", "\u{2013} "] {
            line = line.strip_prefix(bullet).unwrap_or(line);
        }
        // "1. Open the app": the number of a list item, not a figure.
        if let Some((n, rest)) = line.split_once(". ")
            && !n.is_empty()
            && n.len() <= 2
            && n.chars().all(|c| c.is_ascii_digit())
        {
            line = rest;
        }
        if line.is_empty() {
            continue;
        }
        if !out.is_empty() {
            if !out.ends_with(['.', '!', '?', ':', ',', ';']) {
                out.push('.');
            }
            out.push(' ');
        }
        out.push_str(&unlinked(line));
    }
    out.replace("**", "")
        .replace("__", "")
        .replace(['`', '"', '\u{201c}', '\u{201d}'], "")
}

/// "[the help page](https://...)" is "the help page".
fn unlinked(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(open) = rest.find('[') {
        let Some(mid) = rest[open..].find("](").map(|i| open + i) else {
            break;
        };
        let Some(close) = rest[mid..].find(')').map(|i| mid + i) else {
            break;
        };
        out.push_str(&rest[..open]);
        out.push_str(&rest[open + 1..mid]);
        rest = &rest[close + 1..];
    }
    out.push_str(rest);
    out
}

/// One space between words, none before a stop, no two stops together.
fn tidy(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            ' ' => {
                if !out.ends_with(' ') && !out.is_empty() {
                    out.push(' ');
                }
            }
            ',' | '.' | '!' | '?' | ';' | ':' => {
                while out.ends_with(' ') {
                    out.pop();
                }
                match out.chars().last() {
                    None => {}
                    // A full stop is stronger than a comma.
                    Some(',' | ';' | ':') if ".!?".contains(c) => {
                        out.pop();
                        out.push(c);
                    }
                    Some(',' | ';' | ':' | '.' | '!' | '?') => {}
                    Some(_) => out.push(c),
                }
            }
            c => {
                if out.ends_with([',', '.', '!', '?', ';', ':']) && c.is_alphanumeric() {
                    out.push(' ');
                }
                out.push(c);
            }
        }
    }
    out.trim().to_owned()
}

#[cfg(test)]
mod tests;
