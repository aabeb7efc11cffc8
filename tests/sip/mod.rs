//! The SIP edge against itself, against hand-written messages, and against real peers (`real`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use firstline::audio::FRAME;
use firstline::audio::level::rms_dbfs;
use firstline::edge::sip::{
    Accept, IncomingCall, MediaPolicy, SipConfig, SipEdge, TlsFiles, Transport,
};
use firstline::edge::{EndCause, Leg, Signal};
use tokio::sync::mpsc::Receiver;

use crate::ports::free_port;

mod by_hand;
mod called;
mod extensions;
mod leaks;
mod limits;
mod linphone;
mod listeners;
mod network;
mod phone;
mod phones;
pub mod real;
mod refer;
mod secure;
mod torture;
mod trunk;
mod trunks;
mod two_edges;

/// What an answerer does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Rings, answers, sends back what it hears.
    Echo,
    /// Rings, answers, plays 440 Hz.
    Tone,
    /// Rings and never answers.
    Ring,
    /// Refuses with this status.
    Refuse(u16),
    /// Answers without ringing, and hangs up after so many milliseconds.
    HangUpAfter(u64),
}

/// A configuration on loopback with free ports.
pub fn config() -> SipConfig {
    SipConfig {
        listen: vec!["udp:127.0.0.1:0".into(), "tcp:127.0.0.1:0".into()],
        advertise: None,
        rtp_ports: (20_000, 24_999),
        accept: Accept::Nets(Vec::new()),
        vouched: Vec::new(),
        user_agent: "firstline-test".into(),
        admit: Arc::new(|| Ok(Box::new(()))),
        overflow: None,
        room: None,
        tls: TlsFiles::default(),
        media: MediaPolicy::default(),
        trunks: Vec::new(),
        phones: Vec::new(),
        session_s: firstline::edge::sip::USUAL_SESSION,
        trusted: vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()],
    }
}

pub async fn edge() -> (SipEdge, Receiver<IncomingCall>) {
    SipEdge::start(config()).await.expect("the edge starts")
}

/// Address of its UDP or TCP listener.
pub fn address(edge: &SipEdge, tcp: bool) -> SocketAddr {
    let wanted = if tcp { Transport::Tcp } else { Transport::Udp };
    let listener = edge
        .listeners()
        .iter()
        .find(|l| l.transport == wanted)
        .expect("a listener");
    listener.addr
}

pub fn uri(edge: &SipEdge, tcp: bool) -> String {
    let suffix = if tcp { ";transport=tcp" } else { "" };
    format!("sip:line@{}{suffix}", address(edge, tcp))
}

/// Everything one side of a call saw.
#[derive(Debug, Default, Clone)]
pub struct Saw {
    pub signals: Vec<Signal>,
    pub keys: String,
    /// Frames with sound louder than -40 dBFS.
    pub loud: usize,
    pub packets_in: u64,
    pub packets_out: u64,
    pub codec: String,
}

impl Saw {
    pub fn end(&self) -> Option<EndCause> {
        self.signals.iter().find_map(|s| match s {
            Signal::Ended(e) => Some(e.cause),
            _ => None,
        })
    }

    pub fn has(&self, signal: &Signal) -> bool {
        self.signals.contains(signal)
    }
}

/// Runs a leg at 20 ms a turn until it is over or `limit` has passed. `each` sees the turn's number, and may act.
pub async fn drive(
    leg: &mut dyn Leg,
    limit: Duration,
    mut each: impl FnMut(u64, &mut dyn Leg, &Saw, &[i16; FRAME]) -> [i16; FRAME] + Send,
) -> Saw {
    let mut saw = Saw::default();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let started = Instant::now();
    let mut turn = 0;
    while started.elapsed() < limit {
        ticks.tick().await;
        let inbound = leg.pull();
        saw.loud += usize::from(rms_dbfs(&inbound.pcm) > -40.0);
        for signal in inbound.signals {
            if let Signal::Digit(key) = signal {
                saw.keys.push(key);
            }
            saw.signals.push(signal);
        }
        let out = each(turn, leg, &saw, &inbound.pcm);
        leg.push(&out);
        turn += 1;
        if saw.end().is_some() {
            break;
        }
    }
    let info = leg.info();
    saw.packets_in = info.packets_in;
    saw.packets_out = info.packets_out;
    saw.codec = info.codec;
    saw
}

/// 20 ms of 440 Hz at about -12 dBFS, going on from turn to turn.
pub fn tone(turn: u64) -> [i16; FRAME] {
    let mut frame = [0; FRAME];
    for (index, sample) in frame.iter_mut().enumerate() {
        let t = (turn * FRAME as u64 + index as u64) as f64 / 16_000.0;
        *sample = ((t * 440.0 * std::f64::consts::TAU).sin() * 8_000.0) as i16;
    }
    frame
}

/// Answers every call in its own task; each finished call's sight comes out of the receiver.
pub fn answer(mut calls: Receiver<IncomingCall>, way: Way) -> Receiver<Saw> {
    let (tx, rx) = tokio::sync::mpsc::channel(1024);
    tokio::spawn(async move {
        while let Some(call) = calls.recv().await {
            let tx = tx.clone();
            tokio::spawn(async move {
                let mut leg = call.leg;
                let saw = take(&mut *leg, way).await;
                let _ = tx.send(saw).await;
            });
        }
    });
    rx
}

/// Takes a call one way, and says what was seen of it.
pub async fn take(leg: &mut dyn Leg, way: Way) -> Saw {
    match way {
        Way::Refuse(code) => leg.hangup(code, "not now"),
        Way::HangUpAfter(_) => leg.answer(),
        Way::Ring => leg.ring(),
        _ => {
            leg.ring();
            leg.answer();
        }
    }
    drive(leg, Duration::from_secs(100), move |turn, leg, _, heard| {
        if let Way::HangUpAfter(ms) = way
            && turn == ms / 20
        {
            leg.hangup(200, "done");
        }
        match way {
            Way::Echo => *heard,
            Way::Tone => tone(turn),
            _ => [0; FRAME],
        }
    })
    .await
}
