//! The database in a folder of its own, with times that the tests choose.
