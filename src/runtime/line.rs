//! The line: everything that outlives a call, and the only list of tasks in the program.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::backoffice::Backoffice;
use crate::call::{self, Plan, Words};
use crate::config::{Config, Consent, Privacy, Target, TargetKind, Via};
use crate::desk::conversation::{self, Conversation};
use crate::desk::redact::Redactor;
use crate::desk::{
    ActionStatus, CallRecord, CallbackRequest, Caller, Desk, Handoff, Outcome, Request,
};
use crate::edge::sip::{SipEdge, SipUri};
use crate::edge::twilio::TwilioEdge;
use crate::edge::{Leg, LegInfo};
use crate::speech::VoiceActivity;
use crate::telemetry::Metric;
use crate::wire::sip::refer::ReferTo;

use super::api::LineState;
use super::pilot::Pilot;
use super::pool::Pool;
use super::queues::{Asked, Humans, Queue};
use super::recording::Recorder;
use super::webhook::Webhook;

/// How long a back office may take; beyond it the caller hears the truth.
pub const BACKOFFICE_TIMEOUT: Duration = Duration::from_secs(8);
const HISTORY: u32 = 5;
/// How long a call may wait for it.
const HISTORY_WAIT: Duration = Duration::from_millis(400);

/// Makes a voice detector for one call.
pub type MakeVad = Box<dyn Fn() -> Result<Box<dyn VoiceActivity>, String> + Send + Sync>;

/// What every call shares.
pub struct Shared {
    pub desk: Arc<Desk>,
    /// The desk's own words, for the recogniser.
    pub vocabulary: crate::speech::vocabulary::Shared,
    pub pool: Pool,
    pub vad: MakeVad,
    pub backoffice: Option<Backoffice>,
    pub recorder: Recorder,
    pub state: Arc<LineState>,
    pub sip: SipEdge,
    /// None: the listener is off.
    pub twilio: Option<TwilioEdge>,
    pub targets: Vec<Target>,
    /// The desk's queues.
    pub queues: BTreeMap<String, Queue>,
    pub humans: Humans,
    /// The key by which a human takes a call.
    pub accept_key: char,
    /// Take notes after a human has taken the call.
    pub notes: bool,
    /// Leave caller and human to themselves once they talk.
    pub release: bool,
    /// Over Twilio, caller and human meet in a conference of Twilio's.
    pub conference: bool,
    pub call_back_via: Via,
    /// Beginnings of the numbers that callers may be called back at.
    pub call_back_to: super::numbers::Allowed,
    pub words: Words,
    /// How far each intent is trusted.
    pub pilot: Arc<Pilot>,
    /// Of a hundred calls, how many are asked at their end how it was.
    pub survey_percent: u32,
    /// ISO 639-1.
    pub language: String,
    /// ISO 3166-1: whose number plan a bare number is read by.
    pub country: String,
    pub webhook: Option<Webhook>,
    /// Where this line's API is reached, for links.
    pub recordings_at: String,
    /// There is a trunk to call out by.
    pub has_trunk: bool,
    /// Whom our calls to humans come from, where the caller's number is withheld.
    pub own_number: String,
    pub privacy: Privacy,
    pub redactor: Redactor,
    /// None: traces go nowhere.
    pub tracer: Option<super::trace::Tracer>,
    /// Cancelled to end every call kindly.
    pub stopping: CancellationToken,
}

impl Shared {
    /// Who called, the way numbers are kept everywhere: the record, the history, consent and an export go by it, and a trunk may send
    /// the same number in several forms.
    pub fn known(&self, mut info: LegInfo) -> LegInfo {
        if let Some(from) = &info.from
            && let Some(number) = crate::desk::entity::e164(from, &self.country)
        {
            info.from = Some(number);
        }
        info
    }

    /// What the rules ask of a recording: those of the person at the far end, who is called in a call of ours.
    pub fn consent_of(&self, info: &LegInfo) -> Consent {
        let ours = info.from.as_deref() == Some(self.own_number.as_str());
        let person = if ours { &info.to } else { &info.from };
        self.privacy.consent_of(person.as_deref())
    }

