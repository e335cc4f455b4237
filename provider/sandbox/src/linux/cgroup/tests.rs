//! Tests of how the control groups of this process are found.

use super::*;

const MIXED: &str = "\
30 20 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
31 20 0:27 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
32 20 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

#[test]
fn version_one_controllers_are_found_in_their_own_trees() {
    let homes = homes("8:pids:/\n4:memory:/service/one\n0::/\n", MIXED);
    assert_eq!(
        homes,
        [
            Home::Unified("/sys/fs/cgroup/unified".into()),
            Home::Single(Controller::Pids, "/sys/fs/cgroup/pids".into()),
            Home::Single(
                Controller::Memory,
                "/sys/fs/cgroup/memory/service/one".into()
            ),
        ]
    );
}

#[test]
fn a_mount_of_a_subtree_is_resolved_from_its_root() {
    let mountinfo = "40 20 0:28 /user.slice /grp rw - cgroup2 cgroup2 rw,nsdelegate\n";
    assert_eq!(
        homes("0::/user.slice/app.scope\n", mountinfo),
        [Home::Unified("/grp/app.scope".into())]
    );
    assert_eq!(homes("0::/system.slice\n", mountinfo), []);
}

#[test]
fn malformed_lines_find_nothing() {
    assert_eq!(homes("", ""), []);
    assert_eq!(homes("0::\nx\n4:memory\n", "a b - \n - cgroup2\n"), []);
}

#[test]
fn without_a_group_each_process_keeps_its_own_memory_limit() {
    let groups = Groups::default();
    assert_eq!(groups.memory_keeper(), MemoryKeeper::ResourceLimit);
    assert!(groups.observe().is_none());
}
