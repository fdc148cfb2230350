// GAE on one row: drag values and rewards, mask a slot, and see how much of each δ is in one Â.
"use strict";

ppo.widget("gae", (w) => {
    const { num } = ppo;
    const s = w.state;
    const slots = s.r.map((_, t) => t);
    const t_len = slots.length;
    const x = () => [-0.5, t_len + 0.5];
    let delta, adv, weight;

    w.compute = () => {
        let flat;
        [delta, adv, , flat] = w.call("gae", [s.gap, s.gamma, s.lambda, s.v_last, s.r, s.v, s.mask]);
        weight = (t, u) => flat[t_len * t + u];
    };
    const valid = (t) => s.mask[t] === 1;
    const size = (list) => Math.max(0.5, 1.15 * Math.max(...list.filter(Number.isFinite).map(Math.abs)));
    const bars = () => { const most = Math.max(size(delta), size(adv)); return [-most, most]; };
    const faded = (t) => (valid(t) ? "" : "off");
    const grid = (p) => {
        p.yAxis();
        for (const t of slots) if (!valid(t)) p.band("x", t - 0.5, t + 0.5, "gap");
    };
    /** A drawing that marks the token looked at. */
    const look = (p) => { if (valid(s.look)) p.band("x", s.look - 0.5, s.look + 0.5, "look"); };

    const values = w.panel({
        title: "V<sub>t</sub>, what the critic says",
        height: 138, x, y: () => [-1, 2], margin: { bottom: 12 },
        describe: () => `The critic's value at each of ${t_len} slots, and V after the last.`,
        draw: (p) => {
            grid(p);
            p.line([...slots.filter(valid).map((t) => [t, s.v[t]]), [t_len, s.v_last]], "value soft");
            p.text(t_len, p.y.domain[0], "V after", "tick middle", [0, 10]);
        },
    });
    const rewards = w.panel({
        title: "r<sub>t</sub>, the reward",
        height: 113, x, y: () => [-1, 2], margin: { bottom: 8 },
        describe: () => "The reward at each slot.",
        draw: (p) => { grid(p); slots.filter(valid).forEach((t) => p.segment(t, 0, t, s.r[t], "reward thick")); },
    });
    w.mask(rewards, { key: "mask", name: "Slot" });
    const residuals = w.panel({
        title: "δ<sub>t</sub>; filled: its share in the marked Â",
        height: 138, x, y: bars, margin: { bottom: 8 },
        describe: () => `The residuals: ${slots.filter(valid).map((t) => `δ ${t} is ${ppo.show(delta[t], 2)}`).join(", ")}.`,
        draw: (p) => {
            grid(p);
            look(p);
            const width = Math.min(34, 0.5 * p.column());
            for (const t of slots) {
                const hidden = !valid(t) && delta[t] !== 0;
                if (!valid(t) && !hidden) continue;
                p.bar(t, delta[t], width, `outline ${delta[t] < 0 ? "minus" : "plus"}`);
                if (valid(s.look)) p.bar(t, weight(s.look, t) * delta[t], width, delta[t] < 0 ? "minus" : "plus");
            }
        },
    });
    const advantages = w.panel({
        title: "Â<sub>t</sub>, the advantage",
        height: 138, x, y: bars, margin: { bottom: 22 },
        describe: () => `The advantages: ${slots.filter(valid).map((t) => `Â ${t} is ${ppo.show(adv[t], 2)}`).join(", ")}.`,
        draw: (p) => {
            grid(p);
            look(p);
            for (const t of slots) {
                p.text(t, p.y.domain[0], String(t), `tick middle ${faded(t)}`, [0, 16]);
                if (!valid(t)) continue;
                p.bar(t, adv[t], Math.min(34, 0.5 * p.column()), adv[t] < 0 ? "minus" : "plus");
                p.number(t, adv[t], adv[t], 2, "middle value", [0, adv[t] < 0 ? 14 : -6]);
            }
        },
    });
    // A shortcut for a hand; keys have the slider.
    for (const panel of [residuals, advantages]) {
        panel.node.addEventListener("click", (event) => {
            const t = Math.round(panel.x.inverse(event.clientX - panel.node.getBoundingClientRect().left));
            if (slots.includes(t)) { s.look = t; w.update(); }
        });
    }
    for (const t of slots) {
        const of = (name, key, kind) => ({
            key, index: t, kind, min: -1, max: 2, step: 0.1, label: `${name} of token ${t}`,
            at: () => [t, s[key][t]], shown: () => valid(t),
        });
        w.handle(values, of("Value", "v", "value"));
        w.handle(rewards, of("Reward", "r", "reward"));
    }
    w.handle(values, { key: "v_last", kind: "value hollow", label: "Value after the last token", min: -1, max: 2, step: 0.1, at: () => [t_len, s.v_last] });

    w.says(() => {
        if (!valid(s.look)) return `Slot ${s.look} is masked: it has no advantage, and whatever stands in it is never read.`;
        const shares = slots.filter((t) => weight(s.look, t) !== 0 && (valid(t) || delta[t] !== 0));
        const terms = shares.map((t) => `${num(weight(s.look, t))} · <span class="${delta[t] < 0 ? "minus" : "plus"}">${num(delta[t])}</span>`);
        const hidden = shares.some((t) => !valid(t)) ? " The masked slot counts as a step of its own here." : "";
        return `Â<sub>${s.look}</sub> = ${terms.join(" + ")} = <b>${num(adv[s.look])}</b>.${hidden}`;
    });
    w.controls();
    w.slider({ key: "gamma", label: "γ", name: "discount", min: 0, max: 1, step: 0.01 });
    w.slider({ key: "lambda", label: "λ", name: "decay", min: 0, max: 1, step: 0.01 });
    w.slider({ key: "look", label: "t", name: "token looked at", min: 0, max: t_len - 1, step: 1, digits: 0 });
    w.choice({ key: "gap", label: "A masked slot inside the row", options: ["is skipped", "decays", "cuts"] });
    w.table("Every number of this row",
        () => ["t", "mask", "r", "V", "δ", `weight in Â<sub>${s.look}</sub>`, "Â"],
        () => slots.map((t) => [t, valid(t) ? "token" : "masked",
            ...(valid(t) ? [num(s.r[t], 2), num(s.v[t], 2)] : ["", ""]),
            ...(valid(t) || delta[t] !== 0 ? [num(delta[t], 4), num(weight(s.look, t), 4)] : ["", ""]),
            valid(t) ? num(adv[t], 4) : ""]));
});
