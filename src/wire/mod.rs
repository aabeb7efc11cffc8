//! Bytes to types and back. Pure and total: any input gives a value or an error, never a panic.
