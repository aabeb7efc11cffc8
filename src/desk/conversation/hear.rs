//! A turn of the caller's, sent where it belongs.

use crate::desk::action::slots::{self, Reading};
use crate::desk::entity;
use crate::desk::inquiry::social::{self, Social};
use crate::desk::inquiry::turns::{self, Meant};
use crate::desk::inquiry::{self, context, guard};
use crate::desk::meaning::content_words;
use crate::desk::tone;
use crate::desk::types::{Listen, Next, Reply, Route, Said, Say};

use super::{Conversation, Line, Party, Waiting};

impl Conversation {
    /// What the caller said or keyed. The wish for a human, and matters that always need one, count at every moment.
    /// Tells which language the words of the next [`Self::hear`] were surely spoken in, as ISO 639-1.
    pub fn spoken_in(&mut self, language: &str) {
        let ours = self.desk.config.language.split(['-', '_']).next();
        self.spoken_in = (ours != Some(language)).then(|| language.to_lowercase());
    }

    pub fn hear(&mut self, said: &Said) -> Reply {
        self.now = said.now;
        self.asking = None;
        self.asked_to_wait = false;
        if std::mem::take(&mut self.colleague_speaks) {
            return self.colleague_said(said);
        }
        let keyed: Option<String> = said
            .keyed
            .as_deref()
            .map(|keys| {
                keys.chars()
                    .filter(char::is_ascii_digit)
                    .collect::<String>()
            })
            .filter(|keys| !keys.is_empty());
        let text = said.text.trim();
        let figures = self
            .awaits_figures()
            .then(|| entity::figures_alone(text))
            .flatten();
        let text = figures.as_deref().unwrap_or(text);
        if !text.chars().any(char::is_alphanumeric) && keyed.is_none() {
            return self.unheard();
        }
        self.lines.push(Line {
            by: Party::Caller,
            text: if text.is_empty() {
                let keys = keyed.as_deref().unwrap_or_default();
                format!("[keys {}]", crate::desk::record::masked(keys))
            } else {
                text.to_owned()
            },
        });
        self.misses = 0;
        if !text.is_empty() {
            self.mood = tone::mood(text, self.mood);
        }
        if keyed.as_deref() == Some("0") {
            return self.wants_human();
        }
        let said = Said {
            text: text.to_owned(),
            keyed,
            ..said.clone()
        };
        if let Some(reply) = self.consent_said(&said) {
            return reply;
        }
        // "I want to mo- actually no, what's the late fee": what counts is the rest.
        let said = self.without_false_start(&said);
        let text = said.text.as_str();
        // "Undo that", right after something was done, is about that and nothing else.
        if said.text.split_whitespace().count() <= 6
            && !entity::wants_human(&said.text)
            && let Some(reply) = self.undo_said(&said)
        {
            return reply;
        }
        // "Claims", said to "is it about claims, or about damage?", is the answer and no threat.
        if !text.is_empty()
            && !self.names_an_offer(text)
            && let Some(reply) = self.at_any_moment(&said)
        {
            return reply;
        }
        if let Some(reply) = self.undo_said(&said) {
            return reply;
        }
        if self.meant(text) == Meant::Nothing {
            return self.cancel();
        }
        if let Some(reply) = self.leaves_it(&said) {
            return reply;
        }
        match self.waiting.clone() {
            Waiting::Open => self.question(&said),
            Waiting::More => self.more(&said),
            Waiting::History(earlier) => self.about_history(&earlier, &said),
            Waiting::Clarify {
                between,
                text,
                vector,
            } => self.clarified(&between, &text, &vector, &said),
            Waiting::Human(reason) => self.offered_human(&reason, &said),
            Waiting::Parked => self.about_parked(&said),
            Waiting::Slot(name) => self.slot_said(&name, &said),
            Waiting::Which => self.which_said(&said),
            Waiting::Confirm => self.confirm_said(&said),
            Waiting::Change => self.change_said(&said),
            Waiting::Number => self.number_said(&said),
            Waiting::Factor(factor) => self.factor_said(&factor, &said),
            Waiting::Request => self.meanwhile(&said),
            Waiting::CallbackOffer => self.callback_offered(&said),
            Waiting::CallbackNumber => self.callback_number_said(&said),
            Waiting::CallbackWhen => self.callback_when_said(&said),
            Waiting::Transferring => {
                self.say_and_listen(Route::Transfer, "a colleague is being called", "wait")
            }
        }
    }

    /// Whether the words are those of something that was just offered, and no others.
    fn names_an_offer(&self, text: &str) -> bool {
        let Waiting::Clarify { between, .. } = &self.waiting else {
            return false;
        };
        let said = content_words(text);
        !said.is_empty()
            && between.iter().any(|choice| {
                let offered = content_words(&choice.plain);
                said.iter().all(|word| offered.contains(word))
            })
    }

