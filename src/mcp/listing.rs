//! A server's answer, filtered as it streams: items of its lists are shown or hidden one by one.
//!
//! [`Listing`] reads the answer in whatever chunks it comes and lets every byte out as soon as it
//! is known to pass. Only an item of a list is held back until it is whole and its caller has
//! judged it, so the memory taken is that of one item, however long the answer. There is no I/O,
//! no clock and no policy here.
//!
//! What it reads is what any client could read. Keys are compared after unescaping, under case
//! folding and up to a NUL, and each repeat of a list is filtered like the first. What cannot be
//! judged is hidden; what is no JSON ends the answer.

mod event;
mod filter;
mod held;
mod item;
mod lexer;
mod number;
#[cfg(test)]
mod tests;
mod text;

pub use item::ListItem;

use event::EventStream;
use filter::{Filter, Signal, Waiting};

/// A list in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListKind {
    /// Of tools.
    Tools,
    /// Of prompts.
    Prompts,
    /// Of resources, of all or of those in a directory.
    Resources,
    /// Of templates of resources.
    Templates,
    /// Of tasks.
    Tasks,
}

impl ListKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Tools,
        Self::Prompts,
        Self::Resources,
        Self::Templates,
        Self::Tasks,
    ];

    /// The member of the result that is the list.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
            Self::Tasks => "tasks",
        }
    }

    /// The member of an item that names it.
    #[must_use]
    pub fn naming(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::Templates => "uriTemplate",
            Self::Tasks => "taskId",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Tools => 1,
            Self::Prompts => 1 << 1,
            Self::Resources => 1 << 2,
            Self::Templates => 1 << 3,
            Self::Tasks => 1 << 4,
        }
    }
}

/// Which lists an answer may carry: several, if it answers a batch or resumes a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lists(u8);

impl Lists {
    /// Every list.
    pub const ALL: Self = Self(0b1_1111);
    /// No list: nothing is hidden.
    pub const NONE: Self = Self(0);

    /// These and one more.
    #[must_use]
    pub fn with(self, kind: ListKind) -> Self {
        Self(self.0 | kind.bit())
    }

    /// Whether `kind` is among them.
    #[must_use]
    pub fn contains(self, kind: ListKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<ListKind> for Lists {
    fn from_iter<I: IntoIterator<Item = ListKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::NONE, Self::with)
    }
}

/// How an answer carries its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `application/json`: one JSON text.
    Json,
    /// `text/event-stream`: one JSON text per event.
    EventStream,
}

/// What a [`Listing`] filters, and within which limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListingSettings {
    /// The lists to filter. Others pass.
    pub lists: Lists,
    /// How messages are carried.
    pub framing: Framing,
    /// Whether a result with a list and without a `cacheScope` is given one (revision 2026-07-28).
    /// One that is there is made `private` in any case, as long as `lists` are filtered.
    pub make_private: bool,
    /// Whether the ids of new tasks are reported: `result.task.taskId` (revision 2025-11-25) and
    /// `result.taskId` (the extension `io.modelcontextprotocol/tasks`). They pass unchanged.
    pub new_tasks: bool,
    /// The size of an item, with the comma in front of it, the white space between and, in an
    /// event stream, framing inside it, in bytes. A larger item is hidden.
    pub item_bytes_max: usize,
    /// The length of the id of a new task, in bytes after unescaping. A longer one is not reported.
    pub task_id_bytes_max: usize,
    /// How deep arrays and objects may be nested, the message itself and a batch included.
    /// A value above 126 acts as 126.
    pub depth_max: usize,
}

impl Default for ListingSettings {
    fn default() -> Self {
        Self {
            lists: Lists::ALL,
            framing: Framing::Json,
            make_private: false,
            new_tasks: false,
            item_bytes_max: 256 * 1024,
            task_id_bytes_max: 256,
            depth_max: 64,
        }
    }
}

/// Where [`Listing::read`] stopped.
#[derive(Debug, PartialEq)]
pub enum Reading<'a> {
    /// The input is used up.
    More,
    /// An item, to be judged by [`Listing::settle`]. It is hidden if that is not called.
    Item(ListItem<'a>),
    /// Something in this list cannot be judged; it is hidden, and the caller has nothing to do.
    /// Of a new task whose id cannot be told, the id passes and is not known.
    Unjudged(ListKind, Unjudged),
    /// A new task has this id, the last bytes of which are the last that were let out.
    NewTask(String),
}

/// Why something is hidden without having been judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unjudged {
    /// An item is larger than `item_bytes_max`, or the id of a new task than `task_id_bytes_max`.
    #[error("an item is too large")]
    TooLarge,
    /// The list is not an array. It is replaced by an empty one.
    #[error("the list is not an array")]
    NotAList,
    /// An item is not an object.
    #[error("an item is not an object")]
    NotAnObject,
    /// An item has text with a lone surrogate, or a number out of range.
    #[error("an item has text or a number that cannot be represented")]
    Unsound,
    /// An item can be read in two ways: equal keys, keys that differ only in case from one another
    /// or from a member of the protocol, or NUL in a key. Free data in it, such as a schema, may
    /// have keys that differ only in case.
    #[error("an item can be read in two ways")]
    Ambiguous,
    /// An item lacks the string that names it.
    #[error("an item has no name")]
    Unnamed,
}

