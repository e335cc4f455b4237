//! Tests of reading the kernel's lines, in figures of our own in each driver's format.

use proptest::prelude::*;

use super::*;

const AMDGPU: &str = "pos:\t0\nflags:\t02100002\nmnt_id:\t25\nino:\t1042\ndrm-driver:\tamdgpu\n\
    drm-client-id:\t318\ndrm-pdev:\t0000:0b:00.0\npasid:\t32790\ndrm-memory-vram:\t2411724 KiB\n\
    drm-memory-gtt: \t90112 KiB\ndrm-memory-cpu: \t0 KiB\namd-evicted-vram:\t0 KiB\n\
    drm-engine-gfx:\t7312555102 ns\ndrm-engine-compute:\t44100 ns\ndrm-engine-enc:\t0 ns\n";

const XE: &str = "drm-driver:\txe\ndrm-client-id:\t11\ndrm-pdev:\t0000:03:00.0\n\
    drm-total-system:\t0\ndrm-total-vram0:\t24 MiB\ndrm-resident-vram0:\t8192 KiB\n\
    drm-cycles-rcs:\t5512900\ndrm-total-cycles-rcs:\t90155183225\n\
    drm-total-cycles-ccs:\t90155183225\ndrm-engine-capacity-ccs:\t4\ndrm-cycles-ccs:\t17\n";

const I915: &str = "drm-driver:\ti915\ndrm-client-id:\t4\ndrm-pdev:\t0000:00:02.0\n\
    drm-total-local0:\t4096\ndrm-engine-render:\t88120 ns\ndrm-engine-video:\t0 ns\n\
    drm-engine-capacity-video:\t2\n";

#[test]
fn amdgpu_counts_nanoseconds() {
    let client = parse(AMDGPU).unwrap();
    assert_eq!(client.card, PciAddress::parse("0000:0b:00.0"));
    assert_eq!(client.id, Some(318));
    assert_eq!(client.memory_bytes, Some(2_411_724 << 10));
    let gfx = client.engines["gfx"];
    assert_eq!(gfx.work, Work::Nanoseconds(7_312_555_102));
    assert_eq!(gfx.capacity, 1);
    assert_eq!(client.engines.len(), 3);
}

#[test]
fn xe_counts_cycles_of_its_own_time() {
    let client = parse(XE).unwrap();
    let total = 90_155_183_225;
    let work = |busy| Work::Cycles { busy, total };
    assert_eq!(client.engines["rcs"].work, work(5_512_900));
    assert_eq!(client.engines["ccs"].work, work(17));
    assert_eq!(client.engines["ccs"].capacity, 4);
    assert_eq!(client.memory_bytes, Some(24 << 20));
}

#[test]
fn i915_names_groups_of_engines() {
    let client = parse(I915).unwrap();
    assert_eq!(client.engines["video"].capacity, 2);
    assert_eq!(client.engines["render"].work, Work::Nanoseconds(88_120));
    assert_eq!(client.memory_bytes, Some(4_096));
}

#[test]
fn cycles_without_their_total_are_no_time() {
    let client = parse("drm-driver: x\ndrm-cycles-rcs: 5\ndrm-maxfreq-rcs: 9 MHz\n").unwrap();
    assert!(client.engines.is_empty());
}

#[test]
fn an_ordinary_file_is_no_client() {
    assert_eq!(parse("pos:\t0\nflags:\t0100002\nmnt_id:\t9\n"), None);
    assert_eq!(parse(""), None);
}

#[test]
fn garbage_in_one_line_spoils_that_line_alone() {
    let text = "drm-driver: amdgpu\ndrm-pdev: N/A\ndrm-client-id: -1\ndrm-engine-gfx: 99999999999999999999999 ns\n\
        drm-engine-dma: 5 s\ndrm-engine-capacity-enc: 0\ndrm-engine-enc: 7 ns\ndrm-memory-vram: 18446744073709551615 MiB\n:::\n";
    let client = parse(text).unwrap();
    assert_eq!(
        (client.card, client.id, client.memory_bytes),
        (None, None, None)
    );
    let only = Engine {
        work: Work::Nanoseconds(7),
        capacity: 1,
    };
    assert_eq!(client.engines, BTreeMap::from([("enc".to_owned(), only)]));
}

#[test]
fn a_client_cannot_fill_memory_with_engines() {
    let mut text = String::from("drm-driver: x\n");
    for engine in 0..10_000 {
        text.push_str(&format!("drm-engine-e{engine}: 1 ns\n"));
    }
    assert_eq!(parse(&text).unwrap().engines.len(), ENGINES);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_lines_of_the_right_shape_panic(
        lines in prop::collection::vec(
            "drm-(driver|pdev|client-id|engine-|engine-capacity-|cycles-|total-cycles-|memory-|resident-|total-)(gfx|vram0|)[:]?[ \t]{0,2}[0-9]{0,22}[ ]?(ns|KiB|MiB|x|)",
            0..30,
        )
    ) {
        let _ = parse(&lines.join("\n"));
    }
}
