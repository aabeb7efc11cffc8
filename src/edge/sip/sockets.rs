//! The UDP sockets of the line, where there are several. The stack sends every request by the first of them; here each goes out by the
//! one that its receiver knows, or that routes to it, with that one's address in its Via. Answers go by the socket that was asked.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::net::UdpSocket;

use super::listen::local_towards;

/// What is remembered of the last so many peers and requests, at least.
const REMEMBERED: usize = 8_192;

/// One of them.
#[derive(Clone)]
pub(super) struct One {
    pub(super) socket: Arc<UdpSocket>,
    pub(super) bound: SocketAddr,
    /// As Via shows it.
    pub(super) shown: SocketAddr,
}

/// All of them, in the order of the configuration.
#[derive(Default)]
pub(super) struct UdpSockets {
    all: RwLock<Vec<One>>,
    /// Which socket a peer was last heard on.
    heard: Mutex<Recent<SocketAddr>>,
    /// Which one a request went out by: its repetitions, its CANCEL and its ACK carry its branch and belong on the same.
    sent: Mutex<Recent<u64>>,
}

impl UdpSockets {
    /// Another one; its number.
    pub(super) fn add(
        &self,
        socket: Arc<UdpSocket>,
        bound: SocketAddr,
        shown: SocketAddr,
    ) -> usize {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.push(One {
            socket,
            bound,
            shown,
        });
        all.len() - 1
    }

    fn all(&self) -> std::sync::RwLockReadGuard<'_, Vec<One>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something that is no nonsense came from `peer` on socket `at`.
    pub(super) fn heard(&self, at: usize, peer: SocketAddr) {
        if self.all().len() > 1 {
            lock(&self.heard).put(peer, at);
        }
    }

    /// The socket for these bytes, where it is another than `own`.
    pub(super) fn other_for(&self, own: usize, bytes: &[u8], to: SocketAddr) -> Option<One> {
        let all = self.all();
        if all.len() < 2 {
            return None;
        }
        let fits = |at: usize| {
            all.get(at)
                .is_some_and(|one| one.bound.is_ipv4() == to.is_ipv4())
        };
        let at = if bytes.starts_with(b"SIP/2.0 ") {
            // The socket that was asked answers, unless it cannot reach that family at all.
            match fits(own) {
                true => own,
                false => self.pick(&all, to)?,
            }
        } else {
            let branch = branch(bytes);
            let before = branch.and_then(|b| lock(&self.sent).get(&b));
            match before.filter(|at| fits(*at)) {
                Some(at) => at,
                None => {
                    let at = self.pick(&all, to)?;
                    if let Some(branch) = branch {
                        lock(&self.sent).put(branch, at);
                    }
                    at
                }
            }
        };
        all.get(at).filter(|_| at != own).cloned()
    }

    /// Where a peer reaches us: the socket that requests to it go out by.
    pub(super) fn towards(&self, peer: SocketAddr) -> Option<SocketAddr> {
        let all = self.all();
        self.pick(&all, peer).map(|at| all[at].bound)
    }

    /// The one that `shown` stands for in the stack's own words.
    pub(super) fn known_as(&self, shown: SocketAddr) -> Option<SocketAddr> {
        let all = self.all();
        let found = all.iter().find(|o| o.shown == shown || o.bound == shown);
        found.map(|one| one.bound)
    }

    fn pick(&self, all: &[One], to: SocketAddr) -> Option<usize> {
        let fitting = || (0..all.len()).filter(|at| all[*at].bound.is_ipv4() == to.is_ipv4());
        if fitting().nth(1).is_none() {
            return fitting().next();
        }
        if let Some(at) = lock(&self.heard)
            .get(&to)
            .filter(|at| fitting().any(|f| f == *at))
        {
            return Some(at);
        }
        let from = local_towards(to);
        fitting()
            .find(|at| all[*at].bound.ip() == from)
            .or_else(|| fitting().find(|at| all[*at].bound.ip().is_unspecified()))
            .or_else(|| fitting().next())
    }
}

