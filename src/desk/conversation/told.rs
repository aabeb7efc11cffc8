//! Questions about what was just done or told: answered from the system's own answer, not done a second time.

use serde_json::Value;

use crate::desk::action::{Running, render, template};
use crate::desk::config::ActionKind;
use crate::desk::entity;
use crate::desk::inquiry::context::{self, Lean};
use crate::desk::inquiry::social::{holds, plain};
use crate::desk::inquiry::{self, Choice, Inquiry, Verdict, turns};
use crate::desk::text::is_weekday;
use crate::desk::types::{Reply, Route, Said};

use super::{Conversation, Topic, Waiting};

/// Words of a question about what was just done; longer ones are matters of their own.
const SHORT: usize = 11;

/// What was done last, as it was told.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub action: String,
    pub write: bool,
    /// The sentences the caller heard of it.
    pub text: String,
    pub result: Value,
}

impl Conversation {
    /// Keeps what was told of an action.
    pub(super) fn keep_told(&mut self, running: &Running, text: &str, result: &Value) {
        self.told = Some(Box::new(Told {
            action: running.action.name.clone(),
            write: running.is_write(),
            text: text.to_owned(),
            result: result.clone(),
        }));
    }

    /// "Which card was that?", "so when is it now?", right after something was done. None where the words are about something else.
    pub(super) fn about_told(&mut self, said: &Said) -> Option<Reply> {
        let told = self
            .told
            .as_deref()
            .filter(|_| self.last_source.is_none())?;
        let words = plain(&said.text);
        let count = words.split(' ').count();
        if count > SHORT {
            return None;
        }
        // "Can you check again?", of what was only looked up.
        let again = [
            "check again",
            "look again",
            "try again",
            "check that again",
            "check it again",
            "look it up again",
            "double check",
        ]
        .iter()
        .any(|again| holds(&words, again));
        if again && !told.write {
            let at = self
                .desk
                .actions
                .iter()
                .position(|action| action.name == told.action)?;
            return Some(self.begin(at, ""));
        }
        if asks_for_another(&words) {
            if told.write {
                return None;
            }
            self.waiting = Waiting::Human("asked".into());
            return Some(self.say_and_listen(
                Route::Answer,
                "nothing more was told",
                "told_no_more",
            ));
        }
        if !turns::asks(&said.text)
            || orders(&words)
            || inquiry::asks_for_more(&said.text, &told.text)
        {
            return None;
        }
        let known = known_words(told);
        let all: Vec<&str> = words.split(' ').collect();
        // A word that nothing was said of: a question of its own. Nothing but such words as "now" and "it": what was just told.
        if all.iter().any(|word| is_open(word, &known)) {
            return None;
        }
        let told = told.clone();
        let field = asked_field(&all, &told);
        Some(self.tell_again(&told, &words, field))
    }

    /// What was told before, where it is asked for again while something else is under way: "how much was it again?".
    pub(super) fn told_beside(&self, said: &Said) -> Option<String> {
        let told = self
            .told
            .as_deref()
            .filter(|_| self.last_source.is_none())?;
        let words = plain(&said.text);
        let all: Vec<&str> = words.split(' ').collect();
        if all.len() > SHORT || orders(&words) || !turns::asks(&said.text) {
            return None;
        }
        let known = known_words(told);
        let open = all.iter().any(|word| is_open(word, &known));
        // "Is it now?" asks nothing that was told; "how much" does.
        let asks = ["how much", "when", "which", "what day", "how many"]
            .iter()
            .any(|way| holds(&words, way));
        (!open && asks).then(|| fitting(&told.text, &words))
    }

    /// The action that was just done, begun again by words that ask rather than order: what came of it is told instead.
    pub(super) fn asked_of_told(
        &mut self,
        said: &Said,
        inquiry: &Inquiry,
        (text, vector): (&str, &[f32]),
    ) -> Option<Reply> {
        let told = self.told.as_deref()?.clone();
        let Verdict::Act { action } = &inquiry.verdict else {
            return None;
        };
        let words = plain(&said.text);
        let same = self.desk.actions[*action].name == told.action;
        // What is only looked up may be looked up again where it is asked for in full.
        let leans = told.write || context::lean(&said.text) != Lean::Own;
        if !same || !leans || orders(&words) {
            return None;
        }
        // "And if they only give me half back?" is no wish to have it looked up again: the articles may say.
        let own = inquiry::inquire(&self.desk, &said.text, &said.vector, None);
        let wished = matches!(&own.verdict, Verdict::Act { action: wished } if wished == action);
        if !wished || inquiry::asks_for_more(&said.text, &told.text) {
            for (text, vector) in [(text, vector), (&said.text, &said.vector)] {
                let told = inquiry::inquire_to_tell(&self.desk, text, vector);
                if matches!(told.verdict, Verdict::Answer { .. }) {
                    return Some(self.act_on(told, text, vector));
                }
            }
        }
        if !turns::asks(&said.text) {
            return None;
        }
        Some(self.tell_again(&told, &words, None))
    }

