//! Size classes of a heap: every 16 bytes up to 1 KiB, then four to a doubling, so that at most a fifth of a block is waste.

/// The largest block of a class.
pub(super) const BYTES_MAX: usize = 64 << 10;
/// How many classes there are.
pub(super) const CLASSES: usize = FINE_BYTES_MAX / STEP + STEPS_PER_DOUBLING * DOUBLINGS;

const STEP: usize = 16;
const FINE_BYTES_MAX: usize = 1 << 10;
const STEPS_PER_DOUBLING: usize = 4;
const DOUBLINGS: usize = (BYTES_MAX / FINE_BYTES_MAX).ilog2() as usize;
const FINE_CLASSES: usize = FINE_BYTES_MAX / STEP;

/// The class for blocks of `bytes`, at most [`BYTES_MAX`].
#[inline]
pub(super) fn of(bytes: usize) -> usize {
    if bytes <= FINE_BYTES_MAX {
        return bytes.max(1).div_ceil(STEP) - 1;
    }
    let last = bytes - 1;
    let doubling = (last / FINE_BYTES_MAX).ilog2() as usize;
    // The two bits below the highest one.
    let quarter = (last >> (FINE_BYTES_MAX.ilog2() as usize + doubling - 2)) & (STEPS_PER_DOUBLING - 1);
    FINE_CLASSES + doubling * STEPS_PER_DOUBLING + quarter
}

/// Bytes of the blocks of a class.
#[inline]
pub(super) fn bytes(class: usize) -> usize {
    if class < FINE_CLASSES {
        return (class + 1) * STEP;
    }
    let (doubling, quarter) = ((class - FINE_CLASSES) / STEPS_PER_DOUBLING, (class - FINE_CLASSES) % STEPS_PER_DOUBLING);
    (FINE_BYTES_MAX << doubling) / STEPS_PER_DOUBLING * (STEPS_PER_DOUBLING + 1 + quarter)
}

#[cfg(all(test, not(zokio_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_its_sizes_and_no_smaller_class_does() {
        assert_eq!([of(0), of(1), of(16), of(17), of(1_024)], [0, 0, 0, 1, 63]);
        assert_eq!(
            [bytes(of(1_025)), bytes(of(1_280)), bytes(of(1_281)), bytes(of(2_048)), bytes(of(2_049))],
            [1_280, 1_280, 1_536, 2_048, 2_560]
        );
        assert_eq!((of(BYTES_MAX), bytes(CLASSES - 1)), (CLASSES - 1, BYTES_MAX));
        for size in 1..=BYTES_MAX {
            let class = of(size);
            assert!(bytes(class) >= size && bytes(class).is_multiple_of(STEP), "{size}: {class}");
            assert!(class == 0 || bytes(class - 1) < size, "{size} fits into a smaller class than {class}");
        }
    }
}
