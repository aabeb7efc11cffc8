//! Strings said character by character: card digits, references, and the pieces postcodes and spelled names are made of.

use super::letters::{COMMON_PAIRS, alphabet, homophone};
use super::number::{cardinal, small, tens};
use super::token::{Token, corrected, filler, tokens};

/// What one or more tokens spell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unit {
    /// Readings, likeliest first; the cost is 0 for what was said, more for what it may have been.
    pub readings: Vec<(String, u32)>,
    /// Also a common word ("to", "for", "you", "a"): spells something only among other spelled things.
    pub weak: bool,
    /// Often said for nothing ("a", "and", "I").
    pub soft: bool,
}

impl Unit {
    fn solid(text: impl Into<String>) -> Self {
        Self {
            readings: vec![(text.into(), 0)],
            weak: false,
            soft: false,
        }
    }
}

/// The digits said: "double seven", "oh", "twenty three", groups, and corrections ("sorry, 14 not 40" keeps 14).
/// The longest string of digits where there are several.
pub fn digits(text: &str) -> Option<String> {
    let all = tokens(text);
    let has = |t: &[Token]| digits_of(t).is_some();
    let kept = corrected(&all, has);
    let found = digits_of(&kept)?;
    // "7740, sorry, 14 not 40": the wrong part of what was said before is replaced.
    if kept.len() < all.len() && kept.first().map(|t| t.start) > all.first().map(|t| t.start) {
        let before = digits_of(&all[..all.iter().position(|t| t.start >= kept[0].start)?]);
        let wrong = all
            .iter()
            .position(|t| t.is("not") && t.start >= kept[0].start)
            .and_then(|i| digits_of(&all[i + 1..]));
        if let (Some(before), Some(wrong)) = (before, wrong)
            && before.len() > wrong.len()
            && before.matches(&wrong).count() == 1
        {
            return Some(before.replace(&wrong, &found));
        }
    }
    Some(found)
}

/// Figures and marks and nothing else, as digits: a recogniser writes "6.0. 6.1.4." for digits said one by one. Groups that they were
/// said in stay apart ("4 1 7, 2 2" is "417 22"). None where anything else is said, or fewer than three digits.
pub fn figures_alone(text: &str) -> Option<String> {
    let mark = |c: char| c.is_whitespace() || matches!(c, '.' | ',' | '-' | ';' | ':');
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let alone = text.chars().all(|c| c.is_ascii_digit() || mark(c));
    // "12.50" or "3,000" is one figure; several marks, or a space, part the digits.
    let parted = text
        .trim_end_matches(mark)
        .chars()
        .filter(|c| mark(*c))
        .count()
        > 1
        || text.trim().contains(char::is_whitespace);
    (alone && parted && digits.len() >= 3)
        .then(|| grouped(text, &digits).map_or(digits, |groups| groups.join(" ")))
}

/// The groups a code was said in ("four one seven, two two": 417 and 22), by its marks and by figures written together. `code`: what
/// was made of the words, bare. None where they show no groups, or do not come to this code one after the other.
pub fn grouped(text: &str, code: &str) -> Option<Vec<String>> {
    let code = code.to_ascii_uppercase();
    let mut groups = vec![String::new()];
    let mut said = 0;
    let all = tokens(text);
    let mut at = 0;
    while at < all.len() && said < code.len() {
        let token = &all[at];
        let (unit, next) = match unit(&all, at) {
            Step::Unit(unit, next) => (Some(unit), next),
            Step::Skip(next) => (None, next),
            Step::Break => (None, at + 1),
        };
        // Between two figures, letters or words of a code only a mark or a piece written together begins a group.
        if token.is_figure() && token.text.contains('.') {
            return None;
        }
        let together = next == at + 1 && !token.is_sign() && token.end - token.start > 1;
        let piece = together && (token.is_figure() || token.upper);
        if token.any(&[",", ".", ";", "-", ":"]) || piece {
            groups.push(String::new());
        }
        let rest = &code[said..];
        match unit.and_then(|unit| {
            let mut readings = unit.readings.into_iter().map(|(reading, _)| reading);
            readings.find(|reading| rest.starts_with(&reading.to_ascii_uppercase()))
        }) {
            Some(reading) => {
                said += reading.len();
                if let Some(group) = groups.last_mut() {
                    group.push_str(&reading.to_ascii_uppercase());
                }
            }
            // Words around it; a character that is not the next one is another code, or a slip that was put right.
            None if said == 0 || !(token.is_figure() || token.letter().is_some()) => {}
            None => return None,
        }
        if piece {
            groups.push(String::new());
        }
        at = next;
    }
    groups.retain(|group| !group.is_empty());
    let lone = groups.iter().filter(|group| group.len() == 1).count();
    (said == code.len() && groups.len() > 1 && lone < 2).then_some(groups)
}

