//! The nearest of many vectors, without looking at them all.
//!
//! Every vector keeps a sketch: one bit a dimension, whether it lies above the middle of all. The number of bits in which two sketches
//! differ grows with the angle between their vectors (Charikar, "Similarity Estimation Techniques from Rounding Algorithms", 2002), and
//! costs a sixty-fourth of their product. Sketches choose who is looked at; the product itself decides.

use super::text::dot;

/// Vectors up to which all are looked at.
const FEW: usize = 2000;
/// Vectors whose products are computed where there are more.
const LOOKED_AT: usize = 500;

#[derive(Debug, Clone, Default)]
pub(super) struct Near {
    rows: Vec<Vec<f32>>,
    /// Bits of every row, so many words each; empty where there are few.
    sketches: Vec<u64>,
    words: usize,
    middle: Vec<f32>,
}

impl Near {
    /// Unit vectors; a row without one is empty and near to nothing.
    pub fn new(rows: Vec<Vec<f32>>) -> Self {
        let mut out = Self {
            rows,
            ..Self::default()
        };
        let dims = out.rows.iter().map(Vec::len).max().unwrap_or(0);
        if out.rows.len() <= FEW || dims == 0 {
            return out;
        }
        out.words = dims.div_ceil(64);
        out.middle = vec![0.0; dims];
        for row in &out.rows {
            out.middle.iter_mut().zip(row).for_each(|(m, x)| *m += x);
        }
        let n = out.rows.len() as f32;
        out.middle.iter_mut().for_each(|m| *m /= n);
        let mut sketches = Vec::with_capacity(out.rows.len() * out.words);
        for row in &out.rows {
            out.sketch(row, &mut sketches);
        }
        out.sketches = sketches;
        out
    }

    /// Whether every row is looked at.
    pub fn is_small(&self) -> bool {
        self.sketches.is_empty()
    }

    pub fn row(&self, at: usize) -> &[f32] {
        self.rows.get(at).map_or(&[], Vec::as_slice)
    }

    pub fn similarity(&self, at: usize, vector: &[f32]) -> f32 {
        dot(self.row(at), vector)
    }

    fn sketch(&self, row: &[f32], out: &mut Vec<u64>) {
        for (chunk, middle) in row.chunks(64).zip(self.middle.chunks(64)) {
            let bits = chunk.iter().zip(middle).enumerate();
            out.push(bits.fold(0, |bits, (at, (x, m))| bits | u64::from(x > m) << at));
        }
        // A row without a vector differs from everything in nothing that counts: its product is 0.
        for _ in row.len().div_ceil(64)..self.words {
            out.push(0);
        }
    }

    /// Rows worth looking at for a vector: all where there are few.
    pub fn worth(&self, vector: &[f32]) -> Vec<usize> {
        if self.is_small() || vector.len() != self.middle.len() {
            return (0..self.rows.len()).collect();
        }
        let mut own = Vec::with_capacity(self.words);
        self.sketch(vector, &mut own);
        // Counted by distance, so that the nearest are found in one pass without sorting.
        let mut distances = Vec::with_capacity(self.rows.len());
        let mut counts = vec![0usize; self.words * 64 + 1];
        for sketch in self.sketches.chunks_exact(self.words) {
            let mut d = 0;
            for (a, b) in sketch.iter().zip(&own) {
                d += (a ^ b).count_ones();
            }
            distances.push(d as u16);
            counts[d as usize] += 1;
        }
        let mut within = 0;
        let limit = counts
            .iter()
            .position(|n| {
                within += n;
                within >= LOOKED_AT
            })
            .unwrap_or(counts.len());
        let near = distances.iter().enumerate();
        near.filter(|(_, d)| usize::from(**d) <= limit)
            .map(|(at, _)| at)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unit vectors in bunches, as sentences are.
    fn bunches(n: usize, dims: usize) -> Vec<Vec<f32>> {
        let mut state = 7u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f32 / (1u64 << 24) as f32) - 0.5
        };
        let middles: Vec<Vec<f32>> = (0..50)
            .map(|_| (0..dims).map(|_| random()).collect())
            .collect();
        (0..n)
            .map(|i| {
                let v: Vec<f32> = middles[i % 50].iter().map(|m| m + random()).collect();
                let length = v.iter().map(|x| x * x).sum::<f32>().sqrt();
                v.iter().map(|x| x / length).collect()
            })
            .collect()
    }

    #[test]
    fn the_nearest_of_many_is_among_those_looked_at() {
        let rows = bunches(6000, 384);
        let near = Near::new(rows.clone());
        assert!(!near.is_small());
        let mut missed = 0;
        for query in rows.iter().step_by(97) {
            let mut query = query.clone();
            query[0] += 0.2;
            let worth = near.worth(&query);
            assert!(worth.len() < 1500, "{}", worth.len());
            let best = (0..rows.len()).max_by(|a, b| {
                near.similarity(*a, &query)
                    .total_cmp(&near.similarity(*b, &query))
            });
            missed += usize::from(!worth.contains(&best.expect("rows")));
        }
        assert_eq!(missed, 0);
        assert_eq!(Near::new(bunches(10, 8)).worth(&[0.0; 8]).len(), 10);
    }
}
