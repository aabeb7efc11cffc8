//! One task a dialog. It answers what SIP asks within the dialog, sends what the leg asks, and tells the leg what happened.
//!
//! Nothing here touches sound: SDP settles where media goes, and the leg is handed the result. A leg that is dropped hangs up.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::again::Again;
use super::leg::SipLeg;
use super::session::{Agreed, Session};
use super::stack::{Dialog, Incoming, Invite, Over, Step, Steps, lists};
use super::timer::{Act, Keeper, Terms};
use super::trunk::Trunk;
use super::uri::SipUri;
use super::{EndCause, Ended, LINGER, LegInfo, Permit, RtpSession, Shared, Signal, Transport};
use crate::wire::sdp::Srtp;

/// No answer of any kind to an INVITE within this: nobody is there. Four sendings over UDP fit in it (0, 0.5, 1.5, 3.5 s).
const NOBODY_THERE: Duration = Duration::from_secs(6);
/// RFC 3261's estimate of a round trip.
const T1: Duration = Duration::from_millis(500);
/// Requests that wait for a dialog to be confirmed, at most.
const WAITING: usize = 16;

/// What a leg asks of its dialog.
#[derive(Debug)]
pub(super) enum Command {
    Ring,
    Answer,
    Hangup(u16, String),
    /// Send the far end to this address.
    Refer(String),
    /// What became of the transfer that the far end asked for.
    Referred(u16),
}

/// What a dialog tells its leg.
#[derive(Debug)]
pub(super) enum ToLeg {
    Media(Agreed),
    Signal(Signal),
    /// Whoever calls this takes our place with the far end.
    InOurPlace(String),
}

/// What comes to a dialog's task from others.
pub(super) struct Mail {
    /// Requests within the dialog.
    pub requests: mpsc::Receiver<Incoming>,
    pub successors: mpsc::Receiver<Successor>,
}

/// A dialog that is to take the place of another (RFC 3891), not answered yet.
pub(super) struct Successor {
    pub call: Call,
    pub steps: Steps,
    pub mail: Mail,
    /// Tag of the party whose place is taken.
    pub from_tag: String,
    pub early_only: bool,
}

/// The dialog's ends of the channels to its leg.
pub(super) struct Wires {
    commands: mpsc::Receiver<Command>,
    to_leg: mpsc::Sender<ToLeg>,
}

/// A leg and the ends its dialog holds.
pub(super) fn wires(info: LegInfo, rtp: RtpSession, permit: Option<Permit>) -> (Wires, SipLeg) {
    let (command_tx, commands) = mpsc::channel(16);
    let (to_leg, from_dialog) = mpsc::channel(64);
    let leg = SipLeg::new(info, rtp, permit, command_tx, from_dialog);
    (Wires { commands, to_leg }, leg)
}

/// A dialog while it lives.
pub(super) struct Talk<'a> {
    shared: &'a Arc<Shared>,
    pub(super) dialog: Dialog,
    session: Session,
    pub(super) contact: SipUri,
    to_leg: mpsc::Sender<ToLeg>,
    inbound: bool,
    /// The caller's INVITE carried an offer; otherwise ours goes out in the 200 and the answer comes in the ACK.
    had_offer: bool,
    /// Outbound: something came back to the INVITE.
    alive: bool,
    rang: bool,
    answered: bool,
    confirmed: bool,
    /// The leg was told that it is over.
    told: bool,
    /// Hang up as soon as the dialog allows it.
    pub(super) leaving: bool,
    held: bool,
    last_cseq: u32,
    waiting: VecDeque<Incoming>,
    /// To ourselves, from the tasks that wait for answers.
    pub(super) events: mpsc::Sender<Happened>,
    keeper: Keeper,
    /// Provisional answers that are to be acknowledged; none where the caller does not ask for it.
    reliable: Option<Reliable>,
    pub(super) takes_places: bool,
    /// Our offer in a 200 to a re-INVITE waits for the answer in its ACK.
    offered: bool,
    /// A re-INVITE or UPDATE of ours is not answered yet.
    refreshing: bool,
    /// It carries an offer.
    refresh_offers: bool,
    /// A transfer of the far end under way: until when we wait to hear how it went.
    pub(super) sending_on: Option<Instant>,
    /// The far end asked for a transfer, and has not been told what became of it.
    pub(super) asked_to_send_on: bool,
}

