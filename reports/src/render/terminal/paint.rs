//! Colour or its absence, and lines that fit.

use super::super::view;

/// No table is wider, however wide the terminal.
const WIDTH_MAX: usize = 120;
/// Below this a table cannot be read at all, so lines run over instead.
const WIDTH_MIN: usize = 40;

/// How lines are painted.
#[derive(Clone, Copy, Debug)]
pub(in crate::render) struct Paint {
    color: bool,
    pub(super) width: usize,
}

impl Paint {
    /// For a terminal of `width` columns.
    pub(in crate::render) fn new(color: bool, width: usize) -> Self {
        Self { color, width: width.clamp(WIDTH_MIN, WIDTH_MAX) }
    }

    /// The lines as they go out, each with its end.
    pub(in crate::render) fn text(&self, lines: &[String]) -> String {
        let mut text = lines.iter().map(|line| self.finish(line)).collect::<Vec<String>>().join("\n");
        text.push('\n');
        text
    }

    fn escape(&self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into() }
    }

    pub(in crate::render) fn strong(&self, text: &str) -> String {
        self.escape("1", &view::printable(text))
    }

    pub(in crate::render) fn faint(&self, text: &str) -> String {
        self.escape("2", text)
    }

    pub(in crate::render) fn struck(&self, text: &str) -> String {
        self.escape("9", text)
    }

    pub(in crate::render) fn verdict(&self, word: &str) -> String {
        match word.trim() {
            "better" => self.escape("32", word),
            "worse" => self.escape("31", word),
            "INVALID" | "invalid" => self.escape("1;31", word),
            "inconclusive" | "skipped" => self.escape("33", word),
            _ => word.into(),
        }
    }

    /// The text broken at spaces into lines that fit, all but the first indented.
    pub(in crate::render) fn wrapped(&self, text: &str, indent: usize) -> Vec<String> {
        let lead: String = text.chars().take_while(|character| *character == ' ').collect();
        let mut lines: Vec<String> = Vec::new();
        let mut line = lead;
        for word in text.split_whitespace() {
            let is_empty = line.trim().is_empty();
            if !is_empty && line.chars().count() + 1 + word.chars().count() > self.width {
                lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            } else if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
        lines
    }

    /// A heading and its entries, indented; nothing where there is none.
    pub(in crate::render) fn section(&self, heading: &str, entries: &[String]) -> Vec<String> {
        let entries: Vec<String> = entries.iter().flat_map(|entry| self.wrapped(&format!("  {entry}"), 4)).collect();
        if entries.is_empty() { entries } else { [vec![self.strong(heading)], entries].concat() }
    }

    /// The line as it goes out: without colour, in ASCII.
    fn finish(&self, line: &str) -> String {
        let line = line.trim_end();
        if self.color {
            return line.to_string();
        }
        line.chars()
            .map(|character| match character {
                'µ' => 'u',
                '×' => 'x',
                '–' | '—' | '−' => '-',
                '±' => '~',
                '·' => ',',
                character if character.is_ascii() => character,
                _ => '?',
            })
            .collect()
    }
}
