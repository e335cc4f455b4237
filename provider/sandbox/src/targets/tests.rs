//! Tests of the agent's own look at its targets, and of what is left of them.

use std::net::TcpStream;

use super::*;

#[test]
fn the_agent_sees_what_reaches_its_targets_and_nothing_else() {
    let watched = Watched::set_up().unwrap();
    for attack in Attack::all() {
        assert!(!watched.saw(attack), "{attack} before any attack");
    }
    let targets = watched.targets();
    let arrive = |mark: &[u8]| {
        let mut open = TcpStream::connect(targets.tcp()).unwrap();
        open.write_all(mark).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(mark, targets.udp()).unwrap();
        fs::write(targets.intruder(), mark).unwrap();
    };
    arrive(b"somebody else on this machine");
    for attack in Attack::all() {
        assert!(!watched.saw(attack), "{attack} by somebody else");
    }
    arrive(targets.mark());
    for attack in [Attack::Tcp, Attack::Udp, Attack::WriteFile] {
        assert!(watched.saw(attack), "{attack} after it");
    }
    let folder = targets.folder().to_owned();
    drop(watched);
    assert!(!folder.exists());
}

#[cfg(target_os = "linux")]
#[test]
fn what_somebody_else_puts_where_an_attack_aims_is_noticed_and_waited_for_by_nobody() {
    let watched = Watched::set_up().unwrap();
    assert!(!watched.is_disturbed());
    let intruder = watched.targets().intruder();
    let words = b"somebody else on this machine".as_slice();
    for content in [words, watched.targets().mark()] {
        fs::write(&intruder, content).unwrap();
        assert_eq!(watched.is_disturbed(), content == words);
    }
    fs::remove_file(&intruder).unwrap();
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mkfifoat(rustix::fs::CWD, &intruder, mode).unwrap();
    assert!(watched.is_disturbed());
    assert!(!watched.saw(Attack::WriteFile));
}
