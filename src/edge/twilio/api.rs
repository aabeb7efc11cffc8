//! Twilio's REST API, as far as a call needs it: make one, end one.

use std::sync::Once;
use std::time::{Duration, Instant};

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, StatusCode, redirect};
use serde_json::Value;
use url::Url;

const CONNECT: Duration = Duration::from_secs(3);
/// For one try.
const ONE: Duration = Duration::from_secs(5);
/// Tries of one request.
const TRIES: u32 = 4;
/// For moving a call, all tries together.
const MOVE: Duration = Duration::from_secs(6);
/// For ending a call, all tries together.
const END: Duration = Duration::from_secs(4);
/// No answer is read beyond this.
const BODY_MAX: usize = 64 * 1024;

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ApiError {
    /// Refused for what it is.
    Refused(String),
    /// Not reached, or too busy until it was too late.
    Failed(String),
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (ApiError::Refused(why) | ApiError::Failed(why)) = self;
        f.write_str(why)
    }
}

/// The API with one account's credentials.
pub(super) struct Api {
    client: Client,
    base: Url,
    account: String,
    token: String,
}

impl Api {
    /// # Errors
    /// A sentence about why HTTPS cannot be set up.
    pub fn new(base: &Url, account: &str, token: &str) -> Result<Self, String> {
        Ok(Self {
            client: plain_client()?,
            base: base.clone(),
            account: account.to_owned(),
            token: token.to_owned(),
        })
    }

    /// Asks for a call; its id.
    pub async fn call(
        &self,
        form: &[(&str, String)],
        within: Duration,
    ) -> Result<String, ApiError> {
        let answer = self.post("Calls.json", form, within).await?;
        match answer["sid"].as_str() {
            Some(sid) if !sid.is_empty() => Ok(sid.to_owned()),
            _ => Err(ApiError::Failed("Twilio's answer names no call".into())),
        }
    }

    /// Has a call that is up do what this TwiML says, whatever it was doing.
    pub async fn redirect(&self, sid: &str, twiml: String) -> Result<(), ApiError> {
        let path = format!("Calls/{sid}.json");
        self.post(&path, &[("Twiml", twiml)], MOVE).await.map(drop)
    }

    /// Ends a call, whether it rings or is up.
    pub async fn complete(&self, sid: &str) -> Result<(), ApiError> {
        let path = format!("Calls/{sid}.json");
        let form = [("Status", "completed".to_owned())];
        match self.post(&path, &form, END).await {
            // It is over already.
            Err(ApiError::Refused(why)) if why.starts_with("404") => Ok(()),
            done => done.map(drop),
        }
    }

    /// One form to one place; what may help to be tried again is, as long and as often as asked to.
    async fn post(
        &self,
        path: &str,
        form: &[(&str, String)],
        within: Duration,
    ) -> Result<Value, ApiError> {
        let mut url = self.base.clone();
        url.set_path(&format!(
            "{}/2010-04-01/Accounts/{}/{path}",
            self.base.path().trim_end_matches('/'),
            self.account
        ));
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form.iter().map(|(k, v)| (*k, v.as_str())))
            .finish();
        let until = Instant::now() + within;
        let mut why = String::new();
        for attempt in 0..TRIES {
            let sent = self
                .client
                .post(url.clone())
                .basic_auth(&self.account, Some(&self.token))
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body.clone())
                .timeout(ONE.min(until.saturating_duration_since(Instant::now())))
                .send()
                .await;
            let mut wait = Duration::from_millis(300 << attempt);
            match sent {
                Ok(mut response) => {
                    let status = response.status();
                    let asked = response
                        .headers()
                        .get(RETRY_AFTER)
                        .and_then(|v| v.to_str().ok()?.trim().parse().ok())
                        .map(Duration::from_secs);
                    let answer = body_of(&mut response).await;
                    if status.is_success() {
                        return Ok(answer);
                    }
                    why = told(status, &answer);
                    let later = status == StatusCode::TOO_MANY_REQUESTS
                        || status == StatusCode::REQUEST_TIMEOUT
                        || status.is_server_error();
                    if !later {
                        return Err(ApiError::Refused(why));
                    }
                    wait = asked.unwrap_or(wait);
                }
                // It never got there, so trying again calls nobody twice.
                Err(error) if error.is_connect() => {
                    "Twilio's API is not reached".clone_into(&mut why)
                }
                // Nobody knows what became of it.
                Err(error) if error.is_timeout() => {
                    return Err(ApiError::Failed(
                        "Twilio's API did not answer in time".into(),
                    ));
                }
                Err(_) => {
                    return Err(ApiError::Failed("Twilio's API broke off".into()));
                }
            }
            if Instant::now() + wait >= until {
                break;
            }
            tokio::time::sleep(wait).await;
        }
        Err(ApiError::Failed(why))
    }
}

/// TLS needs one set of algorithms for the program.
pub(super) fn provider() {
    static PROVIDER: Once = Once::new();
    // Fails only where a provider is installed already, which is as good.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

/// Follows nothing, tries nothing again by itself.
pub(super) fn plain_client() -> Result<Client, String> {
    provider();
    Client::builder()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT)
        .timeout(ONE)
        // A kept connection belongs to the runtime that made it, and may be closed when it is wanted.
        .pool_max_idle_per_host(0)
        .user_agent(concat!("firstline/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| format!("cannot set up HTTPS: {e}"))
}

/// The innermost cause, without the address.
pub(super) fn plain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

async fn body_of(response: &mut reqwest::Response) -> Value {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if bytes.len() + chunk.len() > BODY_MAX {
            return Value::Null;
        }
        bytes.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

/// Twilio's own words for an error: `{"code": 21211, "message": "..."}`.
fn told(status: StatusCode, answer: &Value) -> String {
    let message: String = answer["message"]
        .as_str()
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    match answer["code"].as_u64() {
        Some(code) => format!("{status}: {code} {message}"),
        None => format!("{status} {message}").trim().to_owned(),
    }
}
