//! The `Date` header: RFC 9110 §5.6.7, in the one form that is sent today.

/// `Sun, 06 Nov 1994 08:49:37 GMT` in seconds since 1970; other forms and impossible dates are `None`.
pub(in crate::client) fn parse(text: &str) -> Option<u64> {
    let (_, text) = text.split_once(", ")?;
    let mut words = text.split(' ');
    let mut next = || words.next();
    let day: u64 = next()?.parse().ok()?;
    let month = next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year: u64 = next()?.parse().ok()?;
    let mut time = next()?.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let possible = (1..=31).contains(&day) && (1970..=9999).contains(&year) && hour < 24 && minute < 60 && second <= 60;
    if next() != Some("GMT") || next().is_some() || time.next().is_some() || !possible {
        return None;
    }
    // Days since 1970 by counting years from March, so that the leap day is a year's last: 153 days are five months.
    let (shifted_year, shifted_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * shifted_year + shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    let days = days + (153 * shifted_month + 2) / 5 + day - 1;
    Some((days.checked_sub(DAYS_TO_1970)?) * 86_400 + hour * 3600 + minute * 60 + second)
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// From 1 March of year 0 to 1 January 1970.
const DAYS_TO_1970: u64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_as_seconds() {
        assert_eq!(parse("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(parse("Thu, 29 Feb 2024 23:59:59 GMT"), Some(1_709_251_199));
        assert_eq!(parse("Fri, 01 Mar 2024 00:00:00 GMT"), Some(1_709_251_200));
    }

    #[test]
    fn other_text_is_no_date() {
        for text in ["", "now", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49 GMT"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
