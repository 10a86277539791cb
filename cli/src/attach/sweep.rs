//! What earlier runs left behind, because they were killed at a bad moment.

use super::facts::{Status, Summary};
use super::owner::{Liveness, Owner};
use super::spec::{Kind, label};

/// Whether a sidecar serves no one any more and may be removed. Never true while its owner lives.
pub(crate) fn is_leftover(sidecar: &Summary, me: &Owner, now_unix: u64) -> bool {
    let liveness = match sidecar.label(label::OWNER).parse::<Owner>() {
        Ok(owner) => me.liveness_of(&owner),
        Err(_) => Liveness::OutOfSight,
    };
    let expired = sidecar.label(label::EXPIRES).parse::<u64>().is_ok_and(|expires| expires < now_unix);
    let may_outlive_its_owner =
        sidecar.label(label::KIND) == Kind::Session.name() && sidecar.status.has_processes();
    match liveness {
        Liveness::Alive => false,
        _ if sidecar.status == Status::Removing => false,
        // Never started, or ended: AutoRemove does nothing for a container that was never started.
        Liveness::Dead => expired || !may_outlive_its_owner,
        Liveness::OutOfSight => expired,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sidecar(owner: &str, kind: Kind, status: Status, expires: u64) -> Summary {
        let labels = [
            (label::OWNER, owner.to_owned()),
            (label::KIND, kind.name().to_owned()),
            (label::EXPIRES, expires.to_string()),
        ];
        let labels = labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Summary { labels, status, ..Summary::default() }
    }

    /// An owner that died on this machine.
    fn dead() -> String {
        let text = Owner::myself().to_string();
        let (place, _) = text.rsplit_once('/').unwrap();
        format!("{place}/1")
    }

    #[test]
    fn what_a_dead_owner_never_started_goes_at_once() {
        let me = Owner::myself();
        for kind in [Kind::Question, Kind::Session] {
            assert!(is_leftover(&sidecar(&dead(), kind, Status::Created, 200), &me, 100), "{kind:?}");
        }
    }

    #[test]
    fn a_session_outlives_the_process_that_started_it_until_it_expires() {
        let me = Owner::myself();
        assert!(!is_leftover(&sidecar(&dead(), Kind::Session, Status::Running, 200), &me, 100));
        assert!(is_leftover(&sidecar(&dead(), Kind::Session, Status::Running, 200), &me, 201));
    }

    #[test]
    fn what_a_live_owner_made_is_never_touched() {
        let me = Owner::myself();
        for status in [Status::Created, Status::Running, Status::Exited] {
            assert!(!is_leftover(&sidecar(&me.to_string(), Kind::Question, status, 0), &me, 100));
        }
    }

    #[test]
    fn what_belongs_to_another_machine_goes_when_it_expires() {
        let me = Owner::myself();
        let elsewhere = "elsewhere/boot/1/1/1";
        assert!(!is_leftover(&sidecar(elsewhere, Kind::Question, Status::Created, 200), &me, 100));
        assert!(is_leftover(&sidecar(elsewhere, Kind::Question, Status::Created, 200), &me, 300));
    }
}
