//! Far ends behind NAT that write an address into Contact at which nobody outside can reach them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::header::NameAddr;
use super::{Message, Start};

/// Puts where a message came from in the place of a private address in its Contact (RFC 1918, RFC 6598), where it came straight from its
/// writer: what is sent within the dialog finds its way back then. Behind a proxy that recorded itself the Contact is the proxy's affair.
pub fn reachable(message: &mut Message, source: SocketAddr) {
    let opens = match &message.start {
        Start::Request { method, .. } => matches!(method.as_str(), "INVITE" | "UPDATE"),
        Start::Response { code, .. } => (101..300).contains(code),
    };
    if !opens || message.header("Record-Route").is_some() || message.all("Via").count() != 1 {
        return;
    }
    let IpAddr::V4(from) = source.ip().to_canonical() else {
        return;
    };
    // Within one's own networks addresses are as they seem.
    if is_private(from) || from.is_loopback() {
        return;
    }
    for (name, value) in &mut message.headers {
        if name != "Contact" {
            continue;
        }
        let Some(mut contact) = NameAddr::parse(value) else {
            continue;
        };
        let Some((host, port)) = host_of(&contact.uri) else {
            continue;
        };
        // A private address that the message did come from is one we can reach.
        if !is_private(host) || host == from {
            continue;
        }
        let written = match port {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        contact.uri = contact
            .uri
            .replacen(&written, &format!("{from}:{}", source.port()), 1);
        *value = contact.to_string();
    }
}

/// The literal address of a SIP URI, and its port.
fn host_of(uri: &str) -> Option<(Ipv4Addr, Option<u16>)> {
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
        return None;
    }
    let at = rest.rsplit('@').next()?;
    let hop = at.split([';', '?']).next()?;
    match hop.split_once(':') {
        Some((host, port)) => Some((host.parse().ok()?, Some(port.parse().ok()?))),
        None => Some((hop.parse().ok()?, None)),
    }
}

fn is_private(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    ip.is_private() || (a == 100 && (64..128).contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(written: &str, source: &str, route: bool) -> String {
        let mut message = Message {
            start: Start::Request {
                method: "INVITE".into(),
                uri: "sip:line@203.0.113.1".into(),
            },
            headers: vec![
                ("Via".into(), "SIP/2.0/UDP 10.0.0.5;branch=z9hG4bK1".into()),
                ("Contact".into(), written.into()),
            ],
            body: Vec::new(),
        };
        if route {
            let hop = ("Record-Route".to_owned(), "<sip:203.0.113.9;lr>".to_owned());
            message.headers.push(hop);
        }
        reachable(&mut message, source.parse().unwrap());
        message.header("Contact").unwrap().to_owned()
    }

    #[test]
    fn a_private_contact_from_outside_becomes_where_it_came_from() {
        let written = "<sip:anna@10.0.0.5:5060;ob>";
        assert_eq!(
            contact(written, "203.0.113.77:40001", false),
            "<sip:anna@203.0.113.77:40001;ob>"
        );
        assert_eq!(
            contact("<sip:anna@192.168.1.4>", "203.0.113.77:40001", false),
            "<sip:anna@203.0.113.77:40001>"
        );
        for (written, source, route) in [
            (written, "10.0.0.5:5060", false),
            (written, "10.0.0.9:5060", false),
            (written, "127.0.0.1:5060", false),
            (written, "203.0.113.77:40001", true),
            ("<sip:anna@198.51.100.3:5060>", "203.0.113.77:40001", false),
            ("<sip:anna@phone.example>", "203.0.113.77:40001", false),
            ("<tel:+15550100>", "203.0.113.77:40001", false),
        ] {
            assert_eq!(contact(written, source, route), written);
        }
    }
}
