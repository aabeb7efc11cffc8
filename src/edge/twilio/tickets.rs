//! Streams that are awaited: each is let in once, by a random token that was told to Twilio alone, within a minute.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::link::Link;
use crate::edge::sip::Permit;

/// From the webhook's answer to the stream's start message.
pub(super) const VALID: Duration = Duration::from_secs(60);
/// A call that ended is remembered this long, for Twilio asking what next.
const REMEMBERED: Duration = Duration::from_secs(600);
const REMEMBERED_MOST: usize = 4_096;
/// Twilio sends a message every 20 ms, whether anybody speaks or not: where none came for so long, the stream is no more.
const DEAD: Duration = Duration::from_secs(3);

/// A caller who has been let in and whose stream has not come yet.
pub(super) struct Caller {
    pub from: Option<String>,
    pub to: Option<String>,
    pub vouched: bool,
    pub permit: Permit,
}

/// Whom a stream belongs to.
pub(super) enum Purpose {
    Caller(Caller),
    /// A human who is being called.
    Human(Arc<Link>),
}

struct Ticket {
    /// None: a call that was only just asked for, and whose id Twilio has not told yet.
    call_sid: Option<String>,
    purpose: Purpose,
    until: Instant,
    /// Other machines know of it, too.
    told: bool,
    /// How many streams of this call had ended when it was given out.
    again: u32,
}

/// A stream that is up.
#[derive(Default)]
struct Up {
    /// None in the moment before it has one.
    link: Option<Weak<Link>>,
    /// As its ticket had it.
    again: u32,
}

type Key = [u8; 32];

#[derive(Default)]
struct Inner {
    /// By the token's digest: what is compared says nothing about the token.
    waiting: HashMap<Key, Ticket>,
    by_call: HashMap<String, Key>,
    /// Streams that are up, by their call.
    streaming: HashMap<String, Up>,
    /// Calls that we ended.
    finished: VecDeque<(String, Instant)>,
}

/// Why a webhook gets no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// No room, or the line is closing: ask again in so many seconds.
    Full(u32),
    /// The call has its stream.
    Streaming,
    /// The call is over.
    Finished,
}

/// All of one listener.
#[derive(Default)]
pub(super) struct Tickets(Mutex<Inner>);

