//! `write PATH KIB [--times N]`: writes that much to a file and has it stored, again and again.

use std::fs::File;
use std::io::Write as _;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use crate::Result;
use crate::arguments::Arguments;
use crate::process::sleep_forever;

/// Between two times: others use the disk, too.
const PAUSE: Duration = Duration::from_millis(20);

/// Writes N times, or for ever, a new file each time, and waits for the storage.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let path: String = arguments.required("PATH")?;
    let kib: usize = arguments.required("KIB")?;
    let times: Option<u64> = arguments.option("--times")?;
    let content = vec![7_u8; kib << 10];
    for written in 0_u64.. {
        if times == Some(written) {
            break;
        }
        let mut file = File::create(&path)?;
        file.write_all(&content)?;
        file.sync_all()?;
        if written == 0 && times.is_none() {
            println!("ready {kib}");
        }
        sleep(PAUSE);
    }
    println!("ready {kib}");
    sleep_forever()
}
