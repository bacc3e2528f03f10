//! Asks a running service through its admin endpoint.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::Value;
use url::Url;

use super::outcome::Stop;
use crate::fetch::{
    self, Client, ClientSettings, GetError, InvalidClient, Outbound, send_request, url_to_fetch,
};

/// How long an answer may take.
const TIME_MAX: Duration = Duration::from_secs(30);
/// The most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The admin endpoint of a running service.
#[derive(Debug)]
pub(super) struct AdminEndpoint {
    url: Url,
    client: Client,
}

/// What it answered.
#[derive(Debug)]
pub(super) struct AdminAnswer {
    pub(super) status: u16,
    pub(super) text: Vec<u8>,
}

impl AdminEndpoint {
    /// The endpoint at this URL, which is the value of an option.
    pub(super) fn of(option: &str, text: &str, insecure_http: bool) -> Result<Self, Stop> {
        let url = url_to_fetch(text, insecure_http).filter(|url| url.query().is_none());
        let url = url.ok_or_else(|| {
            let is_plain_http = |url: Url| url.scheme() == "http" && !fetch::is_loopback(&url);
            let why = if !insecure_http && Url::parse(text).is_ok_and(is_plain_http) {
                "over http it has to be on this host, such as http://127.0.0.1:9002"
            } else {
                "expected the URL of `admin.listen`, such as http://127.0.0.1:9002, without user, password, query and fragment"
            };
            Stop::Failed(format!("`{option}` cannot be used: {why}"))
        })?;
        let settings = ClientSettings {
            timeout: TIME_MAX,
            ca_file: None,
            reach: None,
            insecure_http: false,
        };
        let client = Outbound::default().client(&url, settings);
        let client = client.map_err(|error| match error {
            InvalidClient::CaFile(why) | InvalidClient::Client(why) => Stop::Failed(why),
        })?;
        Ok(AdminEndpoint { url, client })
    }

    /// The URL of a page or command.
    pub(super) fn page(&self, name: &str) -> Url {
        let mut url = self.url.clone();
        let path = format!("{}/{name}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    /// Whether it is on this host.
    pub(super) fn is_here(&self) -> bool {
        fetch::is_loopback(&self.url)
    }

    /// Reads a page.
    pub(super) fn get(&self, name: &str) -> Result<AdminAnswer, Stop> {
        self.ask(Method::GET, name, HeaderMap::new(), Vec::new())
    }

    /// Gives a command.
    pub(super) fn post(&self, name: &str, body: &Value) -> Result<AdminAnswer, Stop> {
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
        self.ask(Method::POST, name, headers, body.to_string().into_bytes())
    }

    fn ask(
        &self,
        method: Method,
        name: &str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<AdminAnswer, Stop> {
        let url = self.page(name);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Stop::failed(&error))?;
        let asked = runtime.block_on(async {
            let mut response = send_request(&self.client, method, &url, headers, body).await?;
            let mut text = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                if text.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
                    return Err(GetError::TooLarge(ANSWER_BYTES_MAX));
                }
                text.extend_from_slice(&chunk);
            }
            Ok(AdminAnswer {
                status: response.status,
                text,
            })
        });
        asked.map_err(|error| Stop::Failed(format!("no answer from `{url}`: {error}")))
    }
}

impl AdminAnswer {
    /// What the service says is wrong, if it says so.
    pub(super) fn error(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.text).ok()?;
        body.get("error")?.as_str().map(str::to_owned)
    }
}
