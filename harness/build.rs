//! What the build knows of itself, as `ZOKIO_BUILD_*` variables for `host::build`. An empty variable means unknown.
//!
//! It never fails for want of a fact: no git, no lock file and an odd target folder are all fine. No path of the machine gets in.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "src/host/build_facts.rs"]
mod build_facts;

/// What goes into the binary, from the root of the workspace: the tree is dirty when any of it differs from the commit.
const SOURCES: [&str; 12] = [
    "runtime/src",
    "runtime/Cargo.toml",
    "reports/src",
    "reports/Cargo.toml",
    "harness/src",
    "harness/build.rs",
    "harness/Cargo.toml",
    "scenarios",
    "configs",
    "Cargo.toml",
    "Cargo.lock",
    ".cargo",
];

fn main() {
    let manifest_dir = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let out_dir = PathBuf::from(variable("OUT_DIR"));
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/host/build_facts.rs");
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    emit("RUSTC", &output(Command::new(variable("RUSTC")).arg("--version")).unwrap_or_default());
    emit("TARGET", &variable("TARGET"));
    emit("PROFILE", &variable("PROFILE"));
    emit("OPT_LEVEL", &variable("OPT_LEVEL"));
    emit("FLAGS", &build_facts::sanitize_flags(&variable("CARGO_ENCODED_RUSTFLAGS")));
    emit("FEATURES", &features());

    let workspace = workspace(&manifest_dir, &out_dir);
    let lock = workspace.as_ref().map(|root| root.join("Cargo.lock"));
    if let Some(lock) = &lock {
        println!("cargo:rerun-if-changed={}", lock.display());
    }
    let lock = lock.and_then(|lock| fs::read(lock).ok()).unwrap_or_default();
    // Hashed by the program: a hash here would want a second build of the hash crate.
    let lock_copy = out_dir.join("lock");
    fs::write(&lock_copy, lock).unwrap_or_else(|error| panic!("cannot write {}: {error}", lock_copy.display()));
    emit("LTO", lto(workspace.as_deref(), &out_dir));

    let (sha, dirty) = git(&manifest_dir).unwrap_or_default();
    emit("GIT_SHA", &sha);
    emit("GIT_DIRTY", &dirty);
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

fn emit(name: &str, value: &str) {
    println!("cargo:rustc-env=ZOKIO_BUILD_{name}={}", value.lines().next().unwrap_or(""));
}

/// What a command says, when it succeeds.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim_end().to_owned())
}

fn features() -> String {
    let mut features: Vec<String> =
        env::vars().filter_map(|(name, _)| Some(name.strip_prefix("CARGO_FEATURE_")?.to_lowercase().replace('_', "-"))).collect();
    features.sort();
    features.join(",")
}

/// The folder of the lock file this build obeys: above the target folder, where a dependent package keeps its own; or above this package.
fn workspace(manifest_dir: &Path, out_dir: &Path) -> Option<PathBuf> {
    let holds_lock = |dir: &&Path| dir.join("Cargo.lock").is_file() && dir.join("Cargo.toml").is_file();
    let mut above = out_dir.ancestors().chain(manifest_dir.ancestors().take(2));
    above.find(holds_lock).map(Path::to_path_buf)
}

/// Cargo does not tell a build script about LTO: the profile's name is in the output folder's path, its value in the environment or manifest.
fn lto(workspace: Option<&Path>, out_dir: &Path) -> &'static str {
    // target/[triple/]PROFILE/build/zokio-bench-HASH/out
    let folder = out_dir.ancestors().nth(3).and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or("");
    let profile = if folder == "debug" { "dev" } else { folder };
    let name = format!("CARGO_PROFILE_{}_LTO", profile.to_uppercase().replace('-', "_"));
    println!("cargo:rerun-if-env-changed={name}");
    let from_manifest = || {
        let manifest = workspace?.join("Cargo.toml");
        println!("cargo:rerun-if-changed={}", manifest.display());
        build_facts::profile_value(&fs::read_to_string(manifest).ok()?, profile, "lto")
    };
    let value = env::var(&name).ok().or_else(from_manifest);
    build_facts::describe_lto(value.as_deref())
}

/// The commit and `true` or `false` for a dirty tree; `None` outside a checkout that tracks this very file.
fn git(manifest_dir: &Path) -> Option<(String, String)> {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        // A hook's environment may point to another repository.
        command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
        // No lock, no refreshed index: building must not disturb whoever works in the checkout.
        output(command.current_dir(manifest_dir).arg("--no-optional-locks").args(arguments))
    };
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    let sha = git(&["rev-parse", "HEAD"])?;
    let root = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?);
    // A commit or checkout changes one of the first, an edit one of the sources; staging changes neither answer, so the index is not
    // watched. A path that does not exist would run this script at every build.
    let reference = git(&["rev-parse", "--symbolic-full-name", "HEAD"])?;
    let mut question = vec!["rev-parse"];
    for name in ["HEAD", "logs/HEAD", "packed-refs", reference.as_str()] {
        question.extend(["--git-path", name]);
    }
    let paths = git(&question)?;
    let watched = paths.lines().map(|path| manifest_dir.join(path)).chain(SOURCES.iter().map(|source| root.join(source)));
    for path in watched.filter(|path| path.exists()) {
        println!("cargo:rerun-if-changed={}", path.display());
    }
    let sources = SOURCES.map(|source| format!(":(top){source}"));
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(sources.iter().map(String::as_str));
    let dirty = !git(&status)?.is_empty();
    Some((sha, dirty.to_string()))
}
