//! Recordings in an S3 bucket (or what speaks its API): a call's files go there when it has ended, so that every machine can give them
//! out and none keeps anything that matters. Signature version 4,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ring::hmac;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::config::{S3 as Settings, Secret};

/// In a call's folder: its files are not in the bucket yet.
pub const WAITING: &str = ".s3";
/// In the bucket, beside a call's files: their names, so that all of them can be handed out and deleted.
const INDEX: &str = "files.json";
/// What a call's files are called where there is no such list.
const USUAL: [&str; 4] = ["audio.wav", "events.jsonl", "transcript.md", "record.json"];
/// What stays on this machine when the bucket has a call's files.
const STAYS: [&str; 2] = ["record.json", "record.json.sealed"];
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_secs(5);
/// After a failure: the first wait, doubled each time.
const RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// A bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: reqwest::Client,
    /// `https://host/bucket/prefix`, without a slash at its end.
    at: url::Url,
    region: String,
    access: String,
    secret: Secret,
}

impl Bucket {
    /// # Errors
    /// One sentence: no HTTP client can be made.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        // Sets the program's TLS provider, where nobody has yet.
        drop(crate::backoffice::poster()?);
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| format!("no client for storage.s3: {e}"))?;
        Ok(Self {
            client,
            at: settings.url.clone(),
            region: settings.region.clone(),
            access: settings.access_key.clone(),
            secret: settings.secret_key.clone(),
        })
    }

    fn url(&self, name: &str) -> url::Url {
        let mut url = self.at.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(name.split('/'));
        }
        url
    }

    /// Puts a file there, over an earlier one of the same name.
    ///
    /// # Errors
    /// One sentence.
    pub async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), String> {
        let url = self.url(name);
        let hash = hex(&Sha256::digest(&bytes));
        let mut request = self.client.put(url.clone()).body(bytes);
        for (header, value) in self.sign("PUT", &url, &hash, &[]) {
            request = request.header(header, value);
        }
        let response = request.send().await.map_err(|e| format!("{e}"))?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("answered {status}")),
        }
    }

    /// A file's bytes; none where there is none of that name.
    ///
    /// # Errors
    /// One sentence.
    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let url = self.url(name);
        let mut request = self.client.get(url.clone());
        for (header, value) in self.sign("GET", &url, &hex(&Sha256::digest([])), &[]) {
            request = request.header(header, value);
        }
        let response = request.send().await.map_err(|e| format!("{e}"))?;
        match response.status() {
            reqwest::StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                let bytes = response.bytes().await.map_err(|e| format!("{e}"))?;
                Ok(Some(bytes.to_vec()))
            }
            status => Err(format!("answered {status}")),
        }
    }

    /// Names of a call's files that are, or may be, there.
    ///
    /// # Errors
    /// One sentence.
    pub async fn names(&self, id: &str) -> Result<Vec<String>, String> {
        let listed = self.get(&format!("{id}/{INDEX}")).await?;
        let listed = listed.and_then(|bytes| serde_json::from_slice::<Vec<String>>(&bytes).ok());
        Ok(listed.unwrap_or_else(|| {
            let both = |name: &&str| [(*name).to_owned(), format!("{name}.sealed")];
            USUAL.iter().flat_map(both).collect()
        }))
    }

    /// Deletes a call's files; `record`: its record, too.
    ///
    /// # Errors
    /// One sentence: some are there yet.
    pub async fn delete_call(&self, id: &str, record: bool) -> Result<(), String> {
        let goes = |name: &&String| record || !STAYS.contains(&name.as_str());
        let names = self.names(id).await?;
        for name in names.iter().filter(goes) {
            self.delete(&format!("{id}/{name}")).await?;
        }
        let index = format!("{id}/{INDEX}");
        if record {
            return self.delete(&index).await;
        }
        if names.iter().any(|name| goes(&name)) {
            // Other machines look for what is to be deleted, too: they need not ask for each file again.
            let left: Vec<&String> = names.iter().filter(|name| !goes(name)).collect();
            let list = serde_json::to_vec(&left).map_err(|e| e.to_string())?;
            self.put(&index, list).await?;
        }
        Ok(())
    }

    /// Deletes a file; one that is not there is as good.
    ///
    /// # Errors
    /// One sentence.
    pub async fn delete(&self, name: &str) -> Result<(), String> {
        let url = self.url(name);
        let mut request = self.client.delete(url.clone());
        for (header, value) in self.sign("DELETE", &url, &hex(&Sha256::digest([])), &[]) {
            request = request.header(header, value);
        }
        let response = request.send().await.map_err(|e| format!("{e}"))?;
        match response.status() {
            reqwest::StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            status => Err(format!("answered {status}")),
        }
    }

    fn sign(
        &self,
        method: &str,
        url: &url::Url,
        hash: &str,
        more: &[(&str, &str)],
    ) -> Vec<(String, String)> {
        let now = jiff::Timestamp::now()
            .strftime("%Y%m%dT%H%M%SZ")
            .to_string();
        signed(
            method,
            url,
            hash,
            more,
            &now,
            &self.region,
            (&self.access, self.secret.reveal()),
        )
    }
}