/// Less sure than this, a figure or a letter was not really heard. Most that are right are surer than a half, but the first of a row:
/// a recogniser has not made up its mind how to write it.
const UNCLEAR: f32 = 0.12;

/// Which characters of a code were heard unsurely, from the first to one past the last; none where all were sure, or hardly any was.
/// `words`: those it is made of, each with its probability.
pub fn unclear(words: &[(&str, f32)]) -> Option<(u8, u8)> {
    let mut at = 0_usize;
    let mut unsure: Option<(usize, usize)> = None;
    let mut count = 0;
    for (word, p) in words {
        let length = match digits(word) {
            Some(digits) => digits.len(),
            None if word.chars().filter(|c| c.is_alphanumeric()).count() == 1 => 1,
            None => continue,
        };
        if *p < UNCLEAR && at > 0 {
            let from = unsure.map_or(at, |(from, _)| from);
            unsure = Some((from, at + length));
            count += length;
        }
        at += length;
    }
    let (from, to) = unsure.filter(|_| count * 2 < at)?;
    Some((u8::try_from(from).ok()?, u8::try_from(to).ok()?))
}

/// As it is read back: character by character, with a pause between groups.
pub fn read_back(code: &str, groups: Option<Vec<String>>) -> String {
    let spaced = |group: &str| {
        let characters: Vec<String> = group.chars().map(String::from).collect();
        characters.join(" ")
    };
    match groups {
        Some(groups) => {
            let groups: Vec<String> = groups.iter().map(|group| spaced(group)).collect();
            groups.join(", ")
        }
        None => spaced(code),
    }
}

fn digits_of(t: &[Token]) -> Option<String> {
    let mut best = String::new();
    let mut run = String::new();
    for run_of_units in runs(t) {
        for unit in trimmed(&run_of_units) {
            match unit
                .readings
                .iter()
                .find(|(r, _)| r.chars().all(|c| c.is_ascii_digit()))
            {
                Some((r, _)) => run.push_str(r),
                None if unit.soft => {}
                None => {
                    if run.len() >= best.len() {
                        best = std::mem::take(&mut run);
                    }
                    run.clear();
                }
            }
        }
        if run.len() >= best.len() {
            best = std::mem::take(&mut run);
        }
        run.clear();
    }
    (!best.is_empty()).then_some(best)
}

/// A reference of letters and digits, upper case: spelled, in the NATO alphabet, "B for Bertie", "P as in Peter", or written
/// together. Needs a digit, or three letters spelled.
pub fn identifier(text: &str) -> Option<String> {
    let all = tokens(text);
    let t = corrected(&all, |t| identifier_of(t).is_some());
    identifier_of(&t)
}

