//! `fetch`: how outbound HTTP requests are made.

use serde_json::{Value, json};

use super::reader::ConfigReader;
use crate::fetch::{
    Exception, FetchSettings, InvalidException, InvalidProxy, ProxySettings, proxy_url,
};
use crate::yaml::{self, Fields, Findings, Node};

impl ConfigReader<'_> {
    /// Reads `fetch`.
    pub(super) fn fetch(self, node: &Node, findings: &mut Findings) -> Option<FetchSettings> {
        let Some(mut fields) = Fields::open(node, "`fetch`", findings) else {
            findings.hide(node);
            return None;
        };
        let url = fields.node_of("proxy");
        let exceptions = fields.node_of("no_proxy");
        let ca_file = fields.optional("ca_file", findings, yaml::string);
        fields.finish(findings);
        if let (None, Some(node)) = (url, exceptions) {
            let help = "without a `proxy` every host is reached directly";
            findings.error(node, "`no_proxy` excepts from nothing", help);
        }
        let url = url.map(|node| proxy(node, findings));
        let exceptions = exceptions.map(|node| yaml::list(node, findings, exception));
        let proxy = match url {
            None => None,
            Some(url) => Some(ProxySettings {
                url: url?,
                exceptions: exceptions.unwrap_or_else(|| Some(Vec::new()))?,
            }),
        };
        Some(FetchSettings {
            proxy,
            ca_file: ca_file.map(|path| self.path(&path)),
        })
    }
}

/// How the effective configuration has it.
pub(super) fn shown(settings: &FetchSettings) -> Value {
    let FetchSettings { proxy, ca_file } = settings;
    let no_proxy = proxy.as_ref().map(|ProxySettings { url: _, exceptions }| {
        let texts: Vec<String> = exceptions.iter().map(ToString::to_string).collect();
        texts
    });
    json!({
        "proxy": proxy.as_ref().map(ProxySettings::text),
        "no_proxy": no_proxy.filter(|texts| !texts.is_empty()),
        "ca_file": ca_file,
    })
}

fn proxy(node: &Node, findings: &mut Findings) -> Option<url::Url> {
    let Some(text) = yaml::string(node, findings) else {
        findings.hide(node);
        return None;
    };
    match proxy_url(&text) {
        Ok(url) => Some(url),
        Err(error) => {
            let help = match error {
                InvalidProxy::Credentials => {
                    "use a proxy that needs none: this file is no place for a secret"
                }
                InvalidProxy::Shape => "`http://host:port` or `https://host:port`, and no more",
            };
            // It may hold a password, however wrong the rest is.
            findings.hide(node);
            findings.error(node, error.to_string(), help);
            None
        }
    }
}

fn exception(node: &Node, findings: &mut Findings) -> Option<Exception> {
    let text = yaml::string(node, findings)?;
    match text.parse() {
        Ok(exception) => Some(exception),
        Err(error) => {
            let help = match error {
                InvalidException::Shape => {
                    "`host.example`, `.example` for every name below it, an address, or a network \
                     such as `10.0.0.0/8`"
                }
                InvalidException::HostBits => "zeros behind the prefix, as in `10.0.0.0/8`",
            };
            if text.contains('@') {
                // The URL of a proxy with a password, put here.
                findings.hide(node);
                findings.error(node, format!("it is {error}"), help);
            } else {
                findings.error(node, format!("`{text}` is {error}"), help);
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::decode;

    /// Wherever the URL of a proxy was put by mistake.
    #[test]
    fn a_password_is_not_repeated() {
        const URL: &str = "http://user:hush@proxy.test";
        for written in [
            format!("{{proxy: '{URL}'}}"),
            format!("{{proxy: ['{URL}']}}"),
            format!("{{proxy: {{url: '{URL}'}}}}"),
            format!("'{URL}'"),
            format!("['{URL}']"),
            format!("{{proxy: 'http://proxy.test', no_proxy: ['{URL}']}}"),
        ] {
            let text = format!("fetch: {written}\n");
            let findings = decode("c".to_owned(), text, Path::new("")).unwrap_err();
            let shown = findings.render(false) + &findings.first_lines(100).join("\n");
            assert!(shown.contains("c:1:"), "{shown}");
            assert!(!shown.contains("hush"), "{shown}");
        }
    }
}
