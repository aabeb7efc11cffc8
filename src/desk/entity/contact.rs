//! E-mail addresses and telephone numbers.

use super::Locale;
use super::number::{small, tens};
use super::spell::digits;
use super::token::{Token, corrected, tokens};

/// The e-mail address said or written, lower case: "joe dot smith at gmail dot com".
pub fn email(text: &str) -> Option<String> {
    let all = tokens(text);
    let t = corrected(&all, |t| email_of(t).is_some());
    email_of(&t)
}

fn email_of(t: &[Token]) -> Option<String> {
    t.iter()
        .enumerate()
        .rev()
        .filter(|(_, t)| t.is("@") || t.is("at"))
        .find_map(|(i, _)| {
            let domain = domain(&t[i + 1..])?;
            let local = local(&t[..i])?;
            Some(format!("{local}@{domain}"))
        })
}

/// Host names are one word a label: "g mail dot co dot uk".
fn domain(t: &[Token]) -> Option<String> {
    let mut labels = vec![String::new()];
    for (i, token) in t.iter().enumerate() {
        let word = token.text.as_str();
        match word {
            "dot" | "point" => labels.push(String::new()),
            // A full stop inside an address is followed directly by the next label.
            "." => {
                if t.get(i + 1)
                    .is_some_and(|n| n.glued && (n.is_word() || n.is_figure()))
                {
                    labels.push(String::new());
                } else {
                    break;
                }
            }
            "dash" | "hyphen" | "-" => labels.last_mut()?.push('-'),
            "," => {}
            _ => {
                // A word after a complete ending is the rest of the sentence; "co uk" wants its dot.
                let ended =
                    labels.len() > 1 && labels.last().is_some_and(|l| TOPS.contains(&l.as_str()));
                if ended && labels.last().is_some_and(|l| l == "co") && word == "uk" {
                    labels.push(String::new());
                } else if ended {
                    break;
                }
                let last = labels.last_mut()?;
                last.push_str(&piece(token)?);
            }
        }
    }
    let labels: Vec<String> = labels
        .into_iter()
        .map(|l| l.trim_matches('-').to_owned())
        .collect();
    let top = labels.last()?;
    (labels.len() >= 2
        && labels.iter().all(|l| !l.is_empty() && l.is_ascii())
        && (2..=12).contains(&top.len())
        && top.chars().all(|c| c.is_ascii_alphabetic()))
    .then(|| labels.join("."))
}

const TOPS: [&str; 14] = [
    "com", "org", "net", "uk", "edu", "gov", "io", "ie", "eu", "us", "ca", "au", "info", "co",
];

fn local(t: &[Token]) -> Option<String> {
    let mut parts: Vec<String> = vec![];
    let mut joined = true;
    for (i, token) in t.iter().enumerate().rev() {
        let word = token.text.as_str();
        let text = match word {
            "dot" | "point" | "." => ".".to_owned(),
            "underscore" | "_" => "_".to_owned(),
            "dash" | "hyphen" | "minus" | "-" => "-".to_owned(),
            "plus" | "+" => "+".to_owned(),
            "," | "'" => continue,
            "all" | "lowercase" | "word" | "together" | "capital" | "number" => continue,
            "one" if t.get(i + 1).is_some_and(|n| n.is("word")) => continue,
            "is" | "it's" | "its" | "email" | "address" | "mail" | "that's" | "to" | "my"
            | "e-mail" | "yes" | "yeah" | "sure" | "on" | "use" | ":" | "the" => break,
            "me" if !parts.is_empty() => break,
            _ if token.is_word() || token.is_figure() => {
                // "joe smith at" is joesmith; so is "j smith". A sentence before it is cut at its small words above.
                joined = true;
                piece(token)?
            }
            _ => break,
        };
        if word == "." && !t.get(i + 1).is_some_and(|n| n.glued) {
            break;
        }
        parts.push(text);
    }
    if !joined {
        return None;
    }
    parts.reverse();
    let mut local = String::new();
    let mut doubled = 1;
    for part in parts {
        match part.as_str() {
            "double" => doubled = 2,
            "triple" => doubled = 3,
            _ => {
                local.push_str(&part.repeat(doubled));
                doubled = 1;
            }
        }
    }
    let local = local.trim_matches(['.', '-']).to_owned();
    (!local.is_empty() && local.is_ascii() && local.len() <= 64).then_some(local)
}

fn piece(token: &Token) -> Option<String> {
    let word = token.text.as_str();
    if let Some(v) = small(word).or_else(|| tens(word)) {
        return Some(v.to_string());
    }
    word.chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '\'' || c == '.')
        .then(|| word.replace('\'', ""))
}

/// The telephone number said, in E.164 by the locale's country.
pub fn phone(text: &str, locale: &Locale) -> Option<String> {
    let t = tokens(text);
    let plus = t.iter().any(|t| t.any(&["+", "plus"]));
    let digits = digits(text)?;
    let raw = if plus { format!("+{digits}") } else { digits };
    e164(&raw, locale.country())
}

