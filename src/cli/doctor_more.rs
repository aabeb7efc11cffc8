//! `firstline doctor`: codecs, keeping time, what the system lets this program do, what protects what is kept, and the other machines.

use std::process::Command;

use super::doctor::Findings;
use crate::audio::codec::Codec;
use crate::config::{Config, Consent};
use crate::runtime::serve::{TRAIL_KEY, keys};
use crate::store::{NodeState, is_postgres};

/// Each codec that is configured, tried on a frame of a tone.
pub fn codecs(config: &Config, found: &mut Findings) {
    let mut good = Vec::new();
    for name in &config.sip.codecs {
        match Codec::named(name) {
            Some(codec) => good.push(codec.name()),
            None => found.fail(
                "codecs",
                format!("`{name}` is not in this build; take it out of sip.codecs, or build with its feature"),
            ),
        }
    }
    if !good.is_empty() {
        found.ok("codecs", good.join(", "));
    }
}

/// Whether something keeps the clock right.
pub fn clock_kept(found: &mut Findings) {
    let said = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let kept = said(
        "timedatectl",
        &["show", "--property=NTPSynchronized", "--value"],
    )
    .map(|answer| answer == "yes")
    .or_else(|| said("chronyc", &["-n", "tracking"]).map(|t| t.contains("Normal")));
    match kept {
        Some(true) => found.ok("clock", "is kept right by a time service"),
        Some(false) => found.warn(
            "clock",
            "no time service keeps it right: dates said to callers and TLS depend on it; `timedatectl set-ntp true`, or install chrony",
        ),
        None => found.warn(
            "clock",
            "whether a time service keeps it right could not be learnt (no timedatectl, no chronyc); in a container it is the host's",
        ),
    }
}

/// Open files and real-time threads.
pub fn limits(config: &Config, found: &mut Findings) {
    let text = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let soft = |name: &str| {
        let line = text.lines().find(|l| l.starts_with(name))?;
        line[name.len()..]
            .split_whitespace()
            .next()?
            .parse::<u64>()
            .ok()
    };
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let calls = config.limits.calls.unwrap_or(cores * 12) as u64;
    // Two legs of two sockets, five files, and the rest of the program.
    let wanted = calls * 12 + 256;
    match soft("Max open files") {
        Some(n) if n < wanted => found.fail(
            "open files",
            format!("{n} may be open at once, and {calls} calls need {wanted}; raise it (`ulimit -n {wanted}`, or LimitNOFILE= in the unit)"),
        ),
        Some(n) => found.ok("open files", format!("{n} may be open, enough for {calls} calls")),
        None => {}
    }
    match crate::runtime::priority::real_time_permitted() {
        true => found.ok("real time", "sound may be sent before anything else"),
        false => found.warn(
            "real time",
            "is not permitted: on a busy machine frames may be late; give CAP_SYS_NICE or LimitRTPRIO=20 (scripts/packaging/firstline.service does)",
        ),
    }
}

/// Keys, consent and how long things are kept.
pub fn privacy(config: &Config, found: &mut Findings) {
    let privacy = &config.privacy;
    if privacy.redact.is_empty() {
        found.warn(
            "privacy",
            "privacy.redact is empty: card numbers and dates of birth are stored as they are said",
        );
    } else {
        found.ok(
            "privacy",
            format!("kept out of what is stored: {}", privacy.redact.join(", ")),
        );
    }
    match keys(config) {
        Ok(Some(_)) => found.ok("privacy", "recordings and transcripts are encrypted"),
        Ok(None) => found.warn(
            "privacy",
            "recordings are not encrypted; set privacy.key_env, unless the disk is",
        ),
        Err(why) => found.fail("privacy", why),
    }
    if privacy.consent == Consent::None && privacy.consent_by_number.is_empty() {
        found.warn("privacy", "calls are recorded without a word about it; where the law asks for one, set privacy.consent");
    }
    if privacy.keep_recordings.is_none() {
        found.warn(
            "privacy",
            "recordings are kept for ever; set privacy.keep_recordings",
        );
    }
    let key = config.storage.recordings.join(TRAIL_KEY);
    match std::fs::metadata(&key) {
        Ok(meta) => {
            use std::os::unix::fs::PermissionsExt;
            if meta.permissions().mode() & 0o077 == 0 {
                found.ok(
                    "trail",
                    "is signed; `firstline audit key` prints the public key",
                );
            } else {
                found.fail(
                    "trail",
                    format!("{} can be read by others; `chmod 600` it", key.display()),
                );
            }
        }
        Err(_) => found.ok("trail", "its signing key is made at the first start"),
    }
}

/// Who shares the database.
pub fn nodes(config: &Config, nodes: &[NodeState], found: &mut Findings) {
    let alive: Vec<&NodeState> = nodes.iter().filter(|n| n.alive).collect();
    for node in &alive {
        let what = if node.draining {
            "is draining"
        } else {
            "takes calls"
        };
        found.ok(
            "machines",
            format!(
                "{} {what} at {}: {} of {} calls",
                node.node.name, node.node.sip, node.active, node.node.capacity
            ),
        );
    }
    for node in &alive {
        let same = |other: &&&NodeState| other.node.name == node.node.name;
        if alive.iter().filter(same).count() > 1 {
            found.warn(
                "machines",
                format!(
                    "two are called {}; give each its own node.name",
                    node.node.name
                ),
            );
            break;
        }
    }
    if alive.len() > 1 && !is_postgres(&config.storage.url) {
        found.fail(
            "machines",
            "several run on one SQLite file; use PostgreSQL (storage.url)",
        );
    }
}

/// `storage.url` without a password in it.
pub fn without_password(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() => {
            let _ = parsed.set_password(Some("***"));
            parsed.to_string()
        }
        _ => url.to_owned(),
    }
}
