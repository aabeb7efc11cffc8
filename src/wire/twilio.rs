//! Twilio media streams: the JSON messages of a bidirectional stream, and what a request's signature is computed over.
//!
//! Sources: Twilio's "Media Streams - WebSocket Messages" and "Webhooks Security" pages. Sound is mu-law at 8 kHz in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::WireError;

/// What Twilio says on the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromTwilio {
    /// The socket is open; [`FromTwilio::Start`] follows.
    Connected {
        protocol: String,
        version: String,
    },
    /// Once, before any sound.
    Start(Start),
    Media {
        /// `inbound` or `outbound`.
        track: String,
        /// Counts the messages of this track from 1; 0 where it was not given.
        chunk: u64,
        /// Milliseconds since the stream began.
        timestamp_ms: u64,
        /// Mu-law, 8 kHz, 20 ms as a rule.
        payload: Vec<u8>,
    },
    Dtmf {
        digit: char,
    },
    /// Everything sent before the mark of this name was played, or cleared.
    Mark {
        name: String,
    },
    /// The stream or the call ended.
    Stop {
        call_sid: String,
    },
    /// A message that is not acted upon.
    Other(String),
}

/// What a stream is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    pub stream_sid: String,
    pub account_sid: String,
    pub call_sid: String,
    pub tracks: Vec<String>,
    /// `audio/x-mulaw`.
    pub encoding: String,
    pub sample_rate: u32,
    pub channels: u32,
    /// The `<Parameter>`s of the TwiML that opened the stream, in order.
    pub parameters: Vec<(String, String)>,
}

/// Reads one text message.
pub fn parse(text: &str) -> Result<FromTwilio, WireError> {
    let value: Value = serde_json::from_str(text)
        .map_err(|e| WireError::new(format!("media-stream message is not JSON: {e}")))?;
    let event = string(&value, "event");
    let body = &value[&event];
    Ok(match event.as_str() {
        "" => return Err(WireError::new("media-stream message without an event")),
        "connected" => FromTwilio::Connected {
            protocol: string(&value, "protocol"),
            version: string(&value, "version"),
        },
        "start" => FromTwilio::Start(start(&value, body)?),
        "media" => FromTwilio::Media {
            track: string(body, "track"),
            chunk: number(body, "chunk"),
            timestamp_ms: number(body, "timestamp"),
            payload: BASE64
                .decode(string(body, "payload"))
                .map_err(|e| WireError::new(format!("media payload is not base64: {e}")))?,
        },
        "dtmf" => FromTwilio::Dtmf {
            digit: string(body, "digit")
                .chars()
                .next()
                .ok_or_else(|| WireError::new("dtmf message without a digit"))?,
        },
        // Other providers' names for the same thing: see `providers`.
        "mark" | "playedStream" => FromTwilio::Mark {
            name: first(&[body, &value], &["name"]),
        },
        "stop" => FromTwilio::Stop {
            call_sid: first(&[body], CALL_ID),
        },
        _ => FromTwilio::Other(event),
    })
}

fn start(message: &Value, body: &Value) -> Result<Start, WireError> {
    let stream_sid = first(&[body, message], STREAM_ID);
    if stream_sid.is_empty() {
        return Err(WireError::new("start message without a streamSid"));
    }
    let format = match &body["mediaFormat"] {
        Value::Null => &body["media_format"],
        format => format,
    };
    let rate = match &format["sampleRate"] {
        Value::Null => number(format, "sample_rate"),
        _ => number(format, "sampleRate"),
    };
    let strings = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    Ok(Start {
        stream_sid,
        account_sid: first(&[body], &["accountSid", "accountId"]),
        call_sid: first(&[body], CALL_ID),
        tracks: body["tracks"]
            .as_array()
            .map(|a| a.iter().map(strings).collect())
            .unwrap_or_default(),
        encoding: string(format, "encoding"),
        sample_rate: u32::try_from(rate).unwrap_or(u32::MAX),
        channels: number(format, "channels") as u32,
        parameters: parameters(message, body),
    })
}

const STREAM_ID: &[&str] = &["streamSid", "streamId", "stream_id"];
const CALL_ID: &[&str] = &["callSid", "callId", "call_control_id"];
/// Parameters of one stream, at most.
const PARAMETERS: usize = 64;

/// What the answer to the webhook gave the stream: an object, or text such as `a=1,b=2` or an object written out.
fn parameters(message: &Value, body: &Value) -> Vec<(String, String)> {
    let strings = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let of = |object: &Map<String, Value>| -> Vec<(String, String)> {
        let all = object.iter().map(|(k, v)| (k.clone(), strings(v)));
        all.take(PARAMETERS).collect()
    };
    for key in ["customParameters", "custom_parameters"] {
        if let Some(object) = body[key].as_object() {
            return of(object);
        }
    }
    let text = first(&[message, body], &["extra_headers", "extraHeaders"]);
    if let Ok(Value::Object(object)) = serde_json::from_str(&text) {
        return of(&object);
    }
    text.split([',', ';'])
        .filter_map(|pair| pair.split_once('='))
        .map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned()))
        .take(PARAMETERS)
        .collect()
}

