//! ggml's q8_0 blocks.

use super::half::f32_to_f16;

/// Numbers in one block.
pub const BLOCK: usize = 32;
/// Bytes of one block: a half-precision scale, then [`BLOCK`] signed bytes.
#[cfg(test)]
const BLOCK_BYTES: usize = 34;

/// Appends `values` as q8_0 blocks: scale = largest magnitude / 127, each number the nearest multiple of it (halves away from
/// zero). Values after the last whole block are not written: callers check the length first.
pub fn q8_0(values: &[f32], out: &mut Vec<u8>) {
    for block in values.chunks_exact(BLOCK) {
        let largest = block.iter().fold(0f32, |m, x| m.max(x.abs()));
        let scale = largest / 127.0;
        let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
        out.extend_from_slice(&f32_to_f16(scale).to_le_bytes());
        // A float cast to an integer saturates in Rust and NaN becomes 0, so no input can misbehave.
        out.extend(block.iter().map(|x| (x * inverse).round() as i8 as u8));
    }
}

#[cfg(test)]
mod tests {
    use super::super::half::f16_to_f32;
    use super::*;

    #[test]
    fn one_block_is_within_half_a_step() {
        let values: Vec<f32> = (0..BLOCK).map(|i| (i as f32 - 11.0) * 0.037).collect();
        let mut out = Vec::new();
        q8_0(&values, &mut out);
        assert_eq!(out.len(), BLOCK_BYTES);
        let scale = f16_to_f32(u16::from_le_bytes([out[0], out[1]]));
        for (value, byte) in values.iter().zip(&out[2..]) {
            let back = f32::from(*byte as i8) * scale;
            assert!((value - back).abs() <= scale * 0.6, "{value} {back}");
        }
    }

    #[test]
    fn silence_and_rubbish() {
        let mut out = Vec::new();
        q8_0(&[0.0; BLOCK], &mut out);
        assert_eq!(out, [0; BLOCK_BYTES]);
        q8_0(&[f32::NAN; BLOCK], &mut out);
        q8_0(&[f32::INFINITY; BLOCK], &mut out);
        assert_eq!(out.len(), 3 * BLOCK_BYTES);
    }
}
