//! `firstline doctor`: what is wrong with this set-up, and what to do.

use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use serde_json::json;

use crate::backoffice::Backoffice;
use crate::config::{Accept, Advertise, Config, Transport};
use crate::runtime::clock;

/// Looks at ports, addresses, models, disk, clock, desk, back office and database, and says what to do about each.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firstline doctor --config sip-config/firstline.toml")]
pub struct Args {
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One JSON object a line on stdout: {"check","state","says"}
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Warn,
    Fail,
}

/// What was found, in the order it is printed.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<(&'static str, State, String)>);

impl Findings {
    pub(super) fn ok(&mut self, check: &'static str, says: impl Into<String>) {
        self.0.push((check, State::Ok, says.into()));
    }
    pub(super) fn warn(&mut self, check: &'static str, says: impl Into<String>) {
        self.0.push((check, State::Warn, says.into()));
    }
    pub(super) fn fail(&mut self, check: &'static str, says: impl Into<String>) {
        self.0.push((check, State::Fail, says.into()));
    }
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut found = Findings::default();
    machine(&mut found);
    match Config::load(args.config.as_deref()) {
        Err(problems) => {
            for problem in problems {
                found.fail("configuration", problem);
            }
        }
        Ok(config) => {
            let from = config
                .file
                .as_ref()
                .map_or("the defaults (no file)".to_owned(), |f| {
                    f.display().to_string()
                });
            found.ok("configuration", format!("read from {from}"));
            for said in config.not_yet().into_iter().chain(config.doubts()) {
                found.warn("configuration", said);
            }
            super::doctor_more::codecs(&config, &mut found);
            super::doctor_more::clock_kept(&mut found);
            super::doctor_more::limits(&config, &mut found);
            super::doctor_more::privacy(&config, &mut found);
            who_may_call(&config, &mut found);
            ports(&config, &mut found);
            address(&config, &mut found);
            twilio(&config, &mut found);
            models(&config, &mut found);
            disk(&config, &mut found);
            super::doctor_people::transfer(&config, &mut found);
            super::block_on(super::doctor_trunk::registrations(&config, &mut found))?;
            super::block_on(services(&config, &mut found))?;
        }
    }
    print(&found, args.json);
    let failed = found.0.iter().any(|(_, state, _)| *state == State::Fail);
    Ok(ExitCode::from(u8::from(failed)))
}

fn print(found: &Findings, as_json: bool) {
    use std::io::IsTerminal;
    let colour = std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    for (check, state, says) in &found.0 {
        let (word, code) = match state {
            State::Ok => ("ok", 32),
            State::Warn => ("warn", 33),
            State::Fail => ("fail", 31),
        };
        if as_json {
            println!("{}", json!({ "check": check, "state": word, "says": says }));
        } else if colour {
            println!("\x1b[{code}m{word:<4}\x1b[0m {check}: {says}");
        } else {
            println!("{word:<4} {check}: {says}");
        }
    }
}

fn machine(found: &mut Findings) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    found.ok("processor", format!("{cores} cores to use"));
    #[cfg(target_arch = "x86_64")]
    {
        let there = [
            ("avx2", std::is_x86_feature_detected!("avx2")),
            ("fma", std::is_x86_feature_detected!("fma")),
            ("f16c", std::is_x86_feature_detected!("f16c")),
        ];
        let missing: Vec<&str> = there
            .iter()
            .filter(|(_, has)| !has)
            .map(|(name, _)| *name)
            .collect();
        if missing.is_empty() {
            found.ok("processor", "avx2, fma and f16c are there");
        } else {
            found.fail(
                "processor",
                format!("lacks {}: the recogniser would stop with an illegal instruction; use another machine (most since 2015 do)", missing.join(", ")),
            );
        }
    }
    match clock::fixed() {
        Err(why) => found.fail("clock", why),
        Ok(Some(at)) => found.warn(
            "clock",
            format!("FIRSTLINE_CLOCK holds it at {at}; unset it for real calls"),
        ),
        Ok(None) => {
            let now = clock::now();
            // Older than this program: the machine does not know the time, and TLS and opening hours go wrong.
            match "2026-11-01T00:00:00Z".parse::<jiff::Timestamp>() {
                Ok(built) if now < built => found.fail("clock", format!("says {now}, which is in the past; set it (for example with `timedatectl set-ntp true`)")),
                _ => found.ok("clock", now.to_string()),
            }
        }
    }
    match Command::new("espeak-ng").arg("--version").output() {
        Ok(out) if out.status.success() => found.ok("espeak-ng", String::from_utf8_lossy(&out.stdout).lines().next().unwrap_or("there").to_owned()),
        _ => found.fail("espeak-ng", "is not there, and the voice needs it: install it (Debian: `apt-get install espeak-ng`)"),
    }
}

