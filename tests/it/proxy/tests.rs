//! Owns the tests of the proxy itself, against a listener that echoes.
//!
//! Never measures how fast it is.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::{BOTH, Delay, Proxy, Way};

/// How long a byte that should come may take.
const LIMIT: Duration = Duration::from_secs(20);

/// How long is waited for a byte that must not come.
const MOMENT: Duration = Duration::from_millis(300);

/// Starts a listener that sends everything back until the sender is done.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("a listener has an address");
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut buffer = [0; 8 << 10];
                while let Ok(count @ 1..) = (&connection).read(&mut buffer) {
                    if (&connection).write_all(&buffer[..count]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn dial(proxy: &Proxy) -> TcpStream {
    let connection = TcpStream::connect(proxy.address).expect("the proxy accepts");
    let is_set = connection.set_read_timeout(Some(LIMIT));
    is_set.expect("a limit can be set");
    connection
}

/// Sends `bytes` and returns what comes back, which must be as long.
fn ask(mut connection: &TcpStream, bytes: &[u8]) -> Vec<u8> {
    connection.write_all(bytes).expect("the link is up");
    answer(connection, bytes.len())
}

fn answer(mut connection: &TcpStream, count: usize) -> Vec<u8> {
    let mut back = vec![0; count];
    connection.read_exact(&mut back).expect("an answer comes");
    back
}

#[test]
fn what_passes_is_whole_in_order_and_counted_also_after_the_sender_is_done() {
    let proxy = Proxy::open(echo(), 1);
    let connection = dial(&proxy);
    let sent: Vec<u8> = (0..9_000_000_u32)
        .map(|number| (number % 251) as u8)
        .collect();
    let writer = connection.try_clone().expect("a socket can be shared");
    let copy = sent.clone();
    let writing = std::thread::spawn(move || {
        (&writer).write_all(&copy).expect("the link is up");
        writer.shutdown(Shutdown::Write).expect("the link is up");
    });
    let mut back = Vec::new();
    (&connection)
        .read_to_end(&mut back)
        .expect("the link is up");
    writing.join().expect("everything was sent");
    assert!(
        back == sent,
        "{} of {} bytes came back",
        back.len(),
        sent.len()
    );
    assert_eq!(BOTH.map(|way| proxy.bytes(way)), [9_000_000; 2]);
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn a_delay_holds_each_byte_back_in_its_direction_and_jitter_keeps_the_order() {
    let proxy = Proxy::open(echo(), 2);
    let connection = dial(&proxy);
    ask(&connection, b"warm");
    let fixed = Duration::from_millis(60);
    let jitter = Duration::from_millis(30);
    proxy.delay(Way::Forward, Delay { fixed, jitter });
    let begun = Instant::now();
    for number in 0..5_u8 {
        (&connection).write_all(&[number]).expect("the link is up");
    }
    assert_eq!(answer(&connection, 5), [0, 1, 2, 3, 4]);
    assert!(begun.elapsed() >= fixed, "{:?}", begun.elapsed());
    proxy.delay(Way::Back, Delay { fixed, jitter });
    let begun = Instant::now();
    ask(&connection, b"both");
    assert!(begun.elapsed() >= 2 * fixed, "{:?}", begun.elapsed());
}

#[test]
fn a_stall_is_silent_and_what_was_sent_meanwhile_arrives_after_it() {
    let proxy = Proxy::open(echo(), 3);
    let before = dial(&proxy);
    ask(&before, b"before");
    proxy.stall(Way::Back);
    (&before).write_all(b"held").expect("the link takes it");
    // Accepted, and answered by nobody.
    let during = dial(&proxy);
    (&during).write_all(b"new").expect("the link takes it");
    for connection in [&before, &during] {
        let is_set = connection.set_read_timeout(Some(MOMENT));
        is_set.expect("a limit can be set");
        let silence = (&*connection)
            .read(&mut [0; 8])
            .expect_err("nothing passes");
        assert!(
            matches!(silence.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            "{silence}"
        );
        let is_set = connection.set_read_timeout(Some(LIMIT));
        is_set.expect("a limit can be set");
    }
    proxy.heal();
    assert_eq!(answer(&before, 4), b"held");
    assert_eq!(answer(&during, 3), b"new");
}

#[test]
fn a_cut_resets_what_is_there_and_what_comes_until_it_is_healed() {
    let proxy = Proxy::open(echo(), 4);
    let old = dial(&proxy);
    ask(&old, b"before");
    proxy.cut();
    let reset = (&old).read(&mut [0; 8]).expect_err("the link is cut");
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    let new = dial(&proxy);
    let reset = (&new).read(&mut [0; 8]).expect_err("the link is cut");
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    proxy.heal();
    assert_eq!(ask(&dial(&proxy), b"after"), b"after");
}

#[test]
fn where_nobody_listens_behind_it_who_dials_is_reset() {
    let gone = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let target = gone.local_addr().expect("a listener has an address");
    drop(gone);
    let proxy = Proxy::open(target, 5);
    let reset = (&dial(&proxy))
        .read(&mut [0; 8])
        .expect_err("nobody is there");
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
}
