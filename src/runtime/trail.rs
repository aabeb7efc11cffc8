//! A call's trail, `events.jsonl`: every line carries its number and a hash over itself and the line before it, and the last one a
//! signature. Nothing can be changed, cut out, put in or reordered without it being seen.
//!
//! ```text
//! {"at_ms":120,"event":"answered",...,"n":0,"hash":"<sha256 of call id, then of every line so far>"}
//! {"event":"sealed",...,"files":{"audio.wav":{"bytes":..,"sha256":".."}},"key":"<public key>","n":41,"hash":"..","signature":".."}
//! ```
//!
//! The hash of line `n` is SHA-256 over the hash before it, `n` (64 bits, big endian) and the line's bytes up to `,"n":`. The signature is
//! Ed25519 (RFC 8032) over the last hash. Who has the private key can make a trail that verifies: keep a copy of the public key elsewhere.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const PURPOSE: &str = "firstline trail 1\n";

/// The hash so far, and how many lines there are.
#[derive(Debug, Clone)]
pub struct Chain {
    head: [u8; 32],
    next: u64,
}

impl Chain {
    /// The beginning of a call's trail: another call's lines do not fit behind it.
    pub fn new(call_id: &str) -> Self {
        let head = Sha256::new()
            .chain_update(PURPOSE)
            .chain_update(call_id)
            .finalize();
        Self {
            head: head.into(),
            next: 0,
        }
    }

    fn step(&mut self, body: &str) {
        let head = Sha256::new()
            .chain_update(self.head)
            .chain_update(self.next.to_be_bytes())
            .chain_update(body)
            .finalize();
        self.head = head.into();
        self.next += 1;
    }

    /// The line (a JSON object with at least one member) with its number and hash.
    pub fn link(&mut self, line: &str) -> String {
        let body = line.strip_suffix('}').unwrap_or(line);
        let n = self.next;
        self.step(body);
        format!("{body},\"n\":{n},\"hash\":\"{}\"}}", hex(&self.head))
    }

    /// The last line, signed.
    pub fn seal(&mut self, line: &str, key: &Signer) -> String {
        let linked = self.link(line);
        let signature = key.sign(&self.head);
        let body = linked.strip_suffix('}').unwrap_or(&linked);
        format!("{body},\"signature\":\"{signature}\"}}")
    }

    /// The chain behind a trail that was cut off when its program died: its whole lines, and how many bytes of a torn one follow them.
    pub fn resume(call_id: &str, text: &str) -> (Self, usize) {
        let mut chain = Self::new(call_id);
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        for line in text[..whole].lines() {
            if let Some(link) = Link::read(line) {
                chain.step(link.body);
            }
        }
        (chain, text.len() - whole)
    }
}

/// Signs trails.
pub struct Signer {
    pair: Ed25519KeyPair,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// The key in `path`, made (for its owner's eyes) where there is none.
    ///
    /// # Errors
    /// One sentence that says what to do.
    pub fn open(path: &Path) -> Result<Self, String> {
        if let Ok(text) = fs::read_to_string(path) {
            return Self::read(&text).ok_or_else(|| {
                format!(
                    "{} holds no signing key; restore it, or move it away and a new one is made (trails signed before verify with the old public key only)",
                    path.display()
                )
            });
        }
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| "this system gives no random numbers".to_owned())?;
        let text = BASE64.encode(made.as_ref());
        let failed = |e: std::io::Error| {
            format!(
                "cannot write the signing key {}: {e}; make its folder writable",
                path.display()
            )
        };
        // Nodes that share the folder may start at once: the first one's key is everybody's.
        let beside = path.with_extension(format!("{}.part", std::process::id()));
        let mut file = fs::OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&beside)
            .map_err(failed)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        let first = fs::hard_link(&beside, path);
        let _ = fs::remove_file(&beside);
        match first {
            Ok(()) => Self::read(&text).ok_or_else(|| "the new signing key cannot be read".into()),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Self::open(path),
            Err(e) => Err(failed(e)),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text.trim()).ok()?;
        let pair = Ed25519KeyPair::from_pkcs8(&bytes).ok()?;
        Some(Self { pair })
    }

    /// Base64 of the 32 bytes.
    pub fn public(&self) -> String {
        BASE64.encode(self.pair.public_key().as_ref())
    }

    fn sign(&self, head: &[u8]) -> String {
        BASE64.encode(self.pair.sign(&signed(head)).as_ref())
    }
}

fn signed(head: &[u8]) -> Vec<u8> {
    [PURPOSE.as_bytes(), head].concat()
}

/// A line taken apart.
struct Link<'a> {
    body: &'a str,
    n: u64,
    hash: &'a str,
    signature: Option<&'a str>,
}

