//! Owns how a stranger sells: the bait, the countersigned opening, and a lease without a worker.
//!
//! Never keeps to an agreement unless the test does so.

use std::time::Duration;

use market::agreement::{Meter, Terms};
use market::lease::{Message, Phase};
use market::ledger::Operation;
use market::order::{OrderBody, Slot};
use market::progress::Progress;
use market::voucher::Voucher;
use market::{AgreementId, Amount, ChannelId, NodeId, OrderId, PricePerHour, Signed, Timestamp};
use market_node::lease_protocol::{LeaseRequest, LeaseResponse, Refusal, Reservation};
use market_node::ledger::client::LedgerError;
use market_node::network::Reply;

use super::stranger::{Inbox, LIMIT, Stranger, soon};

/// A reservation that waits for an answer.
pub(crate) struct Asked {
    pub(crate) reservation: Box<Reservation>,
    pub(crate) reply: Reply<LeaseResponse>,
}

/// What a stranger sold, on its side.
pub(crate) struct Sold {
    pub(crate) stranger: Stranger,
    pub(crate) inbox: Inbox,
    pub(crate) terms: Terms,
    pub(crate) agreement: AgreementId,
    pub(crate) channel: ChannelId,
    opened: Timestamp,
    /// The vouchers that came, in order.
    pub(crate) vouchers: Vec<Signed<Voucher>>,
    /// Whether the payer said that it is over.
    pub(crate) cancelled: bool,
}

impl Stranger {
    /// Offers what `example` offers, cheaper.
    pub(crate) async fn offer(&self, example: NodeId, price: PricePerHour) -> OrderId {
        let example = self.ask_of(|node| *node == example).await;
        let ask = OrderBody::Ask(self.like(&example.ask, price));
        let slot = Slot::new(0).expect("0 is below 64");
        let posted = self.book.post(slot, ask, Duration::from_secs(3_600)).await;
        posted.expect("the own book takes the ask")
    }

    /// Offers nothing any more.
    pub(crate) async fn withdraw(&self) {
        let slot = Slot::new(0).expect("0 is below 64");
        let cancelled = self.book.cancel(slot).await;
        cancelled.expect("the own book takes it");
    }

    /// Waits until someone wants to buy.
    pub(crate) async fn asked(&self, inbox: &mut Inbox) -> Asked {
        loop {
            let call = inbox.recv().await.expect("the node runs");
            match call.request {
                LeaseRequest::Reserve(reservation) => {
                    let reply = call.reply;
                    return Asked { reservation, reply };
                }
                _ => call.reply.send(LeaseResponse::UnknownAgreement),
            }
        }
    }

    /// Adds this node's signature to the opening.
    pub(crate) fn countersign(
        &self,
        reservation: &Reservation,
    ) -> (Terms, market::ledger::SignedTransaction) {
        let verified = reservation.open.verify(&self.chain);
        let verified = verified.expect("an honest payer signs well");
        let Operation::Open { terms } = verified.transaction.operation else {
            panic!("a reservation opens a channel");
        };
        let open = reservation.open.clone();
        let open = open.cosign(&self.identity.node_key, &self.chain);
        let open = open.expect("this node has not signed yet");
        (
            terms,
            open.with_delegation(self.identity.delegation.clone()),
        )
    }

    /// Countersigns and submits the opening, and says so: from here on the payer believes in a lease.
    pub(crate) async fn sell(&self, mut inbox: Inbox) -> Sold {
        let Asked { reservation, reply } = self.asked(&mut inbox).await;
        let (terms, open) = self.countersign(&reservation);
        let proof = self.ledger.submit(&open).await.expect("the ledger opens");
        let opened = proof.certified.header.time;
        reply.send(LeaseResponse::Reserved(Box::new(proof)));
        Sold {
            stranger: self.clone(),
            inbox,
            agreement: terms.id(&self.chain),
            channel: terms.channel_id(&self.chain),
            terms,
            opened,
            vouchers: Vec::new(),
            cancelled: false,
        }
    }

