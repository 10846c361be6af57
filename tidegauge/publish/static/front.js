// The front page: keeps cards and series fresh from one feed, and finds them as one types.
"use strict";
(() => {
    const SEARCH_AFTER_MS = 250; // without a key pressed
    const element = (id) => document.getElementById(id);
    const {Poller, Toolbar, duration, theme} = Tidegauge;
    const poller = new Poller(document.body.dataset.feed);
    const cards = [...document.querySelectorAll(".card")];
    const list = document.querySelector(".series");
    const search = element("search");

    const words = () => search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const matches = (text) => words().every((word) => text.toLowerCase().includes(word));
    const shown = (elements) => elements.filter((one) => !one.hidden);
    const rows = () => [...list.children];

    // Assistive technology and selections are disturbed by nothing that stays the same.
    function write(target, text) {
        if (target.textContent !== text) target.textContent = text;
    }

    function setNewest(one, time) {
        if (time === null) delete one.dataset.newest;
        else one.dataset.newest = time;
    }

    function showCard(card, {newest, first, value, band, label, line, area, end, troubles}) {
        setNewest(card, newest);
        card.dataset.band = band;
        for (const [name, text] of [["bdi", first], [".value", value], [".band", band]]) write(card.querySelector(name), text);
        card.querySelector("svg").setAttribute("aria-label", label);
        for (const [name, path] of Object.entries({line, area, end})) card.querySelector(`path.${name}`).setAttribute("d", path);
        const box = card.querySelector(".troubles");
        if (rowsOf(box).join("\n") === troubles.join("\n")) return;
        box.replaceChildren(...troubles.map((text) => Object.assign(document.createElement("p"), {className: "what", textContent: text})));
    }

    const rowsOf = (box) => [...box.children].map((one) => one.textContent);

    function makeRow(name) {
        const row = element("row").content.firstElementChild.cloneNode(true);
        row.dataset.name = name;
        row.querySelector("bdi").textContent = name;
        row.querySelector("a").href += encodeURIComponent(name);
        return row;
    }

    function showRow(row, {value, newest}) {
        setNewest(row, newest);
        write(row.querySelector(".value"), value);
    }

    // List these series, and say that there are more.
    function listSeries({series, more}) {
        const there = new Map(rows().map((row) => [row.dataset.name, row]));
        const wanted = series.map((one) => {
            const row = there.get(one.name) ?? makeRow(one.name);
            showRow(row, one);
            return row;
        });
        if (wanted.length !== there.size || wanted.some((row, i) => row !== list.children[i])) list.replaceChildren(...wanted);
        write(element("more"), more ? `and ${more.toLocaleString("en")} more: search for them by name` : "");
        element("more").hidden = !more;
    }

    // While all series are in the feed they are found in it; else the server is asked, and the feed brings new values alone.
    function showSeries({undrawn}) {
        if (!words().length || !undrawn.more) return listSeries(undrawn);
        const there = new Map(rows().map((row) => [row.dataset.name, row]));
        for (const one of undrawn.series) if (there.has(one.name)) showRow(there.get(one.name), one);
    }

    function show() {
        const {body} = poller;
        const byName = new Map(cards.map((card) => [card.dataset.name, card]));
        for (const one of body.cards) if (byName.get(one.name)?.querySelector("svg")) showCard(byName.get(one.name), one);
        showSeries(body);
        const problem = element("problem");
        write(problem, poller.problem);
        problem.hidden = !poller.problem;
        filter();
        say();
    }

    // How fresh everything is, every second.
    function say() {
        const {state, now} = poller;
        if (!state) return; // the server's own words stand until there is an answer
        for (const pill of document.querySelectorAll(".state")) {
            if (pill.dataset.state === state) continue;
            pill.dataset.state = state;
            pill.querySelector("strong").textContent = state;
        }
        if (!now) return;
        const age = ({dataset}) => duration(now - dataset.newest);
        for (const card of cards.filter((one) => one.querySelector(".age"))) {
            write(card.querySelector(".age"), "newest" in card.dataset ? `newest sample ${age(card)} old` : "no sample yet");
        }
        for (const row of rows()) write(row.querySelector(".age"), "newest" in row.dataset ? `${age(row)} ago` : "");
    }

    const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;

    function filter() {
        for (const card of cards) card.hidden = !matches(card.dataset.text);
        for (const row of rows()) row.hidden = !matches(row.dataset.name);
        const [dashboards, series] = [shown(cards).length, shown(rows()).length];
        document.querySelector(".cards").parentElement.hidden = !dashboards;
        element("undrawn").hidden = !series && element("more").hidden;
        if (element("start")) element("start").hidden = words().length > 0;
        const found = element("found");
        found.hidden = !words().length;
        const what = `${count(dashboards, "dashboard", "dashboards")} and ${count(series, "series", "series")} found`;
        write(found, words().length ? (dashboards + series ? what : `Nothing matches “${search.value.trim()}”`) : "");
    }

    let timer = null;
    let asked = null;

    // Ask the server for the series that this page does not have.
    async function searchAll() {
        asked?.abort();
        asked = new AbortController();
        const url = new URL(document.body.dataset.root, location);
        url.search = new URLSearchParams({q: search.value, format: "json"});
        try {
            listSeries(await (await fetch(url, {signal: asked.signal})).json());
            filter();
            say();
        } catch {
            // Typed on, or offline: what is listed stays.
        }
    }

    function type() {
        clearTimeout(timer);
        const url = new URL(location);
        if (words().length) url.searchParams.set("q", search.value.trim());
        else url.searchParams.delete("q");
        history.replaceState(null, "", url);
        if (!words().length && poller.body) showSeries(poller.body);
        else if (!element("more").hidden || poller.body?.undrawn.more) timer = setTimeout(searchAll, SEARCH_AFTER_MS);
        filter();
        say();
    }

    search.addEventListener("input", type);
    search.addEventListener("keydown", (event) => {
        if (event.isComposing) return;
        if (event.key === "Enter") [...shown(cards), ...shown(rows())].map((one) => one.querySelector("a")).find(Boolean)?.click();
        if (event.key === "Escape") {
            search.value = "";
            type();
        }
    });

    const toolbar = new Toolbar();
    toolbar.offerThemes(theme);
    toolbar.offerSearch(search);
    poller.addEventListener("fresh", show);
    filter();
    poller.start();
    setInterval(say, 1000);
})();
