//! Tests of messages on a stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::io::Cursor;
use proptest::prelude::*;

use super::*;

async fn written(message: &Vec<u64>, max_bytes: usize) -> io::Result<Vec<u8>> {
    let mut io = Cursor::new(Vec::new());
    write_message(&mut io, message, max_bytes).await?;
    Ok(io.into_inner())
}

#[tokio::test]
async fn what_is_written_is_read() {
    let message = vec![1, 2, 3];
    let mut io = Cursor::new(written(&message, 64).await.unwrap());
    let read: Vec<u64> = read_message(&mut io, 64).await.unwrap();
    assert_eq!(read, message);
}

#[tokio::test]
async fn too_large_a_message_is_neither_written_nor_read() {
    let message = vec![1, 2, 3];
    let error = written(&message, 31).await.unwrap_err();
    let inner = error.get_ref().unwrap().downcast_ref::<WireError>();
    assert_eq!(
        inner,
        Some(&WireError::TooLarge {
            actual: 32,
            max: 31
        })
    );
    let bytes = written(&message, 32).await.unwrap();
    let mut io = Cursor::new(bytes);
    let error = read_message::<Vec<u64>, _>(&mut io, 31).await.unwrap_err();
    assert_eq!(
        Fault::of(&error),
        Some(&Fault::TooLarge {
            actual: 32,
            max: 31
        })
    );
    assert_eq!(io.position(), 4, "nothing after the length was read");
}

#[tokio::test]
async fn a_message_that_ends_early_or_does_not_decode_is_told_apart() {
    let bytes = written(&vec![1, 2, 3], 64).await.unwrap();
    let mut nothing = Cursor::new([]);
    let error = read_message::<Vec<u64>, _>(&mut nothing, 64)
        .await
        .unwrap_err();
    let refused = (error.kind(), Fault::of(&error));
    assert_eq!(refused, (io::ErrorKind::UnexpectedEof, None), "a refusal");
    for cut in [1, 3, 4, bytes.len() - 1] {
        let mut io = Cursor::new(&bytes[..cut]);
        let error = read_message::<Vec<u64>, _>(&mut io, 64).await.unwrap_err();
        assert_eq!(Fault::of(&error), Some(&Fault::Truncated), "{cut}");
    }
    let mut io = Cursor::new([2, 0, 0, 0, 0xff, 0xff]);
    let error = read_message::<Vec<u64>, _>(&mut io, 64).await.unwrap_err();
    assert!(matches!(Fault::of(&error), Some(Fault::Undecodable(_))));
}

/// A stream on which nothing comes.
struct Silence;

impl AsyncRead for Silence {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn a_request_that_does_not_come_is_not_waited_for() {
    let limits = CodecLimits {
        request_bytes: 64,
        response_bytes: 64,
        request_within: Duration::from_millis(20),
    };
    let mut codec = WireCodec::<u64, u64>::new(limits);
    let (protocol, mut silence) = (StreamProtocol::new("/x"), Silence);
    let read = codec.read_request(&protocol, &mut silence);
    assert_eq!(read.await.unwrap(), Err(Fault::Slow));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut io = Cursor::new(bytes);
        let _read = futures::executor::block_on(read_message::<Vec<String>, _>(&mut io, 128));
    }
}
