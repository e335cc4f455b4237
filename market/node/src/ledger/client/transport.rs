//! Owns how a request reaches an operator.
//!
//! Never looks at what an answer says.

use market::NodeId;

use super::LedgerError;
use crate::ledger::operator::OperatorHandle;
use crate::ledger::protocol::{LedgerRequest, LedgerResponse, Unavailable};
use crate::network::{CallError, Client};

/// The way to an operator.
#[derive(Debug, Clone)]
pub enum Transport {
    /// The operator runs in this process.
    Local(OperatorHandle),
    /// The operators are other nodes.
    Remote(Client),
}

impl Transport {
    /// Returns the nodes to ask: those that the market began with, then those that this node was told to meet it at.
    /// A node keeps its network key when it signs blocks with another, so that these stay who they are.
    pub(super) fn contacts(&self, founders: &[NodeId]) -> Vec<NodeId> {
        let mut contacts = founders.to_vec();
        if let Self::Remote(network) = self {
            let others = network.bootstrap_nodes().iter();
            contacts.extend(others.filter(|node| !founders.contains(node)));
        }
        contacts
    }

    /// Asks one operator after the other, and returns the first answer.
    pub(super) async fn ask(
        &self,
        operators: &[NodeId],
        request: LedgerRequest,
    ) -> Result<LedgerResponse, LedgerError> {
        match self {
            Self::Local(handle) => Ok(handle.answer(request).await),
            Self::Remote(network) => ask_each(network, operators, request).await,
        }
    }
}

async fn ask_each(
    network: &Client,
    operators: &[NodeId],
    request: LedgerRequest,
) -> Result<LedgerResponse, LedgerError> {
    let mut failure = LedgerError::Unavailable(Unavailable::NotOperator);
    for &operator in operators {
        match network.call_ledger(operator, request.clone()).await {
            Ok(LedgerResponse::Unavailable(why)) => failure = LedgerError::Unavailable(why),
            Ok(response) => return Ok(response),
            Err(source) => failure = unreachable_operator(operator, source),
        }
    }
    Err(failure)
}

fn unreachable_operator(operator: NodeId, source: CallError) -> LedgerError {
    LedgerError::Unreachable { operator, source }
}
