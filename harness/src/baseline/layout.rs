//! The same object code in other orders: what the linker was given is linked again, with its functions shuffled.
//!
//! ```text
//!  cargo build ──▶ LLD, which keeps its inputs ──▶ links/SHA256.tar
//!                                                   │ once more, unshuffled ──▶ the same bytes? else there are no layouts
//!                                                   └ --shuffle-sections=.text*=SEED ──▶ layout 1, 2, 3
//! ```
//!
//! Nothing is compiled, so a layout takes a second, and the first relink proves that the order is all that differs. Every function has a
//! section of its own (rustc's default where sections are), so the order is as free as any edit of the source could make it. Data stay
//! where they are. Only LLD can do it: rustc's own on x86-64 Linux. Elsewhere there are no layouts, and the reason is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::build::{Baseline, Built};
use super::cache::{self, Kept, Locked};
use super::child::{self, Outputs};
use super::identity;
use crate::error::CommandError;
use crate::host::build::sha256_hex;
use crate::orchestrate::progress::short_time;

/// Changes when layouts are made differently.
const VERSION: &str = "layout 1";
/// Code alone is shuffled.
const SHUFFLED: &str = ".text*";
/// The linker's arguments among its inputs.
const RESPONSE: &str = "response.txt";

/// Other layouts of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layouts {
    /// Executables of the same code, in the order of their seeds.
    Built(Vec<Built>),
    /// Why there are none.
    Unavailable(String),
}

/// Why a layout could not be made: the user's business, or only a reason to do without.
enum Stop {
    Error(CommandError),
    Reason(String),
}

impl From<CommandError> for Stop {
    fn from(error: CommandError) -> Self {
        Self::Error(error)
    }
}

/// What the linker was given, unpacked.
struct Inputs {
    linker: PathBuf,
    /// Where its arguments are.
    folder: PathBuf,
}

impl Baseline<'_> {
    /// The program of `built` in `count` other orders of its functions.
    ///
    /// # Errors
    /// Interrupted, or the cache cannot be written to. That there are no layouts on this host is no error.
    pub fn layouts(&self, built: &Built, count: u32) -> Result<Layouts, CommandError> {
        let locked = self.cache.lock(self.interrupt)?;
        match self.all_layouts(&locked, built, count) {
            Ok(layouts) => Ok(Layouts::Built(layouts)),
            Err(Stop::Reason(reason)) => Ok(Layouts::Unavailable(reason)),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    fn all_layouts(&self, locked: &Locked<'_>, built: &Built, count: u32) -> Result<Vec<Built>, Stop> {
        let key = |seed: u32| sha256_hex(format!("{VERSION}\0{}\0{seed}", built.sha256).as_bytes());
        let as_built = |seed, kept: Kept, is_fresh| Built {
            executable: kept.executable,
            sha256: kept.sha256,
            layout: Some(seed),
            is_fresh,
            snapshot: built.snapshot.clone(),
        };
        let started = Instant::now();
        let mut layouts: Vec<Built> = Vec::new();
        let mut inputs = None;
        // To LLD, 0 means a random order.
        for seed in 1..=count {
            if let Some(kept) = locked.find(&key(seed), &self.options.binary) {
                layouts.push(as_built(seed, kept, false));
                continue;
            }
            let inputs = match &inputs {
                Some(inputs) => inputs,
                None => inputs.insert(self.inputs(built)?),
            };
            let linked = self.link(inputs, Some(seed))?;
            let sha256 = identity::sha256(&linked).map_err(|error| cache::refused("read", &linked, &error))?;
            if sha256 == built.sha256 || layouts.iter().any(|layout| layout.sha256 == sha256) {
                return Err(Stop::Reason("the linker did not change the order of functions".into()));
            }
            layouts.push(as_built(seed, locked.keep(&key(seed), &self.options.binary, &linked)?, true));
        }
        if inputs.is_some() {
            let _ = fs::remove_dir_all(self.cache.unpacked());
            eprintln!("linked {} in other layouts ({})", built.snapshot.label(), short_time(started.elapsed()));
        }
        Ok(layouts)
    }

    /// What `built` was linked from, proven by linking it again.
    fn inputs(&self, built: &Built) -> Result<Inputs, Stop> {
        let (inside, toolchain) = self.prepare(&built.snapshot)?;
        let linker = toolchain.own_linker().ok_or_else(|| {
            Stop::Reason(format!("rustc for {} does not bring the linker LLD, which can shuffle functions", toolchain.host()))
        })?;
        let packed = self.cache.inputs(&built.sha256);
        if !packed.exists() && !self.cache.no_inputs(&built.sha256).exists() {
            // Cargo had the executable already, so nothing was linked.
            self.cache.forget_linked(&self.options.binary);
            let again = self.compile(&built.snapshot, &inside, &toolchain)?;
            let sha256 = identity::sha256(&again.executable).map_err(|error| cache::refused("read", &again.executable, &error))?;
            if sha256 != built.sha256 {
                return Err(Stop::Reason("building it again gave another executable".into()));
            }
            self.cache.keep_inputs(&sha256, again.is_linked);
        }
        if !packed.exists() {
            return Err(Stop::Reason("it was not linked by LLD, the linker that can shuffle functions".into()));
        }
        let inputs = Inputs { linker, folder: self.unpack(&packed)? };
        let same = self.link(&inputs, None)?;
        let sha256 = identity::sha256(&same).map_err(|error| cache::refused("read", &same, &error))?;
        if sha256 != built.sha256 {
            // Next time it is kept anew.
            let _ = fs::remove_file(&packed);
            return Err(Stop::Reason("linking it again, unshuffled, gave another executable".into()));
        }
        Ok(inputs)
    }

    fn unpack(&self, packed: &Path) -> Result<PathBuf, Stop> {
        let folder = self.cache.unpacked();
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|error| cache::refused("make", &folder, &error))?;
        self.quietly(Command::new("tar").arg("-xf").arg(packed).arg("-C").arg(&folder), "unpacking what was linked")?;
        let tops = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let found = tops.into_iter().find(|top| top.join(RESPONSE).is_file());
        found.ok_or_else(|| Stop::Reason("the linker did not keep its arguments".into()))
    }

    fn link(&self, inputs: &Inputs, seed: Option<u32>) -> Result<PathBuf, Stop> {
        let output = self.cache.unpacked().join(&self.options.binary);
        let mut command = Command::new(&inputs.linker);
        command.current_dir(&inputs.folder).arg(format!("@{RESPONSE}")).arg("-o").arg(&output);
        command.env_remove(super::build::KEEP_INPUTS);
        let what = match seed {
            Some(seed) => {
                command.arg(format!("--shuffle-sections={SHUFFLED}={seed}"));
                format!("linking layout {seed}")
            }
            None => "linking once more".into(),
        };
        self.quietly(&mut command, &what)?;
        Ok(output)
    }

    /// Runs a program that has nothing to say when all is well.
    fn quietly(&self, command: &mut Command, what: &str) -> Result<(), Stop> {
        let (messages, log) = (self.cache.logs().join("link.txt"), self.cache.logs().join("link.log"));
        let status = match child::run(command, Outputs { messages: &messages, log: &log }, what, self.interrupt) {
            Ok(status) => status,
            Err(CommandError::Interrupted) => return Err(CommandError::Interrupted.into()),
            Err(error) => return Err(Stop::Reason(format!("{what} failed: {}", error.message()))),
        };
        if status.success() {
            return Ok(());
        }
        let said = fs::read_to_string(&log).unwrap_or_default();
        Err(Stop::Reason(format!("{what} failed: {}", said.lines().next().unwrap_or("no reason given"))))
    }
}
