// The built book and a browser to open it in. Everything is read from files: no server, and a request that is not for
// a file fails the test that made it.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const here = dirname(fileURLToPath(import.meta.url));
export const root = resolve(here, "../..");
export const out = resolve(process.env.PPO_BOOK ?? join(root, "target/book"));
export const shots = join(root, "target/browser");
mkdirSync(shots, { recursive: true });

/** Every built page, by its path below the book, but the copies and the list in the sidebar. */
export function pages() {
    const found = [];
    const walk = (folder) => {
        for (const entry of readdirSync(folder, { withFileTypes: true })) {
            const path = join(folder, entry.name);
            if (entry.isDirectory()) walk(path);
            else if (entry.name.endsWith(".html")) found.push(relative(out, path));
        }
    };
    walk(out);
    return found.filter((page) => !["toc.html", "print.html", "404.html"].includes(page)).sort();
}

export const address = (page) => pathToFileURL(join(out, page)).href;

export const launch = () => chromium.launch({
    executablePath: process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync),
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync"],
});

export const NARROW = { width: 360, height: 740 };
export const WIDE = { width: 1600, height: 1000 };

/**
 * Opens a page, hands it to `look`, and closes it whatever happens. A page remembers what went wrong on it, and at the
 * end there must be nothing.
 */
export async function visit(browser, page, options, look) {
    const { tab, wrong, close } = await open(browser, page, options);
    try {
        await look(tab);
        assert.deepEqual(wrong, [], `${page}: console, scripts and requests`);
    } finally {
        await close();
    }
}

/** The same without an end; who opens it closes it. */
export async function open(browser, page, options = {}) {
    const context = await browser.newContext({ viewport: WIDE, reducedMotion: "reduce", ...options });
    const tab = await context.newPage();
    const wrong = [];
    tab.on("console", (message) => { if (["error", "warning"].includes(message.type())) wrong.push(`console: ${message.text()}`); });
    tab.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
    tab.on("request", (request) => { if (!/^(file|data|blob):/.test(request.url())) wrong.push(`request: ${request.url()}`); });
    // A page that is left before its icon has come cancels the request: that is no fault of the book's.
    tab.on("requestfailed", (request) => {
        const { errorText } = request.failure();
        if (errorText !== "net::ERR_ABORTED") wrong.push(`failed: ${request.url()}: ${errorText}`);
    });
    await context.addInitScript(() => { window.print = () => { window.printed = true; }; });
    await tab.goto(address(page));
    if (options.javaScriptEnabled !== false && (await tab.$("figure.widget"))) {
        await tab.waitForSelector("html[data-widgets=ready]", { timeout: 10_000 });
    }
    return { tab, wrong, close: () => context.close() };
}

const ids = new Map();
/** The ids of a built file. */
export function idsOf(file) {
    if (!ids.has(file)) {
        const text = readFileSync(file, "utf8").replace(/<!--[\s\S]*?-->/g, "");
        ids.set(file, new Set([...text.matchAll(/\s(?:id|name)="([^"]*)"/g)].map(([, id]) => id)));
    }
    return ids.get(file);
}
