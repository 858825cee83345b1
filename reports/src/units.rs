//! Quantities with their units: parse and print, no arithmetic across kinds.
