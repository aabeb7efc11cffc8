//! Live calls in the browser: listening in, and taking over with the browser's microphone.
//!
//! One WebSocket each. To the browser: binary messages of 20 ms, signed 16-bit little-endian at 16 kHz; two channels interleaved (the caller,
//! what the caller hears) when listening, one when talking. From the browser, when talking: the same, one channel.

use std::collections::VecDeque;
use std::time::Duration;

use axum::Extension;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::people::{Role, Who};
use super::{ApiError, Shared, ask, checked};
use crate::audio::FRAME;
use crate::edge::{EndCause, Ended, Inbound, Leg, LegInfo, Signal};

/// Both sides of 20 ms: the caller, and what the caller hears.
pub type Both = [[i16; FRAME]; 2];

/// 20 ms pieces that may wait for a browser; beyond it the newest are dropped.
const WAITING: usize = 50;
/// Pieces of a colleague's voice kept ready against a network's jitter, and the most that may pile up.
const READY: usize = 3;
const PILE: usize = 12;
/// A browser that says nothing for this long has gone.
const SILENT: Duration = Duration::from_secs(20);
/// Messages a browser may send are no longer than this.
const LONGEST: usize = 64 * 1024;

/// `GET /api/calls/{id}/listen`.
pub(super) async fn listen(
    State(s): State<Shared>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    checked(&id)?;
    ask::allowed(&who, Role::Agent)?;
    let (to, from) = mpsc::channel(WAITING);
    if !s.line.listen_in(&who, &id, to) {
        return Err(ApiError::NotFound(format!("call {id} is not in progress")));
    }
    let stop = s.stop.clone();
    Ok(upgrade
        .max_message_size(LONGEST)
        .on_upgrade(move |socket| async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tell(socket, from) => {}
            }
        }))
}

async fn tell(mut socket: WebSocket, mut from: mpsc::Receiver<Both>) {
    loop {
        tokio::select! {
            both = from.recv() => {
                let Some([caller, heard]) = both else { break };
                let bytes: Vec<u8> = caller
                    .iter()
                    .zip(heard.iter())
                    .flat_map(|(a, b)| [*a, *b])
                    .flat_map(i16::to_le_bytes)
                    .collect();
                if socket.send(Message::Binary(bytes.into())).await.is_err() {
                    return;
                }
            }
            // Nothing is expected of a listener; its close is read here.
            said = socket.recv() => if !matches!(said, Some(Ok(_))) { return },
        }
    }
    let _ = socket.send(Message::Close(None)).await;
}

/// `GET /api/calls/{id}/talk`: whoever connects takes the call.
pub(super) async fn talk(
    State(s): State<Shared>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    checked(&id)?;
    ask::allowed(&who, Role::Agent)?;
    let (to_leg, from_browser) = mpsc::channel(WAITING);
    let (to_browser, from_leg) = mpsc::channel(WAITING);
    let leg = BrowserLeg::new(who.name.clone(), from_browser, to_browser);
    if !s.line.take_over(&who, &id, Box::new(leg)) {
        return Err(ApiError::NotFound(format!("call {id} is not in progress")));
    }
    let stop = s.stop.clone();
    Ok(upgrade
        .max_message_size(LONGEST)
        .on_upgrade(move |socket| async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = speak(socket, to_leg, from_leg) => {}
            }
        }))
}

async fn speak(
    mut socket: WebSocket,
    to_leg: mpsc::Sender<[i16; FRAME]>,
    mut from_leg: mpsc::Receiver<Bytes>,
) {
    let mut rest: Vec<i16> = Vec::new();
    loop {
        tokio::select! {
            heard = from_leg.recv() => {
                let Some(heard) = heard else { break };
                if socket.send(Message::Binary(heard)).await.is_err() {
                    return;
                }
            }
            said = tokio::time::timeout(SILENT, socket.recv()) => match said {
                Ok(Some(Ok(Message::Binary(bytes)))) => {
                    rest.extend(bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])));
                    while let Some((frame, _)) = rest.split_first_chunk::<FRAME>() {
                        // A leg that does not take its sound loses it; the call never waits for a browser.
                        let _ = to_leg.try_send(*frame);
                        rest.drain(..FRAME);
                    }
                }
                Ok(Some(Ok(Message::Close(_)))) | Ok(Some(Err(_)) | None) | Err(_) => return,
                Ok(Some(Ok(_))) => {}
            },
        }
    }
    let _ = socket.send(Message::Close(None)).await;
}

