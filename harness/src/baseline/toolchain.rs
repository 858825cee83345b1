//! What a build depends on beside the source: compiler, linker, flags, features. All of it is the same for both sides, and part of the key.
//!
//! Three folders of this machine would get into an executable (panic messages, generated code): the tree, cargo's home with the sources of
//! dependencies, the compiler's. `--remap-path-prefix` gives them fixed names, so that an executable does not tell where it was built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::CommandError;
use crate::host::build::{build_info, sha256_hex};

/// Changes when builds are made differently.
const VERSION: &str = "1";
/// Variables that begin like this change what a compiler makes.
const INPUTS: [&str; 20] = [
    "RUSTC",
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_PROFILE_",
    "CARGO_BUILD_",
    "CARGO_TARGET_",
    "CARGO_INCREMENTAL",
    "CARGO_HOME",
    "CC",
    "CXX",
    "AR",
    "RANLIB",
    "CFLAGS",
    "CXXFLAGS",
    "CPPFLAGS",
    "LDFLAGS",
    "PKG_CONFIG",
    "HWLOC",
    "LIBRARY_PATH",
    "C_INCLUDE_PATH",
];
/// Variables that cargo sets for what it runs: they tell of another build than ours.
const OF_CARGO: [&str; 10] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_BIN_",
    "CARGO_CRATE_NAME",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_TARGET_DIR",
    "CARGO_TARGET_TMPDIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_BUILD_BUILD_DIR",
    "OUT_DIR",
];
/// Separates flags in `CARGO_ENCODED_RUSTFLAGS`.
const SEPARATOR: char = '\u{1f}';

/// The features of the executable that asks, for the builds to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features {
    /// The package's default ones.
    pub default: bool,
    /// Those beside; with the default ones, their names are left out.
    pub named: Vec<String>,
}

impl Features {
    /// Those of this program.
    pub fn of_this_program() -> Self {
        Self::from_names(build_info().features)
    }

    fn from_names(named: Vec<String>) -> Self {
        // An older revision may not know all names of today's default.
        let default = named.iter().any(|name| name == "default");
        Self { default, named: if default { Vec::new() } else { named } }
    }

    /// Cargo's arguments.
    pub fn arguments(&self) -> Vec<String> {
        let named = (!self.named.is_empty()).then(|| format!("--features={}", self.named.join(",")));
        (!self.default).then(|| "--no-default-features".to_owned()).into_iter().chain(named).collect()
    }
}

/// Compiler and flags, found for one tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    cargo: PathBuf,
    rustc: String,
    sysroot: PathBuf,
    linker: String,
    /// Where cargo runs, from the top of the tree: settings in folders count from there upwards.
    folder: String,
    /// `FROM=TO` of each folder that gets a fixed name.
    remapped: Vec<String>,
    /// Where flags come from; those added must go there too, since cargo takes them from one place only.
    flags_from: FlagsFrom,
    /// Settings and variables that change a build.
    inputs: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum FlagsFrom {
    /// The environment: the flags there, encoded.
    Environment(String),
    /// `target.*.rustflags` of some configuration file.
    Target,
    /// `build.rustflags`, or nowhere.
    Build,
}

/// The folders of the cache that a build uses.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// Top of the source.
    pub tree: &'a Path,
    /// Where cargo runs, in it.
    pub inside: &'a Path,
    /// Cargo's output.
    pub target: &'a Path,
}

