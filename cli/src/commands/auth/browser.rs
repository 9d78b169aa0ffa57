//! The browser of whoever sits at this machine.

use std::process::{Command, Stdio};
use url::Url;

/// Opens an address in the browser, if there is one. Whoever has none opens the address elsewhere: it is printed, too.
pub(super) fn open(address: &str) {
    // Only what is a web address: programs that open things open files and run applications as well.
    let Some(url) = Url::parse(address)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
    else {
        return;
    };
    let Some(mut command) = opener() else {
        return;
    };
    let command = command.arg(url.as_str());
    // It is not waited for, since it may run for as long as the browser does.
    let _ = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
}

#[cfg(target_os = "macos")]
fn opener() -> Option<Command> {
    Some(Command::new("open"))
}

/// Not `start`, which belongs to the shell and reads `&` as its own.
#[cfg(windows)]
fn opener() -> Option<Command> {
    let mut command = Command::new("rundll32");
    command.arg("url.dll,FileProtocolHandler");
    Some(command)
}

/// Without a display there are only browsers that would take over the terminal.
#[cfg(not(any(target_os = "macos", windows)))]
fn opener() -> Option<Command> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    (is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")).then(|| Command::new("xdg-open"))
}
