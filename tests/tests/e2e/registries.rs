//! A real registry behind each kind of door, and a real seed before it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use shoal_tests::{
    guarded::{Authority, Door, Guarded, PASSWORD, USER},
    image::{Content, Layer, Manifest, architecture},
    lone_seed::LoneSeed,
    push::Pusher,
    registry::Registry,
    scratch::Scratch,
    stored::{Image, blob_file},
    tiny_http::Server,
    token_service::{TokenService, Way},
};

const LAYER_BYTES: u64 = 2_000_000;

/// An image in the storage that all registries of a test share, and folders for what is started.
struct Stage {
    scratch: Scratch,
    image: Image,
}

impl Stage {
    async fn new() -> Self {
        let scratch = Scratch::new("registries");
        let storage = folder(&scratch, "storage");
        let registry = Registry::start(&storage, scratch.data()).await;
        let noise = Content::Noise { len_bytes: LAYER_BYTES, seed: 7 };
        let layer = Layer::of_files(scratch.data().join("layer"), [("srv/noise".to_owned(), noise)]);
        let manifest = Manifest::of_layers(architecture(), vec![layer], 0);
        Pusher::new(registry.address()).push("team/app", "v1", &manifest).await;
        let image = Image::stored(&storage, "team/app", "v1");
        Self { scratch, image }
    }

    fn storage(&self) -> PathBuf {
        folder(&self.scratch, "storage")
    }

    async fn registry(&self, door: Door<'_>) -> Guarded {
        Guarded::start(door, &self.storage(), self.scratch.data()).await
    }

    /// A seed that knows the registry by these lines of its configuration.
    async fn seed(&self, name: &str, lines: &str) -> LoneSeed {
        LoneSeed::start(lines, &[], &folder(&self.scratch, name)).await
    }

    fn password_file(&self, password: &str) -> PathBuf {
        let file = self.scratch.data().join("password");
        fs::write(&file, password).unwrap();
        file
    }
}

fn folder(scratch: &Scratch, name: &str) -> PathBuf {
    let folder = scratch.data().join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn login(registry: &Guarded, password_file: &Path) -> String {
    format!(
        "endpoints = ['http://{}']\nusername = '{USER}'\npassword_file = '{}'",
        registry.address(),
        password_file.display()
    )
}

fn assert_hides_the_password(seed: &LoneSeed) {
    assert!(!seed.output().contains(PASSWORD), "{}", seed.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_registry() {
    let stage = Stage::new().await;
    let registry = stage.registry(Door::Open).await;
    let seed = stage.seed("seed", &format!("endpoints = ['http://{}']", registry.address())).await;
    seed.pull(&stage.image).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_with_htpasswd_and_a_password_that_is_replaced() {
    let stage = Stage::new().await;
    let registry = stage.registry(Door::Password).await;
    let password_file = stage.password_file("wrong");
    let seed = stage.seed("seed", &login(&registry, &password_file)).await;
    let refused = seed.pull(&stage.image).await.unwrap_err();
    assert!(refused.contains("access denied"), "{refused}");
    fs::write(&password_file, format!("{PASSWORD}\n")).unwrap();
    seed.pull(&stage.image).await.unwrap();
    assert_hides_the_password(&seed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_with_htpasswd_and_a_docker_config() {
    let stage = Stage::new().await;
    let registry = stage.registry(Door::Password).await;
    let list = stage.scratch.data().join("config.json");
    let text = format!(
        r#"{{"auths": {{"http://{}/v2/": {{"username": "{USER}", "password": "{PASSWORD}"}}}}}}"#,
        registry.address()
    );
    fs::write(&list, &text).unwrap();
    let endpoint = format!("endpoints = ['http://{}']", registry.address());
    let seed = stage.seed("seed", &format!("{endpoint}\ndocker_config = '{}'", list.display())).await;
    seed.pull(&stage.image).await.unwrap();
    let variables = [("SHOAL_DOCKER_AUTH_CONFIG", text.as_str())];
    let by_variable = LoneSeed::start(&endpoint, &variables, &folder(&stage.scratch, "second")).await;
    by_variable.pull(&stage.image).await.unwrap();
    assert_hides_the_password(&by_variable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_whose_blobs_are_in_an_object_store() {
    let stage = Stage::new().await;
    let root = stage.storage();
    // As S3 does, it refuses requests with a login that it did not ask for.
    let store = Server::start(move |request| {
        match (&request.authorization, fs::read(root.join(&request.path[1..]))) {
            (Some(_), _) => (400, Vec::new()),
            (None, Ok(content)) if request.method == "GET" => (200, content),
            _ => (403, Vec::new()),
        }
    })
    .await;
    let registry = stage.registry(Door::PasswordThenRedirect(store.address())).await;
    let seed = stage.seed("seed", &login(&registry, &stage.password_file(PASSWORD))).await;
    seed.pull(&stage.image).await.unwrap();
    let layer = blob_file(Path::new(""), &stage.image.largest().digest);
    let wanted = format!("/{}", layer.display());
    let asked = store.requests();
    assert!(asked.iter().any(|request| request.path == wanted), "{wanted} is not in {asked:?}");
    assert!(asked.iter().all(|request| request.authorization.is_none()), "{asked:?}");
}

async fn with_tokens(way: Way) {
    let stage = Stage::new().await;
    let service = TokenService::start(way, USER, PASSWORD, stage.scratch.data()).await;
    let registry = stage.registry(Door::Token(service.address(), service.certificate())).await;
    let stranger = stage.seed("stranger", &login(&registry, &stage.password_file("wrong"))).await;
    let refused = stranger.pull(&stage.image).await.unwrap_err();
    assert!(refused.contains("access denied"), "{refused}");
    let before = service.requests().len();
    let seed = stage.seed("seed", &login(&registry, &stage.password_file(PASSWORD))).await;
    seed.pull(&stage.image).await.unwrap();
    let asked = service.requests().len() - before;
    assert_eq!(asked, if way == Way::Get { 1 } else { 2 }, "{:?}", service.requests());
    assert_hides_the_password(&seed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_with_signed_tokens_by_get() {
    with_tokens(Way::Get).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_with_signed_tokens_by_post() {
    with_tokens(Way::Post).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_asks_for_a_client_certificate() {
    let stage = Stage::new().await;
    let authority = Authority::new(stage.scratch.data());
    let registry = stage.registry(Door::Certificate(&authority)).await;
    let trusting = format!(
        "endpoints = ['https://{}']\nca_file = '{}'",
        registry.address(),
        authority.certificate().display()
    );
    let stranger = stage.seed("stranger", &trusting).await;
    stranger.pull(&stage.image).await.unwrap_err();
    let [certificate, key] = authority.issue("seed.test");
    let lines = format!(
        "{trusting}\nclient_cert_file = '{}'\nclient_key_file = '{}'",
        certificate.display(),
        key.display()
    );
    stage.seed("seed", &lines).await.pull(&stage.image).await.unwrap();
}
