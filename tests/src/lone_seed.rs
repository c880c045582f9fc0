//! A seed on its own, told of one registry: what stands between a mirror and an origin, and nothing else.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use reqwest::Response;

use crate::{
    http::{self, Body},
    ports::free_address,
    process::Process,
    shoal::{binary, new_cluster_key},
    stored::{Image, PLAIN_REGISTRY_HOST},
};

const START_WITHIN: Duration = Duration::from_secs(60);

/// A running seed. Dropping it kills it.
#[derive(Debug)]
pub struct LoneSeed {
    mirror: SocketAddr,
    process: Process,
}

impl LoneSeed {
    /// Starts one whose list has [`PLAIN_REGISTRY_HOST`] with these further lines; its files go to `folder`.
    pub async fn start(registry: &str, environment: &[(&str, &str)], folder: &Path) -> Self {
        let [mirror, swarm, lane, admin] = std::array::from_fn(|_| free_address());
        let key = new_cluster_key(folder, "cluster.key").await;
        let mut text = format!(
            "data_dir = '{}'\ncluster_key_file = '{}'\n",
            folder.join("data").display(),
            key.display()
        );
        for (section, address) in [("mirror", mirror), ("swarm", swarm), ("lane", lane), ("admin", admin)] {
            text += &format!("[{section}]\nlisten = '{address}'\n");
        }
        text += &format!("[[registry]]\nhost = '{PLAIN_REGISTRY_HOST}'\n{registry}\n");
        let file = folder.join("shoal.toml");
        fs::write(&file, text).expect("a configuration");
        let mut command = Command::new(binary());
        command.arg("seed").arg("--config").arg(file).envs(environment.iter().copied());
        let mut process = Process::spawn("seed", command, &folder.join("shoal.log"));
        let (url, client) = (format!("http://{admin}/readyz"), http::client());
        let is_ready = async || client.get(&url).send().await.ok().filter(|answer| answer.status() == 200);
        process.ready(START_WITHIN, is_ready).await;
        Self { mirror, process }
    }

    /// What it printed.
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Gets the image's manifest by its tag and then each of its blobs, and checks every digest.
    ///
    /// # Errors
    /// With what the mirror answered, when it does not have one of them.
    pub async fn pull(&self, image: &Image) -> Result<(), String> {
        let manifest = self.get(image, &format!("manifests/{}", image.tag)).await?;
        let digest = manifest.headers().get("docker-content-digest").cloned();
        assert_eq!(digest.expect("a digest"), image.digest.as_str());
        assert_eq!(http::drain(manifest).await.digest, image.digest);
        for blob in &image.blobs {
            let body = http::drain(self.get(image, &format!("blobs/{}", blob.digest)).await?).await;
            let (digest, len_bytes) = (blob.digest.clone(), blob.size_bytes);
            assert_eq!(body, Body { len_bytes, digest, broken: None });
        }
        Ok(())
    }

    async fn get(&self, image: &Image, item: &str) -> Result<Response, String> {
        let url = format!("http://{}/v2/{}/{item}?ns={PLAIN_REGISTRY_HOST}", self.mirror, image.repository);
        let response = http::client().get(url).send().await.map_err(|error| format!("{error:?}"))?;
        if response.status() == 200 {
            return Ok(response);
        }
        Err(format!("{}: {}", response.status(), response.text().await.unwrap_or_default()))
    }
}
