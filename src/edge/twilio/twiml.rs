//! The TwiML that is answered: what Twilio is to do with a call.

use std::fmt::Write;

use crate::wire::providers::{Names, Opens};

/// What follows when a stream has ended and the call has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// The call is over.
    Hangup,
    /// Ask again at this address.
    Ask(String),
    /// Ring these, so that the caller is not left alone.
    Dial(Dial),
}

/// Whom Twilio itself calls, without this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dial {
    /// E.164.
    Number(String),
    Sip(String),
}

impl Dial {
    /// Of a transfer target as desks and the configuration write it; none where Twilio could not reach it (an address of a private network).
    pub fn of(target: &str) -> Option<Self> {
        let bare = target.split(';').next().unwrap_or_default().trim();
        let number = bare
            .strip_prefix("twilio:")
            .or(bare.strip_prefix("trunk:"))
            .or(bare.strip_prefix("tel:"))
            .unwrap_or(bare);
        if let Some(digits) = number.strip_prefix('+') {
            let good =
                (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            return good.then(|| Self::Number(number.to_owned()));
        }
        let host = bare.strip_prefix("sip:").or(bare.strip_prefix("sips:"))?;
        let host = host.rsplit('@').next().unwrap_or_default();
        let name = host.split(':').next().unwrap_or_default();
        let private = match name.parse::<std::net::Ipv4Addr>() {
            Ok(ip) => ip.is_loopback() || ip.is_private() || ip.is_unspecified(),
            Err(_) => !name.contains('.'),
        };
        (!private && !host.starts_with('[')).then(|| Self::Sip(bare.to_owned()))
    }
}

/// A stream with its token, and what follows it.
pub(super) fn connect(names: &Names, url: &str, token: &str, after: &After) -> String {
    let (url, token) = (escape(url), escape(token));
    let stream = match names.opens {
        Opens::Connect(more) => format!(
            "<Connect><Stream url=\"{url}\"{more}><Parameter name=\"token\" value=\"{token}\"/></Stream></Connect>"
        ),
        Opens::Plivo => format!(
            "<Stream bidirectional=\"true\" keepCallAlive=\"true\" contentType=\"audio/x-mulaw;rate=8000\" extraHeaders=\"token={token}\">{url}</Stream>"
        ),
    };
    document(&(stream + &then(names, after)))
}

/// Words, then what follows.
pub(super) fn say(names: &Names, words: &str, after: &After) -> String {
    let (verb, words) = (names.say, escape(words));
    document(&format!("<{verb}>{words}</{verb}>{}", then(names, after)))
}

/// What follows, at once.
pub(super) fn only(names: &Names, after: &After) -> String {
    document(&then(names, after))
}

/// Both parties of a call meet in a room of this name; whoever leaves it ends it.
pub(super) fn conference(room: &str) -> String {
    document(&format!(
        "<Dial><Conference beep=\"false\" startConferenceOnEnter=\"true\" endConferenceOnExit=\"true\" waitUrl=\"\">{}</Conference></Dial><Hangup/>",
        escape(room)
    ))
}

fn then(names: &Names, after: &After) -> String {
    match after {
        After::Hangup => "<Hangup/>".into(),
        After::Ask(url) => format!("<Redirect method=\"POST\">{}</Redirect>", escape(url)),
        After::Dial(Dial::Number(number)) => {
            format!("<Dial><Number>{}</Number></Dial>", escape(number))
        }
        After::Dial(Dial::Sip(uri)) => {
            let (verb, uri) = (names.dial_sip, escape(uri));
            format!("<Dial><{verb}>{uri}</{verb}></Dial>")
        }
    }
}

fn document(body: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>{body}</Response>")
}

/// Text and attribute values alike; what XML cannot hold at all is left out.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "&#{};", c as u32);
            }
            c => out.push(c),
        }
    }
    out
}

/// What a caller for tests needs of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// Address of the stream; none where the answer opens none.
    pub stream: Option<String>,
    pub parameters: Vec<(String, String)>,
    /// Names of the verbs, in order.
    pub verbs: Vec<String>,
    /// The words to be said.
    pub said: String,
}

