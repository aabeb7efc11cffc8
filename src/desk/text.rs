//! Words as the index and the classifier see them.

use rust_stemmers::{Algorithm, Stemmer};

/// Splits into lower-case words; digits stay with their letters, an apostrophe inside a word is dropped ("haven't" is "havent").
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        } else if !matches!(c, '\'' | '\u{2019}') && !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

/// Words that carry no subject.
const STOP: [&str; 125] = [
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "arent", "as", "at",
    "be", "been", "but", "by", "can", "cant", "could", "did", "didnt", "do", "does", "doesnt",
    "doing", "dont", "for", "from", "get", "give", "go", "got", "had", "has", "have", "havent",
    "having", "he", "hello", "help", "her", "hey", "hi", "him", "his", "how", "i", "id", "if",
    "ill", "im", "in", "into", "is", "isnt", "it", "its", "ive", "just", "know", "let", "like",
    "make", "may", "me", "might", "mine", "must", "my", "need", "not", "now", "of", "off", "ok",
    "okay", "on", "or", "our", "ours", "out", "please", "really", "shall", "she", "should", "so",
    "some", "tell", "thanks", "that", "the", "their", "them", "then", "there", "these", "they",
    "this", "those", "to", "too", "up", "us", "want", "was", "wasnt", "we", "were", "what",
    "whats", "when", "where", "which", "who", "why", "will", "with", "wont", "would", "yes", "you",
    "your", "yours",
];

/// Days of the week in full, in order.
pub(crate) const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

pub(crate) const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

pub(crate) fn is_weekday(word: &str) -> bool {
    WEEKDAYS.contains(&word)
}

pub(crate) fn is_stop(word: &str) -> bool {
    STOP.binary_search(&word).is_ok()
}

/// Stems in the desk's language; a language without a stemmer keeps its words whole.
pub(crate) struct Stems(Option<Stemmer>, bool);

/// The figures of an English number word; none for "one", which mostly stands for a thing.
fn number(word: &str) -> Option<&'static str> {
    Some(match word {
        "two" => "2",
        "three" => "3",
        "four" => "4",
        "five" => "5",
        "six" => "6",
        "seven" => "7",
        "eight" => "8",
        "nine" => "9",
        "ten" => "10",
        "eleven" => "11",
        "twelve" => "12",
        "thirteen" => "13",
        "fourteen" => "14",
        "fifteen" => "15",
        "sixteen" => "16",
        "seventeen" => "17",
        "eighteen" => "18",
        "nineteen" => "19",
        "twenty" => "20",
        "thirty" => "30",
        "forty" => "40",
        "fifty" => "50",
        "sixty" => "60",
        "seventy" => "70",
        "eighty" => "80",
        "ninety" => "90",
        "hundred" => "100",
        _ => return None,
    })
}

/// The short form of an English word for a measure: what callers say in full is written short.
fn unit(word: &str) -> Option<&'static str> {
    Some(match word {
        "kilo" | "kilos" | "kgs" | "kilogram" | "kilograms" | "kilogramme" | "kilogrammes" => "kg",
        "gig" | "gigs" | "gigabyte" | "gigabytes" => "gb",
        "meg" | "megs" | "megabyte" | "megabytes" => "mb",
        "centimetre" | "centimetres" | "centimeter" | "centimeters" => "cm",
        "kilometre" | "kilometres" | "kilometer" | "kilometers" => "km",
        _ => return None,
    })
}

/// "8gb" as its figures and its measure.
fn measured(word: &str) -> Option<(&str, &str)> {
    let at = word
        .find(|c: char| !c.is_ascii_digit())
        .filter(|at| *at > 0)?;
    let (figures, unit) = word.split_at(at);
    matches!(unit, "kg" | "gb" | "mb" | "cm" | "km").then_some((figures, unit))
}

/// "Twenty five" is one number: its figures, where a ten and a one stand side by side.
fn compound(ten: &str, one: &str) -> Option<String> {
    let ten = match ten {
        "twenty" | "thirty" | "forty" | "fifty" | "sixty" | "seventy" | "eighty" | "ninety" => {
            number(ten)?
        }
        _ => return None,
    };
    let one = if one == "one" { "1" } else { number(one)? };
    (one.len() == 1).then(|| format!("{}{one}", &ten[..1]))
}

