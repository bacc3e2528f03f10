//! The result of a tool that searches tools: its lists of what was found.
//!
//! Servers give such a list twice: in `structuredContent`, and as text in `content`. Whoever reads one
//! of them must see no more than in the other, so a result is read as a whole, and one that may have
//! a list in another form is not let through. Of a list that is found, an item that cannot be judged
//! is hidden and takes nothing else with it, and everything that is shown keeps its bytes.

mod doc;
mod fault;
mod outline;
mod tool;

use std::ops::Range;

use super::indirect::FoundPaths;
use super::key_rules::fold;
use crate::authz::ValuePath;
use doc::{Doc, Entry, Part};
use outline::{Member, Outline, Shape, outline, string_at};
use tool::{Tool, ToolForm};

pub use fault::UnclearResult;
pub use tool::FoundTool;

/// The result of a search, read as a whole.
#[derive(Debug)]
pub struct FoundTools {
    result: Doc,
    tools: Vec<Tool>,
    /// How many of them are in the first list.
    first_list_len: usize,
}

/// The members of a result that matter here.
const MEMBERS: [&str; 6] = [CONTENT, STRUCTURED, IS_ERROR, COMPATIBLE, "task", "taskId"];
const CONTENT: &str = "content";
const STRUCTURED: &str = "structuredContent";
/// Where results were before 2024-10-07, which official clients still accept.
const COMPATIBLE: &str = "toolResult";
const IS_ERROR: &str = "isError";
/// The member into which the official SDKs put a result that is no object.
const WRAPPED: &str = "result";

impl FoundTools {
    /// Reads a result. `paths` lead to the list in `structuredContent`. A content item is the JSON
    /// text of that list, of an object around it, or one of what was found. An error has to have no
    /// list.
    ///
    /// # Errors
    /// If some of it may have a list that is not found here.
    pub fn read(text: &[u8], paths: &FoundPaths, depth_max: usize) -> Result<Self, UnclearResult> {
        let mut reading = Reading {
            names: paths.list.as_str().split('.').collect(),
            form: ToolForm {
                server: paths.server.as_ref().map(ValuePath::as_str),
                depth_max,
            },
            tools: Vec::new(),
        };
        let Outline { shape, members } = outline(text, 0..text.len())?;
        if shape != Shape::Object {
            return Err(UnclearResult::NotAnObject);
        }
        if members.iter().any(|member| is_nearly_known(&member.key)) {
            return Err(UnclearResult::Ambiguous);
        }
        let span = |name| outline::member(&members, name).map(|member| member.span.clone());
        if span("task").is_some() || span("taskId").is_some() {
            return Err(UnclearResult::Task);
        }
        if span(COMPATIBLE).is_some() {
            return Err(UnclearResult::NoList);
        }
        let is = |at: &Range<usize>, word: &str| text.get(at.clone()) == Some(word.as_bytes());
        let is_error = span(IS_ERROR).is_some_and(|at| is(&at, "true"));
        let optional = |part: Result<Part, UnclearResult>| match part {
            Err(UnclearResult::NoList) if is_error => Ok(None),
            part => part.map(Some),
        };
        let mut parts = Vec::new();
        if let Some(at) = span(STRUCTURED).filter(|at| !is(at, "null")) {
            parts.extend(optional(reading.structured(text, at))?);
        }
        let structured_len = reading.tools.len();
        let mut first_list_len = structured_len;
        if let Some(at) = span(CONTENT).filter(|at| !is(at, "null")) {
            let had_list = !parts.is_empty();
            let (content, first_text_len) = reading.content(text, at, had_list, is_error)?;
            if !had_list {
                first_list_len = first_text_len;
            }
            parts.push(content);
        }
        parts.sort_by_key(Part::start);
        Ok(FoundTools {
            result: Doc::of(text.to_vec(), parts, depth_max).ok_or(UnclearResult::NotJson)?,
            tools: reading.tools,
            first_list_len,
        })
    }

