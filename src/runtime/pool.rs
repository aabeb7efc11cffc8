//! The inference pool: as many workers as cores, each with its own engine states over shared weights, behind the calls'
//! own threads: the 20 ms tick is never late because somebody is being understood.
//! Jobs have priorities (decide, then recognise, then the first clause, then the rest) and a deadline. A job whose call has moved
//! on is skipped when its turn comes. The queue is bounded: beyond it a job fails at once as busy.

use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::call::{Event, Heard, Order};
use crate::desk::conversation::Conversation;
use crate::desk::{CallRecord, Desk, HeardEvidence, Said, entity};
use crate::edge::Leg;
use crate::edge::http::Both;
use crate::reason::Embedder;
use crate::speech::{Expect, Hints, Stopper, Synthesizer, Transcriber};

use super::live::Live;
use super::model::Models;
use super::voice::Voice;

/// One worker's engines.
pub struct Engines {
    pub transcriber: Box<dyn Transcriber>,
    pub synthesizer: Box<dyn Synthesizer>,
    pub embedder: Option<Box<dyn Embedder>>,
}

/// What a worker sends to a call.
#[derive(Debug)]
pub enum Msg {
    Event(Event<Conversation>),
    /// The sound of a clause, mono at 16 kHz.
    Clause {
        tag: u64,
        part: u32,
        pcm: Result<Arc<[i16]>, String>,
        ms: u64,
    },
    /// A watcher asks for something.
    Control(Control),
}

/// What a watcher may ask of a live call.
pub enum Control {
    End,
    /// Something for the conversation's engine.
    Order(Order),
    /// Both sides, 20 ms at a time, until the other end is dropped.
    Listen(mpsc::Sender<Both>),
    /// A colleague at the console takes the call on this leg; the engine dials `target` for it.
    Take {
        target: String,
        name: String,
        leg: Box<dyn Leg>,
    },
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Control::End => f.write_str("End"),
            Control::Order(order) => f.debug_tuple("Order").field(order).finish(),
            Control::Listen(_) => f.write_str("Listen"),
            Control::Take { name, .. } => f.debug_tuple("Take").field(name).finish(),
        }
    }
}

/// What of a call's work is still wanted; shared with its queued jobs.
#[derive(Default)]
pub struct Wanted {
    /// The newest attempt at the caller's words.
    attempt: AtomicU64,
    forgotten: Mutex<HashSet<u64>>,
    over: AtomicBool,
    /// The attempt that a worker is recognising, and how to stop it.
    recognising: Mutex<Option<(u64, Stopper)>>,
}

impl Wanted {
    /// Attempts before this one are worthless; one that is being recognised is stopped, and frees its worker.
    pub fn newest(&self, attempt: u64) {
        self.attempt.fetch_max(attempt, Ordering::Relaxed);
        let at_work = self.at_work();
        if let Some((older, stop)) = at_work.as_ref()
            && *older < attempt
        {
            stop();
        }
    }
    fn at_work(&self) -> std::sync::MutexGuard<'_, Option<(u64, Stopper)>> {
        self.recognising
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
    pub fn forget(&self, tag: u64) {
        self.forgotten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(tag);
    }
    pub fn over(&self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some((_, stop)) = self.at_work().as_ref() {
            stop();
        }
    }
    fn wants(&self, work: &Work) -> bool {
        if self.over.load(Ordering::Relaxed) {
            return false;
        }
        match work {
            Work::Transcribe { attempt, .. } | Work::Decide { attempt, .. } => {
                *attempt >= self.attempt.load(Ordering::Relaxed)
            }
            Work::Understand { .. } | Work::Consult { .. } => true,
            Work::Synthesize { tag, .. } => !self
                .forgotten
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(tag),
        }
    }
}

/// One piece of work.
pub enum Work {
    Transcribe {
        attempt: u64,
        pcm: Vec<i16>,
        hints: Hints,
    },
    Decide {
        attempt: u64,
        mind: Box<Conversation>,
        text: String,
        keyed: Option<String>,
        evidence: Option<HeardEvidence>,
    },
    /// What a human says, or a caller says to a human.
    Understand {
        attempt: u64,
        pcm: Vec<i16>,
        hints: Hints,
    },
    /// A human's question about a call.
    Consult {
        attempt: u64,
        question: String,
        record: Box<CallRecord>,
        desk: Arc<Desk>,
    },
    Synthesize {
        tag: u64,
        part: u32,
        text: String,
        urgent: bool,
    },
}

