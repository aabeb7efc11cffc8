//! Keys pressed by the caller, gathered into one entry.

/// What a key came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keyed {
    /// More may follow: wait for the gap.
    Gathering,
    /// An entry is complete.
    Entry(String),
}

/// Keys of the entry under way.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    entry: String,
}

/// Quiet after which an entry is complete, milliseconds.
pub const KEY_GAP_MS: u64 = 2500;
/// A lone 0 while a number is expected waits only this long to be taken as the wish for a human.
pub const ZERO_GAP_MS: u64 = 1500;
const LONGEST: usize = 32;

impl Keys {
    /// `numbers`: a number was asked for. Without that, 0 alone means a human and acts at once.
    pub fn press(&mut self, key: char, numbers: bool) -> Keyed {
        match key {
            '#' if !self.entry.is_empty() => Keyed::Entry(std::mem::take(&mut self.entry)),
            '#' => Keyed::Gathering,
            '0' if !numbers && self.entry.is_empty() => Keyed::Entry("0".into()),
            _ => {
                if self.entry.len() < LONGEST {
                    self.entry.push(key);
                }
                Keyed::Gathering
            }
        }
    }

    /// No further key came.
    pub fn gap(&mut self) -> Option<String> {
        (!self.entry.is_empty()).then(|| std::mem::take(&mut self.entry))
    }

    pub fn wait_ms(&self) -> u64 {
        if self.entry == "0" {
            ZERO_GAP_MS
        } else {
            KEY_GAP_MS
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_a_human_unless_a_number_begins_with_it() {
        let mut keys = Keys::default();
        assert_eq!(keys.press('0', false), Keyed::Entry("0".into()));
        assert_eq!(keys.press('0', true), Keyed::Gathering);
        assert_eq!(keys.wait_ms(), ZERO_GAP_MS);
        assert_eq!(keys.press('4', true), Keyed::Gathering);
        assert_eq!(keys.press('#', true), Keyed::Entry("04".into()));
        assert_eq!(keys.gap(), None);
    }
}
