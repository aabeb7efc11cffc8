//! The curves as a picture.

use super::Curves;

pub(super) fn picture(curves: &Curves) -> String {
    let (width, height) = (600.0, 300.0);
    let x = |ms: u64| width * (ms.min(1_200) as f64) / 1_200.0;
    let y = |share: f64| height * (1.0 - share.min(0.5) / 0.5);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-50 -20 700 380\" font-family=\"sans-serif\" font-size=\"12\">\n\
        <rect width=\"{width}\" height=\"{height}\" fill=\"none\" stroke=\"#888\"/>\n\
        <text x=\"200\" y=\"345\">median wait at the end of a turn, ms</text><text x=\"-45\" y=\"-6\">pauses cut in on</text>\n"
    );
    for ms in (0..=1_200).step_by(200) {
        out += &format!("<text x=\"{:.0}\" y=\"318\">{ms}</text>\n", x(ms) - 10.0);
    }
    for percent in [0, 5, 10, 20, 30, 40, 50] {
        let at = y(f64::from(percent) / 100.0);
        out += &format!(
            "<text x=\"-40\" y=\"{:.0}\">{percent} %</text><line x1=\"0\" x2=\"{width}\" y1=\"{at:.0}\" y2=\"{at:.0}\" stroke=\"#ddd\"/>\n",
            at + 4.0
        );
    }
    for (n, (name, colour, curve)) in [
        ("words, sound and silence", "#36c", &curves.ours),
        ("silence alone", "#999", &curves.silence),
        ("turn model alone", "#c63", &curves.model),
    ]
    .into_iter()
    .enumerate()
    {
        let line: Vec<String> = curve
            .iter()
            .map(|s| format!("{:.0},{:.0}", x(s.wait_median_ms), y(s.cut_in)))
            .collect();
        out += &format!(
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/><text x=\"420\" y=\"{}\" fill=\"{colour}\">{name}</text>\n",
            line.join(" "),
            20 + 18 * n
        );
    }
    out += &format!(
        "<circle cx=\"{:.0}\" cy=\"{:.0}\" r=\"5\" fill=\"#36c\"/>\n",
        x(curves.in_use.wait_median_ms),
        y(curves.in_use.cut_in)
    );
    out + "</svg>\n"
}
