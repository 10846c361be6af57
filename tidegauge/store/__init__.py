"""Every sample: numbered, kept, and the newest of each series in memory. Knows neither Flask nor Bokeh."""
