//! A desk's own words (company, plans, streets): put to rights where a recogniser wrote common words that sound like them. Pure.
//!
//! Where the recogniser was unsure, a term that sounds much alike takes the place of one to three words; where it was sure, only a
//! near twin does. Nothing is replaced by something it does not sound like, and figures are left alone.

use std::sync::Arc;

use super::{Hints, SpeechError, Stopper, Transcriber, Transcript, Word};

/// Terms kept: beyond it they would begin to sound like everything.
const MOST_TERMS: usize = 400;
/// Words of an utterance that one term may have been heard as.
const WIDEST: usize = 3;
/// Difference in sound up to which a term is taken, for words heard with no confidence and with full confidence.
const UNSURE: f32 = 0.26;
const SURE: f32 = 0.12;
/// Shorter terms sound like too much.
const SHORTEST: usize = 4;

/// Words that hold sentences together and are no part of a name at its ends.
const LOOSE: [&str; 30] = [
    "a", "an", "the", "my", "your", "our", "to", "of", "in", "on", "at", "for", "from", "with",
    "and", "or", "but", "is", "it", "i", "we", "you", "about", "this", "that", "not", "no", "yes",
    "can", "do",
];

/// Terms with how they sound.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vocabulary {
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq)]
struct Term {
    text: String,
    /// Lower case, letters only.
    plain: String,
    sound: Vec<Sound>,
    words: usize,
}

impl Vocabulary {
    /// Terms as they are written. Those too short to be told apart, and those with figures, are left out.
    pub fn new<S: AsRef<str>>(terms: impl IntoIterator<Item = S>) -> Self {
        let mut out: Vec<Term> = Vec::new();
        for term in terms {
            let text = term
                .as_ref()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            let plain = letters(&text);
            let fit = plain.chars().count() >= SHORTEST
                && !text.chars().any(|c| c.is_ascii_digit())
                && out.iter().all(|t| t.plain != plain);
            if fit && out.len() < MOST_TERMS {
                out.push(Term {
                    sound: sound(&text),
                    words: text.split(' ').count(),
                    plain,
                    text,
                });
            }
        }
        Self { terms: out }
    }

    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    pub fn terms(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().map(|t| t.text.as_str())
    }

    /// The transcript with its misheard terms put to rights.
    #[must_use]
    pub fn correct(&self, mut transcript: Transcript) -> Transcript {
        if self.terms.is_empty() || transcript.words.is_empty() {
            return transcript;
        }
        let mut changed = false;
        let mut out: Vec<Word> = Vec::with_capacity(transcript.words.len());
        let mut at = 0;
        while at < transcript.words.len() {
            let rest = &transcript.words[at..];
            match self.best(rest) {
                Some((term, width)) => {
                    changed = true;
                    let said = &rest[..width];
                    out.push(replaced(said, &term.text));
                    at += width;
                }
                None => {
                    out.push(rest[0].clone());
                    at += 1;
                }
            }
        }
        if changed {
            transcript.text = out
                .iter()
                .map(|w| w.text.as_str())
                .collect::<Vec<_>>()
                .join(" ");
            transcript.words = out;
        }
        transcript
    }

    /// The term that the words begin with, if they were not written as it already.
    fn best(&self, words: &[Word]) -> Option<(&Term, usize)> {
        let mut best: Option<(f32, &Term, usize)> = None;
        for width in 1..=WIDEST.min(words.len()) {
            let said = &words[..width];
            // A stop inside means that the words do not belong together.
            let stops = said[..width - 1]
                .iter()
                .any(|w| w.text.ends_with(['.', ',', '?', '!', ';', ':']));
            let text = said
                .iter()
                .map(|w| w.text.as_str())
                .collect::<Vec<_>>()
                .join(" ");
            let loose = |w: &Word| LOOSE.contains(&letters(&w.text).as_str());
            if stops || text.chars().any(|c| c.is_ascii_digit()) {
                continue;
            }
            let plain = letters(&text);
            let heard = sound(&text);
            let p = said.iter().map(|w| w.p).fold(1.0, f32::min);
            for term in &self.terms {
                if term.plain == plain {
                    // Right already, whatever else is alike; or only written in other words.
                    let bare = text.trim_matches(|c: char| !c.is_alphanumeric());
                    // A capital letter alone is no correction: "payment" may begin a sentence of an article.
                    let cased = term.words == 1 && bare.eq_ignore_ascii_case(&term.text);
                    return (bare != term.text && !cased).then_some((term, width));
                }
                let longest = term.sound.len().max(heard.len());
                if longest == 0 || term.sound.len().abs_diff(heard.len()) * 3 > longest {
                    continue;
                }
                // Names begin with what they were heard to begin with; little words at either end belong to the sentence.
                let begin = change(term.sound[0], heard.first().copied().unwrap_or(' '));
                if begin > 0.5 || loose(&said[0]) || loose(&said[width - 1]) {
                    continue;
                }
                let d = distance(&term.sound, &heard) / longest as f32;
                let allowed = UNSURE + (SURE - UNSURE) * p.clamp(0.0, 1.0);
                // Another number of words is one more thing to have gone wrong.
                let d = d + 0.03 * term.words.abs_diff(width) as f32;
                // A single common word heard well stays: "path" is not a plan called "Bath".
                let sure = p > 0.85 && term.words == 1 && width == 1;
                if d <= allowed && !sure && best.is_none_or(|(least, ..)| d < least) {
                    best = Some((d, term, width));
                }
            }
        }
        best.map(|(_, term, width)| (term, width))
    }
}

