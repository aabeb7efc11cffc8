//! What a human is given when a call comes to them: the written packet, and the brief spoken before the caller is joined.

use serde_json::Value;

use super::record::{ActionRecord, ActionStatus, Closing, Handoff, NoteLine};
use super::types::{Mood, Source, Tier};

/// About 18 seconds aloud.
const BRIEF_WORDS: usize = 45;

/// What is known when the packet is made.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub reason: &'a str,
    pub intent: Option<&'a str>,
    /// The intent in plain words.
    pub topic: Option<&'a str>,
    /// The caller's own words on the matter.
    pub words: &'a str,
    pub customer: Option<&'a Value>,
    pub number: Option<&'a str>,
    pub verified: Tier,
    pub mood: Mood,
    pub confidence: f32,
    pub sources: &'a [Source],
    pub tried: &'a [String],
    pub actions: &'a [ActionRecord],
    pub open_question: &'a str,
    pub queue: Option<&'a str>,
}

/// The packet.
pub fn packet(facts: Facts<'_>) -> Handoff {
    Handoff {
        reason: facts.reason.to_owned(),
        intent: facts.intent.map(str::to_owned),
        summary: summary(&facts),
        spoken_brief: brief(&facts),
        tried: facts.tried.to_vec(),
        sources: facts.sources.to_vec(),
        confidence: facts.confidence,
        verified: facts.verified,
        sentiment: facts.mood,
        open_question: facts.open_question.to_owned(),
        targets: Vec::new(),
        result: String::new(),
        accepted_by: None,
        queue: facts.queue.map(str::to_owned),
        caller_name: facts.customer.and_then(name),
        ..Handoff::default()
    }
}

/// How a human left the matter, by what they said last of it: something done, or something still to be done.
pub fn closing(notes: &[NoteLine]) -> Option<Closing> {
    const LATER: &[&str] = &[
        "i'll call you",
        "i will call you",
        "call you back",
        "ring you back",
        "get back to you",
        "we'll send",
        "i'll send",
        "we will send",
        "i will send",
        "you'll receive",
        "you will receive",
        "you'll get",
        "i'll look into",
        "i'll pass",
        "i'll check",
        "follow up",
        "somebody will",
        "someone will",
        "i'll email",
        "i will email",
        "we'll let you know",
    ];
    const DONE: &[&str] = &[
        "that's done",
        "that is done",
        "i've done",
        "i have done",
        "i've refunded",
        "i have refunded",
        "i've changed",
        "i have changed",
        "i've cancelled",
        "i have cancelled",
        "i've moved",
        "i've booked",
        "i have booked",
        "i've sorted",
        "all sorted",
        "that's sorted",
        "i've sent",
        "i have sent",
        "that's gone through",
        "i've updated",
        "all done",
        "i've put that",
        "i've taken",
    ];
    let of = |text: &str, phrases: &[&str]| {
        let text = text.to_lowercase().replace('\u{2019}', "'");
        phrases.iter().any(|p| text.contains(p))
    };
    let theirs: Vec<&NoteLine> = notes.iter().filter(|n| n.by == "colleague").collect();
    let last = |phrases: &[&str]| theirs.iter().rev().find(|n| of(&n.text, phrases)).copied();
    let (status, line) = match (last(LATER), last(DONE)) {
        // A promise is open even where something else was done.
        (Some(line), _) => ("follow_up", Some(line)),
        (None, Some(line)) => ("resolved", Some(line)),
        (None, None) => ("unknown", theirs.last().copied()),
    };
    line.map(|line| Closing {
        status: status.into(),
        said: line.text.clone(),
    })
}

/// A topic as the desk words it to callers ("your order"), said of them to somebody else.
pub(super) fn words_of(topic: &str) -> String {
    theirs(topic)
}

/// The customer's name as a record has it.
pub fn name(customer: &Value) -> Option<String> {
    let text = |key: &str| {
        customer
            .get(key)
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
    };
    let parts = || match (
        text("first_name").or_else(|| text("given_name")),
        text("last_name").or_else(|| text("family_name")),
    ) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        (first, last) => first.or(last),
    };
    text("name").or_else(|| text("full_name")).or_else(parts)
}

