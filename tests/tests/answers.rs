//! The questions, asked of real containers.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use dbgctl_tests::{Target, dbgctl};

#[test]
fn ps_shows_the_processes_of_a_distroless_container_and_leaves_nothing_behind() {
    let target = Target::web();

    let ps = dbgctl(&["ps", &target.name]).expect(0);

    let stdout = ps.stdout();
    assert_eq!(stdout.matches("/target-program serve --workers 3").count(), 4, "{ps:?}");
    assert!(stdout.starts_with("PID"), "{ps:?}");
    target.expect_nothing_left();
}
