//! `serve`: starts the line and runs it until it is told to stop. The only list of tasks in the program.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::audio::codec::Codec;
use crate::config::{self, Config};
use crate::desk::redact::{Private, Redactor};
use crate::edge::http::HttpEdge;
use crate::edge::sip::{
    Accept, Account, MediaPolicy, Net, Permit, SipConfig, SipEdge, TlsFiles, Transport, Trunk,
    USUAL_SESSION,
};
use crate::store::Store;
use crate::telemetry::{Metric, Metrics};
use crate::wire::sdp::Srtp;

use super::api::LineState;
use super::console::Console;
pub use super::kept::{TRAIL_KEY, keeping, keys, open_store};
use super::line::{self, Shared};
use super::live::Live;
use super::pilot::Pilot;
use super::pool::Pool;
use super::recording::Recorder;
use super::webhook::Webhook;
use super::{call_task, capacity, engines, node, voice};

/// After a stop signal, how long calls have to say goodbye.
const GOODBYE: Duration = Duration::from_secs(12);

/// Hears of changes: the event's kind, and its JSON.
pub type Told = Box<dyn Fn(&str, &serde_json::Value) + Send>;

/// Somebody who is on the line from the start, without calling: the person at this computer's microphone.
pub struct Guest {
    pub leg: Box<dyn crate::edge::Leg>,
    /// Told of every change: `call` and `ended`, with the record.
    pub told: Told,
    /// Ctrl-C is theirs: it hangs up, and does not close the line under them.
    pub hang_up: Box<dyn Fn() + Send>,
}