fn identifier_of(t: &[Token]) -> Option<String> {
    let mut best = String::new();
    for run in runs(t) {
        let run = trimmed(&run);
        let mut code = String::new();
        for (i, unit) in run.iter().enumerate() {
            if unit.soft && unit.weak && unit.readings.iter().all(|(_, cost)| *cost > 0) {
                continue;
            }
            let is_digit = |u: Option<&Unit>| {
                u.is_none_or(|u| {
                    u.readings
                        .iter()
                        .any(|(r, _)| r.chars().all(|c| c.is_ascii_digit()))
                })
            };
            let reading = if unit.readings.len() > 1 && unit.readings.iter().any(|(r, _)| r == "O")
            {
                // "o" is a zero among digits and a letter among letters.
                let digit = if run.len() == 1 {
                    true
                } else {
                    is_digit(i.checked_sub(1).and_then(|i| run.get(i))) && is_digit(run.get(i + 1))
                };
                if digit { "0" } else { "O" }
            } else {
                unit.readings[0].0.as_str()
            };
            code.push_str(reading);
        }
        if code.len() >= best.len() {
            best = code;
        }
    }
    let digits = best.chars().filter(char::is_ascii_digit).count();
    ((digits > 0 && best.len() > 1) || best.len() > 2).then_some(best)
}

/// Cuts weak units from the ends of a run where nothing solid holds them.
fn trimmed(run: &[Unit]) -> &[Unit] {
    let Some(mut from) = run.iter().position(|u| !u.weak) else {
        return &[];
    };
    // "oh four one two"
    while from > 0 && run[from - 1].readings.iter().any(|(r, _)| r == "0") {
        from -= 1;
    }
    let solid_end = run.iter().rposition(|u| !u.weak).unwrap_or(from);
    // One homophone that ends the run is kept: "four one two ate".
    let to = if solid_end > from || run.len() > 2 {
        (solid_end + 1..run.len())
            .take_while(|i| !run[*i].soft)
            .last()
            .unwrap_or(solid_end)
    } else {
        solid_end
    };
    &run[from..=to]
}

/// Runs of spelled things; other words break them.
pub(super) fn runs(t: &[Token]) -> Vec<Vec<Unit>> {
    let mut out = vec![];
    let mut run: Vec<Unit> = vec![];
    let mut i = 0;
    while i < t.len() {
        match unit(t, i) {
            Step::Unit(u, next) => {
                run.push(u);
                i = next;
            }
            Step::Skip(next) => i = next,
            Step::Break => {
                if !run.is_empty() {
                    out.push(std::mem::take(&mut run));
                }
                i += 1;
            }
        }
    }
    if !run.is_empty() {
        out.push(run);
    }
    out
}

enum Step {
    Unit(Unit, usize),
    Skip(usize),
    Break,
}

