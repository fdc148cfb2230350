// Every widget on every page: driven by keys, mouse and touch, and each number that it shows is the one that the
// reference gives natively for the same input, bit for bit and digit for digit.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { NARROW, launch, out, pages, root, visit } from "./book.js";
import { native } from "./native.js";

let browser, rust;
before(async () => { browser = await launch(); rust = native(); });
after(async () => { await browser?.close(); rust?.stop(); });

/** What a figure holds and shows, as data. */
const inside = (figure) => figure.evaluate((node) => ({
    state: node.widget.state,
    calls: node.widget.calls,
    refused: node.dataset.refused,
    shown: [...node.querySelectorAll(".widget-live [data-digits]")].map((each) => ({
        value: Number(each.dataset.value), digits: Number(each.dataset.digits), text: each.textContent,
    })),
    says: node.querySelector(".says").textContent,
    bold: [...node.querySelectorAll(".says b .num, .says b.num")].map((each) => Number(each.dataset.value)),
}));

/** Asks the reference natively for what the page asked its own, and compares. */
async function agrees(figure, when) {
    const { state, calls, shown, refused } = await inside(figure);
    assert.equal(refused, "", `${when}: refused`);
    assert.ok(Object.keys(calls).length > 0, `${when}: nothing was asked of the reference`);
    const known = new Set(Object.values(state).flat());
    for (const [name, { inputs, lists }] of Object.entries(calls)) {
        const { lists: want, sentence } = await rust.call(name, inputs);
        assert.equal(sentence, undefined, `${when}: ${name}`);
        assert.equal(lists.length, want.length, `${when}: ${name} gave other lists`);
        want.forEach((list, place) => list.forEach((x, i) => assert.ok(Object.is(x, lists[place][i]),
            `${when}: ${name}, list ${place}[${i}] is ${lists[place][i]} in the page and ${x} natively`)));
        for (const x of [inputs, want].flat(3)) known.add(x);
    }
    assert.ok(shown.length > 0, `${when}: it shows no number`);
    for (const { value, digits, text } of shown) {
        assert.ok(known.has(value), `${when}: it shows ${value}, which neither the reader nor the reference gave`);
        assert.equal(text, await rust.show(value, digits), `${when}: the digits of ${value}`);
    }
}

/** Every page with widgets, with the kinds it has. */
const found = pages().filter((page) => page !== "index.html")
    .map((page) => [page, [...readFileSync(join(out, page), "utf8").matchAll(/data-widget="([\w-]+)"/g)].map(([, kind]) => kind)])
    .filter(([, kinds]) => kinds.length);
const everyKind = ["gae", "whiten", "returns", "policy-clip", "value-clip", "entropy", "step"];

test("every kind of widget is on a page", () => {
    const kinds = new Set(found.flatMap(([, kinds]) => kinds));
    assert.deepEqual(everyKind.filter((kind) => !kinds.has(kind)), []);
});

