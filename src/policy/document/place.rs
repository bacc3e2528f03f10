//! `where`: networks, countries and devices.

use std::sync::Arc;

use crate::authz::{Where, canonical_network};
use crate::yaml::{Fields, Findings, Node, list, network, string};

use super::belonging::finish;
use super::block::open;
use super::values::read_facts;

pub(super) fn read_where(node: &Node, findings: &mut Findings) -> Option<Where> {
    let mut fields = open(node, "`where`", findings)?;
    let mut place = where_fields(&mut fields, findings);
    let not = fields.optional("not", findings, |node, findings| {
        let mut fields = open(node, "`not`", findings)?;
        let place = where_fields(&mut fields, findings);
        finish(fields, "where", findings);
        Some(place)
    });
    finish(fields, "where", findings);
    place.not = not.map(Box::new);
    Some(place)
}

fn where_fields(fields: &mut Fields<'_>, findings: &mut Findings) -> Where {
    let device = fields.optional("device", findings, |node, findings| {
        read_facts(node, "`device`", findings)
    });
    Where {
        networks: fields.optional("networks", findings, read_networks),
        countries: fields.optional("countries", findings, |node, findings| {
            list(node, findings, read_country).map(Box::from)
        }),
        device: device.unwrap_or_default(),
        not: None,
    }
}

fn read_country(node: &Node, findings: &mut Findings) -> Option<Arc<str>> {
    let text = string(node, findings)?;
    let good = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    if !good {
        let help = "two capital letters of ISO 3166-1, such as `DE`";
        findings.error(node, format!("`{text}` is not a country"), help);
    }
    good.then(|| text.into())
}

fn read_networks(node: &Node, findings: &mut Findings) -> Option<Box<[ipnet::IpNet]>> {
    let networks = list(node, findings, network)?;
    Some(networks.into_iter().map(canonical_network).collect())
}
