//! The way to the broker, as client and agent share it: which TLS roots are trusted, and WebSocket as a byte stream.

pub mod tls;
pub mod websocket;
