//! A language model behind HTTP: one request, its answer as it streams in.
#![allow(
    clippy::disallowed_methods,
    reason = "a request has deadlines of its own"
)]

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, redirect};
use tokio::sync::mpsc;

use super::shape::{Events, Piece, Shape, Structure};
use crate::desk::model::Prompt;

/// Version of the messages API that is spoken (the `anthropic-version` header).
const ANTHROPIC: &str = "2023-06-01";

/// One server and a model of it.
#[derive(Debug, Clone)]
pub struct Server {
    client: Client,
    shape: Shape,
    structure: Structure,
    url: String,
    /// For people and trails: host and port, no path, no key.
    name: String,
    model: String,
}

/// What is known of a server.
#[derive(Debug, Clone)]
pub struct Settings<'a> {
    pub shape: Shape,
    pub structure: Structure,
    /// What the shape's path is below, like `http://127.0.0.1:8000/v1`.
    pub base_url: &'a str,
    pub model: &'a str,
    pub key: Option<&'a str>,
    /// Time to reach it at all.
    pub connect: Duration,
    /// Longest silence between two pieces of an answer.
    pub silence: Duration,
}

impl Server {
    /// # Errors
    /// One sentence about the address or the key.
    pub fn new(settings: &Settings<'_>) -> Result<Self, String> {
        let base = settings.base_url.trim_end_matches('/');
        let parsed = url::Url::parse(base)
            .map_err(|e| format!("the language model's address `{base}` cannot be read: {e}"))?;
        let mut headers = HeaderMap::new();
        if let Some(key) = settings.key {
            let (name, value) = match settings.shape {
                Shape::OpenAi => (AUTHORIZATION, format!("Bearer {}", key.trim())),
                Shape::Anthropic => (HeaderName::from_static("x-api-key"), key.trim().to_owned()),
            };
            let mut value = HeaderValue::from_str(&value).map_err(|_| {
                "the language model's key holds characters that no HTTP header may hold".to_owned()
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        if settings.shape == Shape::Anthropic {
            headers.insert("anthropic-version", HeaderValue::from_static(ANTHROPIC));
        }
        provider();
        let client = Client::builder()
            .default_headers(headers)
            // A key goes to the server that is named, and to no other.
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(settings.connect)
            .read_timeout(settings.silence)
            .user_agent(concat!("firstline/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| format!("cannot set up HTTPS: {e}"))?;
        let port = parsed.port().map_or(String::new(), |p| format!(":{p}"));
        Ok(Self {
            client,
            shape: settings.shape,
            structure: settings.structure,
            url: format!("{base}/{}", settings.shape.path()),
            name: format!("{}{port}", parsed.host_str().unwrap_or_default()),
            model: settings.model.to_owned(),
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn model(&self) -> &str {
        &self.model
    }

    /// Asks once. Pieces of the answer go to `out` as they come; a receiver that is gone ends it, and with it the request.
    ///
    /// # Errors
    /// One sentence about what went wrong. What came before it came all the same.
    pub async fn ask(&self, prompt: &Prompt, out: &mpsc::Sender<String>) -> Result<(), String> {
        let body = self.shape.body(&self.model, self.structure, prompt);
        let sending = self.client.post(&self.url).json(&body).send();
        let mut response = sending.await.map_err(|e| plain(&e))?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("it answered {status}"));
        }
        let mut events = Events::default();
        loop {
            let bytes = tokio::select! {
                () = out.closed() => return Ok(()),
                bytes = response.chunk() => bytes.map_err(|e| plain(&e))?,
            };
            let Some(bytes) = bytes else {
                return Err("its answer was cut short".into());
            };
            let came = events.push(&bytes).ok_or("its answer is no event stream")?;
            for event in came {
                match self.shape.read(&event) {
                    Piece::Nothing => {}
                    Piece::End => return Ok(()),
                    Piece::Fault(why) => return Err(why),
                    Piece::Text(text) => {
                        if out.send(text).await.is_err() {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }
}

/// TLS needs one provider for the whole program.
fn provider() {
    static PROVIDER: std::sync::Once = std::sync::Once::new();
    // Fails only where a provider is installed already, which is as good.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

/// The innermost cause without the address.
fn plain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