fn who_may_call(config: &Config, found: &mut Findings) {
    match (config.sip.accept, config.trunks.is_empty()) {
        (Accept::Trunks, true) => found.warn("callers", "no [[trunk]] is configured: only this computer can call; add one, or set sip.accept = \"any\""),
        (Accept::Trunks, false) => {
            for trunk in config.trunks.iter().filter(|t| t.allow.is_empty()) {
                found.warn("callers", format!("trunk `{}` has no `allow` addresses; calls are known by its host's addresses alone", trunk.name));
            }
            found.ok("callers", format!("{} trunks may call", config.trunks.len()));
        }
        (Accept::Any, _) => found.warn("callers", "sip.accept = \"any\": whoever reaches the port can call; keep it behind a firewall"),
    }
}

fn ports(config: &Config, found: &mut Findings) {
    for listen in &config.sip.listen {
        let bound = match listen.transport {
            Transport::Udp => UdpSocket::bind(listen.addr).map(drop),
            Transport::Tcp | Transport::Tls => TcpListener::bind(listen.addr).map(drop),
        };
        port(found, &listen.to_string(), bound, "sip.listen");
    }
    port(
        found,
        &format!("http {}", config.http.listen),
        TcpListener::bind(config.http.listen).map(drop),
        "http.listen",
    );
    if let Some(twilio) = &config.twilio {
        port(
            found,
            &format!("twilio {}", twilio.listen),
            TcpListener::bind(twilio.listen).map(drop),
            "twilio.listen",
        );
    }
    let (first, last) = (*config.sip.rtp_ports.start(), *config.sip.rtp_ports.end());
    let ip = config
        .sip
        .listen
        .first()
        .map_or(IpAddr::from([0, 0, 0, 0]), |l| l.addr.ip());
    let tried = [first, first + (last - first) / 2, last];
    let taken: Vec<String> = tried
        .iter()
        .filter(|p| UdpSocket::bind(SocketAddr::new(ip, **p)).is_err())
        .map(ToString::to_string)
        .collect();
    let calls = (u32::from(last) - u32::from(first) + 1) / 4;
    if taken.len() == tried.len() {
        found.fail(
            "sound ports",
            format!(
                "{first}-{last} are taken (tried {}); choose other sip.rtp_ports",
                taken.join(", ")
            ),
        );
    } else {
        found.ok(
            "sound ports",
            format!("{first}-{last}, enough for {calls} calls; open them for UDP in the firewall"),
        );
    }
}

fn port(found: &mut Findings, name: &str, bound: std::io::Result<()>, key: &str) {
    match bound {
        Ok(()) => found.ok("port", format!("{name} is free")),
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => {
            found.fail(
                "port",
                format!(
                    "{name} is taken; stop what uses it (a line that runs already?) or change {key}"
                ),
            );
        }
        Err(e) => found.fail("port", format!("{name} cannot be used: {e}; change {key}")),
    }
}

