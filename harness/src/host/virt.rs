//! Virtualisation: the hypervisor below and the container around.

use super::files::HostFiles;

/// `none`, `kvm`, `container docker`, `kvm, container docker`; `None` with a note where nothing tells.
pub(super) fn read(files: &mut HostFiles) -> Option<String> {
    let container = container(files);
    let hypervisor = hypervisor(files);
    if hypervisor.is_none() {
        files.note("virt: neither the processor nor DMI nor the device tree tells of a hypervisor");
    }
    let container = container.map(|kind| format!("container {kind}"));
    match (hypervisor, container) {
        // Alone, "none" is the answer; beside a container it would only confuse.
        (Some(hypervisor), Some(container)) if hypervisor == "none" => Some(container),
        (Some(hypervisor), Some(container)) => Some(format!("{hypervisor}, {container}")),
        (hypervisor, container) => hypervisor.or(container),
    }
}

/// The container engine by the marks it leaves.
fn container(files: &HostFiles) -> Option<String> {
    let marks = [("/run/.containerenv", "podman"), ("/.dockerenv", "docker")];
    if let Some((_, engine)) = marks.iter().find(|(mark, _)| files.exists(mark)) {
        return Some((*engine).to_owned());
    }
    if let Some(manager) = files.look("/run/systemd/container").filter(|manager| !manager.is_empty()) {
        return Some(manager);
    }
    let release = files.look("/proc/sys/kernel/osrelease").unwrap_or_default().to_lowercase();
    if release.contains("microsoft") {
        return Some("wsl".into());
    }
    let groups = files.look("/proc/1/cgroup").unwrap_or_default();
    let engines = [("kubepods", "kubernetes"), ("docker", "docker"), ("libpod", "podman"), ("containerd", "containerd"), ("/lxc", "lxc")];
    engines.iter().find(|(mark, _)| groups.contains(mark)).map(|(_, engine)| (*engine).to_owned())
}

