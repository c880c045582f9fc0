//! Faults in what a seed is told about registries: files, logins, proxies.

use rcgen::{CertificateParams, KeyPair};

use crate::patient::{Patient, mend};

/// A seed with this section, before its start.
fn with_registry(section: &str) -> Patient {
    let patient = Patient::before_start();
    patient.configure(&format!("[[registry]]\nhost = 'registry.example'\n{section}"));
    patient
}

/// A certificate that vouches for itself, with its key.
pub(crate) fn self_signed() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["a.test".to_owned()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[tokio::test]
async fn a_file_that_is_not_there_is_found() {
    for key in ["ca_file", "docker_config"] {
        let patient = with_registry(&format!("{key} = '{{root}}/missing'\n"));
        let finding = patient.found("registry-files").await;
        assert!(finding.what.contains(key) && finding.what.contains("No such file"), "{finding:?}");
    }
}

#[tokio::test]
async fn files_that_hold_something_else_are_found() {
    let patient = with_registry("ca_file = '{root}/ca.pem'\n");
    patient.write("/ca.pem", "not PEM");
    let finding = patient.found("registry-settings").await;
    assert!(finding.what.contains("ca_file holds certificates in PEM form"), "{finding:?}");
    patient.write("/ca.pem", &self_signed().0);
    mend(&finding);
}

#[tokio::test]
async fn a_key_of_another_certificate_is_found() {
    let patient = with_registry("client_cert_file = '{root}/a.pem'\nclient_key_file = '{root}/a.key'\n");
    patient.write("/a.pem", &self_signed().0);
    patient.write("/a.key", &self_signed().1);
    let finding = patient.found("registry-settings").await;
    assert!(finding.what.contains("does not go with the certificate"), "{finding:?}");
    mend(&finding);
    let half = with_registry("client_cert_file = '{root}/a.pem'\n");
    half.write("/a.pem", &self_signed().0);
    assert!(half.found("registry-settings").await.what.contains("need each other"));
}

#[tokio::test]
async fn half_a_login_and_two_logins_are_found() {
    let finding = with_registry("username = 'a'\n").found("registry-settings").await;
    assert!(finding.what.contains("username needs password"), "{finding:?}");
    let finding =
        with_registry("docker_config = 'auto'\ncredential_helper = 'x'\n").found("registry-settings").await;
    assert!(finding.what.contains("exclude each other"), "{finding:?}");
}

#[tokio::test]
async fn a_login_that_everyone_reads_is_closed() {
    let patient = with_registry("username = 'a'\npassword_file = '{root}/password'\n");
    patient.write("/password", "s3cret");
    patient.chmod("/password", 0o644);
    let finding = patient.found("registry-login-private").await;
    assert!(finding.what.contains("password_file") && !finding.what.contains("s3cret"), "{finding:?}");
    mend(&finding);
    patient.is_well("registry-login-private").await;
}

#[tokio::test]
async fn a_proxy_in_the_way_to_this_host_is_found() {
    let mut patient = Patient::before_start();
    patient.configure("[[registry]]\nhost = 'a.example'\nendpoints = ['http://127.0.0.1:5000']\n");
    patient.is_well("registry-proxy").await;
    patient.environment = vec![("http_proxy".into(), "http://proxy.example:3128".into())];
    patient.environment.push(("NO_PROXY".into(), "internal.example".into()));
    let finding = patient.found("registry-proxy").await;
    assert!(finding.what.contains("http_proxy is set"), "{finding:?}");
    assert_eq!(finding.mend.commands, ["export NO_PROXY=internal.example,localhost,127.0.0.1,::1"]);
    patient.environment[1].1 = "internal.example,localhost,127.0.0.1,::1".into();
    patient.is_well("registry-proxy").await;
}
