//! The pairs of UDP ports that media is received on.

use std::net::{IpAddr, UdpSocket};

use super::RtpSession;

/// The range RTP ports are taken from.
#[derive(Debug, Clone, Copy)]
pub struct RtpPorts {
    first: u16,
    pairs: u16,
}

impl RtpPorts {
    /// First and last port, both included.
    ///
    /// # Errors
    /// A sentence when no even port with its odd neighbour fits.
    pub fn new((first, last): (u16, u16)) -> Result<Self, String> {
        let even = first.checked_add(first % 2).filter(|f| *f >= 1024);
        match even {
            Some(even) if last > even => Ok(Self {
                first: even,
                pairs: (last - even).div_ceil(2),
            }),
            _ => Err(format!(
                "rtp_ports \"{first}-{last}\" holds no pair of ports above 1023: give a range such as 16384-32767"
            )),
        }
    }

    /// A session on a free pair, looked for from a random place on.
    ///
    /// # Errors
    /// A sentence when every pair is taken.
    pub fn open(&self, ip: IpAddr) -> Result<RtpSession, String> {
        let start = rand::random_range(0..self.pairs);
        for step in 0..self.pairs {
            let port = self.first + (start + step) % self.pairs * 2;
            if let (Ok(rtp), Ok(rtcp)) = (bind(ip, port), bind(ip, port + 1)) {
                return Ok(RtpSession::new(rtp, rtcp, port));
            }
        }
        Err(format!(
            "every RTP port from {} on is taken ({} calls' worth): widen [sip] rtp_ports",
            self.first, self.pairs
        ))
    }
}

fn bind(ip: IpAddr, port: u16) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind((ip, port))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
