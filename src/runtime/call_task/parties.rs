//! The parties of a call besides the conversation: listening to them, calling them, letting them go.

use std::collections::HashMap;

use super::super::ear::{Ear, Turn};
use super::super::pool::{Control, Msg};
use super::super::work::Work;
use super::Task;
use crate::audio::playout::Playout;
use crate::audio::{FRAME, FRAME_MS, MediaTime, RATE, wav};
use crate::call::{CALLER, Event, LegId, LegSignal, Mix, Order, SendTo};
use crate::desk::Listen;
use crate::desk::redact::Side;
use crate::speech::{Expect, Hints};

/// People who may listen in on one call.
const LISTENERS: usize = 8;

impl Task {
    pub(super) fn control(&mut self, control: Control) {
        match control {
            Control::End => self.event(Event::Shutdown),
            Control::Order(order) => self.event(Event::Ordered(order)),
            Control::Listen(to) if self.listeners.len() < LISTENERS => self.listeners.push(to),
            Control::Listen(_) => {}
            Control::Take { target, name, leg } => {
                self.offered.insert(target.clone(), leg);
                self.event(Event::Ordered(Order::Take { target, name }));
            }
        }
    }

    /// Voice activity of the caller, and of humans who are attended to.
    pub(super) fn listen(&mut self, said: &HashMap<LegId, [i16; FRAME]>) {
        let silence = [0; FRAME];
        let mut events = Vec::new();
        // What waited in the jitter buffer was said before it came here, and half a packet before it came.
        let held = self
            .legs
            .get(&CALLER)
            .map_or(0, |leg| leg.held_ms() + FRAME_MS / 2);
        let voice = self.voices.get(&CALLER);
        self.caller
            .we_speak(voice.is_some_and(|v| !v.is_empty() && !v.is_paused()));
        self.caller.hurry(self.shared.pool.is_pressed());
        match self.caller.hear(said.get(&CALLER).unwrap_or(&silence)) {
            None => {}
            Some(Turn::Fax) => events.push(Event::Fax),
            Some(Turn::Suspected(on)) => events.push(Event::VoiceSuspected { on }),
            Some(Turn::Speech {
                speaking: true,
                at,
                ago_ms,
            }) => events.push(Event::VoiceStart {
                at,
                ago_ms: ago_ms + held,
            }),
            Some(Turn::Speech { at, ago_ms, .. }) => {
                events.push(Event::VoiceEnd {
                    at,
                    ago_ms: ago_ms + held,
                });
            }
        }
        if self.caller.hears_speech() {
            self.shared.pool.caller_speaks();
        }
        for (leg, ear) in &mut self.ears {
            if let Some(Turn::Speech { speaking, at, .. }) =
                said.get(leg).and_then(|pcm| ear.hear(pcm))
            {
                events.push(Event::HumanVoice {
                    leg: *leg,
                    speaking,
                    at,
                });
            }
        }
        for event in events {
            self.event(event);
        }
    }

    /// Listens to a human, or no longer. What was kept of them stays, for what is still to be recognised.
    pub(super) fn attend(&mut self, leg: LegId, on: bool) {
        if let Some(ear) = self.ears.get_mut(&leg) {
            ear.on = on;
        } else if on {
            match (self.shared.vad)() {
                Ok(vad) => drop(self.ears.insert(leg, Ear::new(vad))),
                Err(why) => tracing::error!(call = %self.id, "a colleague cannot be heard: {why}"),
            }
        }
    }

    pub(super) fn understand(
        &mut self,
        attempt: u64,
        leg: LegId,
        (from, to): (MediaTime, MediaTime),
        keep: Option<String>,
    ) {
        let ear = if leg == CALLER {
            Some(&self.caller)
        } else {
            self.ears.get(&leg)
        };
        let pcm = ear.map(|e| e.cut(from, to)).unwrap_or_default();
        if let Some(name) = keep {
            self.to_keep = Some((attempt, name, pcm.clone()));
        }
        let work = Work::Understand {
            attempt,
            pcm,
            hints: self.hints(Listen::Open),
        };
        self.shared.pool.submit(work, &self.wanted, &self.inbox);
    }

    /// The words of a sound that is to be kept are known: it is, with what is private covered.
    pub(super) fn keep(&mut self, attempt: u64, words: Result<&str, ()>) {
        let Some((_, name, mut pcm)) = self.to_keep.take_if(|(a, ..)| *a == attempt) else {
            return;
        };
        let redactor = &self.veil.redactor;
        // Without its words nobody knows what is in it.
        let Ok(words) = words else {
            if redactor.is_off() {
                let wav = wav::write(&pcm, RATE, 1);
                self.shared.recorder.keep(&self.id, name, wav);
            }
            return;
        };
        let per_ms = RATE as usize / 1000;
        let whole = (pcm.len() / per_ms) as u64;
        for span in redactor
            .text(words, false)
            .spans(words, Side::Heard, 0, whole)
        {
            let (from, to) = (span.from as usize * per_ms, span.to as usize * per_ms);
            let end = to.min(pcm.len());
            pcm.get_mut(from..end)
                .into_iter()
                .flatten()
                .for_each(|s| *s = 0);
        }
        let wav = wav::write(&pcm, RATE, 1);
        self.shared.recorder.keep(&self.id, name, wav);
    }