/// Why an answer cannot be read on. Nothing is let out from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unreadable {
    /// It is not JSON.
    #[error("the answer is not valid JSON")]
    NotJson,
    /// A JSON text begins with a byte order mark.
    #[error("the answer begins with a byte order mark")]
    Bom,
    /// A string is not UTF-8.
    #[error("the answer is not UTF-8")]
    NotUtf8,
    /// Arrays and objects are nested too deeply.
    #[error("nesting in the answer is deeper than `depth_max`")]
    TooDeep,
    /// Something other than white space follows the JSON value.
    #[error("data follows the JSON value of the answer")]
    TrailingData,
    /// The answer, or an event in it, ends before its JSON value does.
    #[error("the answer ends in the middle of a JSON value")]
    Incomplete,
    /// A line of an event stream is read differently by different clients.
    #[error("a line of the event stream can be read in two ways")]
    AmbiguousLine,
    /// The caller has abandoned it.
    #[error("the answer was abandoned")]
    Abandoned,
}

/// What a [`Listing`] did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListingCounts {
    /// Lists met, each repeat included.
    pub lists: u64,
    /// Errors met in the place of results.
    pub errors: u64,
    /// Items kept.
    pub kept: u64,
    /// Items hidden because they were judged so.
    pub hidden: u64,
    /// Items and lists hidden unjudged, and ids of new tasks not told.
    pub unjudged: u64,
}

/// The filter of one answer.
#[derive(Debug)]
pub struct Listing {
    filter: Filter,
    /// The framing, unless the answer is plain JSON.
    events: Option<EventStream>,
    fault: Option<Unreadable>,
    /// Whether output has been taken.
    was_taken: bool,
}

impl Listing {
    /// A filter that has read nothing.
    #[must_use]
    pub fn new(settings: ListingSettings) -> Self {
        Self {
            filter: Filter::new(settings),
            events: match settings.framing {
                Framing::Json => None,
                Framing::EventStream => Some(EventStream::new()),
            },
            fault: None,
            was_taken: false,
        }
    }

    /// Reads on: up to the first item or other thing to report, else through all of `input`, which
    /// then is empty. What is left of `input` belongs to the next call. An item that was not
    /// settled is hidden.
    ///
    /// # Errors
    ///
    /// If the answer cannot be read; and then at each further call.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Reading<'_>, Unreadable> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.filter.settle(false);
        let signal = match &mut self.events {
            None => self.filter.read(input),
            Some(events) => events.read(input, &mut self.filter),
        };
        let signal = match signal {
            Ok(signal) => signal,
            Err(fault) => return Err(self.fail(fault)),
        };
        Ok(match signal {
            None => Reading::More,
            Some(Signal::Unjudged(kind, unjudged)) => Reading::Unjudged(kind, unjudged),
            Some(Signal::Task) => self.report_task(),
            Some(Signal::Item(kind)) => self.report_item(kind),
        })
    }

    /// Keeps or hides the item that [`Listing::read`] stopped at.
    pub fn settle(&mut self, keep: bool) {
        self.filter.settle(keep);
    }

    /// Ends the answer. The last event of a stream may lack the blank line behind it; clients drop
    /// such an event.
    ///
    /// # Errors
    ///
    /// If the answer could not be read or is not whole. A JSON answer without a byte is not whole.
    pub fn finish(&mut self) -> Result<(), Unreadable> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.filter.settle(false);
        let may_be_blank = self.events.is_some();
        self.filter
            .end(may_be_blank)
            .map_err(|fault| self.fail(fault))
    }

    /// What may be sent on since the last call.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.was_taken |= !self.filter.out.is_empty();
        std::mem::take(&mut self.filter.out)
    }

    /// Whether no output has been taken, so that the whole answer can still be replaced.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        !self.was_taken
    }

    /// Ends an event stream for good: what has begun of a line and an event is closed, and an
    /// event with `message`, a JSON text, follows. Of a broken event a client sees an incomplete
    /// JSON text. Does nothing in plain JSON, which cannot be mended from behind.
    pub fn abandon(&mut self, message: &str) {
        self.fail(Unreadable::Abandoned);
        if self.events.take().is_none() {
            return;
        }
        let out = &mut self.filter.out;
        // The first may belong to a carriage return.
        out.extend_from_slice(b"\n\n");
        for line in message.split(['\n', '\r']) {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        }
        out.push(b'\n');
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> ListingCounts {
        self.filter.counts
    }

    /// How many bytes are held back, output that waits to be taken not included. At most
    /// `item_bytes_max` and what one chunk adds before that is seen.
    #[must_use]
    pub fn held(&self) -> usize {
        self.filter.held()
    }

    /// Notes a fault; the first one stays.
    fn fail(&mut self, fault: Unreadable) -> Unreadable {
        self.filter.forget();
        *self.fault.get_or_insert(fault)
    }

    fn report_item(&mut self, kind: ListKind) -> Reading<'_> {
        match item::read(kind, self.filter.held.item()) {
            Ok(item) => Reading::Item(item),
            Err(unjudged) => {
                self.filter.waiting = Waiting::Removal;
                self.filter.counts.unjudged += 1;
                Reading::Unjudged(kind, unjudged)
            }
        }
    }

    fn report_task(&mut self) -> Reading<'_> {
        if let Some(id) = self.filter.task_id() {
            return Reading::NewTask(id);
        }
        self.filter.counts.unjudged += 1;
        Reading::Unjudged(ListKind::Tasks, Unjudged::TooLarge)
    }
}
