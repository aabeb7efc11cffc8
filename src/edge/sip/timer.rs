//! Session timers (RFC 4028): a call whose far end vanished without a BYE is noticed, and ended.

use std::time::Duration;

use tokio::time::Instant;

use super::stack::{Headers, Incoming, header, lists};

/// What we ask for, seconds: as RFC 4028 recommends (section 4), and no far end refuses it as too short.
pub const USUAL: u32 = 1_800;
/// The longest that is agreed to where somebody asks for more: a day.
const LONGEST: u32 = 86_400;
/// Shorter sessions than this are refused (section 4's least).
const LEAST: u32 = 90;

/// What an INVITE says about how long its session may go without a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// Seconds; none: not asked for.
    expires: Option<u32>,
    /// The far end refreshes.
    theirs: bool,
    /// It understands timers.
    supported: bool,
    /// It takes UPDATE.
    update: bool,
}

impl Terms {
    /// Reads a request.
    ///
    /// # Errors
    /// The least we take, where it asks for less and can be told so (422).
    pub(super) fn of(request: &Incoming) -> Result<Self, u32> {
        Self::read(&request.headers(), LEAST)
    }

    fn read(headers: &Headers, least: u32) -> Result<Self, u32> {
        let asked = header(headers, "Session-Expires");
        let supported = lists(headers, "Supported", "timer") || lists(headers, "Require", "timer");
        let expires = asked.and_then(|v| v.split(';').next()?.trim().parse::<u32>().ok());
        let refresher = asked.and_then(|v| {
            v.split(';').skip(1).find_map(|p| {
                let (name, value) = p.split_once('=')?;
                (name.trim().eq_ignore_ascii_case("refresher")).then(|| value.trim().to_owned())
            })
        });
        if expires.is_some_and(|e| e < least) && supported {
            return Err(least);
        }
        Ok(Self {
            expires: expires.map(|e| e.max(least)),
            // Whoever asked refreshes, unless it says otherwise.
            theirs: supported && refresher.is_none_or(|r| !r.eq_ignore_ascii_case("uas")),
            supported,
            update: lists(headers, "Allow", "UPDATE"),
        })
    }
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Nothing,
    /// Refresh, by UPDATE or by re-INVITE, with these headers.
    Refresh {
        update: bool,
        headers: Vec<(&'static str, String)>,
    },
    /// No refresh came in time.
    Dead,
}

/// Keeps one session.
#[derive(Debug)]
pub(super) struct Keeper {
    terms: Terms,
    due: Option<Instant>,
    /// What we ask for, seconds.
    ours: u32,
    /// The least that somebody on the way takes, where it told.
    floor: u32,
}

impl Keeper {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            terms,
            due: None,
            ours: USUAL,
            floor: LEAST,
        }
    }

    /// Of a call that we make.
    pub(super) fn offering(seconds: u32) -> Self {
        Self {
            terms: Terms {
                expires: None,
                theirs: false,
                supported: false,
                update: false,
            },
            due: None,
            ours: seconds,
            floor: LEAST,
        }
    }

    /// Somebody on the way takes no shorter session than this (422). False where it was not shorter, which nobody can mean.
    pub(super) fn at_least(&mut self, seconds: u32) -> bool {
        let longer = seconds > self.ours && seconds <= LONGEST;
        if longer {
            self.ours = seconds;
            self.floor = seconds;
        }
        longer
    }

    /// What our INVITE says (section 7.1). Who refreshes is left to the far end.
    pub(super) fn offer(&self) -> Vec<(String, String)> {
        vec![
            ("Session-Expires".to_owned(), self.ours.to_string()),
            ("Min-SE".to_owned(), self.least().to_string()),
        ]
    }

    fn seconds(&self) -> u32 {
        self.terms.expires.unwrap_or(self.ours)
    }

    fn least(&self) -> u32 {
        self.floor.min(self.ours)
    }

    fn header(&self) -> String {
        // As seen from whoever sends the request that is answered: theirs is the client.
        let refresher = if self.terms.theirs { "uac" } else { "uas" };
        format!("{};refresher={refresher}", self.seconds())
    }

    /// What our 200 to the INVITE says (section 9).
    pub(super) fn answer(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![("Session-Expires", self.header())];
        if self.terms.theirs {
            headers.push(("Require", "timer".to_owned()));
        }
        headers
    }

    /// The session is up, or was refreshed.
    pub(super) fn start(&mut self, now: Instant) {
        let whole = Duration::from_secs(u64::from(self.seconds()));
        self.due = Some(match self.terms.theirs {
            // Section 10: a third of it, or 32 seconds, before the end.
            true => now + whole - (whole / 3).min(Duration::from_secs(32)),
            false => now + whole / 2,
        });
    }

    /// The answer to our INVITE: which timer its far end runs (section 7.2).
    pub(super) fn agreed(&mut self, headers: &Headers, now: Instant) {
        let Ok(mut terms) = Terms::read(headers, self.least()) else {
            return;
        };
        if terms.expires.is_none() {
            // It runs none. An UPDATE asks it whether the call is still there, and changes nothing; one that does not know UPDATE is left
            // alone, for a re-INVITE every so often is more than it agreed to.
            if terms.update {
                self.terms = Terms {
                    theirs: false,
                    ..terms
                };
                self.start(now);
            }
            return;
        }
        let asked = header(headers, "Session-Expires").unwrap_or_default();
        terms.theirs = asked
            .to_ascii_lowercase()
            .replace(' ', "")
            .contains("refresher=uas");
        self.terms = terms;
        self.start(now);
    }

    /// A re-INVITE or UPDATE came: it refreshes, whatever else it does. What the answer says.
    ///
    /// # Errors
    /// The least we take (422).
    pub(super) fn refreshed(
        &mut self,
        request: &Incoming,
        now: Instant,
    ) -> Result<Vec<(&'static str, String)>, u32> {
        let terms = Terms::read(&request.headers(), self.least())?;
        if terms.expires.is_some() || terms.supported {
            self.terms = Terms {
                update: terms.update || self.terms.update,
                ..terms
            };
        }
        if self.due.is_some() || terms.expires.is_some() {
            self.start(now);
            return Ok(self.answer());
        }
        Ok(Vec::new())
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn stop(&mut self) {
        self.due = None;
    }

    pub(super) fn again_in(&mut self, wait: Duration) {
        self.due = Some(Instant::now() + wait);
    }

    pub(super) fn act(&mut self, now: Instant) -> Act {
        if self.due.is_none_or(|due| now < due) {
            return Act::Nothing;
        }
        if self.terms.theirs {
            self.due = None;
            return Act::Dead;
        }
        // Set again by the answer; without one the call ends there.
        self.due = Some(now + Duration::from_secs(u64::from(self.seconds()) / 2));
        let mut headers = vec![(
            "Session-Expires",
            format!("{};refresher=uac", self.seconds()),
        )];
        if self.terms.supported {
            headers.push(("Min-SE", self.least().to_string()));
        }
        Act::Refresh {
            update: self.terms.update,
            headers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> Headers {
        lines
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[tokio::test]
    async fn a_caller_who_refreshes_and_stops_is_noticed() {
        let asked = headers(&[
            ("Supported", "timer"),
            ("Session-Expires", "90;refresher=uac"),
        ]);
        let mut keeper = Keeper::new(Terms::read(&asked, LEAST).unwrap());
        let now = Instant::now();
        keeper.start(now);
        assert_eq!(
            keeper.answer(),
            [
                ("Session-Expires", "90;refresher=uac".to_owned()),
                ("Require", "timer".to_owned())
            ]
        );
        assert_eq!(keeper.act(now + Duration::from_secs(59)), Act::Nothing);
        assert_eq!(keeper.act(now + Duration::from_secs(61)), Act::Dead);
    }

    #[tokio::test]
    async fn where_nobody_asked_we_refresh() {
        let mut keeper =
            Keeper::new(Terms::read(&headers(&[("Allow", "INVITE, UPDATE")]), LEAST).unwrap());
        let now = Instant::now();
        keeper.start(now);
        assert_eq!(keeper.act(now + Duration::from_secs(800)), Act::Nothing);
        let Act::Refresh { update, headers } = keeper.act(now + Duration::from_secs(901)) else {
            panic!("no refresh");
        };
        assert!(update);
        assert_eq!(headers[0].1, "1800;refresher=uac");
    }

    #[test]
    fn too_short_is_refused_where_that_is_understood() {
        let short = [("Session-Expires", "30")];
        assert_eq!(
            Terms::read(&headers(&short), LEAST).unwrap().expires,
            Some(90)
        );
        let both = [("Session-Expires", "30"), ("Supported", "100rel, timer")];
        assert_eq!(Terms::read(&headers(&both), LEAST), Err(90));
    }
}