    fn tell_again(&mut self, told: &Told, words: &str, field: Option<String>) -> Reply {
        self.running = None;
        self.waiting = Waiting::More;
        self.settled = true;
        if told.write && asks_whether(words) {
            self.lead_phrase("told_done");
        }
        let text = field.unwrap_or_else(|| fitting(&told.text, words));
        self.lead(text);
        let next = self.listen();
        self.reply(Route::Answer, "asked of what was just done", next)
    }

    /// "Can you do that for me?", after an article was read that an action serves: it is begun.
    pub(super) fn do_what_was_told(&mut self, said: &Said) -> Option<Reply> {
        const DOES: [&str; 14] = [
            "can you do that",
            "can you do it",
            "could you do that",
            "could you do it",
            "will you do that",
            "can you do that for me",
            "can you do it for me",
            "could you do that for me",
            "could you do it for me",
            "do it for me",
            "do that for me",
            "lets do that",
            "lets do it",
            "can we do that",
        ];
        let words = plain(&said.text);
        let words = [
            "ok ", "okay ", "so ", "yes ", "yeah ", "great ", "well ", "and ", "then ",
        ]
        .iter()
        .fold(words.as_str(), |words, open| {
            words.strip_prefix(open).unwrap_or(words)
        });
        let words = [" please", " then", " now"]
            .iter()
            .fold(words, |words, end| words.strip_suffix(end).unwrap_or(words));
        if !DOES.contains(&words) {
            return None;
        }
        let last = self.desk.article_at(self.last_source.as_deref()?)?;
        let intents = &self.desk.articles[last].intents;
        let mut serving = (0..self.desk.actions.len()).filter(|at| {
            let action = &self.desk.actions[*at];
            action.confirm && intents.contains(&action.intent)
        });
        let (Some(at), None) = (serving.next(), serving.next()) else {
            return None;
        };
        self.rest_on(said);
        Some(self.begin(at, &said.text))
    }

    /// "Is autopay on?" asks how a thing stands, and orders nothing: told from the record where the desk says which field holds it, else
    /// asked about before anything is begun.
    pub(super) fn state_asked(
        &mut self,
        said: &Said,
        inquiry: &Inquiry,
        text: &str,
        vector: &[f32],
    ) -> Option<Reply> {
        let Verdict::Act { action } = &inquiry.verdict else {
            return None;
        };
        let action = self.desk.actions[*action].clone();
        if action.kind != ActionKind::Write || !asks_how_it_stands(&said.text) {
            return None;
        }
        self.basis = Some(inquiry.decision(String::new()));
        let now = self.identity.customer().and_then(|record| {
            let back = action
                .undo
                .as_ref()
                .filter(|undo| undo.action == action.name)?;
            let field = back.slots.values().next()?;
            let field = field.strip_prefix("{customer.")?.strip_suffix('}')?;
            let value = template::dig(record, field)?;
            render::value(field, value, Some(record), &self.locale, self.today())
        });
        if let Some(now) = now {
            self.settled = true;
            self.waiting = Waiting::More;
            // "Turn it off, then" is about that.
            self.topic = Some(Topic {
                text: text.to_owned(),
                vector: vector.to_vec(),
            });
            let told = self.phrase("state_now", &[("value", &now)]);
            self.lead(told);
            let next = self.listen();
            return Some(self.reply(Route::Answer, "how it stands", next));
        }
        let plain = inquiry::topic(&self.desk, &action.intent);
        let choice = Choice {
            question: plain.clone(),
            plain,
            intent: Some(action.intent),
            article: None,
            told_apart: false,
        };
        Some(self.clarify(vec![choice], text, vector, "asks how it stands"))
    }

