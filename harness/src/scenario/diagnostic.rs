//! One mistake of the user: where, what, and the way out; shown as a compiler would show it.
//!
//! ```text
//! error: `users` must be at least 1
//!  --> scenarios/tcp.toml:4:9
//!   |
//! 4 | users = 0
//!   |         ^ a whole number from 1 to 1000000
//!   |
//!   = help: …
//! ```
//!
//! All mistakes are collected before one is shown, and they are shown in the order of the file. What is quoted from a file is
//! shortened and its control characters are escaped, so no file can flood or rewrite the terminal.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, renderer::DecorStyle};

use super::source::Span;

/// More mistakes than this are counted, not shown.
pub(crate) const SHOWN_MAX: usize = 50;
/// More mistakes than this are not even counted.
pub(crate) const COLLECTED_MAX: usize = 1_000;
/// The label of what is not there; after a syntax error it may only seem so.
pub(crate) const MISSING: &str = "missing here";
/// A longer source line is shown in part.
const LINE_BYTES_MAX: usize = 200;

/// A mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where; `None` when there is no text to point into.
    pub at: Option<Span>,
    /// What is wrong, one line.
    pub message: String,
    /// Stands beside the caret.
    pub label: String,
    /// Ways out.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// A mistake at a place.
    pub fn new(at: &Span, message: impl Into<String>) -> Self {
        Self { at: Some(at.clone()), message: message.into(), label: String::new(), help: Vec::new() }
    }

    /// A mistake without a place.
    pub fn bare(message: impl Into<String>) -> Self {
        Self { at: None, message: message.into(), label: String::new(), help: Vec::new() }
    }

    /// With a word beside the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// With one more way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Line and column, both from 1, in characters.
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        self.at.as_ref().map(|at| {
            let line = Line::around(&at.source.text, at.start);
            (line.number, line.text[..line.offset(at.start)].chars().count() + 1)
        })
    }

    fn render(&self, renderer: &Renderer) -> String {
        let title = Level::ERROR.primary_title(self.message.as_str());
        let help = self.help.iter().map(|help| Level::HELP.message(help.as_str()));
        let Some(at) = &self.at else {
            return match self.help.is_empty() {
                true => renderer.render(&[title.elements([] as [Snippet<'_, annotate_snippets::Annotation<'_>>; 0])]),
                false => renderer.render(&[title.elements(help)]),
            };
        };
        let line = Line::around(&at.source.text, at.start);
        let name = shown(&at.source.name);
        let start = line.offset(at.start);
        let end = line.offset(at.end).max(start);
        let window = line.window(start);
        let column = |from: usize| line.text[from..start].chars().count() + 1;
        let (seen, real) = (format!("{name}:{}:{}", line.number, column(window.start)), format!("{name}:{}:{}", line.number, column(0)));
        let caret = start - window.start..end.min(window.end) - window.start;
        let annotation = AnnotationKind::Primary.span(caret).label((!self.label.is_empty()).then_some(self.label.as_str()));
        let snippet = Snippet::source(&line.text[window]).line_start(line.number).annotation(annotation).path(name);
        let text = renderer.render(&[title.element(snippet).elements(help)]);
        // The renderer counts columns in the part of the line that it was given.
        if seen == real { text } else { text.replacen(&seen, &real, 1) }
    }
}

/// The line of a text that a byte is in.
struct Line<'a> {
    number: usize,
    start: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    fn around(text: &'a str, at: usize) -> Self {
        let at = text.floor_char_boundary(at);
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
        let number = text[..start].bytes().filter(|&byte| byte == b'\n').count() + 1;
        Self { number, start, text: text[start..end].trim_end_matches('\r') }
    }

    /// Where a byte of the whole text stands in the line, not past its end, on a character.
    fn offset(&self, at: usize) -> usize {
        self.text.floor_char_boundary(at.saturating_sub(self.start).min(self.text.len()))
    }

    /// The part of the line that is shown around a byte.
    fn window(&self, at: usize) -> std::ops::Range<usize> {
        if self.text.len() <= LINE_BYTES_MAX {
            return 0..self.text.len();
        }
        let start = self.text.floor_char_boundary(at.saturating_sub(LINE_BYTES_MAX / 2));
        start..self.text.floor_char_boundary((start + LINE_BYTES_MAX).min(self.text.len()))
    }
}

