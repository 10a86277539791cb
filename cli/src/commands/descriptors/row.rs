//! One open file as it is shown.

use std::borrow::Cow;
use std::time::Duration;

use dbgctl_proto::v1::{Descriptor, DescriptorAccess, DescriptorDetails, DescriptorDevice, DescriptorTimer};

use super::kind;
use crate::render::{Cell, Column, Emphasis, Object, Row, human};

/// A descriptor with the name of its process.
pub(super) struct DescriptorRow {
    pub(super) command: Vec<u8>,
    pub(super) descriptor: Descriptor,
}

impl Row for DescriptorRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::number("PID", |row| Some(row.descriptor.pid.into())),
        Column::written("COMMAND", |row, cell| cell.raw(&row.command)),
        Column::number("FD", |row| Some(row.descriptor.number.into())),
        Column::text("TYPE", |row| kind::word(row.descriptor.kind)),
        Column::maybe("ACCESS", |row: &Self| Some(Cow::Borrowed(access(row.details()?)?.0))).wide_only(),
        Column::written("FLAGS", |row: &Self, cell| {
            row.details().into_iter().for_each(|details| cell.text(flags(details)));
        })
        .wide_only(),
        Column::number("OFFSET", |row: &Self| i64::try_from(row.details()?.offset_bytes?).ok()).wide_only(),
        Column::bytes("SIZE", |row: &Self| row.descriptor.size_bytes).if_any(),
        Column::number("INODE", |row: &Self| i64::try_from(row.descriptor.inode?).ok()).wide_only(),
        Column::maybe("DEVICE", |row: &Self| row.descriptor.device.as_ref().map(device)).wide_only(),
        Column::number("MOUNT", |row: &Self| i64::try_from(row.details()?.mount_id?).ok()).wide_only(),
        Column::written("MORE", |row: &Self, cell| {
            row.details().into_iter().for_each(|details| cell.text(more(details).join(", ")));
        })
        .wide_only()
        .if_any(),
        Column::written("NAME", DescriptorRow::write_name),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        let descriptor = &self.descriptor;
        object.number("pid", u64::from(descriptor.pid));
        object.raw("command", self.command.as_slice());
        object.number("number", u64::from(descriptor.number));
        object.text("kind", &*kind::name(descriptor.kind));
        object.raw("name", descriptor.name.as_deref());
        object.flag("deleted", descriptor.deleted);
        object.number("size_bytes", descriptor.size_bytes);
        object.number("allocated_bytes", descriptor.allocated_bytes);
        object.number("inode", descriptor.inode);
        device_fields("device", descriptor.device.as_ref(), object);
        match &descriptor.socket {
            Some(socket) => object.object("socket", |object| {
                object.text("protocol", socket.protocol.as_str());
                object.raw("local", socket.local.as_slice());
                object.text("remote", socket.remote.as_str());
                object.text("state", socket.state.as_str());
            }),
            None => object.null("socket"),
        }
        match self.details() {
            Some(details) => object.object("details", |object| details_fields(details, object)),
            None => object.null("details"),
        }
    }

    fn emphasis(&self) -> Emphasis {
        if self.descriptor.deleted { Emphasis::Notable } else { Emphasis::None }
    }
}

impl DescriptorRow {
    fn details(&self) -> Option<&DescriptorDetails> {
        self.descriptor.details.as_deref()
    }

    fn write_name(&self, cell: &mut Cell<'_>) {
        let descriptor = &self.descriptor;
        let Some(socket) = &descriptor.socket else {
            match &descriptor.name {
                Some(name) => cell.raw(name),
                None => cell.show("(longer than a path may be)"),
            }
            if descriptor.deleted {
                cell.show(" (deleted)");
            }
            return;
        };
        cell.text(&socket.protocol);
        if socket.local.is_empty() {
            cell.show(" ");
            cell.raw(descriptor.name.as_deref().unwrap_or_default());
        } else {
            cell.show(" ");
            cell.raw(&socket.local);
        }
        if !socket.remote.is_empty() {
            cell.show(" -> ");
            cell.text(&socket.remote);
        }
        if !socket.state.is_empty() {
            cell.show(" ");
            cell.text(&socket.state);
        }
    }
}

