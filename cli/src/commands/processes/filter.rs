//! Which rows of a list are wanted.

use std::borrow::Cow;
use std::str::FromStr;

use super::field::{Field, Kind, Value, milli_percent};
use super::row::{ProcessRow, State};

/// One comparison, for example `rss>100M`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(super) field: Field,
    operator: Operator,
    operand: Value<'static>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Contains,
    ContainsNot,
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Operator {
    /// The longer ones first, so that `>=` is not taken for `>`.
    const ALL: [(&'static str, Self); 9] = [
        ("==", Self::Equal),
        ("!=", Self::Unequal),
        ("!~", Self::ContainsNot),
        (">=", Self::AtLeast),
        ("<=", Self::AtMost),
        ("=", Self::Equal),
        ("~", Self::Contains),
        (">", Self::Above),
        ("<", Self::Below),
    ];

    fn wants_order(self) -> bool {
        matches!(self, Self::Above | Self::AtLeast | Self::Below | Self::AtMost)
    }

    fn wants_text(self) -> bool {
        matches!(self, Self::Contains | Self::ContainsNot)
    }
}

impl Filter {
    /// Whether that row is wanted. What is absent compares with nothing.
    pub(super) fn accepts(&self, row: &ProcessRow) -> bool {
        // A user may be named by number although the target has a name for it.
        if self.field == Field::User && self.is_uid_of(row) {
            return self.operator == Operator::Equal;
        }
        let value = self.field.value(row);
        if value == Value::Absent {
            return false;
        }
        match self.operator {
            Operator::Equal => value == self.operand,
            Operator::Unequal => value != self.operand,
            Operator::Contains => self.contained_in(&value),
            Operator::ContainsNot => !self.contained_in(&value),
            Operator::Above => value > self.operand,
            Operator::AtLeast => value >= self.operand,
            Operator::Below => value < self.operand,
            Operator::AtMost => value <= self.operand,
        }
    }

    fn is_uid_of(&self, row: &ProcessRow) -> bool {
        let equality = matches!(self.operator, Operator::Equal | Operator::Unequal);
        let Value::Text(text) = &self.operand else { return false };
        equality && **text == *row.process.uid.to_string().as_bytes()
    }

    fn contained_in(&self, value: &Value<'_>) -> bool {
        match (value, &self.operand) {
            (Value::Text(text), Value::Text(part)) => {
                part.is_empty() || text.windows(part.len()).any(|window| window == &**part)
            }
            _ => false,
        }
    }
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(at) = text.find(['=', '!', '~', '<', '>']) else {
            return Err(format!(
                "`{text}` compares nothing; write for example command~{text} or state=zombie"
            ));
        };
        let (name, rest) = text.split_at(at);
        if name.trim().is_empty() {
            return Err(format!("there is no field before `{rest}`"));
        }
        let field = Field::named(name.trim())?;
        let Some((sign, operator)) = Operator::ALL.into_iter().find(|(sign, _)| rest.starts_with(sign))
        else {
            return Err(format!("`{rest}` does not begin with one of = != ~ !~ > >= < <="));
        };
        let value = rest[sign.len()..].trim();
        let is_text = matches!(field.kind(), Kind::Text | Kind::State);
        if is_text && operator.wants_order() {
            return Err(format!("`{sign}` is for figures; for `{}` use = != ~ or !~", field.name()));
        }
        if !is_text && operator.wants_text() {
            return Err(format!("`{sign}` is for text; for `{}` use = != > >= < or <=", field.name()));
        }
        if value.is_empty() {
            return Err(format!("there is no value after `{}{sign}`", name.trim()));
        }
        Ok(Self { field, operator, operand: operand(field, operator, value)? })
    }
}

fn operand(field: Field, operator: Operator, value: &str) -> Result<Value<'static>, String> {
    let expected = |what: &str| format!("for `{}`, expected {what}, found `{value}`", field.name());
    let text = |text: &str| Value::Text(Cow::Owned(text.as_bytes().to_vec()));
    Ok(match field.kind() {
        Kind::Number => {
            Value::Number(value.parse::<i64>().map_err(|_| expected("a whole number such as 42"))?.into())
        }
        Kind::Size => Value::Number(size(value).ok_or_else(|| expected("a size such as 100M or 1.5GiB"))?),
        Kind::Percent => Value::Number(
            decimal(value.trim_end_matches('%'))
                .map(milli_percent)
                .ok_or_else(|| expected("a percentage such as 5 or 2.5"))?,
        ),
        Kind::Span => Value::Number(
            humantime::parse_duration(value)
                .ok()
                .and_then(|span| i128::try_from(span.as_nanos()).ok())
                .ok_or_else(|| expected("a time such as 90s, 10m or 2days"))?,
        ),
        Kind::State if operator.wants_text() => text(value),
        Kind::State => text(state(value).ok_or_else(|| {
            let words = State::KNOWN.map(|(word, _)| word);
            expected(&format!("one of {}", words.join(", ")))
        })?),
        Kind::Text => text(value),
        Kind::Moment => {
            return Err("`start` is for sorting; to filter, use for example elapsed<10m".to_owned());
        }
    })
}