    /// "How do you know?": the article it was read from, or the company's own system.
    pub(super) fn source_said(&mut self) -> Option<Reply> {
        if let Some(source) = self.last_source.clone() {
            let title = self.desk.article_at(&source)?;
            let title = self.desk.articles[title].title.clone();
            let text = self.phrase("source_article", &[("title", &title)]);
            self.lead(text);
        } else if self.told.is_some() {
            self.lead_phrase("source_system");
        } else {
            return None;
        }
        self.ask_again();
        let next = self.listen();
        Some(self.reply(Route::Answer, "where it comes from", next))
    }
}

/// What is said of things having happened, whatever they are.
const GONE: &[&str] = &[
    "go",
    "gone",
    "went",
    "through",
    "done",
    "work",
    "worked",
    "happen",
    "happened",
    "sure",
    "right",
    "now",
    "say",
    "said",
    "set",
    "correct",
    "day",
    "date",
    "amount",
    "number",
    "exactly",
    "again",
    "sorry",
    "wait",
    "hang",
    "oh",
    "total",
    "new",
    "sorted",
    "finished",
    "complete",
    "completed",
    "confirmed",
    "confirm",
    "thing",
    "kind",
    "actually",
    "hold",
    "whats",
    "whens",
    "isnt",
    "hm",
    "hmm",
    "um",
    "uh",
    "ah",
    "wasnt",
    "didnt",
    "did",
    "were",
    "am",
    "hows",
    "yet",
    "already",
    "ago",
    "definitely",
];

/// A word that neither was told nor says nothing.
fn is_open(word: &str, known: &[String]) -> bool {
    !context::is_empty_word(word)
        && !GONE.contains(&word)
        && entity::number(word).is_none()
        && !known.iter().any(|known| same(known, word))
}

/// "Is it on?", "did somebody move it?": how things stand, and no "is it possible to".
fn asks_how_it_stands(text: &str) -> bool {
    let words = plain(text);
    let words = [
        "so ", "and ", "hi ", "hello ", "ok ", "okay ", "um ", "hey ",
    ]
    .iter()
    .fold(words.as_str(), |words, open| {
        words.strip_prefix(open).unwrap_or(words)
    });
    let opens = [
        "is my ",
        "is the ",
        "are my ",
        "did somebody ",
        "did someone ",
        "did anybody ",
        "did you ",
        "has my ",
        "have my ",
        "was my ",
        "has somebody ",
        "has someone ",
    ];
    let states = ["on", "off", "set", "active", "enabled", "still"];
    let wishes = [
        "possible", "way", "able", "can", "could", "chance", "please", "want", "need",
    ];
    let any = |of: &[&str]| of.iter().any(|w| holds(words, w));
    words.split(' ').count() <= 9
        && !any(&wishes)
        && (opens.iter().any(|open| words.starts_with(open))
            || words.starts_with("is ") && any(&states))
}

/// An order or a wish, however it is put.
fn orders(words: &str) -> bool {
    [
        "can you",
        "could you",
        "would you",
        "will you",
        "can i",
        "could i",
        "may i",
        "i want",
        "i need",
        "id like",
        "i would like",
        "please",
        "do that again",
        "again please",
        "how do i",
        "how can i",
        "do i",
        "should i",
        "must i",
        "lets",
        "make it",
        "change it",
        "move it",
        "instead",
        "will i",
        "if i",
        "what if",
    ]
    .iter()
    .any(|order| holds(words, order))
        && ![
            "can you confirm",
            "could you confirm",
            "can you tell me",
            "could you tell me",
        ]
        .iter()
        .any(|asks| holds(words, asks))
}

/// "And the other one", "what about the next one": not what was told.
fn asks_for_another(words: &str) -> bool {
    let another = [
        "the other one",
        "the other",
        "the others",
        "the next one",
        "the one after",
        "the one after that",
        "after that",
        "then",
        "later",
        "the following one",
        "the rest",
        "the other ones",
        "another one",
        "any others",
        "any other ones",
        "any more",
    ];
    let rest = [
        "and what about ",
        "what about ",
        "how about ",
        "and ",
        "so ",
        "is there ",
        "are there ",
    ]
    .iter()
    .find_map(|opener| words.strip_prefix(opener))
    .unwrap_or(words);
    another.contains(&rest)
}