impl Toolchain {
    /// What would build the tree at `places`.
    ///
    /// # Errors
    /// There is no compiler.
    pub fn find(places: Places<'_>) -> Result<Self, CommandError> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let ask = |question: &[&str]| {
            let output = Command::new(&rustc).args(question).current_dir(places.inside).output();
            output.ok().filter(|output| output.status.success()).map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let (Some(version), Some(sysroot)) = (ask(&["-vV"]), ask(&["--print", "sysroot"])) else {
            return Err(CommandError::could_not_run(
                format!("`{}` does not answer, and a revision is built with it", rustc.to_string_lossy()),
                "install Rust from https://rustup.rs, or compare with an executable: --base-bin PATH",
            ));
        };
        let cc = Command::new("cc").arg("--version").output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let cargo_home = cargo_home();
        let remap = |from: &Path, to: &str| format!("{}={to}", from.display());
        let mut remapped = vec![remap(places.tree, "/source"), remap(places.target, "/target"), remap(Path::new(&sysroot), "/rust")];
        remapped.extend(cargo_home.iter().map(|home| remap(home, "/cargo")));
        let settings = settings_files(places.inside, cargo_home.as_deref());
        Ok(Self {
            cargo: std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from),
            rustc: version,
            sysroot: sysroot.into(),
            linker: cc.unwrap_or_default().lines().next().unwrap_or_default().to_owned(),
            folder: places.inside.strip_prefix(places.tree).unwrap_or(places.inside).to_string_lossy().into_owned(),
            remapped,
            flags_from: flags_from(&settings),
            inputs: inputs(&settings, places.tree),
        })
    }

    /// Names one build: the source, and all that decides what becomes of it.
    pub fn key(&self, tree: &str, arguments: &[String]) -> String {
        let Self { rustc, linker, folder, remapped, flags_from, inputs, .. } = self;
        let (remapped, inputs, arguments) = (remapped.join("\n"), inputs.join("\n"), arguments.join("\n"));
        let flags_from = format!("{flags_from:?}");
        let parts = [VERSION, tree, rustc, linker, folder, &remapped, &flags_from, &inputs, &arguments];
        sha256_hex(parts.join("\0").as_bytes())
    }

    /// `cargo VERB` in the tree, without what the environment tells of other builds and repositories.
    pub fn cargo(&self, verb: &str, places: Places<'_>) -> Command {
        let mut command = Command::new(&self.cargo);
        super::git::forget_repository(&mut command);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if OF_CARGO.iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        command.current_dir(places.inside).args([verb, "--release", "--locked", "--target-dir"]).arg(places.target);
        // The commit stays out of the executable: no repository around the tree is found.
        command.env("GIT_CEILING_DIRECTORIES", places.tree.parent().unwrap_or(places.tree));
        let added = self.remapped.iter().map(|remap| format!("--remap-path-prefix={remap}"));
        match &self.flags_from {
            FlagsFrom::Environment(encoded) => {
                let given = encoded.split(SEPARATOR).filter(|flag| !flag.is_empty()).map(str::to_owned);
                let all: Vec<String> = given.chain(added).collect();
                command.env("CARGO_ENCODED_RUSTFLAGS", all.join(&SEPARATOR.to_string()));
            }
            FlagsFrom::Target => drop(command.arg("--config").arg(format!("target.'cfg(all())'.rustflags={}", list(added)))),
            FlagsFrom::Build => drop(command.arg("--config").arg(format!("build.rustflags={}", list(added)))),
        }
        command
    }

    /// The linker that the compiler brings along, where it does.
    pub fn own_linker(&self) -> Option<PathBuf> {
        let linker = self.sysroot.join("lib/rustlib").join(self.host()).join("bin/gcc-ld/ld.lld");
        linker.is_file().then_some(linker)
    }

    /// `host:` of the compiler.
    pub fn host(&self) -> &str {
        self.rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default()
    }
}

/// A TOML list of texts; a text of JSON is one of TOML too.
fn list(texts: impl Iterator<Item = String>) -> String {
    serde_json::to_string(&texts.collect::<Vec<_>>()).expect("texts are JSON")
}

fn cargo_home() -> Option<PathBuf> {
    let named = std::env::var_os("CARGO_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))
}

/// Cargo's configuration files that apply to a build in `folder`, with their text.
fn settings_files(folder: &Path, cargo_home: Option<&Path>) -> Vec<(PathBuf, String)> {
    let above = folder.ancestors().map(|folder| folder.join(".cargo")).chain(cargo_home.map(Path::to_path_buf));
    let mut files: Vec<PathBuf> = above.flat_map(|folder| ["config", "config.toml"].map(|name| folder.join(name))).collect();
    files.sort();
    files.dedup();
    files.into_iter().filter_map(|path| Some((path.clone(), fs::read_to_string(path).ok()?))).collect()
}

/// Cargo takes flags from the first of: environment, `target.*`, `build`.
fn flags_from(settings: &[(PathBuf, String)]) -> FlagsFrom {
    if let Ok(encoded) = std::env::var("CARGO_ENCODED_RUSTFLAGS") {
        return FlagsFrom::Environment(encoded);
    }
    if let Ok(flags) = std::env::var("RUSTFLAGS") {
        return FlagsFrom::Environment(flags.split_whitespace().collect::<Vec<_>>().join(&SEPARATOR.to_string()));
    }
    let in_environment = std::env::vars_os().any(|(name, _)| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_TARGET_") && name.ends_with("_RUSTFLAGS")
    });
    let in_file = settings.iter().any(|(_, text)| has_target_flags(text));
    if in_environment || in_file { FlagsFrom::Target } else { FlagsFrom::Build }
}

