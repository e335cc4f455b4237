//! Tests of the run's name: text and bytes both ways, and what is refused.

use market::wire;

use super::RunId;

#[test]
fn a_run_is_sixteen_hexadecimal_digits_as_text_and_eight_bytes_on_disk() {
    let run = RunId::from_bytes([0x1a, 0xb2, 3, 4, 5, 6, 7, 0xff]);
    assert_eq!(run.to_string(), "1ab20304050607ff");
    assert_eq!(run.to_string().parse(), Ok(run));
    assert_eq!(serde_json::to_string(&run).unwrap(), "\"1ab20304050607ff\"");
    assert_eq!(
        serde_json::from_str::<RunId>("\"1ab20304050607ff\"").unwrap(),
        run
    );
    let bytes = wire::encode(&run);
    assert_eq!(bytes, run.as_bytes());
    assert_eq!(wire::decode::<RunId>(&bytes, 8).unwrap(), run);
}

#[test]
fn what_is_no_run_is_refused_with_the_form_that_is() {
    for text in ["", "1ab2", "1ab20304050607fg", "1ab20304050607ff00"] {
        let error = text.parse::<RunId>().unwrap_err().to_string();
        assert!(error.contains("16 hexadecimal digits"), "{error}");
    }
}