/// What the tasks that wait for answers tell.
pub(super) enum Happened {
    /// The ACK to a re-INVITE came; with an answer, where the re-INVITE had no offer.
    Acked { answer: Option<Vec<u8>> },
    /// Our refresh was answered with this; none when it was not answered.
    Refreshed(Option<u16>),
    /// Our REFER was answered with this; none when it was not answered.
    ReferAnswered(Option<u16>),
}

/// A reliable 180 (RFC 3262 section 3): repeated until its PRACK comes.
#[derive(Default)]
struct Reliable {
    number: u32,
    /// The next repetition, and how long after it the one after that.
    again: Option<(Instant, Duration)>,
    started: Option<Instant>,
    acknowledged: bool,
}

/// A new call that came in.
pub(super) struct Call {
    pub dialog: Dialog,
    pub session: Session,
    pub had_offer: bool,
    pub contact: SipUri,
    pub cseq: u32,
    pub terms: Terms,
    /// The caller takes provisional answers only where it can acknowledge them (RFC 3262).
    pub reliable: bool,
    /// The far end knows how one dialog takes another's place (RFC 3891).
    pub takes_places: bool,
}

/// Carries an inbound call from INVITE to the last answer.
pub(super) async fn inbound(
    shared: &Arc<Shared>,
    wires: Wires,
    call: Call,
    steps: Steps,
    mail: Mail,
) {
    let (events, happened) = mpsc::channel(8);
    let talk = Talk {
        shared,
        dialog: call.dialog,
        session: call.session,
        contact: call.contact,
        to_leg: wires.to_leg,
        inbound: true,
        had_offer: call.had_offer,
        alive: true,
        rang: false,
        answered: false,
        confirmed: false,
        told: false,
        leaving: false,
        held: false,
        last_cseq: call.cseq,
        waiting: VecDeque::new(),
        events,
        keeper: Keeper::new(call.terms),
        reliable: call.reliable.then(Reliable::default),
        takes_places: call.takes_places,
        offered: false,
        refreshing: false,
        refresh_offers: false,
        sending_on: None,
        asked_to_send_on: false,
    };
    talk.run(steps, wires.commands, mail, happened, None).await;
}

/// A call to be placed.
pub(super) struct Order<'a> {
    pub target: SipUri,
    /// The trunk it goes through, with its credentials and its proxy.
    pub through: Option<Trunk>,
    /// How a phone that registered here is reached: over what, and where its packets come from.
    pub flow: Option<(Transport, SocketAddr)>,
    pub from: &'a str,
    pub ring_s: u32,
    pub headers: &'a [(String, String)],
}

