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
fn what_an_agent_that_died_left_is_swept_and_what_a_living_one_has_stays() {
    let parent = std::env::temp_dir().join(format!("sweep-{}", std::process::id()));
    // No process has a number beyond the kernel's bound of 2^22.
    let dead = parent.join(format!("{PREFIX}4194305-1"));
    let alive = parent.join(format!("{PREFIX}{}-1", std::process::id()));
    let others = parent.join("something-else");
    for folder in [&dead, &alive, &others] {
        fs::create_dir_all(folder).unwrap();
    }
    sweep(&parent);
    let left = [&dead, &alive, &others].map(|folder| folder.exists());
    fs::remove_dir_all(&parent).unwrap();
    assert_eq!(left, [false, true, true]);
}
