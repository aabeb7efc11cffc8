//! What a call leaves in writing: its trail, its notes, its record, and whether its sound is kept.

use super::Task;
use crate::call::{CALLER, Event, LegSignal, Note, Time};
use crate::desk::conversation::Conversation;
use crate::desk::redact::{Side, Span};
use crate::desk::{CallOutcome, CallRecord, LineQuality, Listen};
use crate::edge::LegInfo;
use crate::runtime::inputs::{self, Input};
use crate::runtime::leg::quality;
use crate::runtime::veil::Veiled;
use crate::telemetry::Metric;

impl Task {
    /// Before the engine is given an event: what it is written down as. Says whether something of the caller was looked up, and gives
    /// what is to be written only if something comes of it.
    pub(super) fn before(
        &mut self,
        now: Time,
        event: &Event<Conversation>,
    ) -> (bool, Option<Input>) {
        let looked_up = matches!(event, Event::Done { .. } | Event::LookedUp { .. });
        if let Event::Signal {
            leg: CALLER,
            signal: LegSignal::Digit(_),
        } = event
            && !self.veil.redactor.is_off()
        {
            // A key's tones can be read from a recording.
            let span = Span {
                side: Side::Caller,
                from: now.0.saturating_sub(400),
                to: now.0 + 60,
            };
            self.shared.recorder.cover(&self.id, vec![span]);
        }
        if let Event::HumanHeard { attempt, result } = event {
            let words = result.as_ref().map(|h| h.text.as_str()).map_err(drop);
            self.keep(*attempt, words);
        }
        // What is written stands before what comes of it.
        let mut played = None;
        match Input::of(event, crate::runtime::clock::now()) {
            Some(input @ Input::Played { .. }) => {
                let follows = self
                    .played
                    .as_ref()
                    .is_some_and(|(_, last)| last.follows(&input));
                if !follows {
                    self.write_played();
                }
                played = Some(input);
            }
            Some(input) => {
                self.write_played();
                self.write_input(now, input);
            }
            None => {}
        }
        (looked_up, played)
    }

    pub(super) fn write_played(&mut self) {
        if let Some((at, input)) = self.played.take() {
            self.write_input(at, input);
        }
    }

    /// One event of the engine into the trail. Without a key on the recordings what is private is left out of it, too.
    fn write_input(&self, at: Time, mut input: Input) {
        // What is keyed to a human may be anything, a card as likely as not; what is keyed where a number was asked for is that number.
        let asked = matches!(
            self.call.listening_for(),
            Listen::Digits | Listen::Postcode | Listen::Date
        );
        let keyed = matches!(input, Input::Signal { leg: 0, .. });
        let secret = self.veil.secret || keyed && (asked || self.call.is_bridged());
        let hidden = !self.shared.recorder.is_sealed() && input.redact(&self.veil.redactor, secret);
        if let Some(line) = inputs::line(at.0, &input, hidden) {
            self.shared.recorder.event(&self.id, line);
        }
    }

    /// The trail's first line: what a replay begins with.
    pub(super) fn write_begin(&self, info: &LegInfo, started_at: &str) {
        let pilot = self.call.pilot();
        let line = serde_json::json!({
            "at_ms": 0, "event": "begin", "version": env!("CARGO_PKG_VERSION"),
            "channel": info.channel, "from": info.from, "to": info.to, "started_at": started_at,
            "caller": self.call.mind().caller(), "consent": self.call.mind().consent().word(),
            "accept_key": self.shared.accept_key, "notes": self.call.takes_notes(), "release": self.call.releases(),
            "outbound": self.call.is_outbound(), "reviewed": pilot.reviewed, "survey": pilot.survey,
        });
        self.shared.recorder.event(&self.id, line.to_string());
    }

    /// Sound is kept from the moment it may be, and while no card is being read out.
    pub(super) fn look_at_consent(&mut self) {
        let may = self.call.mind().may_record() && !self.call.recording_paused();
        if may == self.recording {
            return;
        }
        self.recording = may;
        self.shared.recorder.gate(&self.id, may);
        let line = serde_json::json!({ "at_ms": self.now().0, "event": "recording", "on": may });
        self.shared.recorder.event(&self.id, line.to_string());
    }

    /// The record as it is stored: without what is private, which is covered in the recording, too.
    pub(super) fn kept(&self) -> CallRecord {
        let answered_ms = self.call.answered_at().0;
        let (record, spans) = self.veil.record(&self.call.record(), answered_ms);
        self.shared.recorder.cover(&self.id, spans);
        record
    }

    /// How the caller's line fares, where there is one.
    pub(super) fn line(&self) -> Option<LineQuality> {
        let mut line = quality(&self.legs.get(&CALLER)?.info());
        self.veil.redactor.line(&mut line);
        Some(line)
    }

    pub(super) fn note(&mut self, note: &Note) {
        let at = self.now().0;
        let Veiled { note, kinds, spans } = self.veil.note(note, self.call.mind());
        for kind in kinds {
            let metrics = &self.shared.state.metrics;
            metrics.count(Metric::Redactions, &[kind.word()]);
        }
        self.shared.recorder.cover(&self.id, spans);
        let Ok(value) = serde_json::to_value(&note) else {
            return;
        };
        let mut line = serde_json::json!({"at_ms": at});
        if let (Some(line), Some(note)) = (line.as_object_mut(), value.as_object()) {
            line.extend(note.clone());
        }
        self.shared.recorder.event(&self.id, line.to_string());
        self.shared.state.note(&self.id, at, &value);
        if matches!(
            note,
            Note::Heard { .. }
                | Note::RequestDone { .. }
                | Note::Transfer { .. }
                | Note::Decision { .. }
                | Note::Agent { .. }
        ) {
            let mut record = self.kept();
            record.line = self.line();
            self.shared.state.changed(&record);
            self.shared.is_up(record.clone());
            self.shared.recorder.record(&self.id, record);
        }
        if let Note::Ended {
            outcome: CallOutcome::Failed,
            reason,
            ..
        } = note
        {
            tracing::error!(call = %self.id, "call failed: {reason}");
        }
    }
}