/// The first of these fields, in the first of these objects, that holds text.
fn first(values: &[&Value], keys: &[&str]) -> String {
    values
        .iter()
        .flat_map(|value| keys.iter().map(|key| string(value, key)))
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

fn string(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// Twilio writes most numbers as strings.
fn number(value: &Value, key: &str) -> u64 {
    match &value[key] {
        Value::String(s) => s.parse().unwrap_or(0),
        other => other.as_u64().unwrap_or(0),
    }
}

/// What is said to Twilio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToTwilio<'a> {
    /// Mu-law at 8 kHz, without any file header. Twilio buffers it and plays it in order.
    Media(&'a [u8]),
    /// Sent back when everything before it was played.
    Mark(&'a str),
    /// Drop what is buffered; every mark in it comes back at once.
    Clear,
}

/// Writes one text message.
pub fn build(stream_sid: &str, message: &ToTwilio) -> String {
    match message {
        ToTwilio::Media(payload) => json!({
            "event": "media", "streamSid": stream_sid, "media": {"payload": BASE64.encode(payload)},
        }),
        ToTwilio::Mark(name) => json!({
            "event": "mark", "streamSid": stream_sid, "mark": {"name": name},
        }),
        ToTwilio::Clear => json!({"event": "clear", "streamSid": stream_sid}),
    }
    .to_string()
}

/// Writes a message as Twilio would: for a caller that tests a line, and for tests. `sequence`: counts from 1.
pub fn build_as_twilio(stream_sid: &str, sequence: u64, message: &FromTwilio) -> String {
    let sequence = sequence.to_string();
    let wrap = |event: &str, body: Value| {
        let mut m = Map::new();
        m.insert("event".into(), event.into());
        m.insert("sequenceNumber".into(), sequence.clone().into());
        m.insert(event.into(), body);
        m.insert("streamSid".into(), stream_sid.into());
        Value::Object(m)
    };
    match message {
        FromTwilio::Connected { protocol, version } => {
            json!({"event": "connected", "protocol": protocol, "version": version})
        }
        FromTwilio::Start(s) => {
            let parameters: Map<String, Value> = s
                .parameters
                .iter()
                .map(|(k, v)| (k.clone(), v.as_str().into()))
                .collect();
            wrap(
                "start",
                json!({
                    "streamSid": s.stream_sid, "accountSid": s.account_sid, "callSid": s.call_sid, "tracks": s.tracks,
                    "mediaFormat": {"encoding": s.encoding, "sampleRate": s.sample_rate, "channels": s.channels},
                    "customParameters": parameters,
                }),
            )
        }
        FromTwilio::Media {
            track,
            chunk,
            timestamp_ms,
            payload,
        } => wrap(
            "media",
            json!({
                "track": track, "chunk": chunk.to_string(), "timestamp": timestamp_ms.to_string(),
                "payload": BASE64.encode(payload),
            }),
        ),
        FromTwilio::Dtmf { digit } => wrap(
            "dtmf",
            json!({"track": "inbound_track", "digit": digit.to_string()}),
        ),
        FromTwilio::Mark { name } => wrap("mark", json!({"name": name})),
        FromTwilio::Stop { call_sid } => wrap("stop", json!({"callSid": call_sid})),
        FromTwilio::Other(event) => wrap(event, json!({})),
    }
    .to_string()
}

/// What `X-Twilio-Signature` is computed over: the base64 of HMAC-SHA1 of this string, keyed with the account's auth token.
///
/// `url`: as Twilio was told it, with scheme, host and query. `params`: the decoded form fields of a POST, none for a GET or a
/// WebSocket. They go behind the URL, name and value without anything between, in the order of their names (case-sensitive); of a
/// name that comes several times, each different value once.
pub fn string_to_sign(url: &str, params: &[(String, String)]) -> String {
    let mut params: Vec<_> = params.iter().collect();
    params.sort();
    params.dedup();
    let mut out = url.to_owned();
    for (name, value) in params {
        out.push_str(name);
        out.push_str(value);
    }
    out
}

/// `url` with its scheme's own port written out or left off, whichever it is not now: Twilio signs one or the other depending on
/// the product, and a request is genuine if either matches. None for a URL that cannot be told apart.
pub fn other_port_form(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let port = match scheme {
        "https" | "wss" => ":443",
        "http" | "ws" => ":80",
        _ => return None,
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    if let Some(bare) = host.strip_suffix(port) {
        return Some(format!("{scheme}://{bare}{path}"));
    }
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, p)| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    (!has_port).then(|| format!("{scheme}://{host}{port}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_as_twilio_sends_them() {
        let start = r#"{"event":"start","sequenceNumber":"1","start":{"accountSid":"AC1","streamSid":"MZ1","callSid":"CA1",
            "tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},
            "customParameters":{"from":"+15550100","token":"x"}},"streamSid":"MZ1"}"#;
        let FromTwilio::Start(s) = parse(start).unwrap() else {
            panic!("not a start")
        };
        assert_eq!(
            (s.stream_sid.as_str(), s.call_sid.as_str(), s.sample_rate),
            ("MZ1", "CA1", 8000)
        );
        assert_eq!(s.parameters[0], ("from".into(), "+15550100".into()));
        let media = r#"{"event":"media","sequenceNumber":"4","media":{"track":"inbound","chunk":"2","timestamp":"40","payload":"/39/"},"streamSid":"MZ1"}"#;
        assert_eq!(
            parse(media).unwrap(),
            FromTwilio::Media {
                track: "inbound".into(),
                chunk: 2,
                timestamp_ms: 40,
                payload: vec![0xFF, 0x7F, 0x7F]
            }
        );
        let dtmf = r##"{"event":"dtmf","streamSid":"MZ1","sequenceNumber":"5","dtmf":{"track":"inbound_track","digit":"#"}}"##;
        assert_eq!(parse(dtmf).unwrap(), FromTwilio::Dtmf { digit: '#' });
        assert_eq!(
            parse(r#"{"event":"news"}"#).unwrap(),
            FromTwilio::Other("news".into())
        );
    }

    #[test]
    fn hostile_messages_are_errors() {
        for bad in [
            "",
            "[]",
            "{}",
            "7",
            r#"{"event":7}"#,
            r#"{"event":"start"}"#,
            r#"{"event":"dtmf","dtmf":{}}"#,
            r#"{"event":"media","media":{"payload":"***"}}"#,
            r#"{"event":"start","start":[]}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_sent() {
        assert_eq!(
            build("MZ1", &ToTwilio::Media(&[0xFF, 0x7F, 0x7F])),
            r#"{"event":"media","streamSid":"MZ1","media":{"payload":"/39/"}}"#
        );
        assert_eq!(
            build("MZ1", &ToTwilio::Mark("a\"b")),
            r#"{"event":"mark","streamSid":"MZ1","mark":{"name":"a\"b"}}"#
        );
        assert_eq!(
            build("MZ1", &ToTwilio::Clear),
            r#"{"event":"clear","streamSid":"MZ1"}"#
        );
    }

    #[test]
    fn the_signed_string() {
        let p = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let params = [
            p("To", "+18005551212"),
            p("Digits", "1234"),
            p("CallSid", "CA1"),
            p("Digits", "1234"),
            p("Digits", "1"),
            p("a", ""),
        ];
        assert_eq!(
            string_to_sign("https://example.com/myapp?foo=1", &params),
            "https://example.com/myapp?foo=1CallSidCA1Digits1Digits1234To+18005551212a"
        );
        assert_eq!(
            other_port_form("https://e.com/x?y").as_deref(),
            Some("https://e.com:443/x?y")
        );
        assert_eq!(
            other_port_form("wss://e.com:443/x").as_deref(),
            Some("wss://e.com/x")
        );
        assert_eq!(
            other_port_form("http://e.com").as_deref(),
            Some("http://e.com:80")
        );
        assert_eq!(other_port_form("https://e.com:8443/x"), None);
        assert_eq!(other_port_form("e.com"), None);
    }

    proptest! {
        #[test]
        fn round_trip(payload in proptest::collection::vec(any::<u8>(), 0..200), name: String, chunk: u64, digit: char,
            parameters in proptest::collection::btree_map("[a-z]{1,8}", any::<String>(), 0..5)) {
            let start = Start {
                stream_sid: "MZ9".into(), account_sid: "AC".into(), call_sid: "CA".into(), tracks: vec!["inbound".into()],
                encoding: "audio/x-mulaw".into(), sample_rate: 8000, channels: 1, parameters: parameters.into_iter().collect(),
            };
            for message in [
                FromTwilio::Connected { protocol: "Call".into(), version: "1.0.0".into() },
                FromTwilio::Start(start),
                FromTwilio::Media { track: "inbound".into(), chunk, timestamp_ms: chunk, payload },
                FromTwilio::Dtmf { digit },
                FromTwilio::Mark { name },
                FromTwilio::Stop { call_sid: "CA".into() },
            ] {
                prop_assert_eq!(parse(&build_as_twilio("MZ9", 3, &message)).unwrap(), message);
            }
        }

        #[test]
        fn never_panics(text in ".{0,80}", event in "connected|start|media|dtmf|mark|stop|x", body in r#"\{\}|7|"s"|\[1\]|null|\{"digit":"\}|\{"payload":"AA"\}"#) {
            let _ = parse(&text);
            let _ = parse(&format!(r#"{{"event":"{event}","{event}":{body}}}"#));
            let _ = other_port_form(&text);
        }
    }
}
