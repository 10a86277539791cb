//! What processes can be sorted and filtered by.

use std::borrow::Cow;

use super::row::{ProcessRow, origin};

/// A property of a process that has an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Field {
    Pid,
    ParentPid,
    Tid,
    User,
    Uid,
    State,
    Cpu,
    CpuTime,
    Rss,
    Virtual,
    Swap,
    Threads,
    Nice,
    Start,
    Elapsed,
    WaitChannel,
    Origin,
    Command,
}

/// How values of a field are written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Kind {
    Number,
    /// Bytes: `100M`.
    Size,
    /// A share of one CPU: `5` or `2.5`.
    Percent,
    /// A duration: `10m`.
    Span,
    Text,
    /// One of a few words.
    State,
    /// Only to be sorted by.
    Moment,
}

impl Field {
    /// Name on the command line, other names, the field, and how its values are written.
    const ALL: [(&'static str, &'static [&'static str], Self, Kind); 18] = [
        ("pid", &[], Self::Pid, Kind::Number),
        ("ppid", &["parent_pid", "parent"], Self::ParentPid, Kind::Number),
        ("tid", &[], Self::Tid, Kind::Number),
        ("user", &[], Self::User, Kind::Text),
        ("uid", &[], Self::Uid, Kind::Number),
        ("state", &["stat"], Self::State, Kind::State),
        ("cpu", &["cpu%", "%cpu", "pcpu", "cpu_percent"], Self::Cpu, Kind::Percent),
        ("time", &["time+", "cputime", "cpu_time"], Self::CpuTime, Kind::Span),
        ("rss", &["resident", "resident_bytes"], Self::Rss, Kind::Size),
        ("virt", &["virtual", "vsz", "virtual_bytes"], Self::Virtual, Kind::Size),
        ("swap", &["swap_bytes"], Self::Swap, Kind::Size),
        ("threads", &["thr", "nlwp"], Self::Threads, Kind::Number),
        ("nice", &["ni"], Self::Nice, Kind::Number),
        ("start", &["started"], Self::Start, Kind::Moment),
        ("elapsed", &["etime", "age"], Self::Elapsed, Kind::Span),
        ("wait", &["wchan", "wait-channel", "wait_channel"], Self::WaitChannel, Kind::Text),
        ("origin", &[], Self::Origin, Kind::Text),
        ("command", &["cmd", "args", "arguments"], Self::Command, Kind::Text),
    ];

    /// The field of that name; or what to tell the user, with the nearest name if one is near.
    pub(in crate::commands) fn named(name: &str) -> Result<Self, String> {
        let lower = name.to_ascii_lowercase();
        let found = Self::ALL.iter().find(|(known, others, ..)| *known == lower || others.contains(&&*lower));
        if let Some((_, _, field, _)) = found {
            return Ok(*field);
        }
        let names = Self::ALL.map(|(known, ..)| known);
        let nearest = names
            .into_iter()
            .map(|known| (strsim::jaro_winkler(known, &lower), known))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|(one, _), (other, _)| one.total_cmp(other));
        Err(match nearest {
            Some((_, known)) => format!("`{name}` is not a field; did you mean `{known}`?"),
            None => format!("`{name}` is not a field; there are {}", names.join(", ")),
        })
    }

    fn declared(self) -> (&'static str, Kind) {
        let declared = Self::ALL.iter().find(|(_, _, field, _)| *field == self);
        declared.map_or(("", Kind::Text), |(name, _, _, kind)| (name, *kind))
    }

    /// The name on the command line.
    pub(in crate::commands) fn name(self) -> &'static str {
        self.declared().0
    }

    /// How values are written.
    pub(in crate::commands) fn kind(self) -> Kind {
        self.declared().1
    }

    /// True if the agent reads it only when details are asked for.
    pub(in crate::commands) fn is_detail(self) -> bool {
        matches!(self, Self::Swap | Self::WaitChannel)
    }

    /// What the field is for that process.
    pub(in crate::commands) fn value(self, row: &ProcessRow) -> Value<'_> {
        let process = &row.process;
        match self {
            Self::Pid => Value::Number(process.pid.into()),
            Self::ParentPid => Value::Number(process.parent_pid.into()),
            Self::Tid => process.tid.into(),
            Self::User => Value::Text(match &process.user {
                Some(name) if !name.is_empty() => Cow::Borrowed(name),
                _ => Cow::Owned(process.uid.to_string().into_bytes()),
            }),
            Self::Uid => Value::Number(process.uid.into()),
            Self::State => Value::word(row.state.word()),
            Self::Cpu => {
                row.cpu_percent.map_or(Value::Absent, |percent| Value::Number(milli_percent(percent)))
            }
            Self::CpuTime => Value::Number(ProcessRow::cpu_nanos(process).into()),
            Self::Rss => Value::Number(process.resident_bytes.into()),
            Self::Virtual => Value::Number(process.virtual_bytes.into()),
            Self::Swap => row.details().and_then(|details| details.swap_bytes).into(),
            Self::Threads => Value::Number(process.threads.into()),
            Self::Nice => Value::Number(process.nice.into()),
            Self::Start => Value::Number(process.started_boottime_nanos.into()),
            Self::Elapsed => row.elapsed.and_then(|elapsed| u64::try_from(elapsed.as_nanos()).ok()).into(),
            Self::WaitChannel => match row.details().and_then(|details| details.wait_channel.as_deref()) {
                Some(name) => Value::Text(Cow::Borrowed(name.as_bytes())),
                None => Value::Absent,
            },
            Self::Origin => Value::word(origin(process.origin)),
            Self::Command => Value::Text(match process.arguments.as_slice() {
                [] => Cow::Borrowed(&process.command),
                [only] => Cow::Borrowed(only),
                several => Cow::Owned(several.join(&b' ')),
            }),
        }
    }
}

/// What is compared: by number, or by bytes. Absent comes before all else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::commands) enum Value<'a> {
    Absent,
    Number(i128),
    Text(Cow<'a, [u8]>),
}

impl Value<'_> {
    fn word(word: Cow<'static, str>) -> Self {
        Self::Text(match word {
            Cow::Borrowed(word) => Cow::Borrowed(word.as_bytes()),
            Cow::Owned(word) => Cow::Owned(word.into_bytes()),
        })
    }

    /// The same without a borrow.
    pub(in crate::commands) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Absent => Value::Absent,
            Self::Number(number) => Value::Number(number),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
        }
    }
}

impl<T: Into<i128>> From<Option<T>> for Value<'_> {
    fn from(number: Option<T>) -> Self {
        number.map_or(Self::Absent, |number| Self::Number(number.into()))
    }
}

/// A percentage as a whole number, so that it has a total order.
#[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates, which keeps the order")]
pub(in crate::commands) fn milli_percent(percent: f64) -> i128 {
    (percent * 1000.0).round() as i128
}
