//! Somebody with a browser: keeps cookies, follows redirects, and sends the forms that pages hold.

use std::collections::HashMap;
use url::Url;

/// A page.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) url: Url,
    pub(crate) text: String,
}

pub(crate) struct Person {
    http: reqwest::Client,
    /// By the port of the server: all of them are on this machine.
    cookies: HashMap<u16, HashMap<String, String>>,
}

impl Person {
    pub(crate) fn new() -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            http,
            cookies: HashMap::new(),
        }
    }

    pub(crate) async fn open(&mut self, url: &str) -> Page {
        self.follow(Url::parse(url).unwrap(), None).await
    }

    /// Sends the form of a page, with these fields besides the hidden ones.
    pub(crate) async fn submit(&mut self, page: &Page, fields: &[(&str, &str)]) -> Page {
        // What stands around the content has forms of its own.
        let content = page.text.find("<main").unwrap_or(0);
        let content = &page.text[content..];
        let post = content.find("method=\"post\"").expect("a form");
        let whole = &content[content[..post].rfind("<form").unwrap()..];
        let whole = &whole[..whole.find("</form>").unwrap()];
        let value = |element: &str, name: &str| {
            let (_, rest) = element.split_once(&format!("{name}=\""))?;
            Some(rest.split('"').next().unwrap().replace("&amp;", "&"))
        };
        let action = value(whole.split('>').next().unwrap(), "action").unwrap();
        let mut sent: Vec<(String, String)> = Vec::new();
        for input in whole.split("<input").skip(1) {
            let element = input.split('>').next().unwrap();
            if let (true, Some(name)) = (element.contains("hidden"), value(element, "name")) {
                sent.push((name, value(element, "value").unwrap_or_default()));
            }
        }
        sent.extend(
            fields
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into())),
        );
        self.follow(page.url.join(&action).unwrap(), Some(sent)).await
    }

    async fn follow(&mut self, mut url: Url, mut form: Option<Vec<(String, String)>>) -> Page {
        for _ in 0..20 {
            let port = url.port_or_known_default().unwrap();
            let known = self.cookies.entry(port).or_default();
            let cookie: Vec<String> = known
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let request = match form.take() {
                Some(form) => self
                    .http
                    .post(url.clone())
                    .header("origin", url.origin().ascii_serialization())
                    .form(&form),
                None => self.http.get(url.clone()),
            };
            let response = request.header("cookie", cookie.join("; ")).send().await.unwrap();
            for set in response.headers().get_all("set-cookie") {
                let set = set.to_str().unwrap();
                let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
                if set.contains("Max-Age=0") || value.is_empty() {
                    known.remove(name);
                } else {
                    known.insert(name.to_owned(), value.to_owned());
                }
            }
            let location = response.headers().get("location").cloned();
            let status = response.status();
            match location.filter(|_| status.is_redirection()) {
                Some(location) => url = url.join(location.to_str().unwrap()).unwrap(),
                None => {
                    return Page {
                        status: status.as_u16(),
                        url,
                        text: response.text().await.unwrap(),
                    };
                }
            }
        }
        panic!("no page after twenty redirects");
    }

    /// Signs in with a provider, and lands on a page of the gateway.
    pub(crate) async fn sign_in(&mut self, gateway: &str, provider: &str, name: &str) -> Page {
        let mut page = self
            .open(&format!("{gateway}/auth/oidc/{provider}/login?next=/console"))
            .await;
        if page.text.contains("name=\"login\"") {
            page = self.submit(&page, &[("login", name), ("password", "any")]).await;
        }
        if page.text.contains("value=\"consent\"") {
            page = self.submit(&page, &[]).await;
        }
        page
    }

    /// Confirms the code that a device shows.
    pub(crate) async fn confirm(&mut self, gateway: &str, code: &str) -> Page {
        let page = self.open(&format!("{gateway}/device?user_code={code}")).await;
        assert_eq!(page.status, 200, "{}", page.text);
        self.submit(&page, &[("decision", "approve")]).await
    }
}