/// A number from signalling in E.164: "+15551234567", "0015551234567", "5551234567" (US), "07700900123" (GB), the user part of a
/// `sip:` or `tel:` address. None where it is withheld, an extension, or no telephone number.
pub fn e164(raw: &str, country: &str) -> Option<String> {
    let raw = raw.trim();
    let raw = raw.rsplit_once('<').map_or(raw, |(_, r)| r);
    let lower = raw.to_ascii_lowercase();
    let user = lower
        .strip_prefix("sips:")
        .or_else(|| lower.strip_prefix("sip:"))
        .or_else(|| lower.strip_prefix("tel:"))
        .unwrap_or(&lower);
    let user = user
        .split(['@', ';', '>'])
        .next()?
        .trim()
        .replace("%2b", "+");
    let plus = user.starts_with('+');
    if !user
        .chars()
        .all(|c| c.is_ascii_digit() || "+ -().".contains(c))
        || user.matches('+').count() > 1
    {
        return None;
    }
    // "+44 (0)20 7946 0018": the zero in brackets is for callers at home.
    let user = if plus { user.replace("(0)", "") } else { user };
    let digits: String = user.chars().filter(char::is_ascii_digit).collect();
    let international =
        |d: &str| ((8..=15).contains(&d.len()) && !d.starts_with('0')).then(|| format!("+{d}"));
    if plus {
        return international(&digits);
    }
    let plan = plan(country)?;
    if let Some(rest) = plan
        .exit
        .iter()
        .find_map(|p| digits.strip_prefix(p))
        .filter(|r| r.len() >= 8)
    {
        return international(rest);
    }
    if country != "IT"
        && let Some(rest) = digits
            .strip_prefix(plan.trunk)
            .filter(|_| !plan.trunk.is_empty())
    {
        if plan.national.contains(&rest.len()) {
            return international(&format!("{}{rest}", plan.code));
        }
        if plan.trunk != plan.code {
            return None;
        }
    }
    if plan.code == "1" {
        // North American numbers: area code and exchange begin with 2 to 9.
        let fine = |i: usize| {
            digits
                .as_bytes()
                .get(i)
                .is_some_and(|c| (b'2'..=b'9').contains(c))
        };
        return (digits.len() == 10 && fine(0) && fine(3)).then(|| format!("+1{digits}"));
    }
    // With its country code already, or a national number without its leading zero.
    if let Some(rest) = digits.strip_prefix(plan.code)
        && plan.national.contains(&rest.len())
        && !plan.national.contains(&digits.len())
    {
        return international(&digits);
    }
    (plan.national.contains(&digits.len())).then(|| format!("+{}{digits}", plan.code))
}

/// How a country dials (ITU-T E.164 and each regulator's plan).
/// The country's calling code, digits only; none where the country's number plan is not known here.
pub fn calling_code(country: &str) -> Option<&'static str> {
    plan(country).map(|plan| plan.code)
}

struct Plan {
    code: &'static str,
    trunk: &'static str,
    exit: &'static [&'static str],
    /// Length of a national number without the trunk digit.
    national: std::ops::RangeInclusive<usize>,
}

fn plan(country: &str) -> Option<Plan> {
    let (code, trunk, exit, national): (_, _, &'static [&'static str], _) = match country {
        "US" | "CA" | "PR" => ("1", "1", &["011", "00"], 10..=10),
        "GB" | "JE" | "GG" | "IM" => ("44", "0", &["00"], 9..=10),
        "IE" => ("353", "0", &["00"], 8..=9),
        "AU" => ("61", "0", &["0011", "00"], 9..=9),
        "NZ" => ("64", "0", &["00"], 8..=10),
        "IN" => ("91", "0", &["00"], 10..=10),
        "ZA" => ("27", "0", &["00"], 9..=9),
        "DE" => ("49", "0", &["00"], 7..=12),
        "AT" => ("43", "0", &["00"], 7..=12),
        "CH" => ("41", "0", &["00"], 9..=9),
        "FR" => ("33", "0", &["00"], 9..=9),
        "BE" => ("32", "0", &["00"], 8..=9),
        "NL" => ("31", "0", &["00"], 9..=9),
        "SE" => ("46", "0", &["00"], 7..=10),
        "FI" => ("358", "0", &["00"], 6..=11),
        "IT" => ("39", "", &["00"], 8..=11),
        "ES" => ("34", "", &["00"], 9..=9),
        "PT" => ("351", "", &["00"], 9..=9),
        "PL" => ("48", "", &["00"], 9..=9),
        "DK" => ("45", "", &["00"], 8..=8),
        "NO" => ("47", "", &["00"], 8..=8),
        "SG" => ("65", "", &["001", "00"], 8..=8),
        "HK" => ("852", "", &["001", "00"], 8..=8),
        "JP" => ("81", "0", &["010", "00"], 9..=10),
        "MX" => ("52", "", &["00"], 10..=10),
        "BR" => ("55", "0", &["00"], 10..=11),
        _ => return None,
    };
    Some(Plan {
        code,
        trunk,
        exit,
        national,
    })
}
