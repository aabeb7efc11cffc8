//! How a call sounds, from what can be counted: the E-model of ITU-T G.107, cut down to delay, codec and loss.

use crate::audio::codec::Codec;

/// Mean opinion score, 1.0 to 4.5, that listeners would be expected to give.
///
/// `loss`: share of packets lost, 0 to 1. `delay_ms`: mouth to ear, one way. G.711 with concealment by G.113 Appendix I (Ie 0, Bpl
/// 25.1); wideband codecs are put on the narrowband scale without their bonus, so that lines compare.
pub fn mos(codec: Codec, loss: f32, delay_ms: f32) -> f32 {
    let (ie, robustness) = match codec {
        Codec::Pcmu | Codec::Pcma => (0.0, 25.1),
        Codec::G722 => (0.0, 18.0),
        Codec::Opus => (1.0, 20.0),
    };
    let percent = loss.clamp(0.0, 1.0) * 100.0;
    let equipment = ie + (95.0 - ie) * percent / (percent + robustness);
    let late = (delay_ms - 177.3).max(0.0);
    let delay = 0.024 * delay_ms.max(0.0) + 0.11 * late;
    let r = (93.2 - delay - equipment).clamp(0.0, 100.0);
    if r < 6.5 {
        return 1.0;
    }
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7.0e-6).clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worse_lines_score_lower() {
        let clean = mos(Codec::Pcmu, 0.0, 60.0);
        assert!((4.3..4.5).contains(&clean), "{clean}");
        let lossy = mos(Codec::Pcmu, 0.05, 60.0);
        assert!((3.4..4.0).contains(&lossy), "{lossy}");
        let late = mos(Codec::Pcmu, 0.0, 400.0);
        assert!(late < clean - 0.5, "{late}");
        assert!((mos(Codec::Pcma, 1.0, 900.0) - 1.0).abs() < 0.01);
    }
}
