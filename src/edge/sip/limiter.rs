//! Who sends too much, or guesses: limited, and then not heard for a while.
//!
//! Every address has a bucket of requests and an account of refusals. An empty bucket, or too many refusals, and nothing of it is read any
//! more: for a minute, then for twice as long each time, to an hour. Addresses of `limits.trusted` are never held to anything. Those of
//! trunks, and whoever showed a trunk's password, have a bucket twenty times as large and are never banned: what is beyond it is left
//! unread. Banning one's own carrier would be the outage that the attacker wants.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::Net;

/// Requests that may come at once from one address, and how many more each second. A call takes one (its INVITE) and a few tenths.
const BURST: f32 = 150.0;
const A_SECOND: f32 = 30.0;
/// What belongs to calls that are up costs a tenth.
const WITHIN: f32 = 0.1;
/// For known carriers.
const KNOWN: f32 = 20.0;
/// Refusals that are forgiven within [`FORGIVEN`].
const STRIKES: f32 = 10.0;
const FORGIVEN: Duration = Duration::from_secs(60);
/// The first ban; the next ones are twice as long each.
const BAN: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3_600);
/// Good conduct after which earlier bans are forgotten.
const CLEAN: Duration = Duration::from_secs(6 * 3_600);
/// Connections that one address may hold open.
const CONNECTIONS: usize = 100;
/// Addresses remembered at once.
const MOST: usize = 20_000;

/// Why something counts against its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offence {
    /// No trunk's address and no password that would help.
    Stranger,
    /// Was asked for a password; nothing is wrong with that unless it never comes.
    Asked,
    WrongPassword,
    /// A REGISTER for somebody who has no account here.
    Guessed,
    /// Bytes that are no SIP.
    Unreadable,
}

impl Offence {
    fn weight(self) -> f32 {
        match self {
            Offence::Stranger | Offence::WrongPassword | Offence::Guessed => 1.0,
            Offence::Asked => 0.25,
            // Odd phones exist; a fuzzer sends more.
            Offence::Unreadable => 0.1,
        }
    }

    fn says(self) -> &'static str {
        match self {
            Offence::Stranger => "it keeps calling and is no trunk",
            Offence::Asked => "it keeps asking and never shows a password",
            Offence::WrongPassword => "it tries passwords",
            Offence::Guessed => "it tries to register",
            Offence::Unreadable => "it sends what is no SIP",
        }
    }
}

/// One address that is not heard now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    pub source: IpAddr,
    pub seconds_left: u64,
    pub why: &'static str,
}

#[derive(Debug, Clone, Copy)]
struct Source {
    tokens: f32,
    strikes: f32,
    /// When both were last brought up to date.
    at: Duration,
    banned_until: Duration,
    why: &'static str,
    bans: u32,
    /// It showed a trunk's password.
    proved: bool,
}

/// All of one edge.
pub(super) struct Limiter {
    trusted: Vec<Net>,
    /// Addresses of trunks; they change as names are looked up again.
    known: RwLock<Vec<Net>>,
    sources: Mutex<HashMap<IpAddr, Source>>,
    connections: Mutex<HashMap<IpAddr, usize>>,
    started: Instant,
}

/// A connection of an address, counted while it is open.
pub(super) struct Held(Option<(Arc<Limiter>, IpAddr)>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some((limiter, ip)) = &self.0 {
            let mut all = limiter
                .connections
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = all.get_mut(ip) {
                *count -= 1;
                if *count == 0 {
                    all.remove(ip);
                }
            }
        }
    }
}

impl Limiter {
    /// A connection comes in; none where it is closed at once.
    pub(super) fn connects(self: &Arc<Self>, ip: IpAddr) -> Option<Held> {
        if self.is_trusted(ip) || self.is_known(ip) {
            return Some(Held(None));
        }
        if !self.hears(ip) {
            return None;
        }
        let key = whose(ip);
        let mut all = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(key).or_default();
        if *count >= CONNECTIONS {
            return None;
        }
        *count += 1;
        Some(Held(Some((self.clone(), key))))
    }

    pub(super) fn new(trusted: Vec<Net>) -> Self {
        Self {
            trusted,
            known: RwLock::default(),
            sources: Mutex::default(),
            connections: Mutex::default(),
            started: Instant::now(),
        }
    }

