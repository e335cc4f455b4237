//! Tests of the layout of tables and boxes.

use super::{Side, Table, boxed, width};

#[test]
fn columns_are_as_wide_as_their_widest_cell() {
    let mut table = Table::new([("NAME", Side::Left), ("PRICE", Side::Right)]);
    table.row(["a".into(), "0.25 cr/h".into()]);
    table.row(["longer".into(), "1 cr/h".into()]);
    let expected = "\
NAME        PRICE
a       0.25 cr/h
longer     1 cr/h
";
    assert_eq!(table.to_string(), expected);
}

#[test]
fn wide_characters_count_as_the_cells_they_take() {
    let mut table = Table::new([("A", Side::Left), ("B", Side::Left)]);
    table.row(["漢字".into(), "x".into()]);
    assert_eq!(table.to_string(), "A     B\n漢字  x\n");
}

#[test]
fn a_box_closes_on_the_right_whatever_it_holds() {
    let cases: [(&str, &[(&str, String)]); 3] = [
        ("a title longer than every row", &[("a", "b".to_owned())]),
        (
            "t",
            &[("name", "漢字".to_owned()), ("", "second line".to_owned())],
        ),
        ("empty", &[]),
    ];
    for (title, rows) in cases {
        let drawn = boxed(title, rows);
        let widths: Vec<usize> = drawn.lines().map(width).collect();
        assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{drawn}");
        assert_eq!(widths.len(), rows.len() + 2);
    }
}

#[test]
fn a_long_value_is_broken_at_spaces_and_loses_nothing() {
    let words: Vec<String> = (0..60).map(|number| format!("layer{number}")).collect();
    let long = words.join(" ");
    let lines = super::broken(&long, super::MAX_VALUE);
    assert!(lines.len() > 3);
    assert!(lines.iter().all(|line| width(line) <= super::MAX_VALUE));
    assert_eq!(lines.join(" "), long);
    let unbreakable = "x".repeat(200);
    assert_eq!(super::broken(&unbreakable, super::MAX_VALUE), [unbreakable]);
}
