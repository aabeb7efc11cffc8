//! RTP and RTCP packets as this edge needs them (RFC 3550, RFC 4733). Total: any bytes give a packet or nothing.

/// An RTP packet's header and payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rtp<'a> {
    pub marker: bool,
    pub payload_type: u8,
    pub seq: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: &'a [u8],
}

impl<'a> Rtp<'a> {
    /// Reads a packet: version 2, contributing sources, extension and padding passed over (RFC 3550 section 5.1).
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let head = bytes.first_chunk::<12>()?;
        if head[0] >> 6 != 2 {
            return None;
        }
        let mut at = 12 + usize::from(head[0] & 0x0f) * 4;
        if head[0] & 0x10 != 0 {
            let words = bytes.get(at + 2..at + 4)?;
            at += 4 + usize::from(u16::from_be_bytes([words[0], words[1]])) * 4;
        }
        let mut end = bytes.len();
        if head[0] & 0x20 != 0 {
            let pad = usize::from(*bytes.last()?);
            if pad == 0 {
                return None;
            }
            end = end.checked_sub(pad)?;
        }
        Some(Self {
            marker: head[1] & 0x80 != 0,
            payload_type: head[1] & 0x7f,
            seq: u16::from_be_bytes([head[2], head[3]]),
            timestamp: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            ssrc: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
            payload: bytes.get(at..end)?,
        })
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend([0x80, self.payload_type | u8::from(self.marker) << 7]);
        out.extend(self.seq.to_be_bytes());
        out.extend(self.timestamp.to_be_bytes());
        out.extend(self.ssrc.to_be_bytes());
        out.extend(self.payload);
    }
}

/// A key as RFC 4733 section 2.3 carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    pub key: char,
    pub end: bool,
    /// In timestamp units since the event began.
    pub duration: u16,
}

const KEYS: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D',
];

impl Event {
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [event, flags, high, low] = *payload.first_chunk::<4>()?;
        Some(Self {
            key: *KEYS.get(usize::from(event))?,
            end: flags & 0x80 != 0,
            duration: u16::from_be_bytes([high, low]),
        })
    }

    /// Four bytes at -10 dBm0. None for what is no key.
    pub fn write(&self) -> Option<[u8; 4]> {
        let event = KEYS
            .iter()
            .position(|k| *k == self.key.to_ascii_uppercase())?;
        let [high, low] = self.duration.to_be_bytes();
        Some([
            u8::try_from(event).ok()?,
            u8::from(self.end) << 7 | 10,
            high,
            low,
        ])
    }
}

/// What a report says of the stream we receive (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    pub ssrc: u32,
    /// Lost since the last report, of 256.
    pub fraction_lost: u8,
    pub lost: i32,
    pub highest_seq: u32,
    /// In timestamp units.
    pub jitter: u32,
    /// Middle of the NTP time of the last sender report that came, and how long ago, in 1/65536 s.
    pub last_sr: u32,
    pub since_sr: u32,
}

/// What we have sent, for a sender report.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    pub ntp: u64,
    pub timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// A compound packet: SR (RR when nothing was sent), then SDES with a CNAME.
