//! The question after a question. Its words may be read alone, with the last question's, in the light of the article that was just read
//! from, or as the last question asked of something else; each reading has an answer, and which of them is right, if any, is judged by
//! all that is known of each and by how far they agree.

use super::super::after::After;
use super::super::answer::Answer;
use super::super::asked::Asked;
use super::super::confidence::{FEATURES, confirmed, evidence, held_to};
use super::super::config::Mode;
use super::super::desk::Desk;
use super::super::framing::bare;
use super::super::knowledge::sentences_of;
use super::super::linear::sigmoid;
use super::super::meaning::{Spoken, content_words};
use super::super::types::HeardEvidence;
use super::context::{self, Lean};
use super::{Inquiry, frames, inquire, spoken};

/// A way to read the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By themselves.
    Alone,
    /// Of the article that was read from last.
    Stay,
    /// Together with the last question.
    Joined,
    /// Of the article that answers both, its sentences looked through for the new words.
    After,
    /// The last question with what they name in its place.
    Carried,
}

/// What was said before.
pub struct Before<'a> {
    pub question: &'a str,
    pub reading: &'a [f32],
    /// The article that was read from last, and what was read.
    pub source: Option<&'a str>,
    pub told: Option<&'a str>,
}

/// What the words may be, with their readings: themselves, and texts made of them and the last question.
pub struct Words<'a> {
    pub text: &'a str,
    pub reading: &'a [f32],
    pub joined: (String, Vec<f32>),
    /// The last question with what they name in its place, asked.
    pub again: &'a [Put],
}

/// What was asked, with its text and reading.
pub type Put = (Inquiry, String, Vec<f32>);

/// One reading's answer.
struct Reading {
    way: Way,
    /// Less its answer.
    inquiry: Inquiry,
    answer: Answer,
    text: String,
    vector: Vec<f32>,
}

/// Least probability from which an answer to a question that follows another is spoken.
const SPOKEN_NEXT: f32 = 0.82;

/// Weight of what the last question looks for beside what the new words look for, among the sentences of the article that answers both.
const BOTH: f32 = 0.7;

/// How the readings of a question that follows another are weighed: fitted on such questions of seven unlike desks
/// (`tests/quality/*/talks.jsonl`), each desk held out in turn to choose what is weighed. The first are of [`Weighing::context`], in its order,
/// those after them of [`FEATURES`] from the second on; the recogniser's two count as they do for any answer.
const CONTEXT: [f32; CONTEXT_FEATURES] = [
    0.45, 0.09, 0.08, -1.25, 0.63, -0.96, 0.97, 1.19, 0.19, -0.14, 0.58, -0.41, 0.04, -0.20, -0.52,
    0.06, -0.14, 0.66, 0.03, 0.29, 0.09, 0.28, -0.65, 0.25, -1.12, 0.03, 0.19, 0.63, 0.68, -0.53,
    4.78, -1.93, -1.33, 0.56,
];
const EVIDENCE: [f32; FEATURES.len() - 1] = [
    1.63, 0.78, -1.24, -2.72, 2.71, -0.73, 1.19, -0.10, -0.45, -2.95, 0.66, 1.37, -2.81, -2.04,
    -0.09, 0.76, 0.86, -0.21, 0.17, 1.86, -0.55, 0.04, -1.04, -0.10, 0.27, 1.80, 0.44, 0.5, 0.3,
];
const CONTEXT_FEATURES: usize = 34;

/// The likeliest of the readings with its probability of being right; none where nothing has an answer.
pub fn next(
    desk: &Desk,
    words: &Words<'_>,
    alone: &Inquiry,
    before: &Before<'_>,
    heard: Option<&HeardEvidence>,
) -> Option<Put> {
    let all = readings(desk, words, alone, before, heard);
    let weighing = Weighing {
        desk,
        words,
        before,
        heard,
        all: &all,
        alone: alone
            .answer
            .as_ref()
            .map_or(-3.0, |_| logit(alone.confidence)),
    };
    let (p, at) = (0..all.len())
        .map(|at| (weighing.probability(at), at))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    let chosen = all.into_iter().nth(at)?;
    let policy = chosen
        .inquiry
        .intent
        .as_deref()
        .map(|name| desk.policy(name).clone())
        .unwrap_or_default();
    let floor = held_to(SPOKEN_NEXT, policy.floor);
    let Reading {
        inquiry,
        answer,
        text,
        vector,
        way,
    } = chosen;
    let (verdict, reason) = if p >= floor && policy.mode == Mode::Autonomous {
        spoken(desk, &text, &answer, &inquiry.understood, p)
    } else {
        let why = format!("read {way:?}, confidence {p:.2} under the floor {floor:.2}");
        (super::transfer("no_answer"), why)
    };
    let inquiry = Inquiry {
        verdict,
        reason,
        confidence: p,
        answer: Some(answer),
        ..inquiry
    };
    Some((inquiry, text, vector))
}

