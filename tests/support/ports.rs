//! Ports for programs that are told where to listen.

use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below what the system hands to sockets that ask for any port, and below every range of media ports in these tests: between this
/// look and the program's own bind nobody else takes it.
const FIRST: u16 = 10_000;
const COUNT: u16 = 6_000;

/// A port of 127.0.0.1 that is free for UDP and TCP and that nobody else in this process is given.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two runs at once start at different places.
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    for _ in 0..COUNT {
        let port = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
        let here = ("127.0.0.1", port);
        if TcpListener::bind(here).is_ok() && UdpSocket::bind(here).is_ok() {
            return port;
        }
    }
    panic!("no port of {FIRST}-{} is free", FIRST + COUNT - 1);
}
