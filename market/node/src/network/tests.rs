//! Tests of real swarms on the loopback interface.
