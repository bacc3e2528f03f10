//! Requests with headers and a body of the caller's, and their responses as they come.

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

use super::cause::cause_of;
use super::{Client, GetError};

/// The head of a response; its body is read piece by piece.
#[derive(Debug)]
pub struct Response {
    /// The status, whatever it is.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    body: reqwest::Response,
}

impl Response {
    /// The next piece of the body; `None` at its end. How much is read is up to the caller.
    ///
    /// # Errors
    /// [`GetError::TimedOut`] or [`GetError::Transport`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, GetError> {
        self.body.chunk().await.map_err(|error| fault(&error))
    }
}

/// Sends one request, and waits for the head of its response.
///
/// # Errors
/// [`GetError::TimedOut`] or [`GetError::Transport`]. A redirect is a response like any other: it is
/// not followed.
pub async fn send_request(
    client: &Client,
    method: Method,
    url: &Url,
    headers: HeaderMap,
    body: Vec<u8>,
) -> Result<Response, GetError> {
    let request = client.http.request(method, url.clone()).headers(headers);
    let response = request.body(body).send().await;
    let response = response.map_err(|error| fault(&error))?;
    Ok(Response {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response,
    })
}

fn fault(error: &reqwest::Error) -> GetError {
    if error.is_timeout() {
        GetError::TimedOut
    } else {
        GetError::Transport(cause_of(error))
    }
}
