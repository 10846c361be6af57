// The live source: a Bokeh model that draws what a feed brings. Its Python half is app/live.py.
"use strict";
(() => {
    const {AjaxDataSource} = Bokeh.require("models/sources/ajax_data_source");
    const {Feed, key} = Tidegauge;

    // Copies: BokehJS keeps the arrays it is given, and several sources may draw one series.
    function draw(source, {t, v}) {
        source.data = {t: [...t], v: [...v]};
    }

    // Append what a tail brought. Late samples are put where their times belong.
    function append(source, fresh, size = source.max_size ?? undefined) {
        if (!fresh) return;
        if (!fresh.late) {
            source.stream({t: [...fresh.t], v: [...fresh.v]}, size);
            return;
        }
        const t = [...source.data.t, ...fresh.t];
        const v = [...source.data.v, ...fresh.v];
        const order = [...t.keys()].sort((a, b) => t[a] - t[b]).slice(size ? -size : 0);
        draw(source, {t: order.map((i) => t[i]), v: order.map((i) => v[i])});
    }

    // How much a count has grown in so many seconds since the sample before; from 0 where it fell. As app/history.py.
    function rates({t, v}, rate_s) {
        const grown = {t: [], v: []};
        for (let i = 1; i < t.length; i += 1) {
            if (t[i] === t[i - 1]) continue;
            const more = v[i] < v[i - 1] ? v[i] : v[i] - v[i - 1];
            grown.t.push(t[i]);
            grown.v.push((more / (t[i] - t[i - 1])) * 1000 * rate_s);
        }
        return grown;
    }

    const lasts = new WeakMap(); // source -> series -> its last sample as a window, for the next rate
    const regexes = new Map(); // pattern -> what names must match

    function regex(pattern) {
        if (!regexes.has(pattern)) {
            const parts = pattern.split("*").map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&"));
            regexes.set(pattern, new RegExp(`^${parts.join("(.*)")}$`, "s"));
        }
        return regexes.get(pattern);
    }

    class LiveSource extends AjaxDataSource {
        static __name__ = "LiveSource";
        static __module__ = "app.live";
        static {
            this.define(({Bool, Color, Float, List, Nullable, Str}) => ({
                series: [Str], unit: [Str, ""], description: [Str, ""], warn: [Nullable(Float), null], bad: [Nullable(Float), null],
                rate_s: [Nullable(Float), null], newest: [Bool, false], palette: [List(Color), []],
            }));
        }

        // Called by BokehJS when the model is made; AjaxDataSource would begin to poll here.
        setup() {
            Feed.at(document.body.dataset.feed).add(this);
        }

        destroy() {
            Feed.at(document.body.dataset.feed).remove(this);
            super.destroy();
        }

        get isPattern() {
            return this.series.includes("*");
        }

        // A pattern of lines draws nothing itself: each series that matches has a source of its own (patterns.js).
        get isTemplate() {
            return this.isPattern && !this.newest;
        }

        // What the stars stand for in a name, or null if it does not match.
        match(name) {
            if (!this.isPattern) return name === this.series ? [] : null;
            return regex(this.series).exec(name)?.slice(1) ?? null;
        }

        label(name) {
            return this.match(name)?.join(", ") || name;
        }

        isLike(other) {
            return this.series === other.series && this.rate_s === other.rate_s && this.newest === other.newest;
        }

        copy(twin) {
            lasts.set(this, new Map(lasts.get(twin)));
            this.data = Object.fromEntries(Object.entries(twin.data).map(([name, column]) => [name, [...column]]));
        }

        // Draw a window's or a history's columns. Tells whether they have its series; with `always` it is empty then.
        replace(all, always = false) {
            if (this.isTemplate) return true;
            lasts.set(this, new Map());
            const names = [...new Set([...all.keys()].map((one) => one.split("\0")[0]))].filter((name) => this.match(name));
            if (!names.length && !always) return false;
            const found = new Map(names.map((name) => [name, all.get(key(name, this.rate_s)) ?? this.#after(name, all.get(name))]));
            if (this.newest) this.#showNewest(found);
            else draw(this, found.get(this.series) ?? {t: [], v: []});
            return true;
        }

        // Draw what a tail has brought, keeping the newest `size` samples. Tells whether it could: not so for rates of
        // samples that came late.
        append(fresh, size) {
            if (this.isTemplate) return true;
            const found = new Map([...fresh].filter(([name]) => this.match(name)));
            if (!found.size) return true;
            if (this.rate_s && [...found.values()].some(({late}) => late)) return false;
            for (const [name, {t, v, late}] of found) found.set(name, {...this.#after(name, {t, v}), late});
            if (this.newest) this.#showNewest(found);
            else append(this, found.get(this.series), size);
            return true;
        }

        // What is drawn of samples that follow those before.
        #after(name, columns) {
            if (!this.rate_s || !columns) return columns ?? {t: [], v: []};
            const {t, v} = lasts.get(this).get(name) ?? {t: [], v: []};
            const whole = {t: [...t, ...columns.t], v: [...v, ...columns.v]};
            lasts.get(this).set(name, {t: whole.t.slice(-1), v: whole.v.slice(-1)});
            return rates(whole, this.rate_s);
        }

        // A row a series; those that brought nothing keep theirs.
        #showNewest(found) {
            const rows = new Map(this.data.series.map((name, i) => [name, [this.data.t[i], this.data.v[i]]]));
            for (const [name, {t, v}] of found) {
                if (t.length) rows.set(name, [t.at(-1), v.at(-1)]);
            }
            const names = [...rows.keys()].sort();
            this.data = {
                series: names, label: names.map((name) => this.label(name)),
                t: names.map((name) => rows.get(name)[0]), v: names.map((name) => rows.get(name)[1]),
            };
            // A DataTable looks again when its view's rows change, not when their values do.
            for (const model of this.document?.all_models ?? []) if (model.source === this) model.view?.change.emit();
        }
    }

    Bokeh.Models.register(LiveSource);
    Object.assign(window.Tidegauge, {LiveSource, append, draw});
})();
