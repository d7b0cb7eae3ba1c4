//! A screen as a picture, for pages: SVG.

use std::fmt::Write;

use crate::screen::{Line, Tone};

// A column and a row, in pixels.
const COLUMN: f32 = 8.4;
const ROW: f32 = 18.0;
const MARGIN: f32 = 16.0;

/// Lines of at most so many columns, on a dark plate.
pub(crate) fn svg(lines: &[Line], columns: usize) -> String {
    let (width, height) = (columns as f32 * COLUMN + 2.0 * MARGIN, lines.len() as f32 * ROW + 2.0 * MARGIN);
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" font-family="ui-monospace, 'DejaVu Sans Mono', monospace" font-size="14" xml:space="preserve">
<rect width="100%" height="100%" rx="8" fill="#12171e"/>
"##
    );
    for (row, line) in lines.iter().enumerate() {
        let mut column = 0;
        for (tone, text) in line.parts() {
            let (x, top) = (MARGIN + column as f32 * COLUMN, MARGIN + row as f32 * ROW);
            let count = text.chars().count();
            let (fill, weight) = match tone {
                Tone::Plain => ("#c6ced6", 400),
                Tone::Strong => ("#e6ebf0", 700),
                Tone::Faint => ("#7b8794", 400),
                Tone::Good => ("#4fae95", 400),
                Tone::Bad => ("#d8736b", 400),
            };
            // Bars are drawn, so that no font decides how they look.
            let eighths = text.chars().map(eighths).sum::<Option<u32>>();
            match eighths {
                Some(0) => {}
                Some(eighths) => {
                    let (y, length) = (top + 2.0, eighths as f32 * COLUMN / 8.0);
                    let rect = format_args!(r#"<rect x="{x:.1}" y="{y}" width="{length:.1}" height="{}""#, ROW - 4.0);
                    push(&mut svg, format_args!(r#"{rect} fill="{fill}" fill-opacity=".6"/>"#));
                }
                None => {
                    let (y, length) = (top + 13.0, count as f32 * COLUMN);
                    let text = text.replace('&', "&amp;").replace('<', "&lt;");
                    let at = format_args!(r#"<text x="{x:.1}" y="{y}" textLength="{length:.1}""#);
                    push(&mut svg, format_args!(r#"{at} fill="{fill}" font-weight="{weight}">{text}</text>"#));
                }
            }
            column += count;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// How much of its column a block fills, blank ones nothing; none for what is no block.
fn eighths(character: char) -> Option<u32> {
    match character {
        ' ' => Some(0),
        '█'..='▏' => Some(8 - (u32::from(character) - u32::from('█'))),
        _ => None,
    }
}

/// A line of text.
fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // cannot fail: a string takes everything
    writeln!(text, "{line}").unwrap_or_default();
}
