//! When nobody uses a session, as far as a relay can tell that reads none of it: so few bytes cross that they are keep-alives.
//!
//! The agent, which sees what they are, ends a quiet session first. This is for one that does not.

use std::time::Duration;

use tokio::time::Instant;

use crate::pipe::Counts;

/// Returns once no more than keep-alives have crossed for `limit` and [`LATER`]; without a limit, never.
pub(super) async fn quiet(counts: &Counts, limit: Option<Duration>) {
    let Some(limit) = limit else { return std::future::pending().await };
    let total = || counts.forth().saturating_add(counts.back());
    let (mut seen, mut since) = (total(), Instant::now());
    while since.elapsed() < limit + LATER {
        tokio::time::sleep(LOOK).await;
        let now = total();
        if now.saturating_sub(seen) > KEEP_ALIVES {
            since = Instant::now();
        }
        seen = now;
    }
}

/// How often the figures are looked at: as often as either side sends a keep-alive.
const LOOK: Duration = Duration::from_secs(20);

/// The most bytes of two keep-alives from either side and their answers, each at most 128 with its padding and its tag.
const KEEP_ALIVES: u64 = 2 * 2 * 2 * 128;

/// How long the agent has to be first.
const LATER: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::pipe;

    #[tokio::test(start_paused = true)]
    async fn keep_alives_are_no_use_and_typing_is() {
        let counts = Counts::default();
        let ((mut client, mut near), (mut agent, mut far)) = (duplex(4096), duplex(4096));
        let begun = Instant::now();
        let joined = pipe::join(&mut near, &mut far, &counts);
        let traffic = async {
            let mut answer = [0; 4096];
            for round in 0_u64.. {
                // For five minutes somebody types; then each side asks whether the other is there.
                let bytes = if round < 15 { 2000 } else { 64 };
                client.write_all(&vec![0; bytes]).await.unwrap();
                assert_ne!(agent.read(&mut answer).await.unwrap(), 0);
                agent.write_all(&[0; 64]).await.unwrap();
                assert_ne!(client.read(&mut answer).await.unwrap(), 0);
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            () = quiet(&counts, Some(Duration::from_secs(600))) => {}
            _ = joined => panic!("the link ended"),
            () = traffic => {}
        }
        let seconds = begun.elapsed().as_secs();
        assert!((300 + 600..300 + 600 + 60 + 40).contains(&seconds), "{seconds}");
        let never = tokio::time::timeout(Duration::from_secs(86_400), quiet(&counts, None)).await;
        assert!(never.is_err());
    }
}
