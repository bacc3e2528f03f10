//! Finds the lists of a response, and forwards each byte, holds it back or drops it.

use std::mem;

use super::fault::{Unjudged, Unreadable};
use super::item::name_for_operators;
use super::member::{Member, OpenPlace};
use super::pending_item::PendingItem;
use super::report::ListingCounts;
use super::settings::ListingSettings;
use crate::json::{Lexer, LexerStep, ValueStart, unescape};
use crate::mcp::list_kind::ListKind;

/// Filters one JSON text after another.
#[derive(Debug)]
pub(super) struct ListFilter {
    settings: ListingSettings,
    lexer: Lexer,
    /// The open containers whose members matter, outermost first. Their number is the floor of the
    /// lexer.
    places: Vec<OpenPlace>,
    /// The member that the last key at the floor names.
    member: Member,
    mode: Fate,
    pub(super) item: PendingItem,
    pub(super) waiting: Awaits,
    /// Whether a result was dropped.
    is_too_large: bool,
    pub(super) out: Vec<u8>,
    pub(super) counts: ListingCounts,
    /// The name of what was removed last because it cannot be judged.
    pub(super) unjudged_name: Option<String>,
}

/// What the filter reports to its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// An item is complete.
    Item(ListKind),
    /// Something was removed because it cannot be judged.
    Unjudged(ListKind, Unjudged),
    /// The id of a new task has been read.
    Task,
    /// A result that is held back as a whole is complete.
    Result,
}

/// What a complete held item awaits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Awaits {
    /// No item is complete.
    #[default]
    Nothing,
    /// The caller's judgement.
    Judgement,
    /// Removal, because it cannot be judged.
    Removal,
}

/// What happens to the bytes being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// They are forwarded.
    Pass,
    /// They belong to an item that is yet to be judged.
    Hold,
    /// They are dropped.
    Skip,
}

impl ListFilter {
    pub(super) fn new(settings: ListingSettings) -> Self {
        Self {
            settings,
            lexer: Lexer::new(settings.depth_max.min(DEPTH_MAX_CEILING)),
            places: Vec::new(),
            member: Member::Other,
            mode: Fate::Pass,
            item: PendingItem::default(),
            waiting: Awaits::Nothing,
            is_too_large: false,
            out: Vec::new(),
            counts: ListingCounts::default(),
            unjudged_name: None,
        }
    }

    /// How deep an item of the innermost list may nest, so that the response nests as deep as it may.
    pub(super) fn item_depth_max(&self) -> usize {
        let depth_max = self.settings.depth_max.min(DEPTH_MAX_CEILING);
        depth_max.saturating_sub(self.places.len())
    }

    /// Reads up to the first signal, or all of `input`.
    pub(super) fn read(&mut self, input: &mut &[u8]) -> Result<Option<Signal>, Unreadable> {
        loop {
            let before = *input;
            let step = self.lexer.run(input, self.places.len())?;
            let consumed = before.len().saturating_sub(input.len());
            self.push_text(before.get(..consumed).unwrap_or_default());
            let oversized = self.drop_oversized();
            if self.is_too_large {
                return Err(Unreadable::TooLarge);
            }
            let signal = self.take(step);
            if let Some(signal) = oversized.or(signal) {
                return Ok(Some(signal));
            }
            if step == LexerStep::More {
                return Ok(None);
            }
        }
    }

    /// Handles a line end between two pieces of the text, which is forwarded as framing.
    pub(super) fn end_line(&mut self) -> Result<Option<Signal>, Unreadable> {
        let step = self.lexer.end_line(self.places.len())?;
        Ok(self.take(step))
    }

    /// Adds bytes that are not part of the text.
    pub(super) fn push_framing(&mut self, bytes: &[u8]) -> Option<Signal> {
        match self.mode {
            Fate::Pass | Fate::Skip => {
                self.out.extend_from_slice(bytes);
                None
            }
            Fate::Hold => {
                self.item.push_framing(bytes);
                self.drop_oversized()
            }
        }
    }

    /// Ends a text and prepares for another. A text of only white space is complete if it
    /// `may_be_blank`.
    pub(super) fn end(&mut self, may_be_blank: bool) -> Result<(), Unreadable> {
        let is_whole = self.lexer.is_whole() || may_be_blank && self.lexer.is_blank();
        if self.is_too_large {
            return Err(Unreadable::TooLarge);
        }
        if !is_whole {
            return Err(Unreadable::Incomplete);
        }
        self.lexer.restart();
        self.places.clear();
        self.mode = Fate::Pass;
        Ok(())
    }

