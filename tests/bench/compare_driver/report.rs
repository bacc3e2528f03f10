//! The figures of a run: medians over its rounds, as tables and as JSON.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::Arguments;
use crate::plan::Load;
use crate::slice::Sample;
use crate::usage;
use crate::variant::Variant;

/// How busy the load's own core may be, in percent, before figures are said to be limited by it.
const LOAD_CORE_BUSY: f64 = 90.0;

/// How much of a core others may have, in percent, before figures are said to be disturbed.
const DISTURBED: f64 = 5.0;

/// What is known so far.
#[derive(Debug)]
pub(crate) struct Report {
    machine: String,
    envoy: String,
    rounds: usize,
    seconds: f64,
    /// Of the open loop, if there is one.
    pub(crate) rate: Option<u32>,
    access_log: bool,
    cells: Vec<Cell>,
    ends: Vec<End>,
    described: Vec<String>,
}

/// What is seen of a variant at the end of a round.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) variant: Variant,
    /// Resident memory.
    pub(crate) envoy_kib: u64,
    pub(crate) authorizer_kib: Option<u64>,
    pub(crate) audit_lost: u64,
}

/// One load on one variant.
#[derive(Debug)]
struct Cell {
    load: Load,
    variant: Variant,
    rounds: Vec<Figures>,
}

/// What is told of a slice, or of the medians of several.
#[derive(Debug, Clone, Copy)]
struct Figures {
    /// Requests per second.
    throughput: f64,
    /// Microseconds.
    p50: f64,
    p99: f64,
    /// Microseconds of a core per request.
    envoy: f64,
    authorizer: f64,
    driver: f64,
    /// How busy the core of the load generator and the upstream was, in percent.
    load_core: f64,
    /// How much others had of the core of which they had more, in percent.
    others: f64,
    wrong: u64,
}

impl Report {
    pub(crate) fn new(arguments: &Arguments) -> Result<Self> {
        Ok(Self {
            machine: usage::machine(),
            envoy: envoy_version(arguments)?,
            rounds: arguments.rounds,
            seconds: arguments.seconds,
            rate: None,
            access_log: !arguments.no_access_log,
            cells: Vec::new(),
            ends: Vec::new(),
            described: Vec::new(),
        })
    }

    /// Adds what one slice has shown.
    pub(crate) fn add(&mut self, load: Load, variant: Variant, sample: &Sample) {
        let name = load.name();
        let describe = |what: &String| format!("{}, {name}: {what}", variant.name());
        self.described.extend(sample.described.iter().map(describe));
        let figures = Figures::of(sample);
        let same = |cell: &&mut Cell| cell.load == load && cell.variant == variant;
        if let Some(cell) = self.cells.iter_mut().find(same) {
            cell.rounds.push(figures);
        } else {
            self.cells.push(Cell {
                load,
                variant,
                rounds: vec![figures],
            });
        }
    }

    /// Adds what is seen at the end of a round: sizes are those of the last one.
    pub(crate) fn add_end(&mut self, mut end: End) {
        let same = |other: &&mut End| other.variant == end.variant;
        match self.ends.iter_mut().find(same) {
            Some(earlier) => {
                end.audit_lost = end.audit_lost.saturating_add(earlier.audit_lost);
                *earlier = end;
            }
            None => self.ends.push(end),
        }
    }

