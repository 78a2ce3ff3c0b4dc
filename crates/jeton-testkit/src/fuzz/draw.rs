//! Choices, drawn from the bytes of an input.
//!
//! Where the bytes have run out, every choice is its first: a short input is a plain one.

use std::ops::RangeInclusive;

use arbitrary::Unstructured;

/// The bytes of an input, from the first on.
pub(super) struct Draw<'a>(Unstructured<'a>);

impl<'a> Draw<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self(Unstructured::new(input))
    }

    /// A number in a range, at most one byte's worth of them.
    pub(super) fn number(&mut self, range: RangeInclusive<u8>) -> usize {
        self.0.int_in_range(range).unwrap().into()
    }

    /// Any number of 64 bits.
    pub(super) fn any_i64(&mut self) -> i64 {
        self.0.arbitrary().unwrap_or_default()
    }

    /// True in one of `of` cases, but never at the end of the input.
    pub(super) fn rarely(&mut self, of: u8) -> bool {
        self.number(0..=of - 1) == 1
    }

    pub(super) fn one_of<'t, T: ?Sized>(&mut self, all: &[&'t T]) -> &'t T {
        all[self.number(0..=u8::try_from(all.len() - 1).unwrap())]
    }

    /// Bytes, `longest` of them at the most.
    pub(super) fn bytes(&mut self, longest: u8) -> &'a [u8] {
        let length = self.number(0..=longest).min(self.0.len());
        self.0.bytes(length).unwrap()
    }

    /// Text of at most `longest` bytes, before bytes that are none become U+FFFD.
    pub(super) fn text(&mut self, longest: u8) -> String {
        String::from_utf8_lossy(self.bytes(longest)).into_owned()
    }

    /// One of these texts, or sometimes any other.
    pub(super) fn text_like(&mut self, known: &[&str]) -> String {
        if self.rarely(8) { self.text(40) } else { self.one_of(known).to_owned() }
    }

    /// Exactly `N` bytes, with zeros for those that are missing.
    pub(super) fn exactly<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_buffer(&mut bytes).unwrap();
        bytes
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0.take_rest()
    }

    /// All that is left, as [`Draw::text`].
    pub(super) fn rest_as_text(self) -> String {
        String::from_utf8_lossy(self.rest()).into_owned()
    }
}
