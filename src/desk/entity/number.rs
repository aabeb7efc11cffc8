//! Cardinals and ordinals, in words or figures.

use super::token::{Token, corrected, tokens};

/// The first number said: "a hundred and five", "1,250.5", "two and a half", "twenty-three".
pub fn number(text: &str) -> Option<f64> {
    let all = tokens(text);
    let t = corrected(&all, |t| find(t).is_some());
    find(&t).map(|(value, _, _)| value)
}

/// The number of words that hold exactly one; "one" by itself is a pronoun as often as a number and does not count.
pub fn lone_number(text: &str) -> Option<f64> {
    let all = tokens(text);
    let t = corrected(&all, |t| find(t).is_some());
    let (value, from, to) = find(&t)?;
    let pronoun = to == from + 1 && t[from].is("one");
    // A figure straight after is part of something longer: a telephone number, a date.
    (find(&t[to..]).is_none() && !pronoun).then_some(value)
}

/// First cardinal or ordinal: value, first token, token after.
fn find(t: &[Token]) -> Option<(f64, usize, usize)> {
    (0..t.len()).find_map(|i| {
        if let Some((v, n)) = cardinal(t, i) {
            let minus = i > 0
                && (t[i - 1].is("minus") || (t[i - 1].is("-") && !t[i - 1].glued && t[i].glued));
            return Some((if minus { -v } else { v }, i, n));
        }
        ordinal(t, i).map(|(v, n)| (f64::from(v), i, n))
    })
}

/// Value below twenty.
pub(super) fn small(word: &str) -> Option<u32> {
    Some(match word {
        "zero" | "nought" | "naught" => 0,
        "one" => 1,
        "two" => 2,
        "three" => 3,
        "four" => 4,
        "five" => 5,
        "six" => 6,
        "seven" => 7,
        "eight" => 8,
        "nine" | "niner" => 9,
        "ten" => 10,
        "eleven" => 11,
        "twelve" => 12,
        "thirteen" => 13,
        "fourteen" => 14,
        "fifteen" => 15,
        "sixteen" => 16,
        "seventeen" => 17,
        "eighteen" => 18,
        "nineteen" => 19,
        _ => return None,
    })
}

/// Twenty to ninety.
pub(super) fn tens(word: &str) -> Option<u32> {
    Some(match word {
        "twenty" => 20,
        "thirty" => 30,
        "forty" | "fourty" => 40,
        "fifty" => 50,
        "sixty" => 60,
        "seventy" => 70,
        "eighty" => 80,
        "ninety" => 90,
        _ => return None,
    })
}