/// Places a call and carries it to its end. `port`: where its sound is to come.
pub(super) async fn outbound(shared: &Arc<Shared>, wires: Wires, order: Order<'_>, port: u16) {
    let Order {
        target: uri,
        through,
        flow,
        from,
        ring_s,
        headers,
    } = order;
    let to_leg = wires.to_leg;
    let fail = async |cause, detail: String| {
        let ended = Ended { cause, detail };
        let _ = to_leg.send(ToLeg::Signal(Signal::Ended(ended))).await;
    };
    let proxy = match &through {
        Some(trunk) => trunk.destination().await,
        None => Ok(None),
    };
    let name = match &through {
        Some(trunk) => trunk.certified_name(),
        None => uri.host.clone(),
    };
    let found = match (flow, proxy) {
        (Some((_, at)), _) => Ok((uri, at)),
        (None, Ok(Some(proxy))) => Ok((uri, proxy)),
        (None, Ok(None)) => resolve(shared, uri).await,
        (None, Err(why)) => Err(why),
    };
    let (uri, peer) = match found {
        Ok(found) => found,
        Err(why) => return fail(EndCause::Unreachable, why).await,
    };
    // A registered phone is called over its own connection, which is there or not.
    let transport = flow.map_or(uri.transport(), |(transport, _)| transport);
    if flow.is_none()
        && let Err(why) = shared.stack.connect(transport, peer, &name).await
    {
        return fail(EndCause::Unreachable, why).await;
    }
    let contact = shared.contact(Some("firstline"), peer, transport);
    let from = match &through {
        Some(trunk) => {
            // A carrier lets its customers call from their own numbers only.
            let account = trunk.account.as_ref().map(|a| a.user.as_str());
            Ok(trunk.uri(trunk.caller_id.as_deref().or(account).or(Some("anonymous"))))
        }
        None => caller(from, &contact),
    };
    let from = match from {
        Ok(from) => from,
        Err(why) => return fail(EndCause::Failed, why).await,
    };
    let fixed = through.is_some() || flow.is_some();
    let account = through.and_then(|trunk| trunk.account);
    let mut media = shared.config.media.clone();
    // Keys in the clear protect nothing: they are offered where the signalling hides them (RFC 4568 section 9.1).
    if media.srtp == Srtp::Offered && transport != Transport::Tls {
        media.srtp = Srtp::Accepted;
    }
    let mut session = Session::new(shared.our_address(peer), port, &media);
    let offer = session.offer();
    let keeper = Keeper::offering(shared.config.session_s);
    let at = (peer, transport);
    let again = Again::new(uri, from, headers.to_vec(), account, at, fixed, port);
    let (dialog, steps, invite) = match invite(shared, &again, &contact, &keeper, offer) {
        Ok(made) => made,
        Err(why) => return fail(EndCause::Failed, why).await,
    };
    let mail = shared.route(dialog.key(), port);
    let (events, happened) = mpsc::channel(8);
    let started = Instant::now();
    let talk = Talk {
        shared,
        dialog,
        session,
        contact,
        to_leg,
        inbound: false,
        had_offer: false,
        alive: false,
        rang: false,
        answered: false,
        confirmed: false,
        told: false,
        leaving: false,
        held: false,
        last_cseq: 0,
        waiting: VecDeque::new(),
        events,
        keeper,
        reliable: None,
        takes_places: false,
        offered: false,
        refreshing: false,
        refresh_offers: false,
        sending_on: None,
        asked_to_send_on: false,
    };
    let ringing = Ringing {
        invite: Some(invite),
        again,
        nobody_at: started + NOBODY_THERE,
        give_up_at: started + Duration::from_secs(u64::from(ring_s)),
    };
    talk.run(steps, wires.commands, mail, happened, Some(ringing))
        .await;
}

/// Sends the INVITE of a call of ours.
fn invite(
    shared: &Shared,
    order: &Again,
    contact: &SipUri,
    keeper: &Keeper,
    offer: Vec<u8>,
) -> Result<(Dialog, Steps, Invite), String> {
    let mut headers = order.headers.clone();
    headers.extend(keeper.offer());
    shared.stack.invite(
        &order.uri,
        Some(order.at),
        &order.from,
        contact,
        &headers,
        offer,
        order.account.as_ref(),
    )
}

/// An outbound INVITE under way, and how long it may take.
struct Ringing {
    /// None once it has its last answer.
    invite: Option<Invite>,
    again: Again,
    nobody_at: Instant,
    give_up_at: Instant,
}

