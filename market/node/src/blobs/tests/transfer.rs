//! Transfers between real swarms.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::network::fixture::{TestNode, node, within};
use crate::network::{Client, Inbound, InboundStream, Offence};

/// What a server does with the part at an offset.
type Mischief = fn(u64, &mut BlobResponse);

fn honest(_: u64, _: &mut BlobResponse) {}

/// Flips a byte of every part but the first.
fn lie_after_the_first_part(start: u64, response: &mut BlobResponse) {
    if let BlobResponse::Range(bytes) = response
        && start > 0
    {
        let middle = bytes.0.len() / 2;
        bytes.0[middle] ^= 1;
    }
}

/// Serves what is in `store`, and counts the parts that were asked for.
fn serve(
    mut inbound: InboundStream,
    shared: (BlobStore, Permissions),
    mischief: Mischief,
) -> Arc<AtomicU64> {
    let parts = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&parts);
    tokio::spawn(async move {
        while let Some(inbound) = inbound.recv().await {
            let Inbound::Blob {
                from,
                request,
                reply,
            } = inbound
            else {
                continue;
            };
            counted.fetch_add(1, Ordering::Relaxed);
            let BlobRequest::Range { start, .. } = request;
            let mut response = shared.0.answer(&request, from, &shared.1);
            mischief(start, &mut response);
            reply.send(response);
        }
    });
    parts
}

struct Pair {
    /// The server's network stops when its last client is dropped.
    _serving: Client,
    server: NodeId,
    receiver: TestNode,
    receiving: BlobStore,
    blob: Blob,
    bytes: Vec<u8>,
    parts: Arc<AtomicU64>,
    folder: tempfile::TempDir,
}

/// A server with a blob of five and a half parts that is shared with a receiver.
async fn pair(mischief: Mischief) -> Pair {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(5_500_000);
    let serving = store(&folder.path().join("serving"));
    let blob = serving.import_bytes(&bytes).unwrap();
    let server = node(1, &[]).await;
    let receiver = node(2, &[server.address().await]).await;
    let permissions = Permissions::new();
    permissions.share(blob.hash, receiver.id());
    let id = server.id();
    let parts = serve(server.inbound, (serving, permissions), mischief);
    Pair {
        _serving: server.client,
        server: id,
        receiver,
        receiving: store(&folder.path().join("receiving")),
        blob,
        bytes,
        parts,
        folder,
    }
}

impl Pair {
    /// Fetches, and returns the bytes that progress told.
    async fn fetch(&self) -> (Result<std::path::PathBuf, FetchError>, Vec<u64>) {
        let mut heard = Vec::new();
        let mut progress = |bytes| heard.push(bytes);
        let fetch =
            self.receiving
                .fetch(&self.receiver.client, self.server, self.blob, &mut progress);
        let result = within(fetch).await;
        (result, heard)
    }

    fn partial(&self) -> std::path::PathBuf {
        self.receiving.partial(self.blob.hash)
    }
}

#[tokio::test]
async fn a_shared_blob_arrives_and_is_not_fetched_twice() {
    let pair = pair(honest).await;
    let (result, heard) = pair.fetch().await;
    assert!(fs::read(result.unwrap()).unwrap() == pair.bytes);
    assert_eq!((heard.first(), heard.last()), (Some(&0), Some(&5_500_000)));
    assert!(heard.is_sorted());
    assert_eq!(pair.receiving.total_bytes(), 5_500_000);
    assert!(!pair.partial().exists());
    let (result, _) = pair.fetch().await;
    assert!(result.is_ok());
    assert_eq!(pair.parts.load(Ordering::Relaxed), 6);
}

#[tokio::test]
async fn an_empty_blob_arrives() {
    let mut pair = pair(honest).await;
    pair.blob = Blob {
        hash: BlobHash::of(b""),
        size: 0,
    };
    let (result, _) = pair.fetch().await;
    assert_eq!(fs::read(result.unwrap()).unwrap(), b"");
}

#[tokio::test]
async fn a_blob_that_is_not_shared_is_not_given() {
    let mut pair = pair(honest).await;
    pair.blob.hash = BlobHash::of(b"another");
    let (result, _) = pair.fetch().await;
    assert!(matches!(result, Err(FetchError::NotShared(_))));
}

