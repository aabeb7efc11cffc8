//! Speaking and hearing by services over HTTP, as configured. The only file of this layer that knows of `reqwest`; the vendors'
//! shapes are in [`speak`] and [`hear`].
//!
//! Engines block, so each worker carries a small runtime of its own. Everything has a deadline: a caller waits for the answer.

pub mod hear;
pub mod speak;

use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder, Response, redirect};
use url::Url;

use super::SpeechError;

/// No answer that is not sound is read beyond this.
const MOST_TEXT: usize = 1 << 20;

/// A service, as configured. The key is shown to its own host only.
#[derive(Clone)]
pub struct Service {
    /// Who is asked, for messages: "elevenlabs".
    pub name: &'static str,
    /// What every path is below, without the last slash.
    pub base: Url,
    pub key: Option<String>,
    pub model: String,
    /// How long the first sound, or the whole transcript, may take; and how long a stream may pause.
    pub patience: Duration,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the key.
        write!(f, "{} {} at {}", self.name, self.model, self.base)
    }
}

impl Service {
    /// The base address with `path` after it.
    fn at(&self, path: &[&str]) -> Result<Url, SpeechError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| {
                SpeechError::Model(format!("{}'s base_url is no web address", self.name))
            })?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    fn says(&self, what: impl std::fmt::Display) -> SpeechError {
        SpeechError::Engine(format!("{} {what}", self.name))
    }
}

/// One worker's way to a service: a connection that is kept, and a runtime to wait on.
struct Way {
    service: Service,
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Way {
    fn new(service: Service) -> Result<Self, SpeechError> {
        // Another part of the program may have chosen the same provider already; then this changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let cannot = |e: String| SpeechError::Engine(format!("no connection can be made: {e}"));
        let client = Client::builder()
            .connect_timeout(service.patience)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("firstline/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| cannot(plain(&e)))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| cannot(e.to_string()))?;
        Ok(Self {
            service,
            client,
            runtime,
        })
    }

    /// Sends, and hands the answer's body on in pieces as they come. `take` gets each; false ends the exchange.
    fn stream(
        &self,
        request: RequestBuilder,
        take: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), SpeechError> {
        let service = &self.service;
        let begun = Instant::now();
        self.runtime.block_on(async {
            let mut answer = self.answer(request).await?;
            let mut left = service.patience.saturating_sub(begun.elapsed());
            loop {
                match tokio::time::timeout(left, answer.chunk()).await {
                    Ok(Ok(Some(piece))) => {
                        if !take(&piece) {
                            return Ok(());
                        }
                    }
                    Ok(Ok(None)) => return Ok(()),
                    Ok(Err(e)) => {
                        return Err(service.says(format_args!("broke off: {}", plain(&e))));
                    }
                    Err(_) => {
                        return Err(service.says("kept the caller waiting and was given up"));
                    }
                }
                left = service.patience;
            }
        })
    }

    /// Sends, and reads the whole answer.
    fn whole(&self, request: RequestBuilder) -> Result<Vec<u8>, SpeechError> {
        let mut body = Vec::new();
        let limit = Instant::now() + self.service.patience;
        let mut late = false;
        self.stream(request, &mut |piece| {
            body.extend_from_slice(piece);
            late = Instant::now() >= limit;
            !late && body.len() <= MOST_TEXT
        })?;
        if late {
            return Err(self
                .service
                .says("kept the caller waiting and was given up"));
        }
        if body.len() > MOST_TEXT {
            return Err(self.service.says("sent more than an answer can hold"));
        }
        Ok(body)
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Response, SpeechError> {
        let service = &self.service;
        let sent = tokio::time::timeout(service.patience, request.send()).await;
        let mut answer = match sent {
            Err(_) => return Err(service.says("gave no answer in time")),
            Ok(Err(e)) => {
                return Err(service.says(format_args!("cannot be reached: {}", plain(&e))));
            }
            Ok(Ok(answer)) => answer,
        };
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let mut body = Vec::new();
        while body.len() < 4096 {
            match tokio::time::timeout(service.patience, answer.chunk()).await {
                Ok(Ok(Some(piece))) => body.extend_from_slice(&piece),
                _ => break,
            }
        }
        let why = complaint(&body).map_or_else(String::new, |w| format!(": {w}"));
        // What the configuration got wrong stays wrong; what the service is short of may come back.
        Err(match status.as_u16() {
            401 | 403 => SpeechError::Model(format!(
                "{} refused the key ({status}{why}); check the variable that api_key_env names",
                service.name
            )),
            400 | 404 | 405 | 422 => SpeechError::Model(format!(
                "{} did not take the request ({status}{why}); check base_url, model and voice",
                service.name
            )),
            429 => service.says(format_args!("wants fewer requests ({status}{why})")),
            _ => service.says(format_args!("answered {status}{why}")),
        })
    }
}

/// What a service says is wrong, out of the shapes in use: `{"error":{"message"}}` and `{"error":"..."}` (OpenAI and those like it),
/// `{"detail":{"message"}}` (ElevenLabs), `{"err_msg"}` (Deepgram), `{"message"}` or plain text (Cartesia). One line, cut short.
fn complaint(body: &[u8]) -> Option<String> {
    let text = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(v) => [
            &v["error"]["message"],
            &v["error"],
            &v["detail"]["message"],
            &v["detail"],
            &v["err_msg"],
            &v["message"],
        ]
        .into_iter()
        .find_map(|v| v.as_str().map(str::to_owned))?,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).take(160).collect();
    (!line.is_empty() && !line.starts_with('<')).then_some(line)
}

/// The innermost cause: reqwest's own text repeats the address, which may hold a key, and hides the reason.
fn plain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if std::ptr::addr_eq(cause, error) {
        return "the request failed".into();
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
