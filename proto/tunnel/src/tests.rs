//! What a peer that does not keep to the contract comes up against.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_stream::wrappers::ReceiverStream;

use super::*;

/// Both ends of a connection.
async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

fn frames(frames: Vec<Frame>) -> impl Stream<Item = Result<ForwardFrame, Infallible>> {
    let frames = frames.into_iter().map(|frame| Ok(ForwardFrame { frame: Some(frame) }));
    // It goes on without another word.
    stream::iter(frames.collect::<Vec<_>>()).chain(stream::pending())
}

async fn carried(given: Vec<Frame>) -> (Ended<Infallible>, TcpStream) {
    let (near, far) = connection().await;
    let (outgoing, _taken) = mpsc::channel(64);
    let carried = carry(near, frames(given), outgoing, &Budget::default()).await;
    (carried.ended, far)
}

#[tokio::test]
async fn more_than_there_was_leave_to_send_is_not_taken() {
    // Nobody reads at the far end: the kernel takes some of it, and the rest would have to wait here.
    let flood = vec![Frame::Data(vec![0; LONGEST_DATA_BYTES].into()); 1024];
    let (ended, mut far) = carried(flood).await;
    assert!(matches!(ended, Ended::Broken("more came than there was leave to send")), "{ended:?}");
    // What has arrived must not be taken for the whole.
    let end = far.read_to_end(&mut Vec::new()).await;
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn nonsense_ends_one_connection() {
    let closed = || Frame::End(ForwardEnd::Closed.into());
    let data = || Frame::Data(Bytes::from_static(b"x"));
    for nonsense in [vec![Frame::Taken(1)], vec![closed(), data()], vec![closed(), closed()]] {
        let (ended, _far) = carried(nonsense.clone()).await;
        assert!(matches!(ended, Ended::Broken(_)), "{nonsense:?}: {ended:?}");
    }
}

#[tokio::test]
async fn what_came_before_a_reset_is_still_written() {
    let given = vec![Frame::Data(Bytes::from_static(b"413")), Frame::End(ForwardEnd::Reset.into())];
    let (near, mut far) = connection().await;
    let (outgoing, _taken) = mpsc::channel(64);
    let carried = carry(near, frames(given), outgoing, &Budget::default()).await;
    assert!(matches!(carried.ended, Ended::ResetThere), "{:?}", carried.ended);
    let mut said = [0; 3];
    far.read_exact(&mut said).await.unwrap();
    assert_eq!((&said, carried.received_bytes), (b"413", 3));
    assert_eq!(far.read(&mut said).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_connection_that_nobody_reads_is_read_no_further_than_its_credit() {
    let (near, mut far) = connection().await;
    let (outgoing, mut sent) = mpsc::channel(64);
    let budget = Budget::default();
    let carrying = carry(near, frames(vec![]), outgoing, &budget);
    tokio::pin!(carrying);
    let flood = async {
        while far.write_all(&[0; 1 << 16]).await.is_ok() {}
        unreachable!("it is not cut while it is carried")
    };
    tokio::pin!(flood);
    let mut bytes = 0;
    loop {
        // A kernel that has more to give has given it by then; if not, this counts too little and never too much.
        let next = tokio::time::timeout(Duration::from_millis(300), sent.recv());
        let next = tokio::select! {
            next = next => next,
            carried = &mut carrying => panic!("{carried:?}"),
            never = &mut flood => never,
        };
        match next {
            Ok(Some(Frame::Data(data))) => bytes += data.len(),
            Ok(other) => panic!("{other:?}"),
            Err(_) => break,
        }
    }
    assert!(bytes > 0 && bytes <= WINDOW_BYTES, "{bytes}");
}

#[tokio::test]
async fn both_sides_end_when_both_halves_are_closed() {
    let (left, mut client) = connection().await;
    let (right, mut server) = connection().await;
    let (to_right, from_left) = mpsc::channel(WAITING_FRAMES);
    let (to_left, from_right) = mpsc::channel(WAITING_FRAMES);
    let stream = |frames| {
        ReceiverStream::new(frames).map(|frame| Ok::<_, Infallible>(ForwardFrame { frame: Some(frame) }))
    };
    let (here, there) = (Budget::default(), Budget::default());
    let sent: Vec<u8> = (0..750_000_u32).flat_map(u32::to_be_bytes).collect();
    let client = async {
        client.write_all(&sent).await.unwrap();
        client.shutdown().await.unwrap();
        let mut back = Vec::new();
        client.read_to_end(&mut back).await.unwrap();
        back
    };
    let server = async {
        let mut all = Vec::new();
        server.read_to_end(&mut all).await.unwrap();
        server.write_all(&all).await.unwrap();
        server.shutdown().await.unwrap();
    };
    let (left, right, back, ()) = tokio::join!(
        carry(left, stream(from_right), to_right, &here),
        carry(right, stream(from_left), to_left, &there),
        client,
        server
    );
    assert!(back == sent);
    assert!(matches!((&left.ended, &right.ended), (Ended::Closed, Ended::Closed)), "{left:?} {right:?}");
    assert_eq!((left.sent_bytes, left.received_bytes), (3_000_000, 3_000_000));
}
