// A dashboard's page: embeds its figures and says how fresh they are.
"use strict";
(() => {
    const {AllLabels, NoOverlap} = Bokeh.require("models/policies/labeling");
    const {document: documentUrl} = document.body.dataset;
    const element = document.getElementById("figures");
    const state = document.getElementById("state");

    function say(feed, units) {
        const {state: name, sampleAge} = feed;
        if (state.dataset.state !== name) {
            state.dataset.state = name;
            state.querySelector("strong").textContent = name; // announced, as the age is not
        }
        if (name === "history") state.querySelector("span").textContent = "a span of the past";
        else state.querySelector("span").textContent = sampleAge === null ? "no sample yet" : `newest sample ${Tidegauge.duration(sampleAge)} old`;
        const {band, titles} = units.crossed;
        const bands = document.getElementById("bands");
        const told = band && `${band}: ${titles.join(", ")}`;
        if (bands.textContent !== told) bands.textContent = told; // announced once
        bands.dataset.band = band;
        const omitted = document.getElementById("omitted");
        omitted.hidden = !feed.omitted;
        omitted.textContent = `${feed.omitted} more series match, and are not drawn.`;
        document.getElementById("empty").hidden = !(feed.history && feed.isEmpty);
        const problem = document.getElementById("problem");
        problem.hidden = !feed.problem;
        if (feed.problem) problem.textContent = feed.problem;
        const missed = feed.reader.missedBefore;
        if (missed !== null) {
            const note = document.getElementById("missed");
            note.textContent = `Missed samples before ${Tidegauge.clock.format(missed)}.`;
            note.hidden = false;
        }
    }

    async function open() {
        const {clock, theme, Feed, Figures, Moment, Numbers, Patterns, Timeline, Toolbar, Units} = Tidegauge;
        const feed = Feed.own;
        const figures = new Figures(element, Tidegauge.Poller.resolve(documentUrl));
        const toolbar = new Toolbar();
        if (feed) new Patterns(figures, feed);
        // A finger scrolls the page, also on a plot; BokehJS would pan, and the page stand still.
        if (matchMedia("(pointer: coarse)").matches) {
            figures.prepare(() => figures.plots.forEach(({toolbar}) => { toolbar.active_drag = null; }));
        }
        // Times on a narrow plot do not run into each other; an axis that was given a policy keeps it.
        figures.prepare(() => figures.plots.flatMap(Figures.timeAxes).forEach((axis) => {
            if (axis.major_label_policy instanceof AllLabels) axis.major_label_policy = new NoOverlap({min_distance: 8}); // px
        }));
        const nameZone = () => clock.name(figures.plots);
        figures.prepare(nameZone);
        addEventListener("zonechange", nameZone);
        toolbar.offerZone(clock, figures);
        toolbar.offerThemes(theme);
        Numbers.show(document.getElementById("numbers"), figures, feed);
        const units = feed && new Units(figures, feed);
        const timeline = feed && new Timeline(figures, feed, new URLSearchParams(location.search));
        if (feed) {
            new Moment(figures);
            toolbar.offerSpans(timeline);
            toolbar.offerPause(feed, () => say(feed, units));
        }
        await figures.show(theme.name, feed?.open(timeline.history));
        addEventListener("themechange", () => figures.show(theme.name).catch(fail));
        if (feed) {
            feed.start();
            say(feed, units);
            setInterval(() => say(feed, units), 500);
        }
    }

    function fail(error) {
        element.textContent = `The figures could not be loaded: ${error.message}. Reload the page to try again.`;
        if (state) state.dataset.state = state.querySelector("strong").textContent = "offline";
    }

    if (documentUrl) open().catch(fail);
})();
