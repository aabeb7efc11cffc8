//! Deletion: recordings and records whose time is over, and what is kept of one caller.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::s3::Bucket;
use crate::config::Privacy;
use crate::store::{Store, StoreError};

/// How often it is looked for.
const LOOK: Duration = Duration::from_secs(3600);
/// Calls looked at in one go.
const BATCH: u32 = 500;
const DAY_MS: i64 = 86_400_000;
/// What stays of a call's folder until its record's time is over, too.
const RECORD_FILES: [&str; 2] = ["record.json", "record.json.sealed"];
/// Says that the rest was deleted, and when.
const DELETED: &str = "deleted.json";

/// What was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Calls of which sound, events and transcript went.
    pub recordings: u64,
    /// Calls of which everything went.
    pub records: u64,
}

/// Looks now and every hour, until `stopping`.
pub async fn run(
    store: Store,
    recordings: std::path::PathBuf,
    bucket: Option<Bucket>,
    privacy: Privacy,
    stopping: CancellationToken,
) {
    if privacy.keep_recordings.is_none() && privacy.keep_records.is_none() {
        return;
    }
    loop {
        match sweep(
            &store,
            &recordings,
            bucket.as_ref(),
            &privacy,
            super::clock::now(),
        )
        .await
        {
            Ok(swept) if swept != Swept::default() => tracing::info!(
                "retention: recordings of {} calls and records of {} calls were deleted",
                swept.recordings,
                swept.records
            ),
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "what is to be deleted could not be looked for"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stopping.cancelled() => return,
        }
    }
}

/// Deletes a call's files from the bucket, where there is one; false: they are there yet, to be tried again.
async fn delete_remote(bucket: Option<&Bucket>, id: &str, record: bool) -> bool {
    let Some(bucket) = bucket else { return true };
    match bucket.delete_call(id, record).await {
        Ok(()) => true,
        Err(why) => {
            tracing::error!(call = %id, "a recording could not be deleted from the bucket: it {why}");
            false
        }
    }
}

/// Deletes what has been kept for long enough at `now`.
pub async fn sweep(
    store: &Store,
    recordings: &Path,
    bucket: Option<&Bucket>,
    privacy: &Privacy,
    now: Timestamp,
) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    let before = |days: u32| now.as_millisecond() - i64::from(days) * DAY_MS;
    if let Some(days) = privacy.keep_records {
        loop {
            let ids = store.calls_ended_before(before(days), BATCH).await?;
            let mut went = 0;
            for id in &ids {
                if !delete_remote(bucket, id, true).await {
                    continue;
                }
                store.delete_call(id).await?;
                let _ = std::fs::remove_dir_all(recordings.join(id));
                went += 1;
            }
            swept.records += went;
            if ids.len() < BATCH as usize || went == 0 {
                break;
            }
        }
        if swept.records > 0 {
            store.settle_deletions().await?;
        }
    }
    if let Some(days) = privacy.keep_recordings {
        for id in store.calls_ended_before(before(days), u32::MAX).await? {
            let folder = recordings.join(&id);
            if deleted(&folder).is_none()
                && delete_remote(bucket, &id, false).await
                && delete_recording(&folder, now)
            {
                swept.recordings += 1;
            }
        }
    }
    Ok(swept)
}

/// Deletes everything in a call's folder but its record; false: there was nothing left to delete.
fn delete_recording(folder: &Path, now: Timestamp) -> bool {
    if folder.join(DELETED).exists() {
        return false;
    }
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    let mut gone = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !RECORD_FILES.contains(&name.as_str()) && std::fs::remove_file(entry.path()).is_ok() {
            gone.push(name);
        }
    }
    let says = serde_json::json!({ "at": now.to_string(), "why": "retention", "files": gone });
    let _ = std::fs::write(folder.join(DELETED), says.to_string());
    true
}

/// When and why a call's recording was deleted, where it was.
pub fn deleted(folder: &Path) -> Option<String> {
    let bytes = std::fs::read(folder.join(DELETED)).ok()?;
    let says: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    Some(format!(
        "deleted at {} ({})",
        says["at"].as_str().unwrap_or("an unknown time"),
        says["why"].as_str().unwrap_or("")
    ))
}

/// Deletes everything of this caller, in the database and on the disk; how many calls.
pub async fn erase(
    store: &Store,
    recordings: &Path,
    bucket: Option<&Bucket>,
    number: &str,
) -> Result<usize, StoreError> {
    let ids = store.calls_of(number).await?;
    let mut gone = 0;
    for id in &ids {
        if !delete_remote(bucket, id, true).await {
            continue;
        }
        gone += 1;
        store.delete_call(id).await?;
        let _ = std::fs::remove_dir_all(recordings.join(id));
    }
    store.settle_deletions().await?;
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Consent;
    use crate::desk::CallRecord;

    #[tokio::test]
    async fn what_has_been_kept_for_long_enough_goes_from_disk_and_database() {
        let dir = std::env::temp_dir().join(format!("firstline-keep-{}", uuid::Uuid::new_v4()));
        let store = Store::open(&format!("sqlite:{}/l.db", dir.display()))
            .await
            .unwrap();
        let calls = [
            ("old", "2026-01-01T10:00:00Z"),
            ("older", "2025-01-01T10:00:00Z"),
            ("new", "2026-11-20T10:00:00Z"),
        ];
        for (id, at) in calls {
            let record = CallRecord {
                id: id.into(),
                from: Some("+12025550163".into()),
                started_at: at.into(),
                ended_at: Some(at.into()),
                ..CallRecord::default()
            };
            store.save_call(&record).await.unwrap();
            std::fs::create_dir_all(dir.join(id)).unwrap();
            for file in ["audio.wav", "record.json", "transcript.md", "events.jsonl"] {
                std::fs::write(dir.join(id).join(file), id).unwrap();
            }
        }
        let privacy = Privacy {
            redact: Vec::new(),
            key: None,
            keep_recordings: Some(30),
            keep_records: Some(365),
            consent: Consent::None,
            consent_by_number: Vec::new(),
        };
        let now = "2026-11-23T10:00:00Z".parse().unwrap();
        let swept = sweep(&store, &dir, None, &privacy, now).await.unwrap();
        assert_eq!((swept.recordings, swept.records), (1, 1));
        assert!(!dir.join("older").exists());
        assert_eq!(store.call("older").await.unwrap(), None);
        assert!(!dir.join("old/audio.wav").exists() && !dir.join("old/events.jsonl").exists());
        assert!(dir.join("old/record.json").exists());
        assert!(deleted(&dir.join("old")).unwrap().contains("2026-11-23"));
        assert!(dir.join("new/audio.wav").exists());
        let again = sweep(&store, &dir, None, &privacy, now).await.unwrap();
        assert_eq!(again, Swept::default());

        assert_eq!(erase(&store, &dir, None, "+12025550163").await.unwrap(), 2);
        assert!(!dir.join("new").exists() && !dir.join("old").exists());
        assert!(store.calls(9, None).await.unwrap().is_empty());
        store.close().await;
        // Not in any page of the file either.
        let bytes = std::fs::read(dir.join("l.db")).unwrap();
        assert!(!bytes.windows(12).any(|w| w == b"+12025550163"));
        let _ = std::fs::remove_dir_all(&dir);
    }
}