/// "Did that go through", "is it done".
fn asks_whether(words: &str) -> bool {
    [
        "go through",
        "gone through",
        "went through",
        "done",
        "did it work",
        "did that work",
        "has it worked",
        "sorted",
        "finished",
        "complete",
        "confirmed",
        "definitely",
    ]
    .iter()
    .any(|sign| holds(words, sign))
}

/// Words of what was told, and the names of the fields it was told from.
fn known_words(told: &Told) -> Vec<String> {
    let mut all = plain(&told.text);
    all.push(' ');
    all.push_str(&plain(&render::words(&told.action)));
    for (name, value) in told.result.as_object().into_iter().flatten() {
        all.push(' ');
        all.push_str(&plain(&render::words(name)));
        if let Some(text) = value.as_str() {
            all.push(' ');
            all.push_str(&plain(text));
        }
    }
    all.split_whitespace().map(str::to_owned).collect()
}

/// One word, or another form of it: "payment" and "payments", "take" and "taken".
fn same(known: &str, word: &str) -> bool {
    let short = known.len().min(word.len());
    known == word
        || short >= 4
            && (known.starts_with(word) || word.starts_with(known))
            && known.len().abs_diff(word.len()) <= 2
}

/// A field of the result that the question names and the sentence leaves out: "and which store was it".
fn asked_field(words: &[&str], told: &Told) -> Option<String> {
    let said = plain(&told.text);
    told.result
        .as_object()
        .into_iter()
        .flatten()
        .find_map(|(name, value)| {
            let text = value.as_str()?;
            let named = render::words(name);
            let asked = named.split(' ').all(|part| words.contains(&part));
            (asked && !holds(&said, &plain(text)) && text.parse::<jiff::civil::Date>().is_err())
                .then(|| format!("The {named} is {text}."))
        })
}

/// The sentences of what was told that speak of what is asked; all of them where none does more than another.
fn fitting(told: &str, words: &str) -> String {
    let sentences: Vec<&str> = super::saying::sentences(told)
        .into_iter()
        .filter(|s| s.split_whitespace().count() > 1)
        .collect();
    let asked: Vec<&str> = words
        .split(' ')
        .filter(|w| !context::is_empty_word(w) && !GONE.contains(w))
        .collect();
    let when = ["when", "whens", "day", "date"]
        .iter()
        .any(|w| holds(words, w));
    let much = ["how much", "amount", "owe"]
        .iter()
        .any(|w| holds(words, w))
        || words.split(' ').any(|w| entity::number(w).is_some());
    let score = |sentence: &&str| {
        let plain = plain(sentence);
        let own: Vec<&str> = plain.split(' ').collect();
        let shared = asked
            .iter()
            .filter(|w| own.iter().any(|o| same(o, w)))
            .count();
        let dated = own.iter().any(|w| is_weekday(w));
        let priced = sentence.contains(['$', '£', '€', '¥']);
        shared * 2 + usize::from(when && dated) + usize::from(much && priced)
    };
    let most = sentences.iter().map(score).max().unwrap_or(0);
    let kept: Vec<&str> = sentences
        .iter()
        .filter(|s| most == 0 || score(s) == most)
        .copied()
        .collect();
    if kept.is_empty() {
        told.to_owned()
    } else {
        kept.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_sentence_that_is_asked_for() {
        let told = "Done. I've taken $13.00 from your card ending in 0932. You now owe $216.50.";
        let card = "I've taken $13.00 from your card ending in 0932.";
        assert_eq!(fitting(told, "which card was that"), card);
        assert_eq!(
            fitting(told, "and how much do i owe now"),
            "You now owe $216.50."
        );
        let due = "Done. Your payment of $42.50 is now due on Friday, December 11.";
        assert_eq!(
            fitting(due, "so when is it now"),
            "Your payment of $42.50 is now due on Friday, December 11."
        );
    }

    #[test]
    fn a_field_that_was_not_told() {
        let told = Told {
            action: "next_payment".into(),
            write: false,
            text: "Your next payment is $13.".into(),
            result: json!({"amount": 13, "store": "Larkspur Home"}),
        };
        let words = ["and", "which", "store", "is", "it"];
        assert_eq!(
            asked_field(&words, &told).as_deref(),
            Some("The store is Larkspur Home.")
        );
        assert_eq!(asked_field(&["when", "is", "it"], &told), None);
    }
}
