//! The kernel's lists of CPUs and nodes: `0-3,8,10-11`.

/// The numbers of a list such as `0-3,8`, ascending and without doubles; `None` when it is not a list.
///
/// The empty list is a list: the kernel writes it for a node without CPUs. The stride form (`0-7:2/4`) is read too.
pub fn parse_cpu_list(text: &str) -> Option<Vec<u32>> {
    /// More is damage, not a machine: Linux stops at 8,192.
    const CPUS_MAX: u32 = 1 << 16;
    let mut numbers = Vec::new();
    for part in text.trim().split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (range, stride) = part.split_once(':').map_or((part, None), |(range, stride)| (range, Some(stride)));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        let (used, group) = match stride {
            Some(stride) => {
                let (used, group) = stride.split_once('/')?;
                (used.parse::<u32>().ok()?, group.parse::<u32>().ok()?)
            }
            None => (1, 1),
        };
        if last < first || last >= CPUS_MAX || group == 0 {
            return None;
        }
        numbers.extend((first..=last).filter(|number| (number - first) % group < used));
    }
    numbers.sort_unstable();
    numbers.dedup();
    Some(numbers)
}

/// The list of `numbers` (ascending) as the kernel would write it.
pub fn format_cpu_list(numbers: &[u32]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = numbers;
    while let Some(&first) = rest.first() {
        let run = rest.iter().zip(first..).take_while(|(number, expected)| *number == expected).count();
        let last = rest[run - 1];
        parts.push(if run == 1 { first.to_string() } else { format!("{first}-{last}") });
        rest = &rest[run..];
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_of_the_kernel_are_read() {
        let cases: [(&str, Option<&[u32]>); 10] = [
            ("0-3,8", Some(&[0, 1, 2, 3, 8])),
            ("0\n", Some(&[0])),
            ("\n", Some(&[])),
            ("3,1,1-2", Some(&[1, 2, 3])),
            ("0-7:1/4", Some(&[0, 4])),
            ("3-1", None),
            ("a", None),
            ("0-4294967295", None),
            ("0-7:1/0", None),
            ("-1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_cpu_list(text).as_deref(), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(set in proptest::collection::btree_set(0u32..300, 0..60)) {
            let numbers: Vec<u32> = set.into_iter().collect();
            prop_assert_eq!(parse_cpu_list(&format_cpu_list(&numbers)), Some(numbers));
        }

        #[test]
        fn noise_is_refused_and_never_panics(text in ".{0,40}") {
            let _ = parse_cpu_list(&text);
        }
    }
}