fn readings(
    desk: &Desk,
    words: &Words<'_>,
    alone: &Inquiry,
    before: &Before<'_>,
    heard: Option<&HeardEvidence>,
) -> Vec<Reading> {
    let mut all: Vec<Reading> = Vec::new();
    let mut add = |way: Way, mut inquiry: Inquiry, text: &str, vector: &[f32]| {
        if let Some(answer) = inquiry.answer.take() {
            all.push(Reading {
                way,
                inquiry,
                answer,
                text: text.to_owned(),
                vector: vector.to_vec(),
            });
        }
    };
    add(Way::Alone, alone.clone(), words.text, words.reading);
    let after = |weight: f32| After {
        question: before.question,
        reading: before.reading,
        told: before.told.unwrap_or_default(),
        weight,
    };
    let from = |article: &str, weight: f32| {
        let text = bare(words.text);
        let (understood, answer) = desk.answer_after(
            article,
            text,
            words.reading,
            &alone.understood,
            Some(&after(weight)),
        )?;
        Some(Inquiry {
            confidence: super::confidence(desk, &understood, Some(&answer), heard),
            understood,
            answer: Some(answer),
            ..alone.clone()
        })
    };
    if let Some(stay) = before.source.and_then(|source| from(source, 0.0)) {
        add(Way::Stay, stay, words.text, words.reading);
    }
    let (text, vector) = &words.joined;
    let joined = inquire(desk, text, vector, heard);
    let article = joined.answer.as_ref().map(|answer| answer.source.clone());
    add(Way::Joined, joined, text, vector);
    if let Some(after) = article.and_then(|article| from(&article, BOTH)) {
        add(Way::After, after, words.text, words.reading);
    }
    for (carried, text, vector) in words.again {
        add(Way::Carried, carried.clone(), text, vector);
    }
    // What is about something else is said by none of them, however it is read.
    all.retain(|reading| reading.answer.evidence.foreign == 0.0);
    all
}

/// The readings, and what each is weighed by.
struct Weighing<'a> {
    desk: &'a Desk,
    words: &'a Words<'a>,
    before: &'a Before<'a>,
    heard: Option<&'a HeardEvidence>,
    all: &'a [Reading],
    /// How sure the words alone are, as a logit.
    alone: f32,
}

impl Weighing<'_> {
    /// What is known of a reading beside the evidence for its answer.
    fn context(&self, at: usize, confirmed: f32) -> [f32; CONTEXT_FEATURES] {
        let Self {
            desk,
            words,
            before,
            all,
            alone: own,
            ..
        } = *self;
        let flag = |is: bool| f32::from(u8::from(is));
        let reading = &all[at];
        let others = (all.len() - 1).max(1) as f32;
        let share = |agrees: &dyn Fn(&Answer) -> bool| {
            let rest = all.iter().enumerate().filter(|(n, _)| *n != at);
            rest.filter(|(_, other)| agrees(&other.answer)).count() as f32 / others
        };
        let source = &reading.answer.source;
        let same = flag(before.source == Some(source.as_str()));
        let content = content_words(words.text).len().min(4) as f32;
        let points = flag(context::points(words.text));
        let lean = context::lean(words.text);
        let way = |way: Way| flag(reading.way == way);
        let fragment = flag(frames::fragment(words.text).is_some());
        let leans = |to: Lean| flag(lean == to);
        // What the new words ask for, whatever the last question was after.
        let asked = Asked::of(bare(words.text));
        let gives = asked.answered_by(&reading.answer.text);
        let spoken = desk
            .said_of(&reading.answer, words.reading)
            .filter(|_| content > 0.0);
        let told = before.told.map_or(0.0, |told| {
            let sentences = sentences_of(&reading.answer.text);
            let known = sentences.iter().filter(|s| told.contains(s.as_str()));
            known.count() as f32 / sentences.len().max(1) as f32
        });
        [
            1.0,
            logit(reading.inquiry.confidence),
            logit(confirmed),
            reading.inquiry.understood.field,
            same,
            flag(before.told == Some(reading.answer.text.as_str())),
            share(&|other| other.text == reading.answer.text),
            share(&|other| other.source == *source),
            content,
            content * same,
            points * same,
            points * (1.0 - same),
            own,
            own * same,
            way(Way::Alone),
            way(Way::Stay),
            way(Way::Joined),
            way(Way::After),
            way(Way::Carried),
            leans(Lean::Own) * same,
            leans(Lean::Own) * way(Way::Alone),
            leans(Lean::Maybe) * same,
            leans(Lean::Maybe) * way(Way::Alone),
            leans(Lean::Wholly) * same,
            leans(Lean::Wholly) * way(Way::Alone),
            fragment * way(Way::Carried),
            fragment * (way(Way::Alone) + way(Way::Stay)),
            fragment * same,
            flag(asked != Asked::Open && gives),
            flag(asked != Asked::Open && !gives),
            spoken.as_ref().map_or(0.0, Spoken::mean),
            spoken.as_ref().map_or(0.0, Spoken::least),
            flag(spoken.is_some()),
            told,
        ]
    }

    /// That a reading's answer is right.
    fn probability(&self, at: usize) -> f32 {
        let reading = &self.all[at];
        let u = &reading.inquiry.understood;
        let sure = confirmed(self.desk, u, &reading.answer, self.heard);
        let context = self.context(at, sure);
        let evidence = evidence(u, Some(&reading.answer), self.heard);
        let own: f32 = context.iter().zip(CONTEXT).map(|(x, w)| x * w).sum();
        let of: f32 = evidence[1..].iter().zip(EVIDENCE).map(|(x, w)| x * w).sum();
        sigmoid(own + of).clamp(0.001, 0.999)
    }
}

fn logit(p: f32) -> f32 {
    let p = p.clamp(0.001, 0.999);
    (p / (1.0 - p)).ln()
}
