//! Headings, badges, figures, empty states.

use crate::PageContext;
use leptos::prelude::*;

/// The head of a page: its only `h1`, a sentence about it, and what can be done.
pub(crate) fn page_head(title: String, lead: AnyView, actions: AnyView) -> AnyView {
    view! {
        <header class="page-head">
            <div class="page-head-text">
                <h1>{title}</h1>
                <div class="lead">{lead}</div>
            </div>
            <div class="actions">{actions}</div>
        </header>
    }
    .into_any()
}

/// Nothing.
pub(crate) fn nothing() -> AnyView {
    None::<&'static str>.into_any()
}

/// Plain text as a view.
pub(crate) fn text(text: impl Into<String>) -> AnyView {
    text.into().into_any()
}

/// A message in which names stand between backticks, as the admin API writes them: they become code.
pub(crate) fn message(text: &str) -> AnyView {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len() < 3 || parts.len().is_multiple_of(2) {
        // None, or one without a partner: it stands in a name that somebody chose.
        return self::text(text);
    }
    parts
        .into_iter()
        .enumerate()
        .map(|(i, part)| {
            if i.is_multiple_of(2) {
                self::text(part)
            } else {
                view! { <code>{part.to_owned()}</code> }.into_any()
            }
        })
        .collect_view()
        .into_any()
}

/// How a badge is coloured; its words carry the meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    /// All is well.
    Good,
    /// Not in use any more.
    Muted,
    /// Needs a look.
    Warn,
    /// Wrong.
    Bad,
}

/// A word about a state.
pub(crate) fn badge(colour: Colour, word: impl Into<String>) -> AnyView {
    let class = match colour {
        Colour::Good => "badge good",
        Colour::Muted => "badge muted",
        Colour::Warn => "badge warn",
        Colour::Bad => "badge bad",
    };
    view! { <span class=class>{word.into()}</span> }.into_any()
}

/// One large number with its name and a line about it.
pub(crate) fn figure(name: &'static str, value: AnyView, note: AnyView) -> AnyView {
    view! {
        <div class="figure">
            <dt>{name}</dt>
            <dd class="figure-value">{value}</dd>
            <dd class="figure-note">{note}</dd>
        </div>
    }
    .into_any()
}

/// A row of large numbers.
pub(crate) fn figures(items: Vec<AnyView>) -> AnyView {
    view! { <dl class="figures">{items}</dl> }.into_any()
}

/// A framed part of a page under its own heading. `id` is the heading's.
pub(crate) fn card(id: &'static str, title: impl Into<String>, note: AnyView, body: AnyView) -> AnyView {
    view! {
        <section class="card" aria-labelledby=id>
            <div class="card-head">
                <h2 id=id>{title.into()}</h2>
                <div class="card-note">{note}</div>
            </div>
            {body}
        </section>
    }
    .into_any()
}

/// A form for something new, folded away until it is wanted or was refused; for those who may send it.
pub(crate) fn maker(
    context: &PageContext,
    action: &str,
    label: &'static str,
    open: bool,
    form: AnyView,
) -> AnyView {
    if !context.posts(action) {
        return nothing();
    }
    view! {
        <details class="card maker" open=open>
            <summary>{label}</summary>
            {form}
        </details>
    }
    .into_any()
}

/// What stands where a list would be when there is nothing in it: why, and what to do.
pub(crate) fn empty(title: &'static str, body: AnyView, action: AnyView) -> AnyView {
    view! {
        <div class="empty">
            <h2>{title}</h2>
            {body}
            {action}
        </div>
    }
    .into_any()
}

/// Facts as pairs of name and value.
pub(crate) fn facts(pairs: Vec<(&'static str, AnyView)>) -> AnyView {
    let rows = pairs
        .into_iter()
        .map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> })
        .collect_view();
    view! { <dl class="facts">{rows}</dl> }.into_any()
}

/// A link to another page, or the bare text where there is none.
pub(crate) fn link_or_text(label: &str, href: Option<&str>) -> AnyView {
    let label = label.to_owned();
    match href {
        Some(href) => view! { <a href=href.to_owned()>{label}</a> }.into_any(),
        None => view! { <span>{label}</span> }.into_any(),
    }
}

/// Text to be copied: selected whole on click, and with a button where the script runs.
pub(crate) fn copyable(id: &'static str, label: &'static str, content: String) -> AnyView {
    view! {
        <div class="copyable">
            <pre class="code" id=id tabindex="0" aria-label=label><code>{content}</code></pre>
            <button type="button" class="copy" data-copy=id hidden=true>{format!("Copy {label}")}</button>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_between_backticks_become_code_and_a_stray_backtick_stays() {
        let shown = |text| message(text).to_html().replace("<!>", "");
        assert_eq!(
            shown("It is `DRAFT` or `<1>`."),
            "It is <code>DRAFT</code> or <code>&lt;1&gt;</code>."
        );
        assert_eq!(shown("“a`b” is there."), "“a`b” is there.");
    }
}