    /// Where trunks are.
    pub(super) fn know(&self, nets: Vec<Net>) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = nets;
    }

    fn is_known(&self, ip: IpAddr) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().any(|n| n.contains(ip))
    }

    fn is_trusted(&self, ip: IpAddr) -> bool {
        self.trusted.iter().any(|n| n.contains(ip))
    }

    /// Whether anything of this address is read now.
    pub(super) fn hears(&self, ip: IpAddr) -> bool {
        self.hears_at(ip, self.started.elapsed())
    }

    /// A request came: whether it is to be read. `within`: it belongs to a call that is up, or is an answer.
    pub(super) fn admits(&self, ip: IpAddr, within: bool) -> bool {
        self.admits_at(ip, within, self.started.elapsed())
    }

    /// Something was refused.
    pub(super) fn strike(&self, ip: IpAddr, offence: Offence) {
        self.strike_at(ip, offence, self.started.elapsed());
    }

    /// It showed a trunk's password.
    pub(super) fn proved(&self, ip: IpAddr) {
        let ip = whose(ip);
        let now = self.started.elapsed();
        let mut sources = self.lock();
        let source = sources.entry(ip).or_insert_with(|| Source::fresh(now));
        source.proved = true;
        source.strikes = 0.0;
    }

    /// Who is not heard now.
    pub(super) fn bans(&self) -> Vec<Ban> {
        let now = self.started.elapsed();
        self.lock()
            .iter()
            .filter(|(_, s)| s.banned_until > now)
            .map(|(ip, s)| Ban {
                source: *ip,
                seconds_left: (s.banned_until - now).as_secs(),
                why: s.why,
            })
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, Source>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hears_at(&self, ip: IpAddr, now: Duration) -> bool {
        if self.is_trusted(ip) {
            return true;
        }
        let sources = self.lock();
        sources
            .get(&whose(ip))
            .is_none_or(|s| s.banned_until <= now)
    }

    fn admits_at(&self, ip: IpAddr, within: bool, now: Duration) -> bool {
        if self.is_trusted(ip) {
            return true;
        }
        let known = self.is_known(ip);
        let key = whose(ip);
        let mut sources = self.lock();
        make_room(&mut sources, now);
        let source = sources.entry(key).or_insert_with(|| Source::fresh(now));
        if source.banned_until > now {
            return false;
        }
        source.refill(now);
        let known = known || source.proved;
        let cost = if within { WITHIN } else { 1.0 } / if known { KNOWN } else { 1.0 };
        if source.tokens >= cost {
            source.tokens -= cost;
            return true;
        }
        if !known {
            source.ban(key, "it sends too much", now);
        }
        false
    }

    fn strike_at(&self, ip: IpAddr, offence: Offence, now: Duration) {
        if self.is_trusted(ip) || self.is_known(ip) {
            return;
        }
        let key = whose(ip);
        let mut sources = self.lock();
        make_room(&mut sources, now);
        let source = sources.entry(key).or_insert_with(|| Source::fresh(now));
        if source.banned_until > now {
            return;
        }
        // Who knows a password is asked for it again and again, and shows it each time.
        if source.proved && offence == Offence::Asked {
            return;
        }
        source.refill(now);
        source.strikes += offence.weight();
        if source.strikes >= STRIKES {
            source.ban(key, offence.says(), now);
        }
    }
}

impl Source {
    fn fresh(now: Duration) -> Self {
        Self {
            tokens: BURST,
            strikes: 0.0,
            at: now,
            banned_until: Duration::ZERO,
            why: "",
            bans: 0,
            proved: false,
        }
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_secs_f32();
        self.at = now;
        self.tokens = (self.tokens + passed * A_SECOND).min(BURST);
        self.strikes = (self.strikes - passed * STRIKES / FORGIVEN.as_secs_f32()).max(0.0);
        if now.saturating_sub(self.banned_until) > CLEAN {
            self.bans = 0;
        }
    }

    fn ban(&mut self, ip: IpAddr, why: &'static str, now: Duration) {
        let long = BAN.saturating_mul(1 << self.bans.min(10)).min(LONGEST);
        self.bans += 1;
        self.banned_until = now + long;
        self.why = why;
        self.tokens = BURST;
        self.strikes = 0.0;
        self.proved = false;
        tracing::warn!(source = %ip, why, seconds = long.as_secs(), "banned for a while: nothing from this address is read (limits.trusted exempts one)");
    }
}

