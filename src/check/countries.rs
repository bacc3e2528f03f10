//! Where an address is, by a database in `MaxMind`'s format that is read again when it changes.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use maxminddb::{MaxMindDbError, PathElement, Reader};
use tokio::time::MissedTickBehavior;

/// How often the file is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// A database of countries.
#[derive(Debug)]
pub struct Countries {
    path: PathBuf,
    current: ArcSwap<Reader<Vec<u8>>>,
}

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCountries {
    /// It cannot be read.
    #[error("cannot read the database of countries `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is no database.
    #[error("`{}` is no database of countries: {source}", path.display())]
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
    /// When there is none to begin with.
    pub fn open(path: PathBuf) -> Result<Self, InvalidCountries> {
        let reader = read(&path)?;
        Ok(Countries {
            path,
            current: ArcSwap::from_pointee(reader),
        })
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
    /// Why the database stayed what it was.
    pub fn reload(&self) -> Result<(), InvalidCountries> {
        self.current.store(Arc::new(read(&self.path)?));
        Ok(())
    }

    /// Reads the file again whenever it changed and two looks found it the same.
    pub async fn watch(self: Arc<Self>) {
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut taken = self.look().await;
        let mut last = taken;
        loop {
            looks.tick().await;
            let seen = self.look().await;
            let settled = seen == last;
            last = seen;
            if !settled || seen == taken {
                continue;
            }
            taken = seen;
            let countries = Arc::clone(&self);
            let path = self.path.display();
            match tokio::task::spawn_blocking(move || countries.reload()).await {
                Ok(Ok(())) => tracing::info!(%path, "database of countries in force"),
                Ok(Err(error)) => tracing::error!("{error}; the one in force stays"),
                Err(error) => tracing::error!(%error, "reading the countries did not finish"),
            }
        }
    }

    /// The length of the file and when it changed; nothing if it is not there.
    async fn look(&self) -> Option<(u64, Duration)> {
        let found = tokio::fs::metadata(&self.path).await.ok()?;
        let changed = found.modified().ok()?;
        let since = changed.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some((found.len(), since))
    }
}

fn read(path: &std::path::Path) -> Result<Reader<Vec<u8>>, InvalidCountries> {
    let bytes = std::fs::read(path).map_err(|source| InvalidCountries::Read {
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
