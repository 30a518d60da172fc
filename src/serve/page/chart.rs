//! Charts as SVG in the page, drawn by `plotters`.
//!
//! The page has a light and a dark form, and so have its charts: they are drawn in colours that stand for roles, which
//! become variables of the page's style.

use maud::{Markup, PreEscaped, html};
use plotters::coord::ranged1d::SegmentValue;
use plotters::prelude::*;

/// Width and height; the page stretches it to what it has.
const SIZE: (u32, u32) = (640, 260);
/// The height of a bar of a waterfall.
const BAR: u32 = 26;

const SOFT: RGBColor = RGBColor(1, 0, 1);
const GRID: RGBColor = RGBColor(2, 0, 2);
const LINE: RGBColor = RGBColor(3, 0, 3);
const AIM: RGBColor = RGBColor(4, 0, 4);
const GOOD: RGBColor = RGBColor(5, 0, 5);
const BAD: RGBColor = RGBColor(6, 0, 6);
const MARK: RGBColor = RGBColor(7, 0, 7);

/// Each role's colour as it is drawn, and as the style calls it.
const ROLES: &[(&str, &str)] = &[
    ("#010001", "var(--soft)"),
    ("#020002", "var(--grid)"),
    ("#030003", "var(--line)"),
    ("#040004", "var(--aim)"),
    ("#050005", "var(--good)"),
    ("#060006", "var(--bad)"),
    ("#070007", "var(--mark)"),
];

/// A period of a trend.
#[derive(Debug, Clone, Default)]
pub(super) struct Point {
    pub(super) period: String,
    pub(super) value: Option<f64>,
    pub(super) target: Option<f64>,
    /// Whether it stands out.
    pub(super) strange: bool,
}

/// Values over time, with what they were to be, and what stands out.
pub(super) fn trend(points: &[Point], band: Option<(f64, f64)>, name: &str, shown: &dyn Fn(f64) -> String) -> Markup {
    let band_ends = band.iter().flat_map(|(low, high)| [*low, *high]);
    let all = points.iter().flat_map(|point| [point.value, point.target]).flatten().chain(band_ends);
    let Some((low, high)) = range(all) else { return html! {} };
    finished(name, SIZE, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(24)
            .x_label_area_size(26)
            .y_label_area_size(72)
            .build_cartesian_2d(0..points.len().max(2) - 1, low..high)?;
        let period = |at: &usize| points.get(*at).map(|point| point.period.clone()).unwrap_or_default();
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(GRID)
            .label_style(("sans-serif", 13).into_font().color(&SOFT))
            .x_labels(6)
            .y_labels(5)
            .x_label_formatter(&period)
            .y_label_formatter(&|value| shown(*value))
            .draw()?;
        if let Some((from, to)) = band {
            let last = points.len().max(2) - 1;
            chart.draw_series([Rectangle::new([(0, from), (last, to)], AIM.mix(0.15).filled())])?;
        }
        for piece in pieces(points, |point| point.target) {
            chart.draw_series(DashedLineSeries::new(piece, 6, 4, AIM.stroke_width(2)))?;
        }
        for piece in pieces(points, |point| point.value) {
            // One value alone has no line.
            chart.draw_series(piece.iter().map(|at| Circle::new(*at, 2, LINE.filled())))?;
            chart.draw_series(LineSeries::new(piece, LINE.stroke_width(2)))?;
        }
        let strange = points.iter().enumerate().filter(|(_, point)| point.strange);
        let strange = strange.filter_map(|(at, point)| Some((at, point.value?)));
        chart.draw_series(strange.map(|at| Circle::new(at, 6, MARK.stroke_width(2))))?;
        Ok(())
    })
}

/// A step of a change.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) effect: f64,
}

