//! What people say that is no question: greetings, thanks, "hold on", "say that again", "are you a robot".

mod answers;
mod moves;
mod words;

pub use answers::{asks_why, cannot, is_pleased, takes_note, third_party, wants_quiet, will_not};
pub use moves::name_said;
use words::{BESIDE_BYE, BYE, DROPPED, FILLER, HELLO, THANKS};

/// A move in the talk itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Social {
    Hello,
    Thanks,
    /// "No, that's all, bye."
    Goodbye,
    Robot,
    /// "What can you do?"
    Help,
    Repeat,
    Slower,
    Hold,
    /// "Forget it", of what is under way.
    Cancel,
    /// "Could you speak up?"
    Louder,
    /// "Can you hear me?"
    CanHear,
    /// "Is this call recorded?"
    Recorded,
    /// "How do you know?"
    Source,
    /// "Who is this?"
    Who,
    /// "Is that everything?"
    All,
    /// "I've got a question."
    Opener,
    /// "Hi, my name is Brenda."
    Named,
}

/// Words lowered, without punctuation.
pub fn plain(text: &str) -> String {
    let lower = text.to_lowercase().replace(['\u{2019}', '\''], "");
    let kept: String = lower
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The social move the whole utterance is; none where there is more in it.
pub fn social(text: &str) -> Option<Social> {
    let words = plain(text);
    let count = words.split(' ').count();
    let any = |phrases: &[&str]| phrases.iter().any(|phrase| holds(&words, phrase));
    if let Some(found) = moves::find(&words) {
        return Some(found);
    }
    // "Are you a robot, because if you are I'd like someone who isn't" asks for a person.
    let goes_on = any(&[
        "if you are",
        "if so",
        "if its",
        "if it is",
        "in that case",
        "i want",
        "i would",
        "id like",
        "id rather",
        "get me",
        "let me",
        "give me",
        "put me",
    ]);
    if count <= 14 && !goes_on && asks_if_machine(&words) {
        return Some(Social::Robot);
    }
    if count <= 9
        && any(&[
            "say that again",
            "repeat that",
            "repeat it",
            "can you repeat",
            "could you repeat",
            "please repeat",
            "come again",
            "what did you say",
            "what was that",
            "i missed that",
            "didnt catch that",
            "didnt hear you",
            "didnt hear that",
            "once more please",
            "say again",
            "say it again",
            "pardon",
            "one more time",
        ])
        && little_else(&words, 1)
    {
        return Some(Social::Repeat);
    }
    if count <= 7
        && any(&[
            "slower",
            "slow down",
            "more slowly",
            "too fast",
            "speak slowly",
        ])
    {
        return Some(Social::Slower);
    }
    if count <= 10
        && any(&[
            "hold on",
            "hang on",
            "one moment",
            "just a moment",
            "just a second",
            "one second",
            "just a sec",
            "one sec",
            "give me a second",
            "give me a moment",
            "give me a minute",
            "wait a second",
            "wait a minute",
            "just a minute",
            "one minute",
            "bear with me",
            "let me get my",
            "let me find",
            "let me look for",
            "let me think",
            "let me see",
            "im thinking",
        ])
        && !super::turns::asks_after_a_pause(&words)
        && !["hold on to", "hang on to"]
            .iter()
            .any(|phrase| holds(&words, phrase))
        && little_else(&words, if holds(&words, "let me") { 3 } else { 1 })
    {
        return Some(Social::Hold);
    }
    // "All right, forget it, bye" is a goodbye first of all.
    if any(&["bye", "goodbye", "good bye"]) {
        let rest = strip(&words, DROPPED);
        let rest = strip(&without_goodbyes(&strip(&rest, THANKS)), FILLER);
        if rest.is_empty() {
            return Some(Social::Goodbye);
        }
    }
    if count <= 8
        && any(&[
            "never mind",
            "nevermind",
            "forget it",
            "forget that",
            "forget about it",
            "leave it",
            "cancel that",
            "i changed my mind",
            "ive changed my mind",
            "dont bother",
            "stop that",
            "dont do it",
            "dont do that",
        ])
        && little_else(&words, 2)
    {
        return Some(Social::Cancel);
    }
    // "I get a pension, what can you do me" is a question about pensions.
    let told_first = words
        .split(' ')
        .next()
        .is_some_and(|first| matches!(first, "i" | "im" | "ive" | "my" | "we" | "were" | "its"));
    if count <= 9
        && !told_first
        && any(&[
            "what can you do",
            "what can you help",
            "what do you do",
            "what can i ask",
            "what else can you do",
            "how can you help",
            "what are you able to",
            "what sort of things can you",
            "what kind of things can you",
        ])
    {
        return Some(Social::Help);
    }
    let rest = strip(&words, THANKS);
    let rest = without_goodbyes(&rest);
    let rest = strip(&rest, FILLER);
    let left = rest.trim();
    if left.is_empty() && any(BYE) {
        return Some(Social::Goodbye);
    }
    if left.is_empty() && any(THANKS) {
        return Some(Social::Thanks);
    }
    if count <= 6
        && strip(&strip(&words, HELLO), FILLER).trim().is_empty()
        && strip(&words, HELLO) != words
    {
        return Some(Social::Hello);
    }
    None
}

fn without_goodbyes(words: &str) -> String {
    strip(&strip(words, BYE), BESIDE_BYE)
}

/// "Never mind", "just leave it", and nothing besides: "leave it with the neighbour" is a wish.
pub fn drops_it(text: &str) -> bool {
    let words = plain(text);
    let rest = strip(&words, DROPPED);
    rest != words && strip(&rest, FILLER).trim().is_empty()
}

/// "Are you a robot", "is this one of those AI things": the question, in any of its forms.
fn asks_if_machine(words: &str) -> bool {
    const OPENS: &[&str] = &[
        "are you",
        "is this",
        "is that",
        "am i talking",
        "am i speaking",
        "am i on",
        "is it",
        "you sound like",
        "are we talking",
        "youre",
    ];
    const KINDS: &[&str] = &[
        "robot",
        "bot",
        "chatbot",
        "machine",
        "computer",
        "automated",
        "ai",
        "recording",
        "recorded",
        "artificial",
        "human",
        "real",
        "virtual",
        "alexa",
        "siri",
    ];
    let all: Vec<&str> = words.split(' ').collect();
    OPENS.iter().any(|open| {
        words.match_indices(open).any(|(at, _)| {
            let before = &words[..at];
            if !(before.is_empty() || before.ends_with(' ')) {
                return false;
            }
            let from = before.split_whitespace().count() + open.split(' ').count();
            // The kind stands close behind: "are you a real person", not "is this about the machine I bought".
            all.iter()
                .skip(from)
                .take(7)
                .take_while(|word| {
                    !["about", "for", "my", "working", "available", "open"].contains(*word)
                })
                .any(|word| KINDS.contains(word))
                // "Is this machine washable": the thing is called one, it is not asked whether it is.
                && !all.get(from).is_some_and(|word| {
                    ["machine", "computer", "recording"].contains(word) && all.len() > from + 1
                })
                && !holds(words, "is it real")
        })
    })
}

/// At most so many words beyond moves and fillers.
fn little_else(words: &str, most: usize) -> bool {
    const MOVES: &[&str] = &[
        "can you",
        "could you",
        "would you",
        "will you",
        "say",
        "repeat",
        "hear",
        "hold",
        "hang",
        "wait",
        "moment",
        "second",
        "sec",
        "minute",
        "once",
        "more",
        "again",
        "one",
        "time",
        "give",
        "let",
        "get",
        "find",
        "look",
        "up",
        "on",
        "the",
        "to",
        "my",
        "for",
        "in",
        "with",
        "bear",
        "sorry",
        "pardon",
        "didnt",
        "catch",
        "missed",
        "what",
        "was",
        "did",
        "of",
        "is",
        "a",
        "never",
        "mind",
        "nevermind",
        "forget",
        "about",
        "leave",
        "cancel",
        "actually",
        "dont",
        "bother",
        "do",
        "stop",
        "ive",
        "changed",
        "change",
        "hmm",
        "ah",
        "i have",
        "no",
    ];
    let rest = strip(&strip(&strip(words, MOVES), THANKS), FILLER);
    rest.split_whitespace().count() <= most
}

/// "No", "no thanks", "nope, that's it": an answer to "anything else?".
pub fn declines(text: &str) -> bool {
    let words = plain(text);
    let rest = strip(&strip(&without_goodbyes(&words), THANKS), FILLER);
    rest.trim().is_empty()
        && words
            .split(' ')
            .any(|w| ["no", "nope", "nah", "not", "nothing"].contains(&w))
}

/// Whether plain words begin with a phrase.
pub fn opens(words: &str, phrase: &str) -> bool {
    words
        .strip_prefix(phrase)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// Whole words of `phrase` in a row in `words` (both plain).
pub fn holds(words: &str, phrase: &str) -> bool {
    words.match_indices(phrase).any(|(at, _)| {
        let before = words[..at].chars().next_back();
        let after = words[at + phrase.len()..].chars().next();
        before.is_none_or(|c| c == ' ') && after.is_none_or(|c| c == ' ')
    })
}

/// `words` without any of the phrases, longest first as listed.
fn strip(words: &str, phrases: &[&str]) -> String {
    let mut out = format!(" {words} ");
    for phrase in phrases {
        let find = format!(" {phrase} ");
        while out.contains(&find) {
            out = out.replacen(&find, " ", 1);
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_in_asks_nothing() {
        for text in [
            "oh that's a lot",
            "okay, I'll try that",
            "okay direct debit then",
            "ah I see",
            "jeez okay",
            "right, I'd better ring them then",
        ] {
            assert!(takes_note(text), "{text}");
        }
        for text in [
            "okay and what about the plus",
            "right the fifteen kilo one",
            "okay I want to cancel it then",
            "oh but that's not what I was told",
            "is that so",
            "the plus plan then please",
        ] {
            assert!(!takes_note(text), "{text}");
        }
    }

    #[test]
    fn moves_are_told_from_questions() {
        let cases = [
            ("No, that's all, bye.", Some(Social::Goodbye)),
            ("Thanks, bye!", Some(Social::Goodbye)),
            ("thank you, take care now", Some(Social::Goodbye)),
            ("take care", Some(Social::Goodbye)),
            ("cheers duck, have a good one", Some(Social::Goodbye)),
            ("right then I'm off", Some(Social::Goodbye)),
            ("that'll do me", Some(Social::Goodbye)),
            ("got it", Some(Social::Thanks)),
            ("I can't take care of my bills", None),
            ("got it yesterday and it is broken", None),
            ("Alright, forget it, bye.", Some(Social::Goodbye)),
            ("Okay, never mind then, goodbye.", Some(Social::Goodbye)),
            ("Thank you very much for your help", Some(Social::Thanks)),
            ("Hello?", Some(Social::Hello)),
            ("Am I talking to a robot?", Some(Social::Robot)),
            (
                "are you a robot because if you are I'd like someone who isn't",
                None,
            ),
            ("Sorry, can you repeat that please?", Some(Social::Repeat)),
            ("Slow down please", Some(Social::Slower)),
            ("Hang on a second", Some(Social::Hold)),
            ("Oh, never mind", Some(Social::Cancel)),
            ("Thanks, and what about late fees?", None),
            ("Hello, my meter is leaking", None),
            ("How do I cancel my plan?", None),
            ("I need a new meter", None),
            ("What is the late fee?", None),
            ("Is this one of those AI things", Some(Social::Robot)),
            ("are you a real person or what", Some(Social::Robot)),
            ("what can you help me with", Some(Social::Help)),
            ("Can I hang on to my old number", None),
            ("no hang on make it Wednesday", None),
            ("what was that charge on the fifth", None),
            ("actually forget that, when is my bill due", None),
            ("is this machine washable", None),
        ];
        for (text, expected) in cases {
            assert_eq!(social(text), expected, "{text}");
        }
    }

    #[test]
    fn declining_is_only_declining() {
        assert!(declines("no thanks"));
        assert!(declines("Nope, that's it."));
        assert!(!declines("No, I want a refund"));
        assert!(!declines("yes"));
    }

    #[test]
    fn other_peoples_accounts() {
        assert!(third_party("I'm calling for my mother"));
        assert!(third_party("Can you tell me my husband's balance?"));
        assert!(third_party("I'm ringing on behalf of a customer"));
        assert!(!third_party("My wife gave me your number"));
        assert!(!third_party("My account is locked"));
    }
}
