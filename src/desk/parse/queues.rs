//! `[escalation.queues]`: a list of targets, or a table with how they are rung.

use super::super::config::{Hours, QueueConfig, QueueTarget, Ring};
use super::super::tree::{Fields, Kind, Node};
use super::Problem;
use super::config::hours;

pub(super) fn read(
    file: &str,
    name: &str,
    line: usize,
    node: &Node,
    problems: &mut Vec<Problem>,
) -> Option<QueueConfig> {
    let mut queue = QueueConfig::default();
    let targets = match &node.kind {
        Kind::Table(_) => {
            let mut t = Fields::new(file, format!("the queue `{name}`"), node, problems);
            queue.ring = t
                .one_of(
                    "ring",
                    &[
                        ("in_turn", Ring::InTurn),
                        ("all_at_once", Ring::AllAtOnce),
                        ("longest_idle", Ring::LongestIdle),
                    ],
                    problems,
                )
                .unwrap_or_default();
            queue.hours = opening(file, &mut t, problems);
            let targets = t.node("targets");
            t.finish(problems);
            targets
        }
        _ => Some(node),
    };
    let items: &[Node] = match targets.map(|n| &n.kind) {
        Some(Kind::List(items)) => items,
        Some(Kind::Str(_)) => targets.map_or(&[], std::slice::from_ref),
        _ => &[],
    };
    for item in items {
        queue.targets.extend(target(file, name, item, problems));
    }
    if queue.targets.is_empty() {
        problems.push(Problem::at(
            file,
            line,
            format!("the queue `{name}` needs targets: `{name} = [\"sip:human@192.0.2.5\"]`"),
        ));
        return None;
    }
    Some(queue)
}

fn target(
    file: &str,
    queue: &str,
    node: &Node,
    problems: &mut Vec<Problem>,
) -> Option<QueueTarget> {
    match &node.kind {
        Kind::Str(target) => Some(QueueTarget {
            target: target.clone(),
            ..QueueTarget::default()
        }),
        Kind::Table(_) => {
            let mut t = Fields::new(
                file,
                format!("a target of the queue `{queue}`"),
                node,
                problems,
            );
            let list = |t: &mut Fields<'_>, key, problems: &mut Vec<Problem>| -> Vec<String> {
                t.strs(key, problems)
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(text, _)| text.trim().to_lowercase())
                    .collect()
            };
            let read = QueueTarget {
                target: t.required("target", problems),
                name: t.str("name", problems),
                hours: opening(file, &mut t, problems),
                skills: list(&mut t, "skills", problems),
                languages: list(&mut t, "languages", problems),
            };
            t.finish(problems);
            Some(read)
        }
        _ => {
            problems.push(Problem::at(
                file,
                node.line,
                format!("a target of the queue `{queue}` must be text or a table: `{{ target = \"sip:human@192.0.2.5\" }}`"),
            ));
            None
        }
    }
}

fn opening(file: &str, t: &mut Fields<'_>, problems: &mut Vec<Problem>) -> Vec<Hours> {
    let mut all = Vec::new();
    for (text, line) in t.strs("hours", problems).unwrap_or_default() {
        match hours(&text) {
            Ok(hours) => all.push(hours),
            Err(why) => problems.push(Problem::at(
                file,
                line,
                format!(
                    "`{text}` are not opening hours: {why}; write them like `mon-fri 08:00-20:00`"
                ),
            )),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(text: &str) -> (Vec<QueueConfig>, Vec<String>) {
        let mut problems = Vec::new();
        let root = crate::desk::tree::read("desk.toml", text, &mut problems);
        let Kind::Table(entries) = &root.kind else {
            panic!("{text}");
        };
        let read = entries
            .iter()
            .filter_map(|(name, line, node)| read("desk.toml", name, *line, node, &mut problems))
            .collect();
        (read, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_list_is_rung_in_turn_and_a_table_says_how() {
        let (read, problems) = queues(
            "plain = [\"sip:a@h\", \"sip:b@h\"]\n\
             [fees]\nring = \"all_at_once\"\nhours = [\"mon-fri 09:00-17:00\"]\n\
             targets = [\"sip:c@h\", { target = \"sip:d@h\", name = \"Maria\", skills = [\"Refund\"], languages = [\"es\"], hours = [\"daily 10:00-12:00\"] }]\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(read[0].ring, Ring::InTurn);
        assert_eq!(read[0].targets.len(), 2);
        assert_eq!(read[1].ring, Ring::AllAtOnce);
        assert_eq!(read[1].hours.len(), 1);
        assert_eq!(read[1].targets[1].name.as_deref(), Some("Maria"));
        assert_eq!(read[1].targets[1].skills, ["refund"]);
        assert_eq!(read[1].targets[1].hours.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, part) in [
            ("q = 3", "needs targets"),
            ("[q]\nring = \"random\"\ntargets = [\"sip:a@h\"]", "in_turn"),
            ("[q]\ntarget = [\"sip:a@h\"]", "needs targets"),
            ("q = [{ name = \"x\" }]", "target"),
            (
                "q = [{ target = \"sip:a@h\", hours = [\"often\"] }]",
                "opening hours",
            ),
        ] {
            let (_, problems) = queues(text);
            assert!(
                problems.iter().any(|p| p.contains(part)),
                "{text}: {problems:?}"
            );
        }
    }
}
