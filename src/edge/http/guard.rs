//! Who is let in, and the headers every answer carries.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Nothing but this listener's own files runs, is framed, or is sent anywhere: a script that a caller managed to speak into a
/// transcript stays text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; media-src 'self' blob:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Clone)]
pub(super) struct Guard {
    /// SHA-256 of the token; none where there is no token.
    token: Option<Arc<[u8; 32]>>,
}

impl Guard {
    pub fn new(token: Option<&str>) -> Self {
        Guard {
            token: token.map(|t| Arc::new(digest(t))),
        }
    }
}

/// The bearer token, compared in constant time.
pub(super) async fn token(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let Some(wanted) = &guard.token else {
        return next.run(request).await;
    };
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| digest(token.trim()));
    // Digests have one length and every byte is looked at, so the time says nothing about the token.
    let differs = given.map_or(1, |given| {
        given
            .iter()
            .zip(wanted.iter())
            .fold(0, |d, (a, b)| d | (a ^ b))
    });
    if differs == 0 {
        return next.run(request).await;
    }
    let says =
        json!({ "error": "send the token of http.token_env as `Authorization: Bearer ...`" });
    (
        StatusCode::UNAUTHORIZED,
        [(header::WWW_AUTHENTICATE, "Bearer")],
        axum::Json(says),
    )
        .into_response()
}

/// Refuses what a web page elsewhere could make a browser send, and sets the headers that keep our own page to itself.
pub(super) async fn host_and_headers(
    State(guard): State<Guard>,
    request: Request,
    next: Next,
) -> Response {
    // With a token neither check is needed: a page elsewhere does not have it.
    let open = guard.token.is_none();
    let changes = request.method() != Method::GET && request.method() != Method::HEAD;
    let refused = if open && !names_this_computer(request.headers()) {
        Some(
            "without a token the line answers only to localhost; set the variable of http.token_env to reach it by another name",
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

fn from_elsewhere(headers: &HeaderMap) -> bool {
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
