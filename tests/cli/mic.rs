//! A person at the microphone, with a real sound system and no hardware: PulseAudio with one sink that is the room and one that is the
//! loudspeaker.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Folder, firstline, models_are_there, root};
use crate::sip::real::have;

/// Ended when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ahead of other programs where that is permitted: a person and a sound card are not slowed down by what else the computer does.
fn hasty(program: &str) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "-15", program]);
    command
}

fn start(command: &mut Command, dir: &Path) -> Running {
    let child = command
        .env("HOME", dir)
        .env("XDG_RUNTIME_DIR", dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Running(child.expect("it starts"))
}

fn pactl(dir: &Path, words: &[&str]) -> bool {
    let done = Command::new("pactl")
        .args(words)
        .env("HOME", dir)
        .env("XDG_RUNTIME_DIR", dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    done.is_ok_and(|s| s.success())
}

fn record(recordings: &Path) -> Option<serde_json::Value> {
    // Beside the call's folder there may be others: what is owed to the database, the trail's key.
    let mut folders = std::fs::read_dir(recordings).ok()?.flatten();
    let text = folders.find_map(|f| std::fs::read(f.path().join("record.json")).ok())?;
    serde_json::from_slice(&text).ok()
}

fn wait(what: &str, seconds: u64, mut there: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(seconds);
    while !there() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_person_at_the_microphone_is_greeted_and_answered() {
    if !models_are_there() || !have("pulseaudio") || !have("paplay") {
        return;
    }
    let folder = Folder::new("mic");
    let dir = folder.0.as_path();
    let asound = "pcm.!default { type pulse }\nctl.!default { type pulse }\n";
    std::fs::write(dir.join(".asoundrc"), asound).unwrap();
    let _sound = start(
        hasty("pulseaudio").args([
            "-n",
            "--exit-idle-time=-1",
            "--daemonize=no",
            "-L",
            "module-native-protocol-unix",
            "-L",
            "module-null-sink sink_name=room rate=48000",
            "-L",
            "module-null-sink sink_name=speaker rate=44100 channels=2",
        ]),
        dir,
    );
    wait("PulseAudio runs", 15, || {
        pactl(dir, &["set-default-sink", "speaker"])
    });
    assert!(pactl(dir, &["set-default-source", "room.monitor"]));
    let heard = dir.join("heard.wav");
    let said = dir.join("said.txt");
    let mut line = Running(
        firstline(&["mic", "--desk", "examples/larchpay"], root())
            .env("HOME", dir)
            .env("XDG_RUNTIME_DIR", dir)
            .env("FIRSTLINE_STORAGE__RECORDINGS", dir.join("recordings"))
            .env(
                "FIRSTLINE_STORAGE__URL",
                format!("sqlite:{}", dir.join("db").display()),
            )
            .stdin(Stdio::null())
            // What it learned of the desk, and said before, is where the other tests keep it, not in the empty home.
            .env("FIRSTLINE_CACHE", firstline::runtime::desks::cache_dir())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&said).unwrap())
            .spawn()
            .unwrap(),
    );
    let _recorder = start(
        hasty("parec")
            .args(["-d", "speaker.monitor", "--file-format=wav"])
            .arg(&heard),
        dir,
    );
    let recordings = dir.join("recordings");
    let spoken = |wanted: &str| {
        record(&recordings).is_some_and(|r| {
            let turns = r["turns"].as_array().cloned().unwrap_or_default();
            turns.iter().any(|t| {
                t["agent"]["text"]
                    .as_str()
                    .unwrap_or_default()
                    .contains(wanted)
            })
        })
    };
    let greeted = || {
        record(&recordings).is_some_and(|r| {
            let first = &r["turns"][0]["agent"];
            first["text"]
                .as_str()
                .unwrap_or_default()
                .contains("automated")
                && first["end_ms"].as_u64().unwrap_or(0) > 0
        })
    };
    let until = Instant::now() + Duration::from_secs(240);
    while !greeted() {
        let ended = line.0.try_wait().unwrap();
        let late = Instant::now() > until;
        assert!(
            ended.is_none() && !late,
            "no greeting was heard: {ended:?}, {:?}, {}",
            record(&recordings),
            std::fs::read_to_string(&said).unwrap_or_default()
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    // Asked again where a busy computer swallowed some of it, as a person would.
    let question = root().join("examples/larchpay/callers/fact-a-1.wav");
    for _ in 0..3 {
        std::thread::sleep(Duration::from_secs(2));
        let mut person = start(hasty("paplay").args(["-d", "room"]).arg(&question), dir);
        let _ = person.0.wait();
        let until = Instant::now() + Duration::from_secs(20);
        while !spoken("$7") && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(200));
        }
        if spoken("$7") {
            break;
        }
    }
    assert!(spoken("$7"), "{:?}", record(&recordings));
    std::thread::sleep(Duration::from_secs(4));
    // Ctrl-C hangs up.
    let pid = line.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    wait("it ends", 20, || line.0.try_wait().unwrap().is_some());
    let record = record(&recordings).expect("a record");
    assert_eq!(record["channel"], "mic");
    assert_eq!(record["termination"]["cause"], "caller", "{record}");
    // The loudspeaker was heard.
    let pcm = firstline::audio::wav::read(&std::fs::read(&heard).unwrap()).unwrap();
    let loud = pcm
        .mono()
        .iter()
        .filter(|s| s.unsigned_abs() > 1_000)
        .count();
    assert!(loud > 20_000, "{loud} loud samples");
}
