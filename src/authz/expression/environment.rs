//! The CEL environment: every function that an expression can call.

use std::sync::{Arc, LazyLock};

use cel::{DeclarationError, Env};

use super::{functions, outside};

/// CEL's standard set without optional values, our functions, and the replacements of operators
/// over external values.
pub(super) static ENVIRONMENT: LazyLock<Result<Arc<Env>, DeclarationError>> = LazyLock::new(|| {
    let mut environment = Env::stdlib().with_optional_support(false);
    functions::declare(&mut environment)?;
    outside::declare(&mut environment)?;
    Ok(Arc::new(environment))
});
