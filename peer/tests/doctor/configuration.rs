//! Faults in what the node is told.

use crate::patient::{Patient, mend};

#[tokio::test]
async fn a_configuration_that_is_not_there_is_made() {
    let patient = Patient::before_start();
    std::fs::create_dir_all(patient.config_file().parent().unwrap()).unwrap();
    let finding = patient.found("config-file").await;
    assert!(finding.what.contains("No such file"), "{finding:?}");
    mend(&finding);
    patient.is_well("config-file").await;
}
