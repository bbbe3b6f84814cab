//! Sockets with names in a folder.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use russh::keys::signature::Signer;
use russh::keys::ssh_encoding::Encode;
use russh::keys::ssh_key::Certificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::NAME;
use crate::ssh::PrivateKey;

/// Whether there is one on this system.
pub const EXISTS: bool = true;

/// The agent of one connection. It has two sockets: one for its own `ssh`, and one at which others' are passed on to whoever serves
/// them. The shared name is another name of the second socket of one agent: of the one that started last, or was there to take it over.
#[derive(Debug)]
pub struct IdentityAgent {
    own: Bound,
    all: Bound,
    folder: PathBuf,
    ssh: i32,
    identity: Arc<Identity>,
}

/// What it is the agent of.
#[derive(Debug)]
struct Identity {
    key: PrivateKey,
    certificate: Vec<u8>,
    signed: AtomicBool,
}

/// A socket with a name.
#[derive(Debug)]
struct Bound {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl Bound {
    /// At `path`, whoever has had it.
    fn at(path: PathBuf) -> io::Result<Self> {
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        let inode = std::fs::symlink_metadata(&path)?.ino();
        Ok(Self { listener, path, inode })
    }
}

impl IdentityAgent {
    /// The agent for the process that started this one, at [`NAME`] in `folder`, which has to be the user's own.
    ///
    /// # Errors
    /// When the sockets cannot be made, or the certificate cannot be written.
    pub fn of_parent(folder: &Path, key: PrivateKey, certificate: &Certificate) -> io::Result<Self> {
        let ssh = rustix::process::getppid().map_or(0, |parent| parent.as_raw_nonzero().get());
        Self::new(folder, ssh, key, certificate)
    }

    fn new(folder: &Path, ssh: i32, key: PrivateKey, certificate: &Certificate) -> io::Result<Self> {
        let mut blob = Vec::new();
        certificate.encode(&mut blob).map_err(io::Error::other)?;
        let _turn = turn(folder)?;
        clear(folder);
        let (own, all) = (Bound::at(folder.join(ssh.to_string()))?, Bound::at(folder.join(format!("{ssh}{ALL}")))?);
        share(folder, &all.path)?;
        let identity = Identity { key, certificate: blob, signed: AtomicBool::new(false) };
        Ok(Self { own, all, folder: folder.to_owned(), ssh, identity: Arc::new(identity) })
    }

    /// Answers until `ended`, hands the shared name over, and sees to those who have called already.
    pub async fn serve(self, ended: impl Future<Output = ()>) {
        let mut calls = JoinSet::new();
        let mut look = tokio::time::interval(LOOK);
        let mut ended = pin!(ended);
        loop {
            tokio::select! {
                called = self.own.listener.accept() => if let Ok((stream, _)) = called { self.call(stream, &mut calls) },
                called = self.all.listener.accept() => if let Ok((stream, _)) = called { self.dispatch(stream, &mut calls) },
                // Who had the shared name was killed.
                _ = look.tick() => if !self.folder.join(NAME).exists() { let _ = self.retake(); },
                () = &mut ended => break,
            }
            while calls.try_join_next().is_some() {}
        }
        self.hand_over();
        while let Ok(Ok((stream, _))) = tokio::time::timeout(LAST, self.all.listener.accept()).await {
            self.dispatch(stream, &mut calls);
        }
        let all = async { while calls.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(CALL, all).await;
    }

    /// Our own `ssh` calls, or another agent for it.
    fn call(&self, mut stream: UnixStream, calls: &mut JoinSet<()>) {
        let identity = Arc::clone(&self.identity);
        calls.spawn(async move {
            // Who has been told and closes is the usual end.
            let _ = tokio::time::timeout(CALL, identity.converse(&mut stream)).await;
        });
    }

    /// Somebody calls at the shared name: our own `ssh`, or another's, which is passed on to whoever serves it.
    fn dispatch(&self, mut stream: UnixStream, calls: &mut JoinSet<()>) {
        let Some(pid) = stream.peer_cred().ok().and_then(|caller| caller.pid()) else { return };
        if pid == self.ssh {
            return self.call(stream, calls);
        }
        let path = self.folder.join(pid.to_string());
        calls.spawn(async move {
            if let Ok(mut other) = UnixStream::connect(path).await {
                let _ = tokio::time::timeout(CALL, tokio::io::copy_bidirectional(&mut stream, &mut other)).await;
            }
        });
    }

    fn retake(&self) -> io::Result<()> {
        let _turn = turn(&self.folder)?;
        if self.folder.join(NAME).exists() { Ok(()) } else { share(&self.folder, &self.all.path) }
    }

    /// Gives up our names, and the shared one to another agent, if it is ours and there is another one.
    fn hand_over(&self) {
        // Without the turn the names stay, and the next agent clears them away.
        let Ok(_turn) = turn(&self.folder) else { return };
        for bound in [&self.own, &self.all] {
            if is(&bound.path, bound.inode) {
                let _ = std::fs::remove_file(&bound.path);
            }
        }
        let shared = self.folder.join(NAME);
        if is(&shared, self.all.inode) && !others(&self.folder).iter().any(|other| share(&self.folder, other).is_ok()) {
            let _ = std::fs::remove_file(shared);
        }
    }
}

impl Drop for IdentityAgent {
    fn drop(&mut self) {
        self.hand_over();
    }
}

/// Names are taken and given up by one process at a time.
fn turn(folder: &Path) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(folder.join(TURN))?;
    file.lock()?;
    Ok(file)
}

/// Gives the shared name to the socket at `path` too, without a moment in which nobody has it.
fn share(folder: &Path, path: &Path) -> io::Result<()> {
    let new = folder.join(NEW);
    let _ = std::fs::remove_file(&new);
    std::fs::hard_link(path, &new)?;
    std::fs::rename(&new, folder.join(NAME)).inspect_err(|_| {
        let _ = std::fs::remove_file(&new);
    })
}

fn is(path: &Path, inode: u64) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|file| file.ino() == inode)
}

