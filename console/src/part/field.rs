//! Labelled fields: the label names the control, help and error describe it.

use super::block::{message, nothing};
use crate::form::{Choice, Field};
use crate::{PageContext, path};
use leptos::prelude::*;

/// How a field is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ask {
    /// Unique on the page.
    pub(crate) id: &'static str,
    /// Its name in the form.
    pub(crate) name: &'static str,
    /// What it is called.
    pub(crate) label: &'static str,
    /// What it is good for, or what it accepts.
    pub(crate) help: &'static str,
    /// The `type` of the input; empty is `text`.
    pub(crate) kind: &'static str,
    /// For the `autocomplete` attribute; empty is `off`.
    pub(crate) autocomplete: &'static str,
    /// Whether it must be filled.
    pub(crate) required: bool,
    /// The most characters it takes; 0 is the default of 200.
    pub(crate) max_length: u32,
}

impl Ask {
    /// For a line of text, or a list, of which the id is the name; with `max_length` 0 it takes the default of 200.
    pub(crate) const fn line(
        name: &'static str,
        label: &'static str,
        help: &'static str,
        required: bool,
        max_length: u32,
    ) -> Self {
        Self {
            id: name,
            name,
            label,
            help,
            kind: "",
            autocomplete: "",
            required,
            max_length,
        }
    }

    fn help_id(&self) -> String {
        format!("{}-help", self.id)
    }

    fn error_id(&self) -> String {
        format!("{}-error", self.id)
    }

