//! Whom to ring for a hand-over: the desk's queue for it, by hours, skills and language, in the order its strategy says; after it
//! whoever takes everything else, so that a queue nobody sits at is no dead end.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::call::{CallTarget, Plan};
use crate::config::{Config, Target};
use crate::desk::{DeskConfig, Handoff, Hours, QueueConfig, Ring, TargetOutcome};

/// One queue, its targets read.
#[derive(Debug, Clone)]
pub struct Queue {
    config: QueueConfig,
    targets: Vec<Target>,
}

/// The desk's queues by name, checked.
///
/// # Errors
/// A target that cannot be read, or that this line has no way to call: the sentence names the queue.
pub fn read(desk: &DeskConfig, line: &Config) -> Result<BTreeMap<String, Queue>, String> {
    desk.escalation
        .queues
        .iter()
        .map(|(name, config)| {
            let target = |text: &str| {
                let target = Target::read(text)?;
                line.lacks(&target).map_or(Ok(target), Err)
            };
            let targets = config
                .targets
                .iter()
                .map(|t| target(&t.target))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|e| format!("desk.toml, [escalation.queues] {name}: {e}"))?;
            let queue = Queue {
                config: config.clone(),
                targets,
            };
            Ok((name.clone(), queue))
        })
        .collect()
}

/// Why calls are handed over, as far as the desk does not say it itself; `language_es` and the like besides.
const REASONS: [&str; 35] = [
    "asked",
    "human",
    "dispute",
    "chargeback",
    "complaint",
    "fraud",
    "security",
    "hardship",
    "debt",
    "bereavement",
    "distress",
    "self_harm",
    "emergency",
    "crisis",
    "vulnerable",
    "vulnerability",
    "legal",
    "regulator",
    "legal_threat",
    "closure",
    "language",
    "low_confidence",
    "no_answer",
    "not_grounded",
    "out_of_scope",
    "policy",
    "supervised",
    "third_party",
    "verify_failed",
    "verify_locked",
    "action_failed",
    "action_unknown",
    "backoffice",
    "line",
    "upset",
];

/// What is odd about the desk's queues, a sentence each: callers would not be lost, and not be where they were meant to be.
pub fn doubts<'a>(desk: &DeskConfig, intents: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let intents: Vec<&str> = intents.into_iter().collect();
    // Every quarter of an hour of a week that begins on a Monday; the zone only moves it.
    let week = || {
        let monday = jiff::civil::date(2026, 11, 23).to_datetime(jiff::civil::Time::midnight());
        let monday = monday.to_zoned_datetime(desk.tz()).map(|z| z.timestamp());
        let begun = monday.unwrap_or_default();
        (0..7 * 24 * 4).filter_map(move |n| {
            begun
                .checked_add(jiff::SignedDuration::from_mins(n * 15))
                .ok()
        })
    };
    let mut found = Vec::new();
    for (name, queue) in &desk.escalation.queues {
        let named = intents.contains(&name.as_str())
            || desk
                .intents
                .iter()
                .any(|(intent, policy)| intent == name || policy.queue.as_deref() == Some(name));
        if !named && !REASONS.contains(&name.as_str()) && !name.starts_with("language_") {
            found.push(format!(
                "the queue `{name}` is no intent's, and no reason's that this program knows: nobody comes to it; name it as one of them, or set `queue = \"{name}\"` in an [intent]"
            ));
        }
        let open: Vec<jiff::Timestamp> =
            week().filter(|at| desk.within(&queue.hours, *at)).collect();
        let reached =
            |t: &crate::desk::QueueTarget| open.iter().any(|at| desk.within(&t.hours, *at));
        let never: Vec<&str> = queue
            .targets
            .iter()
            .filter(|t| !reached(t))
            .map(|t| t.target.as_str())
            .collect();
        if never.len() == queue.targets.len() {
            found.push(format!(
                "the queue `{name}` never has anybody: its hours and those of its people do not meet, so its callers go to [transfer] targets"
            ));
        } else if !never.is_empty() {
            found.push(format!(
                "{} in the queue `{name}` is never rung: their hours and the queue's do not meet",
                never.join(", ")
            ));
        }
    }
    found
}

