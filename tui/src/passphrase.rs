//! Owns how a passphrase comes into the program: out of a file, or typed on the terminal without being shown.
//!
//! Never takes one from the command line itself, where others could read it, and never prints or keeps one.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use market::keys::SecretKey;
use market_node::home::Home;
use market_node::identity::AccountKey;
use market_node::sealed::Passphrase;
use zeroize::Zeroizing;

/// The most bytes of a passphrase.
const MAX_BYTES: usize = 4 << 10;

/// How often a new passphrase is asked for when the second time differs from the first.
const ATTEMPTS: u32 = 3;

/// Where the passphrase of the account key comes from.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct PassphraseFlags {
    /// Read the account key's passphrase from this file instead of asking for it on the terminal
    #[arg(
        long,
        value_name = "FILE",
        env = "NIGHTSHIFT_PASSPHRASE_FILE",
        hide_env_values = true
    )]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseFlags {
    /// Returns the passphrase that something was encrypted with.
    ///
    /// # Errors
    /// The file cannot be used, or there is neither a file nor a terminal.
    pub(crate) fn existing(&self, what: &str) -> anyhow::Result<Passphrase> {
        match &self.passphrase_file {
            Some(file) => read(file),
            None => {
                needs_terminal(&format!("{what} is encrypted, so its passphrase is needed"))?;
                let typed = ask(&format!("Passphrase of {what}: "))?;
                Ok(Passphrase::new(typed)?)
            }
        }
    }

    /// Returns a passphrase to encrypt something with.
    ///
    /// # Errors
    /// The file cannot be used; there is neither a file nor a terminal; nothing, or twice not the same, was typed.
    pub(crate) fn new_one(&self, what: &str) -> anyhow::Result<Passphrase> {
        new_one(self.passphrase_file.as_deref(), (what, "--passphrase-file"))
    }

    /// Returns what a new account's key is to be encrypted with; `None` where nobody gave a passphrase, which is
    /// said on standard error.
    ///
    /// # Errors
    /// The file cannot be used, or twice not the same was typed.
    pub(crate) fn wanted(&self) -> anyhow::Result<Option<Passphrase>> {
        let has_terminal = has_terminal();
        let given = match &self.passphrase_file {
            Some(file) => Some(read(file)?),
            None if has_terminal => {
                eprintln!(
                    "Who has the account key has the money. A passphrase encrypts it; nothing but a backup helps \
                     who forgets it."
                );
                typed_twice("Passphrase for the account key (Enter for none): ")?
            }
            None => None,
        };
        if given.is_none() {
            eprintln!(
                "warning: the account key lies unencrypted in keys/account.key: whoever reads that file owns the \
                 money. `nightshift wallet encrypt` changes that."
            );
        }
        Ok(given)
    }
}

/// Returns a passphrase to encrypt `what` with, out of a file, which a flag names, or typed twice.
///
/// # Errors
/// As for [`PassphraseFlags::new_one`].
pub(crate) fn new_one(
    file: Option<&Path>,
    (what, flag): (&str, &str),
) -> anyhow::Result<Passphrase> {
    if let Some(file) = file {
        return read(file);
    }
    if !has_terminal() {
        anyhow::bail!(
            "a passphrase for {what} is needed, and there is no terminal to ask on; write it into a file that only \
             you can read, and pass {flag} FILE"
        );
    }
    let typed = typed_twice(&format!("New passphrase for {what}: "))?;
    typed.context("the passphrase is empty; one without a character protects nothing")
}

/// Opens the account key of a home, with the passphrase where it needs one.
///
/// # Errors
/// The key is not there or damaged, or the passphrase is not to be had or wrong.
pub(crate) fn account_key(home: &Home, flags: &PassphraseFlags) -> anyhow::Result<SecretKey> {
    let key = AccountKey::load(home)?;
    let passphrase = match key.is_encrypted() {
        true => Some(flags.existing("the account key")?),
        false => None,
    };
    Ok(key.open(passphrase.as_ref())?)
}

fn has_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn needs_terminal(why: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        has_terminal(),
        "{why}, and there is no terminal to ask on; pass --passphrase-file FILE, or set NIGHTSHIFT_PASSPHRASE_FILE"
    );
    Ok(())
}

fn ask(question: &str) -> anyhow::Result<Zeroizing<String>> {
    let typed = rpassword::prompt_password(question).context("asking for a passphrase")?;
    Ok(Zeroizing::new(typed))
}

/// Asks for a new passphrase until both times are the same; `None` for an empty one.
fn typed_twice(question: &str) -> anyhow::Result<Option<Passphrase>> {
    for _ in 0..ATTEMPTS {
        let typed = ask(question)?;
        if typed.is_empty() {
            return Ok(None);
        }
        if ask("The same again: ")? == typed {
            return Ok(Some(Passphrase::new(typed)?));
        }
        eprintln!("These were not the same.");
    }
    anyhow::bail!("the passphrase was not the same twice, {ATTEMPTS} times; nothing was changed")
}

/// Reads a passphrase: the first and only line of a file that others cannot read.
fn read(path: &Path) -> anyhow::Result<Passphrase> {
    let shown = path.display();
    let open = || format!("reading the passphrase file {shown}");
    let file = std::fs::File::open(path).with_context(open)?;
    check_private(&file.metadata().with_context(open)?, path)?;
    let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES + 1));
    let mut limited = file.take(MAX_BYTES as u64 + 1);
    limited.read_to_string(&mut text).with_context(open)?;
    anyhow::ensure!(
        text.len() <= MAX_BYTES,
        "{shown} has more than {MAX_BYTES} bytes; a passphrase file holds one line, the passphrase"
    );
    anyhow::ensure!(
        text.lines().count() <= 1,
        "{shown} has more than one line; a passphrase file holds one, the passphrase"
    );
    Passphrase::new(text).with_context(|| format!("{shown} holds no passphrase"))
}

#[cfg(unix)]
fn check_private(metadata: &std::fs::Metadata, path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    let path = path.display();
    anyhow::ensure!(
        !metadata.is_file() || mode & 0o077 == 0,
        "{path} holds a passphrase and can be read by others (mode {mode:o}); run: chmod 600 {path}"
    );
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_metadata: &std::fs::Metadata, _path: &Path) -> anyhow::Result<()> {
    Ok(()) // The access list of its folder protects it there.
}

#[cfg(test)]
mod tests;
