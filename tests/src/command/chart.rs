//! A curve in the terminal.

/// Columns and rows of a chart.
const SIZE: (usize, usize) = (75, 6);

/// Eighths of a cell, from none to all.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The values in their order as columns, each the mean of its share of them, between the least and the most
/// that a column has; a value that is no finite number leaves its column empty.
pub(crate) fn draw(title: &str, values: &[f64]) -> String {
    let (width, height) = (SIZE.0.min(values.len()), SIZE.1);
    let columns: Vec<f64> = (0..width)
        .map(|column| {
            let share = &values[column * values.len() / width..(column + 1) * values.len() / width];
            share.iter().sum::<f64>() / share.len() as f64
        })
        .collect();
    let finite = || columns.iter().copied().filter(|x| x.is_finite());
    let (least, most) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let mut text = format!("  {title}\n");
    for row in (0..height).rev() {
        let label = match row {
            0 => format!("{least:.3}"),
            row if row + 1 == height => format!("{most:.3}"),
            _ => String::new(),
        };
        let cells: String = columns.iter().map(|x| cell(*x, (least, most), row, height)).collect();
        text.push_str(format!("  {label:>8} │{cells}").trim_end());
        text.push('\n');
    }
    text
}

/// How full a cell is: the least value shows one eighth of the lowest row, the most fills the highest.
fn cell(x: f64, (least, most): (f64, f64), row: usize, height: usize) -> char {
    if !x.is_finite() {
        return ' ';
    }
    let share = if most > least { (x - least) / (most - least) } else { 0.0 };
    let eighths = 1.0 + share * (8 * height - 1) as f64;
    let in_row = (eighths.round() as usize).saturating_sub(8 * row).min(8);
    EIGHTHS[in_row]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rising_curve_rises_from_its_least_to_its_most() {
        let text = draw("x", &[0.0, 1.0, 2.0]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 1 + SIZE.1);
        assert_eq!(lines[1], "     2.000 │  █");
        assert_eq!(lines[SIZE.1], "     0.000 │▁██");
    }

    #[test]
    fn a_flat_curve_and_one_without_numbers_are_drawn_too() {
        assert!(draw("x", &[1.0; 200]).contains(&"▁".repeat(SIZE.0)));
        assert!(!draw("x", &[f64::NAN; 3]).contains('▁'));
        assert_eq!(draw("x", &[]).lines().count(), 1 + SIZE.1);
    }
}
