//! A call of ours that is refused for how it was asked for is asked for once more: with a longer session (422, RFC 4028 section 7.3), or at
//! the address it was sent on to (301 and 302, RFC 3261 section 8.1.3.4).

use std::net::SocketAddr;

use super::stack::{Headers, header};
use super::timer::Keeper;
use super::uri::SipUri;
use super::{Account, Transport};

/// Calls to one target, all in all: a far end that sends us round and round is left.
const MOST: u32 = 3;

/// What the INVITE was made of.
pub(super) struct Again {
    pub uri: SipUri,
    pub from: SipUri,
    /// Without the session's timers, which are the keeper's.
    pub headers: Vec<(String, String)>,
    pub account: Option<Account>,
    pub at: (SocketAddr, Transport),
    /// The address is where it is, whatever the URI says: a trunk's proxy, or a phone that registered here.
    pub fixed: bool,
    /// Where the sound comes.
    pub port: u16,
    made: u32,
}

impl Again {
    pub(super) fn new(
        uri: SipUri,
        from: SipUri,
        headers: Vec<(String, String)>,
        account: Option<Account>,
        at: (SocketAddr, Transport),
        fixed: bool,
        port: u16,
    ) -> Self {
        Self {
            uri,
            from,
            headers,
            account,
            at,
            fixed,
            port,
            made: 1,
        }
    }

    /// What is different the next time, after this refusal. False: it stands.
    pub(super) fn change(&mut self, code: u16, said: &Headers, keeper: &mut Keeper) -> bool {
        if self.made >= MOST {
            return false;
        }
        self.made += 1;
        match code {
            422 => header(said, "Min-SE")
                .and_then(|v| v.split(';').next()?.trim().parse().ok())
                .is_some_and(|least| keeper.at_least(least)),
            301 | 302 => match self.sent_on_to(said) {
                Some(uri) => {
                    if let (false, Some(addr)) = (self.fixed, uri.literal()) {
                        self.at.0 = addr;
                    }
                    self.uri = uri;
                    true
                }
                None => false,
            },
            _ => false,
        }
    }

    /// The first address of the same host that we are sent on to. Calls cost money: a phone that sends its calls elsewhere in the world is not
    /// followed there, and a PBX that has another number for somebody is.
    fn sent_on_to(&self, said: &Headers) -> Option<SipUri> {
        let contacts = said
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("Contact") || name == "m");
        let uris = contacts.flat_map(|(_, value)| addresses(value));
        let here = self.at.0.ip().to_canonical().to_string();
        uris.filter_map(|uri| uri.parse::<SipUri>().ok())
            .find(|uri| {
                let same_host = uri.host.eq_ignore_ascii_case(&self.uri.host) || uri.host == here;
                // A name's address is known already, where the port is the same.
                let found = uri.literal().is_some() || uri.port == self.uri.port || self.fixed;
                same_host && found && uri.transport() == self.at.1 && *uri != self.uri
            })
    }
}

/// The addresses of a Contact header: `<sip:a@h;x>;q=1, "B" <sip:b@h>`, or one without brackets.
fn addresses(value: &str) -> Vec<String> {
    if !value.contains('<') {
        let bare = value.split([',', ';']).next().unwrap_or_default();
        return vec![bare.trim().to_owned()];
    }
    let after = value.split('<').skip(1);
    after
        .filter_map(|rest| Some(rest.split_once('>')?.0.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(uri: &str, fixed: bool) -> Again {
        let uri: SipUri = uri.parse().unwrap();
        let at = ("192.0.2.5:5060".parse().unwrap(), Transport::Udp);
        Again::new(uri.clone(), uri, Vec::new(), None, at, fixed, 0)
    }

    fn said(name: &str, value: &str) -> Headers {
        vec![(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn a_longer_session_is_asked_for_as_long_as_it_is_longer() {
        let mut again = call("sip:a@192.0.2.5", false);
        let mut keeper = Keeper::offering(1_800);
        assert!(again.change(422, &said("Min-SE", "3600"), &mut keeper));
        let offered = keeper.offer();
        assert_eq!(offered[0].1, "3600");
        assert_eq!(offered[1].1, "3600");
        assert!(!again.change(422, &said("Min-SE", "1800"), &mut keeper));
        let mut again = call("sip:a@192.0.2.5", false);
        assert!(!again.change(422, &Vec::new(), &mut keeper));
        assert!(!again.change(486, &said("Min-SE", "7200"), &mut keeper));
    }

    #[test]
    fn calls_are_followed_within_their_host_and_no_further() {
        for (contact, want) in [
            ("<sip:b@192.0.2.5>", Some("sip:b@192.0.2.5")),
            (
                "\"B\" <sip:b@192.0.2.5:5080>;q=0.5",
                Some("sip:b@192.0.2.5:5080"),
            ),
            ("sip:b@192.0.2.5;q=1", Some("sip:b@192.0.2.5")),
            (
                "<sip:+15550100@elsewhere.example>, <sip:c@192.0.2.5>",
                Some("sip:c@192.0.2.5"),
            ),
            ("<sip:+19005550100@elsewhere.example>", None),
            ("<sip:a@192.0.2.5>", None),
            ("<sip:b@192.0.2.5;transport=tcp>", None),
            ("<tel:+15550100>", None),
            ("*", None),
            ("", None),
        ] {
            let mut again = call("sip:a@192.0.2.5", false);
            let mut keeper = Keeper::offering(1_800);
            let changed = again.change(302, &said("Contact", contact), &mut keeper);
            assert_eq!(changed, want.is_some(), "{contact}");
            if let Some(want) = want {
                assert_eq!(again.uri.to_string(), want);
            }
        }
        // Round and round, and no more.
        let mut again = call("sip:a@192.0.2.5", false);
        let mut keeper = Keeper::offering(1_800);
        let mut followed = 0;
        for n in 0..9 {
            let contact = said("Contact", &format!("<sip:{n}@192.0.2.5>"));
            followed += u32::from(again.change(302, &contact, &mut keeper));
        }
        assert_eq!(followed, MOST - 1);
    }
}
