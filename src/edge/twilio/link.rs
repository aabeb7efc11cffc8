//! What a leg and its socket share. Both hold the lock for moments only, so a socket that is stuck delays no call: what it cannot take
//! is dropped and counted, and after some seconds of that the leg is ended.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::inflow::{BLOCK, Inflow};
use super::ledger::Ledger;
use crate::audio::FRAME_MS;
use crate::edge::{EndCause, Ended, LegInfo, Signal};

/// Frames that may wait for the socket: one second.
const WAITING: usize = 50;
/// Frames dropped in a row before the leg is given up: five seconds.
const STARVED: u32 = 250;
/// Signals that may wait for the call's task.
const SIGNALS: usize = 64;
/// The far end is this far behind: silence is left out until it has caught up.
const BEHIND_MS: u64 = 600;
/// Marks that came back longer ago than this say nothing about now.
const STALE: Duration = Duration::from_secs(5);
/// The most that is told to be on its way: a far end that keeps a mark back holds up no conversation.
const MOST_OPEN_MS: u64 = 1_000;

/// Something for the socket to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Out {
    /// Mu-law.
    Media(Vec<u8>),
    Mark(u64),
    Clear,
    /// Ask whether anybody is there.
    Ping,
}

/// How the leg asked for the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Closing {
    /// The call itself is over; else only the stream is, and Twilio goes on with what its TwiML says.
    pub whole: bool,
    pub reason: String,
}

#[derive(Debug)]
struct Inner {
    inflow: Inflow,
    ledger: Ledger,
    outbox: VecDeque<Out>,
    /// Media among them.
    waiting: usize,
    signals: Vec<Signal>,
    closing: Option<Closing>,
    /// The call itself was sent elsewhere: it is not ended with its stream.
    moved: bool,
    ended: bool,
    attached: bool,
    call_sid: Option<String>,
    starved_run: u32,
    starved: u64,
    last_in: Option<(Instant, u64)>,
    /// When anything came, or the stream.
    last_news: Instant,
    last_back: Option<Instant>,
    last_out: Option<Instant>,
    longest_out: Duration,
    longest_gap: Duration,
    jitter_ms: f32,
}

/// One leg's end of a stream, present or awaited.
#[derive(Debug)]
pub(super) struct Link {
    inner: Mutex<Inner>,
    /// There is something to send.
    pub news: Notify,
    /// The leg asked for the end, or is gone.
    pub closing: CancellationToken,
    /// Nothing follows: the leg has been told that it is over.
    pub over: CancellationToken,
}

