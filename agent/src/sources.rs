//! Where facts come from: the live system or a recording.

use std::path::Path;

use dbgctl_linux::cgroupfs::Cgroup;
use dbgctl_linux::scene::{self, Scene};
use dbgctl_linux::target::{self, ContainerId};
use dbgctl_linux::{Buffer, Moment, Pid, ReadError, Root, Units};

use crate::error::ProbeError;
use crate::patience::Held;

/// Everything that probes look at. Shared by all of them.
#[derive(Debug)]
pub struct Sources {
    root: Root,
    target: ContainerId,
    units: Units,
    clock: Clock,
    held: Held,
}

#[derive(Debug)]
enum Clock {
    Live,
    Stopped(Moment),
}

impl Sources {
    /// The running system, looked at for the container `target`.
    ///
    /// # Errors
    ///
    /// Where no `/proc` is mounted.
    pub fn live(target: ContainerId) -> Result<Self, ReadError> {
        Ok(Self {
            root: Root::live()?,
            target,
            units: Units::live(),
            clock: Clock::Live,
            held: Held::default(),
        })
    }

    /// The recorded tree in `dir`, with its `scene` and its `proc/`. Its clock stands still.
    ///
    /// # Errors
    ///
    /// If one of the two is missing, or the scene is incomplete.
    pub fn recorded(dir: &Path) -> Result<Self, ReadError> {
        let root = Root::recorded(dir)?;
        let Scene { target, moment, units } = scene::read(&root)?;
        Ok(Self { root, target, units, clock: Clock::Stopped(moment), held: Held::default() })
    }

    /// The directory that kernel files are read from.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The container that is looked at.
    pub fn target(&self) -> &ContainerId {
        &self.target
    }

    /// How many threads file systems hold that do not answer.
    pub(crate) fn held(&self) -> &Held {
        &self.held
    }

    /// What a clock tick and a page are worth.
    pub fn units(&self) -> Units {
        self.units
    }

    /// The time.
    pub fn now(&self) -> Moment {
        match self.clock {
            Clock::Live => Moment::now(),
            Clock::Stopped(moment) => moment,
        }
    }

    /// The target's init, not always pid 1. See [`target::init`] for what it costs.
    ///
    /// # Errors
    ///
    /// [`ProbeError::TargetGone`] if no process of the target is to be seen.
    pub fn target_init(&self) -> Result<Pid, ProbeError> {
        target::init(&self.root, &self.target)?.ok_or(ProbeError::TargetGone)
    }

    /// The target's control group, as its process `init` sees it.
    ///
    /// # Errors
    ///
    /// As [`Cgroup::find`] has it.
    pub fn target_cgroup(&self, init: Pid, buffer: &mut Buffer) -> Result<Cgroup<'_>, ReadError> {
        Cgroup::find(&self.root, init, &self.target, buffer)
    }
}
