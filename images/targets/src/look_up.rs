//! `look-up NAME`: asks the C library for the addresses of a name, as programs do.

use std::net::ToSocketAddrs as _;
use std::process::ExitCode;

use crate::Result;
use crate::arguments::Arguments;

/// 0 if there are addresses, 1 if there are none.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let name: String = arguments.required("NAME")?;
    match (name.as_str(), 80).to_socket_addrs() {
        Ok(addresses) => {
            addresses.for_each(|address| println!("{}", address.ip()));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            println!("{error}");
            Ok(ExitCode::FAILURE)
        }
    }
}
