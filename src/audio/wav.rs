//! WAV files: reading what others wrote, writing whole sounds, and recordings that are readable at every moment.
//!
//! Pure: bytes in, bytes out. Layout: Microsoft's RIFF WAVE ("Multiple Channel Audio Data and WAVE Files", 2001).

use super::g711::Law;
use super::resample::resample_all;

/// A sound as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wav {
    /// Samples per second of one channel.
    pub rate: u32,
    pub channels: u16,
    /// Interleaved, brought to 16 bits.
    pub samples: Vec<i16>,
}

/// Why bytes are not a WAV file that can be read. The sentence is for the person who gave the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WavError(pub String);

impl std::fmt::Display for WavError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for WavError {}

fn fail<T>(sentence: impl Into<String>) -> Result<T, WavError> {
    Err(WavError(sentence.into()))
}

impl Wav {
    /// One channel's samples; empty where there is no such channel.
    pub fn channel(&self, n: u16) -> Vec<i16> {
        if n >= self.channels {
            return Vec::new();
        }
        self.samples
            .chunks_exact(usize::from(self.channels))
            .map(|frame| frame[usize::from(n)])
            .collect()
    }

    /// All channels averaged into one.
    pub fn mono(&self) -> Vec<i16> {
        self.samples
            .chunks_exact(usize::from(self.channels.max(1)))
            .map(|frame| {
                (frame.iter().map(|&s| i32::from(s)).sum::<i32>() / frame.len() as i32) as i16
            })
            .collect()
    }

    /// Averaged into one channel at `rate`.
    pub fn mono_at(&self, rate: u32) -> Vec<i16> {
        resample_all(&self.mono(), self.rate, rate)
    }

    /// Length in milliseconds.
    pub fn ms(&self) -> u64 {
        let frames = self.samples.len() as u64 / u64::from(self.channels.max(1));
        frames * 1000 / u64::from(self.rate.max(1))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Unsigned8,
    Pcm16,
    Pcm24,
    Pcm32,
    Float32,
    Float64,
    G711(Law),
}

impl Coding {
    fn bytes(self) -> usize {
        match self {
            Coding::Unsigned8 | Coding::G711(_) => 1,
            Coding::Pcm16 => 2,
            Coding::Pcm24 => 3,
            Coding::Pcm32 | Coding::Float32 => 4,
            Coding::Float64 => 8,
        }
    }

