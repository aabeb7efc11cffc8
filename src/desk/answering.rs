//! Which sentence answers, by an encoder that was taught so ([`super::meaning::asked`], `scripts/answers/`).

use super::answer::asks_for_all;
use super::asked::Asked;
use super::desk::{Desk, Understanding};
use super::entity::{Figure, FigureKind, figures};
use super::meaning::{self, content_words, likeness};

/// Content words at most of a question for the whole of a matter and nothing else.
const MATTER_WORDS: usize = 4;
/// How near a sentence is taken to be at most that does not give the figure asked for, where what is said does.
const RIVALRY: f32 = 0.25;
/// The temperature at which the encoder was taught to tell answers apart (`scripts/answers/`).
const SHARPNESS: f32 = 0.05;

/// What is said among all that might answer, by an encoder that was taught which sentences do.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Answering {
    /// How near the best sentence of what is said is, 0 to 1.
    pub best: f32,
    /// How much nearer than the best of any other article.
    pub lead: f32,
    /// How much nearer than the best of the article that is not said.
    pub unsaid: f32,
    /// Share of what is said in all sentences of the articles that bear on the question, each weighing as the encoder was taught
    /// to tell them apart.
    pub share: f32,
}

impl Desk {
    /// How near an article's best sentence is to answering, 0 to 1; 0 where the encoder was not asked.
    pub(super) fn best_answering(&self, article: usize, reading: &[f32]) -> f32 {
        let Some(asked) = meaning::asked(reading, self.dims()) else {
            return 0.0;
        };
        self.of_article(article)
            .flat_map(|p| &p.answering)
            .map(|place| likeness(asked, place))
            .fold(0.0, f32::max)
    }

    /// How near what is said of an article is to answering ([`Answering`]). Where a figure of some kind is asked for and given,
    /// sentences without one are no rivals: "we can take one late fee off" does not say how much it is.
    pub(super) fn answering(
        &self,
        article: usize,
        (text, written): (&str, bool),
        (question, asked): (&str, Asked),
        reading: &[f32],
        (u, silent): (&Understanding, &[usize]),
    ) -> Option<Answering> {
        let sought = meaning::asked(reading, self.dims())?;
        let given = asked != Asked::Open && asked.answered_by(text);
        let told = if given { figures(text) } else { Vec::new() };
        // Not where a longer question adds something to it.
        let whole =
            written && asks_for_all(question) && content_words(question).len() <= MATTER_WORDS;
        let weight = |near: f32| (near / SHARPNESS).exp();
        let (mut best, mut unsaid, mut rival) = (0f32, 0f32, 0f32);
        let (mut said, mut all) = (0f32, 1e-6f32);
        let own = self.of_article(article);
        let own = own.chain(self.written[article].as_ref().filter(|_| written));
        let others = u.hits.iter().map(|hit| self.passages[hit.index].article);
        let others = others.filter(|other| *other != article && !silent.contains(other));
        let others = others.flat_map(|other| self.of_article(other));
        let passages = own.map(|p| (true, p)).chain(others.map(|p| (false, p)));
        for (own, p) in passages {
            for (s, place) in p.sentences.iter().zip(&p.answering) {
                let near = likeness(sought, place);
                // What the desk wrote for reading out is the whole of the matter in short.
                let is_said = own && (whole || text.contains(s.as_str()));
                let rivals = near > RIVALRY && !is_said;
                if is_said || rivals && given && gives_one_of(asked, &told, s) {
                    // The same figure in other words is the same answer.
                    if is_said {
                        best = best.max(near);
                    }
                    said += weight(near);
                    all += weight(near);
                    continue;
                }
                let near = if rivals && given && !asked.answered_by(s) {
                    RIVALRY
                } else {
                    near
                };
                // What the desk wrote says again what stands in the article.
                if !(own && written) {
                    all += weight(near);
                }
                let least = if own { &mut unsaid } else { &mut rival };
                *least = least.max(near);
            }
        }
        (all > 1e-3).then_some(Answering {
            best,
            lead: best - rival,
            unsaid: best - unsaid,
            share: said / all,
        })
    }
}

/// Whether two answers to a question for a figure give the same one.
pub(super) fn agree(asked: Asked, one: &str, other: &str) -> bool {
    gives_one_of(asked, &figures(one), other)
}

/// Whether a sentence gives one of the figures, of the kind that is asked for.
fn gives_one_of(asked: Asked, given: &[Figure], sentence: &str) -> bool {
    let kinds: &[FigureKind] = match asked {
        Asked::Amount => &[FigureKind::Money, FigureKind::Percent],
        Asked::Time => &[FigureKind::Duration, FigureKind::Time, FigureKind::Date],
        Asked::Day => &[FigureKind::Date, FigureKind::Ordinal],
        Asked::Count => &[FigureKind::Number],
        Asked::Open => return false,
    };
    let mut given = given.iter().filter(|f| kinds.contains(&f.kind)).peekable();
    if given.peek().is_none() {
        return false;
    }
    let theirs = figures(sentence);
    given.any(|figure| theirs.iter().any(|other| other.value == figure.value))
}
