//! Transfers by SIP: sending the far end elsewhere, being asked to, and giving a dialog's place to another (RFC 3515, RFC 3891).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::session::Session;
use super::signalling::{Call, Happened, Mail, Successor, Talk};
use super::stack::{Dialog, Incoming, Invite, Over, Step, Steps, lists};
use super::{LINGER, Shared, Signal, timer};
use crate::wire::sip::refer::{ReferTo, Replaces, sipfrag};

/// How long the far end may take to tell what became of it.
const SENT_ON_WITHIN: Duration = Duration::from_secs(45);

impl Talk<'_> {
    /// Asks the far end to call somebody else.
    pub(super) async fn send_on(&mut self, to: String) {
        // A phone that does not know Replaces would ring the human's once more, who is talking already.
        if to.starts_with('<') && !self.takes_places {
            return self.signal(Signal::Referred(501)).await;
        }
        // Already in angle brackets where it names a dialog.
        let to = match to.starts_with('<') {
            true => to,
            false => format!("<{to}>"),
        };
        self.sending_on = Some(Instant::now() + SENT_ON_WITHIN);
        let (events, dialog, by) = (
            self.events.clone(),
            self.dialog.clone(),
            self.contact.clone(),
        );
        tokio::spawn(async move {
            let answer = dialog.refer(&to, &by).await;
            let _ = events.send(Happened::ReferAnswered(answer)).await;
        });
    }

    /// A NOTIFY within the dialog: how a transfer of ours goes (RFC 3515 section 2.4.5).
    pub(super) async fn told_of_transfer(&mut self, mut request: Incoming) {
        let event = request.header("Event").unwrap_or_default();
        let package = event.split(';').next().unwrap_or_default().trim();
        if !package.eq_ignore_ascii_case("refer") {
            return request.reply(489, &[], None).await;
        }
        let Some(code) = sipfrag(request.body()) else {
            return request.reply(400, &[], None).await;
        };
        request.reply(200, &[], None).await;
        if code >= 200 && self.sending_on.take().is_some() {
            self.signal(Signal::Referred(code)).await;
        }
    }

    /// A REFER within the dialog: the far end wants the other party put through.
    pub(super) async fn asked_to_transfer(&mut self, mut request: Incoming) {
        let to = request.header("Refer-To").unwrap_or_default();
        if ReferTo::parse(&to).is_none() {
            return request.reply(400, &[], None).await;
        }
        if self.asked_to_send_on || self.leaving {
            return request.reply(491, &[], None).await;
        }
        self.asked_to_send_on = true;
        request.reply(202, &[], None).await;
        // At once, whatever comes of it.
        let dialog = self.dialog.clone();
        tokio::spawn(async move { dialog.notify_refer(100).await });
        self.signal(Signal::Refer(to)).await;
    }

    /// Tells the leg by what address somebody else takes our place, where the far end knows such a thing.
    pub(super) async fn tell_place(&mut self) {
        let (call_id, ours) = self.dialog.key();
        if !self.takes_places {
            return;
        }
        if let Some(uri) = self.dialog.remote_target() {
            let place = ReferTo {
                uri,
                replaces: Some(Replaces {
                    call_id,
                    to_tag: self.dialog.remote_tag(),
                    from_tag: ours,
                    early_only: false,
                }),
            };
            self.in_our_place(place.to_string());
        }
    }

    /// Whether a dialog may take this one's place; refused where not (RFC 3891 section 3).
    pub(super) async fn may_succeed(
        &mut self,
        successor: Successor,
    ) -> Option<(Call, Steps, Mail)> {
        let code = if successor.from_tag != self.dialog.remote_tag() {
            481
        } else if self.is_over() {
            603
        } else if !self.is_confirmed() {
            // A call that still rings may be taken over only where we placed it, and then it is its phone that rings, not ours.
            481
        } else if successor.early_only {
            486
        } else {
            return Some((successor.call, successor.steps, successor.mail));
        };
        successor.refuse(self.shared(), code);
        None
    }

    /// The dialog whose place was taken is ended beside the call.
    pub(super) fn bid_farewell(
        &self,
        dialog: Dialog,
        mut steps: Steps,
        mut mail: Mail,
        key: (String, String),
        invite: Option<Invite>,
    ) {
        let shared = self.shared().clone();
        tokio::spawn(async move {
            dialog.bye();
            let rest = async {
                loop {
                    tokio::select! {
                        step = steps.next() => match step {
                            Some(Step::Over(_)) | None => return,
                            Some(_) => {}
                        },
                        Some(mut request) = mail.requests.recv() => match request.method().as_str() {
                            "BYE" => dialog.take_bye(request).await,
                            _ => request.reply(481, &[], None).await,
                        },
                    }
                }
            };
            let _ = timeout(LINGER, rest).await;
            shared.unroute(&key);
            if let Some(invite) = invite {
                invite.abort();
            }
            dialog.forget();
        });
    }

    /// The new dialog is answered at once: its leg has long been talking.
    pub(super) async fn succeeded(&mut self, call: Call) {
        self.adopt(call);
        let body = self.description();
        self.accept(body);
        self.changed().await;
    }
}

