//! One party of a call over a media stream, as the call's task holds it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Shared;
use super::inflow::BLOCK;
use super::link::{Closing, Link};
use super::room::{self, ROOM};
use crate::audio::dtmf;
use crate::audio::g711::Law;
use crate::audio::resample::Resampler;
use crate::audio::{FRAME, FRAME_MS};
use crate::edge::sip::Permit;
use crate::edge::{Inbound, Leg, LegInfo, Signal};

/// A key lasts this long, and so many samples of silence follow it.
const KEY_MS: u32 = 100;
const KEY_GAP: usize = 480;
/// Samples of keys that may wait: a long number, keyed fast.
const MOST_KEYS: usize = 8_000 * 6;

/// Below this a frame to be played is silence.
const SILENCE: u16 = 100;

/// Media here, the socket in a task of its own. Dropping it ends the call.
pub(super) struct TwilioLeg {
    info: LegInfo,
    link: Arc<Link>,
    /// Room in the program, given back when the leg goes.
    _permit: Option<Permit>,
    /// Told at the next pull.
    early: Vec<Signal>,
    up: Resampler,
    heard: VecDeque<i16>,
    down: Resampler,
    to_send: Vec<i16>,
    /// Keys on their way out, as tones: a media stream carries them in no other way.
    keys: VecDeque<i16>,
    codes: Vec<u8>,
    /// Sound may go out.
    answered: bool,
    ended: bool,
    /// Conferences are made by it; none where the sound stays here.
    rooms: Option<Arc<Shared>>,
}

impl TwilioLeg {
    pub fn new(
        info: LegInfo,
        link: Arc<Link>,
        permit: Option<Permit>,
        rooms: Option<Arc<Shared>>,
    ) -> Self {
        Self {
            rooms,
            info,
            link,
            _permit: permit,
            early: Vec::new(),
            up: Resampler::new(8_000, 16_000),
            heard: VecDeque::with_capacity(2 * FRAME),
            down: Resampler::new(16_000, 8_000),
            to_send: Vec::with_capacity(2 * BLOCK),
            keys: VecDeque::new(),
            codes: Vec::with_capacity(BLOCK),
            answered: false,
            ended: false,
        }
    }
}

impl Leg for TwilioLeg {
    fn pull(&mut self) -> Inbound {
        let mut inbound = Inbound::silent();
        inbound.signals = std::mem::take(&mut self.early);
        if self.ended {
            return inbound;
        }
        let mut block = [0; BLOCK];
        let (live, signals) = self.link.pull(&mut block);
        inbound.live = live;
        for signal in signals {
            self.answered |= signal == Signal::Answered;
            self.ended |= matches!(signal, Signal::Ended(_));
            inbound.signals.push(signal);
        }
        let mut wide = Vec::with_capacity(FRAME);
        self.up.process(&block, &mut wide);
        self.heard.extend(wide);
        for slot in &mut inbound.pcm {
            *slot = self.heard.pop_front().unwrap_or(0);
        }
        while self.heard.len() > FRAME {
            self.heard.pop_front();
        }
        inbound
    }

    fn push(&mut self, pcm: &[i16; FRAME]) {
        self.down.process(pcm, &mut self.to_send);
        let mut block = [0i16; BLOCK];
        let ready = self.to_send.len().min(BLOCK);
        for (slot, sample) in block.iter_mut().zip(self.to_send.drain(..ready)) {
            *slot = sample;
        }
        for slot in &mut block {
            match self.keys.pop_front() {
                Some(sample) => *slot = sample,
                None => break,
            }
        }
        if !self.answered || self.ended {
            return;
        }
        self.codes.clear();
        Law::Mu.encode_into(&block, &mut self.codes);
        let quiet = block.iter().all(|s| s.unsigned_abs() < SILENCE);
        self.link.push(&self.codes, quiet);
    }

    /// Twilio rings by itself.
    fn ring(&mut self) {}

    /// A stream opens only on a call that is answered: there is nothing to send.
    fn answer(&mut self) {
        if !self.answered {
            self.answered = true;
            self.early.push(Signal::Answered);
        }
    }

    /// Ends the call. A `code` from 500 on is our own failure: then only the stream is closed, and Twilio does with the caller what the
    /// TwiML says next.
    fn hangup(&mut self, code: u16, reason: &str) {
        self.link.close(Closing {
            whole: code < 500,
            reason: reason.to_owned(),
        });
    }

    fn send_digit(&mut self, key: char) {
        // A far end that is slow to take them is not flooded.
        if self.keys.len() < MOST_KEYS {
            self.keys.extend(dtmf::tone(key, KEY_MS, 8_000, -10.0));
            self.keys.extend([0; KEY_GAP]);
        }
    }

    fn clear(&mut self) -> u64 {
        self.to_send.clear();
        self.link.clear()
    }

    /// Sends the call into a room of the provider's, with the one who is there.
    fn refer(&mut self, to: &str) -> bool {
        let (Some(shared), Some(human), Some(own)) = (
            self.rooms.clone(),
            to.strip_prefix(ROOM),
            self.link.call_sid(),
        ) else {
            return false;
        };
        let (link, human) = (self.link.clone(), human.to_owned());
        let runtime = shared.runtime.clone();
        runtime.spawn(async move { room::meet(&shared, &link, &own, &human).await });
        true
    }

    fn in_our_place(&self) -> Option<String> {
        let sid = self.link.call_sid().filter(|_| self.rooms.is_some())?;
        Some(format!("{ROOM}{sid}"))
    }

    fn unheard_ms(&self) -> u64 {
        self.link.open_ms()
    }

    fn info(&self) -> LegInfo {
        let mut info = self.info.clone();
        self.link.fill(&mut info);
        info
    }
}

impl Drop for TwilioLeg {
    fn drop(&mut self) {
        let (played, dropped) = self.link.totals_ms();
        tracing::debug!(
            call = self.link.call_sid(),
            played,
            dropped,
            frame_ms = FRAME_MS,
            "a media stream's leg is gone"
        );
        // Dropped without a word, by a call that broke: the stream alone is closed, so that the TwiML after it takes over.
        self.link.close(Closing {
            whole: false,
            reason: "the call is gone".into(),
        });
    }
}
