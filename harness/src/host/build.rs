//! The build that measures: what `harness/build.rs` left in the program, and the program's own hash.

use std::fs::File;
use std::io::{self, Read};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};
use zokio_report::schema::host::BuildProfile;
use zokio_report::schema::result::{BuildInfo, ToolInfo};

/// The lock file the build obeyed; empty when there was none.
const LOCK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/lock"));

/// The tool: name, version, commit, and whether the tree had changes.
pub fn tool_info() -> ToolInfo {
    ToolInfo {
        name: "zokio-bench".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        git_sha: known(env!("ZOKIO_BUILD_GIT_SHA")),
        dirty: env!("ZOKIO_BUILD_GIT_DIRTY").parse().ok(),
        profile: profile().into(),
        rustc: known(env!("ZOKIO_BUILD_RUSTC")),
    }
}

/// How this executable was built, for a subject's description.
///
/// The hash of the executable is read once a process.
pub fn build_info() -> BuildInfo {
    let build = build_profile();
    BuildInfo {
        rustc: build.rustc,
        profile: build.profile,
        flags: build.flags,
        features: build.features,
        allocator: build.allocator,
        lock_sha256: build.lock_sha256,
        binary_sha256: build.binary_sha256,
    }
}

/// How this executable was built, for the host profile.
pub fn build_profile() -> BuildProfile {
    BuildProfile {
        rustc: known(env!("ZOKIO_BUILD_RUSTC")),
        profile: profile().into(),
        // No flags is a fact, not a gap: an empty text.
        flags: Some(env!("ZOKIO_BUILD_FLAGS").into()),
        target: known(env!("ZOKIO_BUILD_TARGET")),
        opt: Some(opt()),
        features: env!("ZOKIO_BUILD_FEATURES").split(',').filter(|feature| !feature.is_empty()).map(str::to_owned).collect(),
        allocator: Some("system".into()),
        lock_sha256: lock_sha256().map(str::to_owned),
        binary_sha256: binary_sha256().map(str::to_owned),
    }
}

/// sha256 of `bytes`, in hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in hexadecimal.
pub fn hex(digest: &[u8]) -> String {
    use std::fmt::Write;
    digest.iter().fold(String::with_capacity(2 * digest.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn known(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

/// `debug` for whatever must not be published: unoptimised, or with debug assertions; `release` otherwise.
fn profile() -> &'static str {
    let unoptimised = matches!(env!("ZOKIO_BUILD_OPT_LEVEL"), "0" | "1");
    if unoptimised || cfg!(debug_assertions) || env!("ZOKIO_BUILD_PROFILE") == "debug" { "debug" } else { "release" }
}

fn opt() -> String {
    let assertions = if cfg!(debug_assertions) { ", debug assertions" } else { "" };
    let panic = if cfg!(panic = "abort") { "abort" } else { "unwind" };
    format!("opt-level {}, {}, panic {panic}{assertions}", env!("ZOKIO_BUILD_OPT_LEVEL"), env!("ZOKIO_BUILD_LTO"))
}

fn lock_sha256() -> Option<&'static str> {
    static HASH: OnceLock<Option<String>> = OnceLock::new();
    HASH.get_or_init(|| (!LOCK.is_empty()).then(|| sha256_hex(LOCK))).as_deref()
}

fn binary_sha256() -> Option<&'static str> {
    static HASH: OnceLock<Option<String>> = OnceLock::new();
    HASH.get_or_init(|| hash_executable().ok()).as_deref()
}

/// Hashes what runs, even when the file has been replaced since.
fn hash_executable() -> io::Result<String> {
    let mut file = if cfg!(target_os = "linux") { File::open("/proc/self/exe") } else { File::open(std::env::current_exe()?) }?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 18];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex(&hash.finalize())),
            count => hash.update(&chunk[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha256() {
        // FIPS 180-4, example "abc".
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn the_build_knows_its_compiler_lock_and_binary() {
        let build = build_info();
        assert!(build.rustc.is_some_and(|rustc| rustc.starts_with("rustc 1.")));
        assert_eq!(build.lock_sha256.unwrap().len(), 64);
        assert_eq!(build.binary_sha256, hash_executable().ok());
        assert_eq!(build.features.contains(&"hwloc".to_owned()), cfg!(feature = "hwloc"));
        assert_eq!(tool_info().version, env!("CARGO_PKG_VERSION"));
        assert_eq!(tool_info().git_sha.is_some(), tool_info().dirty.is_some());
    }

    #[test]
    fn a_build_with_debug_assertions_is_a_debug_build() {
        if cfg!(debug_assertions) {
            assert_eq!(build_info().profile, "debug");
            assert!(build_profile().opt.unwrap().contains("debug assertions"));
        } else {
            assert_eq!(build_info().profile, "release");
        }
    }

    #[test]
    fn the_build_tells_no_path_of_the_machine() {
        let text = format!("{:?} {:?}", build_profile(), tool_info());
        assert!(!text.contains(env!("CARGO_MANIFEST_DIR")) && !text.contains("/home/"), "{text}");
    }
}
