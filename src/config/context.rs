//! What the service may know beyond the request: `purpose`, `device`, `geoip`, `peers`.

use crate::check::PurposeSettings;
use crate::yaml::{self, Fields, Findings, Node};

pub(super) fn purpose(node: &Node, findings: &mut Findings) -> Option<PurposeSettings> {
    let mut fields = Fields::open(node, "`purpose`", findings)?;
    let header = fields.optional("header", findings, header_name);
    let meta = fields.optional("meta", findings, yaml::string);
    fields.finish(findings);
    if header.is_none() && meta.is_none() && !findings.has_errors() {
        let help = "`header` names a header, `meta` a key of `_meta`";
        findings.error(node, "`purpose` says nothing", help);
    }
    Some(PurposeSettings { header, meta })
}

/// The name of a header that clients or proxies may send.
fn header_name(node: &Node, findings: &mut Findings) -> Option<String> {
    let text = yaml::string(node, findings)?;
    let name = text.to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.bytes().all(plain) {
        return Some(name);
    }
    let help = "letters, digits, `-` and `_`";
    findings.error(node, format!("`{text}` is not the name of a header"), help);
    None
}

pub(super) fn device_header(node: &Node, findings: &mut Findings) -> Option<String> {
    let mut fields = Fields::open(node, "`device`", findings)?;
    let header = fields.required("header", findings, header_name);
    fields.finish(findings);
    header
}

pub(super) fn country_db_file(node: &Node, findings: &mut Findings) -> Option<String> {
    let mut fields = Fields::open(node, "`geoip`", findings)?;
    let file = fields.required("country_db_file", findings, yaml::string);
    fields.finish(findings);
    file
}

pub(super) fn peers_ca_file(node: &Node, findings: &mut Findings) -> Option<String> {
    let mut fields = Fields::open(node, "`peers`", findings)?;
    let file = fields.required("ca_file", findings, yaml::string);
    fields.finish(findings);
    file
}
