//! A human's questions about a call ("did she prove who she is?", "what did he say about the refund?"), answered from its record.
//!
//! Nothing is made up: an answer is a figure of the record in a set sentence, or words that were said, in quotes. What is not in the
//! record did not come up.

use super::desk::Desk;
use super::handoff::{why, words_of};
use super::inquiry;
use super::phrase::Wording;
use super::record::{ActionStatus, CallRecord};
use super::text::{Stems, dot, is_stop, words};
use super::types::{Mood, Tier};

/// Sentences to unit vectors, in order; empty where there is no encoder, and everything goes by words.
pub type Embed<'a> = dyn FnMut(&[&str]) -> Vec<Vec<f32>> + 'a;

/// Least similarity of a question to one of [`CUES`] to be that question.
const SAME_QUESTION: f32 = 0.62;
/// Least similarity of a subject to a line that was said to be about it.
const ABOUT: f32 = 0.42;
/// Lines quoted in one answer.
const QUOTES: usize = 2;
/// Words of a quote.
const QUOTE_WORDS: usize = 28;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aspect {
    Verified,
    Name,
    Number,
    Topic,
    Mood,
    Tried,
    Done,
    Why,
    Open,
    History,
    Sources,
}

/// What asks for each aspect: words of which one settles it where nothing else is asked about, and whole questions for the encoder.
const CUES: &[(Aspect, &[&str], &[&str])] = &[
    (
        Aspect::Verified,
        &[
            "prove", "proof", "verify", "verifi", "ident", "authent", "secur", "id",
        ],
        &[
            "Did she prove who she is?",
            "Has he been verified?",
            "Have they passed security?",
            "Do we know it's really them?",
        ],
    ),
    (
        Aspect::Name,
        &["name", "call"],
        &[
            "What is their name?",
            "Who is calling?",
            "Who am I speaking to?",
        ],
    ),
    (
        Aspect::Number,
        &["number", "phone"],
        &[
            "What number are they calling from?",
            "What is their phone number?",
        ],
    ),
    (
        Aspect::Mood,
        &[
            "mood", "upset", "angri", "feel", "annoy", "calm", "frustrat", "happi", "temper",
        ],
        &[
            "Is she upset?",
            "What mood is he in?",
            "How do they feel?",
            "Are they angry?",
        ],
    ),
    (
        Aspect::Tried,
        &["tri", "attempt", "far", "alreadi"],
        &[
            "What have you tried so far?",
            "What did you do for them already?",
        ],
    ),
    (
        Aspect::Done,
        &[
            "chang", "done", "book", "cancel", "move", "action", "happen",
        ],
        &[
            "Was anything changed on the account?",
            "Did anything go through?",
            "What has been done?",
        ],
    ),
    (
        Aspect::Why,
        &["reason", "transfer", "escal"],
        &[
            "Why are you handing this over?",
            "Why couldn't you deal with it?",
        ],
    ),
    (
        Aspect::Open,
        &["open", "left", "outstand", "remain", "still"],
        &[
            "What is still open?",
            "What do they still need?",
            "What should I do now?",
        ],
    ),
    (
        Aspect::History,
        &["before", "earlier", "previous", "histori", "last"],
        &["Have they called before?", "When did they last ring us?"],
    ),
    (
        Aspect::Sources,
        &["articl", "sourc", "polici", "document"],
        &[
            "Which articles did you use?",
            "Where did you get that from?",
        ],
    ),
    (
        Aspect::Topic,
        &["matter", "topic", "issu", "problem"],
        &[
            "What is it about?",
            "What do they want?",
            "What's the problem?",
        ],
    ),
];

/// Words by which somebody asks what was said; they are no subject themselves.
const FRAME: &[&str] = &[
    "say",
    "said",
    "says",
    "saying",
    "tell",
    "told",
    "mention",
    "mentioned",
    "mentions",
    "ask",
    "asked",
    "asks",
    "talk",
    "talked",
    "caller",
    "customer",
    "client",
    "lady",
    "man",
    "woman",
    "guy",
    "person",
    "anything",
    "something",
    "exactly",
    "else",
    "call",
    "called",
    "conversation",
    "ever",
    "bit",
    "regarding",
    "concerning",
    "word",
    "words",
];

