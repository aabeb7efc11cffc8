//! What callers say in place of what was asked of them: that they speak for somebody else, cannot or will not say it, ask what for.

use super::{holds, opens, plain};

/// Speaking for somebody else's account.
pub fn third_party(text: &str) -> bool {
    let words = plain(text);
    const WHO: &[&str] = &[
        "mother",
        "mum",
        "mom",
        "father",
        "dad",
        "husband",
        "wife",
        "partner",
        "son",
        "daughter",
        "brother",
        "sister",
        "friend",
        "neighbour",
        "neighbor",
        "boss",
        "client",
        "tenant",
        "roommate",
        "flatmate",
        "grandmother",
        "grandfather",
        "gran",
        "girlfriend",
        "boyfriend",
        "uncle",
        "aunt",
        "colleague",
        "ex",
    ];
    if [
        "on behalf of",
        "calling for someone",
        "calling for somebody",
        "someone elses account",
        "somebody elses account",
        "not my account",
        "isnt my account",
        "another persons account",
        "another customers",
        "other peoples account",
    ]
    .iter()
    .any(|phrase| holds(&words, phrase))
    {
        return true;
    }
    let all: Vec<&str> = words.split(' ').collect();
    all.windows(2).enumerate().any(|(at, pair)| {
        let theirs = |w: &str| WHO.iter().any(|who| w.strip_suffix('s') == Some(*who));
        let who = |w: &str| WHO.contains(&w) || theirs(w);
        if !(["my", "a", "his", "her"].contains(&pair[0]) && who(pair[1])) {
            return false;
        }
        let before = at.checked_sub(1).map(|i| all[i]).unwrap_or_default();
        let after = all.get(at + 2).copied().unwrap_or_default();
        // "my mother's account", "calling for my wife"; not "my wife gave me your number".
        (theirs(pair[1])
            && [
                "account", "payment", "payments", "balance", "order", "plan", "bill", "card",
                "details",
            ]
            .contains(&after))
            || (["for", "behalf"].contains(&before)
                && all[..at]
                    .iter()
                    .any(|w| ["calling", "ringing", "phoning", "asking", "call"].contains(w)))
    })
}

/// The caller cannot or will not say what was asked.
pub fn cannot(text: &str) -> bool {
    let words = plain(text);
    [
        "i dont know",
        "dont know it",
        "cant remember",
        "dont remember",
        "i forgot",
        "ive forgotten",
        "not sure",
        "no idea",
        "dont have it",
        "havent got it",
        "dont have that",
        "rather not",
        "dont want to",
        "wont give",
        "not telling",
        "not giving",
        "not with me",
        "dont have one",
        "i do not know",
        "i do not have",
        "on me",
        "not comfortable",
        "dont feel comfortable",
        "dont wanna",
        "dont trust",
        "none of your business",
        "cant find it",
        "isnt with me",
        "not to hand",
        "off hand",
        "by heart",
    ]
    .iter()
    .any(|phrase| holds(&words, phrase))
}

/// "Stop texting me": no more messages are wanted, which is no wish to leave.
pub fn wants_quiet(text: &str) -> bool {
    let words = plain(text);
    let stops = [
        "stop",
        "no more",
        "dont want",
        "quit",
        "unsubscribe",
        "turn off",
        "too many",
    ];
    let messages = [
        "texting",
        "emailing",
        "messaging",
        "calling me",
        "texts",
        "emails",
        "messages",
        "notifications",
        "reminders",
        "newsletters",
        "newsletter",
        "marketing",
        "spam",
    ];
    let leaves = [
        "account",
        "membership",
        "contract",
        "subscription",
        "plan",
        "leave",
        "close",
    ];
    let any = |of: &[&str]| of.iter().any(|phrase| holds(&words, phrase));
    any(&stops) && any(&messages) && !any(&leaves)
}

/// The caller will not say what was asked: "no, I'm not giving you that".
pub fn will_not(text: &str) -> bool {
    let words = plain(text);
    [
        "not giving you",
        "not giving it",
        "not going to give",
        "not gonna give",
        "not telling you",
        "not going to tell",
        "dont want to give",
        "dont want to tell",
        "dont want to say",
        "wont tell you",
        "not saying",
        "refuse to",
        "dont give that out",
        "dont give out",
        "not comfortable giving",
        "prefer not to",
        "id rather not",
        "would rather not",
    ]
    .iter()
    .any(|phrase| holds(&words, phrase))
}

/// "Lovely", "great", "okay then": content, and nothing more.
pub fn is_pleased(text: &str) -> bool {
    const PLEASED: [&str; 16] = [
        "lovely",
        "great",
        "perfect",
        "brilliant",
        "fine",
        "excellent",
        "wonderful",
        "super",
        "cool",
        "awesome",
        "fantastic",
        "good",
        "nice",
        "splendid",
        "ace",
        "amazing",
    ];
    const BESIDE: [&str; 14] = [
        "oh", "ok", "okay", "thats", "that", "is", "very", "really", "so", "ah", "well", "right",
        "then", "all",
    ];
    let words = plain(text);
    let mut pleased = false;
    let only = words.split(' ').all(|word| {
        pleased |= PLEASED.contains(&word);
        PLEASED.contains(&word) || BESIDE.contains(&word)
    });
    only && pleased
}

/// "Oh, that's a lot", "okay, I'll try that", "direct debit then": what was told is taken in, and nothing is asked or wished for.
pub fn takes_note(text: &str) -> bool {
    const TAKEN_IN: [&str; 19] = [
        "ok", "okay", "oh", "ah", "right", "alright", "aha", "mhm", "hmm", "hm", "wow", "jeez",
        "gosh", "blimey", "well", "yeah", "yep", "sure", "really",
    ];
    const SAYS: [&str; 27] = [
        "ill",
        "i will",
        "well do",
        "we will",
        "let me try",
        "let me do",
        "id better",
        "i suppose",
        "i guess",
        "i see",
        "got it",
        "gotcha",
        "good to know",
        "thats good",
        "thats a",
        "thats not bad",
        "thats fine",
        "thats great",
        "thats more than",
        "thats less than",
        "thats quite",
        "thats very",
        "makes sense",
        "fair enough",
        "never mind",
        "that helps",
        "understood",
    ];
    const WISHES: [&str; 15] = [
        "want", "need", "like", "can", "could", "please", "but", "what", "how", "why", "when",
        "which", "cancel", "not", "dont",
    ];
    let words = plain(text);
    let all: Vec<&str> = words.split(' ').collect();
    let opened = all.iter().take_while(|w| TAKEN_IN.contains(w)).count();
    let rest = all[opened..].join(" ");
    let says = SAYS.iter().any(|phrase| opens(&rest, phrase));
    all.len() <= 9
        && !super::super::turns::asks(text)
        && !WISHES.iter().any(|wish| all.contains(wish))
        && (rest.is_empty() || says || opened > 0 && all.len() > 2 && all.ends_with(&["then"]))
}

/// "Why do you need that?"
pub fn asks_why(text: &str) -> bool {
    let words = plain(text);
    [
        "why do you",
        "what for",
        "why should i",
        "what do you need that for",
        "why is that",
        "why would you",
        "why would i",
        "why do i have to",
        "why do i need to",
        "why must i",
        "why does it matter",
        "what has that got to do",
        "what do you want that for",
        "why is that needed",
        "is that necessary",
        "is that really necessary",
        "do i have to",
        "do you really need",
        "do you need that",
    ]
    .iter()
    .any(|phrase| holds(&words, phrase))
}
