// What every widget stands on: the compiled reference, the state of one widget, and the numbers that a page shows.
// No number is computed here. `w.call` hands inputs to the reference and gives back its lists; `ppo.show` has it write
// a number, so that digits are rounded in one place. See book/wasm/src/lib.rs for the calls.
"use strict";

window.ppo ??= (() => {
    const kinds = {};
    const places = {};
    let wasm;

    const said = (bytes) =>
        new TextDecoder().decode(Uint8Array.from({ length: bytes }, (_, place) => wasm.byte(place)));

    /** The lists that a call answers; an Error with its sentence if it refuses. */
    function call(name, inputs) {
        wasm.clear();
        for (const input of inputs) {
            if (Array.isArray(input)) wasm.put(input.length);
            for (const x of [input].flat()) wasm.put(x);
        }
        const count = wasm.run(places[name]);
        if (count < 0) throw new Error(said(wasm.text()));
        const lists = [];
        for (let place = 0; place < count;) {
            const length = wasm.take(place++);
            lists.push(Array.from({ length }, () => wasm.take(place++)));
        }
        return lists;
    }

    /** A number with so many decimals; −0.00 is 0.00. */
    function show(x, decimals) {
        const text = said(wasm.show(x, decimals));
        return text.replace(/^-(?=[0.]*$)/, "").replace("-", "−").replace("inf", "∞");
    }

    /** A number that says what it is the digits of; `tag` is tspan inside a drawing. */
    const num = (x, decimals = 3, tag = "span") =>
        `<${tag} class="num" data-value="${x}" data-digits="${decimals}">${show(x, decimals)}</${tag}>`;

    /** `gamma=0.9 r=0,0,1` as an object of numbers and lists; one entry and a comma is a list too. */
    function parse(text) {
        const value = (words) => {
            const list = words.split(",").filter(Boolean).map(Number);
            return words.includes(",") ? list : list[0];
        };
        return Object.fromEntries(text.split(" ").map((pair) => pair.split("=")).map(([k, v]) => [k, value(v)]));
    }

    /** One widget on a page: its state, what it computes, and everything that shows it. */
    class Widget {
        constructor(figure) {
            this.figure = figure;
            this.state = parse(figure.dataset.start);
            this.parts = [];
            this.calls = {};
            this.live = element("div", "widget-live");
            figure.prepend(this.live);
            // The book's own keys turn the page.
            this.live.addEventListener("keydown", (event) => {
                if (/^(Arrow|Home|End|Page)/.test(event.key)) event.stopPropagation();
            });
        }

        /** Asks the reference; the last inputs and lists of each call stay readable for the tests. */
        call(name, inputs) {
            const lists = call(name, inputs);
            this.calls[name] = { inputs: structuredClone(inputs), lists };
            return lists;
        }

        /** Adds something that is drawn anew whenever the state changes. */
        part(node, draw, into = this.live) {
            into.append(node);
            this.parts.push(draw);
            return node;
        }

        /** A sentence about what is seen, read out when it has changed. */
        says(sentence) {
            const node = element("p", "says", { "aria-live": "polite", "aria-atomic": "true" });
            const refused = () => `<strong>No numbers:</strong> ${this.refused.replaceAll("<", "&lt;")}. The drawing stays as it was.`;
            return this.part(node, () => fill(node, this.refused ? refused() : sentence()));
        }

        /** The numbers behind the drawing: head cells, then rows of cells, of which the first names the row. */
        table(title, head, rows) {
            const node = element("details", "numbers");
            node.innerHTML = `<summary>${title}</summary><div class="wide" tabindex="0" role="region" aria-label="${title}"></div>`;
            const cells = (tag, list) => list.map((cell, place) =>
                (tag === "th" || place === 0 ? `<th scope="${tag === "th" ? "col" : "row"}">${cell}</th>` : `<td>${cell}</td>`)).join("");
            return this.part(node, () => fill(node.lastElementChild,
                `<table><thead><tr>${cells("th", head())}</tr></thead><tbody>${
                    rows().map((row) => `<tr>${cells("td", row)}</tr>`).join("")}</tbody></table>`));
        }

        /** Back to what the page started with. */
        reset() {
            const foot = element("div", "foot");
            const node = element("button", "reset", { type: "button" }, "Reset");
            node.addEventListener("click", () => {
                Object.assign(this.state, parse(this.figure.dataset.start));
                this.update();
            });
            foot.append(...this.live.querySelectorAll(".numbers"), node);
            this.live.append(foot);
        }

        /** Computes and shows. What the reference refuses is said, above the numbers that it gave last. */
        update() {
            this.refused = "";
            try {
                this.compute();
            } catch (error) {
                if (error instanceof WebAssembly.RuntimeError) throw error;
                this.refused = error.message;
            }
            this.figure.dataset.refused = this.refused;
            for (const draw of this.parts) draw();
        }
    }

    function element(tag, className, attributes = {}, text = "") {
        const node = document.createElement(tag);
        if (className) node.className = className;
        for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
        node.textContent = text;
        return node;
    }

    /** Writes only what has changed, so that a screen reader says only that. */
    function fill(node, html) {
        if (node.filled !== html) node.innerHTML = html;
        node.filled = html;
    }

    async function start() {
        const figures = [...document.querySelectorAll("figure.widget:not(.alive)")];
        if (!figures.length || !window.PPO_WASM) return;
        const bytes = Uint8Array.from(atob(window.PPO_WASM), (letter) => letter.charCodeAt(0));
        wasm = (await WebAssembly.instantiate(bytes, {})).instance.exports;
        for (let place = 0, length; (length = wasm.name(place)); place++) places[said(length)] = place;
        for (const figure of figures) {
            const build = kinds[figure.dataset.widget];
            if (!build) continue;
            const widget = figure.widget = new Widget(figure);
            build(widget);
            figure.classList.add("alive");
            widget.reset();
            widget.update();
        }
        document.documentElement.dataset.widgets = "ready";
    }
    document.addEventListener("DOMContentLoaded", start);

    return {
        /** Says how a kind of widget is built. */
        widget: (name, build) => { kinds[name] = build; },
        Widget, element, fill, show, num,
    };
})();
