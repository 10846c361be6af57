// One time axis for all the plots of a page: a span that ends at the newest sample, until somebody pans or zooms.
"use strict";
(() => {
    const {Range1d} = Bokeh.require("models/ranges/range1d");
    const {DataRange1d} = Bokeh.require("models/ranges/data_range1d");
    const SPANS = {
        "1m": 60_000, "5m": 300_000, "15m": 900_000, all: Infinity,
        "1h": 3_600_000, "6h": 21_600_000, "24h": 86_400_000, "7d": 604_800_000, // from the journal
    };
    const LEAST_MS = 10_000; // shown of a page that has just begun
    const calm = matchMedia("(prefers-reduced-motion: reduce)");
    const CALM_STEPS = 5; // a span: the axis moves that often in it, not with every sample
    const MARGIN = 0.01; // of the span, free beside the newest sample
    const LOOK_MS = 400; // after a pan or zoom, before what it shows is asked for
    const FINER = 4; // times: zoomed in so far, a history is asked for anew

    // Fires "change" when another span was chosen, or left by a pan or zoom.
    class Timeline extends EventTarget {
        span = "all"; // its name; "" for one from a time to another
        follows = true;
        #between = null; // [from, to] of that one, ms since the Unix epoch
        #range = null; // shared by the plots; one a document
        #ours = false; // the change of the range is ours, not somebody's
        #look = null; // timer
        #figures;
        #feed;

        // `asked` are the parameters of the page's address: span, or from and to.
        constructor(figures, feed, asked) {
            super();
            this.#figures = figures;
            this.#feed = feed;
            const [from, to] = ["from", "to"].map((name) => Timeline.moment(asked.get(name)));
            if (from < to) [this.span, this.#between] = ["", [from, to]];
            else if (Object.hasOwn(SPANS, asked.get("span"))) this.span = asked.get("span");
            figures.prepare(() => this.#link());
            feed.addEventListener("fresh", () => this.follow());
        }

        // A time in an address, ISO 8601 or ms, in ms since the Unix epoch; NaN for none.
        static moment(text) {
            return /^\d+$/.test(text ?? "") ? Number(text) : Date.parse(text);
        }

        // What the feed is asked for: a history, or null where the window will do.
        get history() {
            if (this.#between) return {from: Math.floor(this.#between[0]), to: Math.ceil(this.#between[1])};
            return SPANS[this.span] > SPANS["15m"] && this.span !== "all" ? {span_s: SPANS[this.span] / 1000} : null;
        }

        choose(span) {
            this.span = span;
            this.#between = null;
            this.#load();
        }

        chooseBetween(from, to) {
            this.span = "";
            this.#between = [from, to];
            this.#load();
        }

        #load() {
            const {history} = this;
            if (history || this.#feed.history) this.#feed.show(history);
            this.#follow(true);
        }

        // Before the plots are drawn. One whose range the dashboard has set keeps it.
        #link() {
            const [start, end] = this.#range && !this.follows ? this.shown : this.#wanted();
            const range = new Range1d({start, end, reset_start: start, reset_end: end});
            range.change.connect(() => this.#ours || this.#leave());
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
            this.dispatchEvent(new Event("change"));
        }

        // Somebody pans or zooms: what is beyond the samples at hand, or between them, comes from the journal.
        #leave() {
            if (this.follows) this.#follow(false);
            clearTimeout(this.#look);
            this.#look = setTimeout(() => {
                const [start, end] = this.shown;
                const [first, last] = this.#loaded();
                const {history, reader} = this.#feed;
                const isBeyond = start < first && (history || reader.hasMore);
                const isBeyondEnd = history?.to && end > last;
                const isFiner = history && end - start < (last - first) / FINER;
                if (!(isBeyond || isBeyondEnd || isFiner)) return;
                const more = (end - start) / 2;
                this.#feed.show({from: Math.floor(start - more), to: Math.ceil(end + more)});
            }, LOOK_MS);
        }

        // The span that the samples at hand are of.
        #loaded() {
            const {history, reader} = this.#feed;
            if (history?.to) return [history.from, history.to];
            const end = reader.newestTime ?? Date.now();
            return [history ? end - 1000 * history.span_s : Math.min(...this.#starts, end), end];
        }

        get #starts() {
            return this.#figures.timePlots.flatMap((plot) =>
                Tidegauge.Figures.liveSources(plot).filter((one) => one.data.t.length).map((one) => one.data.t[0]));
        }

        follow() {
            if (!this.follows || !this.#range) return;
            const [start, end] = this.#wanted();
            this.#ours = true;
            this.#range.setv({start, end, reset_start: start, reset_end: end});
            this.#ours = false;
        }

        #wanted() {
            if (this.#between) return this.#between;
            let end = this.#feed.reader.newestTime ?? Date.now();
            if (calm.matches) {
                const step = Math.min(SPANS[this.span], 300_000) / CALM_STEPS;
                end = Math.ceil(end / step) * step;
            }
            const start = this.span === "all" ? Math.min(...this.#starts, end - LEAST_MS) : end - SPANS[this.span];
            return [start, calm.matches ? end : end + (end - start) * MARGIN];
        }

        // What is shown, ms since the Unix epoch.
        get shown() {
            return [this.#range.start, this.#range.end];
        }
    }

    Object.assign(window.Tidegauge, {Timeline});
})();
