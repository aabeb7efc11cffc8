//! SIP URIs as people type them, with this program's own parameters (`ring_s`) taken out before anything is sent.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::Transport;

/// Parameters that RFC 3261 section 19.1.1 knows, and a few in common use; every other one is ours or nobody's and is not sent.
const KNOWN: [&str; 9] = [
    "transport",
    "user",
    "method",
    "ttl",
    "maddr",
    "lr",
    "ob",
    "phone-context",
    "tag",
];

/// `sip:user@host:port;transport=tcp;ring_s=20`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipUri {
    pub user: Option<String>,
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    pub port: Option<u16>,
    /// Parameters that go on the wire, name and value.
    pub params: Vec<(String, Option<String>)>,
    /// `ring_s`: how long it may ring.
    pub ring_s: Option<u32>,
}

impl SipUri {
    /// A URI of a user at an address.
    pub fn new(
        user: Option<&str>,
        host: impl Into<String>,
        port: Option<u16>,
        transport: Transport,
    ) -> Self {
        let params = match transport {
            Transport::Udp => Vec::new(),
            other => vec![(
                "transport".to_owned(),
                Some(other.name().to_ascii_lowercase()),
            )],
        };
        Self {
            user: user.map(str::to_owned),
            host: host.into(),
            port,
            params,
            ring_s: None,
        }
    }

    /// As `transport=` says; UDP where it says nothing.
    pub fn transport(&self) -> Transport {
        self.param("transport")
            .and_then(Transport::named)
            .unwrap_or(Transport::Udp)
    }

    /// The port that goes without saying.
    pub fn usual_port(&self) -> u16 {
        match self.transport() {
            Transport::Tls => 5061,
            _ => 5060,
        }
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .and_then(|(_, v)| v.as_deref())
    }

    /// The address, where the host is a literal one: nothing is to be looked up then.
    pub fn literal(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.host.parse().ok()?;
        Some(SocketAddr::new(ip, self.port.unwrap_or(self.usual_port())))
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sip:")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        for (name, value) in &self.params {
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for SipUri {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = |why: &str| {
            format!("\"{text}\" is no SIP address ({why}): write it as sip:user@host:port")
        };
        let text = text.trim();
        let (scheme, rest) = text
            .split_once(':')
            .filter(|(s, _)| s.eq_ignore_ascii_case("sip") || s.eq_ignore_ascii_case("sips"))
            .ok_or_else(|| bad("it does not begin with sip: or sips:"))?;
        let secure = scheme.len() == 4;
        if rest
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || "<>\"".contains(c))
        {
            return Err(bad("it holds a space or a quote"));
        }
        // Headers after "?" are for mail-like links; none of them is ours to send.
        let rest = rest.split('?').next().unwrap_or_default();
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let mut parts = rest.split(';');
        let (host, port) = host_port(parts.next().unwrap_or_default()).map_err(bad)?;
        let mut uri = Self {
            user: user.filter(|u| !u.is_empty()).map(str::to_owned),
            host,
            port,
            params: Vec::new(),
            ring_s: None,
        };
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (part, None),
            };
            if name.eq_ignore_ascii_case("ring_s") {
                let seconds = value
                    .and_then(|v| v.parse().ok())
                    .filter(|s| (1..=180).contains(s));
                uri.ring_s = Some(seconds.ok_or_else(|| bad("ring_s takes seconds, 1 to 180"))?);
            } else if KNOWN.iter().any(|k| k.eq_ignore_ascii_case(name)) {
                uri.params.push((name.to_owned(), value.map(str::to_owned)));
            }
        }
        // A sips: address is reached over TLS, whatever else it says (RFC 3261 section 19.1).
        if secure {
            uri.params
                .retain(|(n, _)| !n.eq_ignore_ascii_case("transport"));
            uri.params
                .push(("transport".to_owned(), Some("tls".to_owned())));
        }
        if let Some(named) = uri.param("transport")
            && Transport::named(named).is_none()
        {
            return Err(bad("its transport is none of udp, tcp and tls"));
        }
        Ok(uri)
    }
}