/// The hypervisor, `none` when the machine is known to be real, `None` when nothing tells.
fn hypervisor(files: &HostFiles) -> Option<String> {
    let cpuinfo = files.look("/proc/cpuinfo").unwrap_or_default();
    let flags =
        cpuinfo.lines().find_map(|line| line.strip_prefix("flags")).map(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor"));
    let named = by_processor(files).or_else(|| by_dmi(files)).or_else(|| by_device_tree(files));
    match (named, flags) {
        (Some(name), _) => Some(name),
        (None, Some(true)) => Some("hypervisor of unknown kind".into()),
        (None, Some(false)) => Some("none".into()),
        // Not x86: firmware that names a vendor, and not that of a hypervisor, is a real machine.
        (None, None) => (files.exists("/sys/class/dmi/id/sys_vendor") || files.exists("/proc/device-tree/model")).then(|| "none".into()),
    }
}

/// The signature of CPUID leaf 0x4000_0000.
#[cfg(target_arch = "x86_64")]
fn by_processor(files: &HostFiles) -> Option<String> {
    use std::arch::x86_64::__cpuid;
    // Leaf 1, ECX bit 31: reserved by Intel and AMD for hypervisors to set.
    if !files.is_system() || __cpuid(1).ecx & (1 << 31) == 0 {
        return None;
    }
    let leaf = __cpuid(0x4000_0000);
    let signature: Vec<u8> = [leaf.ebx, leaf.ecx, leaf.edx].into_iter().flat_map(u32::to_le_bytes).collect();
    name_of_signature(&signature)
}

#[cfg(not(target_arch = "x86_64"))]
fn by_processor(_files: &HostFiles) -> Option<String> {
    None
}

#[cfg(any(target_arch = "x86_64", test))]
fn name_of_signature(signature: &[u8]) -> Option<String> {
    let text: String = signature.iter().filter(|byte| byte.is_ascii_graphic()).map(|&byte| char::from(byte)).collect();
    let names = [
        ("KVMKVMKVM", "kvm"),
        ("MicrosoftHv", "hyper-v"),
        ("VMwareVMware", "vmware"),
        ("XenVMMXenVMM", "xen"),
        ("TCGTCGTCGTCG", "qemu"),
        ("VBoxVBoxVBox", "virtualbox"),
        ("bhyvebhyve", "bhyve"),
        ("prlhyperv", "parallels"),
        ("ACRNACRNACRN", "acrn"),
    ];
    match names.iter().find(|(signature, _)| *signature == text) {
        Some((_, name)) => Some((*name).to_owned()),
        None => (!text.is_empty()).then(|| format!("hypervisor {text}")),
    }
}

fn by_dmi(files: &HostFiles) -> Option<String> {
    let names = ["sys_vendor", "product_name", "board_vendor", "bios_vendor"];
    let text = names.iter().filter_map(|name| files.look(&format!("/sys/class/dmi/id/{name}"))).collect::<Vec<_>>().join("\n");
    let hypervisors = [
        ("KVM", "kvm"),
        ("QEMU", "qemu"),
        ("VMware", "vmware"),
        ("innotek GmbH", "virtualbox"),
        ("VirtualBox", "virtualbox"),
        ("Xen", "xen"),
        ("Bochs", "bochs"),
        ("Parallels", "parallels"),
        ("BHYVE", "bhyve"),
        ("Virtual Machine", "hyper-v"),
        ("Google Compute Engine", "kvm"),
        ("Apple Virtualization", "apple"),
    ];
    // Amazon's own firmware is on its bare metal too, where the product is named after it.
    let amazon = text.contains("Amazon EC2") && !text.contains(".metal");
    let found = hypervisors.iter().find(|(mark, _)| text.contains(mark)).map(|(_, name)| (*name).to_owned());
    found.or_else(|| amazon.then(|| "amazon".into()))
}

fn by_device_tree(files: &HostFiles) -> Option<String> {
    if let Some(kind) = files.look("/proc/device-tree/hypervisor/compatible") {
        let kind = if kind.contains("kvm") { "kvm" } else { kind.split(['\0', ',']).next().unwrap_or("hypervisor") };
        return Some(kind.to_owned());
    }
    files.look("/sys/hypervisor/type").filter(|kind| !kind.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::files::TestTree;
    use super::*;

    /// What the host is, its files, and what is told of it.
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<&'a str>);

    #[test]
    fn hosts_are_told_apart_by_their_marks() {
        let cases: [Case; 10] = [
            ("a real x86 machine", &[("proc/cpuinfo", "flags\t\t: fpu vme sse2")], Some("none")),
            ("a guest without DMI", &[("proc/cpuinfo", "flags\t\t: fpu hypervisor")], Some("hypervisor of unknown kind")),
            ("a guest with DMI", &[("proc/cpuinfo", "flags: hypervisor"), ("sys/class/dmi/id/sys_vendor", "QEMU")], Some("qemu")),
            ("docker on a real machine", &[("proc/cpuinfo", "flags: fpu"), (".dockerenv", "")], Some("container docker")),
            ("podman in a guest", &[("sys/class/dmi/id/product_name", "KVM"), ("run/.containerenv", "")], Some("kvm, container podman")),
            ("a pod", &[("proc/cpuinfo", "flags: fpu"), ("proc/1/cgroup", "0::/kubepods/besteffort/pod1")], Some("container kubernetes")),
            ("a board", &[("proc/device-tree/model", "Raspberry Pi 4")], Some("none")),
            ("an ARM guest", &[("proc/device-tree/hypervisor/compatible", "linux,kvm")], Some("kvm")),
            (
                "bare metal at Amazon",
                &[("sys/class/dmi/id/sys_vendor", "Amazon EC2"), ("sys/class/dmi/id/product_name", "m7g.metal")],
                Some("none"),
            ),
            ("nothing to read", &[], None),
        ];
        for (name, files, expected) in cases {
            let tree = TestTree::new(files);
            let mut files = tree.files();
            assert_eq!(read(&mut files).as_deref(), expected, "{name}");
            assert_eq!(files.notes().is_empty(), expected.is_some(), "{name}: {:?}", files.notes());
        }
    }

    #[test]
    fn signatures_have_names() {
        assert_eq!(name_of_signature(b"KVMKVMKVM\0\0\0").as_deref(), Some("kvm"));
        assert_eq!(name_of_signature(b"Microsoft Hv").as_deref(), Some("hyper-v"));
        assert_eq!(name_of_signature(b"SomethingNew").as_deref(), Some("hypervisor SomethingNew"));
        assert_eq!(name_of_signature(&[0; 12]), None);
    }
}