    /// What counts whatever was asked: danger and disputes, the wish for a human, and moves in the talk itself.
    fn at_any_moment(&mut self, said: &Said) -> Option<Reply> {
        if let Some(language) = self.spoken_in.take()
            && !matches!(self.waiting, Waiting::Transferring)
        {
            return Some(self.transfer_language(&language));
        }
        let text = said.text.as_str();
        let calling_back = matches!(
            self.waiting,
            Waiting::CallbackOffer | Waiting::CallbackNumber | Waiting::CallbackWhen
        );
        let understood = self.desk.understand(text, &said.vector);
        let moves = social::social(text);
        // What is said by everybody at some point of a call is no cry for help, however few words there are to judge it by.
        let courtesy = matches!(
            moves,
            Some(
                Social::Hello
                    | Social::Thanks
                    | Social::Goodbye
                    | Social::Robot
                    | Social::Repeat
                    | Social::Slower
                    | Social::Hold
                    | Social::Help
                    | Social::Louder
                    | Social::CanHear
                    | Social::Recorded
                    | Social::Source
                    | Social::Named
                    | Social::Who
            )
        ) || moves == Some(Social::Cancel) && social::drops_it(text);
        if !calling_back {
            // "No", "I don't know it" are answers here, whatever else such words may mean from somebody in need.
            let answers = !matches!(self.waiting, Waiting::Open | Waiting::More)
                && (social::cannot(text)
                    || (entity::yes_no(text).is_some() && text.split_whitespace().count() <= 3));
            // "None, please" chooses one of what was offered, and wishes for nobody.
            let answers = answers || self.chooses(said);
            let found =
                inquiry::alarm(&self.desk, text, &said.vector, &understood).filter(|found| {
                    found.plain
                        || !self.harmless_apart(said, &found.kind) && !self.false_alarm(text, found)
                });
            // "My boss says you must refund it" sounds like a dispute; a set phrase of distress would still be heard.
            if guard::manipulates(text) && !found.is_some_and(|found| found.plain) {
                return Some(self.refuse(said));
            }
            if !answers
                && !courtesy
                && let Some(escalation) = found
            {
                let kind = inquiry::reason_of(&escalation.kind).to_owned();
                // The bare wish for a person says nothing of the matter: that stays what it was.
                if kind != "asked" || self.basis.is_none() {
                    self.rest_on(said);
                }
                return Some(self.transfer(&kind));
            }
            if let Some(reply) = self.callback_wished(said) {
                return Some(reply);
            }
            if moves != Some(Social::Robot)
                && !self.chooses(said)
                && !turns::wants_no_human(text)
                && entity::wants_human(text)
            {
                // Whatever the route, the decision says what the words were nearest to.
                if self.basis.is_none() {
                    self.rest_on(said);
                }
                return Some(self.wants_human());
            }
            if social::third_party(text) && self.is_about_an_account(said) {
                self.rest_on(said);
                return Some(self.transfer("third_party"));
            }
        } else if entity::wants_human(text)
            && !super::human::means_callback(text)
            && self.transfers_failed < 2
        {
            return Some(self.wants_human());
        }
        if moves.is_none()
            && matches!(self.waiting, Waiting::Open | Waiting::More)
            && self.asks_who_we_are(text)
        {
            let company = self.desk.config.company.clone();
            let told = self.phrase("is_company", &[("company", &company)]);
            self.lead(told);
            if self.basis.is_none() {
                self.rest_on(said);
            }
            let next = self.listen();
            return Some(self.reply(Route::Answer, "a move in the talk", next));
        }
        // "OK, good", before anything was asked.
        if self.waiting == Waiting::Open && moves.is_none() && social::is_pleased(text) {
            return Some(self.say_and_listen(Route::Answer, "a move in the talk", "go_on"));
        }
        let Some(moves) = moves else {
            self.seen = Some((text.to_owned(), understood));
            return None;
        };
        let open = matches!(self.waiting, Waiting::Open | Waiting::More);
        match moves {
            Social::Louder => {
                self.lead_phrase("louder");
                let last = std::mem::take(&mut self.last);
                self.lead.extend(last);
            }
            Social::CanHear => {
                self.lead_phrase("can_hear");
                self.ask_again();
            }
            Social::Recorded => {
                // The company's own words for it go first.
                let asked = inquiry::inquire_with(
                    &self.desk,
                    understood,
                    text,
                    &said.vector,
                    said.heard.as_ref(),
                );
                if open
                    && matches!(&asked.verdict, inquiry::Verdict::Answer { text, .. } if text.contains("record"))
                {
                    return None;
                }
                self.lead_phrase(if self.may_record() {
                    "recorded_yes"
                } else {
                    "recorded_no"
                });
                self.ask_again();
            }
            Social::Source if open || matches!(self.waiting, Waiting::Parked) => {
                return self.source_said();
            }
            Social::Who => {
                let company = self.desk.config.company.clone();
                let text = match self.desk.config.agent_name.clone() {
                    Some(agent) => self.phrase("who", &[("agent", &agent), ("company", &company)]),
                    None => self.phrase("who_plain", &[("company", &company)]),
                };
                self.lead(text);
                self.ask_again();
            }
            Social::All if open && self.last_answer.is_some() => {
                self.waiting = Waiting::More;
                self.lead_phrase("told_all");
            }
            Social::Opener if open => {
                self.waiting = Waiting::Open;
                self.lead_phrase("go_on");
            }
            Social::Named if open => {
                let name = social::name_said(&social::plain(text)).unwrap_or_default();
                self.named = true;
                let text = self.phrase("hello_name", &[("name", &name)]);
                self.lead(text);
            }
            Social::Help => self.say_topics(),
            Social::Robot => {
                self.lead_phrase("robot");
                self.ask_again();
            }
            Social::Repeat => self.repeat(),
            Social::Slower => {
                self.lead_phrase("slower");
                let last = std::mem::take(&mut self.last);
                self.lead.extend(last);
            }
            Social::Hold => {
                self.asked_to_wait = true;
                self.lead_phrase("hold");
            }
            Social::Cancel
                if self.running.is_some() && !matches!(self.waiting, Waiting::Request) =>
            {
                return Some(self.cancel());
            }
            // Nothing is under way any more: "just leave it" is no wish to close the account.
            Social::Cancel
                if self.running.is_none()
                    && matches!(self.waiting, Waiting::Open | Waiting::More)
                    && social::drops_it(text) =>
            {
                return Some(self.cancel());
            }
            Social::Goodbye if !matches!(self.waiting, Waiting::Confirm | Waiting::Request) => {
                if self.rehearsal {
                    self.rest_on(said);
                }
                // "No, that's all": neither the matter that was just offered nor any further one.
                if self.waiting == Waiting::Parked {
                    self.parked.clear();
                }
                return Some(self.goodbye());
            }
            Social::Thanks
                if open
                    || matches!(self.waiting, Waiting::Human(_))
                        && entity::yes_no(text) != Some(true) =>
            {
                self.waiting = Waiting::More;
                self.lead_phrase("thanks");
            }
            Social::Hello if matches!(self.waiting, Waiting::Open | Waiting::More) => {
                self.lead_phrase("hello")
            }
            _ => return None,
        }
        if self.basis.is_none() {
            self.rest_on(said);
        }
        let next = self.listen();
        Some(self.reply(Route::Answer, "a move in the talk", next))
    }

