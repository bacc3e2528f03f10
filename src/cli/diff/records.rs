//! Reads files of audit records line by line, with little memory whatever is in them.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use crate::cli::outcome::Stop;

/// The most bytes of a line that is looked at. No record is as long.
const LINE_BYTES_MAX: usize = 64 << 10;

/// What stands for a line that is no text: no record either.
const NO_TEXT: &str = "not UTF-8";

/// Gives each line of a file, or of standard input for `-`, with its place: the file and the number.
/// A line that is too long for a record is given without what is too much. What is no text in a line
/// spoils no other line.
pub(super) fn each(path: &Path, mut with: impl FnMut(&str, &str)) -> Result<(), Stop> {
    let name = path.display().to_string();
    let read = if name == "-" {
        lines(io::stdin().lock(), &name, &mut with)
    } else {
        File::open(path).and_then(|file| lines(BufReader::new(file), &name, &mut with))
    };
    read.map_err(|error| Stop::Failed(format!("cannot read `{name}`: {error}")))
}

fn lines(mut from: impl BufRead, name: &str, with: &mut impl FnMut(&str, &str)) -> io::Result<()> {
    let mut line: Vec<u8> = Vec::new();
    let mut number = 1_usize;
    let mut give = |line: &mut Vec<u8>| {
        if !line.is_empty() {
            with(
                &format!("{name}:{number}"),
                std::str::from_utf8(line).unwrap_or(NO_TEXT),
            );
            line.clear();
        }
        number = number.saturating_add(1);
    };
    loop {
        let part = match from.fill_buf() {
            Ok(part) => part,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if part.is_empty() {
            give(&mut line);
            return Ok(());
        }
        let end = part.iter().position(|byte| *byte == b'\n');
        let own = part.get(..end.unwrap_or(part.len())).unwrap_or_default();
        let room = LINE_BYTES_MAX.saturating_sub(line.len());
        line.extend_from_slice(own.get(..room).unwrap_or(own));
        let used = end.map_or(part.len(), |end| end.saturating_add(1));
        from.consume(used);
        if end.is_some() {
            give(&mut line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_spoils_no_other_one() {
        let long = vec![b'x'; 3 * LINE_BYTES_MAX];
        let bytes = [b"one\n\n\xfftwo\n", &*long, b"\nthree"].concat();
        let mut found = Vec::new();
        let mut with = |place: &str, line: &str| found.push((place.to_owned(), line.to_owned()));
        lines(&*bytes, "a", &mut with).unwrap();
        let places: Vec<&str> = found.iter().map(|(place, _)| &**place).collect();
        assert_eq!(places, ["a:1", "a:3", "a:4", "a:5"]);
        let lines: Vec<&str> = found.iter().map(|(_, line)| &**line).collect();
        assert_eq!((lines[0], lines[1], lines[3]), ("one", NO_TEXT, "three"));
        assert_eq!(lines[2].len(), LINE_BYTES_MAX);
    }
}
