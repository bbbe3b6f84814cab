//! `ztctl cp`: files and folders both ways, interrupted, resumed, refused.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::peer;
use crate::world::{OPEN, Person, RunningAgent, World};

/// A person, a container (whose files are this machine's) and a folder for each side.
struct Scene {
    _world: World,
    _agent: RunningAgent,
    ada: Person,
    name: String,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new(policy: &str) -> Self {
        let world = World::with_policy(policy).await;
        let agent = world.agent("web").await;
        let ada = world.person("ada", &[]).await;
        let name = ada.names(1).await.remove(0);
        let folder = tempfile::tempdir().unwrap();
        for side in ["here", "there"] {
            std::fs::create_dir(folder.path().join(side)).unwrap();
        }
        Self { _world: world, _agent: agent, ada, name, folder }
    }

    fn here(&self, path: &str) -> String {
        self.at("here", path).display().to_string()
    }

    fn there(&self, path: &str) -> String {
        format!("{}:{}", self.name, self.at("there", path).display())
    }

    fn at(&self, side: &str, path: &str) -> PathBuf {
        self.folder.path().join(side).join(path)
    }

    async fn cp(&self, words: &[&str]) -> crate::world::Said {
        self.ada.run(&[&["cp"], words].concat()).await
    }
}

fn bytes(count: u32) -> Vec<u8> {
    (0..count).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn same(one: &Path, other: &Path) {
    let diff = Command::new("diff").args(["-r", "--no-dereference"]).args([one, other]).output().unwrap();
    assert!(diff.status.success(), "{}", String::from_utf8_lossy(&diff.stdout));
}

/// Mode and time of last change of a file.
fn attributes(path: &Path) -> (u32, std::time::SystemTime) {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    (metadata.permissions().mode() & 0o7777, metadata.modified().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_folders_are_the_same_on_both_sides() {
    let scene = Scene::new(OPEN).await;
    let tree = scene.at("here", "tree");
    std::fs::create_dir_all(tree.join("deep/er")).unwrap();
    for (name, content) in [
        ("empty", Vec::new()),
        ("deep/a file", bytes(3_000_001)),
        ("deep/er/it's\na name; $(id)", bytes(7)),
        ("ümlaut", bytes(128 * 1024)),
    ] {
        std::fs::write(tree.join(name), content).unwrap();
    }
    std::os::unix::fs::symlink("deep/a file", tree.join("link")).unwrap();
    std::os::unix::fs::symlink("/etc", tree.join("out")).unwrap();
    let old =
        Command::new("touch").args(["-d", "2020-02-29T12:00:00Z"]).args([tree.join("ümlaut"), tree.join("deep")]).status();
    assert!(old.unwrap().success());
    std::fs::set_permissions(tree.join("ümlaut"), std::fs::Permissions::from_mode(0o4750)).unwrap();
    std::fs::set_permissions(tree.join("deep"), std::fs::Permissions::from_mode(0o711)).unwrap();

    let sent = scene.cp(&["-p", &scene.here("tree"), &scene.there("")]).await;
    assert_eq!((sent.code, sent.stderr.as_str()), (0, ""));
    same(&tree, &scene.at("there", "tree"));
    let fetched = scene.cp(&["-p", &scene.there("tree"), &scene.here("back")]).await;
    assert_eq!((fetched.code, fetched.stderr.as_str()), (0, ""));
    same(&tree, &scene.at("here", "back"));
    for (name, mode) in [("ümlaut", 0o750), ("deep", 0o711)] {
        for copy in [scene.at("there", "tree"), scene.at("here", "back")] {
            assert_eq!(
                attributes(&copy.join(name)),
                (mode, attributes(&tree.join(name)).1),
                "{name}: what lends rights is not kept"
            );
        }
    }
    // Into what is there; once more over what is there; several at one time; the contents of a folder.
    assert_eq!(scene.cp(&[&scene.there("tree"), &scene.here("back")]).await.code, 0);
    same(&tree, &scene.at("here", "back/tree"));
    assert_eq!(scene.cp(&[&scene.here("tree/empty"), &scene.here("tree/ümlaut"), &scene.there("")]).await.code, 0);
    same(&tree.join("ümlaut"), &scene.at("there", "ümlaut"));
    let into = scene.cp(&[&scene.here("tree/empty"), &scene.there("nowhere/")]).await;
    assert!(into.code == 1 && into.stderr.contains("there is no such folder"), "{}", into.stderr);
    // One that may not be written stays so.
    std::fs::set_permissions(tree.join("empty"), std::fs::Permissions::from_mode(0o444)).unwrap();
    assert_eq!(scene.cp(&[&scene.here("tree/empty"), &scene.there("read-only")]).await.code, 0);
    assert_eq!(scene.cp(&[&scene.there("read-only"), &scene.here("read-only")]).await.code, 0);
    for file in [scene.at("there", "read-only"), scene.at("here", "read-only")] {
        assert_eq!(attributes(&file).0, 0o444);
    }
    // A file that says that it is empty.
    assert_eq!(scene.cp(&[&format!("{}:/proc/self/status", scene.name), &scene.here("status")]).await.code, 0);
    assert!(std::fs::read_to_string(scene.at("here", "status")).unwrap().contains("Pid:"));
    // Nothing is left that is not whole.
    let parts = Command::new("find").arg(scene.folder.path()).args(["-name", "*ztctl-part*"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&parts.stdout), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_lead_nowhere_on_the_way() {
    let scene = Scene::new(OPEN).await;
    // A container whose folder is a link here: what is copied must not go through it.
    let (trap, secret) = (scene.at("here", "copy"), scene.at("here", "secret"));
    std::fs::create_dir(&trap).unwrap();
    std::fs::create_dir(&secret).unwrap();
    std::os::unix::fs::symlink(&secret, trap.join("sub")).unwrap();
    std::os::unix::fs::symlink(secret.join("file"), trap.join("file")).unwrap();
    std::fs::create_dir_all(scene.at("there", "copy/sub")).unwrap();
    std::fs::write(scene.at("there", "copy/sub/x"), "evil").unwrap();
    std::fs::write(scene.at("there", "copy/file"), "evil").unwrap();
    let said = scene.cp(&[&scene.there("copy"), &scene.here("")]).await;
    assert!(said.code == 1 && said.stderr.contains("it is no folder here"), "{}", said.stderr);
    assert!(std::fs::read_dir(&secret).unwrap().next().is_none(), "through a link");
    assert_eq!(std::fs::read_to_string(trap.join("file")).unwrap(), "evil", "in its place");
    assert!(!trap.join("file").is_symlink());
}

/// What a copy replaces are files, and the new one is as closed to others as the old one was.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_replaced_keeps_its_mode_and_owner_and_nothing_else_is_replaced() {
    let scene = Scene::new(OPEN).await;
    std::fs::write(scene.at("here", "new"), "new").unwrap();
    std::fs::write(scene.at("there", "new"), "new").unwrap();
    let root = rustix::process::geteuid().is_root();
    for side in ["here", "there"] {
        let secret = scene.at(side, "secret");
        std::fs::write(&secret, "old").unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        if root {
            std::os::unix::fs::chown(&secret, Some(7), Some(8)).unwrap();
        }
        let (from, to) = match side {
            "here" => (scene.there("new"), scene.here("secret")),
            _ => (scene.here("new"), scene.there("secret")),
        };
        let said = scene.cp(&[&from, &to]).await;
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{side}");
        let now = std::fs::metadata(&secret).unwrap();
        assert_eq!((std::fs::read_to_string(&secret).unwrap().as_str(), attributes(&secret).0), ("new", 0o600), "{side}");
        assert!(!root || (now.uid(), now.gid()) == (7, 8), "{side}: {now:?}");

        let fifo = scene.at(side, "fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let said = scene.cp(&[&from, &to.replace("secret", "fifo")]).await;
        assert!(said.code == 1 && said.stderr.contains("it is a device, a pipe or a socket"), "{side}: {}", said.stderr);
        assert!(std::fs::symlink_metadata(&fifo).unwrap().file_type().is_fifo(), "{side}");

        std::fs::write(scene.at(side, "aim"), "old").unwrap();
        std::os::unix::fs::symlink("aim", scene.at(side, "link")).unwrap();
        let said = scene.cp(&[&from, &to.replace("secret", "link")]).await;
        let aim = std::fs::read_to_string(scene.at(side, "aim")).unwrap();
        assert!(scene.at(side, "link").is_symlink(), "{side}");
        match side {
            // A link here may have come out of the container.
            "here" => assert!(said.code == 1 && said.stderr.contains("it is a link here") && aim == "old", "{}", said.stderr),
            _ => assert_eq!((said.code, aim.as_str()), (0, "new"), "{}", said.stderr),
        }
    }
    // A link to a folder that is not there, whose name is no ASCII.
    std::os::unix::fs::symlink("é/", scene.at("there", "slash")).unwrap();
    let said = scene.cp(&[&scene.here("new"), &scene.there("slash")]).await;
    assert!(said.code <= 1, "{}", said.stderr);
    let said = scene.cp(&[&scene.there("new"), &scene.here("nowhere/")]).await;
    assert!(said.code == 1 && said.stderr.contains("there is no such folder"), "{}", said.stderr);
    let said = scene.cp(&[&scene.here("new"), &scene.there("nowhere/new")]).await;
    assert!(said.code == 1 && !said.stderr.contains("ztctl-part"), "{}", said.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_copied_is_named_and_the_rest_is_there() {
    let scene = Scene::new(OPEN).await;
    for side in ["here", "there"] {
        let folder = scene.at(side, "mixed");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("good"), "good").unwrap();
        std::fs::write(folder.join(OsStr::from_bytes(b"b\xffd")), "bad").unwrap();
        assert!(Command::new("mkfifo").arg(folder.join("pipe")).status().unwrap().success());
    }
    for (from, to, good) in [
        (scene.there("mixed"), scene.here("got"), scene.at("here", "got/good")),
        (scene.here("mixed"), scene.there("got"), scene.at("there", "got/good")),
    ] {
        let said = scene.cp(&[&from, &to]).await;
        assert_eq!(said.code, 1);
        let told = ["its name is not UTF-8", "it is neither a file nor a folder", "2 files were not copied, all else is"];
        assert!(told.iter().all(|words| said.stderr.contains(words)), "{}", said.stderr);
        assert_eq!(std::fs::read_to_string(good).unwrap(), "good");
    }
    for (words, told, code) in [
        ([scene.there("absent"), scene.here("x")], "no such file", 1),
        ([scene.here("absent"), scene.there("x")], "No such file", 1),
        ([scene.here("mixed/good"), format!("{}:/proc/x", scene.name)], "/proc/", 1),
        ([scene.here("mixed/good"), scene.here("x")], "both sides are here", 2),
        ([scene.there("x"), scene.there("y")], "both sides are in containers", 2),
        ([format!("nothing-such:{}", "/x"), scene.here("x")], "no container nothing-such", 4),
    ] {
        let said = scene.cp(&[&words[0], &words[1]]).await;
        assert!(said.code == code && said.stderr.contains(told), "{words:?}: {} {}", said.code, said.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_has_no_half_file_and_is_gone_on_with() {
    let scene = Scene::new(OPEN).await;
    let whole = bytes(200_000_000);
    for (from, to, target, part) in [
        (
            scene.at("there", "big"),
            (scene.there("big"), scene.here("copied")),
            scene.at("here", "copied"),
            scene.at("here", ".copied.ztctl-part"),
        ),
        (
            scene.at("here", "big"),
            (scene.here("big"), scene.there("sent")),
            scene.at("there", "sent"),
            scene.at("there", ".sent.ztctl-part"),
        ),
    ] {
        std::fs::write(&from, &whole).unwrap();
        let mut child = scene.ada.ztctl(&["cp", &to.0, &to.1]).stderr(Stdio::null()).spawn().unwrap();
        peer::within(Duration::from_secs(20), "beginning", || part.metadata().is_ok_and(|part| part.len() > 2_000_000));
        child.kill().await.unwrap();
        assert!(!target.exists(), "half a file under its name");
        let had = part.metadata().unwrap().len();
        assert!(had < whole.len() as u64, "it was too fast for this test");
        let said = scene.cp(&["--resume", &to.0, &to.1]).await;
        assert_eq!(said.code, 0, "{}", said.stderr);
        assert!(std::fs::read(&target).unwrap() == whole && !part.exists());
        // What was left of another file is not gone on with.
        std::fs::write(&part, [7; 1_000_000]).unwrap();
        assert_eq!(scene.cp(&["--resume", &to.0, &to.1]).await.code, 0);
        assert!(std::fs::read(&target).unwrap() == whole);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_and_left_as_it_was() {
    let scene = Scene::new(OPEN).await;
    let (small, mount) = (scene.at("here", "small"), Command::new("mount"));
    std::fs::create_dir(&small).unwrap();
    let mounted =
        { mount }.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&small).status().is_ok_and(|status| status.success());
    if !peer::present("mount", mounted) {
        return;
    }
    std::fs::write(scene.at("there", "big"), bytes(3_000_000)).unwrap();
    std::fs::write(small.join("old"), "old").unwrap();
    let fetched = scene.cp(&[&scene.there("big"), &scene.here("small/old")]).await;
    let sent = scene
        .cp(&[&scene.there("big").replace(&format!("{}:", scene.name), ""), &format!("{}:{}/old", scene.name, small.display())])
        .await;
    let (left, rows) = (std::fs::read_to_string(small.join("old")).unwrap(), std::fs::read_dir(&small).unwrap().count());
    assert!(Command::new("umount").arg(&small).status().unwrap().success());
    assert!(fetched.code == 1 && fetched.stderr.contains("No space left on device"), "{}", fetched.stderr);
    assert!(sent.code == 1 && sent.stderr.contains("No space left on device"), "{}", sent.stderr);
    assert_eq!((left.as_str(), rows), ("old", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_copy_is_told_so() {
    let scene = Scene::new("permit (principal, action in [Action::\"list\", Action::\"exec\"], resource);").await;
    let said = scene.cp(&[&scene.there("x"), &scene.here("x")]).await;
    assert!(said.code == 4 && said.stderr.contains("policy does not allow you copy on web-"), "{} {}", said.code, said.stderr);
}
