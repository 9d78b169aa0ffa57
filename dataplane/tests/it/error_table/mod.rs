//! Every error that Bedrock has, in each of the places where it can stand, through a data plane with three endpoints on three
//! accounts: what the client is told, which accounts are asked, and that the record says how often.

mod rows;

use crate::control::{KEY, endpoint, explanation, usual};
use crate::sim::{aws, with};
use crate::world::{Answer, Rig, world_of};
use bedrock_sim::{Rule, Sim};
use ccag_domain::{ConfigObject, Explanation};
use ccag_proto::v1::{Outcome, UsageRecord};
use rows::{Asked, ONE, Place, Row, Wait, table, unchanged};
use serde_json::Value;

/// Three accounts.
struct Accounts(Vec<Sim>);

impl Accounts {
    async fn start() -> Self {
        let mut sims = Vec::new();
        for _ in 0..3 {
            let sim = Sim::builder().credential("AKIDEXAMPLE", "a-secret");
            sims.push(sim.start().await.unwrap());
        }
        Self(sims)
    }

    fn clear(&self) {
        for sim in &self.0 {
            sim.clear();
            sim.clear_script();
        }
    }

    /// The account behind an endpoint.
    fn of(&self, endpoint_id: &str) -> &Sim {
        let number: usize = endpoint_id.trim_start_matches("end_").parse().unwrap();
        &self.0[number - 1]
    }

    /// How many requests have arrived everywhere.
    fn asked(&self) -> usize {
        self.0.iter().map(|sim| sim.account().len()).sum()
    }
}

/// How one request went.
struct Seen {
    /// What was asked, for whoever reads that it went wrong.
    what: String,
    answer: Answer,
    record: UsageRecord,
    explanation: Explanation,
}

/// Sends a request through a data plane that knows nothing yet of what its endpoints have been through.
async fn send(accounts: &Accounts, row: &Row, place: Place) -> Seen {
    let mut objects = usual();
    objects.retain(|object| !matches!(object, ConfigObject::Endpoint(_)));
    for (n, sim) in (1..).zip(&accounts.0) {
        let mut endpoint = endpoint(n, true);
        endpoint.runtime_url = Some(sim.base_url());
        objects.push(ConfigObject::Endpoint(endpoint));
    }
    let (control, rig) = world_of(objects, with(aws(&accounts.0[0]))).await;
    let answer = post(&rig, row.body(place)).await;
    let record = control.plane.stored(1).await.remove(0);
    let explanation = explanation(&record);
    rig.stop().await;
    Seen {
        what: format!("{place:?}: {} {}", row.kind, row.message),
        answer,
        record,
        explanation,
    }
}

async fn post(rig: &Rig, mut body: Value) -> Answer {
    let betas = body.as_object_mut().unwrap().remove("anthropic-beta");
    let mut request = rig.request("POST", "/v1/messages?beta=true", KEY);
    if let Some(betas) = betas {
        request = request.header("anthropic-beta", betas.as_str().unwrap());
    }
    let body = http_body_util::Full::new(body.to_string().into());
    rig.send(request.body(body).unwrap()).await
}

impl Seen {
    /// The endpoints in the order in which the explanation says that they were asked, each once.
    fn order(&self) -> Vec<&str> {
        let mut order: Vec<&str> = self
            .explanation
            .attempts
            .iter()
            .map(|a| a.endpoint_id.as_str())
            .collect();
        order.dedup();
        order
    }

    /// Checks that the accounts, the record and the explanation tell of the same attempts, and returns their number at each
    /// endpoint in the order of the route.
    fn attempts(&self, accounts: &Accounts) -> Asked {
        let mut asked = Asked::default();
        for (place, id) in self.order().into_iter().enumerate() {
            let told = self.explanation.attempts.iter().filter(|a| a.endpoint_id == id);
            asked[place] = told.count();
            assert_eq!(
                accounts.of(id).account().len(),
                asked[place],
                "what {id} has received"
            );
        }
        let total: usize = asked.iter().sum();
        assert_eq!(accounts.asked(), total, "the accounts and the explanation");
        assert_eq!(self.record.attempts as usize, total, "the record");
        assert_eq!(
            self.explanation.ended.attempts as usize, total,
            "the explanation's sum"
        );
        asked
    }

