//! The two webhooks and the door to the media stream: nothing else is answered on this listener.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State, WebSocketUpgrade};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::media::{self, MESSAGE_MAX};
use super::tickets::{Caller, Refused};
use super::together::Awaited;
use super::twiml::{self, After};
use super::{Shared, number};

/// A webhook's form, which Twilio keeps below a few kilobytes.
const FORM_MAX: usize = 64 * 1024;
/// For the form to come in.
const FORM_TIME: Duration = Duration::from_secs(5);
/// Streams opened for one call that broke; after them the caller is sent on.
const AGAIN_MOST: u32 = 3;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/twilio/voice", post(voice))
        .route("/twilio/status", post(status))
        .route("/twilio/media", get(stream))
        .fallback(|| async { (StatusCode::NOT_FOUND, "there is nothing here\n") })
        .layer(axum::middleware::map_response(close))
        .with_state(shared)
}

/// A connection is for one webhook: a proxy that kept it would sooner or later send the next just as it is closed here.
async fn close(mut response: Response) -> Response {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let close = header::HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// A webhook that is genuine.
struct Signed {
    /// By which Twilio knows this listener.
    base: String,
    query: Vec<(String, String)>,
    params: Vec<(String, String)>,
}

impl Signed {
    async fn read(shared: &Shared, request: Request<Body>) -> Result<Self, Response> {
        let (head, body) = request.into_parts();
        let read = tokio::time::timeout(FORM_TIME, axum::body::to_bytes(body, FORM_MAX)).await;
        let body = match read {
            Ok(Ok(body)) => body,
            Ok(Err(_)) => {
                let says = "the form is longer than any webhook's\n";
                return Err((StatusCode::PAYLOAD_TOO_LARGE, says).into_response());
            }
            Err(_) => {
                let says = "the form did not come in time\n";
                return Err((StatusCode::REQUEST_TIMEOUT, says).into_response());
            }
        };
        let form = |bytes: &[u8]| -> Vec<(String, String)> {
            url::form_urlencoded::parse(bytes).into_owned().collect()
        };
        let params = form(&body);
        let path = head.uri.path_and_query().map_or("/", |p| p.as_str());
        let Some(base) = shared
            .checker
            .check(&head.headers, path, &params, &body, now())
        else {
            shared.refusals.say(|| {
                format!("a request to {} was refused: its signature does not match. If it was {}'s, check the auth token and twilio.public_url", head.uri.path(), shared.config.names.provider)
            });
            let says = "the signature does not match\n";
            return Err((StatusCode::FORBIDDEN, says).into_response());
        };
        let query = form(head.uri.query().unwrap_or_default().as_bytes());
        Ok(Self {
            base,
            query,
            params,
        })
    }

    fn param(&self, name: &str) -> Option<&str> {
        find(&self.params, name)
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = pairs.iter().find(|(n, _)| n == name);
    found.map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
}

fn xml(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], text).into_response()
}

fn is_final(status: &str) -> bool {
    matches!(
        status,
        "completed" | "busy" | "failed" | "no-answer" | "canceled" | "cancel" | "timeout"
    )
}

/// A call comes in, or is asked about again.
async fn voice(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    let signed = match Signed::read(&shared, request).await {
        Ok(signed) => signed,
        Err(refused) => return refused,
    };
    let names = shared.config.names;
    let Some(sid) = signed.param(names.call).filter(|sid| is_sid(sid)) else {
        let says = format!("there is no {}\n", names.call);
        return (StatusCode::BAD_REQUEST, says).into_response();
    };
    if signed.param("CallStatus").is_some_and(is_final) {
        shared.tickets.gone(sid);
        shared.over(sid, false).await;
        return xml(twiml::only(names, &After::Hangup));
    }
    shared.learnt(&signed.base);
    let again: u32 = find(&signed.query, "again")
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    if again > AGAIN_MOST {
        return xml(twiml::say(
            names,
            &shared.config.words.broken,
            &shared.send_on(),
        ));
    }
    // Attestation that says the number is a lie (SHAKEN) takes away what the signature gives.
    let lie = signed
        .param("StirVerstat")
        .is_some_and(|s| s.starts_with("TN-Validation-Failed"));
    let from = signed.param("From").and_then(number);
    let vouched = !lie && from.as_ref().is_some_and(|f| f.starts_with('+'));
    let to = signed.param("To").map(str::to_owned);
    let awaited = Awaited {
        call_sid: sid.to_owned(),
        from: from.clone(),
        to: to.clone(),
        vouched,
    };
    // Asked what follows a stream, or asked again about one that brings nothing: it is over, though its socket may not say so yet.
    let dead = shared.tickets.dead(sid);
    let lost = again > 0 || dead;
    let before = if dead { u32::MAX } else { again };
    if let Some(link) = shared.tickets.give_up(sid, before) {
        tracing::warn!(call = %sid, "a media stream was lost; another is let in");
        link.give_up();
    }
    let token = match shared.elsewhere(sid, lost).await {
        Some(refused) => Err(refused),
        None => shared.tickets.caller(
            sid,
            again,
            || (shared.config.admit)(),
            |permit| Caller {
                from,
                to,
                vouched,
                permit,
            },
        ),
    };
    match token {
        Ok(token) => {
            shared.tell(&token, awaited).await;
            // Where calls cannot be ended over the API, the end of the stream is all that the provider sees: it asks what comes next.
            let after = match &shared.config.fallback {
                Some(dial) if names.rest => After::Dial(dial.clone()),
                _ => After::Ask(format!("{}/twilio/voice?again={}", signed.base, again + 1)),
            };
            let streams = shared.config.node_url.as_deref();
            xml(twiml::connect(
                names,
                &super::media_url(streams.unwrap_or(&signed.base)),
                &token,
                &after,
            ))
        }
        Err(Refused::Full(_)) => xml(twiml::say(
            names,
            &shared.config.words.full,
            &shared.send_on(),
        )),
        Err(Refused::Finished) => xml(twiml::only(names, &After::Hangup)),
        Err(Refused::Streaming) => {
            (StatusCode::CONFLICT, "this call has its stream\n").into_response()
        }
    }
}

/// How a call stands: a human's that we asked for (`?leg=`), or a caller's whose stream may never have come.
async fn status(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    let signed = match Signed::read(&shared, request).await {
        Ok(signed) => signed,
        Err(refused) => return refused,
    };
    let status = signed.param("CallStatus").unwrap_or_default();
    match find(&signed.query, "leg") {
        Some(leg) => shared.dials.status(leg, status),
        None if is_final(status) => {
            if let Some(sid) = signed.param(shared.config.names.call) {
                shared.tickets.gone(sid);
                shared.over(sid, false).await;
            }
        }
        None => {}
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn stream(State(shared): State<Arc<Shared>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .max_message_size(MESSAGE_MAX)
        .max_frame_size(MESSAGE_MAX)
        .read_buffer_size(8 * 1024)
        // Every message goes out by itself: sound does not wait for more of it.
        .write_buffer_size(0)
        .max_write_buffer_size(4 * MESSAGE_MAX)
        .on_upgrade(move |socket| async move {
            tokio::select! {
                () = media::serve(socket, shared.clone()) => {}
                () = shared.stop.cancelled() => {}
            }
        })
}

/// Ids are `CA` and 32 hexadecimal digits; what may stand in one is held to, not its length.
fn is_sid(sid: &str) -> bool {
    (1..=128).contains(&sid.len())
        && sid
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b':'))
}
