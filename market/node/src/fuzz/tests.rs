//! The bounded run of every decoder of this crate, on bytes of a small real ledger and thousands of mutations of each.

use market::Timestamp;
use market::ledger::{
    Block, Cause, EpochProof, Key, Rejected, State, StateProof, TrustedSet, execute,
};
use market::voucher::Voucher;
use market::wire::Signed;
use market::{ChannelId, PricePerHour};
use matching::{Trade, TradePlace};

use super::*;
use crate::ledger::protocol::{
    AccountView, HistoryCursor, HistoryEntry, HistoryPage, HistoryQuery, LedgerStatus, TradesPage,
    TradesQuery, Unavailable,
};
use crate::ledger::snapshot::fuzz::sample;
use crate::ledger::testing::{genesis, hand_over, issue, key, nano, transfer};
use crate::log::fuzz::segment;
use crate::store::fuzz::{JournalChange, kept};
use crate::store::{IndexHead, TransactionPlace};
use sweep::{compare_corpus, sweep};

#[path = "../../../../tests/fuzz/sweep.rs"]
mod sweep;

/// An entry of the corpus: the decoder, a name, the bytes.
type Entry = (&'static str, &'static str, Vec<u8>);

/// A ledger of two blocks: money that was made, and a payment with a note.
fn ledger() -> (State, Vec<Block>) {
    let mut state = State::genesis(&genesis()).unwrap();
    let batches = [
        issue(1, &key(1), 1_000_000),
        transfer(2, &key(1), &key(2), 5_000),
    ];
    let blocks = batches.map(|signed| {
        let now = Timestamp::from_millis(state.tip().time.as_millis() + 1_000);
        let executed = execute(&state, &[signed], now, &key(200)).unwrap();
        assert!(executed.rejected.is_empty());
        state.commit(executed.delta).unwrap();
        executed.block
    });
    (state, blocks.to_vec())
}

fn proof(state: &State, last: &Block, key: Key) -> StateProof {
    state.prove(&key, &last.certificate).unwrap()
}

/// The proof of a change of the operators after `state`.
fn handed_over(state: &State) -> EpochProof {
    let mut state = state.clone();
    let change = hand_over(3, &key(201), &[&key(200), &key(201)]);
    let now = Timestamp::from_millis(state.tip().time.as_millis() + 1_000);
    let executed = execute(&state, &[change], now, &key(200)).unwrap();
    state.commit(executed.delta).unwrap();
    EpochProof::of(&state, &executed.block.certified()).unwrap()
}

fn history(last: &Block) -> Vec<HistoryEntry> {
    let movements = last.movements().enumerate();
    let entry = |(index, movement): (usize, market::ledger::Movement)| HistoryEntry {
        at: HistoryCursor {
            height: last.header.height,
            index: u32::try_from(index).unwrap(),
        },
        time: last.header.time,
        cause: movement.cause,
        transfer: movement.transfer,
        memo: movement.memo,
        balance: nano(994_500),
    };
    movements.map(entry).collect()
}

/// A trade as an operator would tell of it; the small ledger has no channels.
fn trade(last: &Block) -> Trade {
    Trade {
        settled_at: last.header.time,
        place: TradePlace {
            height: last.header.height,
            index: 1,
        },
        channel: ChannelId::from_bytes([1; 32]),
        class: "16T-12G".parse().unwrap(),
        price: PricePerHour(nano(3_600)),
        gpus: 2,
        paid: nano(70),
        payer: key(1).account(),
        payee: key(2).account(),
    }
}

fn requests(last: &Block) -> Vec<Entry> {
    let account = key(1).account();
    let signed = last.transactions[0].clone();
    let id = signed.id(&last.header.chain_id);
    let page = |page| {
        LedgerRequest::History(HistoryQuery {
            account,
            page,
            limit: 10,
        })
    };
    let cursor = HistoryCursor {
        height: 2,
        index: 1,
    };
    let trades = |after| LedgerRequest::Trades(TradesQuery { after, limit: 10 });
    let requests = [
        ("genesis", LedgerRequest::Genesis),
        ("status", LedgerRequest::Status),
        ("submit", LedgerRequest::Submit(Box::new(signed))),
        ("transaction", LedgerRequest::Transaction(id)),
        ("state", LedgerRequest::StateOf(Key::PayerNonce(account, 7))),
        ("account", LedgerRequest::Account(account)),
        ("after", page(HistoryPage::After(None))),
        ("before", page(HistoryPage::Before(Some(cursor)))),
        ("header", LedgerRequest::Header(2)),
        ("epochs", LedgerRequest::Epochs(2)),
        ("trades", trades(None)),
        ("trades-after", trades(Some(trade(last).place))),
    ];
    let encode = |(name, request)| ("ledger_request", name, wire::encode(&request));
    requests.map(encode).to_vec()
}

