//! Origins whose answers are written byte by byte.

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Longest head of a request that is read.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// A server that reads the head of one request on each connection, writes what the script says, and closes.
pub(crate) struct RawOrigin {
    pub(crate) url: String,
    task: JoinHandle<()>,
}

impl RawOrigin {
    /// `script` gets the number of the connection, from 0.
    pub(crate) async fn start(script: impl Fn(usize) -> Bytes + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let task = tokio::spawn(async move {
            for number in 0.. {
                let Ok((mut stream, _)) = listener.accept().await else { break };
                if read_head(&mut stream).await.is_none() {
                    continue;
                }
                // The client may have left.
                let _ = stream.write_all(&script(number)).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { url, task }
    }
}

impl Drop for RawOrigin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The head of a request, up to and with its empty line.
pub(crate) async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_HEAD_BYTES {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// An answer as servers of 1996 gave it: its end is the end of the connection.
pub(crate) fn http_1_0(body: &[u8]) -> Bytes {
    let mut answer = b"HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n".to_vec();
    answer.extend_from_slice(body);
    answer.into()
}
