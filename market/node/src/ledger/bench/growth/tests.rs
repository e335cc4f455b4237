//! The measurement: every step has what was asked for, and the ledger on disk grows with it.

use tempfile::TempDir;

use super::*;

#[tokio::test]
async fn each_step_is_reached_and_opens_again() {
    let folder = TempDir::new().unwrap();
    let round = 8 * ROUND;
    let grown = growth(folder.path(), 8, &[1, round + 1]).await.unwrap();
    let transfers: Vec<u64> = grown.iter().map(|step| step.transfers).collect();
    assert_eq!(transfers, [round, 2 * round]);
    assert!(grown[0].log_bytes < grown[1].log_bytes, "{grown:?}");
    assert!(grown[0].index_bytes <= grown[1].index_bytes, "{grown:?}");
    assert!(
        grown
            .iter()
            .all(|step| step.per_second > 0.0 && step.open_seconds > 0.0)
    );
}
