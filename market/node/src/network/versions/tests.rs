//! Tests of what is read from another node's list, and of the words about it.

use super::*;
use crate::network::fixture::chain;

fn node() -> NodeId {
    NodeId::from_bytes([5; 32])
}

fn read(agent: &str, protocols: &[String]) -> Introduction {
    let list = protocols.iter().map(String::as_str);
    Introduction::read(node(), agent, list, (&Versions::default(), &chain()))
}

fn all_of(versions: &Versions) -> Vec<String> {
    Spoken::ALL
        .map(|spoken| versions.id(&chain(), spoken))
        .into()
}

#[test]
fn a_node_of_the_same_versions_leaves_no_gap() {
    let read = read("nightshift/0.1.0", &all_of(&Versions::default()));
    assert_eq!(read.gaps, []);
    assert_eq!(read.speaks.len(), Spoken::ALL.len());
}

#[test]
fn the_older_side_is_named_with_what_to_do() {
    let newer = Versions::default().with(Spoken::Lease, 2);
    let gaps = read("nightshift/0.2.0", &all_of(&newer)).gaps;
    assert_eq!(gaps.len(), 1);
    let short = node().short();
    assert_eq!(
        gaps[0].to_string(),
        format!(
            "this node speaks lease/1, {short} speaks lease/2: this program ({PROGRAM_VERSION}) is older than \
             theirs (nightshift/0.2.0); install the newer release"
        )
    );
    let older = VersionGap {
        ours: 3,
        ..gaps[0].clone()
    };
    assert!(older.to_string().contains("they must install"), "{older}");
}

#[test]
fn a_node_that_also_speaks_an_older_version_shares_it() {
    let mut protocols = all_of(&Versions::default().with(Spoken::Blob, 2));
    protocols.push(Versions::default().id(&chain(), Spoken::Blob));
    let read = read("x", &protocols);
    assert_eq!(read.gaps, []);
    assert_eq!(read.speaks[&Spoken::Blob], 2);
}

#[test]
fn what_another_node_fills_in_is_bounded_and_printable() {
    let agent = format!("evil\n\u{1b}[2J{}", "x".repeat(500));
    let mut protocols: Vec<String> = (0..500).map(|n| format!("/other/{n}")).collect();
    protocols.push("/nightshift/ffffffff/lease/2".to_owned());
    protocols.push("/nightshift//lease/65536".to_owned());
    let read = read(&agent, &protocols);
    assert_eq!(read.agent.len(), MAX_AGENT_CHARS);
    assert!(read.agent.chars().all(|letter| letter.is_ascii_graphic()));
    assert!(read.speaks.is_empty());
}
