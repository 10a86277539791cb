//! A batch of sockets that the agent encodes while it reads them.

use prost::DecodeError;
use prost::bytes::{Buf, BufMut};
use prost::encoding::{DecodeContext, WireType, message, skip_field};

use crate::v1::Socket;

/// `SocketBatch` of the contract: sockets, and in front of them such as are encoded already.
///
/// There may be a hundred thousand of them with some fifty fields each: to fill a structure for each one, to add up
/// how long it will be and then to encode it takes the agent longer than the kernel needs to tell it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SocketBatch {
    /// Field `sockets`, once for each socket, in the encoding of protobuf. Always empty in what was received.
    pub encoded: Vec<u8>,
    /// More sockets; all of them in what was received. They are sorted, which is cheaper where they stay in place.
    pub sockets: Vec<Box<Socket>>,
}

impl SocketBatch {
    /// The number of field `sockets`.
    pub const SOCKETS: u8 = 1;
}

impl prost::Message for SocketBatch {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        buffer.put_slice(&self.encoded);
        message::encode_repeated(Self::SOCKETS.into(), &self.sockets, buffer);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        if tag == u32::from(Self::SOCKETS) {
            message::merge_repeated(wire_type, &mut self.sockets, buffer, context)
        } else {
            skip_field(wire_type, tag, buffer, context)
        }
    }

    fn encoded_len(&self) -> usize {
        self.encoded.len() + message::encoded_len_repeated(Self::SOCKETS.into(), &self.sockets)
    }

    fn clear(&mut self) {
        self.encoded.clear();
        self.sockets.clear();
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn what_is_encoded_already_comes_before_the_rest() {
        let socket = |inode| Socket { inode, ..Socket::default() };
        // Field 1 of wire type 2.
        let mut encoded = vec![0x0a];
        socket(7).encode_length_delimited(&mut encoded).unwrap();
        let batch = SocketBatch { encoded, sockets: vec![Box::new(socket(8))] };
        let decoded = SocketBatch::decode(batch.encode_to_vec().as_slice()).unwrap();
        assert_eq!(
            decoded,
            SocketBatch { encoded: Vec::new(), sockets: vec![Box::new(socket(7)), Box::new(socket(8))] }
        );
    }
}
