//! Reading pieces of text: figures in all their shapes, abbreviations and signs.

use super::Piece;
use super::numerals::{UNITS, cardinal, digits, grouped, ordinal};

pub(super) struct Reader<'a> {
    pub(super) p: &'a [Piece],
    pub(super) american: bool,
    pub(super) out: String,
}

impl<'a> Reader<'a> {
    pub fn new(p: &'a [Piece], american: bool) -> Self {
        Self {
            p,
            american,
            out: String::new(),
        }
    }

    pub fn read(mut self) -> String {
        let mut i = 0;
        while i < self.p.len() {
            let found = self
                .address(i)
                .or_else(|| self.date(i))
                .or_else(|| self.clock(i))
                .or_else(|| self.money(i))
                .or_else(|| self.telephone(i))
                .or_else(|| self.reference(i))
                .or_else(|| self.figure(i))
                .or_else(|| self.abbreviation(i));
            if let Some((said, next)) = found {
                self.out.push_str(&said);
                i = next;
                // "10GB" and "5km": the unit is a word of its own.
                if matches!(self.p.get(i), Some(Piece::Word(_))) {
                    self.out.push(' ');
                }
                continue;
            }
            match &self.p[i] {
                Piece::Space => self.out.push(' '),
                Piece::Word(w) => self.out.push_str(w),
                Piece::Figure(f) => self.out.push_str(&digits(f)),
                Piece::Sign(c) => {
                    let said = self.sign(i, *c);
                    self.out.push_str(said);
                }
            }
            i += 1;
        }
        self.out
    }

