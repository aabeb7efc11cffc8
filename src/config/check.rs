//! From the tree as typed to a configuration as meant: a table of keys, section by section; every problem is collected.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::net::{Listen, Net, Transport, socket};
use super::raw::{Node, Problems, Section, nearest};
use super::reach::calls_people;
use super::target::e164;
use super::{
    Accept, Advertise, CODECS, Callback, Config, Http, Limits, Phone, Secret, Shape, Sip, Srtp,
    Storage, Survey, Target, Transfer, Trunk, Twilio, Via,
};

pub(super) type Env = BTreeMap<String, String>;

const TWILIO_API: &str = "https://api.twilio.com";

pub(super) fn config(root: Node, env: &Env) -> Result<Config, Vec<String>> {
    let problems = Problems::default();
    let mut root = Section::root(root, &problems);
    let sip = sip(root.section_or_default("sip"));
    let trunks: Vec<Trunk> = root
        .sections("trunk")
        .into_iter()
        .filter_map(|s| trunk(s, env))
        .collect();
    let phones: Vec<Phone> = root
        .sections("phone")
        .into_iter()
        .filter_map(|s| phone(s, env))
        .collect();
    let http = http(root.section_or_default("http"), env);
    let had_twilio = root.section("twilio");
    let twilio = had_twilio.and_then(|s| twilio(s, env));
    let mut desk = root.section_or_default("desk");
    let desk_path = desk.get("path", PathBuf::from("examples/larchpay"), path);
    desk.done();
    let transfer = transfer(
        root.section_or_default("transfer"),
        env,
        &trunks,
        &phones,
        twilio.as_ref(),
    );
    let callback = callback(root.section_or_default("callback"));
    let stt = super::speech::stt(root.section_or_default("stt"), env);
    let tts = super::speech::tts(root.section_or_default("tts"), env);
    let llm = super::llm::llm(root.section_or_default("llm"), env);
    let mut node = root.section_or_default("node");
    let node_name = node.maybe("name", model_name);
    node.done();
    let privacy = super::privacy::privacy(root.section_or_default("privacy"), env);
    let mut trace = root.section_or_default("trace");
    let trace_to = trace.maybe("otlp", |t| web_address(t, &["https", "http"]));
    trace.done();
    let storage = storage(root.section_or_default("storage"), env);
    let limits = limits(root.section_or_default("limits"));
    let survey = survey(root.section_or_default("survey"));
    for (index, trunk) in trunks.iter().enumerate() {
        if trunks[..index]
            .iter()
            .any(|earlier| earlier.name == trunk.name)
        {
            root.problem(format!(
                "two trunks are called `{}`; give each its own name",
                trunk.name
            ));
        }
        // Over TCP and TLS the connection is the way back; over UDP there is none.
        let udp = sip.listen.iter().any(|l| l.transport == Transport::Udp);
        if trunk.register && trunk.transport == Transport::Udp && !udp {
            root.problem(format!(
                "trunk `{}` is registered with over UDP, and [sip] listen has no UDP address to be called at; add \"udp:0.0.0.0:5060\" or set its transport",
                trunk.name
            ));
        }
    }
    if let Via::Sip(template) = &callback.via
        && template.starts_with("trunk:")
    {
        // Any number will do to see whether there is a way.
        let target = Target::read(&template.replace("{number}", "+15550100"));
        match target.map(|t| super::reach::lacks(&t, &trunks, &phones, twilio.as_ref())) {
            Ok(None) => {}
            Ok(Some(_)) => root.problem(format!(
                "callback.via = \"{template}\" goes over a [[trunk]] that is not configured"
            )),
            Err(_) => root.problem(format!(
                "callback.via = \"{template}\" must be like trunk:{{number}} or trunk:carrier:{{number}}"
            )),
        }
    }
    for clash in super::reach::clashes(&sip, &http, twilio.as_ref()) {
        root.problem(clash);
    }
    root.done();
    let found = problems.into_vec();
    if !found.is_empty() {
        return Err(found);
    }
    Ok(Config {
        file: None,
        node: node_name,
        sip,
        trunks,
        phones,
        http,
        twilio,
        desk: desk_path,
        transfer,
        callback,
        stt,
        tts,
        llm,
        storage,
        privacy,
        trace: trace_to,
        limits,
        survey,
    })
}

