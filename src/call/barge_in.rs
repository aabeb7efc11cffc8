//! Speech over ours: an interruption, a sign of listening, or our own voice coming back.

use crate::desk::Listen;

/// The verdict on speech over ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BargeIn {
    /// Our own words, returned by the caller's phone.
    Echo,
    /// "mm-hm", a cough, nothing: go on from where it stopped.
    Backchannel,
    /// Words meant for us: stop and answer them.
    Interrupt,
}

/// Short words that a listener says, and what a recogniser makes of them.
const SIGNS: &[&str] = &[
    "mm",
    "mhm",
    "mmhmm",
    "mm hm",
    "mm hmm",
    "hm",
    "hmm",
    "uh huh",
    "uhhuh",
    "mhmm",
    "ah",
    "oh",
    "okay",
    "ok",
    "right",
    "yeah",
    "yep",
    "yes",
    "sure",
    "i see",
    "got it",
    "alright",
    "all right",
    "okay okay",
    "right right",
    "yeah yeah",
    "ok ok",
    "uh",
    "um",
    "huh",
    "cool",
    "great",
    "good",
    "fine",
    "thank you",
    "thanks",
    "you",
    "bye",
    "hello",
    "hi",
    "hey",
    "hello hello",
    "i see okay",
    "okay got it",
    "okay i see",
    "okay thank you",
    "mmm",
    "yup",
    "aha",
    "ah ha",
    "nice",
    "wow",
    "gotcha",
    "exactly",
    "perfect",
    "lovely",
    "brilliant",
    "understood",
    "of course",
    "i know",
    "i understand",
    "makes sense",
    "that makes sense",
    "fair enough",
    "that's right",
    "that's fine",
    "that's good",
];

/// Those of one word may come together and before another: "oh, okay", "mm, yeah, right", "yeah, that makes sense".
fn is_sign(said: &str) -> bool {
    let mut rest = said;
    for _ in 0..4 {
        if SIGNS.contains(&rest) {
            return rest == said || rest != "you";
        }
        match rest.split_once(' ') {
            Some((first, after)) if SIGNS.contains(&first) && first != "you" => rest = after,
            _ => return false,
        }
    }
    false
}

/// Judges words that may be the rest of a turn: `before` is what was taken for all of it, `words` what the whole sound gives. A cough
/// adds nothing to it, nor does a sign of listening.
pub fn adds(before: &str, words: &str) -> BargeIn {
    let (before, words) = (normalise(before), normalise(words));
    let known: Vec<&str> = before.split_whitespace().collect();
    let all: Vec<&str> = words.split_whitespace().collect();
    let new: Vec<&str> = all.iter().copied().filter(|w| !known.contains(w)).collect();
    // A word heard otherwise the second time is nothing new.
    if all.len() <= known.len() || new.is_empty() || is_sign(&new.join(" ")) {
        BargeIn::Backchannel
    } else {
        BargeIn::Interrupt
    }
}

/// Judges by the words. `saying`: what we were saying, where it may come back to us as an echo; `listen`: what our sentence asks for
/// (a "yes" over a question is an answer).
pub fn verdict(words: &str, saying: &str, listen: Listen) -> BargeIn {
    let said = normalise(words);
    if said.is_empty() {
        return BargeIn::Backchannel;
    }
    const ANSWERS: &[&str] = &[
        "yes",
        "yeah",
        "yep",
        "sure",
        "okay",
        "ok",
        "right",
        "alright",
        "all right",
        "fine",
        "good",
        "great",
        "yup",
        "exactly",
        "perfect",
        "of course",
        "that's right",
        "that's fine",
        "that's good",
    ];
    let asked = listen == Listen::YesNo;
    if is_sign(&said) && !(asked && ANSWERS.contains(&said.as_str())) {
        return BargeIn::Backchannel;
    }
    let ours = normalise(saying);
    if said.split(' ').count() >= 2 && contains_words(&ours, &said) {
        return BargeIn::Echo;
    }
    BargeIn::Interrupt
}

pub(super) fn normalise(text: &str) -> String {
    let words: Vec<String> = text
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|w| !w.is_empty())
        .map(str::to_string)
        .collect();
    words.join(" ")
}

/// Whether nearly all of `part`'s words stand in `whole` in the same order: a recogniser garbles an echo a little.
fn contains_words(whole: &str, part: &str) -> bool {
    let whole: Vec<&str> = whole.split(' ').collect();
    let part: Vec<&str> = part.split(' ').collect();
    let mut best = 0;
    for start in 0..whole.len() {
        let window = &whole[start..(start + part.len() + 1).min(whole.len())];
        let same = part.iter().filter(|w| window.contains(w)).count();
        best = best.max(same);
    }
    best * 10 >= part.len() * 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_turn_is_told_from_a_cough_after_it() {
        let before = "What is the late fee?";
        for (words, want) in [
            ("What is the late fee?", BargeIn::Backchannel),
            ("What's the late fee?", BargeIn::Backchannel),
            ("What is the late fee? Okay.", BargeIn::Backchannel),
            ("What is the late fee when I pay twice?", BargeIn::Interrupt),
            ("", BargeIn::Backchannel),
        ] {
            assert_eq!(adds(before, words), want, "{words}");
        }
    }

    #[test]
    fn judged_by_words() {
        let saying =
            "The late fee is seven dollars, and it is charged once for each missed payment.";
        for (words, listen, want) in [
            ("Mm-hm.", Listen::Open, BargeIn::Backchannel),
            ("", Listen::Open, BargeIn::Backchannel),
            ("Okay.", Listen::Open, BargeIn::Backchannel),
            ("Yes.", Listen::YesNo, BargeIn::Interrupt),
            ("the late fee is seven dollars", Listen::Open, BargeIn::Echo),
            ("can I talk to a person", Listen::Open, BargeIn::Interrupt),
            ("No, stop.", Listen::Open, BargeIn::Interrupt),
            ("Oh, okay, right.", Listen::Open, BargeIn::Backchannel),
            ("Hello?", Listen::Open, BargeIn::Backchannel),
            ("Yes, no, wait.", Listen::Open, BargeIn::Interrupt),
            ("Uh-huh.", Listen::Open, BargeIn::Backchannel),
            (
                "Yeah, that makes sense.",
                Listen::Open,
                BargeIn::Backchannel,
            ),
            ("That makes sense.", Listen::Open, BargeIn::Backchannel),
            ("Right.", Listen::YesNo, BargeIn::Interrupt),
            ("Exactly.", Listen::YesNo, BargeIn::Interrupt),
        ] {
            assert_eq!(verdict(words, saying, listen), want, "{words}");
        }
    }
}
