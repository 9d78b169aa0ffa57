//! The data directory: whether it can be written to, and how much room there is.

use crate::config::DataPlaneConfig;
use ccag_doctor::checks::{DATA_DIRECTORY, DISK_SPACE, SPOOL};
use ccag_doctor::{Finding, disk};
use std::path::Path;

/// With less room than this, in bytes, not even the configuration can be kept for long.
const LEAST: u64 = 64 << 20;

pub(super) fn look(config: &DataPlaneConfig) -> Vec<Finding> {
    let dir = config.data_dir.as_path();
    let mut findings = vec![directory(dir)];
    findings.push(space(dir, config.spool_max_bytes));
    findings.extend(spool(&dir.join("spool"), config.spool_max_bytes));
    findings
}

fn directory(dir: &Path) -> Finding {
    let subject = dir.display().to_string();
    let advice = "set CCAG_DATA_DIR to a directory on a disk that survives restarts, and give it to the user that the data plane runs as \
                  (in Kubernetes by fsGroup); no two data planes share one";
    if dir.exists() && !dir.is_dir() {
        return DATA_DIRECTORY.fault(subject, "it is no directory", advice);
    }
    let (there, found) = match dir.is_dir() {
        true => (dir.to_owned(), "it can be written to".to_owned()),
        false => {
            let above = disk::nearest(dir);
            let found = format!("it will be made in {}", above.display());
            (above, found)
        }
    };
    let spool = dir.join("spool");
    let folders = [there.as_path(), spool.as_path()];
    let tried = folders
        .into_iter()
        .filter(|folder| folder.is_dir())
        .try_for_each(|folder| disk::try_to_write(folder).map_err(|e| format!("{}: {e}", folder.display())));
    match tried {
        Ok(()) => DATA_DIRECTORY.ok(subject, found),
        Err(reason) => DATA_DIRECTORY.fault(subject, format!("it cannot be written to: {reason}"), advice),
    }
}

fn space(dir: &Path, spool_max: u64) -> Finding {
    let subject = dir.display().to_string();
    let there = disk::nearest(dir);
    let advice = "make the disk larger or free some of it, or let the spool take less (spool.max_bytes in the configuration file): what \
                  cannot be written down is refused";
    match disk::free_bytes(&there) {
        Err(error) => DISK_SPACE.skipped(subject, format!("the room cannot be told: {error}")),
        Ok(free) => {
            let (room, wanted) = (disk::readable(free), disk::readable(spool_max));
            let found = format!("{room} are free, and the spool may take {wanted}");
            if free < LEAST {
                DISK_SPACE.fault(subject, found, advice)
            } else if free < spool_max {
                DISK_SPACE.warning(subject, found, advice)
            } else {
                DISK_SPACE.ok(subject, found)
            }
        }
    }
}

fn spool(dir: &Path, spool_max: u64) -> Option<Finding> {
    let used = disk::used_bytes(dir).ok()?;
    let subject = dir.display().to_string();
    let found = format!(
        "{} of {} are taken",
        disk::readable(used),
        disk::readable(spool_max)
    );
    let advice = "records wait for a control plane that takes them: look at the findings of control-plane and join-token; at 100 % \
                  requests are refused";
    Some(if used >= spool_max / 10 * 9 {
        SPOOL.fault(subject, found, advice)
    } else if used >= spool_max / 2 {
        SPOOL.warning(subject, found, advice)
    } else {
        SPOOL.ok(subject, found)
    })
}
