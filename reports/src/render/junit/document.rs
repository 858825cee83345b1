//! The elements of a JUnit document, counted and escaped.

/// A `<testsuite>`.
#[derive(Debug, Default)]
pub(in crate::render) struct Suite {
    /// Its name.
    pub(in crate::render) name: String,
    /// When it began, RFC 3339.
    pub(in crate::render) timestamp: Option<String>,
    /// How long it took.
    pub(in crate::render) seconds: Option<f64>,
    /// Name and value of each property.
    pub(in crate::render) properties: Vec<(&'static str, String)>,
    /// Its tests.
    pub(in crate::render) tests: Vec<Test>,
}

/// A `<testcase>`.
#[derive(Debug)]
pub(in crate::render) struct Test {
    /// What groups it.
    pub(in crate::render) class: String,
    /// Its name.
    pub(in crate::render) name: String,
    /// How long it took.
    pub(in crate::render) seconds: Option<f64>,
    /// How it ended.
    pub(in crate::render) outcome: Outcome,
    /// What more there is to say.
    pub(in crate::render) output: Option<String>,
}

/// How a test ended.
#[derive(Debug)]
pub(in crate::render) enum Outcome {
    /// It holds.
    Passed,
    /// Its type and message.
    Failure(&'static str, String),
    /// Its type and message.
    Error(&'static str, String),
    /// Why.
    Skipped(String),
}

#[derive(Default)]
struct Tally {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Tally {
    fn of<'a>(tests: impl Iterator<Item = &'a Test>) -> Self {
        let mut tally = Self::default();
        for test in tests {
            tally.tests += 1;
            match test.outcome {
                Outcome::Passed => {}
                Outcome::Failure(..) => tally.failures += 1,
                Outcome::Error(..) => tally.errors += 1,
                Outcome::Skipped(_) => tally.skipped += 1,
            }
        }
        tally
    }

    fn attributes(&self) -> String {
        let Self { tests, failures, errors, skipped } = self;
        format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
    }
}

/// The document.
pub(in crate::render) fn render(name: &str, duration_s: Option<f64>, suites: &[Suite]) -> String {
    let total = Tally::of(suites.iter().flat_map(|suite| &suite.tests)).attributes();
    let suites: String = suites.iter().map(suite).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\" {total}{}>\n{suites}</testsuites>\n",
        escaped(name),
        time(duration_s)
    )
}

fn suite(suite: &Suite) -> String {
    let counts = Tally::of(suite.tests.iter()).attributes();
    let timestamp = suite.timestamp.as_ref().map_or_else(String::new, |at| format!(" timestamp=\"{}\"", escaped(at)));
    let properties: String =
        suite.properties.iter().map(|(name, value)| format!("      <property name=\"{name}\" value=\"{}\"/>\n", escaped(value))).collect();
    let tests: String = suite.tests.iter().map(test).collect();
    format!(
        "  <testsuite name=\"{}\" {counts}{timestamp}{}>\n    <properties>\n{properties}    </properties>\n{tests}  </testsuite>\n",
        escaped(&suite.name),
        time(suite.seconds)
    )
}

fn test(test: &Test) -> String {
    let mut inner = match &test.outcome {
        Outcome::Passed => String::new(),
        Outcome::Failure(kind, message) => format!("      <failure type=\"{kind}\" message=\"{}\"/>\n", escaped(message)),
        Outcome::Error(kind, message) => format!("      <error type=\"{kind}\" message=\"{}\"/>\n", escaped(message)),
        Outcome::Skipped(message) => format!("      <skipped message=\"{}\"/>\n", escaped(message)),
    };
    if let Some(output) = &test.output {
        inner.push_str(&format!("      <system-out>{}</system-out>\n", escaped(output)));
    }
    let head = format!("    <testcase classname=\"{}\" name=\"{}\"{}", escaped(&test.class), escaped(&test.name), time(test.seconds));
    if inner.is_empty() { format!("{head}/>\n") } else { format!("{head}>\n{inner}    </testcase>\n") }
}

/// A `time` attribute, in seconds; nothing where there is no such number.
fn time(seconds: Option<f64>) -> String {
    seconds.filter(|seconds| seconds.is_finite()).map_or_else(String::new, |seconds| format!(" time=\"{seconds:.3}\""))
}

/// Text for an attribute or an element; what XML 1.0 cannot hold becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' => escaped.push_str("&#9;"),
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_break_out_of_an_attribute() {
        assert_eq!(escaped("a<b>\"&\n\u{1}"), "a&lt;b&gt;&quot;&amp;&#10;\u{fffd}");
    }

    #[test]
    fn a_time_that_is_no_number_is_left_out() {
        assert_eq!(time(Some(1.5)), " time=\"1.500\"");
        assert_eq!(time(Some(f64::INFINITY)) + &time(None), "");
    }
}
