//! Reading pieces of text: figures in all their shapes, abbreviations and signs.

use super::Piece;

pub(super) struct Reader<'a> {
    p: &'a [Piece],
    american: bool,
    out: String,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = [
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];

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

    fn word(&self, i: usize) -> Option<&'a str> {
        match self.p.get(i)? {
            Piece::Word(w) => Some(w),
            _ => None,
        }
    }
    fn fig(&self, i: usize) -> Option<&'a str> {
        match self.p.get(i)? {
            Piece::Figure(f) => Some(f),
            _ => None,
        }
    }
    fn is(&self, i: usize, c: char) -> bool {
        self.p.get(i) == Some(&Piece::Sign(c))
    }
    fn gap(&self, i: usize) -> usize {
        i + usize::from(self.p.get(i) == Some(&Piece::Space))
    }
    fn before(&self, i: usize) -> Option<&'a Piece> {
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

    /// E-mail and web addresses.
    fn address(&self, i: usize) -> Option<(String, usize)> {
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

    fn said_date(&self, day: u64, month: usize, year: Option<u64>) -> Option<String> {
        let name = MONTHS.get(month.checked_sub(1)?)?;
        if !(1..=31).contains(&day) {
            return None;
        }
        let mut said = if self.american {
            format!("{name} {}", ordinal(day))
        } else {
            format!("the {} of {name}", ordinal(day))
        };
        if let Some(y) = year {
            said.push_str(if self.american { ", " } else { " " });
            said.push_str(&self.year(y));
        }
        Some(said)
    }

    fn year(&self, y: u64) -> String {
        match (y / 100, y % 100) {
            (20, r) if r < 10 => self.cardinal(y),
            (_, _) if y < 1000 || y > 2999 => self.cardinal(y),
            (c, 0) => format!("{} hundred", self.cardinal(c)),
            (c, r) if r < 10 => format!("{} oh {}", self.cardinal(c), self.cardinal(r)),
            (c, r) => format!("{} {}", self.cardinal(c), self.cardinal(r)),
        }
    }

    fn date(&self, i: usize) -> Option<(String, usize)> {
        // 2026-12-03, with or without a time after it
        if let (Some(y), true, Some(m), true, Some(d)) = (
            self.fig(i),
            self.is(i + 1, '-'),
            self.fig(i + 2),
            self.is(i + 3, '-'),
            self.fig(i + 4),
        ) && y.len() == 4
            && m.len() == 2
        {
            return Some((
                self.said_date(d.parse().ok()?, m.parse().ok()?, y.parse().ok())?,
                i + 5,
            ));
        }
        // 3/12/2026 and 3/12
        if let (Some(a), true, Some(b)) = (self.fig(i), self.is(i + 1, '/'), self.fig(i + 2))
            && a.len() <= 2
            && b.len() <= 2
            && !self.is(i + 3, '%')
        {
            let (a, b): (u64, u64) = (a.parse().ok()?, b.parse().ok()?);
            if (a, b) == (24, 7) {
                return Some(("twenty-four seven".into(), i + 3));
            }
            let (mut day, mut month) = if self.american { (b, a) } else { (a, b) };
            if month > 12 {
                std::mem::swap(&mut day, &mut month);
            }
            let year = self
                .fig(i + 4)
                .filter(|y| self.is(i + 3, '/') && matches!(y.len(), 2 | 4));
            if year.is_some() || (a > 9 || b > 9) {
                let full = year
                    .and_then(|y| y.parse::<u64>().ok())
                    .map(|y| if y < 100 { 2000 + y } else { y });
                let said = self.said_date(day, month as usize, full)?;
                return Some((said, i + if full.is_some() { 5 } else { 3 }));
            }
        }
        // 3 December 2026, 3rd of Dec
        if let Some(d) = self.fig(i).filter(|d| d.len() <= 2) {
            let mut j = i + 1;
            if self
                .word(j)
                .is_some_and(|w| ["st", "nd", "rd", "th"].contains(&w))
            {
                j += 1;
            }
            j = self.gap(j);
            if self.word(j) == Some("of") {
                j = self.gap(j + 1);
            }
            let (month, mut j) = self.month(j)?;
            let mut year = None;
            let k = self.gap(if self.is(j, ',') { j + 1 } else { j });
            if let Some(y) = self.fig(k).filter(|y| y.len() == 4 && !y.contains('.')) {
                year = y.parse().ok();
                j = k + 1;
            }
            let mut said = self.said_date(d.parse().ok()?, month, year)?;
            // "the 3rd of December" has its article already.
            if self.out.trim_end().ends_with(" the")
                || self.out.trim_end() == "the"
                || self.out.trim_end() == "The"
            {
                said = said
                    .strip_prefix("the ")
                    .map_or_else(|| said.clone(), str::to_owned);
                if self.american {
                    said = format!("{} of {}", ordinal(d.parse().ok()?), MONTHS[month - 1]);
                    if let Some(y) = year {
                        said.push_str(&format!(", {}", self.year(y)));
                    }
                }
            }
            return Some((said, j));
        }
        // Dec 3, 2026 and December 2026
        let (month, j) = self.month(i)?;
        let k = self.gap(j);
        let f = self.fig(k)?;
        if f.len() == 4 && !f.contains(['.', ',']) {
            return Some((
                format!("{} {}", MONTHS[month - 1], self.year(f.parse().ok()?)),
                k + 1,
            ));
        }
        let d: u64 = f.parse().ok().filter(|d| (1..=31).contains(d))?;
        // "May 10%" is no date.
        let mut j = k + 1;
        if self
            .word(j)
            .is_some_and(|w| ["st", "nd", "rd", "th"].contains(&w))
        {
            j += 1;
        } else if matches!(self.p.get(j), Some(Piece::Word(_) | Piece::Sign('%' | ':'))) {
            return None;
        }
        let comma = self.gap(if self.is(j, ',') { j + 1 } else { j });
        let mut year = None;
        if let Some(y) = self.fig(comma).filter(|y| y.len() == 4 && !y.contains('.')) {
            year = y.parse().ok();
            j = comma + 1;
        }
        Some((self.said_date(d, month, year)?, j))
    }

    /// A month and the piece after it, with the stop of an abbreviation.
    fn month(&self, i: usize) -> Option<(usize, usize)> {
        let w = self.word(i)?;
        if !w.starts_with(char::is_uppercase) {
            return None;
        }
        let lower = w.to_lowercase();
        let month = MONTHS.iter().position(|m| {
            let m = m.to_lowercase();
            m == lower
                || (lower.len() == 3 && m.starts_with(&lower))
                || (lower == "sept" && m == "september")
        })? + 1;
        let short = lower.len() <= 4 && lower != "may" && lower != "june" && lower != "july";
        Some((
            month,
            if short && self.is(i + 1, '.') {
                i + 2
            } else {
                i + 1
            },
        ))
    }

    /// "3:30 pm", "15:00", "9am", "T17:00:00Z".
    fn clock(&self, i: usize) -> Option<(String, usize)> {
        let h: u64 = self.fig(i).filter(|h| h.len() <= 2)?.parse().ok()?;
        let mut j = i + 1;
        let mut minute = None;
        if self.is(j, ':')
            && let Some(m) = self.fig(j + 1).filter(|m| m.len() == 2)
        {
            minute = Some(m.parse::<u64>().ok()?);
            j += 2;
            if self.is(j, ':') && self.fig(j + 1).is_some_and(|s| s.len() == 2) {
                j += 2;
            }
        }
        let (half, after) = self.half(self.gap(j));
        let range = half.is_none() && minute.is_none() && self.is(j, '-') && {
            // "9-5pm": the first number is a time too.
            let k = j + 1;
            self.fig(k).is_some() && self.half(self.gap(k + 1)).0.is_some()
        };
        if range {
            return Some((format!("{} to ", self.cardinal(h)), j + 1));
        }
        if h > 24 || minute.is_some_and(|m| m > 59) || (half.is_none() && minute.is_none()) {
            return None;
        }
        let j = if half.is_some() { after } else { j };
        let mut said = match (half, h, minute.unwrap_or(0)) {
            (None, 0 | 24, 0) => "midnight".to_owned(),
            (None, 12, 0) => "noon".to_owned(),
            (half, h, m) => {
                let (h12, half) = match (half, h) {
                    (Some(half), h) => (h, half),
                    (None, 0 | 24) => (12, "a m"),
                    (None, h) if h > 12 => (h - 12, "p m"),
                    (None, 12) => (12, "p m"),
                    (None, h) => (
                        h,
                        if self.fig(i).is_some_and(|f| f.starts_with('0')) || h >= 7 {
                            "a m"
                        } else {
                            ""
                        },
                    ),
                };
                let minutes = match m {
                    0 => String::new(),
                    m if m < 10 => format!(" oh {}", self.cardinal(m)),
                    m => format!(" {}", self.cardinal(m)),
                };
                format!("{}{minutes} {half}", self.cardinal(h12))
                    .trim_end()
                    .to_owned()
            }
        };
        // "8:00-20:00"
        if self.is(j, '-') && self.fig(j + 1).is_some() {
            said.push_str(" to ");
            return Some((said, j + 1));
        }
        Some((said, j))
    }

    fn half(&self, i: usize) -> (Option<&'static str>, usize) {
        let Some(w) = self.word(i) else {
            return (None, i);
        };
        let lower = w.to_lowercase();
        match lower.as_str() {
            "am" => (Some("a m"), i + 1),
            "pm" => (Some("p m"), i + 1),
            "a" | "p"
                if self.is(i + 1, '.')
                    && self
                        .word(i + 2)
                        .is_some_and(|w| w.eq_ignore_ascii_case("m")) =>
            {
                let end = if self.is(i + 3, '.')
                    && !matches!(self.p.get(i + 4), None)
                    && !self.sentence_starts(i + 4)
                {
                    i + 4
                } else {
                    i + 3
                };
                (Some(if lower == "a" { "a m" } else { "p m" }), end)
            }
            _ => (None, i),
        }
    }

    /// What follows a stop begins a sentence, so the stop is one.
    fn sentence_starts(&self, i: usize) -> bool {
        matches!(self.p.get(i), Some(Piece::Space))
            && self
                .word(i + 1)
                .is_some_and(|w| w.starts_with(char::is_uppercase))
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

    fn abbreviation(&self, i: usize) -> Option<(String, usize)> {
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

    fn cardinal(&self, v: u64) -> String {
        cardinal(v, !self.american)
    }
}

fn text(p: &Piece) -> String {
    match p {
        Piece::Word(s) | Piece::Figure(s) => s.clone(),
        Piece::Sign(c) => c.to_string(),
        Piece::Space => " ".into(),
    }
}

fn spelled(word: &str) -> String {
    let letters: Vec<String> = word
        .chars()
        .map(|c| c.to_ascii_uppercase().to_string())
        .collect();
    letters.join(" ")
}

/// Digits one by one.
pub(super) fn digits(figure: &str) -> String {
    let said: Vec<&str> = figure
        .chars()
        .filter_map(|c| c.to_digit(10))
        .map(|d| UNITS[d as usize])
        .collect();
    said.join(" ")
}

/// Digits one by one in groups a listener can write down: threes and fours.
fn grouped(figure: &str) -> Vec<String> {
    let n = figure.len();
    if n <= 4 || !figure.is_ascii() {
        return vec![digits(figure)];
    }
    let mut out = vec![];
    let mut i = 0;
    while i < n {
        let left = n - i;
        let take = if left == 4 || (left % 4 == 0 && n % 4 == 0) {
            4
        } else {
            left.min(3)
        };
        out.push(digits(&figure[i..i + take]));
        i += take;
    }
    out
}

fn cardinal(v: u64, and: bool) -> String {
    match v {
        0..20 => UNITS[v as usize].to_owned(),
        20..100 => {
            let tens = TENS[(v / 10) as usize];
            if v % 10 == 0 {
                tens.to_owned()
            } else {
                format!("{tens}-{}", UNITS[(v % 10) as usize])
            }
        }
        100..1000 => {
            let head = format!("{} hundred", UNITS[(v / 100) as usize]);
            match v % 100 {
                0 => head,
                r => format!(
                    "{head}{}{}",
                    if and { " and " } else { " " },
                    cardinal(r, and)
                ),
            }
        }
        _ => {
            let (by, name) = match v {
                0..1_000_000 => (1000, "thousand"),
                0..1_000_000_000 => (1_000_000, "million"),
                0..1_000_000_000_000 => (1_000_000_000, "billion"),
                _ => (1_000_000_000_000, "trillion"),
            };
            let head = format!("{} {name}", cardinal(v / by, and));
            match v % by {
                0 => head,
                r => format!(
                    "{head}{}{}",
                    if and && r < 100 { " and " } else { " " },
                    cardinal(r, and)
                ),
            }
        }
    }
}

fn ordinal(v: u64) -> String {
    let said = cardinal(v, false);
    let (head, last) = said
        .rfind([' ', '-'])
        .map_or(("", said.as_str()), |i| said.split_at(i + 1));
    let last = match last {
        "one" => "first".to_owned(),
        "two" => "second".to_owned(),
        "three" => "third".to_owned(),
        "five" => "fifth".to_owned(),
        "eight" => "eighth".to_owned(),
        "nine" => "ninth".to_owned(),
        "twelve" => "twelfth".to_owned(),
        w if w.ends_with('y') => format!("{}ieth", &w[..w.len() - 1]),
        w => format!("{w}th"),
    };
    format!("{head}{last}")
}
