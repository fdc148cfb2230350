// Entropy of one next-token distribution: drag the logits, turn the temperature.
"use strict";

ppo.widget("entropy", (w) => {
    const { num } = ppo;
    const s = w.state;
    const tokens = s.logits.map((_, v) => v);
    const names = ["the", "a", "my", "one", "no", "some", "any"];
    const x = () => [-0.5, tokens.length - 0.5];
    const [from, to, points] = [0.1, 4, 118];
    let pi, logp, ent, most, grad, curve;

    w.compute = () => {
        [pi, logp, [ent, most], grad, ...curve] = w.call("entropy", [s.tau, s.logits, from, to, points]);
    };
    const logits = w.panel({
        title: "z, the logits",
        height: 148, x, y: () => [-4, 4], margin: { bottom: 8 },
        describe: () => "The logit of each token.",
        draw: (p) => { p.yAxis(); tokens.forEach((v) => p.segment(v, 0, v, s.logits[v], "value thick")); },
    });
    for (const v of tokens) {
        w.handle(logits, { key: "logits", index: v, kind: "value", label: `Logit of “${names[v]}”`, min: -4, max: 4, step: 0.25, at: () => [v, s.logits[v]] });
    }
    w.panel({
        title: "π, the probabilities at this temperature",
        height: 148, x, y: () => [0, 1], margin: { bottom: 24 },
        describe: () => `Probabilities: ${tokens.map((v) => `${names[v]} ${ppo.show(pi[v], 2)}`).join(", ")}.`,
        draw: (p) => {
            p.yAxis();
            for (const v of tokens) {
                p.bar(v, pi[v], Math.min(44, 0.6 * p.column()), "pi");
                p.number(v, pi[v], pi[v], 3, "middle value", [0, -6]);
                p.text(v, 0, names[v], "tick middle word", [0, 17]);
            }
        },
    });
    w.panel({
        title: "∂H / ∂z, where more entropy would push each logit",
        height: 128, x, y: () => { const m = Math.max(0.2, 1.3 * Math.max(...grad.map(Math.abs))); return [-m, m]; }, margin: { bottom: 8 },
        describe: () => `Gradient of the entropy: ${tokens.map((v) => `${names[v]} ${ppo.show(grad[v], 3)}`).join(", ")}.`,
        draw: (p) => { p.yAxis(); tokens.forEach((v) => p.bar(v, grad[v], Math.min(44, 0.6 * p.column()), grad[v] < 0 ? "minus" : "plus")); },
    });
    const heat = w.panel({
        title: "H against the temperature",
        height: 148, x: () => [0, to], y: () => [0, 1.15 * most], margin: { bottom: 38 },
        describe: () => `Entropy against temperature: ${ppo.show(ent, 2)} at ${ppo.show(s.tau, 2)}, at most ${ppo.show(most, 2)}.`,
        draw: (p) => {
            p.yAxis();
            p.xAxis("temperature τ");
            p.segment(0, most, to, most, "mean");
            p.text(to, most, `ln ${tokens.length}`, "end mean", [-2, -4]);
            p.line(curve[0].map((tau, i) => [tau, curve[1][i]]), "loss");
        },
    });
    w.handle(heat, { key: "tau", axis: "x", kind: "loss", label: "Temperature", min: from, max: to, step: 0.05, at: () => [s.tau, ent] });
    w.says(() => {
        const first = tokens.reduce((a, b) => (pi[b] > pi[a] ? b : a));
        return `H = <b>${num(ent)}</b> nats of at most ${num(most)}. “${names[first]}” has probability ${num(pi[first])}; raising H pushes its logit by ${num(grad[first])}.`;
    });
    w.controls();
    w.slider({ key: "tau", label: "τ", name: "temperature", min: from, max: to, step: 0.05 });
    w.table("Every number of this distribution", () => ["token", "z", "π", "log π", "∂H/∂z"],
        () => tokens.map((v) => [names[v], num(s.logits[v], 2), num(pi[v], 4), num(logp[v], 4), num(grad[v], 4)]));
});
