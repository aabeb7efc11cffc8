//! Who asks, what they may do, and the way in and out: a session by cookie for people, a bearer token for programs.
//!
//! A request with a cookie that changes something also carries the session's CSRF secret in a header, which no page elsewhere can know;
//! a WebSocket must come from our own page. Of a secret only its SHA-256 leaves this file.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tokio::sync::Semaphore;

use super::{ApiError, Shared};

pub(super) const COOKIE: &str = "firstline_session";
pub(super) const CSRF: &str = "x-csrf-token";
/// A working day, and some.
const SESSION: Duration = Duration::from_secs(12 * 3600);
/// Wrong passwords for one name before it has to wait.
const FREE_TRIES: u32 = 5;
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Names whose failures are remembered.
const NAMES: usize = 1024;
/// Passwords checked at once: each takes 19 MiB and a core for some ten milliseconds.
const CHECKS: usize = 2;

/// What somebody may do; each includes the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Follows calls, listens in, takes over, keeps callbacks.
    Agent,
    /// Judges replies and calls, writes articles.
    Reviewer,
    /// Says how far an intent is trusted, who may log in, when the line closes.
    Admin,
}

impl Role {
    pub fn read(word: &str) -> Option<Role> {
        match word {
            "agent" => Some(Role::Agent),
            "reviewer" => Some(Role::Reviewer),
            "admin" => Some(Role::Admin),
            _ => None,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Role::Agent => "agent",
            Role::Reviewer => "reviewer",
            Role::Admin => "admin",
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    pub name: String,
    pub role: Role,
    /// What their requests that change something carry; none for programs, which have no cookie to be misused.
    pub csrf: Option<String>,
}

impl Who {
    /// Whoever sits at this computer, while nobody was given a password and no token is set.
    pub(super) fn here() -> Who {
        Who {
            name: "this computer".into(),
            role: Role::Admin,
            csrf: None,
        }
    }

    /// Whoever has the token of the configuration.
    pub(super) fn token() -> Who {
        Who {
            name: "token".into(),
            role: Role::Admin,
            csrf: None,
        }
    }
}

/// A session about to begin.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// SHA-256 of the cookie, hexadecimal.
    pub digest: String,
    pub csrf: String,
    pub lasts: Duration,
}

/// Failed tries, by name.
#[derive(Debug)]
pub(super) struct Tries {
    failed: Mutex<HashMap<String, (u32, Instant)>>,
    checks: Semaphore,
}

impl Default for Tries {
    fn default() -> Self {
        Self {
            failed: Mutex::default(),
            checks: Semaphore::new(CHECKS),
        }
    }
}

impl Tries {
    /// How long this name has to wait still.
    fn wait(&self, name: &str, now: Instant) -> Option<Duration> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, until) = failed.get(name)?;
        until.checked_duration_since(now).filter(|d| !d.is_zero())
    }

    fn failed(&self, name: &str, now: Instant) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= NAMES && !failed.contains_key(name) {
            failed.retain(|_, (_, until)| *until + LONGEST_WAIT > now);
            if failed.len() >= NAMES {
                failed.clear();
            }
        }
        let (count, until) = failed.entry(name.to_owned()).or_insert((0, now));
        *count += 1;
        if *count >= FREE_TRIES {
            let wait = Duration::from_secs(1 << (*count - FREE_TRIES).min(6));
            *until = now + wait.min(LONGEST_WAIT);
        }
    }

    fn succeeded(&self, name: &str) {
        self.failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
    }
}

#[derive(serde::Deserialize)]
pub(super) struct Given {
    name: String,
    password: String,
}

