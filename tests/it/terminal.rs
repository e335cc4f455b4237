//! Owns a terminal as a person has it: a shell on a pseudo-terminal, lines typed into it, what is on it.
//!
//! Never types ahead: a line is typed when the shell asks for one.

use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::processes;
use crate::program;
use crate::transcript::Transcript;

/// What the shell prints when it is ready for a command; the last exit status and `] ` follow.
const PROMPT_START: &str = "[status ";

/// What it prints when it waits for the rest of a command.
const MORE: &str = "[more] ";

/// How long the shell itself may take to start or to end.
const SHELL: Duration = Duration::from_secs(10);

/// Starts a shell on a terminal of a usual size. `--noediting` leaves the echo to the terminal. The prompts
/// are set here because a shell that is not interactive, as the one that reads this, takes them away.
const START: &str = "stty rows 40 cols 140; export PS1='[status $?] ' PS2='[more] '; \
                     exec bash --norc --noprofile --noediting";

/// An open terminal.
pub(crate) struct Terminal {
    name: String,
    child: Child,
    keys: ChildStdin,
    screen: Transcript,
    /// Where the output of the line typed last begins.
    typed_at: usize,
}

/// What came back for a typed line.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What stands on the terminal since the line was typed, the line itself included.
    pub(crate) text: String,
    /// The exit status; `None` where the shell waits for more lines.
    pub(crate) status: Option<i32>,
}

impl Terminal {
    /// Opens a terminal in the folder `at`, with `home` as the person's home folder.
    pub(crate) fn open(name: &str, home: &Path, at: &Path) -> Self {
        let mut command = program::clean("script");
        command
            .args(["--quiet", "--flush", "--command", START, "/dev/null"])
            .current_dir(at)
            .env("HOME", home)
            .env("SHELL", "/bin/bash")
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let folder = program::path();
        let target = folder.parent().and_then(Path::parent);
        command.env(
            "CARGO_TARGET_DIR",
            target.expect("cargo builds into target/debug"),
        );
        let mut child = command
            .spawn()
            .expect("util-linux has `script`, which every Debian has");
        let screen = Transcript::default();
        screen.record(child.stdout.take().expect("the output is piped"));
        let keys = child.stdin.take().expect("the input is piped");
        let mut terminal = Self {
            name: name.to_owned(),
            child,
            keys,
            screen,
            typed_at: 0,
        };
        terminal.answer(SHELL);
        terminal
    }

    /// Types a line.
    pub(crate) fn type_line(&mut self, line: &str) {
        self.typed_at = self.screen.len();
        self.press(&format!("{line}\n"));
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        let pressed = self.keys.write_all(keys.as_bytes());
        pressed
            .and_then(|()| self.keys.flush())
            .expect("the terminal is open");
    }

    /// Waits until the shell asks for the next line.
    pub(crate) fn answer(&mut self, limit: Duration) -> Answer {
        let what = format!("the end of the command in terminal {}", self.name);
        self.screen.wait(self.typed_at, (limit, &what), |text| {
            let status = match text.ends_with(MORE) {
                true => None,
                false => Some(last_status(text)?),
            };
            let text = text.replace('\r', "");
            Some(Answer { text, status })
        })
    }

    /// Types a line and waits for its end.
    pub(crate) fn run(&mut self, line: &str, limit: Duration) -> Answer {
        self.type_line(line);
        self.answer(limit)
    }

    /// Waits until `text` stands on the terminal, written by the command typed last, which must not end first.
    pub(crate) fn wait_for(&self, text: &str, limit: Duration) {
        self.wait_for_times(text, 1, limit);
    }

    /// Waits until `text` stands there as often as that.
    pub(crate) fn wait_for_times(&self, text: &str, times: usize, limit: Duration) {
        let what = format!("{text:?} in terminal {}", self.name);
        let start = self.typed_at;
        let found = self.screen.wait(start, (limit, &what), |screen| {
            let has_ended = || last_status(screen).map(|_| false);
            let is_there = screen.matches(text).count() >= times;
            is_there.then_some(true).or_else(has_ended)
        });
        assert!(
            found,
            "the command ended before {what}{}",
            self.screen.end()
        );
    }

    /// Presses Ctrl-C and waits until the shell asks for the next line.
    pub(crate) fn interrupt(&mut self, limit: Duration) -> Answer {
        self.press("\x03");
        self.answer(limit)
    }

    /// Returns what stands on the terminal since the line was typed.
    pub(crate) fn text(&self) -> String {
        self.screen.since(self.typed_at).replace('\r', "")
    }

    /// Returns all that was ever written to the terminal.
    pub(crate) fn screen(&self) -> &Transcript {
        &self.screen
    }

    /// Leaves the shell.
    pub(crate) fn close(mut self) {
        self.type_line("exit");
        self.screen.wait_for_end(SHELL, "the shell");
        self.child.wait().expect("a child can be waited for");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Without its terminal a shell ends, and what runs in it.
        if matches!(self.child.try_wait(), Ok(None)) {
            processes::signal(self.child.id(), Signal::KILL);
            let _reaped = self.child.wait();
        }
    }
}

/// Reads the exit status out of a prompt at the end of a text.
fn last_status(text: &str) -> Option<i32> {
    let (_, prompt) = text.rsplit_once(PROMPT_START)?;
    prompt.strip_suffix("] ")?.parse().ok()
}

#[test]
fn a_terminal_tells_output_status_and_unfinished_commands() {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let limit = Duration::from_secs(10);
    let mut terminal = Terminal::open("of a test", home.path(), home.path());
    let answer = terminal.run("echo ~; test -t 0 && test -t 1", limit);
    assert!(
        answer.text.contains(&home.path().display().to_string()),
        "{answer:?}"
    );
    assert_eq!(answer.status, Some(0));
    assert_eq!(terminal.run("(exit 3)", limit).status, Some(3));
    assert_eq!(terminal.run("cat <<'EOF'", limit).status, None);
    assert!(terminal.run("EOF", limit).status == Some(0));
    terminal.type_line("sh -c 'echo begun; exec cat'");
    terminal.wait_for("begun\r\n", limit);
    assert_eq!(terminal.interrupt(limit).status, Some(130));
    terminal.close();
}
