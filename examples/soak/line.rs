//! The line under test, as a program of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::{Args, free};

/// The line under test; killed when dropped.
pub struct Line {
    child: Child,
    http: u16,
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Line {
    pub fn start(args: &Args, sip: u16, humans: u16) -> Result<Self, String> {
        let http = free(false)?;
        let desk = args.keep.join("desk");
        std::fs::create_dir_all(desk.join("knowledge")).map_err(|e| e.to_string())?;
        write(&desk.join("desk.toml"), "company = \"Soak\"\n[escalation.queues]\nasked = { ring = \"all_at_once\", targets = [\"sip:q1@127.0.0.1:PORT;ring_s=6\", \"sip:q2@127.0.0.1:PORT;ring_s=8\"] }\n".replace("PORT", &humans.to_string()).as_str())?;
        write(
            &desk.join("knowledge/hours.md"),
            "---\nid: hours\ntitle: Opening hours\n---\nWe are open from nine to five.\n",
        )?;
        let log = std::fs::File::create(args.keep.join("line.log")).map_err(|e| e.to_string())?;
        let target = |n: u16, ring: u16| format!("sip:h{n}@127.0.0.1:{humans};ring_s={ring}");
        let mut child = Command::new(&args.firstline)
            .arg("serve")
            .env("FIRSTLINE_SIP__LISTEN", format!("udp:127.0.0.1:{sip}"))
            .env("FIRSTLINE_SIP__ADVERTISE", "127.0.0.1")
            .env("FIRSTLINE_SIP__ACCEPT", "any")
            .env("FIRSTLINE_SIP__RTP_PORTS", "41000-43999")
            .env("FIRSTLINE_HTTP__LISTEN", format!("127.0.0.1:{http}"))
            .env("FIRSTLINE_DESK__PATH", &desk)
            .env("FIRSTLINE_LIMITS__CALLS", "64")
            .env("FIRSTLINE_CALLBACK__VIA", "off")
            .env(
                "FIRSTLINE_TRANSFER__TARGETS",
                format!("{},{}", target(1, 5), target(2, 7)),
            )
            .env(
                "FIRSTLINE_STORAGE__URL",
                format!("sqlite:{}", args.keep.join("soak.db").display()),
            )
            .env(
                "FIRSTLINE_STORAGE__RECORDINGS",
                args.keep.join("recordings"),
            )
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|e| format!("cannot start {}: {e}", args.firstline.display()))?;
        let out = child.stdout.take().ok_or("the line has no output")?;
        let mut lines = BufReader::new(out).lines();
        let ready = lines
            .by_ref()
            .map_while(Result::ok)
            .any(|l| l.starts_with("ready "));
        let line = Self { child, http };
        if !ready {
            return Err(format!(
                "the line did not start: see {}",
                args.keep.join("line.log").display()
            ));
        }
        // Whatever else it prints must not fill the pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Ok(line)
    }

    pub fn rss_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .unwrap_or_default();
        status
            .lines()
            .find_map(|l| {
                l.strip_prefix("VmRSS:")?
                    .split_whitespace()
                    .next()?
                    .parse()
                    .ok()
            })
            .unwrap_or(0)
    }

    pub fn get(&self, path: &str) -> Result<serde_json::Value, String> {
        serde_json::from_str(&self.text(path)?).map_err(|e| format!("{path}: {e}"))
    }

    pub fn text(&self, path: &str) -> Result<String, String> {
        let failed = |e: std::io::Error| e.to_string();
        let mut socket = TcpStream::connect(("127.0.0.1", self.http)).map_err(failed)?;
        write!(
            socket,
            "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
        )
        .map_err(failed)?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).map_err(failed)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        if !head.starts_with("HTTP/1.1 200") {
            return Err(format!(
                "{path}: {}",
                head.lines().next().unwrap_or_default()
            ));
        }
        Ok(body.to_owned())
    }

    /// The sum of a counter over all its labels.
    pub fn counted(&self, name: &str) -> Result<u64, String> {
        let text = self.text("/metrics")?;
        let own = text.lines().filter(|l| {
            l.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with([' ', '{']))
        });
        let numbers = own.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(numbers.sum::<f64>() as u64)
    }

    /// Open files and sockets, and threads.
    pub fn held(&self) -> (usize, usize) {
        let count = |what: &str| {
            std::fs::read_dir(format!("/proc/{}/{what}", self.child.id()))
                .map_or(0, Iterator::count)
        };
        (count("fd"), count("task"))
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}
