//! Owns how a request or an answer stands on a stream: four bytes of length, then the bytes that
//! `market::wire` made.
//!
//! Never reads more than its limit, never reserves memory for bytes that have not arrived, and never waits
//! for a request longer than its limit says.

use std::io;
use std::marker::PhantomData;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response::Codec;
use market::wire::{self, WireError};
use serde::{Serialize, de::DeserializeOwned};

/// The most memory that is set aside before bytes arrive.
const FIRST_RESERVE_BYTES: usize = 64 << 10;

/// The most bytes of an encoded request and of an encoded answer, and how long a request may take to arrive.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodecLimits {
    pub(super) request_bytes: usize,
    pub(super) response_bytes: usize,
    pub(super) request_within: Duration,
}

/// What is wrong with bytes that another node sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("{actual} bytes, more than the {max} that this protocol allows")]
    TooLarge { actual: usize, max: usize },
    #[error("the message ends before its stated length")]
    Truncated,
    #[error("the message took too long to arrive")]
    Slow,
    #[error("{0}")]
    Undecodable(WireError),
}

impl Fault {
    /// Returns the fault that a stream's error stands for; `None` where the link or this node failed.
    pub(super) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

/// Tells a message that was cut short from a link that failed.
fn cut_short(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::other(Fault::Truncated),
        _ => error,
    }
}

/// A request as it arrived. What is wrong with its bytes arrives in its place, because only so does it come
/// with the name of its sender.
pub(super) type Arrived<Req> = Result<Req, Fault>;

/// Carries requests of one type and answers of another.
pub(super) struct WireCodec<Req, Resp> {
    limits: CodecLimits,
    kinds: PhantomData<fn() -> (Req, Resp)>,
}

impl<Req, Resp> WireCodec<Req, Resp> {
    pub(super) fn new(limits: CodecLimits) -> Self {
        Self {
            limits,
            kinds: PhantomData,
        }
    }
}

impl<Req, Resp> Clone for WireCodec<Req, Resp> {
    fn clone(&self) -> Self {
        Self::new(self.limits)
    }
}

async fn read_message<M, T>(io: &mut T, max_bytes: usize) -> io::Result<M>
where
    M: DeserializeOwned,
    T: AsyncRead + Unpin + Send,
{
    let mut prefix = [0u8; 4];
    // A stream that ends before its first byte was refused, for example by a node that has too much to do.
    if io.read(&mut prefix[..1]).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    io.read_exact(&mut prefix[1..]).await.map_err(cut_short)?;
    let length = u32::from_le_bytes(prefix);
    let actual = usize::try_from(length).unwrap_or(usize::MAX);
    if actual > max_bytes {
        return Err(io::Error::other(Fault::TooLarge {
            actual,
            max: max_bytes,
        }));
    }
    let mut bytes = Vec::with_capacity(actual.min(FIRST_RESERVE_BYTES));
    io.take(length.into()).read_to_end(&mut bytes).await?;
    if bytes.len() < actual {
        return Err(io::Error::other(Fault::Truncated));
    }
    wire::decode(&bytes, max_bytes).map_err(|error| io::Error::other(Fault::Undecodable(error)))
}

async fn write_message<M, T>(io: &mut T, message: &M, max_bytes: usize) -> io::Result<()>
where
    M: Serialize + Sync,
    T: AsyncWrite + Unpin + Send,
{
    let bytes = wire::encode(message);
    let too_large = || {
        io::Error::other(WireError::TooLarge {
            actual: bytes.len(),
            max: max_bytes,
        })
    };
    if bytes.len() > max_bytes {
        return Err(too_large());
    }
    let length = u32::try_from(bytes.len()).map_err(|_| too_large())?;
    io.write_all(&length.to_le_bytes()).await?;
    io.write_all(&bytes).await?;
    io.flush().await
}

impl<Req, Resp> Codec for WireCodec<Req, Resp>
where
    Req: Serialize + DeserializeOwned + Send + Sync,
    Resp: Serialize + DeserializeOwned + Send + Sync,
{
    type Protocol = StreamProtocol;
    type Request = Arrived<Req>;
    type Response = Resp;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Arrived<Req>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let read = read_message(io, self.limits.request_bytes);
        let read = tokio::time::timeout(self.limits.request_within, read);
        match read.await {
            Err(_elapsed) => Ok(Err(Fault::Slow)),
            Ok(Ok(request)) => Ok(Ok(request)),
            Ok(Err(error)) => match Fault::of(&error) {
                Some(fault) => Ok(Err(fault.clone())),
                None => Err(error),
            },
        }
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Resp>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_message(io, self.limits.response_bytes).await
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        request: Arrived<Req>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let request = request.map_err(io::Error::other)?;
        write_message(io, &request, self.limits.request_bytes).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        response: Resp,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_message(io, &response, self.limits.response_bytes).await
    }
}

#[cfg(test)]
mod tests;
