//! Pages of the history of a real ledger: each entry with its other side, all entries once; and answers that lie.

use market::agreement::Terms;
use market::ledger::{Bucket, Cause, Code, Operation};
use market::voucher::Voucher;
use market::{ChannelId, Signed, TxId};
use tempfile::TempDir;

use super::super::views::HistoryRow;
use super::*;
use crate::clock::ProtocolClock;
use crate::ledger::client::Transport;
use crate::ledger::protocol::{HistoryCursor, HistoryEntry, HistoryPage, HistoryQuery};
use crate::ledger::testing::{
    Running, config, genesis, issue, job, key, nano, signed, terms, transfer,
};

/// A ledger that knows accounts 1 and 2, and what their nodes keep; that of account 1 buys.
struct Market {
    _folder: TempDir,
    _running: Running,
    stores: [NodeStore; 2],
    client: LedgerClient,
    terms: Terms,
}

impl Market {
    /// Account 1 pays account 2 and rents from it: opening, a claim, and the close by the payee.
    async fn with_a_job() -> Self {
        let market = Self::open().await;
        let client = &market.client;
        let (payer, payee) = (key(1), key(2));
        client.submit(&issue(1, &payer, 3_000_000)).await.unwrap();
        let payment = transfer(2, &payer, &payee, 700);
        client.submit(&payment).await.unwrap();
        let (terms, chain) = (&market.terms, genesis().chain_id());
        let open = Operation::Open {
            terms: terms.clone(),
        };
        let claim = Operation::Claim {
            voucher: voucher(terms, 1, 50_000),
        };
        let close = Operation::CoopClose {
            channel: market.channel(),
            voucher: Some(voucher(terms, 2, 80_000)),
        };
        for (nonce, operation, keys) in [
            (3, open, &[&payer, &payee][..]),
            (4, claim, &[&payee]),
            (5, close, &[&payee]),
        ] {
            client
                .submit(&signed(nonce, operation, keys))
                .await
                .unwrap();
        }
        let kept = wire::encode(&job(terms, &chain));
        let agreement = terms.id(&chain);
        let id = agreement.as_bytes();
        let put = market.stores[0].put_record(RecordKind::Job, id, &kept);
        put.await.unwrap();
        market
    }

    async fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let running = Running::start(config(&folder));
        let chain = genesis().chain_id();
        let store = |name| {
            NodeStore::open(&folder.path().join(name), &chain)
                .unwrap()
                .0
        };
        let stores = [store("buyer"), store("seller")];
        let transport = Transport::Local(running.handle.clone());
        let (genesis, clock) = (genesis(), ProtocolClock::new());
        let client = LedgerClient::open(transport, &genesis, stores[0].clone(), clock);
        Self {
            client: client.await.unwrap(),
            _folder: folder,
            _running: running,
            stores,
            terms: terms(&key(1), &key(2)),
        }
    }

    async fn page(&self, seed: u8, limit: u16, before: Option<HistoryCursor>) -> HistoryView {
        let store = &self.stores[usize::from(seed == 2)];
        let wanted = wanted(seed, limit, before);
        view(&self.client, store, wanted).await.unwrap()
    }

    fn agreement(&self) -> AgreementId {
        self.terms.id(&genesis().chain_id())
    }

    fn channel(&self) -> ChannelId {
        self.terms.channel_id(&genesis().chain_id())
    }

    /// The entries as the operator has them.
    async fn entries(&self, seed: u8) -> Vec<HistoryEntry> {
        let query = HistoryQuery {
            account: key(seed).account(),
            page: HistoryPage::Before(None),
            limit: 100,
        };
        self.client.history(query).await.unwrap()
    }
}

fn voucher(terms: &Terms, sequence: u64, cumulative: u64) -> Signed<Voucher> {
    let voucher = Voucher {
        channel: terms.channel_id(&genesis().chain_id()),
        sequence,
        cumulative: nano(cumulative),
        meter_hash: [0; 32],
    };
    Signed::sign(&voucher, &key(1), &genesis().chain_id())
}

fn wanted(seed: u8, limit: u16, before: Option<HistoryCursor>) -> Wanted {
    Wanted {
        account: key(seed).account(),
        before,
        limit: limit.to_string().parse().unwrap(),
    }
}

/// What a person reads of an entry: what, how much, with whom.
fn told(row: &HistoryRow) -> (&str, &str, Option<AccountId>) {
    (&row.what, &row.change, row.counterparty)
}

