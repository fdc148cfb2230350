// Every page, in light and dark, narrow and wide.
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { NARROW, WIDE, address, idsOf, launch, out, pages, shots, visit } from "./book.js";
import { WAIVED } from "./waived.js";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

const list = pages();
const chapters = list.filter((page) => page !== "index.html" && !page.startsWith("code/"));
test("there are pages", () => assert.ok(list.length > 1, `${list.length} pages in ${out}`));

const needed = new Set();
function waived(rule, target) {
    const waiver = WAIVED.find((waiver) => waiver.rule === rule && target.includes(waiver.selector));
    if (waiver) needed.add(waiver);
    return Boolean(waiver);
}

/** What axe finds, but for what is waived by rule and selector. */
async function violations(tab) {
    await tab.evaluate(axe);
    const found = await tab.evaluate(() => axe.run(document, { preload: false, rules: { "target-size": { enabled: true } } }));
    return found.violations.flatMap(({ id, help, nodes }) => nodes
        .filter((node) => !waived(id, node.target.flat().join(" ")))
        .map((node) => `${id} (${help}): ${node.target.flat().join(" ")} ${node.failureSummary?.split("\n").slice(1).join("; ")}`));
}

/** Dollars that no formula took, and directives that nobody expanded. */
const unset = () => {
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    const found = [];
    for (let node; (node = walker.nextNode());) {
        if (!node.parentElement.closest("pre, code, script, style") && /\$|\\\(|\{\{#/.test(node.data)) found.push(node.data.trim());
    }
    return found;
};
const missingImages = () => [...document.images].filter((image) => !image.complete || !image.naturalWidth).map((image) => image.src);
const links = () => [...document.querySelectorAll("a[href], area[href]")].map((a) => ({ href: new URL(a.getAttribute("href"), document.baseURI).href, text: a.textContent.trim() }));
const wider = () => {
    const width = document.documentElement.clientWidth;
    const found = [...document.querySelectorAll("main *")].filter((node) => {
        const box = node.getBoundingClientRect();
        if (!box.width || box.right <= width + 1) return false;
        // What scrolls inside itself may be wide; that mdBook's own frame scrolls is no excuse.
        for (let up = node.parentElement; !up.matches("main"); up = up.parentElement) if (/auto|scroll|hidden|clip/.test(getComputedStyle(up).overflowX)) return false;
        return true;
    });
    const frames = [document.scrollingElement, document.getElementById("mdbook-content")];
    return { by: Math.max(...frames.map((frame) => frame.scrollWidth - frame.clientWidth)), what: found.slice(0, 3).map((node) => `${node.tagName.toLowerCase()}.${node.className?.baseVal ?? node.className}`) };
};

/** What leads nowhere: a file that is not there, or an anchor that its page does not have. */
async function dead(tab) {
    const found = [];
    for (const { href, text } of await tab.evaluate(links)) {
        if (!href.startsWith("file:")) continue;
        const file = fileURLToPath(href.split("#")[0]);
        const anchor = decodeURIComponent(new URL(href).hash.slice(1));
        if (!existsSync(file)) found.push(`“${text}” leads to ${file}, which does not exist`);
        else if (anchor && file.endsWith(".html") && !idsOf(file).has(anchor)) found.push(`“${text}” leads to #${anchor} of ${file}, which has none`);
    }
    return found;
}

const SIZES = [{ viewport: WIDE, size: "wide" }, { viewport: NARROW, size: "narrow" }];
const COLOURS = { light: "light", dark: "navy" };
const isCode = (page) => page.startsWith("code/");

/** Opens a page at each size and turns it to each palette, which it follows without being loaded again: four looks. */
async function looks(page, look) {
    for (const { viewport, size } of SIZES) {
        await visit(browser, page, { viewport, colorScheme: "light" }, async (tab) => {
            for (const [colorScheme, theme] of Object.entries(COLOURS)) {
                await tab.emulateMedia({ colorScheme });
                if (!isCode(page)) await tab.waitForSelector(`html.${theme}`);
                await look(tab, `${colorScheme}-${size}`);
            }
        });
    }
}

// index.html is a copy of the first page.
for (const page of chapters) {
    test(`${page}: nothing is missing, unset, dead or fetched; it fits and can be read`, async () => {
        let seen = false;
        await looks(page, async (tab, name) => {
            if (!seen) {
                assert.deepEqual(await tab.evaluate(unset), [], "not set as maths, or not expanded");
                assert.deepEqual(await tab.evaluate(missingImages), [], "missing images");
                assert.deepEqual(await dead(tab), [], "dead links");
                seen = true;
            }
            const { by, what } = await tab.evaluate(wider);
            assert.ok(by <= 0 && what.length === 0, `${name}: wider than the screen by ${by}: ${what.join(", ")}`);
            await tab.screenshot({ path: join(shots, `${page.replaceAll("/", "-").replace(".html", "")}-${name}.png`), fullPage: true });
            assert.deepEqual(await violations(tab), [], name);
        });
    });
}

test("every page of source: nothing is missing, dead or fetched; the longest fits and can be read", async () => {
    const sources = list.filter(isCode);
    const longest = sources.reduce((a, b) => (statSync(join(out, b)).size > statSync(join(out, a)).size ? b : a));
    const over = (tab) => tab.evaluate(() => document.scrollingElement.scrollWidth - document.documentElement.clientWidth);
    for (const page of sources) {
        await visit(browser, page, { viewport: NARROW, colorScheme: "dark" }, async (tab) => {
            assert.deepEqual(await dead(tab), [], page);
            assert.ok(await over(tab) <= 0, `${page}: wider than the screen by ${await over(tab)}`);
        });
    }
    await looks(longest, async (tab, name) => {
        assert.ok(await over(tab) <= 0, `${longest}, ${name}: wider than the screen by ${await over(tab)}`);
        assert.deepEqual(await violations(tab), [], `${longest}, ${name}`);
    });
});

test("what is waived is still needed", () => assert.deepEqual(WAIVED.filter((waiver) => !needed.has(waiver)), []));

test("search finds a word, and its page", async () => {
    await visit(browser, list.includes("step.html") ? "step.html" : list[0], {}, async (tab) => {
        await tab.keyboard.press("s");
        await tab.locator("#mdbook-searchbar").pressSequentially("rollout");
        const result = tab.locator("#mdbook-searchresults a").first();
        await result.waitFor({ timeout: 10_000 });
        await result.click();
        await tab.waitForSelector("main mark");
        assert.match((await tab.locator("main mark").first().textContent()).toLowerCase(), /rollout/);
    });
});

test("the print view holds every page, and asks to be printed", async () => {
    await visit(browser, "print.html", {}, async (tab) => {
        await tab.waitForFunction(() => window.printed);
        const text = await tab.textContent("main");
        for (const page of chapters) {
            const title = /<h1[^>]*>(?:<a[^>]*>)?([^<]*)/.exec(readFileSync(join(out, page), "utf8").split("<main>")[1])[1];
            assert.ok(text.includes(title), `${page}: “${title}” is not in the print view`);
        }
    });
});

test("the sidebar names every page in order, and the arrow keys turn pages", async () => {
    await visit(browser, chapters[0], {}, async (tab) => {
        const named = await tab.evaluate(() => [...document.querySelectorAll("#mdbook-sidebar a")].map((a) => a.href.split("#")[0]));
        for (const page of chapters) assert.ok(named.includes(address(page)), `${page} is not in the sidebar`);
        await tab.goto(named[0]);
        await tab.keyboard.press("ArrowRight");
        await tab.waitForURL(named.find((each) => each !== named[0]));
    });
});
