//! Desk phones that registered over UDP are known again after a restart: a colleague is not out of reach until their phone says so once more.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::clock;
use crate::edge::sip::{Kept, SipEdge};

/// Beside the recordings.
const FILE: &str = "phones.json";
const EVERY: Duration = Duration::from_secs(10);

#[derive(Serialize, Deserialize)]
struct Written {
    user: String,
    contact: String,
    source: SocketAddr,
    /// RFC 3339.
    until: jiff::Timestamp,
}

/// Takes back what the last run left.
pub fn restore(sip: &SipEdge, folder: &Path) {
    let Ok(text) = std::fs::read_to_string(folder.join(FILE)) else {
        return;
    };
    let written: Vec<Written> = serde_json::from_str(&text).unwrap_or_default();
    let now = clock::now();
    let left = |one: &Written| u64::try_from((one.until - now).as_secs()).ok();
    let kept: Vec<Kept> = written
        .into_iter()
        .filter_map(|one| {
            Some(Kept {
                left: Duration::from_secs(left(&one).filter(|s| *s > 0)?),
                user: one.user,
                contact: one.contact,
                source: one.source,
            })
        })
        .collect();
    if !kept.is_empty() {
        tracing::info!("{} desk phones are known from before", kept.len());
    }
    sip.restore(kept);
}

/// Writes down who is registered, until the line stops.
pub async fn run(sip: SipEdge, folder: std::path::PathBuf, stopping: CancellationToken) {
    let mut last = String::new();
    loop {
        let over = tokio::select! {
            () = stopping.cancelled() => true,
            () = tokio::time::sleep(EVERY) => false,
        };
        let text = text(sip.kept_phones());
        if text != last {
            match write(&folder, &text) {
                Ok(()) => last = text,
                Err(error) => {
                    tracing::debug!(%error, "registered phones could not be written down")
                }
            }
        }
        if over {
            return;
        }
    }
}

fn text(kept: Vec<Kept>) -> String {
    let now = clock::now();
    let written: Vec<Written> = kept
        .into_iter()
        .filter_map(|one| {
            let left = jiff::SignedDuration::try_from(one.left).ok()?;
            Some(Written {
                until: now.checked_add(left).ok()?,
                user: one.user,
                contact: one.contact,
                source: one.source,
            })
        })
        .collect();
    serde_json::to_string(&written).unwrap_or_default()
}

/// Whole or not at all.
fn write(folder: &Path, text: &str) -> std::io::Result<()> {
    let new = folder.join(format!("{FILE}.new"));
    std::fs::write(&new, text)?;
    std::fs::rename(new, folder.join(FILE))
}