    fn described_by(&self, field: &Field) -> Option<String> {
        let mut ids = Vec::new();
        if field.error.is_some() {
            ids.push(self.error_id());
        }
        if !self.help.is_empty() {
            ids.push(self.help_id());
        }
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    fn frame(self, field: &Field, control: AnyView) -> AnyView {
        let error = field
            .error
            .clone()
            .map(|text| view! { <p class="field-error" id=self.error_id()>{message(&text)}</p> });
        let help = (!self.help.is_empty())
            .then(|| view! { <p class="field-help" id=self.help_id()>{self.help}</p> });
        let optional = (!self.required && self.kind != "search")
            .then(|| view! { " " <span class="optional">"optional"</span> });
        let class = if field.error.is_some() {
            "field has-error"
        } else {
            "field"
        };
        view! {
            <div class=class>
                <label for=self.id>{self.label}{optional}</label>
                {error}
                {control}
                {help}
            </div>
        }
        .into_any()
    }
}

/// The token that shows that a form comes from our own page.
pub(crate) fn csrf(context: &PageContext) -> AnyView {
    view! { <input type="hidden" name="csrf" value=context.csrf.clone() /> }.into_any()
}

/// A line of text, or any other single-line input.
pub(crate) fn input(ask: Ask, field: &Field, suggestions: &[String]) -> AnyView {
    let list_id = format!("{}-list", ask.id);
    let list = (!suggestions.is_empty()).then(|| {
        let options = suggestions
            .iter()
            .map(|s| view! { <option value=s.clone()></option> })
            .collect_view();
        view! { <datalist id=list_id.clone()>{options}</datalist> }
    });
    let kind = if ask.kind.is_empty() { "text" } else { ask.kind };
    let value = (kind != "password").then(|| field.value.clone());
    let autocomplete = if ask.autocomplete.is_empty() {
        "off"
    } else {
        ask.autocomplete
    };
    let max_length = if ask.max_length == 0 { 200 } else { ask.max_length };
    let control = view! {
        <input
            type=kind
            id=ask.id
            name=ask.name
            value=value
            autocomplete=autocomplete
            maxlength=max_length.to_string()
            required=ask.required
            list=(!suggestions.is_empty()).then_some(list_id)
            aria-invalid=field.error.is_some().then_some("true")
            aria-describedby=ask.described_by(field)
        />
        {list}
    };
    ask.frame(field, control.into_any())
}

/// A drop-down list.
pub(crate) fn select(ask: Ask, field: &Field, choices: &[Choice]) -> AnyView {
    let control = view! {
        <select
            id=ask.id
            name=ask.name
            aria-invalid=field.error.is_some().then_some("true")
            aria-describedby=ask.described_by(field)
        >
            {options(choices, &field.value)}
        </select>
    };
    ask.frame(field, control.into_any())
}

/// Several lines of text.
pub(crate) fn textarea(ask: Ask, field: &Field, rows: u32) -> AnyView {
    let max_length = if ask.max_length == 0 {
        2_000
    } else {
        ask.max_length
    };
    // The one place where the renderer takes text as it is.
    let escaped = field
        .value
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let control = view! {
        <textarea
            id=ask.id
            name=ask.name
            rows=rows
            maxlength=max_length
            spellcheck="false"
            aria-invalid=field.error.is_some().then_some("true")
            aria-describedby=ask.described_by(field)
        >
            {escaped}
        </textarea>
    };
    ask.frame(field, control.into_any())
}

/// A box to tick; it is sent as `yes`.
pub(crate) fn checkbox(
    id: String,
    name: &'static str,
    value: String,
    label: String,
    help: String,
    on: bool,
) -> AnyView {
    let help_id = format!("{id}-help");
    let described = (!help.is_empty()).then(|| help_id.clone());
    let help = (!help.is_empty()).then(|| view! { <p class="field-help" id=help_id>{help}</p> });
    view! {
        <div class="field check">
            <input type="checkbox" id=id.clone() name=name value=value checked=on aria-describedby=described />
            <label for=id>{label}</label>
            {help}
        </div>
    }
    .into_any()
}

/// A box that says yes to something; its id is its name.
pub(crate) fn yes_box(name: &'static str, label: &str, help: &str, on: bool) -> AnyView {
    let (label, help) = (label.to_owned(), help.to_owned());
    checkbox(name.to_owned(), name, "yes".to_owned(), label, help, on)
}

/// The inputs of a form, which nobody fills in who may not send it.
pub(crate) fn inputs_for(context: &PageContext, action: &str, inputs: AnyView) -> AnyView {
    if context.posts(action) {
        return inputs;
    }
    view! {
        <p class="note">"You may see this, and others change it."</p>
        <fieldset class="seen" disabled>{inputs}</fieldset>
    }
    .into_any()
}

/// The form of a page for one thing: what is wrong with it, its inputs, a button that saves, and a way back.
pub(crate) fn edit_form(
    context: &PageContext,
    action: String,
    wrong: AnyView,
    inputs: AnyView,
    button: &'static str,
    back: &'static str,
) -> AnyView {
    let inputs = inputs_for(context, &action, inputs);
    if !context.posts(&action) {
        return view! { <div class="stack card narrow">{inputs}</div> }.into_any();
    }
    view! {
        <form method="post" action=action class="stack card narrow">
            {csrf(context)}
            {wrong}
            {inputs}
            <div class="form-actions">
                <button type="submit" class="primary">{button}</button>
                <a class="button quiet" href=back>"Cancel"</a>
            </div>
        </form>
    }
    .into_any()
}

/// A form for those who may send it; others see what it holds.
pub(crate) fn post_form(
    context: &PageContext,
    action: String,
    class: &'static str,
    wrong: AnyView,
    inputs: AnyView,
    buttons: AnyView,
) -> AnyView {
    let inputs = inputs_for(context, &action, inputs);
    if !context.posts(&action) {
        return view! { <div class=class>{inputs}</div> }.into_any();
    }
    view! {
        <form method="post" action=action class=class>
            {csrf(context)}
            {wrong}
            {inputs}
            <div class="form-actions">{buttons}</div>
        </form>
    }
    .into_any()
}

/// The entries of a drop-down list, one of them chosen.
pub(crate) fn options(choices: &[Choice], chosen: &str) -> AnyView {
    choices
        .iter()
        .map(|c| {
            let selected = c.value == chosen;
            view! { <option value=c.value.clone() selected=selected>{c.label.clone()}</option> }
        })
        .collect_view()
        .into_any()
}

/// At the head of a form that was refused: what is wrong, with links to the fields.
pub(crate) fn summary(fields: &[(&Ask, &Field)], trouble: Option<&str>) -> AnyView {
    let wrong: Vec<_> = fields
        .iter()
        .filter_map(|(ask, field)| field.error.as_ref().map(|e| (ask.id, e.clone())))
        .collect();
    if wrong.is_empty() && trouble.is_none() {
        return nothing();
    }
    let items = wrong
        .into_iter()
        .map(|(id, text)| view! { <li><a href=format!("#{id}")>{message(&text)}</a></li> })
        .collect_view();
    let head = trouble.unwrap_or("Nothing was saved yet. Please mend this:");
    view! {
        <div class="flash flash-bad" role="alert">
            <p>{message(head)}</p>
            <ul>{items}</ul>
        </div>
    }
    .into_any()
}

/// A form that is one button, for those who may press it; `of_what` tells it from the same button of another row.
pub(crate) fn button_form(
    context: &PageContext,
    action: String,
    hidden: &[(&'static str, String)],
    label: &'static str,
    of_what: &str,
    class: &'static str,
) -> AnyView {
    if !context.posts(&action) {
        return nothing();
    }
    let full = format!("{label} {of_what}");
    let hidden = hidden
        .iter()
        .map(|(name, value)| view! { <input type="hidden" name=*name value=value.clone() /> })
        .collect_view();
    view! {
        <form method="post" action=action class="inline-form">
            {csrf(context)}
            {hidden}
            <button type="submit" class=class aria-label=full>{label}</button>
        </form>
    }
    .into_any()
}

/// A link to a page, as a button, for those who may open it.
pub(crate) fn page_link(
    context: &PageContext,
    href: impl Into<String>,
    label: impl Into<String>,
    class: &'static str,
) -> AnyView {
    let href = href.into();
    if !context.opens(&href) {
        return nothing();
    }
    view! { <a class=class href=href>{label.into()}</a> }.into_any()
}

/// What leads to a page where the viewer may open it, and else just stands there.
pub(crate) fn page_name(
    context: &PageContext,
    href: impl Into<String>,
    label: impl Into<String>,
    class: &'static str,
) -> AnyView {
    let (href, label) = (href.into(), label.into());
    if context.opens(&href) {
        view! { <a class=class href=href>{label}</a> }.into_any()
    } else {
        view! { <span class=class>{label}</span> }.into_any()
    }
}

/// The search box of a list, with whatever else filters it.
pub(crate) fn filter_bar(action: &'static str, label: &'static str, search: &str, more: AnyView) -> AnyView {
    let clear = (!search.is_empty())
        .then(|| view! { <a class="button quiet" href=path::with_query(action, &[])>"Clear"</a> });
    view! {
        <form method="get" action=action class="filters" role="search" data-autosubmit="">
            <div class="field grow">
                <label for="filter-q">{label}</label>
                <input type="search" id="filter-q" name="q" value=search.to_owned() autocomplete="off" maxlength="100" />
            </div>
            {more}
            <div class="filter-actions">
                <button type="submit">"Apply"</button>
                {clear}
            </div>
        </form>
    }
    .into_any()
}
