// One iteration on two short rows, epoch by epoch: what each token asks for, and when the clips let go.
"use strict";

ppo.widget("step", (w) => {
    const { num, element } = ppo;
    const s = w.state;
    const words = ["a", "b", "c"];
    const tokens = [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1]];
    const slot = ([row, t]) => 3 * row + t;
    let actions, v_old, adv, ret, losses, ratio, v, grad_logp, grad_v, pi;

    w.compute = () => {
        const inputs = [s.epochs, s.lr, s.eps, s.eps_v, s.c_v, s.c_h, s.gamma, s.lambda, s.scores];
        [, actions, , v_old, , adv, ret, losses, ratio, v, grad_logp, grad_v, pi] = w.call("step", inputs);
        s.epoch = Math.min(s.epoch, s.epochs - 1);
    };
    /** A quantity of a token in an epoch. */
    const of = (list, token, epoch = s.epoch) => list[6 * epoch + slot(token)];
    const loss = (place, epoch = s.epoch) => losses[7 * epoch + place];
    const chance = (token, word, epoch = s.epoch) => pi[18 * epoch + 3 * slot(token) + word];
    const held = (token) => of(grad_logp, token) === 0;
    const epochs = () => Array.from({ length: s.epochs }, (_, k) => k);

    const bar = element("div", "steps");
    const back = element("button", "", { type: "button" }, "← epoch");
    const next = element("button", "", { type: "button" }, "epoch →");
    const where = element("strong", "");
    bar.append(back, where, next);
    back.addEventListener("click", () => { s.epoch = Math.max(0, s.epoch - 1); w.update(); });
    next.addEventListener("click", () => { s.epoch = Math.min(s.epochs - 1, s.epoch + 1); w.update(); });
    w.part(bar, () => {
        where.textContent = `Epoch ${s.epoch + 1} of ${s.epochs}`;
        back.setAttribute("aria-disabled", String(s.epoch === 0));
        next.setAttribute("aria-disabled", String(s.epoch === s.epochs - 1));
    });

    const x = () => [0, Math.max(1, s.epochs - 1)];
    const across = (p, name) => {
        p.yAxis();
        for (const k of epochs()) p.text(k, p.y.domain[0], String(k + 1), "tick middle", [0, 16]);
        p.text(p.x.domain[1], p.y.domain[0], name, "tick end name", [0, 30]);
        p.segment(s.epoch, p.y.domain[0], s.epoch, p.y.domain[1], "here");
    };
    const spread = (lists, least) => {
        const all = lists.flat();
        const [lo, hi] = [Math.min(...all), Math.max(...all)];
        const room = Math.max(least, 0.12 * (hi - lo));
        return [lo - room, hi + room];
    };
    const pair = element("div", "pair");
    w.live.append(pair);
    w.panel({
        title: "ρ of each token; hollow: clipped",
        height: 198, x, margin: { bottom: 38, right: 26 },
        y: () => spread([tokens.map((token) => epochs().map((k) => of(ratio, token, k))).flat(), [1 - s.eps, 1 + s.eps]], 0.1),
        describe: () => `The ratio of each token over ${s.epochs} epochs.`,
        draw: (p) => {
            p.band("y", 1 - s.eps, 1 + s.eps, "inside");
            across(p, "epoch");
            for (const token of tokens) {
                const kind = adv[slot(token)] < 0 ? "minus" : "plus";
                p.line(epochs().map((k) => [k, of(ratio, token, k)]), kind);
                for (const k of epochs()) p.dot(k, of(ratio, token, k), `${kind} ${of(grad_logp, token, k) === 0 ? "hollow" : ""}`, k === s.epoch ? 5 : 3);
            }
            // Names at the ends of the lines, from the top, none on another.
            const end = s.epochs - 1;
            let above = -Infinity;
            for (const token of tokens.toSorted((a, b) => of(ratio, b, end) - of(ratio, a, end))) {
                const rho = of(ratio, token, end);
                const y = above = Math.max(p.y(rho), above + 11);
                p.text(end, rho, words[actions[slot(token)]], "word", [8, y - p.y(rho) + 4]);
            }
        },
    }, pair);
    w.panel({
        title: "L<sub>total</sub>, and the parts that enter it",
        height: 198, x, margin: { bottom: 38, right: 40 },
        y: () => spread(epochs().map((k) => [loss(3, k), loss(0, k), s.c_v * loss(1, k)]), 0.1),
        describe: () => `Losses over the epochs: the total goes from ${ppo.show(loss(3, 0), 3)} to ${ppo.show(loss(3, s.epochs - 1), 3)}.`,
        draw: (p) => {
            across(p, "epoch");
            p.line(epochs().map((k) => [k, loss(0, k)]), "plus soft");
            p.line(epochs().map((k) => [k, s.c_v * loss(1, k)]), "value soft");
            p.line(epochs().map((k) => [k, loss(3, k)]), "loss");
            p.dot(s.epoch, loss(3), "loss", 5);
            const end = s.epochs - 1;
            p.text(end, loss(0, end), "policy", "word", [5, 4]);
            p.text(end, s.c_v * loss(1, end), "value", "word", [5, 4]);
        },
    }, pair);

    const cards = element("div", "tokens");
    w.part(cards, () => ppo.fill(cards, tokens.map((token) => {
        const [row, t] = token;
        const bars = words.map((word, place) => `<span class="word ${actions[slot(token)] === place ? "taken" : ""}">${word}<span class="chance"><span style="width:${(100 * chance(token, place)).toFixed(1)}%"></span><i style="left:${(100 * chance(token, place, 0)).toFixed(1)}%"></i></span></span>`).join("");
        const kind = adv[slot(token)] < 0 ? "minus" : "plus";
        return `<div class="token" role="group" aria-label="Row ${row}, token ${t}"><p class="name">row ${row}, t = ${t}</p>${bars}<dl>
            <dt>Âʷ</dt><dd class="${kind}">${num(adv[slot(token)], 2)}</dd>
            <dt>ρ</dt><dd>${num(of(ratio, token), 3)}${held(token) ? ' <em>clipped</em>' : ""}</dd>
            <dt>∂L/∂log π</dt><dd>${num(of(grad_logp, token), 3)}</dd>
            <dt>V</dt><dd>${num(of(v, token), 3)}</dd>
            <dt>R</dt><dd>${num(ret[slot(token)], 3)}</dd>
            <dt>∂L/∂V</dt><dd>${num(of(grad_v, token), 3)}${of(grad_v, token) === 0 ? ' <em>clipped</em>' : ""}</dd></dl></div>`;
    }).join("")));
    w.says(() => {
        const gone = tokens.filter(held).length;
        const first = s.epoch === 0 ? " Every ρ is 1: no weight has moved yet." : "";
        return `Epoch ${s.epoch + 1}: L<sub>policy</sub> ${num(loss(0))}, L<sub>V</sub> ${num(loss(1))}, H ${num(loss(2))}, L<sub>total</sub> <b>${num(loss(3))}</b>, ‖g‖ ${num(loss(4))}. ${gone} of 5 tokens no longer pull.${first}`;
    });
    w.controls();
    w.slider({ key: "epoch", label: "k", name: "epoch looked at", min: 0, max: s.epochs - 1, step: 1, digits: 0, text: (k) => String(k + 1) });
    w.slider({ key: "lr", label: "η", name: "learning rate", min: 0.01, max: 0.3, step: 0.01 });
    w.slider({ key: "eps", label: "ε", name: "ratio's radius", min: 0.05, max: 0.5, step: 0.05 });
    w.slider({ key: "eps_v", label: "ε<sub>v</sub>", name: "value's radius", min: 0.05, max: 1, step: 0.05 });
    w.slider({ key: "scores", index: 0, label: "score", name: "of row 0", min: -1, max: 1, step: 0.25 });
    w.slider({ key: "scores", index: 1, label: "score", name: "of row 1", min: -1, max: 1, step: 0.25 });
    w.table("Every epoch", () => ["epoch", "L<sub>policy</sub>", "L<sub>V</sub>", "H", "L<sub>total</sub>", "‖g‖", "clip_frac", "clip_frac of V"],
        () => epochs().map((k) => [k + 1, ...[0, 1, 2, 3, 4, 5, 6].map((place) => num(loss(place, k), 4))]));
});
