//! From the articles that bear on a question to the one to three sentences that answer it.

use std::collections::{HashMap, HashSet};

use super::after::After;
use super::answering::{Answering, agree};
use super::asked::{Asked, asks_for_own, things_asked_for};
use super::choosing::{beside, choose, side, sides};
use super::desk::{Desk, Hit, Understanding};
use super::entity::Quantity;
use super::framing::bare;
use super::knowledge::{Article, Passage, sentences_of};
use super::meaning::{Spoken, content_words, whole};
use super::object::{Object, Way, counts, further, measures, trade};
use super::places::country;
use super::text::words;

/// What the passage that was found by its vector is ahead of the article's others.
const FIRST_PASSAGE: f32 = 0.1;

/// How much better than the best sentence of what was written for reading out another of the article's answers where the first leaves
/// out what is asked for.
const LEFT_OUT: f32 = 0.03;
/// The same of a question for the whole of a matter, which is what such a text was written for.
const LEFT_OUT_OF_ALL: f32 = 0.24;

/// A word of the question less near than this to any that is said is not spoken of.
const UNSPOKEN: f32 = 0.5;
/// A word that no article has is another thing's if none that is said is nearer to it.
const UNLIKE: f32 = 0.4;
/// An article that scores less by no more than this is compared by what it would say.
const NEARLY_FIRST: f32 = 0.1;
/// How much better an answer is taken to be than others where no other article is near enough to be compared.
const FITS_ALONE: f32 = 0.5;
/// So many at most.
const COMPARED: usize = 2;
/// Other articles that an answer is held against.
const RIVALS: usize = 5;

/// A reply taken from an article.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// One to three sentences, fit to be said aloud.
    pub text: String,
    /// The article's id.
    pub source: String,
    /// The passage it was taken from, whole; all of the article's where it was taken from several.
    pub passage: String,
    pub evidence: AnswerEvidence,
}

/// Why to believe it, each 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct AnswerEvidence {
    /// Score of the article over the next one's.
    pub margin: f32,
    /// The same over the best of those that do not serve the understood intent: whether the matter is right, if not the article.
    pub matter: f32,
    /// Nearness of question and article.
    pub similarity: f32,
    /// Share of the question's content words that the article or the examples of its intents have.
    pub coverage: f32,
    /// Nearness of the question and the best sentence said.
    pub sentence: f32,
    /// The article carries the intent that was understood.
    pub agrees: f32,
    /// 1 where the question asks for a figure of some kind and what is said has none of that kind.
    pub focus: f32,
    /// 1 where the question asks for a figure of some kind and what is said has one.
    pub given: f32,
    /// How much better it answers than what the articles ranked nearly as high would say.
    pub fits: f32,
    /// How well the best sentence of the article that is not said answers, beside the best that is, 0 to 1; 0 where all is said or
    /// the desk wrote what is.
    pub left: f32,
    /// 1 where the question names something the desk knows by name or number, and the passage is not about it.
    pub foreign: f32,
    /// 1 where what is said sets a limit that the caller's own quantity keeps to ("for children from 4 to 11", "my eight year old"),
    /// -1 where it sets only ones that it does not; 0 where there is nothing to compare.
    pub side: f32,
    /// How well what is said speaks of the words of the question; none where the desk does not read words.
    pub words: Option<ByWord>,
    /// How near what is said is to answering, beside what is not said; none where the encoder was not asked.
    pub answering: Option<Answering>,
}

impl AnswerEvidence {
    /// How well what is said answers, for comparing answers to one question; none where words are not read. Chosen on 249 questions
    /// of four desks, where any weights near these do as well.
    fn fits(&self) -> Option<f32> {
        let words = self.words?;
        Some(
            2.5 * self.similarity + 0.6 * words.mean - 0.8 * words.unsaid
                + 0.7 * words.sentence_lead
                - 0.3 * self.focus
                - 0.2 * self.foreign
                + 0.7 * self.answering.map_or(0.0, |a| a.best),
        )
    }
}

