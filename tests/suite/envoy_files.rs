//! What `validate --envoy` finds in configurations of Envoy.
#![expect(clippy::string_slice, reason = "the texts are ASCII")]

use std::fs;
use std::path::{Path, PathBuf};

use mcp_authz::envoy::bootstrap::{self, Expected};
use mcp_authz::envoy::check_request::ClientAddress;
use mcp_authz::yaml::{self, Findings, Node, Severity, Source};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn shipped() -> String {
    fs::read_to_string(root().join("envoy/envoy.yaml")).unwrap()
}

fn expected() -> Expected {
    Expected {
        listen: "127.0.0.1:9001".parse().unwrap(),
        servers: vec!["notes".to_owned()],
        string_body: false,
        body_bytes_max: 1 << 20,
        headers_max: 96,
        header_bytes_max: 60 << 10,
        streams_max: 1024,
        peers: false,
        client_address: ClientAddress::Peer,
        set_headers: Vec::new(),
    }
}

fn inspect(name: &str, text: String, expected: &Expected) -> Findings {
    let source = Source {
        name: name.to_owned(),
        text,
    };
    let none = |path: &Path| panic!("{} is asked for", path.display());
    bootstrap::inspect(vec![source], Some(expected), &none)
}

/// Where a finding stands and what it says.
fn lines(findings: &Findings) -> String {
    findings.to_lines().join("\n")
}

#[test]
fn the_shipped_file_has_none() {
    let findings = inspect("envoy.yaml", shipped(), &expected());
    assert_eq!(lines(&findings), "");
    let without = bootstrap::inspect(
        vec![Source {
            name: "envoy.yaml".to_owned(),
            text: shipped(),
        }],
        None,
        &|_| panic!(),
    );
    assert_eq!(lines(&without), "");
}

fn text_of<'n>(row: &'n Node, key: &str) -> Option<&'n str> {
    row.member(key).and_then(Node::as_str)
}

/// The shipped file with the changes of a row.
fn changed(row: &Node) -> String {
    let mut text = shipped();
    for (from, to) in [("replace", "with"), ("replace_too", "with_too")] {
        if let Some(from) = text_of(row, from) {
            assert!(text.contains(from), "not in envoy.yaml: {from}");
            text = text.replacen(from, text_of(row, to).unwrap_or_default(), 1);
        }
    }
    assert_ne!(text, shipped());
    text
}

