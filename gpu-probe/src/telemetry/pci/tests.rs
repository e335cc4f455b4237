//! Tests of addresses.

use proptest::prelude::*;

use super::*;

#[test]
fn every_spelling_is_one_address() {
    let address = PciAddress::parse("0000:01:00.0").unwrap();
    assert_eq!(PciAddress::parse("00000000:01:00.0"), Some(address));
    assert_eq!(PciAddress::parse("01:00.0\n"), Some(address));
    let upper = PciAddress::parse("0000:0A:1F.7").unwrap();
    assert_eq!(upper.to_string(), "0000:0a:1f.7");
}

#[test]
fn what_is_no_whole_address_is_none() {
    for text in [
        "",
        ".",
        "::.",
        "01:00",
        "0000:01:20.0",
        "0000:01:00.8",
        "0000:001:00.0",
        "+1:00.0",
        "1:2:3:4.0",
        "0000:01:00.0x",
    ] {
        assert_eq!(PciAddress::parse(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in ".*") {
        let _ = PciAddress::parse(&text);
    }

    #[test]
    fn printing_and_parsing_are_inverse(
        (domain, bus, device, function) in (0..=0xffff_u32, any::<u8>(), 0..32_u8, 0..8_u8)
    ) {
        let address = PciAddress { domain, bus, device, function };
        prop_assert_eq!(PciAddress::parse(&address.to_string()), Some(address));
    }
}
