//! What came of many packets.

use std::time::Duration;

use dbgctl_proto::v1::{PacketAnswer, PacketOutcome};

use super::packets;
use crate::render::Object;
use crate::render::human::{Percent, Took};

/// Kinds of answers that are kept apart.
const MOST_KINDS: usize = 16;

/// The answers so far.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    packets: u64,
    duplicates: u64,
    /// Of those that the host answered, in the order of the answers.
    times_nanos: Vec<u64>,
    /// What others said, and how often.
    otherwise: Vec<(String, u64)>,
}

impl Statistics {
    pub(super) fn add(&mut self, duplicate: bool, answer: &PacketAnswer) {
        if duplicate {
            self.duplicates += 1;
            return;
        }
        self.packets += 1;
        if packets::is_of_host(answer) {
            self.times_nanos.push(answer.rtt_nanos.unwrap_or(0));
            return;
        }
        let outcome = match answer.outcome() {
            PacketOutcome::TimedOut => return,
            PacketOutcome::TimeExceeded => "passed as many routers as it might".to_owned(),
            _ => packets::outcome(answer),
        };
        let by = if answer.from.is_empty() {
            String::new()
        } else {
            format!("{} says: ", packets::address(&answer.from))
        };
        let said = format!("{by}{outcome}");
        // What an agent makes up is not kept without end.
        let has_room = self.otherwise.len() < MOST_KINDS;
        match self.otherwise.iter_mut().find(|(known, _)| *known == said) {
            Some((_, count)) => *count += 1,
            None if has_room => self.otherwise.push((said, 1)),
            None => {}
        }
    }

    /// Whether the host answered at all.
    pub(super) fn is_answered(&self) -> bool {
        !self.times_nanos.is_empty()
    }

    fn lost(&self) -> u64 {
        self.packets - self.times_nanos.len() as u64
    }

    fn lost_percent(&self) -> Option<f64> {
        (self.packets > 0).then(|| self.lost() as f64 / self.packets as f64 * 100.0)
    }

    fn mean(&self) -> Option<u64> {
        let sum: u128 = self.times_nanos.iter().map(|&nanos| u128::from(nanos)).sum();
        u64::try_from(sum.checked_div(self.times_nanos.len() as u128)?).ok()
    }

    /// The time that `percent` of all do not exceed.
    fn percentile(&self, percent: usize) -> Option<u64> {
        let mut sorted = self.times_nanos.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied()
    }

    /// The mean difference between one time and the next.
    fn jitter(&self) -> Option<u64> {
        let differences = self.times_nanos.windows(2).map(|pair| u128::from(pair[0].abs_diff(pair[1])));
        let sum: u128 = differences.sum();
        let count = self.times_nanos.len().checked_sub(1)?;
        u64::try_from(sum.checked_div(count as u128)?).ok()
    }

    pub(super) fn sentences(&self, host: &str, is_udp: bool) -> Vec<String> {
        let answered = self.times_nanos.len();
        let lost = self.lost_percent().map_or_else(String::new, |lost| format!(", {}% lost", Percent(lost)));
        let duplicates =
            if self.duplicates > 0 { format!(", {} came twice", self.duplicates) } else { String::new() };
        let mut lines = vec![format!("{host}: {} sent, {answered} answered{lost}{duplicates}", self.packets)];
        let took = |nanos: Option<u64>| Took(Duration::from_nanos(nanos.unwrap_or(0)));
        if answered > 0 {
            lines.push(format!(
                "min {}, mean {}, p50 {}, p90 {}, p99 {}, max {}, jitter {}",
                took(self.percentile(0)),
                took(self.mean()),
                took(self.percentile(50)),
                took(self.percentile(90)),
                took(self.percentile(99)),
                took(self.percentile(100)),
                took(self.jitter()),
            ));
        }
        lines.extend(self.otherwise.iter().map(|(said, count)| match count {
            1 => said.clone(),
            count => format!("{said} ({count} times)"),
        }));
        if answered == 0 && self.packets > 0 && self.otherwise.is_empty() && is_udp {
            lines.push(format!(
                "nothing came back: whoever listens on that port of {host} may have nothing to say, hosts answer few \
                 datagrams to closed ports a second, and firewalls drop them: --tcp PORT asks otherwise"
            ));
        } else if answered == 0 && self.packets > 0 && self.otherwise.is_empty() {
            lines.push(format!(
                "nothing came back: {host} is down, or a firewall drops what is sent or answered; many drop ICMP alone: \
                 --tcp PORT asks otherwise"
            ));
        }
        lines
    }

    pub(super) fn fields(&self, object: &mut Object<'_>) {
        object.number("packets", self.packets);
        object.number("answered", self.times_nanos.len() as u64);
        object.number("lost", self.lost());
        object.decimal("lost_percent", self.lost_percent());
        object.number("duplicates", self.duplicates);
        object.number("min_nanos", self.percentile(0));
        object.number("mean_nanos", self.mean());
        object.number("p50_nanos", self.percentile(50));
        object.number("p90_nanos", self.percentile(90));
        object.number("p99_nanos", self.percentile(99));
        object.number("max_nanos", self.percentile(100));
        object.number("jitter_nanos", self.jitter());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(outcome: PacketOutcome, rtt_nanos: Option<u64>) -> PacketAnswer {
        PacketAnswer { outcome: outcome.into(), rtt_nanos, ..PacketAnswer::default() }
    }

    #[test]
    fn what_is_lost_what_came_twice_and_how_long_it_took_is_counted() {
        let mut statistics = Statistics::default();
        for millis in [1, 3, 2] {
            statistics.add(false, &answer(PacketOutcome::Answered, Some(millis * 1_000_000)));
        }
        statistics.add(true, &answer(PacketOutcome::Answered, Some(9)));
        statistics.add(false, &answer(PacketOutcome::TimedOut, None));
        assert_eq!(
            statistics.sentences("db", false),
            [
                "db: 4 sent, 3 answered, 25.0% lost, 1 came twice",
                "min 1.0 ms, mean 2.0 ms, p50 2.0 ms, p90 3.0 ms, p99 3.0 ms, max 3.0 ms, jitter 1.5 ms",
            ]
        );
        assert_eq!(statistics.jitter(), Some(1_500_000));
    }

    #[test]
    fn of_nothing_there_are_no_figures() {
        let none = Statistics::default();
        assert_eq!(
            (none.mean(), none.jitter(), none.percentile(50), none.lost_percent()),
            (None, None, None, None)
        );
        assert_eq!(none.sentences("db", true), ["db: 0 sent, 0 answered"]);
    }
}
