// A dashboard's page: embeds its figures and says how fresh they are.
"use strict";
(() => {
    const {document: documentUrl, feed: feedUrl} = document.body.dataset;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const figures = document.getElementById("figures");
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
            note.textContent = `Missed samples before ${new Date(missed).toLocaleTimeString()}.`;
            note.hidden = false;
        }
    }

    async function open() {
        const feed = feedUrl ? Tidegauge.Feed.at(feedUrl) : null;
        const theme = dark.matches ? "dark" : "light";
        const url = new URL(documentUrl, new URL(document.body.dataset.root, location));
        const [item] = await Promise.all([
            fetch(`${url}?theme=${theme}`).then((answer) => {
                if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
                return answer.json();
            }),
            feed?.open(),
        ]);
        await Bokeh.embed.embed_item(item, figures);
        if (feed) {
            feed.start();
            say(feed);
            setInterval(() => say(feed), 500);
        }
    }

    dark.addEventListener("change", () => location.reload());
    open().catch((error) => {
        figures.textContent = `The figures could not be loaded: ${error.message}. Reload the page to try again.`;
        if (state) state.dataset.state = state.querySelector("strong").textContent = "offline";
    });
})();
