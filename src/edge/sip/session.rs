//! Our side of SDP offer and answer for one dialog (RFC 3264): [`crate::wire::sdp`] with this leg's address and random parts.

use std::net::IpAddr;

pub use crate::wire::sdp::Agreed;
use crate::wire::sdp::{Codec, Local, Srtp, parse};

/// What media is agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaPolicy {
    /// Enabled, in the order that we offer them; an offer's own order wins.
    pub codecs: Vec<Codec>,
    pub srtp: Srtp,
}

impl Default for MediaPolicy {
    fn default() -> Self {
        Self {
            codecs: Codec::ALL.to_vec(),
            srtp: Srtp::Accepted,
        }
    }
}

/// Our description, and what was agreed so far.
#[derive(Debug)]
pub struct Session {
    local: Local,
    last: String,
    agreed: Option<Agreed>,
}

impl Session {
    /// `port` takes RTP; RTCP is the next one.
    pub fn new(ip: IpAddr, port: u16, policy: &MediaPolicy) -> Self {
        // RFC 8866 section 5.2: session ids need only be unlike each other; a random one says nothing about this machine's clock.
        let mut local = Local::new(u64::from(rand::random::<u32>()), ip, port);
        local.codecs.clone_from(&policy.codecs);
        local.srtp = policy.srtp;
        for byte in &mut local.secret {
            *byte = rand::random();
        }
        Self {
            local,
            last: String::new(),
            agreed: None,
        }
    }

    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// What we offer: everything enabled, the codec in use first where a call is already up.
    pub fn offer(&mut self) -> Vec<u8> {
        if let Some(agreed) = &self.agreed {
            let used = agreed.codec;
            self.local.codecs.sort_by_key(|c| *c != used);
        }
        self.last = self.local.offer();
        self.last.clone().into_bytes()
    }

    /// Answers an offer.
    ///
    /// # Errors
    /// A sentence when nothing in it can be used (488).
    pub fn answer(&mut self, offer: &[u8]) -> Result<Vec<u8>, String> {
        let offer = parse(&String::from_utf8_lossy(offer)).map_err(|e| e.to_string())?;
        let answer = self.local.answer(&offer).map_err(|e| e.to_string())?;
        self.agreed = Some(answer.agreed);
        self.last = answer.sdp;
        Ok(self.last.clone().into_bytes())
    }

    /// The description that was sent last, as it stands.
    pub fn last_answer(&self) -> Vec<u8> {
        self.last.clone().into_bytes()
    }

    /// Takes the far end's answer to our offer.
    ///
    /// # Errors
    /// A sentence when it took nothing that we offered.
    pub fn answered(&mut self, answer: &[u8]) -> Result<(), String> {
        let answer = parse(&String::from_utf8_lossy(answer)).map_err(|e| e.to_string())?;
        self.agreed = Some(self.local.accept(&answer).map_err(|e| e.to_string())?);
        Ok(())
    }
}