#[tokio::test]
async fn who_bought_sees_its_provider_the_agreement_and_the_run() {
    let market = Market::with_a_job().await;
    let view = market.page(1, 50, None).await;
    let provider = Some(key(2).account());
    let all: Vec<_> = view.entries.iter().map(told).collect();
    assert_eq!(
        all,
        [
            ("refund at the close", "+0.00092", provider),
            ("channel opening fee", "-0.000002", provider),
            ("channel opened", "-0.001", provider),
            ("transfer fee", "-0.0000005", None),
            ("transfer", "-0.0000007", provider),
            ("issue", "+0.003", None),
        ]
    );
    assert_eq!(view.next, None);
    for row in &view.entries[..3] {
        assert_eq!(row.agreement, Some(market.agreement()));
        assert_eq!(row.channel, Some(market.channel()));
        assert_eq!(row.run, Some(RunId::from_bytes([1; 8])));
    }
    for row in &view.entries[3..] {
        assert_eq!((row.agreement, row.run), (None, None), "{row:?}");
    }
    assert_eq!(view.entries[4].memo, "payment 2");
}

#[tokio::test]
async fn who_sold_sees_its_consumer_and_by_what_it_was_paid() {
    let market = Market::with_a_job().await;
    let view = market.page(2, 50, None).await;
    let consumer = Some(key(1).account());
    let all: Vec<_> = view.entries.iter().map(told).collect();
    // One per cent of what a channel pays is a fee.
    assert_eq!(
        all,
        [
            ("close", "+0.0000297", consumer),
            ("claim", "+0.00004851", consumer),
            ("first tick", "+0.00000099", consumer),
            ("transfer", "+0.0000007", consumer),
        ]
    );
    let agreement = Some(market.agreement());
    for row in &view.entries[..3] {
        assert_eq!((row.agreement, row.run), (agreement, None), "{row:?}");
    }
}

#[tokio::test]
async fn pages_of_any_length_hold_every_entry_once_and_say_as_much_of_it() {
    let market = Market::with_a_job().await;
    for seed in [1, 2] {
        let whole = market.page(seed, 50, None).await.entries;
        for limit in 1..=7 {
            let (mut found, mut before) = (Vec::new(), None);
            loop {
                let page = market.page(seed, limit, before).await;
                assert!(!page.entries.is_empty(), "a next page holds something");
                let is_full = page.entries.len() == usize::from(limit);
                found.extend(page.entries);
                let Some(next) = page.next else { break };
                assert!(is_full, "what is not full has no next page");
                before = Some(next.parse().unwrap());
            }
            assert_eq!(found, whole, "pages of {limit}");
        }
    }
}

#[tokio::test]
async fn an_account_without_history_has_one_empty_page() {
    let market = Market::open().await;
    let view = market.page(7, 1, None).await;
    assert_eq!((view.entries.len(), view.next), (0, None));
}

#[tokio::test]
async fn an_answer_that_is_another_page_is_told_from_the_one_asked_for() {
    let market = Market::with_a_job().await;
    let honest = market.entries(1).await;
    let all = wanted(1, 50, None);
    assert!(all.is_answered_by(&honest));
    assert!(!wanted(2, 50, None).is_answered_by(&honest), "of another");
    assert!(!wanted(1, 5, None).is_answered_by(&honest), "too long");
    let newest = honest[0].at;
    let older = wanted(1, 50, Some(newest));
    assert!(
        older.is_answered_by(&honest[1..]),
        "strictly before the newest"
    );
    assert!(!older.is_answered_by(&honest), "not before the newest");
    let mut turned = honest.clone();
    turned.reverse();
    assert!(!all.is_answered_by(&turned), "oldest first");
    let twice = [honest[0].clone(), honest[0].clone()];
    assert!(!all.is_answered_by(&twice), "one entry twice");
}

#[tokio::test]
async fn what_a_transaction_did_not_do_is_not_explained_by_it() {
    let market = Market::with_a_job().await;
    let mut entries = market.entries(2).await;
    entries[0].cause = entries[1].cause;
    entries[1].cause = Cause::Transaction(TxId::from_bytes([9; 32]));
    entries[2].at.height += 1;
    let causes = Causes::of(&entries, &market.client).await.unwrap();
    for entry in &entries[..3] {
        let row = row::row(entry, key(2).account(), &causes);
        assert_eq!(row.what, "channel payout", "{row:?}");
        assert_eq!(row.counterparty, Some(key(1).account()), "proved of itself");
    }
}

