//! Web search.

use super::form::{FormData, Posted, is_about_input};
use super::visitor::Visitor;
use crate::app::search;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{PutSearchProvider, SearchProviderView, SearchTest, Secret, SetWebSearch};
use ccag_console::form::Field;
use ccag_console::page::{RulesForm, ServiceForm, ServiceRow, WebSearchPage};
use ccag_console::{Tone, path};
use ccag_domain::{Area, Code, NanoUsd, Permission, Problem, SearchKind, WebSearchMode};

pub(super) async fn show(visitor: Visitor) -> Response {
    let page = gather(&visitor).await;
    visitor.answer(page)
}

fn row(view: SearchProviderView) -> ServiceRow {
    ServiceRow {
        kind: view.provider_type,
        url: view.api_url,
        max_results: view.max_results,
        has_key: view.has_api_key,
        active: view.active,
    }
}

fn yes_or_no(yes: bool) -> Field {
    Field::new(if yes { "yes" } else { "no" })
}

async fn gather(visitor: &Visitor) -> Result<WebSearchPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let rules = search::rules(app, &actor).await?;
    let own = search::own(app, &actor).await?;
    let form = actor
        .may_all(Permission::Change(Area::WebSearch))
        .then(|| RulesForm {
            mode: Field::new(rules.mode.as_str()),
            service: ServiceForm::default(),
            private: yes_or_no(rules.provider.as_ref().is_some_and(|p| p.allow_private_address)),
            price: Field::new(rules.price_nano_usd.to_string()),
            shortcut: yes_or_no(rules.shortcut),
        });
    Ok(WebSearchPage {
        mode: rules.mode,
        global: rules.provider.map(row),
        rules: form,
        own: own.providers.into_iter().map(row).collect(),
        ..WebSearchPage::default()
    })
}

fn service(form: &FormData) -> ServiceForm {
    ServiceForm {
        kind: Field::new(form.text("kind")),
        url: Field::new(form.text("url")),
        key: Field::default(),
        max_results: Field::new(form.text("max_results")),
    }
}

/// What a form asks for; `None` if no service is chosen in it.
fn wish(form: &FormData) -> Result<Option<PutSearchProvider>, Problem> {
    let wrong = |field: &str, message: &str| Problem::new(Code::InvalidRequest, message).field(field);
    let kind = form.text("kind");
    if kind.is_empty() {
        return Ok(None);
    }
    let kind = SearchKind::parse(&kind)
        .ok_or_else(|| wrong("provider_type", "Choose one of the services in the list."))?;
    let max_results = match form.optional("max_results") {
        None => None,
        Some(text) => Some(
            text.parse()
                .map_err(|_| wrong("max_results", "Give a whole number from 1 to 20."))?,
        ),
    };
    Ok(Some(PutSearchProvider {
        provider_type: kind,
        api_key: form.optional("key").map(Secret::new),
        api_url: form.optional("url"),
        max_results,
        allow_private_address: None,
    }))
}

/// Shows a problem at its field of a service's form; false if it has none there.
fn mark(form: &mut ServiceForm, problem: &Problem) -> bool {
    let field = match problem.field.as_deref() {
        Some("provider_type" | "provider") => &mut form.kind,
        Some("api_url") => &mut form.url,
        Some("api_key") => &mut form.key,
        Some("max_results") => &mut form.max_results,
        _ => return false,
    };
    *field = std::mem::take(field).with_error(problem.message.clone());
    true
}

