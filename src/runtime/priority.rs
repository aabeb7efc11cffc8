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

/// May threads of this program become real-time? Asked on a thread that then ends.
pub fn real_time_permitted() -> bool {
    static PERMITTED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *PERMITTED.get_or_init(|| {
        std::thread::spawn(real_time)
            .join()
            .is_ok_and(|permitted| permitted)
    })
}

/// Puts this thread behind the calls' where those could not be put ahead of everything. Only a little: other programs of this
/// computer would leave a thread at the far end a twentieth of a core, and callers would wait ten seconds to be understood.
/// Linux keeps niceness per thread.
pub fn behind_calls() {
    if !real_time_permitted() {
        let _ = rustix::process::nice(3);
    }
}
