//! gRPC calls of one message each way, whose messages are plain bytes (gRPC over HTTP/2,
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
//!
//! `Check`, which is called for every request, goes this way because tonic's streams of messages
//! copy each message twice and cost as much as the decision.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body, Frame};
use tonic::Status;
use tonic::codegen::StdError;

/// The message of a call, which has at most so many bytes. Where it came in one piece it is not
/// copied.
///
/// # Errors
/// There is no message or more than one, it is too long or compressed, or the client has left.
pub(in crate::envoy) async fn message<B>(mut body: B, bytes_max: usize) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes, Error: Into<StdError>> + Unpin,
{
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        // Trailers of a request say nothing.
        let frame = frame.map_err(|error| Status::from_error(error.into()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let so_far = first.len().max(all.len());
        if so_far.saturating_add(data.len()) > bytes_max.saturating_add(PREFIX_BYTES) {
            return Err(Status::out_of_range(format!(
                "the message has more than {bytes_max} bytes"
            )));
        }
        if so_far == 0 {
            first = data;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&data);
        }
    }
    let mut message = if all.is_empty() { first } else { all.freeze() };
    if message.len() < PREFIX_BYTES {
        return Err(Status::internal("the call has no message"));
    }
    let (is_compressed, length) = (message.get_u8(), message.get_u32());
    if is_compressed != 0 {
        return Err(Status::unimplemented(
            "compressed messages are not accepted",
        ));
    }
    if usize::try_from(length) != Ok(message.len()) {
        return Err(Status::internal("the call is not of one whole message"));
    }
    Ok(message)
}

/// The reply to a call, whose message `write` appends.
pub(in crate::envoy) fn reply(write: impl FnOnce(&mut Vec<u8>)) -> Response<CallBody> {
    let mut bytes = Vec::with_capacity(REPLY_BYTES_USUAL);
    bytes.extend_from_slice(&[0; PREFIX_BYTES]);
    write(&mut bytes);
    let length = bytes.len().saturating_sub(PREFIX_BYTES);
    let (Ok(length), Some(place)) = (u32::try_from(length), bytes.get_mut(1..PREFIX_BYTES)) else {
        return CallBody::status(Status::internal("the response is too long"));
    };
    place.copy_from_slice(&length.to_be_bytes());
    let mut response = Response::new(CallBody::Message(bytes.into()));
    let is_grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, is_grpc);
    response
}

/// What is left to be sent of a reply.
#[derive(Debug)]
pub(in crate::envoy) enum CallBody {
    /// A message, and that the call has worked.
    Message(Bytes),
    /// That it has worked.
    Trailers,
    /// Nothing.
    Nothing,
    /// The reply of one of tonic's services.
    Other(tonic::body::Body),
}

impl CallBody {
    /// The reply to a call that has failed.
    pub(in crate::envoy) fn status(status: Status) -> Response<Self> {
        status.into_http::<()>().map(|()| CallBody::Nothing)
    }
}

impl Body for CallBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let (frame, rest) = match &mut *self {
            CallBody::Message(bytes) => (Frame::data(std::mem::take(bytes)), CallBody::Trailers),
            CallBody::Trailers => (Frame::trailers(is_ok()), CallBody::Nothing),
            CallBody::Nothing => return Poll::Ready(None),
            CallBody::Other(body) => return Pin::new(body).poll_frame(cx),
        };
        *self = rest;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            CallBody::Message(_) | CallBody::Trailers => false,
            CallBody::Nothing => true,
            CallBody::Other(body) => body.is_end_stream(),
        }
    }
}

/// That the call has worked: never that the request may pass, which the message says.
fn is_ok() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
    trailers
}

/// Before each message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;
/// Room for most replies.
pub(in crate::envoy) const REPLY_BYTES_USUAL: usize = 1536;

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tokio::sync::mpsc;
    use tonic::Code;

    use super::*;

    /// A body that comes in these pieces.
    struct Pieces(mpsc::UnboundedReceiver<Bytes>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let next = self.0.poll_recv(cx);
            next.map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
        }
    }

    async fn read(pieces: &[&'static [u8]]) -> Result<Bytes, Code> {
        let (sender, receiver) = mpsc::unbounded_channel();
        for piece in pieces {
            sender.send(Bytes::from_static(piece)).unwrap();
        }
        drop(sender);
        let read = message(Pieces(receiver), 4).await;
        read.map_err(|status| status.code())
    }

    #[tokio::test]
    async fn a_message_is_read_however_it_comes() {
        let whole: &[u8] = b"\0\0\0\0\x04abcd";
        assert_eq!(read(&[whole]).await.unwrap(), "abcd");
        assert_eq!(read(&[b"", whole, b""]).await.unwrap(), "abcd");
        for at in 0..=whole.len() {
            let (one, other) = whole.split_at(at);
            assert_eq!(read(&[one, other]).await.unwrap(), "abcd", "{at}");
        }
        assert_eq!(read(&[b"\0\0\0\0\0"]).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_piece_is_not_copied() {
        let whole: &[u8] = b"\0\0\0\0\x04abcd";
        let read = read(&[whole]).await.unwrap();
        assert_eq!(read.as_ptr(), whole[PREFIX_BYTES..].as_ptr());
    }

    #[tokio::test]
    async fn what_is_no_message_is_refused() {
        let rows: [(&[&'static [u8]], Code); 8] = [
            (&[], Code::Internal),
            (&[b"\0\0\0\0"], Code::Internal),
            (&[b"\0\0\0\0\x04abc"], Code::Internal),
            (&[b"\0\0\0\0\x03abcd"], Code::Internal),
            (&[b"\0\0\0\0\x01a", b"\0\0\0"], Code::Internal),
            (&[b"\x01\0\0\0\x04abcd"], Code::Unimplemented),
            (&[b"\0\0\0\0\x05abcde"], Code::OutOfRange),
            (&[b"\0\0\0\0\x04abcd", b"e"], Code::OutOfRange),
        ];
        for (pieces, code) in rows {
            assert_eq!(read(pieces).await, Err(code), "{pieces:?}");
        }
    }

    #[tokio::test]
    async fn a_reply_is_a_message_and_trailers() {
        let mut body = reply(|to| to.extend_from_slice(b"abc")).into_body();
        let mut frames = Vec::new();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            frames.push(frame.unwrap());
        }
        let [message, trailers] = frames.as_slice() else {
            panic!("{frames:?}")
        };
        assert_eq!(message.data_ref().unwrap(), "\0\0\0\0\x03abc".as_bytes());
        assert_eq!(trailers.trailers_ref().unwrap()["grpc-status"], "0");
    }
}
