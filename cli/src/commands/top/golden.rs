//! What the screen looks like: `tests/golden/top/<name>.txt`. `cargo xtask bless` accepts what has changed.

use std::path::Path;
use std::{env, fs};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::tests::{pressed, state};
use super::view::{Now, Theme, draw, page};
use super::*;

pub(super) fn now() -> Now {
    Now { clock: "12:34:56".to_owned(), overdue_seconds: None }
}

/// The screen of that size.
pub(super) fn screen(state: &mut State, now: &Now, (width, height): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let drawn = terminal.draw(|frame| {
        state.fit(page(frame.area()));
        draw(state, now, Theme { colour: true }, frame);
    });
    drawn.unwrap().buffer.clone()
}

/// Its text, without the spaces at the end of lines.
pub(super) fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let lines = buffer.content.chunks(width).map(|cells| {
        let line: String = cells.iter().map(|cell| cell.symbol()).collect();
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "golden files are no files of a target")]
fn golden_screens_of_all_sizes_and_modes_look_as_before() {
    let bless = env::var_os("DBGCTL_BLESS").is_some();
    let mut changed = Vec::new();
    let screens = [
        ("80x24", "", (80, 24)),
        ("40x10", "", (40, 10)),
        ("200x60", "", (200, 60)),
        ("39x10-too-small", "", (39, 10)),
        ("80x24-help", "h", (80, 24)),
        ("40x10-help", "h", (40, 10)),
        ("80x24-tree", "t", (80, 24)),
        ("80x24-sort-menu", "<", (80, 24)),
        ("80x24-users", "u", (80, 24)),
        ("80x24-filter", "\\worker", (80, 24)),
        ("80x24-search", "/nothing like this", (80, 24)),
        ("80x24-names-paused-by-pid", "cpN", (80, 24)),
    ];
    for (name, keys, size) in screens {
        let mut state = pressed(state(), keys);
        let seen = text(&screen(&mut state, &now(), size));
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/top");
        let golden = golden.join(name).with_extension("txt");
        if bless {
            fs::create_dir_all(golden.parent().unwrap()).unwrap();
            fs::write(&golden, &seen).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != seen {
            changed.push(format!("{name} is\n{seen}"));
        }
    }
    assert!(changed.is_empty(), "run `cargo xtask bless` and read its diff:\n{}", changed.join("\n"));
}
