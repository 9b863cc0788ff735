"""The only floor that speaks SQL: the log, the projections, their schema."""
