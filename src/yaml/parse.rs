//! Parses YAML text to a tree of located nodes.
//!
//! This builds the tree from the events of `saphyr_parser`, because `saphyr` itself stops at the
//! first equal key and loses some places (*What we wrote ourselves* in `src/lib.rs`). Aliases are
//! counted before they are copied, so that a small file cannot grow without end.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use saphyr::Scalar;
use saphyr_parser::{Event, Parser, Span};

use super::finding::Findings;
use super::source::SourceId;
use super::tree::{Data, Node};

/// How deep a file may nest.
const DEPTH_MAX: usize = 64;
/// How many nodes a file may have after its aliases are expanded.
const NODES_MAX: usize = 2_000_000;

/// Reads one file. `None` means that it is not YAML that can be used; the finding says why.
/// An empty file is a null node.
pub fn parse(source: SourceId, findings: &mut Findings) -> Option<Node> {
    let text = findings.text(source).to_owned();
    let mut builder = Builder::new(source, &text);
    for event in Parser::new_from_str(&text) {
        let step = match event {
            Ok((event, span)) => builder.event(event, span, findings),
            Err(error) => {
                let start = builder.offset(error.marker().index());
                findings.error_at(
                    source,
                    start..start.saturating_add(1),
                    format!("not valid YAML: {}", error.info()),
                    "",
                );
                return None;
            }
        };
        step?;
    }
    let empty = Node {
        source,
        span: 0..0,
        data: Data::Null,
    };
    (!builder.failed).then(|| builder.root.take().unwrap_or(empty))
}

enum OpenCollection {
    List(Vec<Node>),
    Map {
        entries: Vec<(Node, Node)>,
        key: Option<Node>,
        seen: HashSet<String>,
    },
}

struct Frame {
    open: OpenCollection,
    start: usize,
    anchor: usize,
    nodes_before: usize,
}

struct Builder<'t> {
    source: SourceId,
    /// Byte offset of each character; empty for ASCII text, where the two agree.
    offsets: Vec<usize>,
    text: &'t str,
    stack: Vec<Frame>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    documents: usize,
    root: Option<Node>,
    failed: bool,
}

