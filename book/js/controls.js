// What a reader sets: sliders, choices, switches, and handles to drag. Each is a real control with a label, works with
// keys, and writes into the widget's state. Draggable dots are buttons of 44 px laid over the drawing.
"use strict";

(() => {
    const { Widget, element, fill, show } = ppo;
    let named = 0;

    /** To the nearest step, without the dust of binary fractions. */
    const snap = (x, { min, max, step }) => {
        const within = Math.min(max, Math.max(min, min + Math.round((x - min) / step) * step));
        return Number(within.toFixed(6));
    };

    /** A place in the state: `v`, or entry 3 of `r`. */
    const place = (state, key, index) => ({
        get: () => (index === undefined ? state[key] : state[key][index]),
        set: (x) => { if (index === undefined) state[key] = x; else state[key][index] = x; },
    });

    /** Where controls stand, one row or more. */
    Widget.prototype.controls = function () {
        this.controlBox = element("div", "controls");
        this.live.append(this.controlBox);
    };

    /** A range with its value; `labels` names the steps of a scale that is a list. */
    Widget.prototype.slider = function ({ key, index, label, name, min, max, step, digits = 2, text }) {
        const at = place(this.state, key, index);
        const id = `ppo-${++named}`;
        const box = element("div", "slider");
        box.innerHTML = `<label for="${id}"><i>${label}</i> <span>${name}</span></label>
            <output for="${id}"></output><input id="${id}" type="range" min="${min}" max="${max}" step="${step}">`;
        const [output, input] = [box.querySelector("output"), box.querySelector("input")];
        input.dataset.key = index === undefined ? key : `${key}.${index}`;
        input.addEventListener("input", () => { at.set(Number(input.value)); this.update(); });
        return this.part(box, () => {
            input.value = at.get();
            const said = text ? text(at.get()) : show(at.get(), digits);
            fill(output, said);
            input.setAttribute("aria-valuetext", said);
        }, this.controlBox ?? this.live);
    };

    /** One of a few, by its place in the list. */
    Widget.prototype.choice = function ({ key, label, options }) {
        const group = `ppo-${++named}`;
        const box = element("fieldset", "choice");
        box.innerHTML = `<legend>${label}</legend><div>${options.map((option, value) =>
            `<label><input type="radio" name="${group}" value="${value}" data-key="${key}"><span>${option}</span></label>`).join("")}</div>`;
        box.addEventListener("change", (event) => { this.state[key] = Number(event.target.value); this.update(); });
        return this.part(box, () => { box.querySelectorAll("input")[this.state[key]].checked = true; }, this.controlBox ?? this.live);
    };

    /** A switch. */
    Widget.prototype.toggle = function ({ key, label }) {
        const box = element("label", "toggle");
        box.innerHTML = `<input type="checkbox" data-key="${key}"><span>${label}</span>`;
        const input = box.firstElementChild;
        input.addEventListener("change", () => { this.state[key] = Number(input.checked); this.update(); });
        return this.part(box, () => { input.checked = Boolean(this.state[key]); }, this.controlBox ?? this.live);
    };

    /** A row of pressed and unpressed slots under a panel: the mask. */
    Widget.prototype.mask = function (panel, { key, name = "token", on = "token", off = "masked" }) {
        const row = element("div", "mask", { role: "group", "aria-label": "Mask" });
        const slots = this.state[key].map((_, t) => {
            const slot = element("button", "", { type: "button", "data-key": `${key}.${t}` });
            slot.addEventListener("click", () => { this.state[key][t] = 1 - this.state[key][t]; this.update(); });
            row.append(slot);
            return slot;
        });
        return this.part(row, () => {
            const column = panel.column?.() ?? 0;
            slots.forEach((slot, t) => {
                const valid = this.state[key][t];
                slot.setAttribute("aria-pressed", String(Boolean(valid)));
                slot.setAttribute("aria-label", `${name} ${t} is a ${valid ? on : off} slot`.replace("a masked", "a masked"));
                slot.innerHTML = `<span aria-hidden="true">${valid ? t : "–"}</span>`;
                slot.style.left = `${panel.x(t) - column / 2}px`;
                slot.style.width = `${column}px`;
            });
        });
    };

    /** A dot on a panel that is dragged along one axis, or moved with arrow keys. */
    Widget.prototype.handle = function (panel, { key, index, label, axis = "y", min, max, step, digits = 2, kind = "", at, shown }) {
        const here = place(this.state, key, index);
        const range = { min, max, step };
        const node = element("button", `handle ${kind}`, {
            type: "button", role: "slider", "aria-label": label, "aria-valuemin": min, "aria-valuemax": max,
            "aria-orientation": axis === "y" ? "vertical" : "horizontal",
            "data-key": index === undefined ? key : `${key}.${index}`,
        });
        const move = (x) => { here.set(snap(x, range)); this.update(); };
        node.addEventListener("pointerdown", (event) => {
            event.preventDefault();
            node.focus({ preventScroll: true });
            node.setPointerCapture(event.pointerId);
            node.classList.add("held");
        });
        node.addEventListener("pointermove", (event) => {
            if (!node.hasPointerCapture(event.pointerId)) return;
            const box = panel.node.getBoundingClientRect();
            move(axis === "y" ? panel.y.inverse(event.clientY - box.top) : panel.x.inverse(event.clientX - box.left));
        });
        for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, () => node.classList.remove("held"));
        node.addEventListener("keydown", (event) => {
            const by = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 5, PageDown: -5 }[event.key];
            const to = { Home: min, End: max }[event.key] ?? (by && here.get() + by * step);
            if (to === undefined) return;
            event.preventDefault();
            move(to);
        });
        return this.part(node, () => {
            const [x, y] = at();
            node.hidden = shown ? !shown() : false;
            node.style.left = `${panel.x(x)}px`;
            node.style.top = `${panel.y(y)}px`;
            node.setAttribute("aria-valuenow", here.get());
            node.setAttribute("aria-valuetext", show(here.get(), digits));
        }, panel.node);
    };
})();
