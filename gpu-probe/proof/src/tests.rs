//! Tests of whole exchanges: honest provers, and provers that save work or lie.

mod cheats;
mod exchange;
mod honest;
mod precision;
mod timing;
