//! The console, the API and the metrics. The only importer of `axum`.
//!
//! What is served comes through [`Line`], which the runtime implements: this folder knows sockets and JSON, and no calls.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

mod ask;
mod audio;
mod events;
mod guard;
mod listener;
mod page;
mod people;
mod voice;

pub use ask::{Article, Ask, Grade, Question, Search};
pub use events::{Hub, Watch};
pub use guard::{hex_digest, valid_id};
pub(in crate::edge) use listener::Held;
pub use people::{NewSession, Role, Who, secret};
pub use voice::Both;

/// Longest list of calls given at once.
const LIST_MAX: u32 = 1000;
/// Longest body of a request, bytes: an article.
const BODY_MAX: usize = 256 * 1024;

/// What the line tells and takes over HTTP. Implemented by the runtime.
pub trait Line: Send + Sync + 'static {
    /// New calls can be taken; else why not, in a word or two.
    fn ready(&self) -> Result<(), String>;
    /// `{"version","active","capacity","draining",...}`.
    fn status(&self) -> Value;
    /// Prometheus text.
    fn metrics(&self) -> String;
    /// Records of the calls in progress, newest first.
    fn live(&self) -> Vec<Value>;
    /// Calls in short, newest first; `since` is RFC 3339, checked here.
    fn calls(
        &self,
        limit: u32,
        since: Option<jiff::Timestamp>,
    ) -> BoxFuture<'_, Result<Value, ApiError>>;
    /// A call's record, finished or in progress.
    fn call<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Value, ApiError>>;
    /// Where a call's recording lies; none where there is none. `id` has passed [`valid_id`].
    fn audio(&self, id: &str) -> Option<PathBuf>;
    /// A call's recording that does not lie in the open: encrypted, or on another machine.
    fn recording<'a>(&'a self, _id: &'a str) -> BoxFuture<'a, Option<Vec<u8>>> {
        Box::pin(async { None })
    }
    /// Callbacks, oldest first; `open` only, or all.
    fn callbacks(&self, all: bool) -> BoxFuture<'_, Result<Value, ApiError>>;
    fn callback_done<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), ApiError>>;
    /// Take no new calls.
    fn drain(&self);
    /// What happens, as it happens.
    fn events(&self) -> &Hub;

    /// Somebody has a password.
    fn has_users(&self) -> BoxFuture<'_, bool> {
        Box::pin(async { false })
    }
    /// Whom a session or a token lets in; `digest` is its SHA-256, hexadecimal.
    fn who<'a>(&'a self, _digest: &'a str) -> BoxFuture<'a, Result<Option<Who>, ApiError>> {
        Box::pin(async { Ok(None) })
    }
    /// Begins `session` where name and password fit.
    fn log_in<'a>(
        &'a self,
        _name: &'a str,
        _password: &'a str,
        _session: &'a NewSession,
    ) -> BoxFuture<'a, Result<Option<Who>, ApiError>> {
        Box::pin(async { Ok(None) })
    }
    fn log_out<'a>(&'a self, _digest: &'a str) -> BoxFuture<'a, Result<(), ApiError>> {
        Box::pin(async { Ok(()) })
    }
    /// Answers a question, or carries out an order, that `who` may put.
    fn ask<'a>(&'a self, _who: &'a Who, _ask: Ask) -> BoxFuture<'a, Result<Value, ApiError>> {
        Box::pin(async { Err(ApiError::NotFound("not here".into())) })
    }
    /// Sends both sides of a call in progress until `to` is closed. False: there is no such call.
    fn listen_in(&self, _who: &Who, _id: &str, _to: tokio::sync::mpsc::Sender<Both>) -> bool {
        false
    }
    /// Has a colleague take a call in progress. False: there is no such call.
    fn take_over(&self, _who: &Who, _id: &str, _leg: Box<dyn super::Leg>) -> bool {
        false
    }
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiError {
    /// 404.
    NotFound(String),
    /// 400: the request is wrong.
    Bad(String),
    /// 401: nobody we know.
    Unauthorized(String),
    /// 403: known, and not allowed to.
    Forbidden(String),
    /// 409: it is too late, or somebody else was faster.
    Conflict(String),
    /// 429.
    TooMany(String),
    /// 503: try again later.
    Unavailable(String),
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, says) = match self {
            ApiError::NotFound(says) => (StatusCode::NOT_FOUND, says),
            ApiError::Bad(says) => (StatusCode::BAD_REQUEST, says),
            ApiError::Unauthorized(says) => (StatusCode::UNAUTHORIZED, says),
            ApiError::Forbidden(says) => (StatusCode::FORBIDDEN, says),
            ApiError::Conflict(says) => (StatusCode::CONFLICT, says),
            ApiError::TooMany(says) => (StatusCode::TOO_MANY_REQUESTS, says),
            ApiError::Unavailable(says) => (StatusCode::SERVICE_UNAVAILABLE, says),
        };
        (status, axum::Json(json!({ "error": says }))).into_response()
    }
}

