// The value loss of one token: drag V, V_old and R, and find the dead zone.
"use strict";

ppo.widget("value-clip", (w) => {
    const { num } = ppo;
    const s = w.state;
    const [from, to, points] = [-0.5, 2, 501];
    let loss, grad, clipped, v_clip, plain, cut, curve;

    w.compute = () => {
        const lists = w.call("value_clip", [s.v, s.v_old, s.ret, s.eps_v, s.form, s.half, from, to, points]);
        [loss, grad, clipped, v_clip, plain, cut] = lists[0];
        curve = lists.slice(1);
    };
    const x = () => [from, to];
    /** The stretches of V in which the gradient is exactly 0, but for R itself. */
    const dead = () => {
        const found = [];
        curve[2].forEach((g, i) => {
            if (g !== 0 || Math.abs(curve[0][i] - s.ret) < 1e-9) return;
            if (found.at(-1)?.[1] === i - 1) found.at(-1)[1] = i; else found.push([i, i]);
        });
        return found.filter(([a, b]) => b > a).map(([a, b]) => [curve[0][a], curve[0][b]]);
    };
    const region = (p) => {
        for (const [lo, hi] of dead()) p.band("x", lo, hi, "dead");
        p.yAxis();
    };
    const losses = w.panel({
        title: "Loss of the token; shaded: no gradient",
        height: 208, x, y: () => [0, Math.min(4, Math.max(0.5, 1.1 * Math.max(...curve[1])))], margin: { bottom: 8 },
        describe: () => `Loss against V: ${ppo.show(loss, 3)} at V of ${ppo.show(s.v, 2)}.`,
        draw: (p) => {
            region(p);
            p.line(curve[0].map((v, i) => [v, Math.min(curve[1][i], p.y.domain[1])]), "loss");
            p.segment(s.v, 0, s.v, p.y.domain[1], "here");
            p.dot(s.v, Math.min(loss, p.y.domain[1]), "loss", 5.5);
        },
    });
    w.panel({
        title: "∂loss / ∂V",
        height: 128, x, y: () => [-4, 4], margin: { bottom: 8 },
        describe: () => `Gradient against V: ${ppo.show(grad, 3)} at V of ${ppo.show(s.v, 2)}.`,
        draw: (p) => {
            region(p);
            let run = [];
            curve[0].forEach((v, i) => {
                const g = curve[2][i];
                if (run.length && Math.abs(g - run.at(-1)[1]) > 0.05) { p.line(run, "grad"); run = []; }
                run.push([v, g]);
            });
            p.line(run, "grad");
            p.segment(s.v, -4, s.v, 4, "here");
            p.dot(s.v, grad, "grad", 5.5);
        },
    });
    const track = w.panel({
        title: "Drag the three values",
        height: 158, x, y: () => [0, 3], margin: { bottom: 24 },
        describe: () => `V ${ppo.show(s.v, 2)}, V old ${ppo.show(s.v_old, 2)} with its range, R ${ppo.show(s.ret, 2)}.`,
        draw: (p) => {
            p.xAxis();
            p.mark(`<rect class="band range" x="${p.x(Math.max(from, s.v_old - s.eps_v))}" y="${p.y(1.5) - 5}" width="${p.x(Math.min(to, s.v_old + s.eps_v)) - p.x(Math.max(from, s.v_old - s.eps_v))}" height="10" rx="5"/>`);
            for (const [y, name] of [[2.5, "V"], [1.5, 'V<tspan dy="3" font-size="9">old</tspan>'], [0.5, "R"]]) p.text(from, y, name, "tick end", [-6, 4]);
            for (const [y, v] of [[2.5, s.v], [1.5, s.v_old], [0.5, s.ret]]) p.number(v, y, v, 2, "", [v > 1.6 ? -52 : 16, 4]);
        },
    });
    const along = (key, label, kind, y) => w.handle(track, { key, axis: "x", kind, label, min: from, max: to, step: 0.05, at: () => [s[key], y] });
    along("v", "Value now", "value", 2.5);
    along("v_old", "Old value", "value hollow", 1.5);
    along("ret", "Return", "reward", 0.5);

    w.says(() => {
        const squares = `(V − R)² = ${num(plain, 4)}, (V<sub>clip</sub> − R)² = ${num(cut, 4)}`;
        const end = `Loss <b>${num(loss, 4)}</b>, gradient <b>${num(grad, 4)}</b>`;
        if (s.form === 2) return `${squares}. The clip is off. ${end}.`;
        const flat = grad === 0 && s.v !== s.ret;
        if (!flat) return `${squares}. ${end}.`;
        const away = s.form === 1 && !clipped ? ", though V is further from R than the clip: it stays there" : `: V has run more than ε<sub>v</sub>, and waits at V<sub>clip</sub> = ${num(v_clip, 2)} for the next rollout`;
        return `${squares}. ${end}${away}.`;
    });
    w.controls();
    w.slider({ key: "eps_v", label: "ε<sub>v</sub>", name: "radius", min: 0.05, max: 1, step: 0.05 });
    w.choice({ key: "form", label: "Which square counts", options: ["the larger", "the clipped", "the plain"] });
    w.choice({ key: "half", label: "Factor in front", options: ["none", "½"] });
});
