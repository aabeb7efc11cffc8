//! As a carrier's customer: registered by digest with a real registrar (Kamailio), called through it, and calling through it.

use std::path::PathBuf;

use firstline::edge::sip::{Account, Registration, Transport, Trunk};
use tokio::process::{Child, Command};

use super::real::have;
use super::*;

/// Kamailio on a port of its own; gone when dropped.
pub struct Registrar {
    pub port: u16,
    tls_port: u16,
    folder: PathBuf,
    child: Child,
}

impl Registrar {
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Asked rather than killed: only then does it end the processes that it started itself.
    pub async fn stop(&mut self) {
        if let Some(pid) = self.child.id() {
            let _ = std::process::Command::new("kill")
                .arg(pid.to_string())
                .status();
        }
        let _ = tokio::time::timeout(Duration::from_secs(5), self.child.wait()).await;
    }

    pub async fn start_again(&mut self) {
        let text = std::fs::read_to_string(self.folder.join("kamailio.cfg")).unwrap();
        self.child = kamailio(&self.folder, &text);
    }
}

impl Drop for Registrar {
    fn drop(&mut self) {
        // Asked rather than killed: only then does it end the processes that it started itself.
        if let Some(pid) = self.child.id() {
            let _ = std::process::Command::new("kill")
                .arg(pid.to_string())
                .status();
            std::thread::sleep(Duration::from_millis(500));
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Kamailio with this configuration, its log beside it.
fn kamailio(folder: &std::path::Path, text: &str) -> Child {
    std::fs::write(folder.join("kamailio.cfg"), text).unwrap();
    let log = std::fs::File::create(folder.join("log")).unwrap();
    Command::new("kamailio")
        .args(["-DD", "-E", "-f"])
        .arg(folder.join("kamailio.cfg"))
        .arg("-Y")
        .arg(folder)
        .arg("-P")
        .arg(folder.join("pid"))
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("kamailio runs")
}

async fn registrar() -> Registrar {
    registrar_with(None, "").await
}

pub async fn registrar_over_tcp() -> Registrar {
    registrar_with(None, "#!define WITH_TCP\n").await
}

/// `certificates`: it listens for TLS too, with its own among them, and asks for SHA-256. `before`: what its file begins with.
async fn registrar_with(
    certificates: Option<&super::secure::Certificates>,
    before: &str,
) -> Registrar {
    let port = free_port();
    let tls_port = free_port();
    let folder = std::env::temp_dir().join(format!("firstline-registrar-{port}"));
    std::fs::create_dir_all(&folder).unwrap();
    let mut text = include_str!("registrar.cfg")
        .replace("TLSPORT", &tls_port.to_string())
        .replace("PORT", &port.to_string());
    if let Some(certificates) = certificates {
        let files = certificates.path("");
        let files = files.display().to_string();
        text =
            "#!define WITH_TLS\n".to_owned() + &text.replace("FOLDER", files.trim_end_matches('/'));
    }
    text.insert_str(0, before);
    let child = kamailio(&folder, &text);
    Registrar {
        port,
        tls_port,
        folder,
        child,
    }
}

fn trunk(registrar: &Registrar, user: &str, password: &str) -> Trunk {
    Trunk {
        name: "carrier".into(),
        host: "127.0.0.1".into(),
        port: Some(registrar.port),
        transport: Transport::Udp,
        vouched: false,
        account: Some(Account {
            user: user.into(),
            password: password.into(),
        }),
        proxy: None,
        register: true,
        caller_id: None,
        by_name: true,
    }
}

async fn customer(
    registrar: &Registrar,
    user: &str,
    password: &str,
) -> (SipEdge, Receiver<IncomingCall>) {
    let config = SipConfig {
        trunks: vec![trunk(registrar, user, password)],
        ..config()
    };
    SipEdge::start(config).await.expect("the edge starts")
}

/// A call of two seconds.
pub async fn talk(mut leg: Box<dyn Leg>) -> Saw {
    drive(&mut *leg, Duration::from_secs(15), |turn, leg, saw, _| {
        if saw.has(&Signal::Answered) && turn >= 150 {
            leg.hangup(200, "done");
        }
        tone(turn)
    })
    .await
}

pub async fn state(edge: &SipEdge, wanted: impl Fn(&Registration) -> bool) -> Registration {
    let until = Instant::now() + Duration::from_secs(15);
    loop {
        let (_, state) = edge.registrations().remove(0);
        if wanted(&state) || Instant::now() > until {
            return state;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_registers_is_called_and_calls() {
    if !have("kamailio") {
        return;
    }
    let registrar = registrar().await;
    let (line, calls) = customer(&registrar, "line", "right").await;
    let seen = answer(calls, Way::Tone);
    assert_eq!(
        state(&line, |s| *s == Registration::Registered).await,
        Registration::Registered,
        "{}",
        std::fs::read_to_string(registrar.folder.join("log")).unwrap_or_default()
    );
    let (phone, calls) = customer(&registrar, "+15550123", "right").await;
    let phone_seen = answer(calls, Way::Tone);
    state(&phone, |s| *s == Registration::Registered).await;

    // Called by number at the registrar, which knows where we are. The registrar grants four seconds: this is after a refresh.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let to_line = format!("sip:line@127.0.0.1:{}", registrar.port);
    let heard = talk(phone.dial(&to_line, "+15550123", 10, &[])).await;
    assert!(heard.has(&Signal::Answered), "{:?}", heard.signals);
    drop(seen);

    // Calling out: the registrar asks who we are, and is told.
    let heard = talk(line.dial("trunk:+15550123", "+15559999", 10, &[])).await;
    assert!(heard.has(&Signal::Answered), "{:?}", heard.signals);
    drop(phone_seen);

    // Gone when told goodbye: who calls now is told so.
    line.unregister();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let heard = talk(phone.dial(&to_line, "+15550123", 10, &[])).await;
    assert!(!heard.has(&Signal::Answered), "{:?}", heard.signals);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_said_and_no_trunk_is_a_sentence() {
    let (line, _calls) = edge().await;
    let heard = talk(line.dial("trunk:+15550123", "", 5, &[])).await;
    assert!(
        heard
            .signals
            .iter()
            .any(|s| matches!(s, Signal::Ended(e) if e.detail.contains("no [[trunk]]"))),
        "{:?}",
        heard.signals
    );
    if !have("kamailio") {
        return;
    }
    let registrar = registrar().await;
    let (line, _calls) = customer(&registrar, "line", "wrong").await;
    let said = state(
        &line,
        |s| matches!(s, Registration::Failed(why) if why.contains("password_env")),
    )
    .await;
    assert!(
        matches!(&said, Registration::Failed(why) if why.contains("401") || why.contains("403")),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_and_by_sha_256() {
    if !have("kamailio") {
        return;
    }
    let certificates = super::secure::Certificates::new();
    let registrar = registrar_with(Some(&certificates), "").await;
    let mut settings = SipConfig {
        trunks: vec![Trunk {
            host: "localhost".into(),
            port: Some(registrar.tls_port),
            transport: Transport::Tls,
            ..trunk(&registrar, "line", "right")
        }],
        ..config()
    };
    settings.listen.push("tls:127.0.0.1:0".into());
    settings.tls = certificates.files("line", false);
    let (line, calls) = SipEdge::start(settings).await.unwrap();
    let said = state(&line, |s| *s == Registration::Registered).await;
    let log = || std::fs::read_to_string(registrar.folder.join("log")).unwrap_or_default();
    assert_eq!(said, Registration::Registered, "{}", log());
    // A caller over UDP is put through to it over TLS.
    let mut seen = answer(calls, Way::Echo);
    let (phone, _none) = edge().await;
    let to = format!("sip:line@127.0.0.1:{}", registrar.port);
    let heard = talk(phone.dial(&to, "+15550123", 10, &[])).await;
    assert!(
        heard.has(&Signal::Answered),
        "{:?} {}",
        heard.signals,
        log()
    );
    assert!(heard.loud > 40, "{heard:?}");
    assert_eq!(seen.recv().await.unwrap().end(), Some(EndCause::Remote));
}

/// `sip-config/kamailio-route.cfg` as it is shipped: calls go to two lines in turn, and one that is full or gone costs no call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dispatcher_that_is_shipped_hands_calls_out() {
    if !have("kamailio") {
        return;
    }
    let (first, first_calls) = edge().await;
    let (second, second_calls) = edge().await;
    let (mut one, mut two) = (
        answer(first_calls, Way::Tone),
        answer(second_calls, Way::Tone),
    );
    let full = SipEdge::start(SipConfig {
        admit: Arc::new(|| Err(7)),
        ..config()
    });
    let (full, _none) = full.await.unwrap();
    let port = free_port();
    let folder = std::env::temp_dir().join(format!("firstline-dispatcher-{port}"));
    std::fs::create_dir_all(&folder).unwrap();
    let list: String = [&full, &first, &second]
        .iter()
        .enumerate()
        .map(|(n, e)| format!("1 sip:{} 0 0 duid={n};maxload=16\n", address(e, false)))
        .collect();
    std::fs::write(folder.join("dispatcher.list"), list).unwrap();
    let own = include_str!("../../sip-config/kamailio-route.cfg")
        .replace("/etc/kamailio/", &format!("{}/", folder.display()));
    let before = include_str!("registrar.cfg")
        .split("#!ifdef WITH_TLS\nenable")
        .next()
        .unwrap();
    let modules = "mpath=\"/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/:/usr/lib64/kamailio/modules/\"\n";
    let loads: String = ["tm", "sl", "rr", "pv", "maxfwd", "textops", "siputils"]
        .iter()
        .map(|m| format!("loadmodule \"{m}.so\"\n"))
        .collect();
    let text = format!(
        "{before}disable_tcp=yes\nauto_aliases=no\nlisten=udp:127.0.0.1:{port}\n{modules}{loads}{own}\nrequest_route {{\n    if (has_totag()) {{\n        \
         if (loose_route()) {{ t_relay(); }} else if (is_method(\"ACK\") && t_check_trans()) {{ t_relay(); }}\n        exit;\n    }}\n    \
         if (is_method(\"CANCEL\")) {{ if (t_check_trans()) t_relay(); exit; }}\n    route(FIRSTLINE);\n}}\n"
    );
    let child = kamailio(&folder, &text);
    let proxy = Registrar {
        port,
        tls_port: 0,
        folder,
        child,
    };
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let (phone, _none) = edge().await;
    for n in 0..6 {
        let heard =
            talk(phone.dial(&format!("sip:line@127.0.0.1:{port}"), "+15550123", 10, &[])).await;
        let log = std::fs::read_to_string(proxy.folder.join("log")).unwrap_or_default();
        assert!(
            heard.has(&Signal::Answered),
            "call {n}: {:?} {log}",
            heard.signals
        );
        assert_eq!(heard.end(), Some(EndCause::Ours), "call {n}");
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let count = |seen: &mut Receiver<Saw>| std::iter::from_fn(|| seen.try_recv().ok()).count();
    let (one, two) = (count(&mut one), count(&mut two));
    assert_eq!(one + two, 6);
    // By load: short calls may all find the first machine free again.
    assert!(one >= 1 && two >= 1, "{one} and {two}");
}