fn scale(word: &str) -> Option<f64> {
    Some(match word {
        "thousand" | "grand" => 1e3,
        "million" => 1e6,
        "billion" => 1e9,
        _ => return None,
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Last {
    None,
    Unit,
    Tens,
    Hundred,
    Scale,
    Figure,
}

/// Reads a cardinal at token `i`: its value and the token after it. Stops where the words stop being one number, so
/// "twelve fifty" is twelve.
pub(super) fn cardinal(t: &[Token], i: usize) -> Option<(f64, usize)> {
    if t.get(i)?.is("half")
        && t.get(i + 1).is_some_and(|t| t.is("a"))
        && let Some(by) = t.get(i + 2).and_then(|t| scale(&t.text))
    {
        return Some((by / 2.0, i + 3));
    }
    let (mut total, mut current, mut last) = (0.0, 0.0, Last::None);
    let mut j = i;
    let begins = |k: usize| {
        t.get(k).is_some_and(|t| {
            small(&t.text).is_some() || tens(&t.text).is_some() || (t.is_figure() && !t.ordinal)
        })
    };
    while let Some(token) = t.get(j) {
        let word = token.text.as_str();
        if token.is_figure() {
            if token.ordinal || !matches!(last, Last::None | Last::Hundred | Last::Scale) {
                break;
            }
            let value: f64 = word.parse().ok()?;
            // "2 thousand 500" is one number; "9 thousand 50000" is not.
            if (last == Last::Hundred && value >= 100.0) || (last == Last::Scale && value >= 1000.0)
            {
                break;
            }
            current += value;
            last = Last::Figure;
        } else if let Some(v) = small(word) {
            let fits = match last {
                Last::None | Last::Hundred | Last::Scale => true,
                Last::Tens => (1..10).contains(&v),
                _ => false,
            };
            if !fits {
                break;
            }
            current += f64::from(v);
            last = Last::Unit;
        } else if let Some(v) = tens(word) {
            if !matches!(last, Last::None | Last::Hundred | Last::Scale) {
                break;
            }
            current += f64::from(v);
            last = Last::Tens;
        } else if word == "hundred" && !matches!(last, Last::None | Last::Hundred | Last::Scale) {
            current *= 100.0;
            last = Last::Hundred;
        } else if word == "dozen" && !matches!(last, Last::None) {
            current *= 12.0;
            last = Last::Unit;
        } else if let Some(by) = scale(word).or_else(|| (word == "k" && token.glued).then_some(1e3))
            && !matches!(last, Last::None | Last::Scale)
        {
            total += current * by;
            current = 0.0;
            last = Last::Scale;
        } else if word == "a"
            && last == Last::None
            && t.get(j + 1)
                .is_some_and(|t| t.is("hundred") || t.is("dozen") || scale(&t.text).is_some())
        {
            current = 1.0;
            last = Last::Unit;
        } else if word == "and" && matches!(last, Last::Hundred | Last::Scale) && begins(j + 1) {
            // swallowed
        } else if word == "-"
            && last == Last::Tens
            && token.glued
            && t.get(j + 1)
                .is_some_and(|n| n.glued && small(&n.text).is_some_and(|v| (1..10).contains(&v)))
        {
            // the hyphen of "twenty-three"
        } else {
            break;
        }
        j += 1;
    }
    if last == Last::None {
        return None;
    }
    let mut value = total + current;
    // "one point five"
    if t.get(j).is_some_and(|t| t.is("point")) {
        let mut fraction = String::new();
        let mut k = j + 1;
        while let Some(token) = t.get(k) {
            if token.is_figure() && !token.text.contains('.') {
                fraction.push_str(&token.text);
            } else if let Some(v) = small(&token.text).filter(|v| *v < 10) {
                fraction.push_str(&v.to_string());
            } else if token.any(&["oh", "o"]) {
                fraction.push('0');
            } else if let Some(v) = tens(&token.text).filter(|_| fraction.is_empty()) {
                fraction.push_str(&(v / 10).to_string());
                if t.get(k + 1)
                    .is_none_or(|n| small(&n.text).is_none_or(|v| v >= 10))
                {
                    fraction.push('0');
                }
            } else {
                break;
            }
            k += 1;
        }
        if !fraction.is_empty() {
            value += format!("0.{fraction}").parse::<f64>().unwrap_or(0.0);
            j = k;
        }
    } else if t.get(j).is_some_and(|t| t.is("and"))
        && t.get(j + 1).is_some_and(|t| t.is("a"))
        && t.get(j + 2).is_some_and(|t| t.is("half"))
    {
        value += 0.5;
        j += 3;
        // "two and a half thousand"
        if let Some(by) = t.get(j).and_then(|t| scale(&t.text)) {
            value *= by;
            j += 1;
        }
    }
    Some((value, j))
}

/// Reads an ordinal at token `i`: "3rd", "third", "twenty-first", "30 th".
pub(super) fn ordinal(t: &[Token], i: usize) -> Option<(u32, usize)> {
    let token = t.get(i)?;
    if token.is_figure() {
        if token.ordinal {
            return token.text.parse().ok().map(|v| (v, i + 1));
        }
        if t.get(i + 1)
            .is_some_and(|t| t.any(&["st", "nd", "rd", "th"]))
            && !token.text.contains('.')
        {
            return token.text.parse().ok().map(|v| (v, i + 2));
        }
        return None;
    }
    if let Some(v) = tens(&token.text) {
        let mut j = i + 1;
        if t.get(j).is_some_and(|t| t.is("-")) {
            j += 1;
        }
        let unit = t.get(j).and_then(|t| {
            ordinal_word(&t.text).or_else(|| t.ordinal.then(|| t.text.parse().ok()).flatten())
        })?;
        return (unit < 10).then_some((v + unit, j + 1));
    }
    ordinal_word(&token.text).map(|v| (v, i + 1))
}

fn ordinal_word(word: &str) -> Option<u32> {
    Some(match word {
        "first" => 1,
        "second" => 2,
        "third" => 3,
        "fourth" => 4,
        "fifth" => 5,
        "sixth" => 6,
        "seventh" => 7,
        "eighth" => 8,
        "ninth" => 9,
        "tenth" => 10,
        "eleventh" => 11,
        "twelfth" => 12,
        "thirteenth" => 13,
        "fourteenth" => 14,
        "fifteenth" => 15,
        "sixteenth" => 16,
        "seventeenth" => 17,
        "eighteenth" => 18,
        "nineteenth" => 19,
        "twentieth" => 20,
        "thirtieth" => 30,
        _ => return None,
    })
}
