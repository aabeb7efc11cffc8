//! One party of a call over SIP, as the call's task holds it.

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use super::signalling::{Command, ToLeg};
use super::{EndCause, Ended, Leg, LegInfo, Permit, RtpSession, Signal};
use crate::audio::FRAME;
use crate::edge::Inbound;

/// Media here, signalling in a task of its own. Dropping it hangs up.
pub(super) struct SipLeg {
    info: LegInfo,
    rtp: Option<RtpSession>,
    /// Room in the program, given back when the leg goes.
    _permit: Option<Permit>,
    commands: Option<mpsc::Sender<Command>>,
    from_dialog: Option<mpsc::Receiver<ToLeg>>,
    /// Told before any dialog was there.
    early: Vec<Signal>,
    /// The far end, with our dialog with it.
    in_our_place: Option<String>,
    /// Sound may go out: an inbound leg was answered here, an outbound one there.
    up: bool,
    ended: bool,
}

impl SipLeg {
    pub(super) fn new(
        info: LegInfo,
        rtp: RtpSession,
        permit: Option<Permit>,
        commands: mpsc::Sender<Command>,
        from_dialog: mpsc::Receiver<ToLeg>,
    ) -> Self {
        Self {
            info,
            rtp: Some(rtp),
            _permit: permit,
            commands: Some(commands),
            from_dialog: Some(from_dialog),
            early: Vec::new(),
            in_our_place: None,
            up: false,
            ended: false,
        }
    }

    /// A leg that never came to be.
    pub(super) fn failed(info: LegInfo, why: String) -> Self {
        let ended = Ended {
            cause: EndCause::Failed,
            detail: why,
        };
        Self {
            info,
            rtp: None,
            _permit: None,
            commands: None,
            from_dialog: None,
            early: vec![Signal::Ended(ended)],
            in_our_place: None,
            up: false,
            ended: false,
        }
    }

    pub(super) fn media_port(&self) -> u16 {
        self.rtp.as_ref().map_or(0, RtpSession::port)
    }

    fn command(&mut self, command: Command) {
        if let Some(commands) = &self.commands {
            // Sixteen places for at most a handful of commands in a call's life: a full channel is a dead dialog.
            let _ = commands.try_send(command);
        }
    }

    fn signals(&mut self) -> Vec<Signal> {
        let mut signals = std::mem::take(&mut self.early);
        while let Some(from_dialog) = &mut self.from_dialog {
            match from_dialog.try_recv() {
                Ok(ToLeg::Media(agreed)) => {
                    if let Some(rtp) = &mut self.rtp {
                        self.info.codec = match agreed.secure {
                            Some(_) => format!("{} srtp", agreed.codec.name()),
                            None => agreed.codec.name().to_owned(),
                        };
                        rtp.set(agreed);
                    }
                }
                Ok(ToLeg::InOurPlace(address)) => self.in_our_place = Some(address),
                Ok(ToLeg::Signal(signal)) => signals.push(signal),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.from_dialog = None;
                    signals.push(Signal::Ended(Ended {
                        cause: EndCause::Failed,
                        detail: "signalling ended".into(),
                    }));
                }
            }
        }
        signals
    }
}

impl Leg for SipLeg {
    fn pull(&mut self) -> Inbound {
        let mut inbound = Inbound::silent();
        if self.ended {
            return inbound;
        }
        let mut signals = self.signals();
        if let Some(rtp) = &mut self.rtp {
            let pulled = rtp.pull(&mut inbound.pcm);
            inbound.live = pulled.live;
            if pulled.first {
                signals.push(Signal::Media);
            }
            signals.extend(pulled.keys.into_iter().map(Signal::Digit));
        }
        for signal in signals {
            match &signal {
                Signal::Answered => self.up = true,
                Signal::Ended(_) => self.ended = true,
                _ => {}
            }
            inbound.signals.push(signal);
            if self.ended {
                // The port is free for the next call at once, whenever this leg is dropped.
                self.keep_stats();
                self.rtp = None;
                self.commands = None;
                self.from_dialog = None;
                break;
            }
        }
        inbound
    }

    fn push(&mut self, pcm: &[i16; FRAME]) {
        if let Some(rtp) = self.rtp.as_mut().filter(|_| self.up) {
            rtp.push(pcm);
        }
    }

    fn ring(&mut self) {
        self.command(Command::Ring);
    }

    fn answer(&mut self) {
        // What is said right after the 200 is not kept waiting for the ACK.
        self.up = true;
        self.command(Command::Answer);
    }

    fn hangup(&mut self, code: u16, reason: &str) {
        self.command(Command::Hangup(code, reason.to_owned()));
    }

    fn send_digit(&mut self, key: char) {
        if let Some(rtp) = self.rtp.as_mut() {
            rtp.send_key(key);
        }
    }

    fn held_ms(&self) -> u64 {
        self.rtp.as_ref().map_or(0, RtpSession::held_ms)
    }

    fn refer(&mut self, to: &str) -> bool {
        self.command(Command::Refer(to.to_owned()));
        self.commands.is_some()
    }

    fn in_our_place(&self) -> Option<String> {
        self.in_our_place.clone()
    }

    fn referred(&mut self, code: u16) {
        self.command(Command::Referred(code));
    }

    fn info(&self) -> LegInfo {
        let mut info = self.info.clone();
        if let Some(rtp) = &self.rtp {
            rtp.fill(&mut info);
        }
        info
    }
}

impl SipLeg {
    fn keep_stats(&mut self) {
        if let Some(rtp) = &self.rtp {
            rtp.fill(&mut self.info);
        }
    }
}
