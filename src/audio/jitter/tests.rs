//! A simulated network: packets leave every 20 ms of the sender's clock and come when the test says.

use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn buffer() -> JitterBuffer {
    JitterBuffer::new(JitterConfig::default())
}

fn push(b: &mut JitterBuffer, n: u64, at: u64) {
    let seq = 65_500u16.wrapping_add(n as u16);
    let ts = (u32::MAX - 5000).wrapping_add(160 * n as u32);
    b.push(seq, ts, n.to_be_bytes().to_vec(), n == 0, MS(at));
}

/// The packet number that was pulled.
fn number(p: &Pulled) -> Option<u64> {
    match p {
        Pulled::Audio(b) => Some(u64::from_be_bytes(b[..].try_into().unwrap())),
        _ => None,
    }
}

/// Pulls every 20 ms from 5 ms on, with packet `n` arriving at `arrivals[n]` (none: lost).
fn run(
    b: &mut JitterBuffer,
    arrivals: &[Option<u64>],
    pulls: u64,
    quiet: impl Fn(u64) -> bool,
) -> Vec<Pulled> {
    let mut events: Vec<(u64, u64)> = arrivals
        .iter()
        .enumerate()
        .filter_map(|(n, a)| a.map(|a| (a, n as u64)))
        .collect();
    events.sort();
    let mut events = events.into_iter().peekable();
    (0..pulls)
        .map(|i| {
            let now = 5 + 20 * i;
            while let Some((at, n)) = events.next_if(|&(at, _)| at <= now) {
                push(b, n, at);
            }
            let p = b.pull(MS(now));
            b.quiet(quiet(i));
            p
        })
        .collect()
}

fn numbers(pulled: &[Pulled]) -> Vec<u64> {
    pulled.iter().filter_map(number).collect()
}

fn noise(n: u64) -> u64 {
    let x = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40
}

#[test]
fn a_clean_line_plays_everything_in_order_across_both_wraps() {
    let mut b = buffer();
    let arrivals: Vec<_> = (0..200).map(|n| Some(n * 20)).collect();
    let out = run(&mut b, &arrivals, 200, |_| false);
    let got = numbers(&out);
    assert_eq!(got, (0..got.len() as u64).collect::<Vec<_>>());
    assert!(got.len() >= 198, "{}", got.len());
    let s = b.stats();
    assert_eq!((s.lost, s.late, s.duplicates), (0, 0, 0));
    assert!(s.jitter_ms < 0.1);
    assert_eq!(s.target, 1, "one packet is enough on a clean line");
}

#[test]
fn reordered_and_duplicated_packets_come_out_once_in_order() {
    let mut b = buffer();
    let mut arrivals: Vec<_> = (0..100).map(|n| Some(n * 20)).collect();
    for n in (10..90).step_by(10) {
        arrivals[n] = Some(n as u64 * 20 + 22);
    }
    for n in 0..50 {
        push(&mut b, n, n * 20);
        push(&mut b, n, n * 20 + 1);
        b.pull(MS(n * 20 + 5));
    }
    assert_eq!(b.stats().duplicates, 50);
    let mut b = buffer();
    let out = run(&mut b, &arrivals, 103, |_| false);
    assert_eq!(numbers(&out), (0..100).collect::<Vec<_>>());
    assert_eq!(b.stats().lost, 0);
}

#[test]
fn a_lost_packet_is_one_concealed_frame() {
    let mut b = buffer();
    let mut arrivals: Vec<_> = (0..100).map(|n| Some(n * 20)).collect();
    for n in [20, 40, 41, 60] {
        arrivals[n] = None;
    }
    let out = run(&mut b, &arrivals, 102, |_| false);
    assert_eq!(numbers(&out).len(), 96);
    let lost = out.iter().filter(|p| **p == Pulled::Lost).count();
    // The stream's own end, which nothing announces, is concealed for up to 60 ms.
    assert!((4..=7).contains(&lost), "{lost}");
    assert_eq!(b.stats().lost, 4);
    let r = b.report();
    assert_eq!(
        (r.cumulative_lost, r.fraction_lost),
        (4, (4 * 256 / 100) as u8)
    );
    assert_eq!(r.highest_seq, 65_500 + 99, "with its cycle");
    assert_eq!(b.report().fraction_lost, 0, "since the last report");
}

#[test]
fn jitter_deepens_the_buffer_and_calm_makes_it_shallow_again() {
    let mut b = buffer();
    // Up to 70 ms late, in ten seconds of speech; then a clean line.
    let arrivals: Vec<_> = (0..2000u64)
        .map(|n| Some(n * 20 + if n < 500 { noise(n) % 70 } else { 0 }))
        .collect();
    let out = run(&mut b, &arrivals[..500], 500, |_| false);
    let s = b.stats();
    assert!((4..=5).contains(&s.target), "target {}", s.target);
    assert!(
        (10.0..40.0).contains(&s.jitter_ms),
        "jitter {}",
        s.jitter_ms
    );
    // After the first second the network's jitter is absorbed.
    let late_losses = out[50..490].iter().filter(|p| **p != Pulled::Lost).count();
    assert!(late_losses >= 428, "{} of 440", late_losses);
    let mut b = buffer();
    let out = run(&mut b, &arrivals, 2000, |i| i % 10 == 0);
    assert_eq!(b.stats().target, 1);
    assert!(b.stats().depth <= 2, "depth {}", b.stats().depth);
    let mut in_order = numbers(&out);
    in_order.dedup();
    assert!(in_order.is_sorted());
}

