//! Times as people type and read them, and as container engines write them: `8h`, `2026-01-31`, `2026-01-31T09:30:00Z`; all in UTC.

use std::time::Duration;

/// The start of a question to the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// So many seconds before now.
    Ago(u64),
    /// At this time, in seconds since 1970.
    At(u64),
}

impl Since {
    /// In seconds since 1970, where it is `now`.
    pub fn seconds(self, now: u64) -> u64 {
        match self {
            Self::Ago(seconds) => now.saturating_sub(seconds),
            Self::At(seconds) => seconds,
        }
    }
}

/// `90s`, `5m`, `8h`, `30d`.
///
/// # Errors
/// A sentence that says how it is written.
pub fn duration(text: &str) -> Result<Duration, String> {
    let read = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let factor = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => DAY,
            _ => return None,
        };
        digits(number)?.checked_mul(factor).filter(|seconds| *seconds <= LONGEST)
    };
    read().map(Duration::from_secs).ok_or_else(|| "a length of time is written 90s, 5m, 8h or 30d".to_owned())
}

/// A length of time ago, a date, or a date and a time.
///
/// # Errors
/// A sentence that says how it is written.
pub fn since(text: &str) -> Result<Since, String> {
    match duration(text) {
        Ok(ago) => Ok(Since::Ago(ago.as_secs())),
        Err(_) => parse(text).map(Since::At).ok_or_else(|| "write 15m, 8h, 2d, 2026-01-31 or 2026-01-31T09:30:00Z".to_owned()),
    }
}

/// A date, or a date and a time, in seconds since 1970.
///
/// # Errors
/// A sentence that says how it is written.
pub fn at(text: &str) -> Result<u64, String> {
    parse(text).ok_or_else(|| "write 2026-01-31 or 2026-01-31T09:30:00Z".to_owned())
}

/// A length of time in its two largest units: `1h30m`.
pub fn length(seconds: u64) -> String {
    let units = [(DAY, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds;
    let mut text = String::new();
    for (size, unit) in units {
        if rest >= size {
            text += &format!("{}{unit}", rest / size);
            rest %= size;
            if text.matches(char::is_alphabetic).count() == 2 {
                break;
            }
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// `seconds` since 1970 as `2026-01-31 09:30:00`.
pub fn show(seconds: u64) -> String {
    let (days, rest) = (seconds / DAY, seconds % DAY);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

/// `seconds` since 1970 as `2026-01-31T09:30:00Z`.
pub fn rfc3339(seconds: u64) -> String {
    format!("{}Z", show(seconds).replace(' ', "T"))
}

/// A date, or a date and a time in UTC, in seconds since 1970; a fraction of a second is left out.
pub fn parse(text: &str) -> Option<u64> {
    let (day, time) = match text.split_once('T') {
        Some((day, time)) => (day, time.strip_suffix('Z')?),
        None => (text, "00:00:00"),
    };
    let time = match time.split_once('.') {
        Some((whole, fraction)) => digits(fraction).map(|_| whole)?,
        None => time,
    };
    let mut parts = day.splitn(3, '-').map(digits);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let mut parts = time.splitn(3, ':').map(digits);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1970..=9999).contains(&year) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days(year, month, day)?;
    Some(days * DAY + hour * 3600 + minute * 60 + second)
}

/// The days from 1970 to a date that exists.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Counting years from March makes the leap day a year's last: 153 days are five months.
    let (shifted_year, shifted_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    let days = (365 * shifted_year + leaps + (153 * shifted_month + 2) / 5 + day - 1).checked_sub(DAYS_TO_1970)?;
    // 31 February would be a day of March.
    (date(days) == (year, month, day)).then_some(days)
}

/// The date so many days after 1970-01-01; the inverse of the count above, in eras of 400 years (146 097 days).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_TO_1970;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

const DAY: u64 = 86_400;

/// Ten years: more is a slip of the keyboard.
const LONGEST: u64 = 3650 * DAY;

/// From 1 March of year 0 to 1 January 1970.
const DAYS_TO_1970: u64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_as_seconds() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("30d"), Ok(Duration::from_secs(2_592_000)));
        for text in ["", "h", "8", "-1h", "1w", "99999999999999999999s", "+5m", "1é"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lengths_have_two_units() {
        assert_eq!([0, 59, 60, 5400, 86_400, 90_061].map(length), ["0s", "59s", "1m", "1h30m", "1d", "1d1h"]);
    }

    #[test]
    fn dates_read_and_show() {
        assert_eq!(since("8h").map(|since| since.seconds(30_000)), Ok(1200));
        assert_eq!(since("2024-02-29T23:59:59Z"), Ok(Since::At(1_709_251_199)));
        assert_eq!(since("1970-01-01"), Ok(Since::At(0)));
        assert_eq!(parse("2024-02-29T23:59:59.123456789Z"), Some(1_709_251_199));
        assert_eq!(parse("2024-02-29T23:59:59.Z"), None);
        for text in ["2023-02-29", "2026-13-01", "2026-01-31T24:00:00Z", "2026-01-31T09:30:00", "1969-12-31", "x", "2026-1"] {
            assert!(since(text).is_err(), "{text}");
        }
        assert_eq!(show(1_709_251_199), "2024-02-29 23:59:59");
        assert_eq!(show(1_709_251_200), "2024-03-01 00:00:00");
        assert_eq!(rfc3339(1_709_251_199), "2024-02-29T23:59:59Z");
        for day in (0..80_000).step_by(17) {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), Some(day));
        }
    }
}
