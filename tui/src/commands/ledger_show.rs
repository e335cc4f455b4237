//! Owns `nightshift ledger show`: what the ledger has under a height or an id, with its proof.
//!
//! Never computes money.

use market::ledger::{ChannelRecord, ChannelState, Operation, Transfer};
use market_node::api::{
    AccountEntry, BlockEntry, ChannelEntry, LedgerEntry, OperatorsEntry, ProofEntry,
    TransactionEntry,
};

use super::ledger_export::side;
use crate::cli::Context;
use crate::table::{Side, Table, boxed};
use crate::words;

/// Arguments of `ledger show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A block's height, an account's address, the 64 digits of a transaction or a channel, or `operators`
    #[arg(value_name = "HEIGHT|TX|ACCOUNT|CHANNEL|operators")]
    what: String,
    /// Print the bytes of the proof as well
    #[arg(long)]
    proof: bool,
}

/// Shows it; the operator is asked, and its proofs are checked by this node.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let path = format!("/v1/ledger/{}", url_segment(&args.what));
    let mut entry: LedgerEntry = context.client().await?.get(&path).await?;
    if !args.proof {
        leave_bytes_out(&mut entry);
    }
    context.print(&entry, text)
}

/// Keeps what cannot stand in a path out of it; it names nothing anyway, and the answer says so.
fn url_segment(what: &str) -> String {
    let plain = |c: char| match c.is_ascii_alphanumeric() {
        true => c,
        false => '_',
    };
    what.chars().take(80).map(plain).collect()
}

fn leave_bytes_out(entry: &mut LedgerEntry) {
    let proof = match entry {
        LedgerEntry::Block(_) => None,
        LedgerEntry::Operators(entry) => entry.proof.as_mut(),
        LedgerEntry::Transaction(transaction) => Some(&mut transaction.proof),
        LedgerEntry::Account(account) => account.proof.as_mut(),
        LedgerEntry::Channel(channel) => Some(&mut channel.proof),
    };
    if let Some(proof) = proof {
        proof.hex = None;
    }
}

/// Writes it in words.
pub(super) fn text(entry: &LedgerEntry) -> String {
    match entry {
        LedgerEntry::Block(block) => block_text(block),
        LedgerEntry::Transaction(transaction) => transaction_text(transaction),
        LedgerEntry::Account(account) => account_text(account),
        LedgerEntry::Channel(channel) => channel_text(channel),
        LedgerEntry::Operators(entry) => operators_text(entry),
    }
}

fn operators_text(entry: &OperatorsEntry) -> String {
    let proof = match &entry.proof {
        Some(proof) => proof_text(proof),
        None => "none: they are those that the market began with".to_owned(),
    };
    let names: Vec<String> = entry.operators.iter().map(ToString::to_string).collect();
    let rows = [
        ("blocks signed by", names.join(", ")),
        ("since", format!("block {}", entry.since)),
        ("as of", format!("block {}", entry.height)),
        ("proof", proof),
    ];
    format!(
        "{}{}",
        boxed("operators", &rows),
        bytes_text(entry.proof.as_ref())
    )
}

fn block_text(block: &BlockEntry) -> String {
    let rows = [
        ("height", block.height.to_string()),
        ("id", block.id.to_string()),
        ("before", block.prev_id.to_string()),
        ("time", format!("{} UTC", words::utc(block.time))),
        ("transactions", block.tx_root.to_string()),
        ("receipts", block.receipts_root.to_string()),
        ("state", block.state_root.to_string()),
        ("made by", block.proposer.to_string()),
        ("signed by", format!("{} of the operators", block.votes)),
        (
            "next block",
            match block.hands_over {
                true => "signed by others: the operators have changed",
                false => "signed by the same",
            }
            .to_owned(),
        ),
    ];
    boxed("block", &rows)
}

fn transaction_text(entry: &TransactionEntry) -> String {
    let rows = [
        ("id", entry.tx.to_string()),
        (
            "final in",
            format!("block {} of {} UTC", entry.height, words::utc(entry.time)),
        ),
        ("asks to", operation_text(&entry.operation)),
        ("fee", entry.fee.to_string()),
        ("proof", proof_text(&entry.proof)),
    ];
    let moved = match entry.transfers.is_empty() {
        true => "It moved no money.\n".to_owned(),
        false => transfers_text(&entry.transfers),
    };
    format!(
        "{}{moved}{}",
        boxed("transaction", &rows),
        bytes_text(Some(&entry.proof))
    )
}

