//! The position of the filter among the others.

use super::{AuthzFilter, Report};

/// Checks of the order of filters.
pub(super) const CHECKS: [fn(&AuthzFilter<'_, '_>, &mut Report); 3] = [router, unread, preflights];

const ROUTER: &str = "router.v3.Router";

fn router(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    if gate.before().any(|filter| filter.is(ROUTER)) {
        let message =
            "the filter comes after the router, which ends the chain: no request is checked";
        report.error(
            gate.authz.filter.at,
            message,
            "put it in front of the router",
        );
    } else if !gate.behind().any(|filter| filter.is(ROUTER)) {
        let message = "no router follows, so no request is forwarded";
        let help = "`envoy.filters.http.router` as the last filter";
        report.missing(gate.authz.filter.at, message, help);
    }
}

/// Filters whose configuration Envoy gets over xDS.
fn unread(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    for filter in &gate.chain.filters {
        if let Some(source) = filter.at.get("config_discovery") {
            let message = "a filter that Envoy gets over xDS is not checked";
            report.unseen(source, message);
        }
    }
}

fn preflights(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    if let Some(filter) = gate.behind().find(|filter| filter.is("cors.v3.Cors")) {
        let message = "preflights are checked before they are answered, and are refused without \
                       a token";
        report.warn(
            filter.at,
            message,
            "put the cors filter in front of ext_authz",
        );
    }
}
