//! Desk phones that register with this line (RFC 3261, section 10): where each is, for as long as it says. `phone:maria` rings them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::guard::Known;
use super::limiter::Offence;
use super::stack::{Incoming, header};
use super::uri::address_of;
use super::{Account, Shared, SipUri, Transport, party_of};

/// Seconds granted where a phone asks for none, and the least and the most. A connection's other end is gone after a restart, and its phone
/// comes back within five minutes at most; what registered over UDP is reached as before ([`Kept`]).
const USUAL: u32 = 300;
const LEAST: u32 = 30;
const MOST: u32 = 300;
/// Devices of one person.
const DEVICES: usize = 8;

/// A phone at its place.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    /// As the phone wrote it: what requests to it are addressed to.
    pub contact: SipUri,
    /// Where its packets come from: what they are sent to, through its NAT.
    pub source: SocketAddr,
    pub transport: Transport,
    call_id: String,
    cseq: u32,
    until: Instant,
}

/// A phone that registered over UDP, to be known again after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub user: String,
    /// Its Contact.
    pub contact: String,
    /// Where its packets come from.
    pub source: SocketAddr,
    /// How much longer the registration holds.
    pub left: Duration,
}

/// Who may register, and who has.
#[derive(Default)]
pub(super) struct Phones {
    users: Vec<String>,
    bound: Mutex<HashMap<String, Vec<Bound>>>,
}

