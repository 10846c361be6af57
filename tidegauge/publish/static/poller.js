// Polls what the server keeps fresh: one request in flight, back-off with jitter, none in a hidden tab.
"use strict";
(() => {
    const TIMEOUT_MS = 8_000;
    const BACKOFF_MS = [100, 10_000]; // first and longest wait after a failed poll
    const STALE_MS = 15_000;
    const OFFLINE_AFTER = 3; // failed polls in a row
    const RELOAD_AGAIN_MS = 600_000;

    // An answer that says why there is no file; its message is the state.
    class Refusal extends Error {}

    const parse = (text) => {
        try {
            return JSON.parse(text);
        } catch {
            return null;
        }
    };

    // Fires "fresh" when what is polled is another than before.
    class Poller extends EventTarget {
        body = null; // the last whole answer: an object with at least `time`, `build` and `poll_ms`
        url; // what is polled
        #etag = null;
        #timer = null;
        #started = false;
        #polling = false;
        #paused = false;
        #failures = 0; // polls that failed in a row
        #refusal = null; // "signed out" or "starting", when the last answer was that
        #clock = null; // the server's time: {server: ms since the Unix epoch, local: ms of performance.now()}

        // What is at this URL, relative to the application's front page.
        constructor(path) {
            super();
            this.url = Poller.resolve(path).href;
            for (const event of ["pageshow", "online"]) addEventListener(event, () => this.#wake());
            document.addEventListener("visibilitychange", () => this.#wake());
        }

        static resolve(path) {
            return new URL(path, new URL(document.body.dataset.root, location));
        }

        start() {
            this.#started = true;
            this.#wake();
        }

        get paused() {
            return this.#paused;
        }

        // While paused nothing is asked for.
        set paused(paused) {
            this.#paused = paused;
            this.#wake();
        }

        // The server's time, ms since the Unix epoch, by the answers' own Date; null before the first.
        get now() {
            return this.#clock && this.#clock.server + performance.now() - this.#clock.local;
        }

        // One of live, stale, offline, signed out, starting; null before the first answer.
        get state() {
            if (this.#refusal) return this.#refusal;
            if (this.#failures >= OFFLINE_AFTER) return "offline";
            if (!this.body || !this.now) return null;
            return this.now - this.body.time < STALE_MS ? "live" : "stale";
        }

        // Why nothing new comes, as the server says; "" while it does.
        get problem() {
            const why = this.body?.problem;
            return why ? `Nothing new can be kept now: ${why}. It goes on by itself.` : "";
        }

        #wake() {
            clearTimeout(this.#timer);
            if (this.#started && !document.hidden && !this.#polling && !this.#paused) this.#poll();
        }

        async #poll() {
            this.#polling = true;
            try {
                const body = await this.get(this.url, true);
                if (body && this.#paused) this.forget();
                else if (body) await this.take(body);
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
            if (!this.#failures) return this.body?.poll_ms ?? 2000;
            const [first, longest] = BACKOFF_MS;
            return Math.min(longest, first * 2 ** (this.#failures - 1)) * (0.5 + Math.random() / 2);
        }

        // An answer came that is another than the one before.
        async take(body) {
            this.body = body;
            this.checkBuild();
            this.dispatchEvent(new Event("fresh"));
        }

        checkBuild() {
            if (this.body.build !== document.body.dataset.build) reload(this.body.build);
        }

        // An answer was not taken: the next poll must not hear that it is unchanged.
        forget() {
            this.#etag = null;
        }

        // What is at a URL as an object, or null when it has not changed since the last poll. Throws when there is none to be had.
        async get(url, polls = false) {
            // A file replaced while it is sent can arrive cut short: ask once more, at once.
            for (let attempt = 1; ; attempt += 1) {
                const answer = await fetch(url, {
                    headers: polls && this.#etag ? {"If-None-Match": this.#etag} : {},
                    cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS),
                });
                if (answer.type === "opaqueredirect" || [401, 403].includes(answer.status)) throw new Refusal("signed out");
                if (answer.status === 404) throw new Refusal("starting");
                if (!answer.ok && answer.status !== 304) throw new Error(`status ${answer.status}`);
                const date = Date.parse(answer.headers.get("Date"));
                if (date) this.#clock = {server: date, local: performance.now()};
                if (answer.status === 304) return null;
                const body = parse(await answer.text()); // cut short or too late: a failed poll
                if (body?.time && body.build) {
                    if (polls) this.#etag = answer.headers.get("ETag");
                    return body;
                }
                if (attempt === 2) throw new Refusal("signed out");
            }
        }
    }

    // The server has another build than this page: load it anew, and not all pages at once. Once a build in a while: of
    // several hosts behind one address some may have it already, and others not yet.
    function reload(build) {
        try {
            const seen = JSON.parse(sessionStorage.getItem("tidegauge-builds")) || {};
            if (Date.now() - seen[build] < RELOAD_AGAIN_MS) return;
            sessionStorage.setItem("tidegauge-builds", JSON.stringify({...seen, [build]: Date.now()}));
        } catch {
            return; // storage is refused, as in some frames: it would load anew for ever
        }
        setTimeout(() => location.reload(), Math.random() * 2000);
    }

    // A length of time for people: "12 s", "5 min", "3 h".
    function duration(ms) {
        const s = Math.max(0, Math.floor(ms / 1000));
        if (s < 100) return `${s} s`;
        return s < 6000 ? `${Math.floor(s / 60)} min` : `${Math.floor(s / 3600)} h`;
    }

    Object.assign(window.Tidegauge, {Poller, duration});
})();
