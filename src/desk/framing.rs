//! The question inside the way it is put: "hi, I was just wondering if you could tell me how much the late fee is, please" asks "how
//! much the late fee is". What is around it is manner, not matter, and draws sentence and word vectors away from the articles.

/// Said before a matter and no part of it.
const OPENERS: &[&str] = &[
    "hi there",
    "hello there",
    "hey there",
    "hi",
    "hello",
    "hey",
    "good morning",
    "good afternoon",
    "good evening",
    "um",
    "uh",
    "umm",
    "er",
    "erm",
    "hmm",
    "hm",
    "mm",
    "ah",
    "uhm",
    "okay",
    "ok",
    "so",
    "oh",
    "yeah",
    "sorry",
    "excuse me",
    "please",
    "thanks",
    "thank you",
    "hiya",
    "quick one",
    "just a quick one",
    "a quick one",
    "quick question",
    "a quick question",
    "just a quick question",
    "one question",
    "one more question",
    "and going back to",
    "going back to",
    "and back to",
    "just going back to",
    "can we go back to",
    "coming back to",
    "one more thing",
    "another question",
    "my question is",
    "what i want to know is",
    "what id like to know is",
    "what i wanted to know is",
    "hope you can help",
    "i hope you can help",
    "i hope you can help me",
    "hoping you can help",
    "im hoping you can help",
    "im hoping you can help me",
    "i was hoping you could help",
    "i was hoping you could help me",
    "i wonder if",
    "i wonder whether",
    "i wonder",
];
/// The same where a comma follows: "right, what does it cost", and not "right to cancel".
const OPENERS_BEFORE_A_COMMA: &[&str] = &["right", "well", "listen", "look", "now", "actually"];
/// Words that an asking to be told is made of.
const MANNER: &[&str] = &[
    "a",
    "able",
    "advise",
    "also",
    "am",
    "any",
    "anybody",
    "anyone",
    "are",
    "ask",
    "be",
    "been",
    "bit",
    "calling",
    "can",
    "check",
    "clarify",
    "clear",
    "confirm",
    "could",
    "curious",
    "do",
    "enquire",
    "explain",
    "figure",
    "find",
    "for",
    "got",
    "had",
    "happen",
    "have",
    "hear",
    "help",
    "hoping",
    "i",
    "id",
    "idea",
    "im",
    "in",
    "info",
    "information",
    "inquire",
    "interested",
    "ive",
    "just",
    "kindly",
    "know",
    "knowing",
    "let",
    "like",
    "little",
    "love",
    "may",
    "maybe",
    "me",
    "might",
    "more",
    "need",
    "needed",
    "perhaps",
    "phoning",
    "please",
    "possibly",
    "question",
    "quick",
    "quickly",
    "really",
    "ringing",
    "see",
    "should",
    "some",
    "tell",
    "to",
    "trying",
    "understand",
    "up",
    "us",
    "want",
    "wanted",
    "was",
    "we",
    "wed",
    "were",
    "weve",
    "will",
    "with",
    "wondering",
    "work",
    "would",
    "you",
    "out",
];
/// Of those, the ones without which nothing was asked to be told.
const TELLS: &[&str] = &[
    "advise",
    "ask",
    "calling",
    "check",
    "clarify",
    "clear",
    "confirm",
    "curious",
    "enquire",
    "explain",
    "figure",
    "find",
    "hear",
    "idea",
    "info",
    "information",
    "inquire",
    "know",
    "knowing",
    "phoning",
    "question",
    "ringing",
    "see",
    "tell",
    "understand",
    "wondering",
    "work",
];
/// What is asked begins with one of these ...
const TOLD: &[&str] = &[
    "are", "can", "do", "does", "how", "hows", "is", "what", "whats", "when", "whens", "where",
    "wheres", "which", "who", "whos", "whose", "why", "will",
];
/// ... or after one of these.
const AFTER: &[&str] = &["about", "because", "if", "on", "regarding", "whether"];
/// Said after a matter and no part of it.
const CLOSERS: &[&str] = &[
    "please",
    "thanks",
    "thank you",
    "thank you very much",
    "many thanks",
    "cheers",
    "by any chance",
    "do you know",
    "you know",
    "if you know",
    "if you dont mind",
    "if thats okay",
    "if thats ok",
    "can you tell me",
    "could you tell me",
    "i was wondering",
    "just wondering",
];
/// Words that must be left.
const LEAST: usize = 2;

/// `text` without what is around its question; all of it where too little would be left.
pub fn bare(text: &str) -> &str {
    without_frame(text, LEAST)
}

/// The same down to one word: "I was wondering about classes" asks about "classes".
pub fn barest(text: &str) -> &str {
    let asked = without_frame(text, 1);
    let about = spans(asked);
    match about.as_slice() {
        [first, second, ..] if AFTER.contains(&first.plain.as_str()) && about.len() <= 4 => {
            &asked[second.at.0..]
        }
        _ => asked,
    }
}

