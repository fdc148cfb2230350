// The policy loss of one token: where it is clipped, and where the gradient is gone.
"use strict";

ppo.widget("policy-clip", (w) => {
    const { num } = ppo;
    const s = w.state;
    const [from, to, points] = [-1.2, 0.95, 216];
    const bounds = [1, 1.5, 2, 3];
    let ratio, loss, grad, clipped, dual, curve;

    w.compute = () => {
        const c_dual = s.dual ? bounds[s.dual] : Infinity;
        const lists = w.call("policy_clip", [s.adv, s.log_ratio, s.eps_lo, s.eps_hi, c_dual, from, to, points]);
        [ratio, loss, grad, clipped, dual] = lists[0];
        curve = lists.slice(1);
    };
    const x = () => [0.25, 2.6];
    const along = (list) => curve[0].map((rho, i) => [rho, list()[i]]);
    const span = (list) => {
        const all = [...list, 0];
        const [lo, hi] = [Math.min(...all), Math.max(...all)];
        const room = Math.max(0.5, 0.12 * (hi - lo));
        return [lo - room, hi + room];
    };
    const region = (p) => {
        p.band("x", 1 - s.eps_lo, 1 + s.eps_hi, "inside");
        p.yAxis();
    };
    const losses = w.panel({
        title: "Loss of the token; dashed: without the clip",
        height: 198, x, y: () => span([...curve[1], ...curve[3]]), margin: { bottom: 8 },
        describe: () => `Loss against ratio: ${ppo.show(loss, 2)} at a ratio of ${ppo.show(ratio, 2)}.`,
        draw: (p) => {
            region(p);
            p.line(along(() => curve[3]), "soft dashed");
            p.line(along(() => curve[1]), "loss");
            p.segment(ratio, p.y.domain[0], ratio, p.y.domain[1], "here");
        },
    });
    w.panel({
        title: "∂loss / ∂log π",
        height: 158, x, y: () => span(curve[2]), margin: { bottom: 38 },
        describe: () => `Gradient against ratio: ${ppo.show(grad, 2)} at a ratio of ${ppo.show(ratio, 2)}.`,
        draw: (p) => {
            region(p);
            p.xAxis("ratio ρ, the probability over the old one");
            // A jump is a gap and not a slope.
            let run = [];
            for (const [rho, g] of along(() => curve[2])) {
                if (run.length && (g === 0) !== (run.at(-1)[1] === 0)) { p.line(run, "grad"); run = []; }
                run.push([rho, g]);
            }
            p.line(run, "grad");
            p.segment(ratio, p.y.domain[0], ratio, p.y.domain[1], "here");
            p.dot(ratio, grad, "grad", 5.5);
        },
    });
    w.handle(losses, { key: "log_ratio", axis: "x", kind: "loss along", label: "Log-ratio of the token", min: -1.2, max: 0.95, step: 0.05, at: () => [ratio, loss] });
    // The axis shows ρ, the reference takes log ρ: the handle is placed by the one and moved along the other.
    const plain = losses.render;
    losses.render = function () {
        plain.call(this);
        const inverse = this.x.inverse;
        this.x.inverse = (pixel) => Math.log(Math.max(0.01, inverse(pixel)));
    };
    w.says(() => {
        const push = s.adv > 0 ? "more likely" : "less likely";
        if (s.adv === 0) return "Â is 0: nothing is asked of this token.";
        if (dual) return `ρ = ${num(ratio)}: the dual clip holds the loss at <b>${num(loss)}</b>. The gradient is <b>${num(grad)}</b>: the token is let go.`;
        if (clipped) return `ρ = ${num(ratio)}: the token is already ${push} by more than it may become, so the loss is flat at <b>${num(loss)}</b> and the gradient is <b>${num(grad)}</b>.`;
        const outside = ratio < 1 - s.eps_lo || ratio > 1 + s.eps_hi;
        return `ρ = ${num(ratio)}, ${outside ? "outside the range, but on the wrong side: the clip does not hold it" : "inside the range"}. Loss <b>${num(loss)}</b>, gradient <b>${num(grad)}</b>: it is made ${push}.`;
    });
    w.controls();
    w.slider({ key: "adv", label: "Â", name: "advantage", min: -2, max: 2, step: 0.25 });
    w.slider({ key: "log_ratio", label: "log ρ", name: "log-ratio", min: -1.2, max: 0.95, step: 0.05 });
    w.slider({ key: "eps_lo", label: "ε<sub>lo</sub>", name: "radius below", min: 0.05, max: 0.6, step: 0.05 });
    w.slider({ key: "eps_hi", label: "ε<sub>hi</sub>", name: "radius above", min: 0.05, max: 0.6, step: 0.05 });
    w.choice({ key: "dual", label: "Dual clip c<sub>dual</sub>", options: ["off", "1.5", "2", "3"] });
});