    /// Settles the held item; does nothing if none is waiting.
    pub(super) fn settle(&mut self, keep: bool) {
        match mem::take(&mut self.waiting) {
            Awaits::Nothing => return,
            Awaits::Judgement if keep => {
                let is_first = self.begin_kept();
                self.item.keep(&mut self.out, is_first);
                self.counts.kept += 1;
            }
            Awaits::Judgement => {
                self.item.hide(&mut self.out);
                self.counts.hidden += 1;
            }
            Awaits::Removal => self.item.hide(&mut self.out),
        }
        self.mode = Fate::Pass;
    }

    /// Settles the held result; does nothing if none is waiting.
    pub(super) fn replace_result(&mut self, text: Option<&str>) {
        let Some(text) = text else {
            return self.settle(true);
        };
        if mem::take(&mut self.waiting) != Awaits::Nothing {
            self.item.hide(&mut self.out);
            self.out.extend_from_slice(text.as_bytes());
            self.mode = Fate::Pass;
        }
    }

    /// Whether what is held is a result.
    fn holds_result(&self) -> bool {
        self.mode == Fate::Hold && self.places.last() == Some(&OpenPlace::Message)
    }

    /// Records that an item is kept, and returns whether it is the first one of its list.
    fn begin_kept(&mut self) -> bool {
        match self.places.last_mut() {
            Some(OpenPlace::List { has_items, .. }) => !mem::replace(has_items, true),
            Some(
                OpenPlace::Batch | OpenPlace::Message | OpenPlace::Result { .. } | OpenPlace::Task,
            )
            | None => true,
        }
    }

    /// The id of the signalled task; `None` if it is longer than the setting or not a string.
    pub(super) fn task_id(&mut self) -> Option<String> {
        let (spelling, is_cut) = self.lexer.take_text()?;
        let (id, is_whole) = unescape(spelling)?;
        let is_good = is_whole && !is_cut && id.len() <= self.settings.task_id_bytes_max;
        is_good.then_some(id)
    }

    /// Drops the held item for good.
    pub(super) fn forget(&mut self) {
        self.waiting = Awaits::Nothing;
        self.item.clear();
    }

    pub(super) fn held(&self) -> usize {
        self.item.size() + self.lexer.held()
    }

    fn push_text(&mut self, bytes: &[u8]) {
        match self.mode {
            Fate::Pass => self.out.extend_from_slice(bytes),
            Fate::Hold => self.item.push_text(bytes),
            Fate::Skip => {}
        }
    }

    /// Drops an item that has become too large to be judged. A result that has ends the response.
    fn drop_oversized(&mut self) -> Option<Signal> {
        if self.mode != Fate::Hold || self.item.size() <= self.settings.item_bytes_max {
            return None;
        }
        if self.holds_result() {
            self.item.clear();
            self.mode = Fate::Skip;
            self.is_too_large = true;
            return None;
        }
        self.refuse_item(Unjudged::TooLarge)
    }

    /// Drops the rest of the item that is being read.
    fn refuse_item(&mut self, unjudged: Unjudged) -> Option<Signal> {
        let list = self.places.last().copied();
        self.unjudged_name = match list {
            Some(OpenPlace::List { kind, .. }) => name_for_operators(kind, self.item.json()),
            Some(
                OpenPlace::Batch | OpenPlace::Message | OpenPlace::Result { .. } | OpenPlace::Task,
            )
            | None => None,
        };
        self.item.hide(&mut self.out);
        self.mode = Fate::Skip;
        self.counts.unjudged += 1;
        match list {
            Some(OpenPlace::List { kind, .. }) => Some(Signal::Unjudged(kind, unjudged)),
            Some(
                OpenPlace::Batch | OpenPlace::Message | OpenPlace::Result { .. } | OpenPlace::Task,
            )
            | None => None,
        }
    }

    fn take(&mut self, step: LexerStep) -> Option<Signal> {
        match step {
            LexerStep::More => None,
            LexerStep::Key => {
                self.member = self.recognize();
                None
            }
            LexerStep::Before(shape) => self.meet(shape),
            LexerStep::Comma => {
                if let Some(OpenPlace::List { .. }) = self.places.last() {
                    self.mode = Fate::Hold;
                }
                None
            }
            LexerStep::Close => {
                self.leave();
                None
            }
            LexerStep::End => self.pass_end(),
        }
    }

    /// The member that the last key names in its place.
    fn recognize(&mut self) -> Member {
        let Some((spelling, is_cut)) = self.lexer.take_text() else {
            return Member::Other;
        };
        Member::of(self.places.last(), spelling, is_cut)
    }

