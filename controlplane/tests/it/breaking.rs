//! A way to the database that breaks when something is said on it.

use crate::support::TestDb;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// The way. While it is armed, a connection on which the word is said is broken, and the word does not arrive.
pub(crate) struct Breaking {
    /// The URL of the same database over this way.
    pub(crate) url: String,
    armed: Arc<AtomicBool>,
}

#[derive(Clone)]
enum Target {
    Tcp(String),
    Socket(String),
}

impl Breaking {
    pub(crate) async fn start(db: &TestDb, word: &'static [u8]) -> Self {
        let mut url = url::Url::parse(&db.url).unwrap();
        let port = url.port().unwrap_or(5432);
        let socket = url.query_pairs().find(|(name, _)| name == "host");
        let target = match socket {
            Some((_, dir)) => Target::Socket(format!("{dir}/.s.PGSQL.{port}")),
            None => Target::Tcp(format!("{}:{port}", url.host_str().unwrap())),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        url.set_query(Some("sslmode=disable"));
        let armed = Arc::new(AtomicBool::new(false));
        let is_armed = armed.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (target, armed) = (target.clone(), is_armed.clone());
                tokio::spawn(async move {
                    match target {
                        Target::Tcp(address) => {
                            carry(near, TcpStream::connect(address).await.unwrap(), word, armed).await;
                        }
                        Target::Socket(path) => {
                            carry(near, UnixStream::connect(path).await.unwrap(), word, armed).await;
                        }
                    }
                });
            }
        });
        Self {
            url: url.into(),
            armed,
        }
    }

    pub(crate) fn arm(&self, armed: bool) {
        self.armed.store(armed, Ordering::SeqCst);
    }
}

async fn carry<S>(near: TcpStream, far: S, word: &'static [u8], armed: Arc<AtomicBool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut near_in, mut near_out) = near.into_split();
    let (mut far_in, mut far_out) = tokio::io::split(far);
    let out = async {
        let mut buffer = vec![0; 65_536];
        while let Ok(n @ 1..) = near_in.read(&mut buffer).await {
            let said = buffer[..n].windows(word.len()).any(|bytes| bytes == word);
            if said && armed.load(Ordering::SeqCst) || far_out.write_all(&buffer[..n]).await.is_err() {
                return;
            }
        }
    };
    let back = async {
        let _ = tokio::io::copy(&mut far_in, &mut near_out).await;
    };
    tokio::select! {
        () = out => {}
        () = back => {}
    }
}
