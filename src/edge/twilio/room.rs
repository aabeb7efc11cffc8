//! A caller and the human who took the call, put together in a conference of Twilio's: their sound no longer passes this program.
//!
//! The human is moved first, so that the caller never waits in an empty room; where one of the two cannot be moved, the other's stream is
//! still here or the call is over, and the caller's leg is told which.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::link::Link;
use super::{Shared, twiml};
use crate::edge::Signal;

/// In front of the call id of whoever is to be met, as [`crate::edge::Leg::refer`] is given it.
pub(super) const ROOM: &str = "room-with:";

/// Humans whose streams are up, by their call's id.
#[derive(Default)]
pub(super) struct Humans(Mutex<HashMap<String, Weak<Link>>>);

impl Humans {
    pub fn add(&self, call_sid: &str, link: &Arc<Link>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, link| link.strong_count() > 0);
        all.insert(call_sid.to_owned(), Arc::downgrade(link));
    }

    fn find(&self, call_sid: &str) -> Option<Arc<Link>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(call_sid)?.upgrade()
    }
}

/// Moves both, and tells the caller's leg how that went.
pub(super) async fn meet(shared: &Arc<Shared>, link: &Link, caller: &str, human: &str) {
    let room = format!("firstline-{}", uuid::Uuid::new_v4().simple());
    let twiml = twiml::conference(&room);
    // Its stream stops when the call goes elsewhere: known before that, so that nobody ends the call for it.
    let other = shared.humans.find(human);
    let moves = |moved| {
        link.set_moved(moved);
        if let Some(other) = &other {
            other.set_moved(moved);
        }
    };
    moves(true);
    if let Err(why) = shared.api.redirect(human, twiml.clone()).await {
        tracing::warn!(call = %caller, "caller and human stay connected here: {why}");
        moves(false);
        return link.signal(Signal::Referred(503));
    }
    if let Err(why) = shared.api.redirect(caller, twiml).await {
        tracing::warn!(call = %caller, "the human is in a conference and the caller could not be put there: {why}");
        moves(false);
        // Nobody is left waiting in an empty room.
        if let Err(why) = shared.api.complete(human).await {
            tracing::warn!(call = %human, "their call could not be ended: {why}");
        }
        return link.signal(Signal::Referred(503));
    }
    tracing::info!(call = %caller, human, room, "caller and human are in a conference");
    link.signal(Signal::Referred(200));
}
