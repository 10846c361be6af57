// The moment under the pointer: a line at the same time in every plot of the time line.
"use strict";
(() => {
    const {Span} = Bokeh.require("models/annotations/span");

    class Moment {
        #lines = [];

        constructor(figures) {
            figures.prepare(() => this.#link(figures));
        }

        // Bokeh's CrosshairTool would have to be added to every toolbar, and follows screen units across plots.
        #link(figures) {
            this.#lines = figures.timePlots.map((plot) => {
                const line = new Span({
                    dimension: "height", location: null, level: "overlay", visible: false,
                    line_color: plot.below[0]?.major_label_text_color ?? "gray", line_alpha: 0.6, line_dash: [4, 3],
                });
                plot.add_layout(line);
                figures.on(plot, "mousemove", ({x}) => this.#show(x));
                figures.on(plot, "mouseleave", () => this.#show(null));
                return line;
            });
        }

        #show(t) {
            for (const line of this.#lines) line.setv({location: t, visible: t !== null});
        }
    }

    Object.assign(window.Tidegauge, {Moment});
})();
