//! What actions act on: the desk's HTTP API and its MCP servers. Knows nothing of calls; a failure is an
//! [`Outcome`], never an error to be handled twice. `runtime::actions` puts the ledger before it.
#![allow(
    clippy::disallowed_methods,
    reason = "requests have deadlines, and the tests run a server beside them"
)]

mod http;
mod mcp;

use std::time::Duration;

pub use http::{HttpBackoffice, Post, PostError, poster};
pub use mcp::Servers;

use crate::desk::{BackofficeConfig, Outcome, Request};

/// Everything a desk's actions act on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Backoffice {
    http: Option<HttpBackoffice>,
    mcp: Servers,
    timeout: Duration,
    dry_run: bool,
}

impl Backoffice {
    /// By configuration. `secret` gives the value of an environment variable; none: it is not set, and the sentence says so.
    /// `timeout`: for one request, from start to the last byte of its answer.
    ///
    /// # Errors
    /// One sentence about an address or a variable.
    pub fn new(
        config: &BackofficeConfig,
        secret: &dyn Fn(&str) -> Option<String>,
        timeout: Duration,
    ) -> Result<Self, String> {
        let token = |name: &Option<String>| match name {
            None => Ok(None),
            Some(name) => secret(name).map(Some).ok_or_else(|| {
                format!("the desk's back office needs the environment variable {name}; set it")
            }),
        };
        let http = match config.url.as_str() {
            "" => None,
            url => {
                let auth = token(&config.auth_env)?.map(|token| format!("Bearer {token}"));
                Some(HttpBackoffice::new(url, auth, timeout)?)
            }
        };
        Ok(Self {
            http,
            mcp: Servers::new(&config.mcp, &token, secret)?,
            timeout,
            dry_run: config.dry_run,
        })
    }

    /// The same, with writes decided and not sent where `dry_run` says so.
    #[must_use]
    pub fn dry(mut self, dry_run: bool) -> Self {
        self.dry_run |= dry_run;
        self
    }

    pub fn is_dry(&self) -> bool {
        self.dry_run
    }

    /// Longest time one request may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends one request once. See [`Outcome`] for what each answer means.
    pub async fn perform(&self, request: &Request) -> Outcome {
        if self.dry_run && request.is_write() {
            return Outcome::DryRun;
        }
        match (&request.tool, &self.http) {
            (Some(tool), _) => self.mcp.call(tool, request, self.timeout).await,
            (None, Some(http)) => http.perform(request).await,
            (None, None) => {
                Outcome::Failed("this desk has no [backoffice] url; nothing was sent".into())
            }
        }
    }

    /// Whether everything that is configured answers: one sentence for each, good or bad.
    pub async fn reachable(&self) -> Vec<Result<String, String>> {
        let mut told = Vec::new();
        if let Some(http) = &self.http {
            told.push(
                http.reachable()
                    .await
                    .map(|()| format!("{} answers", http.address_text())),
            );
        }
        told.extend(self.mcp.reachable(self.timeout).await);
        told
    }
}

impl From<HttpBackoffice> for Backoffice {
    fn from(http: HttpBackoffice) -> Self {
        Self {
            timeout: http.timeout(),
            http: Some(http),
            mcp: Servers::default(),
            dry_run: false,
        }
    }
}

#[cfg(test)]
mod tests;
