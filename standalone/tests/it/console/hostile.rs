//! Names that want to be more than names, in what is not a page: files for spreadsheets, and JSON.

use super::world::{FORMULA, PICTURE, world};
use crate::browser::Browser;
use serde_json::Value;

/// The cells of a file, read as RFC 4180 has it.
fn cells(csv: &str) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let (mut quoted, mut letters) = (false, csv.chars().peekable());
    while let Some(letter) = letters.next() {
        let row = rows.last_mut().unwrap();
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                row.last_mut().unwrap().push('"');
                letters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(String::new()),
            '\r' if !quoted => {}
            '\n' if !quoted => rows.push(vec![String::new()]),
            letter => row.last_mut().unwrap().push(letter),
        }
    }
    assert!(!quoted, "a quote is not closed");
    assert_eq!(rows.pop(), Some(vec![String::new()]), "the last line is ended");
    rows
}

/// Whether a spreadsheet would calculate a cell.
fn calculates(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_do_nothing_in_files_and_in_json() {
    let world = world().await;
    let browser = Browser::start(true).await;
    browser.log_in(&world.it.gateway.url, "admin").await;
    let cookies = browser.driver.get_all_cookies().await.unwrap();
    let cookies: Vec<String> = cookies
        .iter()
        .map(|cookie| format!("{}={}", cookie.name, cookie.value))
        .collect();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let fetch = async |path: &str| {
        let request = http.get(world.url(path)).header("cookie", cookies.join("; "));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let header = |name: &str| {
            let value = response.headers().get(name).map(|value| value.to_str().unwrap());
            value.unwrap_or_default().to_owned()
        };
        let (kind, disposition) = (header("content-type"), header("content-disposition"));
        (kind, disposition, response.text().await.unwrap())
    };
    for (by, name) in [("key", PICTURE), ("user", FORMULA), ("team", FORMULA)] {
        let (kind, disposition, csv) = fetch(&format!("/console/analytics/export?by={by}")).await;
        assert!(kind.starts_with("text/csv"), "{kind}");
        assert!(disposition.starts_with("attachment"), "{disposition}");
        let rows = cells(&csv);
        let width = rows[0].len();
        assert!(rows.iter().all(|row| row.len() == width), "{csv}");
        // An apostrophe says to a spreadsheet that this is text; what follows it is the name as it was given.
        let found = rows
            .iter()
            .flatten()
            .find(|cell| cell.trim_start_matches('\'') == name);
        assert!(found.is_some(), "{name} is not in {csv}");
        let calculated: Vec<_> = rows.iter().flatten().filter(|cell| calculates(cell)).collect();
        assert!(calculated.is_empty(), "{calculated:?}");
    }
    let (_, _, csv) = fetch("/admin/usage/export?format=csv&days=1").await;
    assert!(
        cells(&csv).iter().flatten().all(|cell| !calculates(cell)),
        "{csv}"
    );
    for path in [
        "/admin/keys",
        "/admin/teams",
        "/admin/users",
        "/admin/analytics?group_by=key",
    ] {
        let (kind, _, text) = fetch(path).await;
        assert!(kind.starts_with("application/json"), "{path}: {kind}");
        let value: Value = serde_json::from_str(&text).unwrap();
        let name = if path.ends_with('s') && !path.contains("keys") {
            FORMULA
        } else {
            PICTURE
        };
        assert!(
            strings(&value).any(|text| text == name),
            "{path} does not say {name}: {text}"
        );
    }
    browser.quit().await;
}

/// Every text in a value.
fn strings(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::String(text) => Box::new(std::iter::once(text.as_str())),
        Value::Array(all) => Box::new(all.iter().flat_map(strings)),
        Value::Object(all) => Box::new(all.values().flat_map(strings)),
        _ => Box::new(std::iter::empty()),
    }
}
