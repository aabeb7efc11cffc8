//! Whether the words so far can be all: what a sentence cannot end on, clauses that need another, numbers said in pieces.

/// Words that a sentence does not end on. Not here: those that end one as often ("on" of "go on", but "to" of "I want to").
#[rustfmt::skip]
const HANGING: &[&str] = &[
    // Joining.
    "and", "but", "or", "so", "because", "cause", "if", "whether", "when", "that", "than", "as", "since", "although", "unless", "while",
    "which", "who", "where", "plus", "also", "then", "until",
    // Before a noun.
    "with", "without", "to", "for", "from", "of", "at", "in", "on", "into", "by", "about", "between", "after", "before", "per", "via",
    "the", "a", "an", "my", "your", "their", "our", "his", "this", "these", "every", "very",
    // Before a verb, or what one is about.
    "i", "we", "they", "he", "she", "is", "are", "was", "were", "am", "be", "been", "has", "had", "have", "do", "does", "did", "will",
    "would", "could", "can", "don't", "wanna", "gonna", "trying",
    "i'm", "it's", "i've", "i'd", "i'll", "you're", "you'd", "you'll", "we're", "we'd", "we'll", "they're", "they'd", "they'll", "he's",
    "he'd", "she's", "she'd", "that's", "there's", "what's", "here's", "who's", "where's", "how's", "number's", "name's", "code's",
    "address's",
    // Thinking.
    "um", "uh", "er", "erm", "hmm", "like",
];

/// Sentences of one such word begin another.
const OPENERS: &[&str] = &[
    "however",
    "otherwise",
    "currently",
    "actually",
    "basically",
    "anyway",
    "meanwhile",
    "firstly",
    "secondly",
    "first",
    "finally",
    "well",
    "additionally",
    "instead",
];

/// The words stop where a sentence cannot: on a conjunction, an article, "my number is", a hesitation.
pub fn unfinished(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    if text.ends_with("...") || text.ends_with(',') || text.ends_with('-') || text.ends_with('…')
    {
        return true;
    }
    // Whisper ends most things with a full stop, finished or not; a question mark it adds only to what sounds like a question.
    if text.ends_with('?') {
        return false;
    }
    let last_sentence = words(last_sentence(&text));
    match words(&text).last() {
        // "I do", "he has", "yes, I can" are whole answers.
        Some(last) if ANSWERING.contains(last) => !answers(&last_sentence),
        Some(last) if HANGING.contains(last) => true,
        // "I need", "yes, I want", but not "that's all I need".
        Some(&("need" | "want")) => last_sentence.len() <= 3,
        Some(last) => last_sentence.len() == 1 && OPENERS.contains(last),
        None => false,
    }
}

/// Verbs that stand for a whole sentence after a pronoun.
const ANSWERING: &[&str] = &[
    "is", "are", "was", "were", "am", "has", "had", "have", "do", "does", "did", "will", "would",
    "could", "can", "don't",
];

/// "I do", "yes it is", "no, they don't".
fn answers(sentence: &[&str]) -> bool {
    const WHO: &[&str] = &["i", "we", "you", "they", "he", "she", "it", "that"];
    const FIRST: &[&str] = &["yes", "yeah", "yep", "no", "nope", "oh", "well", "sure"];
    let rest = match sentence {
        [first, rest @ ..] if FIRST.contains(first) => rest,
        all => all,
    };
    // "It is" and "that is" begin as many sentences as they are.
    matches!(rest, [who, verb] if WHO.contains(who) && !(matches!(*who, "it" | "that") && rest.len() == sentence.len() && *verb == "is"))
}

