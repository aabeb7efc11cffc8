//! A PostgreSQL of the tests' own: a fresh cluster in a temporary folder on a free loopback port, that ends with the process that
//! started it, however that ends.

use std::io::Write;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A running server. Dropped, it is stopped and its files are gone.
pub struct Postgres {
    dir: PathBuf,
    bin: PathBuf,
    pub port: u16,
    /// A shell that waits for its standard input to end and then stops the server it started.
    keeper: Mutex<Option<Child>>,
    owner: Option<(u32, u32)>,
}

/// Where Debian and others keep `initdb`.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path().join("bin"))
        .filter(|bin| bin.join("initdb").is_file())
        .collect();
    found.sort();
    found.pop().or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|dir| dir.join("initdb").is_file())
    })
}

/// PostgreSQL does not run as root: its package's user then.
fn owner() -> Option<(u32, u32)> {
    let root = std::fs::metadata("/proc/self").ok().map(|m| {
        use std::os::unix::fs::MetadataExt;
        m.uid()
    }) == Some(0);
    if !root {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|l| l.starts_with("postgres:"))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

impl Postgres {
    /// None: PostgreSQL is not installed, which is a failure only where real programs were asked for.
    pub fn start() -> Option<Self> {
        let Some(bin) = programs() else {
            assert!(
                std::env::var_os("FIRSTLINE_TEST_REAL").is_none(),
                "PostgreSQL is not installed, and FIRSTLINE_TEST_REAL asks for it"
            );
            println!("skipped: PostgreSQL is not installed");
            return None;
        };
        let owner = owner();
        let port = super::free_port();
        let dir = std::env::temp_dir().join(format!("firstline-pg-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        if let Some((uid, gid)) = owner {
            chown(&dir, Some(uid), Some(gid)).unwrap();
        }
        let server = Self {
            dir,
            bin,
            port,
            keeper: Mutex::new(None),
            owner,
        };
        let made = server
            .command("initdb")
            .args(["-D", "data", "-A", "trust", "-U", "firstline", "-E", "UTF8"])
            .args(["--no-locale", "--no-sync"])
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        server.up();
        Some(server)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.current_dir(&self.dir);
        self.as_owner(&mut command);
        command
    }

    fn as_owner(&self, command: &mut Command) {
        if let Some((uid, gid)) = self.owner {
            command.uid(uid).gid(gid);
        }
    }

    /// Starts the server (again) and waits until it answers.
    pub fn up(&self) {
        let script = format!(
            "{}/postgres -D data -p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off >log 2>&1 & server=$!
             cat >/dev/null
             kill -QUIT $server; wait $server",
            self.bin.display(),
            self.port
        );
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &script])
            .current_dir(&self.dir)
            .stdin(Stdio::piped());
        self.as_owner(&mut shell);
        *self.keeper.lock().unwrap() = Some(shell.spawn().unwrap());
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let ready = self
                .command("psql")
                .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
                .args(["-U", "firstline", "-d", "postgres", "-tAc", "select 1"])
                .output()
                .unwrap();
            if ready.status.success() {
                return;
            }
            assert!(
                Instant::now() < until,
                "{}",
                std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops the server as a crash would: connections are cut, nothing is tidied up. Its data stay.
    pub fn down(&self) {
        if let Some(mut keeper) = self.keeper.lock().unwrap().take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }

    /// A database of its own; its address for `storage.url`.
    pub fn database(&self, name: &str) -> String {
        self.sql("postgres", &format!("create database {name}"));
        format!("postgres://firstline@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs SQL by psql; what it printed.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let mut psql = self
            .command("psql")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-U", "firstline", "-d", database, "-tA"])
            .args(["-v", "ON_ERROR_STOP=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = psql.stdin.take().unwrap();
        input.write_all(statements.as_bytes()).unwrap();
        drop(input);
        let output = psql.wait_with_output().unwrap();
        assert!(output.status.success(), "{statements}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.down();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
