//! Orders: sizes, ranges, times.
