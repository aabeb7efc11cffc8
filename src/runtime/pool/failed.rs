//! What a call is told of work that came to nothing.

use super::{Msg, Work};
use crate::call::Event;

pub(super) fn failed(work: &Work, why: &str) -> Msg {
    match work {
        // Without an answer the question is said not to have been heard.
        Work::Understand { attempt, .. } | Work::Consult { attempt, .. } => {
            Msg::Event(Event::HumanHeard {
                attempt: *attempt,
                result: Err(why.into()),
            })
        }
        Work::Transcribe { attempt, .. } => Msg::Event(Event::Transcribed {
            attempt: *attempt,
            result: Err(why.into()),
        }),
        Work::Decide { attempt, .. } => Msg::Event(Event::Transcribed {
            attempt: *attempt,
            result: Err(why.into()),
        }),
        Work::Synthesize { tag, part, .. } => Msg::Clause {
            tag: *tag,
            part: *part,
            pcm: Err(why.into()),
            ms: 0,
        },
    }
}