/// The access as a table has it, and as the contract names it.
fn access(details: &DescriptorDetails) -> Option<(&'static str, &'static str)> {
    match DescriptorAccess::try_from(details.access).ok()? {
        DescriptorAccess::Unspecified => None,
        DescriptorAccess::Read => Some(("r", "read")),
        DescriptorAccess::Write => Some(("w", "write")),
        DescriptorAccess::ReadWrite => Some(("rw", "read_write")),
        DescriptorAccess::Path => Some(("path", "path")),
    }
}

/// `append,nonblock`
fn flags(details: &DescriptorDetails) -> String {
    let names = details.flags.iter().map(|flag| flag.strip_prefix("O_").unwrap_or(flag).to_lowercase());
    names.collect::<Vec<_>>().join(",")
}

fn device(device: &DescriptorDevice) -> Cow<'static, str> {
    Cow::Owned(format!("{}:{}", device.major, device.minor))
}

fn device_fields(name: &str, device: Option<&DescriptorDevice>, object: &mut Object<'_>) {
    match device {
        Some(device) => object.object(name, |object| {
            object.number("major", u64::from(device.major));
            object.number("minor", u64::from(device.minor));
        }),
        None => object.null(name),
    }
}

/// What is special of this kind.
fn more(details: &DescriptorDetails) -> Vec<String> {
    let mut more = Vec::new();
    let mut say = |text: Option<String>| more.extend(text);
    say(details.special.as_ref().map(|special| format!("device {}:{}", special.major, special.minor)));
    say(details.eventfd_count.map(|count| format!("count {count}")));
    say(details.epoll_watched.map(|count| format!("watches {count}")));
    say(details.watches.map(|count| format!("{count} watches")));
    say(details.signal_mask.map(|mask| format!("signals {}", signals(mask))));
    say(details.watched_pid.map(|pid| match pid {
        ..0 => "of a process that has ended".to_owned(),
        0 => "of a process outside".to_owned(),
        pid => format!("of process {pid}"),
    }));
    say(details.timer.as_ref().map(timer));
    say(Some(details.locks.len())
        .filter(|&count| count > 0)
        .map(|_| format!("lock {}", details.locks.join("; "))));
    more
}

fn timer(timer: &DescriptorTimer) -> String {
    let took = |nanos| human::Took(Duration::from_nanos(nanos));
    let mut text = match timer.remaining_nanos {
        0 => "not armed".to_owned(),
        nanos => format!("fires in {}", took(nanos)),
    };
    if timer.interval_nanos > 0 {
        text.push_str(&format!(" every {}", took(timer.interval_nanos)));
    }
    if timer.expirations > 0 {
        text.push_str(&format!(", fired {} times unread", timer.expirations));
    }
    text
}

/// `1,15`: bit 0 is signal 1.
fn signals(mask: u64) -> String {
    let numbers = (0..64).filter(|bit| mask >> bit & 1 == 1).map(|bit| (bit + 1).to_string());
    numbers.collect::<Vec<_>>().join(",")
}

fn details_fields(details: &DescriptorDetails, object: &mut Object<'_>) {
    object.text("access", access(details).map_or("unspecified", |(_, name)| name));
    object.raws("flags", details.flags.iter().map(|flag| flag.as_bytes()));
    object.number("offset_bytes", details.offset_bytes);
    object.number("mount_id", details.mount_id);
    device_fields("special", details.special.as_ref(), object);
    object.number("links", details.links);
    object.number("eventfd_count", details.eventfd_count);
    object.number("epoll_watched", details.epoll_watched);
    object.number("watches", details.watches);
    object.number("signal_mask", details.signal_mask);
    object.signed("watched_pid", details.watched_pid.map(i64::from));
    match &details.timer {
        Some(timer) => object.object("timer", |object| {
            object.number("clock", u64::from(timer.clock));
            object.number("remaining_nanos", timer.remaining_nanos);
            object.number("interval_nanos", timer.interval_nanos);
            object.number("expirations", timer.expirations);
        }),
        None => object.null("timer"),
    }
    object.raws("locks", details.locks.iter().map(|lock| lock.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_special_is_said_in_words() {
        let details = DescriptorDetails {
            signal_mask: Some(0x4001),
            watched_pid: Some(-1),
            timer: Some(DescriptorTimer { remaining_nanos: 1_500_000_000, ..DescriptorTimer::default() }),
            ..DescriptorDetails::default()
        };
        assert_eq!(more(&details), ["signals 1,15", "of a process that has ended", "fires in 1.50 s"]);
    }
}