    /// Prints the tables and writes the JSON. The exit status is 1 if an answer was wrong.
    pub(crate) fn publish(mut self, path: &Path) -> Result<ExitCode> {
        self.cells.sort_by_key(|cell| cell.variant);
        println!("{}", self.tables()?);
        let json = serde_json::to_string_pretty(&self.json())?;
        let cannot = || format!("cannot write `{}`", path.display());
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(cannot)?;
        }
        std::fs::write(path, json + "\n").with_context(cannot)?;
        println!("the same as JSON: {}", path.display());
        let wrong: u64 = self.cells.iter().map(|cell| cell.median().wrong).sum();
        let lost: u64 = self.ends.iter().map(|end| end.audit_lost).sum();
        if wrong == 0 && lost == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        println!("\n{lost} audit records were lost");
        println!("{wrong} answers were not the ones to be had:");
        for one in &self.described {
            println!("  {one}");
        }
        Ok(ExitCode::FAILURE)
    }

    /// The loads in the order in which they were measured.
    fn loads(&self) -> Vec<Load> {
        let mut loads: Vec<Load> = Vec::new();
        for cell in &self.cells {
            if !loads.contains(&cell.load) {
                loads.push(cell.load);
            }
        }
        loads
    }

    /// The cells of a load, each with its medians.
    fn row(&self, load: Load) -> Vec<(Variant, Figures)> {
        let of_load = |cell: &&Cell| cell.load == load;
        let medians = |cell: &Cell| (cell.variant, cell.median());
        self.cells.iter().filter(of_load).map(medians).collect()
    }

    fn tables(&self) -> Result<String> {
        let mut text = String::new();
        writeln!(text, "{}; Envoy {}", self.machine, self.envoy)?;
        writeln!(
            text,
            "Medians over rounds: {} of {} s each.",
            self.rounds, self.seconds
        )?;
        if let Some(rate) = self.rate {
            writeln!(text, "The open loop has {rate} requests per second.")?;
        }
        writeln!(text, "{LEGEND}")?;
        for load in self.loads() {
            writeln!(text, "\n{}", load.name())?;
            writeln!(text, "{HEADINGS}")?;
            let row = self.row(load);
            for (variant, figures) in &row {
                write_line(&mut text, &row, *variant, figures)?;
            }
        }
        writeln!(
            text,
            "\nResident memory at the end, MiB       Envoy  authorizer"
        )?;
        for end in &self.ends {
            let kib = end.authorizer_kib;
            let authorizer = kib.map_or(String::new(), |kib| (kib / 1024).to_string());
            let (name, envoy) = (end.variant.name(), end.envoy_kib / 1024);
            writeln!(text, "  {name:<34} {envoy:>5}  {authorizer:>10}")?;
        }
        Ok(text)
    }

    fn json(&self) -> Value {
        let loads = self.loads();
        let loads: Vec<_> = loads.into_iter().map(|load| self.load_json(load)).collect();
        let ends = self.ends.iter().map(|end| {
            json!({
                "variant": end.variant.slug(), "envoy_kib": end.envoy_kib,
                "authorizer_kib": end.authorizer_kib, "audit_lost": end.audit_lost,
            })
        });
        json!({
            "machine": self.machine, "envoy": self.envoy, "rounds": self.rounds, "seconds": self.seconds, "open_rate": self.rate,
            "access_log": self.access_log, "loads": loads,
            "at_the_end": ends.collect::<Vec<_>>(), "wrong": self.described,
        })
    }

    fn load_json(&self, load: Load) -> Value {
        let row = self.row(load);
        let stock = figures_of(&row, Variant::NoopStock);
        let lean = figures_of(&row, Variant::NoopLean);
        let of_load = |cell: &&Cell| cell.load == load;
        let variants = self.cells.iter().filter(of_load).map(|cell| {
            let median = cell.median();
            let rounds: Vec<_> = cell.rounds.iter().map(Figures::json).collect();
            json!({
                "variant": cell.variant.slug(), "median": median.json(),
                "ratios": {
                    "throughput_to_stock": ratio(&median, stock, |one| one.throughput),
                    "throughput_to_lean": ratio(&median, lean, |one| one.throughput),
                    "p50_to_stock": ratio(&median, stock, |one| one.p50),
                    "p99_to_stock": ratio(&median, stock, |one| one.p99),
                    "cpu_to_stock": ratio(&median, stock, |one| one.envoy + one.authorizer),
                },
                "rounds": rounds,
            })
        });
        json!({"load": load.name(), "variants": variants.collect::<Vec<_>>()})
    }
}

/// What the columns are.
const LEGEND: &str = "\
Latencies in microseconds; CPU in microseconds of a core per request; each ratio is to the stock
no-op, `lean` to the lean one. `load core` is how busy load generator and upstream were, `others`
how much of one of the two cores anything else had.";

const HEADINGS: &str = "                              req/s  ratio   lean      p50     p99  ratio  CPU: Envoy  authz    sum  load core  others";

