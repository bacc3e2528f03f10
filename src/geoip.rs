//! The country of an address, from a database in `MaxMind`'s format that is reloaded when it
//! changes.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use maxminddb::{MaxMindDbError, PathElement, Reader};
use tokio::sync::mpsc;

use crate::file::{
    self, Failing, LOOK_TIME_MAX, Look, Looks, ReadError, START_TIME_MAX, Settled, Watch, Watcher,
};

/// How often the file is checked.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// The size limit of a database in bytes; the largest ones on sale are smaller.
const BYTES_MAX: u64 = 1 << 30;

/// A database of countries.
#[derive(Debug)]
pub struct Countries {
    path: PathBuf,
    /// The state of the file when it was opened.
    opened: SeenFile,
    current: ArcSwap<Reader<Vec<u8>>>,
    failing: Mutex<Option<Failing>>,
}

/// The state of the file, or why it cannot be determined.
type SeenFile = Result<file::Stamp, String>;

/// Why no database can be loaded.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCountries {
    /// The file cannot be read.
    #[error("cannot read the country database `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ReadError,
    },
    /// The file is not a database.
    #[error("`{}` is not a country database: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: MaxMindDbError,
    },
}

impl Countries {
    /// Reads the database at `path`.
    ///
    /// # Errors
    /// If the file cannot be read or is not a database.
    pub fn open(path: PathBuf) -> Result<Self, InvalidCountries> {
        let place = path.clone();
        // Take the stamp before the content, so that a write in between counts as a change.
        let read = file::within(START_TIME_MAX, move || {
            let stamp = file::stamp(&place).map_err(|error| error.to_string());
            (stamp, file::read(&place, BYTES_MAX))
        });
        let (opened, bytes) = match read {
            Ok((opened, bytes)) => (opened, bytes),
            Err(error) => (Err(error.to_string()), Err(error)),
        };
        let reader = parse(&path, bytes)?;
        Ok(Countries {
            path,
            opened,
            current: ArcSwap::from_pointee(reader),
            failing: Mutex::default(),
        })
    }

    /// Where the database is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The country of an address as an ISO 3166-1 alpha-2 code, if the database says.
    #[must_use]
    pub fn country(&self, address: IpAddr) -> Option<String> {
        let reader = self.current.load();
        let found = reader.lookup(address.to_canonical()).ok()?;
        let path = [PathElement::Key("country"), PathElement::Key("iso_code")];
        found.decode_path::<String>(&path).ok().flatten()
    }

    /// Reads the file again.
    ///
    /// # Errors
    /// Why the database stays as it was.
    pub fn reload(&self) -> Result<(), InvalidCountries> {
        self.take(file::read(&self.path, BYTES_MAX))
    }

    /// Why the current file cannot be used, and since when.
    #[must_use]
    pub fn failing(&self) -> Option<Failing> {
        self.locked().clone()
    }

    /// Reads the file again whenever it changed and two looks found it the same, and at once when
    /// asked to, until nobody can ask any more. `clock` gives the time since when it is failing.
    pub async fn watch(self: Arc<Self>, asked: mpsc::Receiver<()>, clock: fn() -> Timestamp) {
        self.watcher(clock).run(LOOK_INTERVAL, asked).await;
    }

    fn watcher(self: Arc<Self>, clock: fn() -> Timestamp) -> Watcher<WatchedCountries> {
        let settled = Settled::at(self.opened.clone());
        let watched = WatchedCountries {
            countries: self,
            clock,
        };
        Watcher::new(watched, Looks::new(LOOK_TIME_MAX), settled)
    }

    fn take(&self, bytes: Result<Vec<u8>, ReadError>) -> Result<(), InvalidCountries> {
        self.current.store(Arc::new(parse(&self.path, bytes)?));
        Ok(())
    }

    fn fail(&self, error: &InvalidCountries, now: Timestamp) {
        tracing::error!("{error}; the one in force stays");
        let mut failing = self.locked();
        *failing = Some(Failing::after(failing.as_ref(), error.to_string(), now));
    }

    fn locked(&self) -> MutexGuard<'_, Option<Failing>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A database that is watched by its stamp, and read only when that has changed.
struct WatchedCountries {
    countries: Arc<Countries>,
    clock: fn() -> Timestamp,
}

impl Watch for WatchedCountries {
    type Seen = SeenFile;
    type Found = Result<Vec<u8>, ReadError>;

    fn look(&self) -> Look<Self::Seen, Self::Found> {
        let place = self.countries.path.clone();
        Box::new(move |is_due| {
            let stamp = file::stamp(&place).map_err(|error| error.to_string());
            is_due(stamp).then(|| file::read(&place, BYTES_MAX))
        })
    }

    fn unanswered(&self, error: &ReadError) -> Self::Seen {
        Err(error.to_string())
    }

    async fn take(&mut self, bytes: Self::Found) {
        let (countries, clock) = (Arc::clone(&self.countries), self.clock);
        let taking = tokio::task::spawn_blocking(move || {
            let path = countries.path.display();
            match countries.take(bytes) {
                Ok(()) => {
                    *countries.locked() = None;
                    tracing::info!(%path, "database of countries in force");
                }
                Err(error) => countries.fail(&error, clock()),
            }
        });
        if let Err(error) = taking.await {
            tracing::error!(%error, "reading the countries did not finish");
        }
    }

    async fn fail(&mut self, error: ReadError) {
        self.take(Err(error)).await;
    }
}

fn parse(
    path: &Path,
    bytes: Result<Vec<u8>, ReadError>,
) -> Result<Reader<Vec<u8>>, InvalidCountries> {
    let bytes = bytes.map_err(|source| InvalidCountries::Read {
        path: path.to_owned(),
        source,
    })?;
    let reader = Reader::from_source(bytes).and_then(|reader| {
        reader.verify()?;
        Ok(reader)
    });
    reader.map_err(|source| InvalidCountries::Format {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