#[test]
fn a_late_packet_is_dropped_and_counted() {
    let mut b = buffer();
    let mut arrivals: Vec<_> = (0..100).map(|n| Some(n * 20)).collect();
    arrivals[50] = Some(1400);
    let out = run(&mut b, &arrivals, 100, |_| false);
    assert!(!numbers(&out).contains(&50));
    assert_eq!((b.stats().late, b.stats().lost), (1, 1));
}

#[test]
fn clocks_that_differ_never_build_up_delay() {
    // 1000 parts per million: thirty times worse than real ones, so that a minute shows an hour.
    for (name, num) in [("fast", 19_980u64), ("slow", 20_020)] {
        let mut b = buffer();
        let arrivals: Vec<_> = (0..6000u64).map(|n| Some(n * num / 1000)).collect();
        let out = run(&mut b, &arrivals, 5980, |i| i % 25 == 0);
        let got = numbers(&out);
        let s = b.stats();
        assert!(s.depth <= 3, "{name}: depth {}", s.depth);
        assert!(got.is_sorted() && got.len() > 5900, "{name}: {}", got.len());
        // What is played now left the sender not long ago.
        let last = *got.last().unwrap();
        assert!(5980 * 20 - last * num / 1000 <= 100, "{name}");
        // Never quiet: it is bounded all the same.
        let mut b = buffer();
        run(&mut b, &arrivals, 5980, |_| false);
        assert!(
            b.stats().depth <= 5,
            "{name}: depth {} without quiet",
            b.stats().depth
        );
    }
}

#[test]
fn pauses_are_empty_not_lost() {
    let mut b = buffer();
    // Talk, two seconds of nothing sent with the numbers going on, talk.
    let out = run(
        &mut b,
        &(0..50).map(|n| Some(n * 20)).collect::<Vec<_>>(),
        150,
        |i| i > 40,
    );
    assert!(out[60..].iter().all(|p| *p == Pulled::Empty));
    for n in 50..100u64 {
        let ts = (u32::MAX - 5000).wrapping_add(160 * (n as u32 + 100));
        b.push(
            65_500u16.wrapping_add(n as u16),
            ts,
            n.to_be_bytes().to_vec(),
            n == 50,
            MS(3000 + (n - 50) * 20),
        );
        if n > 50 {
            assert_eq!(
                number(&b.pull(MS(3005 + (n - 50) * 20))),
                Some(n - 1 + u64::from(b.target == 1))
            );
        } else {
            b.pull(MS(3005));
        }
    }
    assert_eq!(b.stats().lost, 0);
}

#[test]
fn a_burst_after_a_stall_keeps_the_newest_two_hundred_milliseconds() {
    let mut b = buffer();
    run(
        &mut b,
        &(0..20).map(|n| Some(n * 20)).collect::<Vec<_>>(),
        20,
        |_| false,
    );
    for n in 20..120 {
        push(&mut b, n, 2400);
    }
    assert!(b.stats().depth <= 11);
    let first = number(&b.pull(MS(2405))).unwrap();
    assert!(first >= 109, "{first}");
}

#[test]
fn a_new_stream_is_taken_up_at_its_second_packet() {
    let mut b = buffer();
    run(
        &mut b,
        &(0..20).map(|n| Some(n * 20)).collect::<Vec<_>>(),
        20,
        |_| false,
    );
    // One wild packet changes nothing.
    b.push(30_000, 7, vec![9; 8], false, MS(400));
    push(&mut b, 20, 400);
    assert!(b.slots.contains_key(&(65_500 + 20)));
    for n in 0..10u16 {
        b.push(
            10_000 + n,
            u32::from(n) * 160,
            vec![7; 8],
            false,
            MS(420 + 20 * u64::from(n)),
        );
    }
    assert_eq!(b.pull(MS(640)), Pulled::Audio(vec![7; 8]));
    b.reset();
    assert_eq!(b.pull(MS(660)), Pulled::Empty);
    assert!(b.stats().received >= 30, "counts stay");
}

#[test]
fn keys_among_the_sound_are_not_losses() {
    let mut b = buffer();
    for n in 0..60u64 {
        if (20..30).contains(&n) {
            b.push_other(65_500u16.wrapping_add(n as u16), MS(n * 20));
        } else {
            push(&mut b, n, n * 20);
        }
        b.pull(MS(n * 20 + 5));
    }
    let s = b.stats();
    assert_eq!((s.lost, s.late), (0, 0));
}

proptest::proptest! {
    #[test]
    fn any_packets_in_any_order_never_panic_and_depth_is_bounded(
        packets in proptest::collection::vec((0u16..400, proptest::prelude::any::<u32>(), 0u64..9000, proptest::prelude::any::<(bool, bool)>()), 0..300),
        shift in proptest::prelude::any::<u16>(),
    ) {
        let mut b = buffer();
        let mut came = 0;
        for (seq, ts, at, (marker, pull)) in packets {
            b.push(seq.wrapping_add(shift), ts, vec![1], marker, MS(at));
            came += 1;
            if pull {
                b.quiet(marker);
                b.pull(MS(at));
            }
            proptest::prop_assert!(b.stats().depth <= 11);
        }
        proptest::prop_assert_eq!(b.stats().received, came);
        b.report();
    }
}
