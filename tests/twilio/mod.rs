//! The Twilio edge on loopback. Webhooks and sockets are written by hand here, so that they are what Twilio sends and not what our own
//! client would; `peer` has the client that `firstline call` uses.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use firstline::audio::FRAME;
use firstline::edge::sip::Permit;
use firstline::edge::twilio::{Dial, IncomingStream, TwilioConfig, TwilioEdge, Words, sign};
use firstline::edge::{EndCause, Ended, Leg, Signal};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::sip::{Saw, Way, drive, take, tone};

#[cfg(all(feature = "onnx", feature = "whisper"))]
mod carrier;
mod humans;
#[cfg(all(feature = "onnx", feature = "whisper"))]
mod killed;
#[cfg(all(feature = "onnx", feature = "whisper"))]
mod nodes;
mod peer;
mod providers;
mod stream;
#[cfg(all(feature = "onnx", feature = "whisper"))]
mod transfers;
mod webhook;

const TOKEN: &str = "the-auth-token-of-a-test";
const SECONDS: Duration = Duration::from_secs(5);

/// Places on a line, counted.
#[derive(Clone)]
struct Places {
    taken: Arc<AtomicUsize>,
    most: usize,
}

struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Places {
    fn new(most: usize) -> Self {
        Self {
            taken: Arc::default(),
            most,
        }
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    fn take(&self) -> Result<Permit, u32> {
        if self.taken.fetch_add(1, Ordering::SeqCst) < self.most {
            return Ok(Box::new(Place(self.taken.clone())));
        }
        self.taken.fetch_sub(1, Ordering::SeqCst);
        Err(20)
    }
}

fn config(places: &Places) -> TwilioConfig {
    let places = places.clone();
    TwilioConfig {
        names: &firstline::wire::providers::TWILIO,
        conference: false,
        listen: "127.0.0.1:0".parse().unwrap(),
        account_sid: "AC0123".into(),
        auth_token: TOKEN.into(),
        caller_id: Some("+15550111".into()),
        public_url: None,
        node_url: None,
        together: None,
        // Nobody is there: what a test does not expect to be asked is not.
        api_url: "http://127.0.0.1:9".parse().unwrap(),
        admit: Arc::new(move || places.take()),
        overflow: None,
        fallback: None,
        words: Words::default(),
        connections: 64,
    }
}

async fn line() -> (TwilioEdge, Receiver<IncomingStream>, Places) {
    let places = Places::new(8);
    let (edge, calls) = TwilioEdge::start(config(&places)).await.unwrap();
    (edge, calls, places)
}

/// What Twilio posts for a call that comes in.
fn form(sid: &str) -> Vec<(String, String)> {
    [
        ("AccountSid", "AC0123"),
        ("ApiVersion", "2010-04-01"),
        ("CallSid", sid),
        ("CallStatus", "ringing"),
        ("Called", "+15550199"),
        ("Caller", "+15550100"),
        ("CallerCity", "S\u{e3}o Paulo & more"),
        ("Direction", "inbound"),
        ("From", "+15550100"),
        ("To", "+15550199"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .to_vec()
}

/// An answer: status and body.
async fn send(to: SocketAddr, head: &str, body: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(to).await.unwrap();
    let request = format!(
        "{head}\r\nContent-Type: application/x-www-form-urlencoded; charset=UTF-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    (status, body)
}

fn encoded(form: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish()
}

/// A webhook as Twilio signs it for `http://ADDRESS`.
async fn post(to: SocketAddr, path: &str, form: &[(String, String)]) -> (u16, String) {
    let signature = sign(TOKEN, &format!("http://{to}{path}"), form);
    let head = format!("POST {path} HTTP/1.1\r\nHost: {to}\r\nX-Twilio-Signature: {signature}");
    send(to, &head, &encoded(form)).await
}

/// The token in an answer.
fn token_in(twiml: &str) -> String {
    let rest = twiml
        .split("<Parameter name=\"token\" value=\"")
        .nth(1)
        .unwrap_or_else(|| panic!("no token in {twiml}"));
    rest.split('"').next().unwrap().to_owned()
}

async fn token(edge: &TwilioEdge, sid: &str) -> String {
    let (status, body) = post(edge.addr(), "/twilio/voice", &form(sid)).await;
    assert_eq!(status, 200, "{body}");
    token_in(&body)
}

/// Twilio's end of one stream.
struct Wire {
    socket: WebSocketStream<TcpStream>,
    sequence: u64,
    chunk: u64,
}

impl Wire {
    async fn open(to: SocketAddr) -> Self {
        Self::over(TcpStream::connect(to).await.unwrap(), to).await
    }

    async fn over(tcp: TcpStream, to: SocketAddr) -> Self {
        let url = format!("ws://{to}/twilio/media");
        let (socket, _) = tokio_tungstenite::client_async(url, tcp).await.unwrap();
        Self {
            socket,
            sequence: 0,
            chunk: 0,
        }
    }

    async fn say(&mut self, message: Value) {
        self.sequence += 1;
        let _ = self.socket.send(Message::text(message.to_string())).await;
    }

    async fn connected(&mut self) {
        self.say(json!({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
            .await;
    }

    async fn start(&mut self, sid: &str, token: &str) {
        self.connected().await;
        self.say(started(sid, token)).await;
    }

    /// 20 ms of sound.
    async fn media(&mut self, code: u8) {
        self.chunk += 1;
        let payload =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [code; 160]);
        let message = json!({
            "event": "media", "sequenceNumber": (self.sequence + 1).to_string(), "streamSid": "MZ1",
            "media": {"track": "inbound", "chunk": self.chunk.to_string(), "timestamp": ((self.chunk - 1) * 20).to_string(), "payload": payload},
        });
        self.say(message).await;
    }

    async fn mark(&mut self, name: &str) {
        self.say(json!({"event": "mark", "sequenceNumber": "9", "streamSid": "MZ1", "mark": {"name": name}}))
            .await;
    }

    /// The next message of the line; none when it has closed.
    async fn next(&mut self) -> Option<Value> {
        loop {
            match tokio::time::timeout(SECONDS, self.socket.next())
                .await
                .expect("nothing came")
            {
                Some(Ok(Message::Text(text))) => {
                    return Some(serde_json::from_str(text.as_str()).unwrap());
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Code and reason with which the line closes.
    async fn closed(&mut self) -> (u16, String) {
        loop {
            match tokio::time::timeout(SECONDS, self.socket.next())
                .await
                .expect("it was not closed")
            {
                Some(Ok(Message::Close(Some(frame)))) => {
                    return (frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(_)) => {}
                other => panic!("closed without a word: {other:?}"),
            }
        }
    }
}

fn started(sid: &str, token: &str) -> Value {
    json!({
        "event": "start", "sequenceNumber": "1", "streamSid": "MZ1",
        "start": {
            "accountSid": "AC0123", "callSid": sid, "streamSid": "MZ1", "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"token": token},
        },
    })
}

async fn incoming(calls: &mut Receiver<IncomingStream>) -> IncomingStream {
    tokio::time::timeout(SECONDS, calls.recv())
        .await
        .expect("no call came in")
        .unwrap()
}

/// A call that is up: the line's leg, and Twilio's end.
async fn up(
    edge: &TwilioEdge,
    calls: &mut Receiver<IncomingStream>,
    sid: &str,
) -> (Box<dyn Leg>, Wire) {
    let token = token(edge, sid).await;
    let mut wire = Wire::open(edge.addr()).await;
    wire.start(sid, &token).await;
    let mut leg = incoming(calls).await.leg;
    leg.ring();
    leg.answer();
    assert_eq!(leg.pull().signals, [Signal::Answered]);
    (leg, wire)
}

/// Pulls until the leg is over, for `limit` at most.
async fn ended(leg: &mut dyn Leg, limit: Duration) -> Option<Ended> {
    let saw = drive(leg, limit, |_, _, _, _| [0; FRAME]).await;
    saw.signals.into_iter().find_map(|s| match s {
        Signal::Ended(e) => Some(e),
        _ => None,
    })
}

async fn until(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..500 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}
