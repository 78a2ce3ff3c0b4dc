//! The conformance suite of the storage port.
