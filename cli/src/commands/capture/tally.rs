//! What came of a capture, in one line.

use std::path::PathBuf;

use dbgctl_proto::v1::{CaptureEnd, CaptureReason};

use crate::render::Object;

/// What came of it.
#[derive(Debug)]
pub(super) struct Tally {
    /// Shown or written.
    pub(super) packets: u64,
    /// As the agent tells it. `None`: it did not.
    pub(super) end: Option<CaptureEnd>,
    /// Where they are now.
    pub(super) file: Option<PathBuf>,
}

impl Tally {
    /// `250 packets, 3 dropped by the kernel, stopped by the packet limit: web.pcapng`.
    pub(super) fn sentence(&self) -> String {
        let mut sentence = match self.packets {
            1 => "1 packet".to_owned(),
            packets => format!("{packets} packets"),
        };
        match &self.end {
            Some(end) => {
                if end.dropped_by_kernel > 0 {
                    sentence.push_str(&format!(", {} dropped by the kernel", end.dropped_by_kernel));
                }
                let unaccounted = unaccounted(end, self.packets);
                if unaccounted > 0 {
                    sentence.push_str(&format!(", {unaccounted} lost on the way"));
                }
                sentence.push_str(match end.reason() {
                    CaptureReason::Limit => ", stopped by the packet limit",
                    CaptureReason::Duration => ", stopped by the time limit",
                    CaptureReason::InterfaceDown => ", ended because the interface went down",
                    CaptureReason::Stopped | CaptureReason::Unspecified => "",
                });
            }
            None => sentence.push_str("; how many were dropped is not known"),
        }
        if let Some(file) = &self.file {
            sentence.push_str(&format!(": {}", file.display()));
        }
        sentence
    }

    pub(super) fn fields(&self, object: &mut Object<'_>) {
        let file = self.file.as_ref().map(|file| file.to_string_lossy());
        object.object("summary", |object| {
            object.number("packets", self.packets);
            object.number("accepted", self.end.map(|end| end.accepted));
            object.number("dropped_by_kernel", self.end.map(|end| end.dropped_by_kernel));
            object.number("beyond_limit", self.end.map(|end| end.beyond_limit));
            object.text(
                "end",
                self.end.map(|end| match end.reason() {
                    CaptureReason::Stopped => "stopped",
                    CaptureReason::Limit => "limit",
                    CaptureReason::Duration => "duration",
                    CaptureReason::InterfaceDown => "interface-down",
                    CaptureReason::Unspecified => "unknown",
                }),
            );
            if let Some(file) = &file {
                object.text("file", file.as_ref());
            }
        });
    }
}

/// Packets that were accepted, and are neither here nor counted as dropped. There is no reason why there should be any.
fn unaccounted(end: &CaptureEnd, packets: u64) -> u64 {
    [packets, end.dropped_by_kernel, end.beyond_limit].into_iter().fold(end.accepted, u64::saturating_sub)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_tells_what_is_missing_and_why_it_ended() {
        let reason = CaptureReason::Limit.into();
        let end = CaptureEnd { accepted: 260, sent: 250, dropped_by_kernel: 3, beyond_limit: 7, reason };
        let tally = |packets, end| Tally { packets, end, file: None }.sentence();
        assert_eq!(
            tally(250, Some(end)),
            "250 packets, 3 dropped by the kernel, stopped by the packet limit"
        );
        assert_eq!(
            tally(248, Some(end)),
            "248 packets, 3 dropped by the kernel, 2 lost on the way, stopped by the packet limit"
        );
        assert_eq!(tally(1, None), "1 packet; how many were dropped is not known");
    }
}
