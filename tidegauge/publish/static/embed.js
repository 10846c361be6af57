// Puts dashboards and plots of Tidegauge into a page of any origin that TIDEGAUGE_EMBED_ORIGINS names:
//
//   <div data-tidegauge="orders" data-plot="2"></div>
//   <script src="https://live.example.org/embed.js" async></script>
//
// data-plot, data-theme, data-span and data-title may be left out. The frame keeps the height of what is in it.
"use strict";
(() => {
    const base = new URL(".", document.currentScript.src);
    const frames = [];

    function put(element) {
        const {tidegauge: name, title, ...options} = element.dataset;
        const url = new URL(`dashboard/${encodeURIComponent(name)}/?embed`, base);
        for (const option of ["plot", "span", "theme"]) {
            if (option in options) url.searchParams.set(option, options[option]);
        }
        const frame = document.createElement("iframe");
        frame.title = title ?? name;
        frame.loading = "lazy";
        frame.height = 320;
        frame.style.width = "100%";
        frame.style.border = "0";
        frame.src = url.href;
        // It answers with its height, now and whenever that changes.
        frame.addEventListener("load", () => frame.contentWindow.postMessage({tidegauge: "height"}, base.origin));
        element.replaceChildren(frame);
        frames.push({frame, title});
    }

    addEventListener("message", ({source, origin, data}) => {
        const one = origin === base.origin && frames.find(({frame}) => frame.contentWindow === source);
        const told = one && data?.tidegauge;
        if (!told || !(told.height > 0)) return;
        one.frame.height = Math.min(told.height, 20_000);
        one.frame.title = one.title ?? String(told.title);
    });

    // The two lines may stand several times in a page: what has its frame keeps it.
    const show = () => document.querySelectorAll("[data-tidegauge]:not(:has(> iframe))").forEach(put);
    if (document.readyState === "loading") addEventListener("DOMContentLoaded", show);
    else show();
})();
