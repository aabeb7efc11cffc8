//! From the articles that bear on a question to the one to three sentences that answer it.

use super::desk::{Desk, Hit, Understanding};
use super::knowledge::{Passage, sentences_of};
use super::text::{dot, is_stop, words};

/// Longest reply, in words: about fifteen seconds aloud.
const MOST_WORDS: usize = 45;
/// The same where two sentences answer equally well: leaving one out would be a guess.
const MOST_WORDS_TIED: usize = 60;
/// Share of the best sentence's score from which another is its equal.
const TIED: f32 = 0.9;
/// Least score of a sentence that is read out because the better ones have been.
const REST: f32 = 0.3;

/// A reply taken from an article.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// One to three sentences, fit to be said aloud.
    pub text: String,
    /// The article's id.
    pub source: String,
    /// The passage it was taken from, whole.
    pub passage: String,
    pub evidence: AnswerEvidence,
}

/// Why to believe it, each 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct AnswerEvidence {
    /// Score of the article over the next one's.
    pub margin: f32,
    /// Nearness of question and article.
    pub similarity: f32,
    /// Share of the question's content words that the article or the examples of its intents have.
    pub coverage: f32,
    /// Nearness of the question and the best sentence said.
    pub sentence: f32,
    /// The article carries the intent that was understood.
    pub agrees: f32,
}

impl Desk {
    /// The reply the articles give, none where the desk has no article that bears on the question at all.
    pub fn answer(&self, question: &str, vector: &[f32], u: &Understanding) -> Option<Answer> {
        let best = u.hits.first()?;
        let article = self.articles.iter().find(|a| a.id == best.article)?;
        let terms = self.stems.terms(question);
        let known: Vec<String> = self.stems.terms(&format!(
            "{} {} {}",
            article.title,
            best.heading.as_deref().unwrap_or(""),
            article.text
        ));
        let weight = |t: &String| self.index.idf(t);
        let total: f32 = terms.iter().map(weight).sum::<f32>().max(1e-6);
        let shared: f32 = terms.iter().filter(|t| known.contains(t)).map(weight).sum();
        // The passage that won by its vector is not always the one whose sentence answers: look at all of the article's.
        let asked = Asked::of(question);
        let scored = |p: &Passage| self.score_sentences(p, &terms, vector, asked);
        let top = |p: &Passage| scored(p).into_iter().fold(0.0, f32::max);
        let mut passage = &self.passages[best.index];
        let mut reach = top(passage) + 0.1;
        for p in self
            .passages
            .iter()
            .filter(|p| self.articles[p.article].id == article.id)
        {
            let t = top(p);
            if t > reach {
                (passage, reach) = (p, t);
            }
        }
        let (text, sentence) = match &article.spoken {
            Some(spoken) => (spoken.clone(), best.score),
            None => choose(passage, &scored(passage)),
        };
        let next = u.sources.get(1).map_or(0.0, |s| s.score);
        let top = u.intents.first().map(|i| i.0.as_str());
        Some(Answer {
            text,
            source: article.id.clone(),
            // What the desk wrote for reading out is as much its word as the rest of the article.
            passage: match &article.spoken {
                Some(spoken) => format!("{}\n{}\n{spoken}", article.title, article.text),
                None => passage.embedded(&article.title),
            },
            evidence: AnswerEvidence {
                margin: (u.sources.first().map_or(0.0, |s| s.score) - next).clamp(0.0, 1.0),
                similarity: u.sources.first().map_or(0.0, |s| s.score),
                coverage: shared / total,
                sentence,
                agrees: f32::from(u8::from(
                    top.is_some_and(|t| article.intents.iter().any(|i| i == t)),
                )),
            },
        })
    }

    /// How well an article's best sentence answers, 0 to 1.3.
    pub(super) fn best_sentence(&self, id: &str, question: &str, vector: &[f32]) -> f32 {
        let terms = self.stems.terms(question);
        let asked = Asked::of(question);
        self.passages
            .iter()
            .filter(|p| self.articles[p.article].id == id)
            .flat_map(|p| self.score_sentences(p, &terms, vector, asked))
            .fold(0.0, f32::max)
    }

