//! Cutting a reply into clauses a voice can begin with before the rest is ready.

/// Most words of a clause after the first.
const LONG: usize = 14;
/// Most words of the first clause, where there is a place to cut.
const FIRST: usize = 7;

/// Splits a reply, written or spoken, into clauses: the first short (three to seven words where it can be cut there), the
/// others by sentence, or by comma or conjunction up to about fourteen words. No cut falls inside a number, a date or a name.
/// The clauses joined by one space are the text with its white space made single.
pub fn clauses(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut out = vec![];
    let mut from = 0;
    while from < words.len() {
        let end = if from == 0 {
            first(&words)
        } else {
            next(&words, from)
        };
        out.push(words[from..end].join(" "));
        from = end;
    }
    out
}

/// Where the first clause ends.
fn first(words: &[&str]) -> usize {
    let n = words.len();
    if n <= FIRST {
        // One short sentence is said whole; of two, the first is.
        return (1..n)
            .find(|k| *k >= 2 && cut(words, *k) == Cut::Sentence)
            .unwrap_or(n);
    }
    let within = |least: usize, kind: Cut| (least..=FIRST).find(|k| cut(words, *k) == kind);
    within(1, Cut::Sentence)
        .filter(|k| *k >= 2)
        .or_else(|| within(3, Cut::Comma))
        .or_else(|| within(2, Cut::Comma))
        .or_else(|| {
            (4..=FIRST)
                .rev()
                .find(|k| cut(words, *k) == Cut::Joint && n - k >= 3)
        })
        .or_else(|| within(3, Cut::Joint).filter(|k| n - k >= 3))
        .unwrap_or_else(|| next(words, 0))
}

/// Where the clause that begins at `from` ends.
fn next(words: &[&str], from: usize) -> usize {
    let n = words.len();
    let sentence = (from + 1..=n)
        .find(|k| cut(words, *k) == Cut::Sentence)
        .unwrap_or(n);
    if sentence - from <= LONG {
        return sentence;
    }
    let last = (from + LONG).min(n);
    // Near the limit rather than early, and never so that one or two words are left alone.
    let find = |kind: Cut| {
        (from + 4..=last)
            .rev()
            .find(|k| cut(words, *k) == kind && sentence - k >= 3)
    };
    find(Cut::Comma)
        .or_else(|| find(Cut::Joint))
        // Nothing within the limit: the first place after it.
        .or_else(|| (last + 1..sentence).find(|k| cut(words, *k) != Cut::None && sentence - k >= 2))
        .unwrap_or(sentence)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    None,
    Sentence,
    Comma,
    /// Before a conjunction or the like.
    Joint,
}

