// Live sources: feeds read by cursor, one poller a feed, shared by all the sources on the page.
//
//   Reader      the protocol alone: no network, no Bokeh
//   Feed        polls one feed and hands its samples to the sources
//   LiveSource  the Bokeh model; its Python half is app/live.py
"use strict";
(() => {
    const TIMEOUT_MS = 8_000;
    const BACKOFF_MS = [100, 10_000]; // first and longest wait after a failed poll
    const STALE_MS = 15_000;
    const OFFLINE_AFTER = 3; // failed polls in a row

    // null is a gap; BokehJS would draw it as 0.
    const numbers = (values) => values.map((value) => (value === null ? NaN : value));

    // What a reader of one feed knows: the epoch, the cursor (the last seq it has), and each series' newest time.
    class Reader {
        epoch = null;
        cursor = -1; // below every `from`: the first tail asks for the window
        newest = new Map(); // series -> its newest t
        missedBefore = null; // ms since the Unix epoch: samples before it were missed

        // Take a tail. Returns "window" when window.json must be fetched, "old" for an older copy, else
        // the new columns by series.
        take(tail) {
            if (tail.epoch !== this.epoch || this.cursor < tail.from) return "window";
            if (tail.to < this.cursor) return "old";
            const fresh = new Map();
            for (const {name, seq, t, v} of tail.series) {
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

        // Take a window: the columns of every series, which replace what the sources have.
        replace(window) {
            const all = new Map();
            this.newest.clear();
            for (const {name, from, t, v} of window.series) {
                if (window.epoch === this.epoch && this.cursor >= 0 && this.cursor < from) {
                    this.missedBefore = Math.max(this.missedBefore ?? 0, t[0]);
                }
                if (t.length) this.newest.set(name, t.at(-1));
                all.set(name, {t, v: numbers(v)});
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

    // Copies: BokehJS keeps the arrays it is given, and several sources may draw one series.
    function draw(source, {t, v}) {
        source.data = {t: [...t], v: [...v]};
    }

    // Append what a tail brought. Late samples are put where their times belong.
    function append(source, fresh) {
        if (!fresh) return;
        const size = source.max_size ?? undefined;
        if (!fresh.late) {
            source.stream({t: [...fresh.t], v: [...fresh.v]}, size);
            return;
        }
        const t = [...source.data.t, ...fresh.t];
        const v = [...source.data.v, ...fresh.v];
        const order = [...t.keys()].sort((a, b) => t[a] - t[b]).slice(size ? -size : 0);
        draw(source, {t: order.map((i) => t[i]), v: order.map((i) => v[i])});
    }

    // Fires "fresh" when the sources have new samples.
    class Feed extends EventTarget {
        static #feeds = new Map();

        // The feed at this URL, relative to the application's front page: "feeds/server/".
        static at(path) {
            const url = new URL(path, new URL(document.body.dataset.root, location)).href;
            if (!Feed.#feeds.has(url)) Feed.#feeds.set(url, new Feed(url));
            return Feed.#feeds.get(url);
        }

        static get all() {
            return [...Feed.#feeds.values()];
        }

        reader = new Reader();
        #url;
        #sources = new Set();
        #columns = new Map(); // of the last window, until samples were appended after it
        #lacking = false; // a source came too late for those
        #etag = null;
        #timer = null;
        #started = false;
        #polling = false;
        #paused = false;
        #failures = 0; // polls that failed in a row
        #refusal = null; // "signed out" or "starting", when the last answer was that
        #tail = null;
        #clock = null; // the server's time: {server: ms since the Unix epoch, local: ms of performance.now()}

        constructor(url) {
            super();
            this.#url = url;
            document.addEventListener("visibilitychange", () => this.#wake());
            addEventListener("pageshow", () => this.#wake());
            addEventListener("online", () => this.#wake());
        }

        add(source) {
            this.#sources.add(source);
            const twin = [...this.#sources].find((one) => one !== source && one.series === source.series);
            const columns = twin?.data ?? this.#columns.get(source.series);
            if (columns) draw(source, columns);
            else this.#lacking = true;
        }

        remove(source) {
            this.#sources.delete(source);
        }

        // Fetch the window before the figures are embedded: empty ones make BokehJS log warnings.
        async open() {
            try {
                const window = await this.#get("window.json");
                if (window) this.#columns = this.reader.replace(window);
            } catch {
                // The first poll meets the same and says so.
            }
        }

        start() {
            this.#started = true;
            this.#wake();
        }

        get paused() {
            return this.#paused;
        }

        // While paused nothing is asked for and the sources stand still; then they catch up by the cursor.
        set paused(paused) {
            this.#paused = paused;
            this.#wake();
        }

        // Why nothing new comes, as the server says; undefined while it does.
        get problem() {
            return this.#tail?.problem;
        }

        // {name, sampleAge}: one of live, paused, stale, offline, signed out, starting; and the age of the newest sample in ms.
        get state() {
            const now = this.#clock && this.#clock.server + performance.now() - this.#clock.local;
            const newest = this.reader.newestTime;
            const sampleAge = now && newest !== undefined ? Math.max(0, now - newest) : null;
            let name = "starting";
            if (this.#paused) name = "paused";
            else if (this.#refusal) name = this.#refusal;
            else if (this.#failures >= OFFLINE_AFTER) name = "offline";
            else if (this.#tail && now) name = now - this.#tail.time < STALE_MS ? "live" : "stale";
            return {name, sampleAge};
        }

        #wake() {
            clearTimeout(this.#timer);
            if (this.#started && !document.hidden && !this.#polling && !this.#paused) this.#poll();
        }

        async #poll() {
            this.#polling = true;
            try {
                const tail = await this.#get("tail.json");
                if (tail) await this.#take(tail);
                this.#failures = 0;
                this.#refusal = null;
            } catch (error) {
                this.#refusal = error instanceof Refusal ? error.message : null;
                this.#failures += 1;
            }
            this.#polling = false;
            clearTimeout(this.#timer);
            if (!document.hidden && !this.#paused) this.#timer = setTimeout(() => this.#wake(), this.#wait());
        }

        // Milliseconds until the next poll.
        #wait() {
            if (!this.#failures) return this.#tail?.poll_ms ?? 2000;
            const [first, longest] = BACKOFF_MS;
            return Math.min(longest, first * 2 ** (this.#failures - 1)) * (0.5 + Math.random() / 2);
        }

        async #take(tail) {
            if (this.#paused) return this.#forget();
            this.#tail = tail;
            if (tail.build !== document.body.dataset.build) reload(tail.build);
            const fresh = this.#lacking ? "window" : this.reader.take(tail);
            if (fresh === "old") return;
            if (fresh === "window") {
                const window = await this.#get("window.json");
                if (window.epoch !== tail.epoch) return; // written after it: the next poll has both
                if (this.#paused) return this.#forget();
                this.#columns = this.reader.replace(window);
                this.#lacking = false;
                for (const source of this.#sources) draw(source, this.#columns.get(source.series) ?? {t: [], v: []});
                this.dispatchEvent(new Event("fresh"));
                if (this.reader.cursor >= tail.from) await this.#take(tail); // what came after that window
                return;
            }
            if (fresh.size) this.#columns = new Map();
            for (const source of this.#sources) append(source, fresh.get(source.series));
            if (fresh.size) this.dispatchEvent(new Event("fresh"));
        }

        // An answer that came while paused is not taken: the next poll must not hear that it is unchanged.
        #forget() {
            this.#etag = null;
        }

        // The feed's file as an object, or null when it has not changed. Throws when there is none to be had.
        async #get(file) {
            const polls = file === "tail.json";
            // A file replaced while it is sent can arrive cut short: ask once more, at once.
            for (let attempt = 1; ; attempt += 1) {
                const headers = polls && this.#etag ? {"If-None-Match": this.#etag} : {};
                const answer = await fetch(this.#url + file, {
                    headers, cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS),
                });
                if (answer.type === "opaqueredirect" || [401, 403].includes(answer.status)) throw new Refusal("signed out");
                if (answer.status === 404) throw new Refusal("starting");
                if (!answer.ok && answer.status !== 304) throw new Error(`status ${answer.status}`);
                const date = Date.parse(answer.headers.get("Date"));
                if (date) this.#clock = {server: date, local: performance.now()};
                if (answer.status === 304) return null;
                const text = await answer.text(); // cut short or too late: a failed poll
                const body = whole(text);
                if (body?.epoch && Array.isArray(body.series)) {
                    if (polls) this.#etag = answer.headers.get("ETag");
                    return body;
                }
                if (attempt === 2) throw new Refusal("signed out");
            }
        }
    }

    const whole = (text) => {
        try {
            return JSON.parse(text);
        } catch {
            return null;
        }
    };

    // An answer that says why there is no feed; its message is the state.
    class Refusal extends Error {}

    // The server has other documents or scripts than this page: load it anew, once a build, and not all pages at once.
    function reload(build) {
        if (sessionStorage.getItem("tidegauge-build") === build) return;
        sessionStorage.setItem("tidegauge-build", build);
        setTimeout(() => location.reload(), Math.random() * 2000);
    }

    const {AjaxDataSource} = Bokeh.require("models/sources/ajax_data_source");

    class LiveSource extends AjaxDataSource {
        static __name__ = "LiveSource";
        static __module__ = "app.live";
        static {
            this.define(({Str}) => ({series: [Str]}));
        }

        // Called by BokehJS when the model is made; AjaxDataSource would begin to poll here.
        setup() {
            Feed.at(this.data_url).add(this);
        }

        destroy() {
            Feed.at(this.data_url).remove(this);
            super.destroy();
        }
    }

    Bokeh.Models.register(LiveSource);
    Object.assign(window.Tidegauge, {Feed, LiveSource, Reader, append, draw});
})();
