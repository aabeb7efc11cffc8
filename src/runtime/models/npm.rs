//! What Node's package tool knows: where a pinned package lies, as this user is set up. As with pip, nothing is installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Package;

fn command() -> Command {
    let mut command = Command::new("npm");
    command.env("NO_UPDATE_NOTIFIER", "1").stdin(Stdio::null());
    command
}

/// The address of the package's file.
///
/// # Errors
/// npm is not there, or its complaint, as one sentence.
pub fn address(package: &Package) -> Result<String, String> {
    let done = command()
        .arg("view")
        .arg(format!("{}@{}", package.name, package.version))
        .arg("dist.tarball")
        .output()
        .map_err(|_| missing())?;
    let said = String::from_utf8_lossy(&done.stdout);
    match said.lines().map(str::trim).find(|l| l.starts_with("http")) {
        Some(url) if done.status.success() => Ok(url.to_owned()),
        _ => Err(complaint(&done.stderr)),
    }
}

/// Lets npm fetch the package itself into `dir`; the file it left there.
///
/// # Errors
/// As [`address`].
pub fn download(package: &Package, dir: &Path) -> Result<PathBuf, String> {
    std::fs::create_dir_all(dir).map_err(|e| format!("{} cannot be made: {e}", dir.display()))?;
    let done = command()
        .args(["pack", "--silent"])
        .arg(format!("{}@{}", package.name, package.version))
        .current_dir(dir)
        .output()
        .map_err(|_| missing())?;
    if !done.status.success() {
        return Err(complaint(&done.stderr));
    }
    std::fs::read_dir(dir)
        .map_err(|e| format!("{} cannot be read: {e}", dir.display()))?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|e| e == "tgz"))
        .ok_or_else(|| format!("npm left no package in {}", dir.display()))
}

fn missing() -> String {
    "npm is not on this computer and part of this model comes as a Node package; install it (on Debian and Ubuntu: apt install npm)"
        .to_owned()
}

fn complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    match text.lines().find(|l| !l.trim().is_empty()) {
        Some(line) => format!("npm says: {}", line.trim()),
        None => "npm failed and did not say why".to_owned(),
    }
}