impl Work {
    fn priority(&self) -> u8 {
        match self {
            Work::Decide { .. } => 5,
            Work::Transcribe { .. } | Work::Consult { .. } => 4,
            Work::Understand { .. } => 3,
            Work::Synthesize {
                urgent: true,
                part: 0,
                ..
            } => 4,
            Work::Synthesize { urgent: true, .. } => 3,
            Work::Synthesize { .. } => 2,
        }
    }
}

struct Job {
    priority: u8,
    seq: u64,
    since: Instant,
    work: Work,
    wanted: Arc<Wanted>,
    to: Option<mpsc::Sender<Msg>>,
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        self.seq == other.seq
    }
}
impl Eq for Job {}
impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Job {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.priority
            .cmp(&other.priority)
            .then(other.seq.cmp(&self.seq))
    }
}

const LONGEST_QUEUE: usize = 512;
const OLDEST: Duration = Duration::from_secs(12);
const IDLE_LOOK: Duration = Duration::from_millis(500);

struct Queue {
    jobs: Mutex<(BinaryHeap<Job>, u64, bool)>,
    ready: Condvar,
    voice: Arc<Voice>,
    /// Clauses to be made when nobody is on the line.
    warm: Mutex<VecDeque<String>>,
    live: Arc<Live>,
    /// The language models, and what they run on.
    models: Option<(Arc<Models>, tokio::runtime::Handle)>,
    /// Workers at work: a recognition that has the machine to itself may use a second core.
    busy: AtomicUsize,
}

/// A handle; cheap to clone.
#[derive(Clone)]
pub struct Pool {
    queue: Arc<Queue>,
}

impl Pool {
    /// Starts `workers` threads; `make` is run in each. An engine that cannot be made is the error, and no thread is left.
    pub fn start(
        workers: usize,
        voice: Arc<Voice>,
        live: Arc<Live>,
        models: Option<(Arc<Models>, tokio::runtime::Handle)>,
        make: impl Fn() -> Result<Engines, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let queue = Arc::new(Queue {
            jobs: Mutex::new((BinaryHeap::new(), 0, false)),
            ready: Condvar::new(),
            voice,
            warm: Mutex::default(),
            live,
            models,
            busy: AtomicUsize::new(0),
        });
        let make = Arc::new(make);
        let (started, outcome) = std::sync::mpsc::sync_channel::<Result<(), String>>(workers);
        for n in 0..workers {
            let (queue, make, started) = (queue.clone(), make.clone(), started.clone());
            std::thread::Builder::new()
                .name(format!("infer-{n}"))
                .spawn(move || {
                    super::priority::behind_calls();
                    match make() {
                        Ok(engines) => {
                            let _ = started.send(Ok(()));
                            work(&queue, engines);
                        }
                        Err(why) => {
                            let _ = started.send(Err(why));
                        }
                    }
                })
                .map_err(|e| format!("cannot start an inference thread: {e}"))?;
        }
        let pool = Self { queue };
        for _ in 0..workers {
            if let Err(why) = outcome
                .recv()
                .unwrap_or_else(|_| Err("an inference thread died at start".into()))
            {
                pool.stop();
                return Err(why);
            }
        }
        Ok(pool)
    }

    pub fn voice(&self) -> &Arc<Voice> {
        &self.queue.voice
    }

    /// Queues work for a call; its result comes as a [`Msg`]. Never waits.
    pub fn submit(&self, work: Work, wanted: &Arc<Wanted>, to: &mpsc::Sender<Msg>) {
        self.push(work, wanted.clone(), Some(to.clone()));
    }

    /// Queues a clause to be synthesised when nothing else is to be done.
    pub fn warm(&self, text: String) {
        self.queue
            .warm
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(text);
        self.queue.ready.notify_one();
    }

