//! What comes from the engine is cut, late, refused or nonsense: dbgctl says so, and neither panics nor hangs.

use std::time::Duration;

use dbgctl_tests::chance::Chance;
use dbgctl_tests::dbgctl_command;
use dbgctl_tests::figures::{cycles, say, say_times};
use dbgctl_tests::proxy::{Fault, Proxy, garbage, refusal};
use dbgctl_tests::running::Running;

use crate::{STEPS, expect_nothing_left_after_the_next_command, in_lanes, quick_target};

const LANES: usize = 4;

/// An answer is rarely longer than this. The interesting places are near its beginning.
const ANSWER_BYTES: u64 = 12;

fn fault(chance: &mut Chance) -> Fault {
    match chance.below(12) {
        0..=4 => {
            let magnitude = 1 << chance.below(ANSWER_BYTES + 1);
            Fault::CutAnswer { after_bytes: usize::try_from(chance.below(magnitude)).unwrap() }
        }
        5 => Fault::CutRequest,
        6 => Fault::Delay(chance.moment(Duration::from_millis(200))),
        7 => Fault::Trickle,
        8 => Fault::Answer(refusal(chance.choose(&[500, 503, 400, 404, 409]))),
        _ => Fault::Answer(garbage(chance)),
    }
}

#[test]
fn whatever_an_engine_does_to_one_request_dbgctl_answers_or_says_why_not_and_leaves_nothing() {
    let mut chance = Chance::new("broken engine");
    let count = cycles(300);
    let chances: Vec<_> = (0..count).map(|_| chance.fork()).collect();
    let targets: Vec<_> = (0..LANES).map(|_| quick_target(&[])).collect();
    let outcomes = in_lanes(count, LANES, |case| {
        let (mut chance, target) = (chances[case].clone(), &targets[case % LANES]);
        let (step, fault) = (chance.choose(&STEPS), fault(&mut chance));
        let proxy = Proxy::new(step, fault.clone());
        let cli = Running::start(&mut dbgctl_command(&["-H", &proxy.host(), "ps", &target.name]));
        let ended = cli.finish();
        let what = || format!("case {case}: {fault:?} at {step:?}\n{ended:?}");
        assert!(!ended.stderr().contains("panicked"), "{}", what());
        assert!(matches!(ended.code, Some(0 | 2)), "{}", what());
        let errors = ended.stderr().matches("dbgctl: cannot ").count();
        assert_eq!(errors, usize::from(ended.code == Some(2)), "{}", what());
        if matches!(fault, Fault::Delay(_) | Fault::Trickle) {
            assert_eq!(ended.code, Some(0), "it is slow, not broken: {}", what());
        }
        if ended.code == Some(0) {
            assert!(ended.stdout().contains("/target-program serve"), "an answer is whole: {}", what());
        }
        drop(proxy);
        (ended.code == Some(0), target.sidecars().len(), ended.took)
    });
    targets.iter().for_each(expect_nothing_left_after_the_next_command);
    let answered = outcomes.iter().filter(|(answered, ..)| *answered).count();
    let left: usize = outcomes.iter().map(|(_, left, _)| left).sum();
    say(&format!(
        "broken engine: {answered} of {count} answered all the same; {left} sidecars seen after the end"
    ));
    say_times("broken engine: until dbgctl has ended", outcomes.iter().map(|(.., took)| *took).collect());
}
