//! What the figures mean, in plain sentences.

/// A number of CPUs that may be used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::commands) enum Cpus {
    Unlimited,
    At(f64),
}

/// What the verdict follows from, over one sample. `None`: not known.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::commands) struct Facts {
    /// CPUs that the target used.
    pub(in crate::commands) used_cpus: Option<f64>,
    /// The limit of its cgroup.
    pub(in crate::commands) limit: Option<Cpus>,
    /// Share of the limit's periods in which it was held back.
    pub(in crate::commands) throttled_percent: Option<f64>,
    /// Of the time in which its threads wanted to run: the share without a CPU.
    pub(in crate::commands) waiting_percent: Option<f64>,
    /// How many of its threads were ready to run without a CPU, on average.
    pub(in crate::commands) waiting_cpus: Option<f64>,
    /// CPUs that it may run on.
    pub(in crate::commands) usable_cpus: Option<u32>,
    /// CPUs of the machine.
    pub(in crate::commands) machine_cpus: Option<u32>,
    /// Share of the machine's time that the host of the virtual machine withheld.
    pub(in crate::commands) stolen_percent: Option<f64>,
    /// Number, name and CPU% of its busiest thread.
    pub(in crate::commands) busiest: Option<(u32, String, f64)>,
}

/// Less than this is chance.
const NOTABLE_PERCENT: f64 = 1.0;
/// From here on it is what the program waits for.
const BOTTLENECK_PERCENT: f64 = 10.0;
/// As good as a whole CPU.
const WHOLE_CPU_PERCENT: f64 = 90.0;
/// Threads that are ready to run without a CPU, on average: fewer is no queue.
const QUEUE: f64 = 0.1;
/// Less than a hundredth of a CPU is nothing.
const IDLE_CPUS: f64 = 0.01;

/// What holds the target back, and what is worth knowing of its use. Never empty.
pub(super) fn verdicts(facts: &Facts) -> Vec<String> {
    let mut verdicts: Vec<_> = throttled(facts).into_iter().collect();
    if verdicts.is_empty() {
        verdicts.extend(crowded(facts));
    }
    verdicts.extend(stolen(facts));
    verdicts.extend(one_thread(facts));
    if verdicts.is_empty() {
        verdicts.push(at_ease(facts));
    }
    verdicts
}

fn throttled(facts: &Facts) -> Option<String> {
    let share = facts.throttled_percent.filter(|&share| share >= NOTABLE_PERCENT)?;
    let limit = match facts.limit {
        Some(Cpus::At(limit)) => format!("the limit of {}", cpus(limit)),
        // Another group around it may have one.
        _ => "a limit".to_owned(),
    };
    let meaning = if share >= BOTTLENECK_PERCENT { "is the bottleneck" } else { "is reached at times" };
    Some(format!("throttled in {} of periods: {limit} {meaning}", percent(share)))
}

fn crowded(facts: &Facts) -> Option<String> {
    let waiting = facts.waiting_percent.filter(|&share| share >= BOTTLENECK_PERCENT)?;
    facts.waiting_cpus.filter(|&threads| threads >= QUEUE)?;
    let what = format!("runnable {} of the time without a CPU", percent(waiting));
    let own_cpus = facts.usable_cpus.filter(|&usable| facts.machine_cpus.is_some_and(|all| usable < all));
    if let Some((usable, used)) = own_cpus.zip(facts.used_cpus)
        && used >= f64::from(usable) * WHOLE_CPU_PERCENT / 100.0
    {
        let is = if usable == 1 { "is" } else { "are" };
        return Some(format!("the {} that it may run on {is} the bottleneck: {what}", count(usable)));
    }
    Some(match facts.limit {
        Some(Cpus::Unlimited) => format!("the machine is the bottleneck: {what}, no limit"),
        Some(Cpus::At(limit)) => {
            format!("the machine is the bottleneck: {what}, not held back by the limit of {}", cpus(limit))
        }
        None => format!("{what}: whether for a limit or for the machine is not known"),
    })
}

fn stolen(facts: &Facts) -> Option<String> {
    let share = facts.stolen_percent.filter(|&share| share >= BOTTLENECK_PERCENT)?;
    Some(format!("the host of this virtual machine withheld {} of its CPU time", percent(share)))
}

fn one_thread(facts: &Facts) -> Option<String> {
    let (tid, name, _) = facts.busiest.as_ref().filter(|(.., share)| *share >= WHOLE_CPU_PERCENT)?;
    Some(format!("one thread (tid {tid} `{name}`) uses a whole CPU"))
}

fn at_ease(facts: &Facts) -> String {
    let Some(used) = facts.used_cpus else { return "how much CPU it uses is not known".to_owned() };
    if used < IDLE_CPUS {
        return format!("idle: {} of one CPU", percent(used * 100.0));
    }
    let of = match facts.limit {
        Some(Cpus::At(limit)) => format!(" of the limit of {}", cpus(limit)),
        Some(Cpus::Unlimited) => ", no limit".to_owned(),
        None => ", limit not known".to_owned(),
    };
    let ease = if facts.throttled_percent.is_some() || facts.waiting_percent.is_some() {
        "; nothing holds it back"
    } else {
        ""
    };
    format!("uses {used:.2} CPUs{of}{ease}")
}