/// The words' place taken by `text`, what stood around them kept.
fn replaced(said: &[Word], text: &str) -> Word {
    let (first, last) = (&said[0], &said[said.len() - 1]);
    let after: String = {
        let tail: String = last
            .text
            .chars()
            .rev()
            .take_while(|c| !c.is_alphanumeric())
            .collect();
        tail.chars().rev().collect()
    };
    let possessive = if ["'s", "’s"].iter().any(|s| {
        last.text
            .trim_end_matches(|c: char| !c.is_alphanumeric())
            .ends_with(s)
    }) && !text.ends_with('s')
    {
        "'s"
    } else {
        ""
    };
    Word {
        text: format!("{text}{possessive}{after}"),
        start_ms: first.start_ms,
        end_ms: last.end_ms,
        p: said.iter().map(|w| w.p).fold(1.0, f32::min),
    }
}

fn letters(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphabetic())
        .flat_map(char::to_lowercase)
        .collect()
}

/// A class of sounds, for English spelling roughly; other letters stand for themselves.
type Sound = char;

/// How a spelling sounds, roughly: digraphs read as one, silent letters gone, vowels as one letter each.
fn sound(text: &str) -> Vec<Sound> {
    let mut out = Vec::new();
    for word in text.split_whitespace() {
        let w: Vec<char> = word
            .chars()
            .filter(|c| c.is_alphabetic())
            .flat_map(char::to_lowercase)
            .collect();
        let mut i = 0;
        while i < w.len() {
            let at = |k: usize| w.get(i + k).copied().unwrap_or(' ');
            let first = i == 0;
            let (s, n): (&str, usize) = match (w[i], at(1), at(2)) {
                ('t', 'c', 'h') => ("C", 3),
                ('d', 'g', 'e') => ("J", 3),
                ('i', 'g', 'h') => ("i", 3),
                ('c', 'h', _) => ("C", 2),
                ('s', 'h', _) => ("S", 2),
                ('t', 'i', 'o') if i + 3 < w.len() => ("Se", 3),
                ('t', 'h', _) => ("T", 2),
                ('p', 'h', _) => ("f", 2),
                ('c', 'k', _) => ("k", 2),
                ('q', 'u', _) => ("kw", 2),
                ('w', 'h', _) => ("w", 2),
                ('k', 'n', _) if first => ("n", 2),
                ('w', 'r', _) if first => ("r", 2),
                ('g', 'h', _) => ("", 2),
                ('x', ..) => ("ks", 1),
                ('c', 'e' | 'i' | 'y', _) => ("s", 1),
                ('c', ..) => ("k", 1),
                ('g', 'e' | 'i' | 'y', _) if !first => ("J", 1),
                ('j', ..) => ("J", 1),
                ('h', ..) if !first => ("", 1),
                ('e', ' ', _) if w.len() > 2 => ("", 1),
                ('y', ..) if !first => ("i", 1),
                ('e' | 'a' | 'i' | 'o' | 'u', 'a' | 'e' | 'i' | 'o' | 'u' | 'y', _) => ("", 1),
                _ => ("=", 1),
            };
            let s = if s == "=" { w[i].to_string() } else { s.into() };
            for c in s.chars() {
                if out.last() != Some(&c) {
                    out.push(c);
                }
            }
            i += n;
        }
    }
    out
}

