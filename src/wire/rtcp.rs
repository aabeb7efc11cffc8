//! RTCP: sender and receiver reports, source description, goodbye (RFC 3550 section 6).

use super::WireError;

/// What one receiver says about one source (section 6.4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReportBlock {
    pub ssrc: u32,
    /// Share lost since the last report, of 256.
    pub fraction_lost: u8,
    /// Since the start; 24 bits, signed.
    pub cumulative_lost: i32,
    /// Highest sequence number received, with its cycles.
    pub highest_seq: u32,
    /// Interarrival jitter, RTP clock ticks.
    pub jitter: u32,
    /// Middle 32 bits of the last sender report's NTP time; 0 where there was none.
    pub last_sr: u32,
    /// Since that report, in 1/65536 s.
    pub delay_since_sr: u32,
}

/// A sender's figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// NTP time, 32.32 bits.
    pub ntp: u64,
    /// The same moment on the RTP clock.
    pub rtp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// One packet of a compound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rtcp {
    SenderReport {
        ssrc: u32,
        info: SenderInfo,
        blocks: Vec<ReportBlock>,
    },
    ReceiverReport {
        ssrc: u32,
        blocks: Vec<ReportBlock>,
    },
    /// Canonical name of a source. Other items are not kept.
    Cname {
        ssrc: u32,
        cname: String,
    },
    Bye {
        sources: Vec<u32>,
        reason: Option<String>,
    },
    /// A type that is not acted upon.
    Other(u8),
}

const SR: u8 = 200;
const RR: u8 = 201;
const SDES: u8 = 202;
const BYE: u8 = 203;

/// Reads a datagram: every packet in it. What follows a packet that contradicts itself is not read.
pub fn parse(mut bytes: &[u8]) -> Result<Vec<Rtcp>, WireError> {
    let mut packets = Vec::new();
    while !bytes.is_empty() {
        let [first, kind, high, low, ..] = *bytes else {
            return Err(WireError::new("RTCP packet cut short"));
        };
        if first >> 6 != 2 {
            return Err(WireError::new("not RTCP version 2"));
        }
        let length = 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
        let Some((packet, rest)) = bytes.split_at_checked(length) else {
            return Err(WireError::new("RTCP packet longer than its datagram"));
        };
        bytes = rest;
        let mut body = &packet[4..];
        if first & 0x20 != 0 {
            let padding = usize::from(body.last().copied().unwrap_or(0));
            if padding == 0 || padding > body.len() {
                return Err(WireError::new("RTCP padding longer than its packet"));
            }
            body = &body[..body.len() - padding];
        }
        packets.push(one(kind, usize::from(first & 0x1F), &mut Reader(body))?);
    }
    Ok(packets)
}

fn one(kind: u8, count: usize, r: &mut Reader) -> Result<Rtcp, WireError> {
    Ok(match kind {
        SR => Rtcp::SenderReport {
            ssrc: r.word()?,
            info: SenderInfo {
                ntp: u64::from(r.word()?) << 32 | u64::from(r.word()?),
                rtp: r.word()?,
                packets: r.word()?,
                octets: r.word()?,
            },
            blocks: r.blocks(count)?,
        },
        RR => Rtcp::ReceiverReport {
            ssrc: r.word()?,
            blocks: r.blocks(count)?,
        },
        SDES if count > 0 => sdes(r)?,
        BYE => {
            let sources = (0..count).map(|_| r.word()).collect::<Result<_, _>>()?;
            Rtcp::Bye {
                sources,
                reason: r.text(),
            }
        }
        other => Rtcp::Other(other),
    })
}

/// The first chunk's CNAME (item 1; section 6.5.1).
fn sdes(r: &mut Reader) -> Result<Rtcp, WireError> {
    let ssrc = r.word()?;
    while let Some((&kind, rest)) = r.0.split_first() {
        r.0 = rest;
        if kind == 0 {
            break;
        }
        match r.text() {
            Some(cname) if kind == 1 => return Ok(Rtcp::Cname { ssrc, cname }),
            Some(_) => {}
            None => break,
        }
    }
    Ok(Rtcp::Other(SDES))
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn word(&mut self) -> Result<u32, WireError> {
        let Some((word, rest)) = self.0.split_first_chunk::<4>() else {
            return Err(WireError::new("RTCP packet cut short"));
        };
        self.0 = rest;
        Ok(u32::from_be_bytes(*word))
    }

    fn blocks(&mut self, count: usize) -> Result<Vec<ReportBlock>, WireError> {
        (0..count)
            .map(|_| {
                let ssrc = self.word()?;
                let loss = self.word()?;
                Ok(ReportBlock {
                    ssrc,
                    fraction_lost: (loss >> 24) as u8,
                    // Sign-extends the lower 24 bits.
                    cumulative_lost: ((loss << 8) as i32) >> 8,
                    highest_seq: self.word()?,
                    jitter: self.word()?,
                    last_sr: self.word()?,
                    delay_since_sr: self.word()?,
                })
            })
            .collect()
    }

    /// A length octet and that many octets of text.
    fn text(&mut self) -> Option<String> {
        let (&length, rest) = self.0.split_first()?;
        let (text, rest) = rest.split_at_checked(usize::from(length))?;
        self.0 = rest;
        Some(String::from_utf8_lossy(text).into_owned())
    }
}