    /// "Hello, is that Acme?"
    fn asks_who_we_are(&self, text: &str) -> bool {
        let words = social::plain(text);
        let company = social::plain(&self.desk.config.company);
        let Some((before, after)) = words.split_once(&company) else {
            return false;
        };
        let asks = [
            "is that",
            "is this",
            "am i through to",
            "have i reached",
            "have i got",
            "is it",
            "am i speaking to",
            "am i talking to",
            "is this the line for",
            "did i reach",
        ];
        company.len() >= 3
            && after.split_whitespace().count() <= 1
            && before.split_whitespace().count() <= 6
            && asks.iter().any(|asks| before.trim_end().ends_with(asks))
    }

    /// One of the choices that a slot offers, in a word or two.
    fn chooses(&self, said: &Said) -> bool {
        let Waiting::Slot(name) = &self.waiting else {
            return false;
        };
        let slots = self.running.as_ref().map(|running| &running.action.slots);
        let slot = slots.and_then(|slots| slots.iter().find(|slot| slot.name == *name));
        said.text.split_whitespace().count() <= 4
            && slot.is_some_and(|slot| {
                !slot.choices.is_empty()
                    && matches!(
                        slots::read(slot, self.words(&said.text, None)),
                        Reading::Value(_)
                    )
            })
    }

    /// Whether the words are several matters, and none of them by itself is what they seem to be together.
    pub(super) fn harmless_apart(&self, said: &Said, kind: &str) -> bool {
        let parts = context::matters(&said.text);
        matches!(kind, "closure" | "human" | "asked")
            && parts.len() > 1
            && parts.iter().all(|part| {
                let reading = said.reading_of(part);
                let understood = self.desk.understand(part, &reading);
                inquiry::alarm(&self.desk, part, &reading, &understood).is_none()
            })
    }

