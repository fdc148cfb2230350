// A panel: a drawing in pixels that is made anew when its numbers or its width change. Colours and strokes are classes
// of css/widgets.css, so that a drawing follows the theme.
"use strict";

(() => {
    const { Widget, element, fill, num } = ppo;
    const px = (x) => Math.round(x * 10) / 10;

    function scale([lo, hi], [from, to]) {
        const k = (to - from) / (hi - lo);
        const at = (x) => from + (x - lo) * k;
        at.inverse = (pixel) => lo + (pixel - from) / k;
        at.domain = [lo, hi];
        return at;
    }

    /** Three to six round numbers inside a domain. */
    function ticks([lo, hi]) {
        const raw = (hi - lo) / 5;
        const ten = 10 ** Math.floor(Math.log10(raw));
        const step = [1, 2, 5, 10].map((m) => m * ten).find((each) => each >= raw);
        const first = Math.ceil(lo / step - 1e-9);
        const count = Math.floor(hi / step + 1e-9) - first + 1;
        return { at: Array.from({ length: count }, (_, i) => (first + i) * step), digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
    }

    class Panel {
        constructor(widget, { title, height, x, y, margin = {}, describe, draw }) {
            Object.assign(this, { widget, height, domains: { x, y }, describe, drawing: draw });
            this.margin = { left: 40, right: 12, top: 30, bottom: 22, ...margin };
            this.node = element("div", "panel");
            this.node.style.height = `${height}px`;
            this.node.innerHTML = `<svg role="img"></svg>${title ? `<span class="title">${title}</span>` : ""}`;
            this.svg = this.node.firstElementChild;
        }

        render() {
            const width = this.node.clientWidth || 320;
            const { left, right, top, bottom } = this.margin;
            Object.assign(this, { width, marks: [] });
            this.x = scale(this.domains.x(), [left, width - right]);
            this.y = scale(this.domains.y(), [this.height - bottom, top]);
            this.drawing(this);
            this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
            this.svg.setAttribute("aria-label", this.describe());
            fill(this.svg, this.marks.join(""));
        }

        mark(text) { this.marks.push(text); }

        line(points, kind) {
            const path = points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
            this.mark(`<polyline class="line ${kind}" points="${path.map(([x, y]) => `${px(this.x(x))},${px(this.y(y))}`).join(" ")}"/>`);
        }

        segment(x1, y1, x2, y2, kind) {
            if (![x1, y1, x2, y2].every(Number.isFinite)) return;
            this.mark(`<line class="line ${kind}" x1="${px(this.x(x1))}" y1="${px(this.y(y1))}" x2="${px(this.x(x2))}" y2="${px(this.y(y2))}"/>`);
        }

        dot(x, y, kind, r = 5) {
            if (!Number.isFinite(x) || !Number.isFinite(y)) return;
            this.mark(`<circle class="dot ${kind}" cx="${px(this.x(x))}" cy="${px(this.y(y))}" r="${r}"/>`);
        }

        /** From 0 to y, `width` wide in pixels, moved sideways by `shift`. */
        bar(x, y, width, kind, shift = 0, from = 0) {
            if (!Number.isFinite(y)) return;
            const [a, b] = [this.y(from), this.y(y)];
            this.mark(`<rect class="bar ${kind}" x="${px(this.x(x) - width / 2 + shift)}" y="${px(Math.min(a, b))}" width="${px(width)}" height="${px(Math.abs(a - b))}" rx="1.5"/>`);
        }

        /** Everything between two x, or two y. */
        band(axis, lo, hi, kind) {
            const at = this[axis];
            const clip = (v) => Math.min(at.domain[1], Math.max(at.domain[0], v));
            const [a, b] = [at(clip(lo)), at(clip(hi))].sort((p, q) => p - q);
            const { left, right, top, bottom } = this.margin;
            this.mark(axis === "x"
                ? `<rect class="band ${kind}" x="${px(a)}" y="${top}" width="${px(b - a)}" height="${this.height - top - bottom}"/>`
                : `<rect class="band ${kind}" x="${left}" y="${px(a)}" width="${this.width - left - right}" height="${px(b - a)}"/>`);
        }

        text(x, y, text, kind = "", [dx, dy] = [0, 0]) {
            if (!Number.isFinite(x) || !Number.isFinite(y)) return;
            this.mark(`<text class="${kind}" x="${px(this.x(x) + dx)}" y="${px(this.y(y) + dy)}">${text}</text>`);
        }

        number(x, y, value, digits, kind, offset) { this.text(x, y, num(value, digits, "tspan"), kind, offset); }

        /** A rule at each round number of y, and its digits. */
        yAxis() {
            const { at, digits } = ticks(this.y.domain);
            for (const y of at) {
                this.segment(this.x.domain[0], y, this.x.domain[1], y, Math.abs(y) < 1e-9 ? "zero" : "grid");
                this.text(this.x.domain[0], y, y.toFixed(digits).replace("-", "−"), "tick end", [-7, 4]);
            }
        }

        /** Round numbers of x at the foot, and what they are. */
        xAxis(name) {
            const { at, digits } = ticks(this.x.domain);
            const foot = this.y.domain[0];
            for (const x of at) {
                this.segment(x, foot, x, this.y.domain[1], "grid");
                this.text(x, foot, x.toFixed(digits).replace("-", "−"), "tick middle", [0, 16]);
            }
            if (name) this.text(this.x.domain[1], foot, name, "tick end name", [0, 30]);
        }

        /** How wide one of the whole numbers of x is. */
        column() { return this.x(1) - this.x(0); }
    }

    Widget.prototype.panel = function (options, into = this.live) {
        const panel = new Panel(this, options);
        this.part(panel.node, () => panel.render(), into);
        new ResizeObserver(() => {
            if (panel.width && Math.abs(panel.width - panel.node.clientWidth) > 1) this.update();
        }).observe(panel.node);
        return panel;
    };
})();