    /// Every tool in it, in a fixed order; one that is there twice may come twice.
    pub fn tools(&self) -> impl Iterator<Item = FoundTool<'_>> {
        self.tools.iter().map(Tool::found)
    }

    /// How many of them are in the first list: further lists repeat them.
    #[must_use]
    pub fn first_list_len(&self) -> usize {
        self.first_list_len
    }

    /// The result without the tools that are not to be shown, by their order; `None` if it stays as
    /// it is. A tool that nothing is said of is not shown.
    #[must_use]
    pub fn shown(self, shown: &[bool]) -> Option<String> {
        let text = self.result.written(shown)?;
        // It was checked when it was read.
        String::from_utf8(text).ok()
    }
}

/// Whether some client may take a key for that of another member.
fn is_nearly_known(key: &str) -> bool {
    let spelled = std::borrow::Cow::Borrowed(key);
    let folded = fold(&spelled);
    let is_near = |member: &&str| *member != key && member.eq_ignore_ascii_case(&folded);
    key.contains('\0') || MEMBERS.iter().any(is_near)
}

/// Reads the parts of a result.
struct Reading<'p> {
    /// The names of the configured path.
    names: Vec<&'p str>,
    form: ToolForm<'p>,
    tools: Vec<Tool>,
}

/// A content item without a list of its own.
struct Block {
    /// Its number in the content.
    at: usize,
    text: String,
}

