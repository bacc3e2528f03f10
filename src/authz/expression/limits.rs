//! Limits on the size of expressions and of the values they read.

/// How deep an expression may nest, chains of operators included.
pub const EXPRESSION_DEPTH_MAX: usize = 48;

/// How many loops (`all`, `exists`, `map`, `filter`) may run inside each other.
pub const EXPRESSION_LOOPS_MAX: usize = 2;

/// How many values the arguments or claims may hold for an expression to look at them.
pub const EXPRESSION_VALUES_MAX: usize = 10_000;

/// The same for an expression with loops inside loops.
pub const EXPRESSION_NESTED_VALUES_MAX: usize = 500;

/// How many bytes their texts may have then.
pub const EXPRESSION_NESTED_BYTES_MAX: usize = 32 << 10;

/// How much memory one regular expression may take once it is compiled, in bytes.
pub const EXPRESSION_PATTERN_BYTES_MAX: usize = 1 << 20;
