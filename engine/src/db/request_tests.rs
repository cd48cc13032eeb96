//! What a request says of itself. The limit of a single put is near 4 GiB of memory that is never
//! touched.

use super::*;

const KEY: &[u8] = b"key";

#[test]
fn a_size_is_that_of_a_batch_or_a_little_more() {
    for value_size in [0, 1, 127, 128, 20_000] {
        let value = vec![b'v'; value_size];
        for write in [Write::Put { key: KEY, value: &value }, Write::Delete { key: KEY }] {
            let mut batch = WriteBatch::new();
            write.append_to(&mut batch).expect("small");
            let (exact, most) = (Write::Batch(&batch).byte_size(), write.byte_size());
            assert_eq!(exact, batch.byte_size());
            assert!((exact..=exact + 10).contains(&most), "{exact} is {most}");
            assert_eq!((write.count(), Write::Batch(&batch).count()), (1, 1));
        }
    }
    assert_eq!(Write::Put { key: KEY, value: b"value" }.byte_size(), 12 + 1 + 5 + 3 + 5 + 5);
    assert_eq!(Write::Delete { key: KEY }.byte_size(), 12 + 1 + 5 + 3 + 5);
    assert_eq!(Write::Batch(&WriteBatch::new()).count(), 0);
}

#[test]
fn what_does_not_fit_a_batch_is_refused() {
    let huge = vec![0; u32::MAX as usize];
    let most = u32::MAX as usize - SINGLE_OVERHEAD;
    assert_eq!(Write::Put { key: &huge[..most], value: b"" }.check(), Ok(()));
    assert_eq!(Write::Delete { key: &huge[..most] }.check(), Ok(()));
    let refused = [
        Write::Put { key: &huge[..most], value: b"v" },
        Write::Put { key: b"k", value: &huge[..most] },
        Write::Delete { key: &huge[..=most] },
    ];
    for write in refused {
        assert!(matches!(write.check(), Err(Error::InvalidArgument(_))));
    }
    assert_eq!(Write::Batch(&WriteBatch::new()).check(), Ok(()));
}

#[test]
fn who_syncs_and_who_leads_although_writes_are_stopped() {
    let write = |sync| Request::Write { write: Write::Delete { key: KEY }, sync, no_wait: false };
    let requests = [
        (write(false), false, false),
        (write(true), true, false),
        (Request::Sync, true, false),
        (Request::Switch, false, false),
        (Request::Resume, false, true),
        (Request::Close, false, true),
    ];
    for (request, is_sync, leads_when_stopped) in requests {
        assert_eq!(request.is_sync(), is_sync, "{request:?}");
        assert_eq!(request.leads_when_stopped(), leads_when_stopped, "{request:?}");
    }
}
