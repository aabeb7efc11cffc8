//! HTTP to the back office and to webhooks.

use std::sync::Once;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, StatusCode, redirect};
use serde_json::Value;
use url::Url;

use crate::desk::{Outcome, Request};

/// No answer of a back office is read beyond this.
const BODY_MAX: usize = 1024 * 1024;
/// Time to reach the server at all.
const CONNECT: Duration = Duration::from_secs(3);
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The desk's back office over HTTP.
#[derive(Debug, Clone)]
pub struct HttpBackoffice {
    reads: Client,
    writes: Client,
    base: Url,
    timeout: Duration,
}

impl HttpBackoffice {
    /// `base_url`: what every path is below. `auth`: the whole `Authorization` header's value (`Bearer ...`), which goes to the base
    /// URL's own host and nowhere else. `timeout`: for one request from start to the last byte of its answer.
    ///
    /// # Errors
    /// One sentence about the address or the header's value.
    pub fn new(base_url: &str, auth: Option<String>, timeout: Duration) -> Result<Self, String> {
        let mut base = Url::parse(base_url)
            .ok()
            .filter(|u| matches!(u.scheme(), "http" | "https") && u.has_host())
            .ok_or_else(|| {
                format!(
                    "the back office's address `{base_url}` must begin with http:// or https://"
                )
            })?;
        if base.query().is_some() || base.fragment().is_some() {
            return Err(format!(
                "the back office's address `{base_url}` must end before any `?` or `#`"
            ));
        }
        // `join` treats what follows the last slash as a file; ours is a folder.
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let mut headers = HeaderMap::new();
        if let Some(auth) = auth {
            let mut value = HeaderValue::from_str(auth.trim()).map_err(|_| {
                "the back office's auth holds characters that no HTTP header may hold".to_owned()
            })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(Self {
            reads: client(headers.clone(), true)?,
            writes: client(headers, false)?,
            base,
            timeout,
        })
    }

    /// The base address, for people.
    pub fn address_text(&self) -> &str {
        self.base.as_str()
    }

    /// Longest time one request may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether something answers at the base address, whatever it says.
    ///
    /// # Errors
    /// A sentence about what went wrong.
    pub async fn reachable(&self) -> Result<(), String> {
        let sent = self
            .reads
            .get(self.base.clone())
            .timeout(self.timeout)
            .send()
            .await;
        sent.map(drop).map_err(|e| {
            format!(
                "the back office at {} does not answer: {}",
                self.base,
                plain(&e)
            )
        })
    }

    /// `path` below the base address; none where it would leave it.
    fn address(&self, path: &str) -> Option<Url> {
        let relative = path.trim_start_matches('/');
        // A scheme or a second slash would name another host; dots, also as `%2e`, would climb out.
        let (before, _) = relative.split_once('?').unwrap_or((relative, ""));
        let climbs = before.split('/').any(|part| {
            let part = part.to_ascii_lowercase().replace("%2e", ".");
            part == ".." || part == "."
        });
        if climbs || before.contains('\\') || before.contains('#') {
            return None;
        }
        let mut url = self.base.clone();
        url.set_path(&format!("{}{before}", self.base.path()));
        if let Some((_, query)) = relative.split_once('?') {
            url.set_query(Some(query));
        }
        (url.host() == self.base.host() && url.path().starts_with(self.base.path())).then_some(url)
    }

    /// Sends one request once. See [`Outcome`] for what each answer means; a read that goes wrong is as unknown as a write, and
    /// harmless.
    pub async fn perform(&self, request: &Request) -> Outcome {
        let Some(url) = self.address(&request.path) else {
            return Outcome::Failed(format!(
                "the path `{}` leaves the back office's address; nothing was sent",
                request.path
            ));
        };
        let Ok(method) = Method::from_bytes(request.method.as_bytes()) else {
            return Outcome::Failed(format!(
                "`{}` is no HTTP method; nothing was sent",
                request.method
            ));
        };
        let client = if request.is_write() || method != Method::GET {
            &self.writes
        } else {
            &self.reads
        };
        let mut building = client.request(method, url).timeout(self.timeout);
        if let Some(key) = &request.idempotency_key {
            let Ok(value) = HeaderValue::from_str(key) else {
                return Outcome::Failed("the idempotency key holds characters that no header may hold; nothing was sent".into());
            };
            building = building.header(IDEMPOTENCY_KEY, value);
        }
        if let Some(body) = &request.body {
            building = building
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        match building.send().await {
            Ok(response) => answered(response).await,
            // A connection that was never made, or an address that cannot be asked, carried nothing.
            Err(e) if e.is_connect() || e.is_builder() => Outcome::Failed(plain(&e)),
            Err(e) => Outcome::Unknown(plain(&e)),
        }
    }
}

async fn answered(mut response: reqwest::Response) -> Outcome {
    let status = response.status();
    if status == StatusCode::NOT_FOUND {
        return Outcome::NotFound;
    }
    let body = body(&mut response).await;
    if status.is_client_error() {
        let said = body.unwrap_or_default();
        let said: String = String::from_utf8_lossy(&said).chars().take(300).collect();
        return Outcome::Refused(format!("{status}: {said}"));
    }
    if !status.is_success() {
        return Outcome::Unknown(format!("the back office answered {status}"));
    }
    match body {
        Err(why) => Outcome::Unknown(why),
        Ok(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => Outcome::Done(Value::Null),
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(value) => Outcome::Done(value),
            Err(e) => Outcome::Unknown(format!("the back office's answer is not JSON: {e}")),
        },
    }
}

async fn body(response: &mut reqwest::Response) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > BODY_MAX => {
                return Err(format!(
                    "the back office's answer is longer than {BODY_MAX} bytes"
                ));
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok(bytes),
            Err(e) => return Err(plain(&e)),
        }
    }
}