/// One word of why, as it is said.
pub fn why(reason: &str) -> String {
    match reason {
        "asked" => "asked for a person".into(),
        "low_confidence" => "I was not sure what they need".into(),
        "no_answer" => "our articles do not answer it".into(),
        "not_grounded" => "I could not back up an answer".into(),
        "out_of_scope" => "it is outside what I handle".into(),
        "policy" => "this goes to a person".into(),
        "colleague" => "a colleague asked for the call".into(),
        "supervised" => "I may not answer this alone yet".into(),
        "third_party" => "they speak for somebody else".into(),
        "verify_locked" => "proof of identity failed on earlier calls".into(),
        "returning" => "it was left open on an earlier call".into(),
        "verify_failed" => "they could not be verified".into(),
        "action_unknown" => "it is not known whether it went through".into(),
        "action_failed" => "the system could not be reached".into(),
        "action_refused" => "the system refused it".into(),
        "incomplete_result" => "the system's answer was incomplete".into(),
        "not_found" => "the system has no such thing".into(),
        "missing_data" => "their record lacks what is needed".into(),
        "slot" => "we could not agree on the details".into(),
        "limit" => "it was done once on this call already".into(),
        "limit_day" => "it was done as often as it may be today".into(),
        "dispute" => "they dispute something".into(),
        "fraud" => "they report fraud".into(),
        "legal" => "a complaint or legal matter".into(),
        "closure" => "they want to leave".into(),
        "hardship" => "they cannot pay".into(),
        "bereavement" => "a customer has died".into(),
        "vulnerable" => "they need special care".into(),
        "distress" => "they may be at risk".into(),
        "words" => "they used words that always go to a person".into(),
        "not_heard" => "the line is bad".into(),
        "technical" => "something broke on our side".into(),
        other => match other.strip_prefix("language_") {
            Some(code) => format!("they speak {}", language(code)),
            None => other.replace('_', " "),
        },
    }
}

/// The English name of a language: those that telephone lines meet most.
pub fn language(code: &str) -> &str {
    const NAMES: [(&str, &str); 24] = [
        ("ar", "Arabic"),
        ("de", "German"),
        ("el", "Greek"),
        ("en", "English"),
        ("es", "Spanish"),
        ("fr", "French"),
        ("he", "Hebrew"),
        ("hi", "Hindi"),
        ("id", "Indonesian"),
        ("it", "Italian"),
        ("ja", "Japanese"),
        ("ko", "Korean"),
        ("nl", "Dutch"),
        ("pl", "Polish"),
        ("pt", "Portuguese"),
        ("ro", "Romanian"),
        ("ru", "Russian"),
        ("sv", "Swedish"),
        ("tl", "Tagalog"),
        ("tr", "Turkish"),
        ("uk", "Ukrainian"),
        ("ur", "Urdu"),
        ("vi", "Vietnamese"),
        ("zh", "Chinese"),
    ];
    NAMES
        .iter()
        .find(|(known, _)| *known == code)
        .map_or(code, |(_, name)| name)
}

fn summary(facts: &Facts<'_>) -> String {
    let mut parts = Vec::new();
    let who = facts.customer.and_then(name);
    let about = facts
        .topic
        .map_or_else(|| "a matter not yet clear".to_owned(), theirs);
    parts.push(match who {
        Some(name) => format!("{name} rang about {about}."),
        None => format!("The caller rang about {about}."),
    });
    if !facts.words.is_empty() {
        parts.push(format!(
            "In their words: \"{}\".",
            clip(facts.words, 40).trim_end_matches('.')
        ));
    }
    parts.push(format!("Handed over because: {}.", why(facts.reason)));
    for action in facts.actions {
        let status = match action.status {
            ActionStatus::Done => "done",
            ActionStatus::Failed => "not done",
            ActionStatus::Unknown => "not known whether it went through",
            ActionStatus::DryRun => "not done, this line is on a dry run",
        };
        parts.push(format!(
            "{}: {status}.",
            super::action::render::words(&action.name)
        ));
    }
    parts.join(" ")
}

/// Who, how far verified, what, how sure, in their words, why, what was tried, what is open and how they feel. Under 20 seconds:
/// what matters least to somebody about to say hello is left to the packet first.
fn brief(facts: &Facts<'_>) -> String {
    let who = facts
        .customer
        .and_then(name)
        .unwrap_or_else(|| "A caller".to_owned());
    let verified = match facts.verified {
        Tier::Full => "fully verified",
        Tier::Basic => "number verified",
        Tier::None => "not verified",
    };
    // Spoken in this order; the number is what goes first where there are too many words (highest first).
    let mut parts: Vec<(u8, String)> = vec![(0, format!("{who}, {verified}."))];
    if let Some(topic) = facts.topic {
        let sure = match facts.confidence {
            c if c >= 0.85 => "",
            c if c >= 0.6 => ", fairly sure",
            _ => ", not sure",
        };
        let about = theirs(&clip(topic, 8));
        parts.push((1, format!("About {about}{sure}.")));
    }
    let said = ended(&clause(facts.words, 16));
    if !said.is_empty() {
        parts.push((3, format!("They said: {said}")));
    }
    parts.push((2, format!("{}.", capital(&why(facts.reason)))));
    parts.push((
        4,
        match facts.tried.last() {
            // What the system said word for word is in the packet; spoken, it would be cut in the middle.
            Some(last) => ended(&capital(&clause(
                last.split(" (").next().unwrap_or(last),
                12,
            ))),
            None => "Nothing tried yet.".to_owned(),
        },
    ));
    if !facts.open_question.is_empty() && facts.open_question != facts.words {
        parts.push((
            5,
            format!("Open: {}", ended(&clause(facts.open_question, 10))),
        ));
    }
    let mood = match facts.mood {
        Mood::Angry => Some("angry"),
        Mood::Frustrated => Some("frustrated"),
        Mood::Distressed => Some("distressed"),
        Mood::Worried => Some("worried"),
        Mood::Calm | Mood::Pleased | Mood::Confused => None,
    };
    if let Some(mood) = mood {
        parts.push((2, format!("They are {mood}.")));
    }
    let words = |parts: &[(u8, String)]| -> usize {
        parts
            .iter()
            .map(|(_, part)| part.split_whitespace().count())
            .sum()
    };
    while words(&parts) > BRIEF_WORDS {
        let Some(least) = (0..parts.len()).max_by_key(|i| parts[*i].0) else {
            break;
        };
        parts.remove(least);
    }
    let parts: Vec<String> = parts.into_iter().map(|(_, part)| part).collect();
    parts.join(" ")
}

