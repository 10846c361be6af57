// What the viewer prefers, kept in this browser. Loaded in the head, before anything is painted: no flash of the other theme.
"use strict";
(() => {
    const PREFIX = "tidegauge-";
    const root = document.documentElement;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const query = new URLSearchParams(location.search);
    const isEmbedded = "embed" in root.dataset; // then the page around it has its own theme

    const preferences = {
        get(name, otherwise) {
            try {
                return localStorage.getItem(PREFIX + name) ?? otherwise;
            } catch {
                return otherwise; // storage is refused: nothing is remembered
            }
        },

        set(name, value) {
            try {
                localStorage.setItem(PREFIX + name, value);
            } catch {
                // It holds until the page is left.
            }
        },
    };

    // "light" or "dark": what is shown now. Its choice is "system", "light" or "dark".
    const theme = {
        choice: isEmbedded ? query.get("theme") : preferences.get("theme", "system"),

        get name() {
            if (theme.choice === "light" || theme.choice === "dark") return theme.choice;
            return dark.matches ? "dark" : "light";
        },

        // Fires "themechange" on the window when another theme is shown.
        choose(choice) {
            theme.choice = choice;
            preferences.set("theme", choice);
            theme.show();
        },

        show() {
            const before = root.dataset.theme;
            root.dataset.theme = theme.name;
            if (before && before !== theme.name) dispatchEvent(new Event("themechange"));
        },
    };

    dark.addEventListener("change", theme.show);
    theme.show();
    root.toggleAttribute("data-kiosk", query.has("kiosk"));
    window.Tidegauge = {preferences, theme};
})();
