//! How the caller seems to feel, from their words and across turns, and the short acknowledgement a person would give.

use super::types::Mood;

/// The mood after `text`, given the mood before it. Strong words move it at once; a calm turn lets it settle by one step, so
/// that an angry caller is not answered brightly after one plain sentence.
pub fn mood(text: &str, earlier: Mood) -> Mood {
    let words = words(text);
    let has = |list: &[&str]| list.iter().any(|p| found(&words, p));
    let denied = |list: &[&str]| {
        list.iter().any(|p| {
            [
                "not",
                "not really",
                "no longer",
                "isn't",
                "aren't",
                "i'm not",
                "wasn't",
                "don't be",
                "not at all",
                "never",
            ]
            .iter()
            .any(|n| found(&words, &format!("{n} {p}")))
        })
    };
    if has(DISTRESSED) {
        return Mood::Distressed;
    }
    let shouted = shouting(text);
    if (has(ANGRY) && !denied(ANGRY)) || (shouted && has(FRUSTRATED)) {
        return Mood::Angry;
    }
    if has(FRUSTRATED) && !denied(FRUSTRATED) {
        // Frustration on top of frustration is anger's neighbour; on top of anger it stays there.
        return if earlier == Mood::Angry {
            Mood::Angry
        } else {
            Mood::Frustrated
        };
    }
    if has(WORRIED) && !denied(WORRIED) {
        return if matches!(earlier, Mood::Distressed) {
            Mood::Distressed
        } else {
            Mood::Worried
        };
    }
    if has(PLEASED) && !denied(PLEASED) {
        return match earlier {
            // Thanks out of politeness does not undo distress.
            Mood::Distressed => Mood::Worried,
            Mood::Angry => Mood::Calm,
            _ => Mood::Pleased,
        };
    }
    if has(CONFUSED) {
        return match earlier {
            Mood::Angry | Mood::Frustrated | Mood::Distressed | Mood::Worried => earlier,
            _ => Mood::Confused,
        };
    }
    match earlier {
        Mood::Angry => Mood::Frustrated,
        Mood::Distressed => Mood::Worried,
        _ => Mood::Calm,
    }
}

/// Ways there are at most of acknowledging one feeling.
pub const WAYS: u32 = 3;

/// A short human acknowledgement before the answer, varied by `n` (the count of those given so far); none where the caller is
/// calm or pleased. `matter`: what it is about (an intent's name), which chooses words for loss, death or hardship.
pub fn acknowledge(mood: Mood, matter: Option<&str>, n: u32) -> Option<&'static str> {
    let about =
        |parts: &[&str]| matter.is_some_and(|m| parts.iter().any(|p| m.to_lowercase().contains(p)));
    if about(&["bereave", "death", "deceased"]) {
        return Some(pick(&["I'm very sorry for your loss.", "I'm so sorry."], n));
    }
    if mood == Mood::Calm || mood == Mood::Pleased {
        return None;
    }
    if about(&["hardship", "cannot_pay", "debt", "financial_difficult"]) {
        return Some(pick(
            &[
                "Thank you for telling me.",
                "I'm glad you called about this.",
                "That sounds hard.",
            ],
            n,
        ));
    }
    if about(&["fraud", "stolen", "unauthori", "scam"]) {
        return Some(pick(
            &[
                "That must be a worry. Let's deal with it now.",
                "I see why you called. Let's deal with it.",
                "I understand.",
            ],
            n,
        ));
    }
    Some(match mood {
        Mood::Angry => pick(
            &[
                "I'm sorry. I can hear this has been bad.",
                "I'm sorry about this.",
                "You're right to be upset.",
            ],
            n,
        ),
        Mood::Frustrated => pick(
            &[
                "I'm sorry about the trouble.",
                "I can see that's annoying.",
                "Sorry you've had to chase this.",
            ],
            n,
        ),
        Mood::Distressed => pick(
            &[
                "I'm sorry. Take your time.",
                "I'm here. Take all the time you need.",
                "I'm so sorry.",
            ],
            n,
        ),
        Mood::Worried => pick(
            &[
                "I understand the worry.",
                "Let's look at it together.",
                "I see why you'd want to know.",
            ],
            n,
        ),
        Mood::Confused => pick(
            &[
                "Let me put it more simply.",
                "No problem, let me explain.",
                "Sure, let's take it step by step.",
            ],
            n,
        ),
        Mood::Calm | Mood::Pleased => return None,
    })
}

