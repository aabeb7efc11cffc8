//! Requests that come: to the dialog they belong to, refused, or a new call.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::wire::sip::identity::{Passport, is_refuted};

use super::guard::Known;
use super::limiter::Offence;
use super::registrar;
use super::session::Session;
use super::stack::{self, Incoming};
use super::{
    Alive, IncomingCall, LegInfo, Permit, Shared, SipUri, party_of, sending_on, signalling, timer,
};

/// Sends one request where it belongs. Never waits: one slow peer must not hold up the others.
pub(super) fn dispatch(
    shared: &Arc<Shared>,
    incoming: Incoming,
    calls: &mpsc::Sender<IncomingCall>,
) {
    let refuse = |mut incoming: Incoming, code: u16, headers: Vec<(&'static str, String)>| {
        tokio::spawn(async move { incoming.reply(code, &headers, None).await });
    };
    if let Some(tag) = incoming.local_tag() {
        let key = (incoming.call_id().unwrap_or_default(), tag);
        let Some(route) = shared.lock_routes().get(&key).cloned() else {
            return refuse(incoming, 481, vec![]);
        };
        match route.requests.try_send(incoming) {
            Ok(()) => {}
            // One dialog may not fill memory with requests it sends faster than we answer them.
            Err(mpsc::error::TrySendError::Full(incoming)) => {
                refuse(incoming, 500, vec![("Retry-After", "5".into())]);
            }
            Err(mpsc::error::TrySendError::Closed(incoming)) => refuse(incoming, 481, vec![]),
        }
        return;
    }
    let source = incoming.source();
    // What was read before the sender was banned still lies in the stack's queues: a guesser is not told about those tries either.
    if source.is_some_and(|s| !shared.limiter.hears(s.ip())) {
        return;
    }
    if shared.guard.seen_elsewhere(&incoming) {
        return refuse(incoming, 482, vec![]);
    }
    let strike = |offence| {
        if let Some(source) = source {
            shared.limiter.strike(source.ip(), offence);
        }
    };
    match incoming.method().as_str() {
        "INVITE" => {
            let known = match shared.lets_in(incoming.source()) {
                true => Known::Stranger,
                false => shared.guard.ask(&incoming, "INVITE"),
            };
            match known {
                Known::Nobody => {
                    tracing::warn!(source = ?incoming.source(), "a call from an address that is no trunk's was refused");
                    strike(Offence::Stranger);
                    refuse(incoming, 403, vec![]);
                }
                Known::Ask(challenges) => {
                    strike(Offence::Asked);
                    refuse(incoming, 401, challenges);
                }
                Known::Wrong(challenges) => {
                    strike(Offence::WrongPassword);
                    refuse(incoming, 401, challenges);
                }
                // It takes the place of a call that is there: no room is needed for it.
                _ if incoming.header("Replaces").is_some() => sending_on::succeed(shared, incoming),
                Known::Stranger | Known::Trunk { .. } | Known::Phone { .. } => {
                    match (shared.config.admit)() {
                        Ok(permit) => {
                            if let (Known::Trunk { .. } | Known::Phone { .. }, Some(source)) =
                                (&known, incoming.source())
                            {
                                shared.limiter.proved(source.ip());
                            }
                            let vouched = matches!(known, Known::Trunk { vouched: true });
                            invite(shared, incoming, permit, vouched, calls);
                        }
                        Err(after) => full(shared, incoming, after),
                    }
                }
            }
        }
        "REGISTER" => registrar::register(shared, incoming),
        "OPTIONS" => {
            // RFC 3261, 11.2: the status is the one an INVITE would have.
            let room = shared.config.room.as_ref().is_none_or(|room| room());
            let mut headers = vec![("Accept", "application/sdp, application/dtmf-relay".into())];
            if !room {
                headers.push(("Retry-After", "5".into()));
            }
            refuse(incoming, if room { 200 } else { 503 }, headers);
        }
        // Outside any dialog these can only be guesses at one.
        "CANCEL" | "BYE" | "INFO" | "UPDATE" | "PRACK" | "NOTIFY" => refuse(incoming, 481, vec![]),
        // Only somebody we are talking to can ask for a transfer.
        "REFER" => {
            strike(Offence::Stranger);
            refuse(incoming, 403, vec![]);
        }
        _ => refuse(incoming, 405, vec![]),
    }
}

/// No room: elsewhere, where the desk names a place, or later.
fn full(shared: &Arc<Shared>, mut incoming: Incoming, after: u32) {
    let elsewhere = shared.config.overflow.as_ref().map(|to| match to.parse() {
        Ok(uri) => SipUri::to_string(&uri),
        // A number: at whoever sent the call, who knows how to reach it.
        Err(_) => {
            let number: String = to
                .chars()
                .filter(|c| c.is_ascii_digit() || *c == '+')
                .collect();
            let host = incoming.source().map_or_else(
                || "invalid".to_owned(),
                |s| s.ip().to_canonical().to_string(),
            );
            format!("sip:{number}@{host};user=phone")
        }
    });
    tokio::spawn(async move {
        match elsewhere {
            Some(uri) => {
                let contact = [("Contact", format!("<{uri}>"))];
                incoming.reply(302, &contact, None).await;
            }
            None => {
                let later = [("Retry-After", after.to_string())];
                incoming.reply(503, &later, None).await;
            }
        }
    });
}

