//! Who a caller from an unknown address is (digest), and whether a request is a second copy of one that is being answered.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::party_of;
use super::stack::Incoming;
use super::trunk::{Account, Trunk};
use crate::wire::sip::digest::{Algorithm, Credentials, Fresh, Nonces, challenge};

/// As challenges name us.
const REALM: &str = "firstline";
/// How long a request is remembered, to know its copies by (64 times T1).
const REMEMBERED: Duration = Duration::from_secs(32);
/// Requests remembered at once; beyond it the oldest are forgotten.
const MOST: usize = 20_000;

/// What is known of a caller.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Let in without a name.
    Stranger,
    /// Showed a trunk's password.
    Trunk { vouched: bool },
    /// Showed the password of a desk phone.
    Phone { user: String },
    /// Is to show one: headers for a 401.
    Ask(Vec<(&'static str, String)>),
    /// Showed one that is wrong, or a user that is nobody's.
    Wrong(Vec<(&'static str, String)>),
    /// No password would help: none is configured.
    Nobody,
}

struct Login {
    password: String,
    vouched: bool,
    /// A desk phone's, not a trunk's.
    phone: bool,
}

/// A request on its way: its identity, and the hop it came by.
struct Request {
    branch: String,
    at: Instant,
}

pub(super) struct Guard {
    logins: HashMap<String, Login>,
    nonces: Nonces,
    started: Instant,
    /// Highest count seen of each nonce: a captured answer is worth nothing a second time.
    counts: Mutex<HashMap<String, (u32, Instant)>>,
    requests: Mutex<HashMap<String, Request>>,
}

impl Guard {
    pub(super) fn new(trunks: &[Trunk], phones: &[Account]) -> Self {
        let phones = phones.iter().map(|account| {
            let login = Login {
                password: account.password.clone(),
                vouched: false,
                phone: true,
            };
            (account.user.clone(), login)
        });
        let logins = trunks
            .iter()
            .filter_map(|trunk| {
                let account = trunk.account.as_ref()?;
                let login = Login {
                    password: account.password.clone(),
                    vouched: trunk.vouched,
                    phone: false,
                };
                Some((account.user.clone(), login))
            })
            .chain(phones)
            .collect();
        let secret: [u64; 4] = rand::random();
        Self {
            logins,
            nonces: Nonces::new(secret.map(|n| format!("{n:016x}")).concat()),
            started: Instant::now(),
            counts: Mutex::default(),
            requests: Mutex::default(),
        }
    }

    /// Headers of a 401. Carriers choose between SHA-256 and MD5 (RFC 8760 section 2.4); many desk phones give up at the sight of a digest they do
    /// not know, so that they are asked for MD5 alone.
    pub(super) fn challenges(&self, stale: bool, phone: bool) -> Vec<(&'static str, String)> {
        let nonce = self.nonces.make(self.now());
        [Algorithm::Sha256, Algorithm::Md5]
            .into_iter()
            .filter(|a| !phone || *a == Algorithm::Md5)
            .map(|a| ("WWW-Authenticate", challenge(REALM, &nonce, a, stale)))
            .collect()
    }

    /// Who sent this, as far as it proves.
    pub(super) fn ask(&self, request: &Incoming, method: &str) -> Known {
        if self.logins.is_empty() {
            return Known::Nobody;
        }
        let named = party_of(&request.from());
        let phone = method == "REGISTER"
            || named
                .and_then(|user| self.logins.get(&user))
                .is_some_and(|login| login.phone);
        let shown = request
            .headers()
            .into_iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case("Authorization"))
            .filter_map(|(_, v)| Credentials::parse(&v))
            .find(|c| c.realm == REALM);
        let Some(credentials) = shown else {
            return Known::Ask(self.challenges(false, phone));
        };
        match self.nonces.check(&credentials.nonce, self.now()) {
            Fresh::No => return Known::Ask(self.challenges(false, phone)),
            Fresh::Stale => return Known::Ask(self.challenges(true, phone)),
            Fresh::Yes => {}
        }
        // A wrong user costs the same as a wrong password and is told the same.
        let login = self.logins.get(&credentials.user);
        let password = login.map_or("", |l| l.password.as_str());
        if !credentials.prove(method, password) || login.is_none() {
            tracing::warn!(source = ?request.source(), "a wrong SIP password was shown");
            return Known::Wrong(self.challenges(false, phone));
        }
        if !self.counts_up(&credentials) {
            return Known::Ask(self.challenges(true, phone));
        }
        match login {
            Some(login) if login.phone => Known::Phone {
                user: credentials.user,
            },
            login => Known::Trunk {
                vouched: login.is_some_and(|l| l.vouched),
            },
        }
    }

    fn counts_up(&self, credentials: &Credentials) -> bool {
        let Some(count) = credentials.count() else {
            // RFC 2069 style, without a count: the nonce's age is all that limits it.
            return true;
        };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() > MOST {
            counts.retain(|_, (_, at)| at.elapsed() < Duration::from_secs(300));
        }
        let key = credentials.nonce.clone();
        let seen = counts.entry(key).or_insert((0, Instant::now()));
        let up = count > seen.0;
        seen.0 = seen.0.max(count);
        up
    }

    /// The same request by another way (RFC 3261 section 8.2.2.2): a fork upstream sent two copies. The first is answered, this one is
    /// refused with 482.
    pub(super) fn seen_elsewhere(&self, request: &Incoming) -> bool {
        // Of other requests nothing is made that a copy would make twice.
        if request.method() != "INVITE" {
            return false;
        }
        let (Some(call_id), Some(cseq)) = (request.call_id(), request.cseq()) else {
            return false;
        };
        let tag = request.remote_tag().unwrap_or_default();
        let key = format!("{call_id} {tag} {cseq}");
        let branch = request.branch();
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() >= MOST {
            requests.retain(|_, r| r.at.elapsed() < REMEMBERED);
        }
        if requests.len() >= MOST {
            requests.clear();
        }
        match requests.get(&key) {
            Some(first) if first.at.elapsed() < REMEMBERED => first.branch != branch,
            _ => {
                let at = Instant::now();
                requests.insert(key, Request { branch, at });
                false
            }
        }
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_secs()
    }
}
