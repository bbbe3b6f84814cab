//! The OAuth 2 authorization server that `ztctl` logs in at.
