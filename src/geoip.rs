//! The country of an address, from a database in `MaxMind`'s format that is reloaded when it
//! changes.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use maxminddb::{MaxMindDbError, PathElement, Reader};
use tokio::time::MissedTickBehavior;

use crate::file::{self, Failing, LOOK_TIME_MAX, Looks, ReadError, START_TIME_MAX, Settled};

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

    /// The country of an address as an ISO 3166-1 alpha-2 code, if the database has it.
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

    /// Reloads the file whenever it has changed and two checks in a row agree, for as long as this
    /// is polled. `clock` gives the time from which the file is reported as failing.
    pub async fn watch(self: Arc<Self>, clock: fn() -> Timestamp) {
        let mut ticks = tokio::time::interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let looks = Looks::new(LOOK_TIME_MAX);
        let mut watched = Settled::at(self.opened.clone());
        loop {
            ticks.tick().await;
            let Some(bytes) = self.look(&looks, &mut watched).await else {
                continue;
            };
            let countries = Arc::clone(&self);
            let taking = tokio::task::spawn_blocking(move || {
                let path = countries.path.display();
                match countries.take(bytes) {
                    Ok(()) => {
                        *countries.locked() = None;
                        tracing::info!(%path, "country database in force");
                    }
                    Err(error) => countries.fail(&error, clock()),
                }
            });
            if let Err(error) = taking.await {
                tracing::error!(%error, "reading the country database did not finish");
            }
        }
    }

    /// What to do about the file, if anything: load this content, or report why it cannot be read.
    async fn look(
        &self,
        looks: &Looks,
        watched: &mut Settled<SeenFile>,
    ) -> Option<Result<Vec<u8>, ReadError>> {
        let place = self.path.clone();
        let mut seen = watched.clone();
        let look = looks.look(false, move || {
            let stamp = file::stamp(&place).map_err(|error| error.to_string());
            let bytes = seen
                .is_due(stamp, false)
                .then(|| file::read(&place, BYTES_MAX));
            (seen, bytes)
        });
        match look.await {
            Ok(looked) => {
                let (seen, bytes) = looked?;
                *watched = seen;
                bytes
            }
            Err(error) => watched
                .is_news(Err(error.to_string()))
                .then_some(Err(error)),
        }
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
