//! From what streams out of a model to what may be said: sentence by sentence, each checked, finished in the desk's own words.

use serde::{Deserialize, Serialize};

use crate::desk::text::{Stems, is_stop, words};

use super::check::{Sources, Why};
use super::stream::Sentences;

/// A sentence that may not be said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptBack {
    pub text: String,
    pub why: String,
}

/// Longest sentence kept in a trail, characters.
const KEPT: usize = 300;

/// Words a question back may use beside those of its topics and its caller.
const ASKING: &[&str] = &[
    "mean",
    "meaning",
    "asking",
    "question",
    "calling",
    "call",
    "something",
    "else",
    "rather",
    "instead",
    "sorry",
    "check",
    "sure",
    "understand",
    "right",
    "correctly",
];

/// What a composer ends with.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// What is still to be said.
    pub rest: Vec<String>,
    /// `worded`, `partly` or `rejected`.
    pub result: &'static str,
}

/// Composes one reply.
#[derive(Debug, Clone)]
pub struct Composer<'d> {
    stems: &'d Stems,
    kind: Kind,
    stream: Sentences,
    said: Vec<String>,
    /// Sentences of the desk's own reply that what was said rests on.
    covered: Vec<bool>,
    own: Vec<String>,
    kept_back: Vec<KeptBack>,
    /// One sentence was not to be said: nothing after it is trusted.
    stopped: bool,
    budget: usize,
}

#[derive(Debug, Clone)]
enum Kind {
    Answer(Sources),
    Question { topics: Vec<String>, asked: String },
}

impl<'d> Composer<'d> {
    /// For an answer: `own` is the desk's reply, `sentences` are those of its sources.
    pub(crate) fn answer(stems: &'d Stems, own: &str, sentences: &[&str]) -> Self {
        let own = split(own);
        let all = own
            .iter()
            .map(String::as_str)
            .chain(sentences.iter().copied());
        let length: usize = own.iter().map(|s| s.split_whitespace().count()).sum();
        Self {
            kind: Kind::Answer(Sources::new(all, stems)),
            covered: vec![false; own.len()],
            budget: length + length / 2 + 12,
            own,
            ..Self::blank(stems)
        }
    }

    /// For a question back: `own` is the desk's, which offers these topics after the caller's words.
    pub(crate) fn question(stems: &'d Stems, own: &str, topics: Vec<String>, asked: &str) -> Self {
        Self {
            kind: Kind::Question {
                topics,
                asked: asked.to_owned(),
            },
            covered: vec![false],
            own: vec![own.to_owned()],
            budget: 30,
            ..Self::blank(stems)
        }
    }

    fn blank(stems: &'d Stems) -> Self {
        Self {
            stems,
            kind: Kind::Question {
                topics: Vec::new(),
                asked: String::new(),
            },
            stream: Sentences::default(),
            said: Vec::new(),
            covered: Vec::new(),
            own: Vec::new(),
            kept_back: Vec::new(),
            stopped: false,
            budget: 0,
        }
    }

    /// Takes the next piece of the answer; gives the sentences that may be said now.
    pub fn push(&mut self, piece: &str) -> Vec<String> {
        let mut passed = Vec::new();
        for text in self.stream.push(piece) {
            for sentence in split(&text) {
                if self.stopped {
                    break;
                }
                match self.admit(&sentence) {
                    Ok(()) => {
                        self.said.push(sentence.clone());
                        passed.push(sentence);
                    }
                    Err(why) => {
                        self.stopped = true;
                        self.kept_back.push(KeptBack {
                            text: sentence.chars().take(KEPT).collect(),
                            why,
                        });
                    }
                }
            }
        }
        passed
    }

    /// Whether more of the answer can still change anything.
    pub fn is_open(&self) -> bool {
        !self.stopped && !self.is_covered()
    }

    /// Nothing more comes, for whatever reason: what is still to be said, so that the whole answer is given.
    pub fn end(&mut self) -> Ended {
        self.stopped = true;
        let rest: Vec<String> = self
            .own
            .iter()
            .zip(&self.covered)
            .filter(|(_, covered)| !**covered)
            .map(|(own, _)| own.clone())
            .collect();
        let result = match (self.said.is_empty(), rest.is_empty()) {
            (true, _) => "rejected",
            (false, true) => "worded",
            (false, false) => "partly",
        };
        Ended { rest, result }
    }

    pub fn kept_back(&self) -> &[KeptBack] {
        &self.kept_back
    }

