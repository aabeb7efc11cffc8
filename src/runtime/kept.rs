//! Where and how what outlives a call is kept, by configuration: the database, the keys, the signing key.

use std::path::Path;
use std::sync::Arc;

use super::call_files::{self, Keeping};
use super::s3::Bucket;
use super::seal::{Keys, SUFFIX};
use super::trail::Signer;
use crate::config::Config;
use crate::store::Store;
use crate::telemetry::Metrics;

/// How calls are kept, by configuration; the signing key is made at the first start.
///
/// # Errors
/// One sentence: a key that is none, or a folder that cannot be written.
pub fn keeping(config: &Config, metrics: Arc<Metrics>) -> Result<Keeping, String> {
    let recordings = &config.storage.recordings;
    std::fs::create_dir_all(recordings).map_err(|e| {
        format!(
            "cannot make the recordings folder {}: {e}; make its parent writable or name another in storage.recordings",
            recordings.display()
        )
    })?;
    let signer = Signer::open(&recordings.join(TRAIL_KEY))?;
    Ok(Keeping {
        keys: keys(config)?,
        signer,
        metrics,
        to_s3: config.storage.s3.is_some(),
    })
}

/// Where the key lies that trails are signed with.
pub const TRAIL_KEY: &str = "trail.key";

/// What recordings and transcripts are encrypted with.
///
/// # Errors
/// One sentence: the variable holds no key.
pub fn keys(config: &Config) -> Result<Option<Keys>, String> {
    let key = config.privacy.key.as_ref();
    key.map(|key| Keys::read(key.reveal()))
        .transpose()
        .map_err(|why| format!("the variable that privacy.key_env names {why}"))
}

/// A file of a call, decrypted where it is encrypted, from its folder on this machine or from the bucket: another machine had the call,
/// or this one's copy went when the bucket had it. None where it is in neither.
///
/// # Errors
/// One sentence: there is no key, or another one; or the bucket cannot be asked.
pub async fn file(
    folder: &Path,
    name: &str,
    keys: Option<&Keys>,
    bucket: Option<&Bucket>,
) -> Result<Option<Vec<u8>>, String> {
    if let Some(bytes) = call_files::read(folder, name, keys)? {
        return Ok(Some(bytes));
    }
    for name_there in [name.to_owned(), format!("{name}{SUFFIX}")] {
        if let Some(bytes) = file_as_kept(folder, &name_there, bucket).await? {
            let opened = call_files::opened(name, bytes, keys);
            return opened
                .map(Some)
                .map_err(|why| format!("{name_there}: {why}"));
        }
    }
    Ok(None)
}

/// The same of exactly this name, byte for byte.
///
/// # Errors
/// One sentence: the bucket cannot be asked.
pub async fn file_as_kept(
    folder: &Path,
    name: &str,
    bucket: Option<&Bucket>,
) -> Result<Option<Vec<u8>>, String> {
    if let Ok(bytes) = std::fs::read(folder.join(name)) {
        return Ok(Some(bytes));
    }
    let (Some(bucket), Some(id)) = (bucket, folder.file_name().and_then(|n| n.to_str())) else {
        return Ok(None);
    };
    bucket
        .get(&format!("{id}/{name}"))
        .await
        .map_err(|why| format!("the bucket of storage.s3 {why}"))
}

/// The bucket that the configuration names.
///
/// # Errors
/// One sentence: no HTTP client can be made.
pub fn bucket(config: &Config) -> Result<Option<Bucket>, String> {
    config.storage.s3.as_ref().map(Bucket::new).transpose()
}

/// The database as the configuration has it, with the key that its texts are encrypted with.
///
/// # Errors
/// One sentence: what cannot be opened, and what to do.
pub async fn open_store(config: &Config) -> anyhow::Result<Store> {
    if let Some(parent) = config
        .storage
        .url
        .strip_prefix("sqlite:")
        .and_then(|p| std::path::Path::new(p).parent())
    {
        std::fs::create_dir_all(parent)?;
    }
    let store = Store::open(&config.storage.url)
        .await?
        .with_clock(super::clock::now);
    Ok(match keys(config).map_err(anyhow::Error::msg)? {
        Some(keys) => store.with_seal(Arc::new(keys)),
        None => store,
    })
}