/// The headers of a signed request. `now`: `20130524T000000Z`.
fn signed(
    method: &str,
    url: &url::Url,
    hash: &str,
    more: &[(&str, &str)],
    now: &str,
    region: &str,
    (access, secret): (&str, &str),
) -> Vec<(String, String)> {
    let host = match url.port() {
        Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
        None => url.host_str().unwrap_or_default().to_owned(),
    };
    let mut headers: Vec<(String, String)> = vec![
        ("host".into(), host),
        ("x-amz-content-sha256".into(), hash.into()),
        ("x-amz-date".into(), now.into()),
    ];
    headers.extend(more.iter().map(|(k, v)| ((*k).into(), (*v).into())));
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(k, _)| k.as_str()).collect();
    let names = names.join(";");
    let lines: String = headers.iter().map(|(k, v)| format!("{k}:{v}\n")).collect();
    let canonical = format!(
        "{method}\n{}\n{}\n{lines}\n{names}\n{hash}",
        url.path(),
        url.query().unwrap_or_default()
    );
    let day = now.get(..8).unwrap_or(now);
    let scope = format!("{day}/{region}/s3/aws4_request");
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{now}\n{scope}\n{}",
        hex(&Sha256::digest(canonical.as_bytes()))
    );
    let step = |key: &[u8], text: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
    };
    let mut key = step(format!("AWS4{secret}").as_bytes(), day);
    for part in [region, "s3", "aws4_request"] {
        key = step(&key, part);
    }
    let signature = hex(&step(&key, &to_sign));
    headers.push((
        "authorization".into(),
        format!(
            "AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, Signature={signature}"
        ),
    ));
    // The client writes its own.
    headers.retain(|(name, _)| name != "host");
    headers
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Brings the files of ended calls into the bucket until `stopping`; what fails is tried again, over restarts, too.
pub async fn run(bucket: Bucket, recordings: PathBuf, stopping: CancellationToken) {
    let mut wait = LOOK;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stopping.cancelled() => return,
        }
        wait = match upload(&bucket, &recordings).await {
            Ok(_) => LOOK,
            Err(why) => {
                tracing::warn!("recordings wait on this machine: the bucket of storage.s3 {why}");
                (wait * 2).clamp(RETRY, LONGEST_RETRY)
            }
        };
    }
}