fn write_line(
    text: &mut String,
    row: &[(Variant, Figures)],
    variant: Variant,
    figures: &Figures,
) -> Result<()> {
    let stock = figures_of(row, Variant::NoopStock);
    let lean = figures_of(row, Variant::NoopLean);
    let Figures {
        throughput,
        p50,
        p99,
        envoy,
        authorizer,
        load_core,
        others,
        ..
    } = figures;
    write!(text, "  {} {:<24}", variant.letter(), variant.name())?;
    write!(
        text,
        "{throughput:>8.0}  {:>5}  {:>5}",
        shown(ratio(figures, stock, |one| one.throughput)),
        shown(ratio(figures, lean, |one| one.throughput)),
    )?;
    write!(
        text,
        "  {p50:>7.0} {p99:>7.0}  {:>5}",
        shown(ratio(figures, stock, |one| one.p99)),
    )?;
    write!(
        text,
        "  {envoy:>10.1}  {authorizer:>5.1}  {:>5.1}  {load_core:>7.0} %  {others:>4.0} %",
        envoy + authorizer
    )?;
    let remark = if *others > DISTURBED {
        "  disturbed"
    } else if *load_core > LOAD_CORE_BUSY {
        "  limited by the load's core"
    } else {
        ""
    };
    writeln!(text, "{remark}")?;
    Ok(())
}

/// The version that Envoy says it is.
fn envoy_version(arguments: &Arguments) -> Result<String> {
    let envoy = arguments.envoy.as_ref().context("no Envoy is given")?;
    let output = Command::new(envoy).arg("--version").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    // `PATH  version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL`
    let version = text.split_once("version: ");
    let version = version.and_then(|(_, version)| version.split('/').nth(1));
    Ok(version.unwrap_or("of unknown version").to_owned())
}

impl Cell {
    fn median(&self) -> Figures {
        let of = |field: fn(&Figures) -> f64| median(self.rounds.iter().map(field).collect());
        Figures {
            throughput: of(|one| one.throughput),
            p50: of(|one| one.p50),
            p99: of(|one| one.p99),
            envoy: of(|one| one.envoy),
            authorizer: of(|one| one.authorizer),
            driver: of(|one| one.driver),
            load_core: of(|one| one.load_core),
            others: of(|one| one.others),
            wrong: self.rounds.iter().map(|one| one.wrong).sum(),
        }
    }
}

impl Figures {
    fn of(sample: &Sample) -> Self {
        let done = float(sample.latencies.len() as u64);
        let each = |nanos: u64| float(nanos) / done.max(1.0) / 1e3;
        let elapsed = sample.elapsed.as_secs_f64();
        Self {
            throughput: done / elapsed,
            p50: percentile(&sample.latencies, 50),
            p99: percentile(&sample.latencies, 99),
            envoy: each(sample.envoy),
            authorizer: each(sample.authorizer),
            driver: each(sample.driver),
            load_core: float(sample.driver) / elapsed / 1e7,
            others: float(sample.others) / elapsed / 1e7,
            wrong: sample.wrong,
        }
    }

    fn json(&self) -> Value {
        json!({
            "throughput": rounded(self.throughput), "p50_us": rounded(self.p50),
            "p99_us": rounded(self.p99),
            "cpu_us": {
                "envoy": rounded(self.envoy), "authorizer": rounded(self.authorizer),
                "driver": rounded(self.driver),
            },
            "load_core_percent": rounded(self.load_core),
            "others_percent": rounded(self.others), "wrong": self.wrong,
        })
    }
}

fn figures_of(row: &[(Variant, Figures)], variant: Variant) -> Option<&Figures> {
    let found = row.iter().find(|(one, _)| *one == variant);
    found.map(|(_, figures)| figures)
}

/// A figure in relation to that of a no-op, where there is one.
fn ratio(figures: &Figures, to: Option<&Figures>, field: fn(&Figures) -> f64) -> Option<f64> {
    let to = field(to?);
    (to > 0.0).then(|| field(figures) / to)
}

fn shown(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"))
}

/// To a hundredth, which is more than the figures are good for.
fn rounded(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

/// The median; the mean of both in the middle of an even number.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let upper = figures.len() / 2;
    let lower = figures.len().saturating_sub(1) / 2;
    let at = |index: usize| figures.get(index).copied().unwrap_or(0.0);
    f64::midpoint(at(lower), at(upper))
}

/// A percentile of sorted nanoseconds by the nearest rank, in microseconds.
fn percentile(sorted: &[u64], percent: usize) -> f64 {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100);
    let nanos = sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0);
    float(nanos) / 1e3
}

/// A number of a run.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts and nanoseconds of a run are far below 2^53"
)]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}
