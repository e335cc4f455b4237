//! market-node.
