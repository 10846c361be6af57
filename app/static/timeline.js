// One time axis for all the plots of a page: a span that ends at the newest sample, until somebody pans or zooms.
"use strict";
(() => {
    const {Range1d} = Bokeh.require("models/ranges/range1d");
    const {DataRange1d} = Bokeh.require("models/ranges/data_range1d");
    const SPANS = {"1m": 60_000, "5m": 300_000, "15m": 900_000, all: Infinity};
    const LEAST_MS = 10_000; // shown of a page that has just begun
    const calm = matchMedia("(prefers-reduced-motion: reduce)");
    const CALM_STEPS = 5; // a span: the axis moves that often in it, not with every sample
    const MARGIN = 0.01; // of the span, free beside the newest sample

    class Timeline {
        static SPANS = SPANS;
        span; // its name
        follows = true;
        onchange = () => {};
        #range = null; // shared by the plots; one a document
        #ours = false; // the change of the range is ours, not somebody's
        #figures;
        #feed;

        constructor(figures, feed, span) {
            this.span = Object.hasOwn(SPANS, span) ? span : "all";
            this.#figures = figures;
            this.#feed = feed;
            figures.prepare(() => this.#link());
            feed.addEventListener("fresh", () => this.follow());
        }

        choose(span) {
            this.span = span;
            this.#follow(true);
        }

        // Before the plots are drawn. One whose range the dashboard has set keeps it.
        #link() {
            const [start, end] = this.#range && !this.follows ? this.shown : this.#wanted();
            const range = new Range1d({start, end, reset_start: start, reset_end: end});
            range.change.connect(() => this.#ours || this.#follow(false));
            this.#range = range;
            for (const plot of this.#figures.timePlots) {
                if (!(plot.x_range instanceof DataRange1d)) continue;
                plot.x_range = range;
                if (plot.window_axis === "none") plot.window_axis = "x"; // the values shown, not those that left
                this.#figures.on(plot, "reset", () => this.#follow(true));
            }
        }

        #follow(follows) {
            this.follows = follows;
            this.follow();
            this.onchange();
        }

        follow() {
            if (!this.follows || !this.#range) return;
            const [start, end] = this.#wanted();
            this.#ours = true;
            this.#range.setv({start, end, reset_start: start, reset_end: end});
            this.#ours = false;
        }

        #wanted() {
            let end = this.#feed.reader.newestTime ?? Date.now();
            if (calm.matches) {
                const step = Math.min(SPANS[this.span], 300_000) / CALM_STEPS;
                end = Math.ceil(end / step) * step;
            }
            const starts = this.#figures.timePlots.flatMap((plot) =>
                Tidegauge.Figures.sources(plot).filter((one) => one.series && one.data.t.length).map((one) => one.data.t[0]));
            const start = this.span === "all" ? Math.min(...starts, end - LEAST_MS) : end - SPANS[this.span];
            return [start, calm.matches ? end : end + (end - start) * MARGIN];
        }

        // What is shown, ms since the Unix epoch.
        get shown() {
            return [this.#range.start, this.#range.end];
        }
    }

    Object.assign(window.Tidegauge, {Timeline});
})();