fn unit(t: &[Token], i: usize) -> Step {
    let token = &t[i];
    let word = token.text.as_str();
    if !token.is_word() && !token.is_figure() {
        return if matches!(word, "@" | "$" | "£" | "€" | "%") {
            Step::Break
        } else {
            Step::Skip(i + 1)
        };
    }
    // "the last four are 9021", "the last 4 digits": a count, not a digit.
    let counted = i > 0 && t[i - 1].any(&["last", "first", "final"])
        || t.get(i + 1)
            .is_some_and(|n| n.is("digits") || n.is("numbers"));
    if counted
        && (small(word).is_some_and(|v| v < 13) || (token.is_figure() && token.text.len() < 3))
    {
        return Step::Break;
    }
    // "Oh, 4412": an exclamation.
    if word == "oh"
        && t.get(i + 1).is_some_and(|n| n.is(","))
        && t.get(i + 2)
            .is_some_and(|n| n.is_figure() && n.text.len() > 1)
    {
        return Step::Skip(i + 1);
    }
    if let Some(times) = match word {
        "double" => Some(2),
        "triple" | "treble" => Some(3),
        _ => None,
    } {
        return match t.get(i + 1) {
            Some(n) if times == 2 && n.any(&["u", "you", "yew", "ewe"]) => Step::Unit(
                Unit {
                    readings: vec![("W".into(), 0), ("UU".into(), 1)],
                    weak: false,
                    soft: false,
                },
                i + 2,
            ),
            // "double 77" is said by nobody; a recogniser that has doubled already is taken at its word.
            Some(n)
                if n.is_figure()
                    && n.text.len() == times
                    && n.text.chars().all(|c| n.text.starts_with(c)) =>
            {
                Step::Unit(Unit::solid(n.text.clone()), i + 2)
            }
            Some(n) if n.is_figure() && !n.text.contains('.') => {
                let first = n.text[..1].repeat(times);
                Step::Unit(Unit::solid(format!("{first}{}", &n.text[1..])), i + 2)
            }
            // "double seven", never "double seventy" or "double two hundred".
            Some(n) if small(&n.text).is_some_and(|v| v < 10) => Step::Unit(
                Unit::solid(small(&n.text).unwrap_or(0).to_string().repeat(times)),
                i + 2,
            ),
            Some(_) => match unit(t, i + 1) {
                Step::Unit(mut u, next) => {
                    for (r, _) in &mut u.readings {
                        *r = r.repeat(times);
                    }
                    u.weak = false;
                    u.soft = false;
                    Step::Unit(u, next)
                }
                _ => Step::Break,
            },
            None => Step::Break,
        };
    }
    if let Some((letter, next)) = as_in(t, i) {
        return Step::Unit(Unit::solid(letter), next);
    }
    if token.is_figure() {
        if t.get(i + 1)
            .is_some_and(|n| n.any(&["hundred", "thousand"]))
            && let Some((v, next)) = hundreds(t, i).or_else(|| cardinal(t, i))
        {
            return Step::Unit(Unit::solid(format!("{v:.0}")), next);
        }
        let text: String = token.text.chars().filter(char::is_ascii_digit).collect();
        let mut unit = Unit::solid(text.clone());
        if token.ordinal {
            unit.readings.push((format!("{text}{}", token.suffix), 0));
        }
        return Step::Unit(unit, i + 1);
    }
    if (small(word).is_some()
        || tens(word).is_some()
        || (word == "a"
            && t.get(i + 1)
                .is_some_and(|n| n.any(&["hundred", "thousand"]))))
        && let Some((v, next)) = hundreds(t, i).or_else(|| cardinal(t, i))
    {
        let text = format!("{v:.0}");
        let mut u = Unit::solid(text);
        if tens(word).is_some() && next > i + 1 && v < 100.0 && v % 10.0 != 0.0 {
            u.readings
                .push((format!("{}{}", tens(word).unwrap_or(0), v % 10.0), 2));
        }
        return Step::Unit(u, next);
    }
    // "X-ray" is one word of the alphabet, written as two.
    if word == "x" {
        let ray = if t.get(i + 1).is_some_and(|n| n.is("-")) {
            i + 2
        } else {
            i + 1
        };
        if t.get(ray).is_some_and(|n| n.is("ray")) {
            return Step::Unit(Unit::solid("X"), ray + 1);
        }
    }
    if let Some(letter) = token.letter() {
        return Step::Unit(
            match letter {
                'O' => Unit {
                    readings: vec![("O".into(), 0), ("0".into(), 0)],
                    weak: false,
                    soft: false,
                },
                'A' | 'I'
                    if !token.upper
                        || (letter == 'I'
                            && t.get(i + 1)
                                .is_some_and(|n| n.is_word() && n.text.len() > 1)) =>
                {
                    Unit {
                        readings: vec![(letter.into(), 0)],
                        weak: true,
                        soft: true,
                    }
                }
                'A' if t
                    .get(i + 1)
                    .is_some_and(|n| n.is_word() && n.text.len() > 2)
                    && i == 0 =>
                {
                    Unit {
                        readings: vec![("A".into(), 0)],
                        weak: true,
                        soft: true,
                    }
                }
                _ => Unit::solid(letter),
            },
            i + 1,
        );
    }
    if let Some(letter) = alphabet(word) {
        return Step::Unit(Unit::solid(letter), i + 1);
    }
    if let Some((reading, weak)) = homophone(word) {
        let mut readings = vec![(reading.to_owned(), 0)];
        if reading == "O" {
            readings.push(("0".into(), 0));
        }
        if word == "and" {
            readings[0].1 = 2;
        }
        return Step::Unit(
            Unit {
                readings,
                weak,
                soft: matches!(word, "and" | "oh" | "are" | "why" | "see" | "we"),
            },
            i + 1,
        );
    }
    if filler(word)
        || matches!(
            word,
            "space"
                | "dash"
                | "hyphen"
                | "dot"
                | "slash"
                | "stroke"
                | "capital"
                | "upper"
                | "uppercase"
                | "case"
                | "letter"
                | "figure"
                | "plus"
        )
    {
        return Step::Skip(i + 1);
    }
    let near_figure = (token.glued && i > 0 && (t[i - 1].is_figure() || t[i - 1].is("-")))
        || t.get(i + 1).is_some_and(|n| n.glued && n.is_figure())
        || (t.get(i + 1).is_some_and(|n| n.glued && n.is("-"))
            && t.get(i + 2).is_some_and(|n| n.glued && n.is_figure()));
    let pair = word.len() == 2 && !COMMON_PAIRS.contains(&word);
    let written = token.upper
        && word.len() <= 5
        && !matches!(
            word,
            "id" | "ref"
                | "pin"
                | "usa"
                | "uk"
                | "zip"
                | "my"
                | "is"
                | "it"
                | "its"
                | "the"
                | "yes"
                | "no"
        );
    if word.chars().all(|c| c.is_ascii_lowercase())
        && ((near_figure && word.len() <= 8) || pair || written)
    {
        let letters = word.to_ascii_uppercase();
        let mut unit = Unit::solid(letters.clone());
        // "OJ" may have been "oh J".
        if letters.len() < 4 && letters.contains('O') {
            unit.readings.push((letters.replace('O', "0"), 1));
        }
        return Step::Unit(unit, i + 1);
    }
    Step::Break
}

