//! Owns the list of the integration tests: one binary, so that it links once.
//!
//! Never holds a test of its own.

#[cfg(test)]
mod asks;
#[cfg(test)]
mod by_hand;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod config;
#[cfg(test)]
mod copy;
#[cfg(test)]
mod credits;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod disk_full;
#[cfg(test)]
mod doctor;
mod durability;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod handbook;
#[cfg(test)]
mod history;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod lease;
mod ledger;
#[cfg(test)]
mod market;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod node;
#[cfg(test)]
mod operator_killed;
#[cfg(test)]
mod ordinary;
#[cfg(test)]
mod package;
#[cfg(test)]
mod probe;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod program;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod purchase;
#[cfg(test)]
mod race;
mod readme;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod service;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod standing;
#[cfg(test)]
mod terminal;
mod tidy;
#[cfg(test)]
mod transcript;
#[cfg(test)]
mod treasury;
#[cfg(test)]
mod unconfined;
mod versions;
#[cfg(test)]
mod wallet;
