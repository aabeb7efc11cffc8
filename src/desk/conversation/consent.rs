//! Whether this call may be recorded: what has to be heard first, what was agreed to, and when recording pauses.
//!
//! A sentence counts when it was heard to its end; a yes to half a question is none.

use crate::desk::entity;
use crate::desk::types::{Caller, Reply, Route, Said, Say};

use super::{Conversation, Waiting};

/// What recording takes, and how far that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consent {
    /// Nothing.
    #[default]
    Free,
    /// It has to be announced; whether that was heard.
    Announce {
        heard: bool,
    },
    /// It has to be asked for; whether the question was heard.
    Ask {
        heard: bool,
    },
    Given,
    Refused,
}

impl Consent {
    /// As the trail has it.
    pub fn word(self) -> &'static str {
        match self {
            Consent::Free => "free",
            Consent::Announce { .. } => "announce",
            Consent::Ask { .. } => "ask",
            Consent::Given => "given",
            Consent::Refused => "refused",
        }
    }

    /// The rule of this name, nothing heard yet.
    pub fn rule(word: &str) -> Self {
        match word {
            "announce" => Consent::Announce { heard: false },
            "ask" => Consent::Ask { heard: false },
            _ => Consent::Free,
        }
    }
}

impl Conversation {
    pub fn consent(&self) -> Consent {
        self.consent
    }

    /// Who is calling, as far as was known before a word was said.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The same conversation under this rule. To be set before it opens.
    #[must_use]
    pub fn with_consent(mut self, consent: Consent) -> Self {
        self.consent = consent;
        self
    }

    /// Sound may be kept now.
    pub fn may_record(&self) -> bool {
        let agreed = matches!(
            self.consent,
            Consent::Free | Consent::Given | Consent::Announce { heard: true }
        );
        agreed && !self.takes_a_card()
    }

    /// The caller's next words are a secret: proof of who they are, or a card.
    pub fn expects_secret(&self) -> bool {
        matches!(self.waiting, Waiting::Factor(_) | Waiting::Number) || self.takes_a_card()
    }

    /// A card, or what belongs to one, is asked for: recording pauses.
    fn takes_a_card(&self) -> bool {
        matches!(&self.waiting, Waiting::Slot(name) if crate::desk::redact::is_card_slot(name))
    }

    /// What was looked up of the caller, by the names of its fields: what is kept out of what is stored.
    pub fn personal(&self) -> Vec<(String, String)> {
        let fields = self.identity.record().and_then(|r| r.as_object());
        fields
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect()
    }

    /// The sentence that has to be heard, if one has.
    pub(super) fn notice(&mut self) -> Option<Say> {
        let key = match self.consent {
            Consent::Announce { heard: false } => "recorded",
            Consent::Ask { heard: false } => "consent_ask",
            _ => return None,
        };
        let text = self.phrase(key, &[]);
        self.noticed = Some(text.clone());
        Some(Say::must_hear(text))
    }

    /// The last reply was heard up to its `reached`th word, or whole.
    pub(super) fn notice_heard(&mut self, reached: Option<usize>) {
        let Some(notice) = &self.noticed else { return };
        let mut end = 0;
        let mut whole = false;
        for say in &self.last {
            end += say.text.split_whitespace().count();
            if say.text == *notice {
                whole = reached.is_none_or(|reached| reached >= end);
            }
        }
        match &mut self.consent {
            Consent::Announce { heard } | Consent::Ask { heard } if whole => *heard = true,
            _ => {}
        }
    }