impl Tickets {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.sweep(Instant::now());
        inner
    }

    /// A token for a caller's stream. Asked again for the same call, the place that is kept stays, and the token before is void. `again`:
    /// how many streams of this call have ended.
    pub fn caller(
        &self,
        call_sid: &str,
        again: u32,
        admit: impl FnOnce() -> Result<Permit, u32>,
        caller: impl FnOnce(Permit) -> Caller,
    ) -> Result<String, Refused> {
        let mut inner = self.lock();
        if inner.streaming.contains_key(call_sid) {
            return Err(Refused::Streaming);
        }
        if inner.finished.iter().any(|(sid, _)| sid == call_sid) {
            return Err(Refused::Finished);
        }
        let before = inner.by_call.remove(call_sid);
        let kept = before.and_then(|key| inner.waiting.remove(&key));
        let purpose = match kept.map(|t| t.purpose) {
            Some(kept @ Purpose::Caller(_)) => kept,
            _ => Purpose::Caller(caller(admit().map_err(Refused::Full)?)),
        };
        let (token, key) = token();
        inner.by_call.insert(call_sid.to_owned(), key);
        inner.waiting.insert(
            key,
            Ticket {
                call_sid: Some(call_sid.to_owned()),
                purpose,
                until: Instant::now() + VALID,
                told: false,
                again,
            },
        );
        Ok(token)
    }

    /// A token for the stream of a human who is to be called and may ring for `ring`.
    pub fn human(&self, link: Arc<Link>, ring: Duration) -> String {
        let (token, key) = token();
        self.lock().waiting.insert(
            key,
            Ticket {
                call_sid: None,
                purpose: Purpose::Human(link),
                until: Instant::now() + VALID + ring,
                told: false,
                again: 0,
            },
        );
        token
    }

    /// Lets a stream in, once: whose it is, and the call's id where the webhook told it. A token shown with another call's id is refused and
    /// stays good for its own; `same_id` false: the provider has another id for streams.
    pub fn take(
        &self,
        token: &str,
        call_sid: &str,
        same_id: bool,
    ) -> Result<(Purpose, Option<String>), &'static str> {
        let key = digest(token);
        let mut inner = self.lock();
        let ticket = inner
            .waiting
            .get(&key)
            .ok_or("the token is not known, was used, or has expired")?;
        let theirs = ticket.call_sid.as_ref().is_none_or(|sid| sid == call_sid);
        if same_id && (!theirs || call_sid.is_empty()) {
            return Err("the token is another call's");
        }
        let ticket = inner.waiting.remove(&key).ok_or("the token was used")?;
        let known = ticket.call_sid.clone().filter(|_| !same_id);
        let call_sid = known.unwrap_or_else(|| call_sid.to_owned());
        inner.by_call.remove(&call_sid);
        let again = ticket.again;
        inner.streaming.insert(call_sid, Up { link: None, again });
        Ok((ticket.purpose, ticket.call_sid))
    }

    /// A stream is up that another machine's webhook was told of.
    pub fn streams(&self, call_sid: &str) {
        let mut inner = self.lock();
        inner.streaming.insert(call_sid.to_owned(), Up::default());
    }

    /// The stream of a call has its link.
    pub fn up(&self, call_sid: &str, link: &Arc<Link>) {
        let mut inner = self.lock();
        let up = inner.streaming.entry(call_sid.to_owned()).or_default();
        up.link = Some(Arc::downgrade(link));
    }

    /// Whether the stream of this call brings nothing any more.
    pub fn dead(&self, call_sid: &str) -> bool {
        let inner = self.lock();
        let link = inner.streaming.get(call_sid).and_then(|up| up.link.clone());
        drop(inner);
        link.is_some_and(|link| link.upgrade().is_none_or(|l| l.quiet_for() > DEAD))
    }

    /// The stream of this call that came before the one asked for is over, whatever its socket says. Its link, which is to be told.
    pub fn give_up(&self, call_sid: &str, again: u32) -> Option<Arc<Link>> {
        let mut inner = self.lock();
        let up = inner.streaming.get(call_sid)?;
        if up.link.is_none() || up.again >= again {
            return None;
        }
        inner.streaming.remove(call_sid)?.link?.upgrade()
    }

    /// Other machines know of the token with this digest ([`hex`]).
    pub fn told(&self, hex: &str) {
        let mut inner = self.lock();
        let found = inner.waiting.iter_mut().find(|(key, _)| of(key) == hex);
        if let Some((_, ticket)) = found {
            ticket.told = true;
        }
    }

    /// Digests of the tokens that other machines know of.
    pub fn all_told(&self) -> Vec<String> {
        let inner = self.lock();
        let told = inner.waiting.iter().filter(|(_, ticket)| ticket.told);
        told.map(|(key, _)| of(key)).collect()
    }

    /// Of those that were `told` only these wait still: the others were used elsewhere.
    pub fn went(&self, told: &[String], waiting: &[String]) {
        let gone = |key: &Key| {
            let hex = of(key);
            told.contains(&hex) && !waiting.contains(&hex)
        };
        let mut inner = self.lock();
        inner.waiting.retain(|key, _| !gone(key));
        inner.by_call.retain(|_, key| !gone(key));
    }

    /// A human's token is not wanted any more.
    pub fn revoke(&self, token: &str) {
        self.lock().waiting.remove(&digest(token));
    }

    /// A stream is over, or was let in for nothing (no `link`). `finished`: so is its call, by our doing. False where another one has taken
    /// its place: nothing is known of the call then.
    pub fn ended(&self, call_sid: &str, link: Option<&Link>, finished: bool) -> bool {
        let mut inner = self.lock();
        let own = match (link, inner.streaming.get(call_sid)) {
            (None, _) => true,
            (Some(own), Some(Up { link: Some(up), .. })) => std::ptr::eq(own, up.as_ptr()),
            (Some(_), _) => false,
        };
        if !own {
            return false;
        }
        inner.streaming.remove(call_sid);
        if finished {
            inner
                .finished
                .push_back((call_sid.to_owned(), Instant::now()));
        }
        true
    }

    /// Twilio says that a call is over: its place is given back if its stream never came.
    pub fn gone(&self, call_sid: &str) {
        let mut inner = self.lock();
        if let Some(key) = inner.by_call.remove(call_sid) {
            inner.waiting.remove(&key);
        }
    }

    /// Gives back the places of calls whose streams did not come.
    pub fn sweep(&self) {
        drop(self.lock());
    }

    /// Streams awaited, and streams that are up.
    pub fn census(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.waiting.len(), inner.streaming.len())
    }
}

impl Inner {
    fn sweep(&mut self, now: Instant) {
        self.waiting.retain(|_, ticket| ticket.until > now);
        let waiting = &self.waiting;
        self.by_call.retain(|_, key| waiting.contains_key(key));
        while self.finished.len() > REMEMBERED_MOST
            || self
                .finished
                .front()
                .is_some_and(|(_, at)| now.duration_since(*at) > REMEMBERED)
        {
            self.finished.pop_front();
        }
    }
}

