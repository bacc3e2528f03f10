//! The posture of a device, as a trusted proxy describes it.

use crate::authz::Value;
use crate::json;

/// The posture of a device as a JSON object, as a trusted proxy writes it into a header. Nothing
/// where it is anything else, or says a key twice.
#[must_use]
pub fn device_posture(text: &str) -> Option<Value<'static>> {
    let posture = json::decode(text.as_bytes(), POSTURE_DEPTH_MAX).ok();
    posture.filter(|posture| matches!(posture, Value::Map(_)))
}

/// How deep the posture of a device may nest.
const POSTURE_DEPTH_MAX: usize = 8;
