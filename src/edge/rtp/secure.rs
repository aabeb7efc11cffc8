//! SRTP and SRTCP for one session (RFC 3711), by `rtc-srtp`: one context for each direction, keys from SDP.

use bytes::BytesMut;
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;

use crate::wire::sdp::{Secure, Suite};

/// Packets by which one may be late and still be told from a replay (RFC 3711 section 3.3.2 asks for 64).
const WINDOW: usize = 128;

pub(super) struct Protection {
    keys: Secure,
    outgoing: Context,
    incoming: Context,
    /// Packets that were not what they claimed to be.
    pub(super) refused: u64,
}

impl Protection {
    /// None where the keys do not fit the suite.
    pub(super) fn new(keys: &Secure) -> Option<Self> {
        Some(Self {
            outgoing: context(keys.suite, &keys.ours)?,
            incoming: context(keys.suite, &keys.theirs)?,
            keys: keys.clone(),
            refused: 0,
        })
    }

    pub(super) fn is(&self, keys: &Secure) -> bool {
        self.keys == *keys
    }

    pub(super) fn protect(&mut self, rtp: &[u8]) -> Option<BytesMut> {
        self.outgoing.encrypt_rtp(rtp).ok()
    }

    pub(super) fn protect_control(&mut self, rtcp: &[u8]) -> Option<BytesMut> {
        self.outgoing.encrypt_rtcp(rtcp).ok()
    }

    pub(super) fn open(&mut self, srtp: &[u8]) -> Option<BytesMut> {
        let plain = self.incoming.decrypt_rtp(srtp).ok();
        self.refused += u64::from(plain.is_none());
        plain
    }

    pub(super) fn open_control(&mut self, srtcp: &[u8]) -> Option<BytesMut> {
        self.incoming.decrypt_rtcp(srtcp).ok()
    }
}

fn context(suite: Suite, key_and_salt: &[u8]) -> Option<Context> {
    let (key, salt) = key_and_salt.split_at_checked(suite.lengths().0)?;
    let profile = match suite {
        Suite::Aes128Sha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::Aes128Sha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
        Suite::Aes256Sha1_80 => ProtectionProfile::Aes256CmHmacSha1_80,
        Suite::Aes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Suite::Aes256Gcm => ProtectionProfile::AeadAes256Gcm,
    };
    let provider = rtc_crypto::default_provider().ok()?;
    Context::new(
        key,
        salt,
        profile,
        Some(srtp_replay_protection(WINDOW)),
        Some(srtcp_replay_protection(WINDOW)),
        provider.crypto(),
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::rtp::{Header, Packet, build};

    fn packet(seq: u16, payload: &[u8]) -> Vec<u8> {
        let header = Header {
            marker: false,
            payload_type: 0,
            seq,
            timestamp: u32::from(seq) * 160,
            ssrc: 7,
            csrc: Vec::new(),
        };
        let mut bytes = Vec::new();
        build(&header, None, payload, &mut bytes);
        bytes
    }

    #[test]
    fn what_one_protects_the_other_opens_once() {
        for suite in [
            Suite::Aes128Sha1_80,
            Suite::Aes128Sha1_32,
            Suite::Aes256Sha1_80,
            Suite::Aes128Gcm,
            Suite::Aes256Gcm,
        ] {
            let (key, salt) = suite.lengths();
            let keys = |n: u8| (0..(key + salt) as u8).map(|b| b ^ n).collect::<Vec<u8>>();
            let here = Secure {
                suite,
                ours: keys(1),
                theirs: keys(2),
            };
            let there = Secure {
                suite,
                ours: keys(2),
                theirs: keys(1),
            };
            let (mut here, mut there) = (
                Protection::new(&here).unwrap(),
                Protection::new(&there).unwrap(),
            );
            // Over the turn of the sequence number, too.
            for n in 65_500u32..65_600 {
                let plain = packet((n % 65_536) as u16, &[9; 160]);
                let hidden = here.protect(&plain).unwrap();
                assert_ne!(
                    Packet::parse(&hidden).unwrap().payload.get(..160),
                    Some(&[9u8; 160][..])
                );
                assert_eq!(there.open(&hidden).unwrap(), plain, "{suite:?} {n}");
                assert!(there.open(&hidden).is_none(), "a replay");
                let mut bent = hidden.to_vec();
                bent[20] ^= 1;
                assert!(there.open(&bent).is_none(), "forged");
            }
        }
    }
}
