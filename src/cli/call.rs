//! `firstline call`: a caller for testing a line, and with `--listen` a stand-in human phone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::audio::codec::Codec;
use crate::audio::wav;
use crate::edge::Leg;
use crate::edge::sip::{
    Accept, MediaPolicy, Net, SipConfig, SipEdge, SipUri, TlsFiles, USUAL_SESSION,
};
use crate::edge::twilio::{self, peer::PeerConfig};
use crate::runtime::phone::{CallReport, Script, Step, cause_name, pick_up, refuse, talk};
use crate::wire::sdp::Srtp;

/// A value with its place on the command line: --say, --dtmf, --wait and --barge are done in the order they were typed.
#[derive(Debug, Clone)]
pub struct Placed {
    order: usize,
    value: String,
}

fn placed(value: &str) -> Result<Placed, String> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    Ok(Placed {
        order: NEXT.fetch_add(1, Ordering::Relaxed),
        value: value.to_owned(),
    })
}

/// Calls a line, speaks when it has finished, and reports what was heard and every gap in milliseconds.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    firstline call sip:line@127.0.0.1:5060 --say question.wav --dtmf 1 --say \"No, that is all\" --record call.wav --json\n  \
    firstline call \"sips:line@pbx.example.net\" --ca ca.pem --srtp required --codec opus --say question.wav\n  \
    firstline call http://127.0.0.1:8081/twilio/voice --say question.wav      (as Twilio does; TWILIO_AUTH_TOKEN is the line's)\n  \
    firstline call --listen sip:human@127.0.0.1:5090 --dtmf 1 --say hello.wav --count 1")]
pub struct Args {
    /// sip:user@host:port; http(s)://host/twilio/voice, the webhook of a media stream; or ws(s)://host/twilio/media, the stream itself
    #[arg(required_unless_present = "listen", conflicts_with = "listen")]
    uri: Option<String>,
    /// A WAV file to play, or words to speak (with espeak-ng), when the other side has finished
    #[arg(long, value_parser = placed)]
    say: Vec<Placed>,
    /// Keys to press when the other side has finished
    #[arg(long, value_parser = placed)]
    dtmf: Vec<Placed>,
    /// Keys at a time after the answer, in milliseconds: "1@6000"
    #[arg(long, value_parser = placed)]
    dtmf_after: Vec<Placed>,
    /// Seconds to do nothing
    #[arg(long, value_parser = placed)]
    wait: Vec<Placed>,
    /// Begin the next --say so many milliseconds after the other side begins to speak
    #[arg(long, value_parser = placed)]
    barge: Vec<Placed>,
    /// Send what is heard back as an echo, so many decibels lower: a bad loudspeaker telephone
    #[arg(long, value_name = "DB")]
    echo: Option<f32>,
    /// Keep both sides in a WAV file: first channel what was said, second what was heard
    #[arg(long)]
    record: Option<PathBuf>,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    /// The number that calls
    #[arg(long, default_value = "+15550100")]
    from: String,
    /// The number that is called, over a media stream
    #[arg(long, default_value = "+15550199")]
    to: String,
    /// With ws: the webhook that gives the stream its token, http(s)://host/twilio/voice
    #[arg(long, value_name = "URL", conflicts_with = "listen")]
    webhook: Option<String>,
    /// The variable that holds the auth token webhooks are signed with
    #[arg(long, value_name = "NAME", default_value = "TWILIO_AUTH_TOKEN")]
    auth_token_env: String,
    /// The webhook's address as the line knows it, where that is another: https://its-public-url/twilio/voice
    #[arg(long, value_name = "URL", conflicts_with = "listen")]
    signed_as: Option<String>,
    /// Codecs to offer or take, in this order: opus, g722, pcmu, pcma
    #[arg(long, value_delimiter = ',', default_values_t = ["pcmu".to_owned(), "pcma".to_owned()])]
    codec: Vec<String>,
    /// Encrypted sound (SRTP): off, accepted, offered (over tls only) or required
    #[arg(long, default_value = "accepted", value_parser = ["off", "accepted", "offered", "required"])]
    srtp: String,
    /// PEM file of an authority to trust, for sips: addresses and ;transport=tls
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Seconds to wait for an answer
    #[arg(long, default_value_t = 30)]
    answer_timeout: u32,
    /// Longest call, seconds
    #[arg(long, default_value_t = 300)]
    max: u64,
    /// Seconds to wait for the other side to speak before going on regardless
    #[arg(long, default_value_t = 15)]
    patience: u64,
    /// Be a phone at this address instead of calling
    #[arg(long, value_name = "URI")]
    listen: Option<String>,
    /// With --listen: milliseconds of ringing before it is taken
    #[arg(long, default_value_t = 1_500, requires = "listen")]
    answer_after: u64,
    /// With --listen: refuse (603)
    #[arg(long, requires = "listen", conflicts_with_all = ["busy", "no_answer", "voicemail"])]
    decline: bool,
    /// With --listen: busy (486)
    #[arg(long, requires = "listen", conflicts_with_all = ["no_answer", "voicemail"])]
    busy: bool,
    /// With --listen: ring and never answer
    #[arg(long, requires = "listen", conflicts_with = "voicemail")]
    no_answer: bool,
    /// With --listen: answer with this recording, as voicemail does, and press nothing
    #[arg(long, requires = "listen", value_name = "FILE")]
    voicemail: Option<PathBuf>,
    /// With --listen: end after so many calls
    #[arg(long, requires = "listen")]
    count: Option<u32>,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let steps = steps(&args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match &args.listen {
            Some(uri) => listen(&args, uri, steps).await,
            None => call(&args, steps).await,
        }
    })
}

