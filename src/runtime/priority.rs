//! Who goes first when there are fewer cores than work. The only file that knows of `thread_priority`.

use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// Above ordinary threads, below the system's own.
const LEVEL: u8 = 10;

/// Makes this thread, and threads that it starts, real-time (round robin). False where that is not permitted: nothing has changed.
pub fn real_time() -> bool {
    let Ok(level) = ThreadPriorityValue::try_from(LEVEL) else {
        return false;
    };
    set_thread_priority_and_policy(
        thread_native_id(),
        ThreadPriority::Crossplatform(level),
        ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin),
    )
    .is_ok()
}
