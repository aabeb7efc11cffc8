//! One file over HTTP, resumed where it stopped.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::RANGE;

use super::Progress;

/// Attempts before the next source is tried. Each goes on where the last one stopped.
const TRIES: u32 = 4;
/// A server that sends nothing for this long has gone.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn client() -> Result<reqwest::Client, String> {
    // Another part of the program may have chosen the same provider already; then this changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE)
        .build()
        .map_err(|e| format!("no connection can be made: {e}"))
}

/// Fetches `url` into `part`, which may hold the beginning from an earlier attempt, up to `bytes` long.
///
/// # Errors
/// Refused, unreachable, or longer than it should be: one sentence. What came stays in `part`.
pub async fn fetch(
    client: &reqwest::Client,
    url: &str,
    part: &Path,
    bytes: u64,
    progress: &dyn Progress,
) -> Result<(), String> {
    let mut said = String::new();
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(500) * 2u32.pow(attempt)).await;
        }
        match once(client, url, part, bytes, progress).await {
            Ok(()) => return Ok(()),
            Err(Failure::Final(e)) => return Err(e),
            Err(Failure::Again(e)) => said = e,
        }
    }
    Err(said)
}

enum Failure {
    /// The same request will fail the same way.
    Final(String),
    Again(String),
}

async fn once(
    client: &reqwest::Client,
    url: &str,
    part: &Path,
    bytes: u64,
    progress: &dyn Progress,
) -> Result<(), Failure> {
    let disk =
        |e: std::io::Error| Failure::Final(format!("{} cannot be written: {e}", part.display()));
    let mut have = fs::metadata(part).map_or(0, |m| m.len());
    if have > bytes {
        fs::remove_file(part).map_err(disk)?;
        have = 0;
    }
    progress.at(have);
    if have == bytes {
        return Ok(());
    }
    let mut request = client.get(url);
    if have > 0 {
        request = request.header(RANGE, format!("bytes={have}-"));
    }
    let mut answer = request
        .send()
        .await
        .map_err(|e| Failure::Again(format!("the server cannot be reached: {}", plain(&e))))?;
    match answer.status() {
        StatusCode::PARTIAL_CONTENT if have > 0 => {}
        // A server that knows no ranges sends the whole file.
        StatusCode::OK => have = 0,
        StatusCode::RANGE_NOT_SATISFIABLE => {
            fs::remove_file(part).map_err(disk)?;
            return Err(Failure::Again("the server will not resume".into()));
        }
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Err(Failure::Again(format!("the server answered {status}")));
        }
        status => return Err(Failure::Final(format!("the server answered {status}"))),
    }
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(have > 0)
        .write(true)
        .truncate(have == 0)
        .open(part)
        .map_err(disk)?;
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => {
                have += chunk.len() as u64;
                if have > bytes {
                    return Err(Failure::Final(format!(
                        "the server sends more than the {bytes} bytes it should"
                    )));
                }
                file.write_all(&chunk).map_err(disk)?;
                progress.at(have);
            }
            Ok(None) if have == bytes => return file.sync_all().map_err(disk),
            Ok(None) => {
                return Err(Failure::Again(format!(
                    "the server stopped after {have} of {bytes} bytes"
                )));
            }
            Err(e) => {
                return Err(Failure::Again(format!(
                    "the connection broke: {}",
                    plain(&e)
                )));
            }
        }
    }
}

/// The innermost cause: reqwest's own text repeats the address and hides the reason.
fn plain(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
