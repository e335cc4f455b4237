//! Inputs from an address: used only with the content that the job file pins.

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

use super::*;

const TEXT: &str = "A text that somebody serves over http.";

/// Serves [`TEXT`] on loopback and returns its address.
async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/text.txt", get(|| async { TEXT }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn job_file(url: &str, hash: BlobHash) -> JobFile {
    let text = format!("[train]\ndata = \"{url}\"\nblake3 = \"{hash}\"\n");
    JobFile::parse(&text, PathBuf::from("/nowhere")).unwrap()
}

#[tokio::test]
async fn an_address_gives_the_content_that_its_hash_pins_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = BlobStore::open(&folder.path().join("blobs"), 1 << 20).unwrap();
    let url = format!("{}/text.txt", serve().await);
    let pinned = BlobHash::of(TEXT.as_bytes());

    let other = BlobHash::of(b"another text");
    let changed = resolve(&job_file(&url, other), &blobs, folder.path()).await;
    assert!(
        matches!(&changed, Err(InputError::Changed { actual, .. }) if *actual == pinned),
        "{changed:?}"
    );
    assert!(!blobs.has(pinned), "what was not asked for is not kept");

    let job = resolve(&job_file(&url, pinned), &blobs, folder.path())
        .await
        .unwrap();
    assert_eq!(job.inputs[0].hash, pinned);
    assert_eq!(blobs.read(pinned, 1 << 10).unwrap(), TEXT.as_bytes());
}

#[tokio::test]
async fn an_address_without_the_text_is_named_in_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = BlobStore::open(&folder.path().join("blobs"), 1 << 20).unwrap();
    let url = format!("{}/missing.txt", serve().await);
    let file = job_file(&url, BlobHash::of(TEXT.as_bytes()));
    let error = resolve(&file, &blobs, folder.path()).await.unwrap_err();
    assert!(error.to_string().contains("missing.txt"), "{error}");
}
