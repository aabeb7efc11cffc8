//! `kill -9` at any moment of a confirmed write: `firstline chat` and the sample desk's back office as real processes.
//!
//! `FIRSTLINE_KILLS=200 cargo test --test tests actions::kill -- --nocapture` for more than the usual 20.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use firstline::backoffice::Backoffice;
use firstline::desk::{BackofficeConfig, Outcome};
use firstline::runtime::reconcile;
use firstline::store::CallbackStatus;
use serde_json::Value;

use super::{Dir, Running, example, later, serving};

/// Numbers the sample back office knows.
const CUSTOMERS: [&str; 8] = [
    "+12025550142",
    "+12025550117",
    "+12025550163",
    "+12025550128",
    "+12025550171",
    "+12025550186",
    "+12025550199",
    "+12025550105",
];
const CHANNELS: [&str; 4] = ["text", "email", "both", "none"];

/// The sample desk with its back office at `address`.
fn desk(dir: &Dir, address: &str) -> PathBuf {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let beside = to.join(path.file_name().unwrap());
            match path.is_dir() {
                true if path.ends_with("callers") => {}
                true => copy(&path, &beside),
                false => drop(std::fs::copy(&path, &beside).unwrap()),
            }
        }
    }
    let desk = dir.path("desk");
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/larchpay"),
        &desk,
    );
    let toml = std::fs::read_to_string(desk.join("desk.toml")).unwrap();
    let toml = toml.replace("http://127.0.0.1:8090", &format!("http://{address}"));
    std::fs::write(desk.join("desk.toml"), toml).unwrap();
    desk
}

fn office(dir: &Dir) -> (Running, String) {
    let mut command = Command::new(example("larchpay_backoffice"));
    command
        .args(["--listen", "127.0.0.1:0", "--db"])
        .arg(dir.path("office.db"));
    serving(command)
}

/// One call in text: what is said, and what comes back for each.
struct Chat {
    process: Running,
    out: BufReader<std::process::ChildStdout>,
}

impl Chat {
    fn begin(dir: &Dir, desk: &Path, from: &str, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_firstline"))
            .args(["chat", "--jsonl", "--words", "--from", from])
            .args(more)
            .arg("--desk")
            .arg(desk)
            .env("FIRSTLINE_STORAGE__URL", dir.url())
            .env_remove("FIRSTLINE_CLOCK")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self {
            process: Running(child),
            out,
        }
    }