/// The state of that name or letter. Letters are as in proc_pid_stat(5), where case matters.
fn state(name: &str) -> Option<&'static str> {
    let by_name = name.to_ascii_lowercase().replace(['_', ' '], "-");
    State::KNOWN
        .into_iter()
        .find(|(word, letter)| *word == by_name || name.chars().eq([*letter]))
        .map(|(word, _)| word)
}

/// A number of bytes; units are binary, with or without `i` and `B`.
pub(in crate::commands) fn size(text: &str) -> Option<i128> {
    let end =
        text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let power = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return None,
    };
    let factor = 1u64 << (10 * power);
    if let Ok(whole) = number.parse::<u64>() {
        return Some(i128::from(whole) * i128::from(factor));
    }
    #[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
    decimal(number).map(|number| (number * factor as f64) as i128)
}

/// A number that is not negative, without exponent, sign or words such as `inf`.
fn decimal(text: &str) -> Option<f64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use dbgctl_proto::v1::{Process, ProcessState};
    use proptest::prelude::*;

    use super::super::fake::{process, rows};
    use super::*;

    fn accepts(filter: &str, process: Process) -> bool {
        filter.parse::<Filter>().unwrap().accepts(&rows(vec![process])[0])
    }

    fn error(filter: &str) -> String {
        filter.parse::<Filter>().unwrap_err()
    }

    #[test]
    fn figures_are_compared_in_the_units_that_people_write() {
        // 100 MiB, 5 % of a CPU, started 100 s ago.
        let process = || process(100, 7, &[b"nginx", b"-g"]);
        assert!(
            accepts("rss>=100M", process()) && accepts("rss=0.1G", process()) == (1 << 30 == 1_048_576_000)
        );
        assert!(accepts("rss>102399k", process()) && !accepts("rss>100MiB", process()));
        assert!(
            accepts("cpu>4.9%", process()) && accepts("cpu=5", process()) && !accepts("cpu<5", process())
        );
        assert!(accepts("elapsed<2m", process()) && !accepts("elapsed<1m", process()));
        assert!(
            accepts("ppid==7", process()) && accepts("nice>-1", process()) && !accepts("pid!=100", process())
        );
    }

    #[test]
    fn text_is_equal_or_contained() {
        let process = || process(1, 0, &[b"nginx", b"-g", b"\xff"]);
        assert!(accepts("command~inx -g", process()) && !accepts("command!~inx", process()));
        assert!(!accepts("command=nginx", process()) && accepts("command!=nginx", process()));
        assert!(accepts("user=app", process()) && accepts("user=1000", process()));
        assert!(!accepts("user!=1000", process()) && !accepts("user=www", process()));
    }

    #[test]
    fn states_go_by_name_or_letter() {
        let state = |state: ProcessState| Process { state: state.into(), ..process(1, 0, &[]) };
        assert!(accepts("state=zombie", state(ProcessState::Zombie)));
        assert!(accepts("state=Z", state(ProcessState::Zombie)));
        assert!(accepts("state=disk_sleep", state(ProcessState::DiskSleep)));
        assert!(accepts("state=Disk-Sleep", state(ProcessState::DiskSleep)));
        assert!(
            accepts("state=t", state(ProcessState::Traced))
                && !accepts("state=t", state(ProcessState::Stopped))
        );
        assert!(accepts("state~sleep", state(ProcessState::Sleeping)));
    }

    #[test]
    fn what_is_absent_compares_with_nothing() {
        assert!(!accepts("swap>0", process(1, 0, &[])) && !accepts("swap<1G", process(1, 0, &[])));
    }

    #[test]
    fn an_error_points_at_the_bad_piece() {
        assert_eq!(
            error("nginx"),
            "`nginx` compares nothing; write for example command~nginx or state=zombie"
        );
        assert_eq!(error("=5"), "there is no field before `=5`");
        assert_eq!(error("stat3=Z"), "`stat3` is not a field; did you mean `state`?");
        assert_eq!(error("rss>"), "there is no value after `rss>`");
        assert_eq!(error("rss>1Q"), "for `rss`, expected a size such as 100M or 1.5GiB, found `1Q`");
        assert_eq!(error("rss>-5"), "for `rss`, expected a size such as 100M or 1.5GiB, found `-5`");
        assert_eq!(error("cpu>inf"), "for `cpu`, expected a percentage such as 5 or 2.5, found `inf`");
        assert_eq!(error("user>5"), "`>` is for figures; for `user` use = != ~ or !~");
        assert_eq!(error("pid~5"), "`~` is for text; for `pid` use = != > >= < or <=");
        assert_eq!(error("pid!5"), "`!5` does not begin with one of = != ~ !~ > >= < <=");
        assert!(error("state=sleepy").starts_with("for `state`, expected one of running, sleeping,"));
        assert!(error("start>5").contains("elapsed<10m"));
    }

    proptest! {
        #[test]
        fn any_text_is_a_filter_or_an_error(text in "(rss|cpu|state|pid|elapsed|command|.{0,3})[=!~<>]{0,3}.{0,8}") {
            if let Ok(filter) = text.parse::<Filter>() {
                filter.accepts(&rows(vec![process(1, 0, &[b"x"])])[0]);
            }
        }
    }
}