    /// Jobs waiting.
    pub fn waiting(&self) -> usize {
        self.lock().0.len()
    }

    pub fn stop(&self) {
        self.lock().2 = true;
        self.queue.ready.notify_all();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (BinaryHeap<Job>, u64, bool)> {
        self.queue
            .jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, work: Work, wanted: Arc<Wanted>, to: Option<mpsc::Sender<Msg>>) {
        let mut guard = self.lock();
        if guard.0.len() >= LONGEST_QUEUE {
            drop(guard);
            if let Some(to) = to {
                let _ = to.try_send(failed(&work, "busy"));
            }
            return;
        }
        let seq = guard.1;
        guard.1 += 1;
        guard.0.push(Job {
            priority: work.priority(),
            seq,
            since: Instant::now(),
            work,
            wanted,
            to,
        });
        drop(guard);
        self.queue.ready.notify_one();
    }
}

fn work(queue: &Queue, mut engines: Engines) {
    loop {
        let job = {
            let mut guard = queue.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if guard.2 {
                    return;
                }
                if let Some(job) = guard.0.pop() {
                    break job;
                }
                if queue.live.active() == 0 {
                    let warm = queue
                        .warm
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .pop_front();
                    if let Some(text) = warm {
                        drop(guard);
                        let _ = queue.voice.clause(&text, engines.synthesizer.as_mut());
                        guard = queue.jobs.lock().unwrap_or_else(PoisonError::into_inner);
                        continue;
                    }
                }
                // Looks up now and then: the line may have fallen quiet with clauses still to be made.
                guard = queue
                    .ready
                    .wait_timeout(guard, IDLE_LOOK)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
        };
        if !job.wanted.wants(&job.work) {
            continue;
        }
        // Alone at work: a second core halves the wait. With company, spinning threads only get in each other's way.
        let threads = if queue.busy.fetch_add(1, Ordering::Relaxed) == 0 && queue.live.active() <= 1
        {
            2
        } else {
            1
        };
        let late = job.to.is_some() && job.since.elapsed() > OLDEST;
        let started = Instant::now();
        let recognises = match job.work {
            Work::Transcribe { attempt, .. } => Some(attempt),
            _ => None,
        };
        // A panic in an engine costs this job; the call hears of it and goes on.
        let msg = if late {
            failed(&job.work, "busy")
        } else {
            let failure = failed(&job.work, "the engine failed");
            if let (Work::Transcribe { attempt, .. }, Some(stop)) =
                (&job.work, engines.transcriber.stopper())
            {
                *job.wanted.at_work() = Some((*attempt, stop));
            }
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                perform(job.work, &mut engines, &queue.voice, started, threads)
            }))
            .unwrap_or(failure)
        };
        queue.busy.fetch_sub(1, Ordering::Relaxed);
        if let Some(attempt) = recognises {
            // Another worker may have begun a newer attempt meanwhile.
            job.wanted.at_work().take_if(|(a, _)| *a == attempt);
        }
        if let Some(to) = job.to {
            send(queue, msg, to);
        }
    }
}

/// The result goes to its call; a reply that a language model may word goes by way of it, and keeps no worker waiting.
fn send(queue: &Queue, msg: Msg, to: mpsc::Sender<Msg>) {
    match (msg, &queue.models) {
        (
            Msg::Event(Event::Decided {
                attempt,
                mut mind,
                mut reply,
                ms,
            }),
            Some((models, runtime)),
        ) if mind.prompt().is_some() => {
            let models = models.clone();
            runtime.spawn(async move {
                let began = Instant::now();
                models.word(&mut mind, &mut reply).await;
                let ms = ms + began.elapsed().as_millis() as u64;
                let _ = to.try_send(Msg::Event(Event::Decided {
                    attempt,
                    mind,
                    reply,
                    ms,
                }));
            });
        }
        (msg, _) => {
            let _ = to.try_send(msg);
        }
    }
}

