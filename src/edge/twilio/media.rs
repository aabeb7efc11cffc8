//! `/twilio/media`: one WebSocket, from its first message to its close. What is wrong with it ends it, with a reason, and nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};

use super::link::{Link, Out};
use super::tickets::Purpose;
use super::{IncomingStream, Shared};
use crate::edge::EndCause;
use crate::wire::providers::Names;
use crate::wire::twilio::{FromTwilio, Start, ToTwilio, parse};

/// From the socket's opening to its start message.
const HELLO: Duration = Duration::from_secs(10);
/// Nothing came for so long: somebody is asked whether they are there, and the second time it is over.
const IDLE: Duration = Duration::from_secs(15);
/// For the last message, and for what is still on its way in.
const LAST: Duration = Duration::from_secs(1);
/// For what was still to be sent when the end was asked for.
const FLUSH: Duration = Duration::from_millis(500);
/// After the call was ended at Twilio, for its stop message.
const STOP: Duration = Duration::from_secs(2);
/// The longest message: a second of sound is 11 kB.
pub(super) const MESSAGE_MAX: usize = 32 * 1024;
/// Sound in one message: two seconds.
const PAYLOAD_MAX: usize = 16_000;
/// Messages in one second; Twilio sends 50 and a few, and those of many seconds together after a stall.
const RATE_MAX: u32 = 2_000;

/// Why a socket is closed.
struct Close {
    code: u16,
    reason: &'static str,
}

fn policy(reason: &'static str) -> Close {
    Close {
        code: close_code::POLICY,
        reason,
    }
}

/// How a stream ended.
enum End {
    /// A stop message, or a close as it should be.
    Stopped,
    /// The leg asked.
    Asked,
    Broken(String),
    Hostile(Close),
}

/// Serves one socket until it is over.
pub(super) async fn serve(mut socket: WebSocket, shared: Arc<Shared>) {
    let hello = tokio::time::timeout(HELLO, hello(&mut socket)).await;
    let mut start = match hello {
        Ok(Ok(start)) => start,
        Ok(Err(close)) => return refuse(socket, close, &shared).await,
        Err(_) => return refuse(socket, policy("no start message came in time"), &shared).await,
    };
    let token = start
        .parameters
        .iter()
        .find(|(name, _)| name == "token")
        .map_or("", |(_, value)| value.as_str());
    let same_id = shared.config.names.same_call_id;
    let purpose = match shared.let_in(token, &start.call_sid).await {
        Ok((purpose, known)) => {
            // Under the id that the webhook had, where the stream has another.
            if let Some(known) = known.filter(|_| !same_id) {
                start.call_sid = known;
            }
            purpose
        }
        Err(why) => return refuse(socket, policy(why), &shared).await,
    };
    let (link, human) = match purpose {
        Purpose::Caller(caller) => {
            let link = Arc::new(Link::new(Some(start.call_sid.clone())));
            link.attach(&start.call_sid);
            shared.tickets.up(&start.call_sid, &link);
            let call = IncomingStream::new(caller, &start, link.clone(), &shared);
            if shared.incoming.try_send(call).is_err() {
                shared.tickets.ended(&start.call_sid, None, false);
                shared.over(&start.call_sid, false).await;
                let close = Close {
                    code: close_code::AGAIN,
                    reason: "the line is not taking calls",
                };
                return refuse(socket, close, &shared).await;
            }
            (link, false)
        }
        Purpose::Human(link) => {
            if !link.attach(&start.call_sid) {
                shared.tickets.ended(&start.call_sid, None, true);
                return refuse(socket, policy("nobody waits for this stream"), &shared).await;
            }
            shared.tickets.up(&start.call_sid, &link);
            shared.humans.add(&start.call_sid, &link);
            link.signal(crate::edge::Signal::Answered);
            (link, true)
        }
    };
    tracing::debug!(call = %start.call_sid, stream = %start.stream_sid, "a media stream is up");
    let (sink, stream) = socket.split();
    run(sink, stream, &link, &start, human, &shared).await;
}

