//! Multinomial logistic regression over sparse and dense features, learned by AdaGrad. Deterministic: no randomness but a
//! fixed shuffle.

use super::features::Sparse;

/// One labelled sample.
pub(crate) struct Sample<'a> {
    pub sparse: Sparse,
    /// Empty or of the model's dense length.
    pub dense: &'a [f32],
    pub class: usize,
}

/// Weights, `classes` side by side.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Linear {
    pub classes: usize,
    sparse: Vec<f32>,
    dense: Vec<f32>,
    bias: Vec<f32>,
}

/// How it is learned. `c` is the inverse strength of the L2 penalty, as in liblinear.
pub(crate) struct Recipe {
    pub c: f32,
    pub epochs: usize,
    pub rate: f32,
}

const BATCH: usize = 16;

impl Linear {
    pub fn train(
        samples: &[Sample<'_>],
        classes: usize,
        rows: usize,
        dims: usize,
        recipe: &Recipe,
    ) -> Self {
        let mut model = Self {
            classes,
            sparse: vec![0.0; rows * classes],
            dense: vec![0.0; dims * classes],
            bias: vec![0.0; classes],
        };
        if samples.is_empty() || classes == 0 {
            return model;
        }
        let n = samples.len();
        let decay = 1.0 / (recipe.c * n as f32);
        let mut seen = vec![0u32; rows];
        for s in samples {
            for (r, _) in &s.sparse {
                seen[*r as usize] += 1;
            }
        }
        let mut gs = vec![1e-6f32; rows * classes];
        let mut gd = vec![1e-6f32; dims * classes];
        let mut gb = vec![1e-6f32; classes];
        let mut order: Vec<usize> = (0..n).collect();
        let mut rng = 0x9e37_79b9_7f4a_7c15u64;
        let mut errors = vec![0f32; BATCH * classes];
        let mut grad = vec![0f32; dims * classes];
        for epoch in 0..recipe.epochs {
            for i in (1..n).rev() {
                rng ^= rng << 13;
                rng ^= rng >> 7;
                rng ^= rng << 17;
                order.swap(i, (rng % (i as u64 + 1)) as usize);
            }
            let rate = recipe.rate * (1.0 - 0.9 * epoch as f32 / recipe.epochs as f32);
            for batch in order.chunks(BATCH) {
                for (b, &i) in batch.iter().enumerate() {
                    let e = &mut errors[b * classes..(b + 1) * classes];
                    model.logits_into(&samples[i].sparse, samples[i].dense, e);
                    softmax(e);
                    e[samples[i].class] -= 1.0;
                }
                grad.fill(0.0);
                for (b, &i) in batch.iter().enumerate() {
                    let e = &errors[b * classes..(b + 1) * classes];
                    for (r, v) in &samples[i].sparse {
                        let row = *r as usize;
                        // The penalty of a row is paid when the row is seen: as much at once as its rarity asks.
                        let shrink = decay * n as f32 / seen[row] as f32;
                        let at = row * classes..(row + 1) * classes;
                        step(
                            &mut model.sparse[at.clone()],
                            &mut gs[at],
                            e,
                            *v,
                            shrink,
                            rate,
                        );
                    }
                    for (row, v) in grad.chunks_exact_mut(classes).zip(samples[i].dense) {
                        axpy(row, e, *v);
                    }
                    step(&mut model.bias, &mut gb, e, 1.0, 0.0, rate);
                }
                let scale = 1.0 / batch.len() as f32;
                for ((w, g), d) in model.dense.iter_mut().zip(&mut gd).zip(&grad) {
                    let g1 = d * scale + decay * *w;
                    *g += g1 * g1;
                    *w -= rate * g1 / g.sqrt();
                }
            }
        }
        model
    }

    fn logits_into(&self, sparse: &[(u32, f32)], dense: &[f32], out: &mut [f32]) {
        out.copy_from_slice(&self.bias);
        let k = self.classes;
        for (r, v) in sparse {
            axpy(
                out,
                &self.sparse[*r as usize * k..(*r as usize + 1) * k],
                *v,
            );
        }
        if dense.len() * k == self.dense.len() {
            for (row, v) in self.dense.chunks_exact(k.max(1)).zip(dense) {
                axpy(out, row, *v);
            }
        }
    }

    pub fn logits(&self, sparse: &[(u32, f32)], dense: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; self.classes];
        self.logits_into(sparse, dense, &mut out);
        out
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend((self.classes as u32).to_le_bytes());
        for part in [&self.sparse, &self.dense, &self.bias] {
            out.extend((part.len() as u32).to_le_bytes());
            for w in part {
                out.extend(w.to_le_bytes());
            }
        }
    }

    pub fn read(bytes: &mut &[u8]) -> Option<Self> {
        let classes = read_u32(bytes)? as usize;
        let mut part = || {
            let n = read_u32(bytes)? as usize;
            if bytes.len() < n.checked_mul(4)? {
                return None;
            }
            (0..n)
                .map(|_| read_f32(bytes))
                .collect::<Option<Vec<f32>>>()
        };
        let (sparse, dense, bias) = (part()?, part()?, part()?);
        (bias.len() == classes).then_some(Self {
            classes,
            sparse,
            dense,
            bias,
        })
    }
}

fn axpy(out: &mut [f32], row: &[f32], v: f32) {
    for (o, w) in out.iter_mut().zip(row) {
        *o += v * w;
    }
}