    pub(super) fn perform(&self, request: crate::desk::Request) {
        let (shared, inbox, id) = (self.shared.clone(), self.inbox.clone(), self.id.clone());
        tokio::spawn(async move {
            let number = request.id;
            let outcome = shared.perform(&id, &request).await;
            let sent = inbox
                .send(Msg::Event(Event::Done {
                    request: number,
                    outcome,
                }))
                .await;
            // Nobody is there to hear it where the call is over: then it is still to be told.
            if sent.is_ok() {
                shared.told(&request).await;
            }
        });
    }

    pub(super) fn look_up(&self, ticket: u64, request: crate::desk::Request) {
        let (shared, inbox, id) = (self.shared.clone(), self.inbox.clone(), self.id.clone());
        tokio::spawn(async move {
            let outcome = shared.perform(&id, &request).await;
            let _ = inbox
                .send(Msg::Event(Event::LookedUp { ticket, outcome }))
                .await;
        });
    }

    /// A human's leg is over.
    pub(super) fn human_gone(&mut self, leg: LegId) {
        self.meter_last(leg);
        self.legs.remove(&leg);
        self.voices.remove(&leg);
        self.sound.forget(leg);
        if let Some(uri) = self.humans.remove(&leg) {
            self.shared.humans.free(&uri, self.taken == Some(leg));
        }
    }

    pub(super) fn dial(&mut self, leg: LegId, target: &str) {
        let dialled = if let Some(offered) = self.offered.remove(target) {
            Ok(offered)
        } else if leg == CALLER {
            self.shared.call_out(target)
        } else {
            self.shared.dial(target, self.call.record().from.as_deref())
        };
        match dialled {
            Ok(dialled) => {
                self.legs.insert(leg, dialled);
                if leg != CALLER {
                    self.voices.insert(leg, Playout::new());
                    self.shared.humans.busy(target);
                    self.humans.insert(leg, target.to_string());
                }
            }
            Err(why) => {
                tracing::warn!(call = %self.id, "cannot call {target}: {why}");
                let signal = LegSignal::Ended {
                    outcome: "unreachable",
                    detail: why,
                    by_remote: false,
                };
                self.after.push_back(Event::Signal { leg, signal });
            }
        }
    }

    /// Sends the caller on; that it cannot be done is told like any other failure.
    pub(super) fn refer(&mut self, to: SendTo) {
        let address = match &to {
            SendTo::Human(leg) => self.legs.get(leg).and_then(|l| l.in_our_place()),
            SendTo::Target(uri) => self.shared.address(uri),
        };
        let asked = match (address, self.legs.get_mut(&CALLER)) {
            (Some(address), Some(caller)) => caller.refer(&address),
            _ => false,
        };
        if !asked {
            self.after.push_back(Event::Signal {
                leg: CALLER,
                signal: LegSignal::Referred(501),
            });
        }
    }

    /// Calls whom a human wants the caller put through to.
    pub(super) fn dial_on(&mut self, leg: LegId, to: &str, by: LegId) {
        let by = self.humans.get(&by).cloned().unwrap_or_default();
        match self
            .shared
            .dial_on(to, &by, self.call.record().from.as_deref())
        {
            Ok(dialled) => {
                self.legs.insert(leg, dialled);
                self.voices.insert(leg, Playout::new());
                self.humans.insert(leg, to.to_string());
            }
            Err(why) => {
                tracing::warn!(call = %self.id, "a human wanted the caller put through to {to}: {why}");
                let signal = LegSignal::Ended {
                    outcome: "declined",
                    detail: why,
                    by_remote: false,
                };
                self.after.push_back(Event::Signal { leg, signal });
            }
        }
    }

    pub(super) fn mix(&mut self, mix: Mix) {
        self.sound.set(mix);
        if let Mix::Bridge(leg) | Mix::Three(leg) = mix {
            self.taken = Some(leg);
        }
    }

    pub(super) fn hints(&self, listen: Listen) -> Hints {
        let expect = match listen {
            Listen::YesNo => Some(Expect::YesNo),
            Listen::Digits => Some(Expect::Digits),
            Listen::Date => Some(Expect::Date),
            Listen::Postcode => Some(Expect::Postcode),
            Listen::Name => Some(Expect::Name),
            Listen::Open | Listen::Money => None,
        };
        Hints {
            expect,
            language: Some(self.shared.language.clone()),
            vocabulary: Some(self.shared.vocabulary.clone()),
            ..Hints::default()
        }
    }
}
