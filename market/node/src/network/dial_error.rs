//! Owns what a failed attempt to connect says about the other node.
//!
//! Never takes silence for a refusal: only a system that answered "nothing listens here" proves that, and only
//! at an address where the node was before.

use std::error::Error;
use std::io;

use libp2p::Multiaddr;
use libp2p::swarm::DialError;

use super::call::CallError;

/// Says why a node could not be reached, on one line: each address that was tried, with its innermost cause.
/// `is_proof` tells at which addresses the node is known to have been.
pub(super) fn call_error(error: &DialError, is_proof: impl Fn(&Multiaddr) -> bool) -> CallError {
    let DialError::Transport(tried) = error else {
        return CallError::Unreachable(error.to_string());
    };
    let causes = tried.iter().map(|(address, error)| {
        let mut cause: &dyn Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let cause = cause.to_string();
        // libp2p lists the causes of one address on lines of their own, the last attempt last.
        let last = cause.lines().last().unwrap_or_default();
        format!("{address} ({})", last.trim_start_matches([' ', '-']))
    });
    let reason = causes.collect::<Vec<String>>().join(", ");
    let all_refused = tried.iter().all(|(_, error)| is_refusal(error));
    let was_there = tried.iter().any(|(address, _)| is_proof(address));
    match all_refused && was_there {
        true => CallError::Refused(reason),
        false => CallError::Unreachable(reason),
    }
}

/// Tells whether the innermost cause is a refused connection.
fn is_refusal(error: &(dyn Error + 'static)) -> bool {
    if let Some(system) = error.downcast_ref::<io::Error>() {
        if system.kind() == io::ErrorKind::ConnectionRefused {
            return true;
        }
        // What an error of the system wraps is not its source, but its source's source.
        if let Some(inner) = system.get_ref() {
            return is_refusal(inner);
        }
    }
    error.source().is_some_and(is_refusal)
}

#[cfg(test)]
mod tests;
