//! What tests measure and say, without judging it: time is never a reason to fail, only a hang is.

use std::env;
use std::io::{self, Write as _};
use std::time::Duration;

/// Says a line that is seen although the test passes.
pub fn say(text: &str) {
    let _nobody_listens = writeln!(io::stderr(), "{text}");
}

/// How often something is repeated: `in_the_suite`, or more if `DBGCTL_TEST_CYCLES` says so.
pub fn cycles(in_the_suite: usize) -> usize {
    let asked = env::var("DBGCTL_TEST_CYCLES").ok().and_then(|text| text.parse().ok());
    asked.map_or(in_the_suite, |asked: usize| asked.max(in_the_suite))
}

/// Says the median and the worst of `times`.
pub fn say_times(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let Some(worst) = times.last() else { return };
    let median = times[times.len() / 2];
    say(&format!(
        "{what}: median {} ms, worst {} ms of {}",
        median.as_millis(),
        worst.as_millis(),
        times.len()
    ));
}
