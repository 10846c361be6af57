// Live sources: feeds read by cursor, one poller a feed, shared by all the sources on the page.
//
//   Reader  the protocol alone: no network, no Bokeh
//   Feed    polls one feed and hands its samples to the sources (source.js)
"use strict";
(() => {
    const TIMEOUT_MS = 8_000;
    const BACKOFF_MS = [100, 10_000]; // first and longest wait after a failed poll
    const STALE_MS = 15_000;
    const OFFLINE_AFTER = 3; // failed polls in a row
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
            if (tail.to < this.cursor) return "old";
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
    class Feed extends EventTarget {
        static #feeds = new Map();

        // The feed at this URL, relative to the application's front page: "feeds/server/" or "api/feed?series=a".
        static at(path) {
            const root = new URL(document.body.dataset.root, location);
            const url = new URL(path, root).href;
            if (!Feed.#feeds.has(url)) Feed.#feeds.set(url, new Feed(url, new URL(document.body.dataset.history, root).href));
            return Feed.#feeds.get(url);
        }

        static get all() {
            return [...Feed.#feeds.values()];
        }

        reader = new Reader();
        #url;
        #historyUrl;
        #history = null;
        #appended = 0; // samples of one series, after a history
        #sources = new Set();
        #columns = new Map(); // of the last window, until samples were appended after it
        #lacking = false; // a source came too late for those, or they must be loaded anew
        #etag = null;
        #timer = null;
        #started = false;
        #polling = false;
        #paused = false;
        #known = 0; // how many series the page was told of
        #omitted = 0;
        #failures = 0; // polls that failed in a row
        #refusal = null; // "signed out" or "starting", when the last answer was that
        #tail = null;
        #clock = null; // the server's time: {server: ms since the Unix epoch, local: ms of performance.now()}

        constructor(url, historyUrl) {
            super();
            this.#url = url;
            this.#historyUrl = historyUrl;
            document.addEventListener("visibilitychange", () => this.#wake());
            addEventListener("pageshow", () => this.#wake());
            addEventListener("online", () => this.#wake());
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
            } catch {
                // The first poll meets the same and says so.
            }
        }

        start() {
            this.#started = true;
            this.#wake();
        }

        // What is shown instead of the window: {span_s}, up to now, or {from, to} in ms since the Unix epoch; null: nothing.
        get history() {
            return this.#history;
        }

        async show(history) {
            this.#history = history;
            try {
                const window = await this.#load();
                if (this.#history === history) this.#replace(window);
            } catch {
                this.#lacking = true; // the next poll tries it again, and says so
            }
        }

        get isEmpty() {
            return !this.reader.newest.size;
        }

        // How many series match a pattern and are left out.
        get omitted() {
            return this.#omitted;
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
            else if (this.#history?.to) name = "history";
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
                const tail = await this.#get(this.#tailUrl, true);
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
                const history = this.#history;
                const window = await this.#load();
                if (window.epoch !== tail.epoch) return; // written after it: the next poll has both
                if (this.#paused || this.#history !== history) return this.#forget();
                this.#replace(window);
                if (this.reader.cursor >= tail.from) await this.#take(tail); // what came after that window
                return;
            }
            if (this.#history?.to || !fresh.size) return;
            const known = this.reader.names.size;
            this.#columns = new Map([...fresh.keys()].map((name) => [name, {t: [], v: []}])); // a new series has no others
            if (known !== this.#known) this.#tellSeries();
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
            let url = this.#isFile ? `${this.#url}window.json` : this.#url;
            if (this.#history) url = `${this.#historyUrl}&${new URLSearchParams({...this.#history, columns: Math.ceil(innerWidth)})}`;
            const window = await this.#get(url);
            this.#omitted = window.omitted ?? 0;
            this.#appended = 0;
            return window;
        }

        get #isFile() {
            return this.#url.endsWith("/");
        }

        get #tailUrl() {
            return this.#isFile ? `${this.#url}tail.json` : `${this.#url}&since=${Math.max(0, this.reader.cursor)}`;
        }

        // An answer that came while paused is not taken: the next poll must not hear that it is unchanged.
        #forget() {
            this.#etag = null;
        }

        // What is at a URL of this feed, or null when it has not changed. Throws when there is none to be had.
        async #get(url, polls = false) {
            // A file replaced while it is sent can arrive cut short: ask once more, at once.
            for (let attempt = 1; ; attempt += 1) {
                const headers = polls && this.#etag ? {"If-None-Match": this.#etag} : {};
                const answer = await fetch(url, {
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

    Object.assign(window.Tidegauge, {Feed, Reader, key});
})();