fn address(config: &Config, found: &mut Findings) {
    if config.sip.listen.iter().all(|l| l.addr.ip().is_loopback()) {
        found.ok("address", "SIP listens on this computer only");
        return;
    }
    let local = crate::config::facing();
    let here = local.map_or("unknown".to_owned(), |ip| ip.to_string());
    match &config.sip.advertise {
        Advertise::Auto => match local {
            Some(ip) if private(ip) => found.warn(
                "address",
                format!("this computer's address is {ip}, a private one: behind NAT callers will not be heard; set sip.advertise to the public address and forward the SIP and sound ports"),
            ),
            Some(ip) => found.ok("address", format!("{ip} is told to others")),
            None => found.warn("address", "no way out was found; set sip.advertise"),
        },
        Advertise::Address(ip) if Some(*ip) == local => found.ok("address", format!("{ip} is told to others and is this computer's own")),
        Advertise::Address(ip) => found.ok("address", format!("{ip} is told to others; this computer is {here}: the SIP and sound ports must be forwarded from one to the other")),
        Advertise::Name(name) => match (name.as_str(), 0).to_socket_addrs().ok().and_then(|mut a| a.next()) {
            Some(addr) => found.ok("address", format!("{name} is {}; this computer is {here}", addr.ip())),
            None => found.fail("address", format!("the name {name} of sip.advertise is not known; put an address there")),
        },
        Advertise::Stun(server) => found.ok("address", format!("{server} is asked at start; this computer is {here}")),
    }
}

fn twilio(config: &Config, found: &mut Findings) {
    let Some(twilio) = &config.twilio else {
        return;
    };
    let Some(url) = &twilio.public_url else {
        found.warn("twilio", "public_url is not set: requests are checked by the Host and X-Forwarded headers they carry, and twilio: targets can be called only once a caller has been; set it to the address in Twilio's console");
        return;
    };
    let host = url.host_str().unwrap_or_default();
    match (host, 443).to_socket_addrs().ok().and_then(|mut a| a.next()) {
        Some(addr) if private(addr.ip()) || addr.ip().is_loopback() => found.warn(
            "twilio",
            format!("{host} is {}, which Twilio cannot reach; the webhook has to be public", addr.ip()),
        ),
        Some(addr) => found.ok(
            "twilio",
            format!("{host} is {}: paste {}/twilio/voice into the number's configuration", addr.ip(), url.as_str().trim_end_matches('/')),
        ),
        None => found.fail("twilio", format!("the name {host} of twilio.public_url is not known; correct it, or make the name known")),
    }
}

