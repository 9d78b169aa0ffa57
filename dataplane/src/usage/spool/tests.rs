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
    spool.append(text.as_bytes().to_vec()).await.unwrap()
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
    spool.ack(45).unwrap();
    spool.ack(10).unwrap();
    assert!(spool.bytes() < before / 2, "{} of {before}", spool.bytes());
    spool.close().await;
    drop(spool);
    let spool = Spool::open(config(dir.path())).unwrap();
    assert_eq!(read_all(&spool).first(), Some(&(46, "record 46".to_owned())));
    spool.ack(1_000).unwrap();
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
    spool.ack(last + 1).unwrap();
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
    late.await.unwrap();
    assert_eq!(reader.read(10).unwrap().len(), 1);
    assert_eq!(reader.read(10).unwrap().len(), 0);
    append(&spool, "two").await;
    assert_eq!(reader.read(10).unwrap()[0].0, 2);
    spool.ack(1).unwrap();
    reader.rewind();
    assert_eq!(reader.read(10).unwrap()[0].0, 2);
}

#[tokio::test]
async fn an_append_after_closing_fails() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(config(dir.path())).unwrap();
    spool.close().await;
    assert!(spool.append(b"late".to_vec()).await.is_err());
}
