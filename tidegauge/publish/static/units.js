// Units and bands: on the axes, under the pointer, and in one line for the whole page.
"use strict";
(() => {
    const {HoverTool} = Bokeh.require("models/tools/inspectors/hover_tool");
    const {Tooltip} = Bokeh.require("models/ui/tooltip");
    const {NumeralTickFormatter} = Bokeh.require("models/formatters/numeral_tick_formatter");
    const {PrintfTickFormatter} = Bokeh.require("models/formatters/printf_tick_formatter");

    // Tooltips have the page's colours; a theme cannot say so, as BokehJS makes them itself.
    Tooltip.override({css_variables: {
        "--tooltip-color": "var(--paper)", "--tooltip-text": "var(--ink)", "--tooltip-border": "var(--edge)", "--tooltip-arrow-color": "var(--paper)",
    }});

    const units = {
        // The unit that a source's values are drawn in; "" without one.
        of(source, feed) {
            if (source.unit) return source.unit;
            const unit = feed?.reader.units.get(source.series) ?? "";
            if (!source.rate_s || !unit) return unit;
            return source.rate_s === 1 ? `${unit}/s` : `${unit}/${source.rate_s} s`;
        },

        // The only unit of a plot, or "". A pattern that was given one has it before a series matches.
        ofPlot(plot, feed) {
            const sources = plot.renderers.map((one) => one.data_source).filter((one) => one instanceof Tidegauge.LiveSource);
            const all = new Set(sources.filter((one) => one.unit || !one.isTemplate).map((one) => units.of(one, feed)));
            return all.size === 1 ? [...all][0] : "";
        },

        // Whether a formatter of an axis writes a unit itself, or at least chooses the form of the number.
        isOwn: (formatter) => formatter instanceof NumeralTickFormatter || formatter instanceof PrintfTickFormatter,

        // Which band a value is in: "bad", "warn", or "". As dashboards/view.py.
        band({warn, bad}, value) {
            const falls = warn !== null && bad !== null && bad < warn;
            const over = (edge) => edge !== null && Number.isFinite(value) && (falls ? value <= edge : value >= edge);
            return over(bad) ? "bad" : over(warn) ? "warn" : "";
        },
    };

    class Units {
        #figures;
        #feed;

        constructor(figures, feed) {
            this.#figures = figures;
            this.#feed = feed;
            figures.prepare(() => this.#label());
            feed.addEventListener("series", () => this.#label());
        }

        #label() {
            for (const plot of this.#figures.timePlots) {
                const unit = units.ofPlot(plot, this.#feed);
                const axis = plot.left[0];
                if (unit && axis && !axis.axis_label) axis.axis_label = unit;
                this.#offerValues(plot, unit);
            }
        }

        // Under the pointer: the values of the moment. A plot that has a hover tool keeps it.
        #offerValues(plot, unit) {
            const ours = plot.toolbar.tools.find((tool) => tool instanceof HoverTool && tool.tags.includes("tidegauge"));
            if (!ours && plot.toolbar.tools.some((tool) => tool instanceof HoverTool)) return;
            const lines = new Map(); // source -> its first renderer: a line with points shows one value
            for (const renderer of plot.renderers) {
                const source = renderer.data_source;
                if (source?.series && !source.isTemplate && !lines.has(source)) lines.set(source, renderer);
            }
            for (const [source, renderer] of lines) renderer.name ??= source.series;
            const renderers = [...lines.values()];
            const formatter = plot.left[0]?.formatter;
            const form = units.isOwn(formatter) ? formatter.format : "0,0.[0000]";
            const known = /^[^@${}<>&]*$/.test(unit) && !units.isOwn(formatter) ? ` ${unit}` : ""; // what stands here is a template
            const tooltips = [...(lines.size > 1 ? [["", "$name"]] : []), ["", `@v{${form}}${known}`], ["", "@t{%F %T}"]];
            if (ours) {
                if (ours.renderers.length !== renderers.length) ours.renderers = renderers;
                if (String(ours.tooltips) !== String(tooltips)) ours.tooltips = tooltips;
                return;
            }
            plot.add_tools(new HoverTool({
                renderers, tooltips, tags: ["tidegauge"], mode: "vline", description: "Values",
                formatters: {"@t": "datetime", "@v": formatter instanceof PrintfTickFormatter ? "printf" : "numeral"},
            }));
        }

        // What is in a band now, for the line at the top: {band, titles}, the worst alone.
        get crossed() {
            const found = {bad: [], warn: []};
            for (const plot of this.#figures.plots) {
                const bands = Tidegauge.Figures.liveSources(plot).flatMap((source) =>
                    (source.newest ? [...source.data.v] : [source.data.v.at(-1)]).map((value) => units.band(source, value)));
                for (const band of ["bad", "warn"]) if (bands.includes(band)) found[band].push(Tidegauge.Figures.title(plot));
            }
            const band = found.bad.length ? "bad" : found.warn.length ? "warn" : "";
            return {band, titles: found[band] ?? []};
        }
    }

    Object.assign(window.Tidegauge, {Units, units});
})();
