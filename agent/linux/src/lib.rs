//! What the kernel says: readers and parsers for procfs, cgroupfs and netlink.
//!
//! Everything here is synchronous. A `read` takes a [`Root`], so that it can look at a recorded tree as
//! well as at the live system; a `parse` takes bytes and never panics, whatever it is given.

pub mod access;
pub mod acl;
pub mod capability;
pub mod cgroupfs;
mod clock;
pub mod cpu_list;
pub mod entries;
mod error;
pub mod error_queue;
pub mod etc;
pub mod file;
pub mod glob;
pub mod netlink;
mod number;
pub mod packet;
mod pid;
pub mod procfs;
mod root;
pub mod route;
pub mod scene;
pub mod sockets;
pub mod sys;
pub mod syscall_names;
pub mod target;
pub mod tmpfs;
pub mod walk;

pub use clock::{Moment, Units};
pub use error::{BadLine, ReadError};
pub use pid::Pid;
pub use root::{
    Buffer, Content, Found, ProcDirectory, ProcName, Root, Space, TargetDirectory, TargetFile, TargetRoot,
};
pub use sys::LastLink;
