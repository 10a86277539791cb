//! The needs of every RPC, as the `.proto` files declare them.

use prost_reflect::{DescriptorPool, DynamicMessage, Value};

use crate::Result;

const NEEDS_OPTION: &str = "dbgctl.v1.needs";

/// One RPC and what it needs.
pub(crate) struct Needs {
    /// For example `ProcessService`.
    pub(crate) service: String,
    /// For example `ListProcesses`.
    pub(crate) rpc: String,
    /// As gRPC puts it on the wire.
    pub(crate) path: String,
    pub(crate) effect: Effect,
    pub(crate) capabilities: Vec<Capability>,
}

/// What a call does to the world outside the agent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Effect {
    Observes,
    SendsTraffic,
    Captures,
    Changes,
}

/// One capability an RPC wants.
pub(crate) struct Capability {
    pub(crate) name: String,
    pub(crate) reason: String,
    pub(crate) optional: bool,
}

/// The needs of every RPC in `pool`. Refuses an RPC that declares none.
pub(crate) fn read(pool: &DescriptorPool) -> Result<Vec<Needs>> {
    let option =
        pool.get_extension_by_name(NEEDS_OPTION).ok_or("needs.proto does not declare the option `needs`")?;
    let mut all = Vec::new();
    for service in pool.services() {
        for method in service.methods() {
            let path = format!("/{}/{}", service.full_name(), method.name());
            let options = method.options();
            if !options.has_extension(&option) {
                return Err(format!("{path} declares no `needs`: add the option beside the RPC").into());
            }
            let needs = options.get_extension(&option);
            let needs = needs.as_message().ok_or("`needs` is not a message")?;
            all.push(Needs {
                service: service.name().to_owned(),
                rpc: method.name().to_owned(),
                effect: effect(needs, &path)?,
                capabilities: capabilities(needs, &path)?,
                path,
            });
        }
    }
    Ok(all)
}

fn effect(needs: &DynamicMessage, path: &str) -> Result<Effect> {
    match needs.get_field_by_name("effect").as_deref() {
        Some(Value::EnumNumber(1)) => Ok(Effect::Observes),
        Some(Value::EnumNumber(2)) => Ok(Effect::SendsTraffic),
        Some(Value::EnumNumber(3)) => Ok(Effect::Captures),
        Some(Value::EnumNumber(4)) => Ok(Effect::Changes),
        other => Err(format!("{path} declares no effect: {other:?}").into()),
    }
}

fn capabilities(needs: &DynamicMessage, path: &str) -> Result<Vec<Capability>> {
    let listed = needs.get_field_by_name("capabilities");
    let listed = listed.as_deref().and_then(Value::as_list).unwrap_or_default();
    let mut capabilities = Vec::new();
    for capability in listed {
        let capability = capability.as_message().ok_or("a capability is not a message")?;
        let text = |name: &str| -> Result<String> {
            let value = capability.get_field_by_name(name);
            let text = value.as_deref().and_then(Value::as_str).unwrap_or_default();
            if text.is_empty() {
                return Err(format!("{path}: a capability without `{name}`").into());
            }
            Ok(text.to_owned())
        };
        let optional = capability.get_field_by_name("optional");
        let optional = optional.as_deref().and_then(Value::as_bool).unwrap_or_default();
        capabilities.push(Capability { name: text("name")?, reason: text("reason")?, optional });
    }
    Ok(capabilities)
}
