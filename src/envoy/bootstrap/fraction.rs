//! `FractionalPercent`.

use super::ConfigMessage;

/// Whether a fraction is 100 %. A missing fraction is 0 %.
pub(super) fn is_whole(fraction: Option<ConfigMessage<'_>>) -> bool {
    let Some(fraction) = fraction else {
        return false;
    };
    let parts = [
        ("HUNDRED", 0, 100),
        ("TEN_THOUSAND", 1, 10_000),
        ("MILLION", 2, 1_000_000),
    ];
    let numerator = fraction.count_of("numerator").unwrap_or_default();
    let same =
        |(name, number, _): &&(&str, i64, u64)| fraction.has_choice("denominator", name, *number);
    let whole = parts.iter().find(same).map(|(.., whole)| *whole);
    whole.is_some_and(|whole| numerator >= whole)
}