/// The words of a question against what is said ([`super::meaning`]), each 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ByWord {
    /// Mean similarity of the question's words to those said.
    pub mean: f32,
    /// Of the word that is spoken of least.
    pub least: f32,
    /// Mean similarity to the article's words over that to the best other article's.
    pub lead: f32,
    /// Nearness of the article's best sentence over that of the best other article's.
    pub sentence_lead: f32,
    /// Share of the question's weight, rare words weighing more, that neither the title nor what is said speaks of.
    pub unsaid: f32,
    /// The heaviest single part of it.
    pub missing: f32,
    /// How little is said of the thing that "how many", "which" and "what" ask for; 0 where the question asks so of nothing.
    pub asked_for: f32,
    /// The same of what is priced, had or offered ("how much is a beer", "do you sell beds").
    pub had: f32,
    /// The same of "which floor", "how warm", "how many drivers".
    pub which: f32,
    /// 1 where what is said is surely about something else: a measure that is not given, a thing that is not counted, a trade that is
    /// not offered, a second one where only the first is spoken of, another country.
    pub beside: f32,
}

impl Desk {
    /// The reply the articles give, none where the desk has no article that bears on the question at all.
    pub fn answer(&self, question: &str, reading: &[f32], u: &Understanding) -> Option<Answer> {
        self.answer_among(question, reading, u, &[], None)
    }

    /// The same where the articles `silent` give no figure of the kind that is asked for: the answer is not held against them.
    pub(super) fn answer_among(
        &self,
        question: &str,
        reading: &[f32],
        u: &Understanding,
        silent: &[usize],
        after: Option<&After<'_>>,
    ) -> Option<Answer> {
        let question = bare(question);
        let best = u.hits.first()?;
        let at = self.passages[best.index].article;
        let article = self.articles.get(at)?;
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
        let sought = self.sought(question, at, reading);
        let asked = sought.asked;
        let before = after.map(|after| (after, self.sought(after.question, at, after.reading)));
        let score = |p: &Passage| match &before {
            Some((after, before)) => self.score_after(p, &sought, after, before),
            None => self.score_sentences(p, &sought),
        };
        let scored: Vec<(&Passage, Vec<f32>)> =
            self.of_article(at).map(|p| (p, score(p))).collect();
        let found = &self.passages[best.index];
        let reach = |(p, scores): &(&Passage, Vec<f32>)| {
            let ahead = if std::ptr::eq(*p, found) {
                FIRST_PASSAGE
            } else {
                0.0
            };
            scores.iter().copied().fold(0.0, f32::max) + ahead
        };
        // The first of those that reach as far.
        let (passage, scores) = scored
            .iter()
            .rev()
            .max_by(|a, b| reach(a).total_cmp(&reach(b)))?;
        // What the desk wrote for reading out is said, unless the question asks for a figure that only the rest of the article gives, or
        // one of its sentences answers so much better that what is asked for is left out of what was written.
        let top = |scores: &[f32]| scores.iter().copied().fold(0.0, f32::max);
        // Whoever asks on is past it.
        let written = self.written[at].as_ref().filter(|_| after.is_none());
        let written = written.filter(|written| {
            let rest = || self.of_article(at).flat_map(|p| &p.sentences);
            let most = if asks_for_all(question) {
                LEFT_OUT_OF_ALL
            } else {
                LEFT_OUT
            };
            let figure = asked.answered_by(&written.text) || !rest().any(|s| asked.answered_by(s));
            figure && top(scores) < top(&self.score_sentences(written, &sought)) + most
        });
        let written = written.map(|written| &written.text);
        let (text, sentence) = match written {
            Some(spoken) => (spoken.clone(), best.score),
            None => {
                let (text, best) = choose(passage, scores);
                (beside(&text, best, &scored, asked), best)
            }
        };
        let elsewhere = written.is_none()
            && sentences_of(&text)
                .iter()
                .any(|s| !passage.sentences.contains(s));
        let by_word = self.by_word(
            question,
            at,
            &text,
            written.is_some(),
            passage,
            reading,
            (u, silent),
        );
        let left = match written {
            Some(_) => 0.0,
            None => {
                let all = scored
                    .iter()
                    .flat_map(|(p, scores)| p.sentences.iter().zip(scores));
                let (mut said, mut unsaid) = (1e-6f32, 0f32);
                for (s, score) in all {
                    let known = if text.contains(s) {
                        &mut said
                    } else {
                        &mut unsaid
                    };
                    *known = known.max(*score);
                }
                (unsaid / said).clamp(0.0, 1.0)
            }
        };
        let near = self.answering(
            at,
            (&text, written.is_some()),
            (question, asked),
            reading,
            (u, silent),
        );
        let answered = asked.answered_by(&text);
        let focus = f32::from(u8::from(asked != Asked::Open && !answered));
        let side = match keeps(&text, &sought.quantities) {
            Some(true) => 1.0,
            Some(false) => -1.0,
            None => 0.0,
        };
        let rivals = || {
            u.sources.iter().skip(1).filter_map(|source| {
                let at = self.article_at(&source.id)?;
                (!silent.contains(&at)).then_some((at, source.score))
            })
        };
        let next = rivals().next().map_or(0.0, |(_, score)| score);
        let top = u.intents.first().map(|i| i.0.as_str());
        let serves =
            |article: &Article| top.is_some_and(|t| article.intents.iter().any(|i| i == t));
        let of_another_matter = rivals()
            .find(|(at, _)| !serves(&self.articles[*at]))
            .map_or(0.0, |(_, score)| score);
        let first = u.sources.first().map_or(0.0, |s| s.score);
        Some(Answer {
            text,
            source: article.id.clone(),
            // What the desk wrote for reading out is as much its word as the rest of the article.
            passage: match &article.spoken {
                Some(spoken) => format!("{}\n{}\n{spoken}", article.title, article.text),
                None if elsewhere => {
                    let all = self.of_article(at).map(|p| p.embedded(&article.title));
                    all.collect::<Vec<_>>().join("\n")
                }
                None => passage.embedded(&article.title),
            },
            evidence: AnswerEvidence {
                margin: (first - next).clamp(0.0, 1.0),
                matter: (first - of_another_matter).clamp(-1.0, 1.0),
                similarity: first,
                coverage: shared / total,
                sentence,
                agrees: f32::from(u8::from(serves(article))),
                focus,
                given: f32::from(u8::from(answered)),
                fits: 0.0,
                left,
                foreign: f32::from(u8::from(
                    self.is_foreign(question, article, passage)
                        || by_word.is_some_and(|w| w.beside > 0.0),
                )),
                side,
                words: by_word,
                answering: near,
            },
        })
    }

