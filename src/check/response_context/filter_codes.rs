//! What the response to a request may have that is filtered or bound, and the values of
//! `response_filter` that say so.

use std::borrow::Cow;

use crate::check::parse::ParsedRequest;
use crate::check::request::HttpRequest;
use crate::check::resume;
use crate::check::server::{Server, SessionBinding};
use crate::mcp::{ListKind, ListKinds, Message};
use crate::state::PlaceKey;

/// Every value of `response_filter`, which PEPs match on, and whether the body of the response is
/// read.
pub const RESPONSE_FILTERS: [(&str, bool); 8] = [
    ("list", true),
    ("list/tools", true),
    ("list/prompts", true),
    ("list/resources", true),
    ("list/templates", true),
    ("list/tasks", true),
    ("task", true),
    ("initialize", false),
];

/// What ends the codes of requests that have places under limits on how many are open at once: the
/// PEP shows them from their heads to the ends of their responses.
pub(super) const STREAM: &str = "stream";

/// What the values stand for of requests that count under a limit on how many are open at once, as
/// in [`RESPONSE_FILTERS`].
pub const OPEN_FILTERS: [(&str, bool); 9] = [
    (STREAM, false),
    ("list+stream", true),
    ("list/tools+stream", true),
    ("list/prompts+stream", true),
    ("list/resources+stream", true),
    ("list/templates+stream", true),
    ("list/tasks+stream", true),
    ("task+stream", true),
    ("initialize+stream", false),
];

/// The method whose response alone has this value of `response_filter`, if there is one.
#[must_use]
pub fn filtered_method(code: &str) -> Option<&'static str> {
    let mut kinds = ListKind::ALL.into_iter();
    match code {
        "task" => Some("tools/call"),
        "initialize" => Some("initialize"),
        _ => kinds.find(|kind| kind.response_filter() == code)?.method(),
    }
}

/// What the response to a request may have that is filtered or bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResponseContents {
    /// It may have these lists.
    pub(crate) lists: ListKinds,
    /// It may create a task.
    pub(crate) task: bool,
    /// It may open a session.
    pub(crate) session: bool,
    /// It is the result of a tool that finds tools.
    pub(crate) results: bool,
}

impl ResponseContents {
    /// What a response may have if nobody knows its request.
    pub(crate) const ANYTHING: ResponseContents = ResponseContents {
        lists: ListKinds::ALL,
        task: false,
        session: false,
        results: false,
    };

    const NOTHING: ResponseContents = ResponseContents {
        lists: ListKinds::NONE,
        task: false,
        session: false,
        results: false,
    };

    pub(in crate::check) fn of(
        request: &HttpRequest<'_>,
        server: &Server,
        parsed: &ParsedRequest<'_>,
    ) -> Self {
        let mut contents = ResponseContents::NOTHING;
        // A stream that is resumed repeats responses that the client has missed. Any other GET
        // stream carries none (2025-03-26 and later), unless the server speaks 2024-11-05.
        let is_resumed = resume::resumes(request, server, parsed.era);
        let binds = server.settings.session_binding != SessionBinding::Off;
        if request.method == "GET" && (is_resumed || server.settings.responses_on_get) {
            contents.lists = ListKinds::ALL;
            contents.task = binds;
        }
        for message in parsed.messages() {
            contents.add(message, binds);
        }
        contents
    }

    /// What the response to one message may have; `binds` says whether sessions and tasks are
    /// bound.
    pub(in crate::check) fn of_message(message: &Message<'_>, binds: bool) -> Self {
        let mut contents = ResponseContents::NOTHING;
        contents.add(message, binds);
        contents
    }

    fn add(&mut self, message: &Message<'_>, binds: bool) {
        match message.entry.and_then(|entry| entry.lists) {
            Some(ListKind::Tasks) if !binds => {}
            Some(kind) => self.lists = self.lists.with(kind),
            None => {}
        }
        self.results |= message.results.is_some();
        self.session |= binds && message.method == "initialize";
        self.task |= binds && message.may_create_task();
    }

