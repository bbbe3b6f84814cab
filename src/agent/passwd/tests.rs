//! Accounts of made-up containers.

use std::os::unix::fs::symlink;

use super::*;

fn container(passwd: &str, group: &str, shells: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("etc")).unwrap();
    std::fs::create_dir_all(root.path().join("bin")).unwrap();
    std::fs::write(root.path().join("etc/passwd"), passwd).unwrap();
    std::fs::write(root.path().join("etc/group"), group).unwrap();
    for shell in shells {
        let path = root.path().join(shell);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    root
}

const PASSWD: &str = "root:x:0:0:root:/root:/bin/zsh\nbroken\nada:x:1000:1000::/home/ada:/bin/sh\nodd:x:1001:7:::\n";
const GROUP: &str = "root:x:0:\nstaff:x:50:bob,ada\nada:x:1000:\nwheel:x:10:ada\nodd:y\n";

fn login(name: &str) -> Login {
    name.parse().unwrap()
}

#[test]
fn a_login_has_its_groups_and_an_executable_shell() {
    let root = container(PASSWD, GROUP, &["bin/sh", "bin/busybox"]);
    let ada = account(root.path(), &login("ada"), 0, 0).unwrap();
    assert_eq!((ada.uid, ada.gid, ada.groups), (1000, 1000, vec![1000, 50, 10]));
    assert_eq!((ada.home, ada.shell), ("/home/ada".into(), Some("/bin/sh".into())));
    let zsh_is_not_here = account(root.path(), &login("root"), 0, 0).unwrap();
    assert_eq!(zsh_is_not_here.shell, Some("/bin/sh".into()));
    assert_eq!(account(root.path(), &login("odd"), 0, 0).unwrap().home, PathBuf::from("/"));
}

#[test]
fn the_default_login_is_the_agents_own_user_even_where_there_are_no_accounts() {
    let root = container(PASSWD, GROUP, &[]);
    let own = account(root.path(), &login("default"), 1000, 1000).unwrap();
    assert_eq!((own.name.as_str(), own.uid, own.shell), ("ada", 1000, None));
    let empty = tempfile::tempdir().unwrap();
    let nobody = account(empty.path(), &login("default"), 4711, 4711).unwrap();
    assert_eq!((nobody.name.as_str(), nobody.uid, nobody.home), ("4711", 4711, "/".into()));
}

#[test]
fn nobody_becomes_another_without_being_root() {
    let root = container(PASSWD, GROUP, &[]);
    assert_eq!(account(root.path(), &login("root"), 1000, 1000), Err(LoginError::NotPermitted(login("root"))));
    assert_eq!(account(root.path(), &login("eve"), 0, 0), Err(LoginError::Unknown(login("eve"))));
}

#[test]
fn minus_one_is_nobodys_number() {
    let passwd = "eve:x:4294967295:0::/:/bin/sh\nmal:x:1000:4294967295::/:/bin/sh\nada:x:1000:1000::/:/bin/sh\n";
    let root = container(passwd, "odd:x:4294967295:ada\n", &[]);
    for name in ["eve", "mal"] {
        assert_eq!(account(root.path(), &login(name), 0, 0), Err(LoginError::Unknown(login(name))), "{name}");
    }
    assert_eq!(account(root.path(), &login("ada"), 0, 0).unwrap().groups, [1000]);
}

#[test]
fn the_account_files_are_read_inside_the_root_and_bounded() {
    let root = container("", "", &[]);
    let passwd = root.path().join("etc/passwd");
    std::fs::remove_file(&passwd).unwrap();
    symlink("../../../../../../../../etc/passwd", &passwd).unwrap();
    assert!(matches!(account(root.path(), &login("daemon"), 0, 0), Err(LoginError::Unknown(_))));
    std::fs::remove_file(&passwd).unwrap();
    std::fs::write(&passwd, format!("{}\nlate:x:5:5::/:/bin/sh\n", "#".repeat(1024 * 1024))).unwrap();
    assert!(matches!(account(root.path(), &login("late"), 0, 0), Err(LoginError::Unknown(_))));
}

#[test]
fn a_shell_that_says_no_is_no_shell_of_a_container() {
    let passwd = "www:x:33:33::/var/www:/bin/nologin\nada:x:1000:1000::/home/ada:/bin/sh\n";
    let root = container(passwd, GROUP, &["bin/nologin", "bin/sh", "bin/bash"]);
    let shell = |name: &str| account(root.path(), &login(name), 0, 0).unwrap().with_a_shell(root.path()).shell;
    assert_eq!((shell("www"), shell("ada")), (Some("/bin/bash".into()), Some("/bin/sh".into())));
    assert_eq!(account(root.path(), &login("www"), 0, 0).unwrap().shell, Some("/bin/nologin".into()), "a host's stays");
}