/// Edit distance in which alike sounds cost less.
fn distance(a: &[Sound], b: &[Sound]) -> f32 {
    let drop = |c: Sound| if is_vowel(c) { 0.5 } else { 1.0 };
    let mut row: Vec<f32> = vec![0.0];
    for c in b {
        row.push(row[row.len() - 1] + drop(*c));
    }
    for x in a {
        let mut corner = row[0];
        row[0] += drop(*x);
        for (j, y) in b.iter().enumerate() {
            let next = (corner + change(*x, *y))
                .min(row[j] + drop(*y))
                .min(row[j + 1] + drop(*x));
            corner = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}

fn is_vowel(c: Sound) -> bool {
    "aeiou".contains(c)
}

fn change(x: Sound, y: Sound) -> f32 {
    const ALIKE: [&str; 8] = ["bp", "dtT", "gk", "vfT", "zsSC", "JCS", "mn", "rlw"];
    if x == y {
        0.0
    } else if is_vowel(x) && is_vowel(y) {
        0.3
    } else if ALIKE.iter().any(|g| g.contains(x) && g.contains(y)) {
        0.4
    } else {
        1.0
    }
}

/// Names in running text: words with a capital letter that do not begin a sentence, neighbours together. Headings and titles are
/// left out: there everything has capitals.
pub fn names_in(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim).filter(|l| !l.starts_with('#')) {
        let mut starts = true;
        let mut open = false;
        for word in line.split_whitespace() {
            let plain = word.trim_matches(|c: char| !c.is_alphanumeric());
            let capital = plain.chars().next().is_some_and(char::is_uppercase)
                && plain.chars().skip(1).any(char::is_lowercase);
            if capital && !starts {
                match out.last_mut() {
                    Some(last) if open => {
                        last.push(' ');
                        last.push_str(plain);
                    }
                    _ => out.push(plain.to_owned()),
                }
                open = !word.ends_with(|c: char| !c.is_alphanumeric());
            } else {
                open = false;
            }
            starts = plain.is_empty() || word.ends_with(['.', '!', '?', ':', '"', ')']);
        }
    }
    out
}

/// A recogniser that puts the desk's words to rights, as the hints name them.
pub struct InOurWords {
    ear: Box<dyn Transcriber>,
}

impl InOurWords {
    pub fn new(ear: Box<dyn Transcriber>) -> Self {
        Self { ear }
    }
}

impl Transcriber for InOurWords {
    fn transcribe(&mut self, pcm: &[i16], hints: &Hints) -> Result<Transcript, SpeechError> {
        let transcript = self.ear.transcribe(pcm, hints)?;
        Ok(match &hints.vocabulary {
            Some(vocabulary) => vocabulary.correct(transcript),
            None => transcript,
        })
    }
    fn use_threads(&mut self, threads: usize) {
        self.ear.use_threads(threads);
    }
    fn stopper(&self) -> Option<Stopper> {
        self.ear.stopper()
    }
}

/// Shared by every call of a desk.
pub type Shared = Arc<Vocabulary>;

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str, p: f32) -> Transcript {
        Transcript {
            text: text.into(),
            words: text
                .split(' ')
                .enumerate()
                .map(|(n, w)| Word {
                    text: w.into(),
                    start_ms: n as u32 * 300,
                    end_ms: n as u32 * 300 + 250,
                    p,
                })
                .collect(),
            ..Transcript::default()
        }
    }

    fn desk() -> Vocabulary {
        Vocabulary::new([
            "Larch Pay",
            "Flex Plan",
            "Autopay",
            "Quillan Street",
            "Brightwater",
            "Abc",
        ])
    }

    #[test]
    fn what_sounds_like_a_term_becomes_it() {
        for (said, p, meant) in [
            (
                "I have a question about large pay.",
                0.5,
                "I have a question about Larch Pay.",
            ),
            ("Is this Lorch Pay?", 0.4, "Is this Larch Pay?"),
            (
                "Tell me about the flecks plan, please.",
                0.6,
                "Tell me about the Flex Plan, please.",
            ),
            (
                "How do I turn off auto pay?",
                0.6,
                "How do I turn off Autopay?",
            ),
            (
                "I live in Quillen street.",
                0.5,
                "I live in Quillan Street.",
            ),
            (
                "It is bright water's fault.",
                0.5,
                "It is Brightwater's fault.",
            ),
        ] {
            assert_eq!(desk().correct(heard(said, p)).text, meant);
        }
    }

    #[test]
    fn what_does_not_stays_as_it_was() {
        for (said, p) in [
            ("I want to pay a large bill.", 0.9),
            ("I want to pay a large bill.", 0.3),
            ("Larch Pay is right already.", 0.2),
            ("Can I pay it later?", 0.3),
            ("The plane is late.", 0.4),
            ("My number is 4 1 7 2.", 0.1),
            ("Flex. Plan to come.", 0.4),
            ("What is the late fee?", 0.2),
            ("I need to speak to a person.", 0.2),
            ("Is autopay on?", 0.4),
        ] {
            let before = heard(said, p);
            assert_eq!(desk().correct(before.clone()), before, "{said}");
        }
        let before = heard("large pay", 0.2);
        assert_eq!(Vocabulary::default().correct(before.clone()), before);
        assert_eq!(desk().correct(Transcript::default()), Transcript::default());
    }

    #[test]
    fn a_corrected_transcript_keeps_its_evidence_and_times() {
        let t = desk().correct(heard("about large pay.", 0.5));
        assert_eq!(t.words.len(), 2);
        assert_eq!((t.words[1].start_ms, t.words[1].end_ms), (300, 850));
        assert!((t.words[1].p - 0.5).abs() < 1e-6);
    }

    #[test]
    fn names_are_found_in_running_text() {
        let text = "# About Us\nThe Flex Plan is new. Larch Pay offers it with Autopay (see Brightwater). We are glad, and I am too.";
        assert_eq!(
            names_in(text),
            ["Flex Plan", "Pay", "Autopay", "Brightwater"]
        );
    }
}
