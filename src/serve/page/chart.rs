//! Charts as SVG in the page, drawn by `plotters`.
//!
//! The page has a light and a dark form, and so have its charts: they are drawn in colours that stand for roles, which
//! become variables of the page's style. Each is drawn twice, for a wide and for a narrow page, which shows the one that
//! fits: a wide chart made small could not be read.

use maud::{Markup, PreEscaped, html};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::frame::Shown;

/// A form of a chart; the page stretches it to what it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) class: &'static str,
    pub(super) width: u32,
    height: u32,
    /// The size of letters.
    pub(super) letters: u32,
    /// As many periods are written below a trend.
    periods: usize,
}

pub(super) const WIDE: Form = Form { class: "broad", width: 640, height: 260, letters: 14, periods: 6 };
pub(super) const NARROW: Form = Form { class: "narrow", width: 340, height: 230, letters: 15, periods: 3 };

impl Form {
    /// About as much room as a text takes: letters of Chinese are as wide as high.
    pub(super) fn room(self, text: &str) -> u32 {
        let halves: u32 = text.chars().map(|letter| if letter.is_ascii() { 1 } else { 2 }).sum();
        halves * self.letters * 46 / 100
    }
}

pub(super) const SOFT: RGBColor = RGBColor(1, 0, 1);
pub(super) const GRID: RGBColor = RGBColor(2, 0, 2);
pub(super) const LINE: RGBColor = RGBColor(3, 0, 3);
const AIM: RGBColor = RGBColor(4, 0, 4);
pub(super) const GOOD: RGBColor = RGBColor(5, 0, 5);
pub(super) const BAD: RGBColor = RGBColor(6, 0, 6);
const MARK: RGBColor = RGBColor(7, 0, 7);
pub(super) const INK: RGBColor = RGBColor(8, 0, 8);

/// Each role's colour as it is drawn, and as the style calls it.
const ROLES: &[(&str, &str)] = &[
    ("#010001", "var(--soft)"),
    ("#020002", "var(--grid)"),
    ("#030003", "var(--line)"),
    ("#040004", "var(--aim)"),
    ("#050005", "var(--good)"),
    ("#060006", "var(--bad)"),
    ("#070007", "var(--mark)"),
    ("#080008", "var(--ink)"),
];

/// A period of a trend.
#[derive(Debug, Clone, Default)]
pub(super) struct Point {
    pub(super) period: String,
    pub(super) value: Option<f64>,
    pub(super) target: Option<f64>,
    /// Between which values it was to be.
    pub(super) band: Option<(f64, f64)>,
    /// Whether it stands out.
    pub(super) strange: bool,
}

/// Values over time, with what they were to be, and what stands out.
pub(super) fn trend(points: &[Point], name: &str, zero_left_out: &str, shown: &Shown) -> Markup {
    let bands = points.iter().filter_map(|point| point.band).flat_map(|(low, high)| [low, high]);
    let all = points.iter().flat_map(|point| [point.value, point.target]).flatten().chain(bands);
    let Some(range) = Range::of(all) else { return html! {} };
    figure(name, range.note(zero_left_out), &|form| {
        drawn((form.width, form.height), |area| trend_on(area, form, points, range, shown))
    })
}

fn trend_on(area: &Area<'_>, form: Form, points: &[Point], range: Range, shown: &Shown) -> Drawn {
    let tick = |value: &f64| shown.tick(*value, range.span());
    let longest = form.room(&tick(&range.low)).max(form.room(&tick(&range.high)));
    let last = points.len().max(2) - 1;
    let half = points.first().map_or(0, |point| form.room(&point.period) / 2);
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .margin_right(half.max(8))
        .x_label_area_size(26)
        .y_label_area_size((longest + 12).max(half))
        .build_cartesian_2d(0..last, range.low..range.high)?;
    let period = |at: &usize| points.get(*at).map(|point| point.period.clone()).unwrap_or_default();
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(GRID)
        .label_style(("sans-serif", form.letters).into_font().color(&SOFT))
        .x_labels(form.periods)
        .y_labels(5)
        .x_label_formatter(&period)
        .y_label_formatter(&tick)
        .draw()?;
    for piece in pieces(points, |point| point.band) {
        let low = piece.iter().map(|(at, (low, _))| (*at, *low));
        let high = piece.iter().rev().map(|(at, (_, high))| (*at, *high));
        chart.draw_series([Polygon::new(low.chain(high).collect::<Vec<_>>(), AIM.mix(0.2).filled())])?;
    }
    for piece in pieces(points, |point| point.target) {
        // One target alone has no line.
        if let [only] = piece.as_slice() {
            chart.draw_series([Cross::new(*only, 5, AIM.stroke_width(2))])?;
        }
        chart.draw_series(DashedLineSeries::new(piece, 6, 4, AIM.stroke_width(2)))?;
    }
    for piece in pieces(points, |point| point.value) {
        chart.draw_series(piece.iter().map(|at| Circle::new(*at, 2, LINE.filled())))?;
        chart.draw_series(LineSeries::new(piece, LINE.stroke_width(2)))?;
    }
    let strange = points.iter().enumerate().filter(|(_, point)| point.strange);
    let strange = strange.filter_map(|(at, point)| Some((at, point.value?)));
    chart.draw_series(strange.map(|at| Circle::new(at, 6, MARK.stroke_width(2))))?;
    Ok(())
}

