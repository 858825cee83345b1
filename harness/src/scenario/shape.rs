//! The words in which the scenario format is described: one description serves the check of a file, `--set`, the matrix,
//! the merging of defaults and the JSON Schema, so the five cannot disagree.

use super::quantity::{DURATION, RATE, SIZE};

/// The word of a matrix for 1, 2, 4, … workers up to the CPUs of the host, and the CPUs themselves.
pub(crate) const DOUBLING: &str = "doubling";
/// As many workers as any host has CPUs.
pub(crate) const WORKERS_MAX: u64 = 8_192;

/// A key of a table.
#[derive(Debug)]
pub(crate) struct Field {
    /// The key.
    pub(crate) name: &'static str,
    /// What its value may be.
    pub(crate) shape: Shape,
    /// Whether a table without it is a mistake.
    pub(crate) required: bool,
    /// One line for editors and messages.
    pub(crate) doc: &'static str,
}

/// What a value may be.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Text that says something.
    Text,
    /// `[a-z0-9-]+`.
    Id,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A whole number, both ends included.
    Integer(u64, u64),
    /// A finite number above zero.
    Positive,
    /// A number, or a quantity in the unit of the metric beside it.
    MetricValue,
    /// A metric id.
    Metric,
    /// A list of distinct metric ids.
    Metrics,
    /// True or false.
    Boolean,
    /// A duration, in nanoseconds, both ends included, a multiple of the third.
    Duration(u64, u64, u64),
    /// Operations per second, both ends included.
    Rate(u64, u64),
    /// A size in bytes, both ends included, a multiple of the third.
    Size(u64, u64, u64),
    /// A size in bytes, or how sizes vary.
    Sizes,
    /// `"auto"`, `"free"` or a list of CPU numbers.
    Cpus,
    /// A number of workers, or `"doubling"`.
    Workers,
    /// A list of distinct ids.
    Ids,
    /// A list of texts.
    Texts,
    /// A free table of texts.
    Labels,
    /// A free table of scalars.
    Scalars,
    /// Axes: keys of the scenario, each with a list of scalars.
    Matrix,
    /// A matrix point: axes, each with a scalar or a list of scalars.
    Point,
    /// A table.
    Table(&'static [Field]),
    /// A table that defaults may complete: what it lacks is judged after they were merged.
    Inherited(&'static [Field]),
    /// A list of tables.
    Tables(&'static [Field]),
    /// A table with exactly one key: the alternative.
    Choice(&'static Choice),
}

/// Alternatives, always externally tagged tables.
#[derive(Debug)]
pub(crate) struct Choice {
    /// Those that exist.
    pub(crate) alternatives: &'static [Field],
    /// Those of the format that this version cannot do yet.
    pub(crate) unsupported: &'static [&'static str],
    /// A word that stands for an empty alternative.
    pub(crate) word: Option<&'static str>,
}

impl Field {
    /// A key that may be left out.
    pub(crate) const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, shape, required: false, doc }
    }

    /// A key that must be there.
    pub(crate) const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, shape, required: true, doc }
    }
}

impl Shape {
    /// What is wanted, for messages: `a whole number from 1 to 1000`.
    pub(crate) fn wanted(&self) -> String {
        match self {
            Self::Text => "a text that is not empty".into(),
            Self::Id => "small letters, digits and `-`".into(),
            Self::OneOf(words) => format!("one of {}", super::diagnostic::list(*words)),
            Self::Integer(low, high) => format!("a whole number from {low} to {high}"),
            Self::Positive => "a number above zero".into(),
            Self::MetricValue => "a number, or a quantity in the metric's unit".into(),
            Self::Metric => "a metric id".into(),
            Self::Metrics => "a list of metric ids, as `[\"cpu_ns_per_op\"]`".into(),
            Self::Boolean => "true or false".into(),
            Self::Duration(..) => format!("a duration, as `\"{}\"`", DURATION.example),
            Self::Rate(..) => format!("a rate, as `\"{}\"`", RATE.example),
            Self::Size(..) => format!("a size, as `\"{}\"`", SIZE.example),
            Self::Sizes => format!(
                "a size, as `\"{}\"`, or `{{ range = [\"64B\", \"1KiB\"] }}`, or `{{ split = [[\"64B\", 9], [\"1KiB\", 1]] }}`",
                SIZE.example
            ),
            Self::Cpus => "`\"auto\"`, `\"free\"` or a list of CPU numbers".into(),
            Self::Workers => format!("a whole number from 1 to {WORKERS_MAX}, or, in the matrix, `\"{DOUBLING}\"`"),
            Self::Ids => "a list of subjects, as `[\"zokio\", \"tokio\"]`".into(),
            Self::Texts => "a list of texts".into(),
            Self::Labels => "a table of texts".into(),
            Self::Scalars => "a table of scalars".into(),
            Self::Matrix => "a table of axes, as `\"load.closed.users\" = [1, 64]`".into(),
            Self::Point => "a table of axes, as `{ \"load.closed.users\" = 64 }`".into(),
            Self::Table(_) | Self::Inherited(_) => "a table".into(),
            Self::Tables(_) => "a list of tables".into(),
            Self::Choice(Choice { word: Some(word), .. }) => format!("a table, or `\"{word}\"`"),
            Self::Choice(_) => "a table".into(),
        }
    }

    /// The keys below, for those that have fixed ones.
    pub(crate) fn fields(&self) -> Option<&'static [Field]> {
        match self {
            Self::Table(fields) | Self::Inherited(fields) | Self::Tables(fields) => Some(fields),
            Self::Choice(choice) => Some(choice.alternatives),
            _ => None,
        }
    }

    /// Whether one scalar of a matrix can be this value.
    fn is_axis(&self) -> bool {
        matches!(
            self,
            Self::Text
                | Self::OneOf(_)
                | Self::Integer(..)
                | Self::Positive
                | Self::Boolean
                | Self::Duration(..)
                | Self::Rate(..)
                | Self::Size(..)
                | Self::Sizes
                | Self::Cpus
                | Self::Workers
                | Self::Choice(Choice { word: Some(_), .. })
        )
    }
}

/// The field with this name.
pub(crate) fn field(fields: &'static [Field], name: &str) -> Option<&'static Field> {
    fields.iter().find(|field| field.name == name)
}

/// Every path below `fields` that a matrix may vary, as `load.closed.users`; a free table shows as `runtime.*`.
pub(crate) fn axes(fields: &'static [Field], prefix: &str, found: &mut Vec<(String, &'static Shape)>) {
    for field in fields {
        let path = if prefix.is_empty() { field.name.to_owned() } else { format!("{prefix}.{}", field.name) };
        match &field.shape {
            Shape::Tables(_) => {}
            Shape::Scalars => found.push((format!("{path}.*"), &field.shape)),
            shape => {
                // Keys at the top of a scenario name it; they do not vary.
                if shape.is_axis() && (!prefix.is_empty() || shape.fields().is_some()) {
                    found.push((path.clone(), shape));
                }
                if let Some(fields) = shape.fields() {
                    axes(fields, &path, found);
                }
            }
        }
    }
}