/// "eight hundred" among digits is 800, and what follows without "and" goes on behind it: "nine hundred one two three".
fn hundreds(t: &[Token], i: usize) -> Option<(f64, usize)> {
    let v = small(&t[i].text)
        .map(f64::from)
        .or_else(|| t[i].text.parse().ok())
        .filter(|v| (1.0..100.0).contains(v))?;
    (t.get(i + 1)?.is("hundred") && !t.get(i + 2).is_some_and(|n| n.any(&["and", "thousand"])))
        .then_some((v * 100.0, i + 2))
}

/// "B for Bertie", "P as in Peter", "see for Charlie": the letter, and the token after the example word.
fn as_in(t: &[Token], i: usize) -> Option<(char, usize)> {
    let said = t[i].letter().or_else(|| {
        homophone(&t[i].text)
            .and_then(|(r, _)| r.chars().next())
            .filter(char::is_ascii_alphabetic)
    })?;
    let rest: Vec<&str> = t[i + 1..].iter().take(4).map(|t| t.text.as_str()).collect();
    let skip = match rest.as_slice() {
        [",", "as", "in" | "for", ..] => 3,
        ["as" | "is", "in" | "for", ..] => 2,
        [",", "for" | "like", ..] => 2,
        ["for" | "like" | "from", ..] => 1,
        _ => return None,
    };
    let example = t.get(i + 1 + skip)?;
    if !example.is_word() || example.text.len() < 3 || small(&example.text).is_some() {
        return None;
    }
    let initial = example.text.chars().next()?.to_ascii_uppercase();
    // The example is longer than the letter, so it is heard better: "f for sugar" was S.
    let sound_alike = said == initial
        || matches!(skip, 2 | 3)
        || alphabet(&example.text).is_some()
        || confusable(said, initial);
    sound_alike.then_some((initial, i + 2 + skip))
}

/// Two characters whose names a recogniser mixes up.
pub(super) fn confusable(a: char, b: char) -> bool {
    const GROUPS: [&str; 9] = [
        "BCDEGPTVZ3",
        "AHKJ8",
        "MN",
        "FSX",
        "IY5",
        "Y1",
        "QUW2",
        "O0",
        "V5",
    ];
    a == b
        || GROUPS.iter().any(|g| g.contains(a) && g.contains(b))
        || matches!((a, b), ('5', '9') | ('9', '5'))
}