fn without_frame(text: &str, left: usize) -> &str {
    let words = spans(text);
    let (mut from, mut to) = (0, words.len());
    loop {
        let rest = &words[from..to];
        let cut = opener(text, rest).or_else(|| frame(rest));
        match cut {
            Some(n) if rest.len() >= n + left => from += n,
            _ => break,
        }
    }
    while let Some(n) = closer(&words[from..to]) {
        if to - from < n + left {
            break;
        }
        to -= n;
    }
    match (words.get(from), words.get(to.wrapping_sub(1))) {
        (Some(first), Some(last)) if from < to => {
            // A mark that ends the sentence stays with it.
            let end = text[last.at.1..]
                .find(|c: char| c.is_alphanumeric())
                .map_or(text.len(), |next| last.at.1 + next);
            text[first.at.0..end].trim_end_matches([' ', ',', ';', '-'])
        }
        _ => text,
    }
}

pub(super) struct Word {
    pub plain: String,
    /// Where it begins and ends, in bytes.
    pub at: (usize, usize),
}

/// Words in lower case without apostrophes, and where each stands.
pub(super) fn spans(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut start = None;
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '\u{2019}');
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (start, inside(c)) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                let plain: String = text[from..at]
                    .chars()
                    .filter(|c| c.is_alphanumeric())
                    .flat_map(char::to_lowercase)
                    .collect();
                words.push(Word {
                    plain,
                    at: (from, at),
                });
                start = None;
            }
            _ => {}
        }
    }
    words
}

/// Whether words begin with a phrase: its length.
pub(super) fn begins(words: &[Word], phrase: &str) -> Option<usize> {
    let mut n = 0;
    for part in phrase.split(' ') {
        if words.get(n)?.plain != part {
            return None;
        }
        n += 1;
    }
    Some(n)
}

/// Words at the start that open a turn.
fn opener(text: &str, words: &[Word]) -> Option<usize> {
    let any = OPENERS.iter().filter_map(|phrase| begins(words, phrase));
    let paused = OPENERS_BEFORE_A_COMMA
        .iter()
        .filter_map(|phrase| begins(words, phrase))
        .filter(|n| text[words[n - 1].at.1..].starts_with(','));
    any.chain(paused).max()
}

/// Words at the start that ask to be told what follows.
fn frame(words: &[Word]) -> Option<usize> {
    let mut tells = false;
    for (n, word) in words.iter().enumerate() {
        let plain = word.plain.as_str();
        if tells {
            let told = matches!(words[n - 1].plain.as_str(), "me" | "know")
                && matches!(plain, "the" | "my" | "your");
            if told || TOLD.contains(&plain) {
                return Some(n);
            }
            if AFTER.contains(&plain) {
                return Some(n + 1);
            }
        }
        if !MANNER.contains(&plain) {
            return None;
        }
        tells |= TELLS.contains(&plain);
    }
    None
}

/// Words at the end that close a turn.
fn closer(words: &[Word]) -> Option<usize> {
    let ends = |phrase: &&str| {
        let n = phrase.split(' ').count();
        words
            .len()
            .checked_sub(n)
            .is_some_and(|at| begins(&words[at..], phrase).is_some())
    };
    CLOSERS
        .iter()
        .filter(|phrase| ends(phrase))
        .map(|phrase| phrase.split(' ').count())
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_inside_the_way_it_is_put() {
        for (said, asked) in [
            (
                "Could you tell me what you charge for a late payment, please?",
                "what you charge for a late payment",
            ),
            (
                "hi there um I was just wondering if you could tell me how much the late fee is please",
                "how much the late fee is",
            ),
            (
                "Can I ask what happens if I'm late?",
                "what happens if I'm late?",
            ),
            ("Do you know if I can pay early?", "I can pay early?"),
            (
                "I just wanted to check whether it costs anything to pay early",
                "it costs anything to pay early",
            ),
            ("I'm calling about my refund.", "my refund."),
            (
                "Hello, I'm calling because my card was declined.",
                "my card was declined.",
            ),
            ("Okay, so I have a question about late fees", "late fees"),
            (
                "Right, and what about paying early?",
                "and what about paying early?",
            ),
            ("What time do you open, please?", "What time do you open"),
            ("can you tell me my balance", "my balance"),
            ("can I ask can I pay by card", "can I pay by card"),
            (
                "Would you mind if I pay late",
                "Would you mind if I pay late",
            ),
        ] {
            assert_eq!(bare(said), asked, "{said}");
        }
    }

    #[test]
    fn what_is_the_matter_itself_stays() {
        for said in [
            "right to cancel",
            "I'd like to check in early",
            "I want to ask for a refund",
            "how do I find out what I owe",
            "tell me a joke",
            "yes please",
            "hello",
            "I need to move my payment",
            "Thank you.",
            "remind me about my payments",
            "can you help me",
            "",
            "I don't know how to log in",
        ] {
            assert_eq!(bare(said), said, "{said}");
        }
    }
}
