//! Dates and times of day, from their written shapes.

use super::Piece;
use super::figure::Reader;
use super::numerals::ordinal;

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

impl Reader<'_> {
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

    pub(super) fn year(&self, y: u64) -> String {
        match (y / 100, y % 100) {
            (20, r) if r < 10 => self.cardinal(y),
            (_, _) if !(1000..3000).contains(&y) => self.cardinal(y),
            (c, 0) => format!("{} hundred", self.cardinal(c)),
            (c, r) if r < 10 => format!("{} oh {}", self.cardinal(c), self.cardinal(r)),
            (c, r) => format!("{} {}", self.cardinal(c), self.cardinal(r)),
        }
    }

    pub(super) fn date(&self, i: usize) -> Option<(String, usize)> {
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
    pub(super) fn clock(&self, i: usize) -> Option<(String, usize)> {
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
                    && self.p.get(i + 4).is_some()
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
    pub(super) fn sentence_starts(&self, i: usize) -> bool {
        matches!(self.p.get(i), Some(Piece::Space))
            && self
                .word(i + 1)
                .is_some_and(|w| w.starts_with(char::is_uppercase))
    }
}