    /// Handles the beginning of a value at the floor.
    fn meet(&mut self, shape: ValueStart) -> Option<Signal> {
        match self.places.last() {
            None if shape == ValueStart::Array => self.places.push(OpenPlace::Batch),
            None | Some(OpenPlace::Batch) => {
                if shape == ValueStart::Object {
                    self.places.push(OpenPlace::Message);
                }
            }
            Some(OpenPlace::Message) => {
                if self.member == Member::Result && self.settings.whole_results {
                    self.mode = Fate::Hold;
                    // It may have items, of which one must not take the others away.
                    self.lexer.tolerate(true);
                    self.counts.lists += 1;
                } else if self.member == Member::Result && shape == ValueStart::Object {
                    self.places.push(OpenPlace::Result {
                        has_list: false,
                        has_scope: false,
                    });
                }
                if self.member == Member::Error && shape == ValueStart::Object {
                    self.counts.errors += 1;
                }
            }
            Some(OpenPlace::Result { .. }) => return self.meet_member(shape),
            Some(OpenPlace::Task) => self.note_task_id(shape),
            Some(OpenPlace::List { .. }) => return self.meet_item(shape),
        }
        None
    }

    /// Handles the beginning of a member of a result.
    fn meet_member(&mut self, shape: ValueStart) -> Option<Signal> {
        match self.member {
            Member::List(kind) if self.settings.lists.contains(kind) => {
                return self.meet_list(kind, shape);
            }
            Member::CacheScope(is_exact) if !self.settings.lists.is_empty() => {
                if let Some(OpenPlace::Result { has_scope, .. }) = self.places.last_mut() {
                    *has_scope |= is_exact;
                }
                self.replace(PRIVATE);
            }
            Member::Task if self.settings.new_tasks && shape == ValueStart::Object => {
                self.places.push(OpenPlace::Task);
            }
            Member::TaskId => self.note_task_id(shape),
            Member::Result
            | Member::Error
            | Member::List(_)
            | Member::CacheScope(_)
            | Member::Task
            | Member::Other => {}
        }
        None
    }

    fn meet_list(&mut self, kind: ListKind, shape: ValueStart) -> Option<Signal> {
        if let Some(OpenPlace::Result { has_list, .. }) = self.places.last_mut() {
            *has_list = true;
        }
        self.counts.lists += 1;
        if shape == ValueStart::Array {
            self.places.push(OpenPlace::List {
                kind,
                has_items: false,
            });
            return None;
        }
        self.replace(EMPTY_LIST);
        self.counts.unjudged += 1;
        self.unjudged_name = None;
        Some(Signal::Unjudged(kind, Unjudged::NotAList))
    }

    fn meet_item(&mut self, shape: ValueStart) -> Option<Signal> {
        match (self.mode, shape) {
            // Already dropped, at its first byte.
            (Fate::Skip, _) => None,
            (Fate::Pass | Fate::Hold, ValueStart::Object) => {
                self.mode = Fate::Hold;
                // What is wrong with one item must not take the others away.
                self.lexer.tolerate(true);
                None
            }
            (
                Fate::Pass | Fate::Hold,
                ValueStart::Array | ValueStart::Text | ValueStart::Scalar,
            ) => {
                self.lexer.tolerate(true);
                self.refuse_item(Unjudged::NotAnObject)
            }
        }
    }

    fn note_task_id(&mut self, shape: ValueStart) {
        if self.settings.new_tasks && self.member == Member::TaskId && shape == ValueStart::Text {
            let spelled = self.settings.task_id_bytes_max.saturating_mul(ESCAPE_BYTES);
            self.lexer.note_text(spelled);
        }
    }

    /// Writes `text` in place of the value that begins.
    fn replace(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
        self.mode = Fate::Skip;
    }

    /// Handles the closing bracket of the innermost place.
    fn leave(&mut self) {
        let is_public = match self.places.pop() {
            Some(OpenPlace::Result {
                has_list,
                has_scope,
            }) => has_list && !has_scope,
            Some(
                OpenPlace::Batch | OpenPlace::Message | OpenPlace::List { .. } | OpenPlace::Task,
            )
            | None => false,
        };
        if is_public && self.settings.make_private {
            // The comma is valid: a result with a list is not empty.
            self.out.extend_from_slice(PRIVATE_MEMBER.as_bytes());
        }
    }

    /// Handles the end of a value at the floor.
    fn pass_end(&mut self) -> Option<Signal> {
        self.lexer.tolerate(false);
        if let (Fate::Hold, Some(OpenPlace::List { kind, .. })) = (self.mode, self.places.last()) {
            self.waiting = Awaits::Judgement;
            return Some(Signal::Item(*kind));
        }
        if self.holds_result() {
            self.waiting = Awaits::Judgement;
            return Some(Signal::Result);
        }
        self.mode = Fate::Pass;
        self.lexer.has_text().then_some(Signal::Task)
    }
}

/// `serde_json`, which reads the items, refuses the 128th level.
const DEPTH_MAX_CEILING: usize = 126;

/// The longest escape of one byte of text.
const ESCAPE_BYTES: usize = 6;

const PRIVATE: &str = r#""private""#;
const PRIVATE_MEMBER: &str = r#","cacheScope":"private""#;
const EMPTY_LIST: &str = "[]";
