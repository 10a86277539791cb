//! Ways to a file and walks below a directory, on trees that want to lead them astray.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers, too")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use dbgctl_linux::file::FileKind;
use dbgctl_linux::route::{self, End};
use dbgctl_linux::walk::{Crossing, DEEPEST, NotEntered, Step, Walk};
use dbgctl_linux::{LastLink, Pid, Root};

const INIT: Pid = Pid(1);

struct Target {
    dir: tempfile::TempDir,
    root: Root,
}

impl Target {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("proc/1/root")).unwrap();
        let root = Root::recorded(dir.path()).unwrap();
        Self { dir, root }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join("proc/1/root").join(path)
    }

    fn make(&self, path: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), path).unwrap();
    }

    /// The paths of all steps, and how the way ended.
    fn way(&self, path: &str) -> (Vec<String>, End) {
        let root = self.root.target(INIT).unwrap();
        let (steps, end) = route::follow(&root, Path::new(path), LastLink::Follow, |_| ()).unwrap();
        (steps.into_iter().map(|step| String::from_utf8(step.path).unwrap()).collect(), end)
    }

    fn walk(&self, path: &str) -> Walk<'_> {
        let start = self.root.target(INIT).unwrap().find(Path::new(path), LastLink::Follow).unwrap();
        Walk::new(start, path.as_bytes(), Crossing::Volumes, None, Box::new(|_| Ok(())))
    }
}

fn paths(mut walk: Walk<'_>) -> Vec<String> {
    let mut met = Vec::new();
    while let Some(step) = walk.step() {
        match step {
            Step::Met(_) => met.push(String::from_utf8(walk.path().to_vec()).unwrap()),
            Step::Left => {}
            other => panic!("{other:?}"),
        }
    }
    met.sort();
    met
}

#[test]
fn a_way_names_each_component_and_each_link() {
    let target = Target::new();
    target.make("data/current/app.conf");
    symlink("/data/current", target.path("app")).unwrap();
    symlink("../../app/app.conf", target.path("data/current/link")).unwrap();

    let (steps, end) = target.way("/app/link");

    assert!(matches!(end, End::Found), "{end:?}");
    let expected = [
        "/",
        "/app",
        "/data",
        "/data/current",
        "/data/current/link",
        "/app",
        "/data",
        "/data/current",
        "/data/current/app.conf",
    ];
    assert_eq!(steps, expected);
}

#[test]
fn a_way_through_parents_stays_within_the_root() {
    let target = Target::new();
    target.make("a/b");
    symlink("../../../../..", target.path("a/up")).unwrap();
    assert_eq!(target.way("/../../a/up/a/../a/b").0.last().unwrap(), "/a/b");
    assert_eq!(target.way("/a/up").0.last().unwrap(), "/");
    assert_eq!(target.way("/a/..").0.last().unwrap(), "/");
}

#[test]
fn a_way_ends_where_it_can_not_go_on() {
    let target = Target::new();
    target.make("file");
    symlink("b", target.path("a")).unwrap();
    symlink("a", target.path("b")).unwrap();
    assert!(matches!(target.way("/no/such").1, End::Missing(path) if path == b"/no"));
    assert!(matches!(target.way("/file/x").1, End::NotADirectory));
    assert!(matches!(target.way("/a").1, End::Loop));
    assert!(matches!(target.way(&"/..".repeat(9000)).1, End::Found));
}

#[test]
fn a_walk_meets_everything_once_and_follows_no_link() {
    let target = Target::new();
    for path in ["d/x", "d/e/y", "d/e/f/z", "outside"] {
        target.make(path);
    }
    symlink("..", target.path("d/e/loop")).unwrap();
    symlink("/", target.path("d/root")).unwrap();
    let expected = ["/d/e", "/d/e/f", "/d/e/f/z", "/d/e/loop", "/d/e/y", "/d/root", "/d/x"];
    assert_eq!(paths(target.walk("/d")), expected);
}

#[test]
fn each_directory_is_left_or_said_not_to_be_entered() {
    let target = Target::new();
    for path in ["d/x", "d/e/y", "d/e/f/z"] {
        target.make(path);
    }
    let start = target.root.target(INIT).unwrap().find(Path::new("/d"), LastLink::Follow).unwrap();
    let mut walk = Walk::new(start, b"/d", Crossing::None, Some(2), Box::new(|_| Ok(())));
    let (mut met, mut left, mut unwanted) = (0, 0, 0);
    while let Some(step) = walk.step() {
        match step {
            Step::Met(entry) => met += usize::from(entry.status.kind == FileKind::Directory),
            Step::Left => left += 1,
            Step::NotEntered(NotEntered::Unwanted) => unwanted += 1,
            other => panic!("{other:?}"),
        }
    }
    // The start is left, too, and was not met.
    assert_eq!((met, left, unwanted), (2, 2, 1));
}

#[test]
fn a_directory_that_may_not_be_listed_is_a_failed_entry_and_the_walk_goes_on() {
    let target = Target::new();
    target.make("d/closed/x");
    target.make("d/y");
    fs::set_permissions(target.path("d/closed"), fs::Permissions::from_mode(0o000)).unwrap();
    let mut walk = target.walk("/d");
    let (mut names, mut failed) = (Vec::new(), 0);
    while let Some(step) = walk.step() {
        match step {
            Step::Met(entry) => names.push(entry.name),
            Step::NotEntered(NotEntered::Failed(error)) if error.is_denied() => failed += 1,
            _ => {}
        }
    }
    // Root may list it all the same.
    assert!(names.contains(&c"y".to_owned()) && (failed == 1 || names.len() == 3), "{names:?}");
}

#[test]
fn a_tree_deeper_than_descriptors_reach_is_cut_and_said_to_be() {
    let target = Target::new();
    let mut deep = target.path("d");
    for _ in 0..DEEPEST + 5 {
        deep.push("x");
    }
    fs::create_dir_all(&deep).unwrap();
    let mut walk = target.walk("/d");
    let (mut deepest, mut too_deep) = (0, 0);
    while let Some(step) = walk.step() {
        match step {
            Step::Met(entry) => deepest = deepest.max(entry.depth),
            Step::NotEntered(NotEntered::TooDeep) => too_deep += 1,
            _ => {}
        }
    }
    assert_eq!((deepest, too_deep), (DEEPEST, 1));
}

#[test]
fn kernel_file_systems_are_not_entered_on_the_way_but_may_be_the_start() {
    let root = Root::live().unwrap();
    let own = Pid(std::process::id());
    let top = root.target(own).unwrap();
    let at = |path: &str| top.find(Path::new(path), LastLink::Follow).unwrap();
    let mut walk = Walk::new(at("/"), b"/", Crossing::Volumes, Some(2), Box::new(|_| Ok(())));
    while let Some(step) = walk.step() {
        if let Step::Met(_) = step {
            assert!(!walk.path().starts_with(b"/proc/"), "{:?}", String::from_utf8_lossy(walk.path()));
        }
    }
    let mut walk = Walk::new(
        at("/proc/self/task"),
        b"/proc/self/task",
        Crossing::Volumes,
        Some(1),
        Box::new(|_| Ok(())),
    );
    assert!(matches!(walk.step(), Some(Step::Met(_))));
}