/// Reads an answer as far as [`connect`] and [`say`] write them: elements, attributes and text, no entities but the five.
pub(super) fn read(xml: &str) -> Answer {
    let mut answer = Answer::default();
    let mut saying = false;
    for part in xml.split('<').skip(1) {
        let Some((tag, text)) = part.split_once('>') else {
            continue;
        };
        let name_end = tag
            .find(|c: char| c.is_whitespace() || c == '/')
            .filter(|at| *at > 0)
            .unwrap_or(tag.len());
        let (name, rest) = tag.split_at(name_end);
        match name {
            "Stream" => answer.stream = attribute(rest, "url"),
            "Parameter" => {
                if let (Some(name), Some(value)) =
                    (attribute(rest, "name"), attribute(rest, "value"))
                {
                    answer.parameters.push((name, value));
                }
            }
            "Say" | "Connect" | "Dial" | "Redirect" | "Hangup" | "Reject" => {
                answer.verbs.push(name.to_owned());
            }
            _ => {}
        }
        saying = name == "Say";
        if saying {
            answer.said.push_str(&unescape(text));
        }
    }
    let _ = saying;
    answer
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let at = tag.find(&format!("{name}="))? + name.len() + 1;
    let rest = tag.get(at..)?;
    let quote = rest.chars().next().filter(|c| *c == '"' || *c == '\'')?;
    let value = rest.get(1..)?.split(quote).next()?;
    Some(unescape(value))
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::providers::{TWILIO, named};

    #[test]
    fn others_open_streams_in_their_own_way() {
        let of = |provider| {
            connect(
                named(provider).unwrap(),
                "wss://a.example/m",
                "t1",
                &After::Hangup,
            )
        };
        assert_eq!(of("signalwire"), of("twilio"));
        assert!(
            of("telnyx")
                .contains("<Connect><Stream url=\"wss://a.example/m\" track=\"inbound_track\"")
        );
        assert!(of("telnyx").contains("<Parameter name=\"token\" value=\"t1\"/>"));
        assert!(
            of("plivo").contains("extraHeaders=\"token=t1\">wss://a.example/m</Stream><Hangup/>"),
            "{}",
            of("plivo")
        );
        let busy = say(
            named("plivo").unwrap(),
            "Busy",
            &After::Dial(Dial::Sip("sip:a@b.example".into())),
        );
        assert!(
            busy.contains("<Speak>Busy</Speak><Dial><User>sip:a@b.example</User></Dial>"),
            "{busy}"
        );
    }

    #[test]
    fn a_stream_with_its_token_and_what_follows() {
        let xml = connect(
            &TWILIO,
            "wss://a.example/twilio/media?a=1&b=\"2\"",
            "t<1>",
            &After::Dial(Dial::Number("+15550100".into())),
        );
        assert_eq!(
            xml,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Connect><Stream url=\"wss://a.example/twilio/media?a=1&amp;b=&quot;2&quot;\">\
             <Parameter name=\"token\" value=\"t&lt;1&gt;\"/></Stream></Connect><Dial><Number>+15550100</Number></Dial></Response>"
        );
        let read = read(&xml);
        assert_eq!(
            read.stream.as_deref(),
            Some("wss://a.example/twilio/media?a=1&b=\"2\"")
        );
        assert_eq!(read.parameters, [("token".into(), "t<1>".into())]);
        assert_eq!(read.verbs, ["Connect", "Dial"]);
    }

    #[test]
    fn words_are_escaped() {
        let xml = say(&TWILIO, "Busy & <full>\u{1}", &After::Hangup);
        assert!(
            xml.contains("<Say>Busy &amp; &lt;full&gt;&#1;</Say><Hangup/>"),
            "{xml}"
        );
        assert_eq!(read(&xml).said, "Busy & <full>&#1;");
        assert_eq!(read(&xml).verbs, ["Say", "Hangup"]);
        for odd in [
            "",
            "<",
            "<>",
            "</",
            "<Stream url=",
            "<Stream url=\"",
            "a>b<é",
        ] {
            assert_eq!(read(odd).stream.unwrap_or_default(), "", "{odd}");
        }
    }

    #[test]
    fn whom_twilio_can_reach() {
        let number = |n: &str| Some(Dial::Number(n.into()));
        assert_eq!(Dial::of("twilio:+15550100;ring_s=20"), number("+15550100"));
        assert_eq!(Dial::of("trunk:+15550100"), number("+15550100"));
        assert_eq!(Dial::of("+15550100"), number("+15550100"));
        assert_eq!(
            Dial::of("sip:desk@pbx.example.net;ring_s=9"),
            Some(Dial::Sip("sip:desk@pbx.example.net".into()))
        );
        for none in [
            "sip:human@127.0.0.1:5090",
            "sip:human@10.0.0.5",
            "sip:human@pbx",
            "sip:human@[::1]",
            "human",
            "",
        ] {
            assert_eq!(Dial::of(none), None, "{none}");
        }
    }
}
