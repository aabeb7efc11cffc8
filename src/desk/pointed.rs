//! The one sentence of a known article that a short question points at: "does it cost anything?", "and the other payments?", where what
//! "it" is was settled before. Only the question's own words count; what it is about is known already.

use super::desk::Desk;
use super::entity::{FigureKind, figures};
use super::meaning::content_words;

/// Least similarity, in the mean and of every word, of the question's words to those of a sentence that answers it. Right sentences of
/// questions beside an action lay at 0.55 and above, wrong ones at 0.54 and below.
const MEAN: f32 = 0.55;
const LEAST: f32 = 0.3;
/// Content words to a reader of single words, which say nothing of what is asked.
const SAYS_NOTHING: [&str; 32] = [
    "hm", "hmm", "uh", "um", "er", "ah", "day", "time", "date", "thing", "things", "way", "one",
    "ones", "okay", "right", "wait", "hang", "sorry", "please", "thanks", "yeah", "actually",
    "exactly", "mean", "means", "kind", "sort", "bit", "happens", "still", "long",
];
/// The same of a question that has one such word.
const ALONE: f32 = 0.75;
/// Ways to ask for a price, and to say that there is none.
const PRICE: [&str; 9] = [
    "cost", "costs", "charge", "charged", "fee", "fees", "price", "free", "charges",
];
const FREE: [&str; 5] = ["free", "nothing", "no charge", "no fee", "without charge"];
/// Said of a price and no matter of its own.
const BESIDE_A_PRICE: [&str; 8] = [
    "anything",
    "extra",
    "much",
    "pay",
    "money",
    "something",
    "additional",
    "there",
];

impl Desk {
    /// The sentence of `article` that speaks of what `text` asks; none where none surely does, or the desk goes by words.
    pub(super) fn pointed(
        &self,
        article: usize,
        text: &str,
        reading: &[f32],
    ) -> Option<(String, f32)> {
        if self.articles[article].is_ticket() {
            return None;
        }
        let sentences: Vec<&str> = self
            .of_article(article)
            .flat_map(|p| p.sentences.iter().map(String::as_str))
            .collect();
        let asked = content_words(text);
        if let Some(priced) = priced(&asked, &sentences) {
            return Some((priced.to_owned(), MEAN));
        }
        // Words that say what is asked; of those that any question has, nothing is learnt.
        let telling: Vec<bool> = asked
            .iter()
            .map(|word| !SAYS_NOTHING.contains(&word.as_str()))
            .collect();
        if !telling.contains(&true) {
            return None;
        }
        let spoken = |sentence: &&str| {
            let spoken = self.readings.spoken(reading, std::iter::once(*sentence))?;
            let each = spoken.each();
            let told: Vec<f32> = if each.len() == telling.len() {
                let kept = each.iter().zip(&telling).filter(|(_, telling)| **telling);
                kept.map(|(like, _)| *like).collect()
            } else {
                each.to_vec()
            };
            let mean = told.iter().sum::<f32>() / told.len() as f32;
            let least = told.iter().copied().fold(1.0, f32::min);
            let enough = if told.len() > 1 { MEAN } else { ALONE };
            (mean >= enough && least >= LEAST).then_some(mean)
        };
        sentences
            .into_iter()
            .filter_map(|sentence| Some((sentence.to_owned(), spoken(&sentence)?)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// The one sentence that says a price, or that there is none, where nothing but the price is asked for.
fn priced<'s>(asked: &[String], sentences: &[&'s str]) -> Option<&'s str> {
    let price = |word: &String| PRICE.contains(&word.as_str());
    let only = asked
        .iter()
        .all(|word| price(word) || BESIDE_A_PRICE.contains(&word.as_str()));
    if !only || !asked.iter().any(price) {
        return None;
    }
    let says = |sentence: &&&'s str| {
        let lower = format!(
            " {} ",
            sentence.to_lowercase().replace(['.', ',', ';'], " ")
        );
        let free = FREE.iter().any(|word| lower.contains(&format!(" {word} ")));
        let named = PRICE
            .iter()
            .any(|word| lower.contains(&format!(" {word} ")));
        let figure = figures(sentence)
            .iter()
            .any(|figure| matches!(figure.kind, FigureKind::Money));
        figure
            && (named
                || [
                    " pay ",
                    " each ",
                    " a month ",
                    " per ",
                    " a visit ",
                    " a day ",
                ]
                .iter()
                .any(|sign| lower.contains(sign)))
            || free && (named || lower.contains(" is free "))
    };
    let mut found = sentences.iter().filter(says);
    match (found.next(), found.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_told_where_one_sentence_says_it() {
        let asked = |text: &str| content_words(text);
        let one = [
            "Moving costs nothing and is not reported to anybody.",
            "The other payments keep their dates.",
        ];
        assert_eq!(priced(&asked("does it cost anything"), &one), Some(one[0]));
        assert_eq!(
            priced(&asked("is there a fee for that"), &one),
            Some(one[0])
        );
        assert_eq!(priced(&asked("does the app cost anything"), &one), None);
        let two = ["A pass is $10.", "A locker is $5."];
        assert_eq!(priced(&asked("what does it cost"), &two), None);
    }
}
