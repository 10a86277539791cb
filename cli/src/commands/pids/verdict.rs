//! How much room there is for more tasks, in plain sentences.

use std::cmp::Reverse;

use dbgctl_proto::v1::limit::Limit;

/// From so many percent on, a limit is worth a warning.
const NEAR_PERCENT: u64 = 80;
/// Below so many percent, only the nearest limit is worth a sentence.
const FAR_PERCENT: u64 = 50;
/// Limits that are told at most: there is one per user.
const MOST: usize = 5;

/// A limit, and what is used of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Room {
    /// What is counted, for example "tasks".
    pub(super) whose: String,
    pub(super) used: u64,
    pub(super) limit: Limit,
}

/// The limits, the nearest first. One that is far away is told only if there is no nearer one.
pub(super) fn verdicts(rooms: &[Room]) -> Vec<String> {
    let mut limited: Vec<_> = rooms.iter().filter_map(|room| Some((percent(room)?, room))).collect();
    limited.sort_by_key(|(percent, _)| Reverse(*percent));
    let told = limited.iter().enumerate().filter(|(nth, (percent, _))| *nth == 0 || *percent >= FAR_PERCENT);
    let mut sentences: Vec<_> =
        told.take(MOST).map(|(_, (percent, room))| sentence(*percent, room)).collect();
    let unlimited = rooms.iter().find(|room| matches!(room.limit, Limit::Unlimited(_)));
    if let Some(room) = unlimited {
        let is_near = limited.first().is_some_and(|(percent, _)| *percent >= FAR_PERCENT);
        let no_limit = format!("{} {}, no limit", room.used, room.whose);
        sentences.insert(if is_near { sentences.len() } else { 0 }, no_limit);
    }
    sentences
}

fn percent(room: &Room) -> Option<u64> {
    match room.limit {
        Limit::Unlimited(_) => None,
        // Nothing is allowed: whatever there is was there before.
        Limit::At(0) => Some(100),
        Limit::At(most) => u64::try_from(u128::from(room.used) * 100 / u128::from(most)).ok(),
    }
}

/// `248 of 256 tasks: 8 more threads and fork fails (EAGAIN)`.
fn sentence(percent: u64, room: &Room) -> String {
    let Room { whose, used, limit } = room;
    let Limit::At(most) = limit else { return format!("{used} {whose}, no limit") };
    let so_far = format!("{used} of {most} {whose}");
    match most.saturating_sub(*used) {
        0 => format!("{so_far}: fork fails (EAGAIN)"),
        1 if percent >= NEAR_PERCENT => format!("{so_far}: 1 more thread and fork fails (EAGAIN)"),
        more if percent >= NEAR_PERCENT => format!("{so_far}: {more} more threads and fork fails (EAGAIN)"),
        more => format!("{so_far} ({percent}%): room for {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(used: u64, limit: Limit) -> Room {
        Room { whose: "tasks".to_owned(), used, limit }
    }

    #[test]
    fn the_nearest_limit_comes_first_and_says_what_will_fail() {
        let machine =
            Room { whose: "tasks of the whole machine (pid_max)".to_owned(), ..room(300, Limit::At(500)) };
        let far = room(10, Limit::At(1000));
        let near = room(248, Limit::At(256));
        assert_eq!(
            verdicts(&[far.clone(), machine, near]),
            [
                "248 of 256 tasks: 8 more threads and fork fails (EAGAIN)",
                "300 of 500 tasks of the whole machine (pid_max) (60%): room for 200 more",
            ]
        );
        assert_eq!(verdicts(&[far]), ["10 of 1000 tasks (1%): room for 990 more"]);
    }

    #[test]
    fn at_the_limit_and_beyond_it_there_is_no_room() {
        assert_eq!(verdicts(&[room(256, Limit::At(256))]), ["256 of 256 tasks: fork fails (EAGAIN)"]);
        assert_eq!(verdicts(&[room(9, Limit::At(0))]), ["9 of 0 tasks: fork fails (EAGAIN)"]);
        assert_eq!(
            verdicts(&[room(9, Limit::At(10))]),
            ["9 of 10 tasks: 1 more thread and fork fails (EAGAIN)"]
        );
        assert_eq!(verdicts(&[room(u64::MAX, Limit::At(1))]), Vec::<String>::new(), "more than can be");
    }

    #[test]
    fn no_limit_is_said_and_is_not_a_large_number() {
        let unlimited = room(9, Limit::Unlimited(true));
        assert_eq!(verdicts(std::slice::from_ref(&unlimited)), ["9 tasks, no limit"]);
        let far = verdicts(&[room(1, Limit::At(100)), unlimited.clone()]);
        assert_eq!(far, ["9 tasks, no limit", "1 of 100 tasks (1%): room for 99 more"]);
        let near = verdicts(&[room(99, Limit::At(100)), unlimited]);
        assert_eq!(near, ["99 of 100 tasks: 1 more thread and fork fails (EAGAIN)", "9 tasks, no limit"]);
    }
}