/// A running listener.
#[derive(Debug)]
pub struct HttpEdge {
    addr: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl HttpEdge {
    /// Binds `listen` and serves `line`. With a `token`, everything but `/healthz`, `/readyz` and the console's own files asks for it;
    /// without one, only requests that name this computer as their host are answered (a page elsewhere cannot reach in by DNS).
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub async fn start(
        listen: SocketAddr,
        token: Option<&str>,
        line: Arc<dyn Line>,
    ) -> std::io::Result<HttpEdge> {
        let listener = listener::Bounded::bind(listen).await?;
        let addr = listener.addr()?;
        let stop = CancellationToken::new();
        let state = Shared {
            line,
            stop: stop.clone(),
        };
        let guard = guard::Guard::new(token, state.line.clone());
        let app = router(state, guard);
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let serving =
                axum::serve(listener, app).with_graceful_shutdown(stopped.cancelled_owned());
            if let Err(error) = serving.await {
                tracing::error!(%error, "the HTTP listener ended");
            }
        });
        Ok(HttpEdge { addr, stop, task })
    }

    /// Where it listens; tells the port where 0 was asked for.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Takes no more requests, ends event streams, and waits up to two seconds for the rest.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let wait = std::time::Duration::from_secs(2);
        if tokio::time::timeout(wait, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

#[derive(Clone)]
struct Shared {
    line: Arc<dyn Line>,
    stop: CancellationToken,
}

fn router(state: Shared, guard: guard::Guard) -> Router {
    let guarded = Router::new()
        .route("/metrics", get(metrics))
        .route("/api/status", get(status))
        .route("/api/calls", get(calls))
        .route("/api/calls/{id}", get(call))
        .route("/api/calls/{id}/audio", get(audio))
        .route("/api/events", get(events::stream))
        .route("/api/callbacks", get(callbacks))
        .route("/api/callbacks/{id}/done", post(callback_done))
        .route("/api/drain", post(drain))
        .route("/api/me", get(people::me))
        .route("/api/logout", post(people::log_out))
        .route("/api/calls/{id}/listen", get(voice::listen))
        .route("/api/calls/{id}/talk", get(voice::talk))
        .merge(ask::routes())
        .layer(middleware::from_fn_with_state(guard.clone(), guard::let_in));
    Router::new()
        .route(
            "/",
            get(|| async { axum::response::Redirect::to("/console") }),
        )
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route(
            "/api/login",
            post(people::log_in).layer(axum::Extension(Arc::new(people::Tries::default()))),
        )
        .merge(page::routes())
        .merge(guarded)
        .fallback(|| async {
            ApiError::NotFound("there is nothing here; the console is at /console".into())
        })
        .layer(axum::extract::DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(
            guard,
            guard::host_and_headers,
        ))
        .with_state(state)
}

async fn ready(State(s): State<Shared>) -> Response {
    match s.line.ready() {
        Ok(()) => "ready\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn metrics(State(s): State<Shared>) -> impl IntoResponse {
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        s.line.metrics(),
    )
}

async fn status(State(s): State<Shared>) -> axum::Json<Value> {
    axum::Json(s.line.status())
}

#[derive(serde::Deserialize)]
struct ListQuery {
    limit: Option<u32>,
    since: Option<String>,
}

async fn calls(
    State(s): State<Shared>,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<axum::Json<Value>, ApiError> {
    let Query(query) = query.map_err(|_| {
        ApiError::Bad("limit is a whole number, since a time like 2026-11-23T10:00:00Z".into())
    })?;
    let since = query
        .since
        .map(|text| {
            text.parse()
                .map_err(|_| ApiError::Bad("since is a time like 2026-11-23T10:00:00Z".into()))
        })
        .transpose()?;
    let limit = query.limit.unwrap_or(100).min(LIST_MAX);
    Ok(axum::Json(s.line.calls(limit, since).await?))
}

async fn call(
    State(s): State<Shared>,
    Path(id): Path<String>,
) -> Result<axum::Json<Value>, ApiError> {
    checked(&id)?;
    Ok(axum::Json(s.line.call(&id).await?))
}

async fn audio(
    State(s): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    checked(&id)?;
    let none = || ApiError::NotFound(format!("call {id} has no recording"));
    let range = headers.get(header::RANGE).and_then(|r| r.to_str().ok());
    if let Some(path) = s.line.audio(&id)
        && let Some(response) = audio::serve(&path, range).await
    {
        return Ok(response);
    }
    let bytes = s.line.recording(&id).await.ok_or_else(none)?;
    Ok(audio::of_bytes(bytes, range))
}

#[derive(serde::Deserialize)]
struct CallbacksQuery {
    status: Option<String>,
}

async fn callbacks(
    State(s): State<Shared>,
    Query(query): Query<CallbacksQuery>,
) -> Result<axum::Json<Value>, ApiError> {
    let all = match query.status.as_deref() {
        None | Some("open") => false,
        Some("all") => true,
        Some(_) => return Err(ApiError::Bad("status is open or all".into())),
    };
    Ok(axum::Json(s.line.callbacks(all).await?))
}

async fn callback_done(
    State(s): State<Shared>,
    Path(id): Path<String>,
) -> Result<axum::Json<Value>, ApiError> {
    checked(&id)?;
    s.line.callback_done(&id).await?;
    Ok(axum::Json(json!({ "id": id, "status": "done" })))
}

async fn drain(
    State(s): State<Shared>,
    axum::Extension(who): axum::Extension<Who>,
) -> Result<axum::Json<Value>, ApiError> {
    ask::allowed(&who, Role::Admin)?;
    s.line.drain();
    Ok(axum::Json(s.line.status()))
}

fn checked(id: &str) -> Result<(), ApiError> {
    if valid_id(id) {
        Ok(())
    } else {
        Err(ApiError::NotFound("no such id".into()))
    }
}

#[cfg(test)]
mod tests;
