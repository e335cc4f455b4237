//! Tests of messages on a stream.

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
    let inner = error.get_ref().unwrap().downcast_ref::<WireError>();
    assert_eq!(
        inner,
        Some(&WireError::TooLarge {
            actual: 32,
            max: 31
        })
    );
    assert_eq!(io.position(), 4, "nothing after the length was read");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut io = Cursor::new(bytes);
        let _read = futures::executor::block_on(read_message::<Vec<String>, _>(&mut io, 128));
    }
}