async fn call(args: &Args, steps: Vec<Step>) -> anyhow::Result<ExitCode> {
    let uri = args.uri.as_deref().unwrap_or_default();
    if let Some(config) = stream(args, uri)? {
        let mut leg = twilio::peer::call(config);
        let report = talk(&mut *leg, script(args, steps, true), note).await;
        return done(args, uri, &report);
    }
    let target: SipUri = uri.parse().map_err(anyhow::Error::msg)?;
    let near = target.host.eq_ignore_ascii_case("localhost")
        || target.literal().is_some_and(|a| a.ip().is_loopback());
    let ip = if near { "127.0.0.1" } else { "0.0.0.0" };
    let (edge, _calls) = SipEdge::start(config(args, vec![format!("udp:{ip}:0")])?).await?;
    let mut leg = edge.dial(uri, &args.from, args.answer_timeout, &[]);
    let report = talk(&mut *leg, script(args, steps, true), note).await;
    drop(leg);
    settle(&edge).await;
    done(args, uri, &report)
}

fn done(args: &Args, uri: &str, report: &CallReport) -> anyhow::Result<ExitCode> {
    write_record(args.record.as_deref(), report)?;
    tell(args, uri, report)?;
    Ok(ExitCode::from(u8::from(!report.answered())))
}

/// How a media stream is called; none where the address is another kind's.
fn stream(args: &Args, uri: &str) -> anyhow::Result<Option<PeerConfig>> {
    let scheme = uri.split(':').next().unwrap_or_default();
    let (webhook, socket) = match scheme {
        "http" | "https" => (Some(uri.to_owned()), None),
        "ws" | "wss" => (args.webhook.clone(), Some(uri.to_owned())),
        _ => return Ok(None),
    };
    let auth_token = match &webhook {
        None => {
            note("without --webhook there is no token, and a firstline refuses the stream".into());
            None
        }
        Some(_) => Some(std::env::var(&args.auth_token_env).with_context(|| {
            format!(
                "the webhook is signed with the account's auth token: set {}, or name another variable with --auth-token-env",
                args.auth_token_env
            )
        })?),
    };
    Ok(Some(PeerConfig {
        webhook,
        signed_as: args.signed_as.clone(),
        auth_token,
        socket,
        from: args.from.clone(),
        to: args.to.clone(),
        call_sid: None,
    }))
}

async fn listen(args: &Args, uri: &str, mut steps: Vec<Step>) -> anyhow::Result<ExitCode> {
    let here: SipUri = uri.parse().map_err(anyhow::Error::msg)?;
    let host = if here.host.eq_ignore_ascii_case("localhost") {
        "127.0.0.1"
    } else {
        here.host.as_str()
    };
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let port = here.port.unwrap_or(5060);
    let listen = vec![format!("udp:{host}:{port}"), format!("tcp:{host}:{port}")];
    let mut config = config(args, listen)?;
    config.accept = Accept::Any;
    let (edge, mut calls) = SipEdge::start(config).await?;
    eprintln!("ready {uri}");
    if let Some(file) = &args.voicemail {
        let pcm = sound(&file.to_string_lossy())?;
        steps = vec![
            Step::Wait { ms: 500 },
            Step::Barge { ms: 0 },
            Step::Say {
                label: file.display().to_string(),
                pcm,
            },
        ];
    }
    let mut taken = 0;
    while args.count.is_none_or(|count| taken < count) {
        let Some(call) = calls.recv().await else {
            break;
        };
        taken += 1;
        eprintln!(
            "call {taken} from {}",
            call.from.as_deref().unwrap_or("a withheld number")
        );
        let mut leg = call.leg;
        let ring = Duration::from_millis(args.answer_after);
        let report = answer(args, &mut *leg, ring, steps.clone()).await;
        drop(leg);
        let record = args.record.as_deref().map(|path| numbered(path, taken));
        write_record(record.as_deref(), &report)?;
        tell(args, call.from.as_deref().unwrap_or(""), &report)?;
    }
    settle(&edge).await;
    Ok(ExitCode::SUCCESS)
}

