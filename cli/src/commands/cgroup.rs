//! What several commands show of the target's control group.

use dbgctl_proto::v1::limit::Limit;
use dbgctl_proto::v1::{self, Pressure, Stall};

use crate::render::Object;
use crate::render::human::Percent;

/// A limit of the contract, or `None` if it could not be read.
pub(super) fn limit(limit: Option<&v1::Limit>) -> Option<Limit> {
    limit.and_then(|limit| limit.limit)
}

/// Writes a limit: a number, `"max"` if there is none, or `null` if it could not be read.
pub(super) fn limit_field(name: &str, message: Option<&v1::Limit>, object: &mut Object<'_>) {
    match limit(message) {
        Some(Limit::At(most)) => object.number(name, most),
        Some(Limit::Unlimited(_)) => object.text(name, "max"),
        None => object.null(name),
    }
}

/// Writes the field `pressure`.
pub(super) fn pressure_field(pressure: Option<&Pressure>, object: &mut Object<'_>) {
    match pressure {
        Some(pressure) => object.object("pressure", |object| {
            stall_field("some", pressure.some.as_ref(), object);
            stall_field("full", pressure.full.as_ref(), object);
        }),
        None => object.null("pressure"),
    }
}

fn stall_field(name: &str, stall: Option<&Stall>, object: &mut Object<'_>) {
    let Some(stall) = stall else { return object.null(name) };
    object.object(name, |object| {
        object.decimal("avg10_percent", stall.avg10_percent);
        object.decimal("avg60_percent", stall.avg60_percent);
        object.decimal("avg300_percent", stall.avg300_percent);
        object.number("total_micros", stall.total_micros);
    });
}

/// `memory pressure: some task waited 12.3% of the last 10 s (60 s: 3.1%, 5 min: 0.8%), all tasks 4.0%`.
pub(super) fn pressure_sentence(resource: &str, pressure: &Pressure) -> String {
    let Some(some) = &pressure.some else {
        return format!("{resource} pressure: the agent said nothing of it");
    };
    let averages = |stall: &Stall| [stall.avg10_percent, stall.avg60_percent, stall.avg300_percent];
    let full = pressure.full.as_ref();
    // Not a number is no pressure either.
    if !averages(some).into_iter().chain(full.map(averages).into_iter().flatten()).any(|share| share > 0.0) {
        return format!("{resource} pressure: nobody waited in the last 5 min");
    }
    let [last_10, last_60, last_300] = averages(some).map(Percent);
    let all = full.map_or_else(String::new, |full| format!(", all tasks {}%", Percent(full.avg10_percent)));
    format!(
        "{resource} pressure: some task waited {last_10}% of the last 10 s (60 s: {last_60}%, 5 min: {last_300}%){all}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stall(avg10_percent: f64) -> Stall {
        Stall { avg10_percent, avg60_percent: 3.1, avg300_percent: 0.8, total_micros: 7 }
    }

    #[test]
    fn pressure_is_told_in_one_sentence() {
        let pressure = Pressure { some: Some(stall(12.34)), full: Some(stall(4.0)) };
        assert_eq!(
            pressure_sentence("memory", &pressure),
            "memory pressure: some task waited 12.3% of the last 10 s (60 s: 3.1%, 5 min: 0.8%), all tasks 4.0%"
        );
        let pressure = Pressure { some: Some(Stall::default()), full: None };
        assert_eq!(pressure_sentence("cpu", &pressure), "cpu pressure: nobody waited in the last 5 min");
    }
}