pub fn write_rtcp(ssrc: u32, sent: Option<Sent>, report: Option<Report>, cname: &str) -> Vec<u8> {
    let blocks = u8::from(report.is_some());
    let mut out = Vec::with_capacity(96);
    let words = 1 + if sent.is_some() { 5 } else { 0 } + u16::from(blocks) * 6;
    out.extend([0x80 | blocks, if sent.is_some() { 200 } else { 201 }]);
    out.extend(words.to_be_bytes());
    out.extend(ssrc.to_be_bytes());
    if let Some(sent) = sent {
        out.extend(sent.ntp.to_be_bytes());
        out.extend(sent.timestamp.to_be_bytes());
        out.extend(sent.packets.to_be_bytes());
        out.extend(sent.octets.to_be_bytes());
    }
    if let Some(r) = report {
        out.extend(r.ssrc.to_be_bytes());
        let lost = r.lost.clamp(-0x80_0000, 0x7f_ffff).to_be_bytes();
        out.extend([r.fraction_lost, lost[1], lost[2], lost[3]]);
        out.extend(r.highest_seq.to_be_bytes());
        out.extend(r.jitter.to_be_bytes());
        out.extend(r.last_sr.to_be_bytes());
        out.extend(r.since_sr.to_be_bytes());
    }
    let mut chunk = ssrc.to_be_bytes().to_vec();
    let name = cname
        .as_bytes()
        .get(..cname.len().min(255))
        .unwrap_or_default();
    chunk.extend([1, u8::try_from(name.len()).unwrap_or(255)]);
    chunk.extend(name);
    // A null ends the list, and nulls fill the word.
    chunk.push(0);
    chunk.resize(chunk.len().next_multiple_of(4), 0);
    out.extend([0x81, 202]);
    out.extend(u16::try_from(chunk.len() / 4).unwrap_or(0).to_be_bytes());
    out.extend(chunk);
    out
}

/// The middle 32 bits of the NTP time in a sender report, where the compound packet begins with one.
pub fn sender_report(bytes: &[u8]) -> Option<u32> {
    let head = bytes.first_chunk::<28>()?;
    (head[0] >> 6 == 2 && head[1] == 200)
        .then(|| u32::from_be_bytes([head[10], head[11], head[12], head[13]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtp_there_and_back() {
        let packet = Rtp {
            marker: true,
            payload_type: 101,
            seq: 65_535,
            timestamp: u32::MAX,
            ssrc: 7,
            payload: &[1, 2, 3],
        };
        let mut bytes = Vec::new();
        packet.write(&mut bytes);
        assert_eq!(Rtp::parse(&bytes), Some(packet));
        // Extension of one word, one contributing source, two bytes of padding.
        let mut odd = bytes[..12].to_vec();
        odd[0] = 0x80 | 0x20 | 0x10 | 1;
        odd.extend([0, 0, 0, 9, 0xbe, 0xde, 0, 1, 5, 5, 5, 5, 42, 0, 2]);
        assert_eq!(Rtp::parse(&odd).unwrap().payload, &[42]);
    }

    #[test]
    fn any_bytes_are_read_without_panic() {
        for len in 0..64usize {
            for first in [0x00u8, 0x80, 0x9f, 0xb0, 0xbf, 0xff] {
                let mut bytes = vec![0xffu8; len];
                if let Some(b) = bytes.first_mut() {
                    *b = first;
                }
                let _ = Rtp::parse(&bytes);
                let _ = Event::parse(&bytes);
                let _ = sender_report(&bytes);
            }
        }
    }

    #[test]
    fn events_there_and_back() {
        let event = Event {
            key: '#',
            end: true,
            duration: 800,
        };
        assert_eq!(Event::parse(&event.write().unwrap()), Some(event));
        assert_eq!(
            Event {
                key: 'x',
                end: false,
                duration: 0
            }
            .write(),
            None
        );
    }

    #[test]
    fn reports_have_whole_words_and_true_lengths() {
        let sent = Sent {
            ntp: 1 << 32,
            timestamp: 5,
            packets: 6,
            octets: 7,
        };
        let report = Report {
            ssrc: 9,
            lost: -1,
            ..Report::default()
        };
        let bytes = write_rtcp(1, Some(sent), Some(report), "abc");
        assert_eq!(bytes.len() % 4, 0);
        let first = usize::from(u16::from_be_bytes([bytes[2], bytes[3]])) * 4 + 4;
        assert_eq!(bytes[first + 1], 202);
        let second = usize::from(u16::from_be_bytes([bytes[first + 2], bytes[first + 3]])) * 4 + 4;
        assert_eq!(first + second, bytes.len());
        assert_eq!(sender_report(&bytes), Some(1 << 16));
    }
}
