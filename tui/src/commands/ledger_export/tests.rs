//! Tests of what an exported file holds: notes that stay texts, a head line, and nothing lost by a failure.

use super::*;

#[test]
fn no_part_of_a_note_is_a_formula_wherever_a_spreadsheet_begins_a_cell() {
    for (memo, written) in [
        ("for you", "for you"),
        ("a=b, 1+1; x", "a=b, 1+1; x"),
        ("=1", "'=1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@a", "'@a"),
        ("x;=HYPERLINK(1)", "x;'=HYPERLINK(1)"),
        ("x; =1", "x; '=1"),
        ("x;;-1;=2", "x;;'-1;'=2"),
        ("x\t=1", "x\t'=1"),
        ("x\n@a", "x\n'@a"),
        ("x,\"=1", "x,\"'=1"),
        ("\u{ff1d}1", "'\u{ff1d}1"),
        ("x;\u{ff0b}1", "x;'\u{ff0b}1"),
        ("\u{ff0d}1", "'\u{ff0d}1"),
        ("\u{ff20}a", "'\u{ff20}a"),
        (" =1", " '=1"),
        ("", ""),
    ] {
        assert_eq!(inert(memo), written, "{memo:?}");
    }
}

fn row() -> Row {
    Row {
        height: 1,
        index: 0,
        time_ms: 0,
        tx: None,
        due: None,
        code: Code::Refund,
        debit: String::new(),
        credit: String::new(),
        amount: String::new(),
        debit_balance: String::new(),
        credit_balance: String::new(),
        memo: Some("=1".to_owned()),
    }
}

#[test]
fn a_table_without_rows_has_its_head_line_and_the_head_names_the_fields() {
    let mut out = Vec::new();
    let rows = Rows::new(ExportFormat::Csv, &mut out).unwrap();
    rows.finish().unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), HEAD.join(",") + "\n");
    let mut named = csv::Writer::from_writer(Vec::new());
    named.serialize(row()).unwrap();
    let named = String::from_utf8(named.into_inner().unwrap()).unwrap();
    assert_eq!(named.lines().next(), Some(HEAD.join(",").as_str()));
}

#[test]
fn a_file_stays_as_it_was_until_everything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.csv");
    fs::write(&path, "before").unwrap();
    let failed = export_to(&path, |mut out| -> anyhow::Result<()> {
        out.write_all(b"half")?;
        anyhow::bail!("the log is damaged")
    });
    assert!(failed.is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "before");
    export_to(&path, |mut out| Ok(out.write_all(b"whole")?)).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
