// The buttons above the figures or the cards, and the keys that press them.
"use strict";
(() => {
    const element = (id) => document.getElementById(id);

    // Keys belong to whoever types, and to the browser's own shortcuts.
    const isTaken = (event) => event.ctrlKey || event.altKey || event.metaKey || event.isComposing
        || event.composedPath()[0].closest?.("input, textarea, select, [contenteditable]");

    // This page's address with another span.
    function address(parameters) {
        const url = new URL(location);
        for (const name of ["span", "from", "to"]) url.searchParams.delete(name);
        for (const [name, value] of Object.entries(parameters)) if (value !== null) url.searchParams.set(name, value);
        return url;
    }

    const iso = (ms) => new Date(Math.round(ms)).toISOString();
    const between = (from, to) => address({from: iso(from), to: iso(to)});

    class Toolbar {
        #keys = new Map(); // key -> what it does

        constructor() {
            addEventListener("keydown", (event) => {
                const action = this.#keys.get(event.key);
                if (!action || isTaken(event) || event.repeat) return;
                event.preventDefault();
                action();
            });
            this.#offerFullScreen();
            this.#offerMenu(element("keys"));
            element("toolbar").hidden = false;
        }

        // A button does what its key does.
        #offer(button, action) {
            const key = button.getAttribute("aria-keyshortcuts");
            button.addEventListener("click", action);
            if (key) this.#keys.set(key, action);
        }

        // What opens below its summary, by its key too, and closes by Escape or a click beside it.
        #offerMenu(menu, onopen = () => {}) {
            const summary = menu.querySelector("summary");
            this.#keys.set(summary.getAttribute("aria-keyshortcuts"), () => { menu.open = !menu.open; });
            menu.addEventListener("toggle", () => menu.open && onopen());
            menu.addEventListener("keydown", (event) => {
                if (event.key !== "Escape") return;
                menu.open = false;
                summary.focus();
            });
            addEventListener("click", (event) => {
                if (!menu.contains(event.target)) menu.open = false;
            });
        }

        offerPause(feed, onchange) {
            const button = element("pause");
            this.#offer(button, () => {
                feed.paused = !feed.paused;
                button.textContent = feed.paused ? "Resume" : "Pause";
                onchange();
            });
        }

        // The span goes into the address, which can then be shared.
        offerSpans(timeline) {
            const buttons = [...document.querySelectorAll("[data-span]")];
            const tell = () => {
                for (const one of buttons) one.ariaPressed = String(timeline.follows && one.dataset.span === timeline.span);
            };
            timeline.addEventListener("change", tell);
            tell();
            for (const button of buttons) {
                this.#offer(button, () => {
                    timeline.choose(button.dataset.span);
                    history.replaceState(null, "", address({span: timeline.span === "all" ? null : timeline.span}));
                });
            }
            this.#offerFromTo(timeline);
        }

        // Times are typed as the page writes them: in the viewer's zone, or UTC.
        #offerFromTo(timeline) {
            const menu = element("from-to");
            const form = menu.querySelector("form");
            const {clock} = Tidegauge;
            this.#offerMenu(menu, () => {
                for (const [i, name] of ["from", "to"].entries()) form.elements[name].value = clock.format(timeline.shown[i]).replace(" ", "T");
                menu.querySelector("code").textContent = between(...timeline.shown).href;
                form.elements.from.focus();
            });
            form.addEventListener("submit", (event) => {
                event.preventDefault();
                const [from, to] = ["from", "to"].map((name) => clock.moment(form.elements[name].value));
                element("from-to-problem").textContent = from < to ? "" : "The first time must be before the second.";
                if (!(from < to)) return;
                timeline.chooseBetween(from, to);
                history.replaceState(null, "", between(from, to));
                menu.open = false;
                menu.querySelector("summary").focus();
            });
        }

        // Nothing to choose without a time axis, or for who lives in UTC.
        offerZone(clock, figures) {
            const label = element("zone");
            const select = label.querySelector("select");
            select.options[0].textContent = clock.local;
            select.value = clock.choice;
            select.addEventListener("change", () => clock.choose(select.value));
            figures.prepare(() => {
                label.hidden = clock.isUtc || !figures.plots.some((plot) => Tidegauge.Figures.timeAxes(plot).length);
            });
        }

        offerThemes(theme) {
            const select = element("theme").querySelector("select");
            select.value = theme.choice;
            select.addEventListener("change", () => theme.choose(select.value));
        }

        offerSearch(input) {
            this.#keys.set(input.getAttribute("aria-keyshortcuts"), () => input.select());
        }

        #offerFullScreen() {
            const button = element("full-screen");
            if (!button || !document.fullscreenEnabled) return;
            button.hidden = false;
            this.#offer(button, () => {
                const done = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
                done.catch(() => {}); // refused by the browser: nothing has changed
            });
            addEventListener("fullscreenchange", () => {
                button.textContent = document.fullscreenElement ? "Leave full screen" : "Full screen";
            });
        }
    }

    Object.assign(window.Tidegauge, {Toolbar});
})();
