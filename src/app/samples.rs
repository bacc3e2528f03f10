//! What is known of the tokens of each issuer before one comes: its provider's recipe, and a sample.
//! A sample is looked at here alone, and nothing that decides about a request believes it.

use std::collections::BTreeMap;

use crate::authn::{ClaimSettings, IssuerSettings};
use crate::config::{Inspection, UNKNOWN_CLAIM};
use crate::file;
use crate::policy::{ClaimSample, IssuerClaims};
use crate::yaml::{Data, Findings, Node, silence_of};

/// The most bytes of a sample.
const BYTES_MAX: u64 = 1 << 20;
/// The key of the file.
const KEY: &str = "sample_claims_file";

/// Reads the samples of issuers, and finds what the configuration reads and they do not have.
#[must_use]
pub fn issuer_claims(inspection: &mut Inspection) -> BTreeMap<String, IssuerClaims> {
    let mut all = BTreeMap::new();
    let Some(config) = &inspection.config else {
        return all;
    };
    let root = inspection.tree.as_ref();
    let issuers = root.and_then(|root| root.member("issuers"));
    let nodes = issuers.map_or(&[][..], Node::items);
    for (settings, node) in config.authn.issuers.iter().zip(nodes) {
        let sample = sample(settings, node, &mut inspection.findings);
        if let Some(sample) = &sample
            && !silence_of(node).contains(&UNKNOWN_CLAIM)
        {
            look_at_mapping(node, sample, &mut inspection.findings);
        }
        let known = IssuerClaims {
            has_agent: has_agent(settings, sample.as_ref()),
            has_tenant: has_tenant(settings, sample.as_ref()),
            sample,
        };
        all.extend(
            settings
                .names()
                .into_iter()
                .map(|name| (name, known.clone())),
        );
    }
    all
}

fn sample(
    settings: &IssuerSettings,
    issuer: &Node,
    findings: &mut Findings,
) -> Option<ClaimSample> {
    let path = settings.sample_claims_file.as_ref()?;
    let node = issuer.member(KEY)?;
    let text = file::read_text(path, BYTES_MAX).map_err(|error| error.to_string());
    match text.and_then(|text| ClaimSample::read(&text)) {
        Ok(sample) => {
            look_at_name(settings, node, &sample, findings);
            Some(sample)
        }
        Err(error) => {
            let message = format!("the sample `{}` cannot be used: {error}", path.display());
            let help = "the claims of a token as a JSON object, such as `{\"iss\": …, \"sub\": …}`";
            findings.error(node, message, help);
            None
        }
    }
}

/// A sample of another issuer says nothing, and often it is this one's name that is misspelt.
fn look_at_name(
    settings: &IssuerSettings,
    node: &Node,
    sample: &ClaimSample,
    findings: &mut Findings,
) {
    let names = settings.names();
    let other = sample
        .text("iss")
        .filter(|iss| !names.iter().any(|name| name == iss));
    if let Some(iss) = other {
        let message = format!(
            "the sample is of `{iss}`, and this issuer is called `{}`",
            settings.issuer
        );
        let help = format!("its tokens would be refused as `unknown_issuer`: `issuer: {iss}`");
        findings.error(node, message, help);
    }
}

/// The claims that the configuration names, each held against the sample.
fn look_at_mapping(issuer: &Node, sample: &ClaimSample, findings: &mut Findings) {
    if let Some(Data::Map(entries)) = issuer.member("claims").map(|node| &node.data) {
        for (_, value) in entries {
            let united = value.member("any").map_or(&[][..], Node::items);
            let first = value.items();
            let one = Some(value).filter(|node| node.as_str().is_some());
            for group in united.iter().map(std::slice::from_ref).chain([first]) {
                look_at_paths(group.iter(), sample, findings);
            }
            look_at_paths(one.into_iter(), sample, findings);
        }
    }
    if let Some(Data::Map(entries)) = issuer.member("required_claims").map(|node| &node.data) {
        for (key, _) in entries {
            look_at_paths(std::iter::once(key), sample, findings);
        }
    }
}

/// Paths of which one has to be there.
fn look_at_paths<'n>(
    paths: impl Iterator<Item = &'n Node>,
    sample: &ClaimSample,
    findings: &mut Findings,
) {
    let paths: Vec<(&Node, &str)> = paths
        .filter_map(|node| Some((node, node.as_str()?)))
        .collect();
    if paths.iter().any(|(_, path)| sample.has(path)) {
        return;
    }
    if let Some((node, path)) = paths.first() {
        let message = format!("the sample token has no claim `{path}`");
        findings.lint(node, UNKNOWN_CLAIM, message, sample.help(path));
    }
}

fn has_agent(settings: &IssuerSettings, sample: Option<&ClaimSample>) -> bool {
    let paths = &settings.claims.agent;
    let of_recipe = settings.provider.is_some() && *paths != ClaimSettings::default().agent;
    of_recipe || is_given(paths, settings, sample)
}

fn has_tenant(settings: &IssuerSettings, sample: Option<&ClaimSample>) -> bool {
    !settings.tenants.is_empty() || is_given(&settings.claims.tenant, settings, sample)
}

/// Whether each token has one of some claims, as far as is known.
fn is_given(paths: &[String], settings: &IssuerSettings, sample: Option<&ClaimSample>) -> bool {
    let is_required = |path: &String| {
        let mut required = settings.required_claims.iter();
        required.any(|claim| claim.path == *path)
    };
    let has = |path: &String| sample.is_some_and(|sample| sample.has(path));
    paths.iter().any(|path| is_required(path) || has(path))
}