/// All mistakes as text, in the order given; at most 50, the rest is counted.
pub fn render(diagnostics: &[Diagnostic]) -> String {
    let renderer = Renderer::plain().decor_style(DecorStyle::Ascii);
    let mut text = String::new();
    for diagnostic in diagnostics.iter().take(SHOWN_MAX) {
        text += diagnostic.render(&renderer).trim_end();
        text += "\n\n";
    }
    match diagnostics.len().saturating_sub(SHOWN_MAX) {
        0 => {}
        more if diagnostics.len() >= COLLECTED_MAX => text += &format!("… and more than {more} more\n"),
        more => text += &format!("… and {more} more\n"),
    }
    let trimmed = text.trim_end().len();
    text.truncate(trimmed);
    text.push('\n');
    text
}

/// Mistakes while they are collected.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: Vec<Diagnostic>,
}

impl Findings {
    /// Adds one, unless there are too many already.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if !self.is_full() {
            self.found.push(diagnostic);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= COLLECTED_MAX
    }

    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    /// Adds what another pass found in a text that is not all TOML: not what stands in a broken line or is missing, and nothing
    /// behind a broken table header, where keys seem to be in another table.
    pub(crate) fn merge_broken(&mut self, other: Self) {
        fn line(diagnostic: &Diagnostic) -> Option<Line<'_>> {
            diagnostic.at.as_ref().map(|at| Line::around(&at.source.text, at.start))
        }
        let broken: Vec<usize> = self.found.iter().filter_map(line).map(|line| line.number).collect();
        let headers = self.found.iter().filter_map(line).filter(|line| line.text.trim_start().starts_with('[')).map(|line| line.number);
        let header = headers.min().unwrap_or(usize::MAX);
        for diagnostic in other.found {
            let number = line(&diagnostic).map_or(0, |line| line.number);
            if diagnostic.label != MISSING && !broken.contains(&number) && number < header {
                self.push(diagnostic);
            }
        }
    }

    /// In file order, each once: a mistake in `[defaults]` shows in every scenario that inherits it.
    pub(crate) fn into_sorted(self) -> Vec<Diagnostic> {
        let mut found = self.found;
        found.sort_by_key(|diagnostic| diagnostic.at.as_ref().map(Span::order));
        let mut kept: Vec<Diagnostic> = Vec::with_capacity(found.len());
        for diagnostic in found {
            let start = diagnostic.at.as_ref().map(Span::order);
            let same_place = kept.iter().rev().take_while(|known| known.at.as_ref().map(Span::order) == start);
            if !same_place.into_iter().any(|known| known.message == diagnostic.message) {
                kept.push(diagnostic);
            }
        }
        kept
    }
}

/// A word of the user's, fit to be shown: at most 60 characters, control characters escaped.
pub(crate) fn shown(text: &str) -> String {
    let mut cut: String = text.chars().take(60).flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect();
    if text.chars().nth(60).is_some() {
        cut.push('…');
    }
    cut
}

/// `` `a`, `b`, `c` ``
pub(crate) fn list<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| format!("`{}`", shown(name.as_ref()))).collect::<Vec<_>>().join(", ")
}

/// The known word that was probably meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let word: String = word.chars().take(64).collect::<String>().to_lowercase();
    let distance = |other: &str| strsim::damerau_levenshtein(&word, &other.to_lowercase());
    let allowed = |other: &str| (word.chars().count().max(other.chars().count()) / 3).max(1);
    let near = known
        .into_iter()
        .map(|other| (distance(other), other))
        .filter(|&(distance, other)| distance <= allowed(other) && distance < word.chars().count());
    near.min_by_key(|&(distance, _)| distance).map(|(_, other)| other.to_owned())
}
