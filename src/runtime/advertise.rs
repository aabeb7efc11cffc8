//! The address told to others: as configured, looked up, or asked of a STUN server (RFC 8489).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{UdpSocket, lookup_host};

use crate::config::Advertise;

const MAGIC: u32 = 0x2112_A442;
const TRIES: u32 = 3;

/// The address to advertise; none leaves it to each listener to name the interface that faces the other side.
pub async fn resolve(advertise: &Advertise) -> Result<Option<IpAddr>, String> {
    match advertise {
        Advertise::Auto => Ok(None),
        Advertise::Address(ip) => Ok(Some(*ip)),
        Advertise::Name(name) => {
            let mut found = lookup_host((name.as_str(), 0))
                .await
                .map_err(|e| format!("sip.advertise: cannot look up {name}: {e}"))?;
            let first = found
                .next()
                .ok_or_else(|| format!("sip.advertise: {name} has no address"))?;
            Ok(Some(first.ip()))
        }
        Advertise::Stun(server) => {
            let named = if server.contains(':') {
                server.clone()
            } else {
                format!("{server}:3478")
            };
            stun(&named).await.map(Some).map_err(|e| {
                format!("sip.advertise: {e}; give the address itself instead of stun:{server}")
            })
        }
    }
}

/// Asks a STUN server which address our packets come from (RFC 8489 section 6, Binding).
async fn stun(server: &str) -> Result<IpAddr, String> {
    let to: SocketAddr = lookup_host(server)
        .await
        .map_err(|e| format!("cannot look up the STUN server {server}: {e}"))?
        .find(SocketAddr::is_ipv4)
        .ok_or_else(|| format!("the STUN server {server} has no IPv4 address"))?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .await
        .map_err(|e| format!("no socket for STUN: {e}"))?;
    let transaction: [u8; 12] = rand::random();
    let mut request = Vec::with_capacity(20);
    request.extend_from_slice(&[0, 1, 0, 0]);
    request.extend_from_slice(&MAGIC.to_be_bytes());
    request.extend_from_slice(&transaction);
    let mut wait = Duration::from_millis(500);
    for _ in 0..TRIES {
        socket
            .send_to(&request, to)
            .await
            .map_err(|e| format!("cannot reach {server}: {e}"))?;
        let mut buffer = [0; 548];
        if let Ok(Ok(n)) = tokio::time::timeout(wait, socket.recv(&mut buffer)).await
            && let Some(ip) = mapped(&buffer[..n], &transaction)
        {
            return Ok(ip);
        }
        wait *= 2;
    }
    Err(format!("the STUN server {server} did not answer"))
}

/// The XOR-MAPPED-ADDRESS (or older MAPPED-ADDRESS) of a Binding success response.
fn mapped(message: &[u8], transaction: &[u8; 12]) -> Option<IpAddr> {
    if message.get(..2)? != [1, 1] || message.get(8..20)? != transaction {
        return None;
    }
    let mut rest = message.get(20..)?;
    while let Some(head) = rest.get(..4) {
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = rest.get(4..4 + length)?;
        if let (0x0020 | 0x0001, Some([_, 1, _, _, a, b, c, d])) = (
            kind,
            value.get(..8).and_then(|v| <&[u8; 8]>::try_from(v).ok()),
        ) {
            let raw = u32::from_be_bytes([*a, *b, *c, *d]);
            let ip = if kind == 0x0020 { raw ^ MAGIC } else { raw };
            return Some(IpAddr::V4(Ipv4Addr::from(ip)));
        }
        rest = rest.get(4 + length.div_ceil(4) * 4..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A STUN server that says what it sees, as a NAT's far side would.
    #[tokio::test]
    async fn a_stun_server_tells_our_address() {
        let Ok(server) = UdpSocket::bind("127.0.0.1:0").await else {
            panic!("no loopback")
        };
        let Ok(address) = server.local_addr() else {
            panic!("no address")
        };
        tokio::spawn(async move {
            let mut request = [0; 100];
            let Ok((_, from)) = server.recv_from(&mut request).await else {
                return;
            };
            let mut answer = vec![1, 1, 0, 12];
            answer.extend_from_slice(&request[4..20]);
            answer.extend_from_slice(&[0, 0x20, 0, 8, 0, 1]);
            answer.extend_from_slice(&(1234u16 ^ 0x2112).to_be_bytes());
            answer.extend_from_slice(
                &(u32::from(Ipv4Addr::new(203, 0, 113, 7)) ^ MAGIC).to_be_bytes(),
            );
            let _ = server.send_to(&answer, from).await;
        });
        let found = resolve(&Advertise::Stun(address.to_string())).await;
        assert_eq!(found, Ok(Some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)))));
    }

    #[test]
    fn a_reply_to_another_question_is_no_answer() {
        assert_eq!(mapped(&[1, 1, 0, 0], &[0; 12]), None);
        assert_eq!(mapped(&[0xff; 60], &[0xff; 12]), None);
    }
}
