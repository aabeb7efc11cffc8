//! More than one trunk, a proxy in front of one, and one over TCP that has no listener to come back to.

use firstline::edge::sip::{Account, Registration, Trunk};
use tokio::net::UdpSocket;

use super::real::have;
use super::trunk::{Registrar, registrar_over_tcp, state, talk};
use super::*;

fn trunk(name: &str, host: &str, port: Option<u16>, transport: Transport) -> Trunk {
    Trunk {
        name: name.into(),
        host: host.into(),
        port,
        transport,
        account: Some(Account {
            user: "line".into(),
            password: "right".into(),
        }),
        proxy: None,
        register: false,
        caller_id: None,
        vouched: false,
        by_name: false,
    }
}

fn said(saw: &Saw) -> String {
    saw.signals
        .iter()
        .find_map(|s| match s {
            Signal::Ended(e) => Some(e.detail.clone()),
            _ => None,
        })
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_goes_through_the_trunk_that_is_named_or_the_first_that_stands() {
    let (first, first_calls) = edge().await;
    let (second, second_calls) = edge().await;
    let (mut one, mut two) = (
        answer(first_calls, Way::Tone),
        answer(second_calls, Way::Tone),
    );
    let to = |name: &str, edge: &SipEdge| {
        let at = address(edge, false);
        trunk(name, "127.0.0.1", Some(at.port()), Transport::Udp)
    };
    // Nobody is at this port: it never registers.
    let down = Trunk {
        register: true,
        ..trunk("down", "127.0.0.1", Some(free_port()), Transport::Tcp)
    };
    let settings = SipConfig {
        trunks: vec![down, to("a", &first), to("b", &second)],
        ..config()
    };
    let (line, _none) = SipEdge::start(settings).await.unwrap();
    state(&line, |s| matches!(s, Registration::Failed(_))).await;
    let heard = talk(line.dial("trunk:+15550123", "", 5, &[])).await;
    assert!(heard.has(&Signal::Answered), "{:?}", heard.signals);
    assert!(one.recv().await.is_some() && two.try_recv().is_err());
    let heard = talk(line.dial("trunk:b:+15550123", "", 5, &[])).await;
    assert!(heard.has(&Signal::Answered), "{:?}", heard.signals);
    assert!(two.recv().await.is_some() && one.try_recv().is_err());
    let heard = talk(line.dial("trunk:c:+15550123", "", 5, &[])).await;
    assert!(
        said(&heard).contains("no [[trunk]] is called `c`"),
        "{heard:?}"
    );
    let at = format!("sip:+15550123@127.0.0.1:{}", address(&second, false).port());
    assert_eq!(line.at_trunk("b:+15550123"), Some(at));
}

/// The proxy is where everything goes; the trunk's name is only what is written in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_a_proxy() {
    let proxy = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let settings = SipConfig {
        trunks: vec![Trunk {
            proxy: Some(proxy.local_addr().unwrap().to_string()),
            register: true,
            ..trunk("carrier", "carrier.invalid", None, Transport::Udp)
        }],
        ..config()
    };
    let (line, _none) = SipEdge::start(settings).await.unwrap();
    let mut buffer = [0; 8_192];
    let mut next = async |wanted: &str| {
        let read = async {
            loop {
                let (len, from) = proxy.recv_from(&mut buffer).await.unwrap();
                let text = String::from_utf8_lossy(&buffer[..len]).to_string();
                if text.starts_with(wanted) {
                    return (text, from);
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(5), read)
            .await
            .unwrap_or_else(|_| panic!("{wanted} never came to the proxy"))
    };
    let (register, from) = next("REGISTER ").await;
    assert!(
        register.starts_with("REGISTER sip:carrier.invalid"),
        "{register}"
    );
    let copied: String = register
        .lines()
        .filter(|l| {
            let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:", "Contact:"];
            kept.iter().any(|name| l.starts_with(name))
        })
        .map(|l| format!("{l}\r\n"))
        .collect();
    let ok = format!("SIP/2.0 200 OK\r\n{copied}Expires: 60\r\nContent-Length: 0\r\n\r\n");
    proxy.send_to(ok.as_bytes(), from).await.unwrap();
    let registered = state(&line, |s| *s == Registration::Registered).await;
    assert_eq!(registered, Registration::Registered);
    let calling = tokio::spawn(talk(line.dial("trunk:+15550123", "", 5, &[])));
    let (invite, _) = next("INVITE ").await;
    assert!(
        invite.starts_with("INVITE sip:+15550123@carrier.invalid"),
        "{invite}"
    );
    calling.abort();
}

/// Whom the connection is made to shows whose it is: the proxy, by the proxy's name and not the trunk's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_over_tls_is_asked_for_its_own_name() {
    let certificates = super::secure::Certificates::new();
    let mut proxy = config();
    proxy.listen = vec!["tls:127.0.0.1:0".into()];
    proxy.tls = certificates.files("line", false);
    let (proxy, calls) = SipEdge::start(proxy).await.unwrap();
    let mut seen = answer(calls, Way::Tone);
    let port = proxy.listeners()[0].addr.port();
    let customer = async |host: &str, at: String| {
        let mut settings = config();
        settings.tls = certificates.files("caller", false);
        settings.trunks = vec![Trunk {
            proxy: Some(at),
            ..trunk("carrier", host, None, Transport::Tls)
        }];
        let (line, _none) = SipEdge::start(settings).await.unwrap();
        talk(line.dial("trunk:+15550123", "", 5, &[])).await
    };
    let heard = customer("carrier.invalid", format!("localhost:{port}")).await;
    assert!(heard.has(&Signal::Answered), "{:?}", heard.signals);
    assert!(seen.recv().await.is_some());
    // By its address alone it is the carrier's own door, and has to show the carrier's name.
    let heard = customer("localhost", format!("127.0.0.1:{port}")).await;
    assert!(heard.has(&Signal::Answered), "{:?}", heard.signals);
    let heard = customer("carrier.invalid", format!("127.0.0.1:{port}")).await;
    assert!(
        said(&heard).contains("no TLS with carrier.invalid"),
        "{heard:?}"
    );
}

/// A registrar over TCP, and a line that listens where the registrar cannot reach it: calls come over the connection that it registered
/// on. When the registrar was gone, the line is back with it by itself, on another connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tcp_without_a_listener_and_again_when_the_registrar_was_gone() {
    if !have("kamailio") {
        return;
    }
    let mut registrar: Registrar = registrar_over_tcp().await;
    let settings = SipConfig {
        listen: vec!["udp:[::1]:0".into()],
        trunks: vec![Trunk {
            register: true,
            ..trunk("carrier", "127.0.0.1", Some(registrar.port), Transport::Tcp)
        }],
        ..config()
    };
    let (line, calls) = SipEdge::start(settings).await.unwrap();
    let mut seen = answer(calls, Way::Tone);
    let (phone, _none) = edge().await;
    let to = format!("sip:line@127.0.0.1:{}", registrar.port);
    for round in ["at first", "after the registrar was gone"] {
        let now = state(&line, |s| *s == Registration::Registered).await;
        assert_eq!(
            now,
            Registration::Registered,
            "{round}: {}",
            registrar.log()
        );
        let heard = talk(phone.dial(&to, "+15550123", 10, &[])).await;
        let log = registrar.log();
        assert!(
            heard.has(&Signal::Answered),
            "{round}: {:?} {log}",
            heard.signals
        );
        assert!(seen.recv().await.is_some());
        if round == "at first" {
            registrar.stop().await;
            let gone = state(&line, |s| matches!(s, Registration::Failed(_))).await;
            assert!(matches!(gone, Registration::Failed(_)), "{gone:?}");
            registrar.start_again().await;
        }
    }
}
