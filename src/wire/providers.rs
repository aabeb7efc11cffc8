//! A table: the same media stream by other names. What Twilio calls a mark is a checkpoint elsewhere; one more provider is one more row here,
//! and a page in `sip-config/`.
//!
//! Sources: Twilio "Media Streams - WebSocket Messages"; SignalWire "cXML, Stream"; Telnyx "Stream call media over WebSocket" and "TeXML,
//! Stream"; Plivo "Audio streaming, stream events" and "Signature validation V3".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::twilio::ToTwilio;

/// How a provider's webhooks are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// HMAC-SHA1 of the address and the sorted form, in one of these headers.
    HmacSha1(&'static [&'static str]),
    /// Plivo's V3: HMAC-SHA256 of the address, the form, and a nonce that is sent along.
    PlivoV3,
    /// Telnyx: Ed25519 over `timestamp|body`; what is configured as the secret is their public key.
    Ed25519,
}

/// How the answer to a webhook opens a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opens {
    /// `<Connect><Stream url="..."><Parameter/></Stream></Connect>`, with these attributes more.
    Connect(&'static str),
    /// `<Stream ... extraHeaders="token=...">wss://...</Stream>`.
    Plivo,
}

/// One provider's names for things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names {
    pub provider: &'static str,
    pub signed: Signed,
    pub opens: Opens,
    /// The webhook's field with the call's id.
    pub call: &'static str,
    /// The stream's start message names the call by the same id as the webhook.
    pub same_call_id: bool,
    /// The field that says which stream a message of ours is for; none where a socket carries one.
    stream: Option<&'static str>,
    media: &'static str,
    /// Media of ours says what it is.
    typed: bool,
    mark: &'static str,
    /// The mark's name stands beside the event, not under it.
    flat: bool,
    clear: &'static str,
    /// Calls can be made and ended by Twilio's REST API or one like it.
    pub rest: bool,
    /// The verb that speaks, and the one inside Dial that calls a SIP address.
    pub say: &'static str,
    pub dial_sip: &'static str,
}

/// Twilio's own.
pub const TWILIO: Names = Names {
    provider: "twilio",
    signed: Signed::HmacSha1(&["x-twilio-signature"]),
    opens: Opens::Connect(""),
    call: "CallSid",
    same_call_id: true,
    stream: Some("streamSid"),
    media: "media",
    typed: false,
    mark: "mark",
    flat: false,
    clear: "clear",
    rest: true,
    say: "Say",
    dial_sip: "Sip",
};

/// Every provider.
pub const ALL: [Names; 4] = [
    TWILIO,
    Names {
        provider: "signalwire",
        signed: Signed::HmacSha1(&["x-signalwire-signature", "x-twilio-signature"]),
        ..TWILIO
    },
    Names {
        provider: "telnyx",
        signed: Signed::Ed25519,
        opens: Opens::Connect(
            " track=\"inbound_track\" codec=\"PCMU\" bidirectionalMode=\"rtp\" bidirectionalCodec=\"PCMU\"",
        ),
        same_call_id: false,
        stream: None,
        rest: false,
        ..TWILIO
    },
    Names {
        provider: "plivo",
        signed: Signed::PlivoV3,
        opens: Opens::Plivo,
        call: "CallUUID",
        stream: Some("streamId"),
        media: "playAudio",
        typed: true,
        mark: "checkpoint",
        flat: true,
        clear: "clearAudio",
        rest: false,
        say: "Speak",
        dial_sip: "User",
        ..TWILIO
    },
];

/// The row of this name.
pub fn named(provider: &str) -> Option<&'static Names> {
    ALL.iter().find(|n| n.provider == provider)
}

impl Names {
    /// Writes one message of ours.
    pub fn build(&self, stream: &str, message: &ToTwilio) -> String {
        let mut out = match message {
            ToTwilio::Media(payload) => {
                let mut media = json!({"payload": BASE64.encode(payload)});
                if self.typed {
                    media["contentType"] = "audio/x-mulaw".into();
                    media["sampleRate"] = 8_000.into();
                }
                json!({"event": self.media, "media": media})
            }
            ToTwilio::Mark(name) if self.flat => json!({"event": self.mark, "name": name}),
            ToTwilio::Mark(name) => json!({"event": self.mark, "mark": {"name": name}}),
            ToTwilio::Clear => json!({"event": self.clear}),
        };
        if let Some(field) = self.stream {
            out[field] = Value::from(stream);
        }
        out.to_string()
    }
}

