// What mdBook's pages leave out of reach of a keyboard or a screen reader; loaded by every page.
"use strict";

(() => {
    const menu = document.getElementById("mdbook-menu-bar");
    menu?.setAttribute("role", "banner");

    // The switch of the sidebar is a label of a hidden box: say that it is a button, and let keys press it.
    const toggle = document.getElementById("mdbook-sidebar-toggle");
    if (toggle) {
        toggle.setAttribute("role", "button");
        toggle.tabIndex = 0;
        toggle.addEventListener("keydown", (event) => {
            if (event.key !== "Enter" && event.key !== " ") return;
            event.preventDefault();
            toggle.click();
        });
    }

    // What scrolls sideways can be scrolled by arrows once it can be focused, and then they turn no page.
    const scrolls = (node) => node.scrollWidth > node.clientWidth + 1;
    const reach = () => {
        for (const node of document.querySelectorAll("main pre, main pre > code, main .table-wrapper, main math[display=block], main .widget-still")) {
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