impl Phones {
    pub(super) fn new(accounts: &[Account]) -> Self {
        Self {
            users: accounts.iter().map(|a| a.user.clone()).collect(),
            bound: Mutex::default(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<Bound>>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The phone of a user that registered last.
    ///
    /// # Errors
    /// A sentence: nobody of that name, or not registered now.
    pub(super) fn find(&self, user: &str) -> Result<Bound, String> {
        if !self.users.iter().any(|u| u == user) {
            return Err(format!("no [[phone]] has the user `{user}`"));
        }
        let now = Instant::now();
        let all = self.lock();
        all.get(user)
            .and_then(|b| b.iter().rfind(|b| b.until > now))
            .cloned()
            .ok_or_else(|| format!("{user}'s phone is not registered now"))
    }

    /// What would be reached after a restart as it is now.
    pub(super) fn kept(&self) -> Vec<Kept> {
        let now = Instant::now();
        let all = self.lock();
        let each = all
            .iter()
            .flat_map(|(user, own)| own.iter().map(move |b| (user, b)));
        each.filter(|(_, b)| b.transport == Transport::Udp && b.until > now)
            .map(|(user, b)| Kept {
                user: user.clone(),
                contact: b.contact.to_string(),
                source: b.source,
                left: b.until - now,
            })
            .collect()
    }

    /// Takes back what was kept, of users that there still are; a phone that has registered since is known better.
    pub(super) fn restore(&self, kept: Vec<Kept>) {
        let now = Instant::now();
        let mut all = self.lock();
        for one in kept {
            let Ok(contact) = one.contact.parse::<SipUri>() else {
                continue;
            };
            let known = self.users.contains(&one.user);
            let own = all.entry(one.user).or_default();
            let again = own.iter().any(|b| b.contact == contact);
            if known && !again && own.len() < DEVICES {
                own.insert(
                    0,
                    Bound {
                        contact,
                        source: one.source,
                        transport: Transport::Udp,
                        call_id: String::new(),
                        cseq: 0,
                        until: now + one.left.min(Duration::from_secs(u64::from(MOST))),
                    },
                );
            }
        }
    }

    /// Users, each with how many devices are registered.
    pub(super) fn census(&self) -> Vec<(String, usize)> {
        let now = Instant::now();
        let all = self.lock();
        let count = |user: &String| {
            all.get(user)
                .map_or(0, |b| b.iter().filter(|b| b.until > now).count())
        };
        self.users.iter().map(|u| (u.clone(), count(u))).collect()
    }
}

/// One change that a REGISTER asks for.
struct Wish {
    contact: SipUri,
    seconds: u32,
}

/// Answers a REGISTER.
pub(super) fn register(shared: &Arc<Shared>, incoming: Incoming) {
    let refuse = |mut incoming: Incoming, code: u16, headers: Vec<(&'static str, String)>| {
        tokio::spawn(async move { incoming.reply(code, &headers, None).await });
    };
    let Some(source) = incoming.source() else {
        return refuse(incoming, 400, vec![]);
    };
    let limiter = &shared.limiter;
    let user = match shared.guard.ask(&incoming, "REGISTER") {
        Known::Phone { user } => user,
        Known::Ask(challenges) => {
            let offence = match shared.phones.users.is_empty() {
                true => Offence::Guessed,
                false => Offence::Asked,
            };
            limiter.strike(source.ip(), offence);
            return refuse(incoming, 401, challenges);
        }
        Known::Wrong(challenges) => {
            limiter.strike(source.ip(), Offence::WrongPassword);
            return refuse(incoming, 401, challenges);
        }
        // A trunk sends calls and registers nobody; whoever tries without any account learns no more than that a password would be asked for.
        Known::Trunk { .. } => return refuse(incoming, 403, vec![]),
        Known::Stranger | Known::Nobody => {
            limiter.strike(source.ip(), Offence::Guessed);
            let challenges = shared.guard.challenges(false, true);
            return refuse(incoming, 401, challenges);
        }
    };
    limiter.proved(source.ip());
    // A phone registers itself and nobody else.
    if party_of(&incoming.to()).as_deref() != Some(user.as_str()) {
        return refuse(incoming, 403, vec![]);
    }
    let headers = incoming.headers();
    let usual = header(&headers, "Expires").and_then(|v| v.trim().parse::<u32>().ok());
    let written: Vec<&str> = headers
        .iter()
        .filter(|(n, _)| n.eq_ignore_ascii_case("Contact"))
        .map(|(_, v)| v.as_str())
        .collect();
    let all_off = written == ["*"];
    if all_off && usual != Some(0) {
        return refuse(incoming, 400, vec![]);
    }
    let mut wishes = Vec::new();
    for value in written.iter().filter(|_| !all_off) {
        let Some(wish) = read(value, usual) else {
            return refuse(incoming, 400, vec![]);
        };
        if (1..LEAST).contains(&wish.seconds) {
            return refuse(incoming, 423, vec![("Min-Expires", LEAST.to_string())]);
        }
        wishes.push(wish);
    }
    let flow = (source, incoming.transport());
    let number = (
        incoming.call_id().unwrap_or_default(),
        incoming.cseq().unwrap_or(0),
    );
    let now = Instant::now();
    let bindings = {
        let mut all = shared.phones.lock();
        let own = all.entry(user.clone()).or_default();
        own.retain(|b| b.until > now);
        // An old REGISTER that comes late changes nothing (section 10.3, step 7).
        if own
            .iter()
            .any(|b| b.call_id == number.0 && b.cseq > number.1)
        {
            drop(all);
            return refuse(incoming, 500, vec![("Retry-After", "5".into())]);
        }
        if all_off {
            own.clear();
        }
        for wish in wishes {
            let text = wish.contact.to_string();
            own.retain(|b| b.contact.to_string() != text);
            if wish.seconds > 0 {
                own.push(Bound {
                    contact: wish.contact,
                    source: flow.0,
                    transport: flow.1,
                    call_id: number.0.clone(),
                    cseq: number.1,
                    until: now + Duration::from_secs(u64::from(wish.seconds)),
                });
            }
        }
        if own.len() > DEVICES {
            own.remove(0);
        }
        own.clone()
    };
    tracing::info!(user, devices = bindings.len(), %source, "a phone registered");
    let contacts = bindings
        .iter()
        .map(|b| {
            let left = b.until.saturating_duration_since(now).as_secs();
            ("Contact", format!("<{}>;expires={left}", b.contact))
        })
        .collect();
    refuse(incoming, 200, contacts);
}

/// One Contact value; `usual`: what the Expires header says.
fn read(value: &str, usual: Option<u32>) -> Option<Wish> {
    let contact = address_of(value)?.parse::<SipUri>().ok()?;
    let after = value.rsplit('>').next().unwrap_or_default();
    let own = after.split(';').find_map(|p| {
        let (name, seconds) = p.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("expires")
            .then(|| seconds.trim().parse::<u32>().ok())?
    });
    Some(Wish {
        contact,
        seconds: own.or(usual).unwrap_or(USUAL).min(MOST),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_with_their_times() {
        let seconds = |value: &str, usual| read(value, usual).map(|w| w.seconds);
        assert_eq!(seconds("<sip:maria@10.0.0.5:5060>", None), Some(USUAL));
        assert_eq!(
            seconds("<sip:maria@10.0.0.5>;expires=120", Some(60)),
            Some(120)
        );
        assert_eq!(
            seconds(
                "\"M\" <sip:maria@10.0.0.5;transport=tcp>;q=1;expires=0",
                None
            ),
            Some(0)
        );
        assert_eq!(seconds("sip:maria@10.0.0.5", Some(99_999)), Some(MOST));
        assert_eq!(seconds("<mailto:maria@example.com>", None), None);
    }
}
