//! G.711: telephone companding, ITU-T Recommendation G.711 (11/88), tables 1a/1b (A-law) and 2a/2b (mu-law).
//!
//! Samples here are 16 bits wide: the recommendation's 14-bit (mu) and 13-bit (A) values shifted left by 2 and 3.

/// Which of the two companding laws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Law {
    /// North America and Japan; RTP payload type 0 (PCMU).
    Mu,
    /// The rest of the world; RTP payload type 8 (PCMA).
    A,
}

impl Law {
    /// The code nearest to `sample`.
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Law::Mu => mu_encode(sample),
            Law::A => a_encode(sample),
        }
    }

    /// The sample a code stands for.
    pub fn decode(self, code: u8) -> i16 {
        match self {
            Law::Mu => MU[code as usize],
            Law::A => A[code as usize],
        }
    }

    /// Appends one code a sample to `out`.
    pub fn encode_into(self, pcm: &[i16], out: &mut Vec<u8>) {
        out.extend(pcm.iter().map(|&s| self.encode(s)));
    }

    /// Appends one sample a code to `out`.
    pub fn decode_into(self, codes: &[u8], out: &mut Vec<i16>) {
        out.extend(codes.iter().map(|&c| self.decode(c)));
    }

    /// The code for silence, as idle lines send it.
    pub const fn silence(self) -> u8 {
        match self {
            Law::Mu => 0xFF,
            Law::A => 0xD5,
        }
    }
}

/// Added to a magnitude before its segment is looked for, so that every segment starts at a power of two.
const MU_BIAS: i32 = 132;
/// Largest magnitude that still fits the top segment.
const MU_CLIP: i32 = 32_635;

fn mu_encode(sample: i16) -> u8 {
    let magnitude = i32::from(sample).abs().min(MU_CLIP) + MU_BIAS;
    // The biased magnitude lies in 2^7 .. 2^15: the segment is its highest bit.
    let segment = (31 - magnitude.leading_zeros()) - 7;
    let step = (magnitude >> (segment + 3)) & 0x0F;
    let sign = if sample < 0 { 0x80 } else { 0 };
    // Codes go out inverted, so that silence is rich in ones for old line repeaters.
    !(sign | (segment as u8) << 4 | step as u8)
}

const fn mu_decode(code: u8) -> i16 {
    let code = !code;
    let segment = (code >> 4) & 7;
    let step = (code & 0x0F) as i32;
    let magnitude = (((step << 3) + MU_BIAS) << segment) - MU_BIAS;
    (if code & 0x80 != 0 {
        -magnitude
    } else {
        magnitude
    }) as i16
}

fn a_encode(sample: i16) -> u8 {
    // Negative values use the one's complement, which makes the two halves of the scale mirror images.
    let (magnitude, sign) = if sample >= 0 {
        (i32::from(sample), 0x80)
    } else {
        (!i32::from(sample), 0)
    };
    let code = if magnitude < 256 {
        (magnitude >> 4) as u8
    } else {
        let segment = (31 - magnitude.leading_zeros()) - 7;
        ((segment << 4) as u8) | ((magnitude >> (segment + 3)) & 0x0F) as u8
    };
    (code | sign) ^ 0x55
}

const fn a_decode(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = (code >> 4) & 7;
    let step = (code & 0x0F) as i32;
    let magnitude = if segment == 0 {
        (step << 4) + 8
    } else {
        ((step << 4) + 0x108) << (segment - 1)
    };
    (if code & 0x80 != 0 {
        magnitude
    } else {
        -magnitude
    }) as i16
}

static MU: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = mu_decode(code as u8);
        code += 1;
    }
    table
};

static A: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = a_decode(code as u8);
        code += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_codes() {
        for (law, sample, code) in [
            (Law::Mu, 0, 0xFF),
            (Law::Mu, 32_767, 0x80),
            (Law::Mu, -32_768, 0x00),
            (Law::A, 0, 0xD5),
            (Law::A, -1, 0x55),
            (Law::A, 32_767, 0xAA),
            (Law::A, -32_768, 0x2A),
        ] {
            assert_eq!(law.encode(sample), code, "{law:?} {sample}");
        }
        assert_eq!(Law::Mu.decode(0x80), 32_124);
        assert_eq!(Law::A.decode(0xAA), 32_256);
        assert_eq!(Law::A.decode(0xD5), 8);
    }

    #[test]
    fn every_code_survives_a_round_trip() {
        for law in [Law::Mu, Law::A] {
            for code in 0..=255u8 {
                let back = law.encode(law.decode(code));
                // Mu-law has two zeros; the negative one comes back as the positive.
                let same = back == code || (law == Law::Mu && code == 0x7F && back == 0xFF);
                assert!(same, "{law:?} {code:#x} came back as {back:#x}");
            }
        }
    }

    #[test]
    fn every_sample_is_within_half_a_step() {
        for sample in i16::MIN..=i16::MAX {
            let s = i32::from(sample);
            for law in [Law::Mu, Law::A] {
                let code = law.encode(sample);
                let step = match law {
                    Law::Mu => 8 << ((!code >> 4) & 7),
                    Law::A => 16 << (((code ^ 0x55) >> 4) & 7).saturating_sub(1),
                };
                // Beyond the last code there is nothing nearer.
                let most = if law == Law::Mu { 32_124 } else { 32_256 };
                let beyond = (s.abs() - most).max(0);
                let off = (i32::from(law.decode(code)) - s).abs();
                assert!(
                    off <= (step / 2).max(beyond),
                    "{law:?} {sample}: off by {off}"
                );
            }
        }
    }

    #[test]
    fn decision_values_at_the_segment_edges() {
        // Tables 1a and 2a, virtual decision values, in units of the 13- and 14-bit scales.
        for (i, edge) in [31, 95, 223, 479, 991, 2015, 4063].into_iter().enumerate() {
            let segment = |s: i16| usize::from((!Law::Mu.encode(s) >> 4) & 7);
            assert_eq!(
                (segment(edge * 4 - 1), segment(edge * 4)),
                (i, i + 1),
                "mu {edge}"
            );
        }
        for (i, edge) in [32, 64, 128, 256, 512, 1024, 2048].into_iter().enumerate() {
            let segment = |s: i16| usize::from(((Law::A.encode(s) ^ 0x55) >> 4) & 7);
            assert_eq!(
                (segment(edge * 8 - 1), segment(edge * 8)),
                (i, i + 1),
                "A {edge}"
            );
        }
    }
}