fn sip(mut s: Section<'_>) -> Sip {
    let usual = |transport| Listen {
        transport,
        addr: SocketAddr::from(([0, 0, 0, 0], 5060)),
    };
    let listen = s
        .list("listen", Listen::read)
        .unwrap_or_else(|| vec![usual(Transport::Udp), usual(Transport::Tcp)]);
    let read = Sip {
        listen,
        advertise: s.get("advertise", Advertise::Auto, advertise),
        rtp_ports: s.get("rtp_ports", 16384..=32767, ports),
        accept: s.get("accept", Accept::Trunks, |text| match text {
            "trunks" => Ok(Accept::Trunks),
            "any" => Ok(Accept::Any),
            _ => Err(one_of(text, &["trunks", "any"])),
        }),
        tls_cert: s.maybe("tls_cert", path),
        tls_key: s.maybe("tls_key", path),
        tls_client_ca: s.maybe("tls_client_ca", path),
        tls_ca: s.maybe("tls_ca", path),
        codecs: s
            .list("codecs", codec)
            .unwrap_or_else(|| CODECS.map(str::to_owned).to_vec()),
        srtp: s.get("srtp", Srtp::Offered, |text| match text {
            "off" => Ok(Srtp::Off),
            "accepted" => Ok(Srtp::Accepted),
            "offered" => Ok(Srtp::Offered),
            "required" => Ok(Srtp::Required),
            _ => Err(one_of(text, &["off", "accepted", "offered", "required"])),
        }),
    };
    if read.tls_cert.is_some() != read.tls_key.is_some() {
        s.problem("`sip.tls_cert` and `sip.tls_key` go together: set both, or neither");
    }
    if read.listen.iter().any(|l| l.transport == Transport::Tls) && read.tls_cert.is_none() {
        s.problem("a tls: listener needs a certificate: set `sip.tls_cert` and `sip.tls_key` to PEM files");
    }
    if read.codecs.is_empty() {
        s.problem("`sip.codecs` is empty; name at least one, or leave it out");
    }
    if read.listen.is_empty() {
        s.problem("`sip.listen` is empty; name at least one listener, like \"udp:0.0.0.0:5060\"");
    }
    s.done();
    read
}

fn codec(text: &str) -> Result<String, String> {
    let name = text.to_ascii_lowercase();
    match CODECS.contains(&name.as_str()) {
        true => Ok(name),
        false => Err(one_of(text, &CODECS)),
    }
}

fn advertise(text: &str) -> Result<Advertise, String> {
    if text == "auto" {
        return Ok(Advertise::Auto);
    }
    if let Some(server) = text.strip_prefix("stun:") {
        return host_name(server.split(':').next().unwrap_or(""), text)
            .map(|_| Advertise::Stun(server.to_owned()));
    }
    match text.parse() {
        Ok(ip) => Ok(Advertise::Address(ip)),
        Err(_) => host_name(text, text).map(Advertise::Name),
    }
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let usage = || format!("must be two port numbers like \"16384-32767\", not `{text}`");
    let (first, last) = text.split_once('-').ok_or_else(usage)?;
    let first: u16 = first.trim().parse().map_err(|_| usage())?;
    let last: u16 = last.trim().parse().map_err(|_| usage())?;
    if first < 1024 || last <= first {
        return Err(format!("must run upwards from 1024 or more, not `{text}`"));
    }
    // A leg takes an even port and its odd neighbour (RFC 3550, section 11); a transferred call has two legs.
    if last - first < 3 {
        return Err(format!("`{text}` holds no call; give it four ports a call"));
    }
    Ok(first..=last)
}

fn trunk(mut s: Section<'_>, env: &Env) -> Option<Trunk> {
    let name = s.must("name", |t| Ok(t.to_owned()));
    let host = s.must("host", host_and_port);
    let transport = s.get("transport", Transport::Udp, Transport::read);
    let register = s.flag("register", false);
    let user = s.maybe("user", some_text);
    let password = secret(&mut s, "password_env", env);
    let proxy = s.maybe("proxy", some_text);
    let allow = s.list("allow", Net::read).unwrap_or_default();
    let caller_id = s.maybe("caller_id", |t| e164(t, t));
    let trusted_caller_id = s.flag("trusted_caller_id", false);
    if register && (user.is_none() || password.is_none()) {
        s.problem("a trunk with register = true needs `user` and `password_env`");
    }
    s.done();
    let (host, port) = host?;
    Some(Trunk {
        name: name?,
        host,
        port,
        transport,
        register,
        user,
        password,
        proxy,
        allow,
        caller_id,
        trusted_caller_id,
    })
}

