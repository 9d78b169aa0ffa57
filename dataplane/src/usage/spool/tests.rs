use super::*;

fn config(dir: &Path) -> SpoolConfig {
    SpoolConfig {
        dir: dir.to_owned(),
        max_bytes: 1 << 20,
        segment_bytes: 200,
        sync_interval: Duration::ZERO,
    }
}

async fn append(spool: &Spool, text: &str) -> u64 {
    spool.append(text.as_bytes().to_vec()).written().await.unwrap()
}

/// Everything up to here is in the ledger.
fn ack(spool: &Spool, seq: u64) {
    let delivered = seq.min(spool.written()).saturating_sub(spool.acked());
    let acked = Acked {
        seq,
        delivered,
        quarantined: 0,
    };
    spool.ack(acked).unwrap();
}

fn read_all(spool: &Spool) -> Vec<(u64, String)> {
    let mut reader = spool.reader();
    let mut all = Vec::new();
    loop {
        let batch = reader.read(3).unwrap();
        if batch.is_empty() {
            return all;
        }
        all.extend(
            batch
                .into_iter()
                .map(|(seq, bytes)| (seq, String::from_utf8(bytes).unwrap())),
        );
    }
}

#[tokio::test]
async fn records_come_back_in_order_over_many_segments_and_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    for i in 1..=50u64 {
        assert_eq!(append(&spool, &format!("record {i}")).await, i);
    }
    spool.close().await;
    drop(spool);
    let spool = Spool::open(config(dir.path())).unwrap();
    let expected: Vec<_> = (1..=50).map(|i| (i, format!("record {i}"))).collect();
    assert_eq!(read_all(&spool), expected);
    assert_eq!(append(&spool, "one more").await, 51);
    assert_eq!(spool.backlog(), 51);
}

#[tokio::test]
async fn acknowledged_segments_are_deleted_and_never_delivered_again() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    for i in 1..=50 {
        append(&spool, &format!("record {i}")).await;
    }
    let before = spool.bytes();
    ack(&spool, 45);
    ack(&spool, 10);
    assert!(spool.bytes() < before / 2, "{} of {before}", spool.bytes());
    spool.close().await;
    drop(spool);
    let spool = Spool::open(config(dir.path())).unwrap();
    assert_eq!(read_all(&spool).first(), Some(&(46, "record 46".to_owned())));
    ack(&spool, 1_000);
    assert_eq!((spool.acked(), spool.backlog()), (50, 0));
    assert_eq!(append(&spool, "next").await, 51);
}

#[tokio::test]
async fn a_torn_tail_loses_only_the_record_that_was_being_written() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(SpoolConfig {
        segment_bytes: 1 << 20,
        ..config(dir.path())
    })
    .unwrap();
    for i in 1..=5 {
        append(&spool, &format!("record {i}")).await;
    }
    spool.close().await;
    drop(spool);
    let path = dir.path().join(segment::file_name(1));
    let size = std::fs::metadata(&path).unwrap().len();
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(size - 3)
        .unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    assert_eq!(read_all(&spool).len(), 4);
    assert_eq!(append(&spool, "again").await, 5);
    assert_eq!(read_all(&spool).last(), Some(&(5, "again".to_owned())));
}

#[tokio::test]
async fn damage_in_an_old_segment_does_not_stop_delivery() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    for i in 1..=50 {
        append(&spool, &format!("record {i}")).await;
    }
    spool.close().await;
    drop(spool);
    let path = dir.path().join(segment::file_name(1));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[50] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    let all = read_all(&spool);
    assert_eq!(all.last(), Some(&(50, "record 50".to_owned())));
    assert!(all.len() > 38, "{}", all.len());
}

#[tokio::test]
async fn two_processes_never_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Spool::open(config(dir.path())).unwrap();
    assert!(matches!(
        Spool::open(config(dir.path())),
        Err(SpoolError::Locked(_))
    ));
}

#[tokio::test]
async fn a_full_spool_takes_no_new_requests_but_keeps_what_is_in_flight() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(SpoolConfig {
        max_bytes: 400,
        ..config(dir.path())
    })
    .unwrap();
    let mut last = 0;
    while spool.can_take() {
        last = append(&spool, "a record of some length").await;
    }
    assert_eq!(append(&spool, "in flight when it filled up").await, last + 1);
    ack(&spool, last + 1);
    assert!(spool.can_take());
}

