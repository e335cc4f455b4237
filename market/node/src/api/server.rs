//! Owns serving: the socket, its permissions, and the one form of errors.
//!
//! Never knows what an endpoint does.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use futures::StreamExt as _;
use serde::Serialize;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

use crate::home::{Home, HomeError};

/// What an endpoint returns.
pub type ApiResult<T> = Result<axum::Json<T>, ApiError>;

/// A failure that a person reads: what happened, why, and what to do next.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    message: String,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
}

impl ApiError {
    /// The request is wrong.
    pub fn bad_request(error: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    /// What was asked for is not here.
    pub fn not_found(error: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    /// The node could not do it.
    pub fn failed(error: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, error)
    }

    fn new(status: StatusCode, error: impl std::fmt::Display) -> Self {
        Self {
            status,
            message: error.to_string(),
        }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            error: &self.message,
        };
        (self.status, axum::Json(body)).into_response()
    }
}

/// Why the local API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The home folder failed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The socket could not be made.
    #[error("cannot listen on {path}: {source}")]
    Bind {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The running server; dropping it stops serving and removes the socket.
#[derive(Debug)]
pub struct ApiServer {
    task: JoinHandle<()>,
    path: PathBuf,
}

impl ApiServer {
    /// Returns where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path); // A stale socket is replaced at the next start.
    }
}

/// Serves `router` on the home's socket. The caller holds the home's lock, so a socket that is there is
/// stale.
pub fn serve(home: &Home, router: Router) -> Result<ApiServer, ServeError> {
    let path = home.socket()?;
    let bind_error = |source| ServeError::Bind {
        path: path.clone(),
        source,
    };
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(bind_error(error));
        }
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(bind_error)?;
    // The folder is private already (mode 0700), so nobody slips in before this.
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, private).map_err(bind_error)?;
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the local API stopped");
        }
    });
    Ok(ApiServer { task, path })
}

/// Answers with one JSON document a line, as they come.
pub fn ndjson<T: Serialize + Send + 'static>(
    items: impl Stream<Item = T> + Send + 'static,
) -> Response {
    let lines = items.map(|item| {
        let mut line = serde_json::to_vec(&item).unwrap_or_default();
        line.push(b'\n');
        Ok::<_, Infallible>(Bytes::from(line))
    });
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson")];
    (headers, Body::from_stream(lines)).into_response()
}