/// From one value to another by steps, one below the other; a rise is good unless it is said otherwise.
pub(super) fn waterfall(
    (base, current): (f64, f64),
    steps: &[Step],
    rise_is_good: bool,
    name: &str,
    shown: &dyn Fn(f64) -> String,
) -> Markup {
    let mut bars = vec![(String::new(), 0.0, base, LINE)];
    let mut level = base;
    for step in steps {
        let colour = if (step.effect >= 0.0) == rise_is_good { GOOD } else { BAD };
        bars.push((step.name.clone(), level, level + step.effect, colour));
        level += step.effect;
    }
    bars.push((String::new(), 0.0, current, LINE));
    let count = bars.len();
    bars[0].0 = "▸".to_string();
    bars[count - 1].0 = "◂".to_string();
    // Large values with small steps between them: what is alike on all is left out.
    let levels = bars.iter().skip(1).take(count - 2).flat_map(|(_, from, to, _)| [*from, *to]).chain([base, current]);
    let Some((low, high)) = range(levels) else { return html! {} };
    let from = |value: f64| if value == 0.0 { low.max(0.0).min(high) } else { value };
    let size = (SIZE.0, BAR * count as u32 + 48);
    finished(name, size, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(24)
            .x_label_area_size(24)
            .y_label_area_size(150)
            .build_cartesian_2d(low..high, (0..count).into_segmented())?;
        let named = |at: &SegmentValue<usize>| match at {
            SegmentValue::CenterOf(at) if *at < count => bars[count - 1 - at].0.clone(),
            _ => String::new(),
        };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(GRID)
            .label_style(("sans-serif", 13).into_font().color(&SOFT))
            .x_labels(5)
            .y_labels(count)
            .x_label_formatter(&|value| shown(*value))
            .y_label_formatter(&named)
            .draw()?;
        chart.draw_series(bars.iter().enumerate().map(|(at, (_, start, end, colour))| {
            let row = count - 1 - at;
            let ends = [(from(*start), SegmentValue::Exact(row)), (*end, SegmentValue::Exact(row + 1))];
            let mut bar = Rectangle::new(ends, colour.filled());
            bar.set_margin(4, 4, 0, 0);
            bar
        }))?;
        Ok(())
    })
}

/// The values that a chart must show, with some room; `None` if there are none.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return None;
    }
    let room = if high > low { (high - low) * 0.08 } else { high.abs().max(1.0) * 0.1 };
    // Where zero is not far, it is shown.
    let bottom = if low >= 0.0 && low < high * 0.4 { 0.0 } else { low - room };
    Some((bottom, high + room))
}

/// Stretches without gaps.
fn pieces(points: &[Point], value: impl Fn(&Point) -> Option<f64>) -> Vec<Vec<(usize, f64)>> {
    let known: Vec<Option<(usize, f64)>> =
        points.iter().enumerate().map(|(at, point)| Some((at, value(point).filter(|it| it.is_finite())?))).collect();
    known
        .split(Option::is_none)
        .map(|piece| piece.iter().flatten().copied().collect())
        .filter(|piece: &Vec<_>| !piece.is_empty())
        .collect()
}

type Area<'t> = DrawingArea<SVGBackend<'t>, plotters::coord::Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// The SVG that is drawn; nothing, if it cannot be, since the same values stand in a table.
fn finished(name: &str, size: (u32, u32), draw: impl Fn(&Area<'_>) -> Drawn) -> Markup {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        if draw(&area).and_then(|()| Ok(area.present()?)).is_err() {
            return html! {};
        }
    }
    let text = ROLES.iter().fold(text, |text, (drawn, role)| text.replace(drawn, role));
    // The page decides how large it is.
    let fixed = format!("width=\"{}\" height=\"{}\" ", size.0, size.1);
    let text = text.replacen(&fixed, "", 1);
    html! { figure.chart role="img" aria-label=(name) { (PreEscaped(text)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(value: Option<f64>) -> Point {
        Point { period: "2026-01 <b>".to_string(), value, target: Some(2.0), strange: true }
    }

    #[test]
    fn charts_are_drawn_in_roles_and_quote_what_they_name() {
        let points = [point(Some(1.0)), point(None), point(Some(3.0)), point(Some(f64::NAN))];
        let text = trend(&points, Some((1.0, 2.0)), "a \"b\"", &|value| value.to_string()).into_string();
        assert!(text.contains("var(--line)") && text.contains("var(--aim)") && text.contains("var(--mark)"), "{text}");
        assert!(!text.contains("<b>") && !text.contains("#0"), "{text}");
        assert!(trend(&[], None, "none", &|_| String::new()).into_string().is_empty());
    }

    #[test]
    fn waterfalls_show_what_is_good() {
        let steps = [Step { name: "区域".to_string(), effect: -2.0 }, Step { name: "other".to_string(), effect: 1.0 }];
        let text = waterfall((10.0, 9.0), &steps, true, "why", &|value| value.to_string()).into_string();
        assert!(text.contains("区域") && text.contains("var(--good)") && text.contains("var(--bad)"), "{text}");
    }

    #[test]
    fn gaps_stay_gaps() {
        let all = pieces(&[point(Some(1.0)), point(None), point(Some(2.0)), point(Some(3.0))], |point| point.value);
        assert_eq!(all, vec![vec![(0, 1.0)], vec![(2, 2.0), (3, 3.0)]]);
    }
}
