//! Claude Code's own search request, answered by one search without asking the model.

use super::session::{Context, Ended, Sink, completed};
use super::{Wanted, call, run};
use crate::usage::{Ending, Ticket};
use ccag_domain::routing::Candidate;
use ccag_domain::{Outcome, Tokens};
use ccag_translate::search::{Merged, Next, SearchOutcome, Shortcut};
use ccag_translate::stream::{EndReason, error_event};

/// Serves the request. It owes a record if the search gave something: `candidate` is who would have been asked.
pub(crate) async fn answer_from_search(
    context: Context,
    wanted: Wanted,
    query: String,
    model_said: String,
    candidate: &Candidate,
    mut ticket: Ticket,
    mut sink: Sink,
) -> Ended {
    let mut merged = Merged::new(wanted.tool.clone(), wanted.key.clone());
    let tail = context.request_id.as_str().trim_start_matches("req_");
    let shortcut = Shortcut {
        id: format!("toolu_ccag_{tail}"),
        query,
        message_id: format!("msg_ccag_{tail}"),
        model: model_said,
    };
    let mut out = Vec::new();
    shortcut.begin(&mut merged, &mut out);
    sink.send(&mut out);
    let mut hits = Vec::new();
    if let Next::Search(calls) = merged.call_ended(&mut out) {
        for wish in calls {
            let searching = run::search(&context, wanted.provider.as_ref(), &wanted.tool, &wish);
            let mut searching = std::pin::pin!(searching);
            let outcome = loop {
                tokio::select! {
                    outcome = &mut searching => break outcome,
                    () = tokio::time::sleep_until(sink.ping_at(&context)) => context.ping(&mut sink),
                    () = context.force.cancelled() => return cut(&context, ticket),
                }
            };
            merged.result(&wish.id, &outcome, &mut out);
            sink.send(&mut out);
            if let SearchOutcome::Hits(found) = outcome {
                ticket.owed_without_asking(candidate);
                ticket.searched();
                hits.extend(found);
            }
        }
    }
    ticket.first_token();
    shortcut.conclude(&mut merged, &hits, &mut out);
    let _ = merged.call_ended(&mut out);
    merged.finish(&mut out);
    sink.send(&mut out);
    Ended::Whole {
        ticket,
        ending: completed(),
        body: merged.whole(),
    }
}

fn cut(context: &Context, ticket: Ticket) -> Ended {
    let problem = match call::shutting_down() {
        EndReason::Error(error) => error.problem,
        EndReason::Cut | EndReason::Clean => super::session::broke_off(),
    };
    let mut event = Vec::new();
    error_event(&problem, Some(context.request_id.as_str()), &mut event);
    Ended::Broken {
        ticket,
        ending: Ending {
            outcome: Outcome::Cut,
            status: 200,
            error: Some("GatewayShutdown".to_owned()),
            tokens: Tokens::default(),
            estimated: false,
        },
        problem,
        event,
    }
}
