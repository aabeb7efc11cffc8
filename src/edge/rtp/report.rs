//! RTCP (RFC 3550 section 6): our reports every five seconds, and what the far end says of what it hears.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::RtpSession;
use crate::wire::rtcp::{self, ReportBlock, Rtcp, SenderInfo};

/// Reports go out this often (RFC 3550 section 6.2).
const EVERY: Duration = Duration::from_secs(5);

pub(super) struct Reports {
    next: Instant,
    /// The far end's last sender report: the middle of its NTP time, and when it came.
    last_sr: Option<(u32, Instant)>,
    /// Its last word on what it hears of us.
    pub(super) far_loss: Option<f32>,
    pub(super) rtt_ms: Option<f32>,
}

impl Reports {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            next: now + EVERY,
            last_sr: None,
            far_loss: None,
            rtt_ms: None,
        }
    }

    fn take(&mut self, packet: &Rtcp, ours: u32, now: Instant) {
        let blocks = match packet {
            Rtcp::SenderReport { info, blocks, .. } => {
                self.last_sr = Some((middle(info.ntp), now));
                blocks
            }
            Rtcp::ReceiverReport { blocks, .. } => blocks,
            _ => return,
        };
        let Some(block) = blocks.iter().find(|b| b.ssrc == ours) else {
            return;
        };
        self.far_loss = Some(f32::from(block.fraction_lost) / 256.0);
        if block.last_sr != 0 {
            // Section 6.4.1: now, less when our report left, less how long it lay there; in 1/65536 s.
            let away = middle(ntp()).wrapping_sub(block.last_sr);
            let ticks = away.wrapping_sub(block.delay_since_sr);
            let ms = ticks as f32 * 1_000.0 / 65_536.0;
            // A far end that counts wrongly gives nonsense; ten seconds is no call.
            if ms < 10_000.0 {
                self.rtt_ms = Some(ms);
            }
        }
    }
}

/// The wall clock as NTP has it: seconds since 1900 in the upper half (RFC 5905 section 6); 70 years to 1970, 17 of them leap.
fn ntp() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    ((since.as_secs() + 2_208_988_800) << 32)
        | (u64::from(since.subsec_nanos()) * (1 << 32) / 1_000_000_000)
}

fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

impl RtpSession {
    /// Takes reports that came, and sends ours when it is time.
    pub(super) fn report(&mut self, now: Instant, buffer: &mut [u8; 2048]) {
        let secure = self.agreed.as_ref().is_some_and(|a| a.secure.is_some());
        for _ in 0..4 {
            let Ok((len, _)) = self.rtcp.recv_from(buffer) else {
                break;
            };
            let bytes = buffer.get(..len).unwrap_or_default();
            let opened;
            let bytes = match (secure, &mut self.protection) {
                (false, _) => bytes,
                (true, Some(protection)) => match protection.open_control(bytes) {
                    Some(plain) => {
                        opened = plain;
                        &opened
                    }
                    None => continue,
                },
                (true, None) => continue,
            };
            for packet in rtcp::parse(bytes).unwrap_or_default() {
                self.reports.take(&packet, self.sender.ssrc, now);
            }
        }
        if now < self.reports.next {
            return;
        }
        self.reports.next = now + EVERY;
        let Some(agreed) = &self.agreed else { return };
        let to = match self.receiver.latch {
            Some(latch) if latch.from != agreed.remote => {
                SocketAddr::new(latch.from.ip(), latch.from.port().saturating_add(1))
            }
            _ => agreed.remote_rtcp,
        };
        let heard = self.receiver.latch.map(|l| l.ssrc);
        let blocks = match heard {
            None => Vec::new(),
            Some(ssrc) => vec![self.block(ssrc, now)],
        };
        let ssrc = self.sender.ssrc;
        let first = if self.sender.packets > 0 {
            let info = SenderInfo {
                ntp: ntp(),
                rtp: self.sender.timestamp,
                packets: self.sender.packets,
                octets: self.sender.octets,
            };
            Rtcp::SenderReport { ssrc, info, blocks }
        } else {
            Rtcp::ReceiverReport { ssrc, blocks }
        };
        let cname = Rtcp::Cname {
            ssrc,
            cname: format!("firstline-{ssrc:08x}"),
        };
        let bytes = rtcp::build(&[first, cname]);
        match (secure, &mut self.protection) {
            (false, _) => drop(self.rtcp.send_to(&bytes, to)),
            (true, Some(protection)) => {
                if let Some(hidden) = protection.protect_control(&bytes) {
                    drop(self.rtcp.send_to(&hidden, to));
                }
            }
            (true, None) => {}
        }
    }

    fn block(&mut self, ssrc: u32, now: Instant) -> ReportBlock {
        let report = self.receiver.report();
        let last = self.reports.last_sr;
        ReportBlock {
            ssrc,
            fraction_lost: report.fraction_lost,
            cumulative_lost: report.cumulative_lost,
            highest_seq: report.highest_seq,
            jitter: report.jitter,
            last_sr: last.map_or(0, |(ntp, _)| ntp),
            delay_since_sr: last.map_or(0, |(_, at)| {
                u32::try_from(now.duration_since(at).as_millis() * 65_536 / 1_000)
                    .unwrap_or(u32::MAX)
            }),
        }
    }
}
