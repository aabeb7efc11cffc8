//! How a thing is done, where an article says so in a sentence that begins with it: "To freeze, open the app ...".

use super::desk::Desk;
use super::text::words;

/// Sentences that are read from there on.
const READ: usize = 2;

impl Desk {
    /// The sentences of an article that tell how what its title or the question names is done; none where it has none.
    pub(super) fn how_to(&self, article: usize, question: &str) -> Option<String> {
        let of = |text: &str| -> Vec<String> {
            words(text)
                .iter()
                .map(|word| self.stems.stem(word))
                .collect()
        };
        let asked = [of(&self.articles[article].title), of(question)].concat();
        let passages = self.of_article(article);
        for passage in passages {
            let at = passage.sentences.iter().position(|sentence| {
                let words = words(sentence);
                words.first().is_some_and(|first| first == "to")
                    && words
                        .get(1)
                        .is_some_and(|verb| asked.contains(&self.stems.stem(verb)))
            });
            if let Some(at) = at {
                let told = passage.sentences[at..].iter().take(READ);
                return Some(told.cloned().collect::<Vec<_>>().join(" "));
            }
        }
        None
    }
}
