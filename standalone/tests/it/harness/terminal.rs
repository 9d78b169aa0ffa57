//! The real Claude Code in a real terminal: tmux, in which keys are pressed and the screen is read.

use super::provided;
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long the screen may take to show something.
const PATIENCE: Duration = Duration::from_secs(60);

/// A developer's machine on which the organisation has named a gateway.
pub(crate) struct Terminal {
    socket: String,
    dir: tempfile::TempDir,
}

impl Terminal {
    /// A machine whose managed settings name a gateway; nothing is started yet.
    pub(crate) fn new(gateway: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["managed", "home", "project"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let managed = json!({"forceLoginMethod": "gateway", "forceLoginGatewayUrl": gateway});
        std::fs::write(
            dir.path().join("managed/managed-settings.json"),
            managed.to_string(),
        )
        .unwrap();
        let name = dir.path().file_name().unwrap().to_str().unwrap().to_owned();
        Self {
            socket: format!("ccag{}", name.replace('.', "")),
            dir,
        }
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-L", &self.socket])
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts Claude Code. Its managed settings are in a file that the whole machine shares: it sees another one there, which
    /// nobody else does.
    pub(crate) fn start(&self) {
        let at = |name: &str| self.dir.path().join(name).display().to_string();
        let program = Path::new(&provided("CCAG_TEST_NODE_DIR")).join("node_modules/.bin/claude");
        let path = std::env::var("PATH").unwrap_or_default();
        let script = format!(
            "#!/bin/sh\nset -e\nmkdir -p /etc/claude-code\nmount --bind '{}' /etc/claude-code\ncd '{}'\nexec env -i \
             PATH='{path}' HOME='{}' TERM=xterm-256color LANG=C.UTF-8 BROWSER=/bin/true \
             CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 '{}'\n",
            at("managed"),
            at("project"),
            at("home"),
            program.display(),
        );
        let file = self.dir.path().join("start.sh");
        std::fs::write(&file, script).unwrap();
        let mine = Command::new("id").arg("-u").output().unwrap();
        let root = String::from_utf8_lossy(&mine.stdout).trim() == "0";
        let apart = if root {
            "unshare --mount"
        } else {
            "unshare --map-root-user --mount"
        };
        let command = format!("{apart} sh '{}'", file.display());
        self.tmux(&["new-session", "-d", "-x", "140", "-y", "50", &command]);
    }

    pub(crate) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    pub(crate) fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Types something, and presses Enter when it is there: what comes with the text would be taken for a part of it.
    pub(crate) async fn enter(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
        self.until(&format!("shows “{text}” where it is typed"), |screen| {
            screen.lines().any(|line| is_chosen(line, text))
        })
        .await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.press("Enter");
    }

    /// Waits until the screen shows something; the screen.
    pub(crate) async fn shows(&self, text: &str) -> String {
        self.until(&format!("shows “{text}”"), |screen| screen.contains(text))
            .await
    }

    /// Waits until the screen no longer shows something.
    pub(crate) async fn hides(&self, text: &str) {
        self.until(&format!("hides “{text}”"), |screen| !screen.contains(text))
            .await;
    }

    /// Waits until the screen is as it should be; the screen.
    async fn until(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let screen = self.screen();
            if is_there(&screen) {
                return screen;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "waited {PATIENCE:?} in vain until the terminal {what}; it shows\n{screen}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Chooses the answer with this text in a list that is shown, and confirms it.
    pub(crate) async fn choose(&self, question: &str, answer: &str) {
        self.shows(question).await;
        for _ in 0..10 {
            if self.screen().lines().any(|line| is_chosen(line, answer)) {
                self.press("Enter");
                return;
            }
            self.press("Down");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("“{answer}” cannot be chosen:\n{}", self.screen());
    }
}

/// Whether a line with this text is the one that keys go to.
fn is_chosen(line: &str, text: &str) -> bool {
    line.contains('❯') && line.contains(text)
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
