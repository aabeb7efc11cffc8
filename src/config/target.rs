//! Whom a call is handed to: `sip:human@127.0.0.1:5090;ring_s=20`, `trunk:+15550100`, `trunk:carrier:+15550100`, `twilio:+15550100`,
//! `phone:maria`.

use std::time::Duration;

/// One transfer target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub kind: TargetKind,
    /// How long it rings before the next is tried.
    pub ring: Duration,
    /// What callers are told who is joining (`;name=Maria`).
    pub name: Option<String>,
    /// The caller is sent there (`;refer=blind`) instead of being joined with whoever answers our call.
    pub blind: bool,
}

/// What is dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetKind {
    /// A SIP URI, without our own parameters.
    Sip(String),
    /// An E.164 number over the first trunk that stands, or over the one of this name.
    Trunk {
        name: Option<String>,
        number: String,
    },
    /// An E.164 number over Twilio.
    Twilio(String),
    /// A desk phone that registers here, by its user.
    Phone(String),
}

/// How long a target rings where it does not say.
const RING: Duration = Duration::from_secs(20);

impl Target {
    /// Reads a target as typed.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut ring = RING;
        let mut name = None;
        let mut blind = false;
        let mut kept = Vec::new();
        for (index, part) in text.split(';').enumerate() {
            match part.trim().strip_prefix("ring_s=") {
                Some(seconds) if index > 0 => {
                    let seconds: u64 = seconds
                        .parse()
                        .ok()
                        .filter(|s| (3..=180).contains(s))
                        .ok_or_else(|| {
                            format!("`{text}`: ring_s is a number of seconds from 3 to 180")
                        })?;
                    ring = Duration::from_secs(seconds);
                }
                _ if index > 0 && part.trim().starts_with("name=") => {
                    let said = part.trim().trim_start_matches("name=").trim();
                    name = (!said.is_empty()).then(|| said.to_owned());
                }
                _ if index > 0 && part.trim().starts_with("refer=") => {
                    blind = part.trim() == "refer=blind";
                    if !blind {
                        return Err(format!("`{text}`: the only refer there is is refer=blind"));
                    }
                }
                _ => kept.push(part.trim()),
            }
        }
        let uri = kept.join(";");
        let kind = match uri.split_once(':') {
            Some(("sip" | "sips", rest)) => {
                let host = rest
                    .split(';')
                    .next()
                    .unwrap_or("")
                    .rsplit('@')
                    .next()
                    .unwrap_or("");
                if host.is_empty() || host.starts_with(':') || uri.contains(char::is_whitespace) {
                    return Err(format!(
                        "`{text}` has no host; write it like sip:human@127.0.0.1:5090"
                    ));
                }
                TargetKind::Sip(uri)
            }
            Some(("trunk", rest)) => {
                let (name, number) = match rest.split_once(':') {
                    Some((name, number)) => (Some(name.trim().to_owned()), number),
                    None => (None, rest),
                };
                TargetKind::Trunk {
                    name,
                    number: e164(number, text)?,
                }
            }
            Some(("twilio", number)) => TargetKind::Twilio(e164(number, text)?),
            Some(("phone", user)) if !user.is_empty() => TargetKind::Phone(user.to_owned()),
            _ => {
                return Err(format!(
                    "`{text}` is not a target; write sip:user@host;ring_s=20, trunk:+15550100, twilio:+15550100 or phone:user"
                ));
            }
        };
        if blind && matches!(kind, TargetKind::Twilio(_) | TargetKind::Phone(_)) {
            return Err(format!(
                "`{text}`: refer=blind sends callers to a SIP address or over a trunk; this target is called by this line"
            ));
        }
        Ok(Target {
            kind,
            ring,
            name,
            blind,
        })
    }

    /// What is dialled, as it stands in records.
    pub fn uri(&self) -> String {
        match &self.kind {
            TargetKind::Sip(uri) => uri.clone(),
            TargetKind::Trunk { name: None, number } => format!("trunk:{number}"),
            TargetKind::Trunk {
                name: Some(name),
                number,
            } => format!("trunk:{name}:{number}"),
            TargetKind::Twilio(number) => format!("twilio:{number}"),
            TargetKind::Phone(user) => format!("phone:{user}"),
        }
    }
}

/// `+` and 7 to 15 digits (ITU-T E.164); spaces, dots, dashes and brackets are dropped.
pub(super) fn e164(number: &str, typed: &str) -> Result<String, String> {
    let bare: String = number.chars().filter(|c| !" .-()".contains(*c)).collect();
    match bare.strip_prefix('+') {
        Some(digits)
            if (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) =>
        {
            Ok(bare)
        }
        _ => Err(format!(
            "`{typed}` is not a number in international form; write it like +15550100"
        )),
    }
}
