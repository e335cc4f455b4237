//! Tests of faults: none of them may panic or pass unseen.

use super::*;
use crate::kernels;
use crate::tests::session;

impl Session {
    /// Loses the device, as an unplugged card does.
    pub(crate) fn lose(&self) {
        self.device.destroy();
    }
}

#[test]
fn a_lost_device_is_an_error_and_stays_one() {
    let Some(session) = session() else { return };
    session.lose();
    for _ in 0..2 {
        let result = session.run(|_| ());
        assert!(
            matches!(result, Err(ProbeError::DeviceLost { .. })),
            "{result:?}"
        );
    }
}

#[test]
fn a_buffer_beyond_the_limits_is_refused_and_the_device_goes_on() {
    let Some(session) = session() else { return };
    assert!(session.storage(1 << 60).is_err());
    let buffer = session.storage(16).unwrap();
    assert_eq!(session.read_words(&[(&buffer, 12)]).unwrap(), [0]);
}

#[test]
fn a_shader_that_does_not_compile_is_refused_in_words() {
    let Some(session) = session() else { return };
    let mut kernel = kernels::fill();
    kernel.source = kernel.source.replace("quad * 4u", "quad * nothing");
    let Err(ProbeError::Refused { detail }) = session.pipeline(&kernel) else {
        unreachable!("an unknown name compiled");
    };
    assert!(detail.contains("nothing"), "{detail}");
}

#[test]
fn words_come_back_in_the_order_asked() {
    let Some(session) = session() else { return };
    let buffer = session.storage(16).unwrap();
    let words: [u32; 4] = [10, 11, 12, 13];
    session
        .queue
        .write_buffer(&buffer, 0, bytemuck::cast_slice(&words));
    let places = [(&buffer, 12), (&buffer, 0), (&buffer, 8)];
    assert_eq!(session.read_words(&places).unwrap(), [13, 10, 12]);
}