fn http(mut s: Section<'_>, env: &Env) -> Http {
    let listen = s.get("listen", SocketAddr::from(([127, 0, 0, 1], 8080)), socket);
    let token_env = s.get("token_env", "FIRSTLINE_TOKEN".to_owned(), variable);
    let token = env
        .get(&token_env)
        .filter(|t| !t.is_empty())
        .map(Secret::new);
    if token.is_none() && !listen.ip().is_loopback() {
        s.problem(format!(
            "http.listen is {listen}, which others can reach, and {token_env} is not set: set it to a long random word, or listen on 127.0.0.1"
        ));
    }
    if let Some(token) = &token
        && token.reveal().len() < 16
    {
        s.problem(format!("{token_env} is shorter than 16 characters; make a longer one, for example with `openssl rand -hex 24`"));
    }
    s.done();
    Http {
        listen,
        token,
        token_env,
    }
}

fn twilio(mut s: Section<'_>, env: &Env) -> Option<Twilio> {
    let provider = s.get("provider", "twilio".to_owned(), |t| match super::PROVIDERS
        .iter()
        .any(|(name, _)| *name == t)
    {
        true => Ok(t.to_owned()),
        false => Err(one_of(t, &super::PROVIDERS.map(|(name, _)| name))),
    });
    let conference = s.get("bridge", false, |t| match t {
        "stream" => Ok(false),
        "conference" => Ok(true),
        _ => Err(one_of(t, &["stream", "conference"])),
    });
    if conference && !calls_people(&provider) {
        s.problem(
            "twilio.bridge = \"conference\" needs Twilio or SignalWire: leave it at \"stream\"",
        );
    }
    let own = provider == "twilio";
    let listen = s.get("listen", SocketAddr::from(([0, 0, 0, 0], 8081)), socket);
    let account_sid = s.must("account_sid", |t| {
        let fine = t
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || (b == b'-' && !own));
        if (t.starts_with("AC") || !own) && fine && !t.is_empty() {
            Ok(t.to_owned())
        } else {
            Err(format!(
                "`{t}` is not an account SID; it begins with AC and stands in the Twilio console"
            ))
        }
    });
    let had_key = s
        .maybe("auth_token_env", variable)
        .unwrap_or_else(|| "TWILIO_AUTH_TOKEN".to_owned());
    let auth_token = env.get(&had_key).filter(|t| !t.is_empty()).map(Secret::new);
    if auth_token.is_none() {
        s.problem(format!(
            "{had_key} is not set; set it to the account's auth token, or remove [twilio]"
        ));
    }
    let caller_id = s.maybe("caller_id", |t| e164(t, t));
    let public_url = s.maybe("public_url", |t| web_address(t, &["https"]));
    let node_url = s.maybe("node_url", |t| web_address(t, &["https"]));
    let api_url = s.get("api_url", TWILIO_API.to_owned(), |t| {
        web_address(t, &["https", "http"]).map(|_| t.to_owned())
    });
    s.done();
    Some(Twilio {
        api_url: url::Url::parse(&api_url).ok()?,
        provider,
        conference,
        listen,
        account_sid: account_sid?,
        auth_token: auth_token?,
        caller_id,
        public_url,
        node_url,
    })
}

fn phone(mut s: Section<'_>, env: &Env) -> Option<Phone> {
    let user = s.must("user", |text| {
        let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.+".contains(&b);
        match !text.is_empty() && text.bytes().all(fine) {
            true => Ok(text.to_owned()),
            false => Err(format!(
                "must be letters, digits, dots, dashes and underscores, not `{text}`"
            )),
        }
    });
    let password = secret(&mut s, "password_env", env);
    if password.is_none() {
        s.problem("a [[phone]] needs `password_env`, the variable that holds its password");
    }
    s.done();
    Some(Phone {
        user: user?,
        password: password?,
    })
}

