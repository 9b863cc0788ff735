"""Pure projections: run state and its reducer, the projector, the run mapper, usage periods."""
