//! From one value to another by steps, one below the other.

use maud::{Markup, html};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::chart::{Area, BAD, Drawn, Form, GOOD, GRID, INK, LINE, NARROW, Range, SOFT, drawn, figure, letters};
use super::frame::Shown;
use super::language::Language;

/// Where a change begins or ends.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) name: String,
    pub(super) value: f64,
}

/// A step of a change.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) effect: f64,
}

/// Whether an effect is good, as far as it is known what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    Bad,
    Open,
}

impl Verdict {
    /// Of an effect on what should rise (or not); `None` where nobody said.
    pub(super) fn of(effect: f64, rise_is_good: Option<bool>) -> Verdict {
        match rise_is_good {
            Some(_) if effect == 0.0 => Verdict::Open,
            Some(good) if (effect > 0.0) == good => Verdict::Good,
            Some(_) => Verdict::Bad,
            None => Verdict::Open,
        }
    }

    /// Its class in the style.
    pub(super) fn class(self) -> &'static str {
        match self {
            Verdict::Good => "good",
            Verdict::Bad => "bad",
            Verdict::Open => "open",
        }
    }

    /// Its shape, as lights have them: colours alone do not tell everybody.
    pub(super) fn shape(self) -> &'static str {
        match self {
            Verdict::Good => "● ",
            Verdict::Bad => "■ ",
            Verdict::Open => "",
        }
    }

    fn colour(self) -> RGBColor {
        match self {
            Verdict::Good => GOOD,
            Verdict::Bad => BAD,
            Verdict::Open => SOFT,
        }
    }
}

/// What is drawn.
pub(super) struct Waterfall<'w> {
    pub(super) ends: [End; 2],
    pub(super) steps: &'w [Step],
    pub(super) rise_is_good: Option<bool>,
    pub(super) shown: &'w Shown,
    pub(super) language: Language,
}

/// A bar with what is written beside it.
struct Bar {
    name: String,
    from: f64,
    to: f64,
    colour: RGBColor,
    said: String,
}

