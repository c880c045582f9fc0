//! A small HTTP server that answers as it is told: another program, a registry, a token service.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

/// Answers to the head of a request.
type Script = dyn Fn(&str) -> String + Send + Sync;

/// Serves until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _serving: AbortOnDropHandle<()>,
}

impl Server {
    /// Answers what `script` makes of the head of a request.
    pub(crate) async fn start(script: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self::with_tls(None, script).await
    }

    /// The same, over TLS.
    pub(crate) async fn with_tls(
        tls: Option<TlsAcceptor>,
        script: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script: Arc<Script> = Arc::new(script);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, tls) = (Arc::clone(&script), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer(stream, &*script).await,
                        Some(tls) => {
                            // A client that does not believe the certificate goes away.
                            if let Ok(stream) = tls.accept(stream).await {
                                answer(stream, &*script).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, _serving: AbortOnDropHandle::new(serving) }
    }

    /// One that takes connections and says nothing.
    pub(crate) async fn silent() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.push(stream);
            }
        });
        Self { address, _serving: AbortOnDropHandle::new(serving) }
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, script: &Script) {
    let mut head = Vec::new();
    // A web server answers at once to what is no HTTP, such as the beginning of a TLS handshake.
    while head.first().is_none_or(u8::is_ascii_uppercase) && !head.windows(4).any(|part| part == b"\r\n\r\n")
    {
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => head.extend_from_slice(&buffer[..read]),
        }
    }
    // Whoever asked may have gone.
    let _ = stream.write_all(script(&String::from_utf8_lossy(&head)).as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// An answer with these headers, each with its line's end.
pub(crate) fn reply(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