#[tokio::test]
async fn a_channel_between_others_names_nobody() {
    let market = Market::with_a_job().await;
    let mut entry = market.entries(2).await[0].clone();
    let stranger = key(3).account();
    entry.transfer.credit = Bucket::Available(stranger);
    let causes = Causes::of(std::slice::from_ref(&entry), &market.client).await;
    let row = row::row(&entry, stranger, &causes.unwrap());
    assert_eq!((row.counterparty, row.agreement), (None, None));
}

#[tokio::test]
async fn a_channel_that_cannot_be_asked_about_is_named_by_its_id() {
    let market = Market::with_a_job().await;
    let entries = market.entries(1).await;
    let row = row::row(&entries[2], key(1).account(), &Causes::default());
    assert_eq!((row.counterparty, row.agreement), (None, None));
    assert_eq!(row.channel, Some(market.channel()));
}

#[tokio::test]
async fn what_the_ledger_did_by_itself_is_told_from_a_close() {
    let market = Market::with_a_job().await;
    let mut entry = market.entries(1).await[0].clone();
    assert_eq!(entry.transfer.code, Code::Refund);
    entry.cause = Cause::Deadline(market.channel());
    let causes = Causes::of(std::slice::from_ref(&entry), &market.client).await;
    let row = row::row(&entry, key(1).account(), &causes.unwrap());
    assert_eq!(told(&row).0, "refund at the deadline");
    assert_eq!(
        (row.tx, row.counterparty),
        (None, Some(key(2).account())),
        "{row:?}"
    );
}

#[tokio::test]
async fn a_payer_that_leaves_alone_is_told_from_a_close() {
    let market = Market::open().await;
    let client = &market.client;
    client.submit(&issue(1, &key(1), 3_000_000)).await.unwrap();
    let close = Operation::PayerClose {
        channel: market.channel(),
        sequence: 1,
        cumulative: nano(20_000),
    };
    let open = Operation::Open {
        terms: market.terms.clone(),
    };
    let open = signed(2, open, &[&key(1), &key(2)]);
    client.submit(&open).await.unwrap();
    client.submit(&signed(3, close, &[&key(1)])).await.unwrap();
    let view = market.page(2, 50, None).await;
    let consumer = Some(key(1).account());
    assert_eq!(
        told(&view.entries[0]),
        ("close by the payer", "+0.00001881", consumer)
    );
}

#[test]
fn a_page_is_asked_for_in_words_that_are_checked() {
    let ask = |limit: Option<&str>, before: Option<&str>| {
        let query = PageQuery {
            limit: limit.map(str::to_owned),
            before: before.map(str::to_owned),
        };
        let wanted = query.wanted(key(1).account());
        wanted.map_err(|error| error.to_string())
    };
    let cursor = HistoryCursor {
        height: 8,
        index: 3,
    };
    assert_eq!(ask(None, None), Ok(wanted(1, 50, None)));
    assert_eq!(
        ask(Some("256"), Some("8:3")),
        Ok(wanted(1, 256, Some(cursor)))
    );
    for limit in ["0", "257", "70000", "-1", "+5", "", "ten"] {
        let error = ask(Some(limit), None).expect_err(limit);
        for part in [&format!("{limit:?}"), "1 to 256"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
    let error = ask(None, Some("8")).expect_err("no cursor");
    assert!(error.contains("HEIGHT:INDEX"), "{error}");
}

#[test]
fn an_entry_is_named_by_its_block_and_place_alone() {
    let cursor = HistoryCursor {
        height: u64::MAX,
        index: 7,
    };
    assert_eq!(cursor.to_string().parse(), Ok(cursor));
    let long = "9".repeat(1_000);
    for text in [
        "",
        "7",
        ":",
        "7:",
        ":7",
        "7:1:2",
        "-1:0",
        "+7:1",
        "7:4294967296",
        "18446744073709551616:0",
        "7 :1",
        &long,
    ] {
        let error = text.parse::<HistoryCursor>().expect_err(text).to_string();
        assert!(error.contains("HEIGHT:INDEX"), "{error}");
        assert!(error.len() < 250, "{error}");
    }
}
