//! Words and pieces of words as weighted features (TF-IDF over words 1 to 2 and characters 2 to 5).

use std::collections::HashMap;

use super::text::words;

/// Which hashed features exist, with their inverse document frequency.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Vocabulary {
    /// Hash to row and idf.
    rows: HashMap<u32, (u32, f32)>,
}

/// Row and weight; the word block and the character block each have unit length.
pub(crate) type Sparse = Vec<(u32, f32)>;

fn hash(kind: u8, bytes: &[u8]) -> u32 {
    // FNV-1a, 32 bits, one seed a kind.
    let mut h: u32 = 0x811c_9dc5 ^ u32::from(kind);
    for b in bytes {
        h = (h ^ u32::from(*b)).wrapping_mul(0x0100_0193);
    }
    h
}

/// Hashed features of a text with their counts, in order of hash: word features (even) and character features (odd).
fn counts(text: &str) -> Vec<(u32, u32)> {
    let words = words(text);
    let mut all: Vec<u32> = Vec::with_capacity(words.len() * 20);
    for w in &words {
        all.push(hash(1, w.as_bytes()) & !1);
    }
    let mut pair = String::new();
    for w in words.windows(2) {
        pair.clear();
        pair.push_str(&w[0]);
        pair.push(' ');
        pair.push_str(&w[1]);
        all.push(hash(2, pair.as_bytes()) & !1);
    }
    for w in &words {
        // Padded with spaces, so that beginnings and ends of words are features of their own.
        let padded = format!(" {w} ");
        let ends: Vec<usize> = padded
            .char_indices()
            .map(|(i, _)| i)
            .chain([padded.len()])
            .collect();
        for n in 2..=5usize {
            for win in ends.windows(n + 1) {
                all.push(hash(10 + n as u8, &padded.as_bytes()[win[0]..win[n]]) | 1);
            }
        }
    }
    all.sort_unstable();
    let mut out: Vec<(u32, u32)> = Vec::with_capacity(all.len());
    for h in all {
        match out.last_mut() {
            Some((last, n)) if *last == h => *n += 1,
            _ => out.push((h, 1)),
        }
    }
    out
}

impl Vocabulary {
    /// Learns the features of `texts`. Ones seen in a single text are left out where there are many texts.
    pub fn learn<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut df: HashMap<u32, u32> = HashMap::new();
        let mut n = 0u32;
        for t in texts {
            n += 1;
            for (h, _) in counts(t) {
                *df.entry(h).or_default() += 1;
            }
        }
        let least = if n > 2000 { 2 } else { 1 };
        let mut kept: Vec<(u32, u32)> = df.into_iter().filter(|(_, d)| *d >= least).collect();
        kept.sort_unstable();
        let rows = kept
            .into_iter()
            .enumerate()
            .map(|(row, (h, d))| {
                let idf = ((1.0 + n as f32) / (1.0 + d as f32)).ln() + 1.0;
                (h, (row as u32, idf))
            })
            .collect();
        Self { rows }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The features of a text, and the share of its word weight that the vocabulary knows (0 to 1).
    pub fn sparse(&self, text: &str) -> (Sparse, f32) {
        let mut out = Vec::new();
        let mut squares = [0f32; 2];
        let (mut known, mut all) = (0f32, 0f32);
        for (h, n) in counts(text) {
            let block = (h & 1) as usize;
            let tf = 1.0 + (n as f32).ln();
            if block == 0 {
                all += 1.0;
            }
            let Some(&(row, idf)) = self.rows.get(&h) else {
                continue;
            };
            if block == 0 {
                known += 1.0;
            }
            let w = tf * idf;
            squares[block] += w * w;
            out.push((row, w, block));
        }
        let norm = squares.map(|s| if s > 0.0 { 1.0 / s.sqrt() } else { 0.0 });
        let sparse = out
            .into_iter()
            .map(|(row, w, block)| (row, w * norm[block]))
            .collect();
        (sparse, if all > 0.0 { known / all } else { 0.0 })
    }

    /// The rows of a text's words and pairs; none where the vocabulary lacks one.
    pub fn word_rows(&self, text: &str) -> Vec<Option<u32>> {
        counts(text)
            .into_iter()
            .filter(|(h, _)| h & 1 == 0)
            .map(|(h, _)| self.rows.get(&h).map(|r| r.0))
            .collect()
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        let mut rows: Vec<_> = self
            .rows
            .iter()
            .map(|(h, (r, idf))| (*r, *h, *idf))
            .collect();
        rows.sort_unstable_by_key(|r| r.0);
        out.extend((rows.len() as u32).to_le_bytes());
        for (_, h, idf) in rows {
            out.extend(h.to_le_bytes());
            out.extend(idf.to_le_bytes());
        }
    }

    pub fn read(bytes: &mut &[u8]) -> Option<Self> {
        let n = super::linear::read_u32(bytes)?;
        let mut rows = HashMap::new();
        for row in 0..n {
            let h = super::linear::read_u32(bytes)?;
            let idf = super::linear::read_f32(bytes)?;
            rows.insert(h, (row, idf));
        }
        Some(Self { rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_give_the_same_features_and_unit_blocks() {
        let v = Vocabulary::learn(["move my payment", "cancel my card"].into_iter());
        let (a, known) = v.sparse("Move my payment!");
        assert_eq!(known, 1.0);
        let length: f32 = a.iter().map(|(_, w)| w * w).sum();
        assert!((length - 2.0).abs() < 1e-4, "two unit blocks, got {length}");
        let (_, known) = v.sparse("xylophone");
        assert_eq!(known, 0.0);
    }

    #[test]
    fn survives_writing() {
        let v = Vocabulary::learn(["move my payment"].into_iter());
        let mut bytes = Vec::new();
        v.write(&mut bytes);
        assert_eq!(Vocabulary::read(&mut bytes.as_slice()), Some(v));
        assert_eq!(Vocabulary::read(&mut &bytes[..bytes.len() - 1]), None);
    }
}