    /// Says that the GPU is taken, and keeps the opening.
    pub(crate) async fn pretend_busy(&self, inbox: &mut Inbox) -> Box<Reservation> {
        let Asked { reservation, reply } = self.asked(inbox).await;
        reply.send(LeaseResponse::Refused(Refusal::Busy));
        reservation
    }

    /// Returns what a channel has paid so far, once it is there.
    pub(crate) async fn claimed(&self, channel: ChannelId) -> Amount {
        let found = self.ledger.channel(channel).await;
        let found = found.expect("the operator answers");
        found.expect("the channel is there").record.claimed
    }
}

impl Sold {
    /// Who pays.
    pub(crate) fn payer(&self) -> NodeId {
        self.terms.payer.node
    }

    /// Returns a meter that ran at the full rate since the opening: the most that is believed.
    pub(crate) fn full_meter(&self) -> Meter {
        let now = self.stranger.clock.now().unwrap_or(self.opened);
        let elapsed = now.saturating_since(self.opened).as_millis();
        Meter {
            running_ms: u64::try_from(elapsed).expect("tests are short"),
            hold_ms: 0,
        }
    }

    /// Says something to the payer; `None` where it does not answer.
    pub(crate) async fn say(&self, message: Message) -> Option<LeaseResponse> {
        let said = self
            .stranger
            .say(self.payer(), self.agreement, message)
            .await;
        said.ok()
    }

    /// Says that a worker has begun the job.
    pub(crate) async fn pretend_begun(&self) {
        let confined = Progress::Confined {
            layers: vec!["all of them: in words".to_owned()],
        };
        let started = Progress::Started {
            device: "a card that is somewhere else".to_owned(),
            parameters: 1,
        };
        let request = LeaseRequest::Progress {
            agreement: self.agreement,
            first: 0,
            reports: vec![confined, started],
        };
        let network = &self.stranger.network;
        let is_taken = || async {
            let answer = network.call_lease(self.payer(), request.clone()).await;
            (answer == Ok(LeaseResponse::Acknowledged)).then_some(())
        };
        soon("the payer's lease", is_taken).await;
    }

    /// Says that the work goes on.
    pub(crate) async fn pretend_running(&self, meter: Meter) -> Option<LeaseResponse> {
        let phase = Phase::Running;
        self.say(Message::Phase {
            phase,
            meter,
            proved_until: None,
        })
        .await
    }

    /// Asks for what `meter` costs and a tick more.
    pub(crate) async fn ask_for(&self, meter: Meter) -> Option<LeaseResponse> {
        let ahead = Meter {
            running_ms: meter.running_ms + u64::from(self.terms.rates.tick_ms),
            ..meter
        };
        let cumulative = self.terms.rates.due(ahead).expect("tests are short");
        self.say(Message::Due { meter, cumulative }).await
    }

    /// Takes what the payer says within `time`, and acknowledges all of it.
    pub(crate) async fn hear(&mut self, time: Duration) {
        let hearing = async {
            while let Some(call) = self.inbox.recv().await {
                if let LeaseRequest::Message { message, .. } = call.request {
                    match message {
                        Message::Voucher(voucher) => self.vouchers.push(voucher),
                        Message::Cancel => self.cancelled = true,
                        _ => {}
                    }
                }
                call.reply.send(LeaseResponse::Acknowledged);
            }
        };
        let _time_is_up = tokio::time::timeout(time, hearing).await;
    }

    /// Hears the payer out until the channel is closed on the ledger; returns what it paid.
    pub(crate) async fn until_closed(&mut self) -> Amount {
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            self.hear(Duration::from_millis(200)).await;
            if let Ok(Some(found)) = self.stranger.ledger.channel(self.channel).await
                && found.record.state == market::ledger::ChannelState::Closed
            {
                return found.record.claimed;
            }
            let is_late = tokio::time::Instant::now() > deadline;
            assert!(!is_late, "the channel was not closed within {LIMIT:?}");
        }
    }

    /// Closes with a voucher, good or not.
    pub(crate) async fn close(&self, voucher: Option<Signed<Voucher>>) -> Result<(), LedgerError> {
        let channel = self.channel;
        let close = Operation::CoopClose { channel, voucher };
        self.stranger.submit(close).await.map(drop)
    }
}