/// A new call that there is room for.
fn invite(
    shared: &Arc<Shared>,
    incoming: Incoming,
    permit: Permit,
    vouched: bool,
    calls: &mpsc::Sender<IncomingCall>,
) {
    let refuse = |mut incoming: Incoming, code: u16, after: Option<u32>, why: String| {
        tracing::info!(code, why, "a call was refused");
        let mut headers = vec![(
            "Reason",
            format!("SIP;cause={code};text=\"{}\"", why.replace('"', "'")),
        )];
        headers.extend(after.map(|s| ("Retry-After", s.to_string())));
        tokio::spawn(async move { incoming.reply(code, &headers, None).await });
    };
    let Ok(slot) = calls.clone().try_reserve_owned() else {
        return refuse(incoming, 503, Some(5), "too many calls at once".into());
    };
    let (Some(source), Some(call_id)) = (incoming.source(), incoming.call_id()) else {
        return refuse(incoming, 400, None, "no Call-ID".into());
    };
    let rtp = match shared.media_socket(Some(source.ip())) {
        Ok(rtp) => rtp,
        Err(why) => return refuse(incoming, 503, Some(10), why),
    };
    let mut session = Session::new(shared.our_address(source), rtp.port(), &shared.config.media);
    let offer = incoming.body().to_vec();
    if !offer.is_empty()
        && let Err(why) = session.answer(&offer)
    {
        return refuse(incoming, 488, None, why);
    }
    let terms = match timer::Terms::of(&incoming) {
        Ok(terms) => terms,
        Err(least) => {
            let mut incoming = incoming;
            tokio::spawn(async move {
                let least = [("Min-SE", least.to_string())];
                incoming.reply(422, &least, None).await;
            });
            return;
        }
    };
    let reliable = stack::lists(&incoming.headers(), "Require", "100rel");
    let takes_places = stack::lists(&incoming.headers(), "Supported", "replaces");
    let vouched = vouched
        || source.ip().is_loopback()
        || shared
            .config
            .vouched
            .iter()
            .chain(&shared.lock_places().vouched)
            .any(|n| n.contains(source.ip()));
    let asserted = incoming.header("P-Asserted-Identity").filter(|_| vouched);
    let shown = asserted.unwrap_or_else(|| incoming.from());
    let from = party_of(&shown);
    let passport = incoming
        .header("Identity")
        .and_then(|i| Passport::parse(&i));
    // A number that the carrier found to be a lie is nobody's, whoever sends the call.
    let lie = is_refuted(&shown)
        || passport
            .as_ref()
            .zip(from.as_ref())
            .is_some_and(|(p, from)| p.contradicts(from));
    let vouched = vouched && !lie;
    let to = incoming.called().or_else(|| party_of(&incoming.to()));
    let mut headers: Vec<_> = incoming
        .headers()
        .into_iter()
        .filter(|(name, _)| {
            let name = name.to_ascii_lowercase();
            matches!(
                name.as_str(),
                "p-asserted-identity" | "diversion" | "history-info" | "identity"
            ) || name.starts_with("x-")
        })
        .take(32)
        .collect();
    headers.extend(passport.map(|p| ("Identity-Claims".to_owned(), p.said())));
    let contact = shared.contact_for(&incoming, source);
    let cseq = incoming.cseq().unwrap_or(0);
    let (dialog, steps) = match shared.stack.accept_invite(incoming, &contact) {
        Ok(made) => made,
        Err((incoming, why)) => return refuse(*incoming, 400, None, why),
    };
    let info = LegInfo {
        channel: "sip",
        from: from.clone(),
        to: to.clone(),
        vouched,
        headers: headers.clone(),
        ..LegInfo::default()
    };
    let media_port = rtp.port();
    let (wires, leg) = signalling::wires(info, rtp, Some(permit));
    let (task_shared, had_offer) = (shared.clone(), !offer.is_empty());
    tokio::spawn(async move {
        let _alive = Alive::new(&task_shared);
        let mail = task_shared.route(dialog.key(), media_port);
        let call = signalling::Call {
            dialog,
            session,
            had_offer,
            contact,
            cseq,
            terms,
            reliable,
            takes_places,
        };
        signalling::inbound(&task_shared, wires, call, steps, mail).await;
    });
    slot.send(IncomingCall {
        leg: Box::new(leg),
        from,
        to,
        call_id,
        headers,
        source: Some(source),
    });
}
