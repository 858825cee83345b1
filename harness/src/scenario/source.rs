//! Where text comes from: a scenario file, a built-in scenario, or an argument of `--set`.
//!
//! Reading is bounded before anything is parsed: a regular file of at most [`FILE_BYTES_MAX`] bytes of UTF-8 without control
//! characters. All that is not so is a [`Diagnostic`] with the way out, never a panic and never a flood.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

use super::builtin;
use super::diagnostic::{Diagnostic, list, nearest, shown};

/// A scenario file larger than this is refused unread: the largest shipped has 8 KiB.
pub const FILE_BYTES_MAX: u64 = 4 << 20;
/// What a file opened in some editors begins with; not part of the text.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A piece of text that spans point into.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// As the reader of a message knows it: the path as given, `built-in tcp`, `--set`.
    pub name: String,
    /// The text, without byte order mark.
    pub text: String,
    /// Place in the order of messages: the file first, then each `--set`.
    pub order: usize,
}

impl Source {
    /// Text under a name.
    pub fn new(name: impl Into<String>, text: &str) -> Self {
        Self { name: name.into(), text: text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text).to_owned(), order: 0 }
    }

    /// The text, or the reason why it is no scenario at all.
    ///
    /// # Errors
    /// A path that is no readable file, too large, not UTF-8, or holds control characters.
    pub fn read(path: &Path) -> Result<Self, Diagnostic> {
        let name = path.display().to_string();
        let bytes = read_bounded(path, &name)?;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let byte = error.as_bytes().get(at).copied().unwrap_or_default();
                return Err(Diagnostic::bare(format!("`{}` is not UTF-8 text: byte {byte:#04x} at offset {at}", shown(&name)))
                    .help("a scenario file is TOML in UTF-8"));
            }
        };
        let source = Self::new(name, &text);
        // One message for a binary file, where the parser would find a mistake in every line of it.
        let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
        if let Some((at, c)) = source.text.char_indices().find(|&(_, c)| control(c)) {
            let source = Arc::new(source);
            let message = format!("control character U+{:04X} at offset {at}: this is not a text file", u32::from(c));
            return Err(Diagnostic::new(&Span::new(&source, at..at + c.len_utf8()), message).help("a scenario file is TOML in UTF-8"));
        }
        Ok(source)
    }
}

/// The bytes of a regular file, at most [`FILE_BYTES_MAX`] of them.
fn read_bounded(path: &Path, name: &str) -> Result<Vec<u8>, Diagnostic> {
    let cannot = |what: String| Diagnostic::bare(format!("cannot read scenario `{}`: {what}", shown(name)));
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing(path, name)),
        Err(error) => return Err(cannot(error.to_string())),
    };
    if metadata.is_dir() {
        let message = cannot("it is a folder".into());
        return Err(match toml_files(path).as_slice() {
            [] => message.help("name a scenario file, or a built-in scenario: ".to_owned() + &list(builtin::names())),
            files => message.help(format!("scenario files in it: {}", list(files))),
        });
    }
    if !metadata.is_file() {
        return Err(cannot("it is not a regular file".into()));
    }
    let too_large = |bytes: u64| {
        cannot(format!("{bytes} bytes are more than the {FILE_BYTES_MAX} allowed")).help("one file is one suite of a few kilobytes")
    };
    if metadata.len() > FILE_BYTES_MAX {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    // The file may grow while it is read; the bound holds all the same.
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Err(error) => Err(cannot(error.to_string())),
        Ok(count) if count as u64 > FILE_BYTES_MAX => Err(too_large(count as u64)),
        Ok(_) => Ok(bytes),
    }
}

/// No such file: what is near, in its folder and among the built-in scenarios.
fn missing(path: &Path, name: &str) -> Diagnostic {
    let message = Diagnostic::bare(format!("no scenario `{}`: neither a file nor a built-in scenario", shown(name)));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let wanted = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let near = nearest(&wanted, toml_files(folder).iter().map(String::as_str)).map(|near| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.join(near).display().to_string(),
        _ => near,
    });
    let near = near.or_else(|| nearest(wanted.trim_end_matches(".toml"), builtin::names()));
    let message = match near {
        Some(near) => message.help(format!("did you mean `{}`?", shown(&near))),
        None => message,
    };
    message.help(format!("built-in scenarios: {}", list(builtin::names())))
}

/// Names of the TOML files in a folder, sorted, at most 20.
fn toml_files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(1_000);
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with(".toml"));
    names.sort();
    names.truncate(20);
    names
}

/// A range of bytes in a [`Source`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The text.
    pub source: Arc<Source>,
    /// First byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
}

impl Span {
    /// The range in the text.
    pub fn new(source: &Arc<Source>, range: std::ops::Range<usize>) -> Self {
        Self { source: Arc::clone(source), start: range.start, end: range.end }
    }

    /// Sorts by file order, the file before the arguments.
    pub fn order(&self) -> (usize, usize, usize) {
        (self.source.order, self.start, self.end)
    }
}
