// What a pattern of names draws: a line for each series that matches, and categories for their newest values.
"use strict";
(() => {
    const {GlyphRenderer} = Bokeh.require("models/renderers/glyph_renderer");
    const {FactorRange} = Bokeh.require("models/ranges/factor_range");
    const {Legend} = Bokeh.require("models/annotations/legend");
    const {LegendItem} = Bokeh.require("models/annotations/legend_item");
    const COLOURS = ["line_color", "fill_color", "hatch_color"];

    class Patterns {
        #figures;
        #feed;
        #templates = []; // {plot, renderer, legend, sources, drawn}: a renderer whose source is a pattern

        constructor(figures, feed) {
            this.#figures = figures;
            this.#feed = feed;
            figures.prepare(() => this.#link());
            feed.addEventListener("series", () => this.#grow());
        }

        #link() {
            this.#templates = [];
            const shared = new Map(); // pattern source -> series -> source
            for (const plot of this.#figures.plots) {
                const legend = [...plot.center, ...plot.left, ...plot.right, ...plot.above, ...plot.below].find((one) => one instanceof Legend);
                for (const renderer of plot.renderers) {
                    const source = renderer.data_source;
                    if (!(source instanceof Tidegauge.LiveSource)) continue;
                    if (source.newest) Patterns.#categorise(plot, renderer.glyph, source);
                    if (!source.isTemplate) continue;
                    if (!shared.has(source)) shared.set(source, new Map());
                    renderer.visible = false;
                    this.#templates.push({plot, renderer, legend, sources: shared.get(source), drawn: new Set()});
                }
                if (legend) legend.items = legend.items.filter((item) => item.renderers.some((one) => one.visible));
            }
            this.#grow();
        }

        #grow() {
            for (const template of this.#templates) {
                for (const name of [...this.#feed.reader.names].sort()) {
                    if (!template.drawn.has(name) && template.renderer.data_source.match(name)) this.#add(template, name);
                }
            }
        }

        #add({plot, renderer, legend, sources, drawn}, name) {
            const pattern = renderer.data_source;
            const label = pattern.label(name);
            drawn.add(name);
            if (!sources.has(name)) {
                const {unit, description, warn, bad, rate_s, max_size} = pattern;
                sources.set(name, new Tidegauge.LiveSource({series: name, unit, description, warn, bad, rate_s, max_size, data: {t: [], v: []}}));
            }
            const set = [...renderer.glyph].filter((property) => property.dirty);
            const glyph = new renderer.glyph.constructor(Object.fromEntries(set.map((one) => [one.attr, one.get_value()])));
            if (pattern.palette.length) {
                const value = pattern.palette[(drawn.size - 1) % pattern.palette.length];
                for (const property of COLOURS) if (property in glyph.properties) glyph.setv({[property]: {value}});
            }
            const line = new GlyphRenderer({data_source: sources.get(name), glyph, name: label});
            plot.renderers = [...plot.renderers, line];
            if (!legend) return;
            const item = legend.items.find((one) => one.label.value === label);
            if (item) item.renderers = [...item.renderers, line];
            else legend.items = [...legend.items, new LegendItem({label: {value: label}, renderers: [line]})];
        }

        // The categories of an axis that has none of its own are the names that the glyph asks for.
        static #categorise(plot, glyph, source) {
            for (const [range, field] of [[plot.x_range, glyph.x?.field], [plot.y_range, glyph.y?.field]]) {
                if (!(range instanceof FactorRange) || !["label", "series"].includes(field)) continue;
                const show = () => {
                    const all = Tidegauge.Figures.sources(plot).filter((one) => one.newest).flatMap((one) => [...one.data[field]]);
                    const factors = [...new Set(all)].sort();
                    if (factors.join("\0") !== range.factors.join("\0")) range.factors = factors;
                };
                source.properties.data.change.connect(show);
                show();
            }
        }
    }

    Object.assign(window.Tidegauge, {Patterns});
})();
