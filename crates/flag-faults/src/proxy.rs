//! A TCP proxy between a node and one of its stores, whose weather can be changed while connections run through it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

/// How many pieces may be under way in one direction of one connection.
const UNDER_WAY: usize = 64;
/// How many bytes a piece has at most.
const PIECE: usize = 16 * 1024;

/// What becomes of bytes in one direction.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Flow {
    /// How much later they arrive.
    pub(crate) latency: Duration,
    /// How many bytes of one connection arrive in a second; absent, as many as come.
    pub(crate) rate: Option<u32>,
    /// Whether they arrive at all.
    pub(crate) passage: Passage,
}

/// Whether bytes arrive.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) enum Passage {
    #[default]
    Open,
    /// A black hole: nothing arrives, and nobody is told. As with a network that comes back before TCP gives up, what was
    /// sent meanwhile arrives late.
    Held,
}

/// What becomes of a new connection.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) enum Admission {
    #[default]
    Through,
    /// Accepted, and reset at once.
    Reset,
    /// Accepted, and never answered.
    Silent,
}

/// The state of the link.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Weather {
    pub(crate) admission: Admission,
    pub(crate) to_store: Flow,
    pub(crate) to_node: Flow,
    /// How long the node's side stays open after the store has closed its own.
    pub(crate) close_delay: Duration,
}

impl Weather {
    /// Everything arrives.
    pub(crate) fn fair() -> Self {
        Self::default()
    }

    /// Everything arrives, this much later in each direction.
    pub(crate) fn slow(latency: Duration) -> Self {
        let flow = Flow { latency, ..Flow::default() };
        Self { to_store: flow, to_node: flow, ..Self::default() }
    }

    /// Connections are accepted and stay open, and nothing arrives in either direction.
    pub(crate) fn silent() -> Self {
        let flow = Flow { passage: Passage::Held, ..Flow::default() };
        Self { admission: Admission::Silent, to_store: flow, to_node: flow, ..Self::default() }
    }

    /// What the node says arrives, and what the store says does not.
    pub(crate) fn deaf() -> Self {
        let flow = Flow { passage: Passage::Held, ..Flow::default() };
        Self { to_node: flow, ..Self::default() }
    }

    /// What the node says does not arrive.
    pub(crate) fn mute() -> Self {
        let flow = Flow { passage: Passage::Held, ..Flow::default() };
        Self { to_store: flow, ..Self::default() }
    }

    /// The link is down, and every attempt to connect is told so.
    pub(crate) fn down() -> Self {
        Self { admission: Admission::Reset, ..Self::default() }
    }
}

/// How a connection is ended.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Ending {
    Close,
    Reset,
}

/// The proxy. Dropping it ends its connections.
pub(crate) struct Proxy {
    port: u16,
    weather: watch::Sender<Weather>,
    endings: watch::Sender<(u64, Ending)>,
    counted: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of this machine, and connects to `store` for each who comes.
    pub(crate) async fn start(store: u16) -> io::Result<Self> {
        Self::start_counting(store, "").await
    }

    /// The same; also counts how often nodes say `phrase`.
    pub(crate) async fn start_counting(store: u16, phrase: &'static str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let weather = watch::Sender::new(Weather::fair());
        let endings = watch::Sender::new((0, Ending::Close));
        let counted = Arc::new(AtomicU64::new(0));
        let link = Link {
            store: SocketAddr::from((Ipv4Addr::LOCALHOST, store)),
            weather: weather.subscribe(),
            endings: endings.subscribe(),
            phrase,
            counted: Arc::clone(&counted),
        };
        let task = tokio::spawn(async move {
            while let Ok((node, _)) = listener.accept().await {
                tokio::spawn(link.clone().carry(node));
            }
        });
        Ok(Self { port, weather, endings, counted, task })
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Changes the weather, for connections that are open as for those to come.
    pub(crate) fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Ends every connection that is open.
    pub(crate) fn end_all(&self, ending: Ending) {
        self.endings.send_modify(|(count, how)| (*count, *how) = (*count + 1, ending));
    }

    /// How often the phrase was said.
    pub(crate) fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.end_all(Ending::Close);
    }
}

