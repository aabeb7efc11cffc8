//! The inference pool: as many workers as cores, each with its own engine states over shared weights, behind the calls'
//! own threads: the 20 ms tick is never late because somebody is being understood.
//! Jobs have priorities (decide, then recognise, then the first clause, then the rest) and a deadline. A job whose call has moved
//! on is skipped when its turn comes. The queue is bounded: beyond it a job fails at once as busy. Work on what may never be wanted
//! (a caller's words while they still speak) is done only where a worker has nothing else to do: under pressure it goes first.

use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::call::{Event, Order};
use crate::desk::conversation::Conversation;
use crate::edge::Leg;
use crate::edge::http::Both;
use crate::reason::Embedder;
use crate::speech::{Synthesizer, Transcriber, TurnDetector};
use crate::telemetry::{Metric, Metrics};

use super::live::Live;
use super::model::Models;
use super::perform::{failed, perform};
use super::voice::Voice;
use super::work::{Wanted, Work};

/// One worker's engines.
pub struct Engines {
    pub transcriber: Box<dyn Transcriber>,
    pub synthesizer: Box<dyn Synthesizer>,
    pub embedder: Option<Box<dyn Embedder>>,
    /// Whether a turn sounds complete; none where the model was not fetched.
    pub turn: Option<Box<dyn TurnDetector>>,
    /// The language that the last utterance was surely spoken in, where it is not the one that was expected.
    pub heard_in: Option<String>,
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
    /// Some of a clause that is still being made. Its whole sound comes as a [`Msg::Clause`].
    Piece {
        tag: u64,
        part: u32,
        pcm: Vec<i16>,
        /// Samples that the whole will have, rather more than fewer.
        about: u64,
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
/// No caller has spoken for so long: one may begin at any moment, but what they say takes longer than a clause to make.
const QUIET_MS: u64 = 400;

pub(super) struct Queue {
    jobs: Mutex<(BinaryHeap<Job>, u64, bool)>,
    ready: Condvar,
    voice: Arc<Voice>,
    /// Clauses to be made when nobody is on the line.
    warm: Mutex<VecDeque<String>>,
    live: Arc<Live>,
    /// The language models, and what they run on.
    models: Option<(Arc<Models>, tokio::runtime::Handle)>,
    metrics: Arc<Metrics>,
    /// Workers at work: a recognition that has the machine to itself may use a second core.
    busy: AtomicUsize,
    workers: usize,
    /// Jobs are waiting: asked every 20 ms by every call, which must not wait for the lock.
    pressed: AtomicBool,
    /// When a caller was last heard, milliseconds since the start: clauses are made ahead in the pauses of calls, too.
    spoke: AtomicU64,
    started: Instant,
    /// A worker is making a clause ahead while calls are up: one at a time.
    warming: AtomicBool,
    /// Clauses that are being made: one that is wanted twice is made once.
    making: Mutex<HashSet<String>>,
    made: Condvar,
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
        metrics: Arc<Metrics>,
        make: impl Fn() -> Result<Engines, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let queue = Arc::new(Queue {
            jobs: Mutex::new((BinaryHeap::new(), 0, false)),
            ready: Condvar::new(),
            voice,
            warm: Mutex::default(),
            live,
            models,
            metrics,
            busy: AtomicUsize::new(0),
            workers,
            pressed: AtomicBool::new(false),
            spoke: AtomicU64::new(0),
            started: Instant::now(),
            warming: AtomicBool::new(false),
            making: Mutex::default(),
            made: Condvar::new(),
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

    /// A caller is speaking now.
    pub fn caller_speaks(&self) {
        let now = self.queue.started.elapsed().as_millis() as u64;
        self.queue.spoke.store(now, Ordering::Relaxed);
    }

    /// More is wanted than there are workers for.
    pub fn is_pressed(&self) -> bool {
        self.queue.pressed.load(Ordering::Relaxed)
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
        let busy = self.queue.busy.load(Ordering::Relaxed);
        let free = self.queue.workers.max(2).saturating_sub(busy);
        if !work.has_room(guard.0.len(), free) {
            return;
        }
        if guard.0.len() >= LONGEST_QUEUE {
            drop(guard);
            if let Some(to) = to {
                self.queue.dropped(&work);
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
        self.queue
            .pressed
            .store(busy + guard.0.len() > self.queue.workers, Ordering::Relaxed);
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
                    queue.pressed.store(!guard.0.is_empty(), Ordering::Relaxed);
                    break job;
                }
                if let Some(text) = queue.to_warm() {
                    drop(guard);
                    let _ = queue.clause(&text, &mut engines);
                    queue.warming.store(false, Ordering::Relaxed);
                    guard = queue.jobs.lock().unwrap_or_else(PoisonError::into_inner);
                    continue;
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
        // Alone at work: a second core halves the wait. With company, spinning threads only get in each other's way; those of the turn
        // detector do not spin, and the reply that is made beside it takes little.
        let alone = queue.busy.fetch_add(1, Ordering::Relaxed) == 0;
        let lone_call = queue.live.active() <= 1;
        let threads = match job.work {
            Work::Judge { .. } if lone_call => 2,
            _ if alone && lone_call => 2,
            _ => 1,
        };
        let late = job.to.is_some() && job.since.elapsed() > OLDEST;
        let started = Instant::now();
        let mut job = job;
        if let Work::Decide { mind, .. } = &mut job.work
            && let Some(language) = job.wanted.language().take()
        {
            mind.spoken_in(&language);
        }
        let early = job.work.is_early();
        let recognises = match job.work {
            Work::Transcribe { attempt, .. } => Some(attempt),
            _ => None,
        };
        // A panic in an engine costs this job; the call hears of it and goes on.
        let msg = if late {
            queue.dropped(&job.work);
            Some(failed(&job.work, "busy"))
        } else {
            let failure = failed(&job.work, "the engine failed");
            let kind = job.work.kind();
            if let (Work::Transcribe { attempt, .. }, Some(stop)) =
                (&job.work, engines.transcriber.stopper())
            {
                *job.wanted.at_work() = Some((*attempt, stop));
            }
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                perform(
                    job.work,
                    &mut engines,
                    queue,
                    started,
                    threads,
                    job.to.as_ref(),
                )
            }))
            .unwrap_or_else(|_| {
                queue.metrics.count(Metric::JobsDropped, &[kind]);
                Some(failure)
            })
        };
        queue.busy.fetch_sub(1, Ordering::Relaxed);
        if let Some(attempt) = recognises {
            // Another worker may have begun a newer attempt meanwhile.
            job.wanted.at_work().take_if(|(a, _)| *a == attempt);
            *job.wanted.language() = engines.heard_in.take();
        }
        if let (Some(to), Some(msg)) = (job.to, msg) {
            send(queue, msg, to, early);
        }
    }
}

/// The result goes to its call; a reply that a language model may word goes by way of it, and keeps no worker waiting. `early`: it is
/// not sure to be wanted, and no model is asked for that.
fn send(queue: &Queue, msg: Msg, to: mpsc::Sender<Msg>, early: bool) {
    match (msg, &queue.models) {
        (
            Msg::Event(Event::Decided {
                attempt,
                mut mind,
                mut reply,
                ms,
            }),
            Some((models, runtime)),
        ) if !early && mind.prompt().is_some() => {
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

impl Queue {
    /// A job that a call waits for is not done.
    fn dropped(&self, work: &Work) {
        self.metrics.count(Metric::JobsDropped, &[work.kind()]);
    }

    /// A clause to be made ahead: when nobody is on the line, or (by one worker at a time) while nobody speaks.
    fn to_warm(&self) -> Option<String> {
        let alone = self.live.active() == 0;
        let quiet_ms = (self.started.elapsed().as_millis() as u64)
            .saturating_sub(self.spoke.load(Ordering::Relaxed));
        let idle = quiet_ms > QUIET_MS && self.busy.load(Ordering::Relaxed) == 0;
        if !alone && (!idle || self.warming.swap(true, Ordering::Relaxed)) {
            return None;
        }
        let text = self
            .warm
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        if text.is_none() {
            self.warming.store(false, Ordering::Relaxed);
        }
        text
    }

    /// The sound of a clause. Where another worker is making it, its sound is waited for.
    pub(super) fn clause(&self, text: &str, engines: &mut Engines) -> Result<Arc<[i16]>, String> {
        self.clause_in_pieces(text, engines, &mut |_| {})
    }

    /// The same; sound that a service sends bit by bit goes to `hand_on` as it comes, too.
    pub(super) fn clause_in_pieces(
        &self,
        text: &str,
        engines: &mut Engines,
        hand_on: &mut dyn FnMut(&[i16]),
    ) -> Result<Arc<[i16]>, String> {
        {
            let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
            while making.contains(text) {
                making = self
                    .made
                    .wait(making)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            making.insert(text.to_string());
        }
        // Given back even where the engine panics.
        let _made = Made { queue: self, text };
        self.voice
            .clause_in_pieces(text, engines.synthesizer.as_mut(), hand_on)
    }
}

struct Made<'a> {
    queue: &'a Queue,
    text: &'a str,
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        self.queue
            .making
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(self.text);
        self.queue.made.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::scripted::ScriptedVoice;
    use crate::speech::{Hints, SpeechError, Transcript};

    /// Breaks at the first sound, and never comes back from the second.
    struct Broken(u32);

    impl Transcriber for Broken {
        fn transcribe(&mut self, _: &[i16], _: &Hints) -> Result<Transcript, SpeechError> {
            self.0 += 1;
            assert!(self.0 > 1, "a bug");
            std::thread::sleep(Duration::from_secs(2));
            Ok(Transcript::default())
        }
    }

    #[tokio::test]
    async fn jobs_that_were_not_done_are_counted_by_kind() {
        let metrics = Arc::new(Metrics::new());
        let voice = Arc::new(Voice::new("none", "en", Default::default()));
        let make = || {
            Ok(Engines {
                transcriber: Box::new(Broken(0)),
                synthesizer: Box::new(ScriptedVoice::default()),
                embedder: None,
                turn: None,
                heard_in: None,
            })
        };
        let pool = Pool::start(1, voice, Live::new(1), None, metrics.clone(), make).unwrap();
        let (to, mut told) = mpsc::channel(2000);
        let wanted = Arc::new(Wanted::default());
        let hear = |attempt| Work::Transcribe {
            attempt,
            pcm: vec![9_000; 1_600],
            hints: Hints::default(),
            early: false,
        };
        pool.submit(hear(1), &wanted, &to);
        let Some(Msg::Event(Event::Transcribed { result, .. })) = told.recv().await else {
            panic!("the call hears nothing of it");
        };
        assert!(result.unwrap_err().contains("failed"));
        let counted = |n: u32| {
            let line = format!("firstline_jobs_dropped_total{{kind=\"transcribe\"}} {n}");
            assert!(metrics.render().contains(&line), "{}", metrics.render());
        };
        counted(1);
        // One at work, as many as may wait, and one too many.
        pool.submit(hear(2), &wanted, &to);
        while pool.queue.busy.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for _ in 0..=LONGEST_QUEUE {
            pool.submit(hear(2), &wanted, &to);
        }
        counted(2);
        wanted.over();
        pool.stop();
    }
}
