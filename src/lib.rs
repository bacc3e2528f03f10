//! mcp-authz is the policy decision point (PDP) for the Model Context Protocol behind Envoy.
//!
//! Envoy's `ext_authz` filter, the policy enforcement point (PEP), sends every HTTP request to
//! this process over gRPC and does what it answers. The process decodes the JSON-RPC body, proves
//! who is calling, decides whether this call by this caller in this context may happen, and
//! records why. README.md tells how to run it and maps the reference, which stands in the README.md
//! of each room; this text tells how it is built.
//!
//! # Entry points
//!
//! [`cli`] turns arguments into a command. `serve` runs [`app`], the composition root, which
//! builds the parts and ends them in order. Each core has a worker, a thread with a runtime of its
//! own, and each connection of Envoy's stays on one of them (`app/worker.rs`). One check enters at
//! [`envoy::ExtAuthz`] and passes through [`check::Pipeline`]. A response of an upstream that Envoy
//! is told to show us comes in at [`envoy::ExtProc`], chunk by chunk, and passes through a
//! [`response::ResponseFilter`], which uses the parts of the same pipeline.
//!
//! # The path of a request
//!
//! 1. [`envoy`]: gRPC in, deadline and size capped, span opened; [`envoy::check_request`] turns the
//!    `CheckRequest` into a [`check::HttpRequest`], which borrows from the message.
//! 2. [`check::LivePipeline`]: the pipeline in force, which is kept to the end. `check/steps.rs`: one
//!    look at the clock, one policy snapshot, the server that is meant.
//! 3. [`authn`]: credentials to [`authz::Subject`]. Without one: 401 now, after a look at the
//!    beginning of the body ([`mcp::glance`]) for the id that the reply is addressed to.
//! 4. `check/turn.rs`: a long body waits for its turn. `check/parse.rs` and [`mcp`]: body to
//!    [`mcp::Message`], or the reason it is refused.
//! 5. A request that is not acceptable is rejected now.
//! 6. `check/targets.rs`, [`mcp::Message::targets`]: what is to be done, and to what.
//! 7. `check/session.rs`: a session or task that is another subject's is denied now; one that is
//!    nobody's becomes the caller's after an allow.
//! 8. `check/decide.rs`. [`catalog`]: what is known of the tool, whether the arguments fit its
//!    schema, where that is asked for, and whether headers repeat them (`check/param_headers.rs`).
//!    `check/entailed.rs`: what needs no rule of its own. [`authz::evaluate`]: synchronous and pure. [`state`] is read
//!    before and taken from after (`check/takings.rs`), only where a rule that may match needs it.
//!    `check/in_flight.rs`: an id that waits for a list is nobody else's in its session.
//! 9. `check/prepare.rs`: what [`upstream`] gives an allowed request. This step may wait for the
//!    network, within the deadline of the check; without anything to wait for it costs a call.
//! 10. `check/conclude.rs`: the verdict, or a local reply (`check/reply.rs`).
//! 11. `check/evidence.rs`: audit, metrics and span, once.
//! 12. [`envoy::check_response`]: [`check::Verdict`] to `CheckResponse`.
//!
//! # The path of a response
//!
//! Where a response has lists, opens a session or creates a task, or the request counts as long as
//! it is open, the verdict says so in metadata (`check/response_context.rs`), and the PEP opens a
//! stream for it, to this replica or another:
//!
//! 1. [`envoy`]: pieces of the response as they come, to a [`response::ResponseFilter`], and its
//!    outputs back.
//! 2. `response/recipient.rs`: the context that came with it is believed if a check of this service
//!    sealed it (`check/response_context/seal.rs`), not too long ago and for one stream; else the
//!    response is nobody's. `response/framing.rs`: from the head, whether and how the body is read.
//!    `response/judge.rs`: what is issued is bound in [`state`] before the client can know of it.
//! 3. [`mcp::Listing`]: the body, let out as it is but for items of lists, which wait to be judged.
//! 4. `response/tool_watch.rs`: [`catalog`] records each tool; `response/judge.rs`:
//!    [`authz::is_visible`] judges each item.
//!
//! A request or response that shows that Envoy is not configured as it should be is not refused for
//! that: it raises a [`telemetry::notices::Noticed`], which operators see.
//!
//! # A change of the configuration
//!
//! A [`check::Pipeline`] is one generation of the configuration with the policy that was compiled
//! against it. `app/reload.rs` watches the file. `app/parts.rs` builds the next generation from the one
//! in force: a part whose settings are the same is taken over with what it knows, and the state, the
//! ids in flight, the audit and the metrics are those of the process. If all of it is good, it is
//! swapped in; `app/part_tasks.rs` ends the tasks of parts that are gone and starts those of new ones.
//! What the process has only once, such as sockets, is in [`config::Config::keep_fixed`].
//!
//! # Threads and ports
//!
//! | thread | runtime | what it does, and why apart |
//! |---|---|---|
//! | main | tokio, one thread | Accepts connections, serves `admin.listen`, fetches keys, watches files, hears signals. None of it is a check, so a slow file system or issuer delays none. |
//! | `checks`, one for each core | tokio, one thread each | Serve checks and responses. A connection stays on one of them, so nothing of a check goes from core to core, and checks that came in together are answered in one write. |
//! | `audit` | none | Writes records to standard output, which may block. |
//! | `files` | none | One look at a watched file each. A file system may never answer, and then the thread is given up: a pool would run out of threads. |
//! | blocking pool of main | | Builds the parts of another configuration, compiles policies and runs their tests, reads databases, and looks at files in few places. |
//! | batch processor | OpenTelemetry's own | Sends spans, if a collector is configured. |
//!
//! | port | protocol | why apart |
//! |---|---|---|
//! | `listen` | gRPC: `ext_authz`, `ext_proc`, health, reflection; TCP or a unix socket, TLS optional | For Envoy alone: whoever reaches it can ask whether a token is good. |
//! | `admin.listen` | HTTP: `/livez`, `/readyz`, `/metrics`, `/tools`, and commands by POST from this host | For operators and the kubelet, who have no client certificate of Envoy's. |
//!
//! Outwards the process speaks to the issuers ([`fetch`]), through a proxy where one is configured,
//! and to the collector of traces ([`telemetry`]), and to nobody else. The command `record` is a
//! client of the MCP server that it is told to ask, and `clear` and `matrix --live` of the admin
//! endpoint.
//!
//! # Who may import whom
//!
//! `main → cli → app → envoy, admin → response → check → authn, policy, catalog → mcp, upstream,
//! state, audit → authz`; [`config`] composes the settings of the modules and is imported by
//! [`app`] and [`cli`] only. [`yaml`], [`json`], [`byte_class`], [`text`], [`fetch`],
//! [`mod@file`], [`geoip`] and [`telemetry`] serve all of them and import none but [`authz`]'s
//! values.
//!
//! - [`authz`] imports nothing of ours: no async, no clock, no I/O, no serialization. The same
//!   arguments give the same decision, and it cannot panic.
//! - Envoy's types exist only in [`envoy`]; YAML keys only in [`config`], `policy/document*`,
//!   `policy/testing/document*` and the lints, and those of Envoy's own files in
//!   [`envoy::bootstrap`], which only `validate` asks; token types only in [`authn`].
//! - The inner module owns the type that it consumes: [`check::HttpRequest`] is defined by the
//!   pipeline and produced by the edge.
//! - A rule compares a value from outside only where every server reads it alike: URIs by
//!   `authz/uri.rs`, arguments and claims by `authz/compare.rs`, keys and paths by
//!   `authz/path.rs`. Selectors and expressions share these, and there is no other comparison.
//! - Every file is read by [`mod@file`]: what cannot be read is an error, never absent, and a file system
//!   that gives no answer holds up nothing else. Every outbound HTTP request is made by [`fetch`].
//! - Time is read once per check, and so are the configuration and its policy: no request ever sees
//!   two.
//! - Only verification makes a [`authz::Subject`] (and assumption, where a policy is tested or
//!   previewed: [`policy::testing`]), only compilation makes a [`authz::Policy`], and
//!   only evaluation makes a [`authz::Allow`]: there is no default, no conversion and no error
//!   from which an allow could come.
//!
//! `tests/suite/tidy.rs` reads the source and enforces this.
//!
//! # What is deliberately absent
//!
//! - A switch that fails open. Whether Envoy lets requests pass when nobody decides is
//!   `failure_mode_allow` in Envoy: one visible place, off.
//! - Repair of ambiguous input. The PEP cannot rewrite a body, so what can be read in two ways is
//!   rejected.
//! - Decoding of tokens without verification, and keys that a token names itself.
//! - Text of a client in a header, a metric label or a log line.
//! - `unsafe`, and panics on the request path: lints deny both.
//!
//! # Design decisions
//!
//! Each of these had another road, and this is why it was not taken.
//!
//! - *No switch that fails open.* Whether Envoy lets requests pass without a decision is
//!   `failure_mode_allow` in Envoy. A second switch here could only disagree with it, so an error on
//!   this side is always a refusal.
//! - *A gRPC front of our own instead of tonic's server* (`envoy/grpc/dispatch.rs`). Tonic boxes the bodies of
//!   each call, clones all services and starts a timer, which together cost half as much as a decision.
//!   Checks go straight from HTTP/2 to their service; health and reflection still go through
//!   tonic's routes. `tests/bench/noop` has both for comparison.
//! - *Check requests are read from the bytes, not by generated types* (`envoy/protobuf.rs`). Generated types
//!   copy each of about thirty strings of a check, and they accept a field that is there twice. The
//!   tests hold the reader to `envoy-types`, field by field.
//! - *JSON readers of our own* for bodies and lists. Serde keeps the last of two equal keys or fails
//!   without saying where, and cannot filter a list that comes in pieces byte for byte.
//! - *One worker for each core, each with a runtime of its own,* instead of one runtime of many threads.
//!   That runtime wakes a connection's task after each check, so each response is a write of its own,
//!   and Envoy reads them one by one. Workers took an eighth off Envoy's work for a request, and a
//!   sixth off ours.
//! - *mimalloc instead of the system's allocator.* A check makes many small allocations of the same
//!   sizes. Version 2, because version 3 takes the slow path for every aligned allocation above a
//!   kilobyte; without huge pages, because they nearly double the resident memory.
//! - *Watched files are compared by content or state, not by notification.* Notifications differ
//!   between local disks, network volumes and the links of Kubernetes. Two looks in a row that
//!   found the same settle a change: a half-written policy may be a valid one without its last deny
//!   rules.
//! - *A configuration is put in force as a whole, with its policy,* by one swap of one pointer. Parts that
//!   each follow the file by themselves would let a check see the servers of one configuration and the
//!   policy of another.
//! - *Keys are fetched ahead of need,* not when a token asks for them. Otherwise the first request
//!   after each expiry waits for the issuer, and a burst of unknown key ids becomes a burst of fetches.
//! - *The proxy is a setting, and those of the environment are ignored.* Where requests go belongs
//!   beside the trust anchors. A variable that a platform sets for every process would decide it
//!   where nobody looks, and the start could not log it.
//! - *A verified token is remembered by its hash, a decision is not remembered.* Verifying takes
//!   tens of microseconds or more and depends on the token and the key; deciding takes a few, and
//!   depends on the time, the arguments and the policy.
//! - *What is forgotten is unknown, never free* ([`state`]). A store that evicts quietly would let a
//!   flood of made-up names reset somebody's limits.
//! - *A full audit queue drops and counts.* Waiting for a slow log would turn it into an outage of
//!   every server behind the gate. A check that must not go on without its evidence can wait for it
//!   ([`audit::Audit::record_durably`]); many that wait share one flush.
//! - *The context of a response travels through Envoy, sealed,* instead of lying in a shared store. So any
//!   replica can filter a response, and without a store that all have to reach.
//!
//! # What we wrote ourselves
//!
//! Where the path of a request does not pay for it, a library does the work: askama the page of the
//! matrix, `csv` and quick-junit its exports and the reports of tests, annotate-snippets the excerpts,
//! `jsonschema` the schemas, prometheus-client the metrics, `lru` and moka what is forgotten and when.
//! These parts are ours. Lines are of code, without tests, comments and blanks; times and allocations
//! are those of `tests/bench/README.md`.
//!
//! | part | lines | instead of | why |
//! |---|---|---|---|
//! | JSON readers (`json/lexer`, `json/cursor`, `json/strings`) | 775 | `serde_json` | Serde has no say about equal keys and cannot stop within a value. 20 KiB take 17 µs with all of [`mcp`]'s rules, and `serde_json` 14 µs without; a list of 1 MiB is read in pieces in 5.1 ms. |
//! | `envoy/protobuf.rs` | 153 | prost | Borrows, and refuses a field that is there twice: 1.1 µs and 2 allocations for a check. The target `check` in `tests/fuzz` holds it to prost. |
//! | `envoy/grpc/` | 193 | tonic's server | 7 µs of 22 for each request: the lean no-op against the stock one. |
//! | `byte_class.rs` | 42 | a loop | A check has about a hundred texts to test; memchr looks for bytes, not for classes of them. |
//! | `authz/uri/` | 580 | `url` | A parser says what it makes of a URI. Here the question is what any server could make of it, and what cannot be told is refused. |
//! | `authz/glob.rs` | 392 | globset | Its wildcards stop at `/` and not at `?`. Ours also says whether an expansion of a URI template could match, and a pattern costs text times pattern for any text. |
//! | `authz/compare/` | 457 | | What servers convert before they compare is nobody's standard. |
//! | `authn/token.rs`, `authn/token_header.rs`, `authn/keys/public_key.rs` | 390 | jsonwebtoken | Its algorithms are an enum without `Ed25519` (RFC 9864) and ES512, it reads a key only when a token comes, so an unusable key is found too late, and it asks for `iss`, `sub` and `aud` alike of all issuers. Both verify with aws-lc-rs. The tests sign with jsonwebtoken, so each is held to the other. |
//! | `catalog/input_schema/bounds.rs` | 335 | | `jsonschema` evaluates a schema however often it asks for it. This tells how often, before a client's arguments are looked at. |
//! | `state/memory/` | 937 | moka | A cache forgets, and what is forgotten here is unknown and not free. The order of use is `lru`'s. |
//! | `yaml/parse.rs`, `yaml/tree.rs` | 312 | saphyr's `MarkedYaml` | The events are `saphyr_parser`'s. With saphyr's tree, `parse.rs` would have 109 lines in place of 256, but that tree ends at the first equal key without naming it, reports a second document a line late or not at all, ends `[…]` and `{…}` before their bracket, and cannot tell an alias of its own value from a bad tag. Our refusal of an alias bomb peaks at 237 MB, its own at 411 MB. |
//! | `policy/matrix/shown.rs` | 27 | | askama escapes what HTML acts upon, and shows what nobody sees. |
//!
//! # Words
//!
//! *Local reply*: what mcp-authz answers in the place of the upstream. *Response*: what the
//! upstream answers. *Decision*: of the policy about a request. *Verdict*: what Envoy is told to
//! do. *Deny*: authentication or policy says no (401, 403). *Reject*: the input is not acceptable
//! (400, 413, 415). *Fail*: no decision can be made (503). *Subject*: whom the token is about.
//! *Agent*: the OAuth client that acts for the subject. *Peer*: the TLS client of Envoy. *Action*:
//! the MCP method. *Resource*: the tool, prompt, URI, task or server acted on.

pub mod admin;
pub mod app;
pub mod audit;
pub mod authn;
pub mod authz;
pub mod byte_class;
pub mod catalog;
pub mod check;
pub mod cli;
pub mod config;
pub mod envoy;
pub mod fetch;
pub mod file;
pub mod geoip;
pub mod health;
pub mod json;
pub mod listen;
pub mod mcp;
pub mod policy;
pub mod response;
pub mod state;
pub mod telemetry;
pub mod text;
pub mod upstream;
pub mod yaml;