/// Runs the line. Returns when it was drained or stopped, or when its guest has hung up.
///
/// # Errors
/// One sentence: what could not be started, and what to do. Nothing is left half started.
pub async fn run(config: Config, guest: Option<Guest>) -> anyhow::Result<()> {
    for sentence in config.not_yet().into_iter().chain(config.doubts()) {
        tracing::warn!("{sentence}");
    }
    let metrics = Arc::new(Metrics::new());
    let live = Live::new(line::capacity(&config));
    let mut node = node::this(
        config.node.as_deref(),
        String::new(),
        String::new(),
        live.most(),
    );
    let store = open_store(&config)
        .await?
        .with_spool(&config.storage.recordings.join("owed"))
        .for_node(&node.id);
    node::forget_ended(&store).await?;
    store.beat(&node, 0, false).await?;
    let keeping = Arc::new(keeping(&config, metrics.clone()).map_err(anyhow::Error::msg)?);
    tracing::info!(key = %keeping.signer.public(), "trails are signed; keep a copy of this public key elsewhere");
    let recorder =
        Recorder::start(&config.storage.recordings, keeping.clone()).map_err(anyhow::Error::msg)?;
    node::close_unfinished(&config.storage.recordings, &store, &keeping).await?;
    let mut encoder = engines::encoder().map_err(anyhow::Error::msg)?;
    let desk = super::desks::load(&config.desk, Some(&mut encoder)).map_err(anyhow::Error::msg)?;
    let queues = super::queues::read(&desk.config, &config).map_err(anyhow::Error::msg)?;
    for sentence in super::queues::doubts(&desk.config, desk.intents()) {
        tracing::warn!("{sentence}");
    }
    let backoffice = super::actions::backoffice(&desk, line::BACKOFFICE_TIMEOUT, false)
        .map_err(anyhow::Error::msg)?;
    if backoffice.as_ref().is_some_and(|office| office.is_dry()) {
        tracing::warn!(
            "dry run: writes are decided, read back and confirmed, and not sent ([backoffice] dry_run in the desk)"
        );
    }
    let language = desk.config.language.clone();
    let voice_name = engines::voice_name(&config.tts).map_err(anyhow::Error::msg)?;
    let foreign = engines::Foreign::of(&config.tts, &desk);
    let voice = Arc::new(voice::Voice::new(&voice_name, &language, foreign.clone()));
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let models = match &config.llm {
        None => None,
        Some(llm) => {
            let models = super::model::Models::new(llm, Some(metrics.clone()))
                .map_err(anyhow::Error::msg)?;
            Some((Arc::new(models), tokio::runtime::Handle::current()))
        }
    };
    let maker = engines::maker(&config, &foreign, encoder).map_err(anyhow::Error::msg)?;
    if config.limits.calls.is_none() {
        let mut engines = maker().map_err(anyhow::Error::msg)?;
        let measured = capacity::measure(&mut engines).map_err(anyhow::Error::msg)?;
        live.set_most(capacity::calls(measured, workers));
        tracing::info!(
            hear_ms = measured.hear.as_millis() as u64,
            speak_ms = measured.speak.as_millis() as u64,
            cores = workers,
            "this machine holds {} calls at once (limits.calls says otherwise where it is set)",
            live.most()
        );
    }
    metrics.set(Metric::Capacity, live.most() as f64);
    node.capacity = i64::try_from(live.most()).unwrap_or(i64::MAX);
    let pool = Pool::start(workers, voice, live.clone(), models, metrics.clone(), maker)
        .map_err(anyhow::Error::msg)?;
    let admit = {
        let (live, metrics) = (live.clone(), metrics.clone());
        Arc::new(move || match live.admit() {
            Some(place) => Ok(Box::new(place) as Permit),
            None => {
                metrics.count(
                    Metric::CallsTurnedAway,
                    &[if live.is_draining() {
                        "draining"
                    } else {
                        "full"
                    }],
                );
                Err(20)
            }
        })
    };
    let mut settings = sip_config(&config, admit.clone()).await?;
    settings.overflow = desk.config.escalation.overflow.clone();
    settings.room = Some({
        let live = live.clone();
        Arc::new(move || live.has_room())
    });
    let (sip, mut incoming) = SipEdge::start(settings).await?;
    super::phones::restore(&sip, &config.storage.recordings);
    let (twilio, mut streams) =
        super::twilio::start(&config, &desk, live.most(), admit, &store).await?;
    let words = line::words(&desk, config.transfer.accept_key);
    let bucket = match &config.storage.s3 {
        Some(settings) => Some(super::s3::Bucket::new(settings).map_err(anyhow::Error::msg)?),
        None => None,
    };
    let state = LineState::new(
        store.clone(),
        metrics.clone(),
        config.storage.recordings.clone(),
        live.clone(),
    );
    state.give_out(super::api::Kept {
        keeping: keeping.clone(),
        bucket: bucket.clone(),
    });
    let webhook = match &config.transfer.webhook {
        Some(url) => Some(
            Webhook::new(
                store.clone(),
                super::shapes::Receiver {
                    shape: config.transfer.webhook_shape,
                    url: url.to_string(),
                    ticket_type: config.transfer.webhook_ticket_type.clone(),
                },
                config.transfer.webhook_secret.clone(),
                config.transfer.webhook_auth.clone(),
                metrics.clone(),
            )
            .map_err(anyhow::Error::msg)?,
        ),
        None => None,
    };
    let stopping = CancellationToken::new();
    let pilot = Pilot::new(&config.desk, desk.clone());
    pilot.refresh(&store).await?;
    // Nothing else sets it.
    let _ = state.console.set(Console::new(pilot.clone()));
    tokio::spawn(keep_up(pilot.clone(), store.clone(), stopping.clone()));
    let shared = Arc::new(Shared {
        vocabulary: Arc::new(super::vocabulary::of(&desk)),
        words,
        language: language.split('-').next().unwrap_or("en").to_lowercase(),
        country: line::country(&language),
        targets: config.transfer.targets.clone(),
        queues,
        humans: super::queues::Humans::default(),
        accept_key: config.transfer.accept_key,
        notes: config.transfer.notes,
        release: config.transfer.release,
        conference: config.twilio.as_ref().is_some_and(|t| t.conference),
        call_back_via: config.callback.via.clone(),
        call_back_to: super::numbers::Allowed::of(&config, &line::country(&language)),
        has_trunk: !config.trunks.is_empty(),
        webhook: webhook.clone(),
        recordings_at: config.recordings_at(),
        own_number: own_number(&config),
        pilot,
        survey_percent: config.survey.percent,
        vad: engines::vad().map_err(anyhow::Error::msg)?,
        redactor: Redactor::new(
            Private::ALL
                .into_iter()
                .filter(|kind| config.privacy.redact.iter().any(|k| k == kind.word())),
        )
        .except(desk.config.own_names()),
        desk,
        pool: pool.clone(),
        backoffice,
        recorder,
        state: state.clone(),
        sip: sip.clone(),
        twilio: twilio.clone(),
        privacy: config.privacy.clone(),
        tracer: match &config.trace {
            Some(url) => Some(
                super::trace::Tracer::start(url.as_str(), &node.name, metrics.clone())
                    .map_err(anyhow::Error::msg)?,
            ),
            None => None,
        },
        stopping: stopping.clone(),
    });
    let token = config.http.token.as_ref().map(|t| t.reveal());
    let http = HttpEdge::start(config.http.listen, token, state.clone())
        .await
        .map_err(|e| {
            anyhow::anyhow!(
                "cannot listen on http.listen = {}: {e}; free the port or choose another",
                config.http.listen
            )
        })?;
    if !config.phones.is_empty() {
        tokio::spawn(super::phones::run(
            sip.clone(),
            config.storage.recordings.clone(),
            stopping.clone(),
        ));
    }
    if let Some(bucket) = bucket.clone() {
        tokio::spawn(super::s3::run(
            bucket,
            config.storage.recordings.clone(),
            stopping.clone(),
        ));
    }
    tokio::spawn(super::retention::run(
        store.clone(),
        config.storage.recordings.clone(),
        bucket.clone(),
        config.privacy.clone(),
        stopping.clone(),
    ));
    let calls = call_runtime()?;
    node.sip = addresses(&sip);
    node.http = http.addr().to_string();
    let beating = CancellationToken::new();
    let beats = tokio::spawn(node::run(
        node.clone(),
        store.clone(),
        live.clone(),
        metrics.clone(),
        config.storage.recordings.clone(),
        beating.clone(),
    ));
    if let Some(webhook) = webhook {
        tokio::spawn(webhook.run(stopping.clone()));
    }
    let greeting = super::warm::all(&shared);
    tokio::spawn(super::reconcile::run(
        store.clone(),
        shared.backoffice.clone(),
        metrics.clone(),
        stopping.clone(),
    ));
    // A microphone beside a running line leaves that line's promises to it.
    if guest.is_none() {
        tokio::spawn(super::callbacks::run(
            shared.clone(),
            config.callback.clone(),
            calls.handle().clone(),
        ));
    }
    let tracker = TaskTracker::new();
    let beside = twilio
        .as_ref()
        .map_or(String::new(), |t| format!(" twilio={}", t.addr()));
    super::warm::made(&greeting, &shared).await;
    let (mut visit, mut hang_up) = (None, None);
    match guest {
        None => println!("ready sip={} http={}{beside}", addresses(&sip), http.addr()),
        Some(guest) => {
            let told = guest.told;
            hang_up = Some(guest.hang_up);
            let watch = crate::edge::http::Line::events(&*state).watch();
            if let Some(watch) = watch {
                tokio::spawn(async move {
                    loop {
                        let (kind, record) = watch.next().await;
                        told(&kind, &record);
                    }
                });
            }
            let call = call_task::run(shared.clone(), guest.leg);
            visit = Some(tracker.spawn_on(call, calls.handle()));
        }
    }
    tracing::info!(calls = live.most(), "the line takes calls");
    loop {
        let visited = async {
            match &mut visit {
                Some(visit) => drop(visit.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = visited => break,
            Some(call) = incoming.recv() => {
                tracker.spawn_on(call_task::run(shared.clone(), call.leg), calls.handle());
            }
            Some(call) = streams.next() => {
                tracing::debug!(call = %call.call_sid, "a call comes in over Twilio");
                tracker.spawn_on(call_task::run(shared.clone(), call.leg), calls.handle());
            }
            () = live.drained() => break,
            () = stop_signal() => {
                // The second one means it.
                if let Some(hang_up) = hang_up.take() {
                    hang_up();
                    continue;
                }
                tracing::info!("stopping: calls are ended kindly");
                live.drain();
                stopping.cancel();
                break;
            }
        }
    }
    if visit.is_some() {
        // The last words are still being told.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    sip.unregister();
    tracker.close();
    let _ = tokio::time::timeout(GOODBYE, tracker.wait()).await;
    stopping.cancel();
    // BYEs and their answers are on the wire.
    tokio::time::sleep(Duration::from_millis(500)).await;
    http.stop().await;
    sip.stop();
    if let Some(twilio) = twilio {
        twilio.stop();
    }
    pool.stop();
    beating.cancel();
    let _ = beats.await;
    // What came in last; what cannot be written now is brought in by the next run.
    let _ = store.catch_up().await;
    let _ = store.leave(&node.id).await;
    store.close().await;
    calls.shutdown_background();
    Ok(())
}

/// Call tasks have threads of their own, before everything else in the queue for a core: inference must not delay a frame.
/// Real-time where the system permits it (root, CAP_SYS_NICE or an rtprio limit): under Linux's autogroups a niceness counts
/// only within one session, and another busy program would take its share of every tick.
fn call_runtime() -> anyhow::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.div_ceil(4).max(1))
        .thread_name("calls")
        .on_thread_start(|| {
            if !super::priority::real_time() {
                // Not permitted to everybody either; niced inference threads are the other half of it.
                let _ = rustix::process::nice(-10);
            }
        })
        .enable_all()
        .build()?)
}

