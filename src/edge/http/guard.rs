//! Who is let in, and the headers every answer carries.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::people::{self, Who};
use super::{ApiError, Line};

/// Nothing but this listener's own files runs, is framed, or is sent anywhere: a script that a caller managed to speak into a
/// transcript stays text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; media-src 'self' blob:; font-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Clone)]
pub(super) struct Guard {
    /// SHA-256 of the token; none where there is no token.
    token: Option<Arc<[u8; 32]>>,
    line: Arc<dyn Line>,
}

impl Guard {
    pub fn new(token: Option<&str>, line: Arc<dyn Line>) -> Self {
        Guard {
            token: token.map(|t| Arc::new(digest(t))),
            line,
        }
    }

    /// Nobody has a password and no token is set: whoever is at this computer may do everything.
    async fn open(&self) -> bool {
        self.token.is_none() && !self.line.has_users().await
    }
}

/// Finds out who asks: by bearer token, by session, or by being at this computer. Nobody else gets past here.
pub(super) async fn let_in(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Response {
    let (method, headers) = (request.method().clone(), request.headers().clone());
    match who(&guard, &method, &headers).await {
        Ok(Some(who)) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        Ok(None) => {
            let says = json!({ "error": "log in at /console, or send a token as `Authorization: Bearer ...`" });
            (
                StatusCode::UNAUTHORIZED,
                [(header::WWW_AUTHENTICATE, "Bearer")],
                axum::Json(says),
            )
                .into_response()
        }
        Err(error) => error.into_response(),
    }
}

async fn who(guard: &Guard, method: &Method, headers: &HeaderMap) -> Result<Option<Who>, ApiError> {
    if let Some(given) = headers.get(header::AUTHORIZATION) {
        let Some(token) = given
            .to_str()
            .ok()
            .and_then(|v| v.split_once(' '))
            .filter(|(scheme, token)| {
                scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()
            })
            .map(|(_, token)| token.trim())
        else {
            return Ok(guard.open().await.then(Who::here));
        };
        if let Some(wanted) = &guard.token
            && same(&digest(token), wanted.as_slice())
        {
            return Ok(Some(Who::token()));
        }
        let known = guard.line.who(&hex_digest(token)).await?;
        // A session's cookie is no token.
        if let Some(who) = known.filter(|who| who.csrf.is_none()) {
            return Ok(Some(who));
        }
        return Ok(guard.open().await.then(Who::here));
    }
    if let Some(cookie) = people::cookie(headers)
        && let Some(who) = guard.line.who(&hex_digest(cookie)).await?
    {
        // A token in a cookie is none: only a session knows its CSRF secret.
        let Some(csrf) = &who.csrf else {
            return Ok(None);
        };
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let socket = headers.contains_key(header::UPGRADE);
        let told = headers
            .get(people::CSRF)
            .is_some_and(|given| same(given.as_bytes(), csrf.as_bytes()));
        if (!reads && !told) || ((!reads || socket) && from_elsewhere(headers)) {
            return Err(ApiError::Forbidden(
                "this did not come from the console's own page; reload it".into(),
            ));
        }
        return Ok(Some(who));
    }
    Ok(guard.open().await.then(Who::here))
}

/// Every byte is looked at, so that the time says nothing about them.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |d, (a, b)| d | (a ^ b)) == 0
}

/// Refuses what a web page elsewhere could make a browser send, and sets the headers that keep our own page to itself.
pub(super) async fn host_and_headers(
    State(guard): State<Guard>,
    request: Request,
    next: Next,
) -> Response {
    // Where something secret is asked for neither check is needed: a page elsewhere does not have it.
    let open = guard.open().await;
    let changes = (request.method() != Method::GET && request.method() != Method::HEAD)
        || request.headers().contains_key(header::UPGRADE);
    let refused = if open && !names_this_computer(request.headers()) {
        Some(
            "until somebody has a password (`firstline user add`) or a token is set (http.token_env), the line answers only to localhost",
        )
    } else if open && changes && from_elsewhere(request.headers()) {
        Some("a page of another site may not do this")
    } else {
        None
    };
    let mut response = match refused {
        Some(why) => (StatusCode::FORBIDDEN, axum::Json(json!({ "error": why }))).into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The `Host` header is a loopback address or `localhost`: a name that somebody pointed at 127.0.0.1 is not.
fn names_this_computer(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|h| h.to_str().ok())
        .unwrap_or("");
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

pub(super) fn from_elsewhere(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|h| h.to_str().ok())
        .unwrap_or("");
    match headers
        .get(header::ORIGIN)
        .map(|o| o.to_str().unwrap_or(""))
    {
        // Programs send no origin.
        None => false,
        Some(origin) => origin
            .split_once("://")
            .is_none_or(|(_, from)| from != host),
    }
}

/// Call and callback ids as they may stand in an address: letters, digits, `-`, `_` and inner dots, so that none is a path.
pub fn valid_id(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && !id.starts_with('.')
        && !id.contains("..")
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// SHA-256, hexadecimal: what is kept of a secret.
pub fn hex_digest(secret: &str) -> String {
    digest(secret).iter().map(|b| format!("{b:02x}")).collect()
}