/// `POST /api/login`.
pub(super) async fn log_in(
    State(s): State<Shared>,
    Extension(tries): Extension<Arc<Tries>>,
    headers: HeaderMap,
    given: Result<Json<Given>, axum::extract::rejection::JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(given) =
        given.map_err(|_| ApiError::Bad("send {\"name\",\"password\"} as JSON".into()))?;
    // Where a page elsewhere logs somebody in as somebody else.
    if super::guard::from_elsewhere(&headers) {
        return Err(ApiError::Forbidden(
            "a page of another site may not do this".into(),
        ));
    }
    let name = given.name.trim().to_lowercase();
    if name.is_empty() || name.len() > 64 || given.password.len() > 1024 {
        return Err(ApiError::Bad("that is no name and password".into()));
    }
    let wait = |left: Duration| {
        ApiError::TooMany(format!(
            "too many wrong passwords for this name; try again in {} s",
            left.as_secs() + 1
        ))
    };
    if let Some(left) = tries.wait(&name, Instant::now()) {
        return Err(wait(left));
    }
    let (secret, csrf) = (secret(), self::secret());
    let session = NewSession {
        digest: super::guard::hex_digest(&secret),
        csrf,
        lasts: SESSION,
    };
    let place = tries.checks.acquire().await;
    let who = s.line.log_in(&name, &given.password, &session).await?;
    drop(place);
    let Some(who) = who else {
        tries.failed(&name, Instant::now());
        return Err(ApiError::Unauthorized(
            "that name and password do not fit together".into(),
        ));
    };
    tries.succeeded(&name);
    let secure = if over_tls(&headers) { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}",
        SESSION.as_secs()
    );
    Ok(with_cookie(Json(about(&who)).into_response(), &cookie))
}

/// `POST /api/logout`.
pub(super) async fn log_out(
    State(s): State<Shared>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if let Some(secret) = cookie(&headers) {
        s.line.log_out(&super::guard::hex_digest(secret)).await?;
    }
    let gone = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    Ok(with_cookie(StatusCode::NO_CONTENT.into_response(), &gone))
}

/// `GET /api/me`.
pub(super) async fn me(Extension(who): Extension<Who>) -> Json<serde_json::Value> {
    Json(about(&who))
}

fn about(who: &Who) -> serde_json::Value {
    json!({ "name": who.name, "role": who.role.word(), "csrf": who.csrf })
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// 256 random bits, for a cookie.
pub fn secret() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// The session's cookie, where one was sent.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty() && value.len() <= 128)
}

/// The web server in front says that the browser's side is encrypted.
fn over_tls(headers: &HeaderMap) -> bool {
    headers
        .get("x-forwarded-proto")
        .is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_passwords_cost_time_and_a_right_one_forgets_them() {
        let tries = Tries::default();
        let now = Instant::now();
        for _ in 0..FREE_TRIES - 1 {
            tries.failed("a", now);
        }
        assert_eq!(tries.wait("a", now), None);
        tries.failed("a", now);
        assert_eq!(tries.wait("a", now), Some(Duration::from_secs(1)));
        for _ in 0..20 {
            tries.failed("a", now);
        }
        assert_eq!(tries.wait("a", now), Some(LONGEST_WAIT));
        assert_eq!(tries.wait("b", now), None);
        tries.succeeded("a");
        assert_eq!(tries.wait("a", now), None);
        for n in 0..3 * NAMES {
            tries.failed(&n.to_string(), now);
        }
        assert!(tries.failed.lock().unwrap().len() <= NAMES);
    }

    #[test]
    fn roles_include_the_ones_before() {
        assert!(Role::Admin > Role::Reviewer && Role::Reviewer > Role::Agent);
        for role in [Role::Agent, Role::Reviewer, Role::Admin] {
            assert_eq!(Role::read(role.word()), Some(role));
        }
        assert_eq!(Role::read("root"), None);
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let with = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_str(text).unwrap());
            headers
        };
        assert_eq!(
            cookie(&with("a=b; firstline_session=xyz; c=d")),
            Some("xyz")
        );
        assert_eq!(cookie(&with("xfirstline_session=xyz")), None);
        assert_eq!(cookie(&with("firstline_session=")), None);
        assert_eq!(
            cookie(&with(&format!("firstline_session={}", "a".repeat(200)))),
            None
        );
    }
}