/// The messages before any sound.
async fn hello(socket: &mut WebSocket) -> Result<Start, Close> {
    let mut connected = false;
    loop {
        let text = match socket.recv().await {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Binary(_))) => return Err(binary()),
            Some(Ok(Message::Close(_))) | None => return Err(policy("closed")),
            Some(Err(error)) => return Err(broken(&error)),
        };
        match parse(text.as_str()) {
            Ok(FromTwilio::Connected { .. }) if !connected => connected = true,
            Ok(FromTwilio::Start(start)) => {
                let mu_law = matches!(
                    start.encoding.to_ascii_lowercase().as_str(),
                    "" | "audio/x-mulaw" | "audio/mulaw" | "audio/pcmu" | "pcmu" | "mulaw"
                );
                if !mu_law || !matches!(start.sample_rate, 0 | 8_000) || start.channels > 1 {
                    return Err(Close {
                        code: close_code::UNSUPPORTED,
                        reason: "only mu-law at 8000 Hz in one channel is understood",
                    });
                }
                return Ok(start);
            }
            Ok(FromTwilio::Other(_)) => {}
            Ok(_) => return Err(policy("a start message comes first")),
            Err(_) => return Err(unreadable()),
        }
    }
}

fn binary() -> Close {
    Close {
        code: close_code::UNSUPPORTED,
        reason: "messages are JSON text",
    }
}

fn unreadable() -> Close {
    Close {
        code: close_code::INVALID,
        reason: "the message is not one of a media stream",
    }
}

fn broken(error: &axum::Error) -> Close {
    let text = error.to_string();
    if text.contains("too long") || text.contains("too big") {
        return Close {
            code: close_code::SIZE,
            reason: "the message is too long",
        };
    }
    Close {
        code: close_code::PROTOCOL,
        reason: "not as RFC 6455 has it",
    }
}

async fn refuse(socket: WebSocket, close: Close, shared: &Shared) {
    shared
        .refusals
        .say(|| format!("a media stream was refused: {}", close.reason));
    let (sink, stream) = socket.split();
    goodbye(sink, stream, close).await;
}

/// Carries the stream, and ends it as its end wants.
async fn run(
    mut sink: SplitSink<WebSocket, Message>,
    mut stream: SplitStream<WebSocket>,
    link: &Link,
    start: &Start,
    human: bool,
    shared: &Arc<Shared>,
) {
    let end = tokio::select! {
        end = read(&mut stream, link) => end,
        end = write(&mut sink, link, shared.config.names, &start.stream_sid) => end,
        () = async { link.closing.cancelled().await; tokio::time::sleep(FLUSH).await } => End::Asked,
    };
    let sid = link.call_sid().unwrap_or_else(|| start.call_sid.clone());
    let whole = link.closing().is_some_and(|c| c.whole);
    // Known before the socket is closed: Twilio may ask what comes next at once. Who was moved on is not ours to end.
    let finished = (whole || human) && !link.moved();
    let last = shared.tickets.ended(&start.call_sid, Some(link), finished);
    if !human && last {
        shared.over(&start.call_sid, finished).await;
    }
    let close = match end {
        End::Stopped => {
            link.end(EndCause::Remote, "the stream was stopped");
            normal()
        }
        End::Hostile(close) => {
            tracing::warn!(call = %sid, "the media stream is ended: {}", close.reason);
            link.end(
                EndCause::Failed,
                format!("the media stream is ended: {}", close.reason),
            );
            close
        }
        End::Broken(why) => {
            link.end(EndCause::Failed, format!("the media stream broke: {why}"));
            normal()
        }
        End::Asked => {
            if link.moved() {
                // The call goes on without us.
            } else if (whole || human) && shared.config.names.rest {
                // Where nothing follows the stream in the TwiML that would ring a human, closing it is as good and sooner.
                if shared.config.fallback.is_some() || human {
                    hang_up(&mut stream, &sid, shared).await;
                } else {
                    let (shared, sid) = (shared.clone(), sid.clone());
                    tokio::spawn(async move {
                        if let Err(why) = shared.api.complete(&sid).await {
                            tracing::debug!(call = %sid, "the call was not ended over the API: {why}");
                        }
                    });
                }
            }
            let reason = link.closing().map(|c| c.reason).unwrap_or_default();
            link.end(EndCause::Ours, reason);
            normal()
        }
    };
    goodbye(sink, stream, close).await;
}

fn normal() -> Close {
    Close {
        code: close_code::NORMAL,
        reason: "",
    }
}

