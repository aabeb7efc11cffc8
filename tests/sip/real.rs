//! Real peers as callers: sipp and baresip. Without the program a test says so and passes, unless FIRSTLINE_TEST_REAL is set.

use std::path::PathBuf;

use tokio::process::Command;

use super::*;

/// Is the program here? Missing is a failure only where real peers were asked for.
pub fn have(program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()));
    assert!(
        found || std::env::var_os("FIRSTLINE_TEST_REAL").is_none(),
        "{program} is not installed, and FIRSTLINE_TEST_REAL asks for it"
    );
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

fn scenario(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/sip")
        .join(name)
}

async fn sipp(name: &str, tcp: bool, calls: u32) -> (bool, String) {
    let (callee, incoming) = edge().await;
    let seen = answer(incoming, Way::Tone);
    let output = Command::new("sipp")
        .arg(address(&callee, tcp).to_string())
        .arg("-sf")
        .arg(scenario(name))
        .args([
            "-i",
            "127.0.0.1",
            "-t",
            if tcp { "t1" } else { "u1" },
            "-s",
            "line",
        ])
        .args([
            "-m",
            &calls.to_string(),
            "-l",
            "5",
            "-r",
            "5",
            "-nostdin",
            "-timeout",
            "40",
            "-timeout_error",
        ])
        .output()
        .await
        .expect("sipp runs");
    drop(seen);
    let text = String::from_utf8_lossy(&output.stdout).to_string()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sipp_calls_and_is_answered() {
    if !have("sipp") {
        return;
    }
    for (name, tcp) in [
        ("call.xml", false),
        ("call.xml", true),
        ("late_offer.xml", false),
        ("cancel.xml", false),
        ("hold.xml", false),
    ] {
        let (good, text) = sipp(name, tcp, 5).await;
        assert!(
            good,
            "{name} over {}: {text}",
            if tcp { "TCP" } else { "UDP" }
        );
    }
}

/// How baresip is to call.
pub struct Softphone<'a> {
    /// As baresip names it, with clock and channels.
    codec: &'a str,
    module: &'a str,
    srtp: bool,
    /// The authority that signed the line's certificate: over TLS, then.
    authority: Option<&'a std::path::Path>,
}