/// Everything that waits; how many calls went. What the bucket has taken is no longer kept here, but for the record.
///
/// # Errors
/// The first failure: the rest waits on.
pub async fn upload(bucket: &Bucket, recordings: &Path) -> Result<usize, String> {
    let folders = std::fs::read_dir(recordings).map_err(|e| e.to_string())?;
    let mut calls = 0;
    for folder in folders.flatten() {
        let path = folder.path();
        if !path.join(WAITING).exists() {
            continue;
        }
        let id = folder.file_name().to_string_lossy().into_owned();
        let mut names = Vec::new();
        for file in std::fs::read_dir(&path)
            .map_err(|e| e.to_string())?
            .flatten()
        {
            let name = file.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') || !file.path().is_file() {
                continue;
            }
            let bytes = tokio::fs::read(file.path())
                .await
                .map_err(|e| e.to_string())?;
            bucket.put(&format!("{id}/{name}"), bytes).await?;
            names.push(name);
        }
        // What was there before, where this is a second try: some of it went already, and is here no longer.
        let before = bucket.get(&format!("{id}/{INDEX}")).await?;
        let before = before.and_then(|b| serde_json::from_slice::<Vec<String>>(&b).ok());
        let mut all = before.unwrap_or_default();
        all.extend(names.iter().cloned());
        all.sort();
        all.dedup();
        let list = serde_json::to_vec(&all).map_err(|e| e.to_string())?;
        bucket.put(&format!("{id}/{INDEX}"), list).await?;
        for name in names.iter().filter(|n| !STAYS.contains(&n.as_str())) {
            let _ = std::fs::remove_file(path.join(name));
        }
        let _ = std::fs::remove_file(path.join(WAITING));
        calls += 1;
    }
    Ok(calls)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// The worked example of the documentation above ("GET Object").
    #[test]
    fn signed_as_the_documentation_signs() {
        let url = "https://examplebucket.s3.amazonaws.com/test.txt"
            .parse()
            .unwrap();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let headers = signed(
            "GET",
            &url,
            empty,
            &[("range", "bytes=0-9")],
            "20130524T000000Z",
            "us-east-1",
            (
                "AKIAIOSFODNN7EXAMPLE",
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            ),
        );
        let (_, authorization) = headers
            .iter()
            .find(|(name, _)| name == "authorization")
            .unwrap();
        assert!(
            authorization.ends_with(
                "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
            ),
            "{authorization}"
        );
    }

    pub(crate) type Kept = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

    fn answer(
        kept: &Kept,
        signed: bool,
        method: &str,
        path: String,
        body: Vec<u8>,
    ) -> (&'static str, Vec<u8>) {
        let mut kept = kept.lock().unwrap();
        match method {
            _ if !signed => ("403 Forbidden", Vec::new()),
            "PUT" => {
                kept.insert(path, body);
                ("200 OK", Vec::new())
            }
            "DELETE" => {
                kept.remove(&path);
                ("204 No Content", Vec::new())
            }
            _ => match kept.get(&path) {
                Some(bytes) => ("200 OK", bytes.clone()),
                None => ("404 Not Found", Vec::new()),
            },
        }
    }

    /// Keeps what is put, gives what is asked for, refuses what is not signed.
    pub(crate) async fn stand_in(kept: Kept) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let kept = kept.clone();
                tokio::spawn(async move {
                    let mut bytes = Vec::new();
                    let mut buffer = [0; 4096];
                    let head = loop {
                        let n = socket.read(&mut buffer).await.unwrap_or(0);
                        if n == 0 {
                            return;
                        }
                        bytes.extend_from_slice(&buffer[..n]);
                        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                            break at + 4;
                        }
                    };
                    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
                    let length: usize = text
                        .lines()
                        .find_map(|l| l.strip_prefix("content-length: ")?.trim().parse().ok())
                        .unwrap_or(0);
                    while bytes.len() < head + length {
                        let n = socket.read(&mut buffer).await.unwrap_or(0);
                        bytes.extend_from_slice(&buffer[..n]);
                    }
                    let first = String::from_utf8_lossy(&bytes[..head]).into_owned();
                    let mut words = first.split(' ');
                    let (method, path) = (words.next().unwrap(), words.next().unwrap().to_owned());
                    let signed = text.contains("authorization: aws4-hmac-sha256");
                    let body = bytes[head..].to_vec();
                    let (status, body) = answer(&kept, signed, method, path, body);
                    let head = format!(
                        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = socket.write_all(&[head.as_bytes(), &body].concat()).await;
                });
            }
        });
        format!("http://{at}/bucket/calls")
    }

    #[tokio::test]
    async fn a_calls_files_go_there_once_and_come_back() {
        let kept = Kept::default();
        let at = stand_in(kept.clone()).await;
        let bucket = Bucket::new(&Settings {
            url: at.parse().unwrap(),
            region: "eu-central-1".into(),
            access_key: "AK".into(),
            secret_key: Secret::new("secret"),
        })
        .unwrap();
        let dir = std::env::temp_dir().join(format!("firstline-s3-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(dir.join("call")).unwrap();
        std::fs::create_dir_all(dir.join("going")).unwrap();
        std::fs::write(dir.join("call/audio.wav"), "sound").unwrap();
        std::fs::write(dir.join("call/record.json"), "{}").unwrap();
        std::fs::write(dir.join("call/note-1.wav"), "aside").unwrap();
        std::fs::write(dir.join("call").join(WAITING), "").unwrap();
        assert_eq!(upload(&bucket, &dir).await.unwrap(), 1);
        assert_eq!(upload(&bucket, &dir).await.unwrap(), 0, "once");
        let names: Vec<String> = kept.lock().unwrap().keys().cloned().collect();
        let there = |name: &str| format!("/bucket/calls/call/{name}");
        assert_eq!(
            names,
            ["audio.wav", "files.json", "note-1.wav", "record.json"].map(there)
        );
        let left: Vec<_> = std::fs::read_dir(dir.join("call"))
            .unwrap()
            .flatten()
            .map(|e| e.file_name().into_string().unwrap())
            .collect();
        assert_eq!(left, ["record.json"], "the bucket has the rest");
        // It is found wherever it lies, and by its bytes.
        let folder = dir.join("call");
        let found = crate::runtime::kept::file(&folder, "audio.wav", None, Some(&bucket)).await;
        assert_eq!(found.unwrap().as_deref(), Some(b"sound".as_slice()));
        let none = crate::runtime::kept::file(&folder, "audio.wav", None, None).await;
        assert_eq!(none.unwrap(), None);
        let got = bucket.get("call/audio.wav").await.unwrap();
        assert_eq!(got.as_deref(), Some(b"sound".as_slice()));
        assert_eq!(bucket.get("call/nothing").await.unwrap(), None);
        bucket.delete_call("call", false).await.unwrap();
        assert_eq!(bucket.get("call/audio.wav").await.unwrap(), None);
        assert_eq!(bucket.get("call/note-1.wav").await.unwrap(), None);
        assert!(bucket.get("call/record.json").await.unwrap().is_some());
        assert_eq!(bucket.names("call").await.unwrap(), ["record.json"]);
        bucket.delete_call("call", true).await.unwrap();
        assert!(kept.lock().unwrap().is_empty());
        let _ = std::fs::remove_dir_all(&dir);
    }
}
