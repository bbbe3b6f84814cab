//! Which container the agent itself runs in, as the container engine numbers it: so that it is not listed by itself, and so that two
//! agents that see one container can be told to see one.

/// The engine's id of this process's container: 64 hexadecimal digits. Nothing on a host, or where it cannot be told.
pub(super) fn own_container() -> Option<String> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    from_cgroup(&read("cgroup")).or_else(|| from_mounts(&read("mountinfo")))
}

/// The control group's path ends in the id, alone or between an engine's word and `.scope`. In a namespace of its own it is `/`.
pub(super) fn from_cgroup(cgroup: &str) -> Option<String> {
    cgroup.lines().find_map(|line| {
        let last = line.splitn(3, ':').nth(2)?.rsplit('/').next()?;
        let last = last.strip_suffix(".scope").unwrap_or(last);
        id(last.rsplit(['-', ':']).next()?)
    })
}

/// An engine mounts a container's own `/etc/hosts` from a folder that has its id. The other files may be those of its pod.
pub(super) fn from_mounts(mounts: &str) -> Option<String> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let folder = root.strip_suffix("/hosts").filter(|_| point == "/etc/hosts")?;
        let (parent, last) = folder.rsplit_once('/')?;
        id(last).filter(|_| parent.ends_with("containers"))
    })
}

fn id(text: &str) -> Option<String> {
    let is_id = text.len() == 64 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_tell_it_in_two_places() {
        let own = "0f".repeat(32);
        for cgroup in [
            format!("12:cpu:/docker/{own}\n0::/"),
            format!("0::/system.slice/docker-{own}.scope"),
            format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{own}.scope"),
            format!("9:pids:/kubepods/besteffort/pod7/{own}"),
            format!("0::/machine.slice/libpod-{own}.scope"),
        ] {
            assert_eq!(from_cgroup(&cgroup), Some(own.clone()), "{cgroup}");
        }
        let mounts = format!(
            "1 2 8:1 / / rw - ext4 /dev/a rw\n\
             3 2 8:1 /var/lib/docker/containers/{own}/hosts /etc/hosts rw,relatime - ext4 /dev/a rw\n"
        );
        assert_eq!(from_mounts(&mounts), Some(own));
    }

    #[test]
    fn a_host_and_a_pods_files_are_no_container() {
        let pod = "0f".repeat(32);
        assert_eq!(from_cgroup("0::/\n"), None);
        assert_eq!(from_cgroup("0::/user.slice/session-1.scope\nrubbish"), None);
        let mounts = format!(
            "3 2 8:1 /var/lib/docker/containers/{pod}/resolv.conf /etc/resolv.conf rw - ext4 /dev/a rw\n\
             4 2 8:1 /var/lib/kubelet/pods/1/etc-hosts /etc/hosts rw - ext4 /dev/a rw\n5 2"
        );
        assert_eq!(from_mounts(&mounts), None);
    }
}