/// The second sockets of the agents that live.
fn others(folder: &Path) -> Vec<PathBuf> {
    let of_a_process = |path: &PathBuf| path.to_string_lossy().ends_with(ALL);
    let found = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    found.filter(of_a_process).filter(|path| std::os::unix::net::UnixStream::connect(path).is_ok()).collect()
}

/// Removes the names of those that were killed.
fn clear(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let dead = || std::os::unix::net::UnixStream::connect(&path);
        if entry.file_name() != TURN && dead().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Identity {
    async fn converse(&self, stream: &mut UnixStream) -> io::Result<()> {
        loop {
            let length = stream.read_u32().await?;
            if length == 0 || length > LIMIT {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let mut request = vec![0; length as usize];
            stream.read_exact(&mut request).await?;
            let answer = self.answer(&request);
            stream.write_u32(u32::try_from(answer.len()).map_err(io::Error::other)?).await?;
            stream.write_all(&answer).await?;
            if self.signed.load(SeqCst) {
                return Ok(());
            }
        }
    }

    fn answer(&self, request: &[u8]) -> Vec<u8> {
        match request.split_first() {
            Some((&REQUEST_IDENTITIES, _)) => {
                let mut answer = vec![IDENTITIES_ANSWER, 0, 0, 0, 1];
                put(&mut answer, &self.certificate);
                put(&mut answer, b"ztctl");
                answer
            }
            Some((&SIGN_REQUEST, rest)) => self.sign(rest).unwrap_or_else(|| vec![FAILURE]),
            _ => vec![FAILURE],
        }
    }

    /// The one signature.
    fn sign(&self, request: &[u8]) -> Option<Vec<u8>> {
        let (blob, rest) = take(request)?;
        let (data, _) = take(rest)?;
        if blob != self.certificate || self.signed.swap(true, SeqCst) {
            return None;
        }
        let signed = self.key.try_sign(data).ok()?;
        let mut signature = Vec::new();
        signed.encode(&mut signature).ok()?;
        let mut answer = vec![SIGN_RESPONSE];
        put(&mut answer, &signature);
        Some(answer)
    }
}

fn put(into: &mut Vec<u8>, text: &[u8]) {
    into.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    into.extend(text);
}

fn take(from: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = from.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

/// The numbers of the agent's protocol (draft-ietf-sshm-ssh-agent §5.1).
const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// The most bytes of a request: the data to sign holds the certificate.
const LIMIT: u32 = 64 * 1024;

/// How long one conversation may take.
const CALL: Duration = Duration::from_secs(20);

/// How often the name is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How long to wait for those who have found the name but not called yet.
const LAST: Duration = Duration::from_millis(50);

/// The file whose lock is the turn to change names.
const TURN: &str = "turn";

/// What the name of a second socket ends in.
const ALL: &str = ".all";

/// What a name is called until it has its own.
const NEW: &str = "new";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::cert::user::UserCertificate;
    use crate::ssh::new_key;

    fn agent(folder: &Path) -> (IdentityAgent, i32) {
        let own = i32::try_from(std::process::id()).unwrap();
        (agent_of(folder, own), own)
    }

    fn agent_of(folder: &Path, ssh: i32) -> IdentityAgent {
        let (key, ca) = (new_key().unwrap(), new_key().unwrap());
        let certificate = UserCertificate::example().to_builder(key.public_key(), 1_000, 60).unwrap().sign(&ca).unwrap();
        IdentityAgent::new(folder, ssh, key, &certificate).unwrap()
    }

    async fn ask(stream: &mut UnixStream, request: &[u8]) -> io::Result<Vec<u8>> {
        stream.write_u32(request.len() as u32).await?;
        stream.write_all(request).await?;
        let mut answer = vec![0; stream.read_u32().await? as usize];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    fn sign_request(certificate: &[u8]) -> Vec<u8> {
        let mut request = vec![SIGN_REQUEST];
        put(&mut request, certificate);
        put(&mut request, b"what ssh signs");
        request.extend([0; 4]);
        request
    }

    #[tokio::test]
    async fn it_signs_once_and_its_names_go() {
        let folder = tempfile::tempdir().unwrap();
        let (agent, own) = agent(folder.path());
        let certificate = agent.identity.certificate.clone();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(agent.serve(async { drop(ended.await) }));
        let mut stream = UnixStream::connect(folder.path().join(NAME)).await.unwrap();
        let identities = ask(&mut stream, &[REQUEST_IDENTITIES]).await.unwrap();
        assert!(identities.windows(certificate.len()).any(|window| window == certificate));
        assert_eq!(ask(&mut stream, &sign_request(b"another key")).await.unwrap(), [FAILURE]);
        assert_eq!(ask(&mut stream, &sign_request(&certificate)).await.unwrap()[0], SIGN_RESPONSE);
        let mut again = UnixStream::connect(folder.path().join(NAME)).await.unwrap();
        assert_eq!(ask(&mut again, &sign_request(&certificate)).await.unwrap(), [FAILURE], "one signature");
        drop((stream, again));
        end.send(()).unwrap();
        serving.await.unwrap();
        assert!(!folder.path().join(NAME).exists() && !folder.path().join(own.to_string()).exists());
    }

    #[tokio::test]
    async fn what_a_killed_one_has_left_goes() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join("4711");
        drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
        let _agent = agent(folder.path());
        assert!(!left.exists());
    }

    #[tokio::test]
    async fn a_stranger_gets_nothing_and_a_garbled_request_ends_the_call() {
        let folder = tempfile::tempdir().unwrap();
        let agent = agent_of(folder.path(), 1);
        let certificate = agent.identity.certificate.clone();
        let serving = tokio::spawn(agent.serve(std::future::pending()));
        let mut stream = UnixStream::connect(folder.path().join(NAME)).await.unwrap();
        assert!(ask(&mut stream, &sign_request(&certificate)).await.is_err(), "we are not the process that it serves");
        let mut stream = UnixStream::connect(folder.path().join(NAME)).await.unwrap();
        stream.write_all(&[0xff; 64]).await.unwrap();
        assert!(stream.read_u32().await.is_err());
        serving.abort();
    }

    #[tokio::test]
    async fn the_name_comes_back_when_who_took_it_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let (first, _) = agent(folder.path());
        let serving = tokio::spawn(first.serve(std::future::pending()));
        std::fs::remove_file(folder.path().join(NAME)).unwrap();
        let mut tries = 0;
        while UnixStream::connect(folder.path().join(NAME)).await.is_err() {
            tries += 1;
            assert!(tries < 100);
            tokio::time::sleep(LOOK).await;
        }
        serving.abort();
    }

    #[tokio::test]
    async fn who_leaves_hands_the_name_over_and_finishes_what_it_has_begun() {
        let folder = tempfile::tempdir().unwrap();
        // We are the `ssh` of the first; the second has the name, and passes us on.
        let (first, _) = agent(folder.path());
        let second = agent_of(folder.path(), 1);
        let inode = |name: &str| std::fs::symlink_metadata(folder.path().join(name)).unwrap().ino();
        let certificate = first.identity.certificate.clone();
        let (first_inode, second_inode) = (first.all.inode, second.all.inode);
        assert_eq!(inode(NAME), second_inode);
        let serving = tokio::spawn(first.serve(std::future::pending()));
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let leaving = tokio::spawn(second.serve(async { drop(ended.await) }));
        let mut stream = UnixStream::connect(folder.path().join(NAME)).await.unwrap();
        assert_eq!(ask(&mut stream, &[REQUEST_IDENTITIES]).await.unwrap()[0], IDENTITIES_ANSWER);
        end.send(()).unwrap();
        while inode(NAME) != first_inode {
            tokio::time::sleep(LOOK).await;
        }
        assert_eq!(ask(&mut stream, &sign_request(&certificate)).await.unwrap()[0], SIGN_RESPONSE);
        drop(stream);
        leaving.await.unwrap();
        serving.abort();
    }
}