    /// How well each sentence of a passage answers, 0 to 1.2. A word that most of the article's sentences have tells none of them
    /// from the others, however rare it is elsewhere.
    fn score_sentences(
        &self,
        passage: &Passage,
        terms: &[String],
        vector: &[f32],
        asked: Asked,
    ) -> Vec<f32> {
        let have: Vec<Vec<String>> = passage
            .sentences
            .iter()
            .map(|s| self.stems.terms(s))
            .collect();
        let all = have.len() as f32;
        let weights: Vec<f32> = terms
            .iter()
            .map(|t| {
                let with = have.iter().filter(|h| h.contains(t)).count() as f32;
                self.index.idf(t) * (1.0 + all / with.max(1.0)).ln()
            })
            .collect();
        let total: f32 = weights.iter().sum::<f32>().max(1e-6);
        passage
            .sentences
            .iter()
            .zip(&have)
            .map(|(s, have)| {
                let shared: f32 = terms
                    .iter()
                    .zip(&weights)
                    .filter(|(t, _)| have.contains(t))
                    .map(|(_, w)| w)
                    .sum();
                let lexical = shared / total;
                let near = match self.vectors.get(s) {
                    Some(v) if v.len() == vector.len() => {
                        0.65 * dot(v, vector).max(0.0) + 0.35 * lexical
                    }
                    _ => lexical,
                };
                near + if asked.answered_by(s) { 0.2 } else { 0.0 }
            })
            .collect()
    }

    /// Of an article that has just been read from, the passage's other sentences that answer best; none where nothing else does.
    pub fn rest_of(
        &self,
        article: &str,
        told: &str,
        question: &str,
        vector: &[f32],
    ) -> Option<String> {
        let terms = self.stems.terms(question);
        let asked = Asked::of(question);
        let mut best: Option<(f32, String)> = None;
        for passage in self
            .passages
            .iter()
            .filter(|p| self.articles[p.article].id == article)
        {
            let mut scores = self.score_sentences(passage, &terms, vector, asked);
            for (sentence, score) in passage.sentences.iter().zip(&mut scores) {
                if told.contains(sentence.as_str()) {
                    *score = 0.0;
                }
            }
            let top = scores.iter().copied().fold(0.0, f32::max);
            if top >= REST && best.as_ref().is_none_or(|(known, _)| top > *known) {
                let (text, _) = choose(passage, &scores);
                best = Some((top, text));
            }
        }
        best.map(|(_, text)| text)
    }

    /// Something the question names that the desk knows others of and not this one: "Fibre 900" where there are Fibre 100 and
    /// Fibre 500. What is said of the others must not be said of it.
    pub fn names_unknown(&self, question: &str) -> Option<String> {
        let w = words(question);
        if Asked::of(question) == Asked::Amount {
            // "How much is a denture?", where no article has the word: the price of something else is not its price.
            let subjects: Vec<&String> = w
                .iter()
                .filter(|word| {
                    !is_stop(word)
                        && !matches!(
                            word.as_str(),
                            "much"
                                | "cost"
                                | "costs"
                                | "price"
                                | "prices"
                                | "fee"
                                | "fees"
                                | "charge"
                                | "cheapest"
                                | "free"
                                | "pay"
                                | "new"
                                | "does"
                                | "um"
                                | "uh"
                                | "er"
                        )
                })
                .collect();
            if let Some(first) = subjects.first()
                && subjects
                    .iter()
                    .all(|word| !self.index.knows(&self.stems.stem(word)))
            {
                return Some((*first).clone());
            }
        }
        w.windows(2).find_map(|pair| {
            let (name, number) = (&pair[0], &pair[1]);
            if is_stop(name) || number.len() < 2 || !number.chars().all(|c| c.is_ascii_digit()) {
                return None;
            }
            let known = self.numbered.get(name)?;
            (!known.contains(number)).then(|| format!("{name} {number}"))
        })
    }
}

/// Words of the articles that stand before numbers of two digits or more as a name does (with a capital, "Fibre 500"), and which.
pub(super) fn numbered<'a>(
    texts: impl Iterator<Item = &'a str>,
) -> std::collections::HashMap<String, std::collections::BTreeSet<String>> {
    let mut out: std::collections::HashMap<String, std::collections::BTreeSet<String>> =
        std::collections::HashMap::new();
    for text in texts {
        let tokens: Vec<&str> = text.split_whitespace().collect();
        for (at, pair) in tokens.windows(2).enumerate() {
            let number = pair[1].trim_end_matches(|c: char| !c.is_alphanumeric());
            let named = pair[0].starts_with(char::is_uppercase)
                && pair[0].chars().all(char::is_alphabetic)
                // The first word of a sentence has its capital for another reason.
                && (at > 0 || text.starts_with(pair[0]) && pair[0].len() > 3);
            if named && number.len() >= 2 && number.chars().all(|c| c.is_ascii_digit()) {
                out.entry(pair[0].to_lowercase())
                    .or_default()
                    .insert(number.to_owned());
            }
        }
    }
    // One of a kind is no series: "Section 75", "Monday 12".
    out.retain(|_, numbers| numbers.len() >= 2);
    out
}

/// The kind of figure a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Amount,
    Time,
    Count,
    Open,
}

