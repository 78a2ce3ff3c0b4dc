//! Identifiers: 12 bytes, 24 lower-case hex digits, one type for each kind of record.
//!
//! An id begins with the millisecond of its making, so that ids sort in the order of creation and a database appends
//! instead of scattering. The rest is random. Nothing in an id comes from a secret, so an id may be logged, listed and
//! put into a URL.

use std::fmt;

use crate::timestamp::Timestamp;

/// The bytes of an id: 6 bytes of milliseconds since the Unix epoch, big-endian, then 6 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId([u8; 12]);

impl ObjectId {
    /// An id made at `now` from six fresh random bytes.
    pub fn new(now: Timestamp, random: [u8; 6]) -> Self {
        let mut bytes = [0; 12];
        bytes[..6].copy_from_slice(&now.as_millis().max(0).to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        Self(bytes)
    }

    /// The id with these bytes, as a store kept them.
    pub const fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// The bytes, as a store keeps them.
    pub const fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }

    /// The millisecond of its making, as it stands in the id.
    pub fn made_at(&self) -> Timestamp {
        let millis = self.0[..6].iter().fold(0, |millis, byte| millis << 8 | i64::from(*byte));
        Timestamp::from_millis(millis)
    }

    /// Reads 24 lower-case hex digits. `None` for anything else, upper case included: an id has one spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 24 {
            return None;
        }
        let mut bytes = [0; 12];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// The 24 digits without an allocation, for the paths where one shows.
    pub fn hex(&self) -> Hex {
        // Worked out and not looked up, so that all of them are at once.
        let digit = |nibble: u8| nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
        let mut text = [0; 24];
        for (pair, byte) in text.as_chunks_mut().0.iter_mut().zip(self.0) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        Hex(text)
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// An id written out, on the stack.
#[derive(Clone, Copy)]
pub struct Hex([u8; 24]);

impl Hex {
    /// The 24 digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hex digits are ASCII")
    }

    /// The same as bytes: where many are written, that they are ASCII need not be found out each time.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hex().as_str())
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(ObjectId);

        impl $name {
            /// An id made at `now` from six fresh random bytes.
            pub fn new(now: Timestamp, random: [u8; 6]) -> Self {
                Self(ObjectId::new(now, random))
            }

            /// The id with these bytes, as a store kept them.
            pub const fn from_bytes(bytes: [u8; 12]) -> Self {
                Self(ObjectId::from_bytes(bytes))
            }

            /// The bytes, as a store keeps them.
            pub const fn as_bytes(&self) -> &[u8; 12] {
                self.0.as_bytes()
            }

            /// Reads 24 lower-case hex digits; `None` for anything else.
            pub fn parse(text: &str) -> Option<Self> {
                ObjectId::parse(text).map(Self)
            }

            /// The 24 digits without an allocation.
            pub fn hex(&self) -> Hex {
                self.0.hex()
            }

            /// The millisecond of its making.
            pub fn made_at(&self) -> Timestamp {
                self.0.made_at()
            }
        }

        impl From<$name> for ObjectId {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

id! {
    /// An account: the wall around members, roles and tokens.
    AccountId
}
id! {
    /// A member of an account, as LaunchDarkly names one. Canvus names the same member by number.
    MemberId
}
id! {
    /// A custom role.
    RoleId
}
id! {
    /// A token, the same in both dialects.
    TokenId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_from_its_only_spelling() {
        let id = TokenId::new(Timestamp::from_millis(1_790_000_000_123), [0xab; 6]);
        assert_eq!(id.to_string().len(), 24);
        assert_eq!(TokenId::parse(&id.to_string()), Some(id));
        assert_eq!(TokenId::parse(&id.to_string().to_uppercase()), None);
        assert_eq!(TokenId::parse(""), None);
        assert_eq!(TokenId::parse("é23456789012345678901234"), None);
    }

    #[test]
    fn ids_sort_by_the_time_of_their_making() {
        let earlier = TokenId::new(Timestamp::from_millis(1_000), [0xff; 6]);
        let later = TokenId::new(Timestamp::from_millis(1_001), [0; 6]);
        assert!(earlier < later);
    }
}
