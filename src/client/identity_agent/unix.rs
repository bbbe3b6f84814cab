//! Sockets with names in a folder.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use russh::keys::signature::Signer;
use russh::keys::ssh_encoding::Encode;
use russh::keys::ssh_key::Certificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::NAME;
use crate::ssh::PrivateKey;

/// Whether there is one on this system.
pub const EXISTS: bool = true;

/// The agent of one connection. Dropped, it takes its names away.
#[derive(Debug)]
pub struct IdentityAgent {
    own: Bound,
    shared: Bound,
    folder: PathBuf,
    ssh: i32,
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
    /// Takes `path`, whoever has had it.
    fn at(path: &Path) -> io::Result<Self> {
        let new = path.with_extension(format!("{:08x}", rand::random::<u32>()));
        let listener = UnixListener::bind(&new)?;
        let inode = std::fs::symlink_metadata(&new)?.ino();
        std::fs::rename(&new, path).inspect_err(|_| {
            let _ = std::fs::remove_file(&new);
        })?;
        Ok(Self { listener, path: path.to_owned(), inode })
    }

    fn has_its_name(&self) -> bool {
        std::fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode)
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if self.has_its_name() {
            let _ = std::fs::remove_file(&self.path);
        }
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
        clear(folder);
        let own = Bound::at(&folder.join(ssh.to_string()))?;
        let shared = Bound::at(&folder.join(NAME))?;
        Ok(Self { own, shared, folder: folder.to_owned(), ssh, key, certificate: blob, signed: AtomicBool::new(false) })
    }

    /// Answers until the signature is made, and [`AFTERWARDS`] for those who are still on their way.
    pub async fn serve(self) {
        let mut name = tokio::time::interval(LOOK);
        let mut shared = None;
        let until_signed = async {
            loop {
                let others = shared.as_ref().unwrap_or(&self.shared);
                tokio::select! {
                    called = self.own.listener.accept() => if let Ok((stream, _)) = called { self.call(stream).await },
                    called = others.listener.accept() => if let Ok((stream, _)) = called { self.dispatch(stream).await },
                    // Whoever took the name after us may be gone before our `ssh` has asked.
                    _ = name.tick() => if !others.path.exists() { shared = Bound::at(&others.path).ok() },
                }
                if self.signed.load(SeqCst) {
                    break;
                }
            }
            let others = shared.as_ref().unwrap_or(&self.shared);
            while let Ok((stream, _)) = others.listener.accept().await {
                self.dispatch(stream).await;
            }
        };
        let signed = async {
            while !self.signed.load(SeqCst) {
                tokio::time::sleep(LOOK).await;
            }
            tokio::time::sleep(AFTERWARDS).await;
        };
        tokio::select! {
            () = until_signed => {}
            () = signed => {}
        }
    }

    /// Somebody at the shared name: our own `ssh`, or another's.
    async fn dispatch(&self, mut stream: UnixStream) {
        let caller = stream.peer_cred().ok().and_then(|caller| caller.pid());
        match caller {
            Some(pid) if pid == self.ssh => self.call(stream).await,
            Some(pid) => {
                let path = self.folder.join(pid.to_string());
                tokio::spawn(async move {
                    if let Ok(mut other) = UnixStream::connect(path).await {
                        let _ = tokio::time::timeout(CALL, tokio::io::copy_bidirectional(&mut stream, &mut other)).await;
                    }
                });
            }
            None => {}
        }
    }

    async fn call(&self, mut stream: UnixStream) {
        // Who has been told and closes is the usual end.
        let _ = tokio::time::timeout(CALL, self.converse(&mut stream)).await;
    }

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

/// Removes the sockets of those that were killed.
fn clear(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let dead = std::os::unix::net::UnixStream::connect(&path);
        if dead.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            let _ = std::fs::remove_file(path);
        }
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

/// How long the name is served for others' connections after our own is through.
const AFTERWARDS: Duration = Duration::from_millis(500);

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
        let certificate = agent.certificate.clone();
        let serving = tokio::spawn(agent.serve());
        let mut stream = UnixStream::connect(folder.path().join(NAME)).await.unwrap();
        let identities = ask(&mut stream, &[REQUEST_IDENTITIES]).await.unwrap();
        assert!(identities.windows(certificate.len()).any(|window| window == certificate));
        assert_eq!(ask(&mut stream, &sign_request(b"another key")).await.unwrap(), [FAILURE]);
        assert_eq!(ask(&mut stream, &sign_request(&certificate)).await.unwrap()[0], SIGN_RESPONSE);
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
        let certificate = agent.certificate.clone();
        let serving = tokio::spawn(agent.serve());
        let mut stream = UnixStream::connect(folder.path().join(NAME)).await.unwrap();
        assert!(ask(&mut stream, &sign_request(&certificate)).await.is_err(), "we are not the process that it serves");
        let mut stream = UnixStream::connect(folder.path().join(NAME)).await.unwrap();
        stream.write_all(&[0xff; 64]).await.unwrap();
        assert!(stream.read_u32().await.is_err());
        serving.abort();
    }

    #[tokio::test]
    async fn the_name_comes_back_when_who_took_it_has_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (first, _) = agent(folder.path());
        let serving = tokio::spawn(first.serve());
        let second = Bound::at(&folder.path().join(NAME)).unwrap();
        drop(second);
        let mut tries = 0;
        while UnixStream::connect(folder.path().join(NAME)).await.is_err() {
            tries += 1;
            assert!(tries < 100);
            tokio::time::sleep(LOOK).await;
        }
        serving.abort();
    }
}
