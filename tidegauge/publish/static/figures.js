// The figures of a dashboard: its document in one theme, embedded, and the plots in it.
"use strict";
(() => {
    const {Document} = Bokeh.require("document/document");
    const {add_document_standalone: embed} = Bokeh.embed;
    const {Plot} = Bokeh.require("models/plots/plot");
    const {DataRange1d} = Bokeh.require("models/ranges/data_range1d");
    const {DatetimeAxis} = Bokeh.require("models/axes/datetime_axis");
    const {ColumnarDataSource} = Bokeh.require("models/sources/columnar_data_source");
    const {AjaxDataSource} = Bokeh.require("models/sources/ajax_data_source");

    // Between $$ and $$ Bokeh finds TeX, also in the name of a series; that would need MathJax. Text is shown as it is.
    const {PlainText} = Bokeh.require("models/text/plain_text");
    Bokeh.require("models/text/utils").parse_delimited_string = (text) => new PlainText({text});

    // Without a sample there is no range of values, and without a range BokehJS draws no axis.
    const {_compute_min_max: valuesOf} = DataRange1d.prototype;
    DataRange1d.prototype._compute_min_max = function (bounds, dimension) {
        const [min, max] = valuesOf.call(this, bounds, dimension);
        const isEmpty = !(min <= max) && dimension === 1 && this.scale_hint !== "log"; // BokehJS has one for logarithms
        return isEmpty ? [0, 1] : [min, max];
    };

    const ajax = (figures) => [...figures.all_models].filter((model) => model instanceof AjaxDataSource);

    const isOwn = (source) => !(source instanceof Tidegauge.LiveSource);

    // Fires "shown" when the figures were drawn anew.
    class Figures extends EventTarget {
        document = null;
        static only = null; // show this plot alone: its number from 1, or its name
        plots = []; // in the order of the page
        #element;
        #url;
        #preparations = [];
        #turn = Promise.resolve();

        // Into this element, the document at this URL, in which $theme stands for a theme.
        constructor(element, url) {
            super();
            this.#element = element;
            this.#url = url;
        }

        // Call this with the figures whenever they were made and before they are drawn.
        prepare(preparation) {
            this.#preparations.push(preparation);
        }

        // Show the figures in a theme, after `ready`. Those that are there go, their data stays.
        show(theme, ready = null) {
            const turn = this.#turn.catch(() => {}).then(() => this.#show(theme, ready));
            this.#turn = turn;
            return turn;
        }

        async #show(theme, ready) {
            const item = await Promise.all([this.#fetch(theme), ready]).then(([first]) => first);
            const last = this.document;
            const next = Document.from_json(item.doc);
            if (Figures.only !== null) Figures.#reduce(next, Figures.only);
            this.document = next;
            this.plots = Figures.#plots(next);
            for (const preparation of this.#preparations) preparation(this);
            if (last) {
                this.#element.style.minHeight = `${this.#element.offsetHeight}px`; // so that the page does not jump
                Figures.#replace(last, next);
            }
            await embed(next, this.#element, [this.#element]);
            this.#element.style.minHeight = "";
            this.dispatchEvent(new Event("shown"));
        }

        async #fetch(theme) {
            const answer = await fetch(this.#url.href.replace("$theme", theme));
            if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
            const text = await answer.text();
            Tidegauge.paint.prepare(text);
            return JSON.parse(text);
        }

        static #plots(document) {
            return [...document.all_models].filter((model) => model instanceof Plot);
        }

        // Leave one plot in the document, as wide as there is room for.
        static #reduce(document, wanted) {
            const plots = Figures.#plots(document);
            const plot = plots.find(({name}) => name === wanted) ?? plots[/^\d+$/.test(wanted) ? wanted - 1 : -1];
            if (!plot) throw new Error(`there is no plot ${JSON.stringify(wanted)} among the ${plots.length} of this dashboard`);
            for (const root of [...document.roots()]) document.remove_root(root);
            plot.setv({sizing_mode: "stretch_width", height: plot.height ?? 300});
            document.add_root(plot);
        }

        // Both documents were built by the same function: what asks for itself is there in the same order.
        static #replace(last, next) {
            const sources = ajax(last);
            const own = sources.filter(isOwn);
            for (const [i, source] of ajax(next).filter(isOwn).entries()) {
                if (own[i]) source.data = own[i].data;
            }
            last.clear();
            for (const source of sources) source.destroy();
            Bokeh.documents.splice(Bokeh.documents.indexOf(last), 1);
        }

        // Listen to a Bokeh event of a plot that is there: on_event alone is heard only before a document has it.
        on(plot, event, listener) {
            plot.on_event(event, listener);
            plot.document.event_manager.subscribed_models.add(plot);
        }

        // The plots with a time axis that draw a live source.
        get timePlots() {
            return this.plots.filter((plot) => Figures.timeAxes(plot).length && Figures.isLive(plot));
        }

        // Whether a plot draws a live source; a pattern that nothing matches yet is one, too.
        static isLive(plot) {
            return plot.renderers.some((one) => one.data_source instanceof Tidegauge.LiveSource);
        }

        static timeAxes(plot) {
            return [...plot.below, ...plot.above].filter((one) => one instanceof DatetimeAxis);
        }

        // The data sources that a plot draws, each once.
        static sources(plot) {
            const all = plot.renderers.map((one) => one.data_source).filter((one) => one instanceof ColumnarDataSource);
            return [...new Set(all)].filter((one) => !one.isTemplate);
        }

        static liveSources(plot) {
            return Figures.sources(plot).filter((one) => one instanceof Tidegauge.LiveSource);
        }

        static title(plot) {
            const {title} = plot;
            return (typeof title === "string" ? title : title?.text) || "Plot";
        }
    }

    Object.assign(window.Tidegauge, {Figures});
})();
