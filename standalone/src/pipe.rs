//! The wire between the planes inside one process: the same gRPC services over an in-memory pipe instead of a socket.

use ccag_daemon::{CancellationToken, Lifecycle};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server};

/// How much one side may write before the other has read: a snapshot goes through in pieces of this size.
const PIPE_BYTES: usize = 256 * 1024;

/// The near end, and what closes the far end. It is closed by its owner and not by the shutdown, since the data plane
/// delivers its last usage records after the last request has ended.
pub(crate) struct Pipe {
    pub(crate) channel: Channel,
    pub(crate) close: CancellationToken,
}

/// Serves the control plane's gRPC services to whoever holds the channel. A connection that breaks is opened anew by the
/// channel itself.
pub(crate) fn open(life: &Lifecycle, services: Routes) -> Pipe {
    let (dial, accept) = mpsc::unbounded_channel::<DuplexStream>();
    let close = CancellationToken::new();
    let (closed, force) = (close.clone(), life.force());
    life.spawn("pipe between the planes", async move {
        let incoming = UnboundedReceiverStream::new(accept).map(Ok::<_, std::io::Error>);
        let serving = Server::builder()
            .add_routes(services)
            .serve_with_incoming_shutdown(incoming, closed.cancelled_owned());
        tokio::select! {
            served = serving => {
                if let Err(error) = served {
                    tracing::error!(%error, "the pipe between the planes broke");
                }
            }
            () = force.cancelled() => {}
        }
    });
    // The address is never looked up: the connector below answers for it.
    let channel = Endpoint::from_static("http://in-memory").connect_with_connector_lazy(tower::service_fn(
        move |_: axum::http::Uri| {
            let dial = dial.clone();
            async move {
                let (near, far) = tokio::io::duplex(PIPE_BYTES);
                dial.send(far)
                    .map_err(|_| std::io::Error::other("the control plane has stopped"))?;
                Ok::<_, std::io::Error>(TokioIo::new(near))
            }
        },
    ));
    Pipe { channel, close }
}
