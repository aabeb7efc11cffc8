//! Writes, with real processes on both sides: killed at any moment, an answer that is lost, tools of an MCP server. What the ledger says
//! and what the other system did are the same in the end, and nothing was sent twice.

mod kill;
mod mcp;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use firstline::store::Store;

/// A directory that goes when the test ends.
pub struct Dir(pub PathBuf);

impl Dir {
    pub fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("firstline-actions-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&dir).unwrap();
        Dir(dir)
    }
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
    pub fn url(&self) -> String {
        format!("sqlite:{}/l.db", self.0.display())
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A process that is ended when the test is.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program of `examples/`, as cargo builds it with the tests.
pub fn example(name: &str) -> PathBuf {
    let bin = Path::new(env!("CARGO_BIN_EXE_firstline"));
    let path = bin.parent().unwrap().join("examples").join(name);
    assert!(
        path.exists(),
        "{} is not built: cargo build --examples",
        path.display()
    );
    path
}

/// Starts a program that prints `ready http=ADDRESS`.
pub fn serving(mut command: Command) -> (Running, String) {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.trim().rsplit("http=").next().unwrap().to_owned();
    (Running(child), address)
}

/// The ledger as a node sees it that comes by ten minutes later.
pub async fn later(dir: &Dir) -> Store {
    fn in_ten_minutes() -> jiff::Timestamp {
        jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10)
    }
    Store::open(&dir.url())
        .await
        .unwrap()
        .with_clock(in_ten_minutes)
}
