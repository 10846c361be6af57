// The time zone that times are shown in: the viewer's own, or UTC. BokehJS knows UTC alone, so it is given wall clock times.
"use strict";
(() => {
    const DAY_MS = 86_400_000;
    const {DatetimeTickFormatter} = Bokeh.require("models/formatters/datetime_tick_formatter");
    const {DatetimeTicker} = Bokeh.require("models/tickers/datetime_ticker");
    const templating = Bokeh.require("core/util/templating");
    const local = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const isUtc = /^(Etc\/)?(UTC|GMT|Universal|Zulu)$/.test(local);

    const clock = {
        local, // the name of the viewer's own zone
        isUtc, // there is nothing to choose
        choice: Tidegauge.preferences.get("zone", "local"),

        get zone() {
            return clock.choice === "utc" || isUtc ? "UTC" : local;
        },

        choose(choice) {
            clock.choice = choice;
            Tidegauge.preferences.set("zone", choice);
            dispatchEvent(new Event("zonechange"));
        },

        // How far the zone's clocks are ahead of UTC at a moment, in ms: each moment has its own daylight-saving time.
        offset(t) {
            return clock.zone === "UTC" ? 0 : -new Date(t).getTimezoneOffset() * 60_000 || 0;
        },

        // What the clocks show at a moment, as if they showed UTC. NaN, and what is no number, stays.
        wall(t) {
            return Number.isFinite(t) ? t + clock.offset(t) : t;
        },

        // The moment at which the zone's clocks show "2026-11-25T14:03:07"; NaN for no time.
        moment(text) {
            return clock.zone === "UTC" ? Date.parse(`${text}Z`) : Date.parse(text);
        },

        // "2026-11-25 14:03:07"
        format(t) {
            return new Date(clock.wall(t)).toISOString().slice(0, 19).replace("T", " ");
        },

        // Name the zone on the time axes of these plots. A label of the dashboard's own stays before it.
        name(plots) {
            for (const axis of plots.flatMap((plot) => Tidegauge.Figures.timeAxes(plot))) {
                if (!labels.has(axis)) labels.set(axis, axis.axis_label === "UTC" ? "" : axis.axis_label ?? "");
                const label = labels.get(axis);
                const named = typeof label === "string"; // and not TeX
                if (named) axis.axis_label = label ? `${label} (${clock.zone})` : clock.zone;
                axis.change.emit();
            }
        },
    };
    const labels = new WeakMap(); // axis -> the dashboard's own label

    // A formatter calls its context's with a resolution, and with ticks that are wall clock times already.
    const {doFormat} = DatetimeTickFormatter.prototype;
    DatetimeTickFormatter.prototype.doFormat = function (ticks, options, resolution) {
        const walls = resolution === undefined ? Array.from(ticks, clock.wall) : ticks;
        return doFormat.call(this, walls, options, resolution);
    };

    // Ticks at the whole hours and days of the zone. Within two days all are moved alike: a change of the clocks by an hour
    // leaves them whole. Beyond, each is moved by its own offset, and one that no clock showed is left out.
    const {get_ticks_no_defaults: getTicks} = DatetimeTicker.prototype;
    DatetimeTicker.prototype.get_ticks_no_defaults = function (low, high, cross, wanted) {
        const first = clock.offset(low);
        const far = high - low > 2 * DAY_MS;
        const ticks = getTicks.call(this, low + first, far ? clock.wall(high) : high + first, cross, wanted);
        const moment = (wall) => wall - (far ? clock.offset(wall - clock.offset(wall)) : first);
        const moments = (walls) => Array.from(walls, moment).filter((t, i) => !far || clock.wall(t) === walls[i]);
        return {major: moments(ticks.major), minor: moments(ticks.minor)};
    };

    // Hover: "@t{%T}" with formatters={"@t": "datetime"}.
    const {datetime} = templating.DEFAULT_FORMATTERS;
    templating.DEFAULT_FORMATTERS.datetime = (value, format, variables) => datetime(clock.wall(value), format, variables);

    Object.assign(window.Tidegauge, {clock});
})();
