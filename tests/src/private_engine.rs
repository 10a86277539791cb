//! An engine of a test's own, for what must not be done to the one that others use.
