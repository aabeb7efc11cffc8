//! What a call counts: packets as they come on each leg, and that a bug ended it.

use std::collections::HashMap;
use std::sync::Arc;

use super::Task;
use crate::call::LegId;
use crate::call::rescue::Fate;
use crate::edge::LegInfo;
use crate::runtime::line::Shared;
use crate::runtime::node;
use crate::telemetry::{Metric, Metrics};

/// Ticks of 20 ms between two looks at the legs.
const EVERY: u32 = 50;

/// Packets of a call's legs, as far as they were counted.
#[derive(Debug, Default)]
pub(super) struct Meter {
    ticks: u32,
    counted: HashMap<LegId, [u64; 3]>,
}

impl Meter {
    /// Once a tick; true once a second.
    fn is_due(&mut self) -> bool {
        self.ticks = (self.ticks + 1) % EVERY;
        self.ticks == 0
    }

    /// What came on this leg since it was last looked at. Media streams over TCP have no packets to lose: only RTP is counted.
    fn look(&mut self, leg: LegId, info: &LegInfo, metrics: &Metrics) {
        if info.channel != "sip" {
            return;
        }
        let now = [info.packets_in, info.packets_lost, info.packets_late];
        let before = self.counted.entry(leg).or_default();
        let named = [Metric::PacketsIn, Metric::PacketsLost, Metric::PacketsLate];
        for ((metric, now), before) in named.into_iter().zip(now).zip(before) {
            // One that was missed and came late after all is lost no more: the count of lost ones stands until others are.
            if now > *before {
                metrics.add(metric, &[], (now - *before) as f64);
                *before = now;
            }
        }
    }
}

impl Task {
    /// Counts what came, once a second.
    pub(super) fn meter(&mut self) {
        if self.meter.is_due() {
            self.meter_legs();
        }
    }

    pub(super) fn meter_legs(&mut self) {
        for (id, leg) in &self.legs {
            self.meter
                .look(*id, &leg.info(), &self.shared.state.metrics);
        }
    }

    /// A leg is about to go.
    pub(super) fn meter_last(&mut self, id: LegId) {
        if let Some(leg) = self.legs.get(&id) {
            self.meter.look(id, &leg.info(), &self.shared.state.metrics);
        }
    }
}

/// Notices that a call's task has panicked: outside the engine, where nothing else catches it.
pub(super) struct Watch<F: FnMut()>(F);

impl<F: FnMut()> Drop for Watch<F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            (self.0)();
        }
    }
}

/// The legs of a call that a bug ended hang up as they are dropped; the rest of it is closed here, as after the program's death.
pub(super) fn watch(shared: &Arc<Shared>, id: &str) -> Watch<impl FnMut() + use<>> {
    let (shared, id) = (shared.clone(), id.to_owned());
    Watch(move || {
        shared.state.metrics.count(Metric::Panics, &[]);
        tracing::error!(call = %id, "a bug ended this call");
        shared.state.live.end(&id);
        let Some(record) = shared.state.in_progress(&id) else {
            return;
        };
        let mut record = node::ended_by_death(record);
        record.termination.reason = "a bug ended the call".into();
        shared.state.ended(&record);
        let shared = shared.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { shared.finish(record).await });
        }
    })
}

/// A bug in the engine, which was caught there.
pub(super) fn count(fate: Fate, metrics: &Metrics) {
    if fate != Fate::Fine {
        metrics.count(Metric::Panics, &[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_counted_once_and_lost_ones_never_taken_back() {
        let metrics = Metrics::new();
        let mut meter = Meter::default();
        let info = |channel, packets_in, packets_lost, packets_late| LegInfo {
            channel,
            packets_in,
            packets_lost,
            packets_late,
            ..LegInfo::default()
        };
        let leg = LegId(0);
        meter.look(leg, &info("sip", 50, 2, 0), &metrics);
        meter.look(leg, &info("sip", 50, 2, 0), &metrics);
        meter.look(leg, &info("sip", 100, 1, 1), &metrics);
        meter.look(leg, &info("sip", 150, 3, 1), &metrics);
        meter.look(LegId(1), &info("sip", 10, 0, 0), &metrics);
        meter.look(LegId(2), &info("twilio", 10, 0, 0), &metrics);
        let text = metrics.render();
        for line in [
            "firstline_rtp_packets_in_total 160",
            "firstline_rtp_packets_lost_total 3",
            "firstline_rtp_packets_late_total 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }

    #[tokio::test]
    async fn a_bug_is_counted_wherever_it_is() {
        let metrics = Arc::new(Metrics::new());
        for fate in [Fate::Fine, Fate::Rescued, Fate::Lost] {
            count(fate, &metrics);
        }
        let shared = metrics.clone();
        let task = async move {
            let counting = shared.clone();
            let _watch = Watch(move || counting.count(Metric::Panics, &[]));
            tokio::task::yield_now().await;
            // Not caught by the engine: a leg's, say.
            let legs: Vec<u8> = Vec::new();
            assert!(!legs.is_empty(), "a bug");
        };
        assert!(tokio::spawn(task).await.is_err());
        let counting = metrics.clone();
        drop(Watch(move || counting.count(Metric::Panics, &[])));
        assert!(metrics.render().contains("firstline_panics_total 3\n"));
    }

    #[test]
    fn once_a_second() {
        let mut meter = Meter::default();
        assert_eq!((0..500).filter(|_| meter.is_due()).count(), 10);
    }
}