    /// The same of the best article, or of one that bears on the question nearly as well and whose sentences answer it better: it is
    /// put first then. The rank says which article is about the matter; two sentences side by side say which of them answers.
    pub fn best_answer(
        &self,
        question: &str,
        reading: &[f32],
        u: &mut Understanding,
    ) -> Option<Answer> {
        let mut best = self.answer(question, reading, u)?;
        let least = best.evidence.similarity - NEARLY_FIRST;
        let Some(mut fits) = best.evidence.fits() else {
            return Some(best);
        };
        let near = u.sources.iter().skip(1).take(COMPARED);
        let near: Vec<usize> = near
            .filter(|source| source.score >= least)
            .filter_map(|source| self.article_at(&source.id))
            .filter(|at| !self.articles[*at].is_ticket())
            .collect();
        let asked = Asked::of(question);
        let mut all: Vec<(f32, Answer)> = vec![(fits, best.clone())];
        for at in near {
            let mut other = u.clone();
            self.put_first(&mut other, at);
            if let Some(answer) = self.answer(question, reading, &other)
                && let Some(its) = answer.evidence.fits()
            {
                // One that says the same figure says it no better for being the shorter sentence: the rank decides.
                let same = best.evidence.given > 0.0 && agree(asked, &best.text, &answer.text);
                if its > fits && !same {
                    (best, fits) = (answer.clone(), its);
                }
                all.push((its, answer));
            }
        }
        if let Some(at) = self.article_at(&best.source) {
            self.put_first(u, at);
        }
        // "How much is the late fee": what an article says of having it taken off is no other answer to that, nor is one that says
        // the same figure.
        all.retain(|(_, answer)| answer.source != best.source);
        let given = best.evidence.given > 0.0;
        let agrees = |answer: &Answer| given && agree(asked, &best.text, &answer.text);
        let others = all.iter().filter(|(_, answer)| !agrees(answer));
        let second = others.map(|(its, _)| *its).reduce(f32::max);
        let silent: Vec<usize> = all
            .iter()
            .filter(|(_, answer)| given && answer.evidence.focus > 0.0 || agrees(answer))
            .filter_map(|(_, answer)| self.article_at(&answer.source))
            .collect();
        if !silent.is_empty()
            && let Some(alone) = self.answer_among(question, reading, u, &silent, None)
        {
            best = alone;
        }
        best.evidence.fits = second.map_or(FITS_ALONE, |second| (fits - second).min(FITS_ALONE));
        Some(best)
    }