#[tokio::test]
async fn a_lying_server_is_found_out_and_the_fetch_goes_on_elsewhere_from_there() {
    let lying = pair(lie_after_the_first_part).await;
    let (result, _) = lying.fetch().await;
    let Err(FetchError::Corrupt { offset, .. }) = result else {
        panic!("{result:?}");
    };
    assert_eq!(offset, 1 << 20);
    assert!(!lying.receiving.has(lying.blob.hash));
    // The checked groups of the second part are kept as well, none of the ones after.
    let kept = fs::metadata(lying.partial()).unwrap().len();
    assert!((1 << 20..2 << 20).contains(&kept), "{kept}");
    // Another node, honest, with the same blob; the receiver opens its store anew, as after a restart.
    let mut honest = pair(honest).await;
    let folder = lying.folder.path().join("receiving");
    honest.receiving = store(&folder);
    let (result, heard) = honest.fetch().await;
    assert!(fs::read(result.unwrap()).unwrap() == honest.bytes);
    let resumed_at = kept / GROUP_BYTES * GROUP_BYTES;
    assert_eq!(heard.first(), Some(&resumed_at));
    let missing = honest.blob.size - resumed_at;
    let asked = honest.parts.load(Ordering::Relaxed);
    assert_eq!(asked, missing.div_ceil(u64::from(MAX_RANGE_BYTES)));
}

#[tokio::test]
async fn a_lying_server_is_counted_and_another_one_brings_the_blob() {
    let lying = pair(lie_after_the_first_part).await;
    let bytes = &lying.bytes;
    let folder = tempfile::tempdir().unwrap();
    let serving = store(folder.path());
    serving.import_bytes(bytes).unwrap();
    let honest = node(3, &[lying.receiver.address().await]).await;
    let receiver = &lying.receiver.client;
    within(async {
        while !receiver
            .peers()
            .await
            .iter()
            .any(|peer| peer.node == honest.id())
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let permissions = Permissions::new();
    permissions.share(lying.blob.hash, lying.receiver.id());
    let (_running, id) = (honest.client.clone(), honest.id());
    serve(honest.inbound, (serving, permissions), self::honest);
    let mut unheard = |_| {};
    let from_liar = lying
        .receiving
        .fetch(receiver, lying.server, lying.blob, &mut unheard);
    assert!(within(from_liar).await.is_err());
    let from_honest = lying
        .receiving
        .fetch(receiver, id, lying.blob, &mut unheard);
    let path = within(from_honest).await.unwrap();
    assert!(fs::read(path).unwrap() == *bytes);
    let report = receiver.report().await.unwrap();
    assert_eq!(report.refusals[&Offence::CorruptBlob], 1);
}

#[tokio::test]
async fn a_partial_file_that_was_damaged_on_disk_is_fetched_again() {
    let pair = pair(honest).await;
    let mut left = pair.bytes[..2 << 20].to_vec();
    left[77] ^= 1;
    fs::write(pair.partial(), left).unwrap();
    let (result, heard) = pair.fetch().await;
    assert!(fs::read(result.unwrap()).unwrap() == pair.bytes);
    assert_eq!(heard.first(), Some(&(2 << 20)));
    assert!(heard.contains(&0), "it began again");
}

#[tokio::test]
async fn a_blob_beyond_the_quota_is_not_asked_for() {
    let mut pair = pair(honest).await;
    pair.receiving = BlobStore::open(&pair.folder.path().join("small"), 5_000_000).unwrap();
    let (result, _) = pair.fetch().await;
    let error = result.unwrap_err();
    assert!(matches!(
        error,
        FetchError::Store(BlobError::Quota {
            free: 5_000_000,
            ..
        })
    ));
    assert_eq!(pair.parts.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn old_partial_files_make_room_for_a_new_fetch() {
    let mut pair = pair(honest).await;
    let folder = pair.folder.path().join("tight");
    drop(BlobStore::open(&folder, 6_000_000).unwrap());
    let old = folder
        .join("incoming")
        .join(format!("{}.part", BlobHash::of(b"old")));
    fs::write(&old, content(1_000_000)).unwrap();
    pair.receiving = BlobStore::open(&folder, 6_000_000).unwrap();
    let (result, _) = pair.fetch().await;
    assert!(result.is_ok());
    assert!(!old.exists());
}