pub(super) fn host_port(text: &str) -> Result<(String, Option<u16>), &'static str> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("the bracket is not closed")?;
        (host, after.strip_prefix(':'))
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    if host.is_empty() {
        return Err("it names no host");
    }
    let port = match port {
        Some(port) => Some(
            port.parse()
                .ok()
                .filter(|p| *p > 0)
                .ok_or("its port is no number")?,
        ),
        None => None,
    };
    Ok((host.to_owned(), port))
}

/// The URI inside a From, To or P-Asserted-Identity value: `"Anna" <sip:+15550100@host>;tag=x` or a bare address.
pub fn address_of(value: &str) -> Option<String> {
    let inner = match value.split_once('<') {
        Some((_, rest)) => rest.split('>').next()?,
        None => value.split(';').next()?,
    };
    Some(inner.trim().to_owned()).filter(|s| !s.is_empty())
}

/// The number or user of such a value; none where it is withheld. Visual separators of numbers are dropped (RFC 3966 section 3).
pub fn party_of(value: &str) -> Option<String> {
    let address = address_of(value)?;
    let lower = address.to_ascii_lowercase();
    if lower.contains("anonymous") {
        return None;
    }
    let user = if let Some(rest) = lower.strip_prefix("tel:") {
        address
            .get(address.len() - rest.len()..)?
            .split(';')
            .next()?
            .to_owned()
    } else {
        let (_, rest) = address.split_once(':')?;
        let (user, _) = rest.rsplit_once('@')?;
        user.split([';', ':']).next()?.to_owned()
    };
    let user = user.replace("%2B", "+").replace("%2b", "+");
    let digits: String = user.chars().filter(|c| !"-.() ".contains(*c)).collect();
    let number = digits.strip_prefix('+').unwrap_or(&digits);
    if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
        return Some(digits);
    }
    Some(user).filter(|u| !u.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_parameters_are_taken_out_and_the_rest_kept() {
        let uri: SipUri = "sip:human@127.0.0.1:5090;ring_s=20;transport=tcp;queue=x"
            .parse()
            .unwrap();
        assert_eq!(uri.ring_s, Some(20));
        assert_eq!(uri.transport(), Transport::Tcp);
        assert_eq!(uri.to_string(), "sip:human@127.0.0.1:5090;transport=tcp");
        assert_eq!(uri.literal(), Some("127.0.0.1:5090".parse().unwrap()));
    }

    #[test]
    fn ipv6_and_bare_hosts() {
        let uri: SipUri = "sip:[::1]:5070".parse().unwrap();
        assert_eq!(uri.literal(), Some("[::1]:5070".parse().unwrap()));
        assert_eq!(uri.to_string(), "sip:[::1]:5070");
        let uri: SipUri = "SIP:desk@example.net".parse().unwrap();
        assert_eq!(uri.literal(), None);
        assert_eq!(uri.port, None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for bad in [
            "human@host",
            "sip:",
            "sip:a@b:99999",
            "sip:a b@c",
            "sip:a@b;ring_s=0",
            "sip:[::1",
            "é",
        ] {
            assert!(bad.parse::<SipUri>().is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_out_of_headers() {
        assert_eq!(
            party_of("\"Anna\" <sip:+1-555-0100@h;user=phone>;tag=1").as_deref(),
            Some("+15550100")
        );
        assert_eq!(
            party_of("<tel:+1(555)0100;phone-context=x>").as_deref(),
            Some("+15550100")
        );
        assert_eq!(party_of("sip:anna@host;tag=3").as_deref(), Some("anna"));
        assert_eq!(
            party_of("\"Anonymous\" <sip:anonymous@anonymous.invalid>"),
            None
        );
        assert_eq!(party_of(""), None);
    }
}
