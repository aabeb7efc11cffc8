//! How far what was heard is from a code that is known: the customer's record stands at hand, so nothing need be guessed.
//!
//! What a recogniser wrote is a row of units with several readings each ("to" is 2, "full" may be 4). The least costly way to turn it
//! into the record's code is found by dynamic programming over both (Wagner and Fischer, 1974), a misheard letter that sounds like
//! the right one costing less than any other.

use super::spell::{Unit, confusable, runs};
use super::token::tokens;

/// One character for another that sounds like it.
const ALIKE: f32 = 0.5;
/// One character for any other.
const OTHER: f32 = 1.5;
/// A character of the record that was not heard.
const UNHEARD: f32 = 1.2;
/// A character heard that the record does not have.
const ADDED: f32 = 1.0;
/// The same of a word often said for nothing.
const FILLER: f32 = 0.3;
/// Of a reading that is not what was written, for each point of its cost.
const READ_AS: f32 = 0.25;

/// Mishearings between `said` and `wanted` (bare, upper case): 0 the same, 1 and a half one wrong character; infinite where nothing
/// was spelled.
pub(super) fn distance(said: &str, wanted: &str) -> f32 {
    let wanted: Vec<char> = wanted.chars().collect();
    let units: Vec<Unit> = runs(&tokens(said)).into_iter().flatten().collect();
    if units.is_empty() || wanted.is_empty() {
        return f32::INFINITY;
    }
    let mut row: Vec<f32> = (0..=wanted.len()).map(|n| n as f32 * UNHEARD).collect();
    for unit in &units {
        let length = unit.readings.first().map_or(1, |(text, _)| text.len());
        let skipped = if unit.soft || unit.weak {
            FILLER
        } else {
            ADDED * length as f32
        };
        let mut next: Vec<f32> = row.iter().map(|cost| cost + skipped).collect();
        for (reading, cost) in &unit.readings {
            let read = extended(&row, reading, &wanted);
            for (best, read) in next.iter_mut().zip(read) {
                *best = best.min(read + READ_AS * *cost as f32);
            }
        }
        row = next;
    }
    row.last().copied().unwrap_or(f32::INFINITY)
}

/// The costs of every beginning of `wanted` after a reading more.
fn extended(row: &[f32], reading: &str, wanted: &[char]) -> Vec<f32> {
    let mut row = row.to_vec();
    for heard in reading.chars().map(|c| c.to_ascii_uppercase()) {
        let mut next = vec![row[0] + ADDED; row.len()];
        for (n, known) in wanted.iter().enumerate() {
            let same = match heard == *known {
                true => 0.0,
                false if confusable(heard, *known) => ALIKE,
                false => OTHER,
            };
            next[n + 1] = (row[n] + same)
                .min(row[n + 1] + ADDED)
                .min(next[n] + UNHEARD);
        }
        row = next;
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mishearings_are_counted() {
        assert_eq!(distance("w 2 0 a b", "W20AB"), 0.0);
        assert!(distance("n g 9 2 t d", "NG92TD") < 0.01);
        assert!(distance("n g 9 2 d d", "NG92TD") <= ALIKE);
        assert!(distance("n g 9 2 x d", "NG92TD") >= OTHER);
        assert!(distance("hello there", "NG92TD") > 3.0);
    }
}
