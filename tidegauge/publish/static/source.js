// The live source: a Bokeh model that draws what a feed brings. Its Python half is dashboards/source.py.
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
        draw(source, inOrder([...source.data.t, ...fresh.t], [...source.data.v, ...fresh.v], size));
    }

    // How much a count has grown in so many seconds since the sample before; from 0 where it fell. As store/thinning.py.
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

    // Samples in the order of their times, the newest `size` of them.
    function inOrder(t, v, size) {
        const order = [...t.keys()].sort((a, b) => t[a] - t[b]).slice(size ? -size : 0);
        return {t: order.map((i) => t[i]), v: order.map((i) => v[i])};
    }

    const counts = new WeakMap(); // source -> series -> the samples that its rates are made of
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
        static __module__ = "tidegauge.dashboards.source";
        static {
            this.define(({Bool, Color, Float, List, Nullable, Str}) => ({
                series: [Str], unit: [Str, ""], description: [Str, ""], warn: [Nullable(Float), null], bad: [Nullable(Float), null],
                rate_s: [Nullable(Float), null], newest: [Bool, false], palette: [List(Color), []],
            }));
        }

        // Called by BokehJS when the model is made; AjaxDataSource would begin to poll here.
        setup() {
            Feed.own.add(this);
        }

        destroy() {
            Feed.own.remove(this);
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
            counts.set(this, new Map(counts.get(twin)));
            this.data = Object.fromEntries(Object.entries(twin.data).map(([name, column]) => [name, [...column]]));
        }

        // Draw a window's or a history's columns. Tells whether they have its series; with `always` it is empty then.
        replace(all, always = false) {
            if (this.isTemplate) return true;
            counts.set(this, new Map());
            const names = [...new Set([...all.keys()].map((one) => one.split("\0")[0]))].filter((name) => this.match(name));
            if (!names.length && !always) return false;
            const found = new Map(names.map((name) => [name, all.get(key(name, this.rate_s)) ?? this.#rated(name, all.get(name))]));
            if (this.newest) this.#showNewest(found);
            else draw(this, found.get(this.series) ?? {t: [], v: []});
            return true;
        }

        // Draw what a tail has brought, keeping the newest `size` samples.
        append(fresh, size) {
            if (this.isTemplate) return;
            const found = new Map([...fresh].filter(([name]) => this.match(name)));
            if (!found.size) return;
            if (this.rate_s) for (const [name, one] of found) found.set(name, this.#grown(name, one, size));
            if (this.newest) this.#showNewest(found);
            else if (found.get(this.series).all) draw(this, found.get(this.series));
            else append(this, found.get(this.series), size);
        }

        // What is drawn of a window's samples.
        #rated(name, columns = {t: [], v: []}) {
            if (!this.rate_s) return columns;
            counts.get(this).set(name, {...columns, all: true});
            return rates(columns, this.rate_s);
        }

        // The rates of samples that follow those before; all of them where one came late, and all are known. (Of a history
        // the rates alone are: a late one is right when that is thinned anew.)
        #grown(name, {t, v, late}, size) {
            const before = counts.get(this).get(name) ?? {t: [], v: [], all: false};
            const whole = inOrder([...before.t, ...t], [...before.v, ...v], size);
            counts.get(this).set(name, {...whole, all: before.all});
            const all = late && before.all;
            return {...rates(all ? whole : {t: [...before.t.slice(-1), ...t], v: [...before.v.slice(-1), ...v]}, this.rate_s), all};
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
