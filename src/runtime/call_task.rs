//! One call: its legs, its ears, its voice, its engine. One task owns them all; media crosses no channel.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval_at, sleep_until};

use crate::audio::mix::Mixer;
use crate::audio::playout::{Chunk, Playout};
use crate::audio::vad::{Gate, GateConfig, SpeechGate};
use crate::audio::{FRAME, MediaTime, RATE, tone};
use crate::call::rescue::{self, Fate};
use crate::call::{CALLER, Call, CallConfig, Command, Event, LegId, LegSignal, Mix, Note, Time};
use crate::desk::conversation::Conversation;
use crate::desk::{CallOutcome, Listen};
use crate::edge::{Leg, Signal};
use crate::speech::{Expect, Hints, VoiceActivity};
use crate::telemetry::Metric;

use super::leg::{meaning, quality};
use super::line::Shared;
use super::pool::{Control, Msg, Wanted, Work};
use super::under_way::UnderWay;

/// Messages to one call that may wait; a call that is this far behind loses the rest.
const INBOX: usize = 512;
/// The caller's sound that is kept for recognition.
const KEPT: usize = RATE as usize * 30;

const PARTY_CALLER: usize = 0;
const PARTY_HUMAN: usize = 1;
const PARTY_VOICE: usize = 2;
const PARTY_MUSIC: usize = 3;
const PARTY_BRIEF: usize = 4;

/// The last [`KEPT`] samples the caller sent, by position.
#[derive(Default)]
struct Kept {
    pcm: Vec<i16>,
    /// Position of the first sample kept.
    from: u64,
}

impl Kept {
    fn push(&mut self, pcm: &[i16]) {
        self.pcm.extend_from_slice(pcm);
        // Trimmed in large steps: moving half a minute of sound every 20 ms would be waste.
        if self.pcm.len() > KEPT + RATE as usize * 5 {
            let drop = self.pcm.len() - KEPT;
            self.pcm.drain(..drop);
            self.from += drop as u64;
        }
    }

    fn now(&self) -> MediaTime {
        MediaTime(self.from + self.pcm.len() as u64)
    }

    fn cut(&self, from: MediaTime, to: MediaTime) -> Vec<i16> {
        let at = |t: MediaTime| (t.0.saturating_sub(self.from) as usize).min(self.pcm.len());
        self.pcm[at(from)..at(to).max(at(from))].to_vec()
    }
}

/// Everything one call owns.
struct Task {
    shared: Arc<Shared>,
    id: String,
    call: Call<Conversation>,
    legs: HashMap<LegId, Box<dyn Leg>>,
    voices: HashMap<LegId, Playout>,
    under_way: UnderWay,
    clauses: HashMap<(u64, u32), Arc<[i16]>>,
    mixer: Mixer,
    music: tone::HoldMusic,
    hold: bool,
    bridged: Option<LegId>,
    vad: Box<dyn VoiceActivity>,
    gate: SpeechGate,
    kept: Kept,
    wanted: Arc<Wanted>,
    inbox: mpsc::Sender<Msg>,
    started: Instant,
    commands: Vec<Command<Conversation>>,
    over: bool,
    broken: bool,
    /// When the last tick began.
    ticked: Instant,
}