impl Queue {
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }
}

/// Who is on a call of ours, and since when the others are not.
#[derive(Debug, Default)]
pub struct Humans(Mutex<HashMap<String, State>>);

#[derive(Debug, Clone, Copy, Default)]
struct State {
    calls: usize,
    /// When they last finished a call they had taken; none: not since the start.
    free_since: Option<Instant>,
}

impl Humans {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is being rung, or talks.
    pub fn busy(&self, uri: &str) {
        self.lock().entry(uri.into()).or_default().calls += 1;
    }

    /// Is no longer. `talked`: they had taken the call.
    pub fn free(&self, uri: &str, talked: bool) {
        let mut all = self.lock();
        let state = all.entry(uri.into()).or_default();
        state.calls = state.calls.saturating_sub(1);
        if talked {
            state.free_since = Some(Instant::now());
        }
    }

    /// Whether one of these is on no call of ours.
    pub fn any_free<'a>(&self, targets: impl IntoIterator<Item = &'a Target>) -> bool {
        let all = self.lock();
        let free = |uri: String| all.get(&uri).is_none_or(|state| state.calls == 0);
        targets.into_iter().any(|target| free(target.uri()))
    }

    /// Smaller is idle for longer; whoever is on a call comes last.
    fn rank(&self, uri: &str) -> (bool, Option<Instant>) {
        let state = self.lock().get(uri).copied().unwrap_or_default();
        (state.calls > 0, state.free_since)
    }
}

/// What decides whom to ring.
pub struct Asked<'a> {
    pub desk: &'a DeskConfig,
    pub queues: &'a BTreeMap<String, Queue>,
    /// Rung in turn after the queue.
    pub others: &'a [Target],
    pub humans: &'a Humans,
    pub now: jiff::Timestamp,
    /// ISO 639-1.
    pub language: &'a str,
}

impl Asked<'_> {
    pub fn plan(&self, handoff: &Handoff) -> Plan {
        let mut plan = Plan::default();
        let queue = handoff.queue.as_ref().and_then(|q| self.queues.get(q));
        // Whoever is rung for a caller's language speaks that one.
        let language = handoff
            .reason
            .strip_prefix("language_")
            .unwrap_or(self.language);
        let mut in_queue: Vec<String> = Vec::new();
        if let Some(queue) = queue {
            let mut fit: Vec<CallTarget> = Vec::new();
            for (config, target) in queue.config.targets.iter().zip(&queue.targets) {
                let uri = target.uri();
                in_queue.push(uri.clone());
                let open = |hours: &[Hours]| self.desk.within(hours, self.now);
                let known = |skill: &String| {
                    [Some(&handoff.reason), handoff.intent.as_ref()]
                        .into_iter()
                        .flatten()
                        .any(|word| word.to_lowercase() == *skill)
                };
                let why = if !open(&queue.config.hours) || !open(&config.hours) {
                    Some("closed")
                } else if (!config.skills.is_empty() && !config.skills.iter().any(known))
                    || (!config.languages.is_empty()
                        && !config.languages.iter().any(|l| l == language))
                {
                    Some("not_suited")
                } else {
                    None
                };
                match why {
                    Some(outcome) => plan.left_out.push(TargetOutcome {
                        uri,
                        outcome: outcome.into(),
                        ms: 0,
                    }),
                    None => fit.push(CallTarget {
                        name: config.name.clone().or_else(|| target.name.clone()),
                        ..call_target(target)
                    }),
                }
            }
            match queue.config.ring {
                Ring::AllAtOnce if !fit.is_empty() => plan.rings.push(fit),
                Ring::LongestIdle => {
                    fit.sort_by_key(|t| self.humans.rank(&t.uri));
                    plan.rings.extend(fit.into_iter().map(|t| vec![t]));
                }
                _ => plan.rings.extend(fit.into_iter().map(|t| vec![t])),
            }
        }
        let others = self.others.iter().filter(|t| !in_queue.contains(&t.uri()));
        plan.rings.extend(others.map(|t| vec![call_target(t)]));
        plan
    }
}

