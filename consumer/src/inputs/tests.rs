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

    let resolved = resolve(&job_file(&url, pinned), &blobs, folder.path())
        .await
        .unwrap();
    assert_eq!(resolved.job.inputs[0].hash, pinned);
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

/// Writes a text into a folder and brings it in as the data of a job.
async fn brought_in(folder: &Path, blobs: &BlobStore) -> (PathBuf, Resolved) {
    let path = folder.join("text.txt");
    std::fs::write(&path, TEXT).unwrap();
    let file = JobFile::parse("[train]\ndata = \"text.txt\"\n", folder.to_owned()).unwrap();
    (path, resolve(&file, blobs, folder).await.unwrap())
}

fn damage(blobs: &BlobStore, hash: BlobHash) {
    std::fs::write(blobs.path(hash).unwrap(), TEXT.to_uppercase()).unwrap();
}

#[tokio::test]
async fn a_damaged_input_is_found_and_brought_anew_from_the_file_that_is_still_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = BlobStore::open(&folder.path().join("blobs"), 1 << 20).unwrap();
    let (path, Resolved { job, sources }) = brought_in(folder.path(), &blobs).await;
    let hash = job.inputs[0].hash;
    let look = || check((&job.inputs, &sources), &blobs, folder.path());
    assert!(look().await.unwrap().is_empty(), "nothing is wrong with it");

    damage(&blobs, hash);
    let lines = look().await.unwrap();
    let says = |word: &str| lines[0].contains(word);
    assert!(
        says("damaged") && says(&path.display().to_string()),
        "{lines:?}"
    );
    assert_eq!(blobs.read(hash, 1 << 10).unwrap(), TEXT.as_bytes());

    blobs.remove(hash).unwrap();
    assert_eq!(
        look().await.unwrap().len(),
        1,
        "one that is gone comes back"
    );
    assert!(blobs.has(hash));
}

#[tokio::test]
async fn a_damaged_input_whose_file_has_changed_is_an_error_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = BlobStore::open(&folder.path().join("blobs"), 1 << 20).unwrap();
    let (path, Resolved { job, sources }) = brought_in(folder.path(), &blobs).await;
    damage(&blobs, job.inputs[0].hash);
    std::fs::write(&path, "Another text.").unwrap();
    let error = check((&job.inputs, &sources), &blobs, folder.path()).await;
    let words = error.unwrap_err().to_string();
    assert!(
        words.contains("damaged") && words.contains("other content"),
        "{words}"
    );
    assert!(!blobs.has(BlobHash::of(b"Another text.")));
}