/// Runs a call from its INVITE to its record. The leg holds its place on the line.
pub async fn run(shared: Arc<Shared>, leg: Box<dyn Leg>) {
    let id = super::call_id();
    let info = leg.info();
    let (inbox, mut messages) = mpsc::channel(INBOX);
    let started_at = super::clock::now().to_string();
    let conversation = shared.conversation(&id, &info).await;
    let vad = match (shared.vad)() {
        Ok(vad) => vad,
        Err(why) => {
            tracing::error!(call = %id, "no voice detector: {why}");
            return;
        }
    };
    shared.recorder.begin(&id);
    shared.state.live.begin(&id, inbox.clone());
    let config = CallConfig {
        id: id.clone(),
        channel: info.channel.into(),
        from: info.from.clone(),
        to: info.to.clone(),
        started_at,
        targets: shared.call_targets(),
        queues: shared.call_queues(),
        split: crate::speech::spoken::clauses,
        words: shared.words.clone(),
    };
    let started = Instant::now();
    let mut commands = Vec::new();
    let call = Call::new(config, conversation, Time(0), &mut commands);
    let mut mixer = Mixer::new();
    mixer.set(PARTY_CALLER, PARTY_VOICE, 1.0);
    mixer.set(PARTY_HUMAN, PARTY_BRIEF, 1.0);
    let mut task = Task {
        shared: shared.clone(),
        id: id.clone(),
        call,
        legs: HashMap::from([(CALLER, leg)]),
        voices: HashMap::from([(CALLER, Playout::new())]),
        under_way: UnderWay::default(),
        clauses: HashMap::new(),
        mixer,
        music: tone::HoldMusic::new(),
        hold: false,
        bridged: None,
        vad,
        gate: SpeechGate::new(GateConfig {
            hangover_ms: 80,
            min_speech_ms: 60,
            lag_ms: 20,
            ..GateConfig::default()
        }),
        kept: Kept::default(),
        wanted: Arc::new(Wanted::default()),
        inbox,
        started,
        commands,
        over: false,
        broken: false,
        ticked: started,
    };
    shared.state.began(&task.call.record());
    task.shared.recorder.record(&id, task.call.record());
    task.obey();
    let mut ticks = interval_at(
        tokio::time::Instant::from_std(started),
        Duration::from_millis(20),
    );
    // A late tick is caught up, not skipped: the clock must not drift.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while !task.over {
        let deadline = task
            .call
            .deadline()
            .map_or(started + Duration::from_secs(3600), |d| {
                started + Duration::from_millis(d.0)
            });
        tokio::select! {
            biased;
            _ = ticks.tick() => task.tick(),
            Some(message) = messages.recv() => task.message(message),
            () = sleep_until(deadline.into()) => task.event(Event::Tick),
            () = shared.stopping.cancelled(), if !task.broken => {
                task.broken = true;
                task.event(Event::Shutdown);
            }
        }
    }
    task.wanted.over();
    // The legs' goodbyes (BYE) are on their way; what is left is paper.
    let mut record = task.call.record();
    record.ended_at = Some(super::clock::now().to_string());
    record.line = task.legs.get(&CALLER).map(|leg| quality(&leg.info()));
    drop(task);
    shared.state.live.end(&id);
    shared.state.ended(&record);
    shared.finish(record).await;
}

impl Task {
    fn now(&self) -> Time {
        Time(self.started.elapsed().as_millis() as u64)
    }

    /// 20 ms: hear every leg, tell the engine, speak to every leg.
    fn tick(&mut self) {
        let begun = Instant::now();
        let since = begun.duration_since(std::mem::replace(&mut self.ticked, begun));
        let mut said: HashMap<LegId, [i16; FRAME]> = HashMap::new();
        let legs: Vec<LegId> = self.legs.keys().copied().collect();
        for id in legs {
            let Some(leg) = self.legs.get_mut(&id) else {
                continue;
            };
            let inbound = leg.pull();
            said.insert(id, inbound.pcm);
            for signal in inbound.signals {
                let ended = matches!(signal, Signal::Ended(_));
                self.event(Event::Signal {
                    leg: id,
                    signal: meaning(signal),
                });
                if ended && id != CALLER {
                    self.legs.remove(&id);
                    self.voices.remove(&id);
                }
            }
        }
        let silence = [0; FRAME];
        let caller = said.get(&CALLER).copied().unwrap_or(silence);
        self.listen(&caller);
        let human_leg = self
            .bridged
            .filter(|leg| self.legs.contains_key(leg))
            .or_else(|| self.legs.keys().copied().find(|l| *l != CALLER));
        let human = human_leg
            .and_then(|leg| said.get(&leg))
            .copied()
            .unwrap_or(silence);
        let voice = self.voices.get_mut(&CALLER).map_or(silence, Playout::pull);
        let speaking = self.voices.get(&CALLER).is_some_and(|v| !v.is_empty());
        let music = if self.hold {
            self.music.pull()
        } else {
            silence
        };
        self.mixer.set(
            PARTY_CALLER,
            PARTY_MUSIC,
            if !self.hold {
                0.0
            } else if speaking {
                0.2
            } else {
                1.0
            },
        );
        let brief = human_leg
            .and_then(|leg| self.voices.get_mut(&leg))
            .map_or(silence, Playout::pull);
        let parties = [&caller, &human, &voice, &music, &brief];
        let to_caller = self.mixer.hear(PARTY_CALLER, &parties);
        let to_human = self.mixer.hear(PARTY_HUMAN, &parties);
        if let Some(leg) = self.legs.get_mut(&CALLER) {
            leg.push(&to_caller);
        }
        if let Some(leg) = human_leg.and_then(|leg| self.legs.get_mut(&leg)) {
            leg.push(&to_human);
        }
        self.shared.recorder.sound(&self.id, &caller, &to_caller);
        let (legs, under_way) = (&self.legs, &mut self.under_way);
        let heard = |(id, voice): (&LegId, &mut Playout)| {
            let open_ms = legs.get(id).map_or(0, |leg| leg.unheard_ms());
            under_way.tick(*id, voice.take_played(), open_ms)
        };
        let played: Vec<_> = self.voices.iter_mut().flat_map(heard).collect();
        for p in played {
            self.event(Event::Played {
                tag: p.tag,
                part: p.part,
                samples: p.samples,
            });
        }
        let took = begun.elapsed();
        if since > Duration::from_millis(50) || took > Duration::from_millis(10) {
            tracing::debug!(call = %self.id, since_last_ms = since.as_millis() as u64, took_ms = took.as_millis() as u64, "a frame was late: this machine is busy");
            self.shared.state.metrics.count(Metric::TicksLate, &[]);
        }
    }

