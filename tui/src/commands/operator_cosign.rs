//! Owns `nightshift operator cosign`: adds this home's signatures to a proposal that somebody handed over.
//!
//! Never signs before it has shown what that does and a person agreed. Needs no running node.

use std::path::PathBuf;

use market_node::identity::load_key;
use market_node::membership::Membership;
use market_node::proposal::Proposal;

use crate::cli::Context;
use crate::output;
use crate::passphrase::PassphraseFlags;
use crate::treasury;

/// Arguments of `operator cosign`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The proposal, as `operator issue` or `operator redeem` wrote it
    file: PathBuf,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    passphrase: PassphraseFlags,
}

/// Signs with the treasury key and, where its own money is taken out, with the account key of this home.
pub(crate) fn execute(args: &Args, context: &Context) -> anyhow::Result<()> {
    let home = context.home()?;
    let membership = Membership::load(&home)?;
    let mut proposal = Proposal::read(&args.file, membership.chain)?;
    let outlook = proposal.outlook(&membership.genesis)?;
    if !args.yes {
        let question = format!(
            "This is to {}, valid up to block {}. Sign it?",
            treasury::says(&outlook.operation),
            outlook.valid_until_height
        );
        output::confirm(&question)?;
    }
    let mut added =
        treasury::sign_as_holder(&mut proposal, &membership, (context, &args.passphrase))?;
    if home.key("treasury").exists() {
        let key = load_key(&home, "treasury")?;
        if membership.genesis.treasury.contains(&key.account()) {
            added |= proposal.sign(&key)?;
        }
    }
    anyhow::ensure!(
        added,
        "this home has no key whose signature is missing: {}",
        treasury::open(&outlook)
    );
    proposal.write(&args.file)?;
    let outlook = proposal.outlook(&membership.genesis)?;
    context.print(&outlook, |outlook| treasury::text(&args.file, outlook))
}
