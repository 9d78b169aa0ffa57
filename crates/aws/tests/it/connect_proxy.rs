//! A proxy that is asked to `CONNECT`. Other crates' tests include this file.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A proxy.
pub struct ConnectProxy {
    pub url: String,
    connected: AtomicUsize,
    /// Whom it was asked to connect to, with what it was shown.
    asked: Mutex<Vec<String>>,
}

impl ConnectProxy {
    /// One that answers this status; with 200 it connects.
    pub async fn start(status: u16) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            connected: AtomicUsize::new(0),
            asked: Mutex::default(),
        });
        let own = Arc::clone(&proxy);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let own = Arc::clone(&own);
                tokio::spawn(async move { own.serve(stream, status).await });
            }
        });
        proxy
    }

    async fn serve(&self, mut stream: TcpStream, status: u16) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let head = String::from_utf8(head).unwrap();
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(head.clone());
        let line = head.lines().next().unwrap();
        let target = line.split(' ').nth(1).unwrap().to_owned();
        assert!(line.starts_with("CONNECT "), "{line}");
        if status != 200 {
            let page = format!("HTTP/1.1 {status} No\r\nContent-Length: 7\r\n\r\nsorry.\n");
            let _ = stream.write_all(page.as_bytes()).await;
            return;
        }
        let Ok(mut to) = TcpStream::connect(target).await else {
            return;
        };
        self.connected.fetch_add(1, Ordering::Relaxed);
        let _ = stream
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .await;
        let _ = copy_bidirectional(&mut stream, &mut to).await;
    }

    /// How many connections it has made.
    pub fn connected(&self) -> usize {
        self.connected.load(Ordering::Relaxed)
    }

    /// What it was asked.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