    /// Voice activity on the caller's sound; speech that starts or ends is told with how long ago it was.
    fn listen(&mut self, pcm: &[i16; FRAME]) {
        let at = self.kept.now();
        self.kept.push(pcm);
        let p = self.vad.push(pcm);
        let now = self.kept.now();
        let ago = |at: MediaTime| MediaTime(now.0.saturating_sub(at.0)).as_ms();
        match self.gate.push(at, p) {
            Some(Gate::Start { at, .. }) => self.event(Event::VoiceStart {
                at,
                ago_ms: ago(at),
            }),
            Some(Gate::End { at }) => self.event(Event::VoiceEnd {
                at,
                ago_ms: ago(at),
            }),
            None => {}
        }
    }

    fn message(&mut self, message: Msg) {
        match message {
            Msg::Event(event) => self.event(event),
            Msg::Clause { tag, part, pcm, ms } => self.clause(tag, part, pcm, ms),
            Msg::Control(Control::End) => self.event(Event::Shutdown),
        }
    }

    fn clause(&mut self, tag: u64, part: u32, pcm: Result<Arc<[i16]>, String>, ms: u64) {
        let result = pcm.map(|pcm| {
            let samples = pcm.len() as u64;
            self.clauses.insert((tag, part), pcm);
            samples
        });
        self.event(Event::Clause {
            tag,
            part,
            result,
            ms,
        });
    }

    /// Gives the engine an event and does what it says. A panic in it brings this caller to a human, and touches no other call.
    fn event(&mut self, event: Event<Conversation>) {
        let now = self.now();
        match rescue::handle(&mut self.call, now, event, &mut self.commands) {
            Fate::Fine => {}
            Fate::Rescued => {
                tracing::error!(call = %self.id, "the conversation engine failed; the caller goes to a human");
            }
            Fate::Lost => {
                tracing::error!(call = %self.id, "the conversation engine failed twice; the call is ended");
                for leg in self.legs.values_mut() {
                    leg.hangup(500, "internal error");
                }
                self.over = true;
                return;
            }
        }
        self.obey();
    }

    fn obey(&mut self) {
        while !self.commands.is_empty() {
            for command in std::mem::take(&mut self.commands) {
                self.command(command);
            }
        }
    }

