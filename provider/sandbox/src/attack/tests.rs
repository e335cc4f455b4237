//! Tests of the table's own order.

use super::*;

#[test]
fn each_line_lies_where_its_attack_points() {
    for (place, line) in TABLE.iter().enumerate() {
        assert_eq!(line.attack as usize, place, "{}", line.words);
    }
}

#[test]
fn all_thirty_of_the_specification_are_there() {
    let numbers: std::collections::BTreeSet<u8> = Attack::all().map(Attack::number).collect();
    assert_eq!(numbers, (1..=30).collect());
    assert!(Attack::all().is_sorted_by_key(Attack::number));
}

#[test]
fn an_attack_survives_the_way_to_the_worker() {
    for attack in Attack::all() {
        let text = serde_json::to_string(&attack).unwrap();
        assert_eq!(serde_json::from_str::<Attack>(&text).unwrap(), attack);
    }
    assert!(serde_json::from_str::<Attack>("37").is_err());
}