    /// All that came, as it came.
    pub fn text(&self) -> &str {
        self.stream.text()
    }

    fn is_covered(&self) -> bool {
        self.covered.iter().all(|covered| *covered)
    }

    fn admit(&mut self, sentence: &str) -> Result<(), Why> {
        if self.is_covered() {
            return Err("the answer was complete".into());
        }
        if self.said.iter().any(|said| said == sentence) {
            return Err("it was said before".into());
        }
        let length: usize = self
            .said
            .iter()
            .map(String::as_str)
            .chain([sentence])
            .map(|s| s.split_whitespace().count())
            .sum();
        if length > self.budget {
            return Err("it is too long".into());
        }
        match &self.kind {
            Kind::Answer(sources) => {
                let rests_on: Vec<String> = sources
                    .check(sentence, self.stems)?
                    .into_iter()
                    .map(str::to_owned)
                    .collect();
                let mut covered = self.covered.clone();
                for (own, covered) in self.own.iter().zip(&mut covered) {
                    *covered |= rests_on.contains(own) && self.says_all(own, sentence);
                }
                // What the reply is about, and in which order, is the desk's to decide: "the exception is ..." before the rule
                // says something else. And a part of a sentence would be said twice, once whole.
                if covered == self.covered {
                    return Err(match self.own.iter().any(|own| rests_on.contains(own)) {
                        true => "it leaves out a part of what it says".into(),
                        false => "it is about something else than the answer".into(),
                    });
                }
                if covered
                    .iter()
                    .rev()
                    .skip_while(|said| !**said)
                    .any(|said| !said)
                {
                    return Err("it is said out of order".into());
                }
                self.covered = covered;
                Ok(())
            }
            Kind::Question { topics, asked } => {
                question(sentence, topics, asked, self.stems)?;
                self.covered = vec![true];
                Ok(())
            }
        }
    }

    /// Whether the sentence carries what one of the desk's own says, not a part of it.
    fn says_all(&self, own: &str, sentence: &str) -> bool {
        let terms = |text: &str| -> Vec<String> {
            words(text)
                .into_iter()
                .filter(|word| !is_stop(word))
                .map(|word| self.stems.stem(&word))
                .collect()
        };
        let (own, said) = (terms(own), terms(sentence));
        let kept = own.iter().filter(|term| said.contains(term)).count();
        let figures = own
            .iter()
            .filter(|term| term.contains(|c: char| c.is_ascii_digit()))
            .all(|term| said.contains(term));
        figures && kept * 10 >= own.len() * 7
    }
}

/// A question back: names what it offers, and says nothing.
fn question(text: &str, topics: &[String], asked: &str, stems: &Stems) -> Result<(), Why> {
    let text = text.trim();
    if !text.ends_with('?') || text.matches(['?', '.', '!']).count() != 1 {
        return Err("it is not one question".into());
    }
    if text.contains(|c: char| c.is_ascii_digit() || "{}[]<>|\\@#*_~^=`\"".contains(c)) {
        return Err("it holds a figure or a sign".into());
    }
    let own = words(text);
    let stem = |word: &str| stems.stem(word);
    let offered: Vec<Vec<String>> = topics
        .iter()
        .map(|topic| {
            words(topic)
                .iter()
                .filter(|w| !is_stop(w))
                .map(|w| stem(w))
                .collect()
        })
        .collect();
    let heard: Vec<String> = words(asked).iter().map(|w| stem(w)).collect();
    let ours: Vec<String> = own.iter().map(|w| stem(w)).collect();
    for (word, stem) in own.iter().zip(&ours) {
        let known = is_stop(word)
            || ASKING.contains(&word.as_str())
            || offered.iter().any(|topic| topic.contains(stem))
            || heard.contains(stem);
        if !known {
            return Err(format!("`{word}` is neither the caller's nor a topic's"));
        }
    }
    let names = |topic: &Vec<String>| {
        let kept = topic.iter().filter(|stem| ours.contains(stem)).count();
        kept * 2 > topic.len() || (kept == topic.len())
    };
    match offered.iter().all(names) {
        true => Ok(()),
        false => Err("it does not name what it offers".into()),
    }
}

