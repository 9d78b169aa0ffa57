//! What is asked of every page: that axe finds nothing, that it fits its window, and that a keyboard reaches everything.

use super::Browser;
use serde_json::{Value, json};
use std::time::Duration;
use thirtyfour::prelude::*;

/// A window, in CSS pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    width: u32,
    height: u32,
    /// Whether it is a phone's, which has no scroll bars that take room.
    phone: bool,
}

pub(crate) const DESKTOP: Size = Size {
    width: 1_280,
    height: 1_000,
    phone: false,
};

pub(crate) const PHONE: Size = Size {
    width: 390,
    height: 844,
    phone: true,
};

/// What the machine prefers, which pages follow unless somebody has chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

/// Runs axe with the rules of WCAG 2.2 AA and with best practices, and returns one line for each thing that it finds.
const AXE: &str = "
    const done = arguments[arguments.length - 1];
    const values = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    axe.run(document, {runOnly: {type: 'tag', values}, resultTypes: ['violations']}).then(
        (found) => done(found.violations.flatMap((rule) => rule.nodes.map((node) =>
            `${rule.id}: ${node.html.slice(0, 200)}: ${node.failureSummary}`))),
        (error) => done([String(error)]));";

/// One line for whatever makes the page wider than its window, and for each place that scrolls sideways without a keyboard's
/// being able to get into it.
const SPILLS: &str = "
    const spills = [];
    const wide = document.documentElement.scrollWidth;
    if (wide > innerWidth) spills.push(`the page is ${wide} wide in ${innerWidth}`);
    for (const place of document.querySelectorAll('main *')) {
        const scrolls = ['auto', 'scroll'].includes(getComputedStyle(place).overflowX);
        if (!scrolls || place.scrollWidth <= place.clientWidth || !place.checkVisibility()) continue;
        const reached = place.tabIndex >= 0 || place.querySelector('a[href], button, input, select, textarea, summary');
        if (!reached) spills.push(`nobody gets into ${place.outerHTML.slice(0, 200)}`);
    }
    return spills;";

/// Marks what a keyboard has to reach, and returns how much that is.
const STOPS: &str = "
    const all = 'a[href], button, input, select, textarea, summary, [tabindex=\"0\"]';
    let count = 0;
    for (const element of document.querySelectorAll(all)) {
        const off = element.disabled || element.type === 'hidden' || element.closest('fieldset:disabled');
        if (off || !element.checkVisibility({visibilityProperty: true})) continue;
        element.dataset.stop = count++;
    }
    document.activeElement.blur();
    return count;";

/// Where the keyboard is, and what of that nobody can see.
const FOCUS: &str = "
    const here = document.activeElement;
    if (!here || here === document.body) return null;
    const style = getComputedStyle(here);
    const box = here.getBoundingClientRect();
    const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
    const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    return {stop: here.dataset.stop ?? null, html: here.outerHTML.slice(0, 200), ring, inside};";

impl Browser {
    /// Makes the window so large, and prefers these colours.
    pub(crate) async fn show(&self, size: Size, scheme: Scheme) {
        let Size { width, height, phone } = size;
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone});
        self.tell("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.tell("Emulation.setEmulatedMedia", features).await;
    }

    /// What is wrong with the page in this window and these colours.
    pub(crate) async fn faults(&self, size: Size, scheme: Scheme) -> Vec<String> {
        self.show(size, scheme).await;
        let mut faults = self.axe().await;
        faults.extend(lines(self.ask(SPILLS).await));
        let at = self.address().await;
        let width = size.width;
        faults
            .into_iter()
            .map(|fault| format!("{at} at {width}, {scheme:?}: {fault}"))
            .collect()
    }

    async fn axe(&self) -> Vec<String> {
        let found = self.driver.execute_async(AXE, Vec::new()).await;
        lines(
            found
                .unwrap_or_else(|error| panic!("axe: {error}"))
                .json()
                .clone(),
        )
    }

    /// The status of the answer that the page came with.
    pub(crate) async fn status(&self) -> u64 {
        let script = "return performance.getEntriesByType('navigation')[0].responseStatus";
        self.ask(script).await.as_u64().unwrap()
    }

    /// Goes through the page with the Tab key, from its beginning until it is through: everything that can be used is reached in
    /// the order in which it stands there, and it can be seen where one is.
    pub(crate) async fn tab_through(&self) -> Vec<String> {
        let stops = self.ask(STOPS).await.as_u64().unwrap();
        assert!(stops > 3, "{stops} in {}", self.address().await);
        let mut faults = Vec::new();
        let mut next = 0;
        // Dates have several places of their own to stop at.
        for _ in 0..stops * 2 + 20 {
            for kind in ["rawKeyDown", "keyUp"] {
                let key = json!({"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9});
                self.tell("Input.dispatchKeyEvent", key).await;
            }
            let here = self.ask(FOCUS).await;
            let stop = here["stop"].as_str().and_then(|stop| stop.parse::<u64>().ok());
            if here.is_null() || next == stops && stop == Some(0) {
                break;
            }
            match stop {
                Some(stop) if stop == next => next += 1,
                // The same once more.
                Some(stop) if stop + 1 == next => {}
                _ => faults.push(format!("after {next} of {stops} comes {here}")),
            }
            if here["ring"] != true || here["inside"] != true {
                faults.push(format!("nobody sees {here}"));
            }
        }
        if next != stops {
            faults.push(format!("{next} of {stops} are reached"));
        }
        let at = self.address().await;
        faults.into_iter().map(|fault| format!("{at}: {fault}")).collect()
    }

    /// Waits until the page is another than the one that stands there, after what `act` does.
    pub(crate) async fn turning<F: Future<Output = ()>>(&self, act: F) {
        let old = self.driver.find(By::Css("html")).await.unwrap();
        act.await;
        crate::harness::wait_until("the next page is there", Duration::from_secs(10), || async {
            old.tag_name().await.is_err().then_some(())
        })
        .await;
        self.find("main h1").await;
    }
}

fn lines(value: Value) -> Vec<String> {
    let lines = value.as_array().cloned().unwrap_or_default();
    lines
        .iter()
        .map(|line| line.as_str().unwrap_or_default().to_owned())
        .collect()
}