    pub(super) fn word(&self, i: usize) -> Option<&'a str> {
        match self.p.get(i)? {
            Piece::Word(w) => Some(w),
            _ => None,
        }
    }
    pub(super) fn fig(&self, i: usize) -> Option<&'a str> {
        match self.p.get(i)? {
            Piece::Figure(f) => Some(f),
            _ => None,
        }
    }
    pub(super) fn is(&self, i: usize, c: char) -> bool {
        self.p.get(i) == Some(&Piece::Sign(c))
    }
    pub(super) fn gap(&self, i: usize) -> usize {
        i + usize::from(self.p.get(i) == Some(&Piece::Space))
    }
    pub(super) fn before(&self, i: usize) -> Option<&'a Piece> {
        i.checked_sub(1).map(|i| &self.p[i])
    }

    fn sign(&self, i: usize, c: char) -> &'static str {
        let spaced = matches!(self.before(i), None | Some(Piece::Space))
            && matches!(self.p.get(i + 1), None | Some(Piece::Space));
        match c {
            '.' | ',' | '!' | '?' | ';' | ':' => match c {
                '.' => ".",
                ',' => ",",
                '!' => "!",
                '?' => "?",
                ';' => ",",
                _ => ":",
            },
            '&' => " and ",
            '@' => " at ",
            '%' => " percent ",
            '+' => " plus ",
            '=' => " equals ",
            '#' if matches!(self.p.get(i + 1), Some(Piece::Figure(_))) => " number ",
            '/' if matches!(self.before(i), Some(Piece::Word(w)) if w == "and") => " ",
            '/' => " or ",
            '(' | ')' | '[' | ']' => ", ",
            '-' if spaced => ", ",
            '-' if matches!(self.before(i), Some(Piece::Word(_)))
                && matches!(self.p.get(i + 1), Some(Piece::Word(_))) =>
            {
                "-"
            }
            '\'' => "",
            '\u{b0}' => " degrees ",
            '~' => " about ",
            '$' => " dollars ",
            '\u{a3}' => " pounds ",
            '\u{20ac}' => " euros ",
            '\u{d7}' => " times ",
            _ => " ",
        }
    }

    fn currency(c: char) -> Option<(&'static str, &'static str, &'static str, &'static str)> {
        Some(match c {
            '$' => ("dollar", "dollars", "cent", "cents"),
            '\u{a3}' => ("pound", "pounds", "penny", "pence"),
            '\u{20ac}' => ("euro", "euros", "cent", "cents"),
            '\u{a5}' => ("yen", "yen", "", ""),
            '\u{20b9}' => ("rupee", "rupees", "paisa", "paise"),
            _ => return None,
        })
    }

    fn money(&self, i: usize) -> Option<(String, usize)> {
        let named = |w: &str| {
            Some(match w {
                "USD" | "CAD" | "AUD" | "NZD" => '$',
                "GBP" => '\u{a3}',
                "EUR" => '\u{20ac}',
                "JPY" => '\u{a5}',
                "INR" => '\u{20b9}',
                _ => return None,
            })
        };
        let (c, at) = match self.p.get(i)? {
            Piece::Sign(c) => (*c, self.gap(i + 1)),
            Piece::Word(w) if w == "US" && self.is(i + 1, '$') => ('$', i + 2),
            Piece::Word(w) => (named(w)?, self.gap(i + 1)),
            // "12.50 USD"
            Piece::Figure(f) => {
                let k = self.gap(i + 1);
                let c = self.word(k).and_then(named).or(match self.p.get(i + 1) {
                    Some(Piece::Sign(c @ ('\u{20ac}' | '\u{a3}'))) => Some(*c),
                    _ => None,
                })?;
                return Some((self.amount(f, c)?, k + 1));
            }
            Piece::Space => return None,
        };
        Self::currency(c)?;
        let f = self.fig(at)?;
        let mut j = at + 1;
        let (_, many, _, _) = Self::currency(c)?;
        let k = self.gap(j);
        let scale = self.word(k).and_then(|w| {
            Some(match w {
                "million" | "m" => "million",
                "billion" | "bn" => "billion",
                "thousand" | "k" | "K" => "thousand",
                _ => return None,
            })
        });
        let mut said = match scale {
            Some(scale) => {
                j = k + 1;
                format!("{} {scale} {many}", self.number(f))
            }
            None => self.amount(f, c)?,
        };
        // "$5-$7", "£10-20"
        if self.is(j, '-')
            && (self.fig(j + 1).is_some() || (self.is(j + 1, c) && self.fig(j + 2).is_some()))
        {
            if self.fig(j + 1).is_some() {
                let (second, next) = (self.fig(j + 1)?, j + 2);
                said = format!("{} to {}", self.number(f), self.amount(second, c)?);
                return Some((said, next));
            }
            said.push_str(" to ");
            return Some((said, j + 1));
        }
        Some((said, j))
    }

    fn amount(&self, figure: &str, c: char) -> Option<String> {
        let (one, many, cent, cents) = Self::currency(c)?;
        let bare = figure.replace(',', "");
        let (whole, part) = bare.split_once('.').unwrap_or((&bare, ""));
        let whole: u64 = whole.parse().ok()?;
        if part.len() > 2 || cent.is_empty() && !part.is_empty() {
            return Some(format!("{} {many}", self.number(figure)));
        }
        let part: u64 = match part.len() {
            0 => 0,
            1 => part.parse::<u64>().ok()? * 10,
            _ => part.parse().ok()?,
        };
        let major = format!(
            "{} {}",
            self.cardinal(whole),
            if whole == 1 { one } else { many }
        );
        let minor = format!(
            "{} {}",
            self.cardinal(part),
            if part == 1 { cent } else { cents }
        );
        Some(match (whole, part) {
            (_, 0) => major,
            (0, _) => minor,
            _ => format!("{major} and {minor}"),
        })
    }

    /// Telephone numbers: two or more groups of digits, ten digits or more, or seven with a dash; and those that begin with a plus.
    fn telephone(&self, i: usize) -> Option<(String, usize)> {
        let plus = self.is(i, '+');
        let mut j = i + usize::from(plus);
        let mut groups: Vec<&str> = vec![];
        let mut dashed = false;
        loop {
            let open = self.is(j, '(');
            let k = j + usize::from(open);
            let Some(f) = self.fig(k).filter(|f| !f.contains(['.', ','])) else {
                break;
            };
            groups.push(f);
            j = k + 1;
            if open {
                if !self.is(j, ')') {
                    return None;
                }
                j += 1;
            }
            let next = match self.p.get(j) {
                Some(Piece::Space) => self.gap(j),
                Some(Piece::Sign('-')) => j + 1,
                _ => break,
            };
            let goes_on = self.fig(next).is_some_and(|f| !f.contains(['.', ',']))
                || (self.is(next, '(') && self.fig(next + 1).is_some());
            if !goes_on {
                break;
            }
            dashed |= self.is(j, '-');
            j = next;
        }
        let total: usize = groups.iter().map(|g| g.len()).sum();
        let shaped = plus && total >= 8
            || groups.len() >= 2 && total >= 10 && groups.iter().all(|g| g.len() >= 2)
            || groups.len() == 2 && dashed && groups[0].len() == 3 && groups[1].len() == 4
            || groups.len() == 1 && total >= 10;
        if !shaped || groups.is_empty() {
            return None;
        }
        let said: Vec<String> = groups.iter().flat_map(|g| grouped(g)).collect();
        Some((
            format!("{}{}", if plus { "plus " } else { "" }, said.join(", ")),
            j,
        ))
    }

    /// References of letters and digits together ("LP-4471", "SW1A 1AA"), said one by one.
    fn reference(&self, i: usize) -> Option<(String, usize)> {
        if !matches!(
            self.before(i),
            None | Some(Piece::Space | Piece::Sign('(' | '#' | '"' | ':' | '\''))
        ) {
            return None;
        }
        let mut end = i;
        while end < self.p.len() {
            match &self.p[end] {
                Piece::Word(w) if w.chars().all(|c| c.is_ascii_uppercase()) && w.len() <= 8 => {}
                Piece::Figure(f) if !f.contains(['.', ',']) => {}
                Piece::Sign('-' | '/')
                    if end > i
                        && matches!(
                            self.p.get(end + 1),
                            Some(Piece::Word(_) | Piece::Figure(_))
                        ) => {}
                _ => break,
            }
            end += 1;
        }
        if matches!(self.p.get(end), Some(Piece::Word(_) | Piece::Figure(_))) {
            return None;
        }
        let parts = &self.p[i..end];
        let letters = parts.iter().filter(|p| matches!(p, Piece::Word(_))).count();
        let figures = parts
            .iter()
            .filter(|p| matches!(p, Piece::Figure(_)))
            .count();
        // "10GB" is an amount.
        let measure = matches!(parts, [Piece::Figure(_), Piece::Word(w)] if matches!(w.as_str(), "GB" | "MB" | "KB" | "TB" | "KM" | "K" | "M"));
        if letters == 0 || figures == 0 || measure {
            return None;
        }
        let mut groups: Vec<String> = vec![];
        let mut current: Vec<String> = vec![];
        for p in parts {
            match p {
                Piece::Word(w) => current.extend(w.chars().map(|c| c.to_string())),
                Piece::Figure(f) => current.extend(
                    f.chars()
                        .filter_map(|c| c.to_digit(10))
                        .map(|d| UNITS[d as usize].to_owned()),
                ),
                _ => groups.push(std::mem::take(&mut current).join(" ")),
            }
        }
        groups.push(current.join(" "));
        Some((groups.join(", "), end))
    }

    /// Ordinals, percentages, ranges, plain numbers; strings of digits that are no number.
    fn figure(&self, i: usize) -> Option<(String, usize)> {
        let f = self.fig(i)?;
        let bare = f.replace(',', "");
        let minus = if self.is(i.wrapping_sub(1), '-')
            && matches!(self.before(i.wrapping_sub(1)), None | Some(Piece::Space))
            && i > 0
        {
            "minus "
        } else {
            ""
        };
        if let Some(w) = self.word(i + 1)
            && ["st", "nd", "rd", "th"].contains(&w)
        {
            return Some((ordinal(bare.parse().ok()?), i + 2));
        }
        if self.is(i + 1, '%') {
            return Some((format!("{minus}{} percent", self.number(f)), i + 2));
        }
        // "5-7 days", "5 - 7"
        let dash = self.gap(i + 1);
        if self.is(dash, '-')
            && let Some(second) = self.fig(self.gap(dash + 1))
            && bare.len() <= 4
            && second.len() <= 6
            && (dash > i + 1) == (self.gap(dash + 1) > dash + 1)
            && !self.is(self.gap(dash + 1) + 1, '-')
        {
            return Some((format!("{} to ", self.number(f)), self.gap(dash + 1)));
        }
        // "30-day": said without the dash.
        let named_before = self
            .out
            .split_whitespace()
            .rev()
            .take(3)
            .map(|w| w.trim_matches([',', ':', '.']).to_lowercase())
            .collect::<Vec<_>>();
        let coded = !f.contains(['.', ','])
            && named_before.iter().any(|w| {
                matches!(
                    w.as_str(),
                    "ending"
                        | "ends"
                        | "reference"
                        | "code"
                        | "digits"
                        | "account"
                        | "pin"
                        | "zip"
                        | "postcode"
                )
            })
            && f.len() >= 3;
        if coded
            || (!f.contains(['.', ',']) && ((f.starts_with('0') && f.len() > 1) || f.len() >= 6))
        {
            return Some((grouped(f).join(", "), i + 1));
        }
        // "in 2026", "since 1999"
        if f.len() == 4
            && !f.contains(['.', ','])
            && ("1900".."2100").contains(&f)
            && named_before.first().is_some_and(|w| {
                matches!(
                    w.as_str(),
                    "in" | "since" | "until" | "from" | "of" | "year" | "by"
                )
            })
            && !matches!(self.p.get(self.gap(i + 1)), Some(Piece::Word(w)) if !matches!(w.as_str(), "and" | "or" | "the" | "to" | "you" | "we" | "for" | "with"))
        {
            return Some((self.year(bare.parse().ok()?), i + 1));
        }
        let mut said = format!("{minus}{}", self.number(f));
        let mut next = i + 1;
        if self.is(next, '-') && matches!(self.p.get(next + 1), Some(Piece::Word(_))) {
            said.push(' ');
            next += 1;
        }
        Some((said, next))
    }

    /// A written number: grouping commas, decimals digit by digit.
    fn number(&self, figure: &str) -> String {
        let bare = figure.replace(',', "");
        let (whole, part) = bare.split_once('.').unwrap_or((&bare, ""));
        let Ok(v) = whole.parse::<u64>() else {
            return digits(&bare);
        };
        if part.is_empty() {
            self.cardinal(v)
        } else {
            format!("{} point {}", self.cardinal(v), digits(part))
        }
    }

    pub(super) fn cardinal(&self, v: u64) -> String {
        cardinal(v, !self.american)
    }
}