    /// `b`: exactly [`Coding::bytes`] of them. Extra bits are rounded off.
    fn sample(self, b: &[u8]) -> i16 {
        let of_float = |f: f64| (f * 32_768.0).round() as i16;
        match (self, b) {
            (Coding::Unsigned8, &[a]) => (i16::from(a) - 128) << 8,
            (Coding::G711(law), &[a]) => law.decode(a),
            (Coding::Pcm16, &[a, b]) => i16::from_le_bytes([a, b]),
            (Coding::Pcm24, &[a, b, c]) => round_off(i32::from_le_bytes([0, a, b, c])),
            (Coding::Pcm32, &[a, b, c, d]) => round_off(i32::from_le_bytes([a, b, c, d])),
            (Coding::Float32, &[a, b, c, d]) => of_float(f32::from_le_bytes([a, b, c, d]).into()),
            (Coding::Float64, &[a, b, c, d, e, f, g, h]) => {
                of_float(f64::from_le_bytes([a, b, c, d, e, f, g, h]))
            }
            _ => 0,
        }
    }
}

fn round_off(s: i32) -> i16 {
    (s.saturating_add(0x8000) >> 16) as i16
}

/// Reads a WAV file: PCM of 8, 16, 24 or 32 bits, floats of 32 or 64, G.711; one to eight channels; 1 to 384 kHz.
///
/// A file whose writer was stopped half-way is read as far as it goes: a data size that runs past the end is cut, and one that
/// stops short of bytes that are no further chunk is extended.
pub fn read(bytes: &[u8]) -> Result<Wav, WavError> {
    if bytes.len() < 12 || &bytes[..4] != b"RIFF" || &bytes[8..12] != b"WAVE" {
        return fail("this is not a WAV file: it does not start with RIFF and WAVE");
    }
    let mut at = 12;
    let mut format = None;
    while let Some((id, size)) = chunk_at(bytes, at) {
        let body = at + 8;
        match &id {
            b"fmt " => format = Some(parse_format(bytes.get(body..).unwrap_or(&[]), size)?),
            b"data" => {
                let Some((coding, channels, rate)) = format else {
                    return fail(
                        "this WAV file has its data before its format; convert it with another program first",
                    );
                };
                let data = &bytes[body..data_end(bytes, body, size)];
                let frame = coding.bytes() * usize::from(channels);
                let whole = data.len() / frame * frame;
                return Ok(Wav {
                    rate,
                    channels,
                    samples: data[..whole]
                        .chunks_exact(coding.bytes())
                        .map(|b| coding.sample(b))
                        .collect(),
                });
            }
            _ => {}
        }
        // Chunks are padded to an even length. A size that leads past the end ends the search.
        at = body + size + size % 2;
    }
    fail("this WAV file holds no sound: it has no data chunk")
}

/// The id and size of the chunk that starts at `at`.
fn chunk_at(bytes: &[u8], at: usize) -> Option<([u8; 4], usize)> {
    let head = bytes.get(at..at.checked_add(8)?)?;
    let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    Some(([head[0], head[1], head[2], head[3]], size as usize))
}

fn data_end(bytes: &[u8], body: usize, size: usize) -> usize {
    let Some(end) = body.checked_add(size).filter(|&e| e <= bytes.len()) else {
        return bytes.len();
    };
    let mut next = end + size % 2;
    // What follows is either a chain of chunks up to the end, or sound that the header does not know of yet.
    while let Some((id, size)) = chunk_at(bytes, next) {
        let named = id.iter().all(|c| c.is_ascii_graphic() || *c == b' ');
        let after = next.saturating_add(8).saturating_add(size);
        if !named || after > bytes.len() + 1 {
            return bytes.len();
        }
        next = after + size % 2;
    }
    end
}

fn parse_format(body: &[u8], size: usize) -> Result<(Coding, u16, u32), WavError> {
    if size < 16 || body.len() < size {
        return fail("this WAV file's format chunk is cut short");
    }
    let word = |at: usize| u16::from_le_bytes([body[at], body[at + 1]]);
    let rate = u32::from_le_bytes([body[4], body[5], body[6], body[7]]);
    let (channels, align, bits) = (word(2), word(12), word(14));
    let mut tag = word(0);
    if tag == 0xFFFE {
        if size < 40 {
            return fail("this WAV file's extended format chunk is cut short");
        }
        // The first two octets of the sub-format's identifier are the plain tag.
        tag = word(24);
    }
    let coding = match (tag, bits) {
        (1, 8) => Coding::Unsigned8,
        (1, 16) => Coding::Pcm16,
        (1, 24) => Coding::Pcm24,
        (1, 32) => Coding::Pcm32,
        (3, 32) => Coding::Float32,
        (3, 64) => Coding::Float64,
        (6, 8) => Coding::G711(Law::A),
        (7, 8) => Coding::G711(Law::Mu),
        _ => {
            return fail(format!(
                "this WAV file is coded in a way that cannot be read (format {tag}, {bits} bits); save it as 16-bit PCM"
            ));
        }
    };
    if !(1..=8).contains(&channels) {
        return fail(format!(
            "this WAV file says it has {channels} channels; 1 to 8 can be read"
        ));
    }
    if !(1000..=384_000).contains(&rate) {
        return fail(format!(
            "this WAV file says it has {rate} samples a second; 1000 to 384000 can be read"
        ));
    }
    if usize::from(align) != coding.bytes() * usize::from(channels) {
        return fail(
            "this WAV file's header contradicts itself (block size against bits and channels)",
        );
    }
    Ok((coding, channels, rate))
}

/// Octets before the first sample in what this module writes.
pub const HEADER: usize = 44;

/// A whole sound as a 16-bit WAV file. `pcm`: interleaved when there is more than one channel.
pub fn write(pcm: &[i16], rate: u32, channels: u16) -> Vec<u8> {
    let mut out = header(rate, channels, pcm.len() as u64 * 2);
    out.extend(pcm.iter().flat_map(|s| s.to_le_bytes()));
    out
}

fn header(rate: u32, channels: u16, data: u64) -> Vec<u8> {
    let (riff, data) = sizes(data);
    let mut h = Vec::with_capacity(HEADER);
    h.extend(b"RIFF");
    h.extend(riff);
    h.extend(b"WAVEfmt ");
    h.extend(16u32.to_le_bytes());
    h.extend(1u16.to_le_bytes());
    h.extend(channels.to_le_bytes());
    h.extend(rate.to_le_bytes());
    h.extend((rate * u32::from(channels) * 2).to_le_bytes());
    h.extend((channels * 2).to_le_bytes());
    h.extend(16u16.to_le_bytes());
    h.extend(b"data");
    h.extend(data);
    h
}

/// The RIFF and data sizes as written; beyond 4 GiB they stay at the largest, which readers take for "to the end".
fn sizes(data: u64) -> ([u8; 4], [u8; 4]) {
    let held = |n: u64| (n.min(u64::from(u32::MAX)) as u32).to_le_bytes();
    (held(data + HEADER as u64 - 8), held(data))
}

/// What to do to the file of a recording. In order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileOp {
    /// At the end of the file.
    Append(Vec<u8>),
    /// Over what stands at `offset` from the start.
    Patch { offset: u64, bytes: Vec<u8> },
}

