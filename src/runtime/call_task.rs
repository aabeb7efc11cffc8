//! One call: its legs, its ears, its voice, its engine. One task owns them all; media crosses no channel.

mod meter;
mod parties;
mod pieces;
mod written;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval_at, sleep_until};

use crate::audio::playout::{Chunk, Playout};
use crate::audio::{FRAME, MediaTime, RATE, tone};
use crate::call::rescue::{self, Fate};
use crate::call::{
    CALLER, Call, CallConfig, CallbackResult, Command, Event, LegId, Pilot, Promised, Time,
};
use crate::config;
use crate::desk::conversation::Conversation;
use crate::edge::http::Both;
use crate::edge::{Leg, LegInfo, Signal};
use crate::telemetry::Metric;

use super::ear::Ear;
use super::inputs::Input;
use super::leg::meaning;
use super::line::Shared;
use super::pool::Msg;
use super::sound::{Said, Sound};
use super::under_way::UnderWay;
use super::veil::Veil;
use super::work::{Wanted, Work};

/// Messages to one call that may wait; a call that is this far behind loses the rest.
const INBOX: usize = 512;

/// Our voice while something is heard that may become the caller's: 12 dB down.
const DUCKED: f32 = 0.25;

/// Everything one call owns.
struct Task {
    shared: Arc<Shared>,
    id: String,
    call: Call<Conversation>,
    legs: HashMap<LegId, Box<dyn Leg>>,
    voices: HashMap<LegId, Playout>,
    under_way: UnderWay,
    clauses: HashMap<(u64, u32), Arc<[i16]>>,
    /// Clauses that are played while they are made.
    pieces: pieces::Pieces,
    sound: Sound,
    caller: Ear,
    /// Humans who are, or were, listened to.
    ears: HashMap<LegId, Ear>,
    /// Whom each human leg rings.
    humans: HashMap<LegId, String>,
    /// Taken by this human.
    taken: Option<LegId>,
    /// What is to be told to the engine when the commands under way are done.
    after: VecDeque<Event<Conversation>>,
    wanted: Arc<Wanted>,
    inbox: mpsc::Sender<Msg>,
    started: Instant,
    commands: Vec<Command<Conversation>>,
    /// Who listens in at the console.
    listeners: Vec<mpsc::Sender<Both>>,
    /// Legs of colleagues at the console who are about to take the call, by whom the engine dials.
    offered: HashMap<String, Box<dyn Leg>>,
    over: bool,
    broken: bool,
    /// What is kept out of what is stored.
    veil: Veil,
    /// The last sound that left, not yet in the trail: only the last of many in a row says anything.
    played: Option<(Time, Input)>,
    /// Sound is kept.
    recording: bool,
    /// When the last tick began.
    ticked: Instant,
    meter: meter::Meter,
    /// What a human said that is to be kept, until its words are known: attempt, name, sound.
    to_keep: Option<(u64, String, Vec<i16>)>,
}

/// Runs a call from its INVITE to its record. The leg holds its place on the line.
pub async fn run(shared: Arc<Shared>, leg: Box<dyn Leg>) {
    let id = super::call_id();
    let info = shared.known(leg.info());
    let (conversation, pilot) = shared.conversation(&id, &info).await;
    let Some((mut task, messages)) = Task::begin(&shared, &id, &info, pilot, |config, commands| {
        Call::new(config, conversation, Time(0), commands)
    }) else {
        return;
    };
    task.legs.insert(CALLER, leg);
    drive(shared, task, messages).await;
}

/// Runs a call of our own, to keep a promise: what became of it (none: it was stopped), and the call's id.
pub async fn run_callback(
    shared: Arc<Shared>,
    promised: Promised,
) -> (Option<CallbackResult>, String) {
    let id = super::call_id();
    let info = LegInfo {
        channel: "sip",
        from: Some(shared.own_number.clone()),
        to: Some(promised.callback.number.clone()),
        ..LegInfo::default()
    };
    let (conversation, _) = shared.conversation(&id, &info).await;
    let begun = Task::begin(&shared, &id, &info, Pilot::default(), |config, commands| {
        Call::call_back(config, conversation, promised, Time(0), commands)
    });
    match begun {
        Some((task, messages)) => (drive(shared, task, messages).await, id),
        None => (None, id),
    }
}