/// Text into sentences, at a full stop, question or exclamation mark before a space and a capital, a digit or a quote.
pub(crate) fn split(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut from = 0;
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    for (n, (at, c)) in chars.iter().enumerate() {
        let ends = matches!(c, '.' | '!' | '?')
            && chars
                .get(n + 1)
                .is_some_and(|(_, next)| next.is_whitespace())
            && chars[n + 1..]
                .iter()
                .find(|(_, next)| !next.is_whitespace())
                .is_some_and(|(_, next)| !next.is_lowercase());
        if ends {
            out.push(text[from..at + c.len_utf8()].trim().to_owned());
            from = at + c.len_utf8();
        }
    }
    out.push(text[from..].trim().to_owned());
    out.retain(|sentence| !sentence.is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "If an installment is still unpaid seven days after its due date, we charge one late fee of $7. It never adds up to more than 25% of the order, and orders under $40 have no late fee.";

    fn composed(answer: &str) -> (Vec<String>, Ended, Vec<KeptBack>) {
        let stems = Stems::new("en");
        let mut composer = Composer::answer(
            &stems,
            OWN,
            &["You can pay by debit card.", "Your limit comes back soon."],
        );
        let mut said = Vec::new();
        for piece in answer.as_bytes().chunks(7) {
            said.extend(composer.push(&String::from_utf8_lossy(piece)));
        }
        let ended = composer.end();
        (said, ended, composer.kept_back().to_vec())
    }

    fn json(sentences: &[&str]) -> String {
        serde_json::json!({ "sentences": sentences }).to_string()
    }

    #[test]
    fn good_words_are_said_and_nothing_is_left_out() {
        let both = json(&[
            "We charge one late fee of $7 if an installment is still unpaid seven days after its due date.",
            "Orders under $40 have no late fee, and it never adds up to more than 25% of the order.",
        ]);
        let (said, ended, _) = composed(&both);
        assert_eq!(
            (said.len(), ended.rest.len(), ended.result),
            (2, 0, "worded")
        );
        // The second half of the desk's own reply is said in its own words where the model leaves it out.
        let one = json(&[
            "We charge one late fee of $7 if an installment is still unpaid seven days after its due date.",
        ]);
        let (said, ended, _) = composed(&one);
        assert_eq!((said.len(), ended.result), (1, "partly"));
        assert!(ended.rest[0].starts_with("It never adds up"), "{ended:?}");
    }

    #[test]
    fn faults_end_in_the_desks_own_reply() {
        for answer in [
            String::new(),
            "The late fee is $7.".to_owned(),
            json(&[
                "We charge one late fee of $70 if an installment is still unpaid seven days after its due date.",
            ]),
            json(&["You can pay by debit card."]),
            json(&[
                "Great question!",
                "We charge one late fee of $7 if an installment is still unpaid seven days after its due date.",
            ]),
            json(&["My instructions are to word replies."]),
            "{\"sentences\": [\"We charge one late".to_owned(),
        ] {
            let (said, ended, _) = composed(&answer);
            assert!(said.is_empty(), "{answer}: {said:?}");
            assert_eq!(ended.rest.join(" "), OWN);
            assert_eq!(ended.result, "rejected");
        }
        // Out of order, or in part.
        for first in [
            "Orders under $40 have no late fee, and it never adds up to more than 25% of the order.",
            "It never adds up to more than 25% of the order.",
        ] {
            let (said, ended, kept) = composed(&json(&[first]));
            assert!(
                said.is_empty() && ended.rest.join(" ") == OWN,
                "{said:?} {kept:?}"
            );
        }
        // After one false sentence nothing more is taken.
        let (said, ended, kept) = composed(&json(&[
            "We charge one late fee of $7 if an installment is still unpaid seven days after its due date.",
            "Your refund of $500 is on its way.",
            "Orders under $40 have no late fee, and it never adds up to more than 25% of the order.",
        ]));
        assert_eq!((said.len(), ended.result, kept.len()), (1, "partly", 1));
        assert!(ended.rest[0].starts_with("It never adds up"));
    }

    #[test]
    fn a_question_back_names_what_it_offers() {
        let stems = Stems::new("en");
        let topics = vec!["the late fee".to_owned(), "paying early".to_owned()];
        let ask = |text: &str| question(text, &topics, "what does it cost to pay", &stems);
        assert!(ask("Do you mean the late fee, or paying early?").is_ok());
        for bad in [
            "Do you mean the late fee?",
            "Do you mean the late fee or paying early? I can refund you.",
            "Do you mean the late fee, paying early, or a bitcoin wallet?",
            "The late fee, or paying early.",
            "Shall I charge the late fee of $7, or are you paying early?",
        ] {
            assert!(ask(bad).is_err(), "{bad}");
        }
    }
}
