//! Postcodes. The shape of a country's postcode decides between readings of what was heard: "to" is a 2 where a digit must
//! stand, "o" a letter where a letter must.

use super::Locale;
use super::spell::{Unit, confusable, runs};
use super::token::{Token, corrected, tokens};

/// The postcode said, in its country's written form: US ZIP (`90210`, `90210-1234`), UK (`SW1A 1AA`), Canadian (`K1A 0B1`).
/// Elsewhere: the digits said, four to six of them.
pub fn postcode(text: &str, locale: &Locale) -> Option<String> {
    let shape = Shape::of(locale.country());
    let all = tokens(text);
    let t = corrected(&all, |t| best(t, shape).is_some());
    best(&t, shape).map(|code| shape.written(&code))
}

/// `a` and `b` are postcodes one slip of a recogniser apart: the same but for one character whose name sounds like another's.
pub(super) fn one_slip(a: &str, b: &str) -> bool {
    let bare = |s: &str| -> Vec<char> {
        s.chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_uppercase())
            .collect()
    };
    let (a, b) = (bare(a), bare(b));
    let differ: Vec<_> = a.iter().zip(&b).filter(|(a, b)| a != b).collect();
    a.len() == b.len() && differ.len() == 1 && confusable(*differ[0].0, *differ[0].1)
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Us,
    Gb,
    Ca,
    /// Digits, at least and at most so many.
    Digits(usize, usize),
}

fn best(t: &[Token], shape: Shape) -> Option<String> {
    let mut found: Option<(u32, String)> = None;
    for run in runs(t) {
        for from in 0..run.len() {
            // What is left out before the code must be words that spell nothing by themselves.
            if from > 0 && !run[from - 1].weak {
                break;
            }
            search(&run[from..], shape, String::new(), 0, &mut found);
        }
    }
    found.map(|(_, code)| code)
}

fn search(
    units: &[Unit],
    shape: Shape,
    code: String,
    cost: u32,
    found: &mut Option<(u32, String)>,
) {
    if found.as_ref().is_some_and(|(best, _)| cost >= *best) {
        return;
    }
    if shape.whole(&code) && units.iter().all(|u| u.weak) {
        // A homophone left over at the end costs, so that "1 a b and you" is not cut short where it could be read whole.
        *found = Some((cost + u32::from(!units.is_empty()), code));
        return;
    }
    let Some((unit, rest)) = units.split_first() else {
        return;
    };
    for (reading, more) in &unit.readings {
        let longer = format!("{code}{reading}");
        if shape.begins(&longer) {
            search(rest, shape, longer, cost + more, found);
        }
        // V and 5 are one sound on a bad line; only the shape can tell them apart.
        if reading == "V" {
            let longer = format!("{code}5");
            if shape.begins(&longer) {
                search(rest, shape, longer, cost + 3, found);
            }
        }
    }
    if unit.soft {
        search(rest, shape, code, cost + 3, found);
    }
}

impl Shape {
    fn of(country: &str) -> Self {
        match country {
            "US" | "PR" => Shape::Us,
            "GB" | "UK" | "JE" | "GG" | "IM" => Shape::Gb,
            "CA" => Shape::Ca,
            "DE" | "FR" | "ES" | "IT" | "FI" | "SE" | "MX" => Shape::Digits(5, 5),
            "AU" | "NZ" | "BE" | "AT" | "CH" | "DK" | "NO" | "ZA" | "LU" => Shape::Digits(4, 4),
            _ => Shape::Digits(4, 6),
        }
    }

    fn patterns(self) -> &'static [&'static str] {
        match self {
            Shape::Us => &["99999", "999999999"],
            // Royal Mail's Programmers' Guide: A9, A99, A9A, AA9, AA99, AA9A outward; 9AA inward.
            Shape::Gb => &["A99ii", "A999ii", "A9A9ii", "AA99ii", "AA999ii", "AA9A9ii"],
            // Canada Post: no D, F, I, O, Q or U.
            Shape::Ca => &["C9C9C9"],
            Shape::Digits(..) => &[],
        }
    }

    fn fits(self, code: &str, whole: bool) -> bool {
        if let Shape::Digits(least, most) = self {
            return code.chars().all(|c| c.is_ascii_digit())
                && code.len() <= most
                && (!whole || code.len() >= least);
        }
        self.patterns().iter().any(|p| {
            (if whole {
                p.len() == code.len()
            } else {
                p.len() >= code.len()
            }) && code.chars().zip(p.chars()).all(|(c, p)| match p {
                '9' => c.is_ascii_digit(),
                'A' => c.is_ascii_uppercase(),
                'i' => c.is_ascii_uppercase() && !"CIKMOV".contains(c),
                'C' => c.is_ascii_uppercase() && !"DFIOQU".contains(c),
                _ => false,
            }) && (self != Shape::Gb || area_fits(code, p))
        })
    }

    fn begins(self, code: &str) -> bool {
        self.fits(code, false)
    }

    fn whole(self, code: &str) -> bool {
        !code.is_empty() && self.fits(code, true)
    }

    fn written(self, code: &str) -> String {
        match self {
            Shape::Us if code.len() == 9 => format!("{}-{}", &code[..5], &code[5..]),
            Shape::Gb | Shape::Ca => {
                let (out, inward) = code.split_at(code.len() - 3);
                format!("{out} {inward}")
            }
            _ => code.to_owned(),
        }
    }
}

/// The letters at the head of a UK postcode name one of 124 areas.
fn area_fits(code: &str, pattern: &str) -> bool {
    let letters = pattern.chars().take_while(|c| *c == 'A').count();
    if code.len() < letters {
        return AREAS
            .iter()
            .any(|a| a.len() == letters && a.starts_with(code));
    }
    AREAS.contains(&&code[..letters])
}

const AREAS: [&str; 124] = [
    "AB", "AL", "B", "BA", "BB", "BD", "BH", "BL", "BN", "BR", "BS", "BT", "CA", "CB", "CF", "CH",
    "CM", "CO", "CR", "CT", "CV", "CW", "DA", "DD", "DE", "DG", "DH", "DL", "DN", "DT", "DY", "E",
    "EC", "EH", "EN", "EX", "FK", "FY", "G", "GL", "GU", "GY", "HA", "HD", "HG", "HP", "HR", "HS",
    "HU", "HX", "IG", "IM", "IP", "IV", "JE", "KA", "KT", "KW", "KY", "L", "LA", "LD", "LE", "LL",
    "LN", "LS", "LU", "M", "ME", "MK", "ML", "N", "NE", "NG", "NN", "NP", "NR", "NW", "OL", "OX",
    "PA", "PE", "PH", "PL", "PO", "PR", "RG", "RH", "RM", "S", "SA", "SE", "SG", "SK", "SL", "SM",
    "SN", "SO", "SP", "SR", "SS", "ST", "SW", "SY", "TA", "TD", "TF", "TN", "TQ", "TR", "TS", "TW",
    "UB", "W", "WA", "WC", "WD", "WF", "WN", "WR", "WS", "WV", "YO", "ZE",
];