fn transfer(
    mut s: Section<'_>,
    env: &Env,
    trunks: &[Trunk],
    phones: &[Phone],
    twilio: Option<&Twilio>,
) -> Transfer {
    let targets = s.list("targets", Target::read).unwrap_or_else(|| {
        Target::read("sip:human@127.0.0.1:5090;ring_s=20")
            .into_iter()
            .collect()
    });
    for target in &targets {
        if let Some(why) = super::reach::lacks(target, trunks, phones, twilio) {
            s.problem(format!("transfer {why}"));
        }
    }
    let accept_key = s.get("accept", '1', |text| {
        let key = text.strip_prefix("press ").unwrap_or("");
        match key.as_bytes() {
            [b'2' | b'3'] => Err("key 2 declines and key 3 repeats; choose another, like \"press 1\"".into()),
            [b'4'..=b'6' | b'*' | b'#'] => Err("keys 4 to 6, star and hash do other things during the brief; choose another, like \"press 1\"".into()),
            [b'0'..=b'9'] => Ok(key.chars().next().unwrap_or('1')),
            _ => Err(format!("must be like \"press 1\", not `{text}`: answering alone is never taken for accepting")),
        }
    });
    let webhook = s.maybe("webhook", |t| web_address(t, &["https", "http"]));
    let webhook_secret = secret(&mut s, "webhook_secret_env", env);
    let webhook_auth = secret(&mut s, "webhook_auth_env", env);
    let webhook_shape = s.get("webhook_shape", Shape::Firstline, |text| match text {
        "firstline" => Ok(Shape::Firstline),
        "zendesk" => Ok(Shape::Zendesk),
        "intercom" => Ok(Shape::Intercom),
        "freshdesk" => Ok(Shape::Freshdesk),
        "email" => Ok(Shape::Email),
        _ => Err(one_of(
            text,
            &["firstline", "zendesk", "intercom", "freshdesk", "email"],
        )),
    });
    let webhook_ticket_type = s.maybe("webhook_ticket_type", some_text);
    let recording_url = s.maybe("recording_url", |t| web_address(t, &["https", "http"]));
    let notes = s.flag("notes", false);
    let release = s.flag("release", false);
    if notes && twilio.is_some_and(|t| t.conference) {
        s.problem("transfer.notes listens to calls, and twilio.bridge = \"conference\" takes them out of this line: set one of the two");
    }
    if notes && release {
        s.problem("transfer.release lets go of calls and transfer.notes listens to them: set one of the two");
    }
    if webhook_shape == Shape::Intercom && webhook_ticket_type.is_none() {
        s.problem("transfer.webhook_shape is `intercom`, which needs webhook_ticket_type: the id of the ticket type to make");
    }
    s.done();
    Transfer {
        targets,
        accept_key,
        notes,
        release,
        webhook,
        webhook_secret,
        webhook_shape,
        webhook_auth,
        webhook_ticket_type,
        recording_url,
    }
}

fn callback(mut s: Section<'_>) -> Callback {
    let number = |least: u32, most: u32| {
        move |text: &str| {
            text.parse()
                .ok()
                .filter(|n| (least..=most).contains(n))
                .ok_or_else(|| format!("must be a number from {least} to {most}, not `{text}`"))
        }
    };
    let read = Callback {
        via: s.get("via", Via::Auto, |text| match text {
            "auto" => Ok(Via::Auto),
            "off" => Ok(Via::Off),
            _ if (text.starts_with("sip:") || text.starts_with("trunk:"))
                && text.contains("{number}") =>
            {
                Ok(Via::Sip(text.to_owned()))
            }
            _ => Err(format!(
                "must be auto, off, or a SIP URI or a trunk (trunk:carrier:{{number}}) with {{number}} in it, not `{text}`"
            )),
        }),
        quiet: s.get("quiet", (20 * 60, 8 * 60), |text| {
            let minutes = |t: &str| -> Option<u16> {
                let (h, m) = t.trim().split_once(':')?;
                let (h, m): (u16, u16) = (h.parse().ok()?, m.parse().ok()?);
                (h < 24 && m < 60).then_some(h * 60 + m)
            };
            text.split_once('-')
                .and_then(|(from, until)| Some((minutes(from)?, minutes(until)?)))
                .ok_or_else(|| format!("must be two times like \"20:00-08:00\", not `{text}`"))
        }),
        attempts: s.get("attempts", 3, number(1, 20)),
        wait_min: s.get("wait_min", 15, number(1, 1440)),
        allow: s.list("allow", |text| {
            let digits = text.strip_prefix('+').unwrap_or("");
            match (1..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
                true => Ok(text.to_owned()),
                false => Err(format!(
                    "`{text}` is not the beginning of a number in international form; write it like +44 or +1555"
                )),
            }
        }),
    };
    s.done();
    read
}

fn survey(mut s: Section<'_>) -> Survey {
    let read = Survey {
        percent: s.get("percent", 0, |text| {
            text.parse()
                .ok()
                .filter(|n| *n <= 100)
                .ok_or_else(|| format!("must be a number from 0 to 100, not `{text}`"))
        }),
    };
    s.done();
    read
}

