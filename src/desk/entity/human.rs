//! The wish for a human.

use super::reply::contains;
use super::token::tokens;

/// The caller asks for a person. Not a person who is only spoken of ("someone told me yesterday").
pub fn wants_human(text: &str) -> bool {
    let t = tokens(text);
    let words: Vec<&str> = t
        .iter()
        .filter(|t| t.is_word())
        .map(|t| t.text.as_str())
        .filter(|w| {
            !matches!(
                *w,
                "please"
                    | "just"
                    | "actual"
                    | "actually"
                    | "uh"
                    | "um"
                    | "er"
                    | "erm"
                    | "real"
                    | "live"
                    | "proper"
                    | "bloody"
                    | "fucking"
                    | "damn"
                    | "now"
                    | "okay"
                    | "ok"
                    | "well"
                    | "yes"
                    | "yeah"
                    | "hi"
                    | "hello"
            )
        })
        .collect();
    let real = t.iter().any(|t| t.any(&["real", "live", "actual"]));
    let phrase = format!(" {} ", words.join(" "));
    let has = |p: &str| phrase.contains(&format!(" {p} "));
    // "I don't want to talk to a robot" is the wish, "I don't want to talk to a human" is not.
    if ["robot", "machine", "bot", "computer"]
        .iter()
        .any(|m| has(m))
    {
        let refuses = [
            "don't want to",
            "don't wanna",
            "not talking to",
            "not speaking to",
            "sick of",
            "tired of",
            "hate",
            "stop",
            "rather not",
            "instead of",
            "refuse to",
        ];
        let speaks = [
            "talk to",
            "speak to",
            "talking to",
            "speaking to",
            "talk with",
            "speak with",
            "talking with",
        ];
        if refuses.iter().any(|r| has(r)) && speaks.iter().any(|s| has(s)) {
            return true;
        }
    }
    if contains(
        &words,
        &[
            "don't want to speak",
            "don't want to talk",
            "don't need a human",
            "don't need a person",
            "don't put me through",
            "don't transfer me",
            "without talking to",
            "without speaking to",
            "no need for a human",
            "instead of a human",
            "rather not speak",
        ],
    ) {
        return false;
    }
    // The whole utterance is the word.
    let alone: Vec<&str> = words
        .iter()
        .copied()
        .filter(|w| {
            !matches!(
                *w,
                "a" | "an"
                    | "the"
                    | "to"
                    | "i"
                    | "want"
                    | "need"
                    | "get"
                    | "me"
                    | "give"
                    | "thanks"
                    | "thank"
                    | "you"
            )
        })
        .collect();
    let person = |w: &str| PEOPLE.contains(&w);
    if matches!(alone.as_slice(), [w] if person(w) && (*w != "person" || real || words.len() > 1) && !matches!(*w, "someone" | "somebody" | "anyone" | "anybody" | "people"))
        || matches!(alone.as_slice(), ["human" | "customer" | "support" | "service" | "sales" | "billing", .., w]
                if alone.len() <= 3 && (person(w) || matches!(*w, "service" | "support")))
    {
        return true;
    }
    if real && alone.last().is_some_and(|w| person(w)) && alone.len() <= 2 {
        return true;
    }
    // Asking verbs followed, soon, by a person.
    const ASKS: [&str; 38] = [
        "speak to",
        "speak with",
        "talk to",
        "talk with",
        "talking to",
        "speaking to",
        "speaking with",
        "put me through",
        "put me on to",
        "put me onto",
        "transfer me",
        "connect me",
        "get me",
        "give me",
        "i want",
        "i need",
        "i'd like",
        "i would like",
        "can i have",
        "could i have",
        "can i get",
        "let me have",
        "let me speak",
        "let me talk",
        "is there",
        "are there",
        "i'd rather",
        "get hold of",
        "switch me",
        "pass me",
        "pass me over",
        "patch me through",
        "hand me over",
        "forward me",
        "have someone",
        "have somebody",
        "bring in",
        "may i have",
    ];
    let past = contains(
        &words,
        &[
            "told me",
            "i spoke",
            "i've spoken",
            "i talked",
            "i have spoken",
            "was speaking",
            "was talking",
            "said that",
            "spoke to",
            "talked to",
            "spoke with",
            "talked with",
            "called me",
            "i already spoke",
        ],
    );
    for ask in ASKS {
        let needle = format!(" {ask} ");
        let mut from = 0;
        while let Some(at) = phrase[from..].find(&needle).map(|i| from + i) {
            let rest = &phrase[at + needle.len() - 1..];
            let next: Vec<&str> = rest.split_whitespace().take(6).collect();
            let speaking = ask.contains("spe")
                || ask.contains("talk")
                || ask.contains("me")
                || ask.contains("hold");
            let found = next.iter().position(|w| {
                person(w)
                    && (speaking
                        || !matches!(*w, "someone" | "somebody" | "anyone" | "anybody" | "people")
                        || contains(
                            &next,
                            &[
                                "to speak",
                                "to talk",
                                "i can speak",
                                "i can talk",
                                "call me",
                            ],
                        ))
            });
            if let Some(n) = found {
                // "I need a person's name", "is there a person I sent money to": only where speech is meant, or nothing follows.
                let after: Vec<&str> = next[n + 1..].to_vec();
                let closes = after.is_empty()
                    || matches!(
                        after[0],
                        "on" | "to"
                            | "who"
                            | "i"
                            | "about"
                            | "in"
                            | "from"
                            | "instead"
                            | "for"
                            | "here"
                            | "there"
                            | "that"
                            | "right"
                            | "and"
                            | "because"
                            | "at"
                            | "else"
                            | "can"
                            | "available"
                            | "not"
                            | "as"
                            | "with"
                            | "asap"
                            | "thanks"
                            | "thank"
                            | "service"
                            | "team"
                            | "this"
                            | "today"
                            | "immediately"
                            | "being"
                            | "beings"
                    );
                let weak = matches!(
                    ask,
                    "i want"
                        | "i need"
                        | "give me"
                        | "get me"
                        | "i'd like"
                        | "i would like"
                        | "is there"
                        | "are there"
                );
                let own = contains(
                    &next[..n],
                    &["my", "his", "her", "their", "your", "another"],
                ) && weak;
                // "Do I need a referral to see a specialist?" asks for no specialist.
                let before = phrase[..at].split_whitespace().last();
                let asked = matches!(before, Some("do" | "will" | "would" | "did" | "if" | "why"));
                let spoken_of = (past || asked) && weak;
                if closes && !own && !spoken_of {
                    return true;
                }
            }
            from = at + needle.len() - 1;
        }
    }
    (has("put me through")
        || has("put me on hold for")
        || has("transfer me")
        || has("transfer this call")
        || has("transfer my call")
        || has("escalate this")
        || has("escalate my call"))
        && !past
        || has("not a robot") && contains(&words, &["want", "need"])
}

const PEOPLE: [&str; 27] = [
    "human",
    "humans",
    "person",
    "agent",
    "agents",
    "representative",
    "representatives",
    "rep",
    "operator",
    "adviser",
    "advisor",
    "someone",
    "somebody",
    "anyone",
    "anybody",
    "people",
    "supervisor",
    "manager",
    "receptionist",
    "colleague",
    "specialist",
    "assistant",
    "associate",
    "staff",
    "being",
    "clerk",
    "team",
];
