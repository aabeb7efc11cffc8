//! A bug in the engine must not leave a caller alone: what panics is caught, and the caller is brought to a human.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Call, Command, Event, Mind, Time};

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Fine,
    /// The engine failed, and the caller is being put through to a human with what is known.
    Rescued,
    /// It failed at that, too: hang up.
    Lost,
}

/// [`Call::handle`], with a net under it. Commands given before the failure stand.
pub fn handle<M: Mind>(
    call: &mut Call<M>,
    now: Time,
    event: Event<M>,
    out: &mut Vec<Command<M>>,
) -> Fate {
    if catch_unwind(AssertUnwindSafe(|| call.handle(now, event, out))).is_ok() {
        return Fate::Fine;
    }
    let broken = Event::Broken("the conversation engine failed".into());
    match catch_unwind(AssertUnwindSafe(|| call.handle(now, broken, out))) {
        Ok(()) => Fate::Rescued,
        Err(_) => Fate::Lost,
    }
}