fn private(ip: IpAddr) -> bool {
    match ip {
        // 100.64.0.0/10 is the carriers' own NAT (RFC 6598).
        IpAddr::V4(v4) => {
            v4.is_private()
                || v4.is_link_local()
                || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

fn models(config: &Config, found: &mut Findings) {
    let wanted = [
        format!("whisper-{}", config.stt.model),
        "silero-vad".to_owned(),
        crate::runtime::engines::voice_model(&config.tts.voice),
        "minilm".to_owned(),
        "smart-turn".to_owned(),
    ];
    let mut missing = Vec::new();
    for name in wanted {
        match crate::runtime::models::model_dir(&name) {
            Ok(_) => {}
            Err(why) => missing.push(why),
        }
    }
    if missing.is_empty() {
        found.ok("models", "all that the configuration names are there");
    }
    for why in missing {
        found.fail("models", why);
    }
}

fn disk(config: &Config, found: &mut Findings) {
    // The nearest directory that is there: recordings may not have been made yet.
    let mut dir =
        std::path::absolute(&config.storage.recordings).unwrap_or_else(|_| PathBuf::from("/"));
    while !dir.exists() && dir.pop() {}
    let free = Command::new("df")
        .args(["-Pk", "--"])
        .arg(&dir)
        .output()
        .ok()
        .and_then(|out| {
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            text.lines()
                .nth(1)?
                .split_whitespace()
                .nth(3)?
                .parse::<u64>()
                .ok()
        });
    // Two channels of 16-bit sound at 16 kHz.
    const KB_AN_HOUR: u64 = 225_000;
    match free {
        None => found.warn("disk", format!("the free space of {} could not be learnt", dir.display())),
        Some(kb) if kb < 2 * KB_AN_HOUR => found.fail("disk", format!("{} MB are free at {}; two hours of recordings need twice as much as that: free some", kb / 1000, dir.display())),
        Some(kb) => found.ok("disk", format!("{} GB are free at {}, {} hours of recordings", kb / 1_000_000, dir.display(), kb / KB_AN_HOUR)),
    }
}

/// The language models, where there are any: whether they answer at all. How fast is to be seen in the metrics.
async fn language_models(config: &Config, found: &mut Findings) {
    let Some(llm) = &config.llm else {
        return;
    };
    let prompt = crate::desk::model::Prompt {
        task: crate::desk::model::Task::Answer,
        instruction: "Answer with JSON alone: {\"sentences\": [\"...\"]}".into(),
        data: "{\"passages\": [\"We are open.\"]}".into(),
        schema: serde_json::json!({"type": "object", "required": ["sentences"], "additionalProperties": false,
            "properties": {"sentences": {"type": "array", "items": {"type": "string"}}}}),
        most_tokens: 16,
    };
    match crate::runtime::model::Models::new(llm, None) {
        Err(why) => found.fail("language model", why),
        Ok(models) => {
            for told in models.reachable(&prompt, Duration::from_secs(10)).await {
                match told {
                    Ok(told) => found.ok("language model", told),
                    // The line does its work without it.
                    Err(why) => found.warn("language model", why),
                }
            }
        }
    }
}

async fn services(config: &Config, found: &mut Findings) {
    language_models(config, found).await;
    match crate::runtime::serve::open_store(config).await {
        Err(error) => found.fail("database", error.to_string()),
        Ok(store) => {
            match store.writable().await {
                Ok(()) => found.ok(
                    "database",
                    format!(
                        "{} can be written",
                        super::doctor_more::without_password(&config.storage.url)
                    ),
                ),
                Err(error) => found.fail("database", error.to_string()),
            }
            match store.open_claims().await {
                Ok(open) if !open.is_empty() => found.warn(
                    "database",
                    format!(
                        "{} writes were begun and never settled; see `firstline report`",
                        open.len()
                    ),
                ),
                Ok(_) => {}
                Err(error) => found.fail("database", error.to_string()),
            }
            match store.nodes().await {
                Ok(nodes) => super::doctor_more::nodes(config, &nodes, found),
                Err(error) => found.fail("database", error.to_string()),
            }
            store.close().await;
        }
    }
    desk(config, found).await;
}

async fn desk(config: &Config, found: &mut Findings) {
    let dir: &Path = &config.desk;
    let source = match super::desk::read(dir) {
        Ok(source) => source,
        Err(problems) => {
            for problem in problems {
                found.fail("desk", problem);
            }
            return;
        }
    };
    found.ok(
        "desk",
        format!(
            "{}: {} articles, {} actions",
            dir.display(),
            source.articles.len(),
            source.actions.len()
        ),
    );
    super::doctor_people::queues(config, &source, found);
    let Some(backoffice) = &source.config.backoffice else {
        if !source.actions.is_empty() {
            found.fail(
                "back office",
                "the desk has actions and no [backoffice] url; name it in desk.toml",
            );
        }
        return;
    };
    if let Some(name) = &backoffice.auth_env
        && std::env::var_os(name).is_none_or(|v| v.is_empty())
    {
        found.fail(
            "back office",
            format!("{name} is not set; the desk's auth_env names it"),
        );
    }
    // A variable that is not set was told above.
    let variable = |name: &str| Some(std::env::var(name).unwrap_or_default());
    match Backoffice::new(backoffice, &variable, Duration::from_secs(3)) {
        Err(why) => found.fail("back office", why),
        Ok(office) => {
            for told in office.reachable().await {
                match told {
                    Ok(told) => found.ok("back office", told),
                    Err(why) => found.fail(
                        "back office",
                        format!("{why}; start it, or correct [backoffice] in the desk"),
                    ),
                }
            }
        }
    }
}
