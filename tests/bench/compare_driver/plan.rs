//! Which loads there are.

use crate::call::Outcome;
use crate::tokens::Algorithm;

/// How many distinct tokens are many.
pub(crate) const MANY: usize = 10_000;
/// How many tokens a slice has of which each is new; the slice ends with them.
pub(crate) const FRESH: usize = 10_000;
/// Connections of the open loop: so many that none of them is ever waited for.
pub(crate) const OPEN_CONNECTIONS: usize = 64;
/// Connections for what is measured at one number of them only.
const USUAL_CONNECTIONS: usize = 16;

/// When requests are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// On each of so many connections, the next one when the last is answered.
    Closed(usize),
    /// At a constant rate, whatever is answered.
    Open,
}

/// Which tokens they carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variety {
    /// All of them the same.
    One,
    /// Ten thousand in turn, each seen before.
    Many,
    /// Each another, never seen before.
    New,
}

/// What is measured at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) pace: Pace,
    pub(crate) algorithm: Algorithm,
    pub(crate) variety: Variety,
    pub(crate) outcome: Outcome,
}

impl Load {
    /// Its name in reports.
    pub(crate) fn name(self) -> String {
        let pace = match self.pace {
            Pace::Closed(1) => "closed, 1 connection".to_owned(),
            Pace::Closed(count) => format!("closed, {count} connections"),
            Pace::Open => "open, half load".to_owned(),
        };
        let variety = match self.variety {
            Variety::One => "one token",
            Variety::Many => "10000 tokens",
            Variety::New => "new tokens",
        };
        let outcome = match self.outcome {
            Outcome::Allowed => "allow",
            Outcome::Denied => "deny",
        };
        format!("{pace}, {}, {variety}, {outcome}", self.algorithm.name())
    }
}

/// The loads of a run with these numbers of connections.
pub(crate) fn loads(connections: &[usize]) -> Vec<Load> {
    let load = |pace, algorithm, variety, outcome| Load {
        pace,
        algorithm,
        variety,
        outcome,
    };
    let mut all = Vec::new();
    for (variety, outcome) in [
        (Variety::One, Outcome::Allowed),
        (Variety::Many, Outcome::Allowed),
        (Variety::One, Outcome::Denied),
    ] {
        let at = |&count| load(Pace::Closed(count), Algorithm::Es256, variety, outcome);
        all.extend(connections.iter().map(at));
    }
    let usual = connections
        .iter()
        .copied()
        .find(|&count| count == USUAL_CONNECTIONS)
        .or(connections.last().copied())
        .unwrap_or(USUAL_CONNECTIONS);
    for (pace, algorithm, variety) in [
        (Pace::Closed(usual), Algorithm::Es256, Variety::New),
        (Pace::Closed(usual), Algorithm::Rs256, Variety::One),
        (Pace::Closed(usual), Algorithm::Rs256, Variety::Many),
        (Pace::Closed(usual), Algorithm::Rs256, Variety::New),
        (Pace::Open, Algorithm::Es256, Variety::One),
        (Pace::Open, Algorithm::Es256, Variety::Many),
    ] {
        all.push(load(pace, algorithm, variety, Outcome::Allowed));
    }
    all.push(load(
        Pace::Open,
        Algorithm::Es256,
        Variety::One,
        Outcome::Denied,
    ));
    all
}
