//! The mirror answers, and is Shoal's.

use std::sync::Arc;

use http::StatusCode;

use super::Status;
use crate::doctor::{Answer, Category, Check, Context, Finding, Needs, Outcome, PageError, QUICK, Severity};

pub(super) const CHECK: Check = Check {
    id: "mirror-answers",
    category: Category::Node,
    severity: Severity::Failure,
    depends_on: &["node-answers"],
    needs: Needs::Node,
    deadline: QUICK,
    title: "the mirror answers where the configuration says",
    why: "Runtimes are told this address. Where nobody answers they go to the registry; where another program answers, \
          pulls may fail.",
    mend: "Restart the node with this configuration, or give the doctor the node's.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let mirror = context.mirror();
    let address = mirror.address();
    match mirror.get("/").await {
        Ok(answer) if is_mirror(&answer) => Outcome::well(address.to_string()),
        Ok(answer) if answer.status == StatusCode::SERVICE_UNAVAILABLE => Outcome::wrong(
            Finding::new(
                format!("the mirror at {address} turns connections away: mirror.max_connections is reached"),
                "See whose connections they are; raise max_connections in [mirror] if they are all meant.",
            )
            .run(format!("ss -tnp 'sport = :{}'", address.port())),
        ),
        Ok(answer) => Outcome::wrong(foreign(format!("{address} answers {} and is no mirror of Shoal's", answer.status), address.port())),
        Err(error @ PageError::NotHttp { .. }) => Outcome::wrong(foreign(error.to_string(), address.port())),
        Err(error) => Outcome::wrong(
            Finding::new(
                format!("the node runs, and its mirror: {error}"),
                "The node was started with another mirror.listen: restart it, or give the doctor its configuration.",
            )
            .run(format!("systemctl restart {}", Status::unit(&context).await)),
        ),
    }
}

/// A mirror says so to whoever asks for a page that it does not have.
fn is_mirror(answer: &Answer) -> bool {
    const WORDS: &[u8] = b"this mirror answers /v2/";
    answer.status == StatusCode::NOT_FOUND && answer.body.windows(WORDS.len()).any(|part| part == WORDS)
}

fn foreign(what: String, port: u16) -> Finding {
    Finding::new(
        what,
        "Another program has the address, which this shows: stop it, or set mirror.listen to another one.",
    )
    .run(format!("ss -ltnp 'sport = :{port}'"))
}