impl Talk<'_> {
    async fn run(
        mut self,
        mut steps: Steps,
        mut commands: mpsc::Receiver<Command>,
        mut mail: Mail,
        mut happened: mpsc::Receiver<Happened>,
        mut ringing: Option<Ringing>,
    ) {
        let mut key = self.dialog.key();
        let far = Instant::now() + Duration::from_secs(60 * 60 * 24 * 365);
        let mut linger_until = far;
        let mut leg_gone = false;
        loop {
            let deadline = match &ringing {
                _ if self.told => linger_until,
                Some(ringing) if !self.answered && !self.alive => {
                    ringing.nobody_at.min(ringing.give_up_at)
                }
                Some(ringing) if !self.answered => ringing.give_up_at,
                _ => far,
            };
            let upkeep = self.upkeep_at().unwrap_or(far);
            tokio::select! {
                step = steps.next() => match step {
                    Some(Step::Over(over)) => {
                        if let (Over::Refused(code), Some(ringing)) = (&over, &mut ringing)
                            && let Some((new_steps, new_mail)) = self.again(*code, ringing).await
                        {
                            (steps, mail) = (new_steps, new_mail);
                            key = self.dialog.key();
                            continue;
                        }
                        self.over(over).await;
                        break;
                    }
                    Some(step) => self.step(step).await,
                    None => break,
                },
                command = commands.recv(), if !leg_gone => {
                    leg_gone = command.is_none();
                    self.command(command.unwrap_or_else(|| Command::Hangup(480, String::new()))).await;
                }
                Some(request) = mail.requests.recv() => self.request(request).await,
                Some(successor) = mail.successors.recv() => {
                    if let Some((call, new_steps, new_mail)) = self.may_succeed(successor).await {
                        let old = std::mem::replace(&mut self.dialog, call.dialog.clone());
                        let old_steps = std::mem::replace(&mut steps, new_steps);
                        let old_mail = std::mem::replace(&mut mail, new_mail);
                        let invite = ringing.take().and_then(|r| r.invite);
                        self.bid_farewell(old, old_steps, old_mail, key, invite);
                        key = self.dialog.key();
                        self.succeeded(call).await;
                    }
                }
                Some(event) = happened.recv() => self.happened(event).await,
                () = sleep_until(upkeep) => self.upkeep().await,
                () = sleep_until(deadline) => {
                    if self.told {
                        break;
                    }
                    let cause = if self.alive { EndCause::NoAnswer } else { EndCause::Unreachable };
                    let detail = if self.alive { "it rang and nobody answered" } else { "no answer of any kind to the INVITE" };
                    self.dialog.cancel();
                    self.end(cause, detail.into()).await;
                }
            }
            if self.told && linger_until == far {
                linger_until = Instant::now() + LINGER;
            }
        }
        // What still waits is answered, not left to time out.
        mail.requests.close();
        while let Some(mut request) = mail.requests.recv().await {
            request.reply(481, &[], None).await;
        }
        for mut request in self.waiting.drain(..) {
            request.reply(481, &[], None).await;
        }
        self.end(
            EndCause::Failed,
            "the dialog ended without saying why".into(),
        )
        .await;
        self.shared.unroute(&key);
        while let Ok(late) = mail.successors.try_recv() {
            late.refuse(self.shared, 481);
        }
        if let Some(mut invite) = ringing.and_then(|r| r.invite)
            && timeout(LINGER, &mut invite).await.is_err()
        {
            invite.abort();
        }
        self.dialog.forget();
    }

    /// Asks for the call once more, where the refusal says how: the dialog's own from here on.
    async fn again(&mut self, code: u16, ringing: &mut Ringing) -> Option<(Steps, Mail)> {
        if !matches!(code, 301 | 302 | 422) || self.answered || self.told || self.leaving {
            return None;
        }
        let last = timeout(T1, ringing.invite.take()?).await;
        let said = super::stack::last_headers(last.ok()?.ok()?)?;
        if !ringing.again.change(code, &said, &mut self.keeper) {
            return None;
        }
        let offer = self.session.last_answer();
        let made = invite(
            self.shared,
            &ringing.again,
            &self.contact,
            &self.keeper,
            offer,
        );
        let (dialog, steps, invite) = made
            .inspect_err(|why| tracing::warn!(why, "a call could not be asked for again"))
            .ok()?;
        tracing::info!(code, to = %ringing.again.uri, "a call is asked for again");
        ringing.invite = Some(invite);
        let old = std::mem::replace(&mut self.dialog, dialog);
        self.shared.unroute(&old.key());
        old.forget();
        let mail = self.shared.route(self.dialog.key(), ringing.again.port);
        Some((steps, mail))
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Ring if self.inbound && !self.answered => self.ring(),
            Command::Answer if self.inbound && !self.answered && !self.told => {
                let body = self.description();
                if let Some(reliable) = &mut self.reliable {
                    reliable.again = None;
                }
                self.accept(body);
                self.media().await;
            }
            Command::Hangup(code, reason) if !self.leaving => {
                self.leaving = true;
                if self.inbound && !self.answered {
                    let code = if (300..700).contains(&code) {
                        code
                    } else {
                        480
                    };
                    self.dialog
                        .reject(code, Some(reason.clone()).filter(|r| !r.is_empty()));
                } else if !self.inbound && !self.answered {
                    self.dialog.cancel();
                } else if self.confirmed {
                    self.dialog.bye();
                }
                self.end(EndCause::Ours, reason).await;
            }
            Command::Refer(to) if self.confirmed && !self.leaving && self.sending_on.is_none() => {
                self.send_on(to).await;
            }
            Command::Refer(_) => self.signal(Signal::Referred(491)).await,
            Command::Referred(code) if self.asked_to_send_on => {
                self.asked_to_send_on = false;
                let dialog = self.dialog.clone();
                tokio::spawn(async move { dialog.notify_refer(code).await });
            }
            _ => {}
        }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Trying => self.alive = true,
            Step::Early(body) => {
                self.alive = true;
                // Early media (183 with SDP) is heard like any other; a description that does not fit waits for the 200's.
                if !body.is_empty() && self.session.answered(&body).is_ok() {
                    self.media().await;
                }
                if !self.rang {
                    self.rang = true;
                    self.signal(Signal::Ringing).await;
                }
            }
            Step::WaitAck => {}
            Step::Confirmed(body, headers) if !self.confirmed => {
                if self.inbound {
                    self.keeper.start(Instant::now());
                } else {
                    self.keeper.agreed(&headers, Instant::now());
                    self.takes_places = lists(&headers, "Supported", "replaces");
                }
                self.confirm(body).await;
            }
            Step::Confirmed(..) | Step::Over(_) => {}
        }
    }

    async fn confirm(&mut self, body: Vec<u8>) {
        self.confirmed = true;
        self.answered = true;
        let settled = match (self.inbound, self.had_offer) {
            (true, true) => Ok(()),
            (false, _) if body.is_empty() && self.session.agreed().is_some() => Ok(()),
            _ => self.session.answered(&body),
        };
        if self.leaving || self.told {
            self.dialog.bye();
            return;
        }
        if let Err(why) = settled {
            self.dialog.bye();
            self.leaving = true;
            self.end(EndCause::Failed, why).await;
            return;
        }
        self.changed().await;
        self.tell_place().await;
        self.signal(Signal::Answered).await;
        while let Some(request) = self.waiting.pop_front() {
            self.request(request).await;
        }
    }

    async fn over(&mut self, over: Over) {
        let detail = |text: &str| text.to_owned();
        let (cause, detail) = match over {
            Over::RemoteBye => {
                // Who was sent on and accepted that may go without waiting to tell how it went.
                if self.sending_on.take().is_some() {
                    self.signal(Signal::Referred(200)).await;
                }
                (EndCause::Remote, detail("BYE"))
            }
            Over::LocalBye => (EndCause::Failed, detail("the 200 was never acknowledged")),
            Over::Cancelled => (EndCause::Cancelled, detail("CANCEL")),
            Over::Timeout => (EndCause::Failed, detail("time-out")),
            Over::Refused(code) => (refusal(code, self.alive), code.to_string()),
        };
        self.end(cause, detail).await;
    }

    /// A request within the dialog. Those that come before it is confirmed wait for that (one may share a segment with the ACK).
    async fn request(&mut self, mut request: Incoming) {
        let stranger = request.remote_tag().is_none_or(|tag| {
            let ours = self.dialog.remote_tag();
            !ours.is_empty() && tag != ours
        });
        if stranger {
            return request.reply(481, &[], None).await;
        }
        let method = request.method();
        let Some(cseq) = request.cseq() else {
            return request.reply(400, &[], None).await;
        };
        if !self.confirmed {
            match method.as_str() {
                "BYE" if self.inbound => {}
                "OPTIONS" | "PRACK" => {}
                "UPDATE" if request.body().is_empty() => {}
                _ if self.waiting.len() < WAITING => return self.waiting.push_back(request),
                _ => {
                    return request
                        .reply(500, &[("Retry-After", "2".into())], None)
                        .await;
                }
            }
        }
        // RFC 3261 section 12.2.2: a number below the last one is answered 500, and the dialog stands.
        if cseq < self.last_cseq {
            return request.reply(500, &[], None).await;
        }
        self.last_cseq = cseq;
        match method.as_str() {
            "BYE" => self.dialog.take_bye(request).await,
            "INVITE" | "UPDATE" => self.renegotiate(request, method == "INVITE").await,
            "INFO" => self.info(request).await,
            "OPTIONS" => {
                let accept = "application/sdp, application/dtmf-relay".to_owned();
                request.reply(200, &[("Accept", accept)], None).await;
            }
            "PRACK" => self.prack(request).await,
            "REFER" => self.asked_to_transfer(request).await,
            "NOTIFY" => self.told_of_transfer(request).await,
            _ => request.reply(405, &[], None).await,
        }
    }

    /// A re-INVITE or UPDATE: hold, resume, a new address, or a refresh.
    async fn renegotiate(&mut self, mut request: Incoming, invite: bool) {
        let offer = request.body().to_vec();
        let contact = ("Contact", format!("<{}>", self.contact));
        // Two changes at once cross (RFC 3261 section 14.2, RFC 3311 section 5.2): theirs waits for ours to be settled.
        let ours = self.refreshing && (invite || self.refresh_offers && !offer.is_empty());
        if ours || self.offered && (invite || !offer.is_empty()) {
            return request.reply(491, &[contact], None).await;
        }
        let mut headers = match self.keeper.refreshed(&request, Instant::now()) {
            Ok(headers) => headers,
            Err(least) => {
                let least = ("Min-SE", least.to_string());
                return request.reply(422, &[contact, least], None).await;
            }
        };
        headers.push(contact.clone());
        let (body, late) = if !offer.is_empty() {
            match self.session.answer(&offer) {
                Ok(answer) => (answer, false),
                Err(why) => {
                    tracing::info!(why, "a change of media was refused");
                    return request.reply(488, &[contact], None).await;
                }
            }
        } else if invite {
            (self.session.offer(), true)
        } else {
            return request.reply(200, &headers, None).await;
        };
        self.dialog.refresh_target(&request);
        request
            .reply(200, &headers, Some(("application/sdp", body)))
            .await;
        if invite {
            self.offered = late;
            // The transaction repeats its 200 until the ACK, so it lives on in a task of its own.
            let (events, dialog) = (self.events.clone(), self.dialog.clone());
            tokio::spawn(async move {
                match request.ack().await {
                    Some(body) => {
                        let answer = Some(body).filter(|_| late);
                        let _ = events.try_send(Happened::Acked { answer });
                    }
                    // RFC 3261 section 14.2: no ACK ends the session.
                    None => dialog.bye(),
                }
            });
        }
        if !late {
            self.changed().await;
        }
    }

    async fn happened(&mut self, event: Happened) {
        match event {
            Happened::Acked { answer } => {
                self.offered = false;
                let Some(body) = answer else { return };
                match self.session.answered(&body) {
                    Ok(()) => self.changed().await,
                    Err(why) => tracing::info!(why, "an answer in an ACK was passed over"),
                }
            }
            Happened::Refreshed(status) => {
                self.refreshing = false;
                match status {
                    Some(200..=299) => self.keeper.start(Instant::now()),
                    // They were changing something themselves: a little later (RFC 3261 section 14.1).
                    Some(491 | 500) => self.keeper.again_in(Duration::from_millis(2_500)),
                    // RFC 4028 section 10: the session is gone at the other end, or the other end is.
                    Some(408 | 481) | None => {
                        self.dead("the far end does not know this call any more")
                            .await
                    }
                    // It cannot be refreshed, which does not end it.
                    Some(_) => self.keeper.stop(),
                }
            }
            Happened::ReferAnswered(Some(200..=299)) => {}
            Happened::ReferAnswered(status) => {
                self.sending_on = None;
                self.signal(Signal::Referred(status.unwrap_or(408))).await;
            }
        }
    }

    /// When something is to be done unasked.
    fn upkeep_at(&self) -> Option<Instant> {
        let again = self.reliable.as_ref().and_then(|r| r.again);
        let ring = again.map(|(at, _)| at);
        let keep = self
            .keeper
            .due()
            .filter(|_| self.confirmed && !self.told && !self.refreshing);
        [ring, keep, self.sending_on].into_iter().flatten().min()
    }

    async fn upkeep(&mut self) {
        let now = Instant::now();
        if self.sending_on.is_some_and(|until| until <= now) {
            self.sending_on = None;
            self.signal(Signal::Referred(408)).await;
        }
        if let Some(reliable) = &mut self.reliable
            && let Some((at, gap)) = reliable.again
            && at <= now
        {
            // 64 times T1 without a PRACK: the caller is refused (RFC 3262 section 3).
            if reliable.started.is_some_and(|s| now - s > T1 * 64) {
                reliable.again = None;
                self.leaving = true;
                self.dialog.reject(504, Some("no PRACK".into()));
                self.end(EndCause::Failed, "the 180 was never acknowledged".into())
                    .await;
                return;
            }
            reliable.again = Some((now + gap * 2, gap * 2));
            self.dialog.ring(Some(reliable.number));
        }
        if self.refreshing || !self.confirmed || self.told {
            return;
        }
        match self.keeper.act(now) {
            Act::Nothing => {}
            Act::Refresh { update, headers } => {
                self.refreshing = true;
                self.refresh_offers = !update;
                let (events, dialog) = (self.events.clone(), self.dialog.clone());
                let description = self.session.last_answer();
                tokio::spawn(async move {
                    let answer = dialog.refresh(update, headers, description).await;
                    let _ = events.send(Happened::Refreshed(answer)).await;
                });
            }
            Act::Dead => self.dead("the session was not refreshed").await,
        }
    }

    /// The other end is gone without a BYE.
    async fn dead(&mut self, why: &str) {
        self.leaving = true;
        self.dialog.bye();
        self.end(EndCause::Remote, why.into()).await;
    }

    fn ring(&mut self) {
        match &mut self.reliable {
            None => self.dialog.ring(None),
            Some(reliable) => {
                reliable.number = reliable.number.wrapping_add(1).max(1);
                reliable.again = Some((Instant::now() + T1, T1));
                reliable.started = Some(Instant::now());
                reliable.acknowledged = false;
                self.dialog.ring(Some(reliable.number));
            }
        }
    }

    /// PRACK (RFC 3262 section 3): `RAck: 1 4711 INVITE` names the answer it acknowledges.
    async fn prack(&mut self, mut request: Incoming) {
        let rack = request.header("RAck").unwrap_or_default();
        let number: Option<u32> = rack.split_whitespace().next().and_then(|n| n.parse().ok());
        let ours = self
            .reliable
            .as_mut()
            .filter(|r| number == Some(r.number) && !r.acknowledged);
        let Some(reliable) = ours else {
            return request.reply(481, &[], None).await;
        };
        reliable.acknowledged = true;
        reliable.again = None;
        request.reply(200, &[], None).await;
    }

    /// Media changed: the leg is told where it goes now, and whether it is on hold.
    pub(super) async fn changed(&mut self) {
        self.media().await;
        let held = self.session.agreed().is_some_and(Agreed::is_held);
        if held != self.held {
            self.held = held;
            self.signal(if held { Signal::Held } else { Signal::Resumed })
                .await;
        }
    }

    async fn info(&mut self, mut request: Incoming) {
        let kind = request
            .header("Content-Type")
            .unwrap_or_default()
            .to_ascii_lowercase();
        let key = match kind.split(';').next().unwrap_or_default().trim() {
            "application/dtmf-relay" => dtmf_relay(request.body()),
            "application/dtmf" => key_of(&String::from_utf8_lossy(request.body())),
            _ if request.body().is_empty() => return request.reply(200, &[], None).await,
            _ => {
                let accept = "application/dtmf-relay".to_owned();
                return request.reply(415, &[("Accept", accept)], None).await;
            }
        };
        request
            .reply(if key.is_some() { 200 } else { 400 }, &[], None)
            .await;
        if let Some(key) = key {
            self.signal(Signal::Digit(key)).await;
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        self.shared
    }

    pub(super) fn is_over(&self) -> bool {
        self.told || self.leaving
    }

    pub(super) fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// Becomes the call of another dialog, with the same leg.
    pub(super) fn adopt(&mut self, call: Call) {
        self.session = call.session;
        self.contact = call.contact;
        self.inbound = true;
        self.had_offer = call.had_offer;
        self.confirmed = false;
        self.last_cseq = call.cseq;
        self.waiting.clear();
        self.keeper = Keeper::new(call.terms);
        self.reliable = None;
        self.takes_places = call.takes_places;
        self.offered = false;
        self.refreshing = false;
        self.refresh_offers = false;
        self.sending_on = None;
        self.asked_to_send_on = false;
    }

    /// What a 200 is to carry: our answer where there was an offer, our offer where there was none.
    pub(super) fn description(&mut self) -> Vec<u8> {
        match self.had_offer {
            // The answer was worked out when the INVITE came; writing it again changes nothing.
            true => self.session.last_answer(),
            false => self.session.offer(),
        }
    }

    pub(super) fn accept(&mut self, body: Vec<u8>) {
        self.dialog.accept(body, self.keeper.answer());
        self.answered = true;
    }

    pub(super) fn in_our_place(&self, address: String) {
        let _ = self.to_leg.try_send(ToLeg::InOurPlace(address));
    }

    async fn media(&mut self) {
        if let Some(agreed) = self.session.agreed() {
            let _ = self.to_leg.try_send(ToLeg::Media(agreed.clone()));
        }
    }

    pub(super) async fn signal(&mut self, signal: Signal) {
        if !self.told {
            let _ = self.to_leg.try_send(ToLeg::Signal(signal));
        }
    }

    /// Tells the leg that it is over, once. A leg whose task is stuck gets a second to take it.
    async fn end(&mut self, cause: EndCause, detail: String) {
        if self.told {
            return;
        }
        self.told = true;
        let ended = ToLeg::Signal(Signal::Ended(Ended { cause, detail }));
        let _ = timeout(Duration::from_secs(1), self.to_leg.send(ended)).await;
    }
}