/// A plain POST that is tried once: for webhooks.
#[derive(Debug, Clone)]
pub struct Post {
    client: Client,
}

/// Why a POST was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostError {
    /// Trying again later may do.
    Later(String),
    /// The other side refused it for what it is: trying again will not help.
    Refused(String),
}

/// A client for [`Post::send`].
///
/// # Errors
/// A sentence about why TLS cannot be set up.
pub fn poster() -> Result<Post, String> {
    Ok(Post {
        client: client(HeaderMap::new(), false)?,
    })
}

impl Post {
    /// Sends `body` as JSON with `headers`; a 2xx is success.
    ///
    /// # Errors
    /// [`PostError`] says whether to try again.
    pub async fn send(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: String,
        timeout: Duration,
    ) -> Result<(), PostError> {
        let content = "application/json";
        self.request("POST", url, headers, content, body, timeout)
            .await
            .map(drop)
    }

    /// The same with another method (`PUT`, say) and kind of content; gives the answer's body, cut where it is long.
    ///
    /// # Errors
    /// [`PostError`] says whether to try again.
    pub async fn request(
        &self,
        method: &'static str,
        url: &str,
        headers: &[(&'static str, String)],
        content_type: &'static str,
        body: String,
        timeout: Duration,
    ) -> Result<String, PostError> {
        let method = reqwest::Method::from_bytes(method.as_bytes())
            .map_err(|_| PostError::Refused(format!("{method} is no method")))?;
        let mut building = self
            .client
            .request(method, url)
            .timeout(timeout)
            .header(CONTENT_TYPE, content_type);
        for (name, value) in headers {
            building = building.header(*name, value);
        }
        let mut response = building
            .body(body)
            .send()
            .await
            .map_err(|e| PostError::Later(plain(&e)))?;
        let status = response.status();
        match status {
            _ if status.is_success() => {
                // It was taken: an answer that cannot be read does not change that.
                let bytes = self::body(&mut response).await.unwrap_or_default();
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Err(PostError::Later(format!("answered {status}")))
            }
            _ if status.is_client_error() => Err(PostError::Refused(format!("answered {status}"))),
            _ => Err(PostError::Later(format!("answered {status}"))),
        }
    }
}

/// TLS needs one provider for the whole program.
fn provider() {
    static PROVIDER: Once = Once::new();
    // Fails only where a provider is installed already, which is as good.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

/// A client as writes need it: no redirect, no retry, no kept connection.
pub(super) fn one_way_client() -> Result<Client, String> {
    client(HeaderMap::new(), false)
}

fn client(headers: HeaderMap, follow: bool) -> Result<Client, String> {
    provider();
    // A redirect of a write would send it twice, and one across hosts would carry what it says to a stranger.
    let same_host = redirect::Policy::custom(|attempt| {
        let first = attempt.previous().first();
        let same = first.is_some_and(|f| {
            f.host() == attempt.url().host()
                && f.port_or_known_default() == attempt.url().port_or_known_default()
        });
        if same && attempt.previous().len() < 4 {
            attempt.follow()
        } else {
            attempt.stop()
        }
    });
    Client::builder()
        .default_headers(headers)
        .redirect(if follow {
            same_host
        } else {
            redirect::Policy::none()
        })
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT)
        // A kept connection that the server has just closed makes a write fail without saying whether it was sent.
        .pool_max_idle_per_host(0)
        .user_agent(concat!("firstline/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| format!("cannot set up HTTPS: {}", plain(&e)))
}

/// The innermost cause without the address: a query may hold a caller's number, and this goes to logs.
fn plain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if std::ptr::addr_eq(cause, error) {
        return "the request failed".into();
    }
    cause.to_string()
}
