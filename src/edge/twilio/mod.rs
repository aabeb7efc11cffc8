//! Calls over Twilio media streams, in and out, each as one [`Leg`].
//!
//! ```text
//! web        the webhooks, and the door to the stream
//! signature  whether a request is Twilio's
//! tickets    streams that are awaited: one token, one stream, one minute
//! together   the same over several machines
//! twiml      what is answered
//! media      one WebSocket: messages in and out
//! link       what a leg and its socket share, bounded on both sides
//! inflow     what comes in, made even; ledger: what of what went out was heard
//! leg        what the call's task holds
//! dial, api  humans called by REST
//! room       caller and human put together in a conference, by configuration
//! peer       the other side: a caller that does as Twilio does, for tests
//! ```
//!
//! This is the one listener meant for the internet. Nothing is done for a request that is not signed, and no stream is let in
//! without a token that only a signed request was given; a place on the line is taken before that token is made.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::http::Held;
use super::sip::Admit;
use super::{Leg, LegInfo};
use crate::wire::providers::Names;
use crate::wire::twilio::Start;

mod api;
mod dial;
mod inflow;
mod ledger;
mod leg;
mod link;
mod media;
pub mod peer;
mod room;
mod signature;
mod tickets;
mod together;
mod twiml;
mod web;

pub use signature::{sign, sign_plivo};
pub use together::{Awaited, Standing, Together};
pub use twiml::{After, Dial};

use leg::TwilioLeg;
use link::Link;
use tickets::{Caller, Tickets};

/// For a request's head to come in; also for an idle connection.
const HEAD: Duration = Duration::from_secs(15);
/// What the kernel may hold for a socket that does not take it: seconds of sound, not minutes.
const SEND_BUFFER: usize = 32 * 1024;
/// How often places are looked after whose streams did not come.
const SWEEP: Duration = Duration::from_secs(5);
/// Numbers that stand for a withheld one: the words anonymous, blocked, restricted, unavailable and unknown on a telephone's keys.
const WITHHELD: &[&str] = &[
    "+266696687",
    "+2562533",
    "+7378742833",
    "+8656696",
    "+86282452253",
];

/// What the listener is started with.
#[derive(Clone)]
pub struct TwilioConfig {
    /// What the provider calls things: Twilio's names, or those of one like it.
    pub names: &'static Names,
    /// Once a human has taken a call the two meet in a conference of Twilio's, and their sound no longer passes this program.
    pub conference: bool,
    pub listen: SocketAddr,
    pub account_sid: String,
    pub auth_token: String,
    /// Whom calls to humans come from: a number of this account.
    pub caller_id: Option<String>,
    /// By which Twilio knows this listener (`https://host`); none goes by what requests say.
    pub public_url: Option<String>,
    /// By which Twilio reaches this machine and no other, where there are several behind `public_url`: streams and what is said of calls to
    /// humans come here.
    pub node_url: Option<String>,
    /// What several machines know together; none: there is one.
    pub together: Option<Arc<dyn Together>>,
    /// `https://api.twilio.com`, or a stand-in.
    pub api_url: url::Url,
    pub admit: Admit,
    /// Where a caller is sent for whom there is no room.
    pub overflow: Option<Dial>,
    /// Where a caller is sent when this program is gone; none has Twilio ask again.
    pub fallback: Option<Dial>,
    pub words: Words,
    /// Connections at once, calls among them.
    pub connections: usize,
}

/// Said by Twilio's own voice, when ours is not there.
#[derive(Debug, Clone)]
pub struct Words {
    pub full: String,
    pub broken: String,
}

impl Default for Words {
    fn default() -> Self {
        Self {
            full: "All our lines are busy at the moment. Please call again in a few minutes."
                .into(),
            broken: "I'm sorry, something is wrong on our side. Please call again later.".into(),
        }
    }
}

/// A call whose stream is up.
pub struct IncomingStream {
    pub leg: Box<dyn Leg>,
    /// The caller's number; none when withheld.
    pub from: Option<String>,
    pub to: Option<String>,
    pub call_sid: String,
}

