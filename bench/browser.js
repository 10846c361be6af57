// Counts the updates of a page that shows plots. It is evaluated in the page until it gives window.updates.
window.updates ??= (() => {
    const PLOTS = 12;
    const POINTS = 1000;
    const LATE_MS = 30_000;

    // Of each plot: its element, the times (or numbers) of its points, and how to hear of a new one.
    const bokeh = (plot) => {
        const {data_source: source} = plot.renderers[0];
        const signals = [source.streaming, source.properties.data.change];
        return {
            element: Bokeh.index.find_one(plot).el,
            times: () => source.data.t ?? source.data.x,
            hear: (heard) => signals.forEach((signal) => signal.connect(heard)),
        };
    };
    const plotly = (element) => ({
        element,
        times: () => element.data[0].x,
        hear: (heard) => element.on("plotly_afterplot", heard),
    });

    const figures = () => Bokeh.documents.flatMap((one) => [...one.all_models]).filter(({type}) => type === "Figure");
    const plots = window.Bokeh ? figures().map(bokeh) : [...document.querySelectorAll(".js-plotly-plot")].map(plotly);
    const full = plots.filter(({times}) => times().length >= POINTS);
    if (plots.length !== PLOTS || full.length !== PLOTS) throw new Error(`${plots.length} plots, ${full.length} full`);
    const inSight = ({element}) => element.getBoundingClientRect().bottom <= innerHeight;
    if (!plots.every(inSight)) throw new Error("a plot is out of sight, where nothing is painted");

    const newest = plots.map(({times}) => times().at(-1));
    const counts = plots.map(() => 0); // of the new points that each has got
    let wanted = Infinity;
    let reached;
    plots.forEach(({times, hear}, i) => hear(() => {
        const time = times().at(-1);
        if (!(time > newest[i])) return; // drawn again, as it was
        newest[i] = time;
        counts[i] += 1;
        if (Math.min(...counts) >= wanted) reached();
    }));

    return {
        newest,
        count: () => Math.min(...counts),

        // Wait until every plot has got so many.
        reach: (count) => new Promise((resolve, reject) => {
            const late = setTimeout(() => reject(new Error(`no update ${count}, but ${counts}`)), LATE_MS);
            wanted = count;
            reached = () => {
                clearTimeout(late);
                wanted = Infinity;
                resolve();
            };
            if (Math.min(...counts) >= count) reached();
        }),
    };
})();
