//! Tests of summing what others do.

use super::*;

fn load(pid: u32, class: EngineClass, permille: u16) -> Load {
    Load {
        pid,
        class,
        permille,
    }
}

fn named(pid: u32) -> Option<Label> {
    Some(Label::sanitized(&format!("program-{pid}")))
}

#[test]
fn own_workers_are_not_others() {
    let loads = [
        load(5, EngineClass::Compute, 980),
        load(9, EngineClass::Render, 20),
    ];
    let activity = Activity::of(&loads, &BTreeSet::from([5]), named);
    assert_eq!(activity.shaders_permille(), Some(20));
    assert_eq!(activity.top.map(|user| user.pid), Some(9));
}

#[test]
fn video_does_not_compete_for_the_shader_cores() {
    let loads = [load(5, EngineClass::Video, 700)];
    let activity = Activity::of(&loads, &BTreeSet::new(), named);
    assert_eq!(activity.shaders_permille(), Some(0));
    assert_eq!(activity.top, None);
    assert_eq!(activity.others_permille.unwrap()[&EngineClass::Video], 700);
}

#[test]
fn the_busiest_process_over_all_its_engines_is_named() {
    let loads = [
        load(1, EngineClass::Render, 300),
        load(2, EngineClass::Render, 200),
        load(2, EngineClass::Compute, 200),
    ];
    let top = Activity::of(&loads, &BTreeSet::new(), named).top.unwrap();
    assert_eq!((top.pid, top.permille), (2, 400));
    assert_eq!(top.name.unwrap().as_str(), "program-2");
}

#[test]
fn shares_never_pass_the_whole() {
    let loads = [load(1, EngineClass::Render, 1_000); 70];
    let activity = Activity::of(&loads, &BTreeSet::new(), named);
    assert_eq!(activity.shaders_permille(), Some(1_000));
}

#[test]
fn what_is_not_counted_is_not_zero() {
    assert_eq!(Activity::default().shaders_permille(), None);
    assert_eq!(Activity::none().shaders_permille(), Some(0));
}
