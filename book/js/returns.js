// A critic fitted round after round: with returns from raw advantages it finds its level, with whitened ones it cannot.
"use strict";

ppo.widget("returns", (w) => {
    const { num } = ppo;
    const s = w.state;
    let score, raw, whitened;

    w.compute = () => {
        let v, ret, v_w, ret_w;
        [[score], v, ret, v_w, ret_w] = w.call("level", [s.rounds, s.share, s.gamma, s.lambda, s.v_0, s.scores]);
        [raw, whitened] = [{ v, ret }, { v: v_w, ret: ret_w }];
    };
    const rounds = () => raw.v.map((_, round) => round);
    const panel = w.panel({
        title: "Mean V of the critic, round after round",
        height: 238, x: () => [0, s.rounds - 1], y: () => [-1.2, 2.2], margin: { bottom: 38, right: 16 },
        describe: () => `Mean V after ${s.rounds} rounds: ${ppo.show(raw.v.at(-1), 2)} with raw advantages, ${ppo.show(whitened.v.at(-1), 2)} with whitened ones; the mean score is ${ppo.show(score, 2)}.`,
        draw: (p) => {
            p.yAxis();
            p.xAxis("round");
            p.segment(0, score, s.rounds - 1, score, "mean");
            p.text(s.rounds - 1, score, "mean score", "end mean", [-2, -6]);
            p.line(rounds().map((k) => [k, raw.v[k]]), "plus");
            p.line(rounds().map((k) => [k, whitened.v[k]]), "minus");
            p.text(s.rounds * 0.5, whitened.v[Math.floor(s.rounds / 2)], "returns from whitened Â", "middle minus", [0, s.v_0 > score ? -8 : 18]);
            p.text(s.rounds * 0.5, raw.v[Math.floor(s.rounds / 2)], "from raw Â", "middle plus", [0, s.v_0 > score ? 18 : -8]);
        },
    });
    w.handle(panel, { key: "v_0", kind: "value", label: "What the critic says at first", min: -1, max: 2, step: 0.1, at: () => [0, s.v_0] });
    w.says(() => `After ${s.rounds} rounds mean V is <b class="plus">${num(raw.v.at(-1))}</b> with returns from the raw advantages and <b class="minus">${num(whitened.v.at(-1))}</b> from the whitened; the mean score is ${num(score)}.`);
    w.controls();
    w.slider({ key: "v_0", label: "V", name: "at first, everywhere", min: -1, max: 2, step: 0.1 });
    w.slider({ key: "share", label: "α", name: "share of the way a round", min: 0.05, max: 1, step: 0.05 });
    w.slider({ key: "lambda", label: "λ", name: "decay", min: 0, max: 1, step: 0.05 });
    s.scores.forEach((_, row) => w.slider({ key: "scores", index: row, label: "score", name: `of response ${row}`, min: -1, max: 2, step: 0.25 }));
});
