//! Addresses and abbreviations.

use super::Piece;
use super::figure::Reader;
use super::numerals::{digits, spelled};

impl Reader<'_> {
    /// E-mail and web addresses.
    pub(super) fn address(&self, i: usize) -> Option<(String, usize)> {
        if !matches!(
            self.before(i),
            None | Some(Piece::Space | Piece::Sign('(' | '<' | ':' | ','))
        ) {
            return None;
        }
        let mut end = i;
        while end < self.p.len()
            && !matches!(
                self.p[end],
                Piece::Space | Piece::Sign(',' | ')' | '>' | '<' | ';' | '!')
            )
        {
            end += 1;
        }
        while end > i && matches!(self.p[end - 1], Piece::Sign('.' | '?' | ':' | '/')) {
            end -= 1;
        }
        let all: String = self.p[i..end].iter().map(text).collect();
        let bare = all
            .strip_prefix("https://")
            .or_else(|| all.strip_prefix("http://"))
            .or_else(|| all.strip_prefix("mailto:"))
            .unwrap_or(&all);
        let scheme = bare.len() < all.len();
        let host = bare.split('/').next().unwrap_or_default();
        const TOPS: [&str; 12] = [
            "com", "org", "net", "uk", "io", "gov", "edu", "eu", "ie", "ca", "example", "test",
        ];
        let top = host.rsplit('.').next().unwrap_or_default();
        let web = host.contains('.')
            && host.chars().any(char::is_alphabetic)
            && (scheme || host.starts_with("www.") || TOPS.contains(&top));
        let mail = bare
            .split_once('@')
            .is_some_and(|(l, d)| !l.is_empty() && d.contains('.'));
        if !(web || mail) || bare.is_empty() {
            return None;
        }
        let bare = bare.strip_prefix("www.").unwrap_or(bare);
        let mut said = String::new();
        let mut run = String::new();
        let flush = |run: &mut String, said: &mut String| {
            if run.chars().all(|c| c.is_ascii_digit()) && !run.is_empty() {
                said.push_str(&digits(run));
            } else {
                said.push_str(run);
            }
            run.clear();
        };
        for c in bare.chars() {
            let sign = match c {
                '.' => " dot ",
                '@' => " at ",
                '_' => " underscore ",
                '-' => " dash ",
                '+' => " plus ",
                '/' => " slash ",
                '=' => " equals ",
                '?' => " question mark ",
                '&' => " and ",
                ':' => " colon ",
                c if c.is_alphanumeric() => {
                    if run
                        .chars()
                        .last()
                        .is_some_and(|l| l.is_ascii_digit() != c.is_ascii_digit())
                    {
                        flush(&mut run, &mut said);
                        said.push(' ');
                    }
                    run.push(c);
                    continue;
                }
                _ => " ",
            };
            flush(&mut run, &mut said);
            said.push_str(sign);
        }
        flush(&mut run, &mut said);
        Some((said.trim().to_owned(), end))
    }

    pub(super) fn abbreviation(&self, i: usize) -> Option<(String, usize)> {
        let w = self.word(i)?;
        let alone = !matches!(self.before(i), Some(Piece::Word(_) | Piece::Figure(_)));
        // "e.g.", "i.e.", "U.K."
        if alone
            && self.is(i + 1, '.')
            && w.chars().count() == 1
            && self.word(i + 2).is_some_and(|n| n.chars().count() == 1)
        {
            let pair = format!("{w}{}", self.word(i + 2)?);
            let end = i
                + 3
                + usize::from(
                    self.is(i + 3, '.') && !self.sentence_starts(i + 4) && i + 4 < self.p.len(),
                );
            return Some(match pair.to_lowercase().as_str() {
                "eg" => ("for example".into(), end + usize::from(self.is(end, ','))),
                "ie" => ("that is".into(), end + usize::from(self.is(end, ','))),
                _ => (spelled(&pair), end),
            });
        }
        let stop = usize::from(
            self.is(i + 1, '.') && !self.sentence_starts(i + 2) && i + 2 < self.p.len(),
        );
        let titled = usize::from(self.is(i + 1, '.'));
        let fixed = match w {
            "etc" => Some(("and so on", stop)),
            "vs" => Some(("versus", stop)),
            "approx" => Some(("about", stop)),
            "incl" => Some(("including", stop)),
            "excl" => Some(("excluding", stop)),
            "max" => Some(("at most", stop)),
            "min" => Some(("at least", stop)),
            "No" | "no" | "Nr" if titled == 1 && self.fig(self.gap(i + 2)).is_some() => {
                Some(("number", 1))
            }
            "Mr" => Some(("Mister", titled)),
            "Mrs" => Some(("Missus", titled)),
            "Ms" => Some(("Miz", titled)),
            "Dr" => Some(("Doctor", titled)),
            "Ltd" => Some(("Limited", stop)),
            "Inc" => Some(("Incorporated", stop)),
            "Mon" | "Tue" | "Tues" | "Wed" | "Thu" | "Thurs" | "Fri" => Some((
                match &w[..3] {
                    "Mon" => "Monday",
                    "Tue" => "Tuesday",
                    "Wed" => "Wednesday",
                    "Thu" => "Thursday",
                    _ => "Friday",
                },
                stop,
            )),
            "Sat" | "Sun"
                if self.is(i + 1, '-') || matches!(self.before(i), Some(Piece::Sign('-'))) =>
            {
                Some((if w == "Sat" { "Saturday" } else { "Sunday" }, 0))
            }
            "hrs" if matches!(self.p.get(i.wrapping_sub(2)), Some(Piece::Figure(_))) => {
                Some(("hours", stop))
            }
            "mins" => Some(("minutes", stop)),
            "OK" => Some(("okay", 0)),
            "ASAP" => Some(("as soon as possible", 0)),
            "FAQs" => Some(("F A Qs", 0)),
            "IDs" => Some(("I Ds", 0)),
            "w" if self.is(i + 1, '/') && self.word(i + 2) == Some("o") => Some(("without", 2)),
            "N" if self.is(i + 1, '/') && self.word(i + 2) == Some("A") => {
                Some(("not applicable", 2))
            }
            _ => None,
        };
        if let Some((said, more)) = fixed {
            let end = i + 1 + more;
            // "Mon-Fri"
            if w.len() <= 5 && said.ends_with("day") && self.is(end, '-') {
                return Some((format!("{said} to "), end + 1));
            }
            return Some((said.to_owned(), end));
        }
        let capitals = w.len() >= 2 && w.len() <= 5 && w.chars().all(|c| c.is_ascii_uppercase());
        if !capitals {
            return None;
        }
        Some(match w {
            "PIN" | "SIM" | "ZIP" | "NASA" | "GIF" | "CAPTCHA" | "ACH" if w != "ACH" => {
                (w.to_lowercase(), i + 1)
            }
            // Shouted words are words.
            "NOT" | "AND" | "OR" | "NO" | "YES" | "DO" | "ALL" | "MUST" | "NEVER" | "ONLY"
            | "THE" | "TO" | "YOU" | "YOUR" | "IS" | "IN" | "ON" | "IF" | "STOP" | "FREE"
            | "NEW" | "PLEASE" | "NOTE" | "CALL" | "PAY" | "WE" | "MAY" | "CAN" | "ANY" | "ARE"
            | "FOR" | "WITH" | "THIS" | "THAT" | "HELP" | "AT" | "BY" | "OF" | "BE" | "IT"
            | "NOW" => (w.to_lowercase(), i + 1),
            _ => (spelled(w), i + 1),
        })
    }
}

fn text(p: &Piece) -> String {
    match p {
        Piece::Word(s) | Piece::Figure(s) => s.clone(),
        Piece::Sign(c) => c.to_string(),
        Piece::Space => " ".into(),
    }
}