    /// What one article says to a question, and the understanding with it first; none where the desk has no such article or it bears
    /// on the question too little to be ranked at all.
    pub fn answer_from(
        &self,
        article: &str,
        question: &str,
        reading: &[f32],
        u: &Understanding,
    ) -> Option<(Understanding, Answer)> {
        self.answer_after(article, question, reading, u, None)
    }

    /// Whether the question names something ("Gigabit", "Northgate", "500") that other passages name and this one does not.
    fn is_foreign(&self, question: &str, article: &Article, passage: &Passage) -> bool {
        let heading = passage.heading.as_deref().unwrap_or("");
        let spoken = article.spoken.as_deref().unwrap_or("");
        let here = words(&format!(
            "{} {heading} {} {spoken}",
            article.title, passage.text
        ));
        // "What's my bill?" is after the caller's own: an article that speaks of "your first bill" does not know it.
        if let Some(own) = asks_for_own(question)
            && !here
                .windows(2)
                .any(|pair| matches!(pair[0].as_str(), "your" | "my") && pair[1] == own)
            // "Where are my receipts": "receipts are in the app".
            && !passage.sentences.iter().any(|s| {
                let w = words(s);
                w.len() > 1 && w[0] == own && matches!(w[1].as_str(), "are" | "come" | "is")
            })
        {
            return true;
        }
        let here: Vec<String> = here.iter().map(|w| self.stems.stem(w)).collect();
        words(question)
            .iter()
            .filter(|w| self.named.contains(w.as_str()))
            .any(|w| !here.contains(&self.stems.stem(w)))
    }

    #[allow(clippy::too_many_arguments, reason = "read in one place")]
    fn by_word(
        &self,
        question: &str,
        article: usize,
        text: &str,
        written: bool,
        passage: &Passage,
        reading: &[f32],
        (u, silent): (&Understanding, &[usize]),
    ) -> Option<ByWord> {
        let vector = whole(reading, self.dims());
        let said = passage
            .sentences
            .iter()
            .map(String::as_str)
            .filter(|s| !written && text.contains(s))
            .chain(written.then_some(text));
        let title = self.articles[article].title.as_str();
        let said: Vec<&str> = said.collect();
        let over = [Some(title), passage.heading.as_deref().filter(|_| !written)];
        let titled = said.iter().copied().chain(over.into_iter().flatten());
        let titled = self.readings.spoken(reading, titled)?;
        let heading = passage.heading.as_deref().unwrap_or("");
        let lacking = self.unspoken(question, &titled, &format!("{title} {heading} {text}"));
        let said = self.readings.spoken(reading, said.into_iter())?;
        let others: Vec<usize> = u
            .hits
            .iter()
            .map(|hit| self.passages[hit.index].article)
            .filter(|other| *other != article && !silent.contains(other))
            .take(RIVALS)
            .collect();
        let whole_article = self.speaks(article, reading)?;
        let rival = others
            .iter()
            .filter_map(|other| self.speaks(*other, reading))
            .map(|spoken| spoken.mean())
            .fold(0.0, f32::max);
        let rival_sentence = others
            .iter()
            .map(|other| self.nearest_sentence(*other, vector))
            .fold(0.0, f32::max);
        Some(ByWord {
            mean: said.mean(),
            least: said.least(),
            lead: whole_article.mean() - rival,
            sentence_lead: self.nearest_sentence(article, vector) - rival_sentence,
            ..lacking
        })
    }