#[test]
fn each_mistake_is_found_where_it_stands() {
    let mut sources = Findings::new();
    let id = sources.add_source(Source {
        name: "envoy-mistakes.yaml".to_owned(),
        text: fs::read_to_string(root().join("tests/data/envoy-mistakes.yaml")).unwrap(),
    });
    let tree = yaml::parse(id, &mut sources).unwrap_or_else(|| panic!("{}", lines(&sources)));
    let rows = tree.member("rows").unwrap().items();
    assert!(rows.len() > 90);
    let mut wrong = Vec::new();
    for row in rows {
        let name = text_of(row, "name").unwrap();
        let mut expected = expected();
        if row.member("servers").is_some() {
            expected.servers.push("other".to_owned());
        }
        expected.peers = row.member("peers").is_some();
        if row.member("address").is_some() {
            expected.client_address = ClientAddress::ExternalAddress;
        }
        let findings = inspect("envoy.yaml", changed(row), &expected);
        let (severity, says) = match (text_of(row, "says"), text_of(row, "warns")) {
            (Some(says), None) => (Severity::Error, says),
            (None, Some(says)) => (Severity::Warning, says),
            _ => panic!("{name}: says or warns"),
        };
        let at = text_of(row, "at").unwrap();
        let also = match row.member("also").map(|node| &node.data) {
            Some(yaml::Data::Int(also)) => usize::try_from(*also).unwrap(),
            _ => 0,
        };
        let all = findings.sorted();
        let is_it = |finding: &&&yaml::Finding| {
            let text = findings.text(finding.source);
            finding.severity == severity
                && finding.message.starts_with(says)
                && text[finding.span.start..].starts_with(at)
        };
        if all.iter().filter(is_it).count() != 1 || all.len() != also + 1 {
            wrong.push(format!("{name}:\n{}", lines(&findings)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Compares with a file beside the input, so that a change of wording is seen as one.
fn expect(name: &str, expected: &Expected) {
    let folder = root().join("tests/data/envoy-shapes");
    let text = fs::read_to_string(folder.join(name)).unwrap();
    let findings = inspect(name, text, expected);
    let stem = Path::new(name).file_stem().unwrap().to_str().unwrap();
    let wanted = fs::read_to_string(folder.join(format!("{stem}.txt"))).unwrap();
    assert_eq!(format!("{}\n", lines(&findings)), wanted, "{name}");
}

#[test]
fn what_control_planes_make_is_understood() {
    expect("istio.yaml", &expected());
    expect("envoy-gateway.json", &expected());
}

/// A bootstrap that takes listeners, routes and clusters from files, and those files.
fn in_files() -> [(&'static str, String); 4] {
    let whole = shipped();
    let (_, rest) = whole
        .split_once("static_resources:\n  listeners:\n")
        .unwrap();
    let (listeners, clusters) = rest.split_once("\n  clusters:\n").unwrap();
    let (before, routes) = listeners.split_once("          route_config:\n").unwrap();
    let (routes, after) = routes.split_once("          http_filters:\n").unwrap();
    let resource = |kind: &str, text: &str, indent: &str| {
        let kind = format!("type.googleapis.com/envoy.config.{kind}");
        let text = text.replace(
            &format!("\n{indent}- name: "),
            &format!("\n{indent}- \"@type\": {kind}\n{indent}  name: "),
        );
        format!("resources:{text}\n")
    };
    let rds = "          rds:\n            route_config_name: local\n            config_source: {path_config_source: {path: rds.yaml}}\n";
    let listeners = format!("\n{before}{rds}          http_filters:\n{after}");
    let routes = routes.lines().map(|line| line.get(10..).unwrap_or(""));
    let routes = format!("\n{}", routes.collect::<Vec<_>>().join("\n"));
    let routes = routes.replacen("  name: local", "- name: local", 1);
    let bootstrap = "\
node: {id: one, cluster: one}
dynamic_resources:
  lds_config: {path_config_source: {path: lds.yaml}}
  cds_config: {path_config_source: {path: cds.yaml}}
layered_runtime: {layers: [{name: admin, admin_layer: {}}]}
";
    [
        ("bootstrap.yaml", bootstrap.to_owned()),
        (
            "lds.yaml",
            resource("listener.v3.Listener", &listeners, "  "),
        ),
        (
            "rds.yaml",
            resource("route.v3.RouteConfiguration", &routes, ""),
        ),
        (
            "cds.yaml",
            resource("cluster.v3.Cluster", &format!("\n{clusters}"), "  "),
        ),
    ]
}

fn inspect_files(files: &[(&str, String)]) -> String {
    let source = Source {
        name: files[0].0.to_owned(),
        text: files[0].1.clone(),
    };
    let read = |path: &Path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        let missing = || std::io::Error::other("there is none");
        found.map(|(_, text)| text.clone()).ok_or_else(missing)
    };
    lines(&bootstrap::inspect(vec![source], Some(&expected()), &read))
}

#[test]
fn files_that_a_bootstrap_names_are_read() {
    let files = in_files();
    let unseen = "bootstrap.yaml:5:28: note: overrides in this runtime layer are not checked";
    assert_eq!(inspect_files(&files), unseen);
    let mut wrong = files.clone();
    wrong[1].1 = wrong[1]
        .1
        .replace("failure_mode_allow: false", "failure_mode_allow: true");
    wrong[2].1 = wrong[2].1.replace(
        "timeout: 0s",
        "timeout: 0s\n        retry_policy: {retry_on: 5xx}",
    );
    wrong[3].1 = wrong[3].1.replace(
        "max_concurrent_streams: 200",
        "max_concurrent_streams: 4096",
    );
    let found = inspect_files(&wrong);
    for start in ["lds.yaml:", "rds.yaml:", "cds.yaml:"] {
        assert!(
            found
                .lines()
                .any(|line| line.starts_with(start) && line.contains(": error: ")),
            "{found}"
        );
    }
}

#[test]
fn a_file_that_is_not_there_is_an_error_where_it_is_named() {
    let files = in_files();
    let found = inspect_files(&files[..3]);
    let line = "bootstrap.yaml:4:43: error: cannot read the file that Envoy loads this from: there is none";
    assert!(found.contains(line), "{found}");
    let found = inspect_files(&files[..1]);
    assert!(
        found.contains("no ext_authz filter calls mcp-authz"),
        "{found}"
    );
}

#[test]
fn what_comes_over_xds_is_said_and_not_guessed() {
    let bootstrap = "\
static_resources: {}
dynamic_resources:
  ads_config: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: control}}]}
  lds_config: {ads: {}}
";
    let found = inspect("bootstrap.yaml", bootstrap.to_owned(), &expected());
    assert_eq!(
        lines(&found),
        "\
bootstrap.yaml:3:15: note: configuration that Envoy gets over xDS is not checked
bootstrap.yaml:4:15: note: listeners that Envoy gets over xDS are not checked
bootstrap.yaml:4:15: note: these files do not show whether mcp-authz is called"
    );
}

#[test]
fn filters_that_come_over_xds_are_said_and_not_guessed() {
    let whole = shipped();
    let begin = whole
        .find("          - name: envoy.filters.http.ext_authz\n            typed")
        .unwrap();
    let end = whole
        .find("          # Responses that mcp-authz has to see")
        .unwrap();
    let discovered = "          - name: envoy.filters.http.ext_authz
            config_discovery:
              config_source: {ads: {}}
              type_urls: [type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz]
";
    let http = whole.replacen(&whole[begin..end], discovered, 1);
    let network = "\
static_resources:
  listeners:
  - name: one
    filter_chains:
    - filters:
      - name: hcm
        config_discovery: {config_source: {ads: {}}, type_urls: []}
";
    for (text, says) in [
        (
            http,
            "note: these files do not show whether mcp-authz is called",
        ),
        (
            network.to_owned(),
            "envoy.yaml:7:27: note: a network filter that Envoy gets over xDS is not checked",
        ),
    ] {
        let found = inspect("envoy.yaml", text, &expected());
        assert!(!found.has_errors(), "{}", lines(&found));
        assert!(lines(&found).contains(says), "{}", lines(&found));
    }
    let (without, filter) = without_responses();
    let router = "          - name: envoy.filters.http.router\n";
    let answers = discovered.replace("ext_authz", "ext_proc");
    let text = without.replacen(router, &format!("{answers}{router}"), 1);
    let found = lines(&inspect("envoy.yaml", text, &expected()));
    assert!(filter.contains("ext_proc"));
    assert!(
        found.ends_with("note: a filter that Envoy gets over xDS is not checked"),
        "{found}"
    );
    assert_eq!(found.lines().count(), 1, "{found}");
}

#[test]
fn routes_or_clusters_alone_are_not_a_configuration_that_judges_nothing() {
    let [_, _, routes, clusters] = in_files();
    for (name, text) in [routes, clusters] {
        let found = lines(&inspect(name, text, &expected()));
        assert!(
            found.ends_with("note: these files do not show whether mcp-authz is called"),
            "{found}"
        );
        assert_eq!(found.lines().count(), 1, "{found}");
    }
}

#[test]
fn files_that_are_named_as_they_once_were_are_read() {
    let mut files = in_files();
    for file in &mut files {
        file.1 = file.1.replace("{path_config_source: {path: ", "{path: ");
        file.1 = file.1.replace(".yaml}}", ".yaml}");
    }
    assert!(files[0].1.contains("lds_config: {path: lds.yaml}\n"));
    let unseen = "bootstrap.yaml:5:28: note: overrides in this runtime layer are not checked";
    assert_eq!(inspect_files(&files), unseen);
    files[1].1 = files[1]
        .1
        .replace("failure_mode_allow: false", "failure_mode_allow: true");
    let found = inspect_files(&files);
    assert!(found.contains("lds.yaml:"), "{found}");
    assert!(
        found.contains("error: every request passes, even without a token"),
        "{found}"
    );
}

/// What the admin interface of an Envoy with the shipped configuration says, as YAML.
fn dump(kind: &str) -> String {
    let whole = shipped();
    let (_, rest) = whole
        .split_once("static_resources:\n  listeners:\n")
        .unwrap();
    let (listeners, clusters) = rest.split_once("\n  clusters:\n").unwrap();
    let deeper = |text: &str| {
        let text = text.replacen("  - name: ", "    name: ", 1);
        let lines = text.lines().map(|line| format!("      {line}\n"));
        lines.collect::<String>()
    };
    let listener = deeper(listeners);
    let second = clusters.find("  - name: mcp_server").unwrap();
    let (first, second) = (deeper(&clusters[..second]), deeper(&clusters[second..]));
    let (listeners, state, clusters) = if kind == "static" {
        ("static_listeners", "", "static_clusters")
    } else {
        (
            "dynamic_listeners",
            "active_state:\n      ",
            "dynamic_active_clusters",
        )
    };
    format!(
        "configs:
- \"@type\": type.googleapis.com/envoy.admin.v3.BootstrapConfigDump
  bootstrap: {{dynamic_resources: {{lds_config: {{path_config_source: {{path: lds.yaml}}}}}}}}
- \"@type\": type.googleapis.com/envoy.admin.v3.ClustersConfigDump
  {clusters}:
  - version_info: a
    cluster:
{first}  - version_info: a
    cluster:
{second}- \"@type\": type.googleapis.com/envoy.admin.v3.ListenersConfigDump
  {listeners}:
  - {state}listener:
{listener}"
    )
}

#[test]
fn what_a_running_envoy_says_of_itself_is_read() {
    for kind in ["static", "dynamic"] {
        let text = dump(kind);
        assert_eq!(
            lines(&inspect("config_dump.yaml", text.clone(), &expected())),
            "",
            "{kind}"
        );
        let text = text
            .replace("failure_mode_allow: false", "failure_mode_allow: true")
            .replace(
                "max_concurrent_streams: 200",
                "max_concurrent_streams: 4096",
            );
        let found = lines(&inspect("config_dump.yaml", text, &expected()));
        assert!(
            found.contains("error: every request passes, even without a token"),
            "{found}"
        );
        assert!(
            found.contains("error: Envoy opens more streams than mcp-authz accepts"),
            "{found}"
        );
    }
    let routes = "\
configs:
- \"@type\": type.googleapis.com/envoy.admin.v3.ListenersConfigDump
  dynamic_listeners: []
";
    let found = lines(&inspect("dump.yaml", routes.to_owned(), &expected()));
    assert!(
        found.contains("error: no ext_authz filter calls mcp-authz"),
        "{found}"
    );
}

/// `/config_dump?resource=static_listeners` and the like say one thing alone.
#[test]
fn a_part_of_what_a_running_envoy_says_is_read() {
    let whole = dump("static");
    let begin = whole.find("  - listener:\n").unwrap();
    let listener = whole[begin..].replacen("  - listener:", "  listener:", 1);
    let part = |kind: &str, text: &str| {
        format!("configs:\n- \"@type\": type.googleapis.com/envoy.admin.v3.{kind}\n{text}")
    };
    let fixed = part("ListenersConfigDump.StaticListener", &listener);
    let indented: Vec<String> = listener.lines().map(|line| format!("  {line}\n")).collect();
    let deeper = indented.concat();
    let dynamic = format!("  active_state:\n{deeper}");
    let dynamic = part("ListenersConfigDump.DynamicListener", &dynamic);
    for text in [fixed, dynamic] {
        let found = lines(&inspect("dump.yaml", text.clone(), &expected()));
        assert!(!found.contains(": error: "), "{found}");
        let text = text.replace("failure_mode_allow: false", "failure_mode_allow: true");
        let found = lines(&inspect("dump.yaml", text, &expected()));
        assert!(
            found.contains("error: every request passes, even without a token"),
            "{found}"
        );
    }
    let cluster = "  cluster: {name: mcp_authz}\n";
    let clusters = part("ClustersConfigDump.StaticCluster", cluster);
    let found = lines(&inspect("dump.yaml", clusters, &expected()));
    assert!(
        found.ends_with("note: these files do not show whether mcp-authz is called"),
        "{found}"
    );
}

#[test]
fn routes_of_a_running_envoy_are_looked_at() {
    let [_, (_, listeners), (_, routes), _] = in_files();
    let routes = routes.replace(
        "timeout: 0s",
        "timeout: 0s\n        retry_policy: {retry_on: 5xx}",
    );
    let routes = routes.replacen("resources:", "dynamic_route_configs:", 1);
    let routes = routes.replacen("\n- ", "\n- route_config:\n    ", 1);
    let (head, body) = routes.split_once("route_config:\n").unwrap();
    let body = body.lines().map(|line| format!("    {line}\n"));
    let routes = [head, "route_config:\n", &body.collect::<String>()].concat();
    let routes = routes.replacen("        \"@type\"", "      \"@type\"", 1);
    let listeners = listeners.replacen("resources:", "  static_listeners:", 1);
    let listeners = listeners.replacen("\n  - ", "\n  - listener:\n      ", 1);
    let (head, body) = listeners.split_once("- listener:\n").unwrap();
    let body = body.lines().map(|line| format!("  {line}\n"));
    let body = body.collect::<String>();
    let body = body.replacen("        \"@type\"", "      \"@type\"", 1);
    let listeners = [head, "- listener:\n", &body].concat();
    let routes = routes.lines().map(|line| ["  ", line, "\n"].concat());
    let routes: String = routes.collect();
    let text = format!(
        "configs:\n- \"@type\": type.googleapis.com/envoy.admin.v3.ListenersConfigDump\n{listeners}- \"@type\": type.googleapis.com/envoy.admin.v3.RoutesConfigDump\n{routes}"
    );
    let text = text.replace(
        "config_source: {path_config_source: {path: rds.yaml}}",
        "config_source: {ads: {}}",
    );
    let found = lines(&inspect("dump.yaml", text, &expected()));
    assert!(
        found.contains("one allowed call can run 2 times"),
        "{found}"
    );
}

#[test]
fn what_is_no_configuration_is_refused() {
    for text in ["", "[]", "- a\n", "a: [\n", "text"] {
        let findings = inspect("envoy.yaml", text.to_owned(), &expected());
        assert!(findings.has_errors(), "{text}");
    }
}

#[test]
fn several_filters_that_ask_different_services_are_told_apart() {
    let second = "          - name: other
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
              failure_mode_allow: true
              grpc_service: {envoy_grpc: {cluster_name: other}}
          - name: envoy.filters.http.ext_authz
            typed_config:
";
    let first = "          - name: envoy.filters.http.ext_authz\n            typed_config:\n";
    let both = shipped().replacen(first, second, 1);
    assert_eq!(lines(&inspect("envoy.yaml", both.clone(), &expected())), "");
    let unknown = both
        .replace("mcp_authz", "decisions")
        .replace("port_value: 9001", "port_value: 9999");
    let found = lines(&inspect("envoy.yaml", unknown, &expected()));
    assert_eq!(
        found.matches("there are several ext_authz filters").count(),
        2,
        "{found}"
    );
    let alone = shipped()
        .replace("mcp_authz", "decisions")
        .replace("port_value: 9001", "port_value: 9999");
    assert_eq!(lines(&inspect("envoy.yaml", alone, &expected())), "");
}

/// The shipped file, and the filter that shows answers.
fn without_responses() -> (String, String) {
    let whole = shipped();
    let begin = whole
        .find("          # Responses that mcp-authz has to see")
        .unwrap();
    let end = whole
        .find("          - name: envoy.filters.http.router")
        .unwrap();
    let filter = whole[begin..end].to_owned();
    (whole.replacen(&filter, "", 1), filter)
}

#[test]
fn responses_that_nobody_sees_are_found() {
    let (without, filter) = without_responses();
    let found = lines(&inspect("envoy.yaml", without.clone(), &expected()));
    assert!(
        found.contains("error: no ext_proc filter sends responses to mcp-authz"),
        "{found}"
    );
    let first = "          - name: envoy.filters.http.ext_authz\n";
    let early = without.replacen(first, &format!("{filter}{first}"), 1);
    let found = lines(&inspect("envoy.yaml", early, &expected()));
    assert!(
        found.contains("error: this filter comes before the decision"),
        "{found}"
    );
}

#[test]
fn an_envoy_without_the_filter_judges_nothing() {
    let whole = shipped();
    let begin = whole
        .find("          - name: envoy.filters.http.ext_authz\n            typed")
        .unwrap();
    let end = whole
        .find("          # Responses that mcp-authz has to see")
        .unwrap();
    let text = whole.replacen(&whole[begin..end], "", 1);
    let found = lines(&inspect("envoy.yaml", text, &expected()));
    assert!(
        found.contains("error: no ext_authz filter calls mcp-authz: no request is checked"),
        "{found}"
    );
}

#[test]
fn routes_are_found_wherever_a_listener_has_them() {
    let whole = shipped().replace(
        "                  timeout: 0s\n",
        "                  timeout: 0s\n                  retry_policy: {retry_on: reset}\n",
    );
    let begin = whole.find("          route_config:\n").unwrap();
    let end = whole.find("          http_filters:\n").unwrap();
    let inner = whole[begin..end].replacen("route_config:", "route_configuration:", 1);
    let inner = inner.lines().map(|line| ["        ", line, "\n"].concat());
    let inner: String = inner.collect();
    let inner = inner.replacen(
        "                  route_configuration",
        "                - route_configuration",
        1,
    );
    let scoped = format!(
        "          scoped_routes:\n            name: scopes\n            scope_key_builder: {{fragments: [{{header_value_extractor: {{name: x, element_separator: a, index: 0}}}}]}}\n            scoped_route_configurations_list:\n              scoped_route_configurations:\n{inner}                  name: one\n                  key: {{fragments: [{{string_key: a}}]}}\n"
    );
    let text = format!("{}{scoped}{}", &whole[..begin], &whole[end..]);
    let found = lines(&inspect("envoy.yaml", text, &expected()));
    assert!(
        found.contains("one allowed call can run 2 times"),
        "{found}"
    );
    // And in the listener that Envoy has for applications.
    let begin = whole.find("    filter_chains:\n").unwrap();
    let manager = whole
        .find("          \"@type\": type.googleapis.com/envoy.extensions.filters.network")
        .unwrap();
    let text = format!(
        "{}    api_listener:\n        api_listener:\n{}",
        &whole[..begin],
        &whole[manager..]
    );
    let found = lines(&inspect("envoy.yaml", text, &expected()));
    assert!(
        found.contains("one allowed call can run 2 times"),
        "{found}"
    );
}

/// Runs `validate` in the folder of the examples.
fn validate(arguments: &[&str]) -> (i32, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_mcp-authz"))
        .args(["validate", "--config", "mcp-authz.yaml"])
        .args(arguments)
        .current_dir(root().join("envoy"))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn the_command_reads_envoys_files_beside_its_own() {
    let (code, out, _) = validate(&["--envoy", "envoy.yaml", "--deny-warnings"]);
    assert_eq!((code, out.as_str()), (0, "0 error(s), 0 warning(s)\n"));
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("envoy.yaml");
    let text = shipped().replace("failure_mode_allow: false", "failure_mode_allow: true");
    fs::write(
        &wrong,
        text.replace("mcp_server: notes", "mcp_server: note"),
    )
    .unwrap();
    let (code, out, _) = validate(&["--envoy", wrong.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(
        out.contains("error: every request passes, even without a token"),
        "{out}"
    );
    assert!(out.contains("mcp-authz.yaml has no server `note`"), "{out}");
    assert!(out.contains("7 error(s), 0 warning(s)"), "{out}");
    let warned = folder.path().join("warned.yaml");
    fs::write(
        &warned,
        shipped().replace("merge_slashes: true", "merge_slashes: false"),
    )
    .unwrap();
    let warned = warned.to_str().unwrap();
    let (code, out, _) = validate(&["--envoy", warned, "--format", "json"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("\"lint\": \"envoy\""), "{out}");
    assert_eq!(validate(&["--envoy", warned, "--deny-warnings"]).0, 1);
    assert_eq!(validate(&["--envoy", "none.yaml"]).0, 2);
}