/// A caller's words or a topic ("your order"), as said of them to somebody else ("their order").
fn theirs(text: &str) -> String {
    text.split(' ')
        .map(|word| match word {
            "your" | "my" | "our" => "their",
            "you" | "I" => "they",
            "yours" | "mine" => "theirs",
            word => word,
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// At most so many words, ended where a clause ends rather than in the middle of one.
fn clause(text: &str, words: usize) -> String {
    let all: Vec<&str> = text.split_whitespace().collect();
    if all.len() <= words {
        return all.join(" ");
    }
    const JOINTS: [&str; 7] = ["and", "but", "so", "because", "or", "which", "then"];
    let end = (words / 2..words)
        .rev()
        .find(|i| all[i - 1].ends_with(['.', ',', ';', '?', '!']) || JOINTS.contains(&all[*i]))
        .unwrap_or(words);
    all[..end].join(" ")
}

/// With a mark at its end; the mark it has, where it asks.
fn ended(text: &str) -> String {
    let bare = text.trim_end_matches(['.', ',', ';', '!', '-', ' ']);
    if bare.is_empty() || bare.ends_with('?') {
        bare.to_owned()
    } else {
        format!("{bare}.")
    }
}

fn clip(text: &str, words: usize) -> String {
    let all: Vec<&str> = text.split_whitespace().collect();
    if all.len() <= words {
        all.join(" ")
    } else {
        format!("{} ...", all[..words].join(" "))
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_brief_is_short_and_says_who_and_why() {
        let words = "my meter has been running backwards and forwards ".repeat(10);
        let customer = json!({"first_name": "Ada", "last_name": "Brook"});
        let tried = vec!["Answered from \"Reading your meter\"".to_owned()];
        let handoff = packet(Facts {
            reason: "asked",
            intent: Some("meter"),
            topic: Some("meter readings"),
            words: &words,
            customer: Some(&customer),
            number: None,
            verified: Tier::Full,
            mood: Mood::Angry,
            confidence: 0.4,
            sources: &[],
            tried: &tried,
            actions: &[],
            open_question: "",
            queue: None,
        });
        assert!(handoff.spoken_brief.split_whitespace().count() <= BRIEF_WORDS);
        assert!(
            handoff
                .spoken_brief
                .starts_with("Ada Brook, fully verified.")
        );
        assert!(handoff.spoken_brief.contains("Asked for a person"));
        assert!(handoff.spoken_brief.contains("angry"));
        assert!(
            !handoff.spoken_brief.contains("forwards my."),
            "{}",
            handoff.spoken_brief
        );
    }

    #[test]
    fn how_it_was_left_is_taken_from_the_last_promise_or_deed() {
        let said = |by: &str, text: &str| NoteLine {
            by: by.into(),
            text: text.into(),
            at_ms: 0,
        };
        let notes = [
            said("colleague", "Right, I've refunded the fee."),
            said("caller", "I'll call you if it doesn't come."),
        ];
        assert_eq!(closing(&notes).unwrap().status, "resolved");
        let more = [
            notes.to_vec(),
            vec![said("colleague", "And we'll send a letter.")],
        ]
        .concat();
        assert_eq!(closing(&more).unwrap().status, "follow_up");
        assert_eq!(
            closing(&[said("colleague", "Goodbye.")]).unwrap().status,
            "unknown"
        );
        assert_eq!(closing(&[]), None);
    }

    #[test]
    fn words_end_where_a_clause_does_and_topics_are_theirs() {
        let words =
            "There's a charge on my account I never made and I'd like it looked at by somebody";
        assert_eq!(
            ended(&clause(words, 14)),
            "There's a charge on my account I never made."
        );
        assert_eq!(
            theirs("a charge you didn't make on your card"),
            "a charge they didn't make on their card"
        );
        assert_eq!(ended("What is it?"), "What is it?");
        assert_eq!(ended(&clause("", 4)), "");
    }
}
