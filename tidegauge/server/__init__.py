"""The one owner of a host: it has journal, hub, samplers and publisher, and it alone writes."""
