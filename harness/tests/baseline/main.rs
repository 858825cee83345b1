//! Building what a gate compares, on small repositories: what is seen of them, and that nothing of them changes.

mod builds;
mod layouts;
mod repository;
mod revisions;
mod this_repository;
