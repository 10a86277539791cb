//! Writes `proto/src/generated/` from the `.proto` files, without `protoc`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use prost_reflect::{DescriptorPool, DynamicMessage, Value};

use crate::Result;

const NEEDS_OPTION: &str = "dbgctl.v1.needs";

/// Generates into `out`: messages, clients and servers, and the table of needs.
pub(crate) fn generate(workspace: &Path, out: &Path) -> Result {
    let include = workspace.join("proto");
    let mut files = Vec::new();
    for entry in fs::read_dir(include.join("dbgctl/v1"))? {
        files.push(entry?.path());
    }
    files.sort();

    let mut compiler = protox::Compiler::new([&include])?;
    compiler.include_source_info(true).include_imports(true).open_files(&files)?;
    // Through bytes: extensions of options survive only in the encoded form.
    let encoded = compiler.encode_file_descriptor_set();
    let pool = DescriptorPool::decode(encoded.as_slice())?;

    fs::create_dir_all(out)?;
    fs::write(out.join("needs.rs"), needs_table(&pool)?)?;
    tonic_prost_build::configure()
        .out_dir(out)
        .build_transport(false)
        .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"server\")]")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

/// The table of needs as Rust source. Refuses an RPC that declares none.
fn needs_table(pool: &DescriptorPool) -> Result<String> {
    let option = pool.get_extension_by_name(NEEDS_OPTION).ok_or("needs.proto does not declare the option `needs`")?;
    let mut table = String::from(
        "// Written by `cargo xtask codegen` from proto/dbgctl/v1/*.proto.\n\n\
         /// The needs of every RPC, by path.\n\
         pub const NEEDS: &[Needs] = &[\n",
    );
    for service in pool.services() {
        for method in service.methods() {
            let path = format!("/{}/{}", service.full_name(), method.name());
            let options = method.options();
            if !options.has_extension(&option) {
                return Err(format!("{path} declares no `needs`: add the option beside the RPC").into());
            }
            let needs = options.get_extension(&option);
            let needs = needs.as_message().ok_or("`needs` is not a message")?;
            writeln!(table, "    Needs {{")?;
            writeln!(table, "        path: {path:?},")?;
            writeln!(table, "        effect: Effect::{},", effect(needs, &path)?)?;
            write_capabilities(&mut table, needs, &path)?;
            writeln!(table, "    }},")?;
        }
    }
    table.push_str("];\n");
    Ok(table)
}

fn effect(needs: &DynamicMessage, path: &str) -> Result<&'static str> {
    match needs.get_field_by_name("effect").as_deref() {
        Some(Value::EnumNumber(1)) => Ok("Observes"),
        Some(Value::EnumNumber(2)) => Ok("SendsTraffic"),
        Some(Value::EnumNumber(3)) => Ok("Captures"),
        Some(Value::EnumNumber(4)) => Ok("Changes"),
        other => Err(format!("{path} declares no effect: {other:?}").into()),
    }
}

fn write_capabilities(table: &mut String, needs: &DynamicMessage, path: &str) -> Result {
    let capabilities = needs.get_field_by_name("capabilities");
    let capabilities = capabilities.as_deref().and_then(Value::as_list).unwrap_or_default();
    if capabilities.is_empty() {
        writeln!(table, "        capabilities: &[],")?;
        return Ok(());
    }
    writeln!(table, "        capabilities: &[")?;
    for capability in capabilities {
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
        writeln!(table, "            Capability {{")?;
        writeln!(table, "                name: {:?},", text("name")?)?;
        writeln!(table, "                reason: {:?},", text("reason")?)?;
        writeln!(table, "                optional: {optional},")?;
        writeln!(table, "            }},")?;
    }
    writeln!(table, "        ],")?;
    Ok(())
}
