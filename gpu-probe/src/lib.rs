//! gpu-probe.
