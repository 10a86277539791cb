//! How what several probes say of the target's control group is shown.

use dbgctl_proto::v1::{self, Pressure, Stall};

use crate::render::Object;
use crate::render::human::Percent;

/// `some 12.3%, 10.1%, 3.2%; full …` of the last 10, 60 and 300 seconds.
pub(super) fn pressure_words(pressure: &Pressure) -> String {
    let stall = |name: &str, stall: &Stall| {
        let share = |percent| Percent(percent).to_string();
        let Stall { avg10_percent, avg60_percent, avg300_percent, .. } = *stall;
        format!("{name} {}%, {}%, {}%", share(avg10_percent), share(avg60_percent), share(avg300_percent))
    };
    let lines = [("some", pressure.some.as_ref()), ("full", pressure.full.as_ref())];
    let lines: Vec<_> = lines.iter().filter_map(|(name, line)| Some(stall(name, (*line)?))).collect();
    format!("{} of the last 10 s, 1 min, 5 min", lines.join("; "))
}

/// Writes the fields of a pressure, or `null`.
pub(super) fn pressure_field(name: &str, pressure: Option<&Pressure>, object: &mut Object<'_>) {
    let Some(pressure) = pressure else { return object.null(name) };
    object.object(name, |object| {
        for (name, stall) in [("some", pressure.some.as_ref()), ("full", pressure.full.as_ref())] {
            let Some(stall) = stall else {
                object.null(name);
                continue;
            };
            object.object(name, |object| {
                object.decimal("avg10_percent", stall.avg10_percent);
                object.decimal("avg60_percent", stall.avg60_percent);
                object.decimal("avg300_percent", stall.avg300_percent);
                object.number("total_micros", stall.total_micros);
            });
        }
    });
}

/// Writes a limit: a number, `"max"`, or `null` if absent.
pub(super) fn limit_field(name: &str, limit: Option<&v1::Limit>, object: &mut Object<'_>) {
    match limit.and_then(|limit| limit.limit) {
        Some(v1::limit::Limit::At(most)) => object.number(name, most),
        Some(v1::limit::Limit::Unlimited(_)) => object.text(name, "max"),
        None => object.null(name),
    }
}