    /// The answer to the question, where it was put; none: these words are to be heard as any others.
    pub(super) fn consent_said(&mut self, said: &Said) -> Option<Reply> {
        let Consent::Ask { heard } = self.consent else {
            return None;
        };
        let yes = match said.keyed.as_deref() {
            Some(keys) => Some(keys == "1"),
            None => entity::yes_no(&said.text),
        };
        let bare = said.text.split_whitespace().count() <= 4;
        match yes {
            // A yes to a question that was cut off: it is put again.
            Some(true) if !heard => {
                let notice = self.notice()?;
                self.lead.push(notice);
                let next = self.listen();
                Some(self.reply(Route::Clarify, "recording is asked for again", next))
            }
            Some(true) => {
                self.consent = Consent::Given;
                bare.then(|| {
                    self.say_and_listen(Route::Clarify, "recording is agreed to", "consent_yes")
                })
            }
            // Whoever does not say yes has not agreed.
            Some(false) => {
                self.consent = Consent::Refused;
                bare.then(|| {
                    self.say_and_listen(Route::Clarify, "recording is refused", "consent_no")
                })
            }
            None => {
                self.consent = Consent::Refused;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::{Desk, DeskFiles};
    use std::sync::{Arc, LazyLock};

    /// One for all: learning takes seconds.
    static DESK: LazyLock<Arc<Desk>> = LazyLock::new(|| {
        let files = [
            (
                "desk.toml".to_owned(),
                "company = \"Acme\"\nagent_name = \"Sam\"\nlanguage = \"en-US\"\n".to_owned(),
            ),
            (
                "knowledge/hours.md".to_owned(),
                "---\nid: hours\ntitle: Opening hours\n---\nWe open at nine on weekdays.\n"
                    .to_owned(),
            ),
        ];
        let source = crate::desk::parse(&DeskFiles(files.into())).unwrap();
        Arc::new(Desk::build(source, &Default::default()))
    });

    fn talk(consent: Consent) -> Conversation {
        let now = "2026-11-23T10:00:00Z".parse().unwrap();
        Conversation::new(DESK.clone(), Caller::default(), "call", now).with_consent(consent)
    }

    fn said(text: &str) -> Said {
        Said {
            text: text.into(),
            now: "2026-11-23T10:00:00Z".parse().unwrap(),
            ..Said::default()
        }
    }

    fn words(reply: &Reply) -> String {
        reply.decision.reply.clone()
    }

    #[test]
    fn an_announcement_counts_when_it_was_heard() {
        let mut talk = talk(Consent::Announce { heard: false });
        let opening = words(&talk.opening());
        assert!(opening.contains("This call is recorded."), "{opening}");
        assert!(!talk.may_record());
        let cut = opening.split(" recorded").next().unwrap().to_owned();
        talk.heard(&cut, false);
        assert!(!talk.may_record(), "half of it is none: {cut}");
        let next = words(&talk.hear(&said("when do you open")));
        assert!(next.contains("This call is recorded."), "{next}");
        talk.heard(&next, true);
        assert!(talk.may_record());
        let third = words(&talk.hear(&said("thank you")));
        assert!(!third.contains("recorded"), "once is enough: {third}");
    }

    #[test]
    fn a_question_takes_a_yes_to_all_of_it() {
        for (answer, keyed, may) in [
            ("Yes, that's fine.", None, true),
            ("", Some("1"), true),
            ("No.", None, false),
            ("", Some("2"), false),
            ("When do you open on Sundays?", None, false),
        ] {
            let mut talk = talk(Consent::Ask { heard: false });
            let opening = words(&talk.opening());
            assert!(opening.contains("May I record"), "{opening}");
            talk.heard(&opening, true);
            assert!(!talk.may_record());
            let answer = Said {
                keyed: keyed.map(str::to_owned),
                ..said(answer)
            };
            talk.hear(&answer);
            assert_eq!(talk.may_record(), may, "{answer:?}");
        }
        let mut talk = talk(Consent::Ask { heard: false });
        let opening = words(&talk.opening());
        let cut = opening.split(" record").next().unwrap().to_owned();
        talk.heard(&cut, false);
        let again = words(&talk.hear(&said("yes")));
        assert!(
            again.contains("May I record") && !talk.may_record(),
            "{again}"
        );
        talk.heard(&again, true);
        talk.hear(&said("yes"));
        assert!(talk.may_record());
    }

    #[test]
    fn without_a_rule_nothing_is_said() {
        let mut talk = talk(Consent::Free);
        assert!(!words(&talk.opening()).contains("record"));
        assert!(talk.may_record());
    }
}