/// The values that a chart shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Range {
    /// Those of the values, with some room; `None` if there are none.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Option<Range> {
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return None;
        }
        let room = if high > low { (high - low) * 0.08 } else { high.abs().max(1.0) * 0.1 };
        // Where zero is not far, it is shown.
        let bottom = if low >= 0.0 && low < high * 0.4 { 0.0 } else { low - room };
        let top = if high <= 0.0 && high > low * 0.4 { 0.0 } else { high + room };
        Some(Range { low: bottom, high: top })
    }

    pub(super) fn span(self) -> f64 {
        self.high - self.low
    }

    /// The note, if zero is left out: lengths on it are no shares then.
    pub(super) fn note(self, note: &str) -> Option<&str> {
        (self.low > 0.0 || self.high < 0.0).then_some(note)
    }
}

/// Stretches without gaps.
fn pieces<V: Copy + Finite>(points: &[Point], value: impl Fn(&Point) -> Option<V>) -> Vec<Vec<(usize, V)>> {
    let known: Vec<Option<(usize, V)>> =
        points.iter().enumerate().map(|(at, point)| Some((at, value(point).filter(|value| value.finite())?))).collect();
    known
        .split(Option::is_none)
        .map(|piece| piece.iter().flatten().copied().collect())
        .filter(|piece: &Vec<_>| !piece.is_empty())
        .collect()
}

/// What can be drawn.
trait Finite {
    fn finite(&self) -> bool;
}

impl Finite for f64 {
    fn finite(&self) -> bool {
        self.is_finite()
    }
}

impl Finite for (f64, f64) {
    fn finite(&self) -> bool {
        self.0.is_finite() && self.1.is_finite()
    }
}

/// Letters of a role.
pub(super) fn letters(form: Form, role: RGBColor, at: HPos) -> TextStyle<'static> {
    ("sans-serif", form.letters).into_font().color(&role).pos(Pos::new(at, VPos::Center))
}

pub(super) type Area<'t> = DrawingArea<SVGBackend<'t>, plotters::coord::Shift>;
pub(super) type Drawn = Result<(), Box<dyn std::error::Error>>;

/// A chart in both forms; nothing, if it cannot be drawn, since the same values stand in a table.
pub(super) fn figure(name: &str, note: Option<&str>, draw: &dyn Fn(Form) -> Option<String>) -> Markup {
    let forms = [WIDE, NARROW].map(|form| draw(form).map(|text| (form.class, text)));
    html! {
        figure.chart {
            @for (class, text) in forms.into_iter().flatten() {
                div class=(class) role="img" aria-label=(name) { (PreEscaped(text)) }
            }
            @if let Some(note) = note { figcaption.note { (note) } }
        }
    }
}

/// The SVG that is drawn.
pub(super) fn drawn(size: (u32, u32), draw: impl Fn(&Area<'_>) -> Drawn) -> Option<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(&area).and_then(|()| Ok(area.present()?)).ok()?;
    }
    let text = ROLES.iter().fold(text, |text, (drawn, role)| text.replace(drawn, role));
    // The page decides how large it is.
    Some(text.replacen(&format!("width=\"{}\" height=\"{}\" ", size.0, size.1), "", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(value: Option<f64>) -> Point {
        let period = "2026-01 <b>".to_string();
        Point { period, value, target: Some(2.0), band: Some((1.0, 2.0)), strange: true }
    }

    #[test]
    fn charts_are_drawn_in_roles_and_quote_what_they_name() {
        let points = [point(Some(1.0)), point(None), point(Some(3.0)), point(Some(f64::NAN))];
        let text = trend(&points, "a \"b\"", "no zero", &Shown::default()).into_string();
        assert!(text.contains("var(--line)") && text.contains("var(--aim)") && text.contains("var(--mark)"), "{text}");
        assert!(!text.contains("<b>") && !text.contains("#0") && !text.contains("no zero"), "{text}");
        assert_eq!(text.matches("<svg").count(), 2, "wide and narrow");
        assert!(trend(&[], "none", "", &Shown::default()).into_string().is_empty());
    }

    #[test]
    fn an_axis_without_zero_says_so() {
        let text = trend(&[point(Some(8.0)), point(Some(9.0))], "", "no zero", &Shown::default()).into_string();
        assert!(!text.contains("no zero"), "the target is near zero");
        let far = Point { value: Some(9.0), ..Point::default() };
        assert!(trend(&[far], "", "no zero", &Shown::default()).into_string().contains("no zero"));
        assert!(Range::of([-9.0, -8.0].into_iter()).unwrap().note("no zero").is_some());
    }

    #[test]
    fn gaps_stay_gaps() {
        let all = pieces(&[point(Some(1.0)), point(None), point(Some(2.0)), point(Some(3.0))], |point| point.value);
        assert_eq!(all, vec![vec![(0, 1.0)], vec![(2, 2.0), (3, 3.0)]]);
    }
}
