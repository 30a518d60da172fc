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

    /// A word of an answer (a direction, a reason, a flag) as people say it.
    pub(super) fn word(self, word: &str) -> &str {
        let words = if self == Language::Chinese { CHINESE } else { ENGLISH };
        words.iter().find(|(known, _)| *known == word).map_or(word, |(_, said)| said)
    }

    /// Several words.
    pub(super) fn words(self, words: &str) -> String {
        words.split(',').map(|word| self.word(word.trim())).collect::<Vec<_>>().join(self.say(", ", "，"))
    }

    /// What an item is called: its label in this language, else the one without a language, else its name.
    pub(super) fn call(self, item: &Item) -> &str {
        let own = item.labels.iter().find(|(tag, _)| tag.starts_with(self.tag())).map(|(_, label)| label);
        own.or(item.label.as_ref()).unwrap_or(&item.name)
    }
}

/// The words of answers in Chinese.
const CHINESE: &[(&str, &str)] = &[
    ("at least", "至少"),
    ("at most", "至多"),
    ("between", "介于"),
    ("no target", "没有目标"),
    ("target without a period", "目标没有周期"),
    ("target of another period", "目标属于其他周期"),
    ("target of another slice", "目标属于其他切片"),
    ("target of the others together", "目标为其余切片合计"),
    ("target of other rows", "目标针对其他数据"),
    ("no value", "没有数值"),
    ("target is zero", "目标为零"),
    ("target is negative", "目标为负"),
    ("value is zero", "数值为零"),
    ("value is negative", "数值为负"),
    ("baseline is the target", "基线等于目标"),
    ("baseline is beyond the target", "基线已优于目标"),
    ("target without a direction", "目标没有方向"),
    ("sample too small", "样本过小"),
    ("period not begun", "周期尚未开始"),
    ("held by the periods before", "沿用前几期状态"),
    ("data end before the period", "数据止于周期之前"),
    ("data end within the period", "周期内数据不完整"),
    ("no value a year before", "上年同期无数值"),
    ("less than 80 % covered", "覆盖不足 80 %"),
    ("simpson", "整体与各切片方向相反（辛普森悖论）"),
    ("offsetting", "各部分相互抵消"),
    ("entry", "新增"),
    ("exit", "退出"),
    ("overlap", "在多个切片中重复计数"),
    ("undefined", "无法计算"),
    ("unexplained", "未解释"),
    ("rest", "除以上之外"),
    ("(in several slices)", "（跨多个切片）"),
    ("(without a target)", "（没有目标）"),
    ("previous period", "上一期"),
    ("previous year", "上年同期"),
    ("target", "目标"),
    ("additive", "可加"),
    ("non-additive", "不可加"),
    ("semi-additive", "半可加"),
];

/// Those that need more words in English.
const ENGLISH: &[(&str, &str)] = &[
    ("simpson", "the whole moves against its slices (Simpson's paradox)"),
    ("offsetting", "parts offset each other"),
    ("entry", "new"),
    ("exit", "gone"),
    ("overlap", "counted in several slices"),
    ("rest", "besides the above"),
    ("previous period", "the period before"),
    ("previous year", "the year before"),
];

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