/// From the first command to the record.
async fn drive(
    shared: Arc<Shared>,
    mut task: Task,
    mut messages: mpsc::Receiver<Msg>,
) -> Option<CallbackResult> {
    let id = task.id.clone();
    let _watch = meter::watch(&shared, &id);
    let started = task.started;
    shared.state.began(&task.call.record());
    task.shared.recorder.record(&id, task.call.record());
    shared.is_up(task.call.record());
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
    task.meter_legs();
    for leg in task.humans.keys().copied().collect::<Vec<_>>() {
        task.human_gone(leg);
    }
    // The legs' goodbyes (BYE) are on their way; what is left is paper.
    let mut record = task.kept();
    record.ended_at = Some(super::clock::after(
        &record.started_at,
        task.started.elapsed(),
    ));
    record.line = task.line();
    let result = task.call.callback_result();
    drop(task);
    shared.state.live.end(&id);
    shared.state.ended(&record);
    shared.finish(record).await;
    result
}

impl Task {
    fn begin(
        shared: &Arc<Shared>,
        id: &str,
        info: &LegInfo,
        pilot: Pilot,
        call: impl FnOnce(CallConfig, &mut Vec<Command<Conversation>>) -> Call<Conversation>,
    ) -> Option<(Self, mpsc::Receiver<Msg>)> {
        let (inbox, messages) = mpsc::channel(INBOX);
        let vad = match (shared.vad)() {
            Ok(vad) => vad,
            Err(why) => {
                tracing::error!(call = %id, "no voice detector: {why}");
                return None;
            }
        };
        let free = shared.consent_of(info) == config::Consent::None;
        shared.recorder.begin(id, free);
        shared.state.live.begin(id, inbox.clone());
        let started_at = super::clock::now().to_string();
        let config = CallConfig {
            id: id.into(),
            channel: info.channel.into(),
            from: info.from.clone(),
            to: info.to.clone(),
            started_at: started_at.clone(),
            accept_key: shared.accept_key,
            // A draft is compared with what the human said: that is in the notes.
            notes: shared.notes || shared.pilot.shadow().is_some(),
            release: shared.release || (shared.conference && info.channel == "twilio"),
            split: crate::speech::spoken::clauses,
            words: shared.words.clone(),
            pilot,
        };
        let started = Instant::now();
        let mut commands = Vec::new();
        let call = call(config, &mut commands);
        let task = Self {
            shared: shared.clone(),
            id: id.into(),
            call,
            legs: HashMap::new(),
            voices: HashMap::from([(CALLER, Playout::new())]),
            under_way: UnderWay::default(),
            clauses: HashMap::new(),
            pieces: pieces::Pieces::default(),
            sound: Sound::default(),
            caller: Ear::new(vad),
            ears: HashMap::new(),
            humans: HashMap::new(),
            taken: None,
            after: VecDeque::new(),
            wanted: Arc::new(Wanted::default()),
            inbox,
            started,
            commands,
            listeners: Vec::new(),
            offered: HashMap::new(),
            over: false,
            broken: false,
            veil: Veil::new(shared.redactor.clone()),
            played: None,
            recording: free,
            ticked: started,
            meter: meter::Meter::default(),
            to_keep: None,
        };
        task.write_begin(info, &started_at);
        Some((task, messages))
    }

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
                    self.human_gone(id);
                }
            }
        }
        self.meter();
        let silence = [0; FRAME];
        let caller = said.get(&CALLER).copied().unwrap_or(silence);
        self.listen(&said);
        let voice = self.voices.get_mut(&CALLER).map_or(silence, Playout::pull);
        let everything = Said {
            by: &said,
            voice,
            speaking: self.voices.get(&CALLER).is_some_and(|v| !v.is_empty()),
        };
        self.sound.tick();
        let mut to_caller = silence;
        for (id, leg) in &mut self.legs {
            let aside = match self.voices.get_mut(id) {
                Some(voice) if *id != CALLER => voice.pull(),
                _ => silence,
            };
            let heard = self.sound.heard_by(*id, &everything, &aside);
            leg.push(&heard);
            if *id == CALLER {
                to_caller = heard;
            }
        }
        self.caller.sent(&to_caller);
        self.shared.recorder.sound(&self.id, &caller, &to_caller);
        // A listener who falls behind misses a piece; one who has left is forgotten.
        self.listeners.retain(|to| {
            !matches!(
                to.try_send([caller, to_caller]),
                Err(mpsc::error::TrySendError::Closed(_))
            )
        });
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

    fn message(&mut self, message: Msg) {
        match message {
            Msg::Event(event) => self.event(event),
            Msg::Clause { tag, part, pcm, ms } => self.clause(tag, part, pcm, ms),
            Msg::Piece {
                tag,
                part,
                pcm,
                about,
                ms,
            } => self.piece((tag, part), pcm, about, ms),
            Msg::Control(control) => self.control(control),
        }
    }

    /// Gives the engine an event and does what it says. A panic in it brings this caller to a human, and touches no other call.
    fn event(&mut self, event: Event<Conversation>) {
        let now = self.now();
        let (looked_up, played) = self.before(now, &event);
        let fate = rescue::handle(&mut self.call, now, event, &mut self.commands);
        meter::count(fate, &self.shared.state.metrics);
        match fate {
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
        if let Some(input) = played {
            self.played = Some((now, input));
            if !self.commands.is_empty() {
                self.write_played();
            }
        }
        if looked_up {
            self.veil.learn(self.call.mind());
        }
        self.obey();
        self.look_at_consent();
    }

    fn obey(&mut self) {
        while !self.commands.is_empty() {
            for command in std::mem::take(&mut self.commands) {
                self.command(command);
            }
        }
        while let Some(event) = self.after.pop_front() {
            self.event(event);
        }
    }

    fn command(&mut self, command: Command<Conversation>) {
        match command {
            Command::Ring => self.with_leg(CALLER, |leg| leg.ring()),
            Command::Answer => self.with_leg(CALLER, |leg| leg.answer()),
            Command::Hangup { leg, code, reason } => {
                self.with_leg(leg, |l| l.hangup(code, &reason));
                if leg != CALLER {
                    self.human_gone(leg);
                }
            }
            Command::Transcribe {
                attempt,
                from,
                to,
                listen,
                early,
            } => {
                self.wanted.newest(attempt);
                let pcm = self.caller.cut(from, to);
                let work = Work::Transcribe {
                    attempt,
                    pcm,
                    hints: self.hints(listen),
                    early,
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
                early,
            } => {
                self.wanted.newest(attempt);
                let work = Work::Decide {
                    attempt,
                    mind,
                    text,
                    keyed,
                    evidence,
                    early,
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
            Command::Queue { leg, tag, part } => self.queue(leg, (tag, part)),
            Command::Judge { attempt, from, to } => {
                // Only the last eight seconds count.
                let from = from.max(MediaTime(to.0.saturating_sub(u64::from(RATE) * 8)));
                let pcm = self.caller.cut(from, to);
                let work = Work::Judge { attempt, pcm };
                self.shared.pool.submit(work, &self.wanted, &self.inbox);
            }
            Command::Warm { text } => {
                if self.shared.pool.voice().ready(&text).is_none() {
                    self.shared
                        .pool
                        .submit(Work::Warm { text }, &self.wanted, &self.inbox);
                }
            }
            Command::LookUp { ticket, request } => self.look_up(ticket, request),
            Command::Duck { leg, on } => {
                self.with_voice(leg, |voice| voice.duck(if on { DUCKED } else { 1.0 }));
            }
            Command::Pause { leg } => self.with_voice(leg, Playout::pause),
            Command::Resume { leg } => self.with_voice(leg, Playout::resume),
            Command::Stop { leg } => {
                self.pieces.stopped(leg);
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
                self.pieces.forget(tag);
            }
            Command::Perform(request) => self.perform(request),
            Command::Plan(handoff) => {
                let plan = self.shared.plan(&handoff);
                self.after.push_back(Event::Planned(plan));
            }
            Command::Dial { leg, target } => self.dial(leg, &target),
            Command::Mix(mix) => self.mix(mix),
            Command::Refer { to } => self.refer(to),
            Command::Referred { leg, code } => self.with_leg(leg, |l| l.referred(code)),
            Command::DialOn { leg, to, by } => self.dial_on(leg, &to, by),
            Command::Attend { leg, on } => self.attend(leg, on),
            Command::Understand {
                attempt,
                leg,
                from,
                to,
                keep,
            } => self.understand(attempt, leg, (from, to), keep),
            Command::Consult {
                attempt,
                question,
                record,
            } => {
                let work = Work::Consult {
                    attempt,
                    question,
                    record,
                    desk: self.shared.desk.clone(),
                };
                self.shared.pool.submit(work, &self.wanted, &self.inbox);
            }
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
            Command::Review(draft) => {
                let shared = &self.shared;
                shared
                    .state
                    .review_wanted(&shared.pilot, &self.id, &draft, &self.veil);
            }
            Command::ReviewOver { number, verdict } => {
                let shared = &self.shared;
                shared
                    .state
                    .review_over(&shared.pilot, &self.id, number, &verdict, &self.veil);
            }
            Command::Refuse { target } => {
                if let Some(mut leg) = self.offered.remove(&target) {
                    leg.hangup(480, "the call cannot be taken now");
                }
            }
            Command::Packet(handoff) => self.shared.packet(self.kept(), *handoff),
            Command::Callback(callback) => {
                let redactor = self.veil.redactor.clone();
                self.shared.callback(&self.id, *callback, redactor);
            }
            Command::Press { leg, key } => self.with_leg(leg, |l| l.send_digit(key)),
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
}
