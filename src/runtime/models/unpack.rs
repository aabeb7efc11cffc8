//! Inputs out of packages. Only members that the manifest names are read, each into memory and no further than its known
//! length, so neither a path nor a size inside an archive can do harm.

use std::fs;
use std::io::{Cursor, Read, Seek};
use std::path::PathBuf;

/// The member `part` of whichever package has it; `outer.zip!/inner` is looked for inside `outer.zip`.
///
/// # Errors
/// No package has it, it is damaged, or it is longer than `limit`.
pub fn member(packages: &[PathBuf], part: &str, limit: u64) -> Result<Vec<u8>, String> {
    let (name, inner) = match part.split_once("!/") {
        Some((outer, inner)) => (outer, Some(inner)),
        None => (part, None),
    };
    for package in packages {
        let file = fs::File::open(package)
            .map_err(|e| format!("{} cannot be read: {e}", package.display()))?;
        // An archive within the archive is as long as the package at most (it is compressed already), so that is its bound.
        let bound = match inner {
            Some(_) => file.metadata().map_err(|e| e.to_string())?.len() * 2,
            None => limit,
        };
        let Some(bytes) = read(file, name, bound)? else {
            continue;
        };
        let Some(inner) = inner else {
            return Ok(bytes);
        };
        return read(Cursor::new(bytes), inner, limit)?
            .ok_or_else(|| format!("{name} holds no {inner}"));
    }
    Err(format!("the package holds no {part}"))
}

fn read(archive: impl Read + Seek, name: &str, limit: u64) -> Result<Option<Vec<u8>>, String> {
    let mut zip =
        zip::ZipArchive::new(archive).map_err(|e| format!("the package is damaged: {e}"))?;
    let file = match zip.by_name(name) {
        Ok(file) => file,
        Err(zip::result::ZipError::FileNotFound) => return Ok(None),
        Err(e) => return Err(format!("{name} cannot be unpacked: {e}")),
    };
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| format!("{name} cannot be unpacked: {e}"))?;
    if bytes.len() as u64 > limit {
        return Err(format!(
            "{name} is longer than the {limit} bytes it should be"
        ));
    }
    Ok(Some(bytes))
}
