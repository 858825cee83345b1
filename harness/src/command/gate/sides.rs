//! From the command line to what is compared: the candidate and its bases, each an executable with one subject.

use std::path::{Path, PathBuf};
use std::time::Duration;

use zokio_report::schema::gate::{GateBase, GateBaseKind, GateSide};

use super::arguments::GateArgs;
use crate::baseline::{Baseline, Built, Layouts, Options, identity};
use crate::command::subjects::{described, own_executable, unknown};
use crate::error::CommandError;
use crate::orchestrate::gate::sides::Side;
use crate::subject::spawn::interrupt::Interrupt;

/// What the candidate is called in rows and journal.
pub(super) const CANDIDATE: &str = "candidate";
/// What the only base is called.
const BASE: &str = "base";
/// Builds of a base that differ in code layout alone.
const LAYOUTS: u32 = 3;

/// A name given in front of a value, and the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named<'a> {
    /// `NAME` of `NAME=VALUE`.
    pub(super) name: Option<&'a str>,
    /// The rest.
    pub(super) value: &'a str,
}

/// Splits `NAME=VALUE`; a name has no slash, so that a path with a `=` in it is a path.
pub(super) fn named(text: &str) -> Named<'_> {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
    match text.split_once('=') {
        Some((name, value)) if is_name(name) => Named { name: Some(name), value },
        _ => Named { name: None, value: text },
    }
}

/// The label of a base: its name, or `base` for the only one, or what it is made from; `-2` and so on where two would be alike.
pub(super) fn label(named: &Named<'_>, is_only: bool, taken: &[String]) -> String {
    let of_value = || {
        let stem = named.value.split('#').next().and_then(|path| Path::new(path).file_stem());
        stem.map_or_else(|| BASE.into(), |stem| stem.to_string_lossy().into_owned())
    };
    let wanted = match named.name {
        Some(name) => name.to_owned(),
        None if is_only => BASE.to_owned(),
        None => of_value(),
    };
    let is_free = |label: &String| label != CANDIDATE && !taken.contains(label);
    let numbered = |count: u32| if count == 1 { wanted.clone() } else { format!("{wanted}-{count}") };
    (1..).map(numbered).find(is_free).expect("some number is free")
}

/// A base: what is told of it, and how it is started.
#[derive(Clone, Debug)]
pub(super) struct Base {
    /// For the result.
    pub(super) about: GateBase,
    /// To be started.
    pub(super) side: Side,
    /// The same code in other layouts.
    pub(super) layouts: Vec<Side>,
}

/// All that is compared.
#[derive(Clone, Debug)]
pub(super) struct Sides {
    /// What is judged.
    pub(super) candidate: Side,
    /// For the result.
    pub(super) about: GateSide,
    /// What it is compared with.
    pub(super) bases: Vec<Base>,
    /// What the reader must know of them.
    pub(super) notes: Vec<String>,
    /// Where builds are kept, and what was measured of them.
    pub(super) cache: Option<PathBuf>,
}

impl Sides {
    /// The sides that the command line names; builds what has to be built. `subject` is the one that the scenarios name first.
    ///
    /// # Errors
    /// An executable is no subject, a revision does not exist or cannot be built.
    pub(super) fn of(
        arguments: &GateArgs,
        subject: &str,
        taken: &[String],
        limit: Duration,
        interrupt: &Interrupt,
    ) -> Result<Self, CommandError> {
        let given = candidate(arguments, limit)?;
        let subject = given.inner.clone().unwrap_or_else(|| subject.to_owned());
        let mut maker = Maker { arguments, subject: &subject, limit, taken, count: arguments.base_bin.len() + arguments.base_rev.len() };
        let mut sides = if arguments.base_rev.is_empty() {
            let source = format!("{}#{subject}", given.executable.display());
            let about = identity::of_executable(&source, &subject, limit)?.side;
            Self { candidate: given, about, bases: Vec::new(), notes: Vec::new(), cache: None }
        } else {
            maker.revisions(given, interrupt)?
        };
        for text in &arguments.base_bin {
            maker.binary(text, &mut sides)?;
        }
        Ok(sides)
    }

    /// Names of all sides, the candidate's first.
    pub(super) fn labels(&self) -> Vec<String> {
        let bases = self.bases.iter().map(|base| base.about.name.clone());
        std::iter::once(self.candidate.label.clone()).chain(bases).collect()
    }
}

/// What all sides of a gate are made with.
struct Maker<'a> {
    arguments: &'a GateArgs,
    subject: &'a str,
    limit: Duration,
    /// Names of stored baselines.
    taken: &'a [String],
    count: usize,
}

