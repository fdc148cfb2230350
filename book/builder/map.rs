//! `{{#map}}`: the step as boxes that lead to their chapters, with what goes from one to the next and its shape.
//!
//! Narrow and tall, so that it can be read on a telephone; the numbers below are its own units.

use std::path::Path;

/// Its width, and the height of a box.
const WIDTH: f64 = 380.0;
const BOX: f64 = 42.0;
const HEIGHT: f64 = 908.0;

/// A box: the page it leads to, its name, what comes out of it, and where its upper left corner and its width are.
struct Node {
    page: &'static str,
    name: &'static str,
    gives: &'static str,
    at: (f64, f64),
    width: f64,
}

const fn node(
    page: &'static str,
    name: &'static str,
    gives: &'static str,
    at: (f64, f64),
    width: f64,
) -> Node {
    Node { page, name, gives, at, width }
}

/// The two phases: upper edge, height, where the name begins, and the name.
const PHASES: [(f64, f64, f64, &str); 2] = [
    (4.0, 478.0, 20.0, "The rollout: once for a batch, no gradient"),
    (494.0, 410.0, 60.0, "The update: K times over the same batch"),
];

const NODES: [Node; 14] = [
    node("iteration", "The policy answers the prompts", "y, logits, hidden states h", (20.0, 36.0), 340.0),
    node("log-prob", "Log-probabilities", "log π_old, log π_ref", (20.0, 124.0), 160.0),
    node("value-head", "The value head", "V_old", (200.0, 124.0), 160.0),
    node("reward", "The shaped reward", "r", (20.0, 212.0), 160.0),
    node("gae", "Generalized advantage estimation", "Â", (20.0, 300.0), 340.0),
    node("whiten", "Whitening", "Â, mean 0, variance 1", (20.0, 388.0), 160.0),
    node("returns", "Returns", "R = Â + V_old", (200.0, 388.0), 160.0),
    node("inner-loop", "The policy again, as it is now", "logits and hidden states", (20.0, 526.0), 340.0),
    node("policy-loss", "Policy loss", "of log π, Â", (20.0, 614.0), 106.0),
    node("entropy", "Entropy", "of the logits", (137.0, 614.0), 106.0),
    node("value-loss", "Value loss", "of V, V_old, R", (254.0, 614.0), 106.0),
    node("aggregate", "Aggregation", "one number of each", (20.0, 702.0), 340.0),
    node("total-loss", "The total loss", "and its gradient", (20.0, 774.0), 340.0),
    node("inner-loop", "Norm, clip, Adam", "new weights", (20.0, 846.0), 340.0),
];

/// From a point to a point straight below it, and what goes there.
const ARROWS: [(f64, f64, f64, &str); 14] = [
    (100.0, 78.0, 124.0, "B × T × vocab"),
    (280.0, 78.0, 124.0, "B × T × d_model"),
    (100.0, 166.0, 212.0, "log π  B × T"),
    (100.0, 254.0, 300.0, "r  B × T"),
    (280.0, 166.0, 300.0, "V_old  B × T"),
    (100.0, 342.0, 388.0, "Â  B × T"),
    (280.0, 342.0, 388.0, "Â  B × T, raw"),
    (73.0, 568.0, 614.0, "B × T"),
    (190.0, 568.0, 614.0, "B × T × vocab"),
    (307.0, 568.0, 614.0, "B × T"),
    (73.0, 656.0, 702.0, "B × T"),
    (190.0, 656.0, 702.0, "B × T"),
    (307.0, 656.0, 702.0, "B × T"),
    (190.0, 744.0, 774.0, "numbers"),
];

/// The map as HTML; a box whose page is not written yet leads nowhere.
pub(crate) fn html(root: &Path) -> String {
    let mut svg = format!(
        "<nav class=\"map\" aria-label=\"The step as a map\">\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\">\n\
         <defs><marker id=\"map-head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path d=\"M0 0 8 4 0 8z\"/></marker></defs>\n"
    );
    for (y, height, x, name) in PHASES {
        svg.push_str(&format!(
            "<rect class=\"phase\" x=\"4\" y=\"{y}\" width=\"372\" height=\"{height}\" rx=\"10\"/>\
             <text class=\"phase\" x=\"{x}\" y=\"{}\">{name}</text>\n",
            y + 20.0
        ));
    }
    for (x, from, to, what) in ARROWS {
        svg.push_str(&arrow(&format!("M{x} {from}V{}", to - 1.0)));
        // The arrow of the returns comes down on the right of V's.
        let (x, anchor) = if x > 300.0 { (x - 6.0, "end") } else { (x + 6.0, "start") };
        let y = from + 18.0;
        svg.push_str(&format!(
            "<text class=\"shape\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{what}</text>\n"
        ));
    }
    svg.push_str(&arrow("M190 816V845"));
    // The score, a number for each sequence; what the update takes from the rollout; the way back for the next epoch.
    svg.push_str("<text class=\"shape\" x=\"188\" y=\"230\">score  B</text>\n");
    svg.push_str(&arrow("M186 233H181"));
    svg.push_str(&arrow("M100 430V484H46V613"));
    svg.push_str(&arrow("M280 430V484H334V613"));
    svg.push_str(&arrow("M360 867H369V547H361"));
    NODES.iter().for_each(|node| svg.push_str(&boxed(node, root)));
    svg + "</svg>\n</nav>"
}

fn arrow(path: &str) -> String {
    format!("<path class=\"arrow\" d=\"{path}\" marker-end=\"url(#map-head)\"/>\n")
}

fn boxed(node: &Node, root: &Path) -> String {
    let Node { page, name, gives, at: (x, y), width } = node;
    let middle = x + width / 2.0;
    let inside = format!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX}\" rx=\"6\"/>\
         <text x=\"{middle}\" y=\"{}\">{name}</text><text class=\"gives\" x=\"{middle}\" y=\"{}\">{gives}</text>",
        y + 18.0,
        y + 34.0
    );
    if root.join(format!("src/{page}.md")).is_file() {
        format!("<a class=\"box\" href=\"{page}.html\">{inside}</a>\n")
    } else {
        format!("<g class=\"box\">{inside}</g>\n")
    }
}