/// `threads`: cores this job may use.
fn perform(
    work: Work,
    engines: &mut Engines,
    voice: &Voice,
    started: Instant,
    threads: usize,
) -> Msg {
    let ms = |started: Instant| started.elapsed().as_millis() as u64;
    match work {
        Work::Transcribe {
            attempt,
            pcm,
            hints,
        } => {
            let result = recognise(engines, &pcm, &hints, started, threads);
            Msg::Event(Event::Transcribed { attempt, result })
        }
        Work::Understand {
            attempt,
            pcm,
            hints,
        } => {
            let result = recognise(engines, &pcm, &hints, started, threads);
            Msg::Event(Event::HumanHeard { attempt, result })
        }
        Work::Consult {
            attempt,
            question,
            record,
            desk,
        } => {
            let mut embed = |texts: &[&str]| match &mut engines.embedder {
                Some(embedder) => embedder.embed(texts).unwrap_or_default(),
                None => Vec::new(),
            };
            let answer = crate::desk::consult(&desk, &question, &record, &mut embed);
            Msg::Event(Event::Consulted { attempt, answer })
        }
        Work::Decide {
            attempt,
            mut mind,
            text,
            keyed,
            evidence,
        } => {
            let vector = match &mut engines.embedder {
                Some(embedder) if !text.is_empty() => embedder
                    .read(&[text.as_str()])
                    .ok()
                    .and_then(|mut v| v.pop())
                    .unwrap_or_default(),
                _ => Vec::new(),
            };
            let parts = match &mut engines.embedder {
                Some(embedder) => matters(&text, embedder.as_mut()),
                None => Vec::new(),
            };
            let said = Said {
                text,
                vector,
                parts,
                keyed,
                heard: evidence,
                now: super::clock::now(),
            };
            let reply = mind.hear(&said);
            Msg::Event(Event::Decided {
                attempt,
                mind,
                reply: Box::new(reply),
                ms: ms(started),
            })
        }
        Work::Synthesize {
            tag, part, text, ..
        } => {
            let pcm = voice.clause(&text, engines.synthesizer.as_mut());
            Msg::Clause {
                tag,
                part,
                pcm,
                ms: ms(started),
            }
        }
    }
}

fn recognise(
    engines: &mut Engines,
    pcm: &[i16],
    hints: &Hints,
    started: Instant,
    threads: usize,
) -> Result<Heard, String> {
    engines.transcriber.use_threads(threads);
    let t = engines
        .transcriber
        .transcribe(pcm, hints)
        .map_err(|e| e.to_string())?;
    let worst_word = t.words.iter().map(|w| w.p).fold(1.0_f32, f32::min);
    let evidence = HeardEvidence {
        avg_logprob: t.avg_logprob,
        no_speech: t.no_speech,
        worst_word,
    };
    // What is shown and kept is what was meant: "6.0. 6.1.4." is 60614.
    let text = match hints.expect {
        Some(Expect::Digits | Expect::Postcode) => entity::figures_alone(&t.text).unwrap_or(t.text),
        _ => t.text,
    };
    Ok(Heard {
        text,
        evidence,
        ms: started.elapsed().as_millis() as u64,
    })
}

fn failed(work: &Work, why: &str) -> Msg {
    match work {
        // Without an answer the question is said not to have been heard.
        Work::Understand { attempt, .. } | Work::Consult { attempt, .. } => {
            Msg::Event(Event::HumanHeard {
                attempt: *attempt,
                result: Err(why.into()),
            })
        }
        Work::Transcribe { attempt, .. } => Msg::Event(Event::Transcribed {
            attempt: *attempt,
            result: Err(why.into()),
        }),
        Work::Decide { attempt, .. } => Msg::Event(Event::Transcribed {
            attempt: *attempt,
            result: Err(why.into()),
        }),
        Work::Synthesize { tag, part, .. } => Msg::Clause {
            tag: *tag,
            part: *part,
            pcm: Err(why.into()),
            ms: 0,
        },
    }
}

/// Vectors of the matters of one utterance; none where it is one.
pub(crate) fn matters(text: &str, embedder: &mut dyn Embedder) -> Vec<Vec<f32>> {
    let parts = crate::desk::inquiry::context::matters(text);
    if parts.len() < 2 {
        return Vec::new();
    }
    embedder.read(&parts).unwrap_or_default()
}