for (const [page, kinds] of found) {
    kinds.forEach((kind, place) => {
        const name = `${page}: ${kind}`;
        const at = (tab) => tab.locator(`figure.widget >> nth=${place}`);
        // Driven from end to end on the page that has them all; on others it is the same code from another start.
        const drive = page === "play.html" ? test : () => {};

        test(`${name}: starts with the reference's numbers, and with those of its listing`, async () => {
            await visit(browser, page, {}, async (tab) => {
                const figure = at(tab);
                await agrees(figure, "at first");
                const listing = await figure.getAttribute("data-agrees");
                if (listing) {
                    const file = join(root, "book/listings", `${listing}.txt`);
                    assert.ok(existsSync(file), `${file} does not exist`);
                    const printed = readFileSync(file, "utf8").match(/-?\d+(\.\d+)?(e-?\d+)?/g);
                    const { bold } = await inside(figure);
                    assert.ok(bold.length, "no result is in bold");
                    for (const x of bold) {
                        // Exactly, or rounded to two decimals or more: to none, half of all numbers are 0.
                    const digits = (word) => word.split(".")[1]?.length ?? 0;
                    const same = (word) => x === Number(word) || (digits(word) > 1 && Number(x.toFixed(digits(word))) === Number(word));
                        assert.ok(printed.some(same), `${x} is not in ${listing}.txt`);
                    }
                }
            });
        });

        drive(`${name}: works by keyboard alone`, async () => {
            await visit(browser, page, {}, async (tab) => {
                const figure = at(tab);
                const start = await inside(figure);
                const press = async (control, key) => { await control.focus(); await tab.keyboard.press(key); };

                for (const handle of await figure.locator("[role=slider]:visible").all()) {
                    const [label, before, most] = [await handle.getAttribute("aria-label"), await handle.getAttribute("aria-valuenow"), await handle.getAttribute("aria-valuemax")];
                    await press(handle, before === most ? "ArrowDown" : "ArrowUp");
                    assert.notEqual(await handle.getAttribute("aria-valuenow"), before, `${label}: an arrow does not move it`);
                    await agrees(figure, `${label}, moved`);
                    await press(handle, "Home");
                    assert.equal(await handle.getAttribute("aria-valuenow"), await handle.getAttribute("aria-valuemin"), `${label}: Home`);
                }
                await agrees(figure, "every handle at its least");
                await figure.locator(".reset").press("Enter");
                for (const range of await figure.locator("input[type=range]").all()) {
                    const key = await range.getAttribute("data-key");
                    for (const arrow of ["ArrowRight", "ArrowLeft", "ArrowLeft"]) {
                        const before = (await inside(figure)).state;
                        const edge = await range.getAttribute({ ArrowRight: "max", ArrowLeft: "min" }[arrow]);
                        const stuck = Number(await range.inputValue()) === Number(edge);
                        await press(range, arrow);
                        if (!stuck) assert.notDeepEqual((await inside(figure)).state, before, `${key}: ${arrow} does not move it`);
                        await agrees(figure, `${key}, ${arrow}`);
                    }
                    await press(range, "End");
                    await agrees(figure, `${key} at its end`);
                    await press(range, "Home");
                    await agrees(figure, `${key} at its start`);
                    await figure.locator(".reset").press("Enter");
                }
                for (const group of await figure.locator("fieldset").all()) {
                    await group.locator("input:checked").focus();
                    const count = await group.locator("input").count();
                    for (let i = 0; i < count; i++) {
                        const before = (await inside(figure)).state;
                        await tab.keyboard.press("ArrowDown");
                        assert.notDeepEqual((await inside(figure)).state, before, "a choice does not change");
                        await agrees(figure, "another choice");
                    }
                }
                for (const toggle of await figure.locator(".toggle input, .mask button, .steps button").all()) {
                    await press(toggle, "Space");
                    await agrees(figure, "switched");
                    if (await toggle.getAttribute("aria-pressed")) await press(toggle, "Space");
                }
                await figure.locator(".reset").press("Enter");
                const end = await inside(figure);
                assert.deepEqual(end.state, start.state, "Reset gives back what the page started with");
                assert.equal(end.says, start.says);
                assert.equal(tab.url().split("/").at(-1), page, "an arrow in a widget turned the page");
            });
        });

        drive(`${name}: can be dragged with a mouse, and says what changed`, async () => {
            await visit(browser, page, {}, async (tab) => {
                const figure = at(tab);
                for (const handle of await figure.locator("[role=slider]:visible").all()) {
                    await handle.scrollIntoViewIfNeeded();
                    const [label, before] = [await handle.getAttribute("aria-label"), await handle.getAttribute("aria-valuenow")];
                    const upright = (await handle.getAttribute("aria-orientation")) === "vertical";
                    for (const by of [25, -25]) {
                        const box = await handle.boundingBox();
                        const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
                        await tab.mouse.move(x, y);
                        await tab.mouse.down();
                        await tab.mouse.move(x + (upright ? 0 : by), y + (upright ? by : 0), { steps: 3 });
                        await tab.mouse.up();
                        if (await handle.getAttribute("aria-valuenow") !== before) break;
                    }
                    assert.notEqual(await handle.getAttribute("aria-valuenow"), before, `${label}: it cannot be dragged`);
                    await agrees(figure, `${label}, dragged`);
                }
                const start = (await inside(figure)).says;
                await figure.locator(".reset").click();
                const live = figure.locator("[aria-live=polite]");
                assert.equal(await live.count(), 1);
                if (await figure.locator("[role=slider]").count()) assert.notEqual(await live.textContent(), start, "what it says did not change");
            });
        });

        drive(`${name}: works by touch at 360 px, with targets of 44 px`, async () => {
            await visit(browser, page, { viewport: NARROW, hasTouch: true, isMobile: true }, async (tab) => {
                const figure = at(tab);
                const cdp = await tab.context().newCDPSession(tab);
                for (const handle of await figure.locator("[role=slider]:visible").all()) {
                    await handle.scrollIntoViewIfNeeded();
                    const before = await handle.getAttribute("aria-valuenow");
                    const upright = (await handle.getAttribute("aria-orientation")) === "vertical";
                    for (const by of [30, -30]) {
                        const box = await handle.boundingBox();
                        const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
                        const touch = (type, dx, dy) => cdp.send("Input.dispatchTouchEvent", { type, touchPoints: type === "touchEnd" ? [] : [{ x: x + dx, y: y + dy }] });
                        await touch("touchStart", 0, 0);
                        for (const part of [0.5, 1]) await touch("touchMove", upright ? 0 : by * part, upright ? by * part : 0);
                        await touch("touchEnd", 0, 0);
                        if (await handle.getAttribute("aria-valuenow") !== before) break;
                    }
                    assert.notEqual(await handle.getAttribute("aria-valuenow"), before, `${await handle.getAttribute("aria-label")}: a finger does not move it`);
                }
                await agrees(figure, "after touches");
                const small = await figure.evaluate((node) => [...node.querySelectorAll("button, input, summary")]
                    .filter((each) => each.checkVisibility())
                    .map((each) => [each.ariaLabel ?? each.dataset.key ?? each.textContent, (each.closest(".toggle") ?? each).getBoundingClientRect()])
                    .filter(([, box]) => Math.min(box.height, 44) < 43.5 || box.width < 36)
                    .map(([what, box]) => `${what}: ${box.width.toFixed(0)} × ${box.height.toFixed(0)}`));
                assert.deepEqual(small, []);
            });
        });

        test(`${name}: its table stands where scripts are off, and on paper`, async () => {
            await visit(browser, page, { javaScriptEnabled: false }, async (tab) => {
                const still = at(tab).locator(".widget-still table");
                assert.ok(await still.isVisible(), "no table without scripts");
                assert.ok((await still.locator("td").count()) > 4);
                assert.equal(await tab.locator(".widget-live").count(), 0);
            });
            await visit(browser, page, {}, async (tab) => {
                assert.ok(!(await at(tab).locator(".widget-still").isVisible()), "the table stands beside the live figure");
                await tab.emulateMedia({ media: "print" });
                assert.ok(await at(tab).locator(".widget-still table").isVisible(), "no table on paper");
                assert.ok(!(await at(tab).locator(".widget-live").isVisible()));
            });
        });
    });
}

