//! After hang-up nothing stays: no dialog, no task, no socket.

use super::*;

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_short_calls_leave_nothing_behind() {
    let (callee, calls) = edge().await;
    let (caller, _none) = edge().await;
    let mut seen = answer(calls, Way::Tone);
    let target = uri(&callee, false);
    let mut files = 0;
    for round in 0..20 {
        let mut legs = tokio::task::JoinSet::new();
        for index in 0..10u64 {
            let (caller, target) = (caller.clone(), target.clone());
            legs.spawn(async move {
                let mut leg = caller.dial(&target, "anna", 10, &[]);
                drive(&mut *leg, Duration::from_secs(15), |turn, leg, saw, _| {
                    if saw.has(&Signal::Answered) && turn > 10 + index {
                        leg.hangup(200, "done");
                    }
                    [0; FRAME]
                })
                .await
            });
        }
        while let Some(saw) = legs.join_next().await {
            assert_eq!(saw.unwrap().end(), Some(EndCause::Ours), "round {round}");
            let there = tokio::time::timeout(Duration::from_secs(10), seen.recv())
                .await
                .unwrap()
                .unwrap();
            assert_eq!(
                there.end(),
                Some(EndCause::Remote),
                "round {round}: {there:?}"
            );
        }
        if round == 0 {
            files = open_files();
        }
    }
    let quiet = |edge: &SipEdge| edge.census().dialogs == 0 && edge.census().tasks == 0;
    for _ in 0..100 {
        if quiet(&callee) && quiet(&caller) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(quiet(&callee), "{:?}", callee.census());
    assert!(quiet(&caller), "{:?}", caller.census());
    // Other tests run beside this one; 200 calls would have left 800 sockets.
    assert!(
        open_files() < files + 100,
        "{} open files, {files} after the first ten calls",
        open_files()
    );
    println!(
        "200 calls: {:?} {:?}, {} open files",
        caller.census(),
        callee.census(),
        open_files()
    );
}