/// A recording as it grows: a header, frames behind it, and now and then new sizes over the header's. The file is a valid WAV
/// file after every operation, whatever kills the writer; at most the last interval needs a reader that looks past the sizes.
#[derive(Debug, Clone)]
pub struct WavStream {
    channels: u16,
    /// Bytes of sound that were appended, and of those the header knows of.
    data: u64,
    known: u64,
    /// Bytes of sound between two patches.
    every: u64,
}

impl WavStream {
    /// A new recording and what its file starts with. `patch_ms`: how often the header's sizes are brought up to date.
    pub fn new(rate: u32, channels: u16, patch_ms: u64) -> (Self, FileOp) {
        let channels = channels.clamp(1, 8);
        let stream = Self {
            channels,
            data: 0,
            known: 0,
            every: u64::from(rate) * u64::from(channels) * 2 * patch_ms / 1000,
        };
        (stream, FileOp::Append(header(rate, channels, 0)))
    }

    /// One frame: a slice a channel, the first channel's length counts; shorter and missing ones are filled with silence.
    pub fn push(&mut self, frame: &[&[i16]]) -> Vec<FileOp> {
        let length = frame.first().map_or(0, |c| c.len());
        let mut bytes = Vec::with_capacity(length * usize::from(self.channels) * 2);
        for i in 0..length {
            for c in 0..usize::from(self.channels) {
                let s = frame.get(c).and_then(|c| c.get(i)).copied().unwrap_or(0);
                bytes.extend(s.to_le_bytes());
            }
        }
        self.data += bytes.len() as u64;
        let mut ops = vec![FileOp::Append(bytes)];
        if self.data - self.known >= self.every {
            ops.extend(self.finish());
        }
        ops
    }

