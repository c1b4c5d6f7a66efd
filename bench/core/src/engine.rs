//! What a contestant must be able to do: take flags, make a context of a user, and answer.

use crate::scenario::Flag;

/// An evaluator, dressed so that every one can be asked in the same loops.
pub trait Engine: Sized {
    /// What it calls a context.
    type Context;

    /// Takes the flags of a scenario, in the form that it evaluates fastest.
    fn with_flags(flags: &[Flag]) -> Self;

    /// Makes the context of one user, as far as it can be made before a flag is named.
    fn context(user: &'static str) -> Self::Context;

    /// Whether the user has the flag. Implementations pass their whole answer through `black_box`, so that no part of the
    /// work that a caller would get is left out.
    fn is_on(&mut self, key: &'static str, context: &mut Self::Context) -> bool;

    /// How many flags the user has: one question after the other, unless the evaluator knows a better way.
    fn count_on(&mut self, keys: &[&'static str], context: &mut Self::Context) -> usize {
        keys.iter().map(|key| usize::from(self.is_on(key, context))).sum()
    }
}
