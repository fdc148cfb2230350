//! The book builder.
