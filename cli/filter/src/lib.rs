//! tcpdump's filter language, pcap-filter(7), compiled to classic BPF.
//!
//! ```text
//! text ─ lexer ─ parser → tree ─ generate → conditions on values ─ graph ─ optimize ─ emit ─ layout → program
//! ```
//!
//! ```
//! use dbgctl_filter::{LinkType, Mode, NoHosts, compile, parse};
//!
//! # fn main() -> Result<(), dbgctl_filter::Error> {
//! let filter = parse("icmp or icmp6")?;
//! let program = compile(&filter, LinkType::Raw, Mode::Stored, 96, &NoHosts)?;
//! assert_eq!(program.run(&[0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1], 28), 96);
//! # Ok(())
//! # }
//! ```
//!
//! A program wants the same packets as the one that libpcap makes of the expression: the tests compare the two. Nothing here
//! reads a file, asks a server or opens a socket: the names of hosts are looked up by who calls ([`Names`]).

mod arithmetic;
mod complaint;
mod condition;
mod emit;
mod error;
mod explain;
mod facts;
mod fields;
mod gather;
mod generate;
mod graph;
mod interpreter;
mod layers;
mod layout;
mod lexer;
mod link;
mod literal;
mod names;
mod optimize;
mod parser;
mod primitive;
mod program;
mod tree;
mod value;
mod words;

use condition::Condition;
use error::Fault;
pub use error::{Error, Span};
use graph::{ACCEPT, Graph, REJECT};
pub use interpreter::Beside;
pub use link::{LinkType, Mode};
pub use names::{Names, NoHosts, Service};
pub use parser::parse;
pub use program::{Instruction, Invalid, Program, code};
pub use tree::Expression;

/// Makes a program that returns `snap_length` for packets that the expression wants, and 0 for the others.
///
/// It is an error if no packet could be wanted.
pub fn compile(
    expression: &Expression,
    link: LinkType,
    mode: Mode,
    snap_length: u32,
    names: &dyn Names,
) -> Result<Program, Error> {
    let whole = |fault| Error::new(&expression.text, 0..expression.text.len(), fault);
    let (condition, mut values) = match &expression.chain {
        None => (Condition::Always, value::Values::default()),
        Some(chain) => generate::generate(&expression.text, chain, link, mode, names)?,
    };
    let mut graph = Graph::default();
    let root = graph.decide(&mut values, &condition, ACCEPT, REJECT);
    // What takes long to optimize, and would not become short enough.
    if graph.distinct_tests() > Program::MOST_INSTRUCTIONS {
        return Err(whole(emit::too_long()));
    }
    let (graph, root) = optimize::optimize(graph, root, &mut values);
    if root == REJECT {
        let fault = Fault::new("no packet can ever match this");
        let has_and = ["and", "&&"].iter().any(|and| expression.text.contains(and));
        return Err(whole(if has_and {
            fault.suggest("did you mean `or` in place of an `and`?")
        } else {
            fault
        }));
    }
    let blocks = emit::emit(&graph, root, &values).map_err(whole)?;
    let instructions = layout::layout(blocks, root, snap_length).map_err(whole)?;
    Program::new(instructions).map_err(|invalid| whole(Fault::new(invalid.to_string())))
}
