//! Text must be readable: WCAG AA asks for a contrast of 4.5 to 1, and 3 to 1 for the edges of controls.

use ccag_console::{asset, stylesheet_path};
use std::collections::BTreeMap;

fn luminance(hex: &str) -> f64 {
    let part = |i: usize| {
        let c = f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap()) / 255.0;
        if c <= 0.04045 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
}

fn contrast(a: &str, b: &str) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Name → (light, dark) of every colour in the stylesheet.
fn colours() -> BTreeMap<String, [String; 2]> {
    let css = std::str::from_utf8(asset(stylesheet_path()).unwrap().body).unwrap();
    css.lines()
        .filter_map(|line| {
            let (name, value) = line.trim().strip_prefix("--")?.split_once(": light-dark(#")?;
            let (light, dark) = value.strip_suffix(");")?.split_once(", #")?;
            Some((name.to_owned(), [light.to_owned(), dark.to_owned()]))
        })
        .collect()
}

#[test]
fn text_is_readable_in_both_themes() {
    let colours = colours();
    let pairs = [
        ("ink", "page", 7.0),
        ("ink", "surface", 7.0),
        ("ink", "raised", 7.0),
        ("soft", "page", 4.5),
        ("soft", "surface", 4.5),
        ("soft", "raised", 4.5),
        ("accent", "page", 4.5),
        ("accent", "surface", 4.5),
        ("accent-strong", "accent-wash", 4.5),
        ("on-accent", "accent", 4.5),
        ("on-accent", "accent-strong", 4.5),
        ("good", "good-wash", 4.5),
        ("warn", "warn-wash", 4.5),
        ("warn", "surface", 4.5),
        ("bad", "bad-wash", 4.5),
        ("bad", "surface", 4.5),
        ("on-bad", "bad", 4.5),
        ("control", "surface", 3.0),
        ("control", "page", 3.0),
        ("bar", "surface", 3.0),
    ];
    for (front, back, least) in pairs {
        for (theme, name) in ["light", "dark"].iter().enumerate() {
            let is = contrast(&colours[front][theme], &colours[back][theme]);
            assert!(is >= least, "{front} on {back} in {name}: {is:.2} < {least}");
        }
    }
}
