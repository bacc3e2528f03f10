//! `mcp-authz explain`: one decision, rule by rule.

mod decided_by;
mod formats;
mod recorded;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::load;
use super::outcome::{Stop, print};
use crate::authz::{self, AccessRequest, Evaluation, Explanation, Match};
use crate::policy::matrix::shown;
use crate::policy::testing::{self, NamedDecision, SampleAsk, Unasked, effect_name, match_name};

/// Decide one request step by step, or one that is recorded
#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Ask the candidate policy
    #[arg(long)]
    candidate: bool,
    /// When the request takes place if it does not say, as RFC 3339; by default now
    #[arg(
        long,
        value_name = "TIME",
        value_parser = load::read_moment,
        conflicts_with = "decision"
    )]
    at: Option<Timestamp>,
    /// A recorded decision, to be judged again at its own moment
    #[arg(long, value_name = "ID", requires = "audit")]
    decision: Option<String>,
    /// Where it is recorded
    #[arg(long, value_name = "AUDIT", num_args = 1.., requires = "decision")]
    audit: Vec<PathBuf>,
    /// Ask another policy about it: a file, a directory, a glob, or `git:REVISION:PATH`
    #[arg(
        long,
        value_name = "POLICY",
        requires = "decision",
        conflicts_with = "candidate"
    )]
    policy: Option<String>,
    /// The output format of a recorded decision
    #[arg(long, value_enum, default_value_t = ExplainFormat::Text, requires = "decision")]
    format: ExplainFormat,
    /// The request, as in a policy test
    #[arg(
        value_name = "REQUEST.yaml",
        required_unless_present = "decision",
        conflicts_with = "decision"
    )]
    request: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExplainFormat {
    Text,
    Json,
}

pub(super) fn run(arguments: &ExplainArguments) -> Result<ExitCode, Stop> {
    let ExplainArguments {
        config,
        candidate,
        at,
        decision,
        audit,
        policy,
        format,
        request,
    } = arguments;
    let which = load::Which::of(*candidate);
    match (decision, request) {
        (Some(decision), _) => recorded::run(&recorded::Asked {
            config,
            which,
            policy: policy.as_deref(),
            decision,
            audit,
            is_json: *format == ExplainFormat::Json,
        }),
        (None, Some(request)) => explain(config, which, *at, request),
        (None, None) => Err(Stop::Failed("there is no request".to_owned())),
    }
}

fn explain(
    config: &Path,
    which: load::Which,
    at: Option<Timestamp>,
    request: &Path,
) -> Result<ExitCode, Stop> {
    let mut loaded = load::load(config, which)?;
    loaded.samples.at = Some(load::moment(at));
    let source = load::read(request)?;
    let sample = testing::read_request(source, &loaded.samples).map_err(Stop::Findings)?;
    if let SampleAsk::List(_) = sample.ask {
        return Err(Stop::Failed(
            "a list is not one decision; explain a call".to_owned(),
        ));
    }
    let explained = sample.ask_all(&loaded.policy, |all, fault| {
        let parts: Vec<String> = all
            .iter()
            .map(|request| {
                let mut explanation = authz::explain(&loaded.policy, request);
                let evaluation = explanation.evaluation;
                explanation.evaluation = Evaluation {
                    decision: sample.settle(evaluation.decision),
                    ..evaluation
                };
                narrate(&head(request), &explanation)
            })
            .collect();
        let mut text = parts.join("\n");
        if let Some(fault) = fault {
            let fault = testing::narrate_fault(fault);
            // Writing to a string cannot fail.
            let _ok = write!(text, "\n{fault}\n");
        }
        (text, all.len() > 1 || fault.is_some())
    });
    let at = format!(
        "at {}, policy revision {}\n",
        sample.at,
        loaded.policy.revision()
    );
    let text = match explained {
        Ok((text, false)) => text,
        Ok((mut text, true)) => {
            let whole = sample.decide(&loaded.policy);
            let whole = whole.map_err(|error| Stop::Failed(error.to_string()))?;
            let named = NamedDecision::of(&whole.decision);
            // Writing to a string cannot fail.
            let _ok = write!(text, "\nthe whole call: {named}\n");
            text
        }
        Err(Unasked::Rejected(why)) => {
            format!("reject: {why}\nno rule is asked about such a request\n")
        }
        Err(error @ Unasked::Several(_)) => return Err(Stop::Failed(error.to_string())),
    };
    print(&format!("{at}{text}"), loaded.status(0))
}

/// Who asks for what.
fn head(request: &AccessRequest<'_>) -> String {
    let name = request.resource.name();
    let what = name.map_or_else(String::new, |name| format!(" `{}`", name.escape_debug()));
    let who = request.subject.id.escape_debug();
    let method = request.action.method.escape_debug();
    format!("{who} asks {} for {method}{what}", request.server)
}

fn narrate(head: &str, explanation: &Explanation) -> String {
    let evaluation = &explanation.evaluation;
    let mut text = format!("{head}\n");
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    if let Some(class) = &evaluation.class {
        line(&format!("class: {class}"));
    }
    line("");
    for rule in &explanation.rules {
        let decisive = evaluation.rules.contains(&rule.id);
        let mark = if decisive { "=>" } else { "  " };
        let colour = match rule.found {
            Match::Yes => "32",
            Match::No => "2",
            Match::Indeterminate | Match::Unknown => "33",
        };
        let (effect, found) = (effect_name(&rule.effect), match_name(rule.found));
        line(&format!(
            "{mark} {} ({effect}): \u{1b}[{colour}m{found}\u{1b}[0m",
            rule.id
        ));
        for said in rule
            .about
            .origin()
            .iter()
            .map(String::as_str)
            .chain(rule.about.description.as_deref())
        {
            line(&format!("     # {}", shown(said)));
        }
        for selector in &rule.selectors {
            let sign = match selector.found {
                Match::Yes => "+",
                Match::No => "-",
                Match::Indeterminate | Match::Unknown => "?",
            };
            let found = testing::narrate_selector(selector);
            line(&format!("     {sign} {}: {found}", selector.name));
        }
    }
    let named = NamedDecision::of(&evaluation.decision);
    let mut last = format!("\n{named}");
    if !evaluation.rules.is_empty() {
        // Writing to a string cannot fail.
        let _ok = write!(last, " by {}", evaluation.rules.join(", "));
    }
    if !named.scopes.is_empty() {
        let _ok = write!(last, "; asks for the scopes {}", named.scopes.join(" "));
    }
    line(&last);
    text
}