/// What kind of cut there is before `words[k]`.
fn cut(words: &[&str], k: usize) -> Cut {
    let Some(last) = k.checked_sub(1).and_then(|i| words.get(i)) else {
        return Cut::None;
    };
    let Some(next) = words.get(k) else {
        return Cut::Sentence;
    };
    let stem = last.trim_end_matches([')', '"', '\'', '\u{201d}', '\u{2019}']);
    let starts_upper = next
        .trim_start_matches(['(', '"', '\'', '\u{201c}', '\u{2018}'])
        .starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
    if stem.ends_with(['!', '?']) || (stem.ends_with('.') && starts_upper && !abbreviated(stem)) {
        return Cut::Sentence;
    }
    let counted = figure(last) && figure(next);
    if stem.ends_with([',', ';', ':']) {
        // "December 3, 2026", "five five five, oh one", "Smith, J"
        let date = stem.ends_with(',') && next.starts_with(|c: char| c.is_ascii_digit());
        let year = stem.ends_with(',')
            && matches!(bare(next).as_str(), "nineteen" | "twenty" | "two")
            && k >= 2
            && (month(words[k - 2]) || figure(last));
        return if counted || date || year {
            Cut::None
        } else {
            Cut::Comma
        };
    }
    let word = bare(next);
    let before = bare(last);
    let unit = matches!(
        before.as_str(),
        "dollars"
            | "dollar"
            | "pounds"
            | "pound"
            | "euros"
            | "euro"
            | "hundred"
            | "thousand"
            | "million"
            | "billion"
    );
    let after = words.get(k + 1).copied().unwrap_or_default();
    let joins = match word.as_str() {
        "and" | "or" => {
            // "twelve dollars and fifty cents", "Marks and Spencer"
            let number = (unit || figure(last)) && figure(after);
            let named = last.starts_with(char::is_uppercase)
                && after.starts_with(char::is_uppercase)
                && k > 1;
            !number && !named
        }
        "but" | "so" | "because" | "which" | "when" | "while" | "if" | "unless" | "until"
        | "where" | "though" | "although" | "then" | "before" | "after" | "once" | "whether" => {
            // "and then", "even if", "as soon as", "three days after"
            let counted = matches!(word.as_str(), "after" | "before")
                && matches!(
                    before.as_str(),
                    "day" | "days" | "week" | "weeks" | "hours" | "months"
                );
            !counted
                && !matches!(
                    before.as_str(),
                    "and"
                        | "or"
                        | "but"
                        | "even"
                        | "only"
                        | "just"
                        | "see"
                        | "the"
                        | "is"
                        | "are"
                        | "of"
                        | "from"
                        | "to"
                )
        }
        _ => false,
    };
    if joins { Cut::Joint } else { Cut::None }
}

fn bare(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric())
        .to_lowercase()
}

fn month(word: &str) -> bool {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    MONTHS.contains(&bare(word).as_str())
}

/// Figures, and words that are part of a number or of something spelled.
fn figure(word: &str) -> bool {
    let word = bare(word);
    let part = |w: &str| {
        matches!(
            w,
            "zero"
                | "oh"
                | "one"
                | "two"
                | "three"
                | "four"
                | "five"
                | "six"
                | "seven"
                | "eight"
                | "nine"
                | "ten"
                | "eleven"
                | "twelve"
                | "thirteen"
                | "fourteen"
                | "fifteen"
                | "sixteen"
                | "seventeen"
                | "eighteen"
                | "nineteen"
                | "twenty"
                | "thirty"
                | "forty"
                | "fifty"
                | "sixty"
                | "seventy"
                | "eighty"
                | "ninety"
                | "hundred"
                | "thousand"
                | "million"
                | "billion"
                | "point"
                | "double"
                | "first"
                | "second"
                | "third"
                | "fourth"
                | "fifth"
                | "sixth"
                | "seventh"
                | "eighth"
                | "ninth"
                | "tenth"
                | "eleventh"
                | "twelfth"
                | "thirteenth"
                | "fourteenth"
                | "fifteenth"
                | "sixteenth"
                | "seventeenth"
                | "eighteenth"
                | "nineteenth"
                | "twentieth"
                | "thirtieth"
        )
    };
    !word.is_empty()
        && (word.split('-').all(part)
            || word.starts_with(|c: char| c.is_ascii_digit())
            || (word.chars().count() == 1 && !matches!(word.as_str(), "a" | "i")))
}

/// A stop that ends an abbreviation or an initial, not a sentence.
fn abbreviated(word: &str) -> bool {
    let stem = word.trim_end_matches('.').to_lowercase();
    matches!(
        stem.as_str(),
        "mr" | "mrs"
            | "ms"
            | "dr"
            | "st"
            | "no"
            | "e.g"
            | "i.e"
            | "vs"
            | "approx"
            | "inc"
            | "ltd"
            | "prof"
            | "jan"
            | "feb"
            | "mar"
            | "apr"
            | "jun"
            | "jul"
            | "aug"
            | "sep"
            | "sept"
            | "oct"
            | "nov"
            | "dec"
    ) || (stem.chars().count() == 1 && stem != "i" && word.starts_with(char::is_uppercase))
}
