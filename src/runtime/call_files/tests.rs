//! A call's files as they grow, as they are closed, and as a program that died leaves them.

use super::*;
use crate::audio::wav;
use crate::desk::CallOutcome;
use crate::runtime::trail::verify;

struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("firstline-files-{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }
    fn call(&self) -> PathBuf {
        self.0.join("call")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn keeping(place: &Place, sealed: bool) -> Arc<Keeping> {
    let key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    Arc::new(Keeping {
        keys: sealed.then(|| Keys::read(key).unwrap()),
        signer: Signer::open(&place.0.join("trail.key")).unwrap(),
        metrics: Arc::default(),
        to_s3: false,
    })
}

fn record(over: bool) -> CallRecord {
    CallRecord {
        id: "call".into(),
        channel: "sip".into(),
        from: Some("+12025550163".into()),
        started_at: "2026-11-23T10:00:00Z".into(),
        ended_at: over.then(|| "2026-11-23T10:01:00Z".into()),
        outcome: over.then_some(CallOutcome::Resolved),
        ..CallRecord::default()
    }
}

/// A call of `ms`, the caller at 1000 and the line at -1000.
fn call(place: &Place, keeping: &Arc<Keeping>, ms: usize) -> CallFiles {
    let mut files = CallFiles::begin(&place.call(), "call", keeping.clone(), true);
    files.record(&record(false));
    for n in 0..ms / 20 {
        files.sound(&[1000; FRAME], &[-1000; FRAME]);
        if n % 25 == 0 {
            files.event(&format!("{{\"at_ms\":{},\"event\":\"tick\"}}", n * 20));
        }
    }
    files
}

fn look(place: &Place, keeping: &Keeping) -> trail::Verdict {
    let keys = keeping.keys.as_ref();
    let text = read(&place.call(), EVENTS, keys).unwrap().unwrap();
    verify(
        "call",
        std::str::from_utf8(&text).unwrap(),
        &keeping.signer.public(),
        |name| fs::read(place.call().join(name)).ok(),
    )
}

#[test]
fn a_call_is_kept_whole_and_its_trail_verifies() {
    for sealed in [false, true] {
        let place = Place::new();
        let keeping = keeping(&place, sealed);
        let files = call(&place, &keeping, 3_000);
        assert_eq!(unfinished(&place.0), ["call"]);
        files.end(&record(true), "ended").unwrap();
        let keys = keeping.keys.as_ref();
        let wav = wav::read(&read(&place.call(), AUDIO, keys).unwrap().unwrap()).unwrap();
        assert_eq!((wav.channels, wav.channel(0).len()), (2, 48_000));
        assert!(wav.channel(0).iter().all(|s| *s == 1000));
        assert!(wav.channel(1).iter().all(|s| *s == -1000));
        let kept: CallRecord =
            serde_json::from_slice(&read(&place.call(), RECORD, keys).unwrap().unwrap()).unwrap();
        assert_eq!(kept, record(true));
        let verdict = look(&place, &keeping);
        assert_eq!(verdict.wrong, Vec::<String>::new());
        assert_eq!((verdict.lines, verdict.files), (7, 3));
        assert!(unfinished(&place.0).is_empty());
        // What lies there is as it is said to be.
        for entry in fs::read_dir(place.call()).unwrap().flatten() {
            let bytes = fs::read(entry.path()).unwrap();
            let name = entry.file_name().into_string().unwrap();
            assert_eq!(seal::is_sealed(&bytes), sealed, "{name}");
            assert_eq!(name.ends_with(SUFFIX), sealed, "{name}");
            if sealed {
                assert!(!bytes.windows(12).any(|w| w == b"+12025550163"), "{name}");
            }
        }
        if sealed {
            assert!(
                read(&place.call(), RECORD, None).is_err(),
                "without the key"
            );
        }
    }
}

#[test]
fn private_words_are_covered_and_what_is_around_them_is_not() {
    for sealed in [false, true] {
        let place = Place::new();
        let keeping = keeping(&place, sealed);
        let mut files = call(&place, &keeping, 2_960);
        let span = |side, from, to| Span { side, from, to };
        files.cover(&[
            span(Side::Caller, 800, 1_300),
            span(Side::Caller, 2_900, 9_000),
            span(Side::Heard, 1_500, 2_000),
        ]);
        // What is private yet when it comes is covered as it comes.
        files.sound(&[1000; FRAME], &[-1000; FRAME]);
        files.sound(&[1000; FRAME], &[-1000; FRAME]);
        files.end(&record(true), "ended").unwrap();
        let keys = keeping.keys.as_ref();
        let wav = wav::read(&read(&place.call(), AUDIO, keys).unwrap().unwrap()).unwrap();
        let caller = wav.channel(0);
        assert_eq!(caller.len(), 48_000);
        assert!(caller[..12_800].iter().all(|s| *s == 1000));
        let words = &caller[12_800..20_800];
        assert!(words.iter().filter(|s| **s == 1000).count() < 50);
        assert!(words.iter().any(|s| *s > 3_000) && words.iter().any(|s| *s < -3_000));
        assert!(caller[20_800..46_400].iter().all(|s| *s == 1000));
        assert!(caller[46_400..].iter().filter(|s| **s == 1000).count() < 20);
        // What we read back is covered on our side, and nothing else is there.
        let ours = wav.channel(1);
        assert!(ours[..24_000].iter().all(|s| *s == -1000));
        let words = &ours[24_000..32_000];
        assert!(words.iter().any(|s| *s > 3_000));
        assert!(words.iter().filter(|s| **s == -1000).count() < 50);
        assert!(ours[32_000..].iter().all(|s| *s == -1000));
        assert_eq!(look(&place, &keeping).wrong, Vec::<String>::new());
    }
}

#[test]
fn what_a_human_said_aside_is_kept_like_the_rest_and_sealed_with_it() {
    for sealed in [false, true] {
        let place = Place::new();
        let keeping = keeping(&place, sealed);
        let mut files = call(&place, &keeping, 200);
        files.keep("note-1.wav".into(), b"RIFF spoken");
        files.end(&record(true), "ended").unwrap();
        let suffix = if sealed { SUFFIX } else { "" };
        let there = fs::read(place.call().join(format!("note-1.wav{suffix}"))).unwrap();
        assert_eq!(there == b"RIFF spoken", !sealed);
        let keys = keeping.keys.as_ref();
        let opened = read(&place.call(), "note-1.wav", keys).unwrap();
        assert_eq!(opened.as_deref(), Some(b"RIFF spoken".as_slice()));
        let verdict = look(&place, &keeping);
        assert_eq!((verdict.wrong.len(), verdict.files), (0, 4));
    }
}

#[test]
fn nothing_is_kept_while_the_gate_is_shut() {
    let place = Place::new();
    let keeping = keeping(&place, false);
    let mut files = CallFiles::begin(&place.call(), "call", keeping, false);
    let frames =
        |files: &mut CallFiles| (0..50).for_each(|_| files.sound(&[7; FRAME], &[8; FRAME]));
    frames(&mut files);
    files.gate(true);
    frames(&mut files);
    files.gate(false);
    frames(&mut files);
    files.end(&record(true), "ended").unwrap();
    let wav = wav::read(&read(&place.call(), AUDIO, None).unwrap().unwrap()).unwrap();
    for (channel, level) in [(0, 7), (1, 8)] {
        let samples = wav.channel(channel);
        assert!(samples[..16_000].iter().all(|s| *s == 0));
        assert!(samples[16_000..32_000].iter().all(|s| *s == level));
        assert!(
            samples[32_000..].iter().all(|s| *s == 0),
            "in time with the call"
        );
    }
}

/// Cuts a file's end off, as a kill in the middle of a write does.
fn tear(path: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(bytes)).unwrap();
}

#[test]
fn a_killed_call_is_readable_at_whatever_byte_it_stopped_and_closed_at_restart() {
    for sealed in [false, true] {
        for torn in (0..60).chain([200, 5_000, 70_000]) {
            let place = Place::new();
            let keeping = keeping(&place, sealed);
            let files = call(&place, &keeping, 3_500);
            let (audio, events) = (files.path(AUDIO), files.path(EVENTS));
            // No `end`, no `flush`.
            drop(files);
            tear(&audio, torn);
            tear(&events, torn.min(150));
            assert_eq!(unfinished(&place.0), ["call"]);
            let closed = recover(&place.call(), "call", &keeping, |mut record| {
                record.outcome = Some(CallOutcome::Failed);
                record
            });
            assert_eq!(
                closed.unwrap().unwrap().outcome,
                Some(CallOutcome::Failed),
                "{torn}"
            );
            let keys = keeping.keys.as_ref();
            let wav = wav::read(&read(&place.call(), AUDIO, keys).unwrap().unwrap()).unwrap();
            let kept = wav.channel(0).len();
            assert!((16_000..=48_000).contains(&kept), "{torn}: {kept}");
            assert!(wav.channel(0).iter().all(|s| *s == 1000));
            let verdict = look(&place, &keeping);
            assert_eq!(verdict.wrong, Vec::<String>::new(), "{sealed} {torn}");
            assert!(unfinished(&place.0).is_empty());
        }
    }
}

#[test]
fn a_kill_between_seal_and_record_loses_neither() {
    let place = Place::new();
    let keeping = keeping(&place, false);
    call(&place, &keeping, 1_000)
        .end(&record(true), "ended")
        .unwrap();
    // As it was a moment before the end.
    fs::rename(
        place.call().join(RECORD),
        place.call().join("record.json.next"),
    )
    .unwrap();
    fs::write(
        place.call().join(RECORD),
        serde_json::to_vec(&record(false)).unwrap(),
    )
    .unwrap();
    fs::write(place.call().join(UP), "").unwrap();
    let closed = recover(&place.call(), "call", &keeping, |_| {
        unreachable!("it is final")
    });
    assert_eq!(closed.unwrap(), Some(record(true)));
    assert_eq!(look(&place, &keeping).wrong, Vec::<String>::new());
    assert!(unfinished(&place.0).is_empty());
}

#[test]
fn a_disk_that_takes_nothing_is_counted_and_the_call_goes_on() {
    let place = Place::new();
    let keeping = keeping(&place, false);
    // A file where the folder should be.
    fs::write(place.call(), "in the way").unwrap();
    let files = call(&place, &keeping, 2_000);
    assert!(files.end(&record(true), "ended").is_err());
    let late = |lost| close_late(&place.call(), "call", &keeping, &record(true), lost);
    assert!(!late(0), "it still takes nothing");
    fs::remove_file(place.call()).unwrap();
    assert!(late(3), "it takes everything again");
    let kept = read(&place.call(), RECORD, None).unwrap().unwrap();
    assert_eq!(
        serde_json::from_slice::<CallRecord>(&kept).unwrap(),
        record(true)
    );
    assert_eq!(look(&place, &keeping).wrong, Vec::<String>::new());
    let trail = String::from_utf8(read(&place.call(), EVENTS, None).unwrap().unwrap()).unwrap();
    assert!(trail.contains("3 events were lost"), "{trail}");
    assert!(unfinished(&place.0).is_empty());
    let text = keeping.metrics.render();
    let count = text
        .lines()
        .find(|l| l.starts_with("firstline_recording_errors_total "))
        .unwrap();
    assert!(!count.ends_with(" 0"), "{count}");
}
