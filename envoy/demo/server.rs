//! A small MCP server about notes, with the official Rust SDK.
//!
//! It knows nothing of authorization: whoever reaches it may do everything. Its tool `whoami` says
//! which of the trusted headers arrived, so that one can see what mcp-authz sets and removes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use http::request::Parts;
use rmcp::handler::server::router::prompt::PromptRouter;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::Extension;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolResult, ContentBlock, ListResourcesResult, PaginatedRequestParams, PromptMessage,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Resource,
    ResourceContents, Role, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{
    ErrorData, RoleServer, ServerHandler, prompt, prompt_handler, prompt_router, tool,
    tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The one resource.
pub(crate) const WELCOME_URI: &str = "note://welcome";

/// What every name of a trusted header starts with.
const TRUSTED_PREFIX: &str = "x-mcp-authz-";

/// Notes by number; shared by all sessions, gone with the process.
type Notes = Arc<Mutex<BTreeMap<u64, Note>>>;

/// One note.
struct Note {
    title: String,
    text: String,
}

/// Arguments of `get_note` and `delete_note`.
#[derive(Deserialize, JsonSchema)]
struct NoteNumber {
    /// The note's number, as listed.
    id: u64,
}

/// Arguments of `create_note`.
#[derive(Deserialize, JsonSchema)]
struct NewNote {
    /// One line that names the note.
    title: String,
    /// The note itself.
    #[serde(default)]
    text: String,
}

/// Arguments of the prompt `summarize`.
#[derive(Deserialize, JsonSchema)]
struct Summary {
    /// In how many words, for instance `20`.
    words: String,
}

/// The MCP server; one value per session.
#[derive(Clone)]
struct NotesServer {
    notes: Notes,
    tool_router: ToolRouter<Self>,
    prompt_router: PromptRouter<Self>,
}

#[tool_router]
impl NotesServer {
    fn new(notes: Notes) -> Self {
        Self {
            notes,
            tool_router: Self::tool_router(),
            prompt_router: Self::prompt_router(),
        }
    }

    #[tool(
        description = "Lists every note with its number and title.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn list_notes(&self) -> String {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<_> = notes
            .iter()
            .map(|(id, note)| format!("{id}: {}", note.title))
            .collect();
        lines.join("\n")
    }

    #[tool(
        description = "Returns the text of one note.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn get_note(&self, Parameters(NoteNumber { id }): Parameters<NoteNumber>) -> CallToolResult {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        match notes.get(&id) {
            Some(note) => success(format!("{}: {}", note.title, note.text)),
            None => failure(format!("there is no note {id}")),
        }
    }

    #[tool(
        description = "Adds a note and returns its number.",
        annotations(
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = false,
            open_world_hint = false
        )
    )]
    fn create_note(&self, Parameters(NewNote { title, text }): Parameters<NewNote>) -> String {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let id = notes
            .last_key_value()
            .map_or(1, |(last, _)| last.saturating_add(1));
        notes.insert(id, Note { title, text });
        format!("created note {id}")
    }

    #[tool(
        description = "Deletes a note for good.",
        annotations(
            read_only_hint = false,
            destructive_hint = true,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    fn delete_note(&self, Parameters(NoteNumber { id }): Parameters<NoteNumber>) -> CallToolResult {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        match notes.remove(&id) {
            Some(_) => success(format!("deleted note {id}")),
            None => failure(format!("there is no note {id}")),
        }
    }

    #[tool(
        description = "Says which trusted headers reached this server, and whether a token did.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn whoami(Extension(parts): Extension<Parts>) -> String {
        let mut seen: Vec<_> = parts
            .headers
            .iter()
            .filter_map(|(name, value)| {
                let short = name.as_str().strip_prefix(TRUSTED_PREFIX)?;
                Some(format!(
                    "{short}={}",
                    String::from_utf8_lossy(value.as_bytes())
                ))
            })
            .collect();
        seen.sort();
        seen.sort_by_key(|header| !header.starts_with("subject="));
        let token = if parts.headers.contains_key(http::header::AUTHORIZATION) {
            "a token"
        } else {
            "no token"
        };
        seen.insert(0, token.to_owned());
        seen.join(", ")
    }
}

#[prompt_router]
impl NotesServer {
    #[prompt(description = "Asks for a summary of all notes.")]
    async fn summarize(
        &self,
        Parameters(Summary { words }): Parameters<Summary>,
    ) -> Vec<PromptMessage> {
        let text = format!(
            "Summarize these notes in {words} words:\n{}",
            self.list_notes()
        );
        vec![PromptMessage::new_text(Role::User, text)]
    }
}

#[tool_handler(router = self.tool_router)]
#[prompt_handler(router = self.prompt_router)]
impl ServerHandler for NotesServer {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts()
            .build();
        ServerConfig::new(capabilities).with_instructions("Keeps notes.")
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let resources = vec![Resource::new(WELCOME_URI, "welcome").with_mime_type("text/plain")];
        Ok(ListResourcesResult {
            resources,
            ..ListResourcesResult::default()
        })
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        if request.uri != WELCOME_URI {
            return Err(ErrorData::resource_not_found("no such resource", None));
        }
        let text = ResourceContents::text("Welcome to the notes.", request.uri);
        Ok(ReadResourceResult::new(vec![text]).into())
    }
}

/// A tool's result that is one text.
fn success(text: String) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

/// A tool's failure that is one text.
fn failure(text: String) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text)])
}

/// The server as an HTTP service at `/mcp`, with one note in it. Serves both protocol eras.
pub(crate) fn router() -> Router {
    let first = Note {
        title: "groceries".to_owned(),
        text: "milk, bread".to_owned(),
    };
    let notes: Notes = Arc::new(Mutex::new(BTreeMap::from([(1, first)])));
    let service = StreamableHttpService::new(
        move || Ok(NotesServer::new(Arc::clone(&notes))),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    Router::new().nest_service("/mcp", service)
}