pub(super) async fn set_rules(Posted { visitor, form }: Posted) -> Response {
    let result = async {
        let wrong = |field: &str, message: &str| Problem::new(Code::InvalidRequest, message).field(field);
        let mode = WebSearchMode::parse(&form.text("mode"))
            .ok_or_else(|| wrong("mode", "Choose one of the entries."))?;
        let price = match form.optional("price") {
            None => NanoUsd::ZERO,
            Some(text) => NanoUsd::parse_usd(&text)
                .ok_or_else(|| wrong("price_nano_usd", "Give a number of dollars such as 0.008."))?,
        };
        let provider = wish(&form)?.map(|wish| PutSearchProvider {
            allow_private_address: Some(form.text("private") == "yes"),
            ..wish
        });
        let request = SetWebSearch {
            mode,
            provider,
            price_nano_usd: Some(price),
            shortcut: Some(form.text("shortcut") == "yes"),
        };
        search::set_rules(&visitor.state().app, &visitor.actor(), request).await
    };
    match result.await {
        Ok(_) => visitor.go_saying(path::WEB_SEARCH, Tone::Good, "The rules of web search are saved."),
        Err(problem) if is_about_input(&problem) => {
            let mut page = match gather(&visitor).await {
                Ok(page) => page,
                Err(problem) => return visitor.refuse(problem),
            };
            let mut rules = RulesForm {
                mode: Field::new(form.text("mode")),
                service: service(&form),
                private: Field::new(form.text("private")),
                price: Field::new(form.text("price")),
                shortcut: Field::new(form.text("shortcut")),
            };
            if !mark(&mut rules.service, &problem) {
                let field = if problem.field.as_deref() == Some("price_nano_usd") {
                    &mut rules.price
                } else {
                    &mut rules.mode
                };
                *field = std::mem::take(field).with_error(problem.message);
            }
            page.rules = Some(rules);
            visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn choose(Posted { visitor, form }: Posted) -> Response {
    let result = async {
        let Some(wish) = wish(&form)? else {
            let message = "Choose one of the services in the list.";
            return Err(Problem::new(Code::InvalidRequest, message).field("provider_type"));
        };
        let kind = wish.provider_type;
        search::put(&visitor.state().app, &visitor.actor(), wish).await?;
        Ok(kind)
    };
    match result.await {
        Ok(kind) => {
            let message = format!("Your searches go to {} from now on.", kind.title());
            visitor.go_saying(path::WEB_SEARCH, Tone::Good, &message)
        }
        Err(problem) if is_about_input(&problem) => {
            let mut page = match gather(&visitor).await {
                Ok(page) => page,
                Err(problem) => return visitor.refuse(problem),
            };
            page.form = service(&form);
            if !mark(&mut page.form, &problem) {
                page.form.kind = std::mem::take(&mut page.form.kind).with_error(problem.message);
            }
            visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn test_global(Posted { visitor, .. }: Posted) -> Response {
    let tested = search::test_global(&visitor.state().app, &visitor.actor()).await;
    tested_page(visitor, tested)
}

fn tested_page(visitor: Visitor, tested: Result<SearchTest, Problem>) -> Response {
    match tested {
        Ok(test) => {
            let tone = if test.success { Tone::Good } else { Tone::Bad };
            visitor.go_saying(path::WEB_SEARCH, tone, &test.message)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

/// `use`, `test` or `delete` one of one's own.
pub(super) async fn change(
    Path((kind, what)): Path<(String, String)>,
    Posted { visitor, .. }: Posted,
) -> Response {
    let Some(kind) = SearchKind::parse(&kind) else {
        return visitor.refuse(Problem::new(Code::NotFound, "There is no such search service."));
    };
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let done = match what.as_str() {
        "use" => search::activate(app, &actor, kind)
            .await
            .map(|_| format!("Your searches go to {} from now on.", kind.title())),
        "delete" => search::delete(app, &actor, kind)
            .await
            .map(|()| format!("{} is forgotten, with its key.", kind.title())),
        "test" => {
            let tested = search::test(app, &actor, kind).await;
            return tested_page(visitor, tested);
        }
        _ => Err(Problem::new(Code::NotFound, "There is no such page.")),
    };
    match done {
        Ok(message) => visitor.go_saying(path::WEB_SEARCH, Tone::Good, &message),
        Err(problem) => visitor.refuse(problem),
    }
}
