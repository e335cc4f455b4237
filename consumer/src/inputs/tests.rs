//! Inputs from an address: used only with the content that the job file pins.

use axum::Router;
use axum::routing::get;
use tokio::io::AsyncReadExt as _;
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
    let changed = resolve(&job_file(&url, other), &blobs, folder.path(), &brought().0).await;
    assert!(
        matches!(&changed, Err(InputError::Changed { actual, .. }) if *actual == pinned),
        "{changed:?}"
    );
    assert!(!blobs.has(pinned), "what was not asked for is not kept");

    let resolved = resolve(&job_file(&url, pinned), &blobs, folder.path(), &brought().0)
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
    let error = resolve(&file, &blobs, folder.path(), &brought().0)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("missing.txt"), "{error}");
}

/// Writes a text into a folder and brings it in as the data of a job.
async fn brought_in(folder: &Path, blobs: &BlobStore) -> (PathBuf, Resolved) {
    let path = folder.join("text.txt");
    std::fs::write(&path, TEXT).unwrap();
    let file = JobFile::parse("[train]\ndata = \"text.txt\"\n", folder.to_owned()).unwrap();
    (
        path,
        resolve(&file, blobs, folder, &brought().0).await.unwrap(),
    )
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

/// Serves the beginning of a text and never its end.
async fn serve_half() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // An answer before the question is none.
        let read = stream.read(&mut [0; 1024]).await.unwrap();
        assert!(read > 0);
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf";
        stream.write_all(head.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
        drop(stream);
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_download_that_nobody_waits_for_any_more_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = BlobStore::open(&folder.path().join("blobs"), 1 << 20).unwrap();
    let scratch = folder.path().join("work");
    std::fs::create_dir(&scratch).unwrap();
    let url = format!("{}/text.txt", serve_half().await);
    let file = job_file(&url, BlobHash::of(TEXT.as_bytes()));
    let files = || std::fs::read_dir(&scratch).unwrap().count();
    let begins = async {
        while files() == 0 {
            tokio::task::yield_now().await;
        }
    };
    let (heard, _) = brought();
    tokio::select! {
        ended = resolve(&file, &blobs, &scratch, &heard) => panic!("{ended:?}"),
        () = begins => {}
    }
    assert_eq!(files(), 0);
}

#[tokio::test]
async fn what_is_brought_in_is_heard_of_also_when_nobody_waits_for_it_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = BlobStore::open(&folder.path().join("blobs"), 1 << 20).unwrap();
    std::fs::write(folder.path().join("text.txt"), TEXT).unwrap();
    let text = "[train]\ndata = \"text.txt\"\n";
    let file = JobFile::parse(text, folder.path().to_owned()).unwrap();
    let (brought, mut heard) = brought();
    tokio::select! {
        biased;
        _ = resolve(&file, &blobs, folder.path(), &brought) => panic!("it reads in another thread"),
        () = std::future::ready(()) => {}
    }
    drop(brought);
    let hash = BlobHash::of(TEXT.as_bytes());
    assert_eq!(heard.recv().await, Some(hash));
    assert_eq!(heard.recv().await, None, "nothing more comes");
    assert!(blobs.has(hash));
}
