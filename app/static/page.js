// A dashboard's page: embeds its figures and says how fresh they are.
"use strict";
(() => {
    const {document: documentUrl, feed: feedUrl} = document.body.dataset;
    const element = document.getElementById("figures");
    const state = document.getElementById("state");

    const age = (ms) => {
        const s = Math.floor(ms / 1000);
        if (s < 100) return `${s} s`;
        return s < 6000 ? `${Math.floor(s / 60)} min` : `${Math.floor(s / 3600)} h`;
    };

    function say(feed) {
        const {name, sampleAge} = feed.state;
        if (state.dataset.state !== name) {
            state.dataset.state = name;
            state.querySelector("strong").textContent = name; // announced, as the age is not
        }
        state.querySelector("span").textContent = sampleAge === null ? "no sample yet" : `newest sample ${age(sampleAge)} old`;
        const problem = document.getElementById("problem");
        problem.hidden = !feed.problem;
        if (feed.problem) problem.textContent = `Nothing new can be kept now: ${feed.problem}. It goes on by itself.`;
        const missed = feed.reader.missedBefore;
        if (missed !== null) {
            const note = document.getElementById("missed");
            note.textContent = `Missed samples before ${Tidegauge.clock.format(missed)}.`;
            note.hidden = false;
        }
    }

    async function open() {
        const {clock, theme, Feed, Figures, Moment, Numbers, Timeline, Toolbar} = Tidegauge;
        const feed = feedUrl ? Feed.at(feedUrl) : null;
        const figures = new Figures(element, new URL(documentUrl, new URL(document.body.dataset.root, location)));
        const toolbar = new Toolbar();
        // A finger scrolls the page, also on a plot; BokehJS would pan, and the page stand still.
        if (matchMedia("(pointer: coarse)").matches) {
            figures.prepare(() => figures.plots.forEach(({toolbar}) => { toolbar.active_drag = null; }));
        }
        const nameZone = () => clock.name(figures.plots);
        figures.prepare(nameZone);
        addEventListener("zonechange", nameZone);
        toolbar.offerZone(clock, figures);
        toolbar.offerThemes(theme);
        Numbers.show(document.getElementById("numbers"), figures, feed);
        if (feed) {
            const timeline = new Timeline(figures, feed, new URLSearchParams(location.search).get("span"));
            new Moment(figures);
            toolbar.offerSpans(timeline);
            toolbar.offerPause(feed, () => say(feed));
        }
        await figures.show(theme.name, feed?.open());
        addEventListener("themechange", () => figures.show(theme.name).catch(fail));
        if (feed) {
            feed.start();
            say(feed);
            setInterval(() => say(feed), 500);
        }
    }

    function fail(error) {
        element.textContent = `The figures could not be loaded: ${error.message}. Reload the page to try again.`;
        if (state) state.dataset.state = state.querySelector("strong").textContent = "offline";
    }

    open().catch(fail);
})();
