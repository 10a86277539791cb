//! What it costs to show many processes.

use std::time::Duration;

use dbgctl_proto::v1::list_processes_response::Part;
use dbgctl_proto::v1::{End, ListProcessesResponse, ProcessBatch, Summary};

use super::fake::{HEADER, args, process};
use super::list::History;
use crate::commands::stream::Listing;
use crate::render::{Format, Output, Talk};

/// Run with `cargo test --release -p dbgctl -- --ignored --nocapture ten_thousand`.
#[test]
#[expect(clippy::print_stdout, reason = "figures for whoever runs the measurement")]
#[ignore = "a measurement, to be made with optimisations"]
fn ten_thousand_processes_are_shown_within_forty_milliseconds() {
    use prost::Message as _;
    let batches: Vec<_> = (0..40u32)
        .map(|batch| {
            let pids = batch * 250 + 1..(batch + 1) * 250 + 1;
            let arguments: [&[u8]; 5] =
                [b"/usr/lib/jvm/bin/java", b"-Xmx512m", b"-jar", b"/srv/app.jar", b"--id"];
            let processes = pids.map(|pid| process(pid, pid / 2, &arguments)).collect();
            ListProcessesResponse { part: Some(Part::Batch(ProcessBatch { processes })) }.encode_to_vec()
        })
        .collect();
    for (name, format, words) in [
        ("table", Format::Table, &[][..]),
        ("table --sort rss", Format::Table, &["--sort", "rss"]),
        ("table --sort command", Format::Table, &["--sort", "command"]),
        ("table --tree", Format::Table, &["--tree"]),
        ("wide", Format::Wide, &[]),
        ("json", Format::Json, &[]),
        ("yaml", Format::Yaml, &[]),
    ] {
        let args = args(words).unwrap();
        let mut times: Vec<_> = (0..15)
            .map(|_| {
                let begun = std::time::Instant::now();
                let mut listing = Listing { header: Some(HEADER), ..Listing::default() };
                for batch in &batches {
                    let response = ListProcessesResponse::decode(batch.as_slice()).unwrap();
                    let Some(Part::Batch(batch)) = response.part else { panic!("not a batch") };
                    listing.rows.extend(batch.processes);
                }
                listing.closing.summary = Some(Summary { end: End::Complete.into(), ..Summary::default() });
                let mut output = Output::to(format, std::io::BufWriter::new(std::io::sink()));
                args.show(listing, &mut History::default(), &mut output, &mut Talk::to(std::io::sink()))
                    .unwrap();
                begun.elapsed()
            })
            .collect();
        times.sort();
        println!("{name}: median {:?}, worst {:?}", times[7], times[14]);
        assert!(format == Format::Yaml || times[7] < Duration::from_millis(40), "{name}: {:?}", times[7]);
    }
}
