//! A sandbox's state in a file: users, orders, balances and their history. One line that says what it is and what the
//! rest sums up to (SHA-256), then JSON; so that a file is read whole and as it was written, or not at all.

mod keeper;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::SandboxError;
use super::{accounts, market};
pub(crate) use keeper::Keeper;

/// What every file begins with.
const MAGIC: &str = "bitmax-sandbox-state ";
/// The version of what follows.
const VERSION: &str = "1";

/// What outlives a sandbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    pub(crate) seed: u64,
    /// The sandbox's time, UTC ms.
    pub(crate) now: u64,
    pub(crate) market: market::Kept,
    pub(crate) accounts: accounts::Kept,
}

impl State {
    fn encode(&self) -> io::Result<Vec<u8>> {
        let body = serde_json::to_vec(self)?;
        let mut file = format!("{MAGIC}{VERSION} {}\n", checksum(&body)).into_bytes();
        file.extend_from_slice(&body);
        Ok(file)
    }

    /// # Errors
    /// Why it is no state.
    fn decode(file: &[u8]) -> Result<Self, String> {
        let end = file.iter().position(|byte| *byte == b'\n').unwrap_or(file.len());
        let (head, body) = file.split_at(end);
        let body = body.get(1..).unwrap_or_default();
        let head = std::str::from_utf8(head).ok().and_then(|head| head.strip_prefix(MAGIC));
        let head = head.ok_or("it does not begin as one does")?;
        match head.split_once(' ') {
            Some((VERSION, sum)) if sum == checksum(body) => {}
            Some((VERSION, _)) => return Err("it is damaged: its checksum does not hold".to_owned()),
            _ => return Err(format!("its version is {:?}, not {VERSION}", head.split(' ').next().unwrap_or_default())),
        }
        serde_json::from_slice(body).map_err(|e| e.to_string())
    }

    /// The state in a file; none where there is no file.
    ///
    /// # Errors
    /// [`SandboxError::ReadState`], [`SandboxError::InvalidState`].
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, SandboxError> {
        match fs::read(path) {
            Ok(file) => Self::decode(&file).map(Some).map_err(|reason| invalid(path, reason)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SandboxError::ReadState { path: path.to_owned(), source }),
        }
    }

    /// Puts the state in a file in place of what was there: at every moment there is the one or the other, whole.
    fn save(&self, path: &Path) -> io::Result<()> {
        log::debug!("writing the sandbox's state of {}", self.now);
        let bytes = self.encode()?;
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let new = PathBuf::from(name);
        // What an end at the wrong moment left.
        match fs::remove_file(&new) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = create(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        sync_directory(path)
    }
}

/// The error for a file that is no state.
pub(crate) fn invalid(path: &Path, reason: String) -> SandboxError {
    SandboxError::InvalidState { path: path.to_owned(), reason }
}

/// A new file that is for its owner alone: the seed in it is all that the users' secrets are made of.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a renaming last.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

fn checksum(body: &[u8]) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::exchange::Exchange;
    use crate::sandbox::{Sandbox, accounts};

    #[test]
    fn a_file_that_is_cut_or_changed_anywhere_is_refused() {
        let mut exchange = Exchange::new(Sandbox::builder().settings, 1_700_000_000_000);
        exchange.act(1_700_000_000_000, |accounts, market, now| {
            let (user, _) = accounts.add_user(market, accounts::Profile::default());
            let cash = crate::sandbox::engine::Category::Cash;
            accounts.deposit(market, user, cash, "USDT", 100.into(), now).unwrap();
        });
        let file = exchange.keep().encode().unwrap();
        assert_eq!(State::decode(&file).unwrap().encode().unwrap(), file);
        for end in 0..file.len() {
            assert!(State::decode(&file[..end]).is_err(), "cut at {end}");
        }
        let mut changed = file.clone();
        for (at, byte) in file.iter().enumerate() {
            changed[at] = byte ^ (1 << (at % 8));
            assert!(State::decode(&changed).is_err(), "changed at {at}");
            changed[at] = *byte;
        }
        changed.push(b' ');
        assert!(State::decode(&changed).is_err(), "longer");
    }
}
