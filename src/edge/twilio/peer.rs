//! The other side of a media stream: a caller that does as Twilio does, for testing a line. It asks the webhook, opens the stream the
//! answer names, speaks and listens in 20 ms, sends each mark back when what stood before it was played, and empties its buffer on clear.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::{api, sign, twiml};
use crate::audio::FRAME;
use crate::audio::g711::Law;
use crate::audio::resample::Resampler;
use crate::edge::{EndCause, Ended, Inbound, Leg, LegInfo, Signal};
use crate::wire::twilio::{FromTwilio, Start, build_as_twilio, parse};

/// Samples in 20 ms at 8 kHz.
const BLOCK: usize = 160;
/// Sound held before it is played, as Twilio does against the network's unevenness.
const FIRST: usize = 3 * BLOCK;
/// Messages that may wait for the socket.
const WAITING: usize = 256;
const PATIENCE: Duration = Duration::from_secs(10);

/// Whom to call, and as whom.
#[derive(Debug, Clone, Default)]
pub struct PeerConfig {
    /// `http(s)://host/twilio/voice`: asked first, as Twilio does. None goes straight to `socket`, without a token.
    pub webhook: Option<String>,
    /// The webhook's address as the line knows it, where that is another (its `public_url`).
    pub signed_as: Option<String>,
    /// Signs the webhook; none sends it unsigned.
    pub auth_token: Option<String>,
    /// `ws(s)://host/twilio/media`; none goes where the webhook's answer says.
    pub socket: Option<String>,
    pub from: String,
    pub to: String,
    /// None makes one up.
    pub call_sid: Option<String>,
}

/// Sound and marks, in the order in which they came.
enum Piece {
    Sound(VecDeque<i16>),
    Mark(String),
}

#[derive(Default)]
struct Inner {
    pieces: VecDeque<Piece>,
    held: usize,
    begun: bool,
    signals: Vec<Signal>,
    media: u64,
    marks: u64,
    clears: u64,
}

/// What the leg and its task share.
struct Wire {
    inner: Mutex<Inner>,
    out: mpsc::Sender<FromTwilio>,
}

impl Wire {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, signal: Signal) {
        self.lock().signals.push(signal);
    }

    fn end(&self, cause: EndCause, detail: impl Into<String>) {
        let detail = detail.into();
        self.signal(Signal::Ended(Ended { cause, detail }));
    }

    fn send(&self, message: FromTwilio) {
        // A line that reads nothing any more loses what is said to it; its closing ends the call.
        let _ = self.out.try_send(message);
    }
}

/// Calls. The leg's signals say how it goes; it is answered when the stream is open.
pub fn call(config: PeerConfig) -> Box<dyn Leg> {
    let (out, messages) = mpsc::channel(WAITING);
    let wire = Arc::new(Wire {
        inner: Mutex::default(),
        out,
    });
    let info = LegInfo {
        channel: "twilio",
        from: Some(config.from.clone()),
        to: config.webhook.clone().or(config.socket.clone()),
        codec: "PCMU".into(),
        ..LegInfo::default()
    };
    tokio::spawn(converse(config, wire.clone(), messages));
    Box::new(PeerLeg {
        info,
        wire,
        up: Resampler::new(8_000, 16_000),
        heard: VecDeque::new(),
        down: Resampler::new(16_000, 8_000),
        to_send: Vec::new(),
        chunk: 0,
        answered: false,
        ended: false,
    })
}

async fn converse(config: PeerConfig, wire: Arc<Wire>, messages: mpsc::Receiver<FromTwilio>) {
    let made = || format!("CA{}", uuid::Uuid::new_v4().simple());
    let call_sid = config.call_sid.clone().unwrap_or_else(made);
    let answer = match &config.webhook {
        None => twiml::Answer::default(),
        Some(webhook) => match ask(&config, webhook, &call_sid).await {
            Ok(answer) => answer,
            Err(why) => return wire.end(EndCause::Unreachable, why),
        },
    };
    let Some(url) = config.socket.clone().or(answer.stream.clone()) else {
        let detail = format!(
            "the webhook's answer opens no stream: {} \"{}\"",
            answer.verbs.join(", "),
            answer.said
        );
        return wire.end(EndCause::Declined, detail);
    };
    wire.signal(Signal::Ringing);
    let limits = WebSocketConfig::default()
        .max_message_size(Some(1 << 20))
        .max_frame_size(Some(1 << 20));
    api::provider();
    let connecting = connect_async_with_config(url.as_str(), Some(limits), true);
    let mut socket = match tokio::time::timeout(PATIENCE, connecting).await {
        Ok(Ok((socket, _))) => socket,
        Ok(Err(error)) => {
            return wire.end(
                EndCause::Unreachable,
                format!("{url} cannot be opened: {error}"),
            );
        }
        Err(_) => return wire.end(EndCause::Unreachable, format!("{url} does not answer")),
    };
    let start = Start {
        stream_sid: format!("MZ{}", uuid::Uuid::new_v4().simple()),
        account_sid: ACCOUNT.into(),
        call_sid: call_sid.clone(),
        tracks: vec!["inbound".into()],
        encoding: "audio/x-mulaw".into(),
        sample_rate: 8_000,
        channels: 1,
        parameters: answer.parameters,
    };
    let (cause, detail) = stream(&mut socket, &wire, messages, start).await;
    wire.end(cause, detail);
}

