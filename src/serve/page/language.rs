//! The page's own words in the reader's language, and items by the labels that they have in it.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

use crate::catalog::Item;

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Chinese,
}

impl Language {
    /// What the browser says that its reader reads best.
    pub(super) fn of(headers: &HeaderMap) -> Language {
        let said = headers.get(ACCEPT_LANGUAGE).and_then(|said| said.to_str().ok()).unwrap_or_default();
        let mut tags = said.split(',').map(|tag| tag.trim().to_ascii_lowercase());
        match tags.find(|tag| tag.starts_with("zh") || tag.starts_with("en")) {
            Some(tag) if tag.starts_with("zh") => Language::Chinese,
            _ => Language::English,
        }
    }

    /// The tag that documents and labels have.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh",
        }
    }

    /// One of the page's own words.
    pub(super) fn say(self, english: &'static str, chinese: &'static str) -> &'static str {
        match self {
            Language::English => english,
            Language::Chinese => chinese,
        }
    }

    /// What an item is called: its label in this language, else the one without a language, else its name.
    pub(super) fn call(self, item: &Item) -> &str {
        let own = item.labels.iter().find(|(tag, _)| tag.starts_with(self.tag())).map(|(_, label)| label);
        own.or(item.label.as_ref()).unwrap_or(&item.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_first_known_language_is_spoken() {
        let of = |text| Language::of(&HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_static(text))]));
        assert_eq!(of("fr, zh-CN;q=0.9, en;q=0.8"), Language::Chinese);
        assert_eq!((of("en-GB,zh"), of("fr")), (Language::English, Language::English));
    }
}
