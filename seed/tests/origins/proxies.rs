//! Proxies: named in the configuration, or in the environment as everybody names them.

use std::{
    ffi::OsStr,
    sync::{Arc, Mutex},
};

use shoal_seed::{config::RegistryConfig, origin::Origins};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{
    child,
    raw::read_head,
    support::{Reply, TestOrigin, config, digest, image, origins},
    tls::TestAuthority,
};

const MANIFEST: &str = r#"{"config": {}, "layers": []}"#;

/// A proxy for plain requests and tunnels. It is where every name leads to: it connects to the port alone.
struct Proxy {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Proxy {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, Arc::clone(&log)));
            }
        });
        Self { url, asked, task }
    }

    /// Method and target of each request.
    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut client: TcpStream, log: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let head = read_head(&mut client).await?;
    let mut words = head.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    log.lock().expect("not poisoned").push(format!("{method} {target}"));
    let authority = target.strip_prefix("http://").unwrap_or(&target).split('/').next()?;
    let port = authority.rsplit_once(':').map_or(80, |(_, port)| port.parse().expect("a port"));
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    if method == "CONNECT" {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
        copy_bidirectional(&mut client, &mut server).await.ok()?;
        return Some(());
    }
    // One exchange, without a body in the request.
    let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    server.write_all(head.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await.ok()?;
    client.write_all(&answer).await.ok()
}

async fn get(origins: &Origins) {
    origins.manifest(&image(), &digest(MANIFEST.as_bytes())).await.expect("served");
}

async fn plain_origin() -> TestOrigin {
    TestOrigin::start(|_| Reply::manifest(MANIFEST)).await
}

/// The origin, under a name that only a proxy can make sense of.
fn under(name: &str, origin: &TestOrigin) -> RegistryConfig {
    let mut config = config(&[origin]);
    config.endpoints = vec![origin.url.replace("127.0.0.1", name).parse().expect("a URL")];
    config
}

#[tokio::test]
async fn a_registrys_own_proxy_takes_its_plain_requests() {
    let (proxy, origin) = (Proxy::start().await, plain_origin().await);
    let mut config = under("registry.invalid", &origin);
    config.proxy = Some(proxy.url.parse().expect("a URL"));
    get(&origins(config)).await;
    let asked = proxy.asked();
    assert!(asked[0].starts_with("GET http://registry.invalid:") && asked.len() == 1, "{asked:?}");
}

#[tokio::test]
async fn a_registrys_own_proxy_tunnels_what_is_encrypted() {
    let (proxy, authority) = (Proxy::start().await, TestAuthority::new());
    let origin = TestOrigin::start_tls(authority.acceptor(), |_| Reply::manifest(MANIFEST)).await;
    let mut config = config(&[&origin]);
    config.proxy = Some(proxy.url.parse().expect("a URL"));
    config.ca_file = Some(authority.ca_file());
    get(&origins(config)).await;
    assert_eq!(proxy.asked(), [format!("CONNECT {}", origin.url.trim_start_matches("https://"))]);
}

#[tokio::test]
async fn the_token_service_is_asked_through_the_proxy_too() {
    let proxy = Proxy::start().await;
    let service = TestOrigin::start(|_| Reply::bytes(r#"{"token": "good"}"#)).await;
    let realm = service.url.replace("127.0.0.1", "tokens.invalid");
    let origin = TestOrigin::start(move |seen| match seen.header("authorization") {
        Some("Bearer good") => Reply::manifest(MANIFEST),
        _ => crate::support::bearer_challenge(&realm),
    })
    .await;
    let mut config = under("registry.invalid", &origin);
    config.proxy = Some(proxy.url.parse().expect("a URL"));
    get(&origins(config)).await;
    assert!(proxy.asked().iter().any(|asked| asked.starts_with("GET http://tokens.invalid:")));
}

#[tokio::test]
async fn http_proxy_of_the_environment_is_used() {
    if !child::is_child() {
        let proxy = Proxy::start().await;
        child::run(
            "proxies::http_proxy_of_the_environment_is_used",
            &[("HTTP_PROXY", OsStr::new(&proxy.url))],
        )
        .await;
        let asked = proxy.asked();
        assert!(asked.len() == 1 && asked[0].starts_with("GET http://registry.invalid:"), "{asked:?}");
        return;
    }
    let origin = plain_origin().await;
    get(&origins(under("registry.invalid", &origin))).await;
}

#[tokio::test]
async fn https_proxy_of_the_environment_is_used() {
    if !child::is_child() {
        let proxy = Proxy::start().await;
        let variables = [("HTTPS_PROXY", OsStr::new(&proxy.url))];
        child::run("proxies::https_proxy_of_the_environment_is_used", &variables).await;
        let asked = proxy.asked();
        assert!(asked.len() == 1 && asked[0].starts_with("CONNECT 127.0.0.1:"), "{asked:?}");
        return;
    }
    let authority = TestAuthority::new();
    let origin = TestOrigin::start_tls(authority.acceptor(), |_| Reply::manifest(MANIFEST)).await;
    let mut config = config(&[&origin]);
    config.ca_file = Some(authority.ca_file());
    get(&origins(config)).await;
}

#[tokio::test]
async fn no_proxy_of_the_environment_keeps_a_host_out_of_it() {
    if !child::is_child() {
        let proxy = Proxy::start().await;
        let url = OsStr::new(&proxy.url);
        let out = OsStr::new("other.example,127.0.0.0/8");
        let variables = [("HTTP_PROXY", url), ("NO_PROXY", out)];
        child::run("proxies::no_proxy_of_the_environment_keeps_a_host_out_of_it", &variables).await;
        assert_eq!(proxy.asked(), Vec::<String>::new());
        return;
    }
    let origin = plain_origin().await;
    get(&origins(config(&[&origin]))).await;
}