impl Successor {
    /// Its INVITE is refused.
    pub(super) fn refuse(self, shared: &Arc<Shared>, code: u16) {
        let Successor {
            call, mut steps, ..
        } = self;
        call.dialog.reject(code, None);
        let (shared, key) = (shared.clone(), call.dialog.key());
        tokio::spawn(async move {
            let over = async {
                while !matches!(
                    steps.next().await,
                    Some(Step::Over(Over::Timeout | Over::Refused(_))) | None
                ) {}
            };
            let _ = timeout(LINGER, over).await;
            shared.unroute(&key);
            call.dialog.forget();
        });
    }
}

/// An INVITE that takes the place of a dialog we have (RFC 3891): its party goes, the new one is where it was.
pub(super) fn succeed(shared: &Arc<Shared>, incoming: Incoming) {
    let refuse = |mut incoming: Incoming, code: u16| {
        tokio::spawn(async move { incoming.reply(code, &[], None).await });
    };
    let all = incoming.headers();
    let mut named = all.iter().filter(|(n, _)| n == "Replaces");
    let replaces = match (named.next(), named.next()) {
        (Some((_, value)), None) => Replaces::parse(value),
        _ => None,
    };
    let Some(replaces) = replaces else {
        return refuse(incoming, 400);
    };
    let key = (replaces.call_id.clone(), replaces.to_tag.clone());
    let route = shared.lock_routes().get(&key).cloned();
    let (Some(route), Some(source)) = (route, incoming.source()) else {
        return refuse(incoming, 481);
    };
    let ip = shared.our_address(source);
    let mut session = Session::new(ip, route.media_port, &shared.config.media);
    let offer = incoming.body().to_vec();
    if !offer.is_empty() && session.answer(&offer).is_err() {
        return refuse(incoming, 488);
    }
    let terms = match timer::Terms::of(&incoming) {
        Ok(terms) => terms,
        Err(least) => {
            let mut incoming = incoming;
            let header = ("Min-SE", least.to_string());
            tokio::spawn(async move { incoming.reply(422, &[header], None).await });
            return;
        }
    };
    let contact = shared.contact(Some("firstline"), source, incoming.transport());
    let cseq = incoming.cseq().unwrap_or(0);
    let Ok(slot) = route.successors.try_reserve_owned() else {
        return refuse(incoming, 491);
    };
    let (dialog, steps) = match shared.stack.accept_invite(incoming, &contact) {
        Ok(made) => made,
        Err((incoming, _)) => return refuse(*incoming, 400),
    };
    let mail = shared.route(dialog.key(), route.media_port);
    let call = Call {
        dialog,
        session,
        had_offer: !offer.is_empty(),
        contact,
        cseq,
        terms,
        reliable: false,
        takes_places: lists(&all, "Supported", "replaces"),
    };
    slot.send(Successor {
        call,
        steps,
        mail,
        from_tag: replaces.from_tag,
        early_only: replaces.early_only,
    });
}
