// The buttons above the figures, and the keys that press them.
"use strict";
(() => {
    const element = (id) => document.getElementById(id);

    // Keys belong to whoever types, and to the browser's own shortcuts.
    const isTaken = (event) => event.ctrlKey || event.altKey || event.metaKey || event.isComposing
        || event.composedPath()[0].closest?.("input, textarea, select, [contenteditable]");

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
            const keys = element("keys");
            this.#keys.set("?", () => { keys.open = !keys.open; });
            keys.addEventListener("keydown", (event) => {
                if (event.key === "Escape") keys.open = false;
            });
            addEventListener("click", (event) => {
                if (!keys.contains(event.target)) keys.open = false;
            });
            element("toolbar").hidden = false;
        }

        // A button does what its key does.
        #offer(button, action) {
            const key = button.getAttribute("aria-keyshortcuts");
            button.addEventListener("click", action);
            if (key) this.#keys.set(key, action);
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
            timeline.onchange = () => {
                for (const one of buttons) one.ariaPressed = String(timeline.follows && one.dataset.span === timeline.span);
            };
            timeline.onchange();
            for (const button of buttons) {
                this.#offer(button, () => {
                    timeline.choose(button.dataset.span);
                    const url = new URL(location);
                    if (timeline.span === "all") url.searchParams.delete("span");
                    else url.searchParams.set("span", timeline.span);
                    history.replaceState(null, "", url);
                });
            }
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

        #offerFullScreen() {
            const button = element("full-screen");
            if (!document.fullscreenEnabled) return;
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
