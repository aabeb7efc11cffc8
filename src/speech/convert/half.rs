//! IEEE 754 half precision, to and from single.

/// Widens a half-precision number, given by its bits. Exact for every input.
pub fn f16_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10) & 0x1f;
    let fraction = u32::from(bits) & 0x3ff;
    let magnitude = match exponent {
        // Subnormal: fraction times 2^-24, exact in single precision.
        0 => return f32::from_bits(sign | (fraction as f32 * 2f32.powi(-24)).to_bits()),
        0x1f => 0x7f80_0000 | fraction << 13,
        _ => (exponent + 112) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

/// Narrows to half precision, to the nearest, ties to even: what the processor's own conversion does.
pub fn f32_to_f16(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude >= 0x7f80_0000 {
        // Infinity stays; NaN keeps its top bits and becomes quiet.
        let nan = if magnitude > 0x7f80_0000 {
            0x200 | ((magnitude >> 13) & 0x3ff) as u16
        } else {
            0
        };
        return sign | 0x7c00 | nan;
    }
    if magnitude < 0x3880_0000 {
        // Below 2^-14 halves are spaced 2^-24 apart.
        let scaled = f32::from_bits(magnitude) * 2f32.powi(24);
        return sign | scaled.round_ties_even() as u16;
    }
    // Round on the 13 bits that go; a carry into the exponent is what rounding up means.
    let rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
    let half = (rounded >> 13) - (112 << 10);
    sign | if half >= 0x7c00 { 0x7c00 } else { half as u16 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives_the_round_trip() {
        for bits in 0..=u16::MAX {
            let wide = f16_to_f32(bits);
            if wide.is_nan() {
                assert!(f16_to_f32(f32_to_f16(wide)).is_nan());
            } else {
                assert_eq!(f32_to_f16(wide), bits, "{wide}");
            }
        }
    }

    #[test]
    fn known_values() {
        assert_eq!(f32_to_f16(1.0), 0x3c00);
        assert_eq!(f32_to_f16(-2.0), 0xc000);
        assert_eq!(f32_to_f16(65504.0), 0x7bff);
        assert_eq!(f32_to_f16(65520.0), 0x7c00);
        assert_eq!(f32_to_f16(1.0 + 2f32.powi(-11)), 0x3c00); // a tie goes to even
        assert_eq!(f32_to_f16(1.0 + 3.0 * 2f32.powi(-11)), 0x3c02);
        assert_eq!(f32_to_f16(2f32.powi(-25)), 0); // a tie at the bottom
        assert_eq!(f32_to_f16(2f32.powi(-24)), 1);
        assert_eq!(f16_to_f32(0x3555), 0.333_251_95);
    }
}
