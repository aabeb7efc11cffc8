//! Desk phones that register with this line: ours as a customer, and a real one (baresip).

use firstline::edge::sip::{Account, Registration, Trunk};
use tokio::process::Command;

use super::real::have;
use super::*;

fn maria(password: &str) -> Account {
    Account {
        user: "maria".into(),
        password: password.into(),
    }
}

async fn line() -> (SipEdge, Receiver<IncomingCall>) {
    let settings = SipConfig {
        phones: vec![maria("right")],
        ..config()
    };
    SipEdge::start(settings).await.unwrap()
}

async fn phone(
    line: &SipEdge,
    password: &str,
    transport: Transport,
) -> (SipEdge, Receiver<IncomingCall>) {
    let port = address(line, transport == Transport::Tcp).port();
    let settings = SipConfig {
        trunks: vec![Trunk {
            name: "desk".into(),
            host: "127.0.0.1".into(),
            port: Some(port),
            transport,
            account: Some(maria(password)),
            proxy: None,
            register: true,
            caller_id: None,
            vouched: false,
            by_name: true,
        }],
        ..config()
    };
    SipEdge::start(settings).await.unwrap()
}

async fn settled(edge: &SipEdge) -> Registration {
    for _ in 0..200 {
        match edge.registrations().remove(0).1 {
            Registration::Trying => tokio::time::sleep(Duration::from_millis(25)).await,
            known => return known,
        }
    }
    Registration::Trying
}

async fn ring(line: &SipEdge) -> Saw {
    let mut leg = line.dial("phone:maria", "+15550100", 5, &[]);
    drive(&mut *leg, Duration::from_secs(10), |turn, leg, saw, _| {
        if saw.has(&Signal::Answered) && turn > 100 {
            leg.hangup(200, "done");
        }
        tone(turn)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_registers_is_rung_and_goes() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (line, _calls) = line().await;
        let nobody = ring(&line).await;
        assert!(
            nobody
                .signals
                .iter()
                .any(|s| matches!(s, Signal::Ended(e) if e.detail.contains("not registered"))),
            "{nobody:?}"
        );
        let (desk, calls) = phone(&line, "right", transport).await;
        assert_eq!(
            settled(&desk).await,
            Registration::Registered,
            "{transport:?}"
        );
        assert_eq!(line.phones(), [("maria".to_owned(), 1)]);
        let mut seen = answer(calls, Way::Echo);
        let here = ring(&line).await;
        assert!(here.has(&Signal::Answered), "{transport:?} {here:?}");
        assert!(here.loud > 40, "{transport:?} {here:?}");
        assert_eq!(here.end(), Some(EndCause::Ours));
        assert_eq!(seen.recv().await.unwrap().end(), Some(EndCause::Remote));
        desk.unregister();
        for _ in 0..100 {
            if line.phones() == [("maria".to_owned(), 0)] {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(line.phones(), [("maria".to_owned(), 0)]);
    }
}

/// The line is started anew, and the phone does not know that: it is rung at once, as it was registered before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_is_known_again_after_a_restart() {
    let (before, _calls) = line().await;
    let (desk, calls) = phone(&before, "right", Transport::Udp).await;
    assert_eq!(settled(&desk).await, Registration::Registered);
    let folder = std::env::temp_dir().join(format!("firstline-phones-{}", free_port()));
    std::fs::create_dir_all(&folder).unwrap();
    let stopping = tokio_util::sync::CancellationToken::new();
    stopping.cancel();
    firstline::runtime::phones::run(before.clone(), folder.clone(), stopping).await;
    before.stop();

    let (after, _calls) = line().await;
    assert_eq!(after.phones(), [("maria".to_owned(), 0)]);
    firstline::runtime::phones::restore(&after, &folder);
    firstline::runtime::phones::restore(&after, &folder);
    assert_eq!(after.phones(), [("maria".to_owned(), 1)]);
    let mut seen = answer(calls, Way::Echo);
    let here = ring(&after).await;
    assert!(here.has(&Signal::Answered) && here.loud > 40, "{here:?}");
    assert_eq!(seen.recv().await.unwrap().end(), Some(EndCause::Remote));
    // Nobody is known who has no account any more.
    let (nobody, _calls) = edge().await;
    firstline::runtime::phones::restore(&nobody, &folder);
    assert!(nobody.phones().is_empty());
    let _ = std::fs::remove_dir_all(&folder);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_registers_nobody_and_nobody_is_a_sentence() {
    let (line, _calls) = line().await;
    let (desk, _none) = phone(&line, "wrong", Transport::Udp).await;
    assert!(matches!(settled(&desk).await, Registration::Failed(_)));
    assert_eq!(line.phones(), [("maria".to_owned(), 0)]);
    let mut leg = line.dial("phone:otto", "+15550100", 5, &[]);
    let here = drive(&mut *leg, Duration::from_secs(3), |_, _, _, _| [0; FRAME]).await;
    assert!(
        here.signals
            .iter()
            .any(|s| matches!(s, Signal::Ended(e) if e.detail.contains("no [[phone]]"))),
        "{here:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn baresip_registers_and_is_rung() {
    if !have("baresip") {
        return;
    }
    let (line, _calls) = line().await;
    let home = std::env::temp_dir().join(format!("firstline-desk-phone-{}", free_port()));
    std::fs::create_dir_all(&home).unwrap();
    let wav = home.join("tone.wav");
    super::real::write_tone(&wav);
    let module = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"]
        .into_iter()
        .find(|p| std::path::Path::new(p).is_dir())
        .unwrap_or("/usr/lib/baresip/modules");
    std::fs::write(
        home.join("config"),
        format!(
            "sip_listen 127.0.0.1:0\nmodule_path {module}\nmodule g711.so\nmodule aufile.so\nmodule menu.so\nmodule account.so\n\
             module_app menu.so\nmodule_app account.so\naudio_source aufile,{}\naudio_player aufile,{}\nausrc_srate 8000\n\
             auplay_srate 8000\nausrc_channels 1\nauplay_channels 1\nrtp_ports 27000-27999\n",
            wav.display(),
            home.join("heard.wav").display()
        ),
    )
    .unwrap();
    std::fs::write(
        home.join("accounts"),
        format!(
            "<sip:maria@{}>;auth_pass=right;regint=60;answermode=auto;audio_codecs=PCMA/8000/1\n",
            address(&line, false)
        ),
    )
    .unwrap();
    std::fs::write(home.join("contacts"), "").unwrap();
    let mut child = Command::new("baresip")
        .arg("-f")
        .arg(&home)
        .args(["-t", "12"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("baresip runs");
    for _ in 0..100 {
        if line.phones()[0].1 == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        line.phones(),
        [("maria".to_owned(), 1)],
        "it has registered"
    );
    let here = ring(&line).await;
    assert!(here.has(&Signal::Answered) && here.loud > 20, "{here:?}");
    let _ = child.kill().await;
    let _ = std::fs::remove_dir_all(&home);
}