impl Reading<'_> {
    /// `structuredContent`: an object with the list at the path. Where the official SDKs have wrapped
    /// what a tool returned, what is in there is read as a text is.
    fn structured(&mut self, text: &[u8], at: Range<usize>) -> Result<Part, UnclearResult> {
        let missing = || UnclearResult::NoList;
        let Outline { shape, members } = outline(text, at.clone())?;
        if shape != Shape::Object {
            return Err(missing());
        }
        if let Some(list) = list_at(text, at, &self.names)? {
            return self.list(text, list);
        }
        let [Member { key, span }] = members.as_slice() else {
            return Err(missing());
        };
        if key != WRAPPED {
            return Err(missing());
        }
        if let Some(inner) = string_at(text, span.clone()) {
            let doc = self.text(inner.into_bytes()).ok_or_else(missing)?;
            return Ok(Part::text(span.clone(), doc));
        }
        let list = self.any_list(text, span.clone())?.ok_or_else(missing)?;
        self.list(text, list)
    }

    /// `content`, and how many tools the first list in it has.
    fn content(
        &mut self,
        text: &[u8],
        at: Range<usize>,
        has_list: bool,
        is_error: bool,
    ) -> Result<(Part, usize), UnclearResult> {
        let Outline { shape, members } = outline(text, at.clone())?;
        if shape != Shape::Array {
            return Err(UnclearResult::NoList);
        }
        let structured_len = self.tools.len();
        let mut first_list_len = 0;
        let mut entries: Vec<_> = members.iter().map(|item| Entry::of(&item.span)).collect();
        let mut blocks = Vec::new();
        for (number, (item, entry)) in members.iter().zip(&mut entries).enumerate() {
            let Some((span, inner)) = text_of(text, item.span.clone())? else {
                if is_error {
                    continue;
                }
                return Err(UnclearResult::NoList);
            };
            let before = self.tools.len();
            match self.text(inner.clone().into_bytes()) {
                Some(doc) => entry.parts.push(Part::text(span, doc)),
                None => blocks.push(Block {
                    at: number,
                    text: inner,
                }),
            }
            if before == structured_len {
                first_list_len = self.tools.len().saturating_sub(before);
            }
        }
        if !blocks.is_empty() {
            let is_all = blocks.len() == entries.len();
            let found = if !is_all {
                None
            } else if has_list {
                self.repeated(
                    &blocks,
                    self.tools.get(..structured_len).unwrap_or_default(),
                )
            } else {
                self.found_one_by_one(&blocks)
            };
            match found {
                Some(tools) => {
                    for (block, tool) in blocks.iter().zip(tools) {
                        if let Some(entry) = entries.get_mut(block.at) {
                            entry.tool = Some(tool);
                        }
                    }
                    first_list_len = blocks.len();
                }
                None if is_error => {}
                None => return Err(UnclearResult::NoList),
            }
        }
        Ok((Part::list(at, entries), first_list_len))
    }

    /// The JSON text of a list, or of an object with one; `None` if it is neither.
    fn text(&mut self, text: Vec<u8>) -> Option<Doc> {
        let list = self.any_list(&text, 0..text.len()).ok()??;
        let before = self.tools.len();
        let part = self.list(&text, list).ok()?;
        let doc = Doc::of(text, vec![part], self.form.depth_max);
        if doc.is_none() {
            self.tools.truncate(before);
        }
        doc
    }

    /// The list that a value is, or that is at the path in it, or at the end of the path where an
    /// object around it was left out. `None` if there is none, or if there are two.
    fn any_list(
        &self,
        text: &[u8],
        at: Range<usize>,
    ) -> Result<Option<Range<usize>>, UnclearResult> {
        let mut found = None;
        for left_out in 0..=self.names.len() {
            let names = self.names.get(left_out..).unwrap_or_default();
            if let Some(list) = list_at(text, at.clone(), names)?
                && found.replace(list).is_some()
            {
                return Ok(None);
            }
        }
        Ok(found)
    }

    /// Reads the items of a list.
    fn list(&mut self, text: &[u8], at: Range<usize>) -> Result<Part, UnclearResult> {
        let mut entries = Vec::new();
        for item in outline(text, at.clone())?.members {
            let mut entry = Entry::of(&item.span);
            entry.tool = Some(self.tools.len());
            let item = text.get(item.span).unwrap_or_default();
            self.tools.push(Tool::of(item, self.form));
            entries.push(entry);
        }
        Ok(Part::list(at, entries))
    }

    /// What was found, each in a text of its own, in the order of the list in `structuredContent`. So
    /// the Python SDKs write what a tool returned as a list.
    fn repeated(&self, blocks: &[Block], list: &[Tool]) -> Option<Vec<usize>> {
        let is_same = |(block, tool): (&Block, &Tool)| tool.is_repeated_by(&block.text, self.form);
        let is_all = blocks.len() == list.len() && blocks.iter().zip(list).all(is_same);
        is_all.then(|| (0..list.len()).collect())
    }

    /// What was found, each in a text of its own and nowhere else. `None` unless every text is an
    /// object with a name that has no place for others.
    fn found_one_by_one(&mut self, blocks: &[Block]) -> Option<Vec<usize>> {
        let before = self.tools.len();
        for block in blocks {
            let tool = Tool::alone(&block.text, self.form)?;
            self.tools.push(tool);
        }
        Some((before..self.tools.len()).collect())
    }
}

/// Where the text of a content item is and what it is, if it is one of text.
fn text_of(
    text: &[u8],
    item: Range<usize>,
) -> Result<Option<(Range<usize>, String)>, UnclearResult> {
    let Outline { shape, members } = outline(text, item)?;
    if shape != Shape::Object {
        return Ok(None);
    }
    let string = |name| {
        let member = outline::member(&members, name)?;
        Some((member.span.clone(), string_at(text, member.span.clone())?))
    };
    let is_text = string("type").is_some_and(|(_, kind)| kind == "text");
    Ok(string("text").filter(|_| is_text))
}

/// The list at the end of a path of names.
fn list_at(
    text: &[u8],
    at: Range<usize>,
    names: &[&str],
) -> Result<Option<Range<usize>>, UnclearResult> {
    let mut at = at;
    for name in names {
        let Outline { members, .. } = outline(text, at)?;
        match outline::member(&members, name) {
            Some(member) => at = member.span.clone(),
            None => return Ok(None),
        }
    }
    let is_list = outline(text, at.clone())?.shape == Shape::Array;
    Ok(is_list.then_some(at))
}

#[cfg(test)]
mod tests;
