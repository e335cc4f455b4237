//! Tests of how the control groups of this process are found.

use super::home::homes;
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
    assert_eq!(groups.memory_keeper(), Keeper::ResourceLimit);
    assert!(groups.observe(1).is_none());
}

#[test]
fn groups_that_nobody_keeps_any_more_are_removed() {
    let groups = Groups::make(&Limits::default());
    let folders: Vec<PathBuf> = groups.made.iter().map(|made| made.folder.clone()).collect();
    if folders.is_empty() {
        return println!("skipped: this user can make no control group here");
    }
    assert!(folders.iter().all(|folder| folder.is_dir()));
    drop(groups);
    assert!(!folders.iter().any(|folder| folder.exists()));
}

const MANAGED: &str = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice";

fn signs(owner: u32, marked: bool) -> delegation::Signs {
    delegation::Signs {
        owner: Some(owner),
        marked,
    }
}

/// Whether `group` is `user`'s where systemd is not asked.
fn is_ours(group: &Path, user: u32, signs: delegation::Signs) -> bool {
    delegation::is_ours(group, user, signs, |_| {
        unreachable!("nothing is left to ask")
    })
}

fn managed(name: &str) -> PathBuf {
    Path::new(MANAGED).join(name)
}

#[test]
fn a_group_of_another_user_is_never_ours() {
    let group = managed("nightshift.service");
    assert!(!is_ours(&group, 1000, signs(0, false)));
    assert!(!is_ours(&group, 1000, signs(0, true)));
    let unknown = delegation::Signs {
        owner: None,
        marked: true,
    };
    assert!(!is_ours(&group, 1000, unknown));
}

#[test]
fn root_owns_all_groups_and_takes_only_what_is_marked() {
    let group = Path::new("/sys/fs/cgroup/system.slice/nightshift.service");
    assert!(!is_ours(group, 0, signs(0, false)));
    assert!(is_ours(group, 0, signs(0, true)));
}

#[test]
fn a_user_has_what_was_given_and_of_the_own_systemd_what_that_delegates() {
    let given = Path::new("/sys/fs/cgroup/system.slice/nightshift.service");
    assert!(is_ours(given, 1000, signs(1000, false)));
    let asked_for = managed("nightshift-agent-77.scope");
    assert!(is_ours(&asked_for, 1000, signs(1000, false)));
    let group = managed("terminal.scope");
    assert!(is_ours(&group, 1000, signs(1000, true)));
    for says in [true, false] {
        let found = delegation::is_ours(&group, 1000, signs(1000, false), |asked| {
            assert_eq!(asked, group);
            says
        });
        assert_eq!(found, says);
    }
}

#[test]
fn a_group_below_a_units_own_names_no_unit() {
    assert_eq!(systemd::unit(&managed("a.scope")), Some("a.scope"));
    assert_eq!(systemd::unit(&managed("a.service")), Some("a.service"));
    assert_eq!(systemd::unit(&managed("a.service/agent")), None);
    assert_eq!(systemd::unit(Path::new("/")), None);
}

#[test]
fn only_a_scope_of_the_same_user_is_left_and_a_session_only_where_its_end_changes_nothing() {
    let session = Path::new("/sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope");
    assert!(systemd::may_leave(session, 1000, || true));
    assert!(!systemd::may_leave(session, 1000, || false));
    assert!(!systemd::may_leave(session, 1001, || true));
    assert!(systemd::may_leave(&managed("terminal.scope"), 1000, || {
        false
    }));
    assert!(!systemd::may_leave(
        &managed("nightshift.service"),
        1000,
        || true
    ));
    let system = Path::new("/sys/fs/cgroup/system.slice/nightshift.service");
    assert!(!systemd::may_leave(system, 1000, || true));
    let root = Path::new("/sys/fs/cgroup/user.slice/user-0.slice/session-1.scope");
    assert!(!systemd::may_leave(root, 0, || true));
}

#[test]
fn the_scope_that_is_asked_for_holds_this_process_and_is_known_by_its_name() {
    let words = systemd::call(77);
    let name = words.iter().find(|word| word.ends_with(".scope")).unwrap();
    assert!(systemd::is_asked_for(&managed(name)));
    assert!(!systemd::is_asked_for(&managed("terminal.scope")));
    let text = words.join(" ");
    assert!(text.contains("PIDs au 1 77 Delegate b true CollectMode s inactive-or-failed"));
}

#[test]
fn lists_of_the_kernel_are_read() {
    assert!(delegation::has_controllers("cpu memory pids\n"));
    assert!(!delegation::has_controllers("cpu memory_and_more pids\n"));
    assert!(!delegation::has_controllers(""));
    assert_eq!(delegation::processes("12\n0\n345\n"), [12, 345]);
    assert!(delegation::processes("").is_empty());
}