async fn answer(args: &Args, leg: &mut dyn Leg, ring: Duration, steps: Vec<Step>) -> CallReport {
    let refusal = match (args.decline, args.busy, args.no_answer) {
        (true, _, _) => Some(Some(603)),
        (_, true, _) => Some(Some(486)),
        (_, _, true) => Some(None),
        _ => None,
    };
    if let Some(code) = refusal {
        return refuse(leg, ring, code).await;
    }
    if !pick_up(leg, ring).await {
        return CallReport::default();
    }
    let mut script = script(args, steps, false);
    if args.voicemail.is_some() {
        // Voicemail speaks at once, whoever else does.
        script.patience = Duration::ZERO;
    }
    talk(leg, script, note).await
}

/// Gives the last messages (BYE and its answer) time to go.
async fn settle(edge: &SipEdge) {
    for _ in 0..100 {
        if edge.census().tasks == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn config(args: &Args, listen: Vec<String>) -> anyhow::Result<SipConfig> {
    let codecs = args.codec.iter().map(|name| {
        Codec::named(name)
            .with_context(|| format!("`{name}` is no codec: opus, g722, pcmu and pcma are"))
    });
    let media = MediaPolicy {
        codecs: codecs.collect::<anyhow::Result<_>>()?,
        srtp: match args.srtp.as_str() {
            "off" => Srtp::Off,
            "offered" => Srtp::Offered,
            "required" => Srtp::Required,
            _ => Srtp::Accepted,
        },
    };
    let tls = TlsFiles {
        ca: args.ca.clone(),
        ..TlsFiles::default()
    };
    Ok(SipConfig {
        listen,
        advertise: None,
        rtp_ports: (34_000, 39_999),
        accept: Accept::Nets(Vec::new()),
        vouched: Vec::new(),
        user_agent: format!("firstline-call/{}", env!("CARGO_PKG_VERSION")),
        admit: Arc::new(|| Ok(Box::new(()))),
        overflow: None,
        room: None,
        tls,
        media,
        trunks: Vec::new(),
        phones: Vec::new(),
        session_s: USUAL_SESSION,
        // A tester is called by whoever it likes.
        trusted: vec!["0.0.0.0/0", "::/0"]
            .into_iter()
            .filter_map(|n| n.parse::<Net>().ok())
            .collect(),
    })
}

fn script(args: &Args, steps: Vec<Step>, hang_up: bool) -> Script {
    Script {
        steps,
        patience: Duration::from_secs(args.patience),
        max: Duration::from_secs(args.max),
        answer_timeout: Duration::from_secs(u64::from(args.answer_timeout) + 5),
        hang_up,
        echo_db: args.echo,
    }
}

fn note(line: String) {
    eprintln!("{line}");
}

fn steps(args: &Args) -> anyhow::Result<Vec<Step>> {
    let mut all: Vec<(usize, Step)> = Vec::new();
    for p in &args.say {
        let pcm = sound(&p.value)?;
        all.push((
            p.order,
            Step::Say {
                label: p.value.clone(),
                pcm,
            },
        ));
    }
    for p in &args.dtmf {
        all.push((p.order, Step::Keys(keys(&p.value)?)));
    }
    for p in &args.dtmf_after {
        let (pressed, at) = p
            .value
            .split_once('@')
            .and_then(|(k, at)| Some((k, at.parse().ok()?)))
            .with_context(|| {
                format!(
                    "--dtmf-after \"{}\": write it as KEYS@MILLISECONDS, such as 1@6000",
                    p.value
                )
            })?;
        all.push((
            p.order,
            Step::KeysAt {
                keys: keys(pressed)?,
                at_ms: at,
            },
        ));
    }
    for p in &args.wait {
        let seconds: f64 = p
            .value
            .parse()
            .ok()
            .filter(|s| (0.0..=600.0).contains(s))
            .with_context(|| format!("--wait \"{}\": give seconds, such as 1.5", p.value))?;
        all.push((
            p.order,
            Step::Wait {
                ms: (seconds * 1_000.0) as u64,
            },
        ));
    }
    for p in &args.barge {
        let ms = p
            .value
            .parse()
            .with_context(|| format!("--barge \"{}\": give milliseconds, such as 800", p.value))?;
        all.push((p.order, Step::Barge { ms }));
    }
    all.sort_by_key(|(order, _)| *order);
    Ok(all.into_iter().map(|(_, step)| step).collect())
}

fn keys(text: &str) -> anyhow::Result<String> {
    let keys = text.to_ascii_uppercase();
    if keys.is_empty() || !keys.chars().all(|c| "0123456789*#ABCD".contains(c)) {
        bail!("\"{text}\" holds what is no key: use 0 to 9, *, # and A to D");
    }
    Ok(keys)
}

/// A file's sound, or the words spoken, at 16 kHz.
fn sound(text: &str) -> anyhow::Result<Vec<i16>> {
    let path = Path::new(text);
    let is_file = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("wav"));
    let bytes = if is_file {
        fs::read(path).with_context(|| format!("cannot read {text}: check the path"))?
    } else {
        spoken(text)?
    };
    let wav = wav::read(&bytes).with_context(|| format!("cannot use {text}"))?;
    Ok(wav.mono_at(16_000))
}

fn spoken(text: &str) -> anyhow::Result<Vec<u8>> {
    let file = std::env::temp_dir().join(format!("firstline-say-{}.wav", uuid::Uuid::new_v4()));
    let done = Command::new("espeak-ng")
        .args(["-v", "en-gb", "-s", "150", "-w"])
        .arg(&file)
        .arg("--")
        .arg(text)
        .output()
        .context("espeak-ng, which speaks the words after --say, is not installed: install it, or give a .wav file")?;
    let bytes = fs::read(&file);
    let _ = fs::remove_file(&file);
    if !done.status.success() {
        bail!(
            "espeak-ng could not say \"{text}\": {}",
            String::from_utf8_lossy(&done.stderr).trim()
        );
    }
    bytes.context("espeak-ng wrote no sound")
}

/// `call.wav` for the first call, `call-2.wav` for the second.
fn numbered(path: &Path, n: u32) -> PathBuf {
    if n <= 1 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path
        .extension()
        .map_or("wav".into(), |e| e.to_string_lossy());
    path.with_file_name(format!("{stem}-{n}.{extension}"))
}

fn write_record(path: Option<&Path>, report: &CallReport) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    let both: Vec<i16> = report
        .said
        .iter()
        .zip(&report.heard)
        .flat_map(|(s, h)| [*s, *h])
        .collect();
    fs::write(path, wav::write(&both, 16_000, 2))
        .with_context(|| format!("cannot write {}: check the folder", path.display()))
}