    /// Brings the sizes up to date. At the end of a recording, or whenever it should be complete for every reader.
    pub fn finish(&mut self) -> Vec<FileOp> {
        self.known = self.data;
        let (riff, data) = sizes(self.data);
        vec![
            FileOp::Patch {
                offset: 4,
                bytes: riff.to_vec(),
            },
            FileOp::Patch {
                offset: 40,
                bytes: data.to_vec(),
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(tag: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
        let mut f = header(rate, channels, data.len() as u64);
        f[20..22].copy_from_slice(&tag.to_le_bytes());
        f[32..34].copy_from_slice(&(channels * bits / 8).to_le_bytes());
        f[34..36].copy_from_slice(&bits.to_le_bytes());
        f.extend(data);
        f
    }

    #[test]
    fn every_coding_is_brought_to_sixteen_bits() {
        let f32s: Vec<u8> = [0.5f32, -1.0, 7.0, f32::NAN]
            .iter()
            .flat_map(|f| f.to_le_bytes())
            .collect();
        for (tag, bits, data, want) in [
            (1, 8, vec![128, 0, 255], vec![0, -32_768, 32_512]),
            (1, 16, vec![1, 2, 255, 255], vec![513, -1]),
            (1, 24, vec![0x7F, 1, 2, 0x80, 1, 2], vec![513, 514]),
            (1, 32, vec![255, 255, 255, 0x7F], vec![32_767]),
            (3, 32, f32s, vec![16_384, -32_768, 32_767, 0]),
            (3, 64, 0.25f64.to_le_bytes().to_vec(), vec![8192]),
            (7, 8, vec![0xFF, 0x80], vec![0, 32_124]),
            (6, 8, vec![0xD5], vec![8]),
        ] {
            let wav = read(&file(tag, 1, 8000, bits, &data)).unwrap();
            assert_eq!(wav.samples, want, "format {tag}, {bits} bits");
        }
    }

    #[test]
    fn extended_format_odd_chunks_and_stereo() {
        let mut f = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x28\0\0\0".to_vec();
        f.extend([
            0xFE, 0xFF, 2, 0, 0x80, 0x3E, 0, 0, 0, 0xFA, 0, 0, 4, 0, 16, 0,
        ]);
        f.extend([22, 0, 16, 0, 3, 0, 0, 0, 1, 0]);
        f.extend([0; 14]);
        f.extend(b"data\x08\0\0\0\x01\0\x03\0\x05\0\x09\0LIST\x04\0\0\0abcd");
        let wav = read(&f).unwrap();
        assert_eq!((wav.rate, wav.channels), (16_000, 2));
        assert_eq!(wav.channel(0), [1, 5]);
        assert_eq!(wav.channel(1), [3, 9]);
        assert!(wav.channel(2).is_empty());
        assert_eq!(wav.mono(), [2, 7]);
    }

    #[test]
    fn what_cannot_be_read_is_refused_in_a_sentence() {
        for (bytes, why) in [
            (b"ID3 something else".to_vec(), "not a WAV"),
            (b"RIFF\0\0\0\0WAVE".to_vec(), "no data chunk"),
            (
                b"RIFF\0\0\0\0WAVEdata\0\0\0\0".to_vec(),
                "before its format",
            ),
            (
                b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0".to_vec(),
                "cut short",
            ),
            (file(85, 1, 8000, 16, &[]), "cannot be read"),
            (file(1, 0, 8000, 16, &[]), "0 channels"),
            (file(1, 1, 0, 16, &[]), "0 samples a second"),
            (file(1, 1, u32::MAX / 2, 16, &[]), "samples a second"),
        ] {
            let got = match read(&bytes) {
                Ok(_) => panic!("read {why}"),
                Err(e) => e.to_string(),
            };
            assert!(got.contains(why), "{got}");
        }
        let mut f = file(1, 1, 8000, 16, &[]);
        f[32] = 7;
        assert!(read(&f).unwrap_err().0.contains("contradicts"));
    }

    #[test]
    fn a_recording_is_readable_after_every_operation() {
        let (mut s, first) = WavStream::new(16_000, 2, 100);
        let mut disk = Vec::new();
        let mut apply = |op: FileOp| {
            match op {
                FileOp::Append(b) => disk.extend(b),
                FileOp::Patch { offset, bytes } => {
                    let at = offset as usize;
                    disk[at..at + bytes.len()].copy_from_slice(&bytes);
                }
            }
            disk.clone()
        };
        assert!(read(&apply(first)).unwrap().samples.is_empty());
        let mut pushed = 0;
        for n in 0..33i16 {
            let (left, right) = (vec![n * 300; 320], vec![-n; 320]);
            pushed += 320;
            for op in s.push(&[&left, &right]) {
                let now = apply(op);
                let wav = read(&now).unwrap();
                assert_eq!(wav.channel(0).len(), pushed, "our reader sees everything");
                assert_eq!(wav.channel(1)[pushed - 1], -n);
                let strict = u32::from_le_bytes(now[40..44].try_into().unwrap()) as usize;
                assert!(strict + HEADER <= now.len() && strict.is_multiple_of(4));
                assert!(
                    now.len() - HEADER - strict <= 6 * 1280,
                    "patched every 100 ms"
                );
            }
        }
        let mut last = Vec::new();
        for op in s.finish() {
            last = apply(op);
        }
        let strict = u32::from_le_bytes(last[40..44].try_into().unwrap()) as usize;
        assert_eq!(strict + HEADER, last.len());
        // Killed in the middle of an append.
        assert_eq!(
            read(&last[..last.len() - 7]).unwrap().channel(0).len(),
            33 * 320 - 2
        );
    }

    #[test]
    fn to_another_rate() {
        let wav = read(&write(&vec![1000; 88_200], 44_100, 2)).unwrap();
        assert_eq!(wav.ms(), 1000);
        let pcm = wav.mono_at(16_000);
        assert_eq!(pcm.len(), 16_000);
        assert!((pcm[8000] - 1000).abs() < 5);
    }

    proptest! {
        #[test]
        fn round_trip(pcm in proptest::collection::vec(any::<i16>(), 0..400), channels in 1u16..=8, rate in 1000u32..=384_000) {
            let whole = pcm.len() / usize::from(channels) * usize::from(channels);
            let wav = read(&write(&pcm[..whole], rate, channels)).unwrap();
            prop_assert_eq!(wav, Wav { rate, channels, samples: pcm[..whole].to_vec() });
        }

        #[test]
        fn never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), good in any::<bool>(), at in 0usize..44, b in any::<u8>()) {
            if good {
                let mut f = write(&[1, 2, 3, 4], 8000, 2);
                f[at] = b;
                f.extend(&bytes);
                bytes = f;
            }
            if let Ok(wav) = read(&bytes) {
                prop_assert!(wav.samples.len() <= bytes.len());
                wav.mono();
            }
        }
    }
}
