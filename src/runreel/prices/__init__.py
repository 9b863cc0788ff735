"""Price books: dated prices of models, and the cost of a request; pure."""