    /// The value that the PEP matches on, one of [`RESPONSE_FILTERS`]; none if the response is not
    /// filtered.
    pub(in crate::check) fn code(self) -> Option<&'static str> {
        let mut kinds = self.kinds();
        match (kinds.next(), kinds.next()) {
            (Some(_), Some(_)) => Some("list"),
            (Some(kind), None) => Some(kind.response_filter()),
            // The lists in it are of tools.
            (None, _) if self.results => Some(ListKind::Tools.response_filter()),
            (None, _) if self.task => Some("task"),
            (None, _) if self.session => Some("initialize"),
            (None, _) => None,
        }
    }

    /// A number that only responses that are filtered alike have.
    pub(in crate::check) fn number(self) -> u8 {
        let all = ListKind::ALL.into_iter();
        let flags = all.map(|kind| self.lists.contains(kind));
        let flags = flags.chain([self.task, self.session, self.results]);
        flags.fold(0, |number, flag| (number << 1) | u8::from(flag))
    }

    /// Whether the body of the response is read.
    pub(crate) fn reads_body(self) -> bool {
        self.task || self.results || !self.lists.is_empty()
    }

    /// Whether it has lists, or finds tools.
    pub(crate) fn has_lists(self) -> bool {
        self.results || !self.lists.is_empty()
    }

    pub(super) fn kinds(self) -> impl Iterator<Item = ListKind> {
        let all = ListKind::ALL.into_iter();
        all.filter(move |kind| self.lists.contains(*kind))
    }
}

/// How many lists the response to a request has, if everything that it asks for is answered.
pub(in crate::check) fn lists_awaited(parsed: &ParsedRequest<'_>, server: &Server) -> usize {
    let binds = server.settings.session_binding != SessionBinding::Off;
    let has_list = |message: &&Message<'_>| {
        message.kind.reply_id().is_some()
            && ResponseContents::of_message(message, binds).has_lists()
    };
    parsed.messages().iter().filter(has_list).count()
}

/// The value that the PEP matches on for such a response to a request with these places.
pub(super) fn filter_code(
    contents: ResponseContents,
    places: &[PlaceKey],
) -> Option<Cow<'static, str>> {
    match (contents.code(), places.is_empty()) {
        (None, true) => None,
        (Some(code), true) => Some(Cow::Borrowed(code)),
        (None, false) => Some(Cow::Borrowed(STREAM)),
        (Some(code), false) => Some(Cow::Owned(format!("{code}+{STREAM}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_one_that_peps_are_told_to_match_on() {
        let mut given: Vec<(&str, bool)> = Vec::new();
        let kinds = ListKind::ALL;
        for chosen in 0..1_usize << kinds.len() {
            for (task, session) in [(false, false), (true, false), (false, true), (true, true)] {
                let lists = kinds.iter().enumerate();
                let lists = lists.filter(|(at, _)| chosen >> at & 1 == 1);
                let contents = ResponseContents {
                    lists: lists.fold(ListKinds::NONE, |lists, (_, kind)| lists.with(*kind)),
                    task,
                    session,
                    results: false,
                };
                let found = ResponseContents {
                    results: true,
                    ..contents
                };
                assert!(found.reads_body());
                let code = found.code().unwrap();
                assert!(RESPONSE_FILTERS.contains(&(code, true)), "{code}");
                if let Some(code) = contents.code() {
                    let known = RESPONSE_FILTERS.iter().find(|(known, _)| *known == code);
                    let (_, reads_body) = *known.unwrap();
                    assert_eq!(contents.reads_body(), reads_body, "{code}");
                    given.push((code, reads_body));
                }
            }
        }
        let never = RESPONSE_FILTERS.iter().filter(|code| !given.contains(code));
        assert_eq!(never.count(), 0);
        let open = RESPONSE_FILTERS.map(|(code, reads)| (format!("{code}+{STREAM}"), reads));
        let stream = (STREAM.to_owned(), false);
        let known = OPEN_FILTERS.map(|(code, reads)| (code.to_owned(), reads));
        let all: Vec<_> = std::iter::once(stream).chain(open).collect();
        assert_eq!(all, known);
    }
}