/// Ends the call at Twilio, which stops the stream. Where that fails, closing the socket has to do.
async fn hang_up(stream: &mut SplitStream<WebSocket>, sid: &str, shared: &Arc<Shared>) {
    let stopped = async {
        loop {
            match stream.next().await {
                Some(Ok(Message::Text(text)))
                    if matches!(parse(text.as_str()), Ok(FromTwilio::Stop { .. })) =>
                {
                    return;
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            }
        }
    };
    let asked = async {
        match shared.api.complete(sid).await {
            Ok(()) => tokio::time::sleep(STOP).await,
            Err(why) => {
                tracing::warn!(call = %sid, "the call could not be ended over the API, so its stream is closed: {why}")
            }
        }
    };
    // Polled together: while the request is out, what comes in is read and thrown away.
    tokio::select! {
        () = stopped => {}
        () = asked => {}
    }
}

/// A close frame, and a moment for the far end to take it before the connection goes.
async fn goodbye(
    mut sink: SplitSink<WebSocket, Message>,
    mut stream: SplitStream<WebSocket>,
    close: Close,
) {
    let frame = CloseFrame {
        code: close.code,
        reason: close.reason.into(),
    };
    let last = async {
        if sink.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = stream.next().await {}
        }
    };
    let _ = tokio::time::timeout(LAST, last).await;
}

/// What comes in.
async fn read(stream: &mut SplitStream<WebSocket>, link: &Link) -> End {
    let mut asked = false;
    let mut second = (Instant::now(), 0u32);
    loop {
        let message = match tokio::time::timeout(IDLE, stream.next()).await {
            Ok(message) => message,
            Err(_) if asked => return End::Broken("nothing comes any more".into()),
            Err(_) => {
                asked = true;
                link.ping();
                continue;
            }
        };
        asked = false;
        link.came();
        second.1 += 1;
        if second.0.elapsed() >= Duration::from_secs(1) {
            second = (Instant::now(), 0);
        } else if second.1 > RATE_MAX {
            return End::Hostile(policy("too many messages"));
        }
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Binary(_))) => return End::Hostile(binary()),
            Some(Ok(Message::Close(_))) => return End::Stopped,
            None => return End::Broken("the connection ended".into()),
            Some(Err(error)) => {
                let close = broken(&error);
                // A connection that is lost is nobody's malice.
                let why = error.to_string();
                if why.contains("closing handshake")
                    || !why.contains("protocol") && close.code != close_code::SIZE
                {
                    return End::Broken(why);
                }
                return End::Hostile(close);
            }
        };
        match parse(text.as_str()) {
            Ok(FromTwilio::Media {
                track,
                timestamp_ms,
                payload,
                ..
            }) => {
                if payload.len() > PAYLOAD_MAX {
                    return End::Hostile(policy("too much sound in one message"));
                }
                // `outbound` is our own voice again.
                if track != "outbound" {
                    link.heard(timestamp_ms, &payload);
                }
            }
            Ok(FromTwilio::Dtmf { digit }) => {
                let key = digit.to_ascii_uppercase();
                if "0123456789*#ABCD".contains(key) {
                    link.signal(crate::edge::Signal::Digit(key));
                }
            }
            Ok(FromTwilio::Mark { name }) => link.back(&name),
            Ok(FromTwilio::Stop { .. }) => return End::Stopped,
            Ok(FromTwilio::Start(_) | FromTwilio::Connected { .. }) => {
                return End::Hostile(policy("a stream starts once"));
            }
            Ok(FromTwilio::Other(_)) => {}
            Err(_) => return End::Hostile(unreadable()),
        }
    }
}

/// What goes out. Ends when the leg asked for the end and everything is sent.
async fn write(
    sink: &mut SplitSink<WebSocket, Message>,
    link: &Link,
    names: &Names,
    stream_sid: &str,
) -> End {
    let text = |message: &ToTwilio| Message::Text(names.build(stream_sid, message).into());
    loop {
        let batch = link.take();
        if batch.is_empty() {
            if link.closing.is_cancelled() {
                return End::Asked;
            }
            tokio::select! {
                () = link.news.notified() => {}
                () = link.closing.cancelled() => {}
            }
            continue;
        }
        for out in batch {
            let message = match &out {
                Out::Media(codes) => text(&ToTwilio::Media(codes)),
                Out::Mark(mark) => text(&ToTwilio::Mark(&mark.to_string())),
                Out::Clear => text(&ToTwilio::Clear),
                Out::Ping => Message::Ping("line".into()),
            };
            if let Err(error) = sink.send(message).await {
                return End::Broken(error.to_string());
            }
            if matches!(out, Out::Media(_)) {
                link.went();
            }
        }
    }
}
