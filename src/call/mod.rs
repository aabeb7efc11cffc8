//! The conversation: a sans-IO engine. Events in, commands out, time as an argument.