fn call_target(target: &Target) -> CallTarget {
    CallTarget {
        uri: target.uri(),
        ring_ms: target.ring.as_millis() as u64,
        name: target.name.clone(),
        blind: target.blind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::QueueTarget;

    fn target(uri: &str, config: QueueTarget) -> (QueueTarget, Target) {
        let config = QueueTarget {
            target: uri.into(),
            ..config
        };
        (config, Target::read(uri).unwrap())
    }

    fn queue(ring: Ring, members: Vec<(QueueTarget, Target)>) -> BTreeMap<String, Queue> {
        let (targets, read) = members.into_iter().unzip();
        let config = QueueConfig {
            ring,
            hours: Vec::new(),
            targets,
        };
        BTreeMap::from([(
            "fees".to_string(),
            Queue {
                config,
                targets: read,
            },
        )])
    }

    fn plan(queues: &BTreeMap<String, Queue>, humans: &Humans, handoff: &Handoff) -> Plan {
        Asked {
            desk: &DeskConfig::default(),
            queues,
            others: &[Target::read("sip:all@h").unwrap()],
            humans,
            // A Monday, 10:00 UTC.
            now: "2026-11-23T10:00:00Z".parse().unwrap(),
            language: "en",
        }
        .plan(handoff)
    }

    fn rung(plan: &Plan) -> Vec<Vec<String>> {
        let uris = |g: &Vec<CallTarget>| g.iter().map(|t| t.uri.clone()).collect();
        plan.rings.iter().map(uris).collect()
    }

    fn fees(intent: &str) -> Handoff {
        Handoff {
            queue: Some("fees".into()),
            intent: Some(intent.into()),
            ..Handoff::default()
        }
    }

    #[test]
    fn hours_skills_and_language_decide_who_is_rung() {
        let at = |from: u16, until: u16| Hours {
            days: [true; 7],
            from,
            until,
        };
        let queues = queue(
            Ring::AllAtOnce,
            vec![
                target(
                    "sip:open@h",
                    QueueTarget {
                        hours: vec![at(9 * 60, 17 * 60)],
                        ..QueueTarget::default()
                    },
                ),
                target(
                    "sip:late@h",
                    QueueTarget {
                        hours: vec![at(18 * 60, 20 * 60)],
                        ..QueueTarget::default()
                    },
                ),
                target(
                    "sip:refunds@h",
                    QueueTarget {
                        skills: vec!["refund".into()],
                        ..QueueTarget::default()
                    },
                ),
                target(
                    "sip:es@h",
                    QueueTarget {
                        languages: vec!["es".into()],
                        ..QueueTarget::default()
                    },
                ),
            ],
        );
        let humans = Humans::default();
        let asked = plan(&queues, &humans, &fees("late_fee"));
        assert_eq!(rung(&asked), [vec!["sip:open@h"], vec!["sip:all@h"]]);
        let left: Vec<_> = asked
            .left_out
            .iter()
            .map(|t| (t.uri.as_str(), t.outcome.as_str()))
            .collect();
        assert_eq!(
            left,
            [
                ("sip:late@h", "closed"),
                ("sip:refunds@h", "not_suited"),
                ("sip:es@h", "not_suited")
            ]
        );
        let asked = plan(&queues, &humans, &fees("refund"));
        assert_eq!(rung(&asked)[0], ["sip:open@h", "sip:refunds@h"], "at once");
        // No queue: whoever takes everything.
        assert_eq!(
            rung(&plan(&queues, &humans, &Handoff::default())),
            [["sip:all@h"]]
        );
    }

    fn desk(queues: &str) -> DeskConfig {
        let named = match queues.contains("money") {
            true => "[intent.late_fee]\nqueue = \"money\"\n",
            false => "",
        };
        let text = format!("company = \"X\"\n{named}{queues}");
        let files = [
            ("desk.toml".to_owned(), text),
            (
                "intents.jsonl".to_owned(),
                "{\"text\": \"is there a fee\", \"intent\": \"late_fee\"}\n".to_owned(),
            ),
        ];
        let source = crate::desk::parse(&crate::desk::DeskFiles(files.into()));
        source
            .unwrap_or_else(|problems| panic!("{problems:?}"))
            .config
    }

    #[test]
    fn a_queue_whose_people_this_line_cannot_call_is_refused_at_the_start() {
        let line = |text: &str| Config::from_parts(Some(("t", text)), &BTreeMap::new()).unwrap();
        let with = "[[trunk]]\nname = \"carrier\"\nhost = \"192.0.2.1\"\n";
        for (target, line, says) in [
            ("sip:a@192.0.2.5", line(""), None),
            ("trunk:+15550100", line(with), None),
            ("trunk:carrier:+15550100", line(with), None),
            ("trunk:+15550100", line(""), Some("needs a [[trunk]]")),
            (
                "trunk:other:+15550100",
                line(with),
                Some("names no [[trunk]]; configure one with name = \"other\""),
            ),
            ("phone:maria", line(with), Some("names no [[phone]]")),
            ("twilio:+15550100", line(with), Some("needs [twilio]")),
            ("maria", line(with), Some("is not a target")),
        ] {
            let desk = desk(&format!("[escalation.queues]\nmoney = [\"{target}\"]\n"));
            match (read(&desk, &line), says) {
                (Ok(queues), None) => assert_eq!(queues["money"].targets().len(), 1),
                (Err(why), Some(says)) => assert!(
                    why.contains(says) && why.contains("[escalation.queues] money"),
                    "{why}"
                ),
                (other, _) => panic!("{target}: {other:?}"),
            }
        }
    }

    #[test]
    fn queues_that_nobody_comes_to_or_sits_at_are_told() {
        let doubts = |text: &str| {
            doubts(
                &desk(&format!("[escalation.queues]\n{text}\n")),
                ["late_fee"],
            )
        };
        for fine in [
            "money = [\"sip:a@h\"]",
            "late_fee = [\"sip:a@h\"]",
            "fraud = [\"sip:a@h\"]\nlanguage_es = [\"sip:a@h\"]",
            "money = { targets = [{ target = \"sip:a@h\", hours = [\"mon 09:00-10:00\"] }], hours = [\"daily 08:00-18:00\"] }",
        ] {
            assert_eq!(doubts(fine), Vec::<String>::new(), "{fine}");
        }
        for (text, says) in [
            (
                "refunds = [\"sip:a@h\"]",
                "the queue `refunds` is no intent's",
            ),
            (
                "money = { targets = [{ target = \"sip:a@h\", hours = [\"sat,sun 09:00-10:00\"] }], hours = [\"mon-fri 08:00-18:00\"] }",
                "never has anybody",
            ),
            (
                "money = { targets = [\"sip:b@h\", { target = \"sip:a@h\", hours = [\"mon 06:00-07:00\"] }], hours = [\"mon-fri 08:00-18:00\"] }",
                "sip:a@h in the queue `money` is never rung",
            ),
        ] {
            let found = doubts(text);
            assert!(found.len() == 1 && found[0].contains(says), "{found:?}");
        }
    }

    #[test]
    fn the_longest_idle_is_rung_first_and_the_busy_last() {
        let member = |uri| target(uri, QueueTarget::default());
        let queues = queue(
            Ring::LongestIdle,
            vec![member("sip:a@h"), member("sip:b@h"), member("sip:c@h")],
        );
        let humans = Humans::default();
        for uri in ["sip:a@h", "sip:b@h"] {
            humans.busy(uri);
        }
        humans.free("sip:a@h", true);
        let order = |humans: &Humans| -> Vec<String> {
            rung(&plan(&queues, humans, &fees("x")))
                .concat()
                .into_iter()
                .take(3)
                .collect()
        };
        assert_eq!(order(&humans), ["sip:c@h", "sip:a@h", "sip:b@h"]);
        let b = [Target::read("sip:b@h").unwrap()];
        assert!(!humans.any_free(&b) && humans.any_free(queues["fees"].targets()));
        humans.free("sip:b@h", true);
        assert!(humans.any_free(&b));
        assert_eq!(order(&humans), ["sip:c@h", "sip:a@h", "sip:b@h"]);
        humans.busy("sip:c@h");
        humans.free("sip:c@h", true);
        assert_eq!(order(&humans), ["sip:a@h", "sip:b@h", "sip:c@h"]);
    }
}