    /// "I don't want to move it", while that is being seen to: it is left alone, and what else was said is taken up.
    fn leaves_it(&mut self, said: &Said) -> Option<Reply> {
        let running = self.running.as_ref()?;
        let asked = matches!(
            self.waiting,
            Waiting::Slot(_)
                | Waiting::Which
                | Waiting::Change
                | Waiting::Confirm
                | Waiting::Number
                | Waiting::Factor(_)
        );
        let refusal = turns::refusal(&said.text).filter(|_| asked)?;
        if !self.desk.does(&running.action, &refusal.verbs) {
            return None;
        }
        let Some(rest) = refusal.rest else {
            return Some(self.cancel());
        };
        // "Don't move it to the tenth, make it the ninth" is no refusal of the whole.
        let alters = running.action.slots.iter().any(|slot| {
            matches!(
                slots::glean(slot, self.words(rest, None)),
                Reading::Value(_)
            )
        });
        if alters {
            return None;
        }
        let what = running.in_words();
        self.tried
            .push(format!("Began to {what} and left it at their wish"));
        let rest = Said {
            text: rest.to_owned(),
            vector: said.reading_of(rest),
            beside: Vec::new(),
            ..said.clone()
        };
        Some(self.question(&rest))
    }

    /// An attempt to talk the line out of its rules: it is declined in the same words whatever it was, and what was asked stays asked.
    /// Whoever keeps trying is offered a human, who can be told things a line cannot.
    fn refuse(&mut self, said: &Said) -> Reply {
        const REASON: &str = "an attempt to get round the rules";
        self.refused += 1;
        if self.basis.is_none() {
            self.rest_on(said);
        }
        if self.refused > 1 {
            self.lead_phrase("refuse_again");
            if self.running.is_none() {
                self.waiting = Waiting::Human("asked".into());
                let next = self.listen();
                self.lead_phrase("offer_human");
                return self.reply(Route::Clarify, REASON, next);
            }
        } else if self.running.is_some() {
            self.lead_phrase("refuse");
        } else {
            self.lead_phrase("refuse_open");
        }
        self.ask_again();
        let next = self.listen();
        self.reply(Route::Clarify, REASON, next)
    }

    /// Digits or a code were asked for: "6.0. 6.1.4." is 60614, not a list of decimals.
    fn awaits_figures(&self) -> bool {
        matches!(
            self.listen(),
            Next::Listen(Listen::Digits | Listen::Postcode)
        )
    }

    fn repeat(&mut self) {
        if self.last.is_empty() {
            self.lead_phrase("nothing_to_repeat");
            return;
        }
        let last = std::mem::take(&mut self.last);
        self.lead_phrase("again");
        // A lead of the first saying ("here it is once more") is not said twice.
        let again: Vec<String> = ["again", "slower", "hold"]
            .iter()
            .flat_map(|key| crate::desk::phrase::wordings(key))
            .map(|wording| (*wording).to_owned())
            .collect();
        let last: Vec<Say> = last
            .into_iter()
            .filter(|say| !again.contains(&say.text))
            .collect();
        if last.is_empty() {
            self.lead.clear();
            self.lead_phrase("nothing_to_repeat");
        }
        self.lead.extend(last);
    }

    pub(super) fn goodbye(&mut self) -> Reply {
        if let Some(reply) = self.next_parked() {
            return reply;
        }
        self.lead_phrase("goodbye");
        // A goodbye is about no matter; what the call was about is kept for its record and summary.
        let about = (!self.rehearsal).then(|| self.basis.take()).flatten();
        let mut reply = self.reply(Route::Answer, "the caller has all they need", Next::End);
        reply.decision.confidence = 1.0;
        if about.is_some() {
            self.basis = about;
        }
        reply
    }

    fn more(&mut self, said: &Said) -> Reply {
        if social::declines(&said.text) || said.keyed.as_deref() == Some("2") {
            return self.goodbye();
        }
        // "Lovely" is content with what was said, and no yes to "anything else?".
        if social::is_pleased(&said.text) {
            self.lead_phrase("thanks");
            let next = self.listen();
            return self.reply(Route::Answer, "a move in the talk", next);
        }
        let short = said.text.split_whitespace().count() <= 3;
        if !(short && entity::yes_no(&said.text) == Some(true)) && social::takes_note(&said.text) {
            return self.say_and_listen(Route::Answer, "a move in the talk", "noted");
        }
        self.waiting = Waiting::Open;
        if (short && entity::yes_no(&said.text) == Some(true)) || said.keyed.as_deref() == Some("1")
        {
            return self.say_and_listen(Route::Clarify, "the caller has another matter", "go_on");
        }
        self.question(said)
    }

    /// The words come while the back office is asked: kept for afterwards if they are a matter of their own.
    fn meanwhile(&mut self, said: &Said) -> Reply {
        let matter =
            said.text.split_whitespace().count() >= 4 && entity::yes_no(&said.text).is_none();
        if matter {
            self.parked.push(super::Topic {
                text: said.text.clone(),
                vector: said.vector.clone(),
            });
        }
        self.say_and_listen(Route::Act, "the back office is being asked", "wait")
    }
}