fn responses(state: &State, last: &Block) -> Vec<Entry> {
    let account = Key::Account(key(1).account());
    let refused = Rejected::Insufficient {
        account: key(1).account(),
        available: nano(1),
        needed: nano(2),
    };
    let view = AccountView {
        head: last.certified(),
        account: Some(proof(state, last, account)),
        channels: vec![proof(state, last, Key::Supply)],
    };
    let status = LedgerStatus {
        head: last.certified(),
        audit: state.audit(),
    };
    let is_transaction = |cause: Cause| match cause {
        Cause::Transaction(id) => Some(id),
        Cause::Expiry(_) | Cause::Deadline(_) => None,
    };
    let id = is_transaction(last.receipts[0].cause).unwrap();
    let final_proof = last.prove(id).unwrap();
    let trades = TradesPage {
        height: 2,
        trades: vec![trade(last)],
    };
    let responses = [
        ("genesis", LedgerResponse::Genesis(Box::new(genesis()))),
        ("status", LedgerResponse::Status(Box::new(status))),
        ("final", LedgerResponse::Final(Box::new(final_proof))),
        ("rejected", LedgerResponse::Rejected(refused)),
        (
            "state",
            LedgerResponse::State(Box::new(proof(state, last, account))),
        ),
        ("absent", LedgerResponse::Absent { height: 2 }),
        ("account", LedgerResponse::Account(Box::new(view))),
        ("history", LedgerResponse::History(history(last))),
        ("header", LedgerResponse::Header(Box::new(last.certified()))),
        ("busy", LedgerResponse::Unavailable(Unavailable::Busy)),
        ("epochs", LedgerResponse::Epochs(vec![handed_over(state)])),
        ("trades", LedgerResponse::Trades(trades)),
    ];
    let encode = |(name, response)| ("ledger_response", name, wire::encode(&response));
    responses.map(encode).to_vec()
}

fn disk(state: &State, blocks: &[Block]) -> Vec<Entry> {
    let last = blocks.last().unwrap();
    let payloads: Vec<Vec<u8>> = blocks.iter().map(wire::encode).collect();
    let (header, records) = segment(&payloads);
    let voucher = Voucher {
        channel: ChannelId::from_bytes([1; 32]),
        sequence: 1,
        cumulative: nano(10),
        meter_hash: [0; 32],
    };
    let head = IndexHead {
        height: 2,
        header: last.header.id(),
        root: state.root(),
    };
    let voucher = Signed::sign(&voucher, &key(1), state.chain());
    let trusted = TrustedSet::genesis(&genesis());
    let changes = vec![
        JournalChange::Remove { key: vec![1, 2] },
        JournalChange::Put {
            key: vec![1, 2, 3],
            value: kept(&voucher),
        },
    ];
    vec![
        (
            "kept_state",
            "three",
            sample(state.leaves().cloned().collect(), handed_over(state)),
        ),
        (
            "journal_entry",
            "snapshot",
            wire::encode(&JournalEntry::Snapshot { records: 3 }),
        ),
        (
            "journal_entry",
            "voucher",
            wire::encode(&JournalEntry::Changes(changes)),
        ),
        ("segment_header", "first", header),
        ("record", "two", records),
        ("store_value", "head", kept(&head)),
        (
            "store_value",
            "place",
            kept(&TransactionPlace { height: 2 }),
        ),
        ("store_value", "history", kept(&history(last)[0])),
        (
            "store_value",
            "history-bare",
            wire::encode(&history(last)[0]),
        ),
        ("store_value", "trade", kept(&trade(last))),
        ("store_value", "trade-bare", wire::encode(&trade(last))),
        ("store_value", "trusted", kept(&trusted)),
        ("store_value", "trusted-bare", wire::encode(&trusted)),
        ("store_value", "voucher", kept(&voucher)),
        ("store_value", "voucher-bare", wire::encode(&voucher)),
    ]
}

#[test]
fn the_corpus_has_every_kind_of_bytes_of_a_small_ledger() {
    let (state, blocks) = ledger();
    let last = blocks.last().unwrap();
    let mut entries = requests(last);
    entries.extend(responses(&state, last));
    entries.extend(disk(&state, &blocks));
    compare_corpus(&entries);
    for (decoder, check) in DECODERS {
        let of = |entry: &&Entry| entry.0 == decoder;
        let mut entries = entries.iter().filter(of).peekable();
        assert!(entries.peek().is_some(), "{decoder} has no entry");
        assert!(entries.all(|(_, _, bytes)| check(bytes)), "{decoder}");
    }
}

#[test]
fn decoders_hold_on_their_corpus_and_its_mutations() {
    DECODERS.into_iter().for_each(sweep);
}
