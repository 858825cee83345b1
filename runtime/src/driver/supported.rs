//! Which operations the ring of the running kernel knows.

/// A set of io_uring operation codes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Supported([u64; 4]);

#[cfg(target_os = "linux")]
impl Supported {
    /// The codes for which `is_supported` says so.
    pub(super) fn by(is_supported: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::default();
        for code in (0..=u8::MAX).filter(|&code| is_supported(code)) {
            set.0[usize::from(code / 64)] |= 1 << (code % 64);
        }
        set
    }

    /// This set without `hidden`.
    pub(super) fn without(mut self, hidden: &[u8]) -> Self {
        for code in hidden {
            self.0[usize::from(code / 64)] &= !(1 << (code % 64));
        }
        self
    }

    /// Whether the ring does operations of this code.
    #[inline]
    pub(crate) fn contains(&self, code: u8) -> bool {
        self.0[usize::from(code / 64)] >> (code % 64) & 1 == 1
    }
}

#[cfg(all(test, target_os = "linux", not(zokio_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_probed_and_not_what_is_hidden() {
        let set = Supported::by(|code| code == 3 || code >= 190).without(&[200]);
        let held: Vec<u8> = (0..=u8::MAX).filter(|&code| set.contains(code)).collect();
        let expected: Vec<u8> = [3].into_iter().chain((190..=u8::MAX).filter(|&code| code != 200)).collect();
        assert_eq!(held, expected);
        assert_eq!(Supported::default(), Supported::by(|_| false));
    }
}
