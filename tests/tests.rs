//! One binary of integration tests; each module says what belongs in it.

mod sample;
