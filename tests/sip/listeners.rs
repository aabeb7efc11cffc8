//! Several listeners: each is answered for by itself.

use super::by_hand::Hand;
use super::*;

async fn line(listen: &[&str]) -> (SipEdge, Receiver<IncomingCall>) {
    let settings = SipConfig {
        listen: listen.iter().map(|l| (*l).to_owned()).collect(),
        ..config()
    };
    SipEdge::start(settings).await.unwrap()
}

fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let line = message.lines().find(|l| l.starts_with(name));
    line.unwrap_or_else(|| panic!("no {name} in {message}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_stays_with_the_listener_it_came_to() {
    for listen in [
        ["udp:127.0.0.1:0", "udp:127.0.0.1:0"],
        ["tcp:127.0.0.1:0", "tcp:127.0.0.1:0"],
    ] {
        let (callee, calls) = line(&listen).await;
        let _seen = answer(calls, Way::HangUpAfter(400));
        let over_tcp = listen[0].starts_with("tcp");
        for listener in callee.listeners() {
            // By hand, and connected: what comes from another of its sockets is not heard at all.
            let mut hand = Hand::at(listener.addr, over_tcp).await;
            let taken = hand.set_up().await;
            let at = format!("@{}", listener.addr);
            assert!(header(&taken, "Contact:").contains(&at), "{at}: {taken}");
            hand.request("ACK", 1, "", "").await;
            // Over TCP our BYE goes to the Contact, which takes no connection here.
            if !over_tcp {
                let bye = hand.asked("BYE").await;
                let via = header(&bye, "Via:");
                assert!(via.contains(&listener.addr.to_string()), "{via}");
                hand.respond(&bye, "200 OK").await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_proxy_on_this_computer_sound_is_advertised_and_signalling_is_not() {
    let settings = SipConfig {
        listen: vec!["udp:127.0.0.1:0".into()],
        advertise: Some("192.0.2.7".parse().unwrap()),
        ..config()
    };
    let (callee, calls) = SipEdge::start(settings).await.unwrap();
    let _seen = answer(calls, Way::Tone);
    let mut hand = Hand::new(&callee, false).await;
    let taken = hand.set_up().await;
    assert!(taken.contains("c=IN IP4 192.0.2.7"), "{taken}");
    let here = format!("@{}", address(&callee, false));
    assert!(header(&taken, "Contact:").contains(&here), "{taken}");
    hand.request("ACK", 1, "", "").await;
    hand.request("BYE", 2, "", "").await;
    assert!(hand.answer_to("2 BYE").await.starts_with("SIP/2.0 200"));
}