    /// A conversation for a new call, with what is known of the caller.
    pub async fn conversation(&self, id: &str, info: &LegInfo) -> (Conversation, call::Pilot) {
        // A call of ours to keep a promise knows nobody until the script says who was called.
        let number = info.from.clone().filter(|from| *from != self.own_number);
        let history = match &number {
            Some(number) => {
                // A caller does not wait for a database that is slow or gone.
                let asked = self.state.store.history(number, HISTORY);
                let error = match tokio::time::timeout(HISTORY_WAIT, asked).await {
                    Ok(Ok(history)) => Ok(history),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err("the database is slow".into()),
                };
                error.unwrap_or_else(|error| {
                    tracing::warn!(call = %id, %error, "the caller's history could not be read");
                    self.state.metrics.count(Metric::StoreErrors, &[]);
                    Vec::new()
                })
            }
            None => Vec::new(),
        };
        let caller = Caller {
            number,
            vouched: info.vouched,
            history,
        };
        let consent = match self.consent_of(info) {
            Consent::None => conversation::Consent::Free,
            Consent::Announce => conversation::Consent::Announce { heard: false },
            Consent::Ask => conversation::Consent::Ask { heard: false },
        };
        let view = self.pilot.view();
        let pilot = call::Pilot {
            reviewed: view.reviewed,
            survey: drawn(id, self.survey_percent),
        };
        let conversation =
            Conversation::new(view.desk, caller, id, super::clock::now()).with_consent(consent);
        (conversation, pilot)
    }

    /// Whom to ring for a hand-over, now.
    pub fn plan(&self, handoff: &Handoff) -> Plan {
        Asked {
            desk: &self.desk.config,
            queues: &self.queues,
            others: &self.targets,
            humans: &self.humans,
            now: super::clock::now(),
            language: &self.language,
        }
        .plan(handoff)
    }

    /// Whether somebody whom callers are handed to is on no call of ours.
    pub fn somebody_is_free(&self) -> bool {
        let queued = self.queues.values().flat_map(Queue::targets);
        self.humans.any_free(self.targets.iter().chain(queued))
    }

    /// Whether callers can be called back by us.
    pub fn can_call_out(&self) -> bool {
        match &self.call_back_via {
            Via::Off => false,
            Via::Sip(_) => true,
            Via::Auto => self.has_trunk || self.twilio.as_ref().is_some_and(TwilioEdge::calls),
        }
    }

    /// Calls a caller back.
    pub fn call_out(&self, number: &str) -> Result<Box<dyn Leg>, String> {
        self.call_back_to.check(number)?;
        const RING: Duration = Duration::from_secs(40);
        let seconds = RING.as_secs() as u32;
        match (&self.call_back_via, &self.twilio) {
            (Via::Sip(template), _) => {
                let user = number.trim_start_matches("sip:");
                let user = user.split('@').next().unwrap_or(user);
                let uri = template.replace("{number}", user);
                Ok(self.sip.dial(&uri, &self.own_number, seconds, &[]))
            }
            (Via::Auto, _) if self.has_trunk => {
                let uri = format!("trunk:{number}");
                Ok(self.sip.dial(&uri, &self.own_number, seconds, &[]))
            }
            (Via::Auto, Some(twilio)) => twilio.dial(number, RING),
            _ => Err(
                "callers cannot be called back: configure a [[trunk]], [twilio], or callback.via"
                    .into(),
            ),
        }
    }

    /// Calls a human.
    pub fn dial(&self, uri: &str, caller: Option<&str>) -> Result<Box<dyn Leg>, String> {
        let queued = self.queues.values().flat_map(Queue::targets);
        let known = self.targets.iter().chain(queued);
        let target = known
            .into_iter()
            .find(|t| t.uri() == uri)
            .ok_or("no such target")?;
        let from = caller.unwrap_or(&self.own_number);
        match &target.kind {
            TargetKind::Sip(uri) => Ok(self.sip.dial(uri, from, target.ring.as_secs() as u32, &[])),
            TargetKind::Phone(_) | TargetKind::Trunk { .. } => {
                Ok(self
                    .sip
                    .dial(&target.uri(), from, target.ring.as_secs() as u32, &[]))
            }
            TargetKind::Twilio(number) => match &self.twilio {
                Some(twilio) => twilio.dial(number, target.ring),
                None => Err(format!(
                    "{number} is to be called through Twilio: configure [twilio]"
                )),
            },
        }
    }