/// Builds a compound datagram. It should begin with a report and hold a CNAME (section 6.1). At most 31 blocks or sources and
/// 255 octets of text a packet go out; [`Rtcp::Other`] does not.
pub fn build(packets: &[Rtcp]) -> Vec<u8> {
    let mut out = Vec::new();
    for packet in packets {
        let start = out.len();
        out.extend([0; 4]);
        let (kind, count) = match packet {
            Rtcp::SenderReport { ssrc, info, blocks } => {
                out.extend(ssrc.to_be_bytes());
                out.extend(info.ntp.to_be_bytes());
                for word in [info.rtp, info.packets, info.octets] {
                    out.extend(word.to_be_bytes());
                }
                (SR, put_blocks(blocks, &mut out))
            }
            Rtcp::ReceiverReport { ssrc, blocks } => {
                out.extend(ssrc.to_be_bytes());
                (RR, put_blocks(blocks, &mut out))
            }
            Rtcp::Cname { ssrc, cname } => {
                out.extend(ssrc.to_be_bytes());
                out.push(1);
                put_text(cname, &mut out);
                out.push(0);
                (SDES, 1)
            }
            Rtcp::Bye { sources, reason } => {
                let sources = &sources[..sources.len().min(31)];
                for source in sources {
                    out.extend(source.to_be_bytes());
                }
                if let Some(reason) = reason {
                    put_text(reason, &mut out);
                }
                (BYE, sources.len())
            }
            Rtcp::Other(_) => {
                out.truncate(start);
                continue;
            }
        };
        while !(out.len() - start).is_multiple_of(4) {
            out.push(0);
        }
        let words = ((out.len() - start) / 4 - 1) as u16;
        out[start] = 0x80 | count as u8;
        out[start + 1] = kind;
        out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
    }
    out
}

fn put_blocks(blocks: &[ReportBlock], out: &mut Vec<u8>) -> usize {
    let blocks = &blocks[..blocks.len().min(31)];
    for b in blocks {
        let lost = b.cumulative_lost.clamp(-0x80_0000, 0x7F_FFFF) as u32 & 0xFF_FFFF;
        let loss = u32::from(b.fraction_lost) << 24 | lost;
        for word in [
            b.ssrc,
            loss,
            b.highest_seq,
            b.jitter,
            b.last_sr,
            b.delay_since_sr,
        ] {
            out.extend(word.to_be_bytes());
        }
    }
    blocks.len()
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    let mut end = text.len().min(255);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    out.push(end as u8);
    out.extend(&text.as_bytes()[..end]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_compound_as_it_stands_on_the_wire() {
        let bytes = [
            0x81, 201, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 64, 0xFF, 0xFF, 0xFE, 0, 1, 0, 5, 0, 0, 0, 80,
            0, 0, 0, 0, 0, 0, 0, 0, 0x81, 202, 0, 3, 0, 0, 0, 1, 1, 3, b'a', b'@', b'b', 0, 0, 0,
            0xA1, 203, 0, 4, 0, 0, 0, 1, 3, b'e', b'n', b'd', 0, 0, 0, 0, 0, 0, 0, 4, 0x80, 207, 0,
            0,
        ];
        let block = ReportBlock {
            ssrc: 2,
            fraction_lost: 64,
            cumulative_lost: -2,
            highest_seq: 65_541,
            jitter: 80,
            ..ReportBlock::default()
        };
        assert_eq!(
            parse(&bytes).unwrap(),
            [
                Rtcp::ReceiverReport {
                    ssrc: 1,
                    blocks: vec![block]
                },
                Rtcp::Cname {
                    ssrc: 1,
                    cname: "a@b".into()
                },
                Rtcp::Bye {
                    sources: vec![1],
                    reason: Some("end".into())
                },
                Rtcp::Other(207),
            ]
        );
    }

    #[test]
    fn hostile_datagrams_are_errors() {
        for bytes in [
            &[0x81, 201, 0][..],
            &[0x81, 201, 0, 9, 0, 0, 0, 1],
            &[0x9F, 200, 0, 1, 0, 0, 0, 1],
            &[0x01, 200, 0, 0],
            &[0xA0, 203, 0, 0],
            &[0xA0, 203, 0, 1, 0, 0, 0, 9],
        ] {
            assert!(parse(bytes).is_err(), "{bytes:?}");
        }
    }

    fn block() -> impl Strategy<Value = ReportBlock> {
        (any::<[u32; 5]>(), any::<u8>(), -0x80_0000i32..=0x7F_FFFF).prop_map(
            |(w, fraction_lost, cumulative_lost)| ReportBlock {
                ssrc: w[0],
                fraction_lost,
                cumulative_lost,
                highest_seq: w[1],
                jitter: w[2],
                last_sr: w[3],
                delay_since_sr: w[4],
            },
        )
    }

    proptest! {
        #[test]
        fn round_trip(
            ssrc: u32, ntp: u64, w: [u32; 3], cname in "[a-z@.é]{0,60}",
            blocks in proptest::collection::vec(block(), 0..=31),
            sources in proptest::collection::vec(any::<u32>(), 0..=31),
            reason in proptest::option::of("[ -~]{1,255}"),
        ) {
            let info = SenderInfo { ntp, rtp: w[0], packets: w[1], octets: w[2] };
            let packets = vec![
                Rtcp::SenderReport { ssrc, info, blocks: blocks.clone() },
                Rtcp::ReceiverReport { ssrc, blocks },
                Rtcp::Cname { ssrc, cname },
                Rtcp::Bye { sources, reason },
            ];
            prop_assert_eq!(parse(&build(&packets)).unwrap(), packets);
        }

        #[test]
        fn never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), kind in 199u8..206, real: bool) {
            if real && bytes.len() >= 4 {
                bytes[0] = 0x80 | (bytes[0] & 0x3F);
                bytes[1] = kind;
                bytes[2] = 0;
                bytes[3] = (bytes.len() / 4 - 1) as u8;
            }
            let _ = parse(&bytes);
        }
    }
}