/// The answer to `question` from this record, a sentence or two to be spoken.
pub fn consult(desk: &Desk, question: &str, record: &CallRecord, embed: &mut Embed<'_>) -> String {
    let speaker = Speaker { desk };
    let stems = Stems::new("en");
    let asked = words(question);
    let says = asked.iter().any(|w| {
        [
            "say",
            "said",
            "says",
            "mention",
            "mentioned",
            "tell",
            "told",
            "ask",
            "asked",
            "word",
            "words",
        ]
        .contains(&w.as_str())
    });
    let subject: Vec<String> = asked
        .iter()
        .filter(|w| !is_stop(w) && !FRAME.contains(&w.as_str()))
        .map(|w| stems.stem(w))
        .collect();
    let aspect = aspect(question, &asked, &subject, says, &stems, embed);
    if let Some(aspect) = aspect.filter(|_| !says) {
        return about(aspect, &speaker, record);
    }
    let ours = asked.windows(2).any(|w| {
        w[0] == "you" && ["say", "tell", "said", "told"].contains(&w[1].as_str())
            || w[1] == "you" && w[0] == "did" && says
    });
    match quoted(&asked, &subject, ours, record, &speaker, &stems, embed) {
        Some(answer) => answer,
        None => match aspect {
            Some(aspect) => about(aspect, &speaker, record),
            None => speaker.say("consult_none", &[]),
        },
    }
}

struct Speaker<'a> {
    desk: &'a Desk,
}

impl Speaker<'_> {
    fn say(&self, key: &str, fill: &[(&str, &str)]) -> String {
        let own = self.desk.phrases.all(key);
        Wording::default().say((!own.is_empty()).then_some(own), key, fill)
    }
}

fn aspect(
    question: &str,
    asked: &[String],
    subject: &[String],
    says: bool,
    stems: &Stems,
    embed: &mut Embed<'_>,
) -> Option<Aspect> {
    let holds = |phrase: &[&str]| asked.windows(phrase.len()).any(|w| w == phrase);
    if !says && (holds(&["who", "is"]) || holds(&["whos"])) && !asked.iter().any(|w| w == "prove") {
        return Some(Aspect::Name);
    }
    let keyed = |keys: &[&str]| {
        // Every word that carries a subject is one of this aspect's.
        !subject.is_empty() && subject.iter().all(|s| keys.contains(&s.as_str()))
    };
    if let Some((aspect, ..)) = CUES.iter().find(|(_, keys, _)| keyed(keys)) {
        return Some(*aspect);
    }
    if asked.first().is_some_and(|w| w == "why") {
        return Some(Aspect::Why);
    }
    let questions: Vec<&str> = std::iter::once(question)
        .chain(CUES.iter().flat_map(|(_, _, q)| q.iter().copied()))
        .collect();
    let vectors = embed(&questions);
    if let Some((own, rest)) = vectors
        .split_first()
        .filter(|_| vectors.len() == questions.len())
    {
        let owners = CUES
            .iter()
            .flat_map(|(aspect, _, q)| q.iter().map(move |_| *aspect));
        let best = owners
            .zip(rest)
            .map(|(aspect, v)| (aspect, dot(own, v)))
            .max_by(|a, b| a.1.total_cmp(&b.1))?;
        return (best.1 >= SAME_QUESTION).then_some(best.0);
    }
    // By words: the cue with which most is shared, and at least half of it.
    let stemmed: Vec<String> = asked.iter().map(|w| stems.stem(w)).collect();
    let shared = |cue: &str| {
        let cue: Vec<String> = words(cue).iter().map(|w| stems.stem(w)).collect();
        let hits = cue.iter().filter(|w| stemmed.contains(w)).count();
        hits as f32 / cue.len().max(stemmed.len()) as f32
    };
    CUES.iter()
        .flat_map(|(aspect, _, q)| q.iter().map(|q| (*aspect, shared(q))))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .filter(|(_, share)| *share >= 0.6)
        .map(|(aspect, _)| aspect)
}

