//! The end of a connection.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How long a client may take to close its side after ours.
const LINGER: Duration = Duration::from_secs(2);
/// What a client may still send into a connection that is ending.
const MAX_DRAINED_BYTES: usize = 1024 * 1024;

/// Closes so that the client sees every byte sent and then FIN.
///
/// A kernel answers the close of a socket that has unread data with RST, which can also destroy what the client has
/// not read yet: so our side is shut first and what the client still sends is read away.
pub(super) async fn with_fin(mut stream: TcpStream) {
    let ending = async {
        stream.shutdown().await?;
        drain(&mut stream).await
    };
    match tokio::time::timeout(LINGER, ending).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::trace!(%error, "the client was gone before the connection was closed"),
        Err(_) => tracing::trace!("the client kept its side of a closed connection open"),
    }
}

async fn drain(stream: &mut TcpStream) -> io::Result<()> {
    let mut discarded = [0; 4096];
    let mut drained_bytes = 0;
    while drained_bytes < MAX_DRAINED_BYTES {
        match stream.read(&mut discarded).await? {
            0 => break,
            read_bytes => drained_bytes += read_bytes,
        }
    }
    Ok(())
}
