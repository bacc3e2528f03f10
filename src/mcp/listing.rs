//! Filters the lists of a response while it streams: each item is shown or hidden.
//!
//! [`Listing`] reads the response in chunks of any size and forwards every byte as soon as it is
//! known to pass. It holds back only an item of a list, until the item is complete and the caller
//! has judged it. So memory is bounded by one item, however long the response is. There is no I/O,
//! no clock and no policy here.
//!
//! It reads a response as any client could. Keys are compared after unescaping, under case folding
//! and up to a NUL, and each repeat of a list is filtered like the first. An item that cannot be
//! judged is hidden. Text that is not JSON ends the response.

mod event;
mod fault;
mod filter;
mod item;
mod member;
mod pending_item;
mod report;
mod settings;

pub use fault::{Unjudged, Unreadable};
pub use item::ListItem;
pub(super) use item::{name_for_operators, read as read_item};
pub use report::{ListingCounts, ListingStep};
pub use settings::{Framing, ListingSettings};

use super::list_kind::ListKind;
use event::EventStream;
use filter::{Awaits, ListFilter, Signal};

/// The filter of one response.
#[derive(Debug)]
pub struct Listing {
    filter: ListFilter,
    /// The framing, unless the response is plain JSON.
    events: Option<EventStream>,
    fault: Option<Unreadable>,
    /// Whether any output has been taken.
    was_taken: bool,
}

impl Listing {
    /// Creates a filter that has read nothing.
    #[must_use]
    pub fn new(settings: ListingSettings) -> Self {
        Self {
            filter: ListFilter::new(settings),
            events: match settings.framing {
                Framing::Json => None,
                Framing::EventStream => Some(EventStream::new()),
            },
            fault: None,
            was_taken: false,
        }
    }

    /// Reads up to the first item or other thing to report, or else all of `input`, which is then
    /// empty. The rest of `input` belongs to the next call. An item that was not settled is hidden.
    ///
    /// # Errors
    ///
    /// If the response cannot be read; every later call then returns the same error.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<ListingStep<'_>, Unreadable> {
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
            None => ListingStep::More,
            Some(Signal::Unjudged(kind, unjudged)) => {
                let name = self.filter.unjudged_name.take();
                ListingStep::Unjudged(kind, unjudged, name)
            }
            Some(Signal::Task) => self.report_task(),
            Some(Signal::Item(kind)) => self.report_item(kind),
            Some(Signal::Result) => ListingStep::Result(self.filter.item.json()),
        })
    }

    /// Keeps or hides the item that [`Listing::read`] stopped at.
    pub fn settle(&mut self, keep: bool) {
        self.filter.settle(keep);
    }

    /// Puts a JSON text in the place of the result that [`Listing::read`] stopped at, or keeps the
    /// result.
    pub fn replace(&mut self, text: Option<&str>) {
        self.filter.replace_result(text);
    }

    /// Ends the response. The last event of a stream may lack the blank line after it; clients drop
    /// such an event.
    ///
    /// # Errors
    ///
    /// If the response could not be read or is incomplete. An empty JSON response is incomplete.
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

    /// The output since the last call, which may be forwarded.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.was_taken |= !self.filter.out.is_empty();
        std::mem::take(&mut self.filter.out)
    }

    /// Whether no output has been taken, so that the whole response can still be replaced.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        !self.was_taken
    }

    /// Ends an event stream for good: terminates an unfinished line and event, and appends an event
    /// with `message`, a JSON text. A client sees incomplete JSON in the broken event. Does nothing
    /// in plain JSON, which cannot be repaired at its end.
    pub fn abandon(&mut self, message: &str) {
        self.fail(Unreadable::Abandoned);
        if self.events.take().is_none() {
            return;
        }
        let out = &mut self.filter.out;
        // The first line feed may complete a CR LF.
        out.extend_from_slice(b"\n\n");
        for line in message.split(['\n', '\r']) {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        }
        out.push(b'\n');
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> ListingCounts {
        self.filter.counts
    }

    /// How many bytes are held back, without output that was not yet taken. At most
    /// `item_bytes_max`, plus what one chunk adds before the excess is detected, and a byte for each
    /// level of nesting.
    #[must_use]
    pub fn held(&self) -> usize {
        self.filter.held()
    }

    /// Records a fault; the first one stays.
    fn fail(&mut self, fault: Unreadable) -> Unreadable {
        self.filter.forget();
        *self.fault.get_or_insert(fault)
    }

    fn report_item(&mut self, kind: ListKind) -> ListingStep<'_> {
        let depth_max = self.filter.item_depth_max();
        match item::read(kind, self.filter.item.json(), depth_max) {
            Ok(item) => ListingStep::Item(item),
            Err(unjudged) => {
                self.filter.waiting = Awaits::Removal;
                self.filter.counts.unjudged += 1;
                let name = name_for_operators(kind, self.filter.item.json());
                ListingStep::Unjudged(kind, unjudged, name)
            }
        }
    }

    fn report_task(&mut self) -> ListingStep<'_> {
        if let Some(id) = self.filter.task_id() {
            return ListingStep::NewTask(id);
        }
        self.filter.counts.unjudged += 1;
        ListingStep::Unjudged(ListKind::Tasks, Unjudged::TooLarge, None)
    }
}

#[cfg(test)]
mod tests;