impl<'a> Link<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let at = line.rfind(",\"n\":")?;
        let rest = line.get(at + 5..)?;
        let (n, rest) = rest.split_once(",\"hash\":\"")?;
        let (hash, rest) = rest.split_once('"')?;
        let signature = match rest {
            "}" => None,
            _ => Some(
                rest.strip_prefix(",\"signature\":\"")?
                    .strip_suffix("\"}")?,
            ),
        };
        Some(Self {
            body: line.get(..at)?,
            n: n.parse().ok()?,
            hash,
            signature,
        })
    }
}

/// Whether a line is the one that ends a trail.
pub fn is_seal(line: &str) -> bool {
    Link::read(line).is_some_and(|link| link.signature.is_some())
}

/// Names of the files that a trail was sealed with; plain names only, as they become part of paths.
pub fn files(text: &str) -> Vec<String> {
    let last = text.lines().last().unwrap_or_default();
    let told: Value = serde_json::from_str(last).unwrap_or_default();
    let names = told["files"].as_object().into_iter().flatten();
    names
        .map(|(name, _)| name.clone())
        .filter(|name| is_plain(name))
        .collect()
}

fn is_plain(name: &str) -> bool {
    !name.contains(['/', '\\']) && !name.starts_with('.')
}

/// What the last line says about a call's files.
pub fn sealed(why: &str, at: &str, files: &[(String, u64, [u8; 32])], key: &Signer) -> String {
    let files: serde_json::Map<String, Value> = files
        .iter()
        .map(|(name, bytes, hash)| (name.clone(), json!({ "bytes": bytes, "sha256": hex(hash) })))
        .collect();
    json!({ "event": "sealed", "why": why, "at": at, "files": files, "key": key.public() })
        .to_string()
}

/// What a look at a trail found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Lines, the last one counted.
    pub lines: usize,
    /// Files whose bytes were compared.
    pub files: usize,
    /// What is wrong, a sentence each; none: whole and unaltered.
    pub wrong: Vec<String>,
}

