//! Limits on the size of expressions and of the values they read.

/// How deep an expression may nest, including chains of operators.
pub const EXPRESSION_DEPTH_MAX: usize = 48;

/// How deep loops (`all`, `exists`, `map`, `filter`) may be nested.
pub const EXPRESSION_LOOPS_MAX: usize = 2;

/// How many values the arguments or claims may hold for an expression to read them.
pub const EXPRESSION_VALUES_MAX: usize = 10_000;

/// The same for an expression with nested loops.
pub const EXPRESSION_NESTED_VALUES_MAX: usize = 500;

/// How many bytes their texts may have in that case.
pub const EXPRESSION_NESTED_BYTES_MAX: usize = 32 << 10;

/// How much memory one compiled regular expression may take, in bytes.
pub const EXPRESSION_PATTERN_BYTES_MAX: usize = 1 << 20;
