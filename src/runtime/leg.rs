//! What the edge says of a leg, in the words of the engine and of the record.

use crate::call::LegSignal;
use crate::desk::record::LineQuality;
use crate::edge::{EndCause, LegInfo, Signal};

/// The edge's signals in the engine's words.
pub fn meaning(signal: Signal) -> LegSignal {
    match signal {
        Signal::Ringing => LegSignal::Ringing,
        Signal::Answered => LegSignal::Answered,
        Signal::Media => LegSignal::Media,
        Signal::Digit(key) => LegSignal::Digit(key),
        Signal::Held => LegSignal::Held,
        Signal::Resumed => LegSignal::Resumed,
        Signal::Referred(code) => LegSignal::Referred(code),
        Signal::Refer(to) => LegSignal::Refer(to),
        Signal::Ended(ended) => {
            let outcome = match ended.cause {
                EndCause::Busy => "busy",
                EndCause::Declined => "declined",
                EndCause::NoAnswer | EndCause::Cancelled => "no_answer",
                EndCause::Unreachable | EndCause::Failed => "unreachable",
                EndCause::Remote | EndCause::Ours => "hung_up",
            };
            let by_remote = matches!(ended.cause, EndCause::Remote | EndCause::Cancelled);
            LegSignal::Ended {
                outcome,
                detail: ended.detail,
                by_remote,
            }
        }
    }
}

/// How the line fared, for the record.
pub fn quality(info: &LegInfo) -> LineQuality {
    LineQuality {
        codec: info.codec.clone(),
        packets_in: info.packets_in,
        packets_lost: info.packets_lost,
        packets_out: info.packets_out,
        jitter_ms: info.jitter_ms,
        longest_gap_ms: info.longest_gap_ms,
        longest_sent_gap_ms: info.longest_sent_gap_ms,
        mos: info.mos,
        rtt_ms: info.rtt_ms,
        far_loss: info.far_loss,
        headers: info.headers.clone(),
    }
}
