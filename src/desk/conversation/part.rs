//! Repair: what was unclear is asked for and not the whole, and no question is put a third time in the same words.

use crate::desk::action::part::{self, Heard};
use crate::desk::action::render;
use crate::desk::config::{Slot, SlotType};
use crate::desk::types::{Reply, Route, Said};

use super::Conversation;
use super::doing::ASKS;

impl Conversation {
    /// A code that was heard in part is joined to what was heard of it before: the words to be read. Or the reply that asks for the rest.
    pub(super) fn part_said(
        &mut self,
        slot: &Slot,
        said: &Said,
        text: String,
    ) -> Result<String, Box<Reply>> {
        let Some(running) = &mut self.running else {
            return Ok(text);
        };
        let before = running.part.take();
        if said.keyed.is_some() {
            return Ok(text);
        }
        let unclear = said.heard.and_then(|heard| heard.unclear);
        let asked = running.asked.entry(slot.name.clone()).or_default();
        match part::hear(slot, before.as_ref(), &text, unclear) {
            Some(Heard::Whole(whole)) => Ok(whole),
            Some(Heard::Part(part)) if *asked < ASKS => {
                *asked += 1;
                running.part = Some(part.clone());
                let (last, first) = part.ends();
                let key = match (part.head.is_empty(), part.tail.is_empty()) {
                    (_, true) => "part_end",
                    (true, false) => "part_start",
                    (false, false) => "part_middle",
                };
                let fill = [
                    ("head", part.head.as_str()),
                    ("tail", &part.tail),
                    ("last", &last),
                    ("first", &first),
                ];
                let ask = self.phrase(key, &fill);
                self.lead(ask);
                let next = self.listen();
                let why = format!("heard a part of the {}", render::words(&slot.name));
                Err(Box::new(self.reply(Route::Act, &why, next)))
            }
            _ => Ok(text),
        }
    }

    /// A slot's question the `times`th time: after two misses the keypad is offered where the answer can be typed, and spelling where it
    /// is a name.
    pub(super) fn slot_question_again(&mut self, name: &str, times: u32) -> String {
        let running = self.running.as_ref();
        let kind = running
            .and_then(|r| r.action.slots.iter().find(|slot| slot.name == name))
            .map(|slot| slot.type_);
        match kind {
            Some(SlotType::Digits | SlotType::Number) if times >= ASKS => {
                self.phrase("slot_keypad", &[])
            }
            Some(SlotType::Name | SlotType::Identifier) if times >= ASKS => {
                self.phrase("slot_spell", &[])
            }
            _ => self.slot_question(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, LazyLock};

    use super::*;
    use crate::desk::conversation::{Consent, Waiting};
    use crate::desk::{Caller, Desk, DeskFiles, HeardEvidence};

    const ACTIONS: &str = r#"
[[action]]
name = "link_meter"
intent = "meter"
kind = "write"
verify = "none"
confirm = true
request = { method = "POST", path = "/meters", body = { number = "{number}", owner = "{owner}" } }
reply = "Done."
  [[action.slot]]
  name = "number"
  type = "digits"
  ask = "What's the number on the meter?"
  min = 8
  max = 8
  [[action.slot]]
  name = "owner"
  type = "name"
  ask = "Whose is it?"
"#;

    /// One for all: learning takes seconds.
    static DESK: LazyLock<Arc<Desk>> = LazyLock::new(|| {
        let desk = "company = \"Acme\"\nlanguage = \"en-GB\"\n[intent.meter]\nmode = \"autonomous\"\n[backoffice]\nurl = \"http://127.0.0.1:1\"\n";
        let files = [
            ("desk.toml", desk),
            ("actions.toml", ACTIONS),
            (
                "intents.jsonl",
                "{\"text\":\"link my meter\",\"intent\":\"meter\"}\n",
            ),
            (
                "knowledge/meter.md",
                "---\nid: meter\ntitle: Meters\n---\nA meter has eight figures.\n",
            ),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let source = crate::desk::parse(&DeskFiles(files.into())).unwrap();
        Arc::new(Desk::build(source, &Default::default()))
    });

    /// A caller who is asked for an eight-figure number.
    fn asked() -> Conversation {
        let now = "2026-11-23T10:00:00Z".parse().unwrap();
        let mut talk = Conversation::new(DESK.clone(), Caller::default(), "call", now)
            .with_consent(Consent::Free);
        talk.opening();
        let reply = talk.begin(0, "I want to link my meter");
        assert_eq!(talk.waiting, Waiting::Slot("number".into()), "{reply:?}");
        talk
    }

    fn says(talk: &mut Conversation, text: &str, unclear: Option<(u8, u8)>) -> String {
        let heard = HeardEvidence {
            avg_logprob: -0.2,
            no_speech: 0.0,
            worst_word: 0.9,
            unclear,
        };
        let said = Said {
            text: text.into(),
            heard: Some(heard),
            now: "2026-11-23T10:00:00Z".parse().unwrap(),
            ..Said::default()
        };
        talk.hear(&said).decision.reply
    }

    #[test]
    fn the_rest_of_a_number_is_asked_for_and_all_of_it_read_back_as_it_was_said() {
        let mut talk = asked();
        let ask = says(&mut talk, "It's four one seven.", None);
        assert!(
            ask.contains("4 1 7, then I missed the end") && ask.contains("after 7?"),
            "{ask}"
        );
        let next = says(&mut talk, "two two, nine oh five", None);
        assert!(next.ends_with("Whose is it?"), "{next}");
        let back = says(&mut talk, "Ada Brook", None);
        assert!(back.contains("number 4 1 7, 2 2, 9 0 5"), "{back}");
    }

    #[test]
    fn what_was_unclear_is_asked_for_alone() {
        let mut talk = asked();
        let ask = says(&mut talk, "41, 72, 29, 05", Some((4, 6)));
        assert!(ask.contains("4 1, 7 2, and 0 5 at the end"), "{ask}");
        says(&mut talk, "two nine", None);
        let back = says(&mut talk, "Ada Brook", None);
        assert!(back.contains("number 4 1, 7 2, 2 9, 0 5"), "{back}");
    }

    #[test]
    fn no_question_is_put_three_times_and_the_keypad_comes_after_two_misses() {
        let mut talk = asked();
        let second = says(&mut talk, "hmm it is on the tin", None);
        assert!(
            second.contains("What's the number on the meter?"),
            "{second}"
        );
        let third = says(&mut talk, "the thing on the tin", None);
        assert!(
            third.contains("keypad") && !third.contains("What's the number"),
            "{third}"
        );
    }
}