/// A colleague in the browser.
pub struct BrowserLeg {
    name: String,
    from: mpsc::Receiver<[i16; FRAME]>,
    to: Option<mpsc::Sender<Bytes>>,
    waiting: VecDeque<[i16; FRAME]>,
    playing: bool,
    /// `Answered`, then `Media`, then nothing more.
    told: u8,
    ended: bool,
    packets_in: u64,
    packets_out: u64,
}

impl BrowserLeg {
    fn new(name: String, from: mpsc::Receiver<[i16; FRAME]>, to: mpsc::Sender<Bytes>) -> Self {
        Self {
            name,
            from,
            to: Some(to),
            waiting: VecDeque::new(),
            playing: false,
            told: 0,
            ended: false,
            packets_in: 0,
            packets_out: 0,
        }
    }
}

impl Leg for BrowserLeg {
    fn pull(&mut self) -> Inbound {
        let mut inbound = Inbound::silent();
        if self.ended {
            return inbound;
        }
        if self.told == 0 {
            self.told = 1;
            inbound.signals.push(Signal::Answered);
        }
        loop {
            match self.from.try_recv() {
                Ok(frame) => {
                    self.packets_in += 1;
                    if self.told == 1 {
                        self.told = 2;
                        inbound.signals.push(Signal::Media);
                    }
                    if self.waiting.len() >= PILE {
                        self.waiting.pop_front();
                    }
                    self.waiting.push_back(frame);
                }
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    self.ended = true;
                    self.to = None;
                    inbound.signals.push(Signal::Ended(Ended {
                        cause: EndCause::Remote,
                        detail: "the console's page was closed".into(),
                    }));
                    return inbound;
                }
            }
        }
        self.playing = match self.waiting.len() {
            0 => false,
            READY.. => true,
            _ => self.playing,
        };
        if self.playing
            && let Some(frame) = self.waiting.pop_front()
        {
            inbound.pcm = frame;
            inbound.live = true;
        }
        inbound
    }

    fn push(&mut self, pcm: &[i16; FRAME]) {
        if let Some(to) = &self.to {
            let bytes: Vec<u8> = pcm.iter().flat_map(|s| s.to_le_bytes()).collect();
            if to.try_send(bytes.into()).is_ok() {
                self.packets_out += 1;
            }
        }
    }

    fn ring(&mut self) {}
    fn answer(&mut self) {}

    fn hangup(&mut self, _code: u16, _reason: &str) {
        self.ended = true;
        self.to = None;
    }

    fn send_digit(&mut self, _key: char) {}

    fn info(&self) -> LegInfo {
        LegInfo {
            channel: "console",
            from: Some(self.name.clone()),
            codec: "L16/16000".into(),
            packets_in: self.packets_in,
            packets_out: self.packets_out,
            ..LegInfo::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_colleague_in_the_browser_is_heard_smoothly_and_leaves() {
        let (to_leg, from_browser) = mpsc::channel(WAITING);
        let (to_browser, mut from_leg) = mpsc::channel(WAITING);
        let mut leg = BrowserLeg::new("ada".into(), from_browser, to_browser);
        assert_eq!(leg.pull().signals, [Signal::Answered]);
        for n in 0..2 {
            to_leg.try_send([n; FRAME]).unwrap();
        }
        assert!(!leg.pull().live, "two pieces are no stock yet");
        to_leg.try_send([2; FRAME]).unwrap();
        let heard: Vec<i16> = (0..4).map(|_| leg.pull().pcm[0]).collect();
        assert_eq!(heard, [0, 1, 2, 0], "in order, then silence");
        for n in 0..40 {
            to_leg.try_send([100 + n; FRAME]).unwrap();
        }
        assert_eq!(
            leg.pull().pcm[0],
            140 - PILE as i16,
            "what is too old is dropped"
        );
        leg.push(&[7; FRAME]);
        assert_eq!(from_leg.try_recv().unwrap()[..2], [7, 0]);
        drop(to_leg);
        assert!(matches!(leg.pull().signals[..], [Signal::Ended(_)]));
        assert!(leg.pull().signals.is_empty(), "nothing follows");
        assert!(from_leg.try_recv().is_err(), "and the browser is told");
    }
}