    fn check_refusal(&self, row: &Row) {
        let (answer, what) = (&self.answer, &self.what);
        assert_eq!((answer.status, answer.error_type().as_str()), row.told, "{what}");
        let json = answer.json();
        let message = json["error"]["message"].as_str().unwrap();
        assert!(message.contains(row.says), "{what}: {message}");
        assert!(
            !message.contains("arn:") && !message.contains("123456789012"),
            "{message}"
        );
        let waits: Option<u32> = answer.header("retry-after").map(|text| text.parse().unwrap());
        let should = answer.header("x-should-retry");
        match row.wait {
            Wait::Unsaid => assert_eq!((waits, should), (None, None), "{what}"),
            Wait::Never => assert_eq!((waits, should), (None, Some("false")), "{what}"),
            Wait::After(least, most) => {
                assert!(
                    waits.is_some_and(|s| (least..=most).contains(&s)),
                    "{what}: retry-after {waits:?}"
                );
                assert_eq!(should, None, "{what}");
            }
        }
        assert_eq!(self.record.outcome(), Outcome::Failed, "{what}");
        assert_eq!(self.record.status, u32::from(row.told.0), "{what}");
    }

    /// The stream breaks off with an `error` event of this type, after content and before nothing.
    fn check_broken_stream(&self, row: &Row) {
        let what = &self.what;
        assert_eq!(self.answer.status, 200, "{what}");
        let events: Vec<Value> = self
            .answer
            .text()
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect();
        assert!(
            events.iter().any(|event| event["type"] == "content_block_delta"),
            "{what}: no content"
        );
        let errors: Vec<&Value> = events.iter().filter(|event| event["type"] == "error").collect();
        assert_eq!(errors.len(), 1, "{what}: {}", self.answer.text());
        assert_eq!(
            events.last().unwrap(),
            errors[0],
            "{what}: something comes after the error"
        );
        let error = &errors[0]["error"];
        assert_eq!(error["type"], row.in_stream, "{what}");
        assert!(
            error["message"].as_str().unwrap().contains(row.says),
            "{what}: {error}"
        );
        assert_eq!(self.record.outcome(), Outcome::Cut, "{what}");
        assert_eq!(self.record.status, 200, "{what}");
    }
}

/// Holds every row against what happens if all accounts answer so.
async fn everywhere(place: Place) {
    let accounts = Accounts::start().await;
    for row in table() {
        accounts.clear();
        for sim in &accounts.0 {
            sim.script(Rule::always(row.action(place)));
        }
        let seen = Box::pin(send(&accounts, &row, place)).await;
        if place == Place::Middle {
            seen.check_broken_stream(&row);
            assert_eq!(seen.attempts(&accounts), ONE, "{}", seen.what);
        } else {
            seen.check_refusal(&row);
            assert_eq!(seen.attempts(&accounts), row.asked, "{}", seen.what);
        }
    }
}

#[tokio::test]
async fn an_error_instead_of_a_whole_answer_is_told_and_tried_elsewhere_as_the_table_says() {
    everywhere(Place::Whole).await;
}

#[tokio::test]
async fn an_error_instead_of_a_stream_is_told_and_tried_elsewhere_as_the_table_says() {
    everywhere(Place::Status).await;
}

#[tokio::test]
async fn an_error_as_the_first_event_is_told_and_tried_elsewhere_as_one_in_the_status() {
    everywhere(Place::First).await;
}

#[tokio::test]
async fn an_error_after_content_ends_the_stream_with_an_event_of_its_type_and_is_tried_nowhere_else() {
    everywhere(Place::Middle).await;
}

#[tokio::test]
async fn where_the_table_says_that_another_attempt_may_help_the_client_sees_nothing_of_the_error() {
    let accounts = Accounts::start().await;
    // The route is the same for the same caller and conversation.
    let first = send(&accounts, &unchanged(""), Place::Status).await;
    let first = first.order()[0].to_owned();
    for row in table().iter().filter(|row| row.asked != ONE) {
        for place in [Place::Status, Place::First] {
            accounts.clear();
            // Where the same endpoint is asked once more, that helps; otherwise it is in trouble for good.
            let again = row.asked[0] > 1;
            let action = row.action(place);
            let rule = if again {
                Rule::once(action)
            } else {
                Rule::always(action)
            };
            accounts.of(&first).script(rule);
            let seen = send(&accounts, row, place).await;
            let what = &seen.what;
            assert_eq!(seen.answer.status, 200, "{what}: {}", seen.answer.text());
            assert!(
                !seen.answer.text().contains("error"),
                "{what}: {}",
                seen.answer.text()
            );
            assert_eq!(
                seen.attempts(&accounts),
                if again { [2, 0, 0] } else { [1, 1, 0] },
                "{what}"
            );
            assert_eq!(seen.record.outcome(), Outcome::Completed, "{what}");
        }
    }
}