fn pick(of: &[&'static str], n: u32) -> &'static str {
    of[n as usize % of.len()]
}

fn words(text: &str) -> String {
    let mut out = String::from(" ");
    for word in text
        .replace('\u{2019}', "'")
        .split(|c: char| !(c.is_alphanumeric() || c == '\''))
    {
        if !word.is_empty() {
            out.push_str(&word.to_lowercase());
            out.push(' ');
        }
    }
    out
}

fn found(words: &str, phrase: &str) -> bool {
    words.contains(&format!(" {phrase} "))
}

/// Half a sentence in capitals, or two exclamation marks together.
fn shouting(text: &str) -> bool {
    let loud = text
        .split_whitespace()
        .filter(|w| w.len() > 2 && w.chars().all(|c| c.is_uppercase()))
        .count();
    loud >= 2 || text.contains("!!")
}

const DISTRESSED: &[&str] = &[
    "i can't cope",
    "can't cope",
    "can't go on",
    "can't take it anymore",
    "can't take this anymore",
    "kill myself",
    "end my life",
    "end it all",
    "suicidal",
    "want to die",
    "i'm desperate",
    "i am desperate",
    "desperate",
    "in tears",
    "i'm crying",
    "can't stop crying",
    "panic attack",
    "panicking",
    "i'm panicking",
    "breaking down",
    "falling apart",
    "passed away",
    "my husband died",
    "my wife died",
    "my mother died",
    "my father died",
    "my mum died",
    "my mom died",
    "my dad died",
    "lost my job",
    "can't feed",
    "can't afford food",
    "about to be evicted",
    "being evicted",
    "going to lose my home",
    "terrified",
    "heartbroken",
    "i don't know what to do anymore",
    "hurt myself",
    "harm myself",
];

const ANGRY: &[&str] = &[
    "furious",
    "angry",
    "livid",
    "outraged",
    "outrageous",
    "disgusting",
    "disgusted",
    "disgrace",
    "disgraceful",
    "unacceptable",
    "shambles",
    "scam",
    "scammers",
    "thieves",
    "stealing from me",
    "robbing me",
    "rip off",
    "ripped off",
    "ripping me off",
    "bullshit",
    "shit",
    "fuck",
    "fucking",
    "fucked",
    "bloody",
    "damn",
    "goddamn",
    "crap",
    "pissed",
    "hell",
    "stupid",
    "idiots",
    "idiot",
    "incompetent",
    "useless",
    "pathetic",
    "sue you",
    "hear from my lawyer",
    "hearing from my lawyer",
    "hear from my solicitor",
    "hearing from my solicitor",
    "get my lawyer",
    "get my solicitor",
    "call my lawyer",
    "legal action",
    "ombudsman",
    "worst company",
    "worst service",
    "shut up",
    "sick and tired",
    "had enough",
    "enough is enough",
    "how dare you",
    "fed up to",
    "hate this",
    "hate you",
    "report you",
    "joke of a company",
    "taking the piss",
];

const FRUSTRATED: &[&str] = &[
    "frustrated",
    "frustrating",
    "annoyed",
    "annoying",
    "fed up",
    "ridiculous",
    "again and again",
    "third time",
    "fourth time",
    "fifth time",
    "how many times do i have",
    "how many times do i need",
    "how many times must i",
    "how many times have i",
    "how many more times",
    "keep telling",
    "keep getting",
    "keep asking",
    "already told you",
    "already said",
    "i just said",
    "i said that",
    "told you that",
    "still hasn't",
    "still haven't",
    "still waiting",
    "still not",
    "waiting for weeks",
    "been waiting",
    "for ages",
    "nobody answers",
    "nobody calls",
    "nobody helps",
    "no one helps",
    "no one calls",
    "not helpful",
    "not helping",
    "unhelpful",
    "waste of time",
    "wasting my time",
    "going round in circles",
    "going around in circles",
    "round and round",
    "called three times",
    "called twice",
    "keeps happening",
    "happened again",
    "doesn't work",
    "isn't working",
    "not working",
    "you're not listening",
    "not listening",
    "that's not what i asked",
    "that's not what i said",
    "come on",
    "for goodness sake",
    "for god's sake",
    "oh my god",
    "unbelievable",
    "not good enough",
    "disappointed",
    "disappointing",
    "terrible",
    "awful",
    "a joke",
    "upset",
    "not happy",
    "unhappy",
    "passed around",
    "sick of",
    "tired of",
];

const WORRIED: &[&str] = &[
    "worried",
    "worry",
    "worrying",
    "concerned",
    "anxious",
    "nervous",
    "scared",
    "afraid",
    "stressed",
    "stressful",
    "stressing",
    "is it safe",
    "am i safe",
    "is my money safe",
    "get in trouble",
    "in trouble",
    "credit score",
    "bailiffs",
    "debt collectors",
    "debt collector",
    "can't afford",
    "cannot afford",
    "struggling",
    "can't pay",
    "don't recognise",
    "don't recognize",
    "didn't make this",
    "someone used my",
    "stolen",
    "hacked",
    "fraud",
    "identity theft",
    "lost my card",
    "lost my phone",
    "what will happen",
    "will i be charged",
];

const PLEASED: &[&str] = &[
    "great",
    "perfect",
    "brilliant",
    "lovely",
    "wonderful",
    "fantastic",
    "amazing",
    "excellent",
    "awesome",
    "thank you so much",
    "thanks so much",
    "thanks a lot",
    "that's so helpful",
    "very helpful",
    "really helpful",
    "you've been helpful",
    "been very helpful",
    "that helps",
    "what a relief",
    "relieved",
    "appreciate it",
    "much appreciated",
    "happy with",
    "really happy",
    "so happy",
    "love it",
    "good job",
    "well done",
    "you're a star",
];

const CONFUSED: &[&str] = &[
    "confused",
    "confusing",
    "don't understand",
    "do not understand",
    "doesn't make sense",
    "makes no sense",
    "not sure what you mean",
    "what do you mean",
    "what does that mean",
    "i'm lost",
    "lost me",
    "don't get it",
    "don't follow",
    "how does that work",
    "can you explain",
    "could you explain",
    "say that again",
    "come again",
    "what do i do",
    "i don't know what that is",
    "no idea what",
];

#[cfg(test)]
mod tests {
    use super::*;
    use Mood::{Angry, Calm, Confused, Distressed, Frustrated, Pleased, Worried};

    #[test]
    fn moods_from_words() {
        let rows = [
            ("when is my payment due", Calm, Calm),
            ("yes please", Calm, Calm),
            ("this is ridiculous", Calm, Frustrated),
            ("this is the third time I've called", Calm, Frustrated),
            ("I already told you that", Calm, Frustrated),
            ("I've been waiting for weeks", Calm, Frustrated),
            ("it still hasn't arrived", Calm, Frustrated),
            ("you people are useless", Calm, Angry),
            ("this is fucking ridiculous", Calm, Angry),
            ("I'm furious", Calm, Angry),
            ("THIS IS RIDICULOUS!!", Calm, Angry),
            ("I want my money or I'm taking legal action", Calm, Angry),
            ("I'm not angry, I just want to know", Calm, Calm),
            ("I'm worried about my credit score", Calm, Worried),
            ("I'm not worried", Calm, Calm),
            ("someone used my card and I'm scared", Calm, Worried),
            ("I can't pay this month", Calm, Worried),
            ("my husband died last week", Calm, Distressed),
            ("I can't cope any more", Calm, Distressed),
            ("I lost my job", Calm, Distressed),
            ("I don't understand", Calm, Confused),
            ("what does that mean", Calm, Confused),
            ("great, thank you so much", Calm, Pleased),
            ("that's not great", Calm, Calm),
            ("perfect", Frustrated, Pleased),
            ("okay", Angry, Frustrated),
            ("okay", Frustrated, Calm),
            ("it's still not there", Angry, Angry),
            ("thanks, that's lovely", Distressed, Worried),
            ("what do you mean", Angry, Angry),
            ("", Worried, Calm),
            ("hello, I want a shell suit", Calm, Calm),
        ];
        for (text, earlier, want) in rows {
            assert_eq!(mood(text, earlier), want, "{text:?} after {earlier:?}");
        }
    }

    #[test]
    fn acknowledgements_are_short_varied_and_absent_when_calm() {
        assert_eq!(acknowledge(Calm, None, 0), None);
        assert_eq!(acknowledge(Pleased, Some("refund_status"), 3), None);
        for m in [Angry, Frustrated, Distressed, Worried, Confused] {
            for matter in [
                None,
                Some("hardship_plan"),
                Some("fraud_report"),
                Some("refund_status"),
            ] {
                let said: Vec<_> = (0..3).map(|n| acknowledge(m, matter, n).unwrap()).collect();
                assert!(said.iter().all(|s| s.split(' ').count() <= 10), "{said:?}");
                assert_ne!(said[0], said[1]);
                assert_ne!(said[1], said[2]);
            }
        }
        assert!(
            acknowledge(Calm, Some("bereavement"), 0)
                .unwrap()
                .contains("loss")
        );
        assert!(acknowledge(Angry, None, u32::MAX).is_some());
    }
}