impl Stems {
    pub fn new(language: &str) -> Self {
        let algorithm = match language
            .get(..2)
            .unwrap_or("")
            .to_ascii_lowercase()
            .as_str()
        {
            "en" => Algorithm::English,
            "de" => Algorithm::German,
            "fr" => Algorithm::French,
            "es" => Algorithm::Spanish,
            "it" => Algorithm::Italian,
            "pt" => Algorithm::Portuguese,
            "nl" => Algorithm::Dutch,
            "sv" => Algorithm::Swedish,
            "da" => Algorithm::Danish,
            "no" | "nb" | "nn" => Algorithm::Norwegian,
            "fi" => Algorithm::Finnish,
            "ru" => Algorithm::Russian,
            "ro" => Algorithm::Romanian,
            "hu" => Algorithm::Hungarian,
            "tr" => Algorithm::Turkish,
            "ar" => Algorithm::Arabic,
            "el" => Algorithm::Greek,
            _ => return Self(None, false),
        };
        let english = matches!(algorithm, Algorithm::English);
        Self(Some(Stemmer::create(algorithm)), english)
    }

    pub fn stem(&self, word: &str) -> String {
        match &self.0 {
            // "The twelve month plan" is "the 12-month plan".
            Some(_) if self.1 && number(word).is_some() => number(word).unwrap_or_default().into(),
            Some(_) if self.1 && unit(word).is_some() => unit(word).unwrap_or_default().into(),
            Some(s) => s.stem(word).into_owned(),
            None => word.to_string(),
        }
    }

    /// Words with their numbers as figures: "twenty five" as "25", "8gb" as "8" and "gb".
    fn numbered(&self, words: Vec<String>) -> Vec<String> {
        if !self.1 {
            return words;
        }
        let mut out: Vec<String> = Vec::with_capacity(words.len());
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next() {
            if let Some(both) = words.peek().and_then(|next| compound(&word, next)) {
                words.next();
                out.push(both);
            } else if let Some((figures, unit)) = measured(&word) {
                out.extend([figures.to_owned(), unit.to_owned()]);
            } else {
                out.push(word);
            }
        }
        out
    }

    /// Stemmed content words; all words where nothing else is left.
    pub fn terms(&self, text: &str) -> Vec<String> {
        let words = self.numbered(words(text));
        let content: Vec<String> = words
            .iter()
            .filter(|w| !is_stop(w))
            .map(|w| self.stem(w))
            .collect();
        if content.is_empty() {
            words.iter().map(|w| self.stem(w)).collect()
        } else {
            content
        }
    }
}

impl std::fmt::Debug for Stems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stems")
    }
}

/// Cosine of two unit vectors; 0 where either is missing.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    if a.len() != b.len() {
        return 0.0;
    }
    // Eight sums side by side: they vectorise, one running sum would not.
    let mut sums = [0f32; 8];
    let (ac, bc) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f32 = ac
        .remainder()
        .iter()
        .zip(bc.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in ac.zip(bc) {
        for i in 0..8 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f32>() + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_sorted_for_the_search() {
        assert!(STOP.is_sorted());
    }

    #[test]
    fn words_keep_digits_and_drop_apostrophes() {
        assert_eq!(
            words("I haven't got £4.50, PO-12b!"),
            ["i", "havent", "got", "4", "50", "po", "12b"]
        );
    }

    #[test]
    fn what_is_said_of_numbers_is_what_is_written() {
        let stems = Stems::new("en-GB");
        assert_eq!(stems.terms("the fifteen kilo bag"), ["15", "kg", "bag"]);
        assert_eq!(stems.terms("twenty-five gigs"), ["25", "gb"]);
        assert_eq!(stems.terms("25GB, seventy one"), ["25", "gb", "71"]);
        assert_eq!(stems.terms("twenty four hours"), stems.terms("24 hours"));
        assert_eq!(stems.terms("twenty quid"), ["20", "quid"]);
    }

    #[test]
    fn dot_counts_the_tail() {
        let a: Vec<f32> = (0..19).map(|i| i as f32).collect();
        let want: f32 = a.iter().map(|x| x * x).sum();
        assert_eq!(dot(&a, &a), want);
        assert_eq!(dot(&a, &a[1..]), 0.0);
    }
}
