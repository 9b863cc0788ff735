"""The only package with SQL: event log, projections, schema, administration."""