impl IncomingStream {
    fn new(caller: Caller, start: &Start, link: Arc<Link>, shared: &Arc<Shared>) -> Self {
        let info = LegInfo {
            channel: "twilio",
            from: caller.from.clone(),
            to: caller.to.clone(),
            vouched: caller.vouched,
            codec: "PCMU".into(),
            ..LegInfo::default()
        };
        Self {
            leg: Box::new(TwilioLeg::new(
                info,
                link,
                Some(caller.permit),
                shared.rooms(),
            )),
            from: caller.from,
            to: caller.to,
            call_sid: start.call_sid.clone(),
        }
    }
}

/// Everything the listener's tasks share.
struct Shared {
    config: TwilioConfig,
    checker: signature::Checker,
    tickets: Tickets,
    dials: dial::Dials,
    humans: room::Humans,
    api: api::Api,
    incoming: mpsc::Sender<IncomingStream>,
    refusals: Refusals,
    /// The address by which the last genuine request knew us.
    base: Mutex<Option<String>>,
    stop: CancellationToken,
    /// Calls to humans begin in a call's task and live here.
    runtime: tokio::runtime::Handle,
}

impl Shared {
    fn learnt(&self, base: &str) {
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = Some(base.to_owned());
    }

    /// Where callers and humans are put together, if that is not here.
    fn rooms(self: &Arc<Self>) -> Option<Arc<Self>> {
        (self.config.conference && self.config.names.rest).then(|| self.clone())
    }

    /// What follows the words for a caller who cannot be served.
    fn send_on(&self) -> After {
        match &self.config.overflow {
            Some(dial) => After::Dial(dial.clone()),
            None => After::Hangup,
        }
    }
}

/// Refused requests in the log: one line a second, whoever sends how many.
#[derive(Default)]
struct Refusals(Mutex<(Option<Instant>, u64)>);

impl Refusals {
    fn say(&self, what: impl FnOnce() -> String) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last
            .0
            .is_some_and(|at| at.elapsed() < Duration::from_secs(1))
        {
            last.1 += 1;
            return;
        }
        let unsaid = std::mem::take(&mut last.1);
        last.0 = Some(Instant::now());
        tracing::warn!(unsaid, "{}", what());
    }
}

/// The listener, and the way to call humans.
#[derive(Clone)]
pub struct TwilioEdge {
    shared: Arc<Shared>,
    addr: SocketAddr,
}

impl TwilioEdge {
    /// Binds the listener; calls come out of the receiver. Runs until [`TwilioEdge::stop`].
    ///
    /// # Errors
    /// One sentence: the address is taken or not ours, or HTTPS cannot be set up.
    pub async fn start(
        mut config: TwilioConfig,
    ) -> Result<(Self, mpsc::Receiver<IncomingStream>), String> {
        config.node_url = config.node_url.as_deref().map(trimmed);
        let listener = TcpListener::bind(config.listen).await.map_err(|e| {
            format!(
                "cannot listen on twilio.listen = {}: {e}; free the port or choose another",
                config.listen
            )
        })?;
        let addr = listener.local_addr().map_err(|e| e.to_string())?;
        let api = api::Api::new(&config.api_url, &config.account_sid, &config.auth_token)?;
        let (incoming, calls) = mpsc::channel(64);
        let shared = Arc::new(Shared {
            checker: signature::Checker::new(
                config.names,
                &config.auth_token,
                config.public_url.as_deref(),
                config.node_url.as_deref(),
            ),
            tickets: Tickets::default(),
            dials: dial::Dials::default(),
            humans: room::Humans::default(),
            api,
            incoming,
            refusals: Refusals::default(),
            base: Mutex::new(config.public_url.as_deref().map(trimmed)),
            stop: CancellationToken::new(),
            runtime: tokio::runtime::Handle::current(),
            config,
        });
        tokio::spawn(accept(listener, shared.clone()));
        tokio::spawn(sweep(Arc::downgrade(&shared)));
        Ok((Self { shared, addr }, calls))
    }

    /// Where it listens; tells the port where 0 was asked for.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Takes no more requests, and closes every stream: end calls first.
    pub fn stop(&self) {
        self.shared.stop.cancel();
    }

    /// Streams awaited, and streams that are up.
    pub fn census(&self) -> (usize, usize) {
        self.shared.tickets.census()
    }

