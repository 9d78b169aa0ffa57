//! A way over the network that a test can slow down, stall and cut.

use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How the way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// Whatever is sent takes so long.
    Slow(Duration),
    /// So many bytes a second pass, each way on each connection.
    Throttled(u32),
    /// Nothing moves, and nobody is told.
    Stalled,
    /// Connections are broken, and new ones at once.
    Cut,
}

/// Where it leads.
#[derive(Clone)]
enum Target {
    Tcp(String),
    Unix(PathBuf),
}

/// It ends with the test.
pub(crate) struct Link {
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    way: watch::Sender<Way>,
    task: JoinHandle<()>,
}

impl Link {
    /// To an `http://` URL.
    pub(crate) async fn to(url: &str) -> Self {
        Self::over(Target::Tcp(url.trim_start_matches("http://").to_owned())).await
    }

    /// To a Unix socket.
    pub(crate) async fn to_socket(path: PathBuf) -> Self {
        Self::over(Target::Unix(path)).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn over(target: Target) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let way = watch::Sender::new(Way::Open);
        let state = way.subscribe();
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let _ = near.set_nodelay(true);
                tokio::spawn(carry(near, target.clone(), state.clone()));
            }
        });
        Self { address, way, task }
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(near: TcpStream, target: Target, mut state: watch::Receiver<Way>) {
    let Ok(way) = state.wait_for(|way| *way != Way::Stalled).await.map(|way| *way) else {
        return;
    };
    if way == Way::Cut {
        return;
    }
    match target {
        Target::Tcp(address) => {
            if let Ok(far) = TcpStream::connect(address).await {
                let _ = far.set_nodelay(true);
                both(near, far, state).await;
            }
        }
        Target::Unix(path) => {
            if let Ok(far) = UnixStream::connect(path).await {
                both(near, far, state).await;
            }
        }
    }
}

async fn both<F: AsyncRead + AsyncWrite>(near: TcpStream, far: F, mut state: watch::Receiver<Way>) {
    let (near_in, near_out) = tokio::io::split(near);
    let (far_in, far_out) = tokio::io::split(far);
    let (there, back) = (state.clone(), state.clone());
    tokio::select! {
        _ = async { tokio::join!(pump(near_in, far_out, there), pump(far_in, near_out, back)) } => {}
        _ = state.wait_for(|way| *way == Way::Cut) => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<Way>,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let Ok(way) = state.wait_for(|way| *way != Way::Stalled).await.map(|way| *way) else {
            return;
        };
        match way {
            Way::Slow(by) => tokio::time::sleep(by).await,
            Way::Throttled(rate) => {
                let read = u32::try_from(read).unwrap();
                tokio::time::sleep(Duration::from_secs(1) * read / rate).await;
            }
            Way::Open | Way::Stalled | Way::Cut => {}
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
