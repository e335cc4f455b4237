//! Owns how a stranger buys: the terms, the payer's signature, vouchers of its own making.
//!
//! Never pays unless the test does.

use std::time::Duration;

use market::agreement::{Party, Rates, Terms};
use market::job::{ArtifactName, Input, JobKind, JobSpec, Limits, TrainSpec};
use market::lease::Message;
use market::ledger::Operation;
use market::receipt::SignedReceipt;
use market::voucher::Voucher;
use market::wire::Seal;
use market::{AgreementId, Amount, ChannelId, NodeId, Signed};
use market_node::book::AskView;
use market_node::identity::fresh_nonce;
use market_node::lease_protocol::{LeaseRequest, LeaseResponse, Reservation};
use market_node::network::CallError;

use super::stranger::{Inbox, LIMIT, Peer, Stranger};
use crate::market::Market;

/// How long the channels of strangers last at most.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// What the jobs of strangers train on, two hundred times.
pub(crate) const JOB_TEXT: &str = "All nodes of a market keep one book. ";

/// A stranger with money.
pub(crate) struct Buyer {
    pub(crate) peer: Peer,
    pub(crate) inbox: Inbox,
}

/// What a stranger bought, on its side.
pub(crate) struct Bought {
    pub(crate) terms: Terms,
    pub(crate) agreement: AgreementId,
    pub(crate) channel: ChannelId,
}

impl Buyer {
    /// Joins and is given credits by the operator.
    pub(crate) fn join(market: &Market, name: &str, credits: &str) -> Self {
        let (peer, inbox) = Peer::join(market, name);
        let account = peer.stranger.identity.account.to_string();
        let issue = ["operator", "issue", &account, credits];
        market.operator.run(&issue).succeeded();
        Self { peer, inbox }
    }
}

impl Stranger {
    /// Makes a job of one step whose input can be fetched from here by `provider`, and by nobody else.
    pub(crate) fn job_for(&self, provider: NodeId) -> JobSpec {
        let text = JOB_TEXT.repeat(200);
        let blob = self.blobs.import_bytes(text.as_bytes());
        let blob = blob.expect("a small blob is stored");
        self.permissions.share(blob.hash, provider);
        job_about(text.as_bytes())
    }

    /// Makes terms that `ask` accepts.
    pub(crate) fn terms(&self, ask: &AskView, job: &JobSpec, deposit: Amount) -> Terms {
        Terms {
            payer: Party {
                account: self.identity.account,
                node: self.node(),
            },
            payee: Party {
                account: ask.ask.account,
                node: ask.register.node,
            },
            ask: ask.order,
            job: job.id(&self.chain),
            class: ask.ask.class,
            rates: Rates {
                price_per_hour: ask.ask.price,
                gpus: 1,
                hold_bps: ask.ask.hold_bps,
                tick_ms: ask.ask.tick_ms,
                prepaid_ticks: 1,
                delivery_ticks: 30,
            },
            deposit,
            payer_nonce: fresh_nonce().expect("the system has entropy"),
            expires_at: self
                .clock
                .now()
                .expect("the time is known")
                .saturating_add(LIFETIME),
        }
    }

    /// Asks the maker of an ask to work under `terms`.
    pub(crate) async fn reserve(
        &self,
        terms: &Terms,
        job: JobSpec,
    ) -> Result<LeaseResponse, CallError> {
        let terms = terms.clone();
        let provider = terms.payee.node;
        let open = self.sign(Operation::Open { terms });
        let request = LeaseRequest::Reserve(Box::new(Reservation { open, job }));
        self.network.call_lease(provider, request).await
    }

    /// Buys from the maker of `ask`.
    pub(crate) async fn buy(&self, ask: &AskView, deposit: Amount) -> Bought {
        let job = self.job_for(ask.register.node);
        let terms = self.terms(ask, &job, deposit);
        let answer = self.reserve(&terms, job).await;
        assert!(
            matches!(answer, Ok(LeaseResponse::Reserved(_))),
            "the provider answered {answer:?}"
        );
        self.bought(terms)
    }

    pub(crate) fn bought(&self, terms: Terms) -> Bought {
        Bought {
            agreement: terms.id(&self.chain),
            channel: terms.channel_id(&self.chain),
            terms,
        }
    }

    /// Signs a voucher for `cumulative` in all.
    pub(crate) fn voucher(
        &self,
        channel: ChannelId,
        sequence: u64,
        cumulative: Amount,
    ) -> Signed<Voucher> {
        let voucher = Voucher {
            channel,
            sequence,
            cumulative,
            meter_hash: [0; 32],
        };
        Signed::sign(&voucher, &self.identity.node_key, &self.chain)
    }

    /// Pays, and returns the provider's answer.
    pub(crate) async fn pay(&self, bought: &Bought, voucher: Signed<Voucher>) -> LeaseResponse {
        let message = Message::Voucher(voucher);
        let said = self.say(bought.terms.payee.node, bought.agreement, message);
        said.await.expect("the provider answers")
    }

    /// Ends what was bought in good order: says so, waits for the receipt, signs it.
    pub(crate) async fn end(&self, bought: &Bought, inbox: &mut Inbox) -> Amount {
        let provider = bought.terms.payee.node;
        let cancel = self.say(provider, bought.agreement, Message::Cancel);
        cancel.await.expect("the provider answers");
        let receipt = hear_receipt(inbox, bought.agreement).await;
        let paid = receipt.receipt.paid;
        self.countersign_receipt(bought, receipt).await;
        paid
    }

    /// Puts this side's seal on a receipt and sends it back, so that the provider need not wait for it.
    pub(crate) async fn countersign_receipt(&self, bought: &Bought, mut receipt: SignedReceipt) {
        let seal = Seal::new(&receipt.receipt, &self.identity.node_key, &self.chain);
        receipt.payer = Some(seal);
        let (provider, message) = (bought.terms.payee.node, Message::Receipt(Box::new(receipt)));
        let signed = self.say(provider, bought.agreement, message).await;
        assert_eq!(signed, Ok(LeaseResponse::Acknowledged));
    }
}

/// Makes a job of one step on `content`.
pub(crate) fn job_about(content: &[u8]) -> JobSpec {
    let name: ArtifactName = "data.txt".parse().expect("a name");
    let mut train = TrainSpec::new(name.clone());
    (train.steps, train.warm_up_steps) = (1, 0);
    JobSpec {
        inputs: vec![Input::of(name, content)],
        kind: JobKind::Train(train),
        limits: Limits::default(),
    }
}

/// Takes all that is said about an agreement until the receipt comes.
pub(crate) async fn hear_receipt(inbox: &mut Inbox, agreement: AgreementId) -> SignedReceipt {
    let hearing = async {
        loop {
            let call = inbox.recv().await.expect("the node runs");
            call.reply.send(LeaseResponse::Acknowledged);
            if let LeaseRequest::Message {
                agreement: about,
                message: Message::Receipt(receipt),
            } = call.request
                && about == agreement
            {
                return *receipt;
            }
        }
    };
    let heard = tokio::time::timeout(LIMIT, hearing).await;
    heard.expect("the provider sends a receipt")
}