/// Calls `callee` for four seconds with a tone; gives what baresip printed.
pub async fn baresip(callee: &SipEdge, phone: &Softphone<'_>) -> String {
    let home = std::env::temp_dir().join(format!(
        "firstline-baresip-{}-{}",
        std::process::id(),
        free_port()
    ));
    std::fs::create_dir_all(&home).unwrap();
    let wav = home.join("tone.wav");
    write_tone(&wav);
    let module = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"]
        .into_iter()
        .find(|p| std::path::Path::new(p).is_dir())
        .unwrap_or("/usr/lib/baresip/modules");
    let authority = phone.authority.map_or_else(String::new, |path| {
        format!("sip_cafile {}\n", path.display())
    });
    let config = format!(
        "sip_listen 127.0.0.1:0\n{authority}module_path {module}\nmodule {}\nmodule srtp.so\nmodule aufile.so\nmodule menu.so\n\
         module account.so\nmodule_app menu.so\nmodule_app account.so\naudio_source aufile,{}\naudio_player aufile,{}\n\
         ausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\nrtp_ports 25000-25999\n",
        phone.module,
        wav.display(),
        home.join("heard.wav").display(),
    );
    std::fs::write(home.join("config"), config).unwrap();
    let secure = if phone.srtp {
        ";mediaenc=srtp-mand"
    } else {
        ""
    };
    let transport = if phone.authority.is_some() {
        ";transport=tls"
    } else {
        ""
    };
    let account = format!(
        "<sip:tester@127.0.0.1{transport}>;regint=0;audio_codecs={}{secure}\n",
        phone.codec
    );
    std::fs::write(home.join("accounts"), account).unwrap();
    std::fs::write(home.join("contacts"), "").unwrap();
    let listener = callee.listeners().iter().find(|l| {
        l.transport
            == if phone.authority.is_some() {
                Transport::Tls
            } else {
                Transport::Udp
            }
    });
    let to = format!("sip:line@{}{transport}", listener.expect("a listener").addr);
    let output = Command::new("baresip")
        .arg("-f")
        .arg(&home)
        .args(["-e", &format!("d {to}"), "-t", "4"])
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(20), output)
        .await
        .expect("baresip ends")
        .unwrap();
    let _ = std::fs::remove_dir_all(&home);
    String::from_utf8_lossy(&output.stdout).to_string() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn baresip_calls_and_is_heard() {
    if !have("baresip") {
        return;
    }
    let certificates = super::secure::Certificates::new();
    let authority = certificates.path("ca.pem");
    let phone = |codec, module, srtp, tls: bool| Softphone {
        codec,
        module,
        srtp,
        authority: tls.then_some(authority.as_path()),
    };
    for phone in [
        phone("PCMA/8000/1", "g711.so", false, false),
        phone("G722/16000/1", "g722.so", true, false),
        phone("opus/48000/2", "opus.so", false, false),
        phone("opus/48000/2", "opus.so", true, true),
    ] {
        let mut settings = config();
        settings.listen.push("tls:127.0.0.1:0".into());
        settings.tls = certificates.files("line", false);
        let (callee, incoming) = SipEdge::start(settings).await.unwrap();
        let mut seen = answer(incoming, Way::Echo);
        let text = baresip(&callee, &phone).await;
        let there = tokio::time::timeout(Duration::from_secs(10), seen.recv()).await;
        let what = format!("{} srtp {} {text}", phone.codec, phone.srtp);
        let there = there
            .unwrap_or_else(|_| panic!("no call came: {what}"))
            .unwrap();
        assert!(there.has(&Signal::Answered), "{there:?} {what}");
        assert!(there.loud > 50, "{there:?} {what}");
        assert_eq!(there.end(), Some(EndCause::Remote), "{there:?} {what}");
        let codec = phone.codec.split('/').next().unwrap_or_default();
        assert!(
            there.codec.eq_ignore_ascii_case(&match phone.srtp {
                true => format!("{codec} srtp"),
                false => codec.to_owned(),
            }),
            "{there:?}"
        );
    }
}

/// A phone that is told to call somebody else does so and tells. One that cannot take another's place is not asked to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn baresip_goes_where_it_is_sent() {
    if !have("baresip") {
        return;
    }
    let (line, mut calls) = edge().await;
    let (human_edge, human_calls) = edge().await;
    let human = uri(&human_edge, false);
    let mut seen = answer(human_calls, Way::Echo);
    let phone = Softphone {
        codec: "PCMA/8000/1",
        module: "g711.so",
        srtp: false,
        authority: None,
    };
    let ours = async {
        let mut ours = calls.recv().await.expect("a call").leg;
        ours.answer();
        let mut became = Vec::new();
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        for n in 0..400u64 {
            ticks.tick().await;
            for signal in ours.pull().signals {
                if let Signal::Referred(code) = signal {
                    became.push(code);
                }
            }
            ours.push(&tone(n));
            match n {
                50 => assert!(
                    ours.refer(&format!("<{human}?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>"))
                ),
                70 => assert!(ours.refer(&human)),
                _ if became.len() == 2 => break,
                _ => {}
            }
        }
        became
    };
    let (text, became) = tokio::join!(baresip(&line, &phone), ours);
    assert_eq!(became, [501, 200], "{text}");
    let saw = tokio::time::timeout(Duration::from_secs(15), seen.recv()).await;
    let saw = saw.expect("the human's call ends").expect("a call");
    assert!(saw.loud > 20, "{saw:?} {text}");
}

pub fn write_tone(path: &std::path::Path) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..80_000u32 {
        let t = f64::from(n) / 8_000.0 * 300.0 * std::f64::consts::TAU;
        wav.write_sample((t.sin() * 9_000.0) as i16).unwrap();
    }
    wav.finalize().unwrap();
}
