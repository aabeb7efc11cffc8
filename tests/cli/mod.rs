//! The commands of the README, run as they stand there, one after another, as somebody would who reads it from the top.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use firstline::runtime::models;

use crate::ports::free_port;
use crate::speech::there;

mod mic;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every line of every `sh` block, without its comment.
fn commands_of_the_readme() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
        } else if inside {
            let command = line.split(" #").next().unwrap_or_default().trim();
            if !command.is_empty() {
                found.push(command.to_owned());
            }
        }
    }
    found
}

fn firstline(args: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstline"));
    command.args(args).current_dir(dir).env("NO_COLOR", "1");
    command
}

fn with_input(mut command: Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn good(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{out}\n{err}");
    out
}

/// A folder that goes away with the test.
struct Folder(PathBuf);
impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("firstline-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}
impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn models_are_there() -> bool {
    [
        "minilm",
        "silero-vad",
        "whisper-tiny.en",
        "piper-en_US-joe-medium",
    ]
    .iter()
    .all(|model| there(models::model_dir(model)).is_some())
}

#[test]
fn the_readme_from_the_top() {
    if !models_are_there() {
        return;
    }
    let folder = Folder::new("readme");
    let dir = folder.0.as_path();
    let (sip, http) = (free_port(), free_port());
    let settings = [
        ("FIRSTLINE_SIP__LISTEN", format!("udp:127.0.0.1:{sip}")),
        ("FIRSTLINE_SIP__ADVERTISE", "127.0.0.1".to_owned()),
        ("FIRSTLINE_HTTP__LISTEN", format!("127.0.0.1:{http}")),
        (
            "FIRSTLINE_DESK__PATH",
            dir.join("mydesk").display().to_string(),
        ),
        (
            "FIRSTLINE_STORAGE__URL",
            format!("sqlite:{}", dir.join("line.db").display()),
        ),
        (
            "FIRSTLINE_STORAGE__RECORDINGS",
            dir.join("recordings").display().to_string(),
        ),
    ];
    let config = root()
        .join("sip-config/firstline.toml")
        .display()
        .to_string();
    let mut line = None;
    for command in commands_of_the_readme() {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            // What they do is tried by `scripts/test`; here, that they are there and may be run.
            [script, ..] if script.starts_with("scripts/") => {
                use std::os::unix::fs::PermissionsExt;
                let mode = std::fs::metadata(root().join(script))
                    .unwrap()
                    .permissions()
                    .mode();
                assert!(mode & 0o111 != 0, "{script} cannot be run");
            }
            ["firstline", "desk", "new", ..] => {
                let answers =
                    "Acme Bikes\nSam\nen-GB\n\n+442071838750\nsip:shop@127.0.0.1:5090\n\n";
                good(&with_input(firstline(&words[1..], dir), answers));
                let desk = std::fs::read_to_string(dir.join("mydesk/desk.toml")).unwrap();
                assert!(desk.contains("Acme Bikes"), "{desk}");
            }
            ["firstline", "desk", "check", ..] => {
                let output = firstline(&words[1..], dir).output().unwrap();
                good(&output);
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(said.contains("is good"), "{said}");
            }
            ["firstline", "chat", ..] => {
                let said = good(&with_input(
                    firstline(&words[1..], dir),
                    "I want to talk to a person\n",
                ));
                assert!(
                    said.contains("Acme Bikes") && said.contains("automated"),
                    "{said}"
                );
                assert!(said.contains("colleague"), "{said}");
            }
            ["firstline", "serve", "--config", ..] => {
                let mut child = firstline(&["serve", "--config", &config], dir)
                    .envs(settings.clone())
                    .stdin(Stdio::null())
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap();
                let mut ready = String::new();
                let mut stdout = BufReader::new(child.stdout.take().unwrap());
                stdout.read_line(&mut ready).unwrap();
                assert!(ready.starts_with("ready "), "{ready}");
                assert!(
                    ready.contains(&format!(":{sip}"))
                        && ready.contains(&format!("http=127.0.0.1:{http}")),
                    "{ready}"
                );
                line = Some(child);
            }
            ["firstline", "drain"] => {
                let mut line = line
                    .take()
                    .expect("the line was started before it is drained");
                good(
                    &firstline(&["drain", "--config", &config], dir)
                        .envs(settings.clone())
                        .output()
                        .unwrap(),
                );
                let until = Instant::now() + Duration::from_secs(30);
                let status = loop {
                    if let Some(status) = line.try_wait().unwrap() {
                        break status;
                    }
                    if Instant::now() > until {
                        line.kill().unwrap();
                        panic!("a drained line without calls goes on");
                    }
                    std::thread::sleep(Duration::from_millis(50));
                };
                assert!(status.success(), "{status}");
            }
            // On a computer without a sound device: a sentence that says so. With one it is tried in `mic`.
            ["firstline", "mic", ..] => {
                let output = firstline(&words[1..], root())
                    .env("ALSA_CONFIG_PATH", "/dev/null")
                    .output()
                    .unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), Some(1), "{said}");
                assert!(said.contains("firstline: this computer has no "), "{said}");
            }
            _ => panic!("the README has a command that no test runs: {command}"),
        }
    }
    assert!(
        line.is_none(),
        "the README starts a line and does not say how it is ended"
    );
}

