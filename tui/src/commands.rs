//! Owns the list of commands. Each command is one file with its arguments and one function.
//!
//! Never does a command's work here.

mod ask;
mod bench;
mod bid;
mod cancel;
mod cancel_order;
mod completions;
mod config_set;
mod config_show;
mod demo;
mod describe;
mod doctor;
mod fetch;
mod init;
mod job_reference;
mod ledger_audit;
mod ledger_export;
mod ledger_show;
mod ledger_verify;
mod logs;
mod man;
mod market_book;
mod market_classes;
mod market_depth;
mod market_history;
mod market_rates;
mod market_rebuild;
mod market_trades;
mod operator_cosign;
mod operator_init;
mod operator_issue;
mod operator_redeem;
mod operator_rotate_key;
mod operator_run;
mod operator_status;
mod operator_submit;
mod operator_treasury_key;
mod orders;
mod probe;
mod ps;
mod quote;
mod run;
mod sandbox_check;
mod status;
mod tui;
mod up;
mod wallet_address;
mod wallet_backup;
mod wallet_balance;
mod wallet_decrypt;
mod wallet_delegate;
mod wallet_delegations;
mod wallet_encrypt;
mod wallet_history;
mod wallet_passphrase;
mod wallet_restore;
mod wallet_revoke;
mod wallet_send;
pub(crate) mod worker;

use clap::Subcommand;

use crate::cli::Context;
use crate::logs::Logs;

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a whole market on this machine: one job bought, run and paid
    Demo(demo::Args),
    /// Make this machine's keys and join a market
    Init(init::Args),
    /// Run this home's node
    Up(up::Args),
    /// Measure this machine's GPUs
    Probe(probe::Args),
    /// Show this node at a glance
    Status(status::Args),
    /// Show this node in a live screen; starts the node where none runs
    Tui(tui::Args),
    /// Look at what is offered and what was traded
    #[command(subcommand)]
    Market(MarketCommand),
    /// Rank the offers that fit a job, without buying
    Quote(quote::Args),
    /// Buy a job and follow it to its end
    Run(run::Args),
    /// Bid for a job; this home's node buys by itself when somebody sells at that price
    Bid(bid::Args),
    /// Look up what a job file can say
    #[command(subcommand)]
    Job(JobCommand),
    /// List the jobs that this node bought, and its bids
    Ps(ps::Args),
    /// Show everything that is known of one run
    Describe(describe::Args),
    /// Show what happened in one run, and follow it
    Logs(logs::Args),
    /// End a run; what was done is paid, the rest comes back
    Cancel(cancel::Args),
    /// Bring what a run delivered into a folder
    Fetch(fetch::Args),
    /// Show what this node asks for its GPU and why, or change it at once
    Ask(ask::Args),
    /// List this node's orders in the book, and why they are not filled
    Orders(orders::Args),
    /// Take one of this node's orders out of the book
    CancelOrder(cancel_order::Args),
    /// Look after this account's money
    #[command(subcommand)]
    Wallet(WalletCommand),
    /// Run the market's bootstrap peer and ledger
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// Check and read the ledger
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Look at what confines jobs on this machine
    #[command(subcommand)]
    Sandbox(SandboxCommand),
    /// Check this home, this machine and this market; say what to do
    Doctor(doctor::Args),
    /// Look at this home's settings, or change one
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Repeat the measurements of docs/measurements
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Print what makes a shell complete this program's commands
    Completions(completions::Args),
    /// Print the manual page
    Man(man::Args),
}

/// What can be looked at.
#[derive(Debug, Subcommand)]
pub(crate) enum MarketCommand {
    /// List the standing offers, cheapest first within a class
    Book(market_book::Args),
    /// Show every class at a glance: best prices, last trade, volume, index
    Classes(market_classes::Args),
    /// Show the price levels of a class on both sides
    Depth(market_depth::Args),
    /// Show what an hour of a class is worth in hours of the others
    Rates(market_rates::Args),
    /// List the candles of a class
    History(market_history::Args),
    /// List the newest settled channels
    Trades(market_trades::Args),
    /// Make this node's market data again from the ledger, and check each trade
    Rebuild(market_rebuild::Args),
}