/// Looks at a whole trail. `key`: the public key it has to be signed by (base64). `file`: the bytes of a file that lies beside it.
pub fn verify(
    call_id: &str,
    text: &str,
    key: &str,
    file: impl Fn(&str) -> Option<Vec<u8>>,
) -> Verdict {
    let mut verdict = Verdict::default();
    let mut chain = Chain::new(call_id);
    let mut last = None;
    if !text.is_empty() && !text.ends_with('\n') {
        verdict
            .wrong
            .push("the last line is torn: the end was cut off".into());
    }
    for (at, line) in text.lines().enumerate() {
        verdict.lines += 1;
        let number = at + 1;
        if last.is_some() {
            verdict
                .wrong
                .push(format!("line {number} stands behind the seal"));
            break;
        }
        let Some(link) = Link::read(line) else {
            verdict
                .wrong
                .push(format!("line {number} is no line of a trail"));
            continue;
        };
        if link.n != chain.next {
            verdict.wrong.push(format!(
                "line {number} says that it is number {} where number {} belongs: lines were cut out, put in or reordered",
                link.n, chain.next
            ));
            chain.next = link.n;
        }
        chain.step(link.body);
        if hex(&chain.head) != link.hash {
            verdict.wrong.push(format!(
                "line {number} was changed, or the line before it was"
            ));
            // What follows is judged by what this line claims to be.
            if let Some(claimed) = unhex(link.hash) {
                chain.head = claimed;
            }
        }
        if link.signature.is_some() {
            last = Some((link, line));
        }
    }
    let Some((link, line)) = last else {
        verdict.wrong.push(
            "there is no seal: the end was cut off, or the call is still up, or the program ended during it and was not started again".into(),
        );
        return verdict;
    };
    let told: Value = serde_json::from_str(line).unwrap_or_default();
    if told["key"].as_str() != Some(key) {
        verdict.wrong.push(format!(
            "it is signed by the key {}, and should be by {key}",
            told["key"].as_str().unwrap_or("of nobody")
        ));
    }
    let good = BASE64
        .decode(link.signature.unwrap_or_default())
        .ok()
        .zip(BASE64.decode(key).ok())
        .zip(unhex(link.hash))
        .is_some_and(|((signature, key), head)| {
            UnparsedPublicKey::new(&ED25519, key)
                .verify(&signed(&head), &signature)
                .is_ok()
        });
    if !good {
        verdict
            .wrong
            .push("the signature is not that of the key".into());
    }
    for (name, told) in told["files"].as_object().into_iter().flatten() {
        match file(name).filter(|_| is_plain(name)) {
            None => verdict.wrong.push(format!("{name} is gone")),
            Some(bytes) => {
                verdict.files += 1;
                let hash: [u8; 32] = Sha256::digest(&bytes).into();
                if told["sha256"].as_str() != Some(hex(&hash).as_str()) {
                    verdict.wrong.push(format!("{name} was changed"));
                }
            }
        }
    }
    verdict
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Signer {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Signer {
            pair: Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap(),
        }
    }

    fn trail(key: &Signer) -> Vec<String> {
        let mut chain = Chain::new("call");
        let mut lines: Vec<String> = (0..6)
            .map(|n| {
                chain.link(&format!(
                    "{{\"at_ms\":{n},\"event\":\"x\",\"text\":\"a,\\\"n\\\":7\"}}"
                ))
            })
            .collect();
        let files = [("audio.wav".to_owned(), 3, Sha256::digest(b"abc").into())];
        lines.push(chain.seal(&sealed("ended", "2026-11-23T10:00:00Z", &files, key), key));
        lines
    }

    fn look(lines: &[String], key: &Signer) -> Verdict {
        let text: String = lines.iter().map(|l| format!("{l}\n")).collect();
        verify("call", &text, &key.public(), |_| Some(b"abc".to_vec()))
    }

    #[test]
    fn a_whole_trail_verifies_and_is_json_line_by_line() {
        let key = key();
        let lines = trail(&key);
        let verdict = look(&lines, &key);
        assert_eq!((verdict.lines, verdict.files), (7, 1));
        assert_eq!(verdict.wrong, Vec::<String>::new());
        for line in &lines {
            let value: Value = serde_json::from_str(line).unwrap();
            assert!(value["hash"].is_string(), "{line}");
        }
    }

    #[test]
    fn every_change_cut_and_reorder_is_found() {
        let key = key();
        let lines = trail(&key);
        for at in 0..lines.len() {
            let mut cut = lines.clone();
            cut.remove(at);
            assert!(!look(&cut, &key).wrong.is_empty(), "cut {at}");
            let mut twice = lines.clone();
            twice.insert(at, lines[at].clone());
            assert!(!look(&twice, &key).wrong.is_empty(), "twice {at}");
            if at > 0 {
                let mut swapped = lines.clone();
                swapped.swap(at, at - 1);
                assert!(!look(&swapped, &key).wrong.is_empty(), "swapped {at}");
            }
            // Any byte of any line, to anything else.
            for byte in 0..lines[at].len() {
                let mut bytes = lines[at].clone().into_bytes();
                bytes[byte] = if bytes[byte] == b'0' { b'1' } else { b'0' };
                let mut changed = lines.clone();
                changed[at] = String::from_utf8(bytes).unwrap();
                assert!(!look(&changed, &key).wrong.is_empty(), "{at}:{byte}");
            }
        }
        let end = look(&lines[..3], &key).wrong;
        assert!(end[0].contains("no seal"), "{end:?}");
    }

    #[test]
    fn what_was_signed_by_another_or_belongs_elsewhere_is_found() {
        let (ours, theirs) = (key(), key());
        let forged = look(&trail(&theirs), &ours).wrong;
        assert!(forged[0].contains("signed by the key"), "{forged:?}");
        let text: String = trail(&ours).iter().map(|l| format!("{l}\n")).collect();
        let other = verify("another", &text, &ours.public(), |_| Some(b"abc".to_vec()));
        assert!(!other.wrong.is_empty());
        let changed = verify("call", &text, &ours.public(), |_| Some(b"abd".to_vec()));
        assert_eq!(changed.wrong, ["audio.wav was changed"]);
        let gone = verify("call", &text, &ours.public(), |_| None);
        assert_eq!(gone.wrong, ["audio.wav is gone"]);
        assert!(
            !verify("call", "", &ours.public(), |_| None)
                .wrong
                .is_empty()
        );
        assert!(
            !verify("call", "{}\n", &ours.public(), |_| None)
                .wrong
                .is_empty()
        );
    }

    #[test]
    fn a_torn_trail_is_taken_up_where_it_was_whole() {
        let key = key();
        let lines = trail(&key);
        let torn = format!("{}\n{}\n{}", lines[0], lines[1], &lines[2][..20]);
        let (mut chain, bytes) = Chain::resume("call", &torn);
        assert_eq!(bytes, 20);
        let seal = chain.seal(&sealed("interrupted", "t", &[], &key), &key);
        let again = [lines[0].clone(), lines[1].clone(), seal];
        assert_eq!(look(&again, &key).wrong, Vec::<String>::new());
    }

    #[test]
    fn a_key_is_made_once_and_for_its_owner() {
        use std::os::unix::fs::PermissionsExt;
        let dir = std::env::temp_dir().join(format!("firstline-key-{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("trail.key");
        let first = Signer::open(&path).unwrap().public();
        assert_eq!(Signer::open(&path).unwrap().public(), first);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(&path, "nonsense").unwrap();
        assert!(Signer::open(&path).unwrap_err().contains("no signing key"));
        fs::remove_dir_all(&dir).unwrap();
    }
}
