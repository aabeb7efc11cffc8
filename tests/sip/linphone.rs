//! linphone, a softphone of another make, as a caller. Its console is typed to as a person would.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};

use super::real::{have, write_tone};
use super::*;

/// One linphone; ended when dropped.
struct Linphone {
    child: Child,
    keys: ChildStdin,
    folder: std::path::PathBuf,
}

impl Drop for Linphone {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Linphone {
    /// `config`: more lines of its configuration's `[sip]` section.
    async fn start(config: &str, arguments: &[&str]) -> Self {
        let port = free_port();
        let folder = std::env::temp_dir().join(format!("firstline-linphone-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        write_tone(&folder.join("tone.wav"));
        let rtp = 26_000 + port % 1_900 * 2;
        std::fs::write(
            folder.join("rc"),
            format!("[sip]\n{config}\n[rtp]\naudio_rtp_port={rtp}\n"),
        )
        .unwrap();
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let mut child = Command::new("linphonec")
            .arg("-c")
            .arg(folder.join("rc"))
            .args(arguments)
            .env("HOME", &folder)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("linphonec runs");
        let keys = child.stdin.take().unwrap();
        let mut phone = Self {
            child,
            keys,
            folder,
        };
        // Without sound hardware it plays a file, and writes what it hears to one.
        phone.types("soundcard use files").await;
        let files = phone.folder.display().to_string();
        phone.types(&format!("play {files}/tone.wav")).await;
        phone.types(&format!("record {files}/heard.wav")).await;
        phone.types(&format!("ports sip {port}")).await;
        phone.until("ports", &format!("sip port = {port}")).await;
        phone
    }

    async fn types(&mut self, line: &str) {
        self.keys
            .write_all(format!("{line}\n").as_bytes())
            .await
            .unwrap();
        self.keys.flush().await.unwrap();
    }

    fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Types a question until the answer holds this: it reads its console as slowly as it starts.
    async fn until(&mut self, ask: &str, said: &str) {
        for _ in 0..40 {
            self.types(ask).await;
            tokio::time::sleep(Duration::from_millis(250)).await;
            if self.log().contains(said) {
                return;
            }
        }
        panic!("linphone did not say `{said}`: {}", self.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn linphone_calls_holds_presses_keys_and_goes() {
    if !have("linphonec") {
        return;
    }
    let (callee, incoming) = edge().await;
    let mut seen = answer(incoming, Way::Tone);
    let mut phone = Linphone::start("", &[]).await;
    phone
        .types(&format!("call sip:line@{}", address(&callee, false)))
        .await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    for line in ["7", "#", "pause"] {
        phone.types(line).await;
        tokio::time::sleep(Duration::from_millis(900)).await;
    }
    phone.types("resume 1").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    phone.types("terminate").await;
    let there = tokio::time::timeout(Duration::from_secs(15), seen.recv()).await;
    let log = phone.log();
    let there = there
        .unwrap_or_else(|_| panic!("no call came: {log}"))
        .unwrap();
    assert!(there.has(&Signal::Answered), "{there:?} {log}");
    assert!(there.loud > 50, "{there:?} {log}");
    assert_eq!(there.keys, "7#", "{there:?} {log}");
    let held: Vec<_> = there
        .signals
        .iter()
        .filter(|s| matches!(s, Signal::Held | Signal::Resumed))
        .collect();
    assert_eq!(held, [&Signal::Held, &Signal::Resumed], "{log}");
    assert_eq!(there.end(), Some(EndCause::Remote), "{there:?} {log}");
    phone.types("quit").await;
    let _ = tokio::time::timeout(Duration::from_secs(5), phone.child.wait()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn linphone_calls_with_encrypted_sound() {
    if !have("linphonec") {
        return;
    }
    let mut settings = config();
    settings.media.srtp = firstline::wire::sdp::Srtp::Required;
    let (callee, incoming) = SipEdge::start(settings).await.unwrap();
    let mut seen = answer(incoming, Way::Tone);
    // SRTP by SDES. It is a caller only: without a way to the internet it believes to have no network, and takes no calls.
    let mut phone =
        Linphone::start("media_encryption=srtp\nmedia_encryption_mandatory=1", &[]).await;
    phone
        .types(&format!("call sip:line@{}", address(&callee, false)))
        .await;
    tokio::time::sleep(Duration::from_millis(3_000)).await;
    phone.types("terminate").await;
    let there = tokio::time::timeout(Duration::from_secs(15), seen.recv()).await;
    let log = phone.log();
    let there = there
        .unwrap_or_else(|_| panic!("no call came: {log}"))
        .unwrap();
    assert!(there.has(&Signal::Answered), "{there:?} {log}");
    assert!(there.codec.ends_with(" srtp"), "{there:?} {log}");
    assert!(there.loud > 25, "{there:?} {log}");
    assert_eq!(there.end(), Some(EndCause::Remote), "{there:?} {log}");
}