/// What can be looked up of jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// Print every key of a job file with its default, its range and its meaning
    Reference(job_reference::Args),
}

/// What can be done with money.
#[derive(Debug, Subcommand)]
pub(crate) enum WalletCommand {
    /// Print this account's address; needs no running node
    Address(wallet_address::Args),
    /// Show what can be spent and what is locked
    Balance(wallet_balance::Args),
    /// Send money to another account
    Send(wallet_send::Args),
    /// List what came in and what went out, newest first
    History(wallet_history::Args),
    /// List the nodes that act for this account
    Delegations(wallet_delegations::Args),
    /// Let this home's node act for the account, anew
    Delegate(wallet_delegate::Args),
    /// Take back what this account delegated to a node
    Revoke(wallet_revoke::Args),
    /// Write this account's key and market into one file, encrypted
    Backup(wallet_backup::Args),
    /// Make a home of the same account out of a backup
    Restore(wallet_restore::Args),
    /// Encrypt this home's account key with a passphrase
    Encrypt(wallet_encrypt::Args),
    /// Write this home's account key unencrypted again
    Decrypt(wallet_decrypt::Args),
    /// Change the passphrase of this home's account key
    Passphrase(wallet_passphrase::Args),
}

/// What an operator does.
#[derive(Debug, Subcommand)]
pub(crate) enum OperatorCommand {
    /// Make a new market
    Init(operator_init::Args),
    /// Keep the market running; prints the join string
    Run(operator_run::Args),
    /// Show the join string, the newest block and the sums of all money
    Status(operator_status::Args),
    /// Issue money to an account
    Issue(operator_issue::Args),
    /// Take money out of the market
    Redeem(operator_redeem::Args),
    /// Add this home's signatures to a change of supply that several must sign
    Cosign(operator_cosign::Args),
    /// Take a change of supply to the ledger that all have signed
    Submit(operator_submit::Args),
    /// Make this home's treasury key and print its address; needs no running node
    TreasuryKey(operator_treasury_key::Args),
    /// Sign blocks with a new key from now on
    RotateKey(operator_rotate_key::Args),
}

/// What can be done with the ledger.
#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Replay an operator's block log from the genesis and add up all money
    Verify(ledger_verify::Args),
    /// Write out every movement of money of an operator's block log
    Export(ledger_export::Args),
    /// Add up an account's whole history and hold it against proofs
    Audit(ledger_audit::Args),
    /// Show a block, a transaction, an account, a channel or the operators, with the proof
    Show(ledger_show::Args),
}

/// What can be looked at of the sandbox.
#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    /// Attack the sandbox from inside and show what held
    Check(sandbox_check::Args),
}

/// What can be done with settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show every setting, its value, and what decided it
    Show(config_show::Args),
    /// Put a setting into config.toml; comments and the rest stay as they are
    Set(config_set::Args),
}

impl Command {
    /// Says where this command's logs go.
    pub(crate) fn logs(&self) -> Logs {
        match self {
            Self::Tui(_) => Logs::Screen,
            Self::Up(args) if args.service.wish().is_none() => Logs::Node,
            Self::Operator(OperatorCommand::Run(args)) if args.service.wish().is_none() => {
                Logs::Node
            }
            _ => Logs::Brief,
        }
    }
}

