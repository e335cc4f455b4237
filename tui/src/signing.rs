//! Owns signing with the account key on the command line, and taking what was signed to the ledger.
//!
//! Never gives the key or its passphrase to the node: that gets the signed bytes.

use anyhow::Context as _;
use market::keys::SecretKey;
use market::ledger::{Operation, SignedTransaction};
use market::{AccountId, ChainId};
use market_node::api::{ApiClient, BalanceView, SubmitRequest, TxView, transaction_at};
use market_node::identity::Identity;
use market_node::membership::Membership;

use crate::cli::Context;
use crate::passphrase::{PassphraseFlags, account_key};

/// The node of this home, and whose home it is.
pub(crate) struct Signer {
    /// The account of this home.
    pub(crate) account: AccountId,
    /// Its running node.
    pub(crate) client: ApiClient,
    membership: Membership,
}

impl Signer {
    /// Finds out whose home this is; a node must run in it.
    ///
    /// # Errors
    /// No node runs, or the home is not whole.
    pub(crate) async fn of(context: &Context) -> anyhow::Result<Self> {
        let home = context.home()?;
        let client = context.client().await?;
        let membership = Membership::load(&home)?;
        let identity = Identity::load(&home, &membership.chain)?;
        Ok(Self {
            account: identity.account,
            client,
            membership,
        })
    }

    /// Returns the market's chain id.
    pub(crate) fn chain(&self) -> &ChainId {
        &self.membership.chain
    }

    /// Checks that a key is the one of this home's account.
    ///
    /// # Errors
    /// It is another one.
    pub(crate) fn check_key(&self, key: &SecretKey) -> anyhow::Result<()> {
        anyhow::ensure!(
            key.account() == self.account,
            "keys/account.key is the key of {}, and this home belongs to {}; put the right key there, from a backup",
            key.account(),
            self.account
        );
        Ok(())
    }

    /// Signs an operation with the account key, and waits until it is final.
    ///
    /// # Errors
    /// The key cannot be had, or the ledger refuses.
    pub(crate) async fn submit(
        &self,
        operation: Operation,
        (context, flags): (&Context, &PassphraseFlags),
    ) -> anyhow::Result<TxView> {
        let key = account_key(&context.home()?, flags)?;
        self.check_key(&key)?;
        let balance: BalanceView = self.client.get("/v1/wallet/balance").await?;
        let transaction =
            transaction_at(balance.height, operation).context("making the transaction")?;
        let signed = SignedTransaction::sign(&transaction, &key, &self.membership.chain);
        let request = SubmitRequest::of(&signed);
        Ok(self.client.post("/v1/wallet/submit", &request).await?)
    }
}