fn storage(mut s: Section<'_>, env: &Env) -> Storage {
    let read = Storage {
        url: s.get("url", "sqlite:recordings/firstline.db".to_owned(), |t| {
            let known = ["sqlite:", "postgres:", "postgresql:"];
            match known.iter().find_map(|k| t.strip_prefix(k)) {
                Some(rest) if !rest.is_empty() => Ok(t.to_owned()),
                _ => Err(format!(
                    "must be like \"sqlite:recordings/firstline.db\" or \"postgres://user@host/database\", not `{t}`"
                )),
            }
        }),
        recordings: s.get("recordings", PathBuf::from("recordings"), path),
        s3: None,
    };
    let url = s.maybe("s3", |t| web_address(t, &["https", "http"]));
    let region = s.get("s3_region", "us-east-1".to_owned(), some_text);
    let named = |s: &mut Section<'_>, key, usual: &str| {
        let name = s.get(key, usual.to_owned(), variable);
        let value = env.get(&name).filter(|v| !v.is_empty()).cloned();
        (name, value)
    };
    let access = named(&mut s, "s3_access_key_env", "AWS_ACCESS_KEY_ID");
    let secret_key = named(&mut s, "s3_secret_key_env", "AWS_SECRET_ACCESS_KEY");
    let s3 = match (url, access, secret_key) {
        (None, ..) => None,
        (Some(url), (_, Some(access_key)), (_, Some(secret_key))) => Some(super::S3 {
            url,
            region,
            access_key,
            secret_key: Secret::new(secret_key),
        }),
        (Some(_), (access, _), (secret_key, _)) => {
            s.problem(format!(
                "storage.s3 needs the environment variables {access} and {secret_key}: set both"
            ));
            None
        }
    };
    let read = Storage { s3, ..read };
    s.done();
    read
}

fn limits(mut s: Section<'_>) -> Limits {
    let loopback = || {
        ["127.0.0.0/8", "::1"]
            .iter()
            .filter_map(|n| Net::read(n).ok())
            .collect()
    };
    let read = Limits {
        calls: s.get("calls", None, |t| match t {
            "auto" => Ok(None),
            _ => match t.parse() {
                Ok(n) if n > 0 => Ok(Some(n)),
                _ => Err(format!("must be \"auto\" or a number of calls, not `{t}`")),
            },
        }),
        trusted: s.list("trusted", Net::read).unwrap_or_else(loopback),
    };
    s.done();
    read
}

/// The value of the variable that `key` names; a name whose variable is not set is a problem.
pub(super) fn secret(s: &mut Section<'_>, key: &'static str, env: &Env) -> Option<Secret> {
    s.maybe(key, |name| {
        let name = variable(name)?;
        match env.get(&name).filter(|v| !v.is_empty()) {
            Some(value) => Ok(Secret::new(value)),
            None => Err(format!(
                "names the environment variable {name}, which is not set"
            )),
        }
    })
}

fn variable(text: &str) -> Result<String, String> {
    let named = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let named = named && !text.starts_with(|c: char| c.is_ascii_digit());
    if named {
        Ok(text.to_owned())
    } else {
        // What was typed may be the secret itself: it is not repeated.
        Err("is the name of an environment variable (letters, digits, underscores), not the secret itself".into())
    }
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        Err("is empty; write a path".into())
    } else {
        Ok(PathBuf::from(text))
    }
}

pub(super) fn some_text(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("is empty".into())
    } else {
        Ok(text.to_owned())
    }
}

/// A model's name becomes part of a path.
pub(super) fn model_name(text: &str) -> Result<String, String> {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if plain && !text.is_empty() && !text.starts_with('.') {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{text}` is not a model's name; see `firstline models list`"
        ))
    }
}

fn host_name(host: &str, typed: &str) -> Result<String, String> {
    let good = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
    if good {
        Ok(host.to_owned())
    } else {
        Err(format!("`{typed}` is not an address or a host's name"))
    }
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), String> {
    if let Ok(ip) = text.parse::<std::net::IpAddr>() {
        return Ok((ip.to_string(), None));
    }
    match text.rsplit_once(':') {
        Some((host, port)) => {
            let port = port
                .parse()
                .map_err(|_| format!("`{text}`: the port is not a number"))?;
            Ok((host_name(host, text)?, Some(port)))
        }
        None => Ok((host_name(text, text)?, None)),
    }
}

pub(super) fn web_address(text: &str, schemes: &[&str]) -> Result<url::Url, String> {
    match url::Url::parse(text) {
        Ok(url) if schemes.contains(&url.scheme()) && url.has_host() => Ok(url),
        _ => Err(format!(
            "must be a web address beginning with {}://, not `{text}`",
            schemes.join(":// or ")
        )),
    }
}

pub(super) fn choice(text: &str, known: &[&str]) -> Result<String, String> {
    if known.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(one_of(text, known))
    }
}

pub(super) fn one_of(text: &str, known: &[&str]) -> String {
    let hint = nearest(text, known).map_or(String::new(), |n| format!("; did you mean \"{n}\"?"));
    format!("must be one of {}, not `{text}`{hint}", known.join(", "))
}
