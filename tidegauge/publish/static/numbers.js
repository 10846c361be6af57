// The numbers behind the plots: a table and downloads for each, and its newest value for who cannot see it.
"use strict";
(() => {
    const ROWS = 50; // of a table
    const LABEL_EVERY_MS = 10_000;
    const TOLD = 3; // newest values beside a title
    const PAGES = 100; // of the journal, in a download of a whole span

    function make(name, attributes = {}, ...children) {
        const made = Object.assign(document.createElement(name), attributes);
        made.append(...children);
        return made;
    }

    function save(blob, name) {
        const url = URL.createObjectURL(blob);
        make("a", {href: url, download: name}).click();
        setTimeout(() => URL.revokeObjectURL(url), 60_000);
    }

    const quoted = (cell) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
    const csv = (rows) => rows.map((row) => row.map((cell) => quoted(String(cell))).join(",") + "\r\n").join("");

    const finite = (value) => (typeof value === "number" && !Number.isFinite(value) ? "" : value);

    // Every sample of a series from a time to another, as rows [series, t, v].
    async function readAll(name, [from, to]) {
        const url = new URL("api/series", new URL(document.body.dataset.root, location));
        const span = Number.isFinite(from) ? {from: Math.ceil(from), to: Math.floor(to) + 1} : {};
        const rows = [];
        for (let since = 0, page = 0; page < PAGES; page += 1) {
            url.search = new URLSearchParams({name, since, ...span});
            const answer = await fetch(url);
            if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
            const {t, v, to: cursor} = await answer.json();
            rows.push(...t.map((time, i) => [name, time, v[i] ?? NaN]));
            if (!t.length) return rows.sort((a, b) => a[1] - b[1]);
            since = cursor;
        }
        throw new Error("over a million samples: ask api/series for them");
    }

    // One plot's numbers. The plot is another model after the theme was changed.
    class Numbers {
        plot;
        #value = make("span", {className: "value"});
        #table = make("div", {className: "table", tabIndex: 0, role: "region"});
        #details;
        #feed;

        constructor(plot, feed) {
            this.plot = plot;
            this.#feed = feed;
            this.#table.ariaLabel = `Numbers of ${this.title}`;
            const summary = make("summary", {}, make("span", {}, this.title), " ", this.#value);
            const described = [...new Set(this.plot.renderers.map((one) => one.data_source?.description))].filter(Boolean);
            this.#details = make("details", {}, summary, ...described.map((text) => make("p", {textContent: text})), this.#table);
            if (this.#isLive) {
                const all = ["CSV", "JSON"].map((format) => this.#button(`${format}, every sample`, (button) => this.#saveAll(format, button)));
                this.#details.append(make("div", {className: "buttons"}, ...all));
            }
            this.#details.addEventListener("toggle", () => this.fill());
        }

        get title() {
            return Tidegauge.Figures.title(this.plot);
        }

        #button(text, action) {
            const made = make("button", {type: "button", textContent: text, ariaLabel: `${text} of ${this.title}`});
            made.addEventListener("click", () => action(made));
            return made;
        }

        get element() {
            const formats = this.#isLive ? ["CSV", "JSON"] : ["CSV"];
            const buttons = formats.map((format) => this.#button(format, () => this.#saveShown(format)));
            const png = this.#button("PNG", () => this.#savePng());
            return make("article", {className: "numbers"}, this.#details, make("div", {className: "buttons"}, ...buttons, png));
        }

        get #sources() {
            return Tidegauge.Figures.sources(this.plot);
        }

        get #isLive() {
            return Tidegauge.Figures.isLive(this.plot);
        }

        get #live() {
            return Tidegauge.Figures.liveSources(this.plot);
        }

        // As the plot's axis writes it, or with its unit.
        #text(value, unit = "") {
            if (!Number.isFinite(value)) return "no value";
            const formatter = this.plot.left[0]?.formatter;
            if (Tidegauge.units.isOwn(formatter)) return formatter.doFormat([value], {loc: 0})[0];
            return `${Number(value.toPrecision(6))}${unit && ` ${unit}`}`;
        }

        #unit(source) {
            return Tidegauge.units.of(source, this.#feed);
        }

        // [source, series, t, v] of the newest samples: a source's last, or its rows.
        get #newest() {
            return this.#live.flatMap((source) => {
                const {series, t, v} = source.data;
                if (source.newest) return Array.from(t, (time, i) => [source, series[i], time, v[i]]);
                return t.length ? [[source, source.series, t.at(-1), v.at(-1)]] : [];
            });
        }

        // [series, t, v] of the live sources from a time to another, in the order of their times.
        #samples(from = -Infinity, to = Infinity) {
            const rows = this.#live.flatMap(({series, newest, data}) =>
                Array.from(data.t, (t, i) => [newest ? data.series[i] : series, t, data.v[i]]));
            return rows.filter(([, t]) => from <= t && t <= to).sort((a, b) => a[1] - b[1]);
        }

        // Every column of a source that is not live: [names, ...rows].
        static #columns({data}) {
            const names = Object.keys(data);
            const length = Math.max(0, ...names.map((name) => data[name].length));
            return [names, ...Array.from({length}, (_, i) => names.map((name) => data[name][i]))];
        }

        // Show the newest value: beside the title, and with `label` as the name of the picture too.
        tell(label) {
            const newest = this.#newest;
            const some = newest.slice(0, TOLD).map(([source, , , v]) => this.#text(v, this.#unit(source)));
            const value = [...some, ...(newest.length > TOLD ? [`and ${newest.length - TOLD} more`] : [])].join(", ");
            this.#value.textContent = value;
            const bands = newest.map(([source, , , v]) => Tidegauge.units.band(source, v));
            this.#value.dataset.band = ["bad", "warn"].find((band) => bands.includes(band)) ?? "";
            const canvas = label && Bokeh.index.find_one(this.plot)?.canvas_view;
            if (!canvas) return;
            const when = value && Tidegauge.clock.format(Math.max(...newest.map(([, , t]) => t)));
            canvas.primary.el.role = "img";
            canvas.primary.el.ariaLabel = value ? `${this.title}: ${value} at ${when} ${Tidegauge.clock.zone}` : this.title;
            canvas.overlays.el.ariaHidden = "true";
        }

        // The table is as old as its opening: rows that move cannot be read.
        fill() {
            if (!this.#details.open) return this.#table.replaceChildren();
            const {clock} = Tidegauge;
            const series = this.#newest.length > 1;
            const unit = Tidegauge.units.ofPlot(this.plot, this.#feed);
            const [head, ...rows] = this.#live.length
                ? [
                    [`Time, ${clock.zone}`, ...(series ? ["Series"] : []), unit && !Tidegauge.units.isOwn(this.plot.left[0]?.formatter) ? `Value, ${unit}` : "Value"],
                    ...this.#samples().slice(-ROWS).map(([name, t, v]) => [clock.format(t), ...(series ? [name] : []), this.#text(v)]),
                ]
                : this.#sources.length ? Numbers.#columns(this.#sources[0]) : [[]];
            const line = (cells, name, scope) => make("tr", {}, ...cells.map((cell) => make(name, {textContent: cell, ...scope})));
            this.#table.replaceChildren(make("table", {},
                make("caption", {textContent: rows.length ? `The newest ${Math.min(ROWS, rows.length)}, newest first` : "No numbers yet"}),
                make("thead", {}, line(head, "th", {scope: "col"})),
                make("tbody", {}, ...rows.slice(-ROWS).reverse().map((row) => line(row, "td", {})))));
        }

        #name(ending) {
            const title = this.title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "plot";
            return `${title}-${new Date().toISOString().slice(0, 19).replace(/[-:]/g, "")}Z.${ending}`;
        }

        get #shown() {
            const {start, end} = this.plot.x_range;
            return Number.isFinite(start + end) ? [start, end] : [-Infinity, Infinity]; // no axis of time: all
        }

        // What the plot shows.
        #saveShown(format) {
            if (this.#isLive) this.#save(format, this.#samples(...this.#shown));
            else this.#saveCsv(this.#sources.flatMap((source) => Numbers.#columns(source).map((row) => row.map(finite))));
        }

        // Every sample of the span that the plot shows, from the journal: not thinned, and of a rate the counts.
        async #saveAll(format, button) {
            const text = button.textContent;
            button.disabled = true;
            try {
                const names = [...new Set(this.#newest.map(([, name]) => name))];
                const rows = [];
                for (const name of names) rows.push(...await readAll(name, this.#shown));
                this.#save(format, rows);
                button.textContent = text;
            } catch (error) {
                button.textContent = `${text}: ${error.message}`;
            }
            button.disabled = false;
        }

        // Rows [series, t, v]. Times in UTC, whatever the page says; a gap is an empty cell, or null.
        #save(format, rows) {
            if (format === "CSV") {
                const cells = rows.map(([name, t, v]) => [new Date(t).toISOString(), name, finite(v)]);
                this.#saveCsv([["time", "series", "value"], ...cells]);
                return;
            }
            const byName = new Map();
            for (const [name, t, v] of rows) {
                if (!byName.has(name)) byName.set(name, {name, t: [], v: []});
                byName.get(name).t.push(t);
                byName.get(name).v.push(v); // JSON writes NaN as null
            }
            const series = [...byName.values()];
            save(new Blob([JSON.stringify({series})], {type: "application/json"}), this.#name("json"));
        }

        #saveCsv(rows) {
            save(new Blob([csv(rows)], {type: "text/csv"}), this.#name("csv"));
        }

        async #savePng() {
            save(await Bokeh.index.find_one(this.plot).export("png").to_blob(), this.#name("png"));
        }

        // The numbers of all plots, in this section.
        static show(section, figures, feed) {
            let all = [];
            figures.prepare(() => {
                if (all.length === figures.plots.length) {
                    for (const [i, one] of all.entries()) one.plot = figures.plots[i];
                    return;
                }
                all = figures.plots.map((plot) => new Numbers(plot, feed));
                section.querySelector("div").replaceChildren(...all.map((one) => one.element));
                section.hidden = !all.length;
            });
            const tell = (label) => all.forEach((one) => one.tell(label));
            figures.addEventListener("shown", () => tell(true));
            feed?.addEventListener("fresh", () => tell(false));
            if (feed) setInterval(() => tell(true), LABEL_EVERY_MS);
            addEventListener("zonechange", () => all.forEach((one) => one.fill()));
        }
    }

    Object.assign(window.Tidegauge, {Numbers});
})();