    /// Calls whom a human (`by`, as they were rung) wants a caller put through to: an address as a Refer-To header has it.
    ///
    /// # Errors
    /// Whom this line has no business calling, in a sentence.
    pub fn dial_on(
        &self,
        to: &str,
        by: &str,
        caller: Option<&str>,
    ) -> Result<Box<dyn Leg>, String> {
        let to = ReferTo::parse(to).ok_or("that is no address")?;
        let wanted: SipUri = to.uri.parse()?;
        // Calls cost money: a phone that somebody else got hold of must not make this line call the world. Addresses where the
        // configuration's humans are, and its numbers; what a PBX makes of an address is the PBX's to say.
        let queued = self.queues.values().flat_map(Queue::targets);
        let known = self.targets.iter().chain(queued);
        let fits = |target: &Target| match &target.kind {
            TargetKind::Sip(uri) => uri
                .parse::<SipUri>()
                .is_ok_and(|u| u.host.eq_ignore_ascii_case(&wanted.host)),
            TargetKind::Trunk { number: user, .. } | TargetKind::Phone(user) => {
                wanted.user.as_ref() == Some(user)
            }
            TargetKind::Twilio(_) => false,
        };
        let Some(target) = known.into_iter().find(|t| fits(t)) else {
            return Err(format!("no [transfer] target is at {}", wanted.host));
        };
        let mut headers = vec![("Referred-By".to_owned(), format!("<{by}>"))];
        if let Some(replaces) = &to.replaces {
            headers.push(("Replaces".to_owned(), replaces.to_string()));
            headers.push(("Require".to_owned(), "replaces".to_owned()));
        }
        let from = caller.unwrap_or(&self.own_number);
        let uri = match &target.kind {
            TargetKind::Trunk { .. } | TargetKind::Phone(_) => target.uri(),
            _ => to.uri,
        };
        Ok(self.sip.dial(&uri, from, 45, &headers))
    }

    /// Where a caller who is sent to this target finds it; none where no phone could.
    pub fn address(&self, target: &str) -> Option<String> {
        match target.strip_prefix("trunk:") {
            Some(number) => self.sip.at_trunk(number),
            None if target.starts_with("sip") => Some(target.to_owned()),
            None => None,
        }
    }

    /// Does what the desk asks of the back office; writes go through the ledger.
    pub async fn perform(&self, id: &str, request: &Request) -> Outcome {
        let Some(backoffice) = &self.backoffice else {
            return Outcome::Failed("no back office is configured for this desk".into());
        };
        let began = std::time::Instant::now();
        let outcome =
            super::actions::perform_recorded(&self.state.store, backoffice, id, request).await;
        self.state
            .metrics
            .observe(Metric::BackofficeMs, began.elapsed().as_millis() as f64);
        outcome
    }

    /// The caller is being told how a request went.
    pub async fn told(&self, request: &Request) {
        super::actions::told(&self.state.store, request).await;
    }

    /// The hand-over packet: into the database and on its way to the webhook, now.
    pub fn packet(self: &Arc<Self>, record: CallRecord, handoff: Handoff) {
        let shared = self.clone();
        tokio::spawn(async move {
            if let Err(error) = shared.state.store.save_call(&record).await {
                tracing::error!(call = %record.id, %error, "a hand-over could not be stored");
                shared.state.metrics.count(Metric::StoreErrors, &[]);
            }
            let Some(webhook) = &shared.webhook else {
                return;
            };
            let body = serde_json::json!({
                "type": "handoff",
                "stage": match (handoff.result.as_str(), record.outcome) {
                    (_, Some(_)) => "ended",
                    ("", None) => "dialling",
                    (_, None) => "decided",
                },
                "recording": format!("{}/api/calls/{}/audio", shared.recordings_at, record.id),
                "call_id": record.id, "from": record.from, "to": record.to, "started_at": record.started_at,
                "company": shared.desk.config.company, "handoff": handoff,
                "transcript": record.turns.iter().map(|t| serde_json::json!({
                    "caller": t.caller.as_ref().map(|c| &c.text), "agent": t.agent.as_ref().map(|a| &a.heard),
                })).collect::<Vec<_>>(),
                "actions": record.actions,
            });
            if let Err(error) = webhook.send(&record.id, &body).await {
                tracing::error!(call = %record.id, %error, "a hand-over packet could not be queued for the webhook");
                shared.state.metrics.count(Metric::StoreErrors, &[]);
            }
        });
    }

    /// A promise to the caller: it is in the queue before anything else happens. What is private stays out of it, but for the number.
    pub fn callback(self: &Arc<Self>, id: &str, mut callback: CallbackRequest, redactor: Redactor) {
        let (shared, id) = (self.clone(), id.to_string());
        tokio::spawn(async move {
            shared.state.metrics.count(Metric::Callbacks, &[]);
            let due = super::callbacks::due(
                callback.when.as_deref(),
                super::clock::now(),
                &shared.desk.config,
            );
            redactor.callback(&mut callback);
            let added = shared.state.store.add_callback_at(&id, &callback, due);
            if let Err(error) = added.await {
                // The record still holds the promise; the log says that the queue does not.
                tracing::error!(call = %id, %error, "a promised callback could not be queued: it is in the call's record only");
                shared.state.metrics.count(Metric::StoreErrors, &[]);
            }
        });
    }