fn lock<K>(recent: &Mutex<Recent<K>>) -> std::sync::MutexGuard<'_, Recent<K>> {
    recent.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The branch of the top Via.
fn branch(bytes: &[u8]) -> Option<u64> {
    let head = bytes.get(..bytes.len().min(1_024))?;
    let at = head.windows(7).position(|w| w == b"branch=")? + 7;
    let rest = head.get(at..)?;
    let end = rest
        .iter()
        .position(|b| matches!(b, b';' | b'\r' | b'\n' | b',' | b' '))
        .unwrap_or(rest.len());
    let mut hasher = DefaultHasher::new();
    rest.get(..end)?.hash(&mut hasher);
    Some(hasher.finish())
}

/// A memory that does not grow: when it is full, what was not put since it was last full is forgotten.
struct Recent<K> {
    young: HashMap<K, usize>,
    old: HashMap<K, usize>,
}

impl<K> Default for Recent<K> {
    fn default() -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }
}

impl<K: Hash + Eq> Recent<K> {
    fn get(&self, key: &K) -> Option<usize> {
        self.young.get(key).or_else(|| self.old.get(key)).copied()
    }

    fn put(&mut self, key: K, value: usize) {
        if self.young.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sockets(addresses: &[&str]) -> UdpSockets {
        let sockets = UdpSockets::default();
        for address in addresses {
            let socket = Arc::new(UdpSocket::bind(address).await.unwrap());
            let bound = socket.local_addr().unwrap();
            sockets.add(socket, bound, bound);
        }
        sockets
    }

    fn request(branch: &str) -> Vec<u8> {
        format!(
            "BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch={branch};rport\r\n\r\n"
        )
        .into_bytes()
    }

    #[tokio::test]
    async fn a_request_goes_by_the_socket_its_receiver_knows() {
        let sockets = sockets(&["127.0.0.1:0", "127.0.0.1:0"]).await;
        let peer: SocketAddr = "127.0.0.1:7000".parse().unwrap();
        assert!(sockets.other_for(0, &request("z1"), peer).is_none());
        sockets.heard(1, peer);
        let second = sockets.towards(peer).unwrap();
        let by = sockets.other_for(0, &request("z2"), peer).unwrap();
        assert_eq!(by.bound, second);
        // What went out by the first is repeated and cancelled there.
        assert!(sockets.other_for(0, &request("z1"), peer).is_none());
        // Who asks is answered by whom they asked.
        assert!(sockets.other_for(0, b"SIP/2.0 200 OK\r\n", peer).is_none());
        assert_eq!(sockets.known_as(second), Some(second));
    }

    #[tokio::test]
    async fn a_stranger_is_reached_by_the_address_that_routes_there() {
        let sockets = sockets(&["127.0.0.2:0", "127.0.0.1:0", "[::1]:0"]).await;
        let peer: SocketAddr = "127.0.0.1:7000".parse().unwrap();
        assert_eq!(sockets.towards(peer).unwrap().ip(), peer.ip());
        let six: SocketAddr = "[::1]:7000".parse().unwrap();
        let by = sockets.other_for(0, &request("z3"), six).unwrap();
        assert!(by.bound.is_ipv6());
        // One socket for everything has nothing to choose.
        let alone = self::sockets(&["127.0.0.1:0"]).await;
        assert!(alone.other_for(0, &request("z4"), peer).is_none());
    }

    #[test]
    fn memory_does_not_grow() {
        let mut recent = Recent::default();
        for n in 0..REMEMBERED * 5 {
            recent.put(n, n);
        }
        assert!(recent.young.len() + recent.old.len() <= REMEMBERED * 2);
        assert_eq!(recent.get(&(REMEMBERED * 5 - 1)), Some(REMEMBERED * 5 - 1));
        assert_eq!(recent.get(&0), None);
    }
}
