//! Tests of frames against honest and lying writers.

use super::*;

#[test]
fn frames_come_back_in_order_and_the_end_is_clean() {
    let mut pipe = Vec::new();
    write_frame(&mut pipe, b"one").unwrap();
    write_frame(&mut pipe, &vec![7; 3 * CHUNK_BYTES + 1]).unwrap();
    let mut input = pipe.as_slice();
    assert_eq!(read_frame(&mut input, 8).unwrap().unwrap(), b"one");
    let large = read_frame(&mut input, 4 * CHUNK_BYTES).unwrap().unwrap();
    assert_eq!(large, vec![7; 3 * CHUNK_BYTES + 1]);
    assert!(read_frame(&mut input, 8).unwrap().is_none());
}

#[test]
fn a_frame_at_the_cap_passes_and_one_byte_more_is_refused() {
    let mut pipe = Vec::new();
    write_frame(&mut pipe, b"12345").unwrap();
    assert!(read_frame(&mut pipe.as_slice(), 5).unwrap().is_some());
    assert!(matches!(
        read_frame(&mut pipe.as_slice(), 4),
        Err(FrameError::Oversized {
            length: 5,
            max_bytes: 4
        })
    ));
}

#[test]
fn a_length_of_zero_is_refused_both_ways() {
    assert!(matches!(
        write_frame(&mut Vec::new(), b""),
        Err(FrameError::Empty)
    ));
    assert!(matches!(
        read_frame(&mut [0_u8; 4].as_slice(), 9),
        Err(FrameError::Empty)
    ));
}

#[test]
fn an_end_inside_the_header_or_the_body_is_not_a_clean_end() {
    for bytes in [&[3_u8, 0][..], &[3, 0, 0, 0, b'a'][..]] {
        let mut input = bytes;
        assert!(matches!(
            read_frame(&mut input, 9),
            Err(FrameError::Truncated)
        ));
    }
}

#[test]
fn a_claimed_length_reserves_no_more_than_a_chunk() {
    struct Claim(Vec<u8>, usize);
    impl Read for Claim {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = self.1.max(buffer.len());
            self.0.as_slice().read(buffer).inspect(|&count| {
                self.0.drain(..count);
            })
        }
    }
    let mut claim = Claim(u32::MAX.to_le_bytes().to_vec(), 0);
    assert!(matches!(
        read_frame(&mut claim, usize::MAX),
        Err(FrameError::Truncated)
    ));
    assert_eq!(claim.1, CHUNK_BYTES);
}