/// A clause that says when, why or on what condition, and nothing of what: "if I pay late".
pub(super) fn is_subordinate(text: &str) -> bool {
    const BEGIN: &[&str] = &[
        "if", "because", "although", "unless", "while", "once", "since", "when", "after", "before",
        "until",
    ];
    const ASKING: &[&str] = &[
        "is", "are", "was", "were", "do", "does", "did", "can", "could", "will", "would", "should",
        "may", "must", "has", "have", "had", "am", "the",
    ];
    let sentence = last_sentence(text);
    if text.ends_with('?') || sentence.contains(',') {
        return false;
    }
    match words(sentence)[..] {
        // "After the tenth" is an answer, "after I moved" is none.
        [first, second, _, ..] => {
            BEGIN.contains(&first) && !ASKING.contains(&second) && !starts_with_figure(second)
        }
        _ => false,
    }
}

fn starts_with_figure(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

/// Short words that are all that is said.
pub(super) fn is_short_answer(text: &str) -> bool {
    const ANSWERS: &[&str] = &[
        "yes", "no", "yeah", "yep", "nope", "okay", "ok", "sure", "thanks", "thank", "you",
        "please", "hello", "hi", "bye", "goodbye", "stop", "wait", "correct", "right", "exactly",
        "never", "cancel", "it", "is", "i", "do",
    ];
    let words = words(text);
    !words.is_empty() && words.len() <= 3 && words.iter().all(|word| ANSWERS.contains(word))
}

/// The number that the words end on: in how many pieces it is written, and its figures. "It's four one 7" has three of three.
pub(super) fn number_at_the_end(text: &str) -> (usize, usize) {
    const FIGURES: &[&str] = &[
        "zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
        "double", "triple", "hundred",
    ];
    let figures = |word: &str| match word.ends_with(|c: char| c.is_ascii_digit()) {
        true => word.chars().filter(char::is_ascii_digit).count(),
        false => usize::from(FIGURES.contains(&word)),
    };
    words(text)
        .iter()
        .rev()
        .map(|word| figures(word))
        .take_while(|n| *n > 0)
        .fold((0, 0), |(pieces, all), n| (pieces + 1, all + n))
}

/// Characters of a code said so far: a figure each, a word each.
pub(super) fn characters(text: &str) -> usize {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(|w| {
            if w.chars().any(|c| c.is_ascii_digit()) {
                w.chars().count()
            } else {
                1
            }
        })
        .sum()
}

fn last_sentence(text: &str) -> &str {
    let inner = text.trim_end_matches(['.', '!', '?', ' ']);
    let begin = [". ", "! ", "? "]
        .iter()
        .filter_map(|end| inner.rfind(end))
        .max();
    begin.map_or(text, |at| &text[at + 2..]).trim()
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace()
        .map(|w| w.trim_matches(|c: char| !c.is_alphanumeric() && c != '\''))
        .filter(|w| !w.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_does_not_end_just_anywhere() {
        for text in [
            "I want to",
            "My number is.",
            "It's the",
            "I need",
            "I'm trying",
            "Um.",
            "I would like to, so",
            "Because",
            "What does",
            "my name's",
            "I'd like to know if",
            "Not a number. However.",
            "To decrease your",
            "It is",
            "What is",
        ] {
            assert!(unfinished(text), "{text}");
        }
        for text in [
            "I want to pay.",
            "Yes, I do.",
            "I have.",
            "No, they don't.",
            "Yes it is.",
            "Where?",
            "Who is it for?",
            "That is all.",
            "Goodbye.",
            "I moved house.",
            "First of all.",
            "",
        ] {
            assert!(!unfinished(text), "{text}");
        }
    }

    #[test]
    fn figures_and_short_answers() {
        assert_eq!(number_at_the_end("my number is four one 7"), (3, 3));
        assert_eq!(number_at_the_end("0770 0900."), (2, 8));
        assert_eq!(number_at_the_end("at 5 o'clock"), (0, 0));
        assert!(is_short_answer("yes, please.") && is_short_answer("thank you"));
        assert!(!is_short_answer("my bill") && !is_short_answer(""));
        assert!(
            is_subordinate("i called. when i moved house.") && !is_subordinate("when is it due")
        );
        assert!(!is_subordinate("after the tenth of may"));
    }
}
