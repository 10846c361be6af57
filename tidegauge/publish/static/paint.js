// What BokehJS does at every paint and need not do again. Of an update it was half of the script's time.
"use strict";
(() => {
    const {InlineStyleSheet} = Bokeh.require("core/dom");
    const {VisualProperties} = Bokeh.require("core/visuals/visual");
    const {AxisView} = Bokeh.require("models/axes/axis");
    const {PlotView} = Bokeh.require("models/plots/plot_canvas");

    // A sheet that is written anew is a change of style to the browser, also where it is the same.
    const update = InlineStyleSheet.prototype._update;
    InlineStyleSheet.prototype._update = function (css) {
        if (this.el.textContent !== css) update.call(this, css);
    };

    // Each colour, width and font of a plot may come from a style sheet (--bk-...), and to ask for one makes the browser
    // work out all styles. No sheet of ours has any; a document that mentions one is drawn as BokehJS does.
    const asked = VisualProperties.prototype._get_css_value;
    const paint = {
        prepare(document) {
            VisualProperties.prototype._get_css_value = document.includes("--bk-") ? asked : () => "";
        },
    };

    // How much room an axis needs is worked out three times for a paint: twice to see whether it has changed, then to draw.
    // It depends on the range and the plot's size, and on what changes by a new layout alone.
    let turn = 0;
    const {_actual_paint: paintPlot, request_layout: requestLayout} = PlotView.prototype;
    PlotView.prototype._actual_paint = function (...given) {
        paintPlot.apply(this, given);
        turn += 1;
    };
    PlotView.prototype.request_layout = function (...given) {
        turn += 1;
        requestLayout.apply(this, given);
    };
    const {get} = Object.getOwnPropertyDescriptor(AxisView.prototype, "extents");
    const known = new WeakMap();
    Object.defineProperty(AxisView.prototype, "extents", {
        configurable: true,
        get() {
            const [{start, end}] = this.ranges;
            const {width, height} = this.plot_view.frame.bbox;
            const key = `${turn} ${start} ${end} ${width} ${height}`;
            if (known.get(this)?.key !== key) known.set(this, {key, extents: get.call(this)});
            return known.get(this).extents;
        },
    });

    Object.assign(window.Tidegauge, {paint});
})();