#[tokio::test]
async fn a_reader_waits_for_the_next_record_and_rewinds_to_the_last_acknowledgement() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    let mut reader = spool.reader();
    assert!(!reader.has_next());
    let late = spool.append(b"late".to_vec());
    reader.ready().await;
    late.written().await.unwrap();
    assert_eq!(reader.read(10).unwrap().len(), 1);
    assert_eq!(reader.read(10).unwrap().len(), 0);
    append(&spool, "two").await;
    assert_eq!(reader.read(10).unwrap()[0].0, 2);
    ack(&spool, 1);
    reader.rewind();
    assert_eq!(reader.read(10).unwrap()[0].0, 2);
}

#[tokio::test]
async fn an_append_after_closing_fails() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    spool.close().await;
    assert!(spool.append(b"late".to_vec()).written().await.is_err());
}

#[tokio::test]
async fn what_became_of_every_record_is_known_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    for i in 1..=50 {
        append(&spool, &format!("record {i}")).await;
    }
    let acked = Acked {
        seq: 20,
        delivered: 17,
        quarantined: 3,
    };
    spool.ack(acked).unwrap();
    // Acknowledged again, since the first one came late: it counts once.
    spool.ack(acked).unwrap();
    let known = Accounts {
        emitted: 50,
        delivered: 17,
        quarantined: 3,
        spooled: 30,
    };
    assert_eq!((spool.accounts(), known.unaccounted()), (known, 0));
    spool.close().await;
    drop(spool);
    let spool = Spool::open(config(dir.path())).unwrap();
    assert_eq!(spool.accounts(), known);

    // One that can never be written is missed, now and after the next start.
    assert!(spool.append(vec![0; (1 << 20) + 1]).written().await.is_err());
    assert_eq!(spool.accounts().unaccounted(), 1);
    ack(&spool, 50);
    spool.close().await;
    drop(spool);
    let spool = Spool::open(config(dir.path())).unwrap();
    let accounts = spool.accounts();
    assert_eq!(
        (accounts.emitted, accounts.delivered, accounts.spooled),
        (51, 47, 0)
    );
    assert_eq!(accounts.unaccounted(), 1);
}

#[tokio::test]
async fn records_lost_to_damage_are_missed() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    for i in 1..=50 {
        append(&spool, &format!("record {i}")).await;
    }
    spool.close().await;
    drop(spool);
    let path = dir.path().join(segment::file_name(1));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[50] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    let left = read_all(&spool).len() as u64;
    let acked = Acked {
        seq: 50,
        delivered: left,
        quarantined: 0,
    };
    spool.ack(acked).unwrap();
    assert_eq!(spool.accounts().unaccounted().unsigned_abs(), 50 - left);
}

#[test]
fn a_cursor_of_an_earlier_version_is_understood() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("cursor"), "7\n").unwrap();
    let tally = accounts::Tally::read(dir.path());
    assert_eq!((tally.cursor, tally.delivered, tally.refused), (7, 7, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn records_that_come_at_the_same_time_get_a_number_each() {
    const WRITERS: u64 = 8;
    const EACH: u64 = 200;
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(SpoolConfig {
        max_bytes: 1 << 30,
        ..config(dir.path())
    })
    .unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let spool = spool.clone();
        writers.spawn(async move {
            let mut numbers = Vec::new();
            for n in 0..EACH {
                let text = format!("{writer}/{n}");
                numbers.push((append(&spool, &text).await, text));
            }
            numbers
        });
    }
    let mut told: Vec<_> = writers.join_all().await.into_iter().flatten().collect();
    told.sort();
    spool.close().await;
    drop(spool);
    // Another process finds each under the number that its writer was told, over however many segments.
    let spool = Spool::open(SpoolConfig {
        max_bytes: 1 << 30,
        ..config(dir.path())
    })
    .unwrap();
    assert_eq!(read_all(&spool), told);
    assert_eq!(told.len() as u64, WRITERS * EACH);
    assert!(std::fs::read_dir(dir.path()).unwrap().count() > 4);
}
