//! RTP packets: RFC 3550 section 5.

use super::WireError;

/// Octets of a header without sources or extension.
pub const FIXED: usize = 12;

/// What an RTP packet says about its payload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    pub seq: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    /// Contributing sources, at most 15.
    pub csrc: Vec<u32>,
}

/// A header extension: its profile's identifier and its words as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    pub profile: u16,
    /// A whole number of 32-bit words.
    pub data: &'a [u8],
}

/// One packet, its payload borrowed from the datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    pub header: Header,
    pub extension: Option<Extension<'a>>,
    /// Without padding.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads one datagram.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        let short = || WireError::new("RTP packet cut short");
        let (fixed, rest) = bytes.split_at_checked(FIXED).ok_or_else(short)?;
        if fixed[0] >> 6 != 2 {
            return Err(WireError::new("not RTP version 2"));
        }
        let (padded, extended) = (fixed[0] & 0x20 != 0, fixed[0] & 0x10 != 0);
        let sources = usize::from(fixed[0] & 0x0F);
        let (csrc, mut rest) = rest.split_at_checked(sources * 4).ok_or_else(short)?;
        let mut extension = None;
        if extended {
            let (head, after) = rest.split_at_checked(4).ok_or_else(short)?;
            let words = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let (data, after) = after.split_at_checked(words * 4).ok_or_else(short)?;
            let profile = u16::from_be_bytes([head[0], head[1]]);
            extension = Some(Extension { profile, data });
            rest = after;
        }
        if padded {
            // The last octet counts the padding, itself included.
            let count = usize::from(*rest.last().ok_or_else(short)?);
            if count == 0 || count > rest.len() {
                return Err(WireError::new("RTP padding longer than its packet"));
            }
            rest = &rest[..rest.len() - count];
        }
        Ok(Self {
            header: Header {
                marker: fixed[1] & 0x80 != 0,
                payload_type: fixed[1] & 0x7F,
                seq: u16::from_be_bytes([fixed[2], fixed[3]]),
                timestamp: word(&fixed[4..]),
                ssrc: word(&fixed[8..]),
                csrc: csrc.chunks_exact(4).map(word).collect(),
            },
            extension,
            payload: rest,
        })
    }
}

/// The first four octets as a number, high first. `b` holds at least four.
fn word(b: &[u8]) -> u32 {
    u32::from_be_bytes([b[0], b[1], b[2], b[3]])
}

/// Appends one packet to `out`: no padding; sources beyond the fifteenth are left out, an extension is cut to whole words.
pub fn build(header: &Header, extension: Option<Extension>, payload: &[u8], out: &mut Vec<u8>) {
    let sources = header.csrc.len().min(15);
    let extended = if extension.is_some() { 0x10 } else { 0 };
    let marker = if header.marker { 0x80 } else { 0 };
    out.push(0x80 | extended | sources as u8);
    out.push(marker | (header.payload_type & 0x7F));
    out.extend(header.seq.to_be_bytes());
    out.extend(header.timestamp.to_be_bytes());
    out.extend(header.ssrc.to_be_bytes());
    for source in &header.csrc[..sources] {
        out.extend(source.to_be_bytes());
    }
    if let Some(extension) = extension {
        let words = (extension.data.len() / 4).min(usize::from(u16::MAX));
        out.extend(extension.profile.to_be_bytes());
        out.extend((words as u16).to_be_bytes());
        out.extend(&extension.data[..words * 4]);
    }
    out.extend(payload);
}

/// Whether a datagram is RTCP rather than RTP, where both come to one port (RFC 5761 section 4).
pub fn is_rtcp(bytes: &[u8]) -> bool {
    bytes.len() >= 8 && bytes[0] >> 6 == 2 && (192..=223).contains(&bytes[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_packet_as_phones_send_it() {
        let mut bytes = vec![0x80, 0x80, 0x12, 0x34, 0, 0, 0, 160, 0xDE, 0xAD, 0xBE, 0xEF];
        bytes.extend([0xFF; 160]);
        let p = Packet::parse(&bytes).unwrap();
        assert!(p.header.marker);
        assert_eq!(
            (p.header.payload_type, p.header.seq, p.header.timestamp),
            (0, 0x1234, 160)
        );
        assert_eq!(p.header.ssrc, 0xDEAD_BEEF);
        assert_eq!(p.payload, [0xFF; 160]);
        assert!(!is_rtcp(&bytes));
        bytes[1] = 200;
        assert!(is_rtcp(&bytes));
    }

    #[test]
    fn sources_extension_and_padding() {
        let bytes = [
            0xB1, 101, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 9, 0xBE, 0xDE, 0, 1, 1, 2, 3, 4, 7,
            7, 0, 2,
        ];
        let p = Packet::parse(&bytes).unwrap();
        assert_eq!(p.header.csrc, [9]);
        assert_eq!(
            p.extension,
            Some(Extension {
                profile: 0xBEDE,
                data: &[1, 2, 3, 4]
            })
        );
        assert_eq!(p.payload, [7, 7]);
    }

    #[test]
    fn hostile_packets_are_errors() {
        let mut good = Vec::new();
        build(&Header::default(), None, &[1, 2, 3], &mut good);
        assert!(Packet::parse(&good[..11]).is_err());
        for (at, value) in [(0, 0x40), (0, 0x8F), (0, 0x90)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert!(Packet::parse(&bad).is_err(), "{value:#x}");
        }
        for padding in [0, 200] {
            let mut bad = good.clone();
            bad[0] |= 0x20;
            bad[14] = padding;
            assert!(Packet::parse(&bad).is_err());
        }
        good[0] |= 0x20;
        good[14] = 3;
        assert!(Packet::parse(&good).unwrap().payload.is_empty());
    }

    proptest! {
        #[test]
        fn round_trip(
            marker: bool, payload_type in 0u8..128, seq: u16, timestamp: u32, ssrc: u32,
            csrc in proptest::collection::vec(any::<u32>(), 0..=15),
            extension in proptest::option::of((any::<u16>(), proptest::collection::vec(any::<[u8; 4]>(), 0..9))),
            payload in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let header = Header { marker, payload_type, seq, timestamp, ssrc, csrc };
            let words = extension.map(|(p, d)| (p, d.concat()));
            let extension = words.as_ref().map(|(profile, data)| Extension { profile: *profile, data });
            let mut bytes = Vec::new();
            build(&header, extension, &payload, &mut bytes);
            let p = Packet::parse(&bytes).unwrap();
            prop_assert_eq!(&p.header, &header);
            prop_assert_eq!(p.extension, extension);
            prop_assert_eq!(p.payload, &payload[..]);
        }

        #[test]
        fn never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..80), real: bool) {
            if real && !bytes.is_empty() {
                bytes[0] = 0x80 | (bytes[0] & 0x3F);
            }
            let _ = Packet::parse(&bytes);
            is_rtcp(&bytes);
        }
    }
}
