//! As a carrier's customer: registered by digest with a real registrar (Kamailio), called through it, and calling through it.

use std::path::PathBuf;

use firstline::edge::sip::{Account, Registration, Transport, Trunk};
use tokio::process::{Child, Command};

use super::real::have;
use super::*;

/// Kamailio on a port of its own; gone when dropped.
struct Registrar {
    port: u16,
    folder: PathBuf,
    child: Child,
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

async fn registrar() -> Registrar {
    let port = free_port();
    let folder = std::env::temp_dir().join(format!("firstline-registrar-{port}"));
    std::fs::create_dir_all(&folder).unwrap();
    let text = include_str!("registrar.cfg").replace("PORT", &port.to_string());
    std::fs::write(folder.join("kamailio.cfg"), text).unwrap();
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let child = Command::new("kamailio")
        .args(["-DD", "-E", "-f"])
        .arg(folder.join("kamailio.cfg"))
        .arg("-Y")
        .arg(&folder)
        .arg("-P")
        .arg(folder.join("pid"))
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("kamailio runs");
    Registrar {
        port,
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
async fn talk(mut leg: Box<dyn Leg>) -> Saw {
    drive(&mut *leg, Duration::from_secs(15), |turn, leg, saw, _| {
        if saw.has(&Signal::Answered) && turn >= 150 {
            leg.hangup(200, "done");
        }
        tone(turn)
    })
    .await
}

async fn state(edge: &SipEdge, wanted: impl Fn(&Registration) -> bool) -> Registration {
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
