//! A token service as docker-registry believes one: its tokens are signed, and name what they are for.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, SigningKey};
use serde_json::json;

use crate::tiny_http::{Reply, Request, Server};

/// What registry and service call each other.
pub const SERVICE: &str = "tests";
const LIFE_S: u64 = 300;
const HALF_A_SIGNATURE_BYTES: usize = 32;

/// How the service lets itself be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By GET with Basic access; POST is answered with 405.
    Get,
    /// By POST as OAuth2 has it; GET is answered with 405.
    Post,
}

/// A running token service for one account.
#[derive(Debug)]
pub struct TokenService {
    server: Server,
    certificate: PathBuf,
}

impl TokenService {
    /// Gives tokens to whoever knows this user and password; its certificate goes to `folder`.
    pub async fn start(way: Way, user: &str, password: &str, folder: &Path) -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        let params = CertificateParams::new(vec![SERVICE.to_owned()]).expect("a name");
        let issued = params.self_signed(&key).expect("a certificate");
        let certificate = folder.join("token-service.pem");
        fs::write(&certificate, issued.pem()).expect("a file for the certificate");
        let signer = Signer { key, certificate: STANDARD.encode(issued.der()) };
        let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let (user, password) = (user.to_owned(), password.to_owned());
        let server = Server::start(move |request| {
            let is_known = match way {
                Way::Get => request.authorization.as_deref() == Some(&basic),
                Way::Post => {
                    request.field("username") == Some(&user) && request.field("password") == Some(&password)
                }
            };
            signer.answer(way, is_known, request)
        })
        .await;
        Self { server, certificate }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The certificate that its tokens are signed with.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }
}

struct Signer {
    key: KeyPair,
    certificate: String,
}

impl Signer {
    fn answer(&self, way: Way, is_known: bool, request: &Request) -> Reply {
        let expected = if way == Way::Get { "GET" } else { "POST" };
        if request.method != expected {
            return (405, Vec::new());
        }
        match request.field("scope").and_then(|scope| scope.split(':').nth(1)) {
            Some(repository) if is_known => {
                let answer = json!({ "token": self.token(repository), "expires_in": LIFE_S });
                (200, answer.to_string().into_bytes())
            }
            _ => (401, Vec::new()),
        }
    }

    fn token(&self, repository: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let header = json!({ "typ": "JWT", "alg": "ES256", "x5c": [self.certificate] });
        let claims = json!({
            "iss": SERVICE, "sub": "", "aud": SERVICE, "jti": now.to_string(),
            "iat": now, "nbf": now - 1, "exp": now + LIFE_S,
            "access": [{ "type": "repository", "name": repository, "actions": ["pull"] }],
        });
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = self.key.sign(signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(flat(&signature)))
    }
}

/// An ECDSA signature as JWT has it, two numbers of equal length, from the form of X.509: tag, length, and twice tag,
/// length and number.
fn flat(signature: &[u8]) -> Vec<u8> {
    let mut rest = &signature[2..];
    let mut flat = Vec::new();
    for _ in 0..2 {
        let (number, after) = rest[2..].split_at(usize::from(rest[1]));
        let number = &number[number.len().saturating_sub(HALF_A_SIGNATURE_BYTES)..];
        flat.resize(flat.len() + HALF_A_SIGNATURE_BYTES - number.len(), 0);
        flat.extend_from_slice(number);
        rest = after;
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_of_a_signature_get_their_full_length() {
        let mut signature = vec![0x30, 37, 2, 33, 0];
        signature.extend([7; 32]);
        signature.extend([2, 1, 9]);
        let flat = flat(&signature);
        assert_eq!((flat.len(), &flat[..32], flat[62], flat[63]), (64, &[7; 32][..], 0, 9));
    }
}
