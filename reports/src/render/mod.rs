//! render: see the module tree in ARCHITECTURE.md.
