//! A QR code as a picture in the page itself: no image is fetched, nothing runs.

use qrcode::{Color, QrCode};

/// A picture that we drew; the one thing on a page that is not escaped, and nothing of it is text from anybody.
#[derive(Debug)]
pub(crate) struct Picture(String);

impl Picture {
    /// `text` as a QR code, dark on light in every colour scheme; none where it is too long for one.
    pub(crate) fn qr(text: &str) -> Option<Self> {
        let code = QrCode::new(text.as_bytes()).ok()?;
        let (colours, width) = (code.to_colors(), code.width());
        let side = width + 2 * QUIET;
        let mut dots = String::new();
        for (index, _) in colours.iter().enumerate().filter(|(_, colour)| **colour == Color::Dark) {
            dots.push_str(&format!("M{} {}h1v1h-1z", index % width + QUIET, index / width + QUIET));
        }
        Some(Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" width=\"240\" height=\"240\" role=\"img\" \
             aria-label=\"QR code\" shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}h-{side}z\"/>\
             <path fill=\"#000\" d=\"{dots}\"/></svg>\n"
        )))
    }

    /// As it stands in HTML.
    pub(super) fn html(&self) -> &str {
        &self.0
    }
}

/// The margin that readers need.
const QUIET: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_no_text_and_is_bounded() {
        let picture = Picture::qr("<script>\"otpauth://totp/x").unwrap();
        assert!(picture.html().starts_with("<svg ") && !picture.html().contains("script"));
        assert!(Picture::qr(&"x".repeat(5000)).is_none());
    }
}
