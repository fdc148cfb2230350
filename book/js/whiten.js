// Whitening: drag advantages, mask slots, and see what mean, variance and ε_w do.
"use strict";

ppo.widget("whiten", (w) => {
    const { num } = ppo;
    const s = w.state;
    const slots = s.adv.map((_, t) => t);
    const sizes = [0, 1e-8, 1e-2, 0.1, 1];
    const x = () => [-0.5, slots.length - 0.5];
    const valid = (t) => s.mask[t] === 1;
    let mean, variance, after, own, unmasked;

    w.compute = () => {
        [[mean, variance], after, own, unmasked] =
            w.call("whiten", [s.variance, s.eps_at, sizes[s.eps], s.adv, s.mask]);
    };
    const grid = (p) => {
        p.yAxis();
        for (const t of slots) if (!valid(t)) p.band("x", t - 0.5, t + 0.5, "gap");
    };
    const before = w.panel({
        title: "Â, with its mean μ and μ ± σ over the tokens",
        height: 178, x, y: () => [-3, 5], margin: { bottom: 8 },
        describe: () => `Advantages before: mean ${ppo.show(mean, 2)}, variance ${ppo.show(variance, 2)}.`,
        draw: (p) => {
            grid(p);
            const sigma = Math.sqrt(variance);
            if (Number.isFinite(sigma)) p.band("y", mean - sigma, mean + sigma, "spread");
            p.segment(p.x.domain[0], mean, p.x.domain[1], mean, "mean");
            p.number(p.x.domain[1], mean, mean, 2, "end mean", [-4, -5]);
        },
    });
    for (const t of slots) {
        w.handle(before, { key: "adv", index: t, label: `Advantage of slot ${t}`, min: -3, max: 5, step: 0.25, at: () => [t, s.adv[t]] });
    }
    w.mask(before, { key: "mask", name: "Slot" });
    w.panel({
        title: "Âʷ, whitened: mean 0, and 1 in place of σ",
        height: 178, x, y: () => [-3, 3], margin: { bottom: 22 },
        describe: () => `Advantages after: ${slots.filter(valid).map((t) => ppo.show(after[t], 2)).join(", ")}.`,
        draw: (p) => {
            grid(p);
            p.band("y", -1, 1, "spread");
            const width = Math.min(30, 0.45 * p.column());
            for (const t of slots) {
                p.text(t, p.y.domain[0], String(t), `tick middle ${valid(t) ? "" : "off"}`, [0, 16]);
                if (s.ghost) p.dot(t, unmasked[t], "ghost", 5);
                if (!valid(t)) continue;
                p.bar(t, after[t], width, after[t] < 0 ? "minus" : "plus");
                p.number(t, after[t], after[t], 2, "middle value", [0, after[t] < 0 ? 14 : -6]);
            }
        },
    });
    w.says(() => {
        const off = Math.abs(own[1] - 1) < 5e-4 ? "" : s.eps > 1
            ? " ε<sub>w</sub> is no longer small beside σ, so the variance stays below 1."
            : "";
        const ghosts = s.ghost ? " Rings: the same, if masked slots were counted as tokens." : "";
        return `μ = ${num(mean)}, σ² = ${num(variance)}. After whitening the tokens have mean ${num(own[0])} and variance <b>${num(own[1])}</b>.${off}${ghosts}`;
    });
    w.controls();
    w.choice({ key: "variance", label: "Squared deviations are divided by", options: ["n", "n − 1"] });
    w.choice({ key: "eps", label: "ε<sub>w</sub>", options: ["0", "10⁻⁸", "0.01", "0.1", "1"] });
    w.choice({ key: "eps_at", label: "where ε<sub>w</sub> stands", options: ["σ + ε", "√(σ² + ε)", "√max(σ², ε)"] });
    w.toggle({ key: "ghost", label: "Show what counting padding would give" });
    w.table("Every number of this batch", () => ["t", "mask", "Â", "Âʷ", "with padding counted"],
        () => slots.map((t) => [t, valid(t) ? "token" : "masked", num(s.adv[t], 2), valid(t) ? num(after[t], 4) : "", num(unmasked[t], 4)]));
});
