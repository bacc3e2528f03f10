use super::*;
use crate::state::fixtures::{limits, ready};

#[test]
fn a_batch_takes_from_one_limit_once_per_request() {
    for many in [10, 40] {
        let memory = memory(10);
        let policy = limited(&["{calls: 40, per: 1h, by: [subject]}"]);
        let one = limits(&policy, Who::new("a"));
        let batch = vec![one; many].concat();
        let take = || ready(memory.take(&batch, at(0)));
        for _ in 0..40 / many {
            assert_eq!(take(), Taken::All);
        }
        let Taken::Exhausted { first, .. } = take() else {
            panic!("forty were taken")
        };
        assert_eq!(first, 0);
    }
    let memory = memory(10);
    let policy = limited(&["{calls: 40, per: 1h, by: [subject]}"]);
    let batch = vec![limits(&policy, Who::new("a")); 41].concat();
    let taken = ready(memory.take(&batch, at(0)));
    assert!(matches!(taken, Taken::Exhausted { first: 40, .. }));
    assert_eq!(memory.take_at(&policy, Who::new("a"), 0), Taken::All);
}