    fn command(&mut self, command: Command<Conversation>) {
        match command {
            Command::Ring => self.with_leg(CALLER, |leg| leg.ring()),
            Command::Answer => self.with_leg(CALLER, |leg| leg.answer()),
            Command::Hangup { leg, code, reason } => {
                self.with_leg(leg, |l| l.hangup(code, &reason));
                if leg != CALLER {
                    self.legs.remove(&leg);
                    self.voices.remove(&leg);
                }
            }
            Command::Transcribe {
                attempt,
                from,
                to,
                listen,
            } => {
                self.wanted.newest(attempt);
                let pcm = self.kept.cut(from, to);
                let work = Work::Transcribe {
                    attempt,
                    pcm,
                    hints: self.hints(listen),
                };
                self.shared.pool.submit(work, &self.wanted, &self.inbox);
            }
            Command::Abandon { attempt } => self.wanted.newest(attempt + 1),
            Command::Decide {
                attempt,
                mind,
                text,
                keyed,
                evidence,
            } => {
                self.wanted.newest(attempt);
                let work = Work::Decide {
                    attempt,
                    mind,
                    text,
                    keyed,
                    evidence,
                };
                self.shared.pool.submit(work, &self.wanted, &self.inbox);
            }
            Command::Synthesize {
                tag,
                part,
                text,
                urgent,
            } => match self.shared.pool.voice().ready(&text) {
                Some(pcm) => {
                    let _ = self.inbox.try_send(Msg::Clause {
                        tag,
                        part,
                        pcm: Ok(pcm),
                        ms: 0,
                    });
                }
                None => {
                    // The disk may have it: read beside the call, not in its tick.
                    let (pool, wanted) = (self.shared.pool.clone(), self.wanted.clone());
                    let inbox = self.inbox.clone();
                    tokio::task::spawn_blocking(move || match pool.voice().kept(&text) {
                        Some(pcm) => {
                            let _ = inbox.try_send(Msg::Clause {
                                tag,
                                part,
                                pcm: Ok(pcm),
                                ms: 0,
                            });
                        }
                        None => {
                            let work = Work::Synthesize {
                                tag,
                                part,
                                text,
                                urgent,
                            };
                            pool.submit(work, &wanted, &inbox);
                        }
                    });
                }
            },
            Command::Queue { leg, tag, part } => {
                if let (Some(voice), Some(pcm)) =
                    (self.voices.get_mut(&leg), self.clauses.get(&(tag, part)))
                {
                    voice.push(Chunk {
                        tag,
                        part,
                        pcm: pcm.to_vec(),
                    });
                }
            }
            Command::Pause { leg } => self.with_voice(leg, Playout::pause),
            Command::Resume { leg } => self.with_voice(leg, Playout::resume),
            Command::Stop { leg } => {
                self.with_voice(leg, |voice| {
                    voice.clear_all();
                    voice.resume();
                });
                self.with_leg(leg, |l| {
                    l.clear();
                });
                self.under_way.cleared(leg);
            }
            Command::Forget { tag } => {
                self.wanted.forget(tag);
                self.clauses.retain(|(t, _), _| *t != tag);
            }
            Command::Perform(request) => self.perform(request),
            Command::Dial { leg, target } => self.dial(leg, &target),
            Command::Mix(mix) => self.mix(mix),
            Command::Chime { leg } => {
                let pcm = tone::chime();
                self.with_voice(leg, |voice| {
                    voice.push(Chunk {
                        tag: u64::MAX,
                        part: 0,
                        pcm,
                    })
                });
            }
            Command::Packet(handoff) => self.shared.packet(self.call.record(), *handoff),
            Command::Callback(callback) => self.shared.callback(&self.id, *callback),
            Command::Note(note) => self.note(&note),
            Command::Over => self.over = true,
        }
    }

    fn with_leg(&mut self, leg: LegId, act: impl FnOnce(&mut dyn Leg)) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            act(leg.as_mut());
        }
    }

    fn with_voice(&mut self, leg: LegId, act: impl FnOnce(&mut Playout)) {
        if let Some(voice) = self.voices.get_mut(&leg) {
            act(voice);
        }
    }

    fn hints(&self, listen: Listen) -> Hints {
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
            prompt: None,
            language: Some(self.shared.language.clone()),
        }
    }

    fn perform(&self, request: crate::desk::Request) {
        let (shared, inbox, id) = (self.shared.clone(), self.inbox.clone(), self.id.clone());
        tokio::spawn(async move {
            let number = request.id;
            let outcome = shared.perform(&id, &request).await;
            let _ = inbox
                .send(Msg::Event(Event::Done {
                    request: number,
                    outcome,
                }))
                .await;
        });
    }

    fn dial(&mut self, leg: LegId, target: &str) {
        match self.shared.dial(target, self.call.record().from.as_deref()) {
            Ok(dialled) => {
                self.legs.insert(leg, dialled);
                self.voices.insert(leg, Playout::new());
            }
            Err(why) => {
                tracing::warn!(call = %self.id, "cannot call {target}: {why}");
                let signal = LegSignal::Ended {
                    outcome: "unreachable",
                    detail: why,
                    by_remote: false,
                };
                let _ = self
                    .inbox
                    .try_send(Msg::Event(Event::Signal { leg, signal }));
            }
        }
    }

    fn mix(&mut self, mix: Mix) {
        self.hold = mix == Mix::Hold;
        let joined = mix == Mix::Bridge;
        self.bridged = joined
            .then(|| self.legs.keys().copied().find(|l| *l != CALLER))
            .flatten();
        let gain = if joined { 1.0 } else { 0.0 };
        self.mixer.set(PARTY_CALLER, PARTY_HUMAN, gain);
        self.mixer.set(PARTY_HUMAN, PARTY_CALLER, gain);
    }

    fn note(&mut self, note: &Note) {
        let at = self.now().0;
        let Ok(value) = serde_json::to_value(note) else {
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
            Note::Heard { .. } | Note::RequestDone { .. } | Note::Transfer { .. }
        ) {
            let record = self.call.record();
            self.shared.state.changed(&record);
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
