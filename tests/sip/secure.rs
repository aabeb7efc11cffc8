//! TLS and SRTP: between two of our own edges, and with a real softphone.

use firstline::audio::codec::Codec;
use firstline::edge::sip::{Account, Trunk};
use firstline::wire::sdp::Srtp;

use super::*;

/// A folder with an authority, a certificate for 127.0.0.1 and localhost, and one for a caller.
pub struct Certificates {
    folder: std::path::PathBuf,
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Certificates {
    pub fn new() -> Self {
        let folder = std::env::temp_dir().join(format!(
            "firstline-tls-{}-{}",
            std::process::id(),
            free_port()
        ));
        std::fs::create_dir_all(&folder).unwrap();
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = params.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::new(params, authority_key);
        let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
        write("ca.pem", authority.pem());
        for name in ["line", "caller"] {
            let key = rcgen::KeyPair::generate().unwrap();
            let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
            let params = rcgen::CertificateParams::new(names).unwrap();
            let cert = params.signed_by(&key, &issuer).unwrap();
            write(&format!("{name}.pem"), cert.pem());
            write(&format!("{name}.key"), key.serialize_pem());
        }
        Self { folder }
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.join(name)
    }

    pub fn files(&self, who: &str, ask_for_one: bool) -> TlsFiles {
        TlsFiles {
            cert: Some(self.path(&format!("{who}.pem"))),
            key: Some(self.path(&format!("{who}.key"))),
            client_ca: ask_for_one.then(|| self.path("ca.pem")),
            ca: Some(self.path("ca.pem")),
        }
    }
}

fn tls_port(edge: &SipEdge) -> u16 {
    let listener = edge
        .listeners()
        .iter()
        .find(|l| l.transport == Transport::Tls);
    listener.expect("a TLS listener").addr.port()
}

async fn talk(caller: &SipEdge, to: &str, seen: &mut Receiver<Saw>) -> (Saw, Option<Saw>) {
    let mut leg = caller.dial(to, "+15550100", 10, &[]);
    let mut up_at = None;
    let here = drive(&mut *leg, Duration::from_secs(15), |turn, leg, saw, _| {
        if saw.has(&Signal::Answered) && up_at.is_none() {
            up_at = Some(turn);
        }
        if up_at.is_some_and(|up| turn == up + 20) {
            leg.send_digit('5');
        }
        if up_at.is_some_and(|up| turn == up + 80) {
            leg.hangup(200, "done");
        }
        tone(turn)
    })
    .await;
    let there = tokio::time::timeout(Duration::from_secs(3), seen.recv()).await;
    (here, there.ok().flatten())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_over_tls_with_encrypted_sound() {
    let certificates = Certificates::new();
    let mut line = config();
    line.listen = vec!["tls:127.0.0.1:0".into()];
    line.tls = certificates.files("line", true);
    line.media.srtp = Srtp::Required;
    let (callee, calls) = SipEdge::start(line).await.unwrap();
    let mut seen = answer(calls, Way::Echo);
    let to = format!("sips:line@localhost:{}", tls_port(&callee));

    let mut settings = config();
    settings.tls = certificates.files("caller", false);
    settings.media.srtp = Srtp::Offered;
    let (caller, _none) = SipEdge::start(settings.clone()).await.unwrap();
    let (here, there) = talk(&caller, &to, &mut seen).await;
    let there = there.expect("the call came");
    assert!(here.has(&Signal::Answered), "{here:?}");
    assert!(here.codec.ends_with(" srtp"), "{here:?}");
    assert!(here.loud > 40 && there.loud > 40, "{here:?} {there:?}");
    assert_eq!(there.keys, "5");
    assert_eq!(there.end(), Some(EndCause::Remote), "BYE came over TLS");

    // Without a certificate of its own a caller does not get as far as SIP.
    settings.tls.cert = None;
    settings.tls.key = None;
    let (stranger, _none) = SipEdge::start(settings.clone()).await.unwrap();
    let (here, _) = talk(&stranger, &to, &mut seen).await;
    assert!(!here.has(&Signal::Answered), "{here:?}");
    // Nor does one who trusts nobody that signed ours.
    settings.tls = TlsFiles::default();
    let (wary, _none) = SipEdge::start(settings.clone()).await.unwrap();
    let (here, _) = talk(&wary, &to, &mut seen).await;
    assert_eq!(here.end(), Some(EndCause::Unreachable), "{here:?}");
    // Plain sound is refused where encryption is required.
    settings.tls = certificates.files("caller", false);
    settings.media.srtp = Srtp::Off;
    let (plain, _none) = SipEdge::start(settings).await.unwrap();
    let (here, _) = talk(&plain, &to, &mut seen).await;
    assert!(!here.has(&Signal::Answered), "{here:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_codec_carries_sound_and_keys() {
    for &codec in Codec::ALL {
        let (callee, calls) = edge().await;
        let mut seen = answer(calls, Way::Echo);
        let mut settings = config();
        settings.media.codecs = vec![codec];
        let (caller, _none) = SipEdge::start(settings).await.unwrap();
        let (here, there) = talk(&caller, &uri(&callee, false), &mut seen).await;
        let there = there.expect("the call came");
        assert_eq!(here.codec, codec.name());
        assert!(
            here.loud > 40 && there.loud > 40,
            "{codec:?} {here:?} {there:?}"
        );
        assert_eq!(there.keys, "5", "{codec:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_carrier_from_anywhere_shows_its_password() {
    let account = |password: &str| Account {
        user: "carrier".into(),
        password: password.into(),
    };
    let trunk = |password: &str, port: Option<u16>| Trunk {
        name: "carrier".into(),
        host: "127.0.0.1".into(),
        port,
        transport: Transport::Udp,
        account: Some(account(password)),
        proxy: None,
        register: false,
        caller_id: None,
        vouched: true,
        by_name: true,
    };
    // Loopback is always let in: the line listens on another of this computer's addresses and is called from there.
    let Some(here) = own_address() else {
        println!("skipped: this computer has no address but loopback");
        return;
    };
    let mut line = config();
    line.listen = vec![format!("udp:{here}:0")];
    line.trunks = vec![trunk("right", None)];
    let (callee, calls) = SipEdge::start(line).await.unwrap();
    let mut seen = answer(calls, Way::Echo);
    let port = callee.listeners()[0].addr.port();
    for (password, let_in) in [("right", true), ("wrong", false)] {
        let mut settings = config();
        settings.listen = vec![format!("udp:{here}:0")];
        settings.trunks = vec![Trunk {
            host: here.to_string(),
            ..trunk(password, Some(port))
        }];
        let (caller, _none) = SipEdge::start(settings).await.unwrap();
        let (saw, there) = talk(&caller, "trunk:+15550111", &mut seen).await;
        assert_eq!(saw.has(&Signal::Answered), let_in, "{password}: {saw:?}");
        assert_eq!(there.is_some(), let_in);
    }
}

pub fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}
