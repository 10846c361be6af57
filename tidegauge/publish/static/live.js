// The page's feed, read by cursor: one poller, shared by all the sources on the page.
//
//   Reader  the protocol alone: no network, no Bokeh
//   Feed    polls one feed and hands its samples to the sources (source.js)
"use strict";
(() => {
    const {Poller} = Tidegauge;
    const APPENDED = 1_000; // samples of a series after a history, which is then thinned anew

    // null is a gap; BokehJS would draw it as 0.
    const numbers = (values) => values.map((value) => (value === null ? NaN : value));

    // Under what a window's columns are found: history has the rates of a series as columns of their own.
    const key = (name, rate_s) => (rate_s ? `${name}\0${rate_s}` : name);

    // What a reader of one feed knows: the epoch, the cursor (the last seq it has), and each series' newest time.
    class Reader {
        epoch = null;
        cursor = -1; // below every `from`: the first tail asks for the window
        newest = new Map(); // series -> its newest t
        names = new Set(); // of the series
        units = new Map(); // series -> its unit, where an agent has named one
        hasMore = false; // the journal has samples that have left the window
        missedBefore = null; // ms since the Unix epoch: samples before it were missed

        // Take a tail. Returns "window" when window.json must be fetched, "old" for an older copy, else
        // the new columns by series.
        take(tail) {
            if (tail.epoch !== this.epoch || this.cursor < tail.from) return "window";
            if (this.isOld(tail)) return "old";
            const fresh = new Map();
            for (const {name, unit, seq, t, v} of tail.series) {
                this.#know(name, unit);
                const start = seq.findIndex((one) => one > this.cursor);
                if (start < 0) continue;
                const times = t.slice(start);
                const newest = this.newest.get(name) ?? -Infinity;
                const late = times.some((time, i) => time < (i ? times[i - 1] : newest));
                fresh.set(name, {t: times, v: numbers(v.slice(start)), late});
                this.newest.set(name, times.reduce((a, b) => Math.max(a, b), newest));
            }
            this.cursor = Math.max(this.cursor, tail.to);
            return fresh;
        }

        #know(name, unit) {
            this.names.add(name);
            if (unit) this.units.set(name, unit);
        }

        // Whether a tail or a window shows less than the reader has: an older copy, or one of a host that is behind.
        isOld({epoch, to}) {
            return epoch === this.epoch && to < this.cursor;
        }

        // Take a window, or a history: the columns of every series by key, which replace what the sources have.
        replace(window) {
            const all = new Map();
            this.newest.clear();
            this.names.clear();
            for (const {name, unit, from, rate_s, t, v} of window.series) {
                this.#know(name, unit);
                this.hasMore ||= from > 0;
                if (window.epoch === this.epoch && this.cursor >= 0 && this.cursor < from) {
                    this.missedBefore = Math.max(this.missedBefore ?? 0, t[0]);
                }
                if (t.length) this.newest.set(name, t.at(-1));
                all.set(key(name, rate_s), {t, v: numbers(v)});
            }
            this.epoch = window.epoch;
            this.cursor = window.to;
            return all;
        }

        // The time of the newest sample of all series, ms since the Unix epoch; undefined without one.
        get newestTime() {
            return this.newest.size ? Math.max(...this.newest.values()) : undefined;
        }
    }

    // Fires "series" when there are other series, before the sources have their samples, and "fresh" when they have.
    class Feed extends Poller {
        static #own = null;

        // The page's own feed, "feeds/server/" or "api/feed?series=a"; null if it draws no series.
        static get own() {
            const {feed} = document.body.dataset;
            if (feed) Feed.#own ??= new Feed(feed);
            return Feed.#own;
        }

        reader = new Reader();
        omitted = 0; // how many series match a pattern and are left out
        #path;
        #history = null;
        #appended = 0; // samples of one series, after a history
        #sources = new Set();
        #columns = new Map(); // of the last window, until samples were appended after it
        #lacking = false; // a source came too late for those, or they must be loaded anew
        #known = 0; // how many series the page was told of

        constructor(path) {
            super(path);
            this.#path = this.url;
            this.#aim();
        }

        add(source) {
            this.#sources.add(source);
            const twin = [...this.#sources].find((one) => one !== source && one.isLike(source));
            if (twin) source.copy(twin);
            else if (!source.replace(this.#columns)) this.#lacking = true;
        }

        remove(source) {
            this.#sources.delete(source);
        }

        // Fetch the window before the figures are embedded: empty ones make BokehJS log warnings.
        async open(history = null) {
            this.#history = history;
            try {
                this.#columns = this.reader.replace(await this.#load());
                this.#aim();
            } catch {
                // The first poll meets the same and says so.
            }
        }

        // What is shown instead of the window: {span_s}, up to now, or {from, to} in ms since the Unix epoch; null: nothing.
        get history() {
            return this.#history;
        }

        async show(history) {
            this.#history = history;
            try {
                const window = await this.#load();
                if (this.#history !== history) return; // another was chosen meanwhile
                this.#replace(window);
                this.#aim();
            } catch {
                this.#lacking = true; // the next poll tries it again, and says so
            }
        }

        get isEmpty() {
            return !this.reader.newest.size;
        }

        // One of live, paused, history, stale, offline, signed out, starting.
        get state() {
            if (this.paused) return "paused";
            if (this.#history?.to) return "history";
            return super.state ?? "starting";
        }

        // Of the newest sample, in ms; null without one.
        get sampleAge() {
            const newest = this.reader.newestTime;
            return this.now && newest !== undefined ? Math.max(0, this.now - newest) : null;
        }

        async take(tail) {
            this.body = tail;
            this.checkBuild();
            await this.#follow(tail);
            this.#aim();
        }

        async #follow(tail) {
            const fresh = this.#lacking ? "window" : this.reader.take(tail);
            if (fresh === "old") return;
            if (fresh === "window") {
                const history = this.#history;
                const window = await this.#load();
                if (window.epoch !== tail.epoch) return; // written after it: the next poll has both
                // Older than what the page has, and not made up for by the tail: of a host that is behind.
                const isBehind = this.reader.isOld(window) && (window.to < tail.from || this.reader.isOld(tail));
                if (this.paused || this.#history !== history || isBehind) return this.forget();
                this.#replace(window);
                if (this.reader.cursor >= tail.from) await this.#follow(tail); // what came after that window
                return;
            }
            if (this.#history?.to || !fresh.size) return;
            this.#columns = new Map([...fresh.keys()].map((name) => [name, {t: [], v: []}])); // a new series has no others
            if (this.reader.names.size !== this.#known) this.#tellSeries();
            this.#columns = new Map();
            for (const source of this.#sources) source.append(fresh, this.#history ? undefined : source.max_size ?? undefined);
            if (this.#history) {
                this.#appended += Math.max(...[...fresh.values()].map(({t}) => t.length));
                if (this.#appended > APPENDED) this.#lacking = true;
            }
            this.dispatchEvent(new Event("fresh"));
        }

        #replace(window) {
            this.#columns = this.reader.replace(window);
            this.#lacking = false;
            this.#tellSeries();
            for (const source of this.#sources) source.replace(this.#columns, true);
            this.dispatchEvent(new Event("fresh"));
        }

        #tellSeries() {
            this.#known = this.reader.names.size;
            this.dispatchEvent(new Event("series"));
        }

        async #load() {
            let url = this.#isFile ? `${this.#path}window.json` : this.#path;
            if (this.#history) {
                const asked = new URLSearchParams({...this.#history, columns: Math.ceil(innerWidth)});
                url = `${Poller.resolve(document.body.dataset.history).href}&${asked}`;
            }
            const window = await this.get(url);
            this.omitted = window.omitted ?? 0;
            this.#appended = 0;
            return window;
        }

        get #isFile() {
            return this.#path.endsWith("/");
        }

        // Poll what follows the cursor: a file has more, and is the same for all.
        #aim() {
            this.url = this.#isFile ? `${this.#path}tail.json` : `${this.#path}&since=${Math.max(0, this.reader.cursor)}`;
        }
    }

    Object.assign(window.Tidegauge, {Feed, Reader, key});
})();