fn has_target_flags(settings: &str) -> bool {
    let Ok(table) = settings.parse::<toml::Table>() else { return false };
    let targets = table.get("target").and_then(toml::Value::as_table);
    targets.is_some_and(|targets| targets.values().any(|target| target.get("rustflags").is_some()))
}

/// Settings from outside of the tree, which its hash does not hold, and variables that compilers obey.
fn inputs(settings: &[(PathBuf, String)], tree: &Path) -> Vec<String> {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.to_string_lossy().into_owned();
        let counts = INPUTS.iter().any(|prefix| name.starts_with(prefix)) && !OF_CARGO.iter().any(|prefix| name.starts_with(prefix));
        counts.then(|| format!("{name}={}", value.to_string_lossy()))
    });
    let mut variables: Vec<String> = variables.collect();
    variables.sort();
    variables.extend(settings.iter().filter(|(path, _)| !path.starts_with(tree)).map(|(_, text)| text.clone()));
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_features_are_those_of_the_program() {
        let names = |names: &[&str]| Features::from_names(names.iter().map(|name| (*name).to_owned()).collect()).arguments();
        assert_eq!(names(&["default", "hwloc", "mimalloc"]), [""; 0]);
        assert_eq!(names(&["mimalloc"]), ["--no-default-features", "--features=mimalloc"]);
        assert_eq!(names(&[]), ["--no-default-features"]);
    }

    #[test]
    fn flags_go_where_cargo_takes_them_from() {
        let file = |text: &str| has_target_flags(text);
        assert!(file("[target.x86_64-unknown-linux-gnu]\nrustflags = [\"-Clinker=x\"]"));
        assert!(file("[target.'cfg(unix)']\nrustflags = \"-g\""));
        assert!(!file("[target.x86_64-unknown-linux-gnu.hwloc]\nrustc-link-lib = [\"hwloc\"]"));
        assert!(!file("[build]\nrustflags = [\"-g\"]"));
        assert!(!file("not toml ["));
    }

    #[test]
    fn whatever_decides_about_a_build_is_in_its_key() {
        let one = Toolchain {
            cargo: "cargo".into(),
            sysroot: "/rust".into(),
            rustc: "rustc 1.95.0\nhost: x86_64-unknown-linux-gnu".into(),
            linker: "cc 14".into(),
            folder: String::new(),
            remapped: vec!["/a=/b".into()],
            flags_from: FlagsFrom::Build,
            inputs: Vec::new(),
        };
        let others = [
            Toolchain { rustc: "rustc 1.96.0".into(), ..one.clone() },
            Toolchain { folder: "harness".into(), ..one.clone() },
            Toolchain { linker: "cc 15".into(), ..one.clone() },
            Toolchain { remapped: vec!["/c=/b".into()], ..one.clone() },
            Toolchain { flags_from: FlagsFrom::Environment("-Cdebuginfo=1".into()), ..one.clone() },
            Toolchain { inputs: vec!["CC=clang".into()], ..one.clone() },
        ];
        let key = one.key("tree", &[]);
        for other in others {
            assert_ne!(other.key("tree", &[]), key, "{other:?}");
        }
        assert_ne!(one.key("other tree", &[]), key);
        assert_ne!(one.key("tree", &["--no-default-features".into()]), key);
        assert_eq!(Toolchain { cargo: "elsewhere/cargo".into(), ..one.clone() }.key("tree", &[]), key);
        assert_eq!(one.host(), "x86_64-unknown-linux-gnu");
    }

    #[test]
    fn a_path_with_a_space_and_a_quote_is_a_setting() {
        let setting = format!("flags={}", list(["--remap-path-prefix=/a b/\"c\"=/d".to_owned()].into_iter()));
        let table: toml::Table = setting.parse().expect("TOML");
        assert_eq!(table["flags"][0].as_str(), Some("--remap-path-prefix=/a b/\"c\"=/d"));
    }
}
