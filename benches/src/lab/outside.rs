//! Mirrors that run already, wherever they are: nothing is made, and all clients are in this process.

use std::time::Instant;

use futures::future::join_all;
use shoal_protocol::digest::Digest;

use super::{
    args::LabArgs,
    figures::{Completion, Outcome, Setting, judged, setup, timing},
};
use crate::{
    bound::{Crowd, pieces_of},
    cli::Failure,
    record::{Idle, Run, Session},
    rig::{Client, Expected, PullError},
};

/// Pulls from all of them at once, as often as was asked for.
pub(super) async fn measure(args: &LabArgs) -> Result<(), Failure> {
    let urls: Vec<String> = (1..=args.nodes).map(|number| url(args, number)).collect();
    let digest = digest_in(&urls[0])?;
    let mut session = Session::begin("lab", &setup(args, None), &args.output)?;
    for number in 1..=args.runs {
        let mut run = pull_all(args, number, &urls, &digest).await;
        if number > 1 {
            run.notes.push("the mirrors may have kept what they got in earlier runs".into());
        }
        session.add(run)?;
    }
    session.finish(&args.name)?;
    Ok(())
}

async fn pull_all(args: &LabArgs, number: u32, urls: &[String], digest: &Digest) -> Run {
    let (idle, began) = (Idle::begin(), Instant::now());
    let mut outcome = Outcome::default();
    let mut blob_bytes = args.blob.0;
    for pulled in join_all(urls.iter().map(|url| pull(url, digest, began))).await {
        match pulled {
            Ok((len_bytes, completion)) => {
                blob_bytes = len_bytes;
                outcome.completions.push(completion);
            }
            Err(error) => outcome.failures.push(error.to_string()),
        }
    }
    let rate_bytes_per_s = args.rate.0;
    let crowd = Crowd {
        blob_bytes,
        pieces: pieces_of(blob_bytes),
        rate_bytes_per_s,
        sources: 1,
        receivers: u32::from(args.nodes),
    };
    let setting = Setting { case: args.name.clone(), number, crowd, link_bytes_per_s: f64::NAN };
    judged(timing(&outcome, &setting), idle.share(), &outcome)
}

async fn pull(url: &str, digest: &Digest, began: Instant) -> Result<(u64, Completion), PullError> {
    let began_s = began.elapsed().as_secs_f64();
    let got = Client::connect(url).await?.pull(url, Expected::Digest(digest), |_| {}).await?;
    let (first_byte_s, ended_s) = (got.first_byte.as_secs_f64(), began.elapsed().as_secs_f64());
    Ok((got.len_bytes, Completion { began_s, first_byte_s, ended_s }))
}

/// Of a list the node's own, else the only one with the number in it.
fn url(args: &LabArgs, number: u16) -> String {
    let own = args.target.get(usize::from(number - 1)).or(args.target.first());
    own.map(|url| url.replace("{node}", &number.to_string())).unwrap_or_default()
}

/// What the blob is called is what it has to be.
fn digest_in(url: &str) -> Result<Digest, Failure> {
    let path = url.split('?').next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let digest = name.parse();
    Ok(digest.map_err(|_| format!("{url:?} does not end in a digest, as in …/blobs/sha256:0123…"))?)
}