fn about(aspect: Aspect, speaker: &Speaker<'_>, record: &CallRecord) -> String {
    let none = || speaker.say("consult_none", &[]);
    let Some(handoff) = &record.handoff else {
        return none();
    };
    match aspect {
        Aspect::Verified => speaker.say(
            match record.verified {
                Tier::Full => "consult_verified_full",
                Tier::Basic => "consult_verified_basic",
                Tier::None => "consult_verified_none",
            },
            &[],
        ),
        Aspect::Name => match &handoff.caller_name {
            Some(name) => speaker.say("consult_name", &[("name", name)]),
            None => speaker.say("consult_no_name", &[]),
        },
        Aspect::Number => match &record.from {
            Some(number) => speaker.say("consult_number", &[("number", number)]),
            None => speaker.say("consult_no_number", &[]),
        },
        Aspect::Topic => match &handoff.intent {
            Some(intent) => {
                let topic = words_of(&inquiry::topic(speaker.desk, intent));
                speaker.say("consult_topic", &[("topic", &topic)])
            }
            None => none(),
        },
        Aspect::Mood => {
            let mood = match handoff.sentiment {
                Mood::Calm => "calm",
                Mood::Pleased => "pleased",
                Mood::Confused => "confused",
                Mood::Worried => "worried",
                Mood::Frustrated => "frustrated",
                Mood::Angry => "angry",
                Mood::Distressed => "distressed",
            };
            speaker.say("consult_mood", &[("mood", mood)])
        }
        Aspect::Tried if handoff.tried.is_empty() => speaker.say("consult_not_tried", &[]),
        Aspect::Tried => {
            let tried = handoff.tried.join(". ");
            speaker.say("consult_tried", &[("tried", tried.trim_end_matches('.'))])
        }
        Aspect::Done if record.actions.is_empty() => speaker.say("consult_not_done", &[]),
        Aspect::Done => {
            let each = record.actions.iter().map(|action| {
                let key = match action.status {
                    ActionStatus::Done => "consult_action_done",
                    ActionStatus::Failed | ActionStatus::DryRun => "consult_action_failed",
                    ActionStatus::Unknown => "consult_action_unknown",
                };
                let name = super::action::render::words(&action.name);
                speaker.say(key, &[("action", &name)])
            });
            each.collect::<Vec<_>>().join(" ")
        }
        Aspect::Why => speaker.say("consult_why", &[("why", &why(&handoff.reason))]),
        Aspect::Open if handoff.open_question.is_empty() => speaker.say("consult_not_open", &[]),
        Aspect::Open => speaker.say(
            "consult_open",
            &[("open", handoff.open_question.trim_end_matches(['.', '?']))],
        ),
        Aspect::History => match record.history.first() {
            Some(last) => {
                let day = last.started_at.get(..10).unwrap_or(&last.started_at);
                let text = last.summary.trim_end_matches('.');
                speaker.say("consult_history", &[("day", day), ("summary", text)])
            }
            None => speaker.say("consult_no_history", &[]),
        },
        Aspect::Sources => {
            let used: Vec<String> = record
                .turns
                .iter()
                .filter_map(|t| t.decision.as_ref())
                .filter(|d| d.route == super::types::Route::Answer)
                .filter_map(|d| d.sources.first())
                .map(|source| {
                    let article = speaker.desk.articles.iter().find(|a| a.id == source.id);
                    article.map_or_else(|| source.id.clone(), |a| a.title.clone())
                })
                .collect();
            if used.is_empty() {
                speaker.say("consult_no_sources", &[])
            } else {
                let mut once: Vec<String> = Vec::new();
                for title in used {
                    if !once.contains(&title) {
                        once.push(title);
                    }
                }
                speaker.say("consult_sources", &[("articles", &once.join(", "))])
            }
        }
    }
}

/// What was said about the subject, by them or by us.
fn quoted(
    asked: &[String],
    subject: &[String],
    ours: bool,
    record: &CallRecord,
    speaker: &Speaker<'_>,
    stems: &Stems,
    embed: &mut Embed<'_>,
) -> Option<String> {
    let by_caller = record
        .turns
        .iter()
        .filter_map(|t| t.caller.as_ref())
        .map(|c| (false, c.text.as_str()));
    let by_us = record
        .turns
        .iter()
        .filter_map(|t| t.agent.as_ref())
        .flat_map(|a| a.heard.split_inclusive(['.', '?', '!']))
        .map(|s| (true, s.trim()));
    let lines: Vec<(bool, &str)> = if ours {
        by_us.collect()
    } else {
        by_caller.chain(by_us).collect()
    };
    let lines: Vec<(bool, &str)> = lines
        .into_iter()
        .filter(|(_, text)| words(text).len() >= 2)
        .collect();
    if lines.is_empty() {
        return None;
    }
    if subject.is_empty() {
        // "What did they say?": the matter in their own words, the longest of them.
        let longest = lines
            .iter()
            .filter(|(us, _)| *us == ours)
            .max_by_key(|(_, text)| words(text).len())?;
        return Some(quote(*longest, speaker));
    }
    let terms: Vec<f32> = lines
        .iter()
        .map(|(_, text)| {
            let said: Vec<String> = words(text).iter().map(|w| stems.stem(w)).collect();
            let hits = subject.iter().filter(|s| said.contains(s)).count();
            hits as f32 / subject.len() as f32
        })
        .collect();
    let plain: Vec<&str> = asked
        .iter()
        .map(String::as_str)
        .filter(|w| !is_stop(w) && !FRAME.contains(w))
        .collect();
    let subject_text = plain.join(" ");
    let texts: Vec<&str> = std::iter::once(subject_text.as_str())
        .chain(lines.iter().map(|(_, text)| *text))
        .collect();
    let vectors = embed(&texts);
    let near: Vec<f32> = match vectors
        .split_first()
        .filter(|_| vectors.len() == texts.len())
    {
        Some((own, rest)) => rest.iter().map(|v| dot(own, v)).collect(),
        None => vec![0.0; lines.len()],
    };
    let mut found: Vec<(usize, f32)> = (0..lines.len())
        .filter(|i| terms[*i] >= 0.5 || near[*i] >= ABOUT)
        .map(|i| {
            // Theirs before ours, unless ours were asked for.
            let theirs = if lines[i].0 { 0.0 } else { 0.25 };
            (i, terms[i] + near[i] + theirs)
        })
        .collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    found.truncate(QUOTES);
    found.sort_by_key(|(i, _)| *i);
    let quotes: Vec<String> = found
        .iter()
        .map(|(i, _)| quote(lines[*i], speaker))
        .collect();
    (!quotes.is_empty()).then(|| quotes.join(" "))
}