    fn send(&mut self, say: &str) {
        let line = serde_json::json!({ "say": say });
        writeln!(self.process.0.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_default()
    }

    fn say(&mut self, say: &str) -> Value {
        self.send(say);
        self.hear()
    }

    /// Up to the read-back.
    fn ready(&mut self, channel: &str) {
        let decision = self.say(&format!(
            "I'd like to change my reminders to {channel}, please"
        ));
        let decision = match decision["pending"].as_str() {
            Some("slot") => self.say(channel),
            _ => decision,
        };
        assert_eq!(decision["pending"], "confirm", "{decision}");
    }

    /// Ends the call; its record.
    fn record(mut self) -> Value {
        drop(self.process.0.stdin.take());
        self.hear()
    }
}

async fn log(address: &str) -> BTreeMap<String, Value> {
    let log = get(address, "/_log").await;
    let writes = log["writes"].as_array().cloned().unwrap_or_default();
    writes
        .into_iter()
        .map(|write| (write["idempotency_key"].as_str().unwrap().to_owned(), write))
        .collect()
}

async fn get(address: &str, path: &str) -> Value {
    let url = format!("http://{address}");
    let office =
        firstline::backoffice::HttpBackoffice::new(&url, None, Duration::from_secs(5)).unwrap();
    let request = firstline::desk::Request {
        method: if path.starts_with("/_fault") {
            "POST"
        } else {
            "GET"
        }
        .into(),
        path: path.into(),
        ..Default::default()
    };
    match office.perform(&request).await {
        Outcome::Done(value) => value,
        other => panic!("{path}: {other:?}"),
    }
}

/// 0 to 1, the same in every run.
fn random(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as f64 / (1u64 << 53) as f64
}

#[tokio::test]
async fn killed_at_any_moment_nothing_is_lost_and_nothing_doubled() {
    let rounds: usize = std::env::var("FIRSTLINE_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(20);
    let dir = Dir::new();
    let (_office, address) = office(&dir);
    let desk = desk(&dir, &address);
    let config = BackofficeConfig {
        url: format!("http://{address}"),
        ..BackofficeConfig::default()
    };
    let backoffice = Backoffice::new(&config, &|_| None, Duration::from_secs(5)).unwrap();
    // How long a yes takes here, from being said to being answered.
    let mut chat = Chat::begin(&dir, &desk, CUSTOMERS[0], &[]);
    chat.ready("email");
    let began = Instant::now();
    chat.say("yes");
    let usual = began.elapsed().as_secs_f64();
    drop(chat.record());
    let mut state = 0x5eed_u64;
    let mut count = Count::default();
    // In rounds of as many as there are different effects: the same effect asked for again is not sent again while one is open.
    let effects = CUSTOMERS.len() * CHANNELS.len();
    for first in (0..rounds).step_by(effects) {
        for round in first..rounds.min(first + effects) {
            let from = CUSTOMERS[round % CUSTOMERS.len()];
            let channel = CHANNELS[(round / CUSTOMERS.len()) % CHANNELS.len()];
            let mut chat = Chat::begin(&dir, &desk, from, &[]);
            chat.ready(channel);
            chat.send("Yes, go ahead");
            // From before the yes is read until after the answer is told.
            std::thread::sleep(Duration::from_secs_f64(random(&mut state) * usual * 1.3));
            chat.process.0.kill().unwrap();
            chat.process.0.wait().unwrap();
            let reply = chat.hear()["reply"].as_str().unwrap_or_default().to_owned();
            count.told += usize::from(reply.contains("Done."));
        }
        settle(&dir, &address, &backoffice, &mut count).await;
    }
    println!("{rounds} kills: {count:?}; 0 lost, 0 doubled");
    assert!(count.done > 0);
}

/// What became of the writes whose sender was killed.
#[derive(Debug, Default)]
struct Count {
    /// Told to the caller before the end.
    told: usize,
    /// Done, in all.
    done: usize,
    /// Left open, and found to have arrived.
    arrived: usize,
    /// Left open, and found never to have arrived: the caller is rung back.
    never: usize,
}

/// Another node comes by later, and asks; then ledger and back office say the same.
async fn settle(dir: &Dir, address: &str, backoffice: &Backoffice, count: &mut Count) {
    // What was on its way when its sender died has arrived, or never will.
    let mut writes = log(address).await;
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let now = log(address).await;
        if now.len() == writes.len() {
            break;
        }
        writes = now;
    }
    let store = later(dir).await;
    let open = store.open_claims().await.unwrap().len();
    let found = reconcile::sweep(&store, Some(backoffice)).await.unwrap();
    assert_eq!(found.len(), open, "every claim left open is looked at");
    assert!(store.open_claims().await.unwrap().is_empty());
    let callbacks = store.callbacks(Some(CallbackStatus::Open)).await.unwrap();
    for (claim, outcome) in &found {
        match (outcome, writes.get(&claim.key)) {
            (Outcome::Done(_), Some(write)) if write["status"] == 200 => count.arrived += 1,
            (Outcome::Failed(_), None) => {
                count.never += 1;
                assert!(
                    callbacks.iter().any(|c| c.call_id == claim.call_id),
                    "nobody will ring the caller of {}",
                    claim.key
                );
            }
            other => panic!("{}: {other:?}", claim.key),
        }
    }
    for (key, write) in &writes {
        assert_eq!(write["repeats"], 0, "sent twice: {write}");
        let known = store.outcome(key).await.unwrap();
        let known = known.expect("a write that no ledger knows");
        assert!(
            matches!(known, Some(Outcome::Done(_))),
            "done there, and here: {known:?}"
        );
        // Their callers have heard of it by now: the same may be asked for again.
        store.told(key).await.unwrap();
    }
    count.done = writes.len();
    store.close().await;
}

#[tokio::test]
async fn an_answer_that_is_lost_is_asked_for_and_the_write_is_put_back_on_request() {
    let dir = Dir::new();
    let (_office, address) = office(&dir);
    let desk = desk(&dir, &address);
    let mut chat = Chat::begin(&dir, &desk, CUSTOMERS[0], &[]);
    chat.ready("email");
    // Carried out, and the answer is lost on the way.
    get(&address, "/_fault?mode=lost").await;
    let decision = chat.say("yes");
    assert!(
        decision["reply"]
            .as_str()
            .unwrap()
            .contains("Reminders are set to: email"),
        "{decision}"
    );
    get(&address, "/_fault?mode=off").await;
    let decision = chat.say("No, put it back please");
    assert_eq!(decision["pending"], "confirm", "{decision}");
    assert!(
        decision["reply"].as_str().unwrap().contains("text"),
        "{decision}"
    );
    let decision = chat.say("yes");
    assert!(
        decision["reply"]
            .as_str()
            .unwrap()
            .contains("Reminders are set to: text"),
        "{decision}"
    );
    let record = chat.record();
    let writes = log(&address).await;
    assert_eq!(writes.len(), 2);
    assert!(writes.values().all(|write| write["repeats"] == 0));
    assert_eq!(record["actions"].as_array().unwrap().len(), 2, "{record}");
    assert!(
        record["actions"]
            .as_array()
            .unwrap()
            .iter()
            .all(|a| a["status"] == "done")
    );
}

#[tokio::test]
async fn a_dry_run_sends_nothing_and_says_so() {
    let dir = Dir::new();
    let (_office, address) = office(&dir);
    let desk = desk(&dir, &address);
    let mut chat = Chat::begin(&dir, &desk, CUSTOMERS[1], &["--dry-run"]);
    chat.ready("both");
    let decision = chat.say("yes");
    assert!(
        decision["reply"]
            .as_str()
            .unwrap()
            .contains("nothing was sent"),
        "{decision}"
    );
    let record = chat.record();
    assert_eq!(record["actions"][0]["status"], "dry_run", "{record}");
    assert!(log(&address).await.is_empty());
}
