"""The server: routes, bodies, limits, connections and pages."""