fn quote((us, text): (bool, &str), speaker: &Speaker<'_>) -> String {
    let all: Vec<&str> = text.split_whitespace().collect();
    let text = if all.len() > QUOTE_WORDS {
        format!("{} ...", all[..QUOTE_WORDS].join(" "))
    } else {
        all.join(" ")
    };
    let key = if us {
        "consult_we_said"
    } else {
        "consult_they_said"
    };
    speaker.say(key, &[("words", text.trim_end_matches('.'))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::Handoff;
    use crate::desk::record::{AgentTurn, CallerTurn, TurnRecord};
    use crate::desk::types::EarlierCall;
    use std::collections::HashMap;
    use std::sync::LazyLock;

    /// One for all: learning takes seconds.
    static DESK: LazyLock<Desk> =
        LazyLock::new(|| Desk::build(crate::desk::DeskSource::default(), &HashMap::new()));

    fn record() -> CallRecord {
        let turn = |caller: &str, agent: &str| TurnRecord {
            caller: Some(CallerTurn {
                text: caller.into(),
                ..CallerTurn::default()
            }),
            agent: Some(AgentTurn {
                heard: agent.into(),
                ..AgentTurn::default()
            }),
            ..TurnRecord::default()
        };
        CallRecord {
            from: Some("+15550101".into()),
            verified: Tier::Full,
            turns: vec![
                turn(
                    "I returned the kettle three weeks ago.",
                    "Thanks. Which order was it?",
                ),
                turn(
                    "And I still haven't got my refund, it was sixty pounds.",
                    "Refunds take up to ten days. I'll bring in a colleague.",
                ),
            ],
            history: vec![EarlierCall {
                started_at: "2026-11-20T10:00:00Z".into(),
                summary: "Rang about a late parcel.".into(),
                ..EarlierCall::default()
            }],
            handoff: Some(Handoff {
                reason: "asked".into(),
                sentiment: Mood::Frustrated,
                tried: vec!["Answered from \"Refunds\"".into()],
                caller_name: Some("Ada Brook".into()),
                ..Handoff::default()
            }),
            ..CallRecord::default()
        }
    }

    fn ask(question: &str) -> String {
        consult(&DESK, question, &record(), &mut |_| Vec::new())
    }

    #[test]
    fn questions_are_answered_from_the_record_and_from_nothing_else() {
        for (question, want) in [
            ("Did she prove who she is?", "fully verified"),
            ("has he been verified", "fully verified"),
            ("What did he say about the refund?", "sixty pounds"),
            ("did she mention a kettle?", "three weeks ago"),
            ("What did you tell them about refunds?", "ten days"),
            ("What's her name?", "Ada Brook"),
            ("who is it?", "Ada Brook"),
            ("Is she upset?", "frustrated"),
            ("What have you tried so far?", "Refunds"),
            ("Was anything changed on the account?", "Nothing"),
            ("Have they called before?", "late parcel"),
            ("Why are you handing this over?", "asked for a person"),
            ("What number are they calling from?", "+15550101"),
            ("Did she say anything about a lawyer?", "didn't come up"),
            ("What about the broken window?", "didn't come up"),
            ("Did he mention his wife's surgery?", "didn't come up"),
        ] {
            let answer = ask(question);
            assert!(answer.contains(want), "{question} -> {answer}");
        }
    }

    #[test]
    fn meaning_finds_what_words_do_not() {
        // An encoder for which money back and a refund are one thing, and everything else is apart.
        let mut embed = |texts: &[&str]| -> Vec<Vec<f32>> {
            texts
                .iter()
                .enumerate()
                .map(|(n, t)| {
                    let t = t.to_lowercase();
                    if t.contains("money") || t.contains("refund") {
                        vec![1.0, 0.0, 0.0]
                    } else {
                        vec![0.0, (n as f32).cos(), (n as f32).sin()]
                    }
                })
                .map(|v| v.to_vec())
                .collect()
        };
        let answer = consult(
            &DESK,
            "what did he say about his money back",
            &record(),
            &mut embed,
        );
        assert!(answer.contains("sixty pounds"), "{answer}");
    }
}
