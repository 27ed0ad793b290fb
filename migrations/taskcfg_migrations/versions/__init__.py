"""One file a step. `additive`: programs of the version before go on working with the tables after it."""