impl<'t> Builder<'t> {
    fn new(source: SourceId, text: &'t str) -> Self {
        let offsets = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().map(|(offset, _)| offset).collect()
        };
        Builder {
            source,
            offsets,
            text,
            stack: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            documents: 0,
            root: None,
            failed: false,
        }
    }

    fn offset(&self, character: usize) -> usize {
        if self.offsets.is_empty() {
            character.min(self.text.len())
        } else {
            self.offsets
                .get(character)
                .copied()
                .unwrap_or(self.text.len())
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span, findings: &mut Findings) -> Option<()> {
        let start = self.offset(span.start.index());
        let end = self.offset(span.end.index()).max(start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Some(()),
            Event::DocumentStart(_) => self.document(start..end, findings),
            Event::Alias(anchor) => self.alias(anchor, start..end, findings),
            Event::Scalar(text, style, anchor, tag) => {
                let Some(scalar) = Scalar::parse_from_cow_and_metadata(text, style, tag.as_ref())
                else {
                    findings.error_at(
                        self.source,
                        start..end,
                        "the value does not fit its tag",
                        "",
                    );
                    self.failed = true;
                    return Some(());
                };
                let data = match scalar {
                    Scalar::Null => Data::Null,
                    Scalar::Boolean(value) => Data::Bool(value),
                    Scalar::Integer(value) => Data::Int(value),
                    Scalar::FloatingPoint(value) => Data::Float(value.into_inner()),
                    Scalar::String(value) => Data::String(value.into_owned()),
                };
                self.count(1, start..end, findings)?;
                let node = Node {
                    source: self.source,
                    span: start..end,
                    data,
                };
                self.value(node, anchor, 1, findings);
                Some(())
            }
            Event::SequenceStart(anchor, _) => {
                self.push(OpenCollection::List(Vec::new()), start, anchor, findings)
            }
            Event::MappingStart(anchor, _) => {
                let open = OpenCollection::Map {
                    entries: Vec::new(),
                    key: None,
                    seen: HashSet::new(),
                };
                self.push(open, start, anchor, findings)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(end, findings),
        }
    }

    fn document(&mut self, span: Range<usize>, findings: &mut Findings) -> Option<()> {
        self.documents = self.documents.saturating_add(1);
        if self.documents == 1 {
            return Some(());
        }
        findings.error_at(
            self.source,
            span,
            "a second document in one file",
            "use one file each",
        );
        None
    }

    fn push(
        &mut self,
        open: OpenCollection,
        start: usize,
        anchor: usize,
        findings: &mut Findings,
    ) -> Option<()> {
        if self.stack.len() >= DEPTH_MAX {
            let message = format!("nested deeper than {DEPTH_MAX} levels");
            findings.error_at(self.source, start..start, message, "");
            return None;
        }
        self.stack.push(Frame {
            open,
            start,
            anchor,
            nodes_before: self.nodes,
        });
        Some(())
    }

    fn close(&mut self, end: usize, findings: &mut Findings) -> Option<()> {
        let frame = self.stack.pop()?;
        let data = match frame.open {
            OpenCollection::List(items) => Data::List(items),
            OpenCollection::Map { entries, .. } => Data::Map(entries),
        };
        // A block collection ends where the next token starts; its excerpt should not.
        let block = self
            .text
            .get(frame.start..end)
            .map_or(0, |text| text.trim_end().len());
        let span = frame.start..frame.start.saturating_add(block);
        self.count(1, span.clone(), findings)?;
        let size = self.nodes.saturating_sub(frame.nodes_before);
        self.value(
            Node {
                source: self.source,
                span,
                data,
            },
            frame.anchor,
            size,
            findings,
        );
        Some(())
    }

    fn alias(&mut self, anchor: usize, span: Range<usize>, findings: &mut Findings) -> Option<()> {
        let Some((_, size)) = self.anchors.get(&anchor) else {
            findings.error_at(self.source, span, "an alias inside the value it names", "");
            return None;
        };
        // Counted before the copy is made, so that a bomb never gets to grow.
        self.count(*size, span.clone(), findings)?;
        let data = self.anchors.get(&anchor)?.0.data.clone();
        let source = self.source;
        self.place(Node { source, span, data }, findings);
        Some(())
    }

    fn count(&mut self, size: usize, span: Range<usize>, findings: &mut Findings) -> Option<()> {
        self.nodes = self.nodes.saturating_add(size);
        if self.nodes <= NODES_MAX {
            return Some(());
        }
        findings.error_at(
            self.source,
            span,
            format!("more than {NODES_MAX} values"),
            "",
        );
        None
    }

    /// Remembers a value that is `size` nodes large under its anchor, and puts it in its place.
    fn value(&mut self, node: Node, anchor: usize, size: usize, findings: &mut Findings) {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.place(node, findings);
    }

    fn place(&mut self, node: Node, findings: &mut Findings) {
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut frame.open {
            OpenCollection::List(items) => items.push(node),
            OpenCollection::Map { entries, key, seen } => {
                if let Some(key) = key.take() {
                    entries.push((key, node));
                } else {
                    self.failed |= !key_is_good(&node, seen, findings);
                    *key = Some(node);
                }
            }
        }
    }
}

fn key_is_good(node: &Node, seen: &mut HashSet<String>, findings: &mut Findings) -> bool {
    let Some(text) = node.as_str() else {
        let message = format!("a key must be a string, found {}", node.kind());
        findings.error(node, message, "quote it");
        return false;
    };
    if !seen.insert(text.to_owned()) {
        findings.error(node, format!("`{text}` is given twice"), "keep one of them");
        return false;
    }
    true
}