/// What the SIP edge is started with, by configuration.
///
/// # Errors
/// One sentence: an address to advertise that cannot be found out.
pub async fn sip_config(
    config: &Config,
    admit: crate::edge::sip::Admit,
) -> anyhow::Result<SipConfig> {
    let net = |n: &config::Net| {
        format!("{}/{}", n.addr(), n.bits())
            .parse::<Net>()
            .map_err(anyhow::Error::msg)
    };
    let mut allowed = Vec::new();
    let mut vouched = Vec::new();
    let mut trunks = Vec::new();
    for configured in &config.trunks {
        let nets = configured
            .allow
            .iter()
            .map(net)
            .collect::<anyhow::Result<Vec<_>>>()?;
        if configured.trusted_caller_id {
            vouched.extend(nets.iter().copied());
        }
        allowed.extend(nets);
        trunks.push(trunk(configured));
    }
    let advertise = super::advertise::resolve(&config.sip.advertise)
        .await
        .map_err(anyhow::Error::msg)?;
    Ok(SipConfig {
        listen: config.sip.listen.iter().map(ToString::to_string).collect(),
        advertise,
        rtp_ports: (*config.sip.rtp_ports.start(), *config.sip.rtp_ports.end()),
        accept: match config.sip.accept {
            config::Accept::Any => Accept::Any,
            config::Accept::Trunks => Accept::Nets(allowed),
        },
        vouched,
        user_agent: concat!("firstline/", env!("CARGO_PKG_VERSION")).into(),
        admit,
        overflow: None,
        room: None,
        tls: TlsFiles {
            cert: config.sip.tls_cert.clone(),
            key: config.sip.tls_key.clone(),
            client_ca: config.sip.tls_client_ca.clone(),
            ca: config.sip.tls_ca.clone(),
        },
        media: MediaPolicy {
            codecs: config
                .sip
                .codecs
                .iter()
                .filter_map(|name| Codec::named(name))
                .collect(),
            srtp: match config.sip.srtp {
                config::Srtp::Off => Srtp::Off,
                config::Srtp::Accepted => Srtp::Accepted,
                config::Srtp::Offered => Srtp::Offered,
                config::Srtp::Required => Srtp::Required,
            },
        },
        trunks,
        session_s: USUAL_SESSION,
        phones: config
            .phones
            .iter()
            .map(|phone| Account {
                user: phone.user.clone(),
                password: phone.password.reveal().to_owned(),
            })
            .collect(),
        trusted: config
            .limits
            .trusted
            .iter()
            .map(net)
            .collect::<anyhow::Result<_>>()?,
    })
}