impl Waterfall<'_> {
    pub(super) fn chart(&self, name: &str) -> Markup {
        let bars = self.bars();
        let [base, current] = &self.ends;
        // Large values with small steps between them: what is alike on all is left out.
        let inner = &bars[1..bars.len() - 1];
        let levels = inner.iter().flat_map(|bar| [bar.from, bar.to]).chain([base.value, current.value]);
        let Some(range) = Range::of(levels) else { return html! {} };
        let note = range.note(self.language.say("The axis leaves out zero.", "坐标轴不含零点。"));
        let verdicts = self.steps.iter().map(|step| Verdict::of(step.effect, self.rise_is_good));
        let judged = verdicts.into_iter().any(|verdict| verdict != Verdict::Open);
        html! {
            (figure(name, note, &|form| {
                let height = row(form) * bars.len() as u32 + 48;
                drawn((form.width, height), |area| self.draw_on(area, form, &bars, range))
            }))
            @if judged { p.legend {
                span.good { (Verdict::Good.shape()) (self.language.say("better", "向好")) }
                span.bad { (Verdict::Bad.shape()) (self.language.say("worse", "变差")) }
            } }
        }
    }

    fn bars(&self) -> Vec<Bar> {
        let [base, current] = &self.ends;
        let end = |end: &End| Bar {
            name: end.name.clone(),
            from: 0.0,
            to: end.value,
            colour: LINE,
            said: self.shown.number(end.value),
        };
        let mut bars = vec![end(base)];
        let mut level = base.value;
        for step in self.steps {
            let verdict = Verdict::of(step.effect, self.rise_is_good);
            bars.push(Bar {
                name: step.name.clone(),
                from: level,
                to: level + step.effect,
                colour: verdict.colour(),
                said: format!("{}{}", verdict.shape(), self.shown.change(self.language, step.effect)),
            });
            level += step.effect;
        }
        bars.push(end(current));
        bars
    }

    fn draw_on(&self, area: &Area<'_>, form: Form, bars: &[Bar], range: Range) -> Drawn {
        let narrow = form.class == NARROW.class;
        let longest = |text: &dyn Fn(&Bar) -> &str| bars.iter().map(|bar| form.room(text(bar))).max().unwrap_or(0);
        let names = longest(&|bar| &bar.name).min(form.width * 2 / 5);
        let said = longest(&|bar| &bar.said);
        // Beside the bars, where there is room; else above them.
        let (left, right) = if narrow { (24, 24) } else { (names + 20, said + 20) };
        let count = bars.len();
        let mut chart = ChartBuilder::on(area)
            .margin_top(8)
            .margin_left(left)
            .margin_right(right)
            .x_label_area_size(30)
            .build_cartesian_2d(range.low..range.high, 0.0..count as f64)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(GRID)
            .label_style(("sans-serif", form.letters).into_font().color(&SOFT))
            .x_labels(if narrow { 3 } else { 5 })
            .x_label_formatter(&|value| self.shown.tick(*value, range.span()))
            .draw()?;
        let (top, bottom) = if narrow { (0.5, 0.08) } else { (0.84, 0.16) };
        let within = |value: f64| value.clamp(range.low, range.high);
        for (at, bar) in bars.iter().enumerate() {
            let floor = (count - 1 - at) as f64;
            let ends = [(within(bar.from), floor + bottom), (within(bar.to), floor + top)];
            chart.draw_series([Rectangle::new(ends, bar.colour.filled())])?;
            // To where the next one begins; on a narrow page it would cross names.
            if at + 1 < count && !narrow {
                let line = vec![(within(bar.to), floor + top), (within(bar.to), floor - 1.0 + bottom)];
                chart.draw_series([PathElement::new(line, SOFT)])?;
            }
            let middle = floor + if narrow { 0.74 } else { 0.5 };
            let (_, height) = chart.backend_coord(&(range.low, middle));
            let (edge, side) = if narrow { (8, HPos::Left) } else { (left as i32 - 8, HPos::Right) };
            let room = if narrow { form.width.saturating_sub(said + 32) } else { names };
            area.draw(&Text::new(fitting(form, &bar.name, room), (edge, height), letters(form, INK, side)))?;
            let edge = form.width as i32 - 8;
            area.draw(&Text::new(
                bar.said.clone(),
                (edge, height),
                letters(form, if bar.colour == LINE { INK } else { bar.colour }, HPos::Right),
            ))?;
        }
        Ok(())
    }
}

/// How high a bar is, with what is above it.
fn row(form: Form) -> u32 {
    if form.class == NARROW.class { 42 } else { 28 }
}

/// As much of a text as has room.
fn fitting(form: Form, text: &str, room: u32) -> String {
    if form.room(text) <= room {
        return text.to_string();
    }
    let mut short = String::new();
    for letter in text.chars() {
        if form.room(&format!("{short}{letter}…")) > room {
            break;
        }
        short.push(letter);
    }
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(rise_is_good: Option<bool>) -> String {
        let steps = [("区域 <i>", -2.0), ("other", 1.0)].map(|(name, effect)| Step { name: name.to_string(), effect });
        let ends = [("before", 10.0), ("after", 9.0)].map(|(name, value)| End { name: name.to_string(), value });
        let shown = Shown::default();
        Waterfall { ends, steps: &steps, rise_is_good, shown: &shown, language: Language::English }
            .chart("why")
            .into_string()
    }

    #[test]
    fn waterfalls_show_what_is_good_by_colour_and_shape() {
        let text = chart(Some(true));
        assert!(text.contains("区域") && text.contains("var(--good)") && text.contains("var(--bad)"), "{text}");
        assert!(text.contains("before") && text.contains("■ −2") && text.contains("● +1"), "{text}");
        assert!(text.contains("leaves out zero") && !text.contains("<i>"), "{text}");
        let open = chart(None);
        assert!(!open.contains("var(--good)") && !open.contains("better"), "{open}");
    }

    #[test]
    fn long_names_are_cut() {
        let cut = fitting(NARROW, &"很长的名字".repeat(9), 100);
        assert!(cut.ends_with('…') && NARROW.room(&cut) <= 100, "{cut}");
    }
}
