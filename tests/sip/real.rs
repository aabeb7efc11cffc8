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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn baresip_calls_and_is_heard() {
    if !have("baresip") {
        return;
    }
    let (callee, incoming) = edge().await;
    let mut seen = answer(incoming, Way::Echo);
    let home = std::env::temp_dir().join(format!("firstline-baresip-{}", std::process::id()));
    std::fs::create_dir_all(&home).unwrap();
    let wav = home.join("tone.wav");
    write_tone(&wav);
    let module = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"]
        .into_iter()
        .find(|p| std::path::Path::new(p).is_dir())
        .unwrap_or("/usr/lib/baresip/modules");
    let config = format!(
        "sip_listen 127.0.0.1:0\nmodule_path {module}\nmodule g711.so\nmodule aufile.so\nmodule menu.so\nmodule account.so\n\
         module_app menu.so\nmodule_app account.so\naudio_source aufile,{}\naudio_player aufile,{}\nrtp_ports 25000-25999\n",
        wav.display(),
        home.join("heard.wav").display(),
    );
    std::fs::write(home.join("config"), config).unwrap();
    std::fs::write(home.join("accounts"), "<sip:tester@127.0.0.1>;regint=0\n").unwrap();
    std::fs::write(home.join("contacts"), "").unwrap();
    let output = Command::new("baresip")
        .arg("-f")
        .arg(&home)
        .args(["-e", &format!("d {}", uri(&callee, false)), "-t", "4"])
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(20), output)
        .await
        .expect("baresip ends")
        .unwrap();
    let there = tokio::time::timeout(Duration::from_secs(10), seen.recv()).await;
    let text = String::from_utf8_lossy(&output.stdout);
    let there = there
        .unwrap_or_else(|_| panic!("no call came: {text}"))
        .unwrap();
    assert!(there.has(&Signal::Answered), "{there:?} {text}");
    assert!(there.loud > 50, "{there:?} {text}");
    assert_eq!(there.end(), Some(EndCause::Remote), "{there:?} {text}");
    let _ = std::fs::remove_dir_all(&home);
}

fn write_tone(path: &std::path::Path) {
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
