//! A client that sees exactly what comes over the wire, and how it ends.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longer than anything takes on a busy machine, so that only a hang runs into it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    pub(crate) async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).await.unwrap();
    }

    pub(crate) async fn head(&mut self) -> Head {
        let text = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = self.read.split_off(end + 4);
                break String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap();
            }
            let read_bytes = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await.unwrap().unwrap();
            assert_ne!(read_bytes, 0, "closed within the headers: {:?}", String::from_utf8_lossy(&self.read));
        };
        let mut lines = text.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        Head { status, headers: headers.map(|(name, value)| (name.to_lowercase(), value.into())).collect() }
    }

    /// The next bytes of a body.
    pub(crate) async fn bytes(&mut self, len_bytes: usize) -> Vec<u8> {
        while self.read.len() < len_bytes {
            let read_bytes = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await.unwrap().unwrap();
            assert_ne!(read_bytes, 0, "closed after {} of {len_bytes} bytes", self.read.len());
        }
        let rest = self.read.split_off(len_bytes);
        std::mem::replace(&mut self.read, rest)
    }

    /// Everything until FIN; an error where the connection is reset instead.
    pub(crate) async fn until_fin(&mut self) -> io::Result<Vec<u8>> {
        timeout(PATIENCE, self.stream.read_to_end(&mut self.read)).await.expect("a FIN in time")?;
        Ok(std::mem::take(&mut self.read))
    }
}

impl Head {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut values =
            self.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} comes twice");
        value
    }

    /// Asserts that each of these headers has this value.
    pub(crate) fn has(&self, expected: &[(&str, &str)]) {
        for (name, value) in expected {
            assert_eq!(self.get(name), Some(*value), "{name} of {self:?}");
        }
    }
}

impl Reply {
    /// The code of an error in the registry's form.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.head.get("content-type"), Some("application/json"), "{self:?}");
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        let error = &body["errors"][0];
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
        assert!(error.get("detail").is_some(), "{body}");
        error["code"].as_str().unwrap().into()
    }
}

/// Asks once, with these headers, and reads until FIN.
pub(crate) async fn ask(address: SocketAddr, method: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
    let mut client = Client::connect(address).await;
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request =
        format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:5020\r\nConnection: close\r\n{headers}\r\n");
    client.send(request).await;
    let head = client.head().await;
    let body = client.until_fin().await.unwrap();
    Reply { head, body }
}