impl Asked {
    /// By the first word that asks: "how much if nobody is in when he comes" is after an amount.
    fn of(question: &str) -> Self {
        let w = words(question);
        for (at, word) in w.iter().enumerate() {
            let next = w.get(at + 1).map_or("", String::as_str);
            let asked = match (word.as_str(), next) {
                ("how", "many") => Self::Count,
                ("how", "long" | "soon" | "quickly" | "often")
                | ("what", "time")
                | ("hours", _) => Self::Time,
                ("when" | "whens", _) => Self::Time,
                ("how", "much")
                | (
                    "cost" | "costs" | "price" | "prices" | "fee" | "fees" | "charge" | "cheapest"
                    | "free",
                    _,
                ) => Self::Amount,
                _ => continue,
            };
            return asked;
        }
        Self::Open
    }

    fn answered_by(self, sentence: &str) -> bool {
        const TIMES: [&str; 22] = [
            "second",
            "seconds",
            "minute",
            "minutes",
            "hour",
            "hours",
            "day",
            "days",
            "week",
            "weeks",
            "month",
            "months",
            "year",
            "years",
            "immediately",
            "instantly",
            "monday",
            "friday",
            "today",
            "tomorrow",
            "am",
            "pm",
        ];
        let digit = sentence.chars().any(|c| c.is_ascii_digit());
        match self {
            Self::Open => false,
            Self::Count => digit,
            Self::Amount => {
                let money = sentence.contains(['\u{a3}', '$', '\u{20ac}', '%']);
                let w = words(sentence);
                let free = w.iter().any(|w| {
                    matches!(
                        w.as_str(),
                        "free" | "euros" | "pounds" | "dollars" | "cents" | "percent"
                    )
                });
                money
                    || free
                    || sentence.to_lowercase().contains("no fee")
                    || sentence.to_lowercase().contains("no charge")
            }
            Self::Time => words(sentence)
                .iter()
                .any(|w| TIMES.contains(&w.trim_start_matches(|c: char| c.is_ascii_digit()))),
        }
    }
}

/// The best sentence with what it needs beside it: the sentence before where it refers back, the condition after. Never more
/// than [`MOST_WORDS`] unless one sentence alone is longer.
fn choose(passage: &Passage, scores: &[f32]) -> (String, f32) {
    let sentences = &passage.sentences;
    let Some(best) =
        (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]).then(b.cmp(a)))
    else {
        return (passage.text.clone(), 0.0);
    };
    let length = |s: &str| s.split_whitespace().count();
    let mut chosen = vec![best];
    let mut words_used = length(&sentences[best]);
    let mut take = |i: usize, chosen: &mut Vec<usize>| {
        let n = length(&sentences[i]);
        let most = if scores[i] >= TIED * scores[best] {
            MOST_WORDS_TIED
        } else {
            MOST_WORDS
        };
        if !chosen.contains(&i) && chosen.len() < 3 && words_used + n <= most {
            words_used += n;
            chosen.push(i);
        }
    };
    // A fact and its condition are not parted.
    if best + 1 < sentences.len() && is_condition(&sentences[best + 1]) {
        take(best + 1, &mut chosen);
    }
    if best > 0 && (refers_back(&sentences[best]) || is_condition(&sentences[best])) {
        take(best - 1, &mut chosen);
    }
    let mut others: Vec<usize> = (0..sentences.len()).filter(|i| *i != best).collect();
    others.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    for i in others {
        if scores[i] >= 0.75 * scores[best] && scores[i] > 0.0 {
            take(i, &mut chosen);
        }
    }
    chosen.sort_unstable();
    let text: Vec<&str> = chosen.iter().map(|i| sentences[*i].as_str()).collect();
    (text.join(" "), scores[best])
}

/// "Unless ...", "If ...", "However ...", "... only": the sentence limits the one before it.
fn is_condition(sentence: &str) -> bool {
    let w = words(sentence);
    matches!(
        w.first().map(String::as_str),
        Some(
            "unless"
                | "if"
                | "however"
                | "but"
                | "except"
                | "otherwise"
                | "only"
                | "note"
                | "provided"
                | "excluding"
        )
    ) || w.windows(2).any(|p| {
        matches!(
            (p[0].as_str(), p[1].as_str()),
            ("does", "not") | ("do", "not") | ("not", "apply") | ("except", "for")
        )
    }) && w
        .first()
        .is_some_and(|f| matches!(f.as_str(), "this" | "that" | "these" | "it" | "they" | "we"))
}

/// "It ...", "This ...": meaningless without the sentence before.
fn refers_back(sentence: &str) -> bool {
    let w = words(sentence);
    matches!(
        w.first().map(String::as_str),
        Some(
            "it" | "its"
                | "this"
                | "that"
                | "these"
                | "those"
                | "they"
                | "then"
                | "after"
                | "also"
                | "otherwise"
                | "he"
                | "she"
        )
    ) && !matches!(w.get(1).map(String::as_str), Some("you" | "your"))
}

impl Hit {
    /// The hit's sentences, for reading on.
    pub fn sentences(&self) -> Vec<String> {
        sentences_of(&self.text)
    }
}