/// What a refusal of our INVITE means for the person who was called.
fn refusal(code: u16, alive: bool) -> EndCause {
    match code {
        486 | 600 => EndCause::Busy,
        603 | 403 | 607 => EndCause::Declined,
        480 | 487 => EndCause::NoAnswer,
        408 if alive => EndCause::NoAnswer,
        404 | 408 | 410 | 484 | 500..=504 | 604 => EndCause::Unreachable,
        _ => EndCause::Failed,
    }
}

/// Where an address is. A literal is taken as it stands, without DNS; so is `localhost`. A name with a port is looked up as a
/// host (RFC 3263 section 4.2); for one without, SRV records are asked first.
async fn resolve(shared: &Shared, mut uri: SipUri) -> Result<(SipUri, SocketAddr), String> {
    if uri.host.eq_ignore_ascii_case("localhost") {
        uri.host = "127.0.0.1".into();
    }
    if let Some(addr) = uri.literal() {
        return Ok((uri, addr));
    }
    let addr = match uri.port {
        Some(port) => lookup(&uri.host, port).await?,
        None => shared.stack.locate(&uri).await?,
    };
    Ok((uri, addr))
}

/// A name's address.
pub(super) async fn lookup(host: &str, port: u16) -> Result<SocketAddr, String> {
    let found = timeout(
        Duration::from_secs(5),
        tokio::net::lookup_host((host, port)),
    )
    .await;
    match found {
        Ok(Ok(mut addrs)) => addrs.next().ok_or_else(|| format!("{host} has no address")),
        Ok(Err(error)) => Err(format!("{host} could not be looked up: {error}")),
        Err(_) => Err(format!("looking up {host} took longer than 5 seconds")),
    }
}

