//! The sockets of the target's network namespace, read once for an answer and only if one is met.

use dbgctl_linux::Root;
use dbgctl_linux::sockets::{self, Name, Socket, Sockets};
use dbgctl_proto::v1;

use crate::gaps::Gaps;

/// What is known of sockets by their inode.
#[derive(Debug, Default)]
pub(crate) struct SocketNames {
    sockets: Option<Sockets>,
}

impl SocketNames {
    /// The socket with that inode, if it is known.
    pub(crate) fn get(&mut self, inode: u64, root: &Root, gaps: &mut Gaps) -> Option<v1::DescriptorSocket> {
        let sockets = self.sockets.get_or_insert_with(|| {
            let sockets = sockets::read(root).map_err(|error| gaps.add_error("addresses of sockets", &error));
            let sockets = sockets.unwrap_or_default();
            if sockets.cut {
                gaps.add("addresses of sockets", "there are more sockets than the agent keeps");
            }
            sockets
        });
        sockets.get(inode).map(message)
    }
}

fn message(socket: &Socket) -> v1::DescriptorSocket {
    v1::DescriptorSocket {
        protocol: socket.protocol.to_owned(),
        local: match &socket.local {
            Name::None => Vec::new(),
            Name::Internet(address) => address.to_string().into_bytes(),
            Name::Local(name) => name.to_vec(),
        },
        remote: socket.remote.map(|remote| remote.to_string()).unwrap_or_default(),
        state: socket.tcp_state().unwrap_or_default().to_owned(),
    }
}
