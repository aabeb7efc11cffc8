//! Sound that has left for a party and may not have been heard yet, because the transport buffers: told to the engine when the far end
//! has played it, and never if it was dropped before. What a caller is held to have heard rests on this.

use std::collections::{HashMap, VecDeque};

use crate::audio::FRAME_MS;
use crate::audio::playout::Played;
use crate::call::LegId;

/// Of one leg.
#[derive(Debug, Default)]
struct Leg {
    /// Frames pushed.
    frames: u64,
    /// What was played, with the frame it was played in.
    waiting: VecDeque<(u64, Played)>,
    last: Option<(u64, u32)>,
}

/// Of every leg of a call.
#[derive(Debug, Default)]
pub struct UnderWay(HashMap<LegId, Leg>);

impl UnderWay {
    /// A frame was pushed, with what it `played`; of all that was pushed, `open_ms` is not known to have been heard. What is now known
    /// to have been. The first sample of each clause is told at once: that it has begun to leave is known here.
    pub fn tick(&mut self, id: LegId, played: Vec<Played>, open_ms: u64) -> Vec<Played> {
        let leg = self.0.entry(id).or_default();
        leg.frames += 1;
        let mut told = Vec::new();
        for p in played {
            if leg.last.replace((p.tag, p.part)) != Some((p.tag, p.part)) {
                told.push(Played {
                    samples: p.samples.min(1),
                    ..p
                });
            }
            leg.waiting.push_back((leg.frames, p));
        }
        let heard = leg.frames.saturating_sub(open_ms / FRAME_MS);
        while let Some((_, p)) = leg.waiting.pop_front_if(|(frame, _)| *frame <= heard) {
            told.push(p);
        }
        told
    }

    /// The leg was cleared: what was under way is not heard any more.
    pub fn cleared(&mut self, id: LegId) {
        if let Some(leg) = self.0.get_mut(&id) {
            leg.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: LegId = LegId(0);

    fn played(part: u32, samples: u64) -> Vec<Played> {
        vec![Played {
            tag: 7,
            part,
            samples,
            queued: 9_000,
        }]
    }

    fn samples(told: Vec<Played>) -> Vec<(u32, u64)> {
        told.into_iter().map(|p| (p.part, p.samples)).collect()
    }

    #[test]
    fn without_a_buffer_everything_is_heard_as_it_leaves() {
        let mut way = UnderWay::default();
        assert_eq!(samples(way.tick(ID, played(0, 320), 0)), [(0, 1), (0, 320)]);
        assert_eq!(samples(way.tick(ID, played(0, 640), 0)), [(0, 640)]);
        assert_eq!(samples(way.tick(ID, Vec::new(), 0)), []);
    }

    #[test]
    fn with_one_it_is_heard_when_the_far_end_has_played_it_or_not_at_all() {
        let mut way = UnderWay::default();
        for n in 1..=5 {
            let told = samples(way.tick(ID, played(0, n * 320), n * 20));
            assert_eq!(told, if n == 1 { vec![(0, 1)] } else { vec![] });
        }
        // Two of six are out: four were heard.
        let told = samples(way.tick(ID, played(0, 6 * 320), 40));
        assert_eq!(told, [(0, 320), (0, 640), (0, 960), (0, 1_280)]);
        way.cleared(ID);
        assert_eq!(samples(way.tick(ID, Vec::new(), 0)), []);
        assert_eq!(samples(way.tick(ID, played(1, 320), 0)), [(1, 1), (1, 320)]);
    }
}
