//! Clients that take up all connections of a server and want nothing.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::sleep,
};

/// More than any server of these tests takes.
const MAX_CLIENTS: usize = 4096;
/// Shorter than a connection may be idle.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// By then a server has noticed which of its earlier clients left.
const NOTICED: Duration = Duration::from_secs(1);
const QUESTION: &[u8] = b"GET /v2/ HTTP/1.1\r\nHost: crowd.test\r\n\r\n";

/// The clients. They leave when this is dropped.
#[derive(Debug)]
pub struct Crowd {
    clients: JoinSet<io::Result<()>>,
}

impl Crowd {
    /// Connects until one more client is answered 503, and still is when the server has had time to count again.
    pub async fn fill(server: SocketAddr) -> Self {
        let mut crowd = Self { clients: JoinSet::new() };
        crowd.fill_up(server).await;
        loop {
            sleep(NOTICED).await;
            if crowd.fill_up(server).await == 0 {
                return crowd;
            }
        }
    }

    /// How many came in.
    async fn fill_up(&mut self, server: SocketAddr) -> usize {
        let before = self.clients.len();
        while let Ok(Some(client)) = enter(server).await {
            self.clients.spawn(stay(client));
            assert!(self.clients.len() < MAX_CLIENTS, "{server} takes any number of clients");
        }
        self.clients.len() - before
    }
}

/// A new connection on which the server answers; `None` when it answers 503.
async fn enter(server: SocketAddr) -> io::Result<Option<TcpStream>> {
    let mut client = TcpStream::connect(server).await?;
    let answer = ask(&mut client).await?;
    Ok((!answer.starts_with("HTTP/1.1 503")).then_some(client))
}

async fn stay(mut client: TcpStream) -> io::Result<()> {
    loop {
        sleep(ASK_AGAIN).await;
        ask(&mut client).await?;
    }
}

/// The first bytes of the answer, which is a short one.
async fn ask(client: &mut TcpStream) -> io::Result<String> {
    client.write_all(QUESTION).await?;
    let mut answer = [0; 1024];
    let len_bytes = client.read(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer[..len_bytes]).into_owned())
}
