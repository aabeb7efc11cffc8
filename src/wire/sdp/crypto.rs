//! Keys for SRTP in the description (SDES, RFC 4568): which suites, and whose key is whose.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// Bytes of secret that hold the longest suite's key and salt.
pub const SECRET: usize = 46;

/// Whether sound is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Srtp {
    /// Never: an offer that insists is refused.
    Off,
    /// Where the far end offers it.
    #[default]
    Accepted,
    /// Offered too, to whoever can (RFC 8643).
    Offered,
    /// Always: plain sound is refused.
    Required,
}

/// A crypto suite (RFC 4568 section 6.2, RFC 6188, RFC 7714).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    Aes128Sha1_80,
    Aes128Sha1_32,
    Aes256Sha1_80,
    Aes128Gcm,
    Aes256Gcm,
}

impl Suite {
    /// What we offer: the one that everybody has last.
    pub(super) const PREFERRED: [Suite; 2] = [Suite::Aes256Sha1_80, Suite::Aes128Sha1_80];

    const ALL: [Suite; 5] = [
        Suite::Aes128Sha1_80,
        Suite::Aes128Sha1_32,
        Suite::Aes256Sha1_80,
        Suite::Aes128Gcm,
        Suite::Aes256Gcm,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Suite::Aes128Sha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::Aes128Sha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Suite::Aes256Sha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Suite::Aes128Gcm => "AEAD_AES_128_GCM",
            Suite::Aes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// Bytes of key and of salt.
    pub fn lengths(self) -> (usize, usize) {
        match self {
            Suite::Aes128Sha1_80 | Suite::Aes128Sha1_32 => (16, 14),
            Suite::Aes256Sha1_80 => (32, 14),
            Suite::Aes128Gcm => (16, 12),
            Suite::Aes256Gcm => (32, 12),
        }
    }

    /// What stands behind `a=crypto:` for our key.
    pub(super) fn line(self, tag: u32, secret: &[u8; SECRET]) -> String {
        let key = STANDARD.encode(self.cut(secret));
        format!("{tag} {} inline:{key}", self.name())
    }

    /// Our key and salt of this suite.
    fn cut(self, secret: &[u8; SECRET]) -> Vec<u8> {
        let (key, salt) = self.lengths();
        secret.iter().copied().take(key + salt).collect()
    }
}

/// One usable `a=crypto` of the far end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    pub tag: u32,
    pub suite: Suite,
    /// Key, then salt.
    pub key: Vec<u8>,
}

impl Offered {
    /// None where it cannot be used: an unknown suite, several keys, a key index in every packet, or parameters that change what is
    /// protected. The next line may be plainer.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let tag = words.next()?.parse().ok()?;
        let name = words.next()?;
        let suite = Suite::ALL
            .into_iter()
            .find(|s| s.name().eq_ignore_ascii_case(name))?;
        let keys = words.next()?;
        let harmless = |word: &str| word.to_ascii_uppercase().starts_with("WSH=");
        if !words.all(harmless) || keys.contains(';') {
            return None;
        }
        let mut parts = keys.strip_prefix("inline:")?.split('|');
        let text = parts.next()?.trim_end_matches('=');
        // What may follow is a lifetime; a key index (`1:4`) would stand in every packet.
        if parts.any(|p| p.contains(':')) {
            return None;
        }
        let key = STANDARD_NO_PAD.decode(text).ok()?;
        let (bytes, salt) = suite.lengths();
        (key.len() == bytes + salt).then_some(Self { tag, suite, key })
    }

    pub(super) fn with(self, secret: &[u8; SECRET]) -> Secure {
        Secure {
            suite: self.suite,
            ours: self.suite.cut(secret),
            theirs: self.key,
        }
    }
}

/// What was agreed: each side encrypts with its own key.
#[derive(Clone, PartialEq, Eq)]
pub struct Secure {
    pub suite: Suite,
    /// Key, then salt.
    pub ours: Vec<u8>,
    pub theirs: Vec<u8>,
}

impl std::fmt::Debug for Secure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Keys do not belong in logs.
        write!(f, "Secure({})", self.suite.name())
    }
}
