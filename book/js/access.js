// What mdBook's pages leave out of reach of a keyboard or a screen reader; loaded by every page.
"use strict";

(() => {
    const menu = document.getElementById("mdbook-menu-bar");
    menu?.setAttribute("role", "banner");

    // The switch of the sidebar is the label of a hidden box, which no key reaches: put a button in its place.
    const label = document.getElementById("mdbook-sidebar-toggle");
    const box = document.getElementById("mdbook-sidebar-toggle-anchor");
    if (label && box) {
        const button = document.createElement("button");
        for (const { name, value } of label.attributes) if (name !== "for") button.setAttribute(name, value);
        button.type = "button";
        button.innerHTML = label.innerHTML;
        button.addEventListener("click", () => box.click());
        box.addEventListener("change", () => button.setAttribute("aria-expanded", String(box.checked)));
        label.replaceWith(button);
    }

    // What scrolls sideways can be scrolled by arrows once it can be focused, and then they turn no page.
    const scrolls = (node) => node.scrollWidth > node.clientWidth + 1;
    const reach = () => {
        for (const node of document.querySelectorAll("main pre, main pre > code, main .table-wrapper, main math[display=block], main .nobr, main .widget-still")) {
            if (scrolls(node) && /auto|scroll/.test(getComputedStyle(node).overflowX)) node.tabIndex = 0;
            else if (node.tabIndex === 0) node.removeAttribute("tabindex");
        }
    };
    document.addEventListener("keydown", (event) => {
        if (/^Arrow(Left|Right)$/.test(event.key) && event.target.matches?.("main [tabindex='0']") && scrolls(event.target)) event.stopPropagation();
    }, true);
    addEventListener("load", reach);
    addEventListener("resize", reach);
})();
