//! backoffice