/// Who we say is calling: a SIP address as it stands, or a number at our own address.
fn caller(from: &str, contact: &SipUri) -> Result<SipUri, String> {
    if from.trim().to_ascii_lowercase().starts_with("sip:") {
        return from.parse();
    }
    let user: String = from
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "+-_.".contains(*c))
        .collect();
    let user = Some(user.as_str())
        .filter(|u| !u.is_empty())
        .unwrap_or("anonymous");
    let mut uri = contact.clone();
    uri.user = Some(user.to_owned());
    uri.params.clear();
    Ok(uri)
}

/// The key in an INFO body such as `Signal=5` and `Duration=160` on two lines.
fn dtmf_relay(body: &[u8]) -> Option<char> {
    let text = String::from_utf8_lossy(body);
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("signal"))
        .and_then(|(_, value)| key_of(value))
}

fn key_of(text: &str) -> Option<char> {
    match text.trim() {
        "10" => Some('*'),
        "11" => Some('#'),
        text => {
            let mut chars = text.chars();
            let key = chars.next()?.to_ascii_uppercase();
            (chars.next().is_none() && "0123456789*#ABCD".contains(key)).then_some(key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_info() {
        assert_eq!(dtmf_relay(b"Signal= 5\r\nDuration=160\r\n"), Some('5'));
        assert_eq!(dtmf_relay(b"signal=#\n"), Some('#'));
        assert_eq!(dtmf_relay(b"Signal=10"), Some('*'));
        assert_eq!(dtmf_relay(b"Duration=160"), None);
        assert_eq!(key_of("12"), None);
    }

    #[test]
    fn refusals_in_the_words_of_a_transfer() {
        assert_eq!(refusal(486, true), EndCause::Busy);
        assert_eq!(refusal(603, true), EndCause::Declined);
        assert_eq!(refusal(408, false), EndCause::Unreachable);
        assert_eq!(refusal(408, true), EndCause::NoAnswer);
        assert_eq!(refusal(488, true), EndCause::Failed);
    }
}
