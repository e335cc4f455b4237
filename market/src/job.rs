//! Owns the job.
