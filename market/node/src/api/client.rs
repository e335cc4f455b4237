//! Owns calling the local API of a home.
//!
//! Never starts a node; a caller that wants one started does so when [`ClientError::NotRunning`] comes. Never
//! waits for a node that does not answer: while an answer is awaited, the node is asked whether it lives.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::routes::ALIVE;
use crate::home::{Home, HomeError};

/// The most bytes of one line of a stream.
const MAX_LINE_BYTES: usize = 1 << 20;

/// How often a node that owes an answer is asked whether it lives, and how long it may take to say so. Work may
/// take long; a node that lives says so at once.
const ASK_AGAIN: Duration = Duration::from_secs(2);
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// Calls the node of one home.
#[derive(Debug, Clone)]
pub struct ApiClient {
    http: reqwest::Client,
    socket: PathBuf,
    home: PathBuf,
}

/// Returns the command that starts the node of a home. An operator's has a ledger, or will have one: it belongs to a
/// market and knows nobody to meet it at.
fn start_of(home: &Path) -> &'static str {
    let is_empty = |file| std::fs::metadata(home.join(file)).is_ok_and(|found| found.len() == 0);
    if home.join("ledger").is_dir()
        || home.join("genesis.json").exists() && is_empty("bootstrap.txt")
    {
        "operator run"
    } else {
        "up"
    }
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The home folder failed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// No node runs in this home.
    #[error(
        "no node runs in {home}; start one with `nightshift {}`",
        start_of(home)
    )]
    NotRunning {
        /// The home folder.
        home: PathBuf,
    },
    /// A process has the home and says nothing: it is stopped, or hangs.
    #[error(
        "the node in {home} does not answer: its process lives, and said nothing for {} s. If it was stopped, \
         let it go on (`kill -CONT`); else end it and start it again (`nightshift doctor` names the process)",
        SIGN_OF_LIFE.as_secs()
    )]
    Silent {
        /// The home folder.
        home: PathBuf,
    },
    /// The transport failed.
    #[error("the node does not answer: {0}")]
    Transport(#[from] reqwest::Error),
    /// The node has no such endpoint: another role has, or another version.
    #[error(
        "the node in this home does not do that ({status}); only an operator's node issues and audits, and \
         only one that was started with --provide sells"
    )]
    WithoutRole {
        /// What it answered.
        status: reqwest::StatusCode,
    },
    /// The node answered with an error, in its own words.
    #[error("{0}")]
    Refused(String),
    /// The answer is not what was expected.
    #[error("the node's answer cannot be read ({0}); is it of the same version?")]
    Unreadable(#[from] serde_json::Error),
}

#[derive(Deserialize)]
struct ErrorBody {
    error: String,
}

impl ApiClient {
    /// Connects to the node that runs in `home`.
    pub async fn connect(home: &Home) -> Result<Self, ClientError> {
        let socket = home.socket()?;
        if tokio::net::UnixStream::connect(&socket).await.is_err() {
            return Err(ClientError::NotRunning {
                home: home.path().to_owned(),
            });
        }
        let http = reqwest::Client::builder()
            .unix_socket(socket.clone())
            .connect_timeout(Duration::from_secs(5))
            .build()?;
        Ok(Self {
            http,
            socket,
            home: home.path().to_owned(),
        })
    }

    /// Returns the socket that is called.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Reads a view.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let request = self.http.get(url(path));
        self.while_it_lives(async { read(request.send().await?).await })
            .await
    }

    /// Asks for something to be done and reads the answer.
    pub async fn post<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        let request = self.http.post(url(path)).json(body);
        self.while_it_lives(async { read(request.send().await?).await })
            .await
    }

    /// Asks for something to be done and reads a stream of lines as they come.
    pub async fn post_lines<B: Serialize + Sync>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<Lines, ClientError> {
        let request = self.http.post(url(path)).json(body);
        self.while_it_lives(async { Lines::of(request.send().await?).await })
            .await
    }

    /// Reads a stream of lines as they come.
    pub async fn get_lines(&self, path: &str) -> Result<Lines, ClientError> {
        let request = self.http.get(url(path));
        self.while_it_lives(async { Lines::of(request.send().await?).await })
            .await
    }

    /// Waits for an answer for as long as the node shows that it lives.
    async fn while_it_lives<T>(
        &self,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        tokio::select! {
            answer = answer => answer,
            () = self.falls_silent() => Err(ClientError::Silent {
                home: self.home.clone(),
            }),
        }
    }

    /// Returns once the node gives no sign of life. Any answer is one, a refusal too; a node that is gone breaks
    /// the answer that is awaited.
    async fn falls_silent(&self) {
        loop {
            tokio::time::sleep(ASK_AGAIN).await;
            let asked = self.http.get(url(ALIVE)).send();
            if tokio::time::timeout(SIGN_OF_LIFE, asked).await.is_err() {
                return;
            }
        }
    }
}

fn url(path: &str) -> String {
    format!("http://nightshift{path}")
}

async fn accept(response: reqwest::Response) -> Result<reqwest::Response, ClientError> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let bytes = response.bytes().await?;
    let error = serde_json::from_slice::<ErrorBody>(&bytes);
    Err(error.map_or_else(
        |_| ClientError::WithoutRole { status },
        |body| ClientError::Refused(body.error),
    ))
}

async fn read<T: DeserializeOwned>(response: reqwest::Response) -> Result<T, ClientError> {
    let bytes = accept(response).await?.bytes().await?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// A stream of JSON documents, one a line.
#[derive(Debug)]
pub struct Lines {
    response: reqwest::Response,
    buffer: Vec<u8>,
}

impl Lines {
    async fn of(response: reqwest::Response) -> Result<Self, ClientError> {
        let response = accept(response).await?;
        Ok(Self {
            response,
            buffer: Vec::new(),
        })
    }

    /// Reads the next document, or `None` at the end of the stream.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            if self.buffer.len() > MAX_LINE_BYTES {
                return Err(ClientError::Refused(
                    "a line of the stream is too long".to_owned(),
                ));
            }
            match self.response.chunk().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}
