"""Numbers in: one module for each format that is pushed, and the samplers. Knows neither Flask nor Bokeh."""
