//! Chunks of a machine that does not exist are bound as they should be, and those of this one as far as it lets us.

use std::sync::Mutex;

use super::*;
use crate::config::MemoryStrategy;
use crate::mem::Heap;
use crate::mem::chunk::CHUNK_BYTES;
use crate::topology::NumaNode;

/// What was asked for: address, bytes, mask, bits.
type Calls = Arc<Mutex<Vec<(usize, usize, Vec<Word>, Word)>>>;

/// Runs on the CPUs it is told, one after the other, and refuses when they are used up.
struct Recorded {
    cpus: Vec<u32>,
    calls: Calls,
    refusal: Option<i32>,
}

impl Binder for Recorded {
    fn cpu(&mut self) -> io::Result<u32> {
        Ok(if self.cpus.len() > 1 { self.cpus.remove(0) } else { self.cpus[0] })
    }

    fn bind(&mut self, region: &Region, mask: &[Word], bits: Word) -> io::Result<()> {
        self.calls.lock().unwrap().push((region.at(0).addr().get(), region.bytes(), mask.to_vec(), bits));
        self.refusal.map_or(Ok(()), |code| Err(io::Error::from_raw_os_error(code)))
    }
}

/// A heap on a machine whose node `id` has CPU `id`, for each of `nodes`.
fn heap(nodes: &[u32], cpus: &[u32], refusal: Option<i32>) -> (Heap, Calls) {
    let mut topology = Topology::detect();
    topology.nodes = nodes.iter().map(|&id| NumaNode { id, cpus: vec![id], memory_bytes: None }).collect();
    let calls = Calls::default();
    let binder = Box::new(Recorded { cpus: cpus.to_vec(), calls: Arc::clone(&calls), refusal });
    let numa = Numa::new(Arc::new(topology), binder);
    (Heap::made_of(MemoryStrategy::NumaAware, std::time::Duration::ZERO, || numa), calls)
}

#[test]
fn each_chunk_is_bound_whole_to_the_node_its_thread_is_on() {
    // The thread is on node 0, then on 3, then on the 71st.
    let (mut heap, calls) = heap(&[0, 3, 70], &[0, 3, 70], None);
    assert_eq!(heap.report().placement, Placement::FirstTouch("nothing was mapped yet".into()));
    // Three classes, so three chunks.
    let blocks = [64, 128, 256].map(|size| heap.allocate(size).unwrap());
    let calls = calls.lock().unwrap();
    let masks: Vec<_> = calls.iter().map(|call| (call.2.clone(), call.3)).collect();
    let (one, two) = (Word::from(Word::BITS) + 1, 2 * Word::from(Word::BITS) + 1);
    assert_eq!(masks, [(vec![1], one), (vec![0b1000], one), (vec![0, 1 << 6], two)]);
    for (block, (address, bytes, ..)) in blocks.iter().zip(&*calls) {
        assert_eq!((*address, *bytes), (block.as_ptr().addr().get() & !(CHUNK_BYTES - 1), CHUNK_BYTES));
    }
    assert_eq!(heap.report().placement.to_string(), "nodes 0,3,70");
    assert_eq!(heap.report().numa_nodes, Some(3));
}

#[test]
fn one_node_is_not_bound_and_a_refusal_is_told_once() {
    let (mut lone, calls) = heap(&[0], &[0], None);
    assert!(lone.allocate(64).is_some());
    assert!(calls.lock().unwrap().is_empty());
    assert_eq!(lone.report().placement, Placement::FirstTouch("one NUMA node".into()));

    let (mut refused, calls) = heap(&[0, 1], &[1], Some(libc::EPERM));
    assert!(refused.allocate(64).is_some() && refused.allocate(1_000).is_some(), "it goes on unbound");
    assert_eq!(calls.lock().unwrap().len(), 1, "it does not ask again");
    assert_eq!(refused.report().placement.to_string(), "first touch: mbind to node 1: Operation not permitted (os error 1)");

    let (mut lost, calls) = heap(&[0, 1], &[9], None);
    assert!(lost.allocate(64).is_some() && calls.lock().unwrap().is_empty());
    assert_eq!(lost.report().placement.to_string(), "first touch: CPU 9 belongs to no NUMA node");
}

#[test]
fn a_mask_holds_its_node_in_the_last_word() {
    for node in [0, 1, 63, 64, 127, 128, 1_023] {
        let (mask, bits) = mask_of(node);
        let set = mask.iter().enumerate().flat_map(|(word, value)| {
            (0..Word::BITS).filter(move |bit| value >> bit & 1 == 1).map(move |bit| word as u32 * Word::BITS + bit)
        });
        assert_eq!(set.collect::<Vec<_>>(), [node]);
        assert_eq!(bits - 1, mask.len() as Word * Word::from(Word::BITS), "the kernel takes one off");
    }
}

#[test]
fn this_kernel_binds_to_its_first_node_or_says_why_not() {
    let here = Numa::here();
    let Some(node) = here.topology.as_ref().map(|topology| topology.nodes()[0].id) else {
        assert!(matches!(here.placement(), Placement::FirstTouch(reason) if reason.contains("/sys")));
        return;
    };
    let region = Region::map_aligned(CHUNK_BYTES, CHUNK_BYTES).unwrap();
    let (mask, bits) = mask_of(node);
    if let Err(error) = Kernel.bind(&region, &mask, bits) {
        // A kernel without NUMA, a sandbox, or a control group without this node.
        assert!(matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM | libc::EINVAL)), "{error}");
        return;
    }
    let (mut mode, mut nodes) = (-1, vec![0 as Word; 64]);
    // A kernel may know a thousand nodes; MPOL_F_ADDR asks for the policy of an address.
    let (room, address) = (nodes.len() as Word * Word::from(Word::BITS), region.at(CHUNK_BYTES / 2).as_ptr());
    // SAFETY: writes a number and at most as many bits as there are.
    let read = unsafe { libc::syscall(libc::SYS_get_mempolicy, &raw mut mode, nodes.as_mut_ptr(), room, address, 2) };
    if read == 0 {
        assert_eq!(mode, libc::MPOL_PREFERRED);
        assert_eq!(nodes[..mask.len()], mask);
        assert!(nodes[mask.len()..].iter().all(|&word| word == 0));
    } else {
        let error = io::Error::last_os_error();
        assert!(matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)), "{error}");
    }
}

#[test]
fn this_machine_is_asked_once_and_answers() {
    let mut heap = Heap::with_strategy(MemoryStrategy::NumaAware);
    let block = heap.allocate(64).unwrap();
    let report = heap.report();
    match (report.numa_nodes, &report.placement) {
        (Some(1), Placement::FirstTouch(reason)) => assert_eq!(reason, "one NUMA node"),
        (Some(0), _) => panic!("a machine has a node: {report:?}"),
        (_, Placement::FirstTouch(reason)) => assert!(reason.contains("mbind") || reason.contains("/sys"), "{reason}"),
        (count, Placement::Nodes(nodes)) => assert!(count.is_some_and(|count| nodes.len() <= count)),
    }
    heap.free(block);
}