fn trunk(configured: &config::Trunk) -> Trunk {
    let account = configured.user.clone().zip(configured.password.as_ref());
    Trunk {
        name: configured.name.clone(),
        host: configured.host.clone(),
        port: configured.port,
        transport: match configured.transport {
            config::Transport::Udp => Transport::Udp,
            config::Transport::Tcp => Transport::Tcp,
            config::Transport::Tls => Transport::Tls,
        },
        vouched: configured.trusted_caller_id,
        account: account.map(|(user, password)| Account {
            user,
            password: password.reveal().to_owned(),
        }),
        proxy: configured.proxy.clone(),
        register: configured.register,
        caller_id: configured.caller_id.clone(),
        // Without addresses of its own a trunk is known by its name's.
        by_name: configured.allow.is_empty(),
    }
}

fn own_number(config: &Config) -> String {
    config
        .trunks
        .iter()
        .find_map(|t| t.caller_id.clone())
        .unwrap_or_else(|| "firstline".into())
}

fn addresses(sip: &SipEdge) -> String {
    sip.listeners()
        .iter()
        .map(|l| format!("{}:{}", l.transport.name().to_ascii_lowercase(), l.addr))
        .collect::<Vec<_>>()
        .join(",")
}

/// What people set at another machine's console is taken up here, too.
async fn keep_up(pilot: Arc<Pilot>, store: Store, stopping: CancellationToken) {
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(15)) => {}
        }
        if let Err(error) = pilot.refresh(&store).await {
            tracing::debug!(%error, "modes could not be read");
        }
    }
}

/// Resolves at the first interrupt or termination signal.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
}
