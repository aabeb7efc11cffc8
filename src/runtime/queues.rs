//! Whom to ring for a hand-over: the desk's queue for it, by hours, skills and language, in the order its strategy says; after it
//! whoever takes everything else, so that a queue nobody sits at is no dead end.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::call::{CallTarget, Plan};
use crate::config::Target;
use crate::desk::{Desk, DeskConfig, Handoff, Hours, QueueConfig, Ring, TargetOutcome};

/// One queue, its targets read.
#[derive(Debug, Clone)]
pub struct Queue {
    config: QueueConfig,
    targets: Vec<Target>,
}

/// The desk's queues by name, checked.
///
/// # Errors
/// A target that cannot be read: the sentence names the queue.
pub fn read(desk: &Desk) -> Result<BTreeMap<String, Queue>, String> {
    desk.config
        .escalation
        .queues
        .iter()
        .map(|(name, config)| {
            let targets = config
                .targets
                .iter()
                .map(|t| Target::read(&t.target))
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
        humans.free("sip:b@h", true);
        assert_eq!(order(&humans), ["sip:c@h", "sip:a@h", "sip:b@h"]);
        humans.busy("sip:c@h");
        humans.free("sip:c@h", true);
        assert_eq!(order(&humans), ["sip:a@h", "sip:b@h", "sip:c@h"]);
    }
}