/// Does a command.
pub(crate) async fn execute(command: Command, context: &Context) -> anyhow::Result<()> {
    match command {
        Command::Demo(args) => Box::pin(demo::execute(args, context)).await,
        Command::Doctor(args) => Box::pin(doctor::execute(args, context)).await,
        Command::Config(ConfigCommand::Show(args)) => config_show::execute(args, context).await,
        Command::Config(ConfigCommand::Set(args)) => config_set::execute(args, context).await,
        Command::Bench(command) => bench::execute(command, context).await,
        Command::Init(args) => Box::pin(init::execute(args, context)).await,
        Command::Up(args) => Box::pin(up::execute(args, context)).await,
        Command::Probe(args) => Box::pin(probe::execute(args, context)).await,
        Command::Run(args) => Box::pin(run::execute(args, context)).await,
        Command::Bid(args) => Box::pin(bid::execute(args, context)).await,
        Command::Ledger(LedgerCommand::Verify(args)) => ledger_verify::execute(args, context).await,
        Command::Ledger(LedgerCommand::Audit(args)) => ledger_audit::execute(args, context).await,
        Command::Ledger(LedgerCommand::Show(args)) => ledger_show::execute(args, context).await,
        Command::Ledger(LedgerCommand::Export(args)) => ledger_export::execute(args, context).await,
        Command::Sandbox(SandboxCommand::Check(args)) => {
            sandbox_check::execute(args, context).await
        }
        Command::Status(args) => status::execute(args, context).await,
        Command::Tui(args) => Box::pin(tui::execute(args, context)).await,
        Command::Market(command) => execute_market(command, context).await,
        Command::Quote(args) => quote::execute(args, context).await,
        Command::Job(JobCommand::Reference(args)) => job_reference::execute(args, context),
        Command::Ps(args) => ps::execute(args, context).await,
        Command::Describe(args) => describe::execute(args, context).await,
        Command::Logs(args) => logs::execute(args, context).await,
        Command::Cancel(args) => cancel::execute(args, context).await,
        Command::Fetch(args) => fetch::execute(args, context).await,
        Command::Ask(args) => ask::execute(args, context).await,
        Command::Orders(args) => orders::execute(args, context).await,
        Command::CancelOrder(args) => cancel_order::execute(args, context).await,
        Command::Completions(args) => completions::execute(&args),
        Command::Man(args) => man::execute(&args),
        Command::Wallet(command) => execute_wallet(command, context).await,
        Command::Operator(command) => execute_operator(command, context).await,
    }
}

async fn execute_market(command: MarketCommand, context: &Context) -> anyhow::Result<()> {
    match command {
        MarketCommand::Book(args) => market_book::execute(args, context).await,
        MarketCommand::Classes(args) => market_classes::execute(args, context).await,
        MarketCommand::Depth(args) => market_depth::execute(args, context).await,
        MarketCommand::Rates(args) => market_rates::execute(args, context).await,
        MarketCommand::History(args) => market_history::execute(args, context).await,
        MarketCommand::Trades(args) => market_trades::execute(args, context).await,
        MarketCommand::Rebuild(args) => market_rebuild::execute(args, context).await,
    }
}

async fn execute_wallet(command: WalletCommand, context: &Context) -> anyhow::Result<()> {
    match command {
        WalletCommand::Address(args) => wallet_address::execute(&args, context),
        WalletCommand::Balance(args) => wallet_balance::execute(args, context).await,
        WalletCommand::Send(args) => wallet_send::execute(args, context).await,
        WalletCommand::History(args) => wallet_history::execute(args, context).await,
        WalletCommand::Delegations(args) => wallet_delegations::execute(args, context).await,
        WalletCommand::Delegate(args) => wallet_delegate::execute(args, context).await,
        WalletCommand::Revoke(args) => wallet_revoke::execute(args, context).await,
        WalletCommand::Backup(args) => wallet_backup::execute(&args, context),
        WalletCommand::Restore(args) => wallet_restore::execute(&args, context),
        WalletCommand::Encrypt(args) => wallet_encrypt::execute(&args, context),
        WalletCommand::Decrypt(args) => wallet_decrypt::execute(&args, context),
        WalletCommand::Passphrase(args) => wallet_passphrase::execute(&args, context),
    }
}

async fn execute_operator(command: OperatorCommand, context: &Context) -> anyhow::Result<()> {
    match command {
        OperatorCommand::Init(args) => operator_init::execute(args, context).await,
        OperatorCommand::Run(args) => Box::pin(operator_run::execute(args, context)).await,
        OperatorCommand::Status(args) => operator_status::execute(args, context).await,
        OperatorCommand::Issue(args) => operator_issue::execute(args, context).await,
        OperatorCommand::Redeem(args) => operator_redeem::execute(args, context).await,
        OperatorCommand::Cosign(args) => operator_cosign::execute(&args, context),
        OperatorCommand::Submit(args) => operator_submit::execute(args, context).await,
        OperatorCommand::TreasuryKey(args) => operator_treasury_key::execute(&args, context),
        OperatorCommand::RotateKey(args) => operator_rotate_key::execute(args, context).await,
    }
}

#[cfg(test)]
mod tests;
