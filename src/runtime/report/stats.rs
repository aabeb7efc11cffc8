//! Shares and how sure they are; a sample that stands for the whole.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Two-sided 95 %.
const Z: f64 = 1.959_964;

/// Wilson's interval of a share of `n`, of which `p` is the part seen (Wilson 1927; it holds for small counts, and at 0 and 1). Without
/// anything seen it is all there is: 0 to 1.
pub fn wilson(p: f64, n: f64) -> (f64, f64) {
    if n <= 0.0 {
        return (0.0, 1.0);
    }
    let z2 = Z * Z;
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// `{"rate","low","high","of"}`; the rate is null where nothing was counted.
pub fn share(part: usize, whole: usize) -> Value {
    let p = part as f64 / whole.max(1) as f64;
    let (low, high) = wilson(p, whole as f64);
    json!({
        "rate": (whole > 0).then(|| round(p)),
        "low": round(low), "high": round(high), "of": whole, "count": part,
    })
}

pub fn round(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}

/// The smallest value that at least `p` percent do not exceed.
pub fn percentile(sorted: &[u64], p: usize) -> Option<u64> {
    let rank = (sorted.len() * p).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// Draws `want` of `calls` (id and stratum), each stratum by its share but with `least` of each where it has so many. Which ones is
/// settled by `seed` and the ids alone, so that anybody can draw the same again.
pub fn stratified(
    calls: &[(String, String)],
    want: usize,
    least: usize,
    seed: &str,
) -> Vec<(String, String)> {
    let mut strata: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, stratum) in calls {
        strata.entry(stratum).or_default().push(id);
    }
    let all = calls.len().max(1);
    let mut places: BTreeMap<&str, usize> = strata
        .iter()
        .map(|(name, ids)| {
            let fair = want * ids.len() / all;
            (*name, fair.max(least).min(ids.len()))
        })
        .collect();
    // The rest, or what is too much, goes to or comes from the largest strata.
    loop {
        let taken: usize = places.values().sum();
        let goal = want.min(calls.len());
        let room = |name: &&&str| places[**name] < strata[**name].len();
        let changed = if taken < goal {
            let next = strata
                .keys()
                .filter(room)
                .max_by_key(|name| strata[**name].len() - places[**name])
                .copied();
            next.map(|name| (name, 1_isize))
        } else if taken > goal {
            let next = places
                .iter()
                .max_by_key(|(_, n)| **n)
                .map(|(name, _)| *name);
            next.map(|name| (name, -1))
        } else {
            None
        };
        let Some((name, by)) = changed else { break };
        if let Some(n) = places.get_mut(name) {
            *n = n.saturating_add_signed(by);
        }
    }
    let mut drawn = Vec::new();
    for (name, mut ids) in strata {
        ids.sort_by_cached_key(|id| Sha256::digest(format!("{seed}/{id}")).to_vec());
        drawn.extend(
            ids.into_iter()
                .take(places[name])
                .map(|id| (id.to_owned(), name.to_owned())),
        );
    }
    drawn
}

/// The share of good ones in the whole, from graded ones of each stratum: `(size of the stratum, graded, good)`. Strata without a grade
/// are left out of it. Rate, interval, and how many were graded.
pub fn stratified_rate(strata: &[(usize, usize, usize)]) -> (f64, (f64, f64), usize) {
    let seen: Vec<&(usize, usize, usize)> = strata.iter().filter(|s| s.1 > 0).collect();
    let whole: usize = seen.iter().map(|s| s.0).sum();
    let graded: usize = seen.iter().map(|s| s.1).sum();
    if whole == 0 {
        return (0.0, (0.0, 1.0), 0);
    }
    let (mut rate, mut variance) = (0.0, 0.0);
    for (size, n, good) in &seen {
        let (weight, p) = (*size as f64 / whole as f64, *good as f64 / *n as f64);
        rate += weight * p;
        variance += weight * weight * p * (1.0 - p) / *n as f64;
    }
    // As many independent grades as would be as sure.
    let worth = if variance > 0.0 {
        rate * (1.0 - rate) / variance
    } else {
        graded as f64
    };
    (rate, wilson(rate, worth), graded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_as_published() {
        // Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
        for (k, n, low, high) in [
            (81.0, 263.0, 0.2553, 0.3662),
            (15.0, 148.0, 0.0624, 0.1605),
            (0.0, 20.0, 0.0, 0.1611),
            (1.0, 29.0, 0.0061, 0.1718),
        ] {
            let (l, h) = wilson(k / n, n);
            assert!(
                (l - low).abs() < 1e-3 && (h - high).abs() < 1e-3,
                "{k}/{n}: {l} {h}"
            );
        }
        assert_eq!(wilson(0.0, 0.0), (0.0, 1.0));
    }

    #[test]
    fn a_sample_has_some_of_everything_and_is_the_same_again() {
        let calls: Vec<(String, String)> = (0..1000)
            .map(|n| {
                let stratum = match n {
                    0..800 => "resolved",
                    800..990 => "transferred",
                    _ => "failed",
                };
                (format!("call-{n}"), stratum.to_owned())
            })
            .collect();
        let drawn = stratified(&calls, 100, 5, "2026-W48");
        assert_eq!(drawn.len(), 100);
        let of = |stratum: &str| drawn.iter().filter(|(_, s)| s == stratum).count();
        assert_eq!((of("failed"), of("transferred")), (5, 19));
        assert_eq!(of("resolved"), 76);
        assert_eq!(drawn, stratified(&calls, 100, 5, "2026-W48"));
        assert_ne!(drawn, stratified(&calls, 100, 5, "2026-W49"));
        assert_eq!(
            stratified(&calls[..7], 100, 5, "w").len(),
            7,
            "all there are"
        );
        assert!(stratified(&[], 100, 5, "w").is_empty());
    }

    #[test]
    fn strata_count_by_their_size_not_by_their_grades() {
        // Nine in ten calls are good, though half of the grades are of the bad kind of call.
        let (rate, (low, high), n) = stratified_rate(&[(900, 50, 50), (100, 50, 0)]);
        assert!((rate - 0.9).abs() < 1e-9 && n == 100);
        assert!(low > 0.8 && high < 0.96, "{low} {high}");
        let (rate, (low, high), _) = stratified_rate(&[(500, 10, 5), (500, 10, 10), (7, 0, 0)]);
        assert!((rate - 0.75).abs() < 1e-9 && low < 0.75 && high > 0.75);
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let sorted: Vec<u64> = (1..=100).collect();
        assert_eq!(
            (percentile(&sorted, 50), percentile(&sorted, 95)),
            (Some(50), Some(95))
        );
        assert_eq!(percentile(&[], 50), None);
    }
}
