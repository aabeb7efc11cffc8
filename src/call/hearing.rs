//! Who hears whom in each state of a call.

use super::{CALLER, LegId, Mix};

/// Who may be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Caller,
    Human(LegId),
    /// What the assistant says on the caller's line.
    Voice,
    /// What the assistant says to this human alone.
    Aside(LegId),
    /// Hold music.
    Music,
}

/// Whether the party on `listener` hears `source`.
pub fn hears(mix: Mix, listener: LegId, source: Source) -> bool {
    let joined = match mix {
        Mix::Bridge(leg) | Mix::Three(leg) => Some(leg),
        Mix::Agent | Mix::Hold => None,
    };
    if listener == CALLER {
        return match source {
            Source::Voice => true,
            Source::Music => mix == Mix::Hold,
            Source::Human(leg) => joined == Some(leg),
            Source::Caller | Source::Aside(_) => false,
        };
    }
    match source {
        Source::Aside(leg) => leg == listener,
        Source::Caller => joined == Some(listener),
        Source::Voice => mix == Mix::Three(listener),
        Source::Human(_) | Source::Music => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brief_is_for_the_human_and_the_music_for_the_caller() {
        let (a, b) = (LegId(1), LegId(2));
        for mix in [Mix::Agent, Mix::Hold, Mix::Bridge(a), Mix::Three(a)] {
            for leg in [a, b] {
                assert!(!hears(mix, CALLER, Source::Aside(leg)), "{mix:?}");
                assert!(!hears(mix, leg, Source::Music), "{mix:?}");
                assert!(hears(mix, leg, Source::Aside(leg)), "{mix:?}");
            }
            assert!(!hears(mix, b, Source::Caller), "{mix:?}");
            assert!(!hears(mix, CALLER, Source::Human(b)), "{mix:?}");
            assert!(!hears(mix, a, Source::Aside(b)), "{mix:?}");
            assert!(!hears(mix, b, Source::Voice), "{mix:?}");
        }
        assert!(hears(Mix::Bridge(a), a, Source::Caller));
        assert!(!hears(Mix::Bridge(a), a, Source::Voice));
        assert!(hears(Mix::Three(a), a, Source::Voice));
        assert!(!hears(Mix::Hold, a, Source::Caller));
    }
}