fn operation_text(operation: &Operation) -> String {
    match operation {
        Operation::Transfer {
            to, amount, memo, ..
        } => {
            let memo = words::printable(&memo.to_string());
            let note = match memo.is_empty() {
                true => String::new(),
                false => format!(", with the note {memo:?}"),
            };
            format!("send {amount} to {to}{note}")
        }
        Operation::Issue { to, amount } => format!("issue {amount} to {to}"),
        Operation::Redeem { from, amount } => format!("redeem {amount} of {from}"),
        Operation::Open { terms } => format!(
            "open a channel of {} from {} to {}",
            terms.deposit,
            terms.payer.account.short(),
            terms.payee.account.short()
        ),
        Operation::Claim { .. } => "claim what a voucher adds".to_owned(),
        Operation::CoopClose { channel, .. } => {
            format!("close channel {} for its payee", channel.short())
        }
        Operation::PayerClose {
            channel,
            cumulative,
            ..
        } => format!(
            "close channel {} for its payer, stating {cumulative}",
            channel.short()
        ),
        Operation::SetOperators { operators } => {
            let names: Vec<String> = operators.iter().map(ToString::to_string).collect();
            format!("have the next blocks signed by {}", names.join(", "))
        }
        Operation::Revoke {
            account,
            node,
            until,
        } => format!(
            "revoke what {account} delegated to node {node}, as far as it ends by {}",
            words::utc(*until)
        ),
    }
}

fn transfers_text(transfers: &[Transfer]) -> String {
    let mut table = Table::new([
        ("WHAT", Side::Left),
        ("AMOUNT", Side::Right),
        ("FROM", Side::Left),
        ("TO", Side::Left),
    ]);
    for transfer in transfers {
        table.row([
            transfer.code.to_string(),
            transfer.amount.to_string(),
            side(transfer.debit),
            side(transfer.credit),
        ]);
    }
    table.to_string()
}

fn account_text(entry: &AccountEntry) -> String {
    let proof = match &entry.proof {
        Some(proof) => proof_text(proof),
        None => "none: that an account holds nothing is the operator's word".to_owned(),
    };
    let rows = [
        ("account", entry.account.to_string()),
        ("available", entry.available.to_string()),
        ("in channels", entry.in_channels.to_string()),
        ("as of", format!("block {}", entry.height)),
        ("proof", proof),
    ];
    let channels = match entry.channels.is_empty() {
        true => String::new(),
        false => channels_text(&entry.channels),
    };
    format!(
        "{}{channels}{}",
        boxed("account", &rows),
        bytes_text(entry.proof.as_ref())
    )
}

fn channels_text(channels: &[ChannelRecord]) -> String {
    let mut table = Table::new([
        ("CHANNEL", Side::Left),
        ("STATE", Side::Left),
        ("DEPOSIT", Side::Right),
        ("PAID", Side::Right),
    ]);
    for channel in channels {
        table.row([
            channel.id.to_string(),
            state_text(channel.state).to_owned(),
            channel.deposit.to_string(),
            channel.claimed.to_string(),
        ]);
    }
    table.to_string()
}

fn state_text(state: ChannelState) -> &'static str {
    match state {
        ChannelState::Open => "open",
        ChannelState::Closing { .. } => "closing",
        ChannelState::Closed => "closed",
    }
}

fn channel_text(entry: &ChannelEntry) -> String {
    let channel = &entry.channel;
    let rows = [
        ("channel", channel.id.to_string()),
        ("agreement", channel.agreement.to_string()),
        ("state", state_text(channel.state).to_owned()),
        ("payer", channel.payer.account.to_string()),
        ("payee", channel.payee.account.to_string()),
        (
            "class",
            format!("{} at {}", channel.class, channel.price_per_hour),
        ),
        ("deposit", channel.deposit.to_string()),
        ("paid", channel.claimed.to_string()),
        ("holds", channel.balance.to_string()),
        ("expires", format!("{} UTC", words::utc(channel.expires_at))),
        ("proof", proof_text(&entry.proof)),
    ];
    format!(
        "{}{}",
        boxed("channel", &rows),
        bytes_text(Some(&entry.proof))
    )
}

fn proof_text(proof: &ProofEntry) -> String {
    format!("{} bytes, checked, by block {}", proof.bytes, proof.height)
}

fn bytes_text(proof: Option<&ProofEntry>) -> String {
    let hex = proof.and_then(|proof| proof.hex.as_ref());
    hex.map_or_else(String::new, |hex| format!("{hex}\n"))
}
