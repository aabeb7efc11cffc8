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
        if package.extension().is_some_and(|e| e == "tgz") {
            if let Some(bytes) = from_tar(flate2::read::GzDecoder::new(file), part, limit)? {
                return Ok(bytes);
            }
            continue;
        }
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

/// A member of a tar archive (POSIX.1, ustar): 512 bytes of header, the file, zeros up to the next 512.
fn from_tar(mut archive: impl Read, name: &str, limit: u64) -> Result<Option<Vec<u8>>, String> {
    let damaged = |e: std::io::Error| format!("the package is damaged: {e}");
    let mut header = [0u8; 512];
    loop {
        match archive.read_exact(&mut header) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(e) => return Err(damaged(e)),
        }
        let text = |from: usize, to: usize| -> String {
            let bytes = &header[from..to];
            let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
            String::from_utf8_lossy(&bytes[..end]).into_owned()
        };
        if header.iter().all(|b| *b == 0) {
            return Ok(None);
        }
        let size = u64::from_str_radix(text(124, 136).trim(), 8)
            .map_err(|_| "the package is damaged: a size in it is no number".to_owned())?;
        let (own, before) = (text(0, 100), text(345, 500));
        let full = if before.is_empty() {
            own
        } else {
            format!("{before}/{own}")
        };
        if full == name {
            if size > limit {
                return Err(format!(
                    "{name} is longer than the {limit} bytes it should be"
                ));
            }
            let mut bytes = Vec::new();
            archive
                .take(size)
                .read_to_end(&mut bytes)
                .map_err(damaged)?;
            return Ok(Some(bytes));
        }
        let skip = size.div_ceil(512) * 512;
        std::io::copy(&mut (&mut archive).take(skip), &mut std::io::sink()).map_err(damaged)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, bytes) in files {
            let mut header = [0u8; 512];
            header[..name.len()].copy_from_slice(name.as_bytes());
            let size = format!("{:011o}", bytes.len());
            header[124..124 + size.len()].copy_from_slice(size.as_bytes());
            out.extend_from_slice(&header);
            out.extend_from_slice(bytes);
            out.resize(out.len().div_ceil(512) * 512, 0);
        }
        out.resize(out.len() + 1024, 0);
        out
    }

    #[test]
    fn a_member_of_a_tar_is_found_and_bounded() {
        let long = vec![7u8; 1300];
        let archive = tar(&[
            ("package/a", b"one"),
            ("package/b", &long),
            ("package/c", b""),
        ]);
        let get = |name: &str, limit: u64| from_tar(archive.as_slice(), name, limit);
        assert_eq!(get("package/b", 1300).unwrap().unwrap(), long);
        assert_eq!(get("package/c", 9).unwrap().unwrap(), b"");
        assert_eq!(get("package/d", 9).unwrap(), None);
        assert!(get("package/b", 1299).unwrap_err().contains("longer"));
        // Cut anywhere it is an error, or as if the member were not there, or short: the sum tells.
        for n in 0..archive.len() {
            let _ = from_tar(&archive[..n], "package/b", 1300);
        }
    }
}