fn tell(args: &Args, uri: &str, report: &CallReport) -> anyhow::Result<()> {
    let ended = report.ended.as_ref();
    let cause = ended.map_or("none", |e| cause_name(e.cause));
    let detail = ended.map_or("", |e| e.detail.as_str());
    if args.json {
        let leg = &report.leg;
        let object = serde_json::json!({
            "uri": uri,
            "answered": report.answered(),
            "rang_ms": report.rang_ms,
            "answer_ms": report.answer_ms,
            "total_ms": report.total_ms,
            "ended": {"cause": cause, "detail": detail},
            "first_sound_ms": report.first_sound_ms,
            "utterances": report.utterances,
            "audio_gaps": report.gaps,
            "packets": {
                "in": leg.packets_in, "lost": leg.packets_lost, "out": leg.packets_out,
                "jitter_ms": leg.jitter_ms, "longest_gap_ms": leg.longest_gap_ms,
            },
            "codec": leg.codec,
            "keys": report.keys,
            "record": args.record,
        });
        println!("{}", serde_json::to_string(&object)?);
        return Ok(());
    }
    match report.answer_ms {
        Some(ms) => println!("answered after {ms} ms, {} ms in all", report.total_ms),
        None => println!("not answered: {cause} {detail}"),
    }
    for u in &report.utterances {
        let gap = u.gap_ms.map_or("nothing came back".into(), |ms| {
            format!("heard back after {ms} ms, for {} ms", u.reply_ms)
        });
        println!("{:>7} ms  {}: {gap}", u.start_ms, u.said);
    }
    for gap in &report.gaps {
        println!("{:>7} ms  nothing arrived for {} ms", gap.at_ms, gap.ms);
    }
    let leg = &report.leg;
    println!(
        "packets: {} in, {} lost, {} out; jitter {:.1} ms; longest wait for one {} ms; ended: {cause} {detail}",
        leg.packets_in, leg.packets_lost, leg.packets_out, leg.jitter_ms, leg.longest_gap_ms
    );
    Ok(())
}