    /// Makes a call known to the other nodes: what is theirs to close if this one dies.
    pub fn is_up(&self, record: CallRecord) {
        let store = self.state.store.clone();
        tokio::spawn(async move {
            if let Err(error) = store.call_is_up(&record).await {
                tracing::debug!(call = %record.id, %error, "other nodes were not told of this call");
            }
        });
    }

    /// Writes a finished call everywhere it belongs.
    pub async fn finish(&self, record: CallRecord) {
        if let Err(error) = self.state.store.save_call(&record).await {
            tracing::error!(call = %record.id, %error, "a call's record could not be stored in the database; its folder has it");
            self.state.metrics.count(Metric::StoreErrors, &[]);
        }
        let id = record.id.clone();
        self.recorder.end(&id, record.clone()).await;
        // Last: whatever is wrong with a figure, the record is safe.
        self.measure(&record);
        if let Some(tracer) = &self.tracer {
            tracer.call(&record);
        }
        self.shadow(record).await;
    }

    /// What we would have said in a human's call, for people to grade.
    async fn shadow(&self, record: CallRecord) {
        let Some(desk) = self.pilot.shadow() else {
            return;
        };
        let shadowed = self.pilot.view().shadowed;
        let id = record.id.clone();
        let drafted = tokio::task::spawn_blocking(move || {
            let mut embedder = super::engines::embedder().ok();
            let embedder = embedder
                .as_mut()
                .map(|e| e.as_mut() as &mut dyn crate::reason::Embedder);
            super::shadow::drafts(&record, &desk, &shadowed, embedder, super::clock::now())
        });
        for draft in drafted.await.unwrap_or_default() {
            if let Err(error) = self.state.store.put_review(&draft).await {
                tracing::error!(call = %id, %error, "a draft could not be stored");
                self.state.metrics.count(Metric::StoreErrors, &[]);
            }
        }
    }

    fn measure(&self, record: &CallRecord) {
        for turn in &record.turns {
            self.state.metrics.count(Metric::Turns, &[]);
            if let Some(gap) = turn.gap_ms {
                self.state.metrics.observe(Metric::GapMs, gap as f64);
                self.state
                    .metrics
                    .observe(Metric::EndpointMs, turn.stages_ms.endpoint as f64);
                self.state
                    .metrics
                    .observe(Metric::SttMs, turn.stages_ms.stt as f64);
                self.state
                    .metrics
                    .observe(Metric::DecideMs, turn.stages_ms.decide as f64);
                self.state
                    .metrics
                    .observe(Metric::TtsMs, turn.stages_ms.tts as f64);
            }
            if turn.interrupted {
                self.state.metrics.count(Metric::Interruptions, &[]);
            }
            if let Some(decision) = &turn.decision {
                let route = serde_json::to_value(decision.route).ok();
                self.state.metrics.count(
                    Metric::Decisions,
                    &[route.as_ref().and_then(|v| v.as_str()).unwrap_or("unknown")],
                );
            }
        }
        if let Some(score) = record.survey {
            self.state
                .metrics
                .count(Metric::Surveys, &[&score.to_string()]);
        }
        if let Some(handoff) = &record.handoff {
            self.state
                .metrics
                .count(Metric::Transfers, &[&handoff.result]);
        }
        for action in &record.actions {
            let status = match action.status {
                ActionStatus::Done => "done",
                ActionStatus::Failed => "failed",
                ActionStatus::Unknown => "unknown",
                ActionStatus::DryRun => "dry_run",
            };
            self.state
                .metrics
                .count(Metric::Actions, &[&action.name, status]);
        }
    }
}

/// Calls this machine holds at once: recognition and voice take about a sixth of a core a call, and a burst must not queue.
pub fn capacity(config: &Config) -> usize {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    config.limits.calls.unwrap_or(cores * 8)
}

/// Whether this call is one of `percent` in a hundred; the same call always is, so that calls replay.
pub fn drawn(id: &str, percent: u32) -> bool {
    use sha2::{Digest, Sha256};
    let hash = Sha256::digest(id);
    u32::from(u16::from_be_bytes([hash[0], hash[1]])) * 100 / 65_536 < percent
}

/// The country of a language tag: `en-GB` is GB; a bare language has its largest number plan's.
pub fn country(language: &str) -> String {
    match language.split(['-', '_']).nth(1) {
        Some(region) if region.len() == 2 => region.to_uppercase(),
        _ => "US".into(),
    }
}

/// The desk's own wordings of the engine's sentences.
pub fn words(desk: &Desk, accept: char) -> Words {
    let accept = accept.to_string();
    Words::new(
        |key| desk.phrases.all(key).to_vec(),
        &[("accept", &accept), ("company", &desk.config.company)],
    )
}