const ACCOUNT: &str = "AC00000000000000000000000000000000";

/// Posts the webhook as Twilio does for a call that comes in.
async fn ask(config: &PeerConfig, webhook: &str, call_sid: &str) -> Result<twiml::Answer, String> {
    let params: Vec<(String, String)> = [
        ("AccountSid", ACCOUNT),
        ("ApiVersion", "2010-04-01"),
        ("CallSid", call_sid),
        ("CallStatus", "ringing"),
        ("Called", &config.to),
        ("Caller", &config.from),
        ("Direction", "inbound"),
        ("From", &config.from),
        ("To", &config.to),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .to_vec();
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(&params)
        .finish();
    let mut request = api::plain_client()?
        .post(webhook)
        .timeout(PATIENCE)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    if let Some(token) = &config.auth_token {
        let url = config.signed_as.as_deref().unwrap_or(webhook);
        request = request.header("x-twilio-signature", sign(token, url, &params));
    }
    let answer = request
        .send()
        .await
        .map_err(|e| format!("{webhook} cannot be asked: {}", api::plain(&e)))?;
    let status = answer.status();
    let text = answer
        .text()
        .await
        .map_err(|_| format!("{webhook} broke off its answer"))?;
    if !status.is_success() {
        return Err(format!("{webhook} answered {status}: {}", text.trim()));
    }
    Ok(twiml::read(&text))
}

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

async fn stream(
    socket: &mut Socket,
    wire: &Wire,
    mut messages: mpsc::Receiver<FromTwilio>,
    start: Start,
) -> (EndCause, String) {
    let stream_sid = start.stream_sid.clone();
    let connected = FromTwilio::Connected {
        protocol: "Call".into(),
        version: "1.0.0".into(),
    };
    let mut sequence = 0;
    for message in [connected, FromTwilio::Start(start)] {
        let text = build_as_twilio(&stream_sid, sequence, &message);
        sequence += 1;
        if let Err(error) = socket.send(Message::text(text)).await {
            return (EndCause::Failed, error.to_string());
        }
    }
    wire.signal(Signal::Answered);
    loop {
        tokio::select! {
            message = messages.recv() => {
                let Some(message) = message else {
                    return (EndCause::Ours, "the leg is gone".into());
                };
                let last = matches!(message, FromTwilio::Stop { .. });
                sequence += 1;
                let text = build_as_twilio(&stream_sid, sequence, &message);
                if let Err(error) = socket.send(Message::text(text)).await {
                    return (EndCause::Failed, error.to_string());
                }
                if last {
                    let closing = async {
                        let _ = socket.close(None).await;
                        while let Some(Ok(_)) = socket.next().await {}
                    };
                    let _ = tokio::time::timeout(Duration::from_secs(1), closing).await;
                    return (EndCause::Ours, String::new());
                }
            }
            came = socket.next() => match came {
                Some(Ok(Message::Text(text))) => wire.came(text.as_str()),
                Some(Ok(Message::Close(frame))) => return closed(frame),
                Some(Ok(_)) => {}
                Some(Err(error)) => return (EndCause::Failed, error.to_string()),
                None => return (EndCause::Failed, "the connection ended".into()),
            }
        }
    }
}

fn closed(frame: Option<CloseFrame>) -> (EndCause, String) {
    match frame {
        Some(frame) if u16::from(frame.code) != 1_000 => (
            EndCause::Failed,
            format!("closed with {}: {}", u16::from(frame.code), frame.reason),
        ),
        _ => (EndCause::Remote, "the line closed the stream".into()),
    }
}

impl Wire {
    /// A message from the line.
    fn came(&self, text: &str) {
        let mut inner = self.lock();
        match parse(text) {
            Ok(FromTwilio::Media { payload, .. }) => {
                if inner.media == 0 {
                    inner.signals.push(Signal::Media);
                }
                inner.media += 1;
                let mut pcm = Vec::with_capacity(payload.len());
                Law::Mu.decode_into(&payload, &mut pcm);
                inner.held += pcm.len();
                inner.pieces.push_back(Piece::Sound(pcm.into()));
            }
            Ok(FromTwilio::Mark { name }) => inner.pieces.push_back(Piece::Mark(name)),
            Ok(FromTwilio::Other(event)) if event == "clear" => {
                inner.clears += 1;
                inner.held = 0;
                let marks: Vec<String> = inner
                    .pieces
                    .drain(..)
                    .filter_map(|piece| match piece {
                        Piece::Mark(name) => Some(name),
                        Piece::Sound(_) => None,
                    })
                    .collect();
                inner.marks += marks.len() as u64;
                drop(inner);
                for name in marks {
                    self.send(FromTwilio::Mark { name });
                }
            }
            _ => {}
        }
    }

    /// 20 ms of what the line said; true where it said something.
    fn play(&self, block: &mut [i16; BLOCK]) -> bool {
        let mut inner = self.lock();
        if !inner.begun && inner.held < FIRST {
            return false;
        }
        inner.begun = true;
        let mut filled = 0;
        let mut marks = Vec::new();
        loop {
            match inner.pieces.front_mut() {
                Some(Piece::Sound(pcm)) if filled < BLOCK => {
                    let wanted = (BLOCK - filled).min(pcm.len());
                    for (slot, sample) in block[filled..].iter_mut().zip(pcm.drain(..wanted)) {
                        *slot = sample;
                    }
                    filled += wanted;
                    if pcm.is_empty() {
                        inner.pieces.pop_front();
                    }
                }
                Some(Piece::Mark(_)) => {
                    if let Some(Piece::Mark(name)) = inner.pieces.pop_front() {
                        marks.push(name);
                    }
                }
                _ => break,
            }
        }
        inner.held -= filled;
        inner.marks += marks.len() as u64;
        drop(inner);
        for name in marks {
            self.send(FromTwilio::Mark { name });
        }
        filled > 0
    }
}

/// The caller's leg.
struct PeerLeg {
    info: LegInfo,
    wire: Arc<Wire>,
    up: Resampler,
    heard: VecDeque<i16>,
    down: Resampler,
    to_send: Vec<i16>,
    chunk: u64,
    answered: bool,
    ended: bool,
}

impl Leg for PeerLeg {
    fn pull(&mut self) -> Inbound {
        let mut inbound = Inbound::silent();
        if self.ended {
            return inbound;
        }
        let mut block = [0; BLOCK];
        inbound.live = self.wire.play(&mut block);
        inbound.signals = std::mem::take(&mut self.wire.lock().signals);
        self.answered |= inbound.signals.contains(&Signal::Answered);
        self.ended = inbound
            .signals
            .iter()
            .any(|s| matches!(s, Signal::Ended(_)));
        let mut wide = Vec::with_capacity(FRAME);
        self.up.process(&block, &mut wide);
        self.heard.extend(wide);
        for slot in &mut inbound.pcm {
            *slot = self.heard.pop_front().unwrap_or(0);
        }
        inbound
    }

    fn push(&mut self, pcm: &[i16; FRAME]) {
        if !self.answered || self.ended {
            return;
        }
        self.down.process(pcm, &mut self.to_send);
        let ready = self.to_send.len().min(BLOCK);
        let mut payload = Vec::with_capacity(BLOCK);
        Law::Mu.encode_into(&self.to_send[..ready], &mut payload);
        self.to_send.drain(..ready);
        payload.resize(BLOCK, Law::Mu.silence());
        self.chunk += 1;
        self.wire.send(FromTwilio::Media {
            track: "inbound".into(),
            chunk: self.chunk,
            timestamp_ms: (self.chunk - 1) * 20,
            payload,
        });
    }

    fn ring(&mut self) {}

    fn answer(&mut self) {}

    fn hangup(&mut self, _code: u16, _reason: &str) {
        self.wire.send(FromTwilio::Stop {
            call_sid: String::new(),
        });
        if !self.answered {
            self.wire.end(EndCause::Ours, "given up");
        }
    }

    fn send_digit(&mut self, key: char) {
        self.wire.send(FromTwilio::Dtmf { digit: key });
    }

    fn info(&self) -> LegInfo {
        let inner = self.wire.lock();
        LegInfo {
            packets_in: inner.media,
            packets_out: self.chunk,
            ..self.info.clone()
        }
    }
}
