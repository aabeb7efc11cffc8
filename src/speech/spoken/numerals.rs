//! Numbers as words.

pub(super) const UNITS: [&str; 20] = [
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

pub(super) fn spelled(word: &str) -> String {
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
pub(super) fn grouped(figure: &str) -> Vec<String> {
    let n = figure.len();
    if n <= 4 || !figure.is_ascii() {
        return vec![digits(figure)];
    }
    let mut out = vec![];
    let mut i = 0;
    while i < n {
        let left = n - i;
        let take = if left == 4 || (left.is_multiple_of(4) && n.is_multiple_of(4)) {
            4
        } else {
            left.min(3)
        };
        out.push(digits(&figure[i..i + take]));
        i += take;
    }
    out
}

pub(super) fn cardinal(v: u64, and: bool) -> String {
    match v {
        0..20 => UNITS[v as usize].to_owned(),
        20..100 => {
            let tens = TENS[(v / 10) as usize];
            if v.is_multiple_of(10) {
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
                1000..1_000_000 => (1000, "thousand"),
                1_000_000..1_000_000_000 => (1_000_000, "million"),
                1_000_000_000..1_000_000_000_000 => (1_000_000_000, "billion"),
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

pub(super) fn ordinal(v: u64) -> String {
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