/// What every connection needs to know.
#[derive(Clone)]
struct Link {
    store: SocketAddr,
    weather: watch::Receiver<Weather>,
    endings: watch::Receiver<(u64, Ending)>,
    phrase: &'static str,
    counted: Arc<AtomicU64>,
}

impl Link {
    async fn carry(mut self, mut node: TcpStream) {
        // Only endings from now on are meant for this connection.
        self.endings.mark_unchanged();
        let mut endings = self.endings.clone();
        let mut store = None;
        let ended = tokio::select! {
            _ = self.converse(&mut node, &mut store) => Ending::Close,
            ended = endings.changed() => match ended {
                Ok(()) => endings.borrow().1,
                Err(_) => Ending::Close,
            },
        };
        if ended == Ending::Reset {
            // Dropped with unsent data and no linger, a socket tells its peer by RST.
            let _ = node.set_zero_linger();
            let _ = store.map(|store: TcpStream| store.set_zero_linger());
        }
    }

    async fn converse(&self, node: &mut TcpStream, store: &mut Option<TcpStream>) -> io::Result<()> {
        let mut weather = self.weather.clone();
        let admission = weather.borrow_and_update().admission;
        match admission {
            Admission::Through => {}
            Admission::Reset => return node.set_zero_linger(),
            Admission::Silent => {
                // The store hears of the node when the weather is better, if the node still waits.
                drop(weather.wait_for(|now| now.admission != Admission::Silent).await);
            }
        }
        let store = store.insert(TcpStream::connect(self.store).await?);
        node.set_nodelay(true)?;
        store.set_nodelay(true)?;
        let (from_node, to_node) = node.split();
        let (from_store, to_store) = store.split();
        let count = |piece: &[u8], carry: &mut Vec<u8>| self.count(piece, carry);
        tokio::try_join!(
            pump(from_node, to_store, self.weather.clone(), |weather| weather.to_store, count),
            pump(from_store, to_node, self.weather.clone(), |weather| weather.to_node, |_, _| {}),
        )?;
        Ok(())
    }

    /// Counts the phrase in what goes by; `carry` is the end of what went before, in which it may begin.
    fn count(&self, piece: &[u8], carry: &mut Vec<u8>) {
        if self.phrase.is_empty() {
            return;
        }
        carry.extend_from_slice(piece);
        let phrase = self.phrase.as_bytes();
        let found = carry.windows(phrase.len()).filter(|window| *window == phrase).count();
        self.counted.fetch_add(found as u64, Ordering::Relaxed);
        let kept = carry.len().saturating_sub(phrase.len() - 1);
        carry.drain(..kept);
    }
}

/// Carries bytes one way, as the weather allows, until they end.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut weather: watch::Receiver<Weather>,
    flow: impl Fn(&Weather) -> Flow,
    mut look: impl FnMut(&[u8], &mut Vec<u8>),
) -> io::Result<()> {
    let (sender, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let now = weather.clone();
    let read = async {
        let mut carry = Vec::new();
        loop {
            let mut piece = vec![0; PIECE];
            let length = from.read(&mut piece).await?;
            piece.truncate(length);
            look(&piece, &mut carry);
            let due = Instant::now() + flow(&now.borrow()).latency;
            if sender.send((due, piece)).await.is_err() || length == 0 {
                return Ok::<_, io::Error>(());
            }
        }
    };
    let write = async {
        while let Some((due, piece)) = under_way.recv().await {
            sleep_until(due).await;
            // Without a proxy there is no weather any more, and its connections are about to be ended.
            drop(weather.wait_for(|now| flow(now).passage == Passage::Open).await);
            let now = *weather.borrow();
            if piece.is_empty() {
                sleep(now.close_delay).await;
                return to.shutdown().await;
            }
            match flow(&now).rate {
                None => to.write_all(&piece).await?,
                Some(rate) => trickle(&mut to, &piece, rate).await?,
            }
        }
        Ok(())
    };
    // Together, in one task: nothing of a connection outlives it.
    tokio::try_join!(read, write)?;
    Ok(())
}

async fn trickle(to: &mut WriteHalf<'_>, piece: &[u8], rate: u32) -> io::Result<()> {
    for drop in piece.chunks(1_024) {
        to.write_all(drop).await?;
        sleep(Duration::from_secs_f64(drop.len() as f64 / f64::from(rate.max(1)))).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