test("what the reference refuses is said in its own sentence", async () => {
    const [page] = found.find(([, kinds]) => kinds.includes("whiten"));
    await visit(browser, page, {}, async (tab) => {
        const figure = tab.locator("figure[data-widget=whiten]").first();
        const remaining = figure.locator(".mask button[aria-pressed=true]");
        for (let left = await remaining.count(); left; left--) await remaining.first().click();
        assert.equal(await remaining.count(), 0, "a slot stays");
        const { refused, says, state } = await inside(figure);
        const { sentence } = await rust.call("whiten", [state.variance, state.eps_at, 1e-8, state.adv, state.mask]);
        assert.equal(refused, sentence);
        assert.ok(says.includes(sentence), says);
        await figure.locator(".mask button").first().click();
        assert.equal((await inside(figure)).refused, "");
        await figure.locator(".reset").click();
        await agrees(figure, "after a refusal");
    });
});

test("where less motion is wanted nothing moves by itself", async () => {
    const [page] = found[0];
    for (const [reducedMotion, moves] of [["reduce", false], ["no-preference", true]]) {
        await visit(browser, page, { reducedMotion }, async (tab) => {
            const time = await tab.evaluate(() => {
                const handle = document.querySelector(".handle");
                return parseFloat(getComputedStyle(handle, "::before").transitionDuration);
            });
            assert.equal(time > 0, moves);
        });
    }
});