    /// Whether people can be called at all.
    pub fn calls(&self) -> bool {
        self.shared.config.names.rest && self.shared.config.caller_id.is_some()
    }

    /// Calls a human. The leg's signals say how it goes; it is answered when its stream is there.
    ///
    /// # Errors
    /// A sentence: what is not configured.
    pub fn dial(&self, number: &str, ring: Duration) -> Result<Box<dyn Leg>, String> {
        let shared = self.shared.clone();
        if !shared.config.names.rest {
            return Err(format!(
                "{} is not asked for calls by this line: reach {number} over a [[trunk]]",
                shared.config.names.provider
            ));
        }
        let from = shared
            .config
            .caller_id
            .clone()
            .ok_or("set [twilio] caller_id: calls to people need a number to come from")?;
        let base = shared.config.node_url.clone();
        let learnt = || {
            let base = shared.base.lock();
            base.unwrap_or_else(PoisonError::into_inner).clone()
        };
        let base = base
            .or_else(learnt)
            .ok_or("set [twilio] public_url: Twilio has to be told where to send the sound")?;
        let info = LegInfo {
            channel: "twilio",
            from: Some(from.clone()),
            to: Some(number.to_owned()),
            vouched: true,
            codec: "PCMU".into(),
            ..LegInfo::default()
        };
        let link = Arc::new(Link::new(None));
        let order = dial::Order {
            number: number.to_owned(),
            from,
            ring,
            base,
        };
        shared
            .runtime
            .spawn(dial::place(shared.clone(), link.clone(), order));
        Ok(Box::new(TwilioLeg::new(info, link, None, shared.rooms())))
    }
}

fn trimmed(url: &str) -> String {
    url.trim_end_matches('/').to_owned()
}

/// Where the stream is opened, for a listener known by `base`.
fn media_url(base: &str) -> String {
    let socket = match base.split_once("://") {
        Some(("http", rest)) => format!("ws://{rest}"),
        Some((_, rest)) => format!("wss://{rest}"),
        None => base.to_owned(),
    };
    socket + "/twilio/media"
}

/// The caller's number as the webhook has it; none where it is withheld.
fn number(from: &str) -> Option<String> {
    let from = from.trim();
    let withheld = WITHHELD.contains(&from)
        || [
            "anonymous",
            "restricted",
            "unavailable",
            "unknown",
            "blocked",
        ]
        .iter()
        .any(|word| from.eq_ignore_ascii_case(word));
    (!withheld && !from.is_empty()).then(|| from.chars().take(128).collect())
}

async fn sweep(shared: std::sync::Weak<Shared>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        match shared.upgrade() {
            Some(shared) if !shared.stop.is_cancelled() => shared.sweep().await,
            _ => return,
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let app = web::router(shared.clone());
    let places = Arc::new(Semaphore::new(shared.config.connections));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, mostly: calls that end give some back.
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            },
            () = shared.stop.cancelled() => return,
        };
        prepare(&stream);
        let io = TokioIo::new(Held::new(stream, place));
        let service = TowerToHyperService::new(app.clone());
        let stop = shared.stop.clone();
        tokio::spawn(async move {
            let serving = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(io, service)
                .with_upgrades();
            tokio::select! {
                _ = serving => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

/// Sound goes out at once, and what a far end does not take is not piled up in the kernel.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = socket2::SockRef::from(stream).set_send_buffer_size(SEND_BUFFER);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn withheld_numbers_are_none() {
        assert_eq!(number(" +15550100 ").as_deref(), Some("+15550100"));
        assert_eq!(number("sip:a@b").as_deref(), Some("sip:a@b"));
        for none in ["", "Anonymous", "+266696687", "RESTRICTED", "+7378742833"] {
            assert_eq!(number(none), None, "{none}");
        }
    }

    #[test]
    fn the_stream_is_where_the_webhook_was() {
        assert_eq!(
            media_url("https://line.example.com"),
            "wss://line.example.com/twilio/media"
        );
        assert_eq!(
            media_url("http://127.0.0.1:8081"),
            "ws://127.0.0.1:8081/twilio/media"
        );
    }
}
