//! Encryption at rest for recordings and transcripts: files made of pieces that are encrypted one by one (AES-256-GCM), so that a
//! program that is killed loses its last piece and nothing before it.
//!
//! ```text
//! file  = "FLSEAL1\n"  key id (4 bytes)  file id (16 bytes)  piece*
//! piece = length of the text (32 bits, big endian)  nonce (12 bytes)  encrypted text  tag (16 bytes)
//! ```
//!
//! A piece is bound to its file and its place in it: pieces do not verify in another file or order. That the end was cut off is found by
//! the call's trail, which holds every file's hash.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};

const MAGIC: &[u8; 8] = b"FLSEAL1\n";
/// Bytes before the first piece.
pub const HEAD: usize = 8 + 4 + 16;
const TAG: usize = 16;
/// Longest piece; a longer one in a file is no piece.
const LONGEST: usize = 64 << 20;

/// What ends the names of encrypted files.
pub const SUFFIX: &str = ".sealed";

/// Keys: the first one encrypts, all of them decrypt, so that a key can be changed.
pub struct Keys(Vec<Key>);

struct Key {
    id: [u8; 4],
    key: LessSafeKey,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

impl Keys {
    /// Keys of 32 bytes in base64, separated by commas.
    ///
    /// # Errors
    /// One sentence, which does not repeat the key.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut keys = Vec::new();
        for one in text.split(',').map(str::trim).filter(|k| !k.is_empty()) {
            let wrong = || {
                "is no key: make one with `openssl rand -base64 32`, keep it safe, and set it; several are separated by commas, the newest first"
                    .to_owned()
            };
            let bytes = BASE64.decode(one).map_err(|_| wrong())?;
            if bytes.len() != 32 {
                return Err(wrong());
            }
            let digest: [u8; 32] = Sha256::digest(&bytes).into();
            let mut id = [0; 4];
            id.copy_from_slice(&digest[..4]);
            let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| wrong())?;
            keys.push(Key {
                id,
                key: LessSafeKey::new(key),
            });
        }
        if keys.is_empty() {
            return Err("is empty".into());
        }
        Ok(Self(keys))
    }

    /// A new encrypted file, and the bytes it begins with.
    pub fn begin(&self) -> (Sealing<'_>, Vec<u8>) {
        let mut id = [0; 16];
        // A system without random numbers cannot have started: TLS and ids need them too.
        let _ = SystemRandom::new().fill(&mut id);
        let key = &self.0[0];
        let head = [MAGIC.as_slice(), &key.id, &id].concat();
        (Sealing { key, id, next: 0 }, head)
    }

    /// Goes on with a file that begins with `head` and has `pieces` pieces.
    pub fn resume(&self, head: &[u8], pieces: u64) -> Option<Sealing<'_>> {
        let (key, id) = self.of(head)?;
        Some(Sealing {
            key,
            id,
            next: pieces,
        })
    }

    /// A small text as one encrypted file.
    pub fn whole(&self, text: &[u8]) -> Vec<u8> {
        let (mut sealing, mut file) = self.begin();
        file.extend(sealing.piece(text));
        file
    }

    /// What an encrypted file holds: its pieces in order. A torn piece at the end is left out.
    ///
    /// # Errors
    /// One sentence: no such file, another key, or altered.
    pub fn open(&self, file: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        if !is_sealed(file) {
            return Err("it is no encrypted file".into());
        }
        let (key, id) = self
            .of(file)
            .ok_or("it was encrypted with another key: set the variable to that one, too")?;
        let mut rest = &file[HEAD..];
        let mut pieces = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            if length > LONGEST {
                return Err("it was altered".into());
            }
            let Some((piece, after)) = after.split_at_checked(NONCE_LEN + length + TAG) else {
                break;
            };
            let (nonce, sealed) = piece.split_at(NONCE_LEN);
            let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| "it was altered")?;
            let mut text = sealed.to_vec();
            let place = aad(&id, pieces.len() as u64);
            let opened = key
                .key
                .open_in_place(nonce, Aad::from(place), &mut text)
                .map_err(|_| "it was altered, or is damaged")?;
            let length = opened.len();
            text.truncate(length);
            pieces.push(text);
            rest = after;
        }
        Ok(pieces)
    }

    /// One piece of a file that begins with `head`.
    pub fn open_piece(&self, head: &[u8], place: u64, piece: &[u8]) -> Option<Vec<u8>> {
        let (key, id) = self.of(head)?;
        let (nonce, sealed) = piece.get(4..)?.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = sealed.to_vec();
        let opened = key
            .key
            .open_in_place(nonce, Aad::from(aad(&id, place)), &mut text);
        let length = opened.ok()?.len();
        text.truncate(length);
        Some(text)
    }

    fn of(&self, file: &[u8]) -> Option<(&Key, [u8; 16])> {
        let head = file.get(..HEAD)?;
        let mut id = [0; 16];
        id.copy_from_slice(&head[12..]);
        let key = self.0.iter().find(|k| k.id == head[8..12])?;
        Some((key, id))
    }
}