impl Link {
    pub fn new(call_sid: Option<String>) -> Self {
        Self {
            inner: Mutex::new(Inner {
                inflow: Inflow::new(),
                ledger: Ledger::default(),
                outbox: VecDeque::new(),
                waiting: 0,
                signals: Vec::new(),
                closing: None,
                moved: false,
                ended: false,
                attached: false,
                call_sid,
                starved_run: 0,
                starved: 0,
                last_in: None,
                last_news: Instant::now(),
                last_back: None,
                last_out: None,
                longest_out: Duration::ZERO,
                longest_gap: Duration::ZERO,
                jitter_ms: 0.0,
            }),
            news: Notify::new(),
            closing: CancellationToken::new(),
            over: CancellationToken::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // What the leg does.

    pub fn pull(&self, block: &mut [i16; BLOCK]) -> (bool, Vec<Signal>) {
        let mut inner = self.lock();
        let live = inner.inflow.pull(block);
        (live, std::mem::take(&mut inner.signals))
    }

    /// A frame for the far end to play; `quiet`: nothing would be missed.
    pub fn push(&self, codes: &[u8], quiet: bool) {
        let mut inner = self.lock();
        if !inner.attached || inner.ended || inner.closing.is_some() {
            return;
        }
        let fresh = inner.last_back.is_some_and(|at| at.elapsed() < STALE);
        if quiet && fresh && inner.ledger.open_ms() > BEHIND_MS {
            return;
        }
        if inner.waiting >= WAITING {
            inner.starved += 1;
            inner.starved_run += 1;
            if inner.starved_run >= STARVED {
                inner.closing = Some(Closing {
                    whole: false,
                    reason: "too slow".into(),
                });
                drop(inner);
                self.end(
                    EndCause::Failed,
                    "the media stream does not keep up with the call",
                );
                self.closing.cancel();
            }
            return;
        }
        inner.starved_run = 0;
        inner.waiting += 1;
        inner.outbox.push_back(Out::Media(codes.to_vec()));
        if let Some(mark) = inner.ledger.sent() {
            inner.outbox.push_back(Out::Mark(mark));
        }
        drop(inner);
        self.news.notify_one();
    }

    /// Drops what was pushed and is not known to have been played. Milliseconds.
    pub fn clear(&self) -> u64 {
        let mut inner = self.lock();
        if !inner.attached || inner.ended {
            return 0;
        }
        inner.outbox.retain(|out| *out == Out::Ping);
        inner.waiting = 0;
        let dropped = inner.ledger.clear();
        inner.outbox.push_back(Out::Clear);
        drop(inner);
        self.news.notify_one();
        dropped * FRAME_MS
    }

    /// Milliseconds pushed that may not have been heard yet.
    pub fn open_ms(&self) -> u64 {
        self.lock().ledger.open_ms().min(MOST_OPEN_MS)
    }

    /// Milliseconds known to have been played, and milliseconds dropped by clears.
    pub fn totals_ms(&self) -> (u64, u64) {
        self.lock().ledger.totals_ms()
    }

    /// Asks for the end. The first reason counts.
    pub fn close(&self, closing: Closing) {
        let mut inner = self.lock();
        inner.closing.get_or_insert(closing);
        drop(inner);
        self.closing.cancel();
    }

    pub fn fill(&self, info: &mut LegInfo) {
        let inner = self.lock();
        info.packets_in = inner.inflow.counts.messages;
        info.packets_lost = inner.inflow.counts.lost + inner.starved;
        info.packets_out = inner.ledger.frames();
        info.jitter_ms = inner.jitter_ms;
        info.longest_gap_ms = inner.longest_gap.as_millis() as u64;
        info.longest_sent_gap_ms = inner.longest_out.as_millis() as u64;
    }

    // What the socket and the status callbacks do.

    /// The stream is there. False where one is already, or the leg has ended.
    pub fn attach(&self, call_sid: &str) -> bool {
        let mut inner = self.lock();
        if inner.attached || inner.ended || inner.closing.is_some() {
            return false;
        }
        inner.attached = true;
        inner.last_news = Instant::now();
        inner.call_sid.get_or_insert_with(|| call_sid.to_owned());
        true
    }

    /// A message came, whatever it says.
    pub fn came(&self) {
        self.lock().last_news = Instant::now();
    }

    /// How long nothing has come.
    pub fn quiet_for(&self) -> Duration {
        self.lock().last_news.elapsed()
    }

    /// Another stream of the same call takes this one's place; the call itself is the other's to end.
    pub fn give_up(&self) {
        self.set_moved(true);
        self.end(
            EndCause::Failed,
            "the media stream was lost, and another of the same call has come",
        );
        self.close(Closing {
            whole: false,
            reason: "another stream has come".into(),
        });
    }

    pub fn is_attached(&self) -> bool {
        self.lock().attached
    }

    pub fn signal(&self, signal: Signal) {
        let mut inner = self.lock();
        let room = inner.signals.len() < SIGNALS || matches!(signal, Signal::Ended(_));
        if room && !inner.ended {
            inner.signals.push(signal);
        }
    }

    /// A message with sound came.
    pub fn heard(&self, timestamp_ms: u64, codes: &[u8]) {
        let now = Instant::now();
        let mut inner = self.lock();
        if inner.ended {
            return;
        }
        if let Some((at, ms)) = inner.last_in.replace((now, timestamp_ms)) {
            let gap = now.duration_since(at);
            inner.longest_gap = inner.longest_gap.max(gap);
            // RFC 3550 section 6.4.1, with the messages' times in the place of RTP's.
            let late = gap.as_secs_f32() * 1_000.0 - timestamp_ms.saturating_sub(ms) as f32;
            inner.jitter_ms += (late.abs().min(1_000.0) - inner.jitter_ms) / 16.0;
        } else {
            inner.signals.push(Signal::Media);
        }
        inner.inflow.push(timestamp_ms, codes);
    }

    /// A mark came back.
    pub fn back(&self, name: &str) {
        if let Ok(mark) = name.parse() {
            let mut inner = self.lock();
            inner.ledger.back(mark);
            inner.last_back = Some(Instant::now());
        }
    }

    pub fn ping(&self) {
        self.lock().outbox.push_back(Out::Ping);
        self.news.notify_one();
    }

    /// Everything that waits to be sent.
    pub fn take(&self) -> Vec<Out> {
        let mut inner = self.lock();
        inner.waiting = 0;
        inner.outbox.drain(..).collect()
    }

    /// A frame went out.
    pub fn went(&self) {
        let now = Instant::now();
        let mut inner = self.lock();
        if let Some(before) = inner.last_out.replace(now) {
            inner.longest_out = inner.longest_out.max(now.duration_since(before));
        }
    }

    /// Tells the leg that it is over. The first cause counts; one that comes after the leg asked for the end is ours.
    pub fn end(&self, cause: EndCause, detail: impl Into<String>) {
        let mut inner = self.lock();
        if !inner.ended {
            inner.ended = true;
            let detail = detail.into();
            inner.signals.push(Signal::Ended(Ended { cause, detail }));
            inner.outbox.clear();
        }
        drop(inner);
        self.over.cancel();
    }

    pub fn closing(&self) -> Option<Closing> {
        self.lock().closing.clone()
    }

    pub fn set_moved(&self, moved: bool) {
        self.lock().moved = moved;
    }

    pub fn moved(&self) -> bool {
        self.lock().moved
    }

    pub fn call_sid(&self) -> Option<String> {
        self.lock().call_sid.clone()
    }

    pub fn set_call_sid(&self, sid: &str) {
        self.lock().call_sid = Some(sid.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(link: &Link) -> Option<Ended> {
        link.pull(&mut [0; BLOCK])
            .1
            .into_iter()
            .find_map(|s| match s {
                Signal::Ended(e) => Some(e),
                _ => None,
            })
    }

    #[test]
    fn a_socket_that_takes_nothing_is_bounded_and_given_up() {
        let link = Link::new(None);
        assert!(link.attach("CA1"));
        for _ in 0..WAITING + STARVED as usize - 1 {
            link.push(&[0; BLOCK], false);
        }
        assert_eq!(link.lock().outbox.len(), WAITING + WAITING / 5);
        assert_eq!(ended(&link), None);
        link.push(&[0; BLOCK], false);
        assert_eq!(ended(&link).unwrap().cause, EndCause::Failed);
        assert!(link.closing.is_cancelled() && !link.closing().unwrap().whole);
        let mut info = LegInfo::default();
        link.fill(&mut info);
        assert_eq!((info.packets_out, info.packets_lost), (50, 250));
    }

    #[test]
    fn a_clear_takes_back_what_waits_and_goes_out_first() {
        let link = Link::new(None);
        link.push(&[0; BLOCK], false);
        assert!(link.take().is_empty(), "nobody is there yet");
        assert!(link.attach("CA1") && !link.attach("CA1"));
        for _ in 0..10 {
            link.push(&[0; BLOCK], false);
        }
        assert_eq!(link.take().len(), 12);
        link.back("1");
        for _ in 0..4 {
            link.push(&[0; BLOCK], false);
        }
        assert_eq!(link.open_ms(), 180);
        assert_eq!(link.clear(), 180);
        assert_eq!(link.take(), [Out::Clear]);
        link.back("2");
        assert_eq!(link.totals_ms(), (100, 180));
    }

    #[test]
    fn a_far_end_that_is_behind_is_spared_the_silence() {
        let link = Link::new(None);
        assert!(link.attach("CA1"));
        for _ in 0..40 {
            link.push(&[0; BLOCK], false);
            link.take();
        }
        link.back("1");
        link.push(&[0; BLOCK], true);
        assert!(link.take().is_empty());
        link.push(&[0; BLOCK], false);
        assert_eq!(link.take().len(), 1);
        link.back("8");
        link.push(&[0; BLOCK], true);
        assert_eq!(link.take().len(), 1);
    }
}
