// A dashboard in a frame of another page: which plot is shown, and how high it is.
"use strict";
(() => {
    const embedders = document.body.dataset.embedders.split(" ").filter(Boolean).map((url) => new URL(url).origin);
    const allowed = new Set([location.origin, ...embedders]);
    const figures = document.getElementById("figures");
    let asked = null; // the origin of the page around, once its embed.js has asked for the height

    function tell() {
        if (asked === null || !figures.childNodes.length) return; // nothing is drawn yet
        parent.postMessage({tidegauge: {height: Math.ceil(document.body.getBoundingClientRect().height), title: document.title}}, asked);
    }

    addEventListener("message", ({source, origin, data}) => {
        if (source !== parent || !allowed.has(origin) || data?.tidegauge !== "height") return;
        asked = origin;
        tell();
    });
    new ResizeObserver(tell).observe(document.body);
    new MutationObserver(tell).observe(figures, {childList: true});

    Tidegauge.Figures.only = new URLSearchParams(location.search).get("plot");
})();