impl crate::store::Seal for Keys {
    fn seal(&self, text: &str) -> String {
        BASE64.encode(self.whole(text.as_bytes()))
    }

    fn open(&self, text: &str) -> Result<String, String> {
        let bytes = BASE64.decode(text).map_err(|_| "it was altered")?;
        let text = Keys::open(self, &bytes)?.concat();
        String::from_utf8(text).map_err(|_| "it was altered".into())
    }
}

/// Whether these bytes begin an encrypted file.
pub fn is_sealed(file: &[u8]) -> bool {
    file.len() >= HEAD && file.starts_with(MAGIC)
}

/// Where pieces of these lengths stand in a file: the place of the one behind them.
pub fn length_of(pieces: &[usize]) -> u64 {
    let each = |n: &usize| (4 + NONCE_LEN + n + TAG) as u64;
    HEAD as u64 + pieces.iter().map(each).sum::<u64>()
}

/// A file that is being encrypted.
pub struct Sealing<'k> {
    key: &'k Key,
    id: [u8; 16],
    next: u64,
}

impl fmt::Debug for Sealing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file at piece {}", self.next)
    }
}

impl Sealing<'_> {
    /// The next piece's bytes.
    pub fn piece(&mut self, text: &[u8]) -> Vec<u8> {
        let bytes = self.at(self.next, text);
        self.next += 1;
        bytes
    }

    /// A piece anew, as long as it was: for sound that is taken out again.
    pub fn at(&self, place: u64, text: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        let _ = SystemRandom::new().fill(&mut nonce);
        let mut sealed = text.to_vec();
        // Fails only for texts longer than 64 GiB.
        let _ = self.key.key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(aad(&self.id, place)),
            &mut sealed,
        );
        let length = u32::try_from(text.len()).unwrap_or(0).to_be_bytes();
        [length.as_slice(), &nonce, &sealed].concat()
    }
}

fn aad(id: &[u8; 16], place: u64) -> [u8; 24] {
    let mut aad = [0; 24];
    aad[..16].copy_from_slice(id);
    aad[16..].copy_from_slice(&place.to_be_bytes());
    aad
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8) -> Keys {
        Keys::read(&BASE64.encode([byte; 32])).unwrap()
    }

    fn three(keys: &Keys) -> Vec<u8> {
        let (mut sealing, mut file) = keys.begin();
        for text in ["one", "two", "three"] {
            file.extend(sealing.piece(text.as_bytes()));
        }
        file
    }

    #[test]
    fn what_was_encrypted_comes_back_and_cannot_be_read_without() {
        let keys = keys(1);
        let file = three(&keys);
        assert!(!file.windows(3).any(|w| w == b"one" || w == b"two"));
        assert_eq!(
            keys.open(&file).unwrap(),
            [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]
        );
        assert_eq!(file.len() as u64, length_of(&[3, 3, 5]));
        assert!(super::tests::keys(2).open(&file).is_err());
        let both = Keys::read(&format!(
            "{},{}",
            BASE64.encode([2; 32]),
            BASE64.encode([1; 32])
        ))
        .unwrap();
        assert_eq!(both.open(&file).unwrap().len(), 3);
    }

    #[test]
    fn a_torn_end_costs_its_piece_and_a_change_is_found() {
        let keys = keys(1);
        let file = three(&keys);
        for cut in (length_of(&[3, 3]) as usize + 1)..file.len() {
            assert_eq!(keys.open(&file[..cut]).unwrap().len(), 2, "{cut}");
        }
        for at in HEAD + 4..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            // A changed length may look like a torn end; the text is never given out changed.
            match keys.open(&changed) {
                Ok(pieces) => assert!(pieces.len() < 3, "{at}"),
                Err(why) => assert!(why.contains("altered"), "{why}"),
            }
        }
        let piece = length_of(&[3]) as usize - HEAD;
        let mut swapped = file.clone();
        swapped[HEAD..HEAD + piece].copy_from_slice(&file[HEAD + piece..HEAD + 2 * piece]);
        assert!(keys.open(&swapped).is_err(), "pieces keep their places");
    }

    #[test]
    fn a_file_is_gone_on_with_and_a_piece_made_anew() {
        let keys = keys(1);
        let mut file = three(&keys);
        let mut more = keys.resume(&file, 3).unwrap();
        file.extend(more.piece(b"four"));
        let anew = more.at(1, b"***");
        let from = length_of(&[3]) as usize;
        file[from..from + anew.len()].copy_from_slice(&anew);
        let pieces = keys.open(&file).unwrap();
        assert_eq!(pieces[1], b"***");
        assert_eq!(pieces[3], b"four");
    }

    #[test]
    fn bad_keys_are_refused_and_not_repeated() {
        for bad in ["", "hunter2", "c2hvcnQ=", "not base64!"] {
            let why = Keys::read(bad).unwrap_err();
            assert!(bad.is_empty() || !why.contains(bad), "{why}");
        }
        assert!(
            keys(1)
                .open(b"plain text, and long enough to be looked at")
                .is_err()
        );
    }
}
