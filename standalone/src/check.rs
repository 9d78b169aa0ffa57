//! `--check-config`: what both planes look at.

use crate::args::Args;
use crate::settings::{Settings, Touch};
use anyhow::Result;
use bedrock_sim::Sim;
use ccag_doctor::checks::CONFIGURATION;
use ccag_doctor::place::listen;
use ccag_doctor::{Finding, Report};
use std::net::SocketAddr;

/// Looks at everything.
///
/// # Errors
/// If the simulator that `--simulate` asks for cannot be started.
pub(crate) async fn run(args: &Args) -> Result<Report> {
    let address = SocketAddr::new(args.host, args.port);
    let mut findings = vec![listen("PROXY_HOST and PROXY_PORT", address).await];
    let settings = match Settings::load(args, address, Touch::Nothing) {
        Ok(settings) => settings,
        Err(error) => {
            let advice = "correct it; docs/configuration.md has every variable";
            findings.push(CONFIGURATION.fault("the configuration", format!("{error:#}"), advice));
            return Ok(Report::new(findings));
        }
    };
    findings.push(CONFIGURATION.ok("the configuration", "it is valid"));
    if let Some(address) = settings.ops_listen {
        findings.push(listen("CCAG_OPS_LISTEN", address).await);
    }
    let sim = match args.simulate {
        true => Some(Sim::builder().log_capacity(0).start().await?),
        false => None,
    };
    let (control, data) = (
        settings.control_plane(sim.as_ref()),
        settings.data_plane_alone(sim.as_ref()),
    );
    let (of_control, of_data): (Vec<Finding>, Vec<Finding>) = tokio::join!(
        Box::pin(ccag_controlplane::check::look(&control)),
        Box::pin(ccag_dataplane::check::look(&data)),
    );
    for finding in of_control.into_iter().chain(of_data) {
        // Both planes call AWS with the same credentials.
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    if let Some(sim) = sim {
        sim.shutdown().await;
    }
    Ok(Report::new(findings))
}
