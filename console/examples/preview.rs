//! Writes every sample page into a folder, in both themes, to look at in a browser:
//! `cargo run -p ccag-console --example preview -- target/preview`.

use ccag_console::{Theme, asset, render, sample, script_path, stylesheet_path};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::args().nth(1).unwrap_or_else(|| "target/preview".to_owned()));
    fs::create_dir_all(&folder)?;
    let mut index = String::from("<!DOCTYPE html><meta charset=utf-8><title>Console preview</title><ul>");
    for sample in sample::all() {
        for theme in [Theme::Light, Theme::Dark] {
            let mut context = sample.context.clone();
            context.theme = theme;
            let html = render(sample.page.as_ref(), &context);
            let name = format!("{}-{}.html", sample.name, theme.as_str());
            fs::write(folder.join(&name), with_local_assets(&html, &folder)?)?;
            index.push_str(&format!("<li><a href={name}>{name}</a>"));
        }
    }
    fs::write(folder.join("index.html"), index)
}

/// Puts the assets that a page refers to beside it and points the page there.
fn with_local_assets(html: &str, folder: &Path) -> io::Result<String> {
    let mut html = html.to_owned();
    let icons = html
        .split('"')
        .filter(|part| part.ends_with(".svg"))
        .map(str::to_owned)
        .collect::<Vec<_>>();
    for path in [stylesheet_path(), script_path()]
        .into_iter()
        .map(str::to_owned)
        .chain(icons)
    {
        if let (Some(file), Some(asset)) = (path.rsplit('/').next(), asset(&path)) {
            fs::write(folder.join(file), asset.body)?;
            html = html.replace(&path, file);
        }
    }
    Ok(html)
}