fn token() -> (String, Key) {
    let secret: [u8; 24] = rand::random();
    let token: String = secret.iter().map(|b| format!("{b:02x}")).collect();
    let key = digest(&token);
    (token, key)
}

/// A token's digest as the machines tell it to each other.
pub(super) fn hex(token: &str) -> String {
    of(&digest(token))
}

fn of(key: &Key) -> String {
    key.iter().map(|b| format!("{b:02x}")).collect()
}

fn digest(token: &str) -> Key {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(tickets: &Tickets, sid: &str, room: bool) -> Result<String, Refused> {
        let admit = || room.then(|| Box::new(()) as Permit).ok_or(20);
        tickets.caller(sid, 0, admit, |permit| Caller {
            from: None,
            to: None,
            vouched: true,
            permit,
        })
    }

    #[test]
    fn a_token_opens_one_stream_of_its_own_call() {
        let tickets = Tickets::default();
        let token = ask(&tickets, "CA1", true).unwrap();
        assert!(tickets.take("x", "CA1", true).is_err());
        assert!(tickets.take(&token, "CA2", true).is_err());
        assert!(tickets.take(&token, "", true).is_err());
        assert!(tickets.take(&token, "CA1", true).is_ok());
        assert!(tickets.take(&token, "CA1", true).is_err());
        assert_eq!(ask(&tickets, "CA1", true), Err(Refused::Streaming));
        tickets.ended("CA1", None, false);
        assert!(ask(&tickets, "CA1", true).is_ok());
        tickets.ended("CA1", None, true);
        assert_eq!(ask(&tickets, "CA1", true), Err(Refused::Finished));
    }

    #[test]
    fn the_end_of_a_stream_that_was_given_up_is_not_its_successors() {
        let tickets = Tickets::default();
        let up = || {
            let token = ask(&tickets, "CA1", true).unwrap();
            assert!(tickets.take(&token, "CA1", true).is_ok());
            let link = Arc::new(Link::new(None));
            tickets.up("CA1", &link);
            link
        };
        assert!(tickets.give_up("CA1", 1).is_none());
        let first = up();
        assert!(!tickets.dead("CA1"), "it has only just begun");
        assert!(
            tickets.give_up("CA1", 0).is_none(),
            "asked what came before it"
        );
        assert!(Arc::ptr_eq(&tickets.give_up("CA1", 1).unwrap(), &first));
        let second = up();
        assert!(!tickets.ended("CA1", Some(&first), true));
        assert_eq!(ask(&tickets, "CA1", true), Err(Refused::Streaming));
        assert!(tickets.ended("CA1", Some(&second), true));
        assert_eq!(ask(&tickets, "CA1", true), Err(Refused::Finished));
    }

    #[test]
    fn asking_again_keeps_the_place_and_voids_the_token_before() {
        let tickets = Tickets::default();
        assert_eq!(ask(&tickets, "CA1", false), Err(Refused::Full(20)));
        let first = ask(&tickets, "CA1", true).unwrap();
        // The second needs no second place.
        let second = ask(&tickets, "CA1", false).unwrap();
        assert_ne!(first, second);
        assert_eq!(tickets.census(), (1, 0));
        assert!(tickets.take(&first, "CA1", true).is_err());
        assert!(tickets.take(&second, "CA1", true).is_ok());
        assert_eq!(tickets.census(), (0, 1));
    }

    #[test]
    fn places_come_back() {
        struct Place(Arc<std::sync::atomic::AtomicUsize>);
        impl Drop for Place {
            fn drop(&mut self) {
                self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        }
        let back = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let tickets = Tickets::default();
        for sid in ["CA1", "CA2"] {
            let place = Box::new(Place(back.clone()));
            tickets
                .caller(
                    sid,
                    0,
                    || Ok(place),
                    |permit| Caller {
                        from: None,
                        to: None,
                        vouched: true,
                        permit,
                    },
                )
                .unwrap();
        }
        tickets.gone("CA1");
        tickets.gone("CA9");
        assert_eq!(back.load(std::sync::atomic::Ordering::SeqCst), 1);
        tickets
            .0
            .lock()
            .unwrap()
            .sweep(Instant::now() + VALID + VALID);
        assert_eq!(back.load(std::sync::atomic::Ordering::SeqCst), 2);
        assert_eq!(tickets.census(), (0, 0));
    }
}
