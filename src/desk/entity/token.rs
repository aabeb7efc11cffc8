//! Words, figures and signs of an utterance: what every reader of this folder works on.

/// What a token is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters, with apostrophes inside.
    Word,
    /// Digits, with grouping commas removed and at most one decimal point.
    Figure,
    /// One character of punctuation or a currency sign.
    Sign,
}

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    /// Lower case; straight apostrophes.
    pub text: String,
    /// Byte range in the text it came from.
    pub start: usize,
    pub end: usize,
    /// No white space between this and the token before.
    pub glued: bool,
    /// A figure that carried "st", "nd", "rd" or "th".
    pub ordinal: bool,
    /// That suffix, upper case: in a postcode it is two letters.
    pub suffix: &'static str,
    /// Every letter was upper case.
    pub upper: bool,
}

impl Token {
    pub fn is_word(&self) -> bool {
        self.kind == Kind::Word
    }
    pub fn is_figure(&self) -> bool {
        self.kind == Kind::Figure
    }
    pub fn is(&self, text: &str) -> bool {
        self.text == text
    }
    pub fn any(&self, of: &[&str]) -> bool {
        of.contains(&self.text.as_str())
    }
    pub fn is_sign(&self) -> bool {
        self.kind == Kind::Sign
    }
    /// The single letter this token is, upper case.
    pub fn letter(&self) -> Option<char> {
        let mut chars = self.text.chars();
        let c = chars.next()?;
        (self.is_word() && c.is_ascii_alphabetic() && chars.next().is_none())
            .then(|| c.to_ascii_uppercase())
    }
}

/// Splits an utterance. Total: any text gives some tokens.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let at = |i: usize| chars.get(i).map(|&(_, c)| c);
    let byte = |i: usize| chars.get(i).map_or(text.len(), |&(b, _)| b);
    let digit = |i: usize| at(i).is_some_and(|c| c.is_ascii_digit());
    let mut out: Vec<Token> = Vec::new();
    let mut i = 0;
    while let Some(c) = at(i) {
        if c.is_whitespace() {
            i += 1;
            continue;
        }
        let from = i;
        let mut ordinal = false;
        let mut ending = "";
        let (kind, word) = if c.is_ascii_digit() {
            let mut figure = String::new();
            while digit(i) {
                figure.extend(at(i));
                i += 1;
            }
            // "1,250" is one figure; "0, 4" and "4,1,2" are several.
            while figure.len() <= 12
                && (i - from <= 3 || figure.len() > 3)
                && !figure.starts_with('0')
                && at(i) == Some(',')
                && digit(i + 1)
                && digit(i + 2)
                && digit(i + 3)
                && !digit(i + 4)
            {
                figure.extend((1..4).filter_map(|k| at(i + k)));
                i += 4;
            }
            // "12.50" is one figure; "3.4.1985" is three.
            if at(i) == Some('.')
                && digit(i + 1)
                && !(from >= 2 && at(from - 1) == Some('.') && digit(from - 2))
            {
                let mut j = i + 1;
                while digit(j) {
                    j += 1;
                }
                if !(at(j) == Some('.') && digit(j + 1)) {
                    figure.push('.');
                    figure.extend((i + 1..j).filter_map(at));
                    i = j;
                }
            }
            let suffix: String = (i..i + 2)
                .filter_map(at)
                .map(|c| c.to_ascii_lowercase())
                .collect();
            if matches!(suffix.as_str(), "st" | "nd" | "rd" | "th")
                && !at(i + 2).is_some_and(char::is_alphanumeric)
                && !figure.contains('.')
            {
                ordinal = true;
                ending = match suffix.as_str() {
                    "st" => "ST",
                    "nd" => "ND",
                    "rd" => "RD",
                    _ => "TH",
                };
                i += 2;
            }
            (Kind::Figure, figure)
        } else if c.is_alphabetic() {
            let half = |i: usize| {
                matches!(at(i), Some('a' | 'A' | 'p' | 'P'))
                    && at(i + 1) == Some('.')
                    && matches!(at(i + 2), Some('m' | 'M'))
                    && !at(i + 3).is_some_and(char::is_alphanumeric)
            };
            let mut word = String::new();
            if half(i) {
                word.extend(at(i).map(|c| c.to_ascii_lowercase()));
                word.push('m');
                i += if at(i + 3) == Some('.') { 4 } else { 3 };
            } else {
                while let Some(c) = at(i) {
                    let inside = |c: char| c == '\'' || c == '\u{2019}';
                    if c.is_alphabetic() {
                        word.extend(c.to_lowercase());
                    } else if inside(c) && at(i + 1).is_some_and(char::is_alphabetic) {
                        word.push('\'');
                    } else {
                        break;
                    }
                    i += 1;
                }
            }
            (Kind::Word, word)
        } else {
            i += 1;
            let c = match c {
                '\u{2013}' | '\u{2014}' | '\u{2212}' | '\u{2010}' | '\u{2011}' => '-',
                '\u{2019}' | '\u{2018}' => '\'',
                c => c,
            };
            (Kind::Sign, c.to_string())
        };
        let (start, end) = (byte(from), byte(i));
        out.push(Token {
            kind,
            upper: kind == Kind::Word && text[start..end].chars().all(|c| !c.is_lowercase()),
            text: word,
            start,
            end,
            glued: start > 0 && out.last().is_some_and(|t: &Token| t.end == start),
            ordinal,
            suffix: ending,
        });
    }
    out
}

/// Sounds people make while they think; they never break a run.
pub(super) fn filler(word: &str) -> bool {
    matches!(
        word,
        "uh" | "um"
            | "er"
            | "erm"
            | "ah"
            | "hmm"
            | "mm"
            | "uhm"
            | "well"
            | "like"
            | "then"
            | "okay"
            | "ok"
    )
}

/// What is left when a caller corrects themselves: "the 4th, no sorry, the 5th" leaves the 5th, "14 not 40" leaves 14.
/// `value` says whether some tokens hold what is looked for; a correction with nothing after it changes nothing.
pub(super) fn corrected(t: &[Token], value: impl Fn(&[Token]) -> bool) -> Vec<Token> {
    let words: Vec<&str> = t.iter().map(|t| t.text.as_str()).collect();
    let mut from = 0;
    for i in 0..t.len() {
        let rest = &words[i..];
        let skip = match rest {
            ["i", "mean", ..]
            | ["i", "meant", ..]
            | ["make", "that", ..]
            | ["scratch", "that", ..]
            | ["no", "wait", ..]
            | ["let", "me", ..]
            | ["or", "rather", ..] => 2,
            ["make", "it", ..] => 2,
            ["sorry", ..]
            | ["correction", ..]
            | ["actually", ..]
            | ["rather", ..]
            | ["apologies", ..]
            | ["oops", ..] => 1,
            ["no", ..] if i > 0 => 1,
            _ => 0,
        };
        if skip > 0 && value(&t[from..i]) && value(&t[i + skip..]) {
            from = i + skip;
        }
    }
    let t = &t[from..];
    // "14 not 40", "not 40 but 14"
    if let Some(i) = t.iter().position(|t| t.is("not")) {
        if value(&t[..i]) && value(&t[i + 1..]) {
            return t[..i].to_vec();
        }
        if let Some(j) = t[i..]
            .iter()
            .position(|t| t.is("but") || t.is(","))
            .map(|j| i + j)
            && value(&t[i + 1..j])
            && value(&t[j + 1..])
        {
            return t[j + 1..].to_vec();
        }
    }
    t.to_vec()
}