#[test]
fn every_command_has_help_with_an_example() {
    let dir = root();
    let said = good(&firstline(&["--help"], dir).output().unwrap());
    let names: Vec<&str> = said
        .lines()
        .skip_while(|l| !l.starts_with("Commands:"))
        .skip(1)
        .take_while(|l| l.starts_with("  "))
        .filter_map(|l| l.split_whitespace().next())
        .filter(|n| *n != "help")
        .collect();
    for promised in [
        "serve",
        "mic",
        "call",
        "chat",
        "ask",
        "transcribe",
        "speak",
        "models",
        "desk",
        "doctor",
        "drain",
        "kb",
        "eval",
        "report",
        "audit",
        "replay",
    ] {
        assert!(
            names.contains(&promised),
            "{promised} is missing: {names:?}"
        );
    }
    for name in names {
        let help = good(&firstline(&[name, "--help"], dir).output().unwrap());
        assert!(
            help.contains("Example"),
            "`{name} --help` has no example:\n{help}"
        );
    }
}

#[test]
fn misuse_is_two_and_one_sentence() {
    for args in [
        &["nonsense"][..],
        &["serve", "--nonsense"],
        &["desk", "new"],
        &["transcribe"],
    ] {
        let output = firstline(args, root())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    let output = firstline(&["desk", "check", "/no/such/desk"], root())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("/no/such/desk") && said.contains("firstline desk new"),
        "{said}"
    );
}

/// What could only fail in the middle of a call is said before there is one: by `serve`, which does not start, and by `doctor`.
#[test]
fn people_whom_the_line_cannot_call_are_told_before_a_call_is() {
    let folder = Folder::new("people");
    let dir = folder.0.as_path();
    std::fs::create_dir_all(dir.join("desk/knowledge")).unwrap();
    std::fs::write(
        dir.join("desk/knowledge/hours.md"),
        "---\nid: hours\ntitle: Opening hours\n---\nNine to five.\n",
    )
    .unwrap();
    let desk = |queues: &str| {
        let text = format!("company = \"X\"\n[escalation.queues]\n{queues}\n");
        std::fs::write(dir.join("desk/desk.toml"), text).unwrap();
    };
    let (sip, http) = (free_port(), free_port());
    let run = |what: &str, http: u16| {
        let mut command = firstline(&[what], dir);
        command
            .env(
                "FIRSTLINE_SIP__LISTEN",
                format!("udp:127.0.0.1:{sip},tcp:127.0.0.1:{sip}"),
            )
            .env("FIRSTLINE_HTTP__LISTEN", format!("127.0.0.1:{http}"))
            .env("FIRSTLINE_DESK__PATH", dir.join("desk"))
            .env("FIRSTLINE_TRANSFER__WEBHOOK", "https://desk.example.com/in");
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{said}");
        said
    };
    desk("asked = [\"phone:maria\"]");
    for what in ["doctor", "serve"] {
        let said = run(what, http);
        assert!(said.contains("names no [[phone]]"), "{what}: {said}");
        assert!(
            said.contains("set transfer.recording_url"),
            "{what}: {said}"
        );
        let said = run(what, sip);
        assert!(said.contains("want the same port"), "{what}: {said}");
    }
    desk(
        "refundz = { targets = [{ target = \"sip:a@127.0.0.1\", hours = [\"sat 09:00-10:00\"] }], hours = [\"mon-fri 08:00-18:00\"] }",
    );
    let checked = good(&firstline(&["desk", "check", "desk"], dir).output().unwrap());
    for says in ["is no intent's", "never has anybody"] {
        assert!(checked.contains(says), "{checked}");
    }
}