/// Whose an address is: an IPv6 customer has a whole /64.
fn whose(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

/// Addresses can be forged: whoever has nothing against them is forgotten first.
fn make_room(sources: &mut HashMap<IpAddr, Source>, now: Duration) {
    if sources.len() < MOST {
        return;
    }
    sources.retain(|_, s| s.banned_until > now || s.strikes > 1.0);
    if sources.len() >= MOST {
        sources.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn limiter() -> Limiter {
        Limiter::new(vec!["127.0.0.0/8".parse().unwrap()])
    }

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_flood_is_cut_off_and_heard_again_later() {
        let limiter = limiter();
        let flood = ip("192.0.2.1");
        let passed = (0..5_000u64)
            .filter(|n| limiter.admits_at(flood, false, at(*n)))
            .count();
        assert!((150..190).contains(&passed), "{passed}");
        assert!(!limiter.hears_at(flood, at(10_000)));
        // Nobody else notices.
        assert!(limiter.admits_at(ip("192.0.2.2"), false, at(5_000)));
        assert!((0..5_000).all(|n| limiter.admits_at(ip("127.0.0.1"), false, at(n))));
        assert!(limiter.admits_at(flood, false, at(70_000)));
        // Again, and it takes twice as long.
        while limiter.admits_at(flood, false, at(70_000)) {}
        assert!(!limiter.hears_at(flood, at(70_000 + 100_000)));
        assert!(limiter.hears_at(flood, at(70_000 + 121_000)));
    }

    #[test]
    fn ordinary_callers_are_never_held_up() {
        let limiter = limiter();
        // A busy PBX: ten calls a second, twelve messages each, for ten minutes.
        for n in 0..6_000u64 {
            let now = at(n * 100);
            assert!(limiter.admits_at(ip("192.0.2.1"), false, now), "{n}");
            assert!(
                (0..11).all(|_| limiter.admits_at(ip("192.0.2.1"), true, now)),
                "{n}"
            );
        }
    }

    #[test]
    fn guessing_ends_and_a_forgetful_customer_is_forgiven() {
        let limiter = limiter();
        let guesser = ip("2001:db8::1");
        for n in 0..9 {
            limiter.strike_at(guesser, Offence::WrongPassword, at(n * 10));
            assert!(limiter.hears_at(guesser, at(n * 10)), "{n}");
        }
        limiter.strike_at(guesser, Offence::WrongPassword, at(100));
        limiter.strike_at(guesser, Offence::WrongPassword, at(100));
        assert!(!limiter.hears_at(guesser, at(200)));
        assert!(
            !limiter.hears_at(ip("2001:db8::77"), at(200)),
            "the same customer"
        );
        assert!(limiter.hears_at(ip("2001:db8:0:1::1"), at(200)));
        // Every ten seconds a try, as a phone with a wrong password does: 6 a minute.
        for n in 0..1_000 {
            limiter.strike_at(ip("192.0.2.7"), Offence::WrongPassword, at(n * 10_000));
        }
        assert!(limiter.hears_at(ip("192.0.2.7"), at(10_000_001)));
    }

    #[test]
    fn carriers_are_not_banned_and_neither_is_who_shows_a_password() {
        let limiter = limiter();
        limiter.know(vec!["198.51.100.0/24".parse().unwrap()]);
        let carrier = ip("198.51.100.9");
        let passed = (0..5_000u64)
            .filter(|n| limiter.admits_at(carrier, false, at(*n / 10)))
            .count();
        assert!((3_000..3_500).contains(&passed), "{passed}");
        for _ in 0..100 {
            limiter.strike_at(carrier, Offence::Stranger, at(600));
        }
        assert!(limiter.hears_at(carrier, at(600)));
        let roaming = ip("203.0.113.5");
        for _ in 0..1_000 {
            limiter.strike_at(roaming, Offence::Asked, Duration::ZERO);
            limiter.proved(roaming);
        }
        assert!(limiter.hears(roaming) && limiter.bans().is_empty());
    }

    #[test]
    fn forged_addresses_fill_no_memory() {
        let limiter = limiter();
        for n in 0..100_000u32 {
            limiter.admits_at(IpAddr::V4(n.into()), false, Duration::ZERO);
        }
        assert!(limiter.lock().len() <= MOST);
    }
}