    /// What of the question is not spoken of: the parts of [`ByWord`] that say so.
    fn unspoken(&self, question: &str, spoken: &Spoken, said: &str) -> ByWord {
        let words = content_words(question);
        let near = spoken.each();
        if words.len() != near.len() {
            return ByWord {
                unsaid: 1.0 - spoken.mean(),
                missing: 1.0 - spoken.least(),
                ..ByWord::default()
            };
        }
        let here: HashSet<String> = self.stems.terms(said).into_iter().collect();
        let things = things_asked_for(question);
        let object = Object::of(question);
        let (mut total, mut sum, mut most, mut thing) = (1e-6f32, 0f32, 0f32, 0f32);
        let mut lacks: HashMap<&str, f32> = HashMap::with_capacity(words.len());
        for (word, near) in words.iter().zip(near) {
            let stem = self.stems.stem(word);
            let weight = self.index.idf(&stem);
            let lack = if here.contains(&stem) {
                0.0
            } else {
                (1.0 - near).clamp(0.0, 1.0)
            };
            total += weight;
            sum += weight * lack;
            most = most.max(weight * lack);
            if things.contains(word) {
                thing = thing.max(lack);
            }
            lacks.insert(word, lack);
        }
        let lack = |word: &str| lacks.get(word).copied().unwrap_or(0.0);
        let of_object = |ways: &[Way]| {
            let asked = object.iter().filter(|o| ways.contains(&o.way));
            let words = asked.flat_map(|o| &o.words).filter(|w| !is_amount(w));
            words.map(|w| lack(w)).fold(0.0, f32::max)
        };
        let lone = object
            .as_ref()
            .and_then(|o| Some((o.way, o.words.first()?)));
        let elsewhere = match lone {
            Some((Way::How, how)) => lack(how) > UNSPOKEN && !measures(how, said),
            Some((Way::Many, thing)) => !counts(thing, said),
            // "An MRI scan", where no article has the word: the price of another scan is not its price.
            Some((Way::Had, _)) => object.iter().flat_map(|o| &o.words).any(|w| {
                lack(w) > UNLIKE
                    && !is_amount(w)
                    && !is_size(w)
                    && !self.index.knows(&self.stems.stem(w))
            }),
            _ => false,
        };
        let other = [trade(question), further(question)];
        let abroad = country(question).is_some_and(|c| c.spoken_of(said) == Some(false));
        let beside = elsewhere || abroad || other.iter().flatten().any(|w| lack(w) > UNSPOKEN);
        ByWord {
            unsaid: sum / total,
            missing: most / self.index.most(),
            asked_for: thing,
            had: of_object(&[Way::Had]),
            which: of_object(&[Way::Which, Way::How, Way::Many]),
            beside: f32::from(u8::from(beside)),
            ..ByWord::default()
        }
    }
}

/// "What happens if I'm late?", "how does it work?": after the whole of a matter, not one thing of it.
pub(super) fn asks_for_all(question: &str) -> bool {
    let w = words(question);
    let works = w.last().is_some_and(|last| last == "work");
    w.windows(2)
        .any(|pair| match (pair[0].as_str(), pair[1].as_str()) {
            ("what", "happens" | "happened") | ("tell", "me") => true,
            ("how", "does") => works,
            _ => false,
        })
}

/// Words that tell one of a kind from its others, whatever the articles call it.
fn is_size(word: &str) -> bool {
    matches!(
        word,
        "long"
            | "short"
            | "big"
            | "small"
            | "large"
            | "little"
            | "full"
            | "whole"
            | "new"
            | "normal"
            | "regular"
            | "usual"
            | "extra"
            | "single"
            | "double"
    )
}

/// Words for what is paid: they name no thing that is paid for.
fn is_amount(word: &str) -> bool {
    matches!(
        word,
        "fee"
            | "fees"
            | "cost"
            | "costs"
            | "price"
            | "prices"
            | "charge"
            | "charges"
            | "extra"
            | "penalty"
            | "bill"
            | "surcharge"
            | "deposit"
            | "rate"
            | "amount"
            | "total"
    )
}

/// Whether what is said sets a limit that the caller's quantities keep to.
fn keeps(said: &str, quantities: &[Quantity]) -> Option<bool> {
    let sentences = sentences_of(said);
    sides(&sentences, quantities)
        .into_iter()
        .flatten()
        .chain(side(said, quantities))
        .reduce(|a, b| a || b)
}

impl Hit {
    /// The hit's sentences, for reading on.
    pub fn sentences(&self) -> Vec<String> {
        sentences_of(&self.text)
    }
}