/// What Plivo's V3 signature is computed over: the address without its query, `?`, the query in the order of its names, a dot where there
/// is one, the form's names and values in the order of the names, a dot, and the nonce.
pub fn plivo_string_to_sign(url: &str, params: &[(String, String)], nonce: &str) -> String {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut pairs: Vec<&str> = query.split('&').filter(|p| !p.is_empty()).collect();
    pairs.sort_unstable();
    let mut out = base.to_owned();
    if !pairs.is_empty() || !params.is_empty() {
        out.push('?');
        out += &pairs.join("&");
    }
    if !pairs.is_empty() && !params.is_empty() {
        out.push('.');
    }
    let mut sorted: Vec<_> = params.iter().collect();
    sorted.sort();
    for (name, value) in sorted {
        out += name;
        out += value;
    }
    out.push('.');
    out + nonce
}

#[cfg(test)]
mod tests {
    use super::super::twilio::{FromTwilio, parse};
    use super::*;

    #[test]
    fn what_each_is_sent() {
        let sent = |provider: &str| {
            let names = named(provider).unwrap();
            [
                ToTwilio::Media(&[0xFF, 0x7F, 0x7F]),
                ToTwilio::Mark("7"),
                ToTwilio::Clear,
            ]
            .map(|m| names.build("S1", &m))
        };
        assert_eq!(sent("twilio"), sent("signalwire"));
        assert_eq!(
            sent("twilio")[1],
            r#"{"event":"mark","mark":{"name":"7"},"streamSid":"S1"}"#
        );
        assert_eq!(
            sent("telnyx"),
            [
                r#"{"event":"media","media":{"payload":"/39/"}}"#,
                r#"{"event":"mark","mark":{"name":"7"}}"#,
                r#"{"event":"clear"}"#
            ]
        );
        assert_eq!(
            sent("plivo"),
            [
                r#"{"event":"playAudio","media":{"payload":"/39/","contentType":"audio/x-mulaw","sampleRate":8000},"streamId":"S1"}"#,
                r#"{"event":"checkpoint","name":"7","streamId":"S1"}"#,
                r#"{"event":"clearAudio","streamId":"S1"}"#
            ]
        );
        assert!(named("carrier-pigeon").is_none());
    }

    #[test]
    fn what_each_sends_reads_the_same() {
        let telnyx = r#"{"event":"start","sequence_number":"1","stream_id":"32de0dea","start":{"user_id":"3e6f","call_control_id":"v3:T02l",
            "client_state":"aGF2","custom_parameters":{"token":"t1"},"media_format":{"encoding":"PCMU","sample_rate":8000,"channels":1}}}"#;
        let plivo = r#"{"sequenceNumber":0,"event":"start","start":{"callId":"e12d","streamId":"20170ada","accountId":"MA1","tracks":["inbound"],
            "mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000}},"extra_headers":"{\"token\":\"t1\"}"}"#;
        let plain = plivo.replace(r#""{\"token\":\"t1\"}""#, r#""token=t1,desk=a b""#);
        for (message, call, stream) in [
            (telnyx, "v3:T02l", "32de0dea"),
            (plivo, "e12d", "20170ada"),
            (&plain, "e12d", "20170ada"),
        ] {
            let FromTwilio::Start(start) = parse(message).unwrap() else {
                panic!("no start: {message}");
            };
            assert_eq!(
                (start.call_sid.as_str(), start.stream_sid.as_str()),
                (call, stream)
            );
            assert_eq!(start.parameters[0], ("token".into(), "t1".into()));
            assert_eq!(start.sample_rate, 8_000);
        }
        let mark = FromTwilio::Mark { name: "7".into() };
        for back in [
            r#"{"event":"mark","sequence_number":"9","stream_id":"32de","mark":{"name":"7"}}"#,
            r#"{"event":"playedStream","streamId":"20170ada","name":"7"}"#,
        ] {
            assert_eq!(parse(back).unwrap(), mark, "{back}");
        }
        let media = r#"{"event":"media","sequence_number":"4","media":{"track":"inbound","chunk":"2","timestamp":"5","payload":"/39/"},"stream_id":"32de"}"#;
        assert!(matches!(
            parse(media).unwrap(),
            FromTwilio::Media {
                timestamp_ms: 5,
                ..
            }
        ));
    }

    #[test]
    fn plivos_string() {
        let form = [("To", "2"), ("From", "1"), ("CallUUID", "u")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(
            plivo_string_to_sign("https://e.com/a", &form, "n"),
            "https://e.com/a?CallUUIDuFrom1To2.n"
        );
        assert_eq!(
            plivo_string_to_sign("https://e.com/a?z=1&b=2", &form, "n"),
            "https://e.com/a?b=2&z=1.CallUUIDuFrom1To2.n"
        );
        assert_eq!(
            plivo_string_to_sign("https://e.com/a", &[], "n"),
            "https://e.com/a.n"
        );
    }
}