impl Maker<'_> {
    /// Candidate and bases from revisions, all built at one place with the same flags.
    fn revisions(&mut self, given: Side, interrupt: &Interrupt) -> Result<Sides, CommandError> {
        let builder = Baseline::new(Path::new("."), Options::of_this_program()?, interrupt)?;
        let is_own = own_executable()? == given.executable;
        let mut notes = Vec::new();
        let (candidate, about) = if is_own {
            let built = builder.working_tree()?;
            (self.side(CANDIDATE, &built, given.inner.clone())?, built.subject(self.subject, self.limit)?.side)
        } else {
            notes.push("the candidate was given as an executable, and not built as its bases are: code layout may differ".into());
            let source = format!("{}#{}", given.executable.display(), self.subject);
            (given, identity::of_executable(&source, self.subject, self.limit)?.side)
        };
        let cache = Some(builder.cache().folder().to_owned());
        let mut sides = Sides { candidate, about, bases: Vec::new(), notes, cache };
        for text in &self.arguments.base_rev {
            let named = named(text);
            let label = label(&named, self.count == 1, &[self.taken, &sides.labels()].concat());
            let built = builder.side_of_revision(named.value)?;
            let about = built.subject(self.subject, self.limit)?.side;
            let mut base = self.base(label, GateBaseKind::Revision, about, &sides.about);
            let side = self.side(&base.name, &built, sides.candidate.inner.clone())?;
            let layouts = if base.identical { Vec::new() } else { self.layouts(&builder, &built, &side, &mut base, &mut sides.notes)? };
            sides.bases.push(Base { about: base, side, layouts });
        }
        Ok(sides)
    }

    fn layouts(
        &self,
        builder: &Baseline<'_>,
        built: &Built,
        of: &Side,
        base: &mut GateBase,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Side>, CommandError> {
        match builder.layouts(built, LAYOUTS)? {
            Layouts::Built(layouts) => {
                base.layouts = u32::try_from(layouts.len()).ok();
                let side = |(number, layout): (usize, &Built)| Side {
                    label: format!("{}-layout-{}", of.label, number + 1),
                    executable: layout.executable.clone(),
                    ..of.clone()
                };
                Ok(layouts.iter().enumerate().map(side).collect())
            }
            Layouts::Unavailable(reason) => {
                notes.push(format!("the effect of code layout on {} is not measured: {reason}", of.label));
                Ok(Vec::new())
            }
        }
    }

    fn binary(&self, text: &str, sides: &mut Sides) -> Result<(), CommandError> {
        let named = named(text);
        let label = label(&named, self.count == 1, &[self.taken, &sides.labels()].concat());
        let about = identity::of_executable(named.value, self.subject, self.limit)?.side;
        let base = self.base(label, GateBaseKind::Binary, about, &sides.about);
        let mut side = side(&base.name, named.value, self.limit)?;
        side.inner = side.inner.or_else(|| sides.candidate.inner.clone());
        if !base.identical {
            sides
                .notes
                .push(format!("the effect of code layout on {} is not measured: only --base-rev can build other layouts", base.name));
        }
        sides.bases.push(Base { about: base, side, layouts: Vec::new() });
        Ok(())
    }

    fn base(&self, name: String, kind: GateBaseKind, side: GateSide, candidate: &GateSide) -> GateBase {
        let is_same = side.binary_sha256.is_some() && side.binary_sha256 == candidate.binary_sha256 && side.subject == candidate.subject;
        let identical = is_same && !self.arguments.measure_identical && self.arguments.plant.is_none();
        GateBase { name, kind, side, identical, layouts: None, unlike: Vec::new() }
    }

    fn side(&self, label: &str, built: &Built, inner: Option<String>) -> Result<Side, CommandError> {
        let mut side = side(label, &built.executable.display().to_string(), self.limit)?;
        side.inner = inner;
        Ok(side)
    }
}

/// The candidate as it is: this executable, or the one that `--subject` names.
fn candidate(arguments: &GateArgs, limit: Duration) -> Result<Side, CommandError> {
    let own = own_executable()?;
    let Some(subject) = &arguments.subject else { return Ok(Side::described(CANDIDATE, &own, described(), None)) };
    let given = named(subject);
    let is_path = given.name.is_some() || given.value.contains('/');
    if is_path {
        return side(CANDIDATE, given.value, limit);
    }
    let subjects = described();
    if !subjects.iter().any(|described| described.name == given.value) {
        let known: Vec<&str> = subjects.iter().map(|described| described.name.as_str()).collect();
        return Err(unknown(given.value, &known));
    }
    Ok(Side::described(CANDIDATE, &own, subjects, Some(given.value.to_owned())))
}

/// A side of an executable. That a base is missing is no mistake in the command line of a CI job: exit 3.
fn side(label: &str, source: &str, limit: Duration) -> Result<Side, CommandError> {
    Side::of(label, source, limit).map_err(|failure| {
        let message = format!("the {label} cannot be used: {} ({})", failure.message, failure.class);
        CommandError::could_not_run(
            message,
            "a subject answers `EXE zokio-subject --describe`: zokio-bench of any build, or a program made with it",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_before_a_value_and_a_path_is_no_name() {
        let of = |text| {
            let named = named(text);
            (named.name, named.value)
        };
        assert_eq!(of("old=/a/b#zokio"), (Some("old"), "/a/b#zokio"));
        assert_eq!(of("/a=b/c"), (None, "/a=b/c"));
        assert_eq!(of("v0.1.0"), (None, "v0.1.0"));
        assert_eq!(of("=x"), (None, "=x"));
    }

    #[test]
    fn labels_are_unique_and_never_that_of_the_candidate() {
        let plain = |value| Named { name: None, value };
        assert_eq!(label(&plain("/x/old-build#zokio"), true, &[]), "base");
        assert_eq!(label(&plain("/x/old-build#zokio"), false, &[]), "old-build");
        assert_eq!(label(&plain("/y/old-build"), false, &["old-build".into()]), "old-build-2");
        assert_eq!(label(&Named { name: Some("candidate"), value: "x" }, true, &[]), "candidate-2");
    }
}