fn step(w: &mut [f32], g: &mut [f32], error: &[f32], v: f32, decay: f32, rate: f32) {
    for ((w, g), e) in w.iter_mut().zip(g).zip(error) {
        let g1 = e * v + decay * *w;
        *g += g1 * g1;
        *w -= rate * g1 / g.sqrt();
    }
}

/// In place; numerically safe.
pub(crate) fn softmax(x: &mut [f32]) {
    let max = x.iter().copied().fold(f32::MIN, f32::max);
    let mut sum = 0.0;
    for v in x.iter_mut() {
        *v = (*v - max).exp();
        sum += *v;
    }
    for v in x {
        *v /= sum;
    }
}

/// Log of the sum of exponentials.
pub(crate) fn energy(x: &[f32]) -> f32 {
    let max = x.iter().copied().fold(f32::MIN, f32::max);
    max + x.iter().map(|v| (v - max).exp()).sum::<f32>().ln()
}

pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

pub(crate) fn read_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*head))
}

pub(crate) fn read_f32(bytes: &mut &[u8]) -> Option<f32> {
    read_u32(bytes).map(f32::from_bits)
}

/// Binary logistic regression by Newton's method, for calibration: few features, all dense. The last weight is the bias.
/// `ridge` keeps separable data finite.
pub(crate) fn logistic(rows: &[Vec<f32>], truth: &[bool], ridge: f64) -> Vec<f32> {
    let d = rows.first().map_or(0, Vec::len) + 1;
    let mut w = vec![0f64; d];
    for _ in 0..40 {
        let mut h = vec![vec![0f64; d]; d];
        let mut g = vec![0f64; d];
        for (row, y) in rows.iter().zip(truth) {
            let x = |j: usize| row.get(j).map_or(1.0, |v| f64::from(*v));
            let z: f64 = (0..d).map(|j| w[j] * x(j)).sum();
            let p = 1.0 / (1.0 + (-z).exp());
            let e = p - f64::from(u8::from(*y));
            for j in 0..d {
                g[j] += e * x(j);
                for (k, hk) in h[j].iter_mut().enumerate() {
                    *hk += p * (1.0 - p) * x(j) * x(k);
                }
            }
        }
        for j in 0..d {
            let r = if j + 1 == d { 1e-6 } else { ridge };
            g[j] += r * w[j];
            h[j][j] += r + 1e-9;
        }
        let Some(delta) = solve(h, g) else { break };
        let size: f64 = delta.iter().map(|v| v.abs()).sum();
        for (w, dw) in w.iter_mut().zip(&delta) {
            *w -= dw.clamp(-4.0, 4.0);
        }
        if size < 1e-7 {
            break;
        }
    }
    w.into_iter().map(|v| v as f32).collect()
}

/// Gaussian elimination with pivoting.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = b.len();
    for i in 0..n {
        let p = (i..n).max_by(|x, y| a[*x][i].abs().total_cmp(&a[*y][i].abs()))?;
        if a[p][i].abs() < 1e-14 {
            return None;
        }
        a.swap(i, p);
        b.swap(i, p);
        for r in i + 1..n {
            let f = a[r][i] / a[i][i];
            let (above, below) = a.split_at_mut(r);
            for (x, y) in below[0][i..n].iter_mut().zip(&above[i][i..n]) {
                *x -= f * y;
            }
            b[r] -= f * b[i];
        }
    }
    for i in (0..n).rev() {
        for c in i + 1..n {
            b[i] -= a[i][c] * b[c];
        }
        b[i] /= a[i][i];
    }
    Some(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(dense: &[[f32; 2]]) -> Vec<Sample<'_>> {
        dense
            .iter()
            .map(|d| Sample {
                sparse: vec![(u32::from(d[0] > 0.0), 1.0)],
                dense: d,
                class: usize::from(d[0] > 0.0) + 2 * usize::from(d[1] > 0.0),
            })
            .collect()
    }

    #[test]
    fn learns_four_quadrants_and_survives_writing() {
        let points: Vec<[f32; 2]> = (0..200)
            .map(|i| [((i * 37) % 19) as f32 - 9.5, ((i * 53) % 23) as f32 - 11.5])
            .collect();
        let samples = samples(&points);
        let model = Linear::train(
            &samples,
            4,
            2,
            2,
            &Recipe {
                c: 10.0,
                epochs: 60,
                rate: 0.3,
            },
        );
        let right = samples
            .iter()
            .filter(|s| {
                let l = model.logits(&s.sparse, s.dense);
                (0..4).max_by(|a, b| l[*a].total_cmp(&l[*b])) == Some(s.class)
            })
            .count();
        assert!(right >= 190, "{right} of 200");
        let mut bytes = Vec::new();
        model.write(&mut bytes);
        assert_eq!(Linear::read(&mut bytes.as_slice()), Some(model));
        assert_eq!(Linear::read(&mut &bytes[..bytes.len() - 3]), None);
    }

    #[test]
    fn logistic_finds_known_weights() {
        // Truth drawn deterministically from p = sigmoid(2x - 1).
        let mut rows = Vec::new();
        let mut truth = Vec::new();
        for i in 0..4000 {
            let x = (i % 40) as f32 / 10.0 - 2.0;
            let p = sigmoid(2.0 * x - 1.0);
            rows.push(vec![x]);
            truth.push((i / 40) as f32 / 100.0 < p);
        }
        let w = logistic(&rows, &truth, 1e-3);
        assert!(
            (w[0] - 2.0).abs() < 0.1 && (w[1] + 1.0).abs() < 0.1,
            "{w:?}"
        );
    }
}
