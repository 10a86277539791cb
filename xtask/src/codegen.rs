//! Writes `proto/src/generated/` from the `.proto` files, without `protoc`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use prost_reflect::DescriptorPool;

use crate::Result;
use crate::needs::{self, Capability, Needs};

/// Generates into `out`: messages, clients and servers, and the table of needs.
pub(crate) fn generate(workspace: &Path, out: &Path) -> Result {
    let compiler = compile(workspace)?;
    fs::create_dir_all(out)?;
    fs::write(out.join("needs.rs"), needs_table(&needs_of(&compiler)?)?)?;
    tonic_prost_build::configure()
        .out_dir(out)
        // Rows are moved several times, and most descriptors have neither.
        .boxed(".dbgctl.v1.Descriptor.details")
        .boxed(".dbgctl.v1.Descriptor.socket")
        .boxed(".dbgctl.v1.Socket.memory")
        .boxed(".dbgctl.v1.Socket.tcp")
        .boxed(".dbgctl.v1.Socket.unix")
        .boxed(".dbgctl.v1.Socket.packet")
        .boxed(".dbgctl.v1.Socket.netlink")
        .boxed(".dbgctl.v1.ConnectResponse.look_up")
        .boxed(".dbgctl.v1.ForwardFailed.look_up")
        .boxed(".dbgctl.v1.HttpExchange.look_up")
        .boxed(".dbgctl.v1.PingHeader.look_up")
        .boxed(".dbgctl.v1.TlsResponse.look_up")
        .boxed(".dbgctl.v1.TraceHeader.look_up")
        // The agent encodes sockets while it reads them.
        .extern_path(".dbgctl.v1.SocketBatch", "crate::SocketBatch")
        // What is carried is not copied once more.
        .bytes(".dbgctl.v1.ForwardFrame.data")
        .bytes(".dbgctl.v1.CaptureBatch.data")
        .build_transport(false)
        .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"server\")]")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

/// The needs of every RPC in the contract.
pub(crate) fn needs(workspace: &Path) -> Result<Vec<Needs>> {
    needs_of(&compile(workspace)?)
}

fn compile(workspace: &Path) -> Result<protox::Compiler> {
    let include = workspace.join("proto");
    let mut files = Vec::new();
    for entry in fs::read_dir(include.join("dbgctl/v1"))? {
        files.push(entry?.path());
    }
    files.sort();

    let mut compiler = protox::Compiler::new([&include])?;
    compiler.include_source_info(true).include_imports(true).open_files(&files)?;
    Ok(compiler)
}

fn needs_of(compiler: &protox::Compiler) -> Result<Vec<Needs>> {
    // Through bytes: extensions of options survive only in the encoded form.
    let encoded = compiler.encode_file_descriptor_set();
    needs::read(&DescriptorPool::decode(encoded.as_slice())?)
}

/// The table of needs as Rust source.
fn needs_table(all: &[Needs]) -> Result<String> {
    let mut table = String::from(
        "// Written by `cargo xtask codegen` from proto/dbgctl/v1/*.proto.\n\n\
         /// The needs of every RPC, by path.\n\
         pub const NEEDS: &[Needs] = &[\n",
    );
    for needs in all {
        writeln!(table, "    Needs {{")?;
        writeln!(table, "        path: {:?},", needs.path)?;
        writeln!(table, "        effect: Effect::{:?},", needs.effect)?;
        write_capabilities(&mut table, &needs.capabilities)?;
        writeln!(table, "    }},")?;
    }
    table.push_str("];\n");
    Ok(table)
}

fn write_capabilities(table: &mut String, capabilities: &[Capability]) -> Result {
    if capabilities.is_empty() {
        writeln!(table, "        capabilities: &[],")?;
        return Ok(());
    }
    writeln!(table, "        capabilities: &[")?;
    for capability in capabilities {
        writeln!(table, "            Capability {{")?;
        writeln!(table, "                name: {:?},", capability.name)?;
        writeln!(table, "                reason: {:?},", capability.reason)?;
        writeln!(table, "                optional: {},", capability.optional)?;
        writeln!(table, "            }},")?;
    }
    writeln!(table, "        ],")?;
    Ok(())
}