/// `0.5 CPU`, `1 CPU`, `2.25 CPUs`.
pub(super) fn cpus(cpus: f64) -> String {
    let figure = format!("{cpus:.2}");
    let figure = figure.trim_end_matches('0').trim_end_matches('.');
    let noun = if cpus > 1.0 { "CPUs" } else { "CPU" };
    format!("{figure} {noun}")
}

/// `1 CPU`, `2 CPUs`.
pub(super) fn count(cpus: u32) -> String {
    if cpus == 1 { "1 CPU".to_owned() } else { format!("{cpus} CPUs") }
}

/// `41%`, or `1.3%` where the decimal matters.
fn percent(share: f64) -> String {
    if share < 9.95 { format!("{share:.1}%") } else { format!("{share:.0}%") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(facts: Facts) -> Vec<String> {
        verdicts(&facts)
    }

    #[test]
    fn a_limit_that_is_used_up_is_the_bottleneck() {
        let throttled = |share| Facts {
            used_cpus: Some(0.5),
            limit: Some(Cpus::At(0.5)),
            throttled_percent: Some(share),
            waiting_percent: Some(60.0),
            waiting_cpus: Some(0.7),
            ..Facts::default()
        };
        assert_eq!(
            sentences(throttled(41.2)),
            ["throttled in 41% of periods: the limit of 0.5 CPU is the bottleneck"],
            "what is held back also waits, but not for the machine"
        );
        assert_eq!(
            sentences(throttled(2.5)),
            ["throttled in 2.5% of periods: the limit of 0.5 CPU is reached at times"]
        );
        assert_eq!(
            sentences(Facts { waiting_percent: Some(3.0), ..throttled(0.0) }),
            ["uses 0.50 CPUs of the limit of 0.5 CPU; nothing holds it back"]
        );
    }

    #[test]
    fn waiting_without_being_throttled_is_the_fault_of_the_machine_or_of_too_few_cpus_of_its_own() {
        let facts = Facts {
            used_cpus: Some(1.0),
            limit: Some(Cpus::Unlimited),
            throttled_percent: Some(0.0),
            waiting_percent: Some(60.0),
            waiting_cpus: Some(1.5),
            usable_cpus: Some(2),
            machine_cpus: Some(2),
            ..Facts::default()
        };
        assert_eq!(
            sentences(facts.clone()),
            ["the machine is the bottleneck: runnable 60% of the time without a CPU, no limit"]
        );
        let limited = Facts { limit: Some(Cpus::At(1.5)), ..facts.clone() };
        assert_eq!(
            sentences(limited),
            [
                "the machine is the bottleneck: runnable 60% of the time without a CPU, not held back by the limit of \
              1.5 CPUs"
            ]
        );
        let pinned = Facts { usable_cpus: Some(1), ..facts.clone() };
        assert_eq!(
            sentences(pinned),
            ["the 1 CPU that it may run on is the bottleneck: runnable 60% of the time without a CPU"]
        );
        let unknown = Facts { limit: None, throttled_percent: None, ..facts.clone() };
        assert_eq!(
            sentences(unknown),
            ["runnable 60% of the time without a CPU: whether for a limit or for the machine is not known"]
        );
        // One wait of a thread that hardly runs says nothing.
        let brief = Facts { waiting_cpus: Some(0.02), ..facts };
        assert_eq!(sentences(brief), ["uses 1.00 CPUs, no limit; nothing holds it back"]);
    }

    #[test]
    fn one_busy_thread_is_named() {
        let busiest = |share| Facts {
            used_cpus: Some(1.0),
            busiest: Some((17, "parser".to_owned(), share)),
            ..Facts::default()
        };
        assert_eq!(sentences(busiest(99.0)), ["one thread (tid 17 `parser`) uses a whole CPU"]);
        assert_eq!(sentences(busiest(50.0)), ["uses 1.00 CPUs, limit not known"]);
    }

    #[test]
    fn a_virtual_machine_that_is_kept_waiting_is_told() {
        let facts = Facts { used_cpus: Some(0.2), stolen_percent: Some(20.4), ..Facts::default() };
        assert_eq!(sentences(facts), ["the host of this virtual machine withheld 20% of its CPU time"]);
    }

    #[test]
    fn idle_and_unknown_are_two_answers() {
        let facts = Facts { used_cpus: Some(0.003), ..Facts::default() };
        assert_eq!(sentences(facts), ["idle: 0.3% of one CPU"]);
        assert_eq!(sentences(Facts::default()), ["how much CPU it uses is not known"]);
    }

    #[test]
    fn cpus_are_written_as_docker_takes_them() {
        let written = [0.5, 1.0, 2.0, 2.25, 0.001].map(cpus);
        assert_eq!(written, ["0.5 CPU", "1 CPU", "2 CPUs", "2.25 CPUs", "0 CPU"]);
    }
}
