//! Moves in the talk that a phone brings with it: the line is faint, the call may be recorded, somebody says who they are first.

use super::words::{HELLO, OPENERS};
use super::{Social, holds, strip};

/// Of plain words: the move they are, if they are one of these and nothing else.
pub(super) fn find(words: &str) -> Option<Social> {
    let count = words.split(' ').count();
    let any = |phrases: &[&str]| phrases.iter().any(|phrase| holds(words, phrase));
    if count <= 9 && asks_if_recorded(words) {
        return Some(Social::Recorded);
    }
    // Not begun yet: "um", "so, er".
    if count <= 4
        && words.split(' ').all(|word| {
            [
                "um", "uh", "er", "erm", "hmm", "hm", "ah", "so", "umm", "uhm", "well",
            ]
            .contains(&word)
        })
    {
        return Some(Social::Hold);
    }
    if [
        "what",
        "huh",
        "eh",
        "sorry",
        "sorry what",
        "what sorry",
        "say what",
        "excuse me",
    ]
    .contains(&words)
    {
        return Some(Social::Repeat);
    }
    let core = strip(&strip(words, HELLO), AROUND);
    if [
        "can you hear me",
        "do you hear me",
        "are you there",
        "you there",
        "are you still there",
        "is anyone there",
        "is anybody there",
        "you still there",
    ]
    .contains(&core.as_str())
    {
        return Some(Social::CanHear);
    }
    if count <= 9
        && any(&[
            "speak up",
            "louder",
            "volume up",
            "turn up the volume",
            "cant hear you",
            "cannot hear you",
            "barely hear you",
            "hardly hear you",
            "hard to hear you",
            "youre very quiet",
            "youre too quiet",
            "youre so quiet",
            "youre quiet",
            "youre breaking up",
            "youre cutting out",
        ])
    {
        return Some(Social::Louder);
    }
    if [
        "how do you know",
        "how do you know that",
        "how do you know this",
        "where does it say that",
        "where does that come from",
        "where did you get that",
        "where do you get that from",
        "where did you get that from",
        "whats your source",
        "what is your source",
        "says who",
        "who says",
        "who says that",
        "who says so",
        "where is that written",
        "where can i read that",
        "how can you be sure",
        "are you sure",
        "are you sure about that",
        "you sure",
        "are you certain",
        "is that right",
        "is that correct",
        "is that true",
        "really",
    ]
    .contains(&core.as_str())
    {
        return Some(Social::Source);
    }
    if [
        "who is this",
        "whos this",
        "who are you",
        "whats your name",
        "what is your name",
        "whats your name again",
        "do you have a name",
        "who am i speaking to",
        "who am i talking to",
        "who am i speaking with",
        "who is speaking",
        "whos speaking",
    ]
    .contains(&core.as_str())
    {
        return Some(Social::Who);
    }
    if [
        "is that everything",
        "is that all",
        "is that it",
        "is that all there is to it",
        "is that all i need to know",
        "anything else i should know",
        "is there anything else i should know",
        "anything else i need to know",
    ]
    .contains(&core.as_str())
    {
        return Some(Social::All);
    }
    if OPENERS.contains(&core.as_str()) {
        return Some(Social::Opener);
    }
    (count <= 10 && name_said(words).is_some()).then_some(Social::Named)
}

/// Said around such a move and no part of it.
const AROUND: &[&str] = &[
    "please",
    "for you",
    "today",
    "just",
    "real",
    "actually",
    "um",
    "uh",
    "er",
    "so",
    "yeah",
    "ok",
    "okay",
    "well",
    "sorry",
    "oh",
    "there",
    "but",
    "and",
    "if i may",
    "if thats ok",
    "if thats okay",
    "then",
];

/// "Hi, my name is Brenda": the words of the name; none where anything follows that is no name.
pub fn name_said(words: &str) -> Option<String> {
    let rest = strip(words, HELLO);
    let rest = strip(
        &rest,
        &["there", "yes", "yeah", "um", "uh", "well", "so", "and"],
    );
    let name = ["my name is ", "my names ", "the names ", "the name is "]
        .iter()
        .find_map(|opens| rest.strip_prefix(opens))?;
    let name = strip(name, &["by the way", "and", "im calling", "here"]);
    let name = super::super::super::entity::name(&name)?;
    (name.split(' ').count() <= 3).then_some(name)
}

fn asks_if_recorded(words: &str) -> bool {
    let asks = ["is ", "are ", "am i ", "do you ", "will "]
        .iter()
        .any(|opens| words.starts_with(opens));
    let recorded = [
        "recorded",
        "being recorded",
        "record calls",
        "record this",
        "recording this",
        "recording me",
        "record the call",
        "record the calls",
        "record my call",
        "recording the call",
    ]
    .iter()
    .any(|sign| holds(words, sign));
    let here = ["call", "calls", "this", "conversation", "line", "i", "me"]
        .iter()
        .any(|word| holds(words, word));
    asks && recorded && here
}
