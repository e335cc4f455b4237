//! Owns the change of the operators: who must agree to it, and from when on it holds.
//!
//! Never changes who signs the block that it is in: that block hands over, under the operators before it.

use std::collections::BTreeSet;

use crate::ids::NodeId;
use crate::ledger::draft::Draft;
use crate::ledger::leaf::Leaf;
use crate::ledger::proof::quorum;
use crate::ledger::rejected::Rejected;
use crate::ledger::transaction::{MAX_OPERATORS, VerifiedTransaction};

impl Draft<'_> {
    /// Hands over to other operators from the next block on.
    pub(super) fn set_operators(
        &mut self,
        verified: &VerifiedTransaction,
        operators: &[NodeId],
    ) -> Result<(), Rejected> {
        if self.changes_operators() {
            return Err(Rejected::OperatorsChanging);
        }
        let present = self.operators();
        check_set(operators, present)?;
        let has_signed = |operator: &&NodeId| verified.signers.contains(operator.as_bytes());
        let have = present.iter().filter(has_signed).count();
        let need = quorum(present.len());
        if have < need {
            return Err(Rejected::OperatorThreshold { have, need });
        }
        let incoming = operators.iter().filter(|it| !present.contains(it));
        for operator in incoming {
            if !has_signed(&operator) {
                let operator = *operator;
                return Err(Rejected::OperatorUnproved { operator });
            }
        }
        self.put(Leaf::Operators {
            since: self.context().height.saturating_add(1),
            operators: operators.to_vec(),
        });
        Ok(())
    }
}

/// Checks that a set is one that may follow the present one.
fn check_set(operators: &[NodeId], present: &[NodeId]) -> Result<(), Rejected> {
    let found = operators.len();
    if found == 0 || found > MAX_OPERATORS {
        let max = MAX_OPERATORS;
        return Err(Rejected::OperatorCount { found, max });
    }
    let mut named = BTreeSet::new();
    for operator in operators {
        if !named.insert(*operator) {
            let operator = *operator;
            return Err(Rejected::OperatorTwice { operator });
        }
    }
    let present: BTreeSet<NodeId> = present.iter().copied().collect();
    match named == present {
        true => Err(Rejected::OperatorsSame),
        false => Ok(()),
    }
}
